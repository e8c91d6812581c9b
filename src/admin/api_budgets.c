// The API of budgets.
#include "admin/api_impl.h"

#include "store/budget.h"

static struct entity_value *at(struct entity_row *row, const char *field) {
    return entity_at(&entity_budget, row, field);
}

static bool check_scope(struct entity_row *row, struct err *err) {
    struct str scope = at(row, "scope")->s, text = at(row, "scope_text")->s;
    bool worded = str_eq(scope, STR("model")) || str_eq(scope, STR("tag"));
    if (worded && !text.n) return api_wrong(err, "scope_text", "scope_text is needed: a model's name, or TAG=VALUE");
    if (!worded && text.n) return api_wrong(err, "scope_text", "scope_text is for the scopes \"model\" and \"tag\"");
    if (str_eq(scope, STR("tag")) && str_find_char(text, '=') + 1 >= text.n)
        return api_wrong(err, "scope_text", "scope_text: expected TAG=VALUE");
    return true;
}

static bool check_thresholds(struct str json, struct err *err) {
    struct json_reader r;
    enum json_kind kind;
    int64_t v, last = 0;
    size_t n = 0;
    json_reader_init(&r, json, 2);
    if (!json_enter_array(&r)) return json_error(&r, err);
    while (json_element(&r, &kind)) {
        if (!json_i64(&r, &v)) break;
        if (v <= last || ++n > BUDGET_THRESHOLDS_MAX)
            return api_wrong(err, "notify_at", "notify_at: at most %d percentages, each more than the one before",
                             BUDGET_THRESHOLDS_MAX);
        last = v;
    }
    return json_end(&r, err);
}

static bool prepare(struct api_call *call, struct entity_row *row, const struct entity_row *old, struct err *err) {
    (void)call;
    if (!check_thresholds(at(row, "notify_at")->s, err)) return false;
    if (str_eq(at(row, "action")->s, STR("downgrade")) && !at(row, "downgrade_to")->s.n)
        return api_wrong(err, "downgrade_to", "downgrade_to is needed: the model that is taken instead");
    if (old) return true;
    if (str_eq(at(row, "metric")->s, STR("concurrency"))) at(row, "period")->s = STR("total");
    return check_scope(row, err);
}

const struct api_kind api_kind_budget = {.entity = &entity_budget, .resource = RESOURCE_BUDGET, .prepare = prepare};

static const struct api_endpoint k_endpoints[] = {
    API_LIST("budgets", BUDGET, api_kind_budget, "budgets"),
    API_CREATE("budgets", BUDGET, api_kind_budget, "a budget"),
    API_GET("budgets", BUDGET, api_kind_budget, "a budget"),
    API_CHANGE("budgets", BUDGET, api_kind_budget, "a budget"),
    API_DELETE("budgets", BUDGET, api_kind_budget, "Deletes a budget"),
};
const struct api_table api_table_budgets = {"Budgets", k_endpoints, ARRAY_LEN(k_endpoints)};
