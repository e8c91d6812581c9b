// Follows the chains and tells each sink, on a thread for each.
#include "govern/audit_sink_impl.h"

#include "os/rand.h"

#define LOOK_NS (300 * NS_PER_MS)
#define BATCH 200
#define BACKOFF_FIRST_NS NS_PER_SEC
#define BACKOFF_MAX_NS (30 * NS_PER_SEC)
#define LEASE_NS ((int64_t)5 * 1000000000)
#define HELD_MAX 4096 // lots that wait to be confirmed

struct cursor {
    int64_t tenant, sent, confirmed, kept; // kept: in the database
};
// Sent up to there, but not yet confirmed.
struct lot {
    int64_t tenant, seq;
    uint64_t sent_ns;
};

struct audit_sinks {
    struct audit_sinks_options o;
    struct thread thread; // starts and ends those of the sinks
    struct mutex lock;
    struct cond news;
    atomic_bool stop;
    struct sink *sinks[AUDIT_SINKS_MAX];
};

struct sink {
    struct audit_sinks *all;
    struct thread thread;
    atomic_bool stop, ended;
    char *name;
    struct sql *db;
    int64_t holder; // this process's name in the lease
    bool holds;
    struct sink_end end;
    uint64_t settings; // hash of what the end was opened with
    uint64_t retry_ns, backoff_ns;
    bool failing;
    VEC(struct cursor) cursors;
    VEC(struct lot) held;
};

// --- cursors ---

static bool cursors_read(struct sink *s, struct err *err) {
    struct sql_stmt *st;
    bool row = true;
    s->cursors.n = 0;
    if (!sql_prepare(sql_platform(s->db),
                     STR("SELECT tenant_id, seq FROM audit_cursor WHERE sink = ?1 AND tenant_id > 0"), &st, err))
        return false;
    sql_bind_text(st, 1, str_c(s->name));
    while (row) {
        if (!sql_step(st, &row, err)) return false;
        int64_t seq = row ? sql_col_i64(st, 1) : 0;
        if (row && !vec_push(&s->cursors, (struct cursor){sql_col_i64(st, 0), seq, seq, seq})) {
            sql_reset(st);
            return err_no_memory(err);
        }
    }
    return true;
}

static struct cursor *cursor_of(struct sink *s, int64_t tenant) {
    for (size_t i = 0; i < s->cursors.n; i++)
        if (s->cursors.p[i].tenant == tenant) return &s->cursors.p[i];
    return vec_push(&s->cursors, (struct cursor){.tenant = tenant}) ? &s->cursors.p[s->cursors.n - 1] : NULL;
}

static bool cursor_keep(struct sink *s, struct cursor *c, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_tenant(s->db, c->tenant),
                     STR("INSERT INTO audit_cursor (tenant_id, sink, seq, at) VALUES (?1, ?2, ?3, ?4)"
                         " ON CONFLICT (sink, tenant_id) DO UPDATE SET seq = excluded.seq, at = excluded.at"),
                     &st, err))
        return false;
    sql_bind_text(st, 2, str_c(s->name));
    sql_bind_i64(st, 3, c->confirmed);
    sql_bind_i64(st, 4, clock_unix_ns());
    if (!sql_run(st, err)) return false;
    c->kept = c->confirmed;
    return true;
}

static bool cursors_keep(struct sink *s, struct err *err) {
    for (size_t i = 0; i < s->cursors.n; i++)
        if (s->cursors.p[i].kept != s->cursors.p[i].confirmed && !cursor_keep(s, &s->cursors.p[i], err)) return false;
    return true;
}

// Lots that the peer has, and has had for a while on a connection that lives.
static void confirm(struct sink *s) {
    uint64_t now = clock_mono_ns();
    size_t n = 0;
    if (!s->held.n || !sink_end_delivered(&s->end)) return;
    for (; n < s->held.n; n++) {
        const struct lot *lot = &s->held.p[n];
        if (sink_end_settles(&s->end) && now - lot->sent_ns < AUDIT_SINK_SETTLE_NS) break;
        struct cursor *c = cursor_of(s, lot->tenant);
        if (c && c->confirmed < lot->seq) c->confirmed = lot->seq;
    }
    memmove(s->held.p, s->held.p + n, (s->held.n - n) * sizeof *s->held.p);
    s->held.n -= n;
}

// --- the lease: of several servers on one database, one tells a sink ---
//
// It is the cursor's row of tenant 0: seq says who, at until when. A clock that is wrong, or a send that takes longer,
// makes two of them tell it, which is no more than telling twice.

static bool lease_write(struct sink *s, int64_t until, bool *out_holds, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(s->db),
                     STR("INSERT INTO audit_cursor (sink, tenant_id, seq, at) VALUES (?1, 0, ?2, ?3)"
                         " ON CONFLICT (sink, tenant_id) DO UPDATE SET seq = excluded.seq, at = excluded.at"
                         " WHERE audit_cursor.seq = excluded.seq OR audit_cursor.at < ?4 RETURNING seq"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, str_c(s->name));
    sql_bind_i64(st, 2, s->holder);
    sql_bind_i64(st, 3, until);
    sql_bind_i64(st, 4, clock_unix_ns());
    if (!sql_step(st, &row, err)) return false;
    *out_holds = row;
    return !row || sql_run(st, err);
}

static bool lease_hold(struct sink *s, bool *out_holds, struct err *err) {
    if (!lease_write(s, clock_unix_ns() + LEASE_NS, out_holds, err)) return false;
    if (*out_holds && !s->holds && !cursors_read(s, err)) return false; // another may have moved them
    s->holds = *out_holds;
    return true;
}

static void lease_end(struct sink *s) {
    struct err ignored;
    bool holds;
    if (s->db && s->holds) (void)!lease_write(s, 0, &holds, &ignored);
    s->holds = false;
}

// --- sending ---

struct sending {
    struct sink *s;
    const struct conf_audit_sink *conf;
    int64_t last; // that was sent
};

static bool send_event(void *arg, const struct audit_record *record, struct err *err) {
    struct sending *g = arg;
    struct sink *s = g->s;
    if (atomic_load(&s->stop)) return err_set(err, ERR_SHUTTING_DOWN, "the server is shutting down");
    if (!sink_end_send(&s->end, g->conf, record, s->all->o.version, &s->stop, err)) return false;
    g->last = record->event.seq;
    return true;
}

// The chain's next events. What was sent before a failure counts as sent.
static bool send_chain(struct sink *s, const struct conf_audit_sink *conf, struct cursor *c, bool *out_more,
                       struct err *err) {
    struct sending g = {.s = s, .conf = conf, .last = c->sent};
    int64_t tenant = c->tenant, from = c->sent;
    bool ok = audit_each(sql_tenant(s->db, tenant), from + 1, BATCH, send_event, &g, err);
    ok = ok && sink_end_flush(&s->end, err);
    *out_more = ok && g.last - from >= BATCH;
    if (ok && g.last > from) {
        if (!vec_push(&s->held, (struct lot){tenant, g.last, clock_mono_ns()})) return err_no_memory(err);
        c->sent = g.last;
    }
    return ok;
}

static bool send_all(struct sink *s, const struct conf_audit_sink *conf, bool *out_more, struct err *err) {
    VEC(struct cursor) heads = {0};
    struct sql_stmt *st;
    bool row = true, ok = true;
    *out_more = false;
    if (!sql_prepare(sql_platform(s->db), STR("SELECT tenant_id, seq FROM audit_head ORDER BY tenant_id"), &st, err))
        return false;
    while (ok && (ok = sql_step(st, &row, err)) && row)
        if (!vec_push(&heads, (struct cursor){.tenant = sql_col_i64(st, 0), .sent = sql_col_i64(st, 1)})) {
            sql_reset(st);
            ok = err_no_memory(err);
        }
    for (size_t i = 0; ok && i < heads.n && s->held.n < HELD_MAX; i++) {
        struct cursor *c = cursor_of(s, heads.p[i].tenant);
        bool more = false;
        ok = c || err_no_memory(err);
        if (ok && c->sent < heads.p[i].sent) ok = send_chain(s, conf, c, &more, err);
        *out_more = *out_more || more;
    }
    vec_free(&heads);
    return ok;
}

// --- outages ---

// From the last confirmed on, again.
static void start_over(struct sink *s) {
    sink_end_close(&s->end);
    s->held.n = 0;
    for (size_t i = 0; i < s->cursors.n; i++) s->cursors.p[i].sent = s->cursors.p[i].confirmed;
}

static void failed(struct sink *s, const struct err *err) {
    start_over(s);
    if (err->code == ERR_SHUTTING_DOWN) return;
    if (!s->failing)
        log_warn(s->all->o.log, LOG_MSG("an audit sink takes no events; they wait"), LOG_STR("sink", str_c(s->name)),
                 LOG_ERR(err));
    s->failing = true;
    s->backoff_ns = s->backoff_ns ? MIN(2 * s->backoff_ns, BACKOFF_MAX_NS) : BACKOFF_FIRST_NS;
    s->retry_ns = clock_mono_ns() + s->backoff_ns;
}

static void works(struct sink *s) {
    if (s->failing)
        log_info(s->all->o.log, LOG_MSG("an audit sink takes events again"), LOG_STR("sink", str_c(s->name)));
    s->failing = false;
    s->backoff_ns = 0;
}

// One round; *out_more: there is more to send at once.
static bool round_of(struct sink *s, const struct conf_audit_sink *conf, bool *out_more, struct err *err) {
    uint64_t settings = sink_end_settings(conf);
    if (s->end.open && settings != s->settings) start_over(s);
    s->settings = settings;
    bool holds;
    *out_more = false;
    if (!s->db && !datadir_open_db(s->all->o.dir, SQL_BUSY_MS_DEFAULT, &s->db, err)) return false;
    if (!lease_hold(s, &holds, err)) return false;
    if (!holds) {
        start_over(s);
        return true;
    }
    if (!s->end.open && !sink_end_open(&s->end, conf, err)) return false;
    if (!sink_end_alive(&s->end)) return err_set(err, ERR_IO, "it closed the connection");
    if (!send_all(s, conf, out_more, err)) return false;
    confirm(s);
    if (!s->held.n || s->failing) works(s);
    return cursors_keep(s, err);
}

// --- threads ---

static const struct conf_audit_sink *conf_of(const struct conf *conf, const char *name) {
    for (size_t i = 0; i < conf->audit.sinks.n; i++)
        if (str_eq(conf->audit.sinks.p[i].name, str_c(name))) return &conf->audit.sinks.p[i];
    return NULL;
}

static void pause_for(struct sink *s, uint64_t ns) {
    struct audit_sinks *all = s->all;
    mutex_lock(&all->lock);
    if (!atomic_load(&s->stop)) cond_wait_for(&all->news, &all->lock, ns);
    mutex_unlock(&all->lock);
}

static void sink_run(void *arg) {
    struct sink *s = arg;
    thread_background();
    while (!atomic_load(&s->stop)) {
        struct conf *conf = s->all->o.conf(s->all->o.ctx);
        const struct conf_audit_sink *own = conf_of(conf, s->name);
        struct err err;
        bool more = false, due = clock_mono_ns() >= s->retry_ns;
        if (own && due && !round_of(s, own, &more, &err)) failed(s, &err);
        conf_unref(conf);
        if (!own) break;
        if (!more) pause_for(s, LOOK_NS);
    }
    // What the peer has by now need not be sent again.
    struct err ignored;
    if (s->db && s->end.open && !sink_end_settles(&s->end)) confirm(s);
    if (s->db && s->holds) (void)!cursors_keep(s, &ignored);
    lease_end(s);
    atomic_store(&s->ended, true);
}

static void sink_free(struct sink *s) {
    if (!s) return;
    thread_join(&s->thread);
    sink_end_close(&s->end);
    sql_close(s->db);
    vec_free(&s->cursors);
    vec_free(&s->held);
    mem_free(s->name);
    mem_free(s);
}

static void sink_start(struct audit_sinks *all, size_t at, struct str name) {
    struct err err;
    struct sink *s = mem_zalloc(1, sizeof *s);
    if (s) s->name = mem_strdup(name);
    if (!s || !s->name) {
        sink_free(s);
        return; // tried again with the next look
    }
    s->all = all;
    s->holder = (int64_t)(rand_u64() >> 1);
    if (thread_start(&s->thread, "audit-sink", 0, sink_run, s, &err)) {
        all->sinks[at] = s;
        return;
    }
    log_error(all->o.log, LOG_MSG("an audit sink has no thread"), LOG_STR("sink", name), LOG_ERR(&err));
    sink_free(s);
}

// Those that ended are freed, those that are new are started.
static void look(struct audit_sinks *all) {
    struct conf *conf = all->o.conf(all->o.ctx);
    for (size_t k = 0; k < AUDIT_SINKS_MAX; k++)
        if (all->sinks[k] && atomic_load(&all->sinks[k]->ended)) {
            sink_free(all->sinks[k]);
            all->sinks[k] = NULL;
        }
    for (size_t i = 0; i < conf->audit.sinks.n; i++) {
        size_t free_at = AUDIT_SINKS_MAX;
        bool runs = false;
        for (size_t k = AUDIT_SINKS_MAX; k-- > 0;) {
            if (!all->sinks[k]) free_at = k;
            if (all->sinks[k] && str_eq(str_c(all->sinks[k]->name), conf->audit.sinks.p[i].name)) runs = true;
        }
        if (!runs && free_at < AUDIT_SINKS_MAX) sink_start(all, free_at, conf->audit.sinks.p[i].name);
    }
    conf_unref(conf);
}

static void run(void *arg) {
    struct audit_sinks *all = arg;
    thread_background();
    while (!atomic_load(&all->stop)) {
        look(all);
        mutex_lock(&all->lock);
        if (!atomic_load(&all->stop)) cond_wait_for(&all->news, &all->lock, NS_PER_SEC);
        mutex_unlock(&all->lock);
    }
}

bool audit_sinks_start(const struct audit_sinks_options *options, struct audit_sinks **out_sinks, struct err *err) {
    struct audit_sinks *all = mem_zalloc(1, sizeof *all);
    if (!all) return err_no_memory(err);
    all->o = *options;
    mutex_init(&all->lock);
    cond_init(&all->news);
    if (thread_start(&all->thread, "audit-sinks", 0, run, all, err)) {
        *out_sinks = all;
        return true;
    }
    audit_sinks_end(all);
    return false;
}

void audit_sinks_end(struct audit_sinks *all) {
    if (!all) return;
    mutex_lock(&all->lock);
    atomic_store(&all->stop, true);
    cond_broadcast(&all->news);
    mutex_unlock(&all->lock);
    thread_join(&all->thread);
    mutex_lock(&all->lock);
    for (size_t k = 0; k < AUDIT_SINKS_MAX; k++)
        if (all->sinks[k]) atomic_store(&all->sinks[k]->stop, true);
    cond_broadcast(&all->news);
    mutex_unlock(&all->lock);
    for (size_t k = 0; k < AUDIT_SINKS_MAX; k++) sink_free(all->sinks[k]);
    cond_free(&all->news);
    mutex_free(&all->lock);
    mem_free(all);
}
