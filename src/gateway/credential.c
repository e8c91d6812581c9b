// A provider's credential that has to be fetched and renewed.
#include "gateway/credential.h"

#include "gateway/pipeline.h"
#include "os/clock.h"

#define AHEAD_S 300                // renewed that long before its end, or at half its life
#define LAST_S 10                  // not used any more that long before its end
#define AGAIN_NS NS_PER_SEC        // after a failure without a token
#define LATER_NS (30 * NS_PER_SEC) // after one with a token that still holds
#define DOUBT_NS (60 * NS_PER_SEC) // two that are refused within it: not the token is at fault

struct credential {
    const struct conf_provider *provider;
    credential_fetch *fetch;
    struct mutex lock; // for what follows
    bool fetching;
    struct credential_job *behind; // of other loops, which hear of it when that is over
    struct credential_token token;
    uint64_t serial;           // counts the tokens
    uint64_t renew_ns, end_ns; // monotonic
    uint64_t again_ns;         // no attempt before
    uint64_t refused_ns;       // when the provider last refused one; 0: never
    struct err err;            // of the last attempt, when again_ns is set
};

// A loop's wait for a fetch: its own, or another loop's. There is one at a time, that one which does not answer takes
// no more than one worker thread.
struct credential_job {
    struct work work; // its own
    struct task task; // another's is over
    struct credential_job *behind;
    struct gateway_loop *gl;
    struct runtime *runtime; // keeps the credential
    struct credential *credential;
    struct wait_list waiting;
    struct credential_job *next; // of gl
    bool fetched;                // by this job
    struct err err;
    bool failed;
};

static credential_fetch *fetch_of(const struct conf_provider *p) {
    if (p->kind == PROVIDER_VERTEX) return p->credentials.n ? credential_fetch_google : NULL;
    if (!p->identity.from) return NULL;
    return p->kind == PROVIDER_BEDROCK ? credential_fetch_aws : credential_fetch_azure;
}

void credential_token_free(struct credential_token *t) {
    secret_free(&t->text);
    secret_free(&t->id);
    secret_free(&t->session);
}

bool credential_create(const struct conf_provider *provider, struct credential **out_credential, struct err *err) {
    *out_credential = NULL;
    credential_fetch *fetch = fetch_of(provider);
    if (!fetch) return true;
    struct credential *c = mem_zalloc(1, sizeof *c);
    if (!c) return err_no_memory(err);
    c->provider = provider;
    c->fetch = fetch;
    mutex_init(&c->lock);
    *out_credential = c;
    return true;
}

void credential_free(struct credential *c) {
    if (!c) return;
    credential_token_free(&c->token);
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
    l.usable = c->token.text.n && now < c->end_ns;
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
    credential_token_free(&c->token);
    c->token = *token;
    c->serial++;
    c->renew_ns = now + (life - ahead) * NS_PER_SEC;
    c->end_ns = now + (life - MIN((uint64_t)LAST_S, life / 4)) * NS_PER_SEC;
    c->again_ns = 0;
    mutex_unlock(&c->lock);
}

static void note_failure(struct credential *c, const struct err *err) {
    uint64_t now = clock_mono_ns();
    mutex_lock(&c->lock);
    bool usable = c->token.text.n && now < c->end_ns;
    c->again_ns = usable ? MIN(now + LATER_NS, c->end_ns) : now + AGAIN_NS;
    c->err = *err;
    mutex_unlock(&c->lock);
}

struct str credential_bearer(struct credential *c, struct arena *arena, uint64_t *out_serial) {
    mutex_lock(&c->lock);
    *out_serial = c->serial;
    struct str token = secret_str(&c->token.text);
    struct str value = token.n ? arena_printf(arena, "Bearer %.*s", STR_ARG(token)) : STR("");
    mutex_unlock(&c->lock);
    return value;
}

bool credential_key(struct credential *c, struct arena *arena, struct sigv4_key *out, uint64_t *out_serial) {
    mutex_lock(&c->lock);
    *out_serial = c->serial;
    const struct credential_token *t = &c->token;
    *out = (struct sigv4_key){.id = arena_str(arena, secret_str(&t->id)),
                              .secret = arena_str(arena, secret_str(&t->text)),
                              .session_token = arena_str(arena, secret_str(&t->session))};
    bool ok = out->id.n && out->secret.n && out->session_token.n;
    mutex_unlock(&c->lock);
    return ok;
}

static bool is_in(const struct secret *secret, struct str text) {
    return secret->n && str_find(text, secret_str(secret)) < text.n;
}

bool credential_is_in(struct credential *c, struct str text) {
    mutex_lock(&c->lock);
    bool told = is_in(&c->token.text, text) || is_in(&c->token.session, text);
    mutex_unlock(&c->lock);
    return told;
}

bool credential_is_over(const struct credential *c, int status, struct str body) {
    if (!c || status == 401) return c != NULL;
    return c->fetch == credential_fetch_aws && status == 403 && str_find(body, STR("security token")) < body.n;
}

bool credential_refused(struct credential *c, uint64_t serial) {
    uint64_t now = clock_mono_ns();
    bool help = true;
    mutex_lock(&c->lock);
    if (serial == c->serial && c->end_ns) {
        help = !c->refused_ns || now - c->refused_ns > DOUBT_NS;
        c->refused_ns = now;
        c->end_ns = 0;
        c->again_ns = MIN(c->again_ns, now + AGAIN_NS); // what was put off because this one held
    }
    mutex_unlock(&c->lock);
    return help;
}

// --- fetching ---

// What is wrong with a credential is no fault of the request's, and another target may be asked.
static bool fetched(struct credential *c, atomic_bool *stop, struct credential_token *out_token, struct err *err) {
    const struct credential_asker by = {c->provider, stop};
    if (c->fetch(&by, out_token, err)) return true;
    if (err->status >= 500) return false;
    err->code = ERR_UPSTREAM_STATUS;
    err->status = err_info(ERR_UPSTREAM_STATUS)->status;
    return false;
}

// The right to fetch. False: another loop has it, and the job is told when that is done.
static bool begin(struct credential *c, struct credential_job *job) {
    mutex_lock(&c->lock);
    bool mine = !c->fetching;
    if (!mine) {
        job->behind = c->behind;
        c->behind = job;
    }
    c->fetching = true;
    mutex_unlock(&c->lock);
    return mine;
}

static void end(struct credential *c) {
    mutex_lock(&c->lock);
    c->fetching = false;
    // Under the lock: whose loop ends meanwhile takes its job back (credential_stop).
    for (struct credential_job *next, *job = c->behind; job; job = next) {
        next = job->behind;
        loop_post(job->gl->loop, &job->task);
    }
    c->behind = NULL;
    mutex_unlock(&c->lock);
}

static void job_run(struct work *work) {
    struct credential_job *job = CONTAINER_OF(work, struct credential_job, work);
    struct credential *c = job->credential;
    struct credential_token token = {.lifetime_s = 0};
    // Another loop's job may have fetched it meanwhile, or found that it can't be.
    if (look(c).due) {
        job->failed = !fetched(c, &job->gl->gateway->stopping, &token, &job->err);
        if (job->failed)
            note_failure(c, &job->err);
        else
            keep(c, &token);
        job->fetched = !job->failed;
    }
    end(c);
}

static void unlist(struct credential_job *job) {
    struct credential_job **at = &job->gl->credential_jobs;
    while (*at != job) at = &(*at)->next;
    *at = job->next;
}

static void job_free(struct credential_job *job) {
    runtime_unref(job->runtime);
    mem_free(job);
}

static void job_over(struct credential_job *job) {
    struct gateway_loop *gl = job->gl;
    struct wait_list woken;
    unlist(job);
    if (job->failed && !atomic_load(&gl->gateway->stopping))
        log_error(gl->gateway->o.log, LOG_MSG("a provider's credentials could not be fetched"),
                  LOG_STR("provider", job->credential->provider->name), LOG_ERR(&job->err));
    if (job->fetched)
        log_debug(gl->gateway->o.log, LOG_MSG("a provider's credentials were fetched"),
                  LOG_STR("provider", job->credential->provider->name));
    wait_move(&job->waiting, &woken);
    for (struct call *call; (call = wait_take(&woken));) pipeline_resume(call);
    job_free(job);
}

static void job_done(struct work *work) { job_over(CONTAINER_OF(work, struct credential_job, work)); }

static void job_told(struct task *task) { job_over(CONTAINER_OF(task, struct credential_job, task)); }

// Whether nobody has told it, and nobody will.
static bool take_back(struct credential *c, struct credential_job *job) {
    mutex_lock(&c->lock);
    struct credential_job **at = &c->behind;
    while (*at && *at != job) at = &(*at)->behind;
    bool found = *at != NULL;
    if (found) *at = job->behind;
    mutex_unlock(&c->lock);
    return found;
}

void credential_stop(struct gateway_loop *gl) {
    atomic_store(&gl->gateway->stopping, true);
    for (struct credential_job *next, *job = gl->credential_jobs; job; job = next) {
        next = job->next;
        if (!take_back(job->credential, job)) continue;
        unlist(job);
        job_free(job);
    }
}

static struct credential_job *job_start(struct call *call) {
    struct gateway_loop *gl = call->gl;
    struct credential *c = call->at->provider->credential;
    for (struct credential_job *job = gl->credential_jobs; job; job = job->next)
        if (job->credential == c) return job;
    struct credential_job *job = mem_zalloc(1, sizeof *job);
    if (!job) return NULL;
    *job = (struct credential_job){.work = {.run = job_run, .done = job_done},
                                   .task = {.fn = job_told},
                                   .gl = gl,
                                   .runtime = runtime_ref(call->runtime),
                                   .credential = c,
                                   .next = gl->credential_jobs};
    if (begin(c, job) && !loop_work(gl->loop, &job->work)) {
        end(c);
        job_free(job);
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
