// Replays the segments that earlier processes left behind.
//
// First every END of every file, then a row of unknown status for each BEGIN without one, then the files go: a process
// that dies on the way leaves a state from which the same steps lead to the same rows.
#include "base/mem.h"
#include "store/ledger_internal.h"

struct dead_file {
    uint64_t number;
    uint64_t open;         // begun here, not ended
    size_t damaged_at;     // offset of what is no record
    bool damaged, missing; // missing: gone, or it cannot be read; it is left alone
};
struct replay {
    struct ledger *l;
    struct dead_file *files;
    struct begun begun; // id → struct dead_file
    struct buf bytes;
    uint64_t ended, unknown;
};

static bool is_blank(struct str s) { return s.n == 0 || (s.p[0] == 0 && memcmp(s.p, s.p + 1, s.n - 1) == 0); }

static bool flush(struct replay *r) {
    bool ok = ledger_apply_write(r->l);
    r->l->batch.items.n = r->l->batch.marks.n = 0;
    return ok;
}

static void file_unreadable(struct replay *r, struct dead_file *f, const struct err *err) {
    f->missing = true;
    if (err->code == ERR_NOT_FOUND) return;
    atom_add_relaxed(&r->l->damaged, 1);
    ledger_tell(r->l, LEDGER_DAMAGE, err);
}

static bool note(struct replay *r, struct dead_file *f, const struct wal_record *record, uint64_t mark) {
    uint64_t id = usage_decode_id(record->payload);
    if (id == 0) return true; // of a newer version
    if (record->type == WAL_BEGIN) {
        bool added, ok = begun_put(&r->begun, id, f, &added);
        f->open += added;
        return ok;
    }
    struct dead_file *where = begun_take(&r->begun, id);
    if (where) where->open--;
    if (record->end <= mark) return true;
    struct ledger_batch *b = &r->l->batch;
    b->items.p[b->items.n++] = (struct ledger_item){.id = id, .payload = record->payload};
    r->ended++;
    return b->items.n < b->items.cap || flush(r);
}

// Applies what ended in the file; false: to be tried again.
static bool file_apply(struct replay *r, struct dead_file *f) {
    struct err err;
    uint64_t mark = 0;
    if (!ledger_file_read(str_c(r->l->dir), f->number, &r->bytes, &err)) {
        file_unreadable(r, f, &err);
        return true;
    }
    struct wal_scan scan;
    if (!wal_scan_init(&scan, buf_str(&r->bytes)) || scan.number != f->number) {
        // A file whose maker died before it wrote the header is empty, not damaged.
        f->damaged = !is_blank(buf_str(&r->bytes));
        return true;
    }
    if (!ledger_apply_mark(r->l, f->number, &mark)) return false;
    struct wal_record record;
    enum wal_result result;
    while ((result = wal_scan_next(&scan, &record)) == WAL_RECORD)
        if (!note(r, f, &record, mark)) return false;
    f->damaged = result == WAL_DAMAGED;
    f->damaged_at = scan.at;
    return flush(r);
}

static bool file_settle(struct replay *r, const struct dead_file *f) {
    struct err err;
    if (f->open == 0 || f->missing) return true;
    if (!ledger_file_read(str_c(r->l->dir), f->number, &r->bytes, &err)) return true; // it was readable a moment ago
    if (!ledger_apply_unknown(r->l, &r->begun, buf_str(&r->bytes), f)) return false;
    r->unknown += r->l->batch.items.n;
    return flush(r);
}

static void file_finish(struct replay *r, const struct dead_file *f) {
    struct err err, problem;
    struct str dir = str_c(r->l->dir);
    if (f->missing) return;
    if (!f->damaged) {
        if (!ledger_file_remove(dir, f->number, &problem)) ledger_tell(r->l, LEDGER_DAMAGE, &problem);
        return;
    }
    atom_add_relaxed(&r->l->damaged, 1);
    err_set(&err, ERR_IO,
            "segment %" PRIu64 " of the usage log holds no record from byte %zu on (a torn write, or damage); it was "
            "moved to %s/quarantine",
            f->number, f->damaged_at, r->l->dir);
    ledger_tell(r->l, LEDGER_DAMAGE, &err);
    if (!ledger_file_quarantine(dir, f->number, &problem)) ledger_tell(r->l, LEDGER_DAMAGE, &problem);
}

static bool replay_files(struct replay *r, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!file_apply(r, &r->files[i])) return false;
    for (size_t i = 0; i < n; i++)
        if (!file_settle(r, &r->files[i])) return false;
    for (size_t i = 0; i < n; i++) file_finish(r, &r->files[i]);
    return ledger_apply_forget(r->l);
}

static void tell_replayed(struct replay *r) {
    struct err message;
    atom_add_relaxed(&r->l->applied_replay, r->ended);
    atom_add_relaxed(&r->l->unknown, r->unknown);
    if (r->ended + r->unknown == 0) return;
    err_set(&message, ERR_IO,
            "an earlier run ended without closing the usage log: %" PRIu64 " records applied, %" PRIu64
            " requests marked unknown",
            r->ended, r->unknown);
    ledger_tell(r->l, LEDGER_REPLAYED, &message);
}

bool ledger_replay(struct ledger *l) {
    size_t n = l->dead.list.n;
    if (n == 0) return true;
    struct replay r = {.l = l, .files = mem_zalloc(n, sizeof *r.files), .bytes = BUF_INIT(WAL_SEGMENT_MAX)};
    bool ok = r.files != NULL;
    for (size_t i = 0; ok && i < n; i++) r.files[i].number = l->dead.list.p[i];
    l->batch.items.n = l->batch.marks.n = 0;
    ok = ok && replay_files(&r, n);
    l->batch.items.n = l->batch.marks.n = 0;
    if (ok) {
        tell_replayed(&r);
        vec_free(&l->dead.list);
    }
    mem_free(r.files);
    begun_free(&r.begun);
    buf_free(&r.bytes);
    return ok;
}
