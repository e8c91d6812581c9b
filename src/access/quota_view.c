// How budgets stand: their windows looked at, capped by shares, and told what all nodes have used.
#include "access/quota_impl.h"

#include "base/mem.h"

static struct quota_window *window_of(const struct quota_part *part) {
    return quota_window_find(part->budget->counter, part->window);
}

bool quota_part_state(const struct quota_part *part, struct quota_state *out_state) {
    const struct quota_window *w = window_of(part);
    if (!w) return false;
    uint64_t used = quota_window_used(w), settled = atom_load_relaxed(&w->settled);
    *out_state = (struct quota_state){.start = (int64_t)atom_load_relaxed(&w->start),
                                      .end = (int64_t)atom_load_relaxed(&w->end),
                                      .limit = part->budget->limit,
                                      .used = used,
                                      .settled = settled,
                                      .cap = atom_load_relaxed(&w->cap),
                                      .all_used = quota_window_settled(w),
                                      .all_reserved = atom_load_relaxed(&w->all_reserved)};
    return true;
}

uint64_t quota_part_shown(const struct quota_part *part) {
    const struct quota_window *w = window_of(part);
    return w ? quota_window_used(w) + atom_load_relaxed(&w->beyond) : 0;
}

void quota_cap(const struct quota_part *part, uint64_t cap) {
    struct quota_window *w = window_of(part);
    if (w) atom_store_relaxed(&w->cap, cap);
}

void quota_sync(const struct quota_part *part, uint64_t used) {
    struct quota_window *w = window_of(part);
    if (!w) return;
    // What others have under way ends without a word when they cannot be heard any more: it is shown, not held.
    if (part->budget->metric == BUDGET_CONCURRENCY) {
        uint64_t own = quota_window_used(w);
        atom_store_relaxed(&w->beyond, used > own ? used - own : 0);
        return;
    }
    atom_store_relaxed(&w->used, used);
    atom_store_relaxed(&w->beyond, 0);
}

void quota_heard(const struct quota_part *part, uint64_t used, uint64_t reserved) {
    struct quota_window *w = window_of(part);
    if (!w) return;
    atom_store_relaxed(&w->all_used, used);
    atom_store_relaxed(&w->all_reserved, reserved);
    if (atom_load_relaxed(&w->cap) == QUOTA_NO_CAP) return;
    uint64_t own = atom_load_relaxed(&w->settled);
    atom_store_relaxed(&w->beyond, used > own ? used - own : 0);
}

void quota_others(const struct quota_part *part, uint64_t used) {
    struct quota_window *w = window_of(part);
    if (w) atom_store_relaxed(&w->beyond, used);
}

#define STIRS_ROUNDS 5 // what is settled at the end may come a little later
#define STIRS_AT_TIMES 10

bool quota_stirs(const struct quota_part *part) {
    struct quota_window *w = window_of(part);
    if (!w) return false;
    uint64_t sum = atom_load_relaxed(&w->used) + atom_load_relaxed(&w->settled);
    bool moved = sum != atom_load_relaxed(&w->looked);
    uint64_t quiet = moved ? 0 : atom_load_relaxed(&w->quiet) + 1;
    atom_store_relaxed(&w->looked, sum);
    atom_store_relaxed(&w->quiet, quiet);
    return sum && (quiet < STIRS_ROUNDS || quiet % STIRS_AT_TIMES == 0);
}

// --- what is told to others ---

static struct quota_window *pinned(const struct quota_pin *pin) { return quota_window_find(pin->counter, pin->window); }

struct quota_pin quota_pin(const struct quota_part *part) {
    return (struct quota_pin){.counter = quota_counter_ref(part->budget->counter), .window = part->window};
}

static void add_untold(struct quota_pin *pin, uint64_t delta) {
    struct quota_window *w = pinned(pin);
    if (w && delta) atom_add_relaxed(&w->untold, delta);
    pin->untold += delta;
}

void quota_pin_settled(struct quota_pin *pin, uint64_t amount) { add_untold(pin, amount); }

void quota_unpin(struct quota_pin *pin) {
    add_untold(pin, 0 - pin->untold);
    quota_counter_unref(pin->counter);
    pin->counter = NULL;
}

uint64_t quota_pin_told(const struct quota_pin *pin) {
    const struct quota_window *w = pinned(pin);
    uint64_t untold = w ? atom_load_relaxed(&w->untold) : 0, settled = w ? atom_load_relaxed(&w->settled) : 0;
    return settled > untold ? settled - untold : 0;
}

// --- lists ---

// Budgets lie by tenant: the first of this one or a later one.
static size_t first_of(const struct quota_index *index, int64_t tenant) {
    size_t low = 0, high = index->n;
    while (low < high) {
        size_t at = low + (high - low) / 2;
        if (index->budgets[at].tenant_id < tenant)
            low = at + 1;
        else
            high = at;
    }
    return low;
}

bool quota_list(struct quota *quota, int64_t tenant, int64_t now_ns, struct quota_list *out_list, struct err *err) {
    uint64_t generation;
    struct quota_index *index = quota_current(quota, &generation);
    size_t first = tenant ? first_of(index, tenant) : 0, end = tenant ? first_of(index, tenant + 1) : index->n, n = 0;
    struct quota_part *parts = mem_alloc((2 * (end - first) + 1) * sizeof *parts);
    if (!parts) {
        quota_index_unref(index);
        return err_no_memory(err);
    }
    for (size_t i = first; i < end; i++) {
        const struct quota_budget *b = &index->budgets[i];
        uint64_t number = quota_counter_window(b->counter, now_ns);
        if (!tenant && number > QUOTA_WINDOWS) parts[n++] = (struct quota_part){.budget = b, .window = number - 1};
        parts[n++] = (struct quota_part){.budget = b, .window = number};
    }
    *out_list = (struct quota_list){.index = index, .parts = parts, .n = n};
    return true;
}

void quota_list_free(struct quota_list *list) {
    quota_index_unref(list->index);
    mem_free(list->parts);
    *list = (struct quota_list){0};
}
