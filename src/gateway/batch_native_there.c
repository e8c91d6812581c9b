// A batch that is at a provider: looked at, cancelled, its answers fetched and taken in.
#include "gateway/batch_native_impl.h"

#include "os/clock.h"
#include "store/lease.h"

#define RATE_S 60 // refusals for longer are of no rate

bool native_resume(const struct batch_work *w, struct batch_run *run, struct err *err) {
    static const enum native_phase from[] = {
        [BATCH_PROVIDER_NONE] = NATIVE_UNDECIDED,  [BATCH_PROVIDER_OWN] = NATIVE_OWN,
        [BATCH_PROVIDER_CREATING] = NATIVE_FIND,   [BATCH_PROVIDER_THERE] = NATIVE_POLL,
        [BATCH_PROVIDER_FETCHING] = NATIVE_OUTPUT, [BATCH_PROVIDER_DONE] = NATIVE_CLEAN};
    struct batch_native *n = &run->native;
    if (!batch_provider_get(batch_scope(w, run), run->batch.id, &run->arena, &n->row, err)) return false;
    n->after = STR("");
    n->phase = from[n->row.state];
    return true;
}

// --- looking ---

static bool fetch(const struct batch_work *w, struct batch_run *run, struct err *err) {
    if (!native_save(w, run, BATCH_PROVIDER_FETCHING, err)) return false;
    native_go(&run->native, NATIVE_OUTPUT);
    return true;
}

static bool step_poll(const struct batch_work *w, struct batch_run *run, struct err *err) {
    struct batch_native *n = &run->native;
    bool cancel = run->status == BATCH_CANCELLING || native_late(run, 1);
    if (native_late(run, 2)) return fetch(w, run, err); // it never ended
    if (cancel && !n->cancel_told) {
        native_go(n, NATIVE_CANCEL);
        return true;
    }
    struct native_ask *a = native_ask_begin(run, "GET", NATIVE_SMALL);
    if (a) a->target = arena_printf(&a->arena, "/batches/%.*s", STR_ARG(n->row.remote_id));
    return native_ask_send(w, run, a, true, err);
}

static bool has_ended(const struct batch_work *w, struct batch_run *run, const struct native_ask *a,
                      const struct native_batch *b, struct err *err) {
    struct batch_provider *row = &run->native.row;
    row->remote_status = arena_str(&run->arena, b->status);
    row->output_file = arena_str(&run->arena, b->output_file);
    row->error_file = arena_str(&run->arena, b->error_file);
    if (!row->remote_status.p || !row->output_file.p || !row->error_file.p) return err_no_memory(err);
    if (str_eq(b->status, STR("failed"))) native_tell(w, run, STR("validation"), a);
    return fetch(w, run, err);
}

static bool hear_poll(const struct batch_work *w, struct batch_run *run, struct native_ask *a, struct err *err) {
    struct batch_native *n = &run->native;
    struct native_batch b;
    if (a->status == 200 && native_hear_batch(buf_str(&a->answer), &a->arena, &b)) {
        if (b.ended) return has_ended(w, run, a, &b, err);
    } else {
        native_tell(w, run, STR("poll"), a);
        if (a->status == 404) return fetch(w, run, err); // nobody is running it
    }
    native_wait(w, n);
    return true;
}

static bool step_cancel(const struct batch_work *w, struct batch_run *run, struct err *err) {
    struct batch_native *n = &run->native;
    struct native_ask *a = native_ask_begin(run, "POST", NATIVE_SMALL);
    if (a) a->target = arena_printf(&a->arena, "/batches/%.*s/cancel", STR_ARG(n->row.remote_id));
    return native_ask_send(w, run, a, true, err);
}

// One that has ended meanwhile refuses: the next look tells.
static void hear_cancel(const struct batch_work *w, struct batch_run *run, const struct native_ask *a) {
    struct batch_native *n = &run->native;
    bool again = !a->status || a->status == 429 || a->status >= 500;
    unsigned tries = n->tries;
    if (again) native_tell(w, run, STR("cancel"), a);
    n->cancel_told = !again;
    native_go(n, NATIVE_POLL);
    n->tries = again ? tries : 0;
    native_wait(w, n);
}

// --- results ---

static bool step_file(const struct batch_work *w, struct batch_run *run, struct str file, enum native_phase next,
                      struct err *err) {
    struct batch_native *n = &run->native;
    if (!file.n || native_late(run, 3)) {
        native_go(n, next);
        return true;
    }
    struct native_ask *a = native_ask_begin(run, "GET", NATIVE_RESULTS_MAX);
    if (a) a->target = arena_printf(&a->arena, "/files/%.*s/content", STR_ARG(file));
    return native_ask_send(w, run, a, true, err);
}

static bool hear_file(const struct batch_work *w, struct batch_run *run, const struct native_ask *a,
                      enum native_phase next, struct err *err) {
    struct batch_native *n = &run->native;
    if (a->status == 200) {
        if (n->results.text.n) buf_putc(&n->results.text, '\n');
        buf_put(&n->results.text, buf_str(&a->answer));
        if (n->results.text.failed) return err_no_memory(err);
    } else {
        native_tell(w, run, STR("results"), a);
        if (a->status != 404 && a->err.code != ERR_UPSTREAM_TOO_LARGE) {
            native_wait(w, n);
            return true;
        }
    }
    native_go(n, next);
    if (next != NATIVE_ANSWERS) return true;
    return native_results_index(&n->results) || err_no_memory(err);
}

static bool step_errors(const struct batch_work *w, struct batch_run *run, struct err *err) {
    struct batch_native *n = &run->native;
    if (!step_file(w, run, n->row.error_file, NATIVE_ANSWERS, err)) return false;
    return n->phase != NATIVE_ANSWERS || native_results_index(&n->results) || err_no_memory(err);
}

// --- answers ---

static bool runs_rest(const struct batch_work *w, const struct batch_run *run) {
    return w->conf->batches.provider_fallback && run->status == BATCH_IN_PROGRESS && !native_late(run, 0);
}

// Of a batch that is cancelled or late, lines without an answer have none: its end says so.
static bool tells_lost(const struct batch_work *w, const struct batch_run *run) {
    return !w->conf->batches.provider_fallback && run->status == BATCH_IN_PROGRESS && !native_late(run, 0);
}

bool batch_native_wants(const struct batch_work *w, const struct batch_run *run, int64_t line) {
    const struct batch_native *n = &run->native;
    int status;
    struct str body;
    return n->phase != NATIVE_ANSWERS || native_results_find(&n->results, line, &status, &body) || tells_lost(w, run);
}

void batch_native_set(const struct batch_work *w, const struct batch_run *run, struct batch_line *line) {
    const struct batch_native *n = &run->native;
    struct native_line *l = &line->native;
    (void)w;
    if (n->phase == NATIVE_OWN) return;
    l->mode = n->phase == NATIVE_DRAFTS ? NATIVE_DRAFT : NATIVE_ANSWER;
    line->caller.native = l;
    l->before = n->asked;
    if (l->mode == NATIVE_DRAFT) return;
    l->id = ((uint64_t)n->row.epoch << LEASE_COUNTER_BITS) + (uint64_t)line->number;
    l->ts = n->row.changed_at;
    l->from_provider = n->row.provider;
    l->from_model = n->row.model;
    if (!native_results_find(&n->results, line->number, &l->status, &l->answer))
        line->lost = "The provider's batch did not answer this request, and batches.provider_fallback is off.";
}

bool batch_native_again(const struct batch_work *w, struct batch_line *line) {
    // Budgets have no room for all of it at once: it is run as they have.
    if (line->native.mode == NATIVE_DRAFT && line->status == 429 && line->retry_s > RATE_S)
        line->run->native.unfit = true;
    if (line->native.mode != NATIVE_ANSWER) return true;
    if (line->lost || !runs_rest(w, line->run)) return false;
    line->native.mode = NATIVE_NONE;
    line->caller.native = NULL;
    return true;
}

static bool step_answers(const struct batch_work *w, struct batch_run *run, struct err *err) {
    struct batch_native *n = &run->native;
    if (!run->input_end || run->in_flight) return true;
    if (!native_save(w, run, BATCH_PROVIDER_DONE, err)) return false;
    buf_free(&n->results.text);
    vec_free(&n->results.index);
    native_rewind(run);
    native_go(n, NATIVE_CLEAN);
    return true;
}

// --- the end ---

static bool step_clean(const struct batch_work *w, struct batch_run *run, struct err *err) {
    struct batch_native *n = &run->native;
    const struct str files[] = {n->row.output_file, n->row.error_file, n->row.input_file};
    while (n->round < ARRAY_LEN(files) && !files[n->round].n) n->round++;
    if (n->round == ARRAY_LEN(files)) {
        native_go(n, NATIVE_OWN);
        return true;
    }
    struct native_ask *a = native_ask_begin(run, "DELETE", NATIVE_SMALL);
    if (a) a->target = arena_printf(&a->arena, "/files/%.*s", STR_ARG(files[n->round]));
    return native_ask_send(w, run, a, true, err);
}

// --- all steps ---

bool native_step_there(const struct batch_work *w, struct batch_run *run, struct err *err) {
    struct batch_native *n = &run->native;
    switch (n->phase) {
    case NATIVE_POLL:
        return step_poll(w, run, err);
    case NATIVE_CANCEL:
        return step_cancel(w, run, err);
    case NATIVE_OUTPUT:
        return step_file(w, run, n->row.output_file, NATIVE_ERRORS, err);
    case NATIVE_ERRORS:
        return step_errors(w, run, err);
    case NATIVE_ANSWERS:
        return step_answers(w, run, err);
    default:
        return step_clean(w, run, err);
    }
}

bool native_hear_there(const struct batch_work *w, struct batch_run *run, struct native_ask *a, struct err *err) {
    struct batch_native *n = &run->native;
    switch (n->phase) {
    case NATIVE_POLL:
        return hear_poll(w, run, a, err);
    case NATIVE_CANCEL:
        hear_cancel(w, run, a);
        return true;
    case NATIVE_OUTPUT:
        return hear_file(w, run, a, NATIVE_ERRORS, err);
    case NATIVE_ERRORS:
        return hear_file(w, run, a, NATIVE_ANSWERS, err);
    default:
        n->round++; // best effort
        return true;
    }
}
