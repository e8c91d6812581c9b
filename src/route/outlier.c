// Outliers by success rate, and panic.
#include "route/outlier.h"

#include <math.h>

struct outlier_rules outlier_rules_default(void) {
    return (struct outlier_rules){.min_targets = 3,
                                  .min_requests = 20,
                                  .deviation_permille = 1900,
                                  .least_permille = 100,
                                  .max_out_permille = 500};
}

static bool is_judged(const struct outlier_rules *rules, const struct outlier_target *t) {
    return !t->out && (uint64_t)t->good + t->bad >= MAX(rules->min_requests, 1u);
}

static double success(const struct outlier_target *t) { return (double)t->good / ((double)t->good + (double)t->bad); }

// Whether one more may be put out.
static bool may_put_out(const struct outlier_rules *rules, const struct outlier_target *targets, size_t n) {
    size_t out = 0;
    for (size_t i = 0; i < n; i++) out += targets[i].out;
    return out + 1 < n && (out == 0 || (out + 1) * 1000 <= n * (size_t)rules->max_out_permille);
}

size_t outlier_find(const struct outlier_rules *rules, const struct outlier_target *targets, size_t n) {
    double sum = 0, squares = 0;
    size_t judged = 0, worst = n;
    if (!may_put_out(rules, targets, n)) return n;
    for (size_t i = 0; i < n; i++) {
        if (!is_judged(rules, &targets[i])) continue;
        double rate = success(&targets[i]);
        judged++;
        sum += rate;
        squares += rate * rate;
        if (worst == n || rate < success(&targets[worst])) worst = i;
    }
    if (judged < MAX(rules->min_targets, 2u)) return n;
    // Of the others: in a small group the worst would widen the deviation so much that it could never exceed it.
    double rate = success(&targets[worst]), others = (double)(judged - 1);
    double mean = (sum - rate) / others, variance = (squares - rate * rate) / others - mean * mean;
    double below = sqrt(variance > 0 ? variance : 0) * rules->deviation_permille / 1000;
    double least = (double)rules->least_permille / 1000;
    return rate < mean - (below > least ? below : least) ? worst : n;
}

bool outlier_panic(const struct outlier_rules *rules, size_t out, size_t n) {
    return out > 0 && out * 1000 > n * (size_t)rules->max_out_permille;
}
