// A small open-addressing table from request ids to segments.
#include "store/ledger_begun.h"

#include "base/mem.h"

static size_t home(const struct begun *b, uint64_t id) {
    // Ids are counters: multiplying spreads them, the high bits are the good ones.
    return (size_t)((id * 0x9e3779b97f4a7c15ULL) >> 32) & (b->cap - 1);
}

static size_t slot_of(const struct begun *b, uint64_t id) {
    size_t i = home(b, id);
    while (b->slots[i].id && b->slots[i].id != id) i = (i + 1) & (b->cap - 1);
    return i;
}

void begun_free(struct begun *b) {
    mem_free(b->slots);
    *b = (struct begun){0};
}

void *begun_get(const struct begun *b, uint64_t id) { return b->cap ? b->slots[slot_of(b, id)].where : NULL; }

static bool grow(struct begun *b) {
    struct begun bigger = {.n = b->n, .cap = b->cap ? b->cap * 2 : 64};
    bigger.slots = mem_zalloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots) return false;
    for (size_t i = 0; i < b->cap; i++)
        if (b->slots[i].id) bigger.slots[slot_of(&bigger, b->slots[i].id)] = b->slots[i];
    mem_free(b->slots);
    *b = bigger;
    return true;
}

bool begun_put(struct begun *b, uint64_t id, void *where, bool *out_new) {
    INVARIANT(id && where);
    *out_new = false;
    if (b->n * 2 >= b->cap && !grow(b)) return false;
    struct begun_slot *slot = &b->slots[slot_of(b, id)];
    *out_new = slot->id == 0;
    if (!*out_new) return true;
    *slot = (struct begun_slot){id, where};
    b->n++;
    return true;
}

void *begun_take(struct begun *b, uint64_t id) {
    if (!b->cap) return NULL;
    size_t mask = b->cap - 1, hole = slot_of(b, id);
    void *where = b->slots[hole].where;
    if (!where) return NULL;
    // Entries that probed past the hole move back into it, so that no search stops short.
    for (size_t i = (hole + 1) & mask; b->slots[i].id; i = (i + 1) & mask) {
        if (((i - home(b, b->slots[i].id)) & mask) < ((i - hole) & mask)) continue;
        b->slots[hole] = b->slots[i];
        hole = i;
    }
    b->slots[hole] = (struct begun_slot){0};
    b->n--;
    return where;
}

void begun_purge(struct begun *b, const void *where) {
    for (size_t i = 0; i < b->cap; i++)
        // Another entry may have moved into the place of the one taken.
        while (b->slots[i].where == where && b->slots[i].id) begun_take(b, b->slots[i].id);
}
