// Decaying scores in one word: 20 bits score, 16 bits weight, 28 bits time.
#include "route/quality.h"

#include "os/thread.h"
#include "route/decay.h"

#define SECOND UINT64_C(1000000000)
#define SCORE_MAX 1048575.0F
#define WEIGHT_UNIT 256.0F
#define WEIGHT_MAX 255.0F
#define TIME_MASK ((UINT64_C(1) << 28) - 1) // seconds: eight years

struct observed {
    float score, weight;
};

struct quality_rules quality_rules_default(void) {
    return (struct quality_rules){.prior = 0.7F, .prior_weight = 10, .half_life_ns = 6 * 3600 * SECOND};
}

static struct observed unpack(quality_cell cell, const struct quality_rules *rules, uint64_t now_ns) {
    uint64_t then_ns = (cell & TIME_MASK) * SECOND;
    float keep = decay_since(then_ns, now_ns, 1.0F / (float)MAX(rules->half_life_ns, UINT64_C(1)));
    return (struct observed){(float)(cell >> 44) / SCORE_MAX, (float)(cell >> 28 & 0xffff) / WEIGHT_UNIT * keep};
}

static quality_cell pack(struct observed o, uint64_t now_ns) {
    uint64_t score = (uint64_t)(o.score * SCORE_MAX + 0.5F), weight = (uint64_t)(o.weight * WEIGHT_UNIT + 0.5F);
    return score << 44 | MIN(weight, UINT64_C(0xffff)) << 28 | (now_ns / SECOND & TIME_MASK);
}

static float within(float v, float low, float high) { return !(v > low) ? low : v < high ? v : high; }

void quality_add(quality_cell *cell, const struct quality_rules *rules, float score, float weight, uint64_t now_ns) {
    float x = within(score, 0, 1), w = within(weight, 0, 16);
    quality_cell seen = atom_load_relaxed(cell), next;
    if (w <= 0) return;
    do {
        struct observed o = unpack(seen, rules, now_ns);
        float all = o.weight + w;
        next = pack((struct observed){within((o.score * o.weight + x * w) / all, 0, 1), MIN(all, WEIGHT_MAX)}, now_ns);
    } while (!__atomic_compare_exchange_n(cell, &seen, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

float quality_get(const quality_cell *cell, const struct quality_rules *rules, uint64_t now_ns) {
    struct observed o = unpack(atom_load_relaxed(cell), rules, now_ns);
    return (rules->prior * rules->prior_weight + o.score * o.weight) / (rules->prior_weight + o.weight);
}

float quality_weight(const quality_cell *cell, const struct quality_rules *rules, uint64_t now_ns) {
    return unpack(atom_load_relaxed(cell), rules, now_ns).weight;
}
