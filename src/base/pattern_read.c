// Reads a pattern: into a tree first, and from that its program, where what is repeated stands several times.
#include "base/pattern_impl.h"

#include "base/utf8.h"
#include "base/vec.h"

#include <stdlib.h>

#define DEPTH_MAX 100
#define NODES_MAX PATTERN_TEXT_MAX
#define NO_LIMIT UINT32_MAX

enum node_kind { NODE_STEP, NODE_LIST, NODE_EITHER, NODE_REPEAT };
struct node {
    enum node_kind kind;
    struct pattern_step step; // NODE_STEP
    uint32_t least, most;     // NODE_REPEAT; most may be NO_LIMIT
    struct node *first;       // below it
    struct node *next;        // beside it
};
struct reading {
    struct str text;
    size_t at;
    enum pattern_how how;
    struct arena *arena;
    struct arena scratch;
    unsigned depth;
    VEC(struct pattern_set) sets;
    VEC(struct pattern_range) ranges; // of the set that is being read
    VEC(struct pattern_step) program;
    struct err *err;
};

static bool wrong(struct reading *r, const char *what) {
    return err_set(r->err, ERR_INVALID_FIELD, "the pattern is wrong at byte %zu: %s", r->at + 1, what);
}

static bool is_end(const struct reading *r) { return r->at >= r->text.n; }

static bool next_is(const struct reading *r, const char *what) {
    return str_starts(str_from(r->text, r->at), str_c(what));
}

static bool take_is(struct reading *r, const char *what) {
    if (!next_is(r, what)) return false;
    r->at += strlen(what);
    return true;
}

// The text was found to be UTF-8.
static uint32_t take(struct reading *r) {
    uint32_t c = 0;
    r->at += utf8_decode(str_from(r->text, r->at), &c);
    return c;
}

static struct node *node_new(struct reading *r, enum node_kind kind) {
    struct node *node = ARENA_NEW(&r->scratch, struct node);
    if (node)
        node->kind = kind;
    else
        err_no_memory(r->err);
    return node;
}

static struct node *step_new(struct reading *r, enum pattern_op op, uint32_t x) {
    struct node *node = node_new(r, NODE_STEP);
    if (node) node->step = (struct pattern_step){.op = op, .x = x};
    return node;
}

// --- sets ---

static const struct {
    const char *name, *ranges; // pairs
} k_classes[] = {{"digit", "09"},     {"lower", "az"},       {"upper", "AZ"},      {"alpha", "azAZ"},
                 {"alnum", "09azAZ"}, {"word", "09azAZ__"},  {"xdigit", "09afAF"}, {"blank", "  \t\t"},
                 {"space", "  \t\r"}, {"punct", "!/:@[`{~"}, {"graph", "!~"},      {"print", " ~"}};

static bool add(struct reading *r, uint32_t low, uint32_t high) {
    return vec_push(&r->ranges, (struct pattern_range){low, high}) || err_no_memory(r->err);
}

static bool add_class(struct reading *r, struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(k_classes); i++) {
        if (!str_eq(name, str_c(k_classes[i].name))) continue;
        for (const char *p = k_classes[i].ranges; *p; p += 2)
            if (!add(r, (unsigned char)p[0], (unsigned char)p[1])) return false;
        return true;
    }
    return wrong(r, "no such class");
}

static int order(const void *a, const void *b) {
    const struct pattern_range *x = a, *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

// All that the class has not.
static bool add_outside(struct reading *r, struct str name) {
    size_t from = r->ranges.n, n;
    uint32_t at = 0;
    struct pattern_range inner[8];
    if (!add_class(r, name)) return false;
    n = MIN(r->ranges.n - from, ARRAY_LEN(inner));
    memcpy(inner, r->ranges.p + from, n * sizeof *inner);
    r->ranges.n = from;
    qsort(inner, n, sizeof *inner, order);
    for (size_t i = 0; i < n; i++) {
        if (inner[i].low > at && !add(r, at, inner[i].low - 1)) return false;
        at = inner[i].high + 1;
    }
    return add(r, at, 0x10ffff);
}

// The set of \d, \W and so on; false without a fault when c is none of them.
static bool add_short(struct reading *r, uint32_t c, bool *out_is) {
    struct str name = c == 'd' || c == 'D'   ? STR("digit")
                      : c == 'w' || c == 'W' ? STR("word")
                      : c == 's' || c == 'S' ? STR("space")
                                             : STR_NONE;
    *out_is = name.n > 0;
    if (!name.n) return true;
    return c == 'D' || c == 'W' || c == 'S' ? add_outside(r, name) : add_class(r, name);
}

static bool hex(struct reading *r, size_t digits, uint32_t *out_c) {
    *out_c = 0;
    for (size_t i = 0; i < digits; i++) {
        uint32_t c = is_end(r) ? 0 : take(r);
        uint32_t v = c >= '0' && c <= '9'   ? c - '0'
                     : c >= 'a' && c <= 'f' ? c - 'a' + 10
                     : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                            : 16;
        if (v == 16) return wrong(r, "expected hexadecimal digits");
        *out_c = *out_c * 16 + v;
    }
    return true;
}

// A character after a backslash.
static bool escaped(struct reading *r, uint32_t c, uint32_t *out_c) {
    static const char names[] = "ntrfv", values[] = "\n\t\r\f\v";
    if (c == 'x') return hex(r, 2, out_c);
    if (c == 'u') return hex(r, 4, out_c);
    const char *at = c && c < 0x80 ? strchr(names, (int)c) : NULL;
    *out_c = at ? (unsigned char)values[at - names] : c;
    if (at || c >= 0x80 || !pattern_is_word(c) || c == '_') return true;
    return wrong(r, "not something that a backslash can stand before here");
}

// One end of a range, or a class, which ends here.
static bool set_item(struct reading *r, uint32_t *out_c, bool *out_single) {
    *out_single = false;
    if (take_is(r, "[:")) {
        size_t n = str_find(str_from(r->text, r->at), STR(":]"));
        if (r->at + n >= r->text.n) return wrong(r, "[: without :]");
        bool ok = add_class(r, str_head(str_from(r->text, r->at), n));
        r->at += n + 2;
        return ok;
    }
    *out_c = take(r);
    *out_single = true;
    if (*out_c != '\\') return true;
    if (is_end(r)) return wrong(r, "a set without ]");
    bool is_short;
    uint32_t c = take(r);
    if (!add_short(r, c, &is_short)) return false;
    *out_single = !is_short;
    if (is_short) return true;
    if (c != 'b') return escaped(r, c, out_c);
    *out_c = '\b';
    return true;
}

static bool set_items(struct reading *r) {
    for (bool first = true; first || !next_is(r, "]"); first = false) {
        uint32_t low = 0, high;
        bool single;
        if (is_end(r)) return wrong(r, "a set without ]");
        if (!set_item(r, &low, &single)) return false;
        high = low;
        bool range = single && next_is(r, "-") && r->at + 1 < r->text.n && r->text.p[r->at + 1] != ']';
        if (range) {
            r->at++;
            if (!set_item(r, &high, &single)) return false;
            if (!single || high < low) return wrong(r, "not a range");
        }
        if (single && !add(r, low, high)) return false;
    }
    r->at++;
    return true;
}

// Of the ranges that were read.
static struct node *set_new(struct reading *r, bool negated) {
    struct pattern_set set = {.n = r->ranges.n, .negated = negated};
    set.ranges = ARENA_ARRAY(r->arena, struct pattern_range, set.n + 1);
    if (!set.ranges || !vec_push(&r->sets, set)) {
        err_no_memory(r->err);
        return NULL;
    }
    if (set.n) memcpy(set.ranges, r->ranges.p, set.n * sizeof *set.ranges);
    return step_new(r, OP_SET, (uint32_t)(r->sets.n - 1));
}

static struct node *set(struct reading *r) {
    r->ranges.n = 0;
    bool negated = take_is(r, "^");
    return set_items(r) ? set_new(r, negated) : NULL;
}

// --- parts ---

static struct node *either(struct reading *r);

static struct node *backslash(struct reading *r) {
    uint32_t c;
    bool is_short;
    if (is_end(r)) return wrong(r, "nothing after the backslash"), NULL;
    c = take(r);
    if (c == 'b') return step_new(r, OP_WORD_EDGE, 0);
    if (c == 'B') return step_new(r, OP_NO_WORD_EDGE, 0);
    r->ranges.n = 0;
    if (!add_short(r, c, &is_short)) return NULL;
    if (is_short) return set_new(r, false);
    return escaped(r, c, &c) ? step_new(r, OP_CHAR, c) : NULL;
}

static struct node *group(struct reading *r) {
    if (next_is(r, "?") && !take_is(r, "?:")) return wrong(r, "of groups only ( ) and (?: ) are known"), NULL;
    if (++r->depth > DEPTH_MAX) return wrong(r, "too many groups within each other"), NULL;
    struct node *inner = either(r);
    r->depth--;
    if (inner && !take_is(r, ")")) return wrong(r, "a group without )"), NULL;
    return inner;
}

static struct node *part(struct reading *r) {
    size_t at = r->at;
    uint32_t c = take(r);
    switch (c) {
    case '(':
        return group(r);
    case '[':
        return set(r);
    case '\\':
        return backslash(r);
    case '.':
        return step_new(r, r->how == PATTERN_SCRIPT ? OP_ANY_IN_LINE : OP_ANY, 0);
    case '^':
        return step_new(r, OP_BEGIN, 0);
    case '$':
        return step_new(r, OP_END, 0);
    case '*':
    case '+':
    case '?':
        r->at = at;
        return wrong(r, "nothing to repeat"), NULL;
    default:
        return step_new(r, OP_CHAR, c);
    }
}

static bool number(struct reading *r, uint32_t *out_n) {
    size_t from = r->at;
    uint64_t n;
    while (!is_end(r) && r->text.p[r->at] >= '0' && r->text.p[r->at] <= '9') r->at++;
    if (!str_to_u64(str_of(r->text.p + from, r->at - from), &n) || n > PATTERN_REPEAT_MAX)
        return wrong(r, "expected a number of at most 1000");
    *out_n = (uint32_t)n;
    return true;
}

static bool braces(struct reading *r, uint32_t *out_least, uint32_t *out_most) {
    if (!number(r, out_least)) return false;
    *out_most = *out_least;
    if (take_is(r, ",")) {
        *out_most = NO_LIMIT;
        if (!next_is(r, "}") && !number(r, out_most)) return false;
    }
    if (!take_is(r, "}")) return wrong(r, "expected }");
    return *out_most >= *out_least || wrong(r, "the most is less than the least");
}

// *out_is: there is one.
static bool quantifier(struct reading *r, uint32_t *out_least, uint32_t *out_most, bool *out_is) {
    bool counted =
        next_is(r, "{") && r->at + 1 < r->text.n && r->text.p[r->at + 1] >= '0' && r->text.p[r->at + 1] <= '9';
    *out_is = true;
    *out_least = 0;
    *out_most = NO_LIMIT;
    if (counted) {
        r->at++;
        if (!braces(r, out_least, out_most)) return false;
    } else if (take_is(r, "?")) {
        *out_most = 1;
    } else if (take_is(r, "+")) {
        *out_least = 1;
    } else {
        *out_is = take_is(r, "*");
    }
    if (*out_is) take_is(r, "?");
    return true;
}

static struct node *repeated(struct reading *r) {
    struct node *node = part(r);
    uint32_t least, most;
    bool is;
    for (unsigned n = 0; node; n++) {
        if (!quantifier(r, &least, &most, &is)) return NULL;
        if (!is) return node;
        if (n >= 8) return wrong(r, "too many quantifiers behind each other"), NULL;
        struct node *outer = node_new(r, NODE_REPEAT);
        if (!outer) return NULL;
        outer->first = node;
        outer->least = least;
        outer->most = most;
        node = outer;
    }
    return NULL;
}

static struct node *sequence(struct reading *r) {
    struct node *list = node_new(r, NODE_LIST);
    struct node **end = list ? &list->first : NULL;
    while (end && !is_end(r) && !next_is(r, "|") && !next_is(r, ")")) {
        *end = repeated(r);
        if (!*end) return NULL;
        end = &(*end)->next;
    }
    return list;
}

static struct node *either(struct reading *r) {
    struct node *first = sequence(r);
    if (!first || !next_is(r, "|")) return first;
    struct node *node = node_new(r, NODE_EITHER);
    if (!node) return NULL;
    node->first = first;
    for (struct node **end = &first->next; take_is(r, "|"); end = &(*end)->next)
        if (!(*end = sequence(r))) return NULL;
    return node;
}

// --- the program ---

static bool emit(struct reading *r, enum pattern_op op, uint32_t x, uint32_t y) {
    if (r->program.n >= PATTERN_PROGRAM_MAX)
        return err_set(r->err, ERR_INVALID_FIELD, "the pattern repeats too much for its length");
    return vec_push(&r->program, (struct pattern_step){op, x, y}) || err_no_memory(r->err);
}

static uint32_t here(const struct reading *r) { return (uint32_t)r->program.n; }

static bool put(struct reading *r, const struct node *node);

static bool put_either(struct reading *r, const struct node *node) {
    if (!node->next) return put(r, node);
    uint32_t split = here(r);
    if (!emit(r, OP_SPLIT, split + 1, 0) || !put(r, node)) return false;
    uint32_t jump = here(r);
    if (!emit(r, OP_JUMP, 0, 0)) return false;
    r->program.p[split].y = here(r);
    if (!put_either(r, node->next)) return false;
    r->program.p[jump].x = here(r);
    return true;
}

static bool put_repeat(struct reading *r, const struct node *node) {
    for (uint32_t i = 0, from = here(r); i < node->least; i++) {
        if (!put(r, node->first)) return false;
        if (here(r) == from) return true; // nothing, however often
    }
    if (node->most == NO_LIMIT) {
        uint32_t split = here(r);
        if (!emit(r, OP_SPLIT, split + 1, 0) || !put(r, node->first) || !emit(r, OP_JUMP, split, 0)) return false;
        r->program.p[split].y = here(r);
        return true;
    }
    for (uint32_t i = node->least; i < node->most; i++) { // each of them may be left out, and then the rest as well
        uint32_t split = here(r);
        if (!emit(r, OP_SPLIT, split + 1, 0) || !put(r, node->first)) return false;
        r->program.p[split].y = here(r);
    }
    return true;
}

static bool put(struct reading *r, const struct node *node) {
    switch (node->kind) {
    case NODE_STEP:
        return emit(r, node->step.op, node->step.x, 0);
    case NODE_EITHER:
        return put_either(r, node->first);
    case NODE_REPEAT:
        return put_repeat(r, node);
    case NODE_LIST:
        for (const struct node *n = node->first; n; n = n->next)
            if (!put(r, n)) return false;
        return true;
    }
    return true;
}

static bool finish(struct reading *r, const struct pattern **out) {
    struct pattern *p = ARENA_NEW(r->arena, struct pattern);
    if (!p) return err_no_memory(r->err);
    p->n = r->program.n;
    p->n_sets = r->sets.n;
    p->program = ARENA_ARRAY(r->arena, struct pattern_step, p->n);
    p->sets = ARENA_ARRAY(r->arena, struct pattern_set, p->n_sets + 1);
    if (!p->program || !p->sets) return err_no_memory(r->err);
    memcpy(p->program, r->program.p, p->n * sizeof *p->program);
    if (p->n_sets) memcpy(p->sets, r->sets.p, p->n_sets * sizeof *p->sets);
    *out = p;
    return true;
}

static bool read_whole(struct reading *r, const struct pattern **out) {
    if (r->text.n > PATTERN_TEXT_MAX)
        return err_set(r->err, ERR_INVALID_FIELD, "a pattern has at most %d bytes", PATTERN_TEXT_MAX);
    if (!utf8_valid(r->text)) return err_set(r->err, ERR_INVALID_FIELD, "the pattern is not UTF-8 text");
    struct node *top = either(r);
    if (!top) return false;
    if (!is_end(r)) return wrong(r, ") without (");
    return put(r, top) && emit(r, OP_MATCH, 0, 0) && finish(r, out);
}

bool pattern_compile(struct arena *arena, struct str text, enum pattern_how how, const struct pattern **out,
                     struct err *err) {
    struct reading r = {.text = text, .how = how, .arena = arena, .err = err};
    arena_init(&r.scratch, NULL, 0, (size_t)4 << 20);
    bool ok = read_whole(&r, out);
    arena_free(&r.scratch);
    vec_free(&r.sets);
    vec_free(&r.ranges);
    vec_free(&r.program);
    return ok;
}
