// penstock key create, list, revoke by the admin API: of a server, of one tenant, with fields that have no option.
#include "base/json_read.h"
#include "base/secret.h"
#include "cli/resource.h"

#define ARENA_MAX ((size_t)1 << 20)
#define TEXT_MAX ((size_t)1 << 20)

bool key_by_api(const struct cli_args *args, bool of_tenant) {
    return server_named(args).n || (of_tenant && cli_given(args, CLI_TENANT));
}

static int print_made(const struct cli_args *args, struct str body) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    struct arena a;
    if (cli_given(args, CLI_JSON)) return resource_print(args, body);
    arena_init(&a, NULL, 0, ARENA_MAX);
    struct str id = cli_json_text(&a, body, STR("id"));
    // The key alone on standard output, so that a script can take it from there.
    buf_put(&out, cli_json_text(&a, body, STR("key")));
    buf_putc(&out, '\n');
    if (!cli_given(args, CLI_QUIET))
        fprintf(args->io->err, "Made key %.*s. It is shown only this once: keep it safe.\n", STR_ARG(id));
    int code = cli_print(args->io, &out);
    secret_wipe(out.p, out.n);
    arena_wipe_free(&a);
    return code;
}

// Options as the fields they stand for.
static void add_option(struct cli_args *args, struct arena *a, enum cli_option_id id, const char *field) {
    if (!cli_given(args, id) || args->n_operands == CLI_OPERANDS_MAX) return;
    struct str value = id == CLI_ADMIN ? STR("true") : cli_value(args, id);
    const char *word = arena_printf(a, "%s=%.*s", field, STR_ARG(value)).p;
    if (word) args->operands[args->n_operands++] = word;
}

int key_create_by_api(const struct cli_args *given) {
    struct cli_args args = *given;
    struct cli_api api;
    struct cli_answer answer = {0};
    struct arena a;
    BUF_AUTO struct buf body = BUF_INIT(TEXT_MAX);
    int code = cli_api_open(given, true, &api);
    if (code != CLI_OK) return code;
    arena_init(&a, NULL, 0, ARENA_MAX);
    add_option(&args, &a, CLI_NAME, "name");
    add_option(&args, &a, CLI_MODELS, "allowed_models");
    add_option(&args, &a, CLI_EXPIRES, "expires_at");
    add_option(&args, &a, CLI_ADMIN, "is_admin");
    code = resource_body(&args, &entity_key, 0, &body);
    if (code == CLI_OK) code = cli_api_call(&api, HTTP_POST, STR("/api/v1/keys"), STR(""), buf_str(&body), &answer);
    if (code == CLI_OK) code = print_made(given, buf_str(&answer.body));
    cli_answer_free(&answer);
    arena_wipe_free(&a);
    cli_api_close(&api);
    return code;
}

int key_list_by_api(const struct cli_args *args) { return resource_run(args, &entity_key, RESOURCE_LIST); }

int key_revoke_by_api(const struct cli_args *args) {
    struct cli_api api;
    struct arena a;
    const char *row;
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    arena_init(&a, NULL, 0, ARENA_MAX);
    code = resource_row(&api, &a, &entity_key, args->operands[0], &row);
    if (code == CLI_OK)
        code = resource_send(&api, HTTP_POST, resource_path(&a, &entity_key, row, "revoke"), STR("{}"), "Revoked.");
    arena_free(&a);
    cli_api_close(&api);
    return code;
}
