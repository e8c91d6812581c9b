// POST /v1/estimate: what a request would use and cost, for the model it names, for some, or for all that the caller
// may use. Nothing is sent to anybody.
//
// Counted on the worker pool, one at a time a loop, in turn with /v1/tokenize.
#include "base/json_write.h"
#include "base/mem.h"
#include "gateway/answer.h"
#include "gateway/model_list.h"
#include "gateway/pipeline.h"
#include "model/forecast.h"

struct estimate_job {
    struct work work;
    struct gateway_loop *gl;
    struct runtime *runtime;  // whose text the models have
    struct wait_list waiting; // the call, until it leaves
    struct arena arena;
    struct str body; // a copy: the client may leave meanwhile
    struct forecast_request request;
    struct forecast_model *models;
    size_t n;
    struct buf out;
    bool ok;
    struct err err;
};

static void job_free(struct estimate_job *job) {
    runtime_unref(job->runtime);
    buf_free(&job->out);
    arena_free(&job->arena);
    mem_free(job);
}

// --- which models ---

static bool may_use(const struct call *call, struct str name, struct err *err) {
    if (call->key && !keyring_check_model(call->ring, call->key, name, call->ts, err)) return false;
    const struct conf_tenant *by = conf_tenant_refuser(call->tenant, name);
    return !by || err_set(err, ERR_MODEL_NOT_ALLOWED, "%s \"%.*s\" may not use the model \"%.*s\"",
                          conf_level_word(by->kind), STR_ARG(by->name), STR_ARG(str_head(name, 100)));
}

static bool fill(const struct call *call, struct estimate_job *job, struct str name, struct forecast_model *m) {
    const struct runtime *rt = job->runtime;
    struct model_named named;
    if (!model_facts_named(rt->models, rt->conf, call->tenant, name, &named)) return false;
    struct model_request like = {.operation = job->request.operation, .model = name};
    *m = (struct forecast_model){.name = arena_str(&job->arena, name),
                                 .provider = named.target.peer->name,
                                 .upstream = arena_str(&job->arena, named.target.upstream),
                                 .facts = named.facts,
                                 .observed = estimate_output(&call->gl->estimates, &like, 0)};
    return m->name.p && m->upstream.p;
}

static bool named_models(const struct call *call, struct estimate_job *job, struct err *err) {
    const struct forecast_request *q = &job->request;
    job->models = ARENA_ARRAY(&job->arena, struct forecast_model, q->name_count + 1);
    if (!job->models) return err_no_memory(err);
    for (size_t i = 0; i < q->name_count; i++) {
        if (!may_use(call, q->names[i], err)) return false;
        if (fill(call, job, q->names[i], &job->models[job->n])) {
            job->n++;
            continue;
        }
        memcpy(err->param, "model", sizeof "model");
        return err_set(err, ERR_MODEL_NOT_FOUND, "there is no model \"%.*s\"; GET /v1/models lists what there is",
                       STR_ARG(str_head(q->names[i], 100)));
    }
    return true;
}

struct gathering {
    const struct call *call;
    struct estimate_job *job;
    size_t max;
};

static void gather(void *arg, struct str name, struct str owner) {
    struct gathering *g = arg;
    struct estimate_job *job = g->job;
    (void)owner;
    if (job->n == g->max || !fill(g->call, job, name, &job->models[job->n])) return;
    const struct model_entry *facts = &job->models[job->n].facts;
    if (!facts->name.n || forecast_fits_mode(&job->request, facts->mode)) job->n++;
}

// Of the catalogue, what the configured providers have: as "provider/model".
static void gather_catalog(struct gathering *g) {
    const struct runtime *rt = g->job->runtime;
    struct err ignored;
    for (size_t p = 0; p < rt->conf->providers.n; p++) {
        const struct conf_provider *peer = &rt->conf->providers.p[p];
        for (size_t i = 0; i < model_catalog_count(rt->models); i++) {
            const struct model_entry *e = model_catalog_at(rt->models, i);
            struct str kind = peer->preset->name;
            if (!str_starts(e->name, kind) || e->name.n <= kind.n || e->name.p[kind.n] != '/') continue;
            struct str name =
                arena_printf(&g->job->arena, "%.*s/%.*s", STR_ARG(peer->name), STR_ARG(str_from(e->name, kind.n + 1)));
            if (name.p && may_use(g->call, name, &ignored)) gather(g, name, peer->name);
        }
    }
}

static bool all_models(const struct call *call, struct estimate_job *job, struct err *err) {
    struct gathering g = {call, job, FORECAST_MODELS_MAX};
    job->models = ARENA_ARRAY(&job->arena, struct forecast_model, g.max + 1);
    if (!job->models) return err_no_memory(err);
    (void)model_list(call, STR_NONE, gather, &g);
    if (job->n == 0 && job->runtime->conf->passthrough_models) gather_catalog(&g);
    return job->n || err_set(err, ERR_MODEL_NOT_FOUND, "there is no model for such a request that this key may use");
}

// --- counting ---

static void job_run(struct work *work) {
    struct estimate_job *job = CONTAINER_OF(work, struct estimate_job, work);
    uint64_t otherwise = (uint64_t)job->runtime->conf->quota.default_output_tokens;
    struct forecast *list = forecast_make(&job->request, job->models, job->n, otherwise, &job->arena);
    struct json_writer w;
    job->ok = list || err_no_memory(&job->err);
    if (!job->ok) return;
    json_writer_init(&w, &job->out);
    json_put_object(&w);
    json_put_member_str(&w, STR("object"), STR("list"));
    json_put_member_array(&w, STR("data"));
    for (size_t i = 0; i < job->n; i++) forecast_put(&w, &list[i]);
    json_put_array_end(&w);
    json_put_object_end(&w);
    job->ok = !job->out.failed || err_no_memory(&job->err);
}

static void job_done(struct work *work) {
    struct estimate_job *job = CONTAINER_OF(work, struct estimate_job, work);
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
    while (!gl->tokenizing && (call = wait_take(&gl->tokenize_waiting))) pipeline_resume(call);
}

static bool job_make(struct call *call, struct estimate_job *job, struct err *err) {
    const struct conf *conf = call->runtime->conf;
    job->body = arena_str(&job->arena, call->req->body);
    if (!job->body.p) return err_no_memory(err);
    if (!forecast_read(job->body, (unsigned)conf->limits.json_depth, &job->arena, &job->request, err)) return false;
    return job->request.all ? all_models(call, job, err) : named_models(call, job, err);
}

enum stage_result stage_estimate(struct call *call, struct err *err) {
    struct gateway_loop *gl = call->gl;
    if (gl->tokenizing) {
        wait_add(&gl->tokenize_waiting, call);
        return STAGE_WAIT;
    }
    struct estimate_job *job = mem_zalloc(1, sizeof *job);
    if (!job) {
        err_no_memory(err);
        return STAGE_FAIL;
    }
    *job = (struct estimate_job){.work = {.run = job_run, .done = job_done},
                                 .gl = gl,
                                 .runtime = runtime_ref(call->runtime),
                                 .out = BUF_INIT((size_t)64 << 20)};
    arena_init(&job->arena, NULL, 16384, call->req->body.n * 8 + ((size_t)32 << 20));
    bool ok = job_make(call, job, err) && (loop_work(gl->loop, &job->work) || err_no_memory(err));
    if (!ok) {
        job_free(job);
        return STAGE_FAIL;
    }
    gl->tokenizing = true;
    wait_add(&job->waiting, call);
    return STAGE_WAIT;
}
