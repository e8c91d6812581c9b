// What the reader of a text hands to the scorer: counts of its marks, and of the words that were found, by kind and
// language.
//
// Ownership, threads: as complexity.h.
#ifndef ROUTE_COMPLEXITY_IMPL_H
#define ROUTE_COMPLEXITY_IMPL_H

#include "route/complexity.h"

#define HEAD_MAX 4096
#define TAIL_MAX 1024
#define SAMPLE_MAX (HEAD_MAX + TAIL_MAX + 8)

enum word_group {
#define GROUP(id, task, vote) GROUP_##id,
#include "route/complexity_group.def"
#undef GROUP
    GROUP_COUNT
};

// Marks of a text.
struct marks {
    unsigned bytes;     // looked at
    unsigned items;     // lines or places that begin with a bullet or a number
    unsigned commas;    // of the instruction: commas, semicolons
    unsigned questions; // of the instruction
    unsigned letters, wide, kana, hangul, cyrillic, greek, hebrew, arabic, devanagari, thai; // characters
    unsigned numbers;                                                                        // of the instruction
    unsigned digits, formula; // formula: = ^ √ ≥ ∑ \frac $…$ and the like
    unsigned code_lines;      // in fences, or that look like code
    unsigned traces;          // of a fault: "Traceback", "at x(y.java:3)", "panic:"
};

struct found {
    uint16_t sum, most, count;
    uint16_t where; // of the first, in bytes of the instruction, + 1
};

struct reading {
    struct marks marks;
    struct found found[LANGUAGE_KO][GROUP_COUNT]; // of the languages whose words are known
    enum language language;
};
void complexity_read(const struct complexity_lexicon *lexicon, struct str text, struct reading *out_reading);
// Points, tier and task of a text that is short enough to be read whole.
void complexity_judge(const struct complexity_lexicon *lexicon, struct str sample,
                      const struct complexity_around *around, struct complexity *out);
// The task that a group of words speaks for.
enum prompt_task complexity_group_task(enum word_group group);
unsigned complexity_group_vote(enum word_group group);

#endif
