// A hash map from byte strings to pointers: open addressing, linear probing, keyed hash.
//
// Ownership: keys and values are borrowed; they must outlive their entry. Thread rule: one thread, or many readers and
// no writer. Errors: map_put returns false when out of memory and leaves the map as it was.
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_entry {
    struct str key;
    void *value; // NULL = free slot
    uint64_t hash;
};
struct map {
    struct map_entry *slots;
    size_t n, cap; // cap is 0 or a power of two
    uint64_t seed;
};

// seed: random where keys come from outside.
static inline void map_init(struct map *m, uint64_t seed) { *m = (struct map){.seed = seed}; }
void map_free(struct map *m);
// NULL when absent.
void *map_get(const struct map *m, struct str key);
// Replaces an old value; value must not be NULL.
NODISCARD bool map_put(struct map *m, struct str key, void *value);
// The removed value, or NULL.
void *map_del(struct map *m, struct str key);
// Iteration in no order: start with *it = 0; NULL at the end. The map must not change meanwhile.
const struct map_entry *map_next(const struct map *m, size_t *it);

#endif
