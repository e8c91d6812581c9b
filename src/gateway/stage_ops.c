// For operators: /healthz, /readyz, /metrics, and a word of welcome at /.
#include "gateway/pipeline.h"

#include "base/json_write.h"
#include "gateway/answer.h"
#include "os/clock.h"

enum stage_result stage_health(struct call *call, struct err *err) {
    (void)err;
    call_reply(call, 200, STR("application/json"), STR("{\"status\":\"ok\"}\n"));
    return STAGE_ANSWERED;
}

static void put_check(struct json_writer *w, struct str name, bool ok, const char *detail) {
    json_put_member_object(w, name);
    json_put_member_str(w, STR("status"), ok ? STR("ok") : STR("degraded"));
    if (detail && detail[0]) json_put_member_str(w, STR("detail"), str_c(detail));
    json_put_object_end(w);
}

static void put_note(struct json_writer *w, struct gateway *g, enum gateway_note note) {
    static const struct str names[] = {
        [GATEWAY_NOTE_CONFIG] = STR_INIT("configuration"), [GATEWAY_NOTE_VAULT] = STR_INIT("vault")};
    char text[TIME_TEXT_LEN], message[sizeof g->notes[0].text];
    mutex_lock(&g->lock);
    int64_t at = g->notes[note].at;
    memcpy(message, g->notes[note].text, sizeof message);
    mutex_unlock(&g->lock);
    json_put_member_object(w, names[note]);
    json_put_member_str(w, STR("status"), at ? STR("degraded") : STR("ok"));
    if (note == GATEWAY_NOTE_CONFIG) json_put_member_i64(w, STR("version"), atomic_load(&g->config_version));
    if (at) {
        time_text(text, at);
        json_put_member_str(w, STR("detail"), str_c(message));
        json_put_member_str(w, STR("since"), str_of(text, sizeof text));
    }
    json_put_object_end(w);
}

// As this loop sees it.
static void put_redis(struct json_writer *w, const struct redis *redis) {
    struct redis_stats stats;
    if (!redis) return;
    redis_stats_get(redis, &stats);
    put_check(w, STR("redis"), stats.up, stats.up ? "" : stats.error);
}

// Degraded parts are told but do not take the server out of service: requests go on.
enum stage_result stage_ready(struct call *call, struct err *err) {
    (void)err;
    struct gateway *g = call->gl->gateway;
    struct ledger_health health;
    struct json_writer w;
    bool draining = atomic_load(&g->draining), ready = atomic_load(&g->ready) && !draining;
    ledger_health(g->o.ledger, &health);
    json_writer_init(&w, &call->answer);
    json_put_object(&w);
    json_put_member_str(&w, STR("status"), ready ? STR("ready") : draining ? STR("draining") : STR("starting"));
    json_put_member_str(&w, STR("version"), g->o.version);
    json_put_member_u64(&w, STR("uptime_seconds"), (clock_mono_ns() - g->started_ns) / NS_PER_SEC);
    json_put_member_object(&w, STR("checks"));
    bool ledger_ok = !health.disk_full && !health.db_busy && health.queued == 0;
    put_check(&w, STR("usage_ledger"), ledger_ok, ledger_ok ? "" : health.last_error);
    put_note(&w, g, GATEWAY_NOTE_CONFIG);
    put_redis(&w, call->gl->redis);
    if (call->runtime->conf->vault_refs.n) put_note(&w, g, GATEWAY_NOTE_VAULT);
    json_put_object_end(&w);
    json_put_member_object(&w, STR("usage_ledger"));
    json_put_member_u64(&w, STR("pending"), health.pending);
    json_put_member_u64(&w, STR("queued"), health.queued);
    json_put_member_u64(&w, STR("dropped"), health.dropped);
    json_put_object_end(&w);
    json_put_object_end(&w);
    buf_putc(&call->answer, '\n');
    call_reply(call, ready ? 200 : 503, STR("application/json"), buf_str(&call->answer));
    return STAGE_ANSWERED;
}

enum stage_result stage_metrics(struct call *call, struct err *err) {
    if (!call->runtime->conf->metrics.is_public) {
        enum stage_result r = stage_auth(call, err);
        if (r != STAGE_DONE) return r;
        if (!call->key || !call->key->is_admin) {
            err_set(err, ERR_FORBIDDEN, "the metrics are for admin keys (penstock key create --admin) only");
            return STAGE_FAIL;
        }
    }
    struct str accept = http_field_get(call->req->fields, call->req->field_count, STR("accept"));
    bool openmetrics = str_find(accept, STR("application/openmetrics-text")) < accept.n;
    call->answer.max = (size_t)256 << 20;
    metrics_render(call->gl->gateway->o.metrics, &call->answer, openmetrics);
    call_reply(call, 200, openmetrics ? STR(METRICS_TYPE_OPENMETRICS) : STR(METRICS_TYPE_TEXT), buf_str(&call->answer));
    return STAGE_ANSWERED;
}

enum stage_result stage_welcome(struct call *call, struct err *err) {
    (void)err;
    struct json_writer w;
    json_writer_init(&w, &call->answer);
    json_put_object(&w);
    json_put_member_str(&w, STR("name"), STR("penstock"));
    json_put_member_str(&w, STR("version"), call->gl->gateway->o.version);
    json_put_member_str(&w, STR("api"), STR("/v1"));
    json_put_member_str(&w, STR("health"), STR("/healthz"));
    json_put_member_str(&w, STR("ready"), STR("/readyz"));
    json_put_member_str(&w, STR("metrics"), STR("/metrics"));
    json_put_object_end(&w);
    buf_putc(&call->answer, '\n');
    call_reply(call, 200, STR("application/json"), buf_str(&call->answer));
    return STAGE_ANSWERED;
}
