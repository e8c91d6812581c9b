// What is told when a budget reaches a threshold: the audit trail, the event, the metric, the log.
#include "server/budget_event.h"

#include "base/json_write.h"
#include "server/server_internal.h"

static void put_time(struct json_writer *w, struct str name, int64_t at) {
    char text[TIME_TEXT_LEN];
    time_text(text, at);
    json_put_member_str(w, name, str_of(text, sizeof text));
}

static void put_notice(struct buf *out, const struct quota_notice *notice) {
    const struct quota_budget *b = notice->budget;
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_i64(&w, STR("tenant_id"), b->tenant_id);
    json_put_member_i64(&w, STR("budget_id"), b->id);
    json_put_member_str(&w, STR("budget"), b->name);
    json_put_member_u64(&w, STR("percent"), notice->percent);
    json_put_member_str(&w, STR("scope"), budget_scope_name(b->scope));
    json_put_member_str(&w, STR("scope_name"), b->scope_name);
    json_put_member_str(&w, STR("metric"), budget_metric_name(b->metric));
    json_put_member_str(&w, STR("period"), budget_period_name(b->period));
    json_put_member_str(&w, STR("action"), budget_action_name(b->action));
    json_put_member_u64(&w, STR("used"), notice->used);
    json_put_member_u64(&w, STR("limit"), b->limit);
    if (notice->period_end != INT64_MAX) {
        put_time(&w, STR("period_start"), notice->period_start);
        put_time(&w, STR("period_end"), notice->period_end);
    }
    json_put_object_end(&w);
}

static bool record(void *arg, struct sql *db, const struct quota_notice *notice, struct err *err) {
    const struct budget_news *news = arg;
    const struct quota_budget *b = notice->budget;
    char id[sizeof "budget_" - 1 + BASE32_U64_LEN];
    BUF_AUTO struct buf data = BUF_INIT(16384);
    memcpy(id, "budget_", sizeof "budget_" - 1);
    base32_u64(id + sizeof "budget_" - 1, (uint64_t)b->id);
    put_notice(&data, notice);
    struct audit_event event = {.actor_kind = principal_kind_name(PRINCIPAL_SYSTEM),
                                .action = STR("budget.threshold"),
                                .resource_type = STR("budget"),
                                .resource_id = str_of(id, sizeof id),
                                .resource_name = b->name,
                                .outcome = AUDIT_OK,
                                .after = buf_str(&data)};
    return audit_append(sql_tenant(db, b->tenant_id), news->signer, &event, err);
}

static void told(void *arg, const struct quota_notice *notice) {
    struct server *s = ((struct budget_news *)arg)->server;
    char text[20];
    const struct str percent = str_of(text, fmt_u64(text, notice->percent));
    BUF_AUTO struct buf data = BUF_INIT(16384);
    put_notice(&data, notice);
    event_tell(s->events, STR("budget.threshold"), buf_str(&data));
    metrics_add(s->metrics, metric_series(s->metrics, METRIC_BUDGET_THRESHOLDS, &percent, 1), 1);
    log_warn(s->log, LOG_MSG("a budget has reached a threshold"), LOG_STR("budget", notice->budget->name),
             LOG_INT("percent", notice->percent), LOG_INT("used", notice->used),
             LOG_INT("limit", notice->budget->limit));
}

struct quota_listener budget_listener(struct budget_news *news) {
    return (struct quota_listener){.record = record, .told = told, .arg = news};
}
