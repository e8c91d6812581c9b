// What a compiled condition is made of: the steps of a small stack machine, its constants, and the reader of its words.
//
// Ownership: as condition.h. Thread rule: a reader belongs to one thread.
#ifndef CONF_CONDITION_IMPL_H
#define CONF_CONDITION_IMPL_H

#include "conf/condition.h"

#define STACK_MAX 32

enum step_op {
    STEP_NUMBER,      // push numbers[a]
    STEP_TEXT,        // push texts[a]
    STEP_TRUTH,       // push a
    STEP_LOAD_NUMBER, // b: it is only compared with numbers[b - 1]; 0: there is more to it
    STEP_LOAD_TEXT,   // of a map: its member texts[a]
    STEP_LOAD_TRUTH,
    STEP_HAS,      // push whether there is the name; of a map: its member texts[a]
    STEP_OR_ELSE,  // true: go on at a and keep it; false: drop it
    STEP_AND_THEN, // false: go on at a and keep it; true: drop it
    STEP_NOT,
    STEP_NEGATE,
    STEP_ADD,
    STEP_SUBTRACT,
    STEP_MULTIPLY,
    STEP_DIVIDE,
    STEP_REMAINDER,
    STEP_LESS,
    STEP_LESS_EQUAL,
    STEP_MORE,
    STEP_MORE_EQUAL,
    STEP_NUMBER_EQUAL,
    STEP_NUMBER_DIFFERS,
    STEP_TEXT_EQUAL,
    STEP_TEXT_DIFFERS,
    STEP_TRUTH_EQUAL,
    STEP_TRUTH_DIFFERS,
    STEP_NUMBER_IN, // of numbers[a] and the b - 1 after it
    STEP_TEXT_IN,
    STEP_STARTS,
    STEP_ENDS,
    STEP_CONTAINS,
    STEP_MATCHES,   // texts[a] is the pattern
    STEP_TO_NUMBER, // of a text
};

struct step {
    uint8_t op;
    uint8_t name; // enum condition_name
    uint16_t a, b;
};

struct condition {
    const struct step *steps;
    const double *numbers;
    const struct str *texts;
    uint64_t uses;
    uint16_t count;
};

enum word_kind { WORD_END, WORD_NAME, WORD_NUMBER, WORD_TEXT, WORD_SIGN };

struct word {
    enum word_kind kind;
    size_t at;       // byte of the text where it begins
    struct str text; // of a text literal: between the quotes, as it stands
    double number;
};

struct word_reader {
    struct str text;
    size_t at;
    struct err *err;
};
// The next word; false on a character that begins none, or a literal that is wrong.
NODISCARD bool word_next(struct word_reader *r, struct word *out_word);
// Sets the error with its place; always false.
PRINTF_LIKE(3, 4) bool word_fault(struct word_reader *r, size_t at, const char *fmt, ...);
// The literal's text without its backslashes, in the arena; p is NULL without memory.
struct str word_literal(struct str inner, struct arena *arena);
// 12, 0.5, 32k, 1M at the front of s, at most 15 digits: how many bytes, 0 when there is none.
size_t word_number(struct str s, double *out_number);

// What a name can be (condition_range.c). name: the step that fetches it; others can be anything. False: the constant
// is none of that, or its order with it never changes, which is the reader's error at `at`.
NODISCARD bool range_number(struct word_reader *r, size_t at, const struct step *name, double number);
NODISCARD bool range_text(struct word_reader *r, size_t at, const struct step *name, struct str text);
// *out_always: it holds whatever the name is.
NODISCARD bool range_order(struct word_reader *r, size_t at, const struct step *name, bool name_first, enum step_op op,
                           double number, bool *out_always);
// What steps without names come to; their constants are the condition's.
double condition_constant(const struct condition *c, const struct step *first, size_t count);

#endif
