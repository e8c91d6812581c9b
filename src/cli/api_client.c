// Carries requests of commands to the admin API.
#include "cli/api_client.h"

#include "base/json_read.h"
#include "base/secret.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/credentials.h"
#include "conf/conf.h"
#include "store/config_env.h"
#include "store/tenant.h"

#define ARENA_MAX ((size_t)1 << 20)
#define PIECE_MAX ((size_t)64 << 20)

static int not_signed_in(struct cli_api *api, const char *why) {
    char next[300];
    snprintf(next, sizeof next, "penstock login --server %.*s, or PENSTOCK_API_KEY=ps-…",
             (int)MIN(api->server.n, (size_t)200), api->server.p);
    return cli_fail(api->args->io, CLI_REFUSED, "not signed in to the server", why, next);
}

static int open_server(struct cli_api *api) {
    const char *key = api->args->io->env("PENSTOCK_API_KEY");
    struct credentials kept;
    struct err err;
    bool there;
    int code = server_check(api->args, api->server);
    if (code != CLI_OK) return code;
    if (key && key[0]) {
        api->bearer = str_c(key);
        return CLI_OK;
    }
    if (!credentials_load(api->args, api->server, &api->secrets, &kept, &there, &err))
        return cli_fail_err(api->args->io, &err, "cannot use what is kept for the server", NULL);
    if (!there) return not_signed_in(api, "PENSTOCK_API_KEY is not set, and nobody has signed in");
    api->signed_in = true;
    if (credentials_bearer(api->args, &kept, &api->secrets, &api->bearer, &err)) return CLI_OK;
    if (err.code == ERR_UNAUTHENTICATED) return not_signed_in(api, err.message);
    return cli_fail_err(api->args->io, &err, "cannot ask the server", NULL);
}

static int open_data(struct cli_api *api, bool changing) {
    struct err err;
    int code = cli_data_open(api->args, changing, &api->data);
    if (code != CLI_OK) return code;
    if (audit_signer_create(&api->data.dir, &api->signer, &err)) return CLI_OK;
    cli_data_close(&api->data);
    return cli_fail_err(api->args->io, &err, "cannot open the audit trail", NULL);
}

int cli_api_open(const struct cli_args *args, bool changing, struct cli_api *out_api) {
    *out_api = (struct cli_api){.args = args, .tenant = cli_value(args, CLI_TENANT), .server = server_named(args)};
    out_api->who = (struct who){.principal = {.kind = PRINCIPAL_OPERATOR},
                                .name = STR("operator"),
                                .home = TENANT_DEFAULT,
                                .tenant = TENANT_DEFAULT,
                                .agent = STR("penstock command")};
    arena_init(&out_api->secrets, NULL, 0, ARENA_MAX);
    int code = out_api->server.n ? open_server(out_api) : open_data(out_api, changing);
    if (code != CLI_OK) arena_wipe_free(&out_api->secrets);
    return code;
}

void cli_api_close(struct cli_api *api) {
    arena_wipe_free(&api->secrets);
    if (!api->signer) return;
    audit_signer_free(api->signer);
    cli_data_close(&api->data);
    api->signer = NULL;
}

void cli_url_put(struct buf *out, struct str text) { percent_put(out, text, "@,"); }

// --- errors ---

static int exit_of_status(int status) {
    if (status == 404) return CLI_NOT_FOUND;
    if (status == 401 || status == 403) return CLI_REFUSED;
    if (status == 400 || status == 422) return CLI_USAGE;
    return CLI_FAILED;
}

static int problem(struct cli_api *api, const struct cli_answer *answer) {
    struct arena a;
    struct str body = buf_str(&answer->body);
    char what[1200], next[300] = "";
    struct err err;
    if (api->quiet) return exit_of_status(answer->status);
    arena_init(&a, NULL, 0, ARENA_MAX);
    bool json = json_validate(body, 0, &err);
    struct str detail = json ? cli_json_text(&a, body, STR("detail")) : STR("");
    struct str near = json ? cli_json_text(&a, body, STR("near")) : STR("");
    if (!detail.n && json) {
        struct str inner;
        if (JSON_GET(body, &inner, STR("error"))) detail = cli_json_text(&a, inner, STR("message"));
    }
    if (detail.n)
        snprintf(what, sizeof what, "%.*s", (int)MIN(detail.n, (size_t)1000), detail.p);
    else
        snprintf(what, sizeof what, "the server answered with status %d", answer->status);
    if (near.n) snprintf(next, sizeof next, "did you mean %.*s?", (int)MIN(near.n, (size_t)200), near.p);
    if (answer->status == 401 && api->signed_in)
        snprintf(next, sizeof next, "penstock login --server %.*s", (int)MIN(api->server.n, (size_t)200),
                 api->server.p);
    int code = cli_fail(api->args->io, exit_of_status(answer->status), what, NULL, next[0] ? next : NULL);
    arena_free(&a);
    return code;
}

// --- both ways ---

// A long answer's place.
struct pull {
    cli_sink *sink;
    void *ctx;
};

static int call_server(struct cli_api *api, enum http_method method, struct str target, struct str body,
                       const struct pull *pull, struct cli_answer *out) {
    const struct server_call call = {.server = api->server,
                                     .method = method,
                                     .target = target,
                                     .body = body,
                                     .bearer = api->bearer,
                                     .tenant = api->tenant,
                                     .sink = pull ? pull->sink : NULL,
                                     .sink_ctx = pull ? pull->ctx : NULL};
    struct err err;
    if (server_call(&call, out, &err)) return CLI_OK;
    return api->quiet ? CLI_FAILED : cli_fail_err(api->args->io, &err, "cannot ask the server", NULL);
}

static bool pull_here(struct api_pieces *pieces, const struct pull *pull, struct err *err) {
    struct buf out = BUF_INIT(PIECE_MAX);
    bool end = false, ok = true;
    while (ok && !end) {
        buf_clear(&out);
        ok = pieces->next(pieces, &out, &end, err) &&
             (pull->sink(pull->ctx, buf_str(&out)) || err_set(err, ERR_IO, "the answer could not be written"));
    }
    buf_free(&out);
    return ok;
}

// What a command finds beside it; without a file nobody says what the server has.
static struct conf *names_here(void *ctx) {
    const struct cli_args *args = ((const struct cli_api *)ctx)->args;
    struct str file = cli_config_file(args);
    struct config_env stores = {0};
    struct conf_problems problems;
    struct conf *conf = NULL;
    if (!file.n) return NULL;
    struct conf_env env = config_env_system(&stores);
    env.offline = true;
    env.profile = cli_value(args, CLI_PROFILE);
    conf_problems_init(&problems);
    if (!conf_load(file, &env, &problems, &conf)) conf = NULL;
    conf_problems_free(&problems);
    config_env_end(&stores);
    return conf;
}

static int call_here(struct cli_api *api, enum http_method method, struct str path, struct str query, struct str body,
                     const struct pull *pull, struct cli_answer *out) {
    struct api core = {
        .dir = &api->data.dir, .signer = api->signer, .db = api->data.db, .names = names_here, .ctx = api};
    struct api_request request = {
        .method = method, .path = path, .query = query, .body = body, .tenant = api->tenant, .who = &api->who};
    struct api_reply reply;
    struct err err;
    api_execute(&core, &request, &reply);
    out->status = reply.status;
    out->body = reply.body;
    buf_init(&reply.body, 0);
    bool ok = !pull || !reply.pieces || pull_here(reply.pieces, pull, &err);
    api_reply_free(&reply);
    return ok ? CLI_OK : cli_fail_err(api->args->io, &err, "the answer is not whole", NULL);
}

static int call(struct cli_api *api, enum http_method method, struct str path, struct str query, struct str body,
                const struct pull *pull, struct cli_answer *out_answer) {
    BUF_AUTO struct buf target = BUF_INIT(ARENA_MAX);
    int code;
    *out_answer = (struct cli_answer){0};
    if (api->server.n) {
        buf_put(&target, path);
        if (query.n) buf_putc(&target, '?');
        buf_put(&target, query);
        code = call_server(api, method, buf_str(&target), body, pull, out_answer);
    } else {
        code = call_here(api, method, path, query, body, pull, out_answer);
    }
    if (code == CLI_OK && out_answer->status >= 400) code = problem(api, out_answer);
    return code;
}

bool cli_api_ask(struct cli_api *api, enum http_method method, struct str path, struct str query, struct str body,
                 struct cli_answer *out_answer) {
    api->quiet = true;
    bool ok = call(api, method, path, query, body, NULL, out_answer) == CLI_OK;
    api->quiet = false;
    return ok;
}

int cli_api_call(struct cli_api *api, enum http_method method, struct str path, struct str query, struct str body,
                 struct cli_answer *out_answer) {
    return call(api, method, path, query, body, NULL, out_answer);
}

int cli_api_pull(struct cli_api *api, struct str path, cli_sink *sink, void *ctx) {
    const struct pull pull = {sink, ctx};
    struct cli_answer answer;
    int code = call(api, HTTP_GET, path, STR(""), STR(""), &pull, &answer);
    cli_answer_free(&answer);
    return code;
}

// --- reading answers ---

static void put_scalar(struct arena *arena, struct buf *out, struct str raw) {
    struct str text;
    if (json_raw_kind(raw) == JSON_STRING && json_string_text(raw, arena, &text))
        buf_put(out, text);
    else
        buf_put(out, raw);
}

// The members of a list or a map, with commas between them.
static void put_members(struct arena *arena, struct buf *out, struct str raw, bool array) {
    struct json_reader r;
    struct str key, name, one;
    enum json_kind kind;
    json_reader_init(&r, raw, 0);
    if (array ? !json_enter_array(&r) : !json_enter_object(&r)) return;
    for (bool first = true; array ? json_element(&r, &kind) : json_member(&r, &key, &kind); first = false) {
        if (!first) buf_put(out, STR(", "));
        if (!array && json_string_text(key, arena, &name)) buf_printf(out, "%.*s=", STR_ARG(name));
        if (!json_skip(&r, &one)) return;
        put_scalar(arena, out, one);
    }
}

static void put_value(struct arena *arena, struct buf *out, struct str raw) {
    enum json_kind kind = json_raw_kind(raw);
    if (kind == JSON_ARRAY || kind == JSON_OBJECT)
        put_members(arena, out, raw, kind == JSON_ARRAY);
    else if (kind != JSON_NULL)
        put_scalar(arena, out, raw);
}

struct str cli_json_text(struct arena *arena, struct str object, struct str name) {
    BUF_AUTO struct buf out = BUF_INIT(ARENA_MAX);
    struct str raw;
    if (!json_get(object, &name, 1, &raw)) return STR("");
    put_value(arena, &out, raw);
    struct str copy = out.failed ? STR_NONE : arena_str(arena, buf_str(&out));
    return copy.p ? copy : STR("");
}
