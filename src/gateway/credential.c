// A provider's credential that has to be fetched and renewed.
#include "gateway/credential.h"

#include "gateway/pipeline.h"
#include "os/clock.h"

#define AHEAD_S 300                // renewed that long before its end, or at half its life
#define LAST_S 10                  // not used any more that long before its end
#define AGAIN_NS NS_PER_SEC        // after a failure without a token
#define LATER_NS (30 * NS_PER_SEC) // after one with a token that still holds

struct credential {
    const struct conf_provider *provider;
    credential_fetch *fetch;
    struct mutex fetching; // held while one is fetched: by worker threads alone
    struct mutex lock;     // for what follows
    struct secret token;
    uint64_t renew_ns, end_ns; // monotonic
    uint64_t again_ns;         // no attempt before
    struct err err;            // of the last attempt, when again_ns is set
};

// A loop's wait for a fetch.
struct credential_job {
    struct work work;
    struct gateway_loop *gl;
    struct runtime *runtime; // keeps the credential
    struct credential *credential;
    struct wait_list waiting;
    struct credential_job *next; // of gl
    bool fetched;                // by this job
    struct err err;
    bool failed;
};

bool credential_create(const struct conf_provider *provider, struct credential **out_credential, struct err *err) {
    *out_credential = NULL;
    if (provider->kind != PROVIDER_VERTEX || !provider->credentials.n) return true;
    struct credential *c = mem_zalloc(1, sizeof *c);
    if (!c) return err_no_memory(err);
    c->provider = provider;
    c->fetch = credential_fetch_google;
    mutex_init(&c->fetching);
    mutex_init(&c->lock);
    *out_credential = c;
    return true;
}

void credential_free(struct credential *c) {
    if (!c) return;
    secret_free(&c->token);
    mutex_free(&c->fetching);
    mutex_free(&c->lock);
    mem_free(c);
}

// --- state ---

struct look {
    bool usable, due, refused; // refused: an attempt has failed just now
    struct err err;
};

static struct look look(struct credential *c) {
    uint64_t now = clock_mono_ns();
    struct look l = {.usable = false};
    mutex_lock(&c->lock);
    l.usable = c->token.n && now < c->end_ns;
    l.due = (!l.usable || now >= c->renew_ns) && now >= c->again_ns;
    l.refused = !l.usable && now < c->again_ns;
    if (l.refused) l.err = c->err;
    mutex_unlock(&c->lock);
    return l;
}

static void keep(struct credential *c, struct credential_token *token) {
    // One that says it lives for no time is used for a while all the same: else another would be fetched at once, for
    // ever.
    uint64_t now = clock_mono_ns(), life = MIN(MAX(token->lifetime_s, (uint64_t)1), (uint64_t)86400);
    uint64_t ahead = MIN((uint64_t)AHEAD_S, life / 2);
    mutex_lock(&c->lock);
    secret_free(&c->token);
    c->token = token->text;
    c->renew_ns = now + (life - ahead) * NS_PER_SEC;
    c->end_ns = now + (life - MIN((uint64_t)LAST_S, life / 4)) * NS_PER_SEC;
    c->again_ns = 0;
    mutex_unlock(&c->lock);
}

static void note_failure(struct credential *c, const struct err *err) {
    uint64_t now = clock_mono_ns();
    mutex_lock(&c->lock);
    bool usable = c->token.n && now < c->end_ns;
    c->again_ns = usable ? MIN(now + LATER_NS, c->end_ns) : now + AGAIN_NS;
    c->err = *err;
    mutex_unlock(&c->lock);
}

struct str credential_bearer(struct credential *c, struct arena *arena) {
    mutex_lock(&c->lock);
    struct str value = c->token.n ? arena_printf(arena, "Bearer %.*s", STR_ARG(secret_str(&c->token))) : STR("");
    mutex_unlock(&c->lock);
    return value;
}

bool credential_is_in(struct credential *c, struct str text) {
    mutex_lock(&c->lock);
    bool is_in = c->token.n && str_find(text, secret_str(&c->token)) < text.n;
    mutex_unlock(&c->lock);
    return is_in;
}

void credential_refused(struct credential *c) {
    uint64_t soon = clock_mono_ns() + AGAIN_NS;
    mutex_lock(&c->lock);
    c->end_ns = 0;
    c->again_ns = MIN(c->again_ns, soon); // what was put off because this one held
    mutex_unlock(&c->lock);
}

// --- fetching ---

// What is wrong with a credential is no fault of the request's, and another target may be asked.
static bool fetched(struct credential *c, struct credential_token *out_token, struct err *err) {
    if (c->fetch(c->provider, out_token, err)) return true;
    if (err->status >= 500) return false;
    err->code = ERR_UPSTREAM_STATUS;
    err->status = err_info(ERR_UPSTREAM_STATUS)->status;
    return false;
}

static void job_run(struct work *work) {
    struct credential_job *job = CONTAINER_OF(work, struct credential_job, work);
    struct credential *c = job->credential;
    struct credential_token token = {.lifetime_s = 0};
    mutex_lock(&c->fetching);
    // Another loop's job may have fetched it meanwhile, or found that it can't be.
    if (look(c).due) {
        job->failed = !fetched(c, &token, &job->err);
        if (job->failed)
            note_failure(c, &job->err);
        else
            keep(c, &token);
        job->fetched = !job->failed;
    }
    mutex_unlock(&c->fetching);
}

static void job_done(struct work *work) {
    struct credential_job *job = CONTAINER_OF(work, struct credential_job, work);
    struct gateway_loop *gl = job->gl;
    struct wait_list woken;
    for (struct credential_job **at = &gl->credential_jobs; *at; at = &(*at)->next)
        if (*at == job) {
            *at = job->next;
            break;
        }
    if (job->failed)
        log_error(gl->gateway->o.log, LOG_MSG("a provider's access token could not be fetched"),
                  LOG_STR("provider", job->credential->provider->name), LOG_ERR(&job->err));
    if (job->fetched)
        log_debug(gl->gateway->o.log, LOG_MSG("a provider's access token was fetched"),
                  LOG_STR("provider", job->credential->provider->name));
    wait_move(&job->waiting, &woken);
    for (struct call *call; (call = wait_take(&woken));) pipeline_resume(call);
    runtime_unref(job->runtime);
    mem_free(job);
}

static struct credential_job *job_start(struct call *call) {
    struct gateway_loop *gl = call->gl;
    struct credential *c = call->at->provider->credential;
    for (struct credential_job *job = gl->credential_jobs; job; job = job->next)
        if (job->credential == c) return job;
    struct credential_job *job = mem_zalloc(1, sizeof *job);
    if (!job) return NULL;
    *job = (struct credential_job){.work = {.run = job_run, .done = job_done},
                                   .gl = gl,
                                   .runtime = runtime_ref(call->runtime),
                                   .credential = c,
                                   .next = gl->credential_jobs};
    if (!loop_work(gl->loop, &job->work)) {
        runtime_unref(job->runtime);
        mem_free(job);
        return NULL;
    }
    gl->credential_jobs = job;
    return job;
}

enum credential_state credential_want(struct call *call, struct err *err) {
    struct credential *c = call->at->provider->credential;
    if (!c) return CREDENTIAL_READY;
    struct look l = look(c);
    if (l.refused) {
        *err = l.err;
        return CREDENTIAL_FAIL;
    }
    struct credential_job *job = l.due ? job_start(call) : NULL;
    if (l.usable) return CREDENTIAL_READY;
    if (!job) {
        err_no_memory(err);
        return CREDENTIAL_FAIL;
    }
    wait_add(&job->waiting, call);
    return CREDENTIAL_WAIT;
}
