// Request ids that no other loop, process or restart gives out: a leased epoch in the high bits, a counter below.
//
// An id is epoch << 39 | counter, 63 bits, never 0. The epoch (24 bits) grows with every lease ever taken of a
// database. Ownership: plain values. Thread rule: lease_take blocks on the database; a request_ids belongs to one loop.
// Errors: those of sql.h; ERR_STORE when all 16,777,215 epochs are used up.
#ifndef STORE_LEASE_H
#define STORE_LEASE_H

#include "base/text.h"
#include "store/sql.h"

#define LEASE_COUNTER_BITS 39
#define LEASE_EPOCH_MAX ((1U << 24) - 1)

NODISCARD bool lease_take(struct sql *db, uint32_t *out_epoch, struct err *err);

struct request_ids {
    uint64_t next, end;
};
void request_ids_init(struct request_ids *ids, uint32_t epoch);
// False when the epoch is used up (after half a trillion ids) or none was set: take another lease.
NODISCARD static inline bool request_ids_next(struct request_ids *ids, uint64_t *out_id) {
    if (UNLIKELY(ids->next >= ids->end)) return false;
    *out_id = ids->next++;
    return true;
}

// "req_" and 13 digits of base 32.
#define REQUEST_ID_TEXT_LEN (4 + BASE32_U64_LEN)
void request_id_text(char out[REQUEST_ID_TEXT_LEN], uint64_t id);
NODISCARD bool request_id_parse(struct str text, uint64_t *out_id);

#endif
