// penstock chat: sends one prompt to a running server and streams the answer to the terminal.
#include "base/json_write.h"
#include "base/utf8.h"
#include "cli/chat_stream.h"
#include "cli/commands.h"
#include "conf/url.h"
#include "net/http1_parse.h"
#include "net/http_client.h"
#include "os/loop.h"
#include "os/signals.h"

#define URL_DEFAULT "http://127.0.0.1:8080"
#define PROMPT_MAX ((size_t)16 * 1024 * 1024)
#define BODY_MAX ((size_t)64 * 1024 * 1024)
#define HEAD_MAX ((size_t)64 * 1024)
#define CONNECT_MS 10000
#define ANSWER_MS 600000

struct chat {
    const struct cli_args *args;
    struct conf_url url;
    struct str authority;
    struct str key;
    struct buf target, body, authorization;

    struct loop *loop;
    struct http_client *client;
    struct http_origin origin;
    struct http_exchange *exchange; // NULL once it has ended
    struct chat_stream stream;
    struct buf answer; // a body that is not shown as it comes: JSON, or an error
    char request_id[64];
    int status;
    bool streaming; // the answer is a stream
    bool line_open; // the last character printed was no line end
    bool interrupted;
    struct err err; // with failed
    bool failed;
};

// --- The answer
// -------------------------------------------------------------------------------------------------------

// What a model writes is not to act on the terminal.
static void print_safely(FILE *out, struct str text) {
    while (text.n) {
        uint32_t c;
        size_t len = utf8_decode(text, &c);
        bool plain = len && (c >= 0x20 || c == '\n' || c == '\t') && (c < 0x7f || c >= 0xa0);
        if (plain)
            fwrite(text.p, 1, len, out);
        else
            fputc('?', out);
        text = str_from(text, len ? len : 1);
    }
}

static void print_delta(void *arg, struct str text) {
    struct chat *chat = arg;
    struct cli_io *io = chat->args->io;
    if (io->out_tty)
        print_safely(io->out, text);
    else
        fwrite(text.p, 1, text.n, io->out);
    fflush(io->out);
    chat->line_open = text.p[text.n - 1] != '\n';
}

static void end(struct chat *chat) {
    chat->exchange = NULL;
    loop_stop(chat->loop);
}

// Ctrl-C, or a terminal that is gone: the server hears of it at once.
static void on_signal(void *ctx, enum signal_kind kind) {
    struct chat *chat = ctx;
    (void)kind;
    chat->interrupted = true;
    if (chat->exchange) http_exchange_cancel(chat->exchange);
    end(chat);
}

static void on_head(struct http_exchange *x, const struct http1_head *head) {
    struct chat *chat = http_exchange_user(x);
    struct str type = http_field_get(head->fields, head->field_count, STR("content-type"));
    struct str id = http_field_get(head->fields, head->field_count, STR("x-request-id"));
    chat->status = head->status;
    chat->streaming = head->status == 200 && str_starts(type, STR("text/event-stream"));
    snprintf(chat->request_id, sizeof chat->request_id, "%.*s", STR_ARG(str_head(id, 60)));
}

static void on_data(struct http_exchange *x, struct str data, bool last) {
    struct chat *chat = http_exchange_user(x);
    bool ok = true;
    if (chat->streaming) {
        ok = chat_stream_feed(&chat->stream, data, &chat->err);
        if (ok && ferror(chat->args->io->out)) ok = err_set(&chat->err, ERR_IO, "nobody reads standard output");
    } else {
        buf_put(&chat->answer, data);
        if (chat->answer.failed) ok = err_set(&chat->err, ERR_UPSTREAM_TOO_LARGE, "the answer is too large");
    }
    if (!ok) {
        chat->failed = true;
        if (!last) http_exchange_cancel(x);
    }
    if (!ok || last) end(chat);
}

static void on_error(struct http_exchange *x, const struct err *err) {
    struct chat *chat = http_exchange_user(x);
    chat->failed = true;
    chat->err = *err;
    end(chat);
}

// --- The request
// ------------------------------------------------------------------------------------------------------

static bool read_prompt(const struct cli_args *args, struct buf *out) {
    const char *prompt = args->operands[1];
    if (!str_eq(str_c(prompt), STR("-"))) {
        buf_put(out, str_c(prompt));
        return true;
    }
    char chunk[16384];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, args->io->in)) > 0) buf_append(out, chunk, n);
    return !ferror(args->io->in) && !out->failed;
}

static void put_message(struct json_writer *w, const char *role, struct str content) {
    json_put_object(w);
    json_put_member_str(w, STR("role"), str_c(role));
    json_put_member_str(w, STR("content"), content);
    json_put_object_end(w);
}

static int build_body(struct chat *chat) {
    const struct cli_args *args = chat->args;
    BUF_AUTO struct buf prompt = BUF_INIT(PROMPT_MAX);
    if (!read_prompt(args, &prompt))
        return cli_fail(args->io, CLI_FAILED, "cannot read the prompt from standard input", NULL, NULL);
    if (!utf8_valid(buf_str(&prompt))) return cli_fail(args->io, CLI_USAGE, "the prompt is not UTF-8 text", NULL, NULL);
    bool stream = !cli_given(args, CLI_JSON);
    struct json_writer w;
    json_writer_init(&w, &chat->body);
    json_put_object(&w);
    json_put_member_str(&w, STR("model"), str_c(args->operands[0]));
    json_put_member_array(&w, STR("messages"));
    if (cli_given(args, CLI_SYSTEM)) put_message(&w, "system", cli_value(args, CLI_SYSTEM));
    put_message(&w, "user", buf_str(&prompt));
    json_put_array_end(&w);
    json_put_member_bool(&w, STR("stream"), stream);
    if (stream) {
        json_put_member_object(&w, STR("stream_options"));
        json_put_member_bool(&w, STR("include_usage"), true);
        json_put_object_end(&w);
    }
    json_put_object_end(&w);
    return chat->body.failed ? cli_fail(args->io, CLI_FAILED, "the prompt is too long", NULL, NULL) : CLI_OK;
}

static int read_target(struct chat *chat) {
    const struct cli_args *args = chat->args;
    const char *env = args->io->env("PENSTOCK_URL");
    struct str url = cli_given(args, CLI_URL) ? cli_value(args, CLI_URL)
                     : env && env[0]          ? str_c(env)
                                              : STR(URL_DEFAULT);
    const char *fault = conf_url_parse(url, &chat->url);
    if (fault)
        return cli_fail(args->io, CLI_USAGE, "--url is not an http or https address", fault, "--url " URL_DEFAULT);
    chat->authority = str_from(url, str_find(url, STR("://")) + 3);
    chat->authority = str_head(chat->authority, str_find_char(chat->authority, '/'));
    buf_put(&chat->target, chat->url.path);
    if (!str_ends(chat->url.path, STR("/v1"))) buf_lit(&chat->target, "/v1");
    buf_lit(&chat->target, "/chat/completions");
    const char *key = args->io->env("PENSTOCK_API_KEY");
    chat->key = str_c(key);
    if (!http_is_field_value(chat->key))
        return cli_fail(args->io, CLI_USAGE, "PENSTOCK_API_KEY holds characters that no key has", NULL, NULL);
    buf_printf(&chat->authorization, "Bearer %.*s", STR_ARG(chat->key));
    return CLI_OK;
}

static bool send_request(struct chat *chat, struct err *err) {
    const struct http_field fields[] = {
        {STR("content-type"), STR("application/json")},
        {STR("user-agent"), STR("penstock-cli")},
        {STR("authorization"), buf_str(&chat->authorization)},
    };
    static const struct http_exchange_ops ops = {.on_head = on_head, .on_data = on_data, .on_error = on_error};
    struct str body = buf_str(&chat->body);
    struct http_request request = {.method = STR("POST"),
                                   .target = buf_str(&chat->target),
                                   .authority = chat->authority,
                                   .fields = fields,
                                   .field_count = ARRAY_LEN(fields) - (chat->key.n ? 0 : 1),
                                   .body = &body,
                                   .body_count = 1};
    chat->origin = (struct http_origin){.name = STR("Penstock"),
                                        .host = chat->url.host,
                                        .port = chat->url.port,
                                        .tls = chat->origin.tls,
                                        .connect_ms = CONNECT_MS,
                                        .first_byte_ms = ANSWER_MS,
                                        .idle_ms = ANSWER_MS};
    if (!http_client_send(chat->client, &chat->origin, &request, &ops, chat, &chat->exchange, err)) return false;
    loop_run(chat->loop);
    if (chat->exchange) http_exchange_cancel(chat->exchange);
    return true;
}

static bool talk(struct chat *chat, struct err *err) {
    struct tls_client_options tls = {0};
    if (chat->url.tls && !tls_ctx_client(&tls, &chat->origin.tls, err)) return false;
    struct signals *signals = NULL;
    bool ok = loop_create(0, &chat->loop, err) && signals_watch(chat->loop, on_signal, chat, &signals, err) &&
              http_client_create(chat->loop, HEAD_MAX, &chat->client, err) && send_request(chat, err);
    if (chat->client) http_client_free(chat->client);
    signals_end(signals);
    if (chat->loop) loop_free(chat->loop);
    if (chat->origin.tls) tls_ctx_unref(chat->origin.tls);
    return ok;
}

// --- What came of it
// --------------------------------------------------------------------------------------------------

static int exit_of_status(int status) {
    if (status == 401 || status == 403 || status == 429) return CLI_REFUSED;
    if (status == 404) return CLI_NOT_FOUND;
    return status == 400 ? CLI_USAGE : CLI_FAILED;
}

static int fail_status(struct chat *chat) {
    char what[96];
    BUF_AUTO struct buf why = BUF_INIT(HEAD_MAX);
    chat_error_text(buf_str(&chat->answer), &why);
    snprintf(what, sizeof what, "the server answered %d %s", chat->status, http_status_text(chat->status));
    const char *next = NULL;
    if (chat->status == 401)
        next = chat->key.n ? "penstock key list" : "PENSTOCK_API_KEY=$(penstock key create) penstock chat …";
    const char *text = buf_cstr(&why);
    return cli_fail(chat->args->io, exit_of_status(chat->status), what, text, next);
}

static int fail_talk(struct chat *chat, const struct err *err) {
    if (chat->line_open) fputc('\n', chat->args->io->out);
    if (chat->status) return cli_fail_err(chat->args->io, err, "the answer broke off", NULL);
    char what[256];
    snprintf(what, sizeof what, "cannot reach Penstock at %.*s", STR_ARG(str_head(chat->authority, 200)));
    return cli_fail_err(chat->args->io, err, what, "penstock serve, or --url with the address where it runs");
}

static int print_answer(struct chat *chat) {
    struct cli_io *io = chat->args->io;
    if (!chat->streaming) {
        struct str body = str_trim(buf_str(&chat->answer));
        fwrite(body.p ? body.p : "", 1, body.n, io->out);
        fputc('\n', io->out);
    } else if (chat->line_open) {
        fputc('\n', io->out);
    }
    bool written = fflush(io->out) == 0 && !ferror(io->out);
    if (!written) return cli_fail(io, CLI_FAILED, "cannot write to standard output", NULL, NULL);
    if (chat->streaming && !chat->stream.done)
        return cli_fail(io, CLI_FAILED, "the answer broke off", "the server closed the stream before its end", NULL);
    if (cli_given(chat->args, CLI_VERBOSE))
        fprintf(io->err, "%s: %llu tokens in, %llu out\n", chat->request_id[0] ? chat->request_id : "answer",
                (unsigned long long)chat->stream.tokens_in, (unsigned long long)chat->stream.tokens_out);
    return CLI_OK;
}

static int ask(struct chat *chat) {
    struct err err;
    int code = read_target(chat);
    if (code == CLI_OK) code = build_body(chat);
    if (code != CLI_OK) return code;
    if (!talk(chat, &err)) return fail_talk(chat, &err);
    if (chat->interrupted) {
        if (chat->line_open) fputc('\n', chat->args->io->out);
        return CLI_INTERRUPTED;
    }
    if (chat->failed) return fail_talk(chat, &chat->err);
    if (chat->status != 200) return fail_status(chat);
    return print_answer(chat);
}

int cmd_chat(const struct cli_args *args) {
    struct chat chat = {.args = args,
                        .target = BUF_INIT(HEAD_MAX),
                        .body = BUF_INIT(BODY_MAX),
                        .authorization = BUF_INIT(HEAD_MAX),
                        .answer = BUF_INIT(BODY_MAX)};
    chat_stream_init(&chat.stream, print_delta, &chat);
    int code = ask(&chat);
    chat_stream_free(&chat.stream);
    buf_free(&chat.target);
    buf_free(&chat.body);
    secret_wipe(chat.authorization.p, chat.authorization.n);
    buf_free(&chat.authorization);
    buf_free(&chat.answer);
    return code;
}
