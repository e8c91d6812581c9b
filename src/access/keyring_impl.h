// What a key ring is made of; for the files keyring*.c alone.
#ifndef ACCESS_KEYRING_IMPL_H
#define ACCESS_KEYRING_IMPL_H

#include "access/host_table.h"
#include "access/keyring.h"
#include "base/vec.h"
#include "os/zone_file.h"

struct key_zone {
    struct str name;
    struct zone *zone;
};

// Keys as they were read at one time, with the rights they have. Immutable once it is in a ring; counted references.
struct key_table {
    uint64_t refs;
    struct policy *policy;
    VEC(struct key_entry) entries;
    uint32_t *slots;   // open addressing: 1 + index into entries, 0 = free
    size_t slots_mask; // their number, a power of two, less one
    struct arena arena;
    VEC(struct key_zone) zones; // each once
    size_t damaged;
};

// How often was changed what a ring is made from.
struct key_counts {
    uint64_t keys;    // key_edits
    uint64_t deleted; // key_deletions
    uint64_t rights;  // grant_edits
};
NODISCARD bool key_counts_read(struct sql *db, struct key_counts *out_counts, struct err *err);

struct keyring {
    uint64_t refs;
    const struct datadir *dir;
    uint64_t mark;            // random, not 0: tells rings apart even when one lies where another lay
    uint64_t generation;      // atomic: of dir, before the counts were read that showed the ring to be current
    struct key_counts counts; // before the rows were read
    struct key_table *all;
    struct key_counts all_counts; // likewise, of `all`
    struct key_table *latest;     // of `all`, and besides, what may have changed since; NULL = nothing
    size_t count, damaged;
    struct host_table *hosts;
};

struct key_table *key_table_new(void); // NULL: out of memory
struct key_table *key_table_ref(struct key_table *table);
void key_table_unref(struct key_table *table); // NULL is fine
// The zone of that name, which goes with the table.
NODISCARD bool key_table_zone(struct key_table *table, struct str name, const struct zone **out_zone, struct err *err);
NODISCARD bool key_table_add(struct key_table *table, const struct key_row *row, struct err *err);
// Once all rows and the policy are there: makes keys findable, and their rights known.
NODISCARD bool key_table_finish(struct key_table *table, struct err *err);
const struct key_entry *key_table_find(const struct key_table *table, const char hash[KEY_HASH_SIZE]);

// A ring without tables, of the directory's present generation. NULL: out of memory.
struct keyring *keyring_new(const struct datadir *dir);

#endif
