// Counters: which window is the current one, and the turn to the next.
#include "access/quota_impl.h"

#include "base/mem.h"
#include "os/clock.h"

void quota_period(const struct zone *zone, enum budget_period period, int64_t created_at, int64_t at_ns,
                  int64_t *out_start, int64_t *out_end) {
    static const enum zone_period periods[] = {
        [BUDGET_MINUTE] = ZONE_MINUTE, [BUDGET_HOUR] = ZONE_HOUR, [BUDGET_DAY] = ZONE_DAY, [BUDGET_MONTH] = ZONE_MONTH};
    int64_t start, end, second = (int64_t)NS_PER_SEC;
    if (period == BUDGET_TOTAL) {
        *out_start = created_at;
        *out_end = INT64_MAX;
        return;
    }
    zone_period(zone, periods[period], at_ns / second - (at_ns % second < 0), &start, &end);
    *out_start = start * second;
    *out_end = end * second;
}

static void period_of(const struct quota_counter *c, int64_t now_ns, int64_t *out_start, int64_t *out_end) {
    quota_period(c->zone, c->forever ? BUDGET_TOTAL : c->period, c->created_at, now_ns, out_start, out_end);
}

// settled, told: what it begins with.
static void window_begin(struct quota_window *w, int64_t start, int64_t end, uint64_t settled, uint64_t told) {
    atom_store_relaxed(&w->start, (uint64_t)start);
    atom_store_relaxed(&w->end, (uint64_t)end);
    atom_store_relaxed(&w->used, settled);
    atom_store_relaxed(&w->settled, settled);
    atom_store_relaxed(&w->cap, QUOTA_NO_CAP);
    atom_store_relaxed(&w->told, told);
    atom_store_relaxed(&w->refused, 0);
    atom_store_relaxed(&w->saved, 0);
    atom_store_relaxed(&w->all_used, 0);
    atom_store_relaxed(&w->all_reserved, 0);
    atom_store_relaxed(&w->beyond, 0);
    atom_store_relaxed(&w->untold, 0);
    atom_store_relaxed(&w->looked, 0);
    atom_store_relaxed(&w->quiet, 0);
}

bool quota_counter_create(const struct zone *zone, const struct budget_row *row, int64_t now_ns,
                          struct quota_counter **out_counter) {
    int64_t start, end;
    struct quota_counter *c = mem_zalloc(1, sizeof *c);
    if (!c) return false;
    c->refs = 1;
    c->zone = zone;
    c->period = row->period;
    c->forever = row->period == BUDGET_TOTAL;
    c->created_at = row->metric == BUDGET_CONCURRENCY ? 0 : row->created_at;
    c->number = QUOTA_WINDOWS;
    period_of(c, now_ns, &start, &end);
    window_begin(quota_window_at(c, c->number), start, end, 0, 0);
    *out_counter = c;
    return true;
}

struct quota_counter *quota_counter_ref(struct quota_counter *counter) {
    atom_add_relaxed(&counter->refs, 1);
    return counter;
}

void quota_counter_unref(struct quota_counter *counter) {
    if (counter && atom_sub(&counter->refs, 1) == 0) mem_free(counter);
}

static inline bool has_ended(const struct quota_window *w, int64_t now_ns) {
    int64_t start = (int64_t)atom_load_relaxed(&w->start), end = (int64_t)atom_load_relaxed(&w->end);
    if (LIKELY(now_ns >= start)) return now_ns >= end;
    // A request from just before the turn counts in the new window; a clock that was put back by more turns back.
    return end != INT64_MAX && now_ns < start - (end - start);
}

// Only a clock that was put back, or forth and back, makes a period come again: it goes on with what it had used; one
// that is not remembered, with what the present one has.
static void turn_to(struct quota_counter *c, int64_t now_ns, uint64_t number) {
    const struct quota_window *from = NULL, *present = quota_window_at(c, number);
    int64_t start, end;
    period_of(c, now_ns, &start, &end);
    if (start < (int64_t)present->start) from = present;
    for (uint64_t i = 1; i <= QUOTA_LATE && number - i >= QUOTA_WINDOWS; i++)
        if ((int64_t)quota_window_at(c, number - i)->start == start) from = quota_window_at(c, number - i);
    uint64_t settled = from ? atom_load_relaxed(&from->settled) : 0, told = from ? atom_load_relaxed(&from->told) : 0;
    window_begin(quota_window_at(c, number + 1), start, end, settled, told);
}

#define TURN_SPINS 4096

// One thread prepares the next window, the others wait for it some microseconds; should that one be held up, they
// rather count in the old window.
COLD static uint64_t turn(struct quota_counter *c, int64_t now_ns, uint64_t number) {
    uint64_t idle = 0;
    if (__atomic_compare_exchange_n(&c->turning, &idle, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        number = atom_load(&c->number);
        if (has_ended(quota_window_at(c, number), now_ns)) {
            turn_to(c, now_ns, number);
            atom_store(&c->number, ++number);
        }
        atom_store(&c->turning, 0);
        return number;
    }
    for (unsigned i = 0; i < TURN_SPINS && atom_load(&c->number) == number; i++) __asm__ volatile("" ::: "memory");
    return atom_load(&c->number);
}

uint64_t quota_counter_window(struct quota_counter *counter, int64_t now_ns) {
    uint64_t number = atom_load(&counter->number);
    if (LIKELY(!has_ended(quota_window_at(counter, number), now_ns))) return number;
    return turn(counter, now_ns, number);
}
