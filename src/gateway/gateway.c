// The data plane's objects, and its face to the HTTP server.
#include "gateway/gateway.h"

#include "base/mem.h"
#include "gateway/admit.h"
#include "gateway/answer.h"
#include "gateway/batch_lines.h"
#include "gateway/catalog.h"
#include "gateway/clerk.h"
#include "gateway/credential.h"
#include "gateway/flight.h"
#include "gateway/grade.h"
#include "gateway/health.h"
#include "gateway/keys.h"
#include "gateway/meter.h"
#include "gateway/pipeline.h"
#include "gateway/quota_share.h"
#include "gateway/tokens.h"
#include "gateway/warm.h"
#include "govern/mask.h"
#include "model/openai_error.h"
#include "os/clock.h"
#include "os/rand.h"

#define FORM_SLACK ((size_t)64 * 1024) // of form data, beside the file

bool gateway_create(const struct gateway_options *options, struct gateway **out_gateway, struct err *err) {
    struct gateway *g = mem_zalloc(1, sizeof *g);
    if (!g) return err_no_memory(err);
    g->o = *options;
    g->started_ns = clock_mono_ns();
    snprintf(g->via, sizeof g->via, "1.1 penstock-%08x", (unsigned)(rand_u64() & 0xffffffffu));
    if (!flights_create(&g->flights, err)) {
        mem_free(g);
        return false;
    }
    mutex_init(&g->lock);
    queue_line_init(&g->queue);
    *out_gateway = g;
    return true;
}

void gateway_free(struct gateway *g) {
    if (!g) return;
    flights_free(g->flights);
    queue_line_free(&g->queue);
    mutex_free(&g->lock);
    mem_free(g);
}

void gateway_note(struct gateway *gateway, enum gateway_note note, const char *message) {
    mutex_lock(&gateway->lock);
    snprintf(gateway->notes[note].text, sizeof gateway->notes[note].text, "%s", message ? message : "");
    gateway->notes[note].at = message ? clock_unix_ns() : 0;
    mutex_unlock(&gateway->lock);
}

// Budgets that are counted in Redis. Shares of them are the first loop's.
static bool shared_quotas_create(struct gateway_loop *gl, struct err *err) {
    struct gateway *g = gl->gateway;
    if (!gl->redis) return true;
    if (!quota_redis_create(gl->loop, gl->redis, gl->runtime->conf->redis.key_prefix, &gl->quota_redis, err))
        return false;
    return g->share || !gl->seat.quota ||
           quota_share_create(gl->loop, gl->seat.quota, gl->redis, gl->quota_redis, &g->share, err);
}

static void shared_quotas_free(struct gateway_loop *gl) {
    struct gateway *g = gl->gateway;
    if (g->share && loop_index(gl->loop) == 0) {
        quota_share_free(g->share);
        g->share = NULL;
    }
    quota_redis_free(gl->quota_redis);
}

bool gateway_loop_create(struct gateway *gateway, const struct gateway_loop_options *o, struct gateway_loop **out_gl,
                         struct err *err) {
    struct gateway_loop *gl = mem_zalloc(1, sizeof *gl);
    if (!gl) return err_no_memory(err);
    unsigned i = loop_index(o->loop);
    gl->gateway = gateway;
    gl->loop = o->loop;
    gl->runtime = runtime_ref(o->runtime);
    gl->ring = keyring_ref(o->ring);
    quota_seat_init(&gl->seat, gateway->o.keys ? keys_quota(gateway->o.keys) : NULL);
    key_seat_init(&gl->uses, gateway->o.watch);
    gl->ledger = ledger_writer(gateway->o.ledger, i);
    gl->shard = metrics_shard(gateway->o.metrics, i);
    gl->seed = rand_u64() | 1;
    gl->redis = o->redis;
    request_ids_init(&gl->ids, o->epoch);
    timer_init(&gl->share_timer, o->loop, admit_share_timer);
    queue_init(gl);
    if (i == 0 && !health_create(gl, &gl->health, err)) {
        gateway_loop_free(gl);
        return false;
    }
    if (!shared_quotas_create(gl, err) || !meter_create(gl->shard, &gl->meter, err) ||
        !http_client_create(o->loop, 64 * 1024, &gl->client, err) || !catalog_create(gl, &gl->catalog, err) ||
        !warm_create(gl, &gl->warm, err)) {
        gateway_loop_free(gl);
        return false;
    }
    *out_gl = gl;
    return true;
}

static void forget_origins(struct gateway_loop *gl) {
    for (size_t i = 0; gl->client && i < gl->runtime->conf->providers.n; i++)
        http_client_forget(gl->client, &gl->runtime->providers[i].origin);
}

void gateway_loop_free(struct gateway_loop *gl) {
    if (!gl) return;
    batch_lines_free(gl->lines);
    grade_loop_free(gl->grades);
    catalog_free(gl->catalog);
    warm_free(gl->warm);
    health_free(gl->health);
    http_client_free(gl->client);
    meter_free(gl->meter);
    shared_quotas_free(gl);
    quota_seat_free(&gl->seat);
    tokens_free(gl->tokens);
    keyring_unref(gl->ring);
    runtime_unref(gl->runtime);
    mem_free(gl);
}

void gateway_loop_quiesce(struct gateway_loop *gl) {
    if (gl->health) health_stop(gl->health);
    if (gl->catalog) catalog_stop(gl->catalog);
    if (gl->share_timer.loop) timer_stop(&gl->share_timer);
    queue_stop(gl);
    credential_stop(gl);
    if (gl->gateway->share && loop_index(gl->loop) == 0) quota_share_stop(gl->gateway->share);
    forget_origins(gl);
}

void gateway_loop_set_runtime(struct gateway_loop *gl, struct runtime *runtime) {
    forget_origins(gl);
    runtime_unref(gl->runtime);
    gl->runtime = runtime_ref(runtime);
    if (gl->health) health_start(gl->health);
    warm_renew(gl->warm);
    warm_look(gl->warm);
}

static void refuse(struct http_req *req, const struct err *err) {
    struct buf body = BUF_INIT(8192);
    const struct http_field type = {STR("content-type"), STR("application/json")};
    openai_error_put(&body, err);
    http_reply(req, err->status, &type, 1, buf_str(&body));
    buf_free(&body);
}

static const struct endpoint k_nowhere = {.name = STR_INIT("none")};

bool gateway_takes(struct str path) {
    bool other;
    return endpoint_find(HTTP_GET, path, &other) || other;
}

// Lists of models are in the shape that the client's library knows.
static enum dialect dialect_of(const struct call *call) {
    const struct http_req *req = call->req;
    bool models = call->endpoint->usage == USAGE_ENDPOINT_MODELS && call->endpoint->dialect == DIALECT_OPENAI;
    if (models && http_field_get(req->fields, req->field_count, STR("anthropic-version")).p) return DIALECT_ANTHROPIC;
    return call->endpoint->dialect;
}

// Where there is nothing, the client is told so as it is told of errors elsewhere on such paths.
static enum dialect dialect_near(const struct http_req *req) {
    static const struct {
        struct str prefix;
        enum dialect dialect;
    } near[] = {{STR_INIT("/v1/messages"), DIALECT_ANTHROPIC},
                {STR_INIT("/v1beta/"), DIALECT_GEMINI},
                {STR_INIT("/v2/"), DIALECT_COHERE},
                {STR_INIT("/api/"), DIALECT_OLLAMA}};
    for (size_t i = 0; i < ARRAY_LEN(near); i++)
        if (str_starts(req->path, near[i].prefix)) return near[i].dialect;
    bool anthropic = http_field_get(req->fields, req->field_count, STR("anthropic-version")).p;
    return anthropic ? DIALECT_ANTHROPIC : k_nowhere.dialect;
}

void gateway_on_request(struct gateway_loop *gl, struct http_req *req) { gateway_on_inner(gl, req, NULL); }

void gateway_on_inner(struct gateway_loop *gl, struct http_req *req, const struct inner_caller *caller) {
    struct call *call = call_create(gl, req);
    struct err err;
    bool other;
    if (!call) {
        err_set(&err, ERR_NO_MEMORY, "there was no memory for the request");
        refuse(req, &err);
        return;
    }
    call->inner = caller;
    call->endpoint = endpoint_find(req->method, req->path, &other);
    if (call->endpoint) {
        call->dialect = dialect_get(dialect_of(call));
        pipeline_run(call);
        return;
    }
    char masked[MASK_PATH_MAX];
    struct str path = str_head(mask_path(req->path, masked), 100);
    call->endpoint = &k_nowhere;
    call->dialect = dialect_get(dialect_near(req));
    if (other)
        err_set(&err, ERR_METHOD_NOT_ALLOWED, "%.*s does not take %.*s", STR_ARG(path), STR_ARG(req->method_text));
    else
        err_set(&err, ERR_NOT_FOUND, "there is nothing at %.*s; the API begins at /v1", STR_ARG(path));
    call_fail(call, &err);
}

void gateway_on_abort(struct http_req *req) { call_abort(req->user); }

void gateway_on_drained(struct http_req *req) {
    struct call *call = req->user;
    if (call->rider)
        flight_resume(call);
    else if (!call->job)
        answer_resume(call);
    else if (call->job->drained && !call->job->away)
        call->job->drained(call->job);
}

size_t gateway_max_body(const struct gateway_loop *gl, enum http_method method, struct str path) {
    const struct conf *conf = gl->runtime->conf;
    bool upload = method == HTTP_POST && str_eq(path, STR("/v1/files"));
    size_t max = (size_t)conf->limits.max_body;
    return upload ? MAX(max, (size_t)conf->files.max_size + FORM_SLACK) : max;
}

void gateway_on_reject(struct gateway_loop *gl, const struct err *err, struct str peer, struct arena *arena,
                       struct buf *out_body, struct http_field *out_fields, size_t *io_count) {
    uint64_t id;
    char text[REQUEST_ID_TEXT_LEN] = "req_";
    if (request_ids_next(&gl->ids, &id)) request_id_text(text, id);
    openai_error_put(out_body, err);
    out_fields[(*io_count)++] = (struct http_field){STR("content-type"), STR("application/json")};
    struct str id_text = arena_str(arena, str_of(text, sizeof text));
    if (id_text.p) out_fields[(*io_count)++] = (struct http_field){STR("x-request-id"), id_text};
    const struct str reason = str_c(err_info(err->code)->wire_code);
    metric_add(gl->shard, metric_find(gl->shard, METRIC_REJECTED, &reason, 1), 1);
    if (!gl->runtime->conf->log.access) return;
    log_info(gl->gateway->o.access, LOG_MSG("request refused"), LOG_STR("request_id", str_of(text, sizeof text)),
             LOG_INT("status", err->status), LOG_STR("client", peer), LOG_ERR(err));
}

struct http_server_options gateway_server_options(const struct conf *conf, unsigned loops) {
    return (struct http_server_options){.max_head = (size_t)conf->limits.max_header_bytes,
                                        .max_fields = (size_t)conf->limits.max_headers,
                                        .max_target = (size_t)conf->limits.max_uri,
                                        .max_body = (size_t)conf->limits.max_body,
                                        .max_connections = ((size_t)conf->limits.max_connections + loops - 1) / loops,
                                        .header_ms = (uint64_t)conf->timeouts.header,
                                        .body_ms = (uint64_t)conf->timeouts.body,
                                        .keepalive_ms = (uint64_t)conf->timeouts.keepalive,
                                        .write_ms = (uint64_t)conf->timeouts.write};
}
