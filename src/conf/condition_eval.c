// Asks a compiled condition: a loop over its steps with a small stack.
#include "conf/condition_impl.h"

#include <math.h>

union slot {
    double number;
    struct str text;
    bool truth;
};

// Where * was met last, the text's side of it is moved on by one character at a time, so the time is at most the
// product of the lengths.
bool condition_glob(struct str pattern, struct str text) {
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.n && pattern.p[p] == '?') {
            p++, t++;
            while (t < text.n && ((unsigned char)text.p[t] & 0xc0) == 0x80) t++;
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++, t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*') p++;
    return p == pattern.n;
}

static double remainder_of(double a, double b) {
    const double whole = 9007199254740992.0; // 2^53: beyond it there are no fractions to cut off, nor exact numbers
    if (!(a > -whole && a < whole && b > -whole && b < whole)) return 0;
    const int64_t by = (int64_t)b;
    return by == 0 ? 0 : (double)((int64_t)a % by);
}

static double number_of(struct str text) {
    text = str_trim(text);
    const bool negative = str_starts(text, STR("-"));
    double number = 0;
    if (negative) text = str_from(text, 1);
    if (text.n == 0 || word_number(text, &number) != text.n) return 0;
    return negative ? -number : number;
}

static double arithmetic(unsigned op, double a, double b) {
    switch (op) {
    case STEP_ADD:
        return a + b;
    case STEP_SUBTRACT:
        return a - b;
    case STEP_MULTIPLY:
        return a * b;
    case STEP_DIVIDE:
        return b < 0 || b > 0 ? a / b : 0;
    default:
        return remainder_of(a, b);
    }
}

static bool compare_numbers(unsigned op, double a, double b) {
    switch (op) {
    case STEP_LESS:
        return a < b;
    case STEP_LESS_EQUAL:
        return a <= b;
    case STEP_MORE:
        return a > b;
    case STEP_MORE_EQUAL:
        return a >= b;
    case STEP_NUMBER_EQUAL:
        return a <= b && a >= b;
    default:
        return a < b || a > b;
    }
}

static bool compare_texts(unsigned op, struct str a, struct str b) {
    switch (op) {
    case STEP_TEXT_EQUAL:
        return str_eq(a, b);
    case STEP_TEXT_DIFFERS:
        return !str_eq(a, b);
    case STEP_STARTS:
        return str_starts(a, b);
    case STEP_ENDS:
        return str_ends(a, b);
    default:
        return b.n == 0 || str_find(a, b) < a.n;
    }
}

static bool is_in(const struct condition *c, const struct step *s, const union slot *v) {
    for (size_t i = s->a; i < (size_t)s->a + s->b; i++)
        if (s->op == STEP_TEXT_IN ? str_eq(v->text, c->texts[i])
                                  : compare_numbers(STEP_NUMBER_EQUAL, v->number, c->numbers[i]))
            return true;
    return false;
}

static void load(const struct condition *c, const struct step *s, const struct condition_env *env, union slot *out) {
    struct condition_value v = {.text = STR_NONE};
    const enum condition_name name = (enum condition_name)s->name;
    const bool is_map = condition_name_info(name)->kind == CONDITION_KIND_MEMBERS;
    const double from = s->b ? c->numbers[s->b - 1] : -INFINITY;
    bool there = env->get(env->ctx, name, is_map ? c->texts[s->a] : STR_NONE, from, &v);
    if (!there) v = (struct condition_value){.text = STR_NONE};
    // A name whose text is empty is not there; a map's member may be empty.
    if (condition_name_info(name)->kind == CONDITION_KIND_STRING) there = v.text.n > 0;
    switch (s->op) {
    case STEP_LOAD_NUMBER:
        out->number = v.number;
        return;
    case STEP_LOAD_TEXT:
        out->text = v.text;
        return;
    case STEP_LOAD_TRUTH:
        out->truth = v.truth;
        return;
    default:
        out->truth = there;
    }
}

// Steps that put one value in the place of the top of the stack, or of the two there.
static union slot *reduce(const struct condition *c, const struct step *s, union slot *top) {
    switch (s->op) {
    case STEP_NOT:
        top->truth = !top->truth;
        return top;
    case STEP_NEGATE:
        top->number = -top->number;
        return top;
    case STEP_TO_NUMBER:
        top->number = number_of(top->text);
        return top;
    case STEP_MATCHES:
        top->truth = condition_glob(c->texts[s->a], top->text);
        return top;
    case STEP_NUMBER_IN:
    case STEP_TEXT_IN:
        top->truth = is_in(c, s, top);
        return top;
    default:
        break;
    }
    top--;
    if (s->op <= STEP_REMAINDER)
        top[0].number = arithmetic(s->op, top[0].number, top[1].number);
    else if (s->op <= STEP_NUMBER_DIFFERS)
        top[0].truth = compare_numbers(s->op, top[0].number, top[1].number);
    else if (s->op == STEP_TRUTH_EQUAL || s->op == STEP_TRUTH_DIFFERS)
        top[0].truth = (top[0].truth == top[1].truth) == (s->op == STEP_TRUTH_EQUAL);
    else
        top[0].truth = compare_texts(s->op, top[0].text, top[1].text);
    return top;
}

// The compiler has seen to it that kinds fit, that jumps go forward and that the stack stays within STACK_MAX.
static union slot run(const struct condition *c, const struct step *first, size_t count,
                      const struct condition_env *env) {
    union slot stack[STACK_MAX + 1];
    memset(stack, 0, sizeof stack);
    union slot *top = stack; // the first is never used, so that top always points at a slot
    for (const struct step *s = first, *end = s + count; s < end; s++) {
        switch (s->op) {
        case STEP_NUMBER:
            (++top)->number = c->numbers[s->a];
            break;
        case STEP_TEXT:
            (++top)->text = c->texts[s->a];
            break;
        case STEP_TRUTH:
            (++top)->truth = s->a != 0;
            break;
        case STEP_LOAD_NUMBER:
        case STEP_LOAD_TEXT:
        case STEP_LOAD_TRUTH:
        case STEP_HAS:
            load(c, s, env, ++top);
            break;
        case STEP_OR_ELSE:
        case STEP_AND_THEN:
            if (top->truth == (s->op == STEP_OR_ELSE))
                s = c->steps + s->a - 1;
            else
                top--;
            break;
        default:
            top = reduce(c, s, top);
        }
    }
    return *top;
}

bool condition_holds(const struct condition *c, const struct condition_env *env) {
    return run(c, c->steps, c->count, env).truth;
}

double condition_constant(const struct condition *c, const struct step *first, size_t count) {
    return run(c, first, count, NULL).number;
}

uint64_t condition_uses(const struct condition *c) { return c->uses; }
