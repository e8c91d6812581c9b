// Brings a batch to a provider's own batch API: drafts, the file, the batch there.
#include "gateway/batch_native_impl.h"

#include "base/mem.h"
#include "os/clock.h"
#include "store/lease.h"

#define LINES_MAX ((size_t)100 << 20) // OpenAI takes 200 MB
#define TRIES_MAX 5
#define PAGES_MAX 10
#define GRACE_NS ((int64_t)3600 * (int64_t)NS_PER_SEC) // the provider's day began later than ours

void batch_native_init(struct batch_native *n) {
    buf_init(&n->lines, LINES_MAX);
    buf_init(&n->results.text, NATIVE_RESULTS_MAX);
}

void batch_native_free(struct batch_native *n) {
    native_ask_free(n->ask);
    buf_free(&n->lines);
    buf_free(&n->results.text);
    vec_free(&n->results.index);
}

// --- what all steps use ---

bool native_late(const struct batch_run *run, int64_t times) {
    return clock_unix_ns() >= run->batch.expires_at + times * GRACE_NS;
}

void native_wait(const struct batch_work *w, struct batch_native *n) {
    uint64_t most = (uint64_t)w->conf->batches.provider_poll * NS_PER_MS;
    uint64_t wait = NS_PER_SEC << MIN(n->tries, 12U);
    n->due_ns = clock_mono_ns() + MIN(wait, most);
    n->tries++;
}

void native_go(struct batch_native *n, enum native_phase phase) {
    n->phase = phase;
    n->tries = 0;
    n->due_ns = 0;
}

bool native_save(const struct batch_work *w, struct batch_run *run, enum batch_provider_state state, struct err *err) {
    struct batch_native *n = &run->native;
    bool ours = false, ok;
    n->row.state = state;
    n->row.changed_at = clock_unix_ns();
    if (!sql_begin(w->db, err)) return false;
    ok = sql_durable(w->db, err) &&
         batch_provider_put(batch_scope(w, run), run->batch.id, w->holder, &n->row, &ours, err);
    if (!ok) {
        sql_rollback(w->db);
        return false;
    }
    if (!sql_commit(w->db, err)) return false;
    run->over = run->over || !ours;
    return true;
}

void native_tell(const struct batch_work *w, const struct batch_run *run, struct str what, const struct native_ask *a) {
    char id[BATCH_ID_LEN];
    batch_id_text(id, run->batch.id);
    struct str why = a->status ? native_hear_error(buf_str(&a->answer)) : str_c(a->err.message);
    log_warn(w->log, LOG_MSG("a provider's batch API failed"), LOG_STR("batch", str_of(id, sizeof id)),
             LOG_STR("provider", run->native.row.provider), LOG_STR("step", what), LOG_INT("status", a->status),
             LOG_STR("why", why));
}

// Lines from the first one on: those that have results are passed over.
void native_rewind(struct batch_run *run) {
    if (run->reading) batch_reader_free(&run->reader);
    run->reading = false;
    run->input_end = false;
}

static bool make_own(const struct batch_work *w, struct batch_run *run, struct err *err) {
    struct batch_native *n = &run->native;
    if (!native_save(w, run, BATCH_PROVIDER_OWN, err)) return false;
    buf_free(&n->lines);
    native_rewind(run);
    run->pause_until_ns = 0; // of a draft
    native_go(n, n->row.input_file.n ? NATIVE_CLEAN : NATIVE_OWN);
    return true;
}

struct native_ask *native_ask_begin(struct batch_run *run, const char *method, size_t max) {
    struct native_ask *a = native_ask_new(max);
    if (!a) return NULL;
    a->provider = arena_str(&a->arena, run->native.row.provider);
    a->method = str_c(method);
    return a;
}

bool native_ask_send(const struct batch_work *w, struct batch_run *run, struct native_ask *a, bool made,
                     struct err *err) {
    if (!a || !made || !a->provider.p || !a->target.p) {
        native_ask_free(a);
        return err_no_memory(err);
    }
    run->native.ask = a;
    native_ask_post(a, w->batches, w->loops[(size_t)run->batch.id % w->n_loops]);
    return true;
}

// --- drafts ---

bool batch_native_gives(const struct batch_run *run) {
    return run->native.phase == NATIVE_OWN || (run->native.phase == NATIVE_DRAFTS && !run->native.unfit) ||
           run->native.phase == NATIVE_ANSWERS;
}

void batch_native_take(struct batch_run *run, const struct batch_line *line) {
    struct batch_native *n = &run->native;
    const struct native_line *d = &line->native;
    struct arena *a = &run->arena;
    if (n->phase != NATIVE_DRAFTS || n->unfit) return;
    if (d->fits && !n->row.provider.n) {
        n->row.provider = arena_str(a, buf_str(&d->provider));
        n->row.model = arena_str(a, buf_str(&d->model));
        n->row.url = arena_str(a, buf_str(&d->url));
        n->row.lines = 0;
    }
    n->unfit = !d->fits || !n->row.provider.p || !n->row.model.p || !n->row.url.p ||
               !str_eq(n->row.provider, buf_str(&d->provider)) || !str_eq(n->row.model, buf_str(&d->model)) ||
               !str_eq(n->row.url, buf_str(&d->url));
    if (n->unfit) return;
    native_line_put(&n->lines, line->number, n->row.url, buf_str(&d->body));
    n->unfit = n->lines.failed;
    n->asked = d->before;
    n->row.lines++;
}

static bool step_drafts(const struct batch_work *w, struct batch_run *run, struct err *err) {
    struct batch_native *n = &run->native;
    if (n->unfit || run->status != BATCH_IN_PROGRESS || native_late(run, 0)) {
        native_go(n, NATIVE_DROP);
    } else if (run->input_end && !run->in_flight) {
        if (!n->row.lines) return make_own(w, run, err); // all were refused
        native_rewind(run);
        native_go(n, NATIVE_UPLOAD);
    }
    return true;
}

// --- the file ---

static bool step_upload(const struct batch_work *w, struct batch_run *run, struct err *err) {
    char name[BATCH_ID_LEN];
    if (run->status != BATCH_IN_PROGRESS || native_late(run, 0)) return make_own(w, run, err);
    struct native_ask *a = native_ask_begin(run, "POST", NATIVE_SMALL);
    batch_id_text(name, run->batch.id);
    return native_ask_send(w, run, a, a && native_say_upload(a, str_of(name, sizeof name), buf_str(&run->native.lines)),
                           err);
}

static bool hear_upload(const struct batch_work *w, struct batch_run *run, const struct native_ask *a,
                        struct err *err) {
    struct batch_native *n = &run->native;
    uint32_t epoch;
    struct str id = a->status == 200 || a->status == 201 ? native_hear_id(buf_str(&a->answer), &run->arena) : STR_NONE;
    if (id.p) {
        if (!lease_take(w->db, &epoch, err)) return false;
        n->row.input_file = id;
        n->row.epoch = epoch;
        if (!native_save(w, run, BATCH_PROVIDER_CREATING, err)) return false;
        buf_free(&n->lines);
        native_go(n, NATIVE_CREATE);
        return true;
    }
    native_tell(w, run, STR("upload"), a);
    bool again = !a->status || a->status == 408 || a->status == 429 || a->status >= 500;
    if (!again || n->tries >= TRIES_MAX) return make_own(w, run, err);
    native_wait(w, n);
    return true;
}

// --- the batch there ---

static bool step_create(const struct batch_work *w, struct batch_run *run, struct err *err) {
    char name[BATCH_ID_LEN];
    struct batch_native *n = &run->native;
    if (run->status != BATCH_IN_PROGRESS || native_late(run, 0)) return make_own(w, run, err);
    struct native_ask *a = native_ask_begin(run, "POST", NATIVE_SMALL);
    batch_id_text(name, run->batch.id);
    return native_ask_send(w, run, a,
                           a && native_say_create(a, n->row.input_file, n->row.url, str_of(name, sizeof name)), err);
}

static bool is_there(const struct batch_work *w, struct batch_run *run, const struct native_batch *b, struct err *err) {
    struct batch_native *n = &run->native;
    n->row.remote_id = b->id;
    n->row.remote_status = b->status;
    if (!native_save(w, run, BATCH_PROVIDER_THERE, err)) return false;
    native_go(n, NATIVE_POLL);
    native_wait(w, n);
    return true;
}

static bool hear_create(const struct batch_work *w, struct batch_run *run, const struct native_ask *a,
                        struct err *err) {
    struct native_batch b;
    bool ok = a->status == 200 || a->status == 201;
    if (ok && native_hear_batch(buf_str(&a->answer), &run->arena, &b)) return is_there(w, run, &b, err);
    native_tell(w, run, STR("create"), a);
    bool refused = a->status >= 400 && a->status < 500 && a->status != 408 && a->status != 429;
    if (refused) return make_own(w, run, err);
    // It may have been made all the same.
    unsigned tries = run->native.tries;
    native_go(&run->native, NATIVE_FIND);
    run->native.tries = tries;
    native_wait(w, &run->native);
    run->native.after = STR("");
    run->native.pages = 0;
    return true;
}

static bool step_find(const struct batch_work *w, struct batch_run *run, struct err *err) {
    struct batch_native *n = &run->native;
    struct native_ask *a = native_ask_begin(run, "GET", NATIVE_LIST);
    if (a)
        a->target = n->after.n ? arena_printf(&a->arena, "/batches?limit=100&after=%.*s", STR_ARG(n->after))
                               : STR("/batches?limit=100");
    return native_ask_send(w, run, a, true, err);
}

static bool hear_find(const struct batch_work *w, struct batch_run *run, const struct native_ask *a, struct err *err) {
    struct batch_native *n = &run->native;
    struct native_batch b;
    struct str last;
    if (a->status != 200) {
        native_tell(w, run, STR("find"), a);
        if (native_late(run, 0)) return make_own(w, run, err);
        native_wait(w, n);
        return true;
    }
    if (native_hear_list(buf_str(&a->answer), n->row.input_file, &run->arena, &b, &last))
        return is_there(w, run, &b, err);
    if (last.n && ++n->pages < PAGES_MAX) {
        n->after = last;
        return true;
    }
    if (run->status != BATCH_IN_PROGRESS || n->tries >= TRIES_MAX) return make_own(w, run, err);
    n->phase = NATIVE_CREATE; // it counts on
    return true;
}

// --- all steps ---

// A step that ends at once.
static bool step_here(const struct batch_work *w, struct batch_run *run, struct err *err) {
    struct batch_native *n = &run->native;
    bool fresh = run->status == BATCH_IN_PROGRESS;
    switch (n->phase) {
    case NATIVE_UNDECIDED:
        if (!native_resume(w, run, err)) return false;
        if (n->phase == NATIVE_UNDECIDED)
            native_go(n, fresh && w->conf->batches.provider_native ? NATIVE_DRAFTS : NATIVE_OWN);
        return true;
    case NATIVE_DRAFTS:
        return step_drafts(w, run, err);
    case NATIVE_DROP:
        return run->in_flight > 0 || make_own(w, run, err);
    case NATIVE_UPLOAD:
        return step_upload(w, run, err);
    case NATIVE_CREATE:
        return step_create(w, run, err);
    case NATIVE_FIND:
        return step_find(w, run, err);
    case NATIVE_OWN:
        return true;
    default:
        return native_step_there(w, run, err);
    }
}

static bool hear(const struct batch_work *w, struct batch_run *run, struct native_ask *a, struct err *err) {
    switch (run->native.phase) {
    case NATIVE_UPLOAD:
        return hear_upload(w, run, a, err);
    case NATIVE_CREATE:
        return hear_create(w, run, a, err);
    case NATIVE_FIND:
        return hear_find(w, run, a, err);
    default:
        return native_hear_there(w, run, a, err);
    }
}

bool batch_native_step(const struct batch_work *w, struct batch_run *run, bool *out_own, struct err *err) {
    struct batch_native *n = &run->native;
    bool ok = true;
    *out_own = false;
    if (n->ask) {
        if (!atomic_load(&n->ask->done)) return true;
        // Heard again when it could not be written down.
        if (!hear(w, run, n->ask, err)) return false;
        native_ask_free(n->ask);
        n->ask = NULL;
    }
    for (enum native_phase before = NATIVE_OWN; ok && !run->over && !n->ask && n->phase != before;) {
        if (clock_mono_ns() < n->due_ns) break;
        before = n->phase;
        ok = step_here(w, run, err);
    }
    *out_own = ok && n->phase == NATIVE_OWN;
    return ok;
}
