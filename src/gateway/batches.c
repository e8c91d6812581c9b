// The thread that runs batches: claims them, hands out their lines, writes down what comes back.
#include "gateway/batches.h"

#include "base/mem.h"
#include "gateway/batch_run.h"
#include "os/clock.h"
#include "os/rand.h"

#define ACTIVE_MAX 64
#define LOOK_NS (500 * NS_PER_MS)
#define IDLE_NS (2 * NS_PER_SEC)
#define TIDY_NS (60 * NS_PER_SEC)
#define AGAIN_NS NS_PER_SEC
#define BACKOFF_MAX_S 60
#define PACED_TRIES 1000 // of a line whose provider says when to come again
#define RESULT_MAX ((size_t)1 << 30)

struct batches {
    struct batches_options o;
    struct gateway_loop *const *loops;
    size_t n_loops;
    struct thread thread;
    struct mutex lock; // of the three below
    struct cond news;
    struct batch_line *results;
    bool woken;
    atomic_bool draining, stop;
    // The thread's own.
    struct sql *db;
    struct batch_run *runs;
    struct batch_line *all;     // that were made and not freed
    struct batch_line *retries; // wait for their time
    struct batch_line *unsaved; // come back, not yet written down
    size_t in_flight, turn;
    uint64_t looked_ns, tidied_ns, save_again_ns;
    bool failing;
};

// --- for others ---

void batches_wake(struct batches *b) {
    if (!b) return;
    mutex_lock(&b->lock);
    b->woken = true;
    cond_signal(&b->news);
    mutex_unlock(&b->lock);
}

void batch_line_done(struct batch_line *line) {
    struct batches *b = line->batches;
    mutex_lock(&b->lock);
    line->next = b->results;
    b->results = line;
    cond_signal(&b->news);
    mutex_unlock(&b->lock);
}

void batches_drain(struct batches *b) { atomic_store(&b->draining, true); }

// --- faults ---

static void note_fault(struct batches *b, const char *what, const struct err *err) {
    if (!b->failing) log_error(b->o.log, LOG_MSG("batches"), LOG_STR("fault", str_c(what)), LOG_ERR(err));
    b->failing = true;
}

static void run_fault(struct batches *b, struct batch_run *run, const struct err *err) {
    char id[BATCH_ID_LEN];
    batch_id_text(id, run->batch.id);
    log_error(b->o.log, LOG_MSG("a batch cannot go on; it is tried again"), LOG_STR("batch", str_of(id, sizeof id)),
              LOG_ERR(err));
    run->again_ns = clock_mono_ns() + AGAIN_NS;
}

// --- lines that come back ---

static void forget_line(struct batches *b, struct batch_line *line) {
    line->run->in_flight--;
    b->in_flight--;
    batch_line_free(line);
}

static void retry_later(struct batches *b, struct batch_line *line) {
    uint64_t wait_s = MIN((uint64_t)1 << MIN(line->tries, 6U), (uint64_t)BACKOFF_MAX_S);
    uint64_t now = clock_mono_ns();
    if (line->retry_s) wait_s = line->retry_s;
    // Not all at the same moment.
    line->due_ns = now + wait_s * NS_PER_SEC + rand_u64() % (NS_PER_SEC / 4);
    line->tries++;
    if (line->status == 429) line->run->pause_until_ns = MAX(line->run->pause_until_ns, now + wait_s * NS_PER_SEC);
    buf_free(&line->answer);
    buf_init(&line->answer, 0);
    line->next = b->retries;
    b->retries = line;
}

static bool tries_again(const struct batch_work *w, const struct batch_line *line) {
    unsigned most = (unsigned)w->conf->batches.retries;
    if (most && line->status == 429 && line->retry_s) most = PACED_TRIES;
    return line->run->status == BATCH_IN_PROGRESS && !batch_line_ok(line) && line->tries < most &&
           batch_line_may_retry(line);
}

static bool is_draft(const struct batch_line *line) { return line->native.mode == NATIVE_DRAFT && batch_line_ok(line); }

// Sorts what came back: to be tried again, or to be written down.
static void sort_results(struct batches *b, const struct batch_work *w, struct batch_line *list) {
    while (list) {
        struct batch_line *line = list;
        list = line->next;
        if (is_draft(line)) {
            batch_native_take(line->run, line);
            forget_line(b, line);
            continue;
        }
        if (tries_again(w, line) && batch_native_again(w, line)) {
            retry_later(b, line);
            continue;
        }
        line->next = b->unsaved;
        b->unsaved = line;
    }
}

struct counted {
    int64_t completed, failed;
};

static bool save_line(const struct batch_work *w, struct batch_line *line, struct counted *io, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(RESULT_MAX);
    bool is_new, ok = batch_line_ok(line);
    batch_result_put(&text, line, line->run->batch.id);
    if (text.failed) return err_no_memory(err);
    if (!batch_line_put(batch_scope(w, line->run), w->dir, line->run->batch.id, line->number, ok, buf_str(&text),
                        &is_new, err))
        return false;
    io->completed += is_new && ok;
    io->failed += is_new && !ok;
    return true;
}

// All of one batch. A batch that is no longer ours takes nothing.
static bool save_run(const struct batch_work *w, struct batch_run *run, struct batch_line *list, struct err *err) {
    struct counted n = {0};
    bool ours;
    for (; list; list = list->next)
        if (list->run == run && !save_line(w, list, &n, err)) return false;
    if (!batch_count(batch_scope(w, run), run->batch.id, w->holder, n.completed, n.failed, &ours, err)) return false;
    if (ours) return true;
    run->over = true;
    return err_set(err, ERR_WRONG_STATE, "another server runs this batch now");
}

static bool run_has_unsaved(const struct batches *b, const struct batch_run *run) {
    for (const struct batch_line *l = b->unsaved; l; l = l->next)
        if (l->run == run) return true;
    return false;
}

static void saved(struct batches *b, struct batch_run *run, bool noted) {
    for (struct batch_line **at = &b->unsaved; *at;) {
        struct batch_line *line = *at;
        if (line->run != run) {
            at = &line->next;
            continue;
        }
        *at = line->next;
        // Without memory for the mark the line may be begun once more after all; its result stays the first.
        if (noted && !batch_run_note_done(run, line->number)) run->over = true;
        forget_line(b, line);
    }
}

static bool save_one(struct batches *b, const struct batch_work *w, struct batch_run *run) {
    struct err err;
    bool ok = sql_begin(b->db, &err);
    if (ok) {
        ok = sql_durable(b->db, &err) && save_run(w, run, b->unsaved, &err);
        if (ok)
            ok = sql_commit(b->db, &err);
        else
            sql_rollback(b->db);
    }
    if (ok || run->over) {
        saved(b, run, ok);
        return true;
    }
    note_fault(b, "results cannot be written down; they wait", &err);
    return false;
}

static void save_all(struct batches *b, const struct batch_work *w) {
    bool all = true;
    if (!b->unsaved || clock_mono_ns() < b->save_again_ns) return;
    // One that cannot be written does not stand in the way of others.
    for (struct batch_run *run = b->runs; run; run = run->next)
        if (run_has_unsaved(b, run) && !save_one(b, w, run)) all = false;
    if (all)
        b->failing = false;
    else
        b->save_again_ns = clock_mono_ns() + AGAIN_NS;
}

// --- which batches ---

static struct batch_run *run_find(struct batches *b, int64_t id) {
    struct batch_run *run = b->runs;
    while (run && run->batch.id != id) run = run->next;
    return run;
}

static void take_claim(struct batches *b, const struct batch_work *w, const struct batch_claim *c) {
    struct batch_run *run = run_find(b, c->id);
    struct err err;
    if (run) {
        run->claimed = true;
        if (c->status == BATCH_CANCELLING && run->status != BATCH_FINALIZING) run->status = BATCH_CANCELLING;
        return;
    }
    if (!batch_run_open(w, c->tenant, c->id, &run, &err)) {
        note_fault(b, "a batch cannot be read", &err);
        return;
    }
    run->claimed = true;
    run->next = b->runs;
    b->runs = run;
}

static void look_at_batches(struct batches *b, const struct batch_work *w) {
    struct batch_claim claims[ACTIVE_MAX];
    size_t n;
    struct err err;
    if (!batch_claim(b->db, w->holder, clock_unix_ns(), ACTIVE_MAX, claims, &n, &err)) {
        note_fault(b, "batches cannot be looked for", &err);
        return;
    }
    for (struct batch_run *run = b->runs; run; run = run->next) run->claimed = false;
    for (size_t i = 0; i < n; i++) take_claim(b, w, &claims[i]);
    for (struct batch_run *run = b->runs; run; run = run->next) run->over |= !run->claimed;
}

static void drop_retries(struct batches *b, const struct batch_run *run) {
    for (struct batch_line **at = &b->retries; *at;) {
        struct batch_line *line = *at;
        if (line->run == run) {
            *at = line->next;
            forget_line(b, line);
        } else {
            at = &line->next;
        }
    }
}

static void drop_ended(struct batches *b) {
    for (struct batch_run **at = &b->runs; *at;) {
        struct batch_run *run = *at;
        if (run->over) drop_retries(b, run);
        bool asks = run->native.ask && !atomic_load(&run->native.ask->done);
        if (run->over && !run->in_flight && !asks) {
            *at = run->next;
            batch_run_free(run);
        } else {
            at = &run->next;
        }
    }
}

// --- steps of a batch ---

static void finalize(struct batches *b, const struct batch_work *w, struct batch_run *run, enum batch_status outcome) {
    struct batch_step step = {.to = BATCH_FINALIZING, .outcome = outcome};
    struct err err;
    if (!batch_run_go(w, run, &step, &err)) run_fault(b, run, &err);
}

// Where its lines are the server's own.
static void step_own(struct batches *b, const struct batch_work *w, struct batch_run *run) {
    bool late = clock_unix_ns() >= run->batch.expires_at;
    if (run->status == BATCH_CANCELLING) {
        if (!run->in_flight) finalize(b, w, run, BATCH_CANCELLED);
        return;
    }
    if (late) drop_retries(b, run);
    if (!run->in_flight && late)
        finalize(b, w, run, BATCH_EXPIRED);
    else if (!run->in_flight && run->input_end)
        finalize(b, w, run, BATCH_COMPLETED);
}

static void step_run(struct batches *b, const struct batch_work *w, struct batch_run *run) {
    struct err err;
    bool ok = true, own;
    if (run->over || clock_mono_ns() < run->again_ns) return;
    switch (run->status) {
    case BATCH_VALIDATING:
        ok = batch_run_validate(w, run, &err);
        break;
    case BATCH_IN_PROGRESS:
    case BATCH_CANCELLING:
        if (run->status == BATCH_CANCELLING || run->native.phase == NATIVE_DROP) drop_retries(b, run);
        ok = batch_native_step(w, run, &own, &err);
        if (ok && own && !run->over) step_own(b, w, run);
        break;
    case BATCH_FINALIZING:
        ok = batch_run_finish(w, run, &err);
        break;
    case BATCH_COMPLETED:
    case BATCH_FAILED:
    case BATCH_EXPIRED:
    case BATCH_CANCELLED:
    case BATCH_STATUS_COUNT:
        run->over = true;
        break;
    }
    if (!ok && !atomic_load(w->stop)) run_fault(b, run, &err);
}

// --- handing out lines ---

static void send_line(struct batches *b, const struct batch_work *w, struct batch_line *line) {
    size_t most = (size_t)w->conf->batches.server_concurrency;
    if (line->lost) {
        batch_line_done(line);
        return;
    }
    line->cap = (unsigned)((most + b->n_loops - 1) / b->n_loops);
    batch_line_post(line, b->loops[b->turn++ % b->n_loops]);
}

static bool wants_line(const struct batches *b, const struct batch_work *w, const struct batch_run *run) {
    size_t most = (size_t)w->conf->batches.concurrency;
    uint64_t now = clock_mono_ns();
    if (run->batch.concurrency) most = MIN(most, (size_t)run->batch.concurrency);
    if (run->native.phase == NATIVE_DRAFTS) most = 1; // each counts on what was drafted before it
    // What has been answered is taken in, however the batch stands.
    bool open = run->status == BATCH_IN_PROGRESS && clock_unix_ns() < run->batch.expires_at;
    if (run->native.phase == NATIVE_ANSWERS) open = run->status == BATCH_IN_PROGRESS || run->status == BATCH_CANCELLING;
    return !run->over && open && batch_native_gives(run) && !run->input_end && run->in_flight < most &&
           now >= run->pause_until_ns && now >= run->again_ns &&
           b->in_flight < (size_t)w->conf->batches.server_concurrency;
}

static bool give_line(struct batches *b, const struct batch_work *w, struct batch_run *run) {
    struct batch_line *line;
    struct err err;
    if (!wants_line(b, w, run)) return false;
    if (!batch_run_next(w, run, &line, &err)) {
        run_fault(b, run, &err);
        return false;
    }
    if (!line) return false;
    line->batches = b;
    line->next_all = b->all;
    line->prev_all = &b->all;
    if (b->all) b->all->prev_all = &line->next_all;
    b->all = line;
    run->in_flight++;
    b->in_flight++;
    send_line(b, w, line);
    return true;
}

// A line to each in turn, while there is room.
static void give_lines(struct batches *b, const struct batch_work *w) {
    for (bool any = true; any && !atomic_load(&b->draining);) {
        any = false;
        for (struct batch_run *run = b->runs; run; run = run->next) any |= give_line(b, w, run);
    }
}

static void give_retries(struct batches *b, const struct batch_work *w) {
    uint64_t now = clock_mono_ns();
    for (struct batch_line **at = &b->retries; *at && !atomic_load(&b->draining);) {
        struct batch_line *line = *at;
        if (line->due_ns > now) {
            at = &line->next;
            continue;
        }
        *at = line->next;
        send_line(b, w, line);
    }
}

// --- the thread ---

static uint64_t until_next(const struct batches *b) {
    uint64_t now = clock_mono_ns(), wait = b->runs ? LOOK_NS : IDLE_NS;
    for (const struct batch_line *l = b->retries; l; l = l->next)
        wait = MIN(wait, l->due_ns > now ? l->due_ns - now : NS_PER_MS);
    for (const struct batch_run *run = b->runs; run; run = run->next)
        if (run->native.due_ns > now) wait = MIN(wait, run->native.due_ns - now);
    return wait;
}

static struct batch_line *wait_for_results(struct batches *b, bool at_once, bool *out_woken) {
    uint64_t wait = until_next(b);
    mutex_lock(&b->lock);
    if (!at_once && !b->results && !b->woken && !atomic_load(&b->stop)) cond_wait_for(&b->news, &b->lock, wait);
    struct batch_line *list = b->results;
    b->results = NULL;
    *out_woken = b->woken;
    b->woken = false;
    mutex_unlock(&b->lock);
    return list;
}

static void tidy(struct batches *b) {
    struct err err;
    bool more;
    uint64_t now = clock_mono_ns();
    if (now - b->tidied_ns < TIDY_NS) return;
    if (!stored_files_tidy(b->db, clock_unix_ns(), &more, &err)) note_fault(b, "old files cannot be deleted", &err);
    b->tidied_ns = now;
}

// *out_again: something changed its state, so look again without waiting.
static void one_round(struct batches *b, const struct batch_work *w, struct batch_line *results, bool woken,
                      bool *out_again) {
    uint64_t now = clock_mono_ns();
    *out_again = false;
    sort_results(b, w, results);
    save_all(b, w);
    if (woken || now - b->looked_ns >= (b->runs ? LOOK_NS : IDLE_NS)) {
        b->looked_ns = now;
        // While lines are under way their batches are kept from other servers.
        if (b->in_flight || !atomic_load(&b->draining)) look_at_batches(b, w);
    }
    if (atomic_load(&b->draining)) return;
    for (struct batch_run *run = b->runs; run; run = run->next) {
        enum batch_status before = run->status;
        enum native_phase phase = run->native.phase;
        step_run(b, w, run);
        *out_again |= run->status != before || run->native.phase != phase;
    }
    drop_ended(b);
    give_retries(b, w);
    give_lines(b, w);
    tidy(b);
}

static void let_go(struct batches *b, const struct batch_work *w) {
    struct err err;
    b->save_again_ns = 0;
    save_all(b, w);
    if (!batch_release(b->db, w->holder, &err)) note_fault(b, "batches cannot be let go", &err);
}

static void run(void *arg) {
    struct batches *b = arg;
    thread_background();
    for (bool again = true, woken;;) {
        struct batch_line *results = wait_for_results(b, again, &woken);
        bool stop = atomic_load(&b->stop);
        struct err err;
        struct conf *conf = b->o.conf(b->o.ctx);
        struct batch_work w = {.dir = b->o.dir,
                               .conf = conf,
                               .holder = b->o.dir->id,
                               .stop = &b->stop,
                               .log = b->o.log,
                               .batches = b,
                               .loops = b->loops,
                               .n_loops = b->n_loops};
        again = false;
        if (!b->db && !datadir_open_db(b->o.dir, SQL_BUSY_MS_DEFAULT, &b->db, &err))
            note_fault(b, "the database cannot be opened", &err);
        w.db = b->db;
        if (b->db)
            one_round(b, &w, results, woken, &again);
        else
            sort_results(b, &w, results);
        if (stop && b->db) let_go(b, &w);
        conf_unref(conf);
        if (stop) break;
    }
}

bool batches_create(const struct batches_options *options, struct batches **out, struct err *err) {
    struct batches *b = mem_zalloc(1, sizeof *b);
    if (!b) return err_no_memory(err);
    b->o = *options;
    mutex_init(&b->lock);
    cond_init(&b->news);
    *out = b;
    return true;
}

bool batches_start(struct batches *b, struct gateway_loop *const *loops, size_t n_loops, struct err *err) {
    b->loops = loops;
    b->n_loops = n_loops;
    return thread_start(&b->thread, "batches", 0, run, b, err);
}

void batches_stop(struct batches *b) {
    if (!b) return;
    batches_drain(b);
    mutex_lock(&b->lock);
    atomic_store(&b->stop, true);
    cond_signal(&b->news);
    mutex_unlock(&b->lock);
    thread_join(&b->thread);
}

void batches_free(struct batches *b) {
    if (!b) return;
    while (b->all) batch_line_free(b->all);
    while (b->runs) {
        struct batch_run *run = b->runs;
        b->runs = run->next;
        batch_run_free(run);
    }
    sql_close(b->db);
    cond_free(&b->news);
    mutex_free(&b->lock);
    mem_free(b);
}
