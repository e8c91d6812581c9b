// What the server looks after at regular times: keys, budgets and live changes written by others, Vault, files of
// usage.
//
// Of what commands on this data directory do, its counters tell. A database that several servers share has to be asked,
// at every look: two statements on the worker pool.
#include "server/server_internal.h"

#include "access/key_rotate.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "gateway/quota_look.h"
#include "govern/usage_export.h"
#include "os/clock.h"
#include "server/budget_event.h"
#include "store/rekey.h"
#include "store/tenant_delete.h"

#define LOOK_MS 250
#define KEYS_TURNS 4   // every second
#define TIDY_TURNS 240 // every minute
#define ROTATE_TURNS 8 // every two seconds
#define GOING_TURN 3   // soon after the start, and every minute
#define BUSY_MS 1000
#define LATE_NS ((int64_t)2 * 3600 * 1000000000)

struct rounds {
    struct server *server;
    struct timer timer;
    unsigned turn;
    uint64_t generation; // of live changes and secrets, as last seen
    uint64_t vault_at;   // loop time of the next look
    uint64_t vault_due;  // nanoseconds to the next refresh, as the last look found
    bool vault_known;    // vault_due is
    bool vault_down;
    struct work keys_work, budgets_work, vault_work;
    bool shared;          // the database is
    struct sql *db;       // of keys_work; NULL: not open
    int64_t config_edits; // as keys_work last saw them; -1 = not yet
    bool config_edited;
    struct work export_work;
    bool export_busy, export_ok, export_failing;
    int64_t export_last, export_next; // unix ns
    struct usage_exported exported;
    struct err export_err;
    struct work rotate_work;
    bool rotate_busy, rotate_failing;
    struct work tidy_work, going_work;
    struct conf *going_conf; // of going_work
    bool tidy_busy, going_busy;
    bool keys_busy, budgets_busy, vault_busy, ending;
    bool keys_edited, vault_changed, vault_ok;
    bool budgets_ok, budgets_failing;
    uint64_t budgets_damaged;
    struct budget_news news;
    struct quota_listener listener;
    uint64_t replayed; // records of earlier processes that the budgets know of
    struct err budgets_err;
    struct err vault_err;
};

// --- keys, and what other servers change ---

static bool config_look(struct rounds *r, int64_t *out_edits, struct err *err) {
    if (!r->db && !datadir_open_db(&r->server->dir, BUSY_MS, &r->db, err)) return false;
    return sql_query_i64(sql_platform(r->db), STR("SELECT value FROM change_count WHERE name = 'config'"), out_edits,
                         err);
}

static void shared_look(struct rounds *r) {
    struct err err;
    int64_t edits;
    if (!config_look(r, &edits, &err)) {
        sql_close(r->db); // the next look opens it again
        r->db = NULL;
        return;
    }
    // The first time too: of what came between the load and this look nothing else tells.
    r->config_edited = edits != r->config_edits;
    r->config_edits = edits;
}

static void keys_run(struct work *work) {
    struct rounds *r = CONTAINER_OF(work, struct rounds, keys_work);
    struct err err;
    r->keys_edited = false;
    if (!keys_edited(r->server->keys, &r->keys_edited, &err)) r->keys_edited = false;
    if (r->shared) shared_look(r);
}

static void keys_done(struct work *work) {
    struct rounds *r = CONTAINER_OF(work, struct rounds, keys_work);
    r->keys_busy = false;
    if (r->ending) return;
    if (r->config_edited) datadir_config_changed(&r->server->dir);
    r->config_edited = false;
    if (!r->keys_edited) return;
    // Loops find their ring stale by the generation; what another server or a hand changed did not raise it.
    datadir_key_changed(&r->server->dir);
    if (!r->shared)
        log_info(r->server->log, LOG_MSG("keys or rights were changed by another program; they are read again"));
}

// --- budgets ---

// What all servers have used is what thresholds go by. Where Redis does not say, this server's own count does.
static void look_at_shared(struct server *s) {
    struct quota_list list;
    struct err ignored;
    struct conf *conf = server_conf(s);
    if (quota_is_shared(conf) && atomic_load(&s->redis_up) &&
        quota_list(keys_quota(s->keys), 0, clock_unix_ns(), &list, &ignored)) {
        (void)!quota_look(conf, &list, true, &ignored);
        quota_list_free(&list);
    }
    conf_unref(conf);
}

static void budgets_run(struct work *work) {
    struct rounds *r = CONTAINER_OF(work, struct rounds, budgets_work);
    struct ledger_health health;
    look_at_shared(r->server);
    ledger_health(r->server->ledger, &health);
    // A long log is replayed in the background, after the budgets were loaded.
    r->budgets_ok =
        health.replayed + health.unknown == r->replayed || keys_recount_budgets(r->server->keys, &r->budgets_err);
    if (!r->budgets_ok) return;
    r->replayed = health.replayed + health.unknown;
    r->budgets_ok = keys_save_uses(r->server->keys, r->server->watch, &r->budgets_err);
    if (!r->budgets_ok) return;
    r->budgets_ok = keys_look_at_budgets(r->server->keys, &r->listener, &r->budgets_damaged, &r->budgets_err);
}

static void budgets_done(struct work *work) {
    struct rounds *r = CONTAINER_OF(work, struct rounds, budgets_work);
    struct server *s = r->server;
    r->budgets_busy = false;
    if (r->ending) return;
    metrics_set(s->metrics, metric_series(s->metrics, METRIC_BUDGETS, NULL, 0), quota_count(keys_quota(s->keys)));
    if (r->budgets_ok && r->budgets_damaged)
        log_error(s->log, LOG_MSG("budgets that cannot be read are not in force, or count in UTC"),
                  LOG_INT("budgets", r->budgets_damaged));
    if (r->budgets_ok == !r->budgets_failing) return;
    r->budgets_failing = !r->budgets_ok;
    if (r->budgets_failing)
        log_error(s->log, LOG_MSG("what was used of budgets cannot be saved; they go on as they are"),
                  LOG_ERR(&r->budgets_err));
    else
        log_info(s->log, LOG_MSG("what was used of budgets is saved again"));
}

// --- Vault ---

static void tell_up(struct server *s, bool up) {
    metrics_set(s->metrics, metric_series(s->metrics, METRIC_VAULT_UP, NULL, 0), up);
}

static void vault_look(struct rounds *r) {
    struct vault_health health;
    r->vault_ok = vault_refresh(r->server->vault, &r->vault_changed, &r->vault_err);
    vault_health_get(r->server->vault, &health);
    // Vault is there, but a secret that is in use is not, or not for us any more.
    if (r->vault_ok && !health.ok) r->vault_ok = err_set(&r->vault_err, ERR_UPSTREAM_STATUS, "%s", health.last_error);
}

static void vault_run(struct work *work) {
    struct rounds *r = CONTAINER_OF(work, struct rounds, vault_work);
    r->vault_changed = false;
    r->vault_ok = true;
    if (r->vault_known) vault_look(r); // otherwise the load has just asked it
    r->vault_due = vault_due_in(r->server->vault);
}

static void tell_vault(struct rounds *r) {
    struct server *s = r->server;
    BUF_AUTO struct buf text = BUF_INIT(4096);
    struct json_writer w;
    if (r->vault_ok == !r->vault_down) return;
    r->vault_down = !r->vault_ok;
    json_writer_init(&w, &text);
    json_put_object(&w);
    if (r->vault_down) json_put_member_str(&w, STR("reason"), str_c(r->vault_err.message));
    json_put_object_end(&w);
    if (r->vault_down)
        log_error(s->log, LOG_MSG("secrets cannot be read from Vault; those read last stay in use"),
                  LOG_ERR(&r->vault_err));
    else
        log_info(s->log, LOG_MSG("all secrets can be read from Vault again"));
    gateway_note(s->gateway, GATEWAY_NOTE_VAULT, r->vault_down ? r->vault_err.message : NULL);
    tell_up(s, r->vault_ok);
    event_tell(s->events, r->vault_down ? STR("vault.unreachable") : STR("vault.recovered"), buf_str(&text));
}

static void vault_done(struct work *work) {
    struct rounds *r = CONTAINER_OF(work, struct rounds, vault_work);
    r->vault_busy = false;
    if (r->ending) return;
    if (!r->vault_known) tell_up(r->server, true);
    r->vault_known = true;
    r->vault_at = loop_now_ms(r->server->loops[0].loop) + r->vault_due / NS_PER_MS;
    tell_vault(r);
    if (r->vault_changed) reload_ask(r->server, JOB_VAULT);
}

static void look_at_vault(struct rounds *r, uint64_t now_ms) {
    if (!r->server->setting->conf->vault_refs.n || r->vault_busy || now_ms < r->vault_at) return;
    r->vault_work = (struct work){.run = vault_run, .done = vault_done};
    r->vault_busy = loop_work(r->server->loops[0].loop, &r->vault_work);
}

// --- data keys that newer ones took the place of ---

static void tidy_run(struct work *work) {
    struct rounds *r = CONTAINER_OF(work, struct rounds, tidy_work);
    struct sql *db;
    struct err err;
    // What cannot be done now is done the next time.
    if (!datadir_open_db(&r->server->dir, SQL_BUSY_MS_DEFAULT, &db, &err)) return;
    (void)!rekey_tidy_all(db, &err);
    (void)!tenant_delete_late(db, clock_unix_ns() - LATE_NS, &err);
    sql_close(db);
}

static void tidy_done(struct work *work) { CONTAINER_OF(work, struct rounds, tidy_work)->tidy_busy = false; }

// --- keys whose schedule is due ---

static void rotated(void *ctx, const struct key_rotated *k) {
    struct server *s = ctx;
    char id[ENTITY_ID_TEXT_MAX], until[TIME_TEXT_LEN];
    BUF_AUTO struct buf data = BUF_INIT(4096);
    struct json_writer w;
    time_text(until, k->until_ns);
    json_writer_init(&w, &data);
    json_put_object(&w);
    json_put_member_str(&w, STR("tenant_id"), entity_id_text(&entity_tenant, k->tenant, id));
    json_put_member_str(&w, STR("name"), k->name);
    json_put_member_str(&w, STR("resource"), entity_id_text(&entity_key, k->key, id));
    json_put_member_str(&w, STR("replaced_by"), entity_id_text(&entity_key, k->next, id));
    json_put_member_str(&w, STR("expires_at"), str_of(until, sizeof until));
    json_put_object_end(&w);
    event_tell(s->events, STR("key.rotated"), buf_str(&data));
    log_info(s->log, LOG_MSG("a key was rotated by its schedule; its replacement waits to be collected"),
             LOG_STR("key", k->name), LOG_STR("replaced_by", entity_id_text(&entity_key, k->next, id)),
             LOG_STR("old_key_ends", str_of(until, sizeof until)));
}

static bool rotate_due(struct rounds *r, struct err *err) {
    int64_t now = clock_unix_ns();
    struct sql *db;
    bool due;
    if (!keys_rotation_due(r->server->keys, now, &due, err)) return false;
    if (!due) return true;
    if (!datadir_open_db(&r->server->dir, SQL_BUSY_MS_DEFAULT, &db, err)) return false;
    bool ok = key_rotate_due(db, &r->server->dir, r->news.signer, now, rotated, r->server, err);
    sql_close(db);
    return ok;
}

static void rotate_run(struct work *work) {
    struct rounds *r = CONTAINER_OF(work, struct rounds, rotate_work);
    struct err err;
    bool ok = rotate_due(r, &err);
    if (!ok && !r->rotate_failing)
        log_error(r->server->log, LOG_MSG("keys whose schedule is due cannot be rotated; it is tried again"),
                  LOG_ERR(&err));
    r->rotate_failing = !ok;
}

static void rotate_done(struct work *work) { CONTAINER_OF(work, struct rounds, rotate_work)->rotate_busy = false; }

// --- tenants whose deletion was interrupted ---

static void going_run(struct work *work) {
    struct rounds *r = CONTAINER_OF(work, struct rounds, going_work);
    tenants_go_on(r->server, r->going_conf, r->news.signer);
}

static void going_done(struct work *work) {
    struct rounds *r = CONTAINER_OF(work, struct rounds, going_work);
    r->going_busy = false;
    conf_unref(r->going_conf);
    r->going_conf = NULL;
}

// --- files of usage ---

static void export_run(struct work *work) {
    struct rounds *r = CONTAINER_OF(work, struct rounds, export_work);
    struct conf *conf = server_conf(r->server);
    r->export_ok = usage_export_run(&r->server->dir, conf, r->export_last, &r->exported, &r->export_err);
    r->export_next = usage_export_next(conf, r->export_last);
    conf_unref(conf);
}

static void export_done(struct work *work) {
    struct rounds *r = CONTAINER_OF(work, struct rounds, export_work);
    struct server *s = r->server;
    r->export_busy = false;
    if (r->ending) return;
    if (r->exported.files) log_info(s->log, LOG_MSG("usage was written to files"), LOG_INT("files", r->exported.files));
    if (r->export_ok == !r->export_failing) return;
    r->export_failing = !r->export_ok;
    if (r->export_failing)
        log_error(s->log, LOG_MSG("usage cannot be written to files; it is tried again every minute"),
                  LOG_ERR(&r->export_err));
    else
        log_info(s->log, LOG_MSG("usage can be written to files again"));
}

// A clock that is put back is no reason to wait.
static void look_at_export(struct rounds *r) {
    int64_t now = clock_unix_ns();
    bool due = now >= r->export_next || now < r->export_last;
    if (!r->server->setting->conf->usage.export.path.n || r->export_busy || !due) return;
    r->export_last = now;
    r->export_work = (struct work){.run = export_run, .done = export_done};
    r->export_busy = loop_work(r->server->loops[0].loop, &r->export_work);
}

// --- the round ---

static void on_timer(struct timer *timer) {
    struct rounds *r = CONTAINER_OF(timer, struct rounds, timer);
    struct server *s = r->server;
    uint64_t generation = datadir_config_generation(&s->dir);
    struct redis_stats redis = {0};
    timer_set(timer, LOOK_MS);
    if (s->loops[0].redis) redis_stats_get(s->loops[0].redis, &redis);
    atomic_store(&s->redis_up, redis.up);
    if (generation != r->generation) {
        r->generation = generation;
        reload_ask(s, JOB_LIVE);
    }
    bool keys_turn = r->turn++ % KEYS_TURNS == 0;
    if (keys_turn) targets_look(s);
    if ((keys_turn || r->shared) && !r->keys_busy) {
        r->keys_work = (struct work){.run = keys_run, .done = keys_done};
        r->keys_busy = loop_work(s->loops[0].loop, &r->keys_work);
    }
    if (r->turn % KEYS_TURNS == 2 && !r->budgets_busy) {
        r->budgets_work = (struct work){.run = budgets_run, .done = budgets_done};
        r->budgets_busy = loop_work(s->loops[0].loop, &r->budgets_work);
    }
    if (r->turn % TIDY_TURNS == 0 && !r->tidy_busy) {
        r->tidy_work = (struct work){.run = tidy_run, .done = tidy_done};
        r->tidy_busy = loop_work(s->loops[0].loop, &r->tidy_work);
    }
    if (r->turn % ROTATE_TURNS == 4 && !r->rotate_busy) {
        r->rotate_work = (struct work){.run = rotate_run, .done = rotate_done};
        r->rotate_busy = loop_work(s->loops[0].loop, &r->rotate_work);
    }
    if (r->turn % TIDY_TURNS == GOING_TURN && !r->going_busy) {
        r->going_work = (struct work){.run = going_run, .done = going_done};
        r->going_conf = conf_ref(s->setting->conf);
        r->going_busy = loop_work(s->loops[0].loop, &r->going_work);
        if (!r->going_busy) conf_unref(r->going_conf);
    }
    look_at_vault(r, loop_now_ms(s->loops[0].loop));
    look_at_export(r);
}

bool rounds_start(struct server *s, struct err *err) {
    struct rounds *r = mem_zalloc(1, sizeof *r);
    if (!r) return err_no_memory(err);
    s->rounds = r;
    r->server = s;
    r->generation = datadir_config_generation(&s->dir);
    r->shared = s->setting->conf->storage.url.n > 0;
    r->config_edits = -1;
    if (s->setting->conf->vault_refs.n) tell_up(s, true);
    r->news.server = s;
    r->listener = budget_listener(&r->news);
    if (!audit_signer_create(&s->dir, &r->news.signer, err)) return false;
    timer_init(&r->timer, s->loops[0].loop, on_timer);
    timer_set(&r->timer, LOOK_MS);
    return true;
}

void rounds_stop(struct server *s) {
    if (!s->rounds) return;
    s->rounds->ending = true;
    timer_stop(&s->rounds->timer);
}

void rounds_free(struct server *s) {
    if (!s->rounds) return;
    INVARIANT(!s->rounds->keys_busy && !s->rounds->budgets_busy && !s->rounds->vault_busy && !s->rounds->tidy_busy &&
              !s->rounds->rotate_busy && !s->rounds->going_busy && !s->rounds->export_busy);
    sql_close(s->rounds->db);
    audit_signer_free(s->rounds->news.signer);
    mem_free(s->rounds);
    s->rounds = NULL;
}
