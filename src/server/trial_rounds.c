// Every two seconds: brings what canaries, shadows and experiments have counted to the database, takes up their course
// from there, and tells of what has become of a canary.
#include "server/server_internal.h"

#include "base/json_write.h"
#include "base/mem.h"
#include "gateway/trials.h"
#include "os/clock.h"

#define EVERY_MS 2000
#define FIRST_MS 1 // shares are as they were before the start, as soon as may be
#define BUSY_MS 2000

struct trial_rounds {
    struct server *server;
    struct timer timer;
    struct work work;
    bool busy, failing, ending;
};

static void told(void *arg, const struct trial_news *news) {
    struct server *s = arg;
    const struct trial_row *r = news->row;
    BUF_AUTO struct buf data = BUF_INIT(16384);
    struct json_writer w;
    json_writer_init(&w, &data);
    json_put_object(&w);
    json_put_member_str(&w, STR("model"), r->key.model);
    json_put_member_text(&w, STR("level"), r->key.level);
    json_put_member_str(&w, STR("canary"), r->rival);
    json_put_member_str(&w, STR("state"), r->state);
    json_put_member_fixed(&w, STR("share"), r->share, 6);
    if (news->rolled_back) json_put_member_str(&w, STR("reason"), r->reason);
    json_put_object_end(&w);
    event_tell(s->events, news->rolled_back ? STR("canary.rolled_back") : STR("canary.advanced"), buf_str(&data));
    if (!news->rolled_back) {
        log_info(s->log, LOG_MSG("a canary has come to its next step"), LOG_STR("model", r->key.model),
                 LOG_STR("canary", r->rival), LOG_STR("state", r->state),
                 LOG_INT("share_millionths", (uint64_t)r->share));
        return;
    }
    metrics_add(s->metrics, metric_series(s->metrics, METRIC_CANARY_ROLLBACKS, &r->key.model, 1), 1);
    log_warn(s->log, LOG_MSG("a canary did worse and is asked no more"), LOG_STR("model", r->key.model),
             LOG_STR("canary", r->rival), LOG_STR("why", r->reason));
}

static bool has_trials(const struct conf *conf) {
    struct conf_level_at at = {0};
    const struct conf_tenant *level = NULL;
    size_t n = conf->models.n;
    const struct conf_model *list = conf->models.p;
    do {
        for (size_t i = 0; i < n; i++)
            if (list[i].canary.model.n || list[i].shadow.model.n || list[i].strategy == STRATEGY_AB) return true;
        level = conf_level_next(conf, &at);
        n = level ? level->models.n : 0;
        list = level ? level->models.p : NULL;
    } while (level);
    return false;
}

static bool save(struct server *s, struct err *err) {
    struct conf *conf = server_conf(s);
    struct sql *db = NULL;
    bool ok = true;
    if (has_trials(conf)) {
        ok = datadir_open_db(&s->dir, BUSY_MS, &db, err) &&
             trials_save(s->trials, conf, db, clock_unix_ns(), told, s, err);
        sql_close(db);
    }
    conf_unref(conf);
    return ok;
}

static void run(struct work *work) {
    struct trial_rounds *r = CONTAINER_OF(work, struct trial_rounds, work);
    struct err err;
    bool ok = save(r->server, &err);
    if (!ok && !r->failing)
        log_error(r->server->log, LOG_MSG("what canaries and shadows have counted cannot be saved; it is tried again"),
                  LOG_ERR(&err));
    r->failing = !ok;
}

static void done(struct work *work) { CONTAINER_OF(work, struct trial_rounds, work)->busy = false; }

static void on_timer(struct timer *timer) {
    struct trial_rounds *r = CONTAINER_OF(timer, struct trial_rounds, timer);
    timer_set(timer, EVERY_MS);
    if (r->busy || r->ending) return;
    r->work = (struct work){.run = run, .done = done};
    r->busy = loop_work(r->server->loops[0].loop, &r->work);
}

bool trial_rounds_start(struct server *s, struct err *err) {
    struct trial_rounds *r = mem_zalloc(1, sizeof *r);
    if (!r) return err_no_memory(err);
    s->trial_rounds = r;
    r->server = s;
    timer_init(&r->timer, s->loops[0].loop, on_timer);
    timer_set(&r->timer, FIRST_MS);
    return true;
}

void trial_rounds_stop(struct server *s) {
    if (!s->trial_rounds) return;
    s->trial_rounds->ending = true;
    timer_stop(&s->trial_rounds->timer);
}

void trial_rounds_free(struct server *s) {
    struct err ignored;
    if (!s->trial_rounds) return;
    INVARIANT(!s->trial_rounds->busy);
    (void)!save(s, &ignored); // the last seconds'
    mem_free(s->trial_rounds);
    s->trial_rounds = NULL;
}
