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

enum token {
    TOKEN_NONE,
    TOKEN_STRING,
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_NUMBER,
    TOKEN_LITERAL,
    TOKEN_OBJECT,
    TOKEN_ARRAY,
    TOKEN_OBJECT_END,
    TOKEN_ARRAY_END
};

enum walk_state {
    WALK_BAD,
    WALK_OBJECT_FIRST,
    WALK_OBJECT_KEY,
    WALK_OBJECT_COLON,
    WALK_OBJECT_VALUE,
    WALK_OBJECT_NEXT,
    WALK_ARRAY_FIRST,
    WALK_ARRAY_VALUE,
    WALK_ARRAY_NEXT,
    WALK_CLOSED,
    WALK_STATE_COUNT
};

static const unsigned char k_token[256] = {
    ['"'] = TOKEN_STRING,  [','] = TOKEN_COMMA,      [':'] = TOKEN_COLON,     ['{'] = TOKEN_OBJECT,
    ['['] = TOKEN_ARRAY,   ['}'] = TOKEN_OBJECT_END, [']'] = TOKEN_ARRAY_END, ['-'] = TOKEN_NUMBER,
    ['0'] = TOKEN_NUMBER,  ['1'] = TOKEN_NUMBER,     ['2'] = TOKEN_NUMBER,    ['3'] = TOKEN_NUMBER,
    ['4'] = TOKEN_NUMBER,  ['5'] = TOKEN_NUMBER,     ['6'] = TOKEN_NUMBER,    ['7'] = TOKEN_NUMBER,
    ['8'] = TOKEN_NUMBER,  ['9'] = TOKEN_NUMBER,     ['t'] = TOKEN_LITERAL,   ['f'] = TOKEN_LITERAL,
    ['n'] = TOKEN_LITERAL,
};

#define VALUE_THEN(next)                                                                                               \
    [TOKEN_STRING] = (next), [TOKEN_NUMBER] = (next), [TOKEN_LITERAL] = (next), [TOKEN_OBJECT] = WALK_OBJECT_FIRST,    \
    [TOKEN_ARRAY] = WALK_ARRAY_FIRST

// Rows are padded to 16 so that the index is a shift.
static const unsigned char k_walk[WALK_STATE_COUNT][16] = {
    [WALK_OBJECT_FIRST] = {[TOKEN_STRING] = WALK_OBJECT_COLON, [TOKEN_OBJECT_END] = WALK_CLOSED},
    [WALK_OBJECT_KEY] = {[TOKEN_STRING] = WALK_OBJECT_COLON},
    [WALK_OBJECT_COLON] = {[TOKEN_COLON] = WALK_OBJECT_VALUE},
    [WALK_OBJECT_VALUE] = {VALUE_THEN(WALK_OBJECT_NEXT)},
    [WALK_OBJECT_NEXT] = {[TOKEN_COMMA] = WALK_OBJECT_KEY, [TOKEN_OBJECT_END] = WALK_CLOSED},
    [WALK_ARRAY_FIRST] = {VALUE_THEN(WALK_ARRAY_NEXT), [TOKEN_ARRAY_END] = WALK_CLOSED},
    [WALK_ARRAY_VALUE] = {VALUE_THEN(WALK_ARRAY_NEXT)},
    [WALK_ARRAY_NEXT] = {[TOKEN_COMMA] = WALK_ARRAY_VALUE, [TOKEN_ARRAY_END] = WALK_CLOSED},
};

struct walk {
    const char *end;
    unsigned state, depth, depth_max;
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

KERNEL bool walk_open(struct walk *w, bool object) {
    if (w->state == WALK_BAD || w->depth >= w->depth_max) return false;
    uint64_t bit = 1ULL << (w->depth % 64), *bits = &w->is_object[w->depth / 64];
    *bits = object ? *bits | bit : *bits & ~bit;
    w->depth++;
    return true;
}

KERNEL bool walk_close(struct walk *w) {
    if (w->state != WALK_CLOSED) return false;
    w->depth--;
    if (w->depth == 0) return true;
    bool object = w->is_object[(w->depth - 1) / 64] >> ((w->depth - 1) % 64) & 1;
    w->state = object ? WALK_OBJECT_NEXT : WALK_ARRAY_NEXT;
    return true;
}

// What may stand right after a number or literal.
static const bool k_word_end[256] = {
    [','] = true, [']'] = true, ['}'] = true, [' '] = true, ['\n'] = true, ['\r'] = true, ['\t'] = true};

// A number or literal at p, and nothing else sticking to it.
KERNEL bool walk_word(const char *p, const char *end, unsigned token) {
    const char *after = token == TOKEN_NUMBER ? number_fast(p, end) : literal_any(p, end);
    return after && after < end && k_word_end[(unsigned char)*after];
}

// Goes over the tokens of one block. Returns the place after the container when it ends here; NULL otherwise, with
// state WALK_BAD when the block is not valid.
KERNEL const char *walk_tokens(struct walk *w, const char *p, uint64_t tokens) {
    for (; tokens; tokens &= tokens - 1) {
        const char *at = p + bit_first(tokens);
        unsigned token = k_token[(unsigned char)*at];
        w->state = k_walk[w->state][token];
        if (token <= TOKEN_COLON) continue;
        bool ok;
        if (token <= TOKEN_LITERAL)
            ok = walk_word(at, w->end, token);
        else if (token <= TOKEN_ARRAY)
            ok = walk_open(w, token == TOKEN_OBJECT);
        else
            ok = walk_close(w);
        if (UNLIKELY(!ok)) {
            w->state = WALK_BAD;
            return NULL;
        }
        if (token > TOKEN_ARRAY && w->depth == 0) return at + 1;
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
        if (after || w.state == WALK_BAD) return after;
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
