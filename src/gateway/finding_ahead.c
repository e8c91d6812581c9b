// Looks for personal data in a call: in short texts at once, in long ones on the worker pool, some at a time a loop, so
// that no request holds up the others for long, nor what else the pool is for.
#include "base/mem.h"
#include "gateway/answer.h"
#include "gateway/finding.h"
#include "gateway/need.h"

#define INLINE_MAX ((size_t)32 * 1024) // less than a millisecond
#define JOBS_MAX 2                     // of a loop: one that is very long does not hold up the others

struct finding_job {
    struct work work;
    struct gateway_loop *gl;
    struct wait_list waiting; // the call, until it leaves
    struct arena arena;       // what is looked at, since the client may leave meanwhile, and what was found
    struct finding_in in;
    struct finding finding;
    bool ok;
    struct err err;
};

static struct finding_in input_of(const struct call *call, unsigned kinds) {
    const struct http_req *req = call->req;
    bool passes = call->request.operation == OPERATION_PASSTHROUGH;
    return (struct finding_in){// What it goes on from is in the body that was read, and not in the one that came.
                               .body = call->request.body.p ? call->request.body : req->body,
                               .content_type = http_field_get(req->fields, req->field_count, STR("content-type")),
                               .path = passes ? req->path : STR(""),
                               .query = passes ? req->query : STR(""),
                               .kinds = kinds};
}

bool finding_of(struct call *call, unsigned kinds, struct finding *out_finding, struct err *err) {
    const struct finding_in in = input_of(call, kinds);
    return finding_in_body(&in, &call->req->arena, out_finding, err);
}

static void job_free(struct finding_job *job) {
    arena_free(&job->arena);
    mem_free(job);
}

static void job_run(struct work *work) {
    struct finding_job *job = CONTAINER_OF(work, struct finding_job, work);
    job->ok = finding_in_body(&job->in, &job->arena, &job->finding, &job->err);
}

static bool take_finding(struct call *call, const struct finding *from) {
    struct finding *finding = ARENA_NEW(&call->req->arena, struct finding);
    if (!finding) return false;
    *finding = (struct finding){.found = from->found, .text = arena_str(&call->req->arena, from->text)};
    call->finding = finding;
    return finding->text.p || !from->text.n;
}

static void job_done(struct work *work) {
    struct finding_job *job = CONTAINER_OF(work, struct finding_job, work);
    struct gateway_loop *gl = job->gl;
    struct call *call = wait_take(&job->waiting);
    bool ok = call && job->ok && (take_finding(call, &job->finding) || err_no_memory(&job->err));
    gl->findings--;
    if (ok)
        pipeline_resume(call);
    else if (call)
        call_fail(call, &job->err);
    job_free(job);
    while (gl->findings < JOBS_MAX && (call = wait_take_oldest(&gl->finding_waiting))) pipeline_resume(call);
}

static bool copy(struct arena *arena, struct str *text) {
    struct str own = arena_str(arena, *text);
    bool ok = own.p || !text->n;
    *text = own;
    return ok;
}

static enum stage_result job_begin(struct call *call, const struct finding_in *in, struct err *err) {
    struct gateway_loop *gl = call->gl;
    struct finding_job *job = mem_zalloc(1, sizeof *job);
    bool ok = job != NULL;
    if (ok) {
        *job = (struct finding_job){.work = {.run = job_run, .done = job_done}, .gl = gl, .in = *in};
        arena_init(&job->arena, NULL, 4096, in->body.n + in->content_type.n + in->path.n + in->query.n + 65536);
        ok = copy(&job->arena, &job->in.body) && copy(&job->arena, &job->in.content_type) &&
             copy(&job->arena, &job->in.path) && copy(&job->arena, &job->in.query) && loop_work(gl->loop, &job->work);
    }
    if (!ok) {
        if (job) job_free(job);
        err_no_memory(err);
        return STAGE_FAIL;
    }
    gl->findings++;
    wait_add(&job->waiting, call);
    return STAGE_WAIT;
}

enum stage_result finding_ahead(struct call *call, struct err *err) {
    unsigned kinds = call->finding ? 0 : need_kinds(call);
    const struct finding_in in = input_of(call, kinds);
    if (!kinds || in.body.n <= INLINE_MAX) return STAGE_DONE;
    if (call->gl->findings < JOBS_MAX) return job_begin(call, &in, err);
    wait_add(&call->gl->finding_waiting, call);
    return STAGE_WAIT;
}
