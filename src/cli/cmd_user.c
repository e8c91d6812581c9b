// penstock user passwd: sets somebody's password, asked for without showing it.
#include "cli/resource.h"

#include "base/secret.h"
#include "os/term.h"

#define PASSWORD_MAX 1024
#define ARENA_MAX ((size_t)1 << 20)

static int ask(const struct cli_args *args, const char *prompt, struct buf *out) {
    enum term_answer answer;
    struct err err;
    fflush(args->io->err);
    if (!term_ask_hidden(fileno(args->io->in), fileno(args->io->err), str_c(prompt), out, &answer, &err))
        return cli_fail_err(args->io, &err, "cannot read the password", "give it on standard input");
    return answer == TERM_INTERRUPTED ? CLI_INTERRUPTED : CLI_OK;
}

static int ask_twice(const struct cli_args *args, struct buf *out) {
    struct buf again = BUF_INIT(PASSWORD_MAX);
    int code = buf_reserve(&again, PASSWORD_MAX) ? ask(args, "New password (it is not shown): ", out) : CLI_FAILED;
    if (code == CLI_OK) code = ask(args, "Once more: ", &again);
    if (code == CLI_OK && !str_eq(buf_str(out), buf_str(&again)))
        code = cli_fail(args->io, CLI_USAGE, "the two are not the same", NULL, NULL);
    secret_wipe(again.p, again.p ? again.cap : 0);
    buf_free(&again);
    return code;
}

// Its first line, without the end.
static int read_line(const struct cli_args *args, struct buf *out) {
    // Not through a buffer of the stream's, which would keep a copy.
    setvbuf(args->io->in, NULL, _IONBF, 0);
    out->n = fread(out->p, 1, out->cap, args->io->in);
    if (ferror(args->io->in)) return cli_fail(args->io, CLI_FAILED, "cannot read standard input", NULL, NULL);
    out->n = str_find(buf_str(out), STR("\n"));
    return CLI_OK;
}

static int send(const struct cli_args *args, struct str password) {
    struct cli_api api;
    struct arena a;
    struct json_writer w;
    struct buf body = BUF_INIT(8 * PASSWORD_MAX);
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    arena_init(&a, NULL, 0, ARENA_MAX);
    if (buf_reserve(&body, 8 * PASSWORD_MAX)) {
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
    struct buf password = BUF_INIT(PASSWORD_MAX + 2);
    if (!buf_reserve(&password, PASSWORD_MAX + 2)) return cli_fail(args->io, CLI_FAILED, "out of memory", NULL, NULL);
    int code = args->io->in_tty ? ask_twice(args, &password) : read_line(args, &password);
    if (code == CLI_OK) code = send(args, buf_str(&password));
    secret_wipe(password.p, password.cap);
    buf_free(&password);
    return code;
}
