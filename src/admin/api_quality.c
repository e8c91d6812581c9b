// The API of answers' quality: what their scores add up to.
#include "admin/api_impl.h"

#include "base/text.h"
#include "conf/conf_routing.h"
#include "store/score.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000
#define DIGITS 3 // of thousandths

static const struct {
    struct str name;
    enum score_group group;
} k_groups[] = {
    {STR_INIT("model"), SCORE_BY_MODEL},   {STR_INIT("provider"), SCORE_BY_PROVIDER},
    {STR_INIT("task"), SCORE_BY_TASK},     {STR_INIT("upstream_model"), SCORE_BY_UPSTREAM_MODEL},
    {STR_INIT("target"), SCORE_BY_TARGET}, {STR_INIT("day"), SCORE_BY_DAY},
    {STR_INIT("hour"), SCORE_BY_HOUR},
};
static const struct str k_faults[] = {
#define FAULT(id, word, hard, score, help) STR_INIT(word),
#include "conf/fault.def"
#undef FAULT
};
static_assert(ARRAY_LEN(k_faults) <= SCORE_FAULTS_MAX, "each fault is added up");

static bool param_time(struct api_call *call, const char *name, int64_t *out, struct err *err) {
    struct str text = api_param(call, name);
    return !text.n || time_parse(text, out) ||
           api_wrong(err, name, "%s: expected a time such as 2026-11-21T07:30:00Z", name);
}

static bool param_by(struct api_call *call, size_t *out, struct err *err) {
    struct str by = api_param(call, "by");
    *out = 0;
    for (size_t i = 0; by.n && i < ARRAY_LEN(k_groups); i++) {
        *out = i;
        if (str_eq(k_groups[i].name, by)) return true;
    }
    return !by.n || api_wrong(err, "by", "by: expected model, provider, upstream_model, target, task, day or hour");
}

struct listing {
    struct json_writer w;
    struct str by;
};

static void put_score(struct json_writer *w, struct str name, int64_t score) {
    if (score == SCORE_NONE)
        json_put_member_null(w, name);
    else
        json_put_member_fixed(w, name, score, DIGITS);
}

static bool put_sum(void *arg, const struct score_sum *sum) {
    struct listing *l = arg;
    struct json_writer *w = &l->w;
    char text[TIME_TEXT_LEN];
    json_put_object(w);
    if (sum->name.n || !sum->ts) {
        json_put_member_text(w, l->by, sum->name);
    } else {
        time_text(text, sum->ts);
        json_put_member_str(w, l->by, str_of(text, sizeof text));
    }
    json_put_member_i64(w, STR("answers"), sum->answers);
    put_score(w, STR("score"), sum->score);
    json_put_member_object(w, STR("faults"));
    for (size_t i = 0; i < ARRAY_LEN(k_faults); i++) json_put_member_i64(w, k_faults[i], sum->faults[i]);
    json_put_object_end(w);
    json_put_member_i64(w, STR("judged"), sum->judged);
    put_score(w, STR("judge_score"), sum->judge_score);
    json_put_member_i64(w, STR("feedbacks"), sum->feedbacks);
    put_score(w, STR("feedback_score"), sum->feedback_score);
    json_put_object_end(w);
    return true;
}

static bool sums(struct api_call *call, struct err *err) {
    struct score_query q = {.model = api_param(call, "model"),
                            .provider = api_param(call, "provider"),
                            .task = api_param(call, "task"),
                            .limit = LIMIT_DEFAULT};
    struct str limit = api_param(call, "limit");
    struct listing l;
    size_t by;
    if (limit.n && (!str_to_i64(limit, &q.limit) || q.limit < 1 || q.limit > LIMIT_MAX))
        return api_wrong(err, "limit", "limit: expected a number from 1 to %d", LIMIT_MAX);
    if (!param_time(call, "since", &q.since, err) || !param_time(call, "until", &q.until, err) ||
        !param_by(call, &by, err))
        return false;
    q.by = k_groups[by].group;
    l.by = k_groups[by].name;
    api_answer(call, &l.w);
    json_put_object(&l.w);
    json_put_member_array(&l.w, STR("data"));
    if (!score_sums(call->scope, &q, put_sum, &l, err)) return false;
    json_put_array_end(&l.w);
    json_put_object_end(&l.w);
    return true;
}

static const struct api_endpoint k_endpoints[] = {
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/quality"),
     .resource = RESOURCE_USAGE,
     .action = ACTION_READ,
     .handle = sums,
     .query = "by since until model provider task limit",
     .answer = "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}",
     .summary = "Adds up what answers were found to be worth, by model unless `by` says otherwise"},
};
const struct api_table api_table_quality = {"Quality", k_endpoints, ARRAY_LEN(k_endpoints)};
