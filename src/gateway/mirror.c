// Shadows: a share of a model's requests is sent to another model as well, as requests of this server's own in the name
// of the same key; the answers go to nobody.
#include "gateway/trial_call.h"

#include "base/mem.h"
#include "gateway/answer.h"
#include "gateway/need.h"
#include "gateway/pipeline.h"
#include "net/http_inner.h"

#define BODY_MAX ((size_t)1 << 20) // a longer request is not copied
#define REPLY_MAX ((size_t)64 << 10)
#define FIELDS_MAX (NEED_FIELDS_MAX + 1)

// It outlives the call it is made of, by a copy of what that was sent.
struct mirror {
    struct mirror *next;
    struct gateway_loop *gl;
    struct runtime *runtime; // keeps the model's name
    struct trial *trial;
    struct inner_caller caller; // with a reference of its own
    struct task task;
    struct http_inner *inner; // NULL: not begun
    enum http_method method;
    struct str path, body, peer, content_type;
    struct http_field fields[FIELDS_MAX];
    size_t field_count;
    struct arena arena;
};

static void mirror_free(struct mirror *m) {
    struct mirror **at = &m->gl->mirrors;
    while (*at != m) at = &(*at)->next;
    *at = m->next;
    trial_give(m->trial);
    m->gl->mirrored--;
    if (m->caller.ring) keyring_unref(m->caller.ring);
    runtime_unref(m->runtime);
    arena_free(&m->arena);
    mem_free(m);
}

static void on_done(struct http_inner *inner) { mirror_free(inner->user); }

static void on_head(struct http_inner *inner, int status, const struct http_field *fields, size_t count) {
    (void)inner, (void)status, (void)fields, (void)count;
}

static size_t on_data(struct http_inner *inner, const struct str *parts, size_t count, bool last) {
    (void)inner, (void)parts, (void)count, (void)last;
    return 0;
}

static const struct http_inner_sink k_nobody = {.head = on_head, .data = on_data};

static void begin(struct task *task) {
    struct mirror *m = CONTAINER_OF(task, struct mirror, task);
    const struct http_inner_options o = {.loop = m->gl->loop,
                                         .method = m->method,
                                         .path = m->path,
                                         .content_type = m->content_type,
                                         .fields = m->fields,
                                         .field_count = m->field_count,
                                         .sink = &k_nobody,
                                         .body = m->body,
                                         .peer = m->peer,
                                         .max_reply = REPLY_MAX,
                                         .done = on_done,
                                         .user = m};
    m->inner = m->gl->gateway->draining || m->gl->mirrors_ended ? NULL : http_inner_create(&o);
    if (m->inner)
        gateway_on_inner(m->gl, &m->inner->req, &m->caller);
    else
        mirror_free(m);
}

// What says where a request may go goes with it.
static void copy_fields(struct mirror *m, const struct call *call) {
    static const struct str version = STR_INIT("anthropic-version");
    struct str value = http_field_get(call->req->fields, call->req->field_count, version);
    if (!need_fields(call->need, &m->arena, m->fields, &m->field_count)) m->caller.origin = STR_NONE; // not copied
    if (value.p) m->fields[m->field_count++] = (struct http_field){version, arena_str(&m->arena, value)};
}

static bool copied(const struct mirror *m) {
    for (size_t i = 0; i < m->field_count; i++)
        if (!m->fields[i].value.p) return false;
    return m->path.p && m->body.p && m->peer.p && m->content_type.p && m->caller.origin.p;
}

static struct mirror *mirror_of(const struct call *call, struct trial *trial, const struct conf_shadow *conf) {
    const struct http_req *req = call->req;
    struct mirror *m = mem_zalloc(1, sizeof *m);
    if (!m) return NULL;
    arena_init(&m->arena, loop_pool(call->gl->loop), 0, BODY_MAX + ((size_t)1 << 16));
    m->gl = call->gl;
    m->trial = trial;
    m->runtime = runtime_ref(call->runtime);
    m->method = req->method;
    m->path = arena_str(&m->arena, req->path);
    m->body = arena_str(&m->arena, req->body);
    m->peer = arena_str(&m->arena, req->peer);
    m->content_type = arena_str(&m->arena, http_field_get(req->fields, req->field_count, STR("content-type")));
    m->caller = (struct inner_caller){.ring = call->ring ? keyring_ref(call->ring) : NULL,
                                      .key = call->key,
                                      .shadow = trial,
                                      .model = conf->model,
                                      .charge = conf->charge};
    struct str origin = http_field_get(req->fields, req->field_count, STR("origin"));
    m->caller.origin = arena_str(&m->arena, call->inner ? call->inner->origin : origin);
    copy_fields(m, call);
    m->task.fn = begin;
    m->next = call->gl->mirrors;
    call->gl->mirrors = m;
    call->gl->mirrored++;
    return m;
}

// What is answered once and for all, without a trace elsewhere. What a judge is asked is nobody's request.
static bool can_be_mirrored(const struct call *call) {
    enum usage_endpoint e = call->endpoint->usage;
    bool known = e == USAGE_ENDPOINT_CHAT || e == USAGE_ENDPOINT_COMPLETIONS || e == USAGE_ENDPOINT_MESSAGES ||
                 e == USAGE_ENDPOINT_GENERATE_CONTENT || e == USAGE_ENDPOINT_OLLAMA || e == USAGE_ENDPOINT_EMBEDDINGS;
    enum operation o = call->request.operation;
    bool answers = o == OPERATION_CHAT || o == OPERATION_COMPLETIONS || o == OPERATION_EMBEDDINGS;
    return known && answers && call->req->body.n && call->req->body.n <= BODY_MAX &&
           !(call->inner && (call->inner->shadow || call->inner->native || call->inner->judge));
}

static void tell(const struct call *call, struct str result) {
    const struct str labels[] = {call->request.model, result};
    metric_add(call->gl->shard, metric_find(call->gl->shard, METRIC_SHADOW_REQUESTS, labels, 2), 1);
}

void mirror_maybe(struct call *call) {
    const struct route_model *model = route_model_find(call->runtime->routes, call->tenant, call->request.model);
    struct trial *trial = model && call->runtime->tried ? call->runtime->tried[model->conf->index].shadow : NULL;
    if (!trial || call->attempts != 1 || call->trials.shadow.trial || !can_be_mirrored(call)) return;
    const struct conf_shadow *conf = &model->conf->shadow;
    if (!conf_tenant_allows(call->tenant, conf->model)) return;
    if (gateway_draw(call->gl) % 1000000 >= (uint64_t)conf->share) return;
    if (!trial_take(trial, (uint32_t)conf->max_in_flight)) {
        tell(call, STR("full"));
        return;
    }
    struct mirror *m = mirror_of(call, trial, conf);
    if (!m) {
        trial_give(trial);
        return;
    }
    if (!copied(m)) {
        mirror_free(m);
        return;
    }
    tell(call, STR("sent"));
    call->trials.shadow = (struct trial_seat){trial, TRIAL_BASE, 0};
    loop_post(call->gl->loop, &m->task); // the caller's goes on first
}

void mirrors_stop(struct gateway_loop *gl) {
    gl->mirrors_ended = true; // those that were not begun yet end when it is their turn
    for (struct mirror *next, *m = gl->mirrors; m; m = next) {
        next = m->next;
        if (!m->inner) continue;
        struct http_inner *inner = m->inner;
        call_abort(inner->req.user);
        http_inner_free(inner);
        mirror_free(m);
    }
}
