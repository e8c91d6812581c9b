// Changes what is in force: on SIGHUP, when a watched file changes, when live changes are made, here or elsewhere.
//
// The new configuration is read, checked and prepared whole on the worker pool (job.c); only then does every loop go
// over to it. When anything is wrong the old one stays. Jobs are carried out one after the other.
#include "server/server_internal.h"

#include "base/hash.h"
#include "base/json_write.h"
#include "base/mem.h"

#define DEBOUNCE_MS 100
#define LOOK_MS 2000

struct reload {
    struct server *server;
    struct watch *watch;
    struct sql *db; // the jobs'
    struct work work;
    struct job job;
    bool busy, ending;
    bool asked[JOB_WISH]; // causes that wait for their turn
    uint64_t stamp;       // of the watched files, as last applied or refused
    uint64_t refusal;     // hash of why what the files say was refused last; 0 = it was not
    struct mutex lock;    // for what follows
    struct admin_wish *first, **last;
    bool closed, posted;
    struct task wake;
};

static void next_job(struct reload *r);

// --- telling ---

static void count(struct server *s, const char *result) {
    const struct str label = str_c(result);
    metrics_add(s->metrics, metric_series(s->metrics, METRIC_CONFIG_RELOADS, &label, 1), 1);
    metrics_set(s->metrics, metric_series(s->metrics, METRIC_CONFIG_OK, NULL, 0), str_eq(label, STR("ok")));
    metrics_set(s->metrics, metric_series(s->metrics, METRIC_CONFIG_VERSION, NULL, 0),
                (uint64_t)atomic_load(&s->gateway->config_version));
}

static void tell_event(struct server *s, const struct job *job, struct str name) {
    BUF_AUTO struct buf text = BUF_INIT(EVENT_DATA_MAX), list = BUF_INIT(EVENT_DATA_MAX);
    struct json_writer w;
    json_writer_init(&w, &text);
    json_put_object(&w);
    json_put_member_str(&w, STR("cause"), str_c(job_cause_name(job)));
    json_put_member_str(&w, STR("actor"), job_actor(job));
    if (job->ok) {
        conf_changes_json(&job->changes, &list);
        json_put_member_i64(&w, STR("version"), job->version);
        json_put_member_u64(&w, STR("restarts"), job->restarts);
        if (!list.failed) json_put_member_raw(&w, STR("changes"), str_trim(buf_str(&list)));
    } else {
        conf_problems_json(&job->problems, &list);
        json_put_member_str(&w, STR("reason"), str_c(job->err.message));
        if (!list.failed) json_put_member_raw(&w, STR("problems"), str_trim(buf_str(&list)));
    }
    json_put_object_end(&w);
    event_tell(s->events, name, buf_str(&text));
}

static void refused(struct reload *r) {
    struct server *s = r->server;
    BUF_AUTO struct buf why = BUF_INIT(64 * 1024);
    conf_problems_print(&r->job.problems, &why);
    if (!r->job.problems.errors) buf_put(&why, str_c(r->job.err.message));
    log_error(s->log, LOG_MSG("the new configuration was refused; the old one stays"),
              LOG_STR("cause", str_c(job_cause_name(&r->job))), LOG_STR("actor", job_actor(&r->job)),
              LOG_STR("reason", str_trim(buf_str(&why))));
    // A wish that is refused has told its owner; what the files say may be in order.
    if (!r->job.wish || r->job.wish->kind == WISH_RELOAD) {
        gateway_note(s->gateway, GATEWAY_NOTE_CONFIG, r->job.err.message);
        count(s, "error");
    }
    tell_event(s, &r->job, STR("config.refused"));
}

static void applied(struct reload *r) {
    struct server *s = r->server;
    BUF_AUTO struct buf changes = BUF_INIT(64 * 1024);
    conf_changes_print(&r->job.changes, &changes);
    atomic_store(&s->gateway->config_version, r->job.version);
    gateway_note(s->gateway, GATEWAY_NOTE_CONFIG, NULL);
    if (r->job.cause == JOB_LIVE && !r->job.changes.list.n && !r->job.added) return; // nothing to tell of
    count(s, "ok");
    log_info(s->log, LOG_MSG("configuration in force"), LOG_INT("version", r->job.version),
             LOG_STR("cause", str_c(job_cause_name(&r->job))), LOG_STR("actor", job_actor(&r->job)),
             LOG_STR("file", s->setting->conf->file), LOG_INT("changes", (int64_t)r->job.changes.list.n),
             LOG_STR("changed", str_trim(buf_str(&changes))));
    if (r->job.restarts)
        log_warn(s->log, LOG_MSG("some changes need a restart"), LOG_INT("changes", (int64_t)r->job.restarts));
    tell_event(s, &r->job, STR("config.applied"));
}

static void tell_models(struct server *s, const struct job *job) {
    const struct model_catalog *models = s->setting->runtime->models;
    log_info(s->log, LOG_MSG("catalogue of models in force"), LOG_STR("actor", job_actor(job)),
             LOG_STR("source", model_catalog_source(models)), LOG_INT("models", (int64_t)model_catalog_count(models)));
}

static void tell_bases(struct server *s) {
    const struct conf_model *m = models_without_base(s->setting->conf, s->setting->runtime->models);
    if (m)
        log_warn(s->log, LOG_MSG("a model's base is not in the catalogue: nothing is known of it, nor its price"),
                 LOG_STR("model", m->name), LOG_STR("base", m->base));
    struct str near;
    if (models_lack_reference(s->setting->conf, s->setting->runtime->models, &near))
        log_warn(s->log, LOG_MSG("no price is known of usage.reference_model: nothing is compared"),
                 LOG_STR("model", s->setting->conf->usage.reference_model), LOG_STR("nearest", near));
}

// --- the switch ---

static void watch_files(struct reload *r) {
    const struct conf *c = r->server->setting->conf;
    VEC(struct str) paths = {0};
    struct err err;
    bool ok = true;
    for (size_t i = 0; ok && i < c->watch.n; i++) ok = vec_push(&paths, c->watch.p[i]);
    for (size_t i = 0; ok && i < c->listeners.n; i++) {
        const struct conf_tls *t = &c->listeners.p[i].tls;
        const struct str own[] = {t->cert, t->key, t->client_ca};
        for (size_t k = 0; ok && k < ARRAY_LEN(own); k++) ok = !own[k].n || vec_push(&paths, own[k]);
        for (size_t k = 0; ok && k < t->sni.n; k++)
            ok = vec_push(&paths, t->sni.p[k].cert) && vec_push(&paths, t->sni.p[k].key);
    }
    for (size_t i = 0; ok && i < c->providers.n; i++)
        ok = !c->providers.p[i].tls_ca.n || vec_push(&paths, c->providers.p[i].tls_ca);
    if (ok && c->catalog.file.n) ok = vec_push(&paths, c->catalog.file);
    if (!ok || !watch_set(r->watch, paths.p, paths.n, &err))
        log_warn(r->server->log, LOG_MSG("files are looked at every two seconds: they cannot be watched"),
                 LOG_STR("reason", ok ? str_c(err.message) : STR("out of memory")));
    vec_free(&paths);
}

static void log_switch(struct server *s, const struct conf_log *was) {
    const struct conf_log *c = &s->setting->conf->log;
    struct log_options o = server_log_options(s->o, c);
    struct err err;
    if (str_eq(was->file, c->file) && was->format == c->format && was->level == c->level) return;
    if (!log_retarget(s->log, &o, &err)) log_error(s->log, LOG_MSG("the log stays where it was"), LOG_ERR(&err));
}

static void switch_over(struct reload *r) {
    struct server *s = r->server;
    struct setting *old = s->setting;
    route_table_tune(r->job.setting->runtime->routes);
    setting_switch(s, r->job.setting, old);
    mutex_lock(&s->setting_lock);
    s->setting = r->job.setting;
    mutex_unlock(&s->setting_lock);
    r->job.setting = NULL;
    log_switch(s, &old->conf->log);
    setting_unref(old);
    vault_retain(s->vault, s->setting->conf->vault_refs.p, s->setting->conf->vault_refs.n);
    watch_files(r);
    tell_bases(s);
}

// --- jobs, one after the other ---

static void on_answered(struct task *task) {
    struct admin_wish *wish = CONTAINER_OF(task, struct admin_wish, task);
    wish->done(wish);
}

static void answer(struct job *job) {
    struct admin_wish *wish = job->wish;
    BUF_AUTO struct buf changes = BUF_INIT((size_t)16 << 20), problems = BUF_INIT((size_t)4 << 20);
    conf_changes_json(&job->changes, &changes);
    conf_problems_json(&job->problems, &problems);
    wish->ok = job->ok;
    wish->err = job->err;
    wish->changes = arena_str(wish->arena, str_trim(buf_str(&changes)));
    wish->models = arena_str(wish->arena, job->models);
    wish->problems = arena_str(wish->arena, str_trim(buf_str(&problems)));
    wish->new_version = job->version;
    wish->restarts = job->restarts;
    wish->task = (struct task){.fn = on_answered};
    loop_post(wish->loop, &wish->task);
}

static void work_run(struct work *work) {
    struct reload *r = CONTAINER_OF(work, struct reload, work);
    job_run(r->server, r->db, &r->job);
}

// What the files say was refused: it is tried again at each look, for what was missing may be there by then, though no
// watched file changed. What is refused for the same reason again is not told again.
static void refused_files(struct reload *r) {
    uint64_t why = hash_bytes(str_c(r->job.err.message), 1) | 1;
    bool told = r->job.cause == JOB_LOOK && why == r->refusal && r->job.new_stamp == r->stamp;
    r->refusal = why;
    r->stamp = r->job.new_stamp;
    if (!told) refused(r);
}

static void conclude_models(struct reload *r) {
    struct server *s = r->server;
    struct job *job = &r->job;
    if (job->ok) {
        switch_over(r);
        tell_models(s, job);
    } else {
        log_error(s->log, LOG_MSG("the catalogue of models was refused; the old one stays"),
                  LOG_STR("actor", job_actor(job)), LOG_ERR(&job->err));
    }
}

static void conclude(struct reload *r) {
    struct job *job = &r->job;
    bool dry = job->wish && job->wish->dry_run;
    if (job->unchanged || dry) return;
    if (job->wish && job->wish->kind == WISH_MODELS) {
        conclude_models(r);
        return;
    }
    if (job->models_missed.code != ERR_COUNT)
        log_error(r->server->log, LOG_MSG("the catalogue of models was refused; the old one stays"),
                  LOG_STR("actor", job_actor(job)), LOG_ERR(&job->models_missed));
    if (!job->ok) {
        // A change that was refused says nothing about the files.
        if (job->wish && job->wish->kind != WISH_RELOAD)
            refused(r);
        else
            refused_files(r);
        return;
    }
    if (job->cause == JOB_START) { // it read no file: one that changed since the start is still to be seen
        atomic_store(&r->server->gateway->config_version, job->version);
        return;
    }
    r->stamp = job->new_stamp;
    r->refusal = 0;
    if (job->setting) switch_over(r);
    applied(r);
}

static void work_done(struct work *work) {
    struct reload *r = CONTAINER_OF(work, struct reload, work);
    r->busy = false;
    if (!r->ending) conclude(r);
    if (r->job.wish && !r->job.asked_id) answer(&r->job);
    if (r->job.asked_id) r->asked[JOB_LIVE] = true; // for more of them, and for what else was written meanwhile
    job_end(&r->job);
    next_job(r);
}

static void start(struct reload *r, enum job_cause cause, struct admin_wish *wish) {
    job_begin(&r->job, cause, wish, r->stamp);
    r->job.again = r->refusal != 0;
    r->work = (struct work){.run = work_run, .done = work_done};
    r->busy = loop_work(r->server->loops[0].loop, &r->work);
    if (r->busy) return;
    err_no_memory(&r->job.err);
    if (wish) answer(&r->job);
    job_end(&r->job);
}

static struct admin_wish *take_wish(struct reload *r) {
    mutex_lock(&r->lock);
    struct admin_wish *wish = r->first;
    if (wish) r->first = wish->next;
    if (!r->first) r->last = &r->first;
    mutex_unlock(&r->lock);
    return wish;
}

static void refuse_wishes(struct reload *r) {
    for (struct admin_wish *wish; (wish = take_wish(r)) != NULL;) {
        struct job job;
        job_begin(&job, JOB_WISH, wish, 0);
        err_set(&job.err, ERR_SHUTTING_DOWN, "the server is shutting down");
        answer(&job);
        job_end(&job);
    }
}

static void next_job(struct reload *r) {
    if (r->ending) {
        refuse_wishes(r);
        return;
    }
    for (int cause = 0; !r->busy && cause < JOB_WISH; cause++) {
        if (!r->asked[cause]) continue;
        r->asked[cause] = false;
        start(r, (enum job_cause)cause, NULL);
    }
    for (struct admin_wish *wish; !r->busy && (wish = take_wish(r)) != NULL;) start(r, JOB_WISH, wish);
}

// --- what sets it off ---

void reload_ask(struct server *s, enum job_cause cause) {
    s->reload->asked[cause] = true;
    next_job(s->reload);
}

static void on_watch(void *ctx) { reload_ask(ctx, JOB_LOOK); }

static void on_wake(struct task *task) {
    struct reload *r = CONTAINER_OF(task, struct reload, wake);
    mutex_lock(&r->lock);
    r->posted = false;
    mutex_unlock(&r->lock);
    next_job(r);
}

void reload_wish(struct server *s, struct admin_wish *wish) {
    struct reload *r = s->reload;
    wish->next = NULL;
    mutex_lock(&r->lock);
    *r->last = wish;
    r->last = &wish->next;
    bool post = !r->posted;
    r->posted = true;
    if (post) loop_post(s->loops[0].loop, &r->wake);
    mutex_unlock(&r->lock);
}

void reload_signal(struct server *s) {
    struct err err;
    if (!log_reopen(s->log, &err)) log_error(s->log, LOG_MSG("the log file could not be opened anew"), LOG_ERR(&err));
    if (s->access && s->access != s->log && !log_reopen(s->access, &err))
        log_error(s->log, LOG_MSG("the access log could not be opened anew"), LOG_ERR(&err));
    reload_ask(s, JOB_SIGNAL);
}

bool reload_start(struct server *s, struct err *err) {
    struct reload *r = mem_zalloc(1, sizeof *r);
    if (!r) return err_no_memory(err);
    s->reload = r;
    r->server = s;
    r->last = &r->first;
    r->wake.fn = on_wake;
    mutex_init(&r->lock);
    r->stamp = s->first_stamp;
    if (!datadir_open_db(&s->dir, SQL_BUSY_MS_DEFAULT, &r->db, err) ||
        !watch_create(s->loops[0].loop, DEBOUNCE_MS, LOOK_MS, on_watch, s, &r->watch, err))
        return false;
    watch_files(r);
    tell_bases(s);
    reload_ask(s, JOB_START);
    return true;
}

void reload_stop(struct server *s) {
    if (!s->reload) return;
    s->reload->ending = true;
    watch_free(s->reload->watch);
    s->reload->watch = NULL;
    next_job(s->reload);
}

void reload_free(struct server *s) {
    struct reload *r = s->reload;
    if (!r) return;
    INVARIANT(!r->busy);
    watch_free(r->watch);
    sql_close(r->db);
    mutex_free(&r->lock);
    mem_free(r);
    s->reload = NULL;
}
