// Asks a provider for its files and batches.
#include "gateway/native_ask.h"

#include "base/mem.h"
#include "gateway/batches.h"
#include "net/http1_parse.h"

#define ARENA_MAX ((size_t)1 << 20)
#define CONNECT_MS 15000
#define FIRST_BYTE_MS 120000
#define IDLE_MS 60000
#define TOTAL_MS 900000

struct native_ask *native_ask_new(size_t max_answer) {
    struct native_ask *ask = mem_zalloc(1, sizeof *ask);
    if (!ask) return NULL;
    arena_init(&ask->arena, NULL, 0, ARENA_MAX);
    buf_init(&ask->answer, max_answer);
    buf_init(&ask->upload, 0);
    return ask;
}

void native_ask_free(struct native_ask *ask) {
    if (!ask) return;
    runtime_unref(ask->runtime);
    arena_free(&ask->arena);
    buf_free(&ask->answer);
    buf_free(&ask->upload);
    mem_free(ask);
}

static void leave(struct native_ask *ask) {
    if (ask->prev) *ask->prev = ask->next;
    if (ask->next) ask->next->prev = ask->prev;
    ask->prev = NULL;
    ask->x = NULL;
    runtime_unref(ask->runtime);
    ask->runtime = NULL;
}

static void over(struct native_ask *ask) {
    struct batches *batches = ask->batches;
    leave(ask);
    atomic_store(&ask->done, true); // it is not ours any more
    batches_wake(batches);
}

static void failed(struct native_ask *ask, const struct err *err) {
    ask->status = 0;
    ask->err = *err;
    over(ask);
}

static void on_head(struct http_exchange *x, const struct http1_head *head) {
    struct native_ask *ask = http_exchange_user(x);
    ask->status = head->status;
}

static void on_data(struct http_exchange *x, struct str data, bool last) {
    struct native_ask *ask = http_exchange_user(x);
    struct err err;
    buf_put(&ask->answer, data);
    if (ask->answer.failed) {
        err_set(&err, ERR_UPSTREAM_TOO_LARGE, "provider \"%.*s\": the answer is larger than is taken",
                STR_ARG(ask->provider));
        if (!last) http_exchange_cancel(x);
        failed(ask, &err);
    } else if (last) {
        over(ask);
    }
}

static void on_error(struct http_exchange *x, const struct err *err) { failed(http_exchange_user(x), err); }

static const struct runtime_provider *find(const struct runtime *rt, struct str name) {
    for (size_t i = 0; i < rt->conf->providers.n; i++)
        if (str_eq(rt->providers[i].conf->name, name)) return &rt->providers[i];
    return NULL;
}

static bool send(struct native_ask *ask, struct err *err) {
    static const struct http_exchange_ops ops = {.on_head = on_head, .on_data = on_data, .on_error = on_error};
    const struct runtime_provider *p = find(ask->gl->runtime, ask->provider);
    struct http_field fields[RUNTIME_FIELDS_MAX + 2];
    size_t n = 0;
    if (!p) return err_set(err, ERR_NOT_FOUND, "provider \"%.*s\" is not configured any more", STR_ARG(ask->provider));
    ask->runtime = runtime_ref(ask->gl->runtime);
    for (; n < p->field_count; n++) fields[n] = p->fields[n];
    if (ask->type.n) fields[n++] = (struct http_field){STR("content-type"), ask->type};
    fields[n++] = (struct http_field){STR("accept-encoding"), STR("identity")};
    struct http_request r = {
        .method = ask->method,
        .target = arena_printf(&ask->arena, "%.*s%.*s", STR_ARG(p->conf->url.path), STR_ARG(ask->target)),
        .authority = p->authority,
        .fields = fields,
        .field_count = n,
        .body = ask->body,
        .body_count = ask->n_body,
        .waits = {CONNECT_MS, FIRST_BYTE_MS, IDLE_MS, TOTAL_MS}};
    if (!r.target.p) return err_no_memory(err);
    return http_client_send(ask->gl->client, &p->origin, &r, &ops, ask, &ask->x, err);
}

static void arrive(struct task *task) {
    struct native_ask *ask = CONTAINER_OF(task, struct native_ask, task);
    struct gateway_loop *gl = ask->gl;
    struct err err;
    ask->next = gl->asks;
    ask->prev = &gl->asks;
    if (ask->next) ask->next->prev = &ask->next;
    gl->asks = ask;
    if (!send(ask, &err)) failed(ask, &err);
}

void native_ask_post(struct native_ask *ask, struct batches *batches, struct gateway_loop *gl) {
    ask->batches = batches;
    ask->gl = gl;
    ask->task.fn = arrive;
    loop_post(gl->loop, &ask->task);
}

void native_asks_stop(struct gateway_loop *gl) {
    while (gl->asks) {
        struct native_ask *ask = gl->asks;
        if (ask->x) http_exchange_cancel(ask->x);
        leave(ask);
    }
}
