// Builds the index of a policy.
#include "access/policy_index.h"

#include "base/hash.h"

#include <stdlib.h>

uint64_t group_key(enum scope_kind scope, int64_t scope_id, enum selector_kind kind, uint64_t text_hash) {
    uint64_t h = ((uint64_t)scope_id * 4 + (uint64_t)scope) * 3 + (uint64_t)kind;
    h = (h ^ text_hash) * GROUP_SEED;
    return h ^ h >> 29;
}

struct keyed {
    uint64_t key;
    struct entry entry;
};
static int by_key(const void *a, const void *b) {
    const struct keyed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->entry.grant < y->entry.grant ? -1 : x->entry.grant > y->entry.grant;
}

static bool has_length(const struct bucket *b, size_t n) {
    for (unsigned i = 0; i < b->n_lengths; i++)
        if (b->lengths[i] == n) return true;
    return false;
}

// What kinds of scopes and selectors there are; of many lengths of prefixes only the first few are told apart.
static void survey(const struct policy *p, struct bucket *b) {
    for (uint32_t i = 0; i < b->n; i++) {
        const struct reach *r = &p->grants[p->entries.p[b->first + i].grant].reach;
        b->scopes = (uint8_t)(b->scopes | 1u << r->scope);
        if (r->selector.kind == SELECTOR_EXACT) b->exact = true;
        if (r->selector.kind != SELECTOR_PREFIX || r->selector.text.n == 0) continue;
        if (b->n_lengths < PREFIX_LENGTHS_MAX && !has_length(b, r->selector.text.n))
            b->lengths[b->n_lengths++] = (uint16_t)r->selector.text.n;
    }
}

static uint64_t key_of(const struct bucket *b, const struct reach *r) {
    const struct selector *s = &r->selector;
    bool any = s->kind == SELECTOR_ANY || (s->kind == SELECTOR_PREFIX && !has_length(b, s->text.n));
    if (any) return group_key(r->scope, r->scope_id, SELECTOR_ANY, 0);
    return group_key(r->scope, r->scope_id, s->kind, hash_bytes(s->text, GROUP_SEED));
}

static bool table_make(struct policy *p, struct bucket *b, size_t keys) {
    struct group none = {0};
    size_t places = 8;
    while (places < keys * 2) places *= 2;
    if (p->groups.n + places > UINT32_MAX) return false;
    b->groups = (uint32_t)p->groups.n;
    b->mask = (uint32_t)places - 1;
    for (size_t i = 0; i < places; i++)
        if (!vec_push(&p->groups, none)) return false;
    struct group *table = p->groups.p + b->groups;
    for (uint32_t i = 0; i < b->n;) {
        const struct entry *e = &p->entries.p[b->first + i];
        uint64_t key = key_of(b, &p->grants[e->grant].reach);
        uint32_t n = 1;
        while (i + n < b->n && key_of(b, &p->grants[e[n].grant].reach) == key) n++;
        size_t at = key & b->mask;
        while (table[at].n) at = (at + 1) & b->mask;
        table[at] = (struct group){key, b->first + i, n};
        i += n;
    }
    return true;
}

static bool group_entries(struct policy *p, struct bucket *b) {
    survey(p, b);
    struct keyed *keyed = mem_zalloc(b->n, sizeof *keyed);
    size_t keys = 0;
    if (!keyed) return false;
    for (uint32_t i = 0; i < b->n; i++) {
        struct entry e = p->entries.p[b->first + i];
        keyed[i] = (struct keyed){key_of(b, &p->grants[e.grant].reach), e};
    }
    qsort(keyed, b->n, sizeof *keyed, by_key);
    for (uint32_t i = 0; i < b->n; i++) {
        p->entries.p[b->first + i] = keyed[i].entry;
        if (i == 0 || keyed[i].key != keyed[i - 1].key) keys++;
    }
    mem_free(keyed);
    return table_make(p, b, keys);
}

// The actions of the type that the grant speaks of; 0 when it cannot apply to one.
static uint32_t actions_of(const struct grant *g, unsigned type) {
    if (g->revoked || (g->reach.selector.kind != SELECTOR_ANY && g->reach.selector.type != type)) return 0;
    return g->permissions->actions[type];
}

static bool bucket_make(struct policy *p, struct policy_slot *slot, bool deny, unsigned type) {
    struct bucket b = {.first = (uint32_t)p->entries.n};
    for (uint32_t i = 0; i < slot->n_grants; i++) {
        uint32_t at = p->by_holder[slot->grants + i];
        uint32_t actions = p->grants[at].deny == deny ? actions_of(&p->grants[at], type) : 0;
        if (!actions) continue;
        if (p->entries.n >= UINT32_MAX - 1 || !vec_push(&p->entries, (struct entry){at, actions})) return false;
        b.n++;
    }
    if (b.n == 0) return true;
    if (b.n > BUCKET_SCAN_MAX && !group_entries(p, &b)) return false;
    slot->types[deny] |= 1u << type;
    return vec_push(&p->buckets, b);
}

// Counting sort by holder.
static bool sort_by_holder(struct policy *p) {
    p->by_holder = mem_zalloc(p->told.n + 1, sizeof *p->by_holder);
    if (!p->by_holder) return false;
    uint32_t at = 0;
    for (size_t i = 0; i < p->told.n; i++) p->slots.p[p->grants[i].holder].n_grants++;
    for (size_t i = 0; i < p->slots.n; i++) {
        p->slots.p[i].grants = at;
        at += p->slots.p[i].n_grants;
        p->slots.p[i].n_grants = 0;
    }
    for (size_t i = 0; i < p->told.n; i++) {
        struct policy_slot *slot = &p->slots.p[p->grants[i].holder];
        p->by_holder[slot->grants + slot->n_grants++] = (uint32_t)i;
    }
    return true;
}

bool policy_index(struct policy *policy) {
    if (!sort_by_holder(policy)) return false;
    for (size_t i = 0; i < policy->slots.n; i++) {
        struct policy_slot *slot = &policy->slots.p[i];
        for (unsigned deny = 0; deny < 2; deny++) {
            slot->buckets[deny] = (uint32_t)policy->buckets.n;
            for (unsigned type = 0; slot->n_grants && type < RESOURCE_TYPE_COUNT; type++)
                if (!bucket_make(policy, slot, deny, type)) return false;
        }
    }
    return true;
}
