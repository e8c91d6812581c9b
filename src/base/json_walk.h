// The container kernel: goes over an object or array token by token, the tokens found 64 bytes at a time as bits.
//
// After the structural index of simdjson (G. Langdale and D. Lemire, "Parsing Gigabytes of JSON per Second", 2019),
// with two differences: nothing is stored, each block's tokens are checked against the grammar at once; and a block
// always starts outside a string, since a string that runs past its block is given to the string kernel, after which a
// new block starts.
//
// A refusal here is not final: a fault may lie in the same block but after the container's end. The caller asks
// json_value_steps.
#ifndef BASE_JSON_WALK_H
#define BASE_JSON_WALK_H

// What a token asks for besides the change of state.
enum walk_action { WALK_GO_ON, WALK_NUMBER, WALK_LITERAL, WALK_OPEN_OBJECT, WALK_OPEN_ARRAY, WALK_CLOSE };

static const unsigned char k_action[256] = {
    ['-'] = WALK_NUMBER,     ['0'] = WALK_NUMBER,  ['1'] = WALK_NUMBER,  ['2'] = WALK_NUMBER,  ['3'] = WALK_NUMBER,
    ['4'] = WALK_NUMBER,     ['5'] = WALK_NUMBER,  ['6'] = WALK_NUMBER,  ['7'] = WALK_NUMBER,  ['8'] = WALK_NUMBER,
    ['9'] = WALK_NUMBER,     ['t'] = WALK_LITERAL, ['f'] = WALK_LITERAL, ['n'] = WALK_LITERAL, ['{'] = WALK_OPEN_OBJECT,
    ['['] = WALK_OPEN_ARRAY, ['}'] = WALK_CLOSE,   [']'] = WALK_CLOSE,
};

// The grammar. A state is a bit offset; a token's row holds the next state of each state at that offset, so that going
// on is one shift and the chain from token to token is as short as can be. No entry means WALK_BAD, which stays.
enum walk_state {
    WALK_BAD = 0,
    WALK_OBJECT_FIRST = 6,
    WALK_OBJECT_KEY = 12,
    WALK_OBJECT_COLON = 18,
    WALK_OBJECT_VALUE = 24,
    WALK_OBJECT_NEXT = 30,
    WALK_ARRAY_FIRST = 36,
    WALK_ARRAY_VALUE = 42,
    WALK_ARRAY_NEXT = 48,
    WALK_CLOSED = 54
};
#define WALK_STATE_MASK 63u

#define FROM(state, next) ((uint64_t)(next) << (state))
#define ROW_PLAIN_VALUE                                                                                                \
    (FROM(WALK_OBJECT_VALUE, WALK_OBJECT_NEXT) | FROM(WALK_ARRAY_FIRST, WALK_ARRAY_NEXT) |                             \
     FROM(WALK_ARRAY_VALUE, WALK_ARRAY_NEXT))
#define ROW_STRING                                                                                                     \
    (ROW_PLAIN_VALUE | FROM(WALK_OBJECT_FIRST, WALK_OBJECT_COLON) | FROM(WALK_OBJECT_KEY, WALK_OBJECT_COLON))
#define ROW_OPEN(first) (FROM(WALK_OBJECT_VALUE, first) | FROM(WALK_ARRAY_FIRST, first) | FROM(WALK_ARRAY_VALUE, first))

static const uint64_t k_row[256] = {
    ['"'] = ROW_STRING,
    [','] = FROM(WALK_OBJECT_NEXT, WALK_OBJECT_KEY) | FROM(WALK_ARRAY_NEXT, WALK_ARRAY_VALUE),
    [':'] = FROM(WALK_OBJECT_COLON, WALK_OBJECT_VALUE),
    ['{'] = ROW_OPEN(WALK_OBJECT_FIRST),
    ['['] = ROW_OPEN(WALK_ARRAY_FIRST),
    ['}'] = FROM(WALK_OBJECT_FIRST, WALK_CLOSED) | FROM(WALK_OBJECT_NEXT, WALK_CLOSED),
    [']'] = FROM(WALK_ARRAY_FIRST, WALK_CLOSED) | FROM(WALK_ARRAY_NEXT, WALK_CLOSED),
    ['-'] = ROW_PLAIN_VALUE,
    ['0'] = ROW_PLAIN_VALUE,
    ['1'] = ROW_PLAIN_VALUE,
    ['2'] = ROW_PLAIN_VALUE,
    ['3'] = ROW_PLAIN_VALUE,
    ['4'] = ROW_PLAIN_VALUE,
    ['5'] = ROW_PLAIN_VALUE,
    ['6'] = ROW_PLAIN_VALUE,
    ['7'] = ROW_PLAIN_VALUE,
    ['8'] = ROW_PLAIN_VALUE,
    ['9'] = ROW_PLAIN_VALUE,
    ['t'] = ROW_PLAIN_VALUE,
    ['f'] = ROW_PLAIN_VALUE,
    ['n'] = ROW_PLAIN_VALUE,
};

struct walk {
    const char *end;
    uint64_t state; // the low 6 bits: an enum walk_state
    unsigned depth, depth_max;
    uint64_t after_word; // 1: the byte before this block belongs to a number or literal
    uint64_t is_object[JSON_DEPTH_MAX / 64];
};

struct walk_block {
    uint64_t tokens;
    bool open; // its last token is a string that ends beyond the block
};

// The groups of structural characters and of white space, a bit each, by low and high nibble.
#define GROUPS_STRUCTURAL 7
#define GROUPS_SPACE 24
KERNEL block_t block_groups(block_t b) {
    static const char lo[16] = {8, 0, 0, 0, 0, 0, 0, 0, 0, 16, 2 | 16, 4, 1, 4 | 16, 0, 0};
    static const char hi[16] = {16, 0, 1 | 8, 2, 0, 4, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0};
    return block_pair_lookup(b, lo, hi);
}

static bool walk_escapes_valid(block_t b, const char *p, const char *end, uint64_t escaped) {
    const char *paired = NULL;
    uint64_t unicode = escaped & block_eq(b, 'u');
    if (escaped & ~block_simple_escape(b) & ~unicode) return false;
    return !unicode || unicode_escapes_valid(p, end, unicode, &paired);
}

// Finds the tokens of the block at p and checks the strings that end in it. False when one is not valid.
KERNEL bool walk_block_read(struct walk *w, const char *p, struct walk_block *out) {
    size_t left = (size_t)(w->end - p);
    uint64_t valid = bits_below(left), carry = 0, escaped = 0;
    block_t b = block_take(p, left);
    uint64_t quote = block_eq(b, '"') & valid, backslash = block_eq(b, '\\');
    if (UNLIKELY(backslash)) {
        escaped = escaped_of(backslash, &carry);
        quote &= ~escaped;
    }
    uint64_t inside = bits_parity(quote); // from an opening quote to before its closing one
    uint64_t opening = quote & inside;
    out->open = inside >> 63 & 1;
    // What an unfinished string holds is checked later, all of it at once.
    uint64_t settled = out->open ? bits_below(63 - (unsigned)__builtin_clzll(opening)) : ~0ULL;
    uint64_t body = inside & settled & valid;
    if (UNLIKELY(block_below(b, 0x20) & body)) return false;
    if (UNLIKELY(escaped & body) && !walk_escapes_valid(b, p, w->end, escaped & body)) return false;
    if (UNLIKELY(block_high(b) & body) && !kernel_utf8_valid(p, MIN(left, (size_t)__builtin_popcountll(settled))))
        return false;
    block_t groups = block_groups(b);
    uint64_t structural = block_any(groups, GROUPS_STRUCTURAL), space = block_any(groups, GROUPS_SPACE);
    uint64_t word = ~(structural | space | quote | inside) & valid;
    uint64_t word_start = word & ~(word << 1 | w->after_word);
    w->after_word = word >> 63;
    out->tokens = ((structural & ~inside) | opening | word_start) & valid;
    return true;
}

KERNEL bool walk_is(const struct walk *w, enum walk_state state) {
    return (w->state & WALK_STATE_MASK) == (unsigned)state;
}

KERNEL bool walk_open(struct walk *w, bool object) {
    if (walk_is(w, WALK_BAD) || w->depth >= w->depth_max) return false;
    uint64_t bit = 1ULL << (w->depth % 64), *bits = &w->is_object[w->depth / 64];
    *bits = object ? *bits | bit : *bits & ~bit;
    w->depth++;
    return true;
}

KERNEL bool walk_close(struct walk *w) {
    if (!walk_is(w, WALK_CLOSED)) return false;
    w->depth--;
    if (w->depth == 0) return true;
    bool object = w->is_object[(w->depth - 1) / 64] >> ((w->depth - 1) % 64) & 1;
    w->state = object ? WALK_OBJECT_NEXT : WALK_ARRAY_NEXT;
    return true;
}

// What may stand right after a number or literal.
static const bool k_word_end[256] = {
    [','] = true, [']'] = true, ['}'] = true, [' '] = true, ['\n'] = true, ['\r'] = true, ['\t'] = true};

// A number or literal, and nothing else sticking to it.
KERNEL bool word_ends(const char *after, const char *end) {
    return after && after < end && k_word_end[(unsigned char)*after];
}

KERNEL bool walk_act(struct walk *w, const char *at, unsigned action) {
    if (action == WALK_NUMBER) return word_ends(number_fast(at, w->end), w->end);
    if (action == WALK_LITERAL) return word_ends(literal_any(at, w->end), w->end);
    if (action == WALK_CLOSE) return walk_close(w);
    return walk_open(w, action == WALK_OPEN_OBJECT);
}

// Goes over the tokens of one block. Returns the place after the container when it ends here; NULL otherwise, with
// state WALK_BAD when the block is not valid.
KERNEL const char *walk_tokens(struct walk *w, const char *p, uint64_t tokens) {
    for (; tokens; tokens &= tokens - 1) {
        const char *at = p + bit_first(tokens);
        unsigned action = k_action[(unsigned char)*at];
        w->state = k_row[(unsigned char)*at] >> (w->state & WALK_STATE_MASK);
        if (action == WALK_GO_ON) continue;
        if (UNLIKELY(!walk_act(w, at, action))) {
            w->state = WALK_BAD;
            return NULL;
        }
        if (action == WALK_CLOSE && w->depth == 0) return at + 1;
    }
    return NULL;
}

// p stands on '{' or '['; depth_max at least 1. The place after the container, or NULL.
static const char *walk_container(const char *p, const char *end, unsigned depth_max) {
    struct walk w;
    w.end = end;
    w.depth = 0;
    w.depth_max = depth_max;
    w.after_word = 0;
    w.state = WALK_ARRAY_VALUE; // the container is then the next value
    while (p < end) {
        struct walk_block block;
        if (!walk_block_read(&w, p, &block)) return NULL;
        const char *after = walk_tokens(&w, p, block.tokens);
        if (after || walk_is(&w, WALK_BAD)) return after;
        if (!block.open) {
            p += MIN((size_t)BLOCK, (size_t)(end - p));
            continue;
        }
        p = string_long_call(p + (64 - (unsigned)__builtin_clzll(block.tokens)), end);
        if (!p) return NULL;
        w.after_word = 0;
    }
    return NULL;
}

#endif
