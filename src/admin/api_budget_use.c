// How budgets stand: looked up in the server's counters, or added up from the ledger.
#include "admin/api_budget_use.h"

#include "access/quota.h"
#include "base/mem.h"
#include "os/zone_file.h"
#include "store/budget_ledger.h"

struct budget_use_view {
    struct quota_list list;
    bool shared;
    struct budget_ledger *ledger; // NULL: not needed yet
    struct zone *zone;            // the tenant's; with the ledger
};

static struct entity_value *at(struct entity_row *row, const char *field) {
    return entity_at(&entity_budget, row, field);
}

struct budget_row budget_of_row(struct entity_row *row) {
    struct budget_row b = {.id = row->id,
                           .tenant_id = row->tenant_id,
                           .created_at = row->created_at,
                           .scope_id = at(row, "scope")->i,
                           .scope_text = at(row, "scope_text")->s,
                           .amount = (uint64_t)MAX(at(row, "amount")->i, INT64_C(0))};
    // Names that are none were refused when the row was written.
    (void)!budget_scope_parse(at(row, "scope")->s, &b.scope);
    (void)!budget_metric_parse(at(row, "metric")->s, &b.metric);
    (void)!budget_period_parse(at(row, "period")->s, &b.period);
    if (b.metric == BUDGET_CONCURRENCY) b.period = BUDGET_TOTAL;
    return b;
}

static bool view_of(struct api_call *call, struct budget_use_view **out_view, struct err *err) {
    struct budget_use_view *v = call->budgets;
    const struct api *api = call->api;
    if (!v) {
        v = mem_zalloc(1, sizeof *v);
        if (!v) return err_no_memory(err);
        if (api->budgets && !api->budgets(api->ctx, call->who.tenant, &v->list, &v->shared, err)) {
            mem_free(v);
            return false;
        }
        call->budgets = v;
    }
    *out_view = v;
    return true;
}

void budget_use_end(struct api_call *call) {
    struct budget_use_view *v = call->budgets;
    if (!v) return;
    if (v->list.index) quota_list_free(&v->list);
    budget_ledger_close(v->ledger);
    zone_free(v->zone);
    mem_free(v);
    call->budgets = NULL;
}

// A time zone that the system does not know counts as UTC, as in the counters.
static bool ledger_of(struct api_call *call, struct budget_use_view *v, struct err *err) {
    struct err ignored;
    if (v->ledger) return true;
    if (!budget_ledger_open(call->api->dir, call->who.tenant, !call->api->budgets, &v->ledger, err)) return false;
    if (!zone_find(budget_ledger_time_zone(v->ledger), &v->zone, &ignored)) v->zone = NULL;
    return true;
}

static bool now_by_ledger(struct api_call *call, struct budget_use_view *v, const struct budget_row *row, int64_t at_ns,
                          struct budget_now *out_now, struct err *err) {
    struct budget_now now = {.by = COUNTED_BY_LEDGER};
    if (!ledger_of(call, v, err)) return false;
    quota_period(v->zone, row->period, row->created_at, at_ns, &now.start, &now.end);
    // Requests under way at the same time are of whatever age.
    int64_t since = row->metric == BUDGET_CONCURRENCY ? 0 : now.start;
    if (!budget_ledger_used(v->ledger, row, since, now.end, &now.used, &now.reserved, err)) return false;
    *out_now = now;
    return true;
}

// Counters are of the budget as it was when they were made: what does not fit any more is not shown.
static const struct quota_part *part_of(const struct quota_list *list, const struct budget_row *row) {
    for (size_t i = 0; i < list->n; i++) {
        const struct quota_budget *b = list->parts[i].budget;
        if (b->id == row->id && b->metric == row->metric && b->period == row->period) return &list->parts[i];
    }
    return NULL;
}

bool budget_now(struct api_call *call, const struct budget_row *row, bool enabled, struct budget_now *out_now,
                struct err *err) {
    struct budget_use_view *v;
    struct quota_state s;
    struct budget_now now;
    if (!view_of(call, &v, err)) return false;
    const struct quota_part *part = enabled ? part_of(&v->list, row) : NULL;
    if (part && quota_part_state(part, &s)) {
        now = (struct budget_now){.start = s.start,
                                  .end = s.end,
                                  .used = v->shared ? s.all_used : s.settled,
                                  .reserved = v->shared            ? s.all_reserved
                                              : s.used > s.settled ? s.used - s.settled
                                                                   : 0,
                                  .by = v->shared ? COUNTED_BY_ALL : COUNTED_BY_SERVER};
    } else if (!now_by_ledger(call, v, row, call->now, &now, err)) {
        return false;
    }
    if (row->metric == BUDGET_CONCURRENCY) {
        now.used += now.reserved;
        now.reserved = 0;
    }
    *out_now = now;
    return true;
}

bool budget_period_before(struct api_call *call, const struct budget_row *row, const struct budget_now *after,
                          struct budget_now *out_now, bool *out_has, struct err *err) {
    struct budget_use_view *v;
    *out_has = row->metric != BUDGET_CONCURRENCY && (!after || (row->period != BUDGET_TOTAL && after->start > 0));
    if (!*out_has) return true;
    return view_of(call, &v, err) && now_by_ledger(call, v, row, after ? after->start - 1 : call->now, out_now, err);
}
