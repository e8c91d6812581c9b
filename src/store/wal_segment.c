// Writes segments of the write-ahead log: a mapped file that one thread appends to.
#include "base/mem.h"
#include "os/file.h"
#include "os/thread.h"
#include "store/wal.h"
#include "store/wal_format.h"

struct wal_segment {
    struct file_map map;
    uint64_t number;
    uint64_t tail; // atomic: offset past the last committed record
    size_t forgotten, prepared;
    uint32_t seed;
};

// Stores find this much mapped ahead of them: more than is appended between two rounds of the thread that maps it.
#define PREPARED_AHEAD ((size_t)256 << 10)
#define FORGET_STEP ((size_t)512 << 10)

static uint32_t header_put(char *p, size_t size, uint64_t number, uint64_t epoch) {
    memcpy(p, WAL_MAGIC, sizeof WAL_MAGIC);
    wal_put(p + WAL_AT_VERSION, WAL_VERSION, 4);
    wal_put(p + WAL_AT_SIZE, size, 4);
    wal_put(p + WAL_AT_NUMBER, number, 8);
    wal_put(p + WAL_AT_EPOCH, epoch, 8);
    wal_put(p + WAL_AT_ZERO, 0, 4);
    uint32_t crc = crc32c(0, p, WAL_AT_CRC);
    wal_put(p + WAL_AT_CRC, crc, 4);
    return crc;
}

bool wal_segment_create(struct str dir, uint64_t number, uint64_t epoch, size_t size, struct wal_segment **out_segment,
                        struct err *err) {
    INVARIANT(size >= WAL_SEGMENT_MIN && size <= WAL_SEGMENT_MAX);
    char name[WAL_NAME_LEN + 1];
    wal_name(name, number);
    BUF_AUTO struct buf path = BUF_INIT(8192);
    path_join(&path, dir, str_c(name));
    struct wal_segment *s = mem_zalloc(1, sizeof *s);
    if (!s || path.failed) {
        mem_free(s);
        return err_no_memory(err);
    }
    if (!file_map_open(buf_str(&path), size, 0600, &s->map, err)) {
        // A file that could not be given its space must not stay behind as an empty segment.
        struct err ignored;
        if (!file_remove(buf_str(&path), &ignored)) err_wrap(err, "and it could not be removed");
        mem_free(s);
        return false;
    }
    s->number = number;
    s->tail = WAL_HEADER_SIZE;
    s->seed = header_put(s->map.p, size, number, epoch);
    *out_segment = s;
    return true;
}

void wal_segment_free(struct wal_segment *s) {
    if (!s) return;
    file_map_close(&s->map);
    mem_free(s);
}

char *wal_reserve(struct wal_segment *s, size_t max) {
    size_t tail = atom_load_relaxed(&s->tail);
    if (s->map.n - tail < WAL_RECORD_HEADER_SIZE + max) return NULL;
    return s->map.p + tail + WAL_RECORD_HEADER_SIZE;
}

void wal_commit(struct wal_segment *s, enum wal_type type, size_t n) {
    INVARIANT(n > 0 && n <= WAL_PAYLOAD_MAX);
    size_t tail = atom_load_relaxed(&s->tail);
    char *p = s->map.p + tail;
    p[WAL_AT_TYPE] = (char)type;
    wal_put(p + WAL_AT_RECORD_CRC, wal_crc(s->seed, p, (uint32_t)n), 4);
    // The length last: a process killed between two stores leaves the end where it was.
    __atomic_signal_fence(__ATOMIC_RELEASE);
    wal_put(p, n, 4);
    __atomic_store_n(&s->tail, tail + WAL_RECORD_HEADER_SIZE + n, __ATOMIC_SEQ_CST);
}

bool wal_append(struct wal_segment *s, enum wal_type type, struct str payload) {
    char *p = wal_reserve(s, payload.n);
    if (!p) return false;
    memcpy(p, payload.p, payload.n);
    wal_commit(s, type, payload.n);
    return true;
}

uint64_t wal_number(const struct wal_segment *s) { return s->number; }
size_t wal_tail(const struct wal_segment *s) { return __atomic_load_n(&s->tail, __ATOMIC_SEQ_CST); }
struct str wal_bytes(const struct wal_segment *s) {
    return str_of(s->map.p, wal_tail(s));
}

bool wal_sync(struct wal_segment *s, size_t from, size_t *out_synced, struct err *err) {
    size_t tail = wal_tail(s);
    if (!file_map_sync(&s->map, from, tail - from, err)) return false;
    *out_synced = tail;
    return true;
}

void wal_prepare(struct wal_segment *s) {
    size_t tail = wal_tail(s);
    if (s->prepared >= MIN(tail + PREPARED_AHEAD / 2, s->map.n)) return;
    size_t from = MAX(s->prepared, tail), to = MIN(tail + PREPARED_AHEAD, s->map.n);
    file_map_prepare(&s->map, from, to - from);
    s->prepared = to;
}

void wal_forget(struct wal_segment *s, size_t offset) {
    // In large steps: each call interrupts the other processors that map the file.
    if (offset - s->forgotten < FORGET_STEP) return;
    file_map_forget(&s->map, s->forgotten, offset - s->forgotten);
    s->forgotten = offset & ~(size_t)65535;
}
