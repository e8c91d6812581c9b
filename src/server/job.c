// Works out a change of what is in force, up to the point where only the switch is left.
#include "server/server_internal.h"

#include "base/hash.h"
#include "base/json_write.h"
#include "os/clock.h"

#define CHANGES_MAX ((size_t)16 << 20)

const char *job_cause_name(const struct job *job) {
    static const char *const names[] = {[JOB_START] = "start", [JOB_LOOK] = "file",   [JOB_SIGNAL] = "signal",
                                        [JOB_LIVE] = "live",   [JOB_VAULT] = "vault", [JOB_WISH] = "api"};
    static const char *const asked[] = {[WISH_RELOAD] = "cli: reload",
                                        [WISH_PATCH] = "cli: set",
                                        [WISH_REVERT] = "cli: unset",
                                        [WISH_ROLLBACK] = "cli: rollback",
                                        [WISH_MODELS] = "cli: models"};
    static const char *const wishes[] = {[WISH_RELOAD] = "api: reload",
                                         [WISH_PATCH] = "api: change",
                                         [WISH_REVERT] = "api: revert",
                                         [WISH_ROLLBACK] = "api: rollback",
                                         [WISH_MODELS] = "api: models"};
    if (job->asked_id) return asked[job->asked.kind];
    return job->wish ? wishes[job->wish->kind] : names[job->cause];
}

struct str job_actor(const struct job *job) {
    if (job->wish) return job->wish->actor;
    switch (job->cause) {
    case JOB_START:
        return STR("start");
    case JOB_LOOK:
        return STR("file");
    case JOB_SIGNAL:
        return STR("signal");
    case JOB_LIVE:
        return STR("command line");
    case JOB_VAULT:
        return STR("vault");
    case JOB_WISH:
        break;
    }
    return STR("");
}

// --- what the watched files look like ---

static uint64_t stamp_file(struct str path, uint64_t stamp) {
    struct file_info info;
    struct err err;
    if (!path.n) return stamp;
    if (!file_stat(path, &info, &err)) memset(&info, 0, sizeof info);
    const uint64_t parts[] = {(uint64_t)info.kind, info.size, info.inode, (uint64_t)info.modified_ns, stamp};
    return hash_bytes(str_of((const char *)parts, sizeof parts), 1);
}

uint64_t job_stamp(const struct conf *c) {
    uint64_t stamp = 1;
    for (size_t i = 0; i < c->watch.n; i++) stamp = stamp_file(c->watch.p[i], stamp);
    for (size_t i = 0; i < c->listeners.n; i++) {
        const struct conf_tls *t = &c->listeners.p[i].tls;
        stamp = stamp_file(t->client_ca, stamp_file(t->key, stamp_file(t->cert, stamp)));
        for (size_t k = 0; k < t->sni.n; k++) stamp = stamp_file(t->sni.p[k].key, stamp_file(t->sni.p[k].cert, stamp));
    }
    for (size_t i = 0; i < c->providers.n; i++) stamp = stamp_file(c->providers.p[i].tls_ca, stamp);
    return stamp_file(c->catalog.file, stamp);
}

// --- the work ---

void job_begin(struct job *job, enum job_cause cause, struct admin_wish *wish, uint64_t stamp) {
    *job = (struct job){.cause = cause, .wish = wish, .stamp = stamp, .models_missed = {.code = ERR_COUNT}};
    arena_init(&job->arena, NULL, 16384, (size_t)64 << 20);
    conf_problems_init(&job->problems);
    conf_changes_init(&job->changes);
}

void job_end(struct job *job) {
    setting_unref(job->setting);
    conf_changes_free(&job->changes);
    conf_problems_free(&job->problems);
    arena_wipe_free(&job->arena);
    job->setting = NULL;
}

static bool load(struct server *s, struct config_env *stores, struct job *job, struct conf **out_conf) {
    stores->vault = s->vault;
    if (server_load_conf(s->o, stores, NULL, &job->problems, out_conf)) return true;
    struct buf text = BUF_INIT((size_t)1 << 20);
    conf_problems_print(&job->problems, &text);
    err_set(&job->err, ERR_CONFIG_INVALID, "%.*s", STR_ARG(str_trim(buf_str(&text))));
    buf_free(&text);
    return false;
}

// For a rollback: the layers below the live changes, as they are now.
static bool base_of(struct server *s, struct job *job, struct conf **out_conf) {
    struct config_env none = {.no_live = true};
    *out_conf = NULL;
    return !job->wish || job->wish->kind != WISH_ROLLBACK || load(s, &none, job, out_conf);
}

static size_t count_restarts(const struct conf_changes *changes) {
    size_t n = 0;
    for (size_t i = 0; i < changes->list.n; i++) n += changes->list.p[i].apply == APPLY_RESTART;
    return n;
}

static bool record(struct server *s, struct sql *db, struct job *job, const struct conf *conf,
                   const struct live_plan *plan) {
    BUF_AUTO struct buf json = BUF_INIT(CHANGES_MAX), cause = BUF_INIT(256);
    conf_changes_json(&job->changes, &json);
    buf_put(&cause, str_c(job_cause_name(job)));
    if (job->wish && job->wish->kind == WISH_ROLLBACK) buf_printf(&cause, " to %lld", (long long)job->wish->version);
    struct config_version_row about = {.at = clock_unix_ns(), .actor = job_actor(job), .cause = buf_str(&cause)};
    about.changes = buf_str(&json);
    // Nobody made a version since, and yet something differs: a secret that a reference stands for, say.
    about.again = job->changes.list.n && atomic_load(&s->gateway->config_version) == plan->newest;
    if (json.failed) return err_no_memory(&job->err);
    return live_record(db, &s->dir, conf, plan, &about, &job->version, &job->added, &job->err);
}

// --- the master key ---

static bool touches_master(const struct conf_changes *changes) {
    for (size_t i = 0; i < changes->list.n; i++) {
        struct str path = changes->list.p[i].path;
        if (str_starts(path, STR("storage.master_key")) || str_starts(path, STR("storage.next_master_key")) ||
            str_starts(path, STR("vault.")))
            return true;
    }
    return false;
}

// Another master key is taken only when it opens this database.
static bool master_proven(struct sql *db, const struct conf *c, struct err *err) {
    struct keeper *probe;
    if (!keeper_create(c->storage.data, &c->storage, &c->vault, &probe, err)) return false;
    bool ok = keeper_open(probe, db, err);
    keeper_free(probe);
    return ok;
}

static bool take_master(struct server *s, struct sql *db, const struct conf *c, struct err *err) {
    return master_proven(db, c, err) && keeper_configure(s->dir.keeper, &c->storage, &c->vault, err);
}

// --- the catalogue of models ---

static bool models_asked(const struct job *job) {
    return job->cause == JOB_SIGNAL ||
           (job->wish && (job->wish->kind == WISH_RELOAD || job->wish->kind == WISH_MODELS));
}

// A file is read with each change, an address asked when it is another or somebody wants it. What was in force stays
// when it cannot be had again; one that is newly named has to be there.
static bool take_models(struct server *s, struct job *job, const struct conf *conf, struct model_catalog **out_models) {
    const struct conf_catalog *old = &s->setting->conf->catalog, *next = &conf->catalog;
    bool same = str_eq(old->file, next->file) && str_eq(old->url, next->url);
    struct model_catalog *now = s->setting->runtime->models;
    bool keep = !job->wish || !job->wish->dry_run;
    if (!same) return models_load(conf, keep, out_models, &job->err);
    if ((next->file.n || (next->url.n && models_asked(job))) &&
        models_load(conf, keep, out_models, &job->models_missed))
        return true;
    *out_models = model_catalog_ref(now);
    return true;
}

static void tell_models(struct job *job, const struct model_catalog *models) {
    BUF_AUTO struct buf json = BUF_INIT(8192);
    struct str source = model_catalog_source(models);
    struct json_writer w;
    json_writer_init(&w, &json);
    json_put_object(&w);
    json_put_member_str(&w, STR("source"), source);
    json_put_member_u64(&w, STR("models"), model_catalog_count(models));
    json_put_member_u64(&w, STR("own"), model_catalog_own(models));
    json_put_member_bool(&w, STR("dry_run"), job->wish->dry_run);
    json_put_object_end(&w);
    job->models = json.failed ? STR("{}") : arena_str(&job->arena, buf_str(&json));
    job->shown = arena_printf(&job->arena, "%zu models, %zu of them from: %.*s\n", model_catalog_count(models),
                              model_catalog_own(models), STR_ARG(source));
}

static bool run_models(struct server *s, struct job *job) {
    struct model_catalog *models;
    struct conf *conf = s->setting->conf;
    if (!models_load(conf, !job->wish->dry_run, &models, &job->err)) return false;
    bool ok = setting_prepare(s, conf, models, s->setting, &job->setting, &job->err);
    if (ok) tell_models(job, models);
    job->version = atomic_load(&s->gateway->config_version);
    model_catalog_unref(models);
    return ok;
}

static bool run(struct server *s, struct sql *db, struct job *job) {
    struct live_plan plan;
    struct conf *base, *conf;
    if (!base_of(s, job, &base)) return false;
    bool ok = live_plan_make(db, &s->dir, job->wish, base ? base->base : NULL, clock_unix_ns(), &job->arena, &plan,
                             &job->err);
    conf_unref(base);
    struct config_env stores = {.live = &plan.live};
    if (!ok || !load(s, &stores, job, &conf)) return false;
    conf_compare(s->setting->conf, conf, &job->changes);
    job->restarts = count_restarts(&job->changes);
    struct model_catalog *models = NULL;
    ok = take_models(s, job, conf, &models) && setting_prepare(s, conf, models, s->setting, &job->setting, &job->err);
    model_catalog_unref(models);
    bool dry = job->wish && job->wish->dry_run;
    if (ok && touches_master(&job->changes))
        ok = dry ? master_proven(db, conf, &job->err) : take_master(s, db, conf, &job->err);
    // What is recorded was fit to be in force, and what is in force was recorded.
    if (ok && !dry) ok = record(s, db, job, conf, &plan);
    conf_unref(conf);
    return ok;
}

static bool run_start(struct server *s, struct sql *db, struct job *job) {
    struct live_plan plan;
    return live_plan_make(db, &s->dir, NULL, NULL, clock_unix_ns(), &job->arena, &plan, &job->err) &&
           record(s, db, job, s->setting->conf, &plan);
}

// --- what commands beside the server ask for ---

// One that cannot be read is nobody's loss: its command gives up, and what was written is loaded all the same.
static void take_asked(struct server *s, struct sql *db, struct job *job) {
    struct str text;
    struct err err;
    int64_t id;
    if (!config_wish_take(db, &s->dir, clock_unix_ns(), &job->arena, &id, &text, &err) ||
        (id && !wish_read(text, &job->arena, &job->asked, &err))) {
        log_warn(s->log, LOG_MSG("what a command asked for cannot be read"), LOG_ERR(&err));
        return;
    }
    if (!id) return;
    job->asked_id = id;
    job->wish = &job->asked;
}

static void answer_asked(struct server *s, struct sql *db, struct job *job) {
    BUF_AUTO struct buf text = BUF_INIT(CHANGES_MAX), reason = BUF_INIT(CHANGES_MAX), shown = BUF_INIT(CHANGES_MAX),
                        changes = BUF_INIT(CHANGES_MAX);
    struct err err;
    conf_problems_print(&job->problems, &reason);
    conf_changes_print(&job->changes, &shown);
    conf_changes_json(&job->changes, &changes);
    struct wish_answer answer = {.ok = job->ok,
                                 .err = job->err,
                                 .reason = buf_str(&reason),
                                 .version = job->version,
                                 .added = job->added,
                                 .shown = job->shown.n ? job->shown : buf_str(&shown),
                                 .changes = buf_str(&changes)};
    wish_answer_put(&answer, &text);
    if (text.failed || changes.failed || !config_wish_answer(db, &s->dir, job->asked_id, buf_str(&text), &err))
        log_warn(s->log, LOG_MSG("a command could not be answered"));
}

void job_run(struct server *s, struct sql *db, struct job *job) {
    uint64_t before = job_stamp(s->setting->conf);
    job->new_stamp = before;
    job->unchanged = job->cause == JOB_LOOK && before == job->stamp && !job->again;
    if (job->unchanged) return;
    if (job->cause == JOB_LIVE) take_asked(s, db, job);
    if (job->wish && job->wish->kind == WISH_MODELS)
        job->ok = run_models(s, job);
    else
        job->ok = job->cause == JOB_START ? run_start(s, db, job) : run(s, db, job);
    // What changed while it was read is read again at the next look.
    if (job_stamp(s->setting->conf) != before)
        job->new_stamp = 0;
    else if (job->setting)
        job->new_stamp = job_stamp(job->setting->conf);
    if (job->asked_id) answer_asked(s, db, job);
}
