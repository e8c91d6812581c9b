// Makes streamed chat calls to a server.
#include "cli/chat_client.h"

#include "base/secret.h"
#include "net/http1_parse.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/signals.h"

#define HEAD_MAX ((size_t)64 * 1024)
#define CONNECT_MS 10000
#define ANSWER_MS 600000
#define IDLE_MAX 64

// --- the client ---

static int read_url(struct chat_client *c, struct str url, const char *option) {
    const struct cli_args *args = c->args;
    const char *fault = conf_url_parse(url, &c->url);
    char what[80], next[80];
    snprintf(what, sizeof what, "%s is not an http or https address", option);
    snprintf(next, sizeof next, "%s http://127.0.0.1:8080", option);
    if (fault) return cli_fail(args->io, CLI_USAGE, what, fault, next);
    c->authority = str_from(url, str_find(url, STR("://")) + 3);
    c->authority = str_head(c->authority, str_find_char(c->authority, '/'));
    buf_put(&c->target, c->url.path);
    if (!str_ends(c->url.path, STR("/v1"))) buf_lit(&c->target, "/v1");
    buf_lit(&c->target, "/chat/completions");
    c->key = str_c(args->io->env("PENSTOCK_API_KEY"));
    if (!http_is_field_value(c->key))
        return cli_fail(args->io, CLI_USAGE, "PENSTOCK_API_KEY holds characters that no key has", NULL, NULL);
    buf_printf(&c->authorization, "Bearer %.*s", STR_ARG(c->key));
    return CLI_OK;
}

int chat_client_open(const struct cli_args *args, struct str url, const char *option, struct chat_client *c) {
    *c = (struct chat_client){.args = args, .target = BUF_INIT(HEAD_MAX), .authorization = BUF_INIT(HEAD_MAX)};
    return read_url(c, url, option);
}

// Ctrl-C, or a terminal that is gone: the server hears of it at once.
static void on_signal(void *ctx, enum signal_kind kind) {
    struct chat_client *c = ctx;
    (void)kind;
    c->interrupted = true;
    loop_stop(c->loop);
}

bool chat_client_ready(struct chat_client *c, struct err *err) {
    struct tls_client_options tls = {0};
    if (c->url.tls && !tls_ctx_client(&tls, &c->origin.tls, err)) return false;
    c->origin = (struct http_origin){.name = STR("Penstock"),
                                     .host = c->url.host,
                                     .port = c->url.port,
                                     .tls = c->origin.tls,
                                     .max_idle = IDLE_MAX,
                                     .connect_ms = CONNECT_MS,
                                     .first_byte_ms = ANSWER_MS,
                                     .idle_ms = ANSWER_MS};
    return loop_create(0, &c->loop, err) && signals_watch(c->loop, on_signal, c, &c->signals, err) &&
           http_client_create(c->loop, HEAD_MAX, &c->http, err);
}

void chat_client_run(struct chat_client *c) { loop_run(c->loop); }
void chat_client_stop(struct chat_client *c) { loop_stop(c->loop); }

void chat_client_close(struct chat_client *c) {
    signals_end(c->signals);
    if (c->http) {
        http_client_forget(c->http, &c->origin);
        loop_drain_handles(c->loop); // connections that close let go of it
        http_client_free(c->http);
    }
    if (c->loop) loop_free(c->loop);
    if (c->origin.tls) tls_ctx_unref(c->origin.tls);
    buf_free(&c->target);
    if (c->authorization.p) secret_wipe(c->authorization.p, c->authorization.n);
    buf_free(&c->authorization);
}

int chat_exit_of_status(int status) {
    if (status == 401 || status == 403 || status == 429) return CLI_REFUSED;
    if (status == 404) return CLI_NOT_FOUND;
    return status == 400 ? CLI_USAGE : CLI_FAILED;
}

// --- a call ---

static void on_text(void *arg, struct str text) {
    struct chat_call *call = arg;
    call->last_ns = clock_mono_ns();
    if (!call->pieces++) call->first_ns = call->last_ns;
    if (call->text) call->text(call->arg, text);
}

void chat_call_init(struct chat_call *call, struct chat_client *client, void (*text)(void *arg, struct str text),
                    void (*ended)(struct chat_call *call), void *arg) {
    *call = (struct chat_call){
        .client = client, .text = text, .ended = ended, .arg = arg, .answer = BUF_INIT(CHAT_ANSWER_MAX)};
    chat_stream_init(&call->stream, on_text, call);
}

void chat_call_free(struct chat_call *call) {
    chat_stream_free(&call->stream);
    buf_free(&call->answer);
}

static void end(struct chat_call *call) {
    call->exchange = NULL;
    call->ended_ns = clock_mono_ns();
    call->ended(call);
}

static void on_head(struct http_exchange *x, const struct http1_head *head) {
    struct chat_call *call = http_exchange_user(x);
    struct str type = http_field_get(head->fields, head->field_count, STR("content-type"));
    struct str id = http_field_get(head->fields, head->field_count, STR("x-request-id"));
    call->status = head->status;
    call->streaming = head->status == 200 && str_starts(type, STR("text/event-stream"));
    call->elsewhere = http_field_get(head->fields, head->field_count, STR("x-penstock-attempts")).n > 0 ||
                      http_field_get(head->fields, head->field_count, STR("x-penstock-downgraded")).n > 0;
    snprintf(call->request_id, sizeof call->request_id, "%.*s", STR_ARG(str_head(id, 60)));
}

static void on_data(struct http_exchange *x, struct str data, bool last) {
    struct chat_call *call = http_exchange_user(x);
    bool ok = true;
    if (call->streaming) {
        ok = chat_stream_feed(&call->stream, data, &call->err);
        if (ok && ferror(call->client->args->io->out)) ok = err_set(&call->err, ERR_IO, "nobody reads standard output");
    } else {
        buf_put(&call->answer, data);
        if (call->answer.failed) ok = err_set(&call->err, ERR_UPSTREAM_TOO_LARGE, "the answer is too large");
    }
    if (!ok) {
        call->failed = true;
        if (!last) http_exchange_cancel(x);
    }
    if (!ok || last) end(call);
}

static void on_error(struct http_exchange *x, const struct err *err) {
    struct chat_call *call = http_exchange_user(x);
    call->failed = true;
    call->err = *err;
    end(call);
}

bool chat_call_start(struct chat_call *call, struct str body, struct err *err) {
    struct chat_client *c = call->client;
    const struct http_field fields[] = {
        {STR("content-type"), STR("application/json")},
        {STR("user-agent"), STR("penstock-cli")},
        {STR("authorization"), buf_str(&c->authorization)},
    };
    static const struct http_exchange_ops ops = {.on_head = on_head, .on_data = on_data, .on_error = on_error};
    call->body = body;
    call->began_ns = clock_mono_ns();
    struct http_request request = {.method = STR("POST"),
                                   .target = buf_str(&c->target),
                                   .authority = c->authority,
                                   .fields = fields,
                                   .field_count = ARRAY_LEN(fields) - (c->key.n ? 0 : 1),
                                   .body = &call->body,
                                   .body_count = 1};
    return http_client_send(c->http, &c->origin, &request, &ops, call, &call->exchange, err);
}

void chat_call_cancel(struct chat_call *call) {
    if (call->exchange) http_exchange_cancel(call->exchange);
    call->exchange = NULL;
}

bool chat_call_ok(const struct chat_call *call) {
    return !call->failed && call->status == 200 && call->streaming && call->stream.done;
}
