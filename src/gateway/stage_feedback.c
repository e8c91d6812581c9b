// POST /v1/feedback: what a user thinks of an answer.
#include "gateway/answer.h"
#include "gateway/clerk.h"
#include "gateway/grade_impl.h"
#include "gateway/pipeline.h"
#include "gateway/store_reply.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/text.h"
#include "os/clock.h"
#include "store/ledger_read.h"
#include "store/tenant.h"

struct feedback_job {
    struct clerk_job job; // first
    struct arena arena;
    const struct datadir *dir;
    struct score_row row;
    char id_text[REQUEST_ID_TEXT_LEN];
    bool found, first; // nobody has said anything of it yet
    struct buf out;
};

static struct feedback_job *of_job(struct clerk_job *job) { return CONTAINER_OF(job, struct feedback_job, job); }

static void job_free(struct clerk_job *job) {
    struct feedback_job *f = of_job(job);
    buf_free(&f->out);
    arena_free(&f->arena);
    mem_free(f);
}

// --- the request that it is of ---

// One that a model has answered.
static bool take(void *arg, const struct ledger_row *row) {
    struct feedback_job *f = arg;
    const struct usage_record *r = &row->rec;
    if (!r->provider.n || r->status != 200) return false;
    f->row.attempt = (int64_t)r->attempts;
    f->row.ts = r->ts;
    f->row.provider = arena_str(&f->arena, r->provider);
    f->row.model = arena_str(&f->arena, r->model);
    f->row.upstream_model = arena_str(&f->arena, r->upstream_model);
    f->row.task = r->task.n ? arena_str(&f->arena, r->task) : STR("");
    f->found = f->row.provider.p && f->row.model.p && f->row.upstream_model.p && f->row.task.p;
    return false;
}

// In the ledger, which also has what is not in its table yet.
static bool run(struct clerk_job *job, struct sql *db, struct err *err) {
    struct feedback_job *f = of_job(job);
    const struct ledger_query q = {.data_dir = str_c(f->dir->path),
                                   .database = str_c(f->dir->database),
                                   .tenant_id = (uint64_t)f->row.tenant,
                                   .request_id = f->row.request,
                                   .limit = 1};
    struct sql_scope scope = sql_tenant(db, f->row.tenant);
    struct score_row old;
    bool scored;
    if (!ledger_read(&q, take, f, err)) return false;
    if (!f->found)
        return err_set(err, ERR_NOT_FOUND, "there is no answer to a request \"%.*s\"", REQUEST_ID_TEXT_LEN, f->id_text);
    if (!score_get(scope, f->row.request, f->row.attempt, &f->arena, &old, &scored, err)) return false;
    f->first = !scored || old.feedback == SCORE_NONE;
    if (scored && old.task.n) f->row.task = old.task;
    return score_put(scope, &f->row, err);
}

// --- the answer ---

// The board hears a user once an answer: who changes their mind changes the record alone.
static void tell_board(const struct call *call, const struct feedback_job *f) {
    const struct score_row *r = &f->row;
    struct board_slot *slot = grade_slot(call->runtime, r->provider, r->upstream_model);
    // Targets are everybody's: one tenant's word moves them for others only so far.
    bool shared = r->tenant != TENANT_DEFAULT || call->runtime->conf->tenants.n > 0;
    float score = (float)r->feedback / 1000;
    uint64_t now = clock_mono_ns();
    if (!slot || !f->first) return;
    if (shared)
        board_quality_say(slot, grade_task(r->task), score, GRADE_WEIGHT_USER, (uint64_t)r->tenant, now);
    else
        board_quality_add(slot, grade_task(r->task), score, GRADE_WEIGHT_USER, now);
}

static void done(struct clerk_job *job) {
    struct feedback_job *f = of_job(job);
    struct call *call = job->call;
    struct err err = job->err;
    struct json_writer w;
    if (!call || !job->ok) {
        clerk_finish(job);
        if (call) call_fail(call, &err);
        return;
    }
    tell_board(call, f);
    json_writer_init(&w, &f->out);
    json_put_object(&w);
    json_put_member_str(&w, STR("object"), STR("feedback"));
    json_put_member_str(&w, STR("request_id"), str_of(f->id_text, sizeof f->id_text));
    json_put_member_fixed(&w, STR("score"), f->row.feedback, 3);
    json_put_object_end(&w);
    buf_free(&call->answer);
    call->answer = f->out;
    buf_init(&f->out, 0);
    clerk_finish(job);
    call_reply(call, 200, STR("application/json"), buf_str(&call->answer));
}

// --- what is said ---

static bool wrong(struct err *err, const char *param, const char *message) {
    err_set(err, ERR_INVALID_FIELD, "%s", message);
    snprintf(err->param, sizeof err->param, "%s", param);
    return false;
}

enum { IN_REQUEST, IN_SCORE, IN_THUMB, IN_COMMENT, IN_FIELDS };

static bool read_score(const struct json_field *f, int *out, struct err *err) {
    double score = 0;
    if (f[IN_SCORE].found == f[IN_THUMB].found)
        return wrong(err, "score", "give either \"score\", a number from 0 to 1, or \"thumb\", \"up\" or \"down\"");
    if (f[IN_THUMB].found) {
        bool up = json_string_eq(f[IN_THUMB].raw, STR("up"));
        *out = up ? 1000 : 0;
        return up || json_string_eq(f[IN_THUMB].raw, STR("down")) ||
               wrong(err, "thumb", "\"thumb\" must be \"up\" or \"down\"");
    }
    if (!json_raw_double(f[IN_SCORE].raw, &score) || !(score >= 0 && score <= 1))
        return wrong(err, "score", "\"score\" must be a number from 0 to 1");
    *out = (int)(score * 1000 + 0.5);
    return true;
}

static bool read_body(struct str body, struct feedback_job *f, struct err *err) {
    struct json_field in[IN_FIELDS] = {
        [IN_REQUEST] = {.name = STR("request_id"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [IN_SCORE] = {.name = STR("score"), .kinds = JSON_IS(JSON_NUMBER)},
        [IN_THUMB] = {.name = STR("thumb"), .kinds = JSON_IS(JSON_STRING)},
        [IN_COMMENT] = {.name = STR("comment"), .kinds = JSON_IS(JSON_STRING)}};
    struct str id;
    if (!json_scan(body, in, IN_FIELDS, err)) return false;
    if (!json_string_text(in[IN_REQUEST].raw, &f->arena, &id)) return err_no_memory(err);
    if (!str_starts(id, STR("req_")) || !base32_u64_parse(str_from(id, 4), &f->row.request) || !f->row.request ||
        f->row.request > INT64_MAX)
        return wrong(err, "request_id",
                     "\"request_id\" must be the x-request-id of an answer, such as req_0abcdefghjkmn");
    request_id_text(f->id_text, f->row.request);
    if (in[IN_COMMENT].found && json_string_len(in[IN_COMMENT].raw) > SCORE_COMMENT_MAX)
        return wrong(err, "comment", "\"comment\" may have 1000 bytes");
    if (in[IN_COMMENT].found && !json_string_text(in[IN_COMMENT].raw, &f->arena, &f->row.comment))
        return err_no_memory(err);
    return read_score(in, &f->row.feedback, err);
}

enum stage_result stage_feedback(struct call *call, struct err *err) {
    if (!store_admits(call, err)) return STAGE_FAIL;
    struct feedback_job *f = mem_zalloc(1, sizeof *f);
    if (!f) {
        err_no_memory(err);
        return STAGE_FAIL;
    }
    f->job = (struct clerk_job){.run = run, .done = done, .free = job_free};
    f->dir = call->gl->gateway->o.dir;
    f->row = (struct score_row){
        .tenant = store_caller_of(call).tenant, .score = SCORE_NONE, .judged = SCORE_NONE, .comment = STR("")};
    buf_init(&f->out, 4096);
    arena_init(&f->arena, NULL, 0, call->req->body.n * 2 + ((size_t)1 << 20));
    struct str body = arena_str(&f->arena, call->req->body); // the job may outlive its call
    if (read_body(body, f, err) && clerk_ask(call, &f->job, err)) return STAGE_WAIT;
    job_free(&f->job);
    return STAGE_FAIL;
}
