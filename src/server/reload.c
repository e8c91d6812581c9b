// Reloads the configuration on SIGHUP and when its file, a certificate or a key changes.
//
// The new configuration is read and checked whole on the worker pool; only then does every loop get it. When anything
// is wrong the old one stays.
#include "server/server_internal.h"

#include "base/hash.h"
#include "base/mem.h"
#include "os/file.h"

#define LOOK_MS 500
#define KEYS_LOOK_TURNS 2 // every second

struct reload {
    struct server *server;
    struct timer timer;
    struct work work; // one at a time
    bool busy, again, asked, ending;
    unsigned turn;
    uint64_t stamp; // of the watched files, as last applied or refused
    // From the worker.
    bool look_changed, keys_edited, loaded;
    uint64_t new_stamp;
    struct conf *conf;
    struct runtime *runtime;
    struct tls_ctx *tls[HTTP_LISTENERS_MAX];
    struct buf problems;
};

static uint64_t stamp_file(struct str path, uint64_t stamp) {
    struct file_info info;
    struct err err;
    if (!path.n) return stamp;
    if (!file_stat(path, &info, &err)) memset(&info, 0, sizeof info);
    const uint64_t parts[] = {(uint64_t)info.kind, info.size, info.inode, (uint64_t)info.modified_ns, stamp};
    return hash_bytes(str_of((const char *)parts, sizeof parts), 1);
}

static uint64_t stamp_all(const struct conf *c) {
    uint64_t stamp = stamp_file(c->file, 0);
    for (size_t i = 0; i < c->listeners.n; i++) {
        const struct conf_tls *t = &c->listeners.p[i].tls;
        stamp = stamp_file(t->client_ca, stamp_file(t->key, stamp_file(t->cert, stamp)));
        for (size_t k = 0; k < t->sni.n; k++) stamp = stamp_file(t->sni.p[k].key, stamp_file(t->sni.p[k].cert, stamp));
    }
    return stamp;
}

// --- on the worker pool ---

static bool load(struct reload *r, struct err *err) {
    struct conf_problems problems;
    conf_problems_init(&problems);
    bool ok = server_load_conf(r->server->o, &problems, &r->conf);
    if (!ok) {
        conf_problems_print(&problems, &r->problems);
        err_set(err, ERR_CONFIG_INVALID, "%.*s", STR_ARG(buf_str(&r->problems)));
    }
    conf_problems_free(&problems);
    if (!ok) return false;
    if (r->conf->listeners.n != r->server->n_listeners) {
        err_set(err, ERR_CONFIG_INVALID, "the number of listeners changed; that needs a restart");
    } else if (server_tls(r->conf, r->tls, err)) {
        if (runtime_create(r->conf, &r->runtime, err)) return true;
        server_tls_free(r->tls, HTTP_LISTENERS_MAX);
    }
    conf_unref(r->conf);
    r->conf = NULL;
    return false;
}

static void work_run(struct work *work) {
    struct reload *r = CONTAINER_OF(work, struct reload, work);
    struct err err;
    r->look_changed = r->keys_edited = r->loaded = false;
    if (r->turn % KEYS_LOOK_TURNS == 0 && !keys_edited(r->server->keys, &r->keys_edited, &err)) r->keys_edited = false;
    uint64_t before = stamp_all(r->server->conf);
    r->new_stamp = before;
    if (!r->asked && before == r->stamp) return;
    r->look_changed = true;
    buf_clear(&r->problems);
    r->loaded = load(r, &err);
    if (!r->loaded && !r->problems.n) buf_put(&r->problems, str_c(err.message));
    // What changed while it was read is read again at the next look.
    if (stamp_all(r->server->conf) != before)
        r->new_stamp = 0;
    else if (r->loaded)
        r->new_stamp = stamp_all(r->conf);
}

// --- back on the main loop ---

// What was loaded and will not be used.
static void discard(struct reload *r) {
    server_tls_free(r->tls, HTTP_LISTENERS_MAX);
    runtime_unref(r->runtime);
    conf_unref(r->conf);
    r->runtime = NULL;
    r->conf = NULL;
}

static void count(struct server *s, const char *result) {
    const struct str label = str_c(result);
    metrics_add(s->metrics, metric_series(s->metrics, METRIC_CONFIG_RELOADS, &label, 1), 1);
}

static void refuse_new(struct reload *r) {
    struct server *s = r->server;
    const char *why = buf_cstr(&r->problems);
    log_error(s->log, LOG_MSG("the new configuration was refused; the old one stays"),
              LOG_STR("reason", buf_str(&r->problems)));
    gateway_note_reload(s->gateway, why ? why : "out of memory");
    count(s, "error");
}

static void accept_new(struct reload *r) {
    struct server *s = r->server;
    struct err err;
    if (!loops_apply(s, r->runtime, r->tls, &err)) {
        buf_put(&r->problems, str_c(err.message));
        refuse_new(r);
        discard(r);
        r->new_stamp = 0; // tried again at the next look
        return;
    }
    struct buf restart = BUF_INIT(8192);
    size_t n = conf_restart_reasons(s->conf, r->conf, &restart);
    server_tls_free(s->tls, HTTP_LISTENERS_MAX);
    memcpy(s->tls, r->tls, sizeof s->tls);
    memset(r->tls, 0, sizeof r->tls);
    runtime_unref(s->runtime);
    s->runtime = r->runtime;
    conf_unref(s->conf);
    s->conf = r->conf;
    r->conf = NULL;
    r->runtime = NULL;
    log_level_set(s->log, (enum log_level)s->conf->log.level);
    gateway_note_reload(s->gateway, NULL);
    count(s, "ok");
    log_info(s->log, LOG_MSG("configuration reloaded"), LOG_STR("file", s->conf->file));
    if (n) log_warn(s->log, LOG_MSG("some changes need a restart"), LOG_STR("changes", str_trim(buf_str(&restart))));
    buf_free(&restart);
}

static void tell_edited_keys(struct reload *r) {
    // Loops find their ring stale by the generation; an edit by hand did not raise it.
    datadir_key_changed(&r->server->dir);
    log_warn(r->server->log, LOG_MSG("keys were changed in the database by hand; they were read again"));
}

static void start(struct reload *r);

static void work_done(struct work *work) {
    struct reload *r = CONTAINER_OF(work, struct reload, work);
    r->busy = false;
    r->asked = false;
    if (r->ending) return;
    if (r->keys_edited) tell_edited_keys(r);
    if (r->look_changed) {
        if (r->loaded)
            accept_new(r);
        else
            refuse_new(r);
        r->stamp = r->new_stamp;
    }
    if (r->again) {
        r->again = false;
        r->asked = true;
        start(r);
        return;
    }
    timer_set(&r->timer, LOOK_MS);
}

static void start(struct reload *r) {
    r->work = (struct work){.run = work_run, .done = work_done};
    r->busy = loop_work(r->server->loops[0].loop, &r->work);
    if (!r->busy) timer_set(&r->timer, LOOK_MS);
}

static void on_timer(struct timer *timer) {
    struct reload *r = CONTAINER_OF(timer, struct reload, timer);
    r->turn++;
    if (!r->busy) start(r);
}

bool reload_start(struct server *s, struct err *err) {
    struct reload *r = mem_zalloc(1, sizeof *r);
    if (!r) return err_no_memory(err);
    r->server = s;
    buf_init(&r->problems, 64 * 1024);
    r->stamp = stamp_all(s->conf);
    timer_init(&r->timer, s->loops[0].loop, on_timer);
    timer_set(&r->timer, LOOK_MS);
    s->reload = r;
    return true;
}

void reload_now(struct server *s) {
    struct err err;
    if (!log_reopen(s->log, &err)) log_error(s->log, LOG_MSG("the log file could not be opened anew"), LOG_ERR(&err));
    if (s->access && s->access != s->log && !log_reopen(s->access, &err))
        log_error(s->log, LOG_MSG("the access log could not be opened anew"), LOG_ERR(&err));
    if (s->reload->busy) {
        s->reload->again = true;
        return;
    }
    s->reload->asked = true;
    start(s->reload);
}

void reload_stop(struct server *s) {
    if (!s->reload) return;
    s->reload->ending = true;
    timer_stop(&s->reload->timer);
}

void reload_free(struct server *s) {
    struct reload *r = s->reload;
    if (!r) return;
    INVARIANT(!r->busy);
    timer_stop(&r->timer);
    discard(r);
    buf_free(&r->problems);
    mem_free(r);
    s->reload = NULL;
}
