// Asks a server's data plane for files and batches.
#include "cli/data_client.h"

#include "base/json_read.h"
#include "base/text.h"
#include "cli/api_client.h"
#include "os/file.h"
#include "os/rand.h"

#define SERVER_DEFAULT "http://127.0.0.1:8080"
#define ARENA_MAX ((size_t)1 << 20)
#define FORM_MAX ((size_t)4 << 30)
#define TIMEOUT_MS (10U * 60 * 1000) // a file may be large
#define PATH_BYTES_MAX 4096

int data_client_open(const struct cli_args *args, struct data_client *c) {
    const char *key = args->io->env("PENSTOCK_API_KEY");
    *c = (struct data_client){.args = args, .server = server_named(args), .key = str_c(key)};
    if (!c->server.n) c->server = STR(SERVER_DEFAULT);
    if (!c->key.n || !http_is_field_value(c->key))
        return cli_fail(args->io, CLI_USAGE, "there is no key to ask the server with", "PENSTOCK_API_KEY is not set",
                        "PENSTOCK_API_KEY=$(penstock key create) penstock …");
    return server_check(args, c->server);
}

static int exit_of_status(int status) {
    if (status == 404) return CLI_NOT_FOUND;
    if (status == 401 || status == 403 || status == 429) return CLI_REFUSED;
    return status == 400 ? CLI_USAGE : CLI_FAILED;
}

static int told(const struct data_client *c, const struct cli_answer *answer) {
    struct arena a;
    struct str inner, message = STR("");
    struct err ignored;
    char what[600];
    arena_init(&a, NULL, 0, ARENA_MAX);
    bool json = json_validate(buf_str(&answer->body), 0, &ignored);
    if (json && JSON_GET(buf_str(&answer->body), &inner, STR("error")))
        message = cli_json_text(&a, inner, STR("message"));
    if (message.n)
        snprintf(what, sizeof what, "%.*s", STR_ARG(str_head(message, 500)));
    else
        snprintf(what, sizeof what, "the server answered with status %d", answer->status);
    int code = cli_fail(c->args->io, exit_of_status(answer->status), what, NULL, NULL);
    arena_free(&a);
    return code;
}

int data_call(const struct data_client *c, const struct data_request *r, struct cli_answer *out) {
    const struct server_call call = {.server = c->server,
                                     .method = r->method,
                                     .target = r->target,
                                     .body = r->body,
                                     .type = r->type,
                                     .timeout_ms = TIMEOUT_MS,
                                     .bearer = c->key,
                                     .sink = r->sink,
                                     .sink_ctx = r->ctx,
                                     .fields = r->fields,
                                     .field_count = r->field_count};
    struct err err;
    char what[300];
    if (!server_call(&call, out, &err)) {
        *out = (struct cli_answer){.body = BUF_INIT(0)};
        if (r->quiet) return CLI_UNREACHABLE;
        snprintf(what, sizeof what, "cannot reach Penstock at %.*s", STR_ARG(str_head(c->server, 200)));
        cli_fail_err(c->args->io, &err, what, "penstock serve, or --server with the address where it runs");
        return CLI_UNREACHABLE;
    }
    return out->status < 400 ? CLI_OK : told(c, out);
}

// --- putting in ---

static struct str boundary_new(char out[40]) {
    uint64_t random[2];
    rand_bytes(random, sizeof random);
    int n = snprintf(out, 40, "penstock-%016llx%012llx", (unsigned long long)random[0],
                     (unsigned long long)(random[1] & 0xffffffffffff));
    return str_of(out, (size_t)n);
}

// Quotes and line ends as browsers write them.
static void put_name(struct buf *form, struct str name) {
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"')
            buf_lit(form, "%22");
        else
            buf_putc(form, (unsigned char)name.p[i] < 0x20 || name.p[i] == '\\' ? '_' : name.p[i]);
    }
}

int data_put_file(const struct data_client *c, struct str bytes, struct str name, struct str purpose,
                  struct buf *out_id) {
    BUF_AUTO struct buf form = BUF_INIT(FORM_MAX);
    char mark[40], type[100];
    struct str boundary = boundary_new(mark), raw;
    struct cli_answer answer = {.body = BUF_INIT(0)};
    buf_printf(&form, "--%.*s\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n%.*s\r\n", STR_ARG(boundary),
               STR_ARG(purpose));
    buf_printf(&form, "--%.*s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"", STR_ARG(boundary));
    put_name(&form, name);
    buf_lit(&form, "\"\r\n\r\n");
    buf_put(&form, bytes);
    buf_printf(&form, "\r\n--%.*s--\r\n", STR_ARG(boundary));
    if (form.failed) return cli_fail(c->args->io, CLI_FAILED, "there is no memory for the file", NULL, NULL);
    int n = snprintf(type, sizeof type, "multipart/form-data; boundary=%.*s", STR_ARG(boundary));
    const struct data_request r = {
        .method = HTTP_POST, .target = STR("/v1/files"), .body = buf_str(&form), .type = str_of(type, (size_t)n)};
    int code = data_call(c, &r, &answer);
    bool found = code == CLI_OK && JSON_GET(buf_str(&answer.body), &raw, STR("id")) && json_string_decode(raw, out_id);
    cli_answer_free(&answer);
    if (code != CLI_OK || found) return code;
    return cli_fail(c->args->io, CLI_FAILED, "the server's answer names no file", NULL, NULL);
}

// --- fetching ---

struct sink {
    FILE *out;
};

static bool write_piece(void *ctx, struct str piece) {
    struct sink *s = ctx;
    return fwrite(piece.p, 1, piece.n, s->out) == piece.n;
}

static int fetch_to(const struct data_client *c, struct str id, FILE *out) {
    BUF_AUTO struct buf target = BUF_INIT(PATH_BYTES_MAX);
    struct sink sink = {out};
    struct cli_answer answer = {.body = BUF_INIT(0)};
    buf_lit(&target, "/v1/files/");
    cli_url_put(&target, id);
    buf_lit(&target, "/content");
    const struct data_request r = {.method = HTTP_GET, .target = buf_str(&target), .sink = write_piece, .ctx = &sink};
    int code = data_call(c, &r, &answer);
    cli_answer_free(&answer);
    return code;
}

int data_get_file(const struct data_client *c, struct str id, struct str path) {
    const struct cli_io *io = c->args->io;
    BUF_AUTO struct buf part = BUF_INIT(PATH_BYTES_MAX);
    BUF_AUTO struct buf whole = BUF_INIT(PATH_BYTES_MAX);
    if (str_eq(path, STR("-"))) {
        int code = fetch_to(c, id, io->out);
        bool written = fflush(io->out) == 0 && !ferror(io->out);
        return code != CLI_OK || written ? code
                                         : cli_fail(io, CLI_FAILED, "cannot write to standard output", NULL, NULL);
    }
    buf_put(&whole, path);
    buf_printf(&part, "%.*s.part", STR_ARG(path));
    const char *from = buf_cstr(&part), *to = buf_cstr(&whole);
    FILE *out = from && to ? fopen(from, "wb") : NULL;
    if (!out) return cli_fail(io, CLI_FAILED, "cannot write the file", to, NULL);
    int code = fetch_to(c, id, out);
    bool written = fclose(out) == 0;
    if (code == CLI_OK && (!written || rename(from, to) != 0))
        code = cli_fail(io, CLI_FAILED, "cannot write the file", to, NULL);
    if (code != CLI_OK) remove(from);
    return code;
}
