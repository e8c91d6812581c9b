// Reads a share of the answers once they are out, and tells the board what they are worth.
#include "gateway/grade_impl.h"

#include "base/mem.h"
#include "gateway/need.h"
#include "gateway/pipeline.h"
#include "gateway/translation.h"
#include "govern/score_log.h"
#include "os/clock.h"
#include "store/tenant.h"

#define JOB_ARENA_MAX ((size_t)64 << 20)
#define CHECK_ARENA_MAX ((size_t)16 << 20)
#define SHARE_ALL 1000000

struct grade_loop *grade_loop_of(struct gateway_loop *gl) {
    if (!gl->grades) gl->grades = mem_zalloc(1, sizeof *gl->grades);
    return gl->grades;
}

void grade_loop_free(struct grade_loop *q) { mem_free(q); }

unsigned grade_task(struct str name) {
    for (unsigned t = 0; t < TASK_COUNT; t++)
        if (str_eq(task_name((enum prompt_task)t), name)) return t + 1;
    return 0;
}

struct board_slot *grade_slot(const struct runtime *runtime, struct str provider, struct str upstream_model) {
    const struct route_table *t = runtime->routes;
    for (size_t i = 0; i < t->count; i++) {
        for (size_t k = 0; k < t->models[i].count; k++) {
            const struct route_node *n = &t->models[i].nodes[k];
            if (str_eq(n->conf->provider, provider) && str_eq(n->conf->model, upstream_model)) return n->slot;
        }
    }
    return NULL;
}

// --- which ---

static const struct conf_quality *rules_of(const struct call *call) {
    return call->route.model ? &call->route.model->policy.quality : NULL;
}

// Chats that a provider answers; what a judge says is not judged.
static bool is_scored(const struct call *call) {
    bool own = call->inner && (call->inner->native || call->inner->judge);
    return call->at->provider && !own && call->request.operation == OPERATION_CHAT && rules_of(call);
}

static bool draw(struct call *call, int64_t share) {
    return share > 0 && (int64_t)(gateway_draw(call->gl) % SHARE_ALL) < share;
}

static bool wanted(struct call *call) {
    struct grade_seen *seen = &call->seen;
    if (seen->wish == GRADE_UNDECIDED) {
        bool yes = is_scored(call) && call->dialect->decode_answer && call->dialect->decode &&
                   draw(call, MAX(rules_of(call)->share, trial_scored(call)));
        seen->wish = yes ? GRADE_WANTED : GRADE_PASSED_OVER;
        buf_init(&seen->bytes, GRADE_BYTES_MAX);
    }
    return seen->wish == GRADE_WANTED;
}

void grade_add(struct call *call, const struct str *parts, size_t count) {
    struct grade_seen *seen = &call->seen;
    if (call->recorded || call->upstream_status != 200 || !call->at->provider || !wanted(call)) return;
    for (size_t i = 0; i < count && !seen->cut; i++) {
        seen->cut = seen->bytes.n + parts[i].n > GRADE_BYTES_MAX;
        buf_put(&seen->bytes, str_head(parts[i], GRADE_BYTES_MAX - seen->bytes.n));
    }
}

void grade_free(struct call *call) { buf_free(&call->seen.bytes); }

// --- reading ---

static struct str text_of_last(const struct chat *chat, struct arena *arena) {
    struct str text = STR("");
    for (size_t i = chat->count; i-- > 0;) {
        const struct chat_turn *turn = &chat->turns[i];
        for (size_t k = turn->count; turn->role == CHAT_USER && k-- > 0;)
            if (turn->parts[k].kind == CHAT_TEXT && json_string_text(turn->parts[k].text, arena, &text)) return text;
    }
    return text;
}

static void on_pool(struct work *work) {
    struct grade_job *job = (struct grade_job *)work;
    const struct complexity_lexicon *lexicon = &job->runtime->routes->lexicon;
    struct score_ask ask = {.other_language = true};
    struct score_answer a;
    struct model_request request = {.body = STR("")};
    struct chat chat = {.count = 0};
    struct err err;
    unsigned task = 0;
    if (job->in.body.n && job->ops->peek(&job->in, &job->arena, &request, &err) &&
        job->ops->read(&request, &job->arena, &chat, &err)) {
        struct complexity c;
        ask = score_ask_of(lexicon, &chat, &c);
        job->row.task = task_name(c.task);
        job->prompt = text_of_last(&chat, &job->arena);
        task = (unsigned)c.task + 1;
    }
    job->read = job->stream ? score_read_stream(job->ops, job->frames, buf_str(&job->bytes), job->cut, &job->arena, &a)
                            : score_read(job->ops, buf_str(&job->bytes), &job->arena, &a);
    if (!job->read) return;
    job->answer = a.text;
    job->row.faults = score_faults(lexicon, &ask, &a, SCORE_ALL, &job->arena);
    float score = score_of_faults(job->row.faults);
    job->row.score = (int)(score * 1000 + 0.5f);
    if (job->slot) board_quality_add(job->slot, task, score, 1, clock_mono_ns());
    trial_judged(&job->trials, (double)score);
}

static void on_loop(struct work *work) {
    struct grade_job *job = (struct grade_job *)work;
    struct gateway_loop *gl = job->gl;
    gl->jobs--;
    gl->grades->jobs--;
    if (job->read) score_log_put(gl->gateway->o.scores, &job->row);
    if (job->read && job->judge.n && job->prompt.n && job->answer.n)
        grade_judge(job);
    else
        grade_job_free(job);
}

void grade_job_free(struct grade_job *job) {
    if (job->slot) board_slot_put(job->slot);
    if (job->by.ring) keyring_unref(job->by.ring);
    runtime_unref(job->runtime);
    buf_free(&job->bytes);
    arena_free(&job->arena);
    mem_free(job);
}

// --- handing over ---

static struct score_row row_of(const struct call *call) {
    const struct route_target *t = &call->route.targets[call->at->target];
    return (struct score_row){.tenant = call->key ? call->key->tenant_id : TENANT_DEFAULT,
                              .request = call->id,
                              .attempt = (int64_t)call->attempts,
                              .ts = call->ts,
                              .provider = t->provider->name,
                              .model = call->request.model,
                              .upstream_model = t->model,
                              .task = STR(""),
                              .score = SCORE_NONE,
                              .judged = SCORE_NONE,
                              .feedback = SCORE_NONE,
                              .comment = STR("")};
}

// The call goes; what the job needs of it is copied.
static bool keep_request(struct call *call, struct grade_job *job) {
    struct arena *arena = &job->arena;
    struct str origin = http_field_get(call->req->fields, call->req->field_count, STR("origin"));
    bool fits = call->request.body.n <= GRADE_REQUEST_MAX;
    job->row = row_of(call);
    job->row.provider = arena_str(arena, job->row.provider);
    job->row.model = arena_str(arena, job->row.model);
    job->row.upstream_model = arena_str(arena, job->row.upstream_model);
    job->in = (struct model_request_in){.operation = OPERATION_CHAT,
                                        .body = arena_str(arena, fits ? call->request.body : STR("")),
                                        .content_type = STR("application/json"),
                                        .model = arena_str(arena, call->request.model),
                                        .action = arena_str(arena, call->request.action),
                                        .query = arena_str(arena, call->req->query),
                                        .depth = (unsigned)call->runtime->conf->limits.json_depth};
    job->peer = arena_str(arena, call->req->peer);
    job->by.origin = arena_str(arena, call->inner ? call->inner->origin : origin);
    return job->row.provider.p && job->row.model.p && job->row.upstream_model.p && job->in.body.p && job->peer.p;
}

// It may see what is asked of it only where the request itself might have gone; nothing goes to one that is closed to
// whose it is.
static void choose_judge(struct call *call, struct grade_job *job) {
    const struct conf_judge *judge = &rules_of(call)->judge;
    if (!judge->model.n || !conf_tenant_allows(call->tenant, judge->model)) return;
    if (!draw(call, judge->share)) return;
    if (call->need && !need_fields(call->need, &job->arena, job->fields, &job->field_count)) return;
    job->judge = judge->model;
    job->by.judge = true;
    if (call->key) {
        job->by.ring = keyring_ref(call->ring);
        job->by.key = call->key;
    }
}

static struct grade_job *job_make(struct call *call) {
    struct grade_job *job = mem_zalloc(1, sizeof *job);
    if (!job) return NULL;
    struct board_slot *slot = call->route.targets[call->at->target].slot;
    *job = (struct grade_job){.work = {.run = on_pool, .done = on_loop},
                              .gl = call->gl,
                              .runtime = runtime_ref(call->runtime),
                              .slot = slot,
                              .trials = trial_answered(call),
                              .ops = call->dialect,
                              .frames = call->request.array ? FRAME_ARRAY : call->dialect->frames,
                              .stream = call->mode == ANSWER_STREAM,
                              .cut = call->seen.cut,
                              .bytes = call->seen.bytes,
                              .prompt = STR(""),
                              .judge = STR("")};
    buf_init(&call->seen.bytes, 0);
    if (slot) board_slot_hold(slot);
    arena_init(&job->arena, NULL, 0, JOB_ARENA_MAX);
    if (keep_request(call, job)) {
        choose_judge(call, job);
        return job;
    }
    grade_job_free(job);
    return NULL;
}

void grade_end(struct call *call) {
    struct grade_seen *seen = &call->seen;
    bool good = seen->wish == GRADE_WANTED && seen->bytes.n && !call->error && call->status == 200;
    struct grade_loop *q = good ? grade_loop_of(call->gl) : NULL;
    if (!q || q->jobs >= GRADE_JOBS_MAX || seen->bytes.failed) return;
    if (seen->cut && call->mode != ANSWER_STREAM) return; // half a JSON object tells nothing
    struct grade_job *job = job_make(call);
    if (!job) return;
    if (!loop_work(call->gl->loop, &job->work)) {
        grade_job_free(job);
        return;
    }
    q->jobs++;
    call->gl->jobs++;
}

// --- holding back ---

static unsigned check(struct call *call, struct str body, unsigned which, struct arena *arena) {
    struct score_ask ask = {.limited = call->request.max_output > 0};
    const struct chat *chat;
    struct score_answer a;
    struct err err;
    if ((which & (SCORE_FAULT(SCHEMA) | SCORE_FAULT(REFUSED))) && call->dialect->read &&
        translation_chat(call, &chat, &err)) {
        ask.json = chat->output != CHAT_OUTPUT_TEXT;
        if (chat->output == CHAT_OUTPUT_SCHEMA) ask.schema = chat->output_schema;
    }
    if (!score_read(call->at->upstream, body, arena, &a)) return 0;
    return score_faults(&call->runtime->routes->lexicon, &ask, &a, which, arena);
}

// As those answers are filed that are read later. 0: it has none.
static unsigned file_by_task(struct call *call, struct score_row *row) {
    struct complexity c = {0};
    const struct chat *chat;
    struct err err;
    if (!call->dialect->read || !translation_chat(call, &chat, &err)) return 0;
    complexity_of_chat(&call->runtime->routes->lexicon, chat, &c);
    row->task = task_name(c.task);
    return (unsigned)c.task + 1;
}

bool grade_holds_back(struct call *call, struct str body) {
    if (!is_scored(call) || call->upstream_status != 200 || !rules_of(call)->retry_set) return false;
    if (call->request.stream) return false; // it came whole, but is told as a stream, which is not kept
    struct board_slot *slot = call->route.targets[call->at->target].slot;
    struct arena arena;
    arena_init(&arena, NULL, 0, CHECK_ARENA_MAX);
    unsigned faults = check(call, body, rules_of(call)->retry_set, &arena);
    arena_free(&arena);
    struct score_row row = row_of(call);
    if (!faults || !failover_again(call, FAILURE_QUALITY)) return false;
    float score = score_of_faults(faults);
    row.faults = faults;
    row.score = (int)(score * 1000 + 0.5f);
    unsigned task = file_by_task(call, &row);
    if (slot) board_quality_add(slot, task, score, 1, clock_mono_ns());
    score_log_put(call->gl->gateway->o.scores, &row);
    return true;
}
