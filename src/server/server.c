// The whole server in one process: builds every room in order, runs, and tears down in reverse.
#include "server/server_internal.h"

#include "base/mem.h"
#include "net/fetch.h"
#include "os/clock.h"

#define LEDGER_CLOSE_MS 10000
#define ROWS_CLOSE_NS (5 * NS_PER_SEC)
// Threads for what blocks; administration has half of them (admin/share.h). One that does nothing costs about 10 KiB.
#define WORKERS 16

// --- what is told of the ledger ---

static void on_ledger(void *arg, enum ledger_event event, const char *message) {
    struct server *s = arg;
    struct str reason = str_c(message);
    switch (event) {
    case LEDGER_REPLAYED:
        log_info(s->log, LOG_MSG("usage records of an earlier run were recovered"), LOG_STR("detail", reason));
        break;
    case LEDGER_RECOVERED:
        log_info(s->log, LOG_MSG("the usage ledger works again"), LOG_STR("detail", reason));
        break;
    case LEDGER_DAMAGE:
        log_error(s->log, LOG_MSG("a segment of the usage log was damaged"), LOG_STR("reason", reason));
        break;
    case LEDGER_DISK_FULL:
        log_error(s->log, LOG_MSG("the disk takes no usage records; requests go on, records wait in memory"),
                  LOG_STR("reason", reason));
        break;
    case LEDGER_DB_ERROR:
        log_error(s->log, LOG_MSG("the database takes no usage records; requests go on, records wait"),
                  LOG_STR("reason", reason));
        break;
    case LEDGER_DROPPED:
        log_error(s->log, LOG_MSG("usage records are being lost: the queue is full"), LOG_STR("reason", reason));
        break;
    }
}

// --- building, in order ---

struct log_options server_log_options(const struct server_options *o, const struct conf_log *c) {
    bool pretty = c->format == CONF_LOG_PRETTY || (c->format == CONF_LOG_AUTO && o->tty && c->file.n == 0);
    return (struct log_options){.file = c->file,
                                .level = (enum log_level)c->level,
                                .format = pretty ? LOG_PRETTY : LOG_JSON,
                                .color = o->color && c->file.n == 0};
}

bool server_open_logs(struct server *s, struct err *err) {
    const struct conf_log *c = &s->setting->conf->log;
    struct log_options o = server_log_options(s->o, c);
    if (!log_open(&o, &s->log, err)) return false;
    s->access = s->log;
    if (!c->access_file.n) return true;
    struct log_options a = {.file = c->access_file, .level = LOG_INFO, .format = LOG_JSON};
    return log_open(&a, &s->access, err);
}

// The first key of a data directory is made by the server, so that the first request can follow at once.
// In a transaction, where of several servers that start at once only one finds no key.
static bool first_key_locked(struct server *s, struct sql *db, struct key_created *out_created, struct err *err) {
    uint64_t count;
    struct key_wanted wanted = {.name = STR("first-run admin"), .is_admin = true};
    if (!key_count(db, &count, err)) return false;
    return count || key_create(db, &s->dir, &wanted, clock_unix_ns(), out_created, err);
}

static bool first_key(struct server *s, struct sql *db, struct err *err) {
    uint64_t count;
    struct key_created created = {0};
    if (!key_count(db, &count, err)) return false;
    if (count || !s->setting->conf->auth.required) return true;
    if (!sql_begin(db, err)) return false;
    if (!first_key_locked(s, db, &created, err) || !sql_commit(db, err)) {
        sql_rollback(db);
        key_created_free(&created);
        return false;
    }
    datadir_key_changed(&s->dir);
    s->admin_key = created.text;
    return true;
}

static bool open_store(struct server *s, struct err *err) {
    struct sql *db = NULL;
    const struct conf *c = s->setting->conf;
    if (!datadir_open_as(c->storage.data, &c->storage, &c->vault, &s->dir, err)) return false;
    s->dir_open = true;
    struct ledger_options o = {.data_dir = s->setting->conf->storage.data,
                               .database = str_c(s->dir.database),
                               .place = s->dir.id,
                               .writers = s->n_loops,
                               .queue_max = (uint64_t)s->setting->conf->storage.queue_records,
                               .sync_ms = (unsigned)s->setting->conf->storage.group_interval,
                               .on_event = on_ledger,
                               .arg = s};
    bool ok = datadir_open_db(&s->dir, SQL_BUSY_MS_DEFAULT, &db, err) && ledger_open(&o, &s->ledger, err) &&
              first_key(s, db, err);
    for (unsigned i = 0; ok && i < s->n_loops; i++) ok = lease_take(db, &s->loops[i].epoch, err);
    sql_close(db);
    return ok && keys_create(&s->dir, &s->keys, err);
}

static struct conf *sinks_conf(void *ctx) { return server_conf(ctx); }

static bool build(struct server *s, struct err *err) {
    const struct conf *c = s->setting->conf;
    struct metrics_options m = {
        .shards = s->n_loops, .max_series = (uint64_t)c->metrics.max_series, .version = s->o->version};
    if (!server_open_logs(s, err) || !event_bus_create(&s->events, err) || !metrics_create(&m, &s->metrics, err) ||
        !open_store(s, err))
        return false;
    struct audit_notes_options n = {.dir = &s->dir, .events = s->events, .log = s->log, .version = s->o->version};
    struct audit_sinks_options k = {
        .dir = &s->dir, .log = s->log, .version = s->o->version, .conf = sinks_conf, .ctx = s};
    if (!audit_notes_start(&n, &s->audit, err) || !audit_sinks_start(&k, &s->audit_sinks, err))
        return err_wrap(err, "the audit trail");
    if (!key_watch_create(s->audit, &s->watch, err)) return false;
    struct row_writer_options w = {.dir = &s->dir, .log = s->log, .metrics = s->metrics};
    if (!row_writer_start(&content_log_kind, &w, &s->content, err) ||
        !row_writer_start(&score_log_kind, &w, &s->scores, err) || !response_log_start(&w, &s->responses, err))
        return false;
    struct batches_options b = {.dir = &s->dir, .log = s->log, .conf = sinks_conf, .ctx = s};
    if (!clerk_start(&s->dir, &s->clerk, err) || !batches_create(&b, &s->batches, err)) return false;
    struct gateway_options g = {.log = s->log,
                                .access = s->access,
                                .metrics = s->metrics,
                                .ledger = s->ledger,
                                .keys = s->keys,
                                .audit = s->audit,
                                .watch = s->watch,
                                .content = s->content,
                                .responses = s->responses,
                                .scores = s->scores,
                                .dir = &s->dir,
                                .clerk = s->clerk,
                                .batches = s->batches,
                                .version = s->o->version,
                                .sync = c->storage.durability == DURABILITY_SYNC};
    s->host = server_host(s);
    struct admin_options a = {.host = &s->host, .metrics = s->metrics, .access = s->access};
    return gateway_create(&g, &s->gateway, err) && admin_create(&a, &s->admin, err) && loops_create(s, err) &&
           figures_register(s, err);
}

// --- tearing down, in reverse ---

// What was used in the last moments; nobody notes any more.
static void save_uses(struct server *s) {
    struct err err;
    if (s->keys && s->watch && !keys_save_uses(s->keys, s->watch, &err))
        log_warn(s->log, LOG_MSG("when keys were last used could not be saved"), LOG_ERR(&err));
}

static void tear_down(struct server *s) {
    batches_stop(s->batches);
    clerk_end(s->clerk);
    loops_free(s);
    batches_free(s->batches);
    mem_free(s->gls);
    admin_free(s->admin);
    gateway_free(s->gateway);
    uint64_t rows_until = clock_mono_ns() + ROWS_CLOSE_NS; // of all of them: each has been writing all along
    row_writer_end(s->scores, rows_until);
    response_log_end(s->responses, rows_until);
    row_writer_end(s->content, rows_until);
    save_uses(s);
    key_watch_free(s->watch);
    audit_notes_end(s->audit);
    audit_sinks_end(s->audit_sinks);
    keys_free(s->keys);
    ledger_close(s->ledger, LEDGER_CLOSE_MS);
    if (s->dir_open) datadir_close(&s->dir);
    setting_unref(s->setting);
    trials_free(s->trials);
    board_free(s->board);
    metrics_free(s->metrics);
    event_bus_free(s->events);
    vault_free(s->vault);
    if (s->access != s->log) log_close(s->access);
    log_close(s->log);
    mutex_free(&s->setting_lock);
    secret_free(&s->admin_key);
    mem_free(s->loops);
    fetch_global_end();
}

// --- running ---

static void on_signal(void *ctx, enum signal_kind kind) {
    struct server *s = ctx;
    if (kind == SIGNAL_RELOAD) {
        reload_signal(s);
        return;
    }
    if (s->stopping) return;
    if (s->draining) {
        s->stopping = true;
        log_warn(s->log, LOG_MSG("stopping at once"));
        loops_stop(s);
        return;
    }
    s->draining = true;
    log_info(s->log, LOG_MSG("draining: requests in progress are finished, new ones are refused"),
             LOG_INT("timeout_ms", s->setting->conf->server.drain_timeout));
    atomic_store(&s->gateway->draining, true);
    batches_drain(s->batches);
    loops_drain(s);
}

// A model to try first: a configured one, else a small one of the first provider.
static struct str example_model(const struct conf *conf, struct arena *arena) {
    static const struct {
        enum provider_kind kind;
        struct str model;
    } small[] = {
        {PROVIDER_OPENAI, STR_INIT("gpt-4o-mini")},
        {PROVIDER_ANTHROPIC, STR_INIT("claude-haiku-4-5")},
        {PROVIDER_GEMINI, STR_INIT("gemini-2.5-flash")},
        {PROVIDER_MISTRAL, STR_INIT("mistral-small-latest")},
        {PROVIDER_GROQ, STR_INIT("llama-3.1-8b-instant")},
        {PROVIDER_DEEPSEEK, STR_INIT("deepseek-chat")},
        {PROVIDER_OPENROUTER, STR_INIT("openai/gpt-4o-mini")},
        {PROVIDER_XAI, STR_INIT("grok-3-mini")},
    };
    if (conf->models.n) return conf->models.p[0].name;
    const struct conf_provider *p = &conf->providers.p[0];
    if (p->kind == PROVIDER_DEMO) return STR("demo");
    for (size_t i = 0; i < ARRAY_LEN(small); i++)
        if ((int)small[i].kind == p->kind)
            return arena_printf(arena, "%.*s/%.*s", STR_ARG(p->name), STR_ARG(small[i].model));
    return arena_printf(arena, "%.*s/MODEL", STR_ARG(p->name));
}

static void tell_started(struct server *s) {
    struct arena arena;
    arena_init(&arena, NULL, 0, 64 * 1024);
    const struct conf_listener *l = &s->setting->conf->listeners.p[0];
    bool any = l->addr.host.n == 0 || str_eq(l->addr.host, STR("*")) || str_eq(l->addr.host, STR("0.0.0.0"));
    bool v6 = str_find_char(l->addr.host, ':') < l->addr.host.n;
    struct str host = any ? STR("127.0.0.1") : l->addr.host;
    struct server_started started = {
        .conf = s->setting->conf,
        .url = arena_printf(&arena, v6 ? "%s://[%.*s]:%u" : "%s://%.*s:%u", l->tls.cert.n ? "https" : "http",
                            STR_ARG(host), loops_port(s)),
        .admin_key = secret_str(&s->admin_key),
        .example_model = example_model(s->setting->conf, &arena),
        .loops = s->n_loops,
    };
    if (s->models_missed.code != ERR_COUNT)
        log_warn(s->log, LOG_MSG("the catalogue of models could not be fetched; what was there before is used"),
                 LOG_STR("used", model_catalog_source(s->setting->runtime->models)), LOG_ERR(&s->models_missed));
    log_info(s->log, LOG_MSG("listening"), LOG_STR("url", started.url), LOG_INT("workers", s->n_loops),
             LOG_STR("data", s->setting->conf->storage.data), LOG_STR("version", s->o->version));
    if (s->o->on_started) s->o->on_started(s->o->ctx, &started);
    arena_free(&arena);
    secret_free(&s->admin_key);
}

static bool run(struct server *s, struct err *err) {
    struct loop *main_loop = s->loops[0].loop;
    if (!signals_watch(main_loop, on_signal, s, &s->signals, err) || !reload_start(s, err) || !rounds_start(s, err) ||
        !trial_rounds_start(s, err) || !loops_start(s, err))
        return false;
    tell_started(s);
    atomic_store(&s->gateway->ready, true);
    loop_run(main_loop);
    log_info(s->log, LOG_MSG("stopped"));
    return true;
}

// What is in force from the start, and what it was loaded with.
static bool first_setting(struct server *s, struct err *err) {
    struct config_env stores = {.vault = s->vault};
    struct conf *conf;
    if (!server_load_conf(s->o, &stores, NULL, s->o->problems, &conf))
        return err_set(err, ERR_CONFIG_INVALID, "the configuration is not valid");
    s->first_stamp = job_stamp(conf);
    s->n_loops = conf->server.workers ? (unsigned)conf->server.workers : thread_cpus();
    s->loops = mem_zalloc(s->n_loops, sizeof *s->loops);
    struct model_catalog *models = NULL;
    s->board = board_create();
    s->trials = trials_create();
    bool ok = ((s->loops && s->board && s->trials) || err_no_memory(err)) &&
              models_at_start(conf, &models, &s->models_missed, err) &&
              setting_prepare(s, conf, models, NULL, &s->setting, err);
    if (ok) route_table_tune(s->setting->runtime->routes);
    model_catalog_unref(models);
    conf_unref(conf);
    return ok;
}

bool server_run(const struct server_options *options, struct err *err) {
    struct server s = {.o = options, .models_missed = {.code = ERR_COUNT}};
    loop_workers_set(WORKERS);
    mutex_init(&s.setting_lock);
    process_raise_files();
    process_no_core();
    bool ok = fetch_global_begin(err) && vault_create(&s.vault, err) && first_setting(&s, err) && build(&s, err) &&
              run(&s, err);
    tear_down(&s);
    return ok;
}
