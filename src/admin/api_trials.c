// The API of canaries, shadows and experiments: how they stand, arm by arm; a canary can be paused, promoted and taken
// back by hand.
#include "admin/api_impl.h"
#include "store/trial.h"

#include <math.h>

// --- what is shown ---

static void put_known(struct json_writer *w, struct str name, double v, bool known) {
    if (known)
        json_put_member_double(w, name, round(v * 1e6) / 1e6);
    else
        json_put_member_null(w, name);
}

static void put_arm(struct json_writer *w, const struct trial_arm *a) {
    uint64_t half = trial_quantile_us(a, 0.5), slow = trial_quantile_us(a, 0.95);
    json_put_object(w);
    json_put_member_str(w, STR("arm"), a->arm);
    json_put_member_u64(w, STR("requests"), a->requests);
    json_put_member_u64(w, STR("errors"), a->errors);
    put_known(w, STR("error_rate"), (double)a->errors / (double)MAX(a->requests, UINT64_C(1)), a->requests > 0);
    put_known(w, STR("p50_ms"), (double)half / 1e3, half > 0);
    put_known(w, STR("p95_ms"), (double)slow / 1e3, slow > 0);
    put_known(w, STR("cost_usd"), (double)a->cost_nano / 1e9, a->priced > 0);
    put_known(w, STR("cost_per_request_usd"), (double)a->cost_nano / 1e9 / (double)MAX(a->priced, UINT64_C(1)),
              a->priced > 0);
    put_known(w, STR("quality"), (double)a->quality / 1e6 / (double)MAX(a->judged, UINT64_C(1)), a->judged > 0);
    json_put_member_u64(w, STR("judged"), a->judged);
    json_put_object_end(w);
}

// The steps of an arm come one after another, and are shown as one.
struct arms {
    struct json_writer *w;
    struct arena *arena;
    struct trial_arm sum;
    bool any;
};

static bool add_arm(void *arg, const struct trial_arm *arm, struct err *err) {
    struct arms *arms = arg;
    if (arms->any && str_eq(arms->sum.arm, arm->arm)) {
        trial_arm_add(&arms->sum, arm);
        return true;
    }
    if (arms->any) put_arm(arms->w, &arms->sum);
    arms->sum = *arm;
    arms->sum.arm = arena_str(arms->arena, arm->arm);
    arms->any = true;
    return arms->sum.arm.p || err_no_memory(err);
}

static void put_time(struct json_writer *w, struct str name, int64_t at) {
    char text[TIME_TEXT_LEN];
    time_text(text, at);
    json_put_member_str(w, name, str_of(text, sizeof text));
}

static bool put_trial(struct api_call *call, struct json_writer *w, const struct trial_row *r, struct err *err) {
    struct arms arms = {.w = w, .arena = call->arena};
    json_put_object(w);
    json_put_member_str(w, STR("kind"), r->key.kind);
    json_put_member_str(w, STR("model"), r->key.model);
    json_put_member_text(w, STR("level"), r->key.level);
    json_put_member_text(w, STR("against"), r->rival);
    json_put_member_str(w, STR("state"), r->state);
    json_put_member_text(w, STR("reason"), r->reason);
    json_put_member_fixed(w, STR("share"), r->share, 6);
    json_put_member_i64(w, STR("step"), r->step + 1);
    json_put_member_i64(w, STR("steps"), r->steps);
    put_time(w, STR("step_since"), r->step_since);
    put_time(w, STR("started_at"), r->started_at);
    json_put_member_array(w, STR("arms"));
    if (!trial_each_arm(call->db, r->id, add_arm, &arms, err)) return false;
    if (arms.any) put_arm(w, &arms.sum);
    json_put_array_end(w);
    json_put_object_end(w);
    return true;
}

static bool wanted(const struct api_call *call, const struct trial_row *r) {
    struct str model = api_param(call, "model"), level = api_param(call, "level");
    return (!model.p || str_eq(model, r->key.model)) && (!level.p || str_eq(level, r->key.level));
}

static bool list_of(struct api_call *call, struct str kind, struct err *err) {
    trial_rows rows = {0};
    struct json_writer w;
    bool ok = trial_list(call->db, kind, call->arena, &rows, err);
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_array(&w, STR("data"));
    for (size_t i = 0; ok && i < rows.n; i++)
        if (wanted(call, &rows.p[i])) ok = put_trial(call, &w, &rows.p[i], err);
    json_put_array_end(&w);
    json_put_object_end(&w);
    vec_free(&rows);
    return ok;
}

static bool list_canaries(struct api_call *call, struct err *err) { return list_of(call, STR("canary"), err); }
static bool list_shadows(struct api_call *call, struct err *err) { return list_of(call, STR("shadow"), err); }
static bool list_experiments(struct api_call *call, struct err *err) { return list_of(call, STR("ab"), err); }

// --- by hand ---

static bool find_canary(struct api_call *call, struct trial_row *out_row, struct err *err) {
    struct str model, level = api_param(call, "level");
    trial_rows rows = {0};
    bool found = false;
    if (!api_decode(call->params[0], call->arena, &model, err) ||
        !trial_list(call->db, STR("canary"), call->arena, &rows, err)) {
        vec_free(&rows);
        return false;
    }
    for (size_t i = 0; i < rows.n && !found; i++) {
        found = str_eq(rows.p[i].key.model, model) && str_eq(rows.p[i].key.level, level.p ? level : STR(""));
        if (found) *out_row = rows.p[i];
    }
    vec_free(&rows);
    return found || err_set(err, ERR_NOT_FOUND, "model \"%.*s\" has no canary%s", STR_ARG(str_head(model, 200)),
                            level.p ? " at that level" : " (with ?level=TENANT, one of a tenant's models is meant)");
}

static struct str state_text(struct api_call *call, const struct trial_row *r) {
    return arena_printf(call->arena, "{\"state\":\"%.*s\",\"share\":%lld.%06lld}", STR_ARG(r->state),
                        (long long)(r->share / 1000000), (long long)(r->share % 1000000));
}

// The states are those of route/canary.h. The share of a step is in the rules alone: the servers set it in their next
// round.
static bool set_state(struct api_call *call, struct str state, bool anew, struct err *err) {
    struct trial_row row;
    struct json_writer w;
    if (!find_canary(call, &row, err)) return false;
    if (str_eq(state, STR("running")) && !anew && !str_eq(row.state, STR("paused")))
        return err_set(err, ERR_CONFLICT, "the canary of \"%.*s\" is not paused but %.*s; restart begins it anew",
                       STR_ARG(row.key.model), STR_ARG(row.state));
    if (str_eq(state, STR("paused")) && !str_eq(row.state, STR("running")))
        return err_set(err, ERR_CONFLICT, "the canary of \"%.*s\" is not running but %.*s", STR_ARG(row.key.model),
                       STR_ARG(row.state));
    call->event.before = state_text(call, &row);
    row.state = state;
    row.reason = anew ? STR("") : STR("by hand");
    row.step_since = call->now;
    if (str_eq(state, STR("rolled_back"))) row.share = 0;
    if (str_eq(state, STR("promoted"))) row.share = 1000000;
    if (anew) {
        row.step = row.looks = row.looked_at = row.share = 0;
        row.started_at = call->now;
        if (!trial_forget(call->db, row.id, err)) return false;
    }
    if (!trial_save(call->db, &row, err)) return false;
    call->event.resource_name = row.key.model;
    call->event.after = state_text(call, &row);
    api_answer(call, &w);
    return put_trial(call, &w, &row, err);
}

static bool pause_it(struct api_call *call, struct err *err) { return set_state(call, STR("paused"), false, err); }
static bool resume(struct api_call *call, struct err *err) { return set_state(call, STR("running"), false, err); }
static bool promote(struct api_call *call, struct err *err) { return set_state(call, STR("promoted"), false, err); }
static bool roll_back(struct api_call *call, struct err *err) {
    return set_state(call, STR("rolled_back"), false, err);
}
static bool restart(struct api_call *call, struct err *err) { return set_state(call, STR("running"), true, err); }

// --- the table ---

#define ARM                                                                                                            \
    "{\"type\":\"object\",\"properties\":{\"arm\":{\"type\":\"string\"},\"requests\":{\"type\":\"integer\"},"          \
    "\"errors\":{\"type\":\"integer\"},\"error_rate\":{\"type\":[\"number\",\"null\"]},"                               \
    "\"p50_ms\":{\"type\":[\"number\",\"null\"]},\"p95_ms\":{\"type\":[\"number\",\"null\"]},"                         \
    "\"cost_usd\":{\"type\":[\"number\",\"null\"]},\"cost_per_request_usd\":{\"type\":[\"number\",\"null\"]},"         \
    "\"quality\":{\"type\":[\"number\",\"null\"]},\"judged\":{\"type\":\"integer\"}}}"
#define TRIAL                                                                                                          \
    "{\"type\":\"object\",\"properties\":{\"kind\":{\"type\":\"string\"},\"model\":{\"type\":\"string\"},"             \
    "\"level\":{\"type\":[\"string\",\"null\"]},\"against\":{\"type\":[\"string\",\"null\"]},"                         \
    "\"state\":{\"type\":\"string\"},\"reason\":{\"type\":[\"string\",\"null\"]},\"share\":{\"type\":\"number\"},"     \
    "\"step\":{\"type\":\"integer\"},\"steps\":{\"type\":\"integer\"},\"step_since\":{\"type\":\"string\"},"           \
    "\"started_at\":{\"type\":\"string\"},\"arms\":{\"type\":\"array\",\"items\":" ARM "}}}"
#define LIST "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":" TRIAL "}}}"
#define SHOWS(where, how, what)                                                                                        \
    {                                                                                                                  \
        .method = HTTP_GET, .path = STR_INIT("/api/v1/" where), .resource = RESOURCE_CONFIG, .action = ACTION_READ,    \
        .flags = API_PLATFORM, .handle = how, .query = "model level", .answer = LIST, .summary = what                  \
    }
#define DOES(verb, how, what)                                                                                          \
    {                                                                                                                  \
        .method = HTTP_POST, .path = STR_INIT("/api/v1/canaries/:model/" verb), .resource = RESOURCE_CONFIG,           \
        .action = ACTION_UPDATE, .flags = API_PLATFORM | API_CHANGES, .handle = how, .query = "level",                 \
        .answer = TRIAL, .summary = what, .audit = "canary." verb                                                      \
    }

static const struct api_endpoint k_endpoints[] = {
    SHOWS("canaries", list_canaries, "Lists models' canaries: how far they are, and how they do beside the models"),
    DOES("pause", pause_it, "Keeps a canary's share as it is"),
    DOES("resume", resume, "Lets a paused canary's share grow again"),
    DOES("promote", promote, "Gives a canary all requests"),
    DOES("rollback", roll_back, "Gives a canary no requests any more"),
    DOES("restart", restart, "Begins a canary anew, with its first share and without what was counted"),
    SHOWS("shadows", list_shadows, "Lists models' shadows: how they did with the requests that both were sent"),
    SHOWS("experiments", list_experiments, "Lists the arms of models with the strategy ab, and how they do"),
};
const struct api_table api_table_trials = {"Canaries, shadows and experiments", k_endpoints, ARRAY_LEN(k_endpoints)};
