// The entity budget: how much of what may be used, by whom, in which period; and what was used of it.
//
// Ownership: rows shown to a visitor are borrowed for the call. Thread rule: the connection's. Units: times are unix
// nanoseconds; amounts are requests, tokens, nanodollars or calls at once, as the metric says. Errors: those of sql.h.
#ifndef STORE_BUDGET_H
#define STORE_BUDGET_H

#include "store/sql.h"

enum budget_scope {
    BUDGET_SCOPE_TENANT,
    BUDGET_SCOPE_TEAM,
    BUDGET_SCOPE_PROJECT,
    BUDGET_SCOPE_USER,
    BUDGET_SCOPE_SERVICE_ACCOUNT,
    BUDGET_SCOPE_KEY,
    BUDGET_SCOPE_MODEL, // scope_text: a name, or a pattern whose last byte is '*'
    BUDGET_SCOPE_TAG,   // scope_text: "name=value"
    BUDGET_SCOPE_COUNT
};
enum budget_metric { BUDGET_REQUESTS, BUDGET_TOKENS, BUDGET_COST, BUDGET_CONCURRENCY, BUDGET_METRIC_COUNT };
enum budget_period {
    BUDGET_MINUTE,
    BUDGET_HOUR,
    BUDGET_DAY,
    BUDGET_MONTH,
    BUDGET_TOTAL, // without end
    BUDGET_PERIOD_COUNT
};
// What happens to a request that would exceed it.
enum budget_action {
    BUDGET_BLOCK,     // it is refused
    BUDGET_DOWNGRADE, // it goes to another model
    BUDGET_NOTIFY,    // nothing: it is only told
    BUDGET_ACTION_COUNT
};
// Their names in the table and the API; the inverse is false for a name that is none.
struct str budget_scope_name(enum budget_scope scope);
struct str budget_metric_name(enum budget_metric metric);
struct str budget_period_name(enum budget_period period);
struct str budget_action_name(enum budget_action action);
bool budget_scope_parse(struct str name, enum budget_scope *out_scope);
bool budget_metric_parse(struct str name, enum budget_metric *out_metric);
bool budget_period_parse(struct str name, enum budget_period *out_period);
bool budget_action_parse(struct str name, enum budget_action *out_action);

#define BUDGET_THRESHOLDS_MAX 8

struct budget_row {
    int64_t id, tenant_id;
    struct str name;
    struct str time_zone;  // of its tenant
    struct str scope_name; // of the team, project, user, … for people; empty when it has none
    enum budget_scope scope;
    int64_t scope_id;
    struct str scope_text;
    enum budget_metric metric;
    enum budget_period period; // BUDGET_CONCURRENCY: BUDGET_TOTAL, whatever the row says
    uint64_t amount;
    int64_t created_at;
    enum budget_action action;
    struct str downgrade_to;
    unsigned notify_at[BUDGET_THRESHOLDS_MAX]; // percent, ascending
    unsigned n_notify;
};

// All enabled budgets of all tenants, by tenant and id; the visitor ends the walk by returning false with *err set.
// *out_damaged counts rows that cannot be read and were passed over.
typedef bool budget_visit(void *arg, const struct budget_row *row, struct err *err);
NODISCARD bool budget_each(struct sql *db, budget_visit *visit, void *arg, uint64_t *out_damaged, struct err *err);

// Grows with every change of a budget, whoever made it.
NODISCARD bool budget_edits(struct sql *db, uint64_t *out_edits, struct err *err);

// What the usage ledger says was used of a budget by requests that came in at since or later, but before until: settled
// ones with what they used, requests that nobody ended with what was set aside for them. Failures that cost nothing are
// no requests here. Concurrency: 0.
NODISCARD bool budget_used(struct sql *db, const struct budget_row *row, int64_t since, int64_t until,
                           uint64_t *out_used, struct err *err);

// The same of a single record: whether it is one of the budget's, how much it counts, and what is set aside for it
// while it is under way.
struct usage_record;
bool budget_means(const struct budget_row *row, const struct usage_record *rec);
uint64_t budget_amount(enum budget_metric metric, const struct usage_record *rec);
uint64_t budget_reserved(enum budget_metric metric, const struct usage_record *rec);

// What was used of a budget in the period that began then, as last saved.
struct budget_use {
    int64_t tenant_id, budget_id, period_start;
    uint64_t used;
    unsigned told; // the highest threshold that was told, percent
};
NODISCARD bool budget_use_find(struct sql_scope scope, int64_t budget_id, int64_t period_start,
                               struct budget_use *out_use, struct err *err); // none: zeros
NODISCARD bool budget_use_save(struct sql_scope scope, const struct budget_use *use, int64_t now_ns, struct err *err);
// Notes that a threshold is being told; *out_first is false when it, or a higher one, was told before.
NODISCARD bool budget_use_tell(struct sql_scope scope, const struct budget_use *use, int64_t now_ns, bool *out_first,
                               struct err *err);
// Forgets minutes and hours, and hours of concurrency, that are two days past.
NODISCARD bool budget_use_prune(struct sql *db, int64_t now_ns, struct err *err);

#endif
