// What a pattern is made into: a program for many threads that walk over the text together.
#ifndef BASE_PATTERN_IMPL_H
#define BASE_PATTERN_IMPL_H

#include "base/pattern.h"

#define PATTERN_PROGRAM_MAX 20000

enum pattern_op {
    OP_CHAR, // x is it
    OP_ANY,
    OP_ANY_IN_LINE,
    OP_SET,   // x is its place in sets
    OP_SPLIT, // goes on at x and at y
    OP_JUMP,  // goes on at x
    OP_BEGIN,
    OP_END,
    OP_WORD_EDGE,
    OP_NO_WORD_EDGE,
    OP_MATCH,
};
struct pattern_step {
    enum pattern_op op;
    uint32_t x, y;
};
struct pattern_range {
    uint32_t low, high;
};
struct pattern_set {
    struct pattern_range *ranges;
    size_t n;
    bool negated;
};
struct pattern {
    struct pattern_step *program;
    size_t n;
    struct pattern_set *sets;
    size_t n_sets;
};

bool pattern_is_word(uint32_t c);
bool pattern_set_has(const struct pattern_set *set, uint32_t c);

#endif
