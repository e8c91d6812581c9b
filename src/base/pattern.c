// Looks for a pattern: all its threads take each character together, so no text makes it slow.
#include "base/pattern_impl.h"

#include "base/mem.h"
#include "base/utf8.h"

#define NO_CHARACTER UINT32_MAX

struct threads {
    uint32_t *at;
    size_t n;
};
struct finding {
    const struct pattern *pattern;
    struct threads now, next;
    uint32_t *stack; // places to go on at
    uint32_t *seen;  // by place: the turn in which it was last there
    uint32_t turn;
    uint32_t before, c; // the characters around
    size_t steps;
    bool found;
};

bool pattern_is_word(uint32_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool pattern_set_has(const struct pattern_set *set, uint32_t c) {
    for (size_t i = 0; i < set->n; i++)
        if (c >= set->ranges[i].low && c <= set->ranges[i].high) return !set->negated;
    return set->negated;
}

static bool is_here(const struct finding *f, enum pattern_op op) {
    bool edge =
        (f->before != NO_CHARACTER && pattern_is_word(f->before)) != (f->c != NO_CHARACTER && pattern_is_word(f->c));
    switch (op) {
    case OP_BEGIN:
        return f->before == NO_CHARACTER;
    case OP_END:
        return f->c == NO_CHARACTER;
    case OP_WORD_EDGE:
        return edge;
    default:
        return !edge;
    }
}

// Puts a thread at a place, and wherever it gets from there without a character.
static void put(struct finding *f, struct threads *list, uint32_t place) {
    size_t n = 0;
    f->stack[n++] = place;
    while (n > 0) {
        uint32_t at = f->stack[--n];
        if (f->seen[at] == f->turn) continue;
        f->seen[at] = f->turn;
        f->steps++;
        const struct pattern_step *s = &f->pattern->program[at];
        switch (s->op) {
        case OP_JUMP:
            f->stack[n++] = s->x;
            break;
        case OP_SPLIT:
            f->stack[n++] = s->y;
            f->stack[n++] = s->x;
            break;
        case OP_MATCH:
            f->found = true;
            break;
        case OP_BEGIN:
        case OP_END:
        case OP_WORD_EDGE:
        case OP_NO_WORD_EDGE:
            if (is_here(f, s->op)) f->stack[n++] = at + 1;
            break;
        default:
            list->at[list->n++] = at;
        }
    }
}

static bool takes(const struct pattern *p, const struct pattern_step *s, uint32_t c) {
    if (s->op == OP_CHAR) return c == s->x;
    if (s->op == OP_SET) return pattern_set_has(&p->sets[s->x], c);
    return s->op == OP_ANY || (c != '\n' && c != '\r' && c != 0x2028 && c != 0x2029);
}

// The threads after character c, of which f->c is the next.
static void step(struct finding *f, uint32_t c) {
    for (size_t i = 0; i < f->now.n && !f->found; i++) {
        uint32_t at = f->now.at[i];
        if (takes(f->pattern, &f->pattern->program[at], c)) put(f, &f->next, at + 1);
    }
    struct threads swap = f->now;
    f->now = f->next;
    f->next = swap;
    f->next.n = 0;
}

// Reads the character that comes next; false: the text is not UTF-8.
static bool look(struct finding *f, struct str text, size_t *out_len) {
    f->c = NO_CHARACTER;
    *out_len = text.n ? utf8_decode(text, &f->c) : 0;
    return !text.n || *out_len;
}

static enum pattern_found run(struct finding *f, struct str text) {
    size_t len;
    f->before = NO_CHARACTER;
    f->turn = 1;
    if (!look(f, text, &len)) return PATTERN_GIVEN_UP;
    for (;;) {
        put(f, &f->now, 0);
        if (f->found) return PATTERN_FOUND;
        if (!text.n) return PATTERN_ABSENT;
        if (f->steps > PATTERN_STEPS_MAX || f->turn == UINT32_MAX) return PATTERN_GIVEN_UP;
        uint32_t c = f->before = f->c;
        text = str_from(text, len);
        if (!look(f, text, &len)) return PATTERN_GIVEN_UP;
        f->turn++;
        step(f, c);
        if (f->found) return PATTERN_FOUND;
    }
}

size_t pattern_size(const struct pattern *p) { return p->n; }

enum pattern_found pattern_find(const struct pattern *p, struct str text) {
    uint32_t *room = mem_zalloc(5 * p->n + 2, sizeof *room);
    if (!room) return PATTERN_GIVEN_UP;
    struct finding f = {.pattern = p,
                        .now = {.at = room},
                        .next = {.at = room + p->n},
                        .seen = room + 2 * p->n,
                        .stack = room + 3 * p->n};
    enum pattern_found found = run(&f, text);
    mem_free(room);
    return found;
}
