// Goes on with deletions of tenants that were interrupted, and takes the counters of those that are gone out of Redis.
#include "server/server_internal.h"

#include "net/redis.h"
#include "os/clock.h"
#include "store/tenant_delete.h"

#define SETTLED_NS ((int64_t)30 * 1000000000) // until then a server may still write counters of what it had in memory
#define REDIS_MS 10000

static void run_all(struct server *s, const struct tenant_deleter *d) {
    struct err err;
    for (int64_t tenant = 0;;) {
        if (!tenant_delete_next(d->db, tenant, &tenant, &err) || !tenant) return;
        if (tenant_delete_run(d, tenant, &err)) {
            datadir_key_changed(&s->dir);
            log_info(s->log, LOG_MSG("a tenant is deleted; the proof is kept"), LOG_INT("tenant", tenant));
            continue;
        }
        sql_rollback(d->db);
        log_error(s->log, LOG_MSG("a tenant that is being deleted is not yet gone; it is tried again"),
                  LOG_INT("tenant", tenant), LOG_ERR(&err));
    }
}

// --- counters ---

static void on_reply(void *ctx, const struct resp *reply, const struct err *err) {
    struct err *why = ctx;
    if (!reply) *why = *err;
}

// A prefix as SCAN's MATCH takes it.
static void put_literal(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] && strchr("\\*?[]^-", text.p[i])) buf_putc(out, '\\');
        buf_putc(out, text.p[i]);
    }
}

static bool counters_delete(const struct conf *conf, int64_t tenant, struct err *err) {
    static const struct str script =
        STR_INIT("local at = '0' repeat local r = redis.call('SCAN', at, 'MATCH', ARGV[1], 'COUNT', 1000) at = r[1]"
                 " for _, k in ipairs(r[2]) do redis.call('DEL', k) end until at == '0' return 1");
    BUF_AUTO struct buf key = BUF_INIT(1024);
    BUF_AUTO struct buf match = BUF_INIT(4096);
    struct redis_options o;
    struct err why = {0};
    buf_printf(&key, "%.*squota:{%lld}:due", STR_ARG(conf->redis.key_prefix), (long long)tenant);
    put_literal(&match, conf->redis.key_prefix);
    buf_printf(&match, "quota:{%lld}:*", (long long)tenant);
    if (key.failed || match.failed) return err_no_memory(err);
    if (!redis_options_of(&conf->redis, &o)) return err_set(err, ERR_CONFIG_INVALID, "redis.url cannot be understood");
    const struct str args[] = {STR("EVAL"), script, STR("1"), buf_str(&key), buf_str(&match)};
    const struct redis_ask ask = {args, ARRAY_LEN(args)};
    bool ok = redis_ask_all(&o, &ask, 1, REDIS_MS, on_reply, &why, err);
    redis_url_wipe(&o.at);
    if (ok && why.message[0]) *err = why;
    return ok && !why.message[0];
}

static void counters_go(struct server *s, const struct conf *conf, struct sql *db) {
    struct err err;
    if (!conf->redis.url.n) return;
    for (int64_t tenant = 0;;) {
        if (!tenant_counters_next(db, tenant, clock_unix_ns() - SETTLED_NS, &tenant, &err) || !tenant) return;
        if (!counters_delete(conf, tenant, &err)) {
            log_warn(s->log, LOG_MSG("the counters of a tenant that was deleted are still in Redis; it is tried again"),
                     LOG_INT("tenant", tenant), LOG_ERR(&err));
            return;
        }
        if (!tenant_counters_done(db, tenant, clock_unix_ns(), &err)) return;
    }
}

void tenants_go_on(struct server *s, const struct conf *conf, const struct audit_signer *signer) {
    struct tenant_deleter d = {.dir = &s->dir, .signer = signer};
    struct err err;
    if (!datadir_open_db(&s->dir, SQL_BUSY_MS_DEFAULT, &d.db, &err)) return; // the next round tries again
    run_all(s, &d);
    counters_go(s, conf, d.db);
    sql_close(d.db);
}
