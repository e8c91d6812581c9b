// penstock user passwd: sets somebody's password, asked for without showing it.
#include "cli/resource.h"

#include "base/secret.h"
#include "cli/ask.h"

#define BODY_MAX ((size_t)8 * CLI_ANSWER_MAX)
#define ARENA_MAX ((size_t)1 << 20)

static int send(const struct cli_args *args, struct str password) {
    struct cli_api api;
    struct arena a;
    struct json_writer w;
    struct buf body = BUF_INIT(BODY_MAX);
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    arena_init(&a, NULL, 0, ARENA_MAX);
    if (buf_reserve(&body, BODY_MAX)) {
        json_writer_init(&w, &body);
        json_put_object(&w);
        json_put_member_str(&w, STR("password"), password);
        json_put_member_bool(&w, STR("must_change"), !cli_given(args, CLI_KEEP));
        json_put_object_end(&w);
        code = resource_send(&api, HTTP_POST, resource_path(&a, &entity_user, args->operands[0], "password"),
                             buf_str(&body), "Set; sessions of before have ended.");
    }
    secret_wipe(body.p, body.p ? body.cap : 0);
    buf_free(&body);
    arena_free(&a);
    cli_api_close(&api);
    return code;
}

int cmd_user_passwd(const struct cli_args *args) {
    struct cli_asker asker;
    struct buf password;
    if (!cli_answer_room(&password)) return cli_fail(args->io, CLI_FAILED, "out of memory", NULL, NULL);
    cli_asker_init(&asker, args);
    int code = cli_ask_password(&asker, "New password (it is not shown): ", &password);
    cli_asker_end(&asker);
    if (code == CLI_OK) code = send(args, buf_str(&password));
    cli_answer_wipe(&password);
    return code;
}
