// A batch's way: its lines are checked, then run one after the other.
#include "gateway/batch_run.h"

#include "base/mem.h"
#include "os/clock.h"

#define RUN_ARENA_MAX ((size_t)4 << 20)
#define RING_NS NS_PER_SEC

bool batch_run_is_done(const struct batch_run *run, int64_t line) {
    size_t at = (size_t)line / 8;
    return at < run->done_bytes && (run->done[at] >> (line % 8) & 1);
}

bool batch_run_note_done(struct batch_run *run, int64_t line) {
    size_t at = (size_t)line / 8;
    if (at >= run->done_bytes) {
        size_t n = MAX(at + 1, MAX(run->done_bytes * 2, (size_t)1024));
        uint8_t *p = mem_realloc(run->done, n);
        if (!p) return false;
        memset(p + run->done_bytes, 0, n - run->done_bytes);
        run->done = p;
        run->done_bytes = n;
    }
    run->done[at] |= (uint8_t)(1u << (line % 8));
    return true;
}

static bool note(void *arg, int64_t line, struct str result, struct err *err) {
    (void)result;
    return batch_run_note_done(arg, line) || err_no_memory(err);
}

void batch_run_free(struct batch_run *run) {
    if (run->reading) batch_reader_free(&run->reader);
    batch_native_free(&run->native);
    keyring_unref(run->ring);
    mem_free(run->done);
    arena_free(&run->arena);
    mem_free(run);
}

bool batch_run_open(const struct batch_work *w, int64_t tenant, int64_t id, struct batch_run **out_run,
                    struct err *err) {
    struct batch_run *run = mem_zalloc(1, sizeof *run);
    if (!run) return err_no_memory(err);
    arena_init(&run->arena, NULL, 0, RUN_ARENA_MAX);
    batch_native_init(&run->native);
    struct sql_scope scope = sql_tenant(w->db, tenant);
    if (!batch_get(scope, NULL, id, &run->arena, &run->batch, err) || !batch_lines_done(scope, id, note, run, err)) {
        batch_run_free(run);
        return false;
    }
    run->status = run->batch.status;
    *out_run = run;
    return true;
}

bool batch_run_go(const struct batch_work *w, struct batch_run *run, struct batch_step *step, struct err *err) {
    bool ours;
    step->id = run->batch.id;
    step->holder = w->holder;
    step->now_ns = clock_unix_ns();
    step->from = run->status;
    if (!batch_go(batch_scope(w, run), step, &ours, err)) return false;
    if (!ours) {
        // Perhaps it is being cancelled: the next claim says so, of one that is still ours.
        run->again_ns = 0;
        return true;
    }
    run->status = step->to;
    if (step->to == BATCH_FINALIZING) run->batch.outcome = step->outcome;
    if (step->total) run->batch.total = step->total;
    run->over = batch_has_ended(step->to);
    return true;
}

// --- validating ---

static size_t line_max(const struct batch_work *w) { return (size_t)w->conf->limits.max_body; }

static bool check_lines(const struct batch_work *w, struct batch_run *run, struct batch_check *check, struct err *err) {
    struct batch_reader r;
    struct str line;
    bool ok;
    batch_reader_init(&r, w->dir, run->batch.tenant, run->batch.input_file, line_max(w));
    while ((ok = batch_reader_next(&r, w->db, &line, err)) && line.p && !atomic_load(w->stop))
        if (!batch_check_line(check, r.line, line)) break;
    if (!ok && err->code == ERR_BODY_TOO_LARGE) {
        struct batch_fault fault = {.code = "line_too_long"};
        snprintf(fault.message, sizeof fault.message, "%.280s", err->message);
        batch_check_fault(check, r.line + 1, &fault);
        ok = true;
    }
    batch_reader_free(&r);
    return ok && (!check->faults.failed || err_no_memory(err));
}

bool batch_run_validate(const struct batch_work *w, struct batch_run *run, struct err *err) {
    struct batch_check check;
    batch_check_init(&check, run->batch.endpoint, w->conf->batches.max_lines);
    bool ok = check_lines(w, run, &check, err);
    if (ok && !atomic_load(w->stop)) {
        struct batch_step step = {.errors = batch_check_end(&check)};
        step.to = check.n_faults ? BATCH_FAILED : BATCH_IN_PROGRESS;
        step.total = check.n_faults ? 0 : check.lines;
        ok = batch_run_go(w, run, &step, err);
    }
    batch_check_free(&check);
    return ok;
}

// --- lines ---

// Who it is run for, as the database now has it.
static bool find_key(const struct batch_work *w, struct batch_run *run, struct err *err) {
    uint64_t now = clock_mono_ns();
    struct keyring *ring;
    if (!run->batch.key_id || (run->ring_ns && now - run->ring_ns < RING_NS)) return true;
    bool found = keyring_of_key(w->db, w->dir, run->batch.tenant, run->batch.key_id, &ring, &run->key, err);
    if (!found && err->code != ERR_NOT_FOUND) return false;
    keyring_unref(run->ring);
    run->ring = found ? ring : NULL;
    run->gone = !found;
    run->ring_ns = now;
    return true;
}

void batch_line_free(struct batch_line *line) {
    if (line->prev_all) *line->prev_all = line->next_all;
    if (line->next_all) line->next_all->prev_all = line->prev_all;
    keyring_unref(line->caller.ring);
    native_line_free(&line->native);
    buf_free(&line->answer);
    mem_free(line);
}

static struct str keep(char **at, struct str text) {
    char *p = *at;
    if (text.n) memcpy(p, text.p, text.n);
    *at += text.n;
    return str_of(p, text.n);
}

static struct batch_line *line_make(const struct batch_work *w, struct batch_run *run, const struct batch_item *item) {
    const struct batch *b = &run->batch;
    size_t texts = item->custom_id.n + item->body.n + b->endpoint.n + b->address.n + b->origin.n + b->wishes.n;
    struct batch_line *line = mem_zalloc(1, sizeof *line + texts);
    if (!line) return NULL;
    char *at = (char *)(line + 1);
    line->run = run;
    line->number = run->reader.line;
    line->custom_id = keep(&at, item->custom_id);
    line->body = keep(&at, item->body);
    line->path = keep(&at, b->endpoint);
    line->address = keep(&at, b->address);
    line->caller = (struct inner_caller){.ring = run->ring ? keyring_ref(run->ring) : NULL,
                                         .key = run->key,
                                         .gone = run->gone,
                                         .origin = keep(&at, b->origin),
                                         .batch = true};
    line->wishes = keep(&at, b->wishes);
    line->max_answer = (size_t)w->conf->limits.max_response + ((size_t)1 << 20);
    buf_init(&line->answer, 0);
    native_line_init(&line->native);
    batch_native_set(w, run, line);
    return line;
}

static bool make_line(const struct batch_work *w, struct batch_run *run, struct str text, struct batch_line **out,
                      struct err *err) {
    struct arena scratch;
    struct batch_item item;
    struct batch_fault fault;
    arena_init(&scratch, NULL, 0, 64 * 1024);
    bool ok = batch_item_read(text, run->batch.endpoint, &scratch, &item, &fault) ||
              err_set(err, ERR_STORE, "line %lld is not as it was when it was checked: %s", (long long)run->reader.line,
                      fault.message);
    if (ok) {
        *out = line_make(w, run, &item);
        ok = *out || err_no_memory(err);
    }
    arena_free(&scratch);
    return ok;
}

bool batch_run_next(const struct batch_work *w, struct batch_run *run, struct batch_line **out, struct err *err) {
    struct str text;
    *out = NULL;
    if (!find_key(w, run, err)) return false;
    if (!run->reading) {
        batch_reader_init(&run->reader, w->dir, run->batch.tenant, run->batch.input_file, line_max(w));
        run->reading = true;
    }
    do {
        if (!batch_reader_next(&run->reader, w->db, &text, err)) return false;
    } while (text.p && (batch_run_is_done(run, run->reader.line) || !batch_native_wants(w, run, run->reader.line)));
    run->input_end = !text.p;
    return run->input_end || make_line(w, run, text, out, err);
}
