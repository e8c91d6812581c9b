// A hash map from byte strings to pointers.
#include "base/map.h"

#include "base/hash.h"
#include "base/mem.h"

#define CAP_FIRST 16

void map_free(struct map *m) {
    mem_free(m->slots);
    m->slots = NULL;
    m->n = m->cap = 0;
}

// The slot that holds the key, or the free one where it would go.
static struct map_entry *slot_of(const struct map *m, struct str key, uint64_t hash) {
    for (size_t i = (size_t)hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_entry *e = &m->slots[i];
        if (!e->value || (e->hash == hash && str_eq(e->key, key))) return e;
    }
}

void *map_get(const struct map *m, struct str key) {
    return m->cap ? slot_of(m, key, hash_bytes(key, m->seed))->value : NULL;
}

static bool grow(struct map *m) {
    struct map bigger = {.cap = m->cap ? m->cap * 2 : CAP_FIRST, .n = m->n, .seed = m->seed};
    bigger.slots = mem_zalloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots) return false;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].value) *slot_of(&bigger, m->slots[i].key, m->slots[i].hash) = m->slots[i];
    mem_free(m->slots);
    *m = bigger;
    return true;
}

bool map_put(struct map *m, struct str key, void *value) {
    INVARIANT(value != NULL);
    if ((m->n + 1) * 4 > m->cap * 3 && !grow(m)) return false;
    uint64_t hash = hash_bytes(key, m->seed);
    struct map_entry *e = slot_of(m, key, hash);
    if (!e->value) m->n++;
    *e = (struct map_entry){key, value, hash};
    return true;
}

void *map_del(struct map *m, struct str key) {
    if (!m->cap) return NULL;
    struct map_entry *e = slot_of(m, key, hash_bytes(key, m->seed));
    void *old = e->value;
    if (!old) return NULL;
    m->n--;
    // Close the gap: move back what had probed past the freed slot.
    size_t hole = (size_t)(e - m->slots);
    for (size_t i = (hole + 1) & (m->cap - 1); m->slots[i].value; i = (i + 1) & (m->cap - 1)) {
        size_t home = (size_t)m->slots[i].hash & (m->cap - 1);
        if (((i - home) & (m->cap - 1)) >= ((i - hole) & (m->cap - 1))) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].value = NULL;
    return old;
}

const struct map_entry *map_next(const struct map *m, size_t *it) {
    while (*it < m->cap) {
        const struct map_entry *e = &m->slots[(*it)++];
        if (e->value) return e;
    }
    return NULL;
}
