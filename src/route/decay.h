// Exponential decay by half-lives, in a few instructions.
//
// Thread rule: pure. Exact at whole half-lives, within 0.1 % between them, never rising with time.
#ifndef ROUTE_DECAY_H
#define ROUTE_DECAY_H

#include "base/defs.h"

#include <string.h>

// 2^-x for x >= 0; 0 from 100 on.
static inline float decay_half_lives(float x) {
    if (!(x < 100.0F)) return 0;
    uint32_t whole = (uint32_t)x;
    float f = x - (float)whole, power;
    // Cubic with the right values and slopes at both ends.
    float part = 1.0F + f * (-0.693147F + f * (0.232868F + f * -0.039721F));
    uint32_t bits = (127U - whole) << 23;
    memcpy(&power, &bits, sizeof power);
    return part * power;
}

// What is left after the time from then_ns to now_ns; 1 when time goes back.
static inline float decay_since(uint64_t then_ns, uint64_t now_ns, float half_lives_per_ns) {
    return now_ns <= then_ns ? 1.0F : decay_half_lives((float)(now_ns - then_ns) * half_lives_per_ns);
}

#endif
