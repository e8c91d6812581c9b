// Shares of budgets: fetched when wanted, with what was used reported on the way; given back when idle.
//
// A counter of this process may count up to `base + granted`: what it had counted when the first share was taken, and
// what was granted since. In Redis the share is what was granted and not yet reported as used.
#include "gateway/quota_share.h"

#include "base/map.h"
#include "base/mem.h"
#include "gateway/quota_redis_internal.h"
#include "os/clock.h"
#include "os/rand.h"
#include "os/thread.h"

#include <stdio.h>

#define SHARES_MAX 4096
#define DEMANDS_MAX 1024 // under way to the loop
#define DIVISOR 8        // a share is this part of what is left
#define TICK_MS 500
#define IDLE_TICKS 4 // without use: the share goes back
#define RENEW_TICKS 10
#define SWEEP_TICKS 20
#define DROP_TICKS 120
#define LATE_NS (INT64_C(15) * (int64_t)NS_PER_SEC) // after the period's end: what is settled late is reported
#define AGAIN_NS (5 * NS_PER_MS)                    // one budget is not asked for more often
#define USED_UP_NS (100 * NS_PER_MS)                // nothing was left: asked again after this
#define SLOTS 1024
#define NUMBER_MAX 24

struct share {
    struct quota_share *all;
    struct quota_grant pin; // keeps the budget alive
    unsigned part;
    struct redis_call *call;
    uint64_t base, granted, reported;
    uint64_t number;             // of the question
    uint64_t report, back, want; // of the question under way, or to be asked again
    uint64_t next_want;
    uint64_t last_used;
    unsigned idle, quiet;
    bool again; // it had no answer
    struct str keys[4];
    char id[40];
    char text[4 * QUOTA_KEY_MAX];
};

struct quota_share {
    struct loop *loop;
    struct redis *redis;
    struct quota_redis *q;
    struct quota_seat seat;
    struct map shares; // counter key → share
    struct timer timer;
    uint64_t next_id;
    bool stopped;
    uint64_t demands;           // under way
    uint64_t asked_at[SLOTS];   // by budget: monotonic ns of the last demand
    uint64_t used_up[SLOTS];    // likewise: which one had nothing left,
    uint64_t used_up_at[SLOTS]; // and when that was
};

static size_t slot_of(const struct quota_budget *b) { return (size_t)((uint64_t)b->id * 0x9e3779b97f4a7c15u >> 54); }

// --- asking Redis ---

static uint64_t minus(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

static void set_cap(struct share *s) {
    struct quota_state state;
    const struct quota_part *part = &s->pin.parts[s->part];
    if (!quota_part_state(part, &state)) return;
    // More was used than was granted: requests that needed more than was reserved, or a time without Redis.
    if (state.used > s->base + s->granted) s->granted = state.used - s->base;
    quota_cap(part, s->base + s->granted);
}

static void note_left(struct share *s, bool some) {
    const struct quota_budget *b = s->pin.parts[s->part].budget;
    size_t slot = slot_of(b);
    atom_store_relaxed(&s->all->used_up[slot], some ? 0 : (uint64_t)b->id);
    atom_store_relaxed(&s->all->used_up_at[slot], clock_mono_ns());
}

static void send(struct share *s);

static void on_share(void *ctx, const struct resp *reply, const struct err *err) {
    struct share *s = ctx;
    (void)err;
    s->call = NULL;
    if (!reply || reply->type != RESP_ARRAY || reply->n < 4 || reply->items[0].type != RESP_INT) {
        s->again = true; // with the same number: should it have been carried out, it is only answered
        return;
    }
    uint64_t grant = (uint64_t)MAX(reply->items[0].integer, (int64_t)0);
    s->again = false;
    s->number++;
    s->reported += s->report;
    s->granted += grant;
    quota_others(&s->pin.parts[s->part], minus((uint64_t)MAX(reply->items[1].integer, (int64_t)0), s->reported));
    if (s->want) note_left(s, grant != 0);
    s->report = s->back = s->want = 0;
    set_cap(s);
    if (s->next_want && !s->all->stopped) send(s);
}

static struct str number_text(char out[NUMBER_MAX], uint64_t v) {
    return str_of(out, (size_t)snprintf(out, NUMBER_MAX, "%llu", (unsigned long long)v));
}

static void send(struct share *s) {
    struct quota_share *all = s->all;
    const struct quota_part *part = &s->pin.parts[s->part];
    struct quota_state state;
    char digits[9][NUMBER_MAX];
    struct err err;
    if (s->call || !quota_part_state(part, &state)) return;
    if (!s->again) {
        s->report = minus(state.settled, s->reported);
        s->want = s->next_want;
        s->next_want = 0;
    }
    struct str args[14] = {s->keys[0],
                           s->keys[1],
                           s->keys[2],
                           s->keys[3],
                           str_c(s->id),
                           number_text(digits[0], QUOTA_HELD_TTL_MS),
                           number_text(digits[1], MIN(state.limit, UINT64_C(1) << 53)),
                           number_text(digits[2], (uint64_t)quota_expiry(state.end)),
                           number_text(digits[3], s->reported),
                           number_text(digits[4], s->report),
                           number_text(digits[5], s->back),
                           number_text(digits[6], s->want),
                           number_text(digits[7], DIVISOR),
                           number_text(digits[8], s->number)};
    const struct redis_wish wish = {.fn = on_share, .ctx = s};
    s->quiet = 0;
    s->again =
        !redis_eval(all->redis, &all->q->scripts[QUOTA_SCRIPT_LEASE], args, 4, ARRAY_LEN(args), &wish, &s->call, &err);
}

// --- shares ---

static bool set_keys(struct share *s, const struct quota_state *state) {
    static const char *const names[] = {"due", "held", "swept"};
    const struct quota_budget *b = s->pin.parts[s->part].budget;
    struct buf text = BUF_INIT(sizeof s->text);
    size_t ends[4];
    for (size_t i = 0; i < 3; i++) {
        quota_put_key(&text, str_c(s->all->q->prefix), b->tenant_id, names[i]);
        ends[i] = text.n;
    }
    quota_put_counter_key(&text, str_c(s->all->q->prefix), b, state->start);
    ends[3] = text.n;
    bool ok = !text.failed;
    if (ok) memcpy(s->text, text.p, text.n);
    for (size_t i = 0, from = 0; ok && i < 4; from = ends[i++]) s->keys[i] = str_of(s->text + from, ends[i] - from);
    buf_free(&text);
    return ok;
}

static void share_free(struct share *s) {
    if (s->call) redis_forget(s->call);
    quota_close(&s->pin);
    mem_free(s);
}

static struct share *share_new(struct quota_share *all, const struct quota_subject *subject,
                               const struct quota_ask *ask, int64_t now_ns, unsigned part) {
    struct quota_state state;
    struct share *s = all->shares.n < SHARES_MAX ? mem_zalloc(1, sizeof *s) : NULL;
    if (!s) return NULL;
    s->all = all;
    s->part = part;
    bool ok = quota_match(&all->seat, subject, ask, now_ns, &s->pin) && part < s->pin.n &&
              s->pin.n <= QUOTA_GRANT_MAX && quota_part_state(&s->pin.parts[part], &state) && set_keys(s, &state);
    if (ok) {
        s->base = state.used;
        s->reported = state.settled;
        s->last_used = state.used;
        s->number = 1;
        snprintf(s->id, sizeof s->id, "%s.%llx", all->q->node, (unsigned long long)++all->next_id);
        ok = map_put(&all->shares, s->keys[3], s);
    }
    if (ok) return s;
    share_free(s);
    return NULL;
}

static struct share *share_find(struct quota_share *all, const struct quota_part *part) {
    struct quota_state state;
    if (!quota_part_state(part, &state)) return NULL;
    buf_clear(&all->q->keys);
    quota_put_counter_key(&all->q->keys, str_c(all->q->prefix), part->budget, state.start);
    return map_get(&all->shares, buf_str(&all->q->keys));
}

// --- demands of other loops ---

struct demand {
    struct task task; // first
    struct quota_share *all;
    struct quota_subject subject;
    struct quota_ask ask;
    int64_t now_ns;
    struct str tags[QUOTA_TAGS_MAX];
    char text[];
};

// Budgets were changed: the share goes by what its budget says now.
static void renew_pin(struct share *s, const struct demand *d, unsigned part) {
    struct quota_grant pin;
    if (!quota_match(&s->all->seat, &d->subject, &d->ask, d->now_ns, &pin)) return;
    if (part >= pin.n || pin.n > QUOTA_GRANT_MAX || pin.parts[part].budget->id != s->pin.parts[s->part].budget->id) {
        quota_close(&pin);
        return;
    }
    quota_close(&s->pin);
    s->pin = pin;
    s->part = part;
}

static void want(struct quota_share *all, const struct demand *d, const struct quota_grant *grant, unsigned i) {
    const struct quota_part *part = &grant->parts[i];
    struct share *s = share_find(all, part);
    if (quota_limit_of(part->budget, d->subject.model) < 0) return;
    if (!s)
        s = share_new(all, &d->subject, &d->ask, d->now_ns, i);
    else if (s->pin.hold != grant->hold)
        renew_pin(s, d, i);
    if (!s) {
        quota_cap(part, QUOTA_NO_CAP); // too many: counted here alone
        return;
    }
    s->next_want = MAX(s->next_want, MAX(part->amount, (uint64_t)1));
    set_cap(s);
    send(s);
}

static void take_demand(struct task *task) {
    struct demand *d = (struct demand *)task;
    struct quota_share *all = d->all;
    struct quota_grant grant;
    atom_sub(&all->demands, 1);
    if (!all->stopped && quota_match(&all->seat, &d->subject, &d->ask, d->now_ns, &grant)) {
        for (unsigned i = 0; i < MIN(grant.n, (unsigned)QUOTA_GRANT_MAX); i++) want(all, d, &grant, i);
        quota_close(&grant);
    }
    mem_free(d);
}

static char *copy_text(char *at, struct str from, struct str *out) {
    if (from.n) memcpy(at, from.p, from.n);
    *out = str_of(at, from.n);
    return at + from.n;
}

static void demand(struct quota_share *all, const struct quota_subject *subject, const struct quota_ask *ask,
                   int64_t now_ns) {
    size_t n = subject->model.n, n_tags = MIN(subject->n_tags, (size_t)QUOTA_TAGS_MAX);
    for (size_t i = 0; i < n_tags; i++) n += subject->tags[i].n;
    struct demand *d = atom_load_relaxed(&all->demands) < DEMANDS_MAX ? mem_alloc(sizeof *d + n) : NULL;
    if (!d) return;
    *d = (struct demand){.task.fn = take_demand, .all = all, .subject = *subject, .ask = *ask, .now_ns = now_ns};
    char *at = copy_text(d->text, subject->model, &d->subject.model);
    for (size_t i = 0; i < n_tags; i++) at = copy_text(at, subject->tags[i], &d->tags[i]);
    d->subject.tags = d->tags;
    d->subject.n_tags = n_tags;
    atom_add(&all->demands, 1);
    loop_post(all->loop, &d->task);
}

// Little: less than this request needs, or less than some more of its kind would.
static bool is_little(const struct quota_part *part, const struct quota_state *state) {
    uint64_t left = minus(state->cap, state->used);
    return left < part->amount || left / 4 < part->amount;
}

void quota_share_prepare(struct quota_share *all, const struct quota_subject *subject, const struct quota_ask *ask,
                         const struct quota_grant *grant, int64_t now_ns) {
    uint64_t now = clock_mono_ns();
    bool wanted = false;
    for (unsigned i = 0; i < MIN(grant->n, (unsigned)QUOTA_GRANT_MAX); i++) {
        const struct quota_part *part = &grant->parts[i];
        struct quota_state state;
        if (quota_limit_of(part->budget, subject->model) < 0 || !quota_part_state(part, &state)) continue;
        if (state.cap == QUOTA_NO_CAP) quota_cap(part, state.used);
        uint64_t *asked = &all->asked_at[slot_of(part->budget)];
        if (state.cap != QUOTA_NO_CAP && (!is_little(part, &state) || now - atom_load_relaxed(asked) < AGAIN_NS))
            continue;
        if (quota_share_used_up(all, part->budget)) continue;
        atom_store_relaxed(asked, now);
        wanted = true;
    }
    if (wanted) demand(all, subject, ask, now_ns);
}

bool quota_share_used_up(struct quota_share *all, const struct quota_budget *budget) {
    size_t slot = slot_of(budget);
    return atom_load_relaxed(&all->used_up[slot]) == (uint64_t)budget->id &&
           clock_mono_ns() - atom_load_relaxed(&all->used_up_at[slot]) < USED_UP_NS;
}

// --- upkeep ---

// Nobody uses it: others may. What is taken at this very moment is not given back.
static void give_back(struct share *s) {
    const struct quota_part *part = &s->pin.parts[s->part];
    struct quota_state state;
    if (s->call || s->again || !quota_part_state(part, &state)) return;
    quota_cap(part, state.used);
    if (!quota_part_state(part, &state)) return;
    s->back = minus(s->base + s->granted, state.used);
    s->granted -= s->back;
    set_cap(s);
}

// Past, or of no use for long: the next request makes it anew.
static bool is_over(const struct share *s, int64_t now_ns) {
    struct quota_state state;
    if (!quota_part_state(&s->pin.parts[s->part], &state)) return true;
    if (s->call || s->again || s->back) return false;
    if (s->idle > DROP_TICKS && state.settled == s->reported && s->base + s->granted <= state.used) return true;
    return state.end != INT64_MAX && now_ns > state.end + LATE_NS;
}

static void tick_share(struct share *s) {
    struct quota_state state;
    if (s->call || !quota_part_state(&s->pin.parts[s->part], &state)) return;
    bool moved = state.used != s->last_used || minus(state.settled, s->reported);
    s->last_used = state.used;
    s->idle = moved ? 0 : s->idle + 1;
    if (s->idle >= IDLE_TICKS) give_back(s);
    // Renewed while anything is held; now and then asked about without, so that dead servers' shares are found.
    unsigned patience = s->base + s->granted > state.settled ? RENEW_TICKS : SWEEP_TICKS;
    if (s->again || s->back || moved || ++s->quiet >= patience) send(s);
}

static void on_tick(struct timer *timer) {
    struct quota_share *all = CONTAINER_OF(timer, struct quota_share, timer);
    const struct map_entry *e;
    struct share *over = NULL;
    int64_t now_ns = clock_unix_ns();
    timer_set(timer, TICK_MS);
    for (size_t it = 0; (e = map_next(&all->shares, &it));) {
        struct share *s = e->value;
        if (!over && is_over(s, now_ns))
            over = s; // one at a time: the map must not change meanwhile
        else
            tick_share(s);
    }
    if (!over) return;
    map_del(&all->shares, over->keys[3]);
    share_free(over);
    timer_set(timer, 1);
}

// --- life ---

bool quota_share_create(struct loop *loop, struct quota *quota, struct redis *redis, struct quota_redis *q,
                        struct quota_share **out_share, struct err *err) {
    struct quota_share *all = mem_zalloc(1, sizeof *all);
    if (!all) return err_no_memory(err);
    all->loop = loop;
    all->redis = redis;
    all->q = q;
    quota_seat_init(&all->seat, quota);
    map_init(&all->shares, rand_u64());
    timer_init(&all->timer, loop, on_tick);
    timer_set(&all->timer, TICK_MS);
    *out_share = all;
    return true;
}

void quota_share_stop(struct quota_share *all) {
    const struct map_entry *e;
    if (all->stopped) return;
    all->stopped = true;
    timer_stop(&all->timer);
    for (size_t it = 0; (e = map_next(&all->shares, &it));) {
        struct share *s = e->value;
        give_back(s);
        send(s);
    }
}

void quota_share_free(struct quota_share *all) {
    const struct map_entry *e;
    if (!all) return;
    timer_stop(&all->timer);
    for (size_t it = 0; (e = map_next(&all->shares, &it));) {
        struct share *s = e->value;
        s->call = NULL; // the client is stopped: it has none
        share_free(s);
    }
    map_free(&all->shares);
    quota_seat_free(&all->seat);
    mem_free(all);
}
