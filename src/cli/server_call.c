// Sends a request to a server's admin API.
#include "cli/server_call.h"

#include "base/secret.h"
#include "net/fetch.h"

#define ANSWER_MAX ((size_t)256 << 20)
#define TIMEOUT_MS 60000
#define SINK_TIMEOUT_MS (6 * 3600 * 1000) // an answer of any length
#define ARENA_MAX ((size_t)1 << 20)
#define FIELDS 6

void cli_answer_free(struct cli_answer *answer) {
    if (answer->body.p) secret_wipe(answer->body.p, answer->body.n);
    secret_wipe(answer->cookie, sizeof answer->cookie);
    buf_free(&answer->body);
}

struct str server_named(const struct cli_args *args) {
    const char *env = args->io->env("PENSTOCK_SERVER");
    struct str server = cli_given(args, CLI_SERVER) ? cli_value(args, CLI_SERVER) : str_c(env ? env : "");
    while (str_ends(server, STR("/"))) server = str_head(server, server.n - 1);
    return server;
}

int server_check(const struct cli_args *args, struct str server) {
    struct err err;
    if (!str_starts(server, STR("http://")) && !str_starts(server, STR("https://")))
        return cli_fail(args->io, CLI_USAGE, "--server is not the address of a server", NULL,
                        "--server https://penstock.example.com");
    if (!fetch_global_begin(&err)) return cli_fail_err(args->io, &err, "cannot ask a server", NULL);
    return CLI_OK;
}

static void add(struct http_field *fields, size_t *n, const char *name, struct str value) {
    if (value.n) fields[(*n)++] = (struct http_field){str_c(name), value};
}

bool server_call(const struct server_call *call, struct cli_answer *out, struct err *err) {
    struct arena a;
    struct fetch_answer answer = {0};
    struct http_field fields[FIELDS + SERVER_CALL_FIELDS_MAX];
    size_t n = 0;
    arena_init(&a, NULL, 0, ARENA_MAX);
    struct str url = arena_printf(&a, "%.*s%.*s", STR_ARG(call->server), STR_ARG(call->target)), bearer = STR("");
    if (call->bearer.n) bearer = arena_printf(&a, "Bearer %.*s", STR_ARG(call->bearer));
    add(fields, &n, "authorization", bearer);
    add(fields, &n, "content-type", call->type.n ? call->type : STR("application/json"));
    add(fields, &n, "x-penstock-tenant", call->tenant);
    add(fields, &n, "cookie", call->cookie);
    add(fields, &n, "x-csrf-token", call->csrf);
    INVARIANT(call->field_count <= SERVER_CALL_FIELDS_MAX);
    for (size_t i = 0; i < call->field_count; i++) fields[n++] = call->fields[i];
    const struct fetch_request request = {.method = http_method_text(call->method),
                                          .url = url,
                                          .fields = fields,
                                          .n_fields = n,
                                          .body = call->body,
                                          .sink = call->sink,
                                          .sink_ctx = call->sink_ctx,
                                          .timeout_ms = call->sink         ? SINK_TIMEOUT_MS
                                                        : call->timeout_ms ? call->timeout_ms
                                                                           : TIMEOUT_MS,
                                          .max_body = ANSWER_MAX};
    bool ok = url.p && bearer.p ? fetch(&request, &answer, err) : err_no_memory(err);
    if (ok) {
        *out = (struct cli_answer){.status = answer.status, .body = answer.body};
        if (answer.cookie.n && answer.cookie.n < sizeof out->cookie)
            memcpy(out->cookie, answer.cookie.p, answer.cookie.n);
        buf_init(&answer.body, 0);
        fetch_answer_free(&answer);
    }
    arena_wipe_free(&a);
    return ok;
}
