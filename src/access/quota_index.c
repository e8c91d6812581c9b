// The budgets in force: loads them into an immutable index, keeping the counters of those that were there before.
#include "access/quota_impl.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/vec.h"
#include "os/rand.h"

#include <stdlib.h>

// --- Looking up ---------------------------------------------------------------------------------------------------

static inline uint64_t mix(uint64_t v) {
    v *= 0x9e3779b97f4a7c15ULL;
    return v ^ v >> 29;
}

static inline uint64_t group_hash(uint64_t seed, int64_t tenant, unsigned scope, int64_t id, struct str text) {
    uint64_t h = mix(mix(seed ^ (uint64_t)tenant) ^ ((uint64_t)id << 4 | scope));
    return text.n ? h ^ hash_bytes(text, seed) : h;
}

const struct quota_group *quota_index_find(const struct quota_index *index, int64_t tenant, unsigned scope, int64_t id,
                                           struct str text) {
    size_t at = (size_t)group_hash(index->seed, tenant, scope, id, text) & index->slots_mask;
    for (; index->slots[at]; at = (at + 1) & index->slots_mask) {
        const struct quota_group *g = &index->groups[index->slots[at] - 1];
        if (g->tenant == tenant && g->scope == scope && g->id == id && str_eq(g->text, text)) return g;
    }
    return NULL;
}

unsigned quota_index_scopes(const struct quota_index *index, int64_t tenant) {
    size_t at = (size_t)mix((uint64_t)tenant) & index->tenants_mask;
    for (; index->tenants[at].id; at = (at + 1) & index->tenants_mask)
        if (index->tenants[at].id == tenant) return index->tenants[at].scopes;
    return 0;
}

// --- Building -----------------------------------------------------------------------------------------------------

// A row on its way into the index; texts lie in the index's arena.
struct draft {
    struct budget_row row;
    unsigned group_scope;
    const struct zone *zone;
    struct quota_counter *counter;
};
struct loading {
    struct quota *quota;
    struct quota_index *index;
    VEC(struct draft) drafts;
    uint64_t damaged;
};

static bool keep(struct arena *arena, struct str *text) {
    struct str copy = arena_str(arena, *text);
    bool ok = copy.p || text->n == 0;
    *text = copy;
    return ok;
}

static bool add_row(void *arg, const struct budget_row *row, struct err *err) {
    struct loading *l = arg;
    struct draft d = {.row = *row, .group_scope = (unsigned)row->scope};
    struct arena *a = &l->index->arena;
    bool ok = keep(a, &d.row.name) && keep(a, &d.row.time_zone) && keep(a, &d.row.scope_name) &&
              keep(a, &d.row.scope_text) && keep(a, &d.row.downgrade_to);
    bool texts = row->scope == BUDGET_SCOPE_MODEL || row->scope == BUDGET_SCOPE_TAG;
    if (row->scope == BUDGET_SCOPE_TENANT || texts) d.row.scope_id = 0;
    if (!texts) d.row.scope_text = STR("");
    if (row->scope == BUDGET_SCOPE_MODEL && row->scope_text.p[row->scope_text.n - 1] == '*')
        d.group_scope = QUOTA_PATTERNS;
    return (ok && vec_push(&l->drafts, d)) || err_no_memory(err);
}

// A zone that the system does not know counts as damage, and as UTC.
static bool find_zone(struct loading *l, struct str name, const struct zone **out_zone, struct err *err) {
    struct quota *q = l->quota;
    struct zone *zone = NULL;
    for (struct quota_zone *z = q->zones; z; z = z->next) {
        if (!str_eq(str_of(z->name, z->n), name)) continue;
        *out_zone = z->zone;
        return true;
    }
    if (!zone_find(name, &zone, err)) {
        if (err->code == ERR_NO_MEMORY) return false;
        l->damaged++;
        *out_zone = NULL;
        return true;
    }
    struct quota_zone *z = mem_zalloc(1, sizeof *z + name.n);
    if (!z) {
        zone_free(zone);
        return err_no_memory(err);
    }
    *z = (struct quota_zone){.next = q->zones, .zone = zone, .n = name.n};
    if (name.n) memcpy(z->name, name.p, name.n);
    q->zones = z;
    *out_zone = zone;
    return true;
}

static bool same_count(const struct quota_budget *b, const struct draft *d) {
    const struct budget_row *r = &d->row;
    return b->id == r->id && b->tenant_id == r->tenant_id && b->metric == r->metric && b->period == r->period &&
           b->scope == r->scope && b->scope_id == r->scope_id && str_eq(b->scope_text, r->scope_text) &&
           b->counter->zone == d->zone;
}

struct by_id {
    int64_t id;
    const struct quota_budget *budget;
};

static int compare_ids(const void *a, const void *b) {
    int64_t x = ((const struct by_id *)a)->id, y = ((const struct by_id *)b)->id;
    return (x > y) - (x < y);
}

// What a new counter begins with: what its window has used by now, and what was told of it.
static bool seed(struct sql *db, const struct draft *d, struct err *err) {
    struct quota_window *w = quota_window_at(d->counter, d->counter->number);
    int64_t start = (int64_t)w->start;
    struct budget_use use;
    uint64_t used;
    if (!budget_used(db, &d->row, start, (int64_t)w->end, &used, err) ||
        !budget_use_find(sql_tenant(db, d->row.tenant_id), d->row.id, start, &use, err))
        return false;
    w->used = w->settled = used;
    w->saved = use.used;
    w->told = use.told;
    return true;
}

static bool make_counters(struct loading *l, struct sql *db, int64_t now_ns, struct err *err) {
    struct quota_index *old = l->quota->index;
    size_t n_old = old ? old->n : 0;
    struct by_id *known = mem_zalloc(n_old + 1, sizeof *known);
    bool ok = known || err_no_memory(err);
    for (size_t i = 0; ok && i < n_old; i++) known[i] = (struct by_id){old->budgets[i].id, &old->budgets[i]};
    if (ok && n_old) qsort(known, n_old, sizeof *known, compare_ids);
    for (size_t i = 0; ok && i < l->drafts.n; i++) {
        struct draft *d = &l->drafts.p[i];
        ok = find_zone(l, d->row.time_zone, &d->zone, err);
        if (!ok) break;
        struct by_id wanted = {.id = d->row.id};
        const struct by_id *was = n_old ? bsearch(&wanted, known, n_old, sizeof *known, compare_ids) : NULL;
        if (was && same_count(was->budget, d)) {
            d->counter = quota_counter_ref(was->budget->counter);
        } else {
            ok = quota_counter_create(d->zone, &d->row, now_ns, &d->counter) || err_no_memory(err);
            ok = ok && seed(db, d, err);
        }
    }
    mem_free(known);
    return ok;
}

static int compare_drafts(const void *a, const void *b) {
    const struct draft *x = a, *y = b;
    if (x->row.tenant_id != y->row.tenant_id) return x->row.tenant_id < y->row.tenant_id ? -1 : 1;
    if (x->group_scope != y->group_scope) return x->group_scope < y->group_scope ? -1 : 1;
    if (x->row.scope_id != y->row.scope_id) return x->row.scope_id < y->row.scope_id ? -1 : 1;
    // Patterns of a tenant are one group.
    int text = x->group_scope == QUOTA_PATTERNS ? 0 : str_cmp(x->row.scope_text, y->row.scope_text);
    return text ? text : (x->row.id > y->row.id) - (x->row.id < y->row.id);
}

static struct quota_budget budget_of(const struct draft *d) {
    const struct budget_row *r = &d->row;
    struct quota_budget b = {.id = r->id,
                             .tenant_id = r->tenant_id,
                             .name = r->name,
                             .scope = r->scope,
                             .scope_id = r->scope_id,
                             .scope_text = r->scope_text,
                             .scope_name = r->scope_name,
                             .metric = r->metric,
                             .period = r->period,
                             .action = r->action,
                             .limit = r->amount,
                             .downgrade_to = r->downgrade_to,
                             .n_notify = r->n_notify,
                             .counter = d->counter};
    memcpy(b.notify_at, r->notify_at, sizeof b.notify_at);
    return b;
}

static size_t table_size(size_t n) {
    size_t size = 8;
    while (size < n * 2) size *= 2;
    return size;
}

static void add_tenant(struct quota_index *index, int64_t id, unsigned scope) {
    size_t at = (size_t)mix((uint64_t)id) & index->tenants_mask;
    while (index->tenants[at].id && index->tenants[at].id != id) at = (at + 1) & index->tenants_mask;
    index->tenants[at].id = id;
    index->tenants[at].scopes |= 1u << scope;
}

static bool begins_group(const struct draft *drafts, size_t i) {
    if (i == 0) return true;
    const struct draft *a = &drafts[i - 1], *b = &drafts[i];
    return a->row.tenant_id != b->row.tenant_id || a->group_scope != b->group_scope ||
           a->row.scope_id != b->row.scope_id ||
           (b->group_scope != QUOTA_PATTERNS && !str_eq(a->row.scope_text, b->row.scope_text));
}

static void fill(struct quota_index *index, const struct draft *drafts, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct draft *d = &drafts[i];
        index->budgets[i] = budget_of(d);
        if (begins_group(drafts, i)) {
            struct quota_group *g = &index->groups[index->n_groups++];
            *g = (struct quota_group){.tenant = d->row.tenant_id,
                                      .scope = d->group_scope,
                                      .id = d->row.scope_id,
                                      .text = d->group_scope == QUOTA_PATTERNS ? STR("") : d->row.scope_text,
                                      .first = i};
            size_t at = (size_t)group_hash(index->seed, g->tenant, g->scope, g->id, g->text) & index->slots_mask;
            while (index->slots[at]) at = (at + 1) & index->slots_mask;
            index->slots[at] = (uint32_t)index->n_groups;
            add_tenant(index, g->tenant, g->scope);
        }
        index->groups[index->n_groups - 1].n++;
    }
    index->n = n; // from here on the counters are the index's
}

static bool build(struct loading *l, struct err *err) {
    struct quota_index *index = l->index;
    size_t n = l->drafts.n, slots = table_size(n);
    if (n >= UINT32_MAX) return err_no_memory(err);
    if (n) qsort(l->drafts.p, n, sizeof *l->drafts.p, compare_drafts);
    index->budgets = mem_zalloc(n + 1, sizeof *index->budgets);
    index->groups = mem_zalloc(n + 1, sizeof *index->groups);
    index->slots = mem_zalloc(slots, sizeof *index->slots);
    index->tenants = mem_zalloc(slots, sizeof *index->tenants);
    index->slots_mask = index->tenants_mask = slots - 1;
    if (!index->budgets || !index->groups || !index->slots || !index->tenants) return err_no_memory(err);
    fill(index, l->drafts.p, n);
    return true;
}

struct quota_index *quota_index_ref(struct quota_index *index) {
    atom_add_relaxed(&index->refs, 1);
    return index;
}

void quota_index_unref(struct quota_index *index) {
    if (!index || atom_sub(&index->refs, 1) != 0) return;
    for (size_t i = 0; i < index->n; i++) quota_counter_unref(index->budgets[i].counter);
    mem_free(index->budgets);
    mem_free(index->groups);
    mem_free(index->slots);
    mem_free(index->tenants);
    arena_free(&index->arena);
    mem_free(index);
}

static bool index_create(uint64_t seed, struct quota_index **out_index, struct err *err) {
    struct quota_index *index = mem_zalloc(1, sizeof *index);
    if (!index) return err_no_memory(err);
    index->refs = 1;
    index->seed = seed;
    arena_init(&index->arena, NULL, 0, SIZE_MAX / 2);
    *out_index = index;
    return true;
}

// --- The process's budgets ----------------------------------------------------------------------------------------

bool quota_create(struct quota **out_quota, struct err *err) {
    struct quota *q = mem_zalloc(1, sizeof *q);
    if (!q) return err_no_memory(err);
    struct loading empty = {.quota = q};
    q->seed = rand_u64();
    mutex_init(&q->lock);
    mutex_init(&q->load_lock);
    if (!index_create(q->seed, &empty.index, err) || !build(&empty, err)) {
        quota_index_unref(empty.index);
        quota_free(q);
        return false;
    }
    q->index = empty.index;
    q->generation = 1;
    *out_quota = q;
    return true;
}

void quota_free(struct quota *q) {
    if (!q) return;
    quota_index_unref(q->index);
    for (struct quota_zone *z = q->zones, *next; z; z = next) {
        next = z->next;
        zone_free(z->zone);
        mem_free(z);
    }
    mutex_free(&q->lock);
    mutex_free(&q->load_lock);
    mem_free(q);
}

struct quota_index *quota_current(struct quota *quota, uint64_t *out_generation) {
    mutex_lock(&quota->lock);
    struct quota_index *index = quota_index_ref(quota->index);
    *out_generation = quota->generation;
    mutex_unlock(&quota->lock);
    return index;
}

static void put_in_force(struct quota *q, struct quota_index *index) {
    mutex_lock(&q->lock);
    struct quota_index *old = q->index;
    q->index = index;
    atom_store(&q->generation, q->generation + 1);
    mutex_unlock(&q->lock);
    quota_index_unref(old);
}

bool quota_load(struct quota *q, struct sql *db, int64_t now_ns, uint64_t *out_damaged, struct err *err) {
    struct loading l = {.quota = q};
    uint64_t edits, damaged = 0;
    mutex_lock(&q->load_lock);
    bool ok = index_create(q->seed, &l.index, err) && budget_edits(db, &edits, err) &&
              budget_each(db, add_row, &l, &damaged, err) && make_counters(&l, db, now_ns, err) && build(&l, err);
    if (ok) {
        atom_store(&q->edits, edits);
        put_in_force(q, l.index);
        *out_damaged = damaged + l.damaged;
    } else {
        for (size_t i = 0; i < l.drafts.n; i++) quota_counter_unref(l.drafts.p[i].counter);
        quota_index_unref(l.index);
    }
    vec_free(&l.drafts);
    mutex_unlock(&q->load_lock);
    return ok;
}

bool quota_edited(struct quota *quota, struct sql *db, bool *out_edited, struct err *err) {
    uint64_t edits;
    if (!budget_edits(db, &edits, err)) return false;
    *out_edited = edits != atom_load(&quota->edits);
    return true;
}

size_t quota_count(struct quota *quota) {
    uint64_t generation;
    struct quota_index *index = quota_current(quota, &generation);
    size_t n = index->n;
    quota_index_unref(index);
    return n;
}
