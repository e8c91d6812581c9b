// Counting of tokens for calls: short texts at once, long ones on the worker pool, one at a time a loop, so that
// counting holds up neither the loop nor what else the pool is for.
#include "gateway/counting.h"

#include "base/mem.h"
#include "gateway/answer.h"

#define INLINE_MAX ((size_t)16 * 1024) // some two milliseconds at worst

struct counting_job {
    struct work work;
    struct gateway_loop *gl;
    struct wait_list waiting; // the call, until it leaves
    struct arena arena;
    struct counting counting;
    unsigned depth;
    char *body; // owned: the client may leave meanwhile
    size_t body_n;
    struct buf out;
    bool ok;
    struct err err;
};

static void job_free(struct counting_job *job) {
    mem_free(job->body);
    buf_free(&job->out);
    arena_free(&job->arena);
    mem_free(job);
}

static void job_run(struct work *work) {
    struct counting_job *job = CONTAINER_OF(work, struct counting_job, work);
    const struct counting *c = &job->counting;
    job->ok = c->make(c, str_of(job->body, job->body_n), job->depth, &job->arena, &job->out, &job->err);
}

static void job_done(struct work *work) {
    struct counting_job *job = CONTAINER_OF(work, struct counting_job, work);
    struct gateway_loop *gl = job->gl;
    struct call *call = wait_take(&job->waiting);
    gl->tokenizing = false;
    if (call && job->ok) {
        const struct buf unused = call->answer;
        call->answer = job->out;
        job->out = unused;
        call_reply(call, 200, STR("application/json"), buf_str(&call->answer));
    } else if (call) {
        call_fail(call, &job->err);
    }
    job_free(job);
    // The next one that waits begins its own job; one that fails at it lets the one after it try.
    while (!gl->tokenizing && (call = wait_take(&gl->tokenize_waiting))) pipeline_resume(call);
}

// What was before a response has been put into its request.
static struct str body_of(const struct call *call) { return call->previous ? call->request.body : call->req->body; }

static enum stage_result job_begin(struct call *call, const struct counting *counting, struct err *err) {
    struct gateway_loop *gl = call->gl;
    const struct str body = body_of(call);
    struct counting_job *job = mem_zalloc(1, sizeof *job);
    if (job) {
        *job = (struct counting_job){.work = {.run = job_run, .done = job_done},
                                     .gl = gl,
                                     .counting = *counting,
                                     .depth = (unsigned)call->runtime->conf->limits.json_depth,
                                     .body = mem_alloc(body.n),
                                     .body_n = body.n,
                                     .out = BUF_INIT(call->answer.max)};
        arena_init(&job->arena, NULL, 4096, body.n * COUNTING_ARENA + 65536);
        if (job->body) memcpy(job->body, body.p, body.n);
    }
    if (!job || !job->body || !loop_work(gl->loop, &job->work)) {
        if (job) job_free(job);
        err_no_memory(err);
        return STAGE_FAIL;
    }
    gl->tokenizing = true;
    wait_add(&job->waiting, call);
    return STAGE_WAIT;
}

enum stage_result counting_answer(struct call *call, const struct counting *counting, struct err *err) {
    const struct str body = body_of(call);
    unsigned depth = (unsigned)call->runtime->conf->limits.json_depth;
    if (body.n > INLINE_MAX) {
        if (!call->gl->tokenizing) return job_begin(call, counting, err);
        wait_add(&call->gl->tokenize_waiting, call);
        return STAGE_WAIT;
    }
    if (!counting->make(counting, body, depth, &call->req->arena, &call->answer, err)) return STAGE_FAIL;
    call_reply(call, 200, STR("application/json"), buf_str(&call->answer));
    return STAGE_ANSWERED;
}
