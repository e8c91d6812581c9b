// Reservations in Redis: asked for, renewed, settled until that is acknowledged.
#include "gateway/quota_redis_internal.h"

#include "base/hash.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/rand.h"

#include <stdio.h>

#define KEYS_OF_TENANT 3
#define NUMBER_MAX 24 // digits, and some
#define AMOUNT_MAX (UINT64_C(1) << 53)
#define RENEW_BATCH 64
#define RESEND_MS 200

enum held_state {
    HELD_ASKED,    // its answer is awaited
    HELD_LIVE,     // the request goes on: reserved, or perhaps
    HELD_SETTLING, // sent
    HELD_WAITING,  // to be settled once Redis is there
};

struct held_part {
    struct str key;        // in text
    uint64_t amount, used; // used: of all, as Redis said; then what is settled
    struct quota_pin pin;
    int64_t limit, expires;
    enum budget_metric metric;
};

struct quota_held {
    struct quota_held *next, *prev;
    struct quota_redis *q;
    struct redis_call *call; // under way; NULL when none is
    quota_redis_fn *fn;      // NULL: nobody waits for the answer
    void *ctx;
    size_t cap; // of its own memory
    int64_t tenant;
    uint64_t asked_ms;
    uint8_t state;
    bool force;
    bool sent, refused; // the question was; the answer was no
    unsigned n, refuser;
    uint64_t refuser_used;
    struct str keys[KEYS_OF_TENANT];
    char id[40];
    struct held_part parts[];
};

// --- names ---

void quota_put_key(struct buf *out, struct str prefix, int64_t tenant, const char *name) {
    buf_printf(out, "%.*squota:{%lld}:%s", STR_ARG(prefix), (long long)tenant, name);
}

// With all that makes it another counter when it is changed.
void quota_put_counter_key(struct buf *out, struct str prefix, const struct quota_budget *b, int64_t start) {
    quota_put_key(out, prefix, b->tenant_id, "");
    buf_printf(out, "%lld:%u.%u.%u.%lld.%x:%lld", (long long)b->id, (unsigned)b->metric, (unsigned)b->period,
               (unsigned)b->scope, (long long)b->scope_id, (unsigned)crc32c(0, b->scope_text.p, b->scope_text.n),
               (long long)(start / (int64_t)NS_PER_SEC));
}

int64_t quota_expiry(int64_t end) { return end == INT64_MAX ? 0 : end / (int64_t)NS_PER_MS + QUOTA_GRACE_MS; }

// As quota_take: what only notifies never refuses, nor does a budget the model that it sends requests to.
int64_t quota_limit_of(const struct quota_budget *b, struct str model) {
    if (b->action == BUDGET_NOTIFY || (b->action == BUDGET_DOWNGRADE && str_eq(b->downgrade_to, model))) return -1;
    return (int64_t)MIN(b->limit, AMOUNT_MAX);
}

// --- the list ---

static void list_add(struct quota_redis *q, struct quota_held *h) {
    h->prev = q->last;
    *(q->last ? &q->last->next : &q->first) = h;
    q->last = h;
    q->n_held++;
}

static void held_free(struct quota_held *h) {
    struct quota_redis *q = h->q;
    *(h->prev ? &h->prev->next : &q->first) = h->next;
    *(h->next ? &h->next->prev : &q->last) = h->prev;
    if (h->state == HELD_WAITING) q->n_waiting--;
    q->n_held--;
    if (h->call) redis_forget(h->call);
    for (unsigned i = 0; i < h->n; i++) quota_unpin(&h->parts[i].pin);
    pool_put(loop_pool(q->loop), h, h->cap);
}

static void put_keys(struct quota_redis *q, const struct quota_grant *grant, const struct quota_state *states,
                     size_t ends[KEYS_OF_TENANT + QUOTA_GRANT_MAX]) {
    static const char *const names[KEYS_OF_TENANT] = {"due", "held", "swept"};
    size_t k = 0;
    buf_clear(&q->keys);
    for (; k < KEYS_OF_TENANT; k++) {
        quota_put_key(&q->keys, str_c(q->prefix), grant->parts[0].budget->tenant_id, names[k]);
        ends[k] = q->keys.n;
    }
    for (unsigned i = 0; i < grant->n; i++) {
        quota_put_counter_key(&q->keys, str_c(q->prefix), grant->parts[i].budget, states[i].start);
        ends[k++] = q->keys.n;
    }
}

static struct quota_held *held_new(struct quota_redis *q, const struct quota_grant *grant, struct str model) {
    struct quota_state states[QUOTA_GRANT_MAX];
    size_t ends[KEYS_OF_TENANT + QUOTA_GRANT_MAX], cap;
    for (unsigned i = 0; i < grant->n; i++)
        if (!quota_part_state(&grant->parts[i], &states[i])) return NULL;
    put_keys(q, grant, states, ends);
    size_t fixed = sizeof(struct quota_held) + grant->n * sizeof(struct held_part);
    struct quota_held *h = q->keys.failed ? NULL : pool_get(loop_pool(q->loop), fixed + q->keys.n, &cap);
    if (!h) return NULL;
    *h = (struct quota_held){.q = q,
                             .cap = cap,
                             .tenant = grant->parts[0].budget->tenant_id,
                             .n = grant->n,
                             .asked_ms = loop_now_ms(q->loop)};
    char *text = (char *)h + fixed;
    memcpy(text, q->keys.p, q->keys.n);
    for (size_t k = 0, from = 0; k < KEYS_OF_TENANT + grant->n; from = ends[k++]) {
        struct str key = str_of(text + from, ends[k] - from);
        if (k < KEYS_OF_TENANT)
            h->keys[k] = key;
        else
            h->parts[k - KEYS_OF_TENANT].key = key;
    }
    for (unsigned i = 0; i < grant->n; i++) {
        const struct quota_part *p = &grant->parts[i];
        h->parts[i] = (struct held_part){.key = h->parts[i].key,
                                         .amount = MIN(p->amount, AMOUNT_MAX),
                                         .pin = quota_pin(p),
                                         .limit = quota_limit_of(p->budget, model),
                                         .expires = quota_expiry(states[i].end),
                                         .metric = p->budget->metric};
    }
    snprintf(h->id, sizeof h->id, "%s-%llx", q->node, (unsigned long long)++q->next_id);
    list_add(q, h);
    return h;
}

// --- what is sent ---

#define ARGS_MAX (KEYS_OF_TENANT + 2 + QUOTA_GRANT_MAX * 6)
struct args {
    struct str v[ARGS_MAX];
    size_t n, n_keys;
    char digits[QUOTA_GRANT_MAX * 5 + 2][NUMBER_MAX];
    size_t n_digits;
};

static void add_number(struct args *a, int64_t v) {
    char *p = a->digits[a->n_digits++];
    int n = snprintf(p, NUMBER_MAX, "%lld", (long long)v);
    a->v[a->n++] = str_of(p, (size_t)n);
}

// What the counter begins with where it is not there, or not any more: what comes to it by itself is no part of it.
static void add_seed(struct args *a, const struct held_part *p) {
    add_number(a, (int64_t)MIN(quota_pin_told(&p->pin), AMOUNT_MAX));
}

static void add_keys(struct args *a, const struct quota_held *h) {
    a->n = a->n_digits = 0;
    for (size_t k = 0; k < KEYS_OF_TENANT; k++) a->v[a->n++] = h->keys[k];
    for (unsigned i = 0; i < h->n; i++) a->v[a->n++] = h->parts[i].key;
    a->n_keys = a->n;
}

static bool send_args(struct quota_held *h, enum quota_script script, const struct args *a, redis_fn *fn,
                      uint64_t timeout_ms) {
    const struct redis_wish wish = {.fn = fn, .ctx = h, .timeout_ms = timeout_ms};
    struct err err;
    return redis_eval(h->q->redis, &h->q->scripts[script], a->v, a->n_keys, a->n, &wish, &h->call, &err);
}

// --- asking ---

static bool read_yes(struct quota_held *h, const struct resp *reply) {
    if (reply->n != h->n + 1) return false;
    for (unsigned i = 0; i < h->n; i++) h->parts[i].used = (uint64_t)MAX(reply->items[i + 1].integer, (int64_t)0);
    return true;
}

static enum quota_answer read_answer(struct quota_held *h, const struct resp *reply) {
    if (!reply || reply->type != RESP_ARRAY || reply->n < 2 || reply->items[0].type != RESP_INT)
        return QUOTA_ANSWER_UNKNOWN;
    int64_t which = reply->items[0].integer;
    if (which == 0) return read_yes(h, reply) ? QUOTA_ANSWER_YES : QUOTA_ANSWER_UNKNOWN;
    if (which < 0 || which > (int64_t)h->n) return QUOTA_ANSWER_UNKNOWN;
    h->refuser = (unsigned)which - 1;
    h->refuser_used = (uint64_t)MAX(reply->items[1].integer, (int64_t)0);
    h->refused = true;
    return QUOTA_ANSWER_NO;
}

static void on_answer(void *ctx, const struct resp *reply, const struct err *err) {
    struct quota_held *h = ctx;
    (void)err;
    h->call = NULL;
    h->state = HELD_LIVE;
    quota_redis_fn *fn = h->fn;
    enum quota_answer answer = read_answer(h, reply);
    h->fn = NULL;
    if (fn) fn(h->ctx, answer);
}

static void resend(struct quota_redis *q);

bool quota_redis_ask(struct quota_redis *q, const struct quota_grant *grant, struct str model, uint64_t timeout_ms,
                     quota_redis_fn *fn, void *ctx, struct quota_held **out_held) {
    struct args a;
    if (q->n_waiting) resend(q); // what was used counts before what is asked for
    struct quota_held *h = grant->n && grant->n <= QUOTA_GRANT_MAX ? held_new(q, grant, model) : NULL;
    *out_held = h;
    if (!h) return false;
    add_keys(&a, h);
    a.v[a.n++] = str_c(h->id);
    add_number(&a, QUOTA_HELD_TTL_MS);
    for (unsigned i = 0; i < h->n; i++) {
        const struct held_part *p = &h->parts[i];
        add_number(&a, (int64_t)p->amount);
        add_number(&a, p->limit);
        add_number(&a, p->expires);
        add_seed(&a, p);
        a.v[a.n++] = p->metric == BUDGET_CONCURRENCY ? STR("1") : STR("0");
    }
    h->state = HELD_LIVE;
    if (!send_args(h, QUOTA_SCRIPT_RESERVE, &a, on_answer, timeout_ms)) return false;
    h->state = HELD_ASKED;
    h->sent = true;
    h->fn = fn;
    h->ctx = ctx;
    return true;
}

unsigned quota_held_refuser(const struct quota_held *held, uint64_t *out_used) {
    *out_used = held->refuser_used;
    return held->refuser;
}

uint64_t quota_held_used(const struct quota_held *held, unsigned part) { return held->parts[part].used; }

// --- settling ---

static void wait_again(struct quota_held *h) {
    struct quota_redis *q = h->q;
    if (q->n_waiting >= QUOTA_WAIT_MAX) { // Redis will take what was reserved as used
        q->n_dropped++;
        held_free(h);
        return;
    }
    h->state = HELD_WAITING;
    q->n_waiting++;
    timer_set(&q->timer, RESEND_MS);
}

// What is wrong with the command or the data stays so; other refusals (READONLY, LOADING, CLUSTERDOWN …) pass.
static bool is_final(const struct err *err) {
    static const struct str words[] = {STR_INIT("Redis: ERR "), STR_INIT("Redis: WRONGTYPE "),
                                       STR_INIT("Redis: NOPERM ")};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (err->code == ERR_UPSTREAM_STATUS && str_starts(str_c(err->message), words[i])) return true;
    return false;
}

static void on_settled(void *ctx, const struct resp *reply, const struct err *err) {
    struct quota_held *h = ctx;
    h->call = NULL;
    if (reply || is_final(err))
        held_free(h);
    else
        wait_again(h);
}

static bool send_settle(struct quota_held *h) {
    struct args a;
    add_keys(&a, h);
    a.v[a.n++] = str_c(h->id);
    a.v[a.n++] = h->force ? STR("1") : STR("0");
    for (unsigned i = 0; i < h->n; i++) {
        add_number(&a, (int64_t)h->parts[i].used);
        add_number(&a, h->parts[i].expires);
        add_seed(&a, &h->parts[i]);
    }
    return send_args(h, QUOTA_SCRIPT_SETTLE, &a, on_settled, 0);
}

static uint64_t used_of(enum budget_metric metric, const struct quota_ask *used) {
    uint64_t v = metric == BUDGET_REQUESTS ? used->requests
                 : metric == BUDGET_TOKENS ? used->tokens
                 : metric == BUDGET_COST   ? used->cost_nano
                                           : 0;
    return MIN(v, AMOUNT_MAX);
}

void quota_held_settle(struct quota_held *h, const struct quota_ask *used, bool force) {
    if (!h) return;
    if (h->refused || (!h->sent && !force)) { // nothing is known of it there
        held_free(h);
        return;
    }
    for (unsigned i = 0; i < h->n; i++) {
        h->parts[i].used = used_of(h->parts[i].metric, used);
        quota_pin_settled(&h->parts[i].pin, h->parts[i].used);
    }
    // Commands keep their order: the question, if it is still under way, is carried out first.
    if (h->call) redis_forget(h->call);
    h->call = NULL;
    h->fn = NULL;
    h->force = force;
    h->state = HELD_SETTLING;
    if (!send_settle(h)) wait_again(h);
}

void quota_held_refund(struct quota_held *h) { quota_held_settle(h, &(struct quota_ask){0}, false); }

// --- upkeep ---

static bool needs_renewal(const struct quota_held *h, uint64_t now_ms) {
    return h->state == HELD_LIVE && now_ms - h->asked_ms >= QUOTA_RENEW_MS / 2;
}

// One tenant's at a time: a script keeps to one tenant's keys.
static void renew(struct quota_redis *q) {
    uint64_t now_ms = loop_now_ms(q->loop);
    char ttl[NUMBER_MAX];
    struct err err;
    for (struct quota_held *h = q->first; h;) {
        struct str v[KEYS_OF_TENANT + 1 + RENEW_BATCH];
        size_t n = KEYS_OF_TENANT + 1;
        int64_t tenant = h->tenant;
        for (size_t k = 0; k < KEYS_OF_TENANT; k++) v[k] = h->keys[k];
        v[KEYS_OF_TENANT] = str_of(ttl, (size_t)snprintf(ttl, sizeof ttl, "%d", QUOTA_HELD_TTL_MS));
        for (; h && h->tenant == tenant && n < ARRAY_LEN(v); h = h->next)
            if (needs_renewal(h, now_ms)) v[n++] = str_c(h->id);
        const struct redis_wish wish = {0};
        if (n > KEYS_OF_TENANT + 1 &&
            !redis_eval(q->redis, &q->scripts[QUOTA_SCRIPT_RENEW], v, KEYS_OF_TENANT, n, &wish, NULL, &err))
            return;
    }
}

static void resend(struct quota_redis *q) {
    struct quota_held *next;
    for (struct quota_held *h = q->first; h; h = next) {
        next = h->next;
        if (h->state != HELD_WAITING) continue;
        if (!send_settle(h)) return;
        h->state = HELD_SETTLING;
        q->n_waiting--;
    }
}

static void on_timer(struct timer *timer) {
    struct quota_redis *q = CONTAINER_OF(timer, struct quota_redis, timer);
    resend(q);
    renew(q);
    timer_set(timer, q->n_waiting ? RESEND_MS : QUOTA_RENEW_MS);
}

// --- life ---

bool quota_redis_create(struct loop *loop, struct redis *redis, struct str prefix, struct quota_redis **out_q,
                        struct err *err) {
    struct quota_redis *q = mem_zalloc(1, sizeof *q);
    if (!q) return err_no_memory(err);
    q->loop = loop;
    q->redis = redis;
    buf_init(&q->keys, (KEYS_OF_TENANT + QUOTA_GRANT_MAX) * QUOTA_KEY_MAX);
    timer_init(&q->timer, loop, on_timer);
    snprintf(q->prefix, sizeof q->prefix, "%.*s", STR_ARG(prefix));
    snprintf(q->node, sizeof q->node, "%016llx", (unsigned long long)rand_u64());
    for (unsigned i = 0; i < QUOTA_SCRIPTS; i++)
        if (!redis_script_init(&q->scripts[i], quota_script_text((enum quota_script)i), err)) {
            quota_redis_free(q);
            return false;
        }
    timer_set(&q->timer, QUOTA_RENEW_MS);
    *out_q = q;
    return true;
}

void quota_redis_free(struct quota_redis *q) {
    if (!q) return;
    timer_stop(&q->timer);
    while (q->first) {
        q->first->call = NULL; // the client is stopped: it has none
        held_free(q->first);
    }
    buf_free(&q->keys);
    mem_free(q);
}

void quota_redis_stats_get(const struct quota_redis *q, struct quota_redis_stats *out_stats) {
    *out_stats = (struct quota_redis_stats){.held = q->n_held, .dropped = q->n_dropped};
}
