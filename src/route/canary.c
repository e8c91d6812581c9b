// Schedule and statistics of canaries.
#include "route/canary.h"

#include "base/hash.h"

#include <math.h>
#include <string.h>

#define EXACT_MAX 256 // bad answers in all: up to so many are counted out
#define MILLION 1000000U

static const struct str k_names[CANARY_STATE_COUNT] = {STR_INIT("running"), STR_INIT("paused"), STR_INIT("finished"),
                                                       STR_INIT("promoted"), STR_INIT("rolled_back")};

struct str canary_state_name(enum canary_state state) {
    return k_names[state];
}

bool canary_state_parse(struct str name, enum canary_state *out_state) {
    for (size_t i = 0; i < CANARY_STATE_COUNT; i++)
        if (str_eq(k_names[i], name)) {
            *out_state = (enum canary_state)i;
            return true;
        }
    return false;
}

// --- exact: the convolution of hypergeometric distributions ---

static double log_choose(double n, double k) { return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1); }

// How likely it is that k of the pair's `bad` are the canary's, when none of both is worse.
static double hypergeometric(const struct canary_pair *p, double bad, double k) {
    if (k > p->canary_n || bad - k > p->base_n) return 0;
    double log_p =
        log_choose(p->canary_n, k) + log_choose(p->base_n, bad - k) - log_choose(p->canary_n + p->base_n, bad);
    return exp(log_p);
}

static double exact(const struct canary_pair *pairs, size_t n) {
    double sum[EXACT_MAX + 1] = {1}, next[EXACT_MAX + 1], seen = 0, p = 0;
    size_t so_far = 0;
    for (size_t i = 0; i < n; i++) {
        double bad = pairs[i].base_bad + pairs[i].canary_bad;
        seen += pairs[i].canary_bad;
        memset(next, 0, sizeof next);
        for (size_t k = 0; k <= (size_t)bad; k++) {
            double one = hypergeometric(&pairs[i], bad, (double)k);
            for (size_t s = 0; one > 0 && s <= so_far; s++) next[s + k] += sum[s] * one;
        }
        so_far += (size_t)bad;
        memcpy(sum, next, sizeof sum);
    }
    for (size_t k = (size_t)seen; k <= so_far; k++) p += sum[k];
    return MIN(p, 1.0);
}

// --- approximate: one sum of differences ---

static double upper_tail(double z) { return erfc(z / M_SQRT2) / 2; }

static double clamp(double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }

// What both shares most likely are when the canary's is larger by just the margin.
static void at_margin(const struct canary_pair *p, double margin, double *out_base, double *out_canary) {
    double all = p->base_n + p->canary_n, mean = (p->base_bad + p->canary_bad) / all;
    *out_base = clamp(mean - margin * p->canary_n / all);
    *out_canary = clamp(*out_base + margin);
}

static double approximate(const struct canary_pair *pairs, size_t n, double margin) {
    double above = 0, variance = 0, base, canary;
    for (size_t i = 0; i < n; i++) {
        const struct canary_pair *p = &pairs[i];
        double all = p->base_n + p->canary_n, w = p->base_n * p->canary_n / all;
        at_margin(p, margin, &base, &canary);
        above += w * (p->canary_bad / p->canary_n - p->base_bad / p->base_n - margin);
        variance += w * w * (base * (1 - base) / p->base_n + canary * (1 - canary) / p->canary_n) * all / (all - 1);
    }
    return variance > 0 ? upper_tail(above / sqrt(variance)) : above > 0 ? 0 : 1;
}

// Of so many or more of n, each as likely.
static double binomial_tail(double n, double share, double from) {
    double p = 0, base = log(share), other = log1p(-share);
    if (from <= n * share) return 1; // about as likely as not, or likelier: nobody asks how much
    if (share <= 0) return 0;
    for (uint64_t i = (uint64_t)from; i <= (uint64_t)n; i++) {
        double k = (double)i, one = exp(log_choose(n, k) + k * base + (n - k) * other);
        p += one;
        if (one <= p * 1e-9) break; // they only become less
    }
    return MIN(p, 1.0);
}

// The normal curve says too little of few cases: then as the canary's alone, by what both together tell of the share.
static double few_at_margin(const struct canary_pair *pairs, size_t n, double margin) {
    double requests = 0, bad = 0, expected = 0, base, canary;
    for (size_t i = 0; i < n; i++) {
        at_margin(&pairs[i], margin, &base, &canary);
        requests += pairs[i].canary_n;
        bad += pairs[i].canary_bad;
        expected += canary * pairs[i].canary_n;
    }
    return bad <= EXACT_MAX ? binomial_tail(requests, expected / requests, bad) : 0;
}

double canary_p_value(const struct canary_pair *pairs, size_t n, double margin) {
    struct canary_pair used[CANARY_STEPS_MAX];
    double bad = 0, p;
    size_t count = 0;
    for (size_t i = 0; i < n && count < CANARY_STEPS_MAX; i++)
        if (pairs[i].base_n >= 1 && pairs[i].canary_n >= 1) {
            used[count++] = pairs[i];
            bad += pairs[i].base_bad + pairs[i].canary_bad;
        }
    if (!count) return 1;
    p = bad <= EXACT_MAX ? exact(used, count) : approximate(used, count, 0);
    if (margin <= 0 || p > 0.5) return p;
    p = MAX(p, approximate(used, count, margin));
    return MAX(p, few_at_margin(used, count, margin));
}

// --- the two questions ---

static struct canary_pair errors_of(const struct canary_counts *c) {
    return (struct canary_pair){(double)c->base.requests, (double)MIN(c->base.errors, c->base.requests),
                                (double)c->canary.requests, (double)MIN(c->canary.errors, c->canary.requests)};
}

static double missing(const struct canary_count *c) {
    double n = (double)c->judged;
    return MIN(MAX(n - c->quality, 0.0), n);
}

static struct canary_pair quality_of(const struct canary_counts *c) {
    // Rounded so that it speaks for the canary.
    return (struct canary_pair){(double)c->base.judged, ceil(missing(&c->base)), (double)c->canary.judged,
                                floor(missing(&c->canary))};
}

// Where the canary has all, nothing is beside it: it is held against all that came before.
static double ask(const struct canary_counts *counts, struct canary_pair (*of)(const struct canary_counts *c),
                  double margin, struct canary_verdict *v) {
    struct canary_pair pairs[CANARY_STEPS_MAX], all = {0, 0, 0, 0};
    for (size_t i = 0; i < CANARY_STEPS_MAX; i++) {
        pairs[i] = of(&counts[i]);
        all.base_n += pairs[i].base_n;
        all.base_bad += pairs[i].base_bad;
        all.canary_n += pairs[i].canary_n;
        all.canary_bad += pairs[i].canary_bad;
        if (pairs[i].canary_n >= 1 && pairs[i].base_n < 1) {
            pairs[i].base_n = all.base_n;
            pairs[i].base_bad = all.base_bad;
        }
    }
    double p = canary_p_value(pairs, CANARY_STEPS_MAX, margin);
    if (p < v->p) {
        v->p = p;
        v->base = all.base_n > 0 ? all.base_bad / all.base_n : 0;
        v->canary = all.canary_n > 0 ? all.canary_bad / all.canary_n : 0;
    }
    return p;
}

static bool worse(const struct canary_rules *rules, const struct canary_counts *counts, uint64_t looks,
                  struct canary_verdict *v) {
    // Half of it for each question.
    double may = rules->significance / 2 / ((double)(looks + 1) * (double)(looks + 2));
    if (ask(counts, errors_of, rules->max_error_increase, v) <= may) {
        v->why = CANARY_ERRORS;
        return true;
    }
    if (ask(counts, quality_of, rules->max_quality_drop, v) <= may) v->why = CANARY_QUALITY;
    return v->why != CANARY_FINE;
}

// --- the course ---

uint32_t canary_share(const struct canary_rules *rules, const struct canary_course *course) {
    if (course->state == CANARY_ROLLED_BACK || !rules->steps) return 0;
    if (course->state == CANARY_PROMOTED) return MILLION;
    return MIN(rules->shares[MIN(course->step, rules->steps - 1)], MILLION);
}

static bool look(const struct canary_rules *rules, const struct canary_counts *counts, struct canary_course *c,
                 struct canary_verdict *v) {
    uint64_t requests = 0;
    for (size_t i = 0; i < CANARY_STEPS_MAX; i++) requests += counts[i].canary.requests;
    if (requests < CANARY_FIRST_LOOK || (c->looks && requests < c->looked_at + c->looked_at / 4)) return false;
    bool found = worse(rules, counts, c->looks, v);
    c->looks++;
    c->looked_at = requests;
    return found;
}

bool canary_go(const struct canary_rules *rules, const struct canary_counts *counts, int64_t now,
               struct canary_course *c, struct canary_verdict *out_verdict) {
    *out_verdict = (struct canary_verdict){.p = 1};
    if (c->state == CANARY_ROLLED_BACK || c->state == CANARY_PROMOTED || !rules->steps) return false;
    c->step = MIN(c->step, rules->steps - 1);
    if (look(rules, counts, c, out_verdict)) {
        c->state = CANARY_ROLLED_BACK;
        return true;
    }
    bool over = c->state == CANARY_RUNNING && now - c->step_since >= rules->every_ns &&
                counts[c->step].canary.requests >= rules->min_requests;
    if (!over) return false;
    c->step_since = now;
    if (c->step + 1 < rules->steps)
        c->step++;
    else
        c->state = CANARY_FINISHED;
    return true;
}

bool canary_takes(uint64_t key, uint64_t place, uint32_t share) {
    uint64_t at = hash_bytes(str_of((const char *)&key, sizeof key), place);
    return (uint32_t)((at >> 32) % MILLION) < share;
}
