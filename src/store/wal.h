// Segment files of the write-ahead log: checksummed records appended by plain stores into a mapped, preallocated file.
//
// A segment is a header (magic, version, number, epoch, checksum) and records (length, CRC-32C, type, payload) up to
// the first zero length. The CRC is seeded with the header's, so bytes of another segment never pass for a record of
// this one. Ownership: the creator owns a segment until wal_segment_free. Thread rule: wal_append belongs to one
// thread; another may read up to wal_tail, and one call wal_sync and wal_prepare; the rest belongs to the owner. Units:
// bytes; offsets count from the file's start.
#ifndef STORE_WAL_H
#define STORE_WAL_H

#include "base/err.h"
#include "base/str.h"

// Stored: append only.
enum wal_type {
    WAL_BEGIN = 1, // a request is about to go upstream
    WAL_END = 2,   // the full record of a request
};

#define WAL_HEADER_SIZE 40
#define WAL_RECORD_HEADER_SIZE 9
#define WAL_PAYLOAD_MAX 4096
#define WAL_SEGMENT_MIN 16384
#define WAL_SEGMENT_MAX (64U << 20)

struct wal_record {
    enum wal_type type;
    struct str payload; // borrowed from the bytes scanned
    size_t end;         // offset just past the record
};

// --- Reading: pure, of foreign bytes ------------------------------------------------------------------------------

struct wal_scan {
    struct str bytes; // the segment as far as it may be read
    size_t at;        // offset of the next record
    uint32_t seed;
    uint64_t number, epoch;
};

enum wal_result {
    WAL_RECORD,  // *out_rec is set, at moved past it
    WAL_AT_END,  // nothing follows
    WAL_DAMAGED, // what follows is not a record: a torn write or flipped bits; nothing after it is read
};

// False when bytes do not begin with a valid header.
NODISCARD bool wal_scan_init(struct wal_scan *scan, struct str bytes);
// At the end, and only there, WAL_AT_END looks at the rest of the bytes: they must be zero.
enum wal_result wal_scan_next(struct wal_scan *scan, struct wal_record *out_rec);
// As wal_scan_next, for a segment that is being written: what is not a record yet is the end.
enum wal_result wal_scan_live(struct wal_scan *scan, struct wal_record *out_rec);

// --- Writing ------------------------------------------------------------------------------------------------------

struct wal_segment;

// Creates DIR/<number>.wal with its space reserved on disk, maps it, and makes file and name durable. Blocks on the
// disk. Errors: ERR_STORE_FULL when there is no space, else ERR_IO.
NODISCARD bool wal_segment_create(struct str dir, uint64_t number, uint64_t epoch, size_t size,
                                  struct wal_segment **out_segment, struct err *err);
// Unmaps and closes; the file stays.
void wal_segment_free(struct wal_segment *s);

// Where to write the payload of the next record, with room for `max` bytes of it (≤ WAL_PAYLOAD_MAX), or NULL when the
// segment has no such room left. No system call, no lock.
char *wal_reserve(struct wal_segment *s, size_t max);
// Makes the n bytes written there a record, visible to readers; a full memory barrier.
void wal_commit(struct wal_segment *s, enum wal_type type, size_t n);
// Both in one, for a payload that exists already; false when there is no room.
NODISCARD bool wal_append(struct wal_segment *s, enum wal_type type, struct str payload);

uint64_t wal_number(const struct wal_segment *s);
// Offset past the last committed record.
size_t wal_tail(const struct wal_segment *s);
// The bytes up to the tail, for wal_scan_init.
struct str wal_bytes(const struct wal_segment *s);
// All committed before the call is on disk after it, given that the bytes before `from` were; out_synced: up to where.
NODISCARD bool wal_sync(struct wal_segment *s, size_t from, size_t *out_synced, struct err *err);
// Sees to it that the next appends find their pages mapped.
void wal_prepare(struct wal_segment *s);
// Whole pages before offset leave the resident set; they can still be read.
void wal_forget(struct wal_segment *s, size_t offset);

// --- Files --------------------------------------------------------------------------------------------------------

#define WAL_NAME_LEN 24 // "%020u.wal"
void wal_name(char out[WAL_NAME_LEN + 1], uint64_t number);
// False when it is not the name of a segment.
NODISCARD bool wal_name_parse(struct str name, uint64_t *out_number);

#endif
