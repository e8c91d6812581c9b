// The API of budgets.
#include "admin/api_budget_use.h"
#include "admin/api_impl.h"

#include "base/json_write.h"
#include "conf/conf.h"

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

// What names nothing would leave the budget to refuse, at the worst moment. A model that goes later does just that.
static bool check_model(struct api_call *call, struct str name, struct err *err) {
    const struct api *api = call->api;
    struct conf *conf = api->names ? api->names(api->ctx) : NULL;
    struct conf_choice choice;
    if (!conf) return true;
    const struct conf_tenant *tenant = conf_tenant_find(conf, call->who.tenant_name);
    bool known = conf_resolve(conf, tenant, name, &choice), ok = known && !(choice.model && choice.model->chain.n);
    struct str near = known ? STR_NONE : conf_near_model(conf, tenant, name), shown = str_head(name, 100);
    if (known && !ok)
        api_wrong(err, "downgrade_to", "downgrade_to: \"%.*s\" is a chain, which cannot be taken instead",
                  STR_ARG(shown));
    else if (!ok)
        api_wrong(err, "downgrade_to", "downgrade_to: the configuration has no model \"%.*s\"%s%.*s%s", STR_ARG(shown),
                  near.n ? "; did you mean \"" : "", STR_ARG(near), near.n ? "\"?" : "");
    conf_unref(conf);
    return ok;
}

static bool prepare(struct api_call *call, struct entity_row *row, const struct entity_row *old, struct err *err) {
    struct str model = at(row, "downgrade_to")->s;
    struct entity_row was = old ? *old : *row; // entity_at takes rows that may be changed
    bool same = old && str_eq(at(&was, "downgrade_to")->s, model);
    if (model.n && !same && !check_model(call, model, err)) return false;
    if (!check_thresholds(at(row, "notify_at")->s, err)) return false;
    if (str_eq(at(row, "action")->s, STR("downgrade")) && !at(row, "downgrade_to")->s.n)
        return api_wrong(err, "downgrade_to", "downgrade_to is needed: the model that is taken instead");
    if (old) return true;
    if (str_eq(at(row, "metric")->s, STR("concurrency"))) at(row, "period")->s = STR("total");
    return check_scope(row, err);
}

// --- how they stand ---

static void put_amount(struct json_writer *w, struct str name, enum budget_metric metric, uint64_t v) {
    char text[48];
    if (metric != BUDGET_COST) {
        json_put_member_u64(w, name, v);
        return;
    }
    int n = snprintf(text, sizeof text, "%llu.%09llu", (unsigned long long)(v / 1000000000),
                     (unsigned long long)(v % 1000000000));
    while (text[n - 1] == '0') n--;
    if (text[n - 1] == '.') n--;
    json_put_member_raw(w, name, str_of(text, (size_t)n));
}

static void put_time(struct json_writer *w, struct str name, int64_t ns) {
    char text[TIME_TEXT_LEN];
    if (ns == INT64_MAX) {
        json_put_member_null(w, name);
        return;
    }
    time_text(text, ns);
    json_put_member_str(w, name, str_of(text, sizeof text));
}

__extension__ typedef unsigned __int128 wide;

// Of the thresholds the lowest: they are ascending.
static bool is_warned(struct str json, uint64_t used, uint64_t amount) {
    struct json_reader r;
    enum json_kind kind;
    int64_t percent;
    json_reader_init(&r, json, 2);
    return json_enter_array(&r) && json_element(&r, &kind) && json_i64(&r, &percent) && percent > 0 &&
           (wide)used * 100 >= (wide)amount * (uint64_t)percent;
}

static const char *state_of(struct entity_row *row, uint64_t used, uint64_t amount, uint64_t left) {
    if (!at(row, "enabled")->i) return "off";
    if (!left) return "exhausted";
    return is_warned(at(row, "notify_at")->s, used, amount) ? "warned" : "ok";
}

static void put_more(struct api_call *call, struct json_writer *w, const struct entity_row *given) {
    static const char *const counted[] = {
        [COUNTED_BY_SERVER] = "server", [COUNTED_BY_ALL] = "redis", [COUNTED_BY_LEDGER] = "ledger"};
    static const char *const names[] = {"state",        "used",       "reserved", "remaining",
                                        "period_start", "period_end", "counted"};
    struct entity_row row = *given; // entity_at takes rows that may be changed
    struct budget_row b = budget_of_row(&row);
    struct budget_now now;
    struct err err;
    if (!budget_now(call, &b, at(&row, "enabled")->i != 0, &now, &err)) {
        for (size_t i = 0; i < ARRAY_LEN(names); i++) json_put_member_null(w, str_c(names[i]));
        return;
    }
    uint64_t taken = now.used + now.reserved, left = b.amount > taken ? b.amount - taken : 0;
    json_put_member_str(w, STR("state"), str_c(state_of(&row, now.used, b.amount, left)));
    put_amount(w, STR("used"), b.metric, now.used);
    put_amount(w, STR("reserved"), b.metric, now.reserved);
    put_amount(w, STR("remaining"), b.metric, left);
    put_time(w, STR("period_start"), b.metric == BUDGET_CONCURRENCY ? INT64_MAX : now.start);
    put_time(w, STR("period_end"), now.end);
    json_put_member_str(w, STR("counted"), str_c(counted[now.by]));
}

const struct api_kind api_kind_budget = {
    .entity = &entity_budget,
    .resource = RESOURCE_BUDGET,
    .prepare = prepare,
    .put_more = put_more,
    .more_schema =
        "\"state\":{\"type\":[\"string\",\"null\"],\"enum\":[\"ok\",\"warned\",\"exhausted\",\"off\",null],"
        "\"readOnly\":"
        "true,\"description\":\"warned: the first of notify_at is reached; exhausted: nothing remains; off: it is not "
        "enabled\"},"
        "\"used\":{\"type\":[\"number\",\"null\"],\"readOnly\":true,\"description\":\"In the present period, by "
        "requests "
        "that are over; of concurrency: requests under way. Null, here and below: it cannot be said now\"},"
        "\"reserved\":{\"type\":[\"number\",\"null\"],\"readOnly\":true,\"description\":\"For requests under way, and "
        "in "
        "shares that servers have taken\"},"
        "\"remaining\":{\"type\":[\"number\",\"null\"],\"readOnly\":true,\"description\":\"What is neither used nor "
        "reserved\"},"
        "\"period_start\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\",\"readOnly\":true},"
        "\"period_end\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\",\"readOnly\":true,\"description\":"
        "\"When "
        "it begins anew; null: never\"},"
        "\"counted\":{\"type\":[\"string\",\"null\"],\"enum\":[\"server\",\"redis\",\"ledger\",null],\"readOnly\":true,"
        "\"description\":\"By whom: the server that answers, all servers together, or the usage ledger\"}",
};

// --- what they were ---

#define PERIODS_DEFAULT 12
#define PERIODS_MAX 400

static bool history(struct api_call *call, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct str text = api_param(call, "limit");
    uint64_t limit = PERIODS_DEFAULT;
    struct budget_now now;
    struct json_writer w;
    bool has;
    if (!row) return err_no_memory(err);
    if (!api_find(call, &api_kind_budget, ACTION_READ, row, err)) return false;
    if (text.p && (!str_to_u64(text, &limit) || limit < 1 || limit > PERIODS_MAX))
        return api_wrong(err, "limit", "limit is a number from 1 to %d", PERIODS_MAX);
    struct budget_row b = budget_of_row(row);
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_array(&w, STR("data"));
    for (uint64_t i = 0; i < limit; i++) {
        if (!budget_period_before(call, &b, i ? &now : NULL, &now, &has, err)) return false;
        if (!has) break;
        json_put_object(&w);
        put_time(&w, STR("period_start"), now.start);
        put_time(&w, STR("period_end"), now.end);
        put_amount(&w, STR("used"), b.metric, now.used);
        json_put_object_end(&w);
    }
    json_put_array_end(&w);
    json_put_object_end(&w);
    return true;
}

static const struct api_endpoint k_endpoints[] = {
    API_LIST("budgets", BUDGET, api_kind_budget, "budgets, and how they stand"),
    API_CREATE("budgets", BUDGET, api_kind_budget, "a budget"),
    API_GET("budgets", BUDGET, api_kind_budget, "a budget, and how it stands"),
    API_CHANGE("budgets", BUDGET, api_kind_budget, "a budget"),
    API_DELETE("budgets", BUDGET, api_kind_budget, "Deletes a budget"),
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/budgets/:id/history"),
     .resource = RESOURCE_BUDGET,
     .action = ACTION_READ,
     .flags = API_ROW,
     .kind = &api_kind_budget,
     .handle = history,
     .query = "limit",
     .answer =
         "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
         "\"properties\":{\"period_start\":{\"type\":\"string\",\"format\":\"date-time\"},\"period_end\":{\"type\":"
         "[\"string\",\"null\"],\"format\":\"date-time\"},\"used\":{\"type\":\"number\"}}}}}}",
     .summary = "Shows what was used of a budget in its present period and those before, by the usage ledger"},
};
const struct api_table api_table_budgets = {"Budgets", k_endpoints, ARRAY_LEN(k_endpoints)};
