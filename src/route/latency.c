// Peak-EWMA, quantile sketch, tokens a second.
#include "route/latency.h"

#include "route/decay.h"

#define FIRST_OCTAVE 16
// Weights grow until then; then all are scaled down.
#define HALF_LIVES_MAX 20.0F

static float per_ns(uint64_t half_life_ns) { return 1.0F / (float)MAX(half_life_ns, UINT64_C(1)); }

void latency_ewma_add(struct latency_ewma *e, uint64_t half_life_ns, uint64_t sample_ns, uint64_t now_ns) {
    float sample = (float)MAX(sample_ns, UINT64_C(1));
    if (sample >= e->value_ns) {
        e->value_ns = sample;
    } else {
        float keep = decay_since(e->at_ns, now_ns, per_ns(half_life_ns));
        e->value_ns = sample + (e->value_ns - sample) * keep;
    }
    e->at_ns = MAX(e->at_ns, now_ns);
}

void latency_ewma_at_least(struct latency_ewma *e, uint64_t half_life_ns, uint64_t sample_ns, uint64_t now_ns) {
    if ((float)sample_ns <= e->value_ns * decay_since(e->at_ns, now_ns, per_ns(half_life_ns))) return;
    e->value_ns = (float)sample_ns;
    e->at_ns = MAX(e->at_ns, now_ns);
}

static size_t bucket_of(uint64_t ns) {
    if (ns < UINT64_C(1) << FIRST_OCTAVE) return 0;
    unsigned octave = 63U - (unsigned)__builtin_clzll(ns);
    if (octave >= FIRST_OCTAVE + LATENCY_OCTAVES) return LATENCY_BUCKETS - 1;
    return (octave - FIRST_OCTAVE) * LATENCY_STEPS + (size_t)((ns >> (octave - 3)) & (LATENCY_STEPS - 1));
}

static uint64_t bucket_end(size_t bucket) {
    unsigned octave = FIRST_OCTAVE + (unsigned)(bucket / LATENCY_STEPS);
    return (UINT64_C(1) << octave) + ((uint64_t)(bucket % LATENCY_STEPS + 1) << (octave - 3));
}

static void scale(struct latency_sketch *s, float factor) {
    s->total = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        float w = s->weight[i] * factor;
        s->weight[i] = w < 1e-9F ? 0 : w;
        s->total += s->weight[i];
    }
}

void latency_sketch_add(struct latency_sketch *s, uint64_t half_life_ns, uint64_t sample_ns, uint64_t now_ns) {
    if (s->total <= 0 || now_ns < s->base_ns) s->base_ns = s->total <= 0 ? now_ns : s->base_ns;
    uint64_t age = now_ns > s->base_ns ? now_ns - s->base_ns : 0;
    float halves = (float)age * per_ns(half_life_ns);
    if (halves > HALF_LIVES_MAX) {
        scale(s, decay_half_lives(halves));
        s->base_ns = now_ns;
        halves = 0;
    }
    float weight = 1.0F / decay_half_lives(halves);
    s->weight[bucket_of(sample_ns)] += weight;
    s->total += weight;
}

float latency_sketch_count(const struct latency_sketch *s, uint64_t half_life_ns, uint64_t now_ns) {
    return s->total * decay_since(s->base_ns, now_ns, per_ns(half_life_ns));
}

uint64_t latency_sketch_quantile(const struct latency_sketch *s, float q) {
    float before = 0, want = s->total * q;
    size_t last = LATENCY_BUCKETS;
    if (s->total <= 0) return 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        if (s->weight[i] <= 0) continue;
        before += s->weight[i];
        last = i;
        if (before >= want) break;
    }
    return last == LATENCY_BUCKETS ? 0 : bucket_end(last);
}

void latency_speed_add(struct latency_speed *s, uint64_t half_life_ns, uint64_t tokens, uint64_t took_ns,
                       uint64_t now_ns) {
    if (!tokens || !took_ns) return;
    float keep = decay_since(s->at_ns, now_ns, per_ns(half_life_ns));
    s->tokens = s->tokens * keep + (float)tokens;
    s->seconds = s->seconds * keep + (float)took_ns * 1e-9F;
    s->at_ns = MAX(s->at_ns, now_ns);
}

float latency_speed_mean(const struct latency_speed *s) { return s->seconds > 0 ? s->tokens / s->seconds : 0; }
