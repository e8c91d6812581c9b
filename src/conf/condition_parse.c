// Compiles the text of a condition: recursive descent, each expression with the type it was found to have.
#include "conf/condition_impl.h"

#include "conf/opt.h"

#define CONSTANTS_MAX 256
#define NAME_SHOWN 40

struct compiler {
    struct word_reader reader;
    struct word word; // the one that is to be read
    struct arena *arena;
    struct step steps[CONDITION_STEPS_MAX];
    double numbers[CONSTANTS_MAX];
    struct str texts[CONSTANTS_MAX];
    unsigned count, number_count, text_count;
    unsigned depth, height; // of nesting; of the stack at this place
    uint64_t uses;
};

struct operand {
    enum condition_kind kind;
    size_t at;
    bool fixed;  // nothing of the request is in it
    bool always; // it holds for every request, by what its names can be
};

static const struct condition_name_info NAMES[CONDITION_NAME_COUNT] = {
#define NAME(id, word, kind, meaning) {STR_INIT(word), CONDITION_KIND_##kind, STR_INIT(meaning)},
#include "conf/condition_name.def"
#undef NAME
};

struct function {
    struct str word;
    enum step_op op;
};
static const struct function FUNCTIONS[] = {
    {STR_INIT("startsWith"), STEP_STARTS}, {STR_INIT("endsWith"), STEP_ENDS}, {STR_INIT("contains"), STEP_CONTAINS},
    {STR_INIT("matches"), STEP_MATCHES},   {STR_INIT("has"), STEP_HAS},       {STR_INIT("number"), STEP_TO_NUMBER},
};

const struct condition_name_info *condition_name_info(enum condition_name name) { return &NAMES[name]; }

#define FAULT(c, at, ...) word_fault(&(c)->reader, (at), __VA_ARGS__)
static bool parse_or(struct compiler *c, struct operand *out);

static const char *kind_text(enum condition_kind kind) {
    static const char *const texts[] = {"a number", "a text", "true or false", "a map"};
    return texts[kind];
}

static bool advance(struct compiler *c) { return word_next(&c->reader, &c->word); }

static bool is_sign(const struct compiler *c, const char *sign) {
    return c->word.kind == WORD_SIGN && str_eq(c->word.text, str_c(sign));
}

static bool is_word(const struct compiler *c, const char *word) {
    return c->word.kind == WORD_NAME && str_eq(c->word.text, str_c(word));
}

// "what" is needed here; says what is there instead.
static bool expected(struct compiler *c, const char *what) {
    const struct word *w = &c->word;
    if (w->kind == WORD_END) return FAULT(c, w->at, "%s is missing", what);
    if (w->kind == WORD_TEXT) return FAULT(c, w->at, "expected %s, found a text in quotes", what);
    return FAULT(c, w->at, "expected %s, found \"%.*s\"", what, STR_ARG(str_head(w->text, NAME_SHOWN)));
}

static bool take_sign(struct compiler *c, const char *sign) {
    char what[8] = {'"', sign[0], '"', '\0'};
    return is_sign(c, sign) ? advance(c) : expected(c, what);
}

static bool emit(struct compiler *c, struct step step, int change) {
    if (c->count == CONDITION_STEPS_MAX)
        return FAULT(c, c->word.at, "a condition has at most %d steps", CONDITION_STEPS_MAX);
    if (change > 0 && c->height == STACK_MAX) return FAULT(c, c->word.at, "this is nested too deep");
    c->steps[c->count++] = step;
    c->height = (unsigned)((int)c->height + change);
    return true;
}

static bool emit_op(struct compiler *c, enum step_op op, int change) {
    return emit(c, (struct step){.op = (uint8_t)op}, change);
}

static bool add_number(struct compiler *c, double number, uint16_t *out_index) {
    if (c->number_count == CONSTANTS_MAX)
        return FAULT(c, c->word.at, "a condition has at most %d numbers", CONSTANTS_MAX);
    *out_index = (uint16_t)c->number_count;
    c->numbers[c->number_count++] = number;
    return true;
}

static bool add_text(struct compiler *c, struct str inner, uint16_t *out_index) {
    if (c->text_count == CONSTANTS_MAX) return FAULT(c, c->word.at, "a condition has at most %d texts", CONSTANTS_MAX);
    const struct str text = word_literal(inner, c->arena);
    if (!text.p) return err_no_memory(c->reader.err);
    *out_index = (uint16_t)c->text_count;
    c->texts[c->text_count++] = text;
    return true;
}

static bool enter(struct compiler *c) {
    if (c->depth == CONDITION_DEPTH_MAX)
        return FAULT(c, c->word.at, "a condition is nested at most %d deep", CONDITION_DEPTH_MAX);
    c->depth++;
    return true;
}

static bool need_kind(struct compiler *c, const struct operand *o, enum condition_kind kind, const char *sign) {
    if (o->kind == kind) return true;
    return FAULT(c, o->at, "%s takes %s, this is %s", sign, kind_text(kind), kind_text(o->kind));
}

// --- names, literals, functions ---

static bool unknown_name(struct compiler *c, const struct word *w) {
    struct str known[CONDITION_NAME_COUNT + ARRAY_LEN(FUNCTIONS)];
    size_t n = 0;
    for (size_t i = 0; i < CONDITION_NAME_COUNT; i++) known[n++] = NAMES[i].word;
    for (size_t i = 0; i < ARRAY_LEN(FUNCTIONS); i++) known[n++] = FUNCTIONS[i].word;
    const struct str shown = str_head(w->text, NAME_SHOWN), near = opt_nearest(w->text, known, n);
    if (near.n) return FAULT(c, w->at, "unknown name \"%.*s\"; did you mean \"%.*s\"?", STR_ARG(shown), STR_ARG(near));
    return FAULT(c, w->at, "unknown name \"%.*s\"; a text stands in quotes", STR_ARG(shown));
}

static const struct function *find_function(struct str word) {
    for (size_t i = 0; i < ARRAY_LEN(FUNCTIONS); i++)
        if (str_eq(FUNCTIONS[i].word, word)) return &FUNCTIONS[i];
    return NULL;
}

static bool find_name(struct str word, enum condition_name *out_name) {
    for (size_t i = 0; i < CONDITION_NAME_COUNT; i++)
        if (str_eq(NAMES[i].word, word)) {
            *out_name = (enum condition_name)i;
            return true;
        }
    return false;
}

// .name or ["name"] after a map's name; headers are looked for in small letters.
static bool parse_member(struct compiler *c, enum condition_name map, uint16_t *out_index) {
    struct str member;
    if (is_sign(c, ".")) {
        if (!advance(c)) return false;
        if (c->word.kind != WORD_NAME) return expected(c, "a member's name");
        member = c->word.text;
        if (!advance(c)) return false;
    } else if (is_sign(c, "[")) {
        if (!advance(c)) return false;
        if (c->word.kind != WORD_TEXT) return expected(c, "a member's name in quotes");
        member = c->word.text;
        if (!advance(c) || !take_sign(c, "]")) return false;
    } else {
        const struct str word = NAMES[map].word;
        return FAULT(c, c->word.at, "%.*s is a map: write %.*s.name or %.*s[\"name\"]", STR_ARG(word), STR_ARG(word),
                     STR_ARG(word));
    }
    if (!add_text(c, member, out_index)) return false;
    if (map != CONDITION_HEADER) return true;
    char *p = (char *)(uintptr_t)c->texts[*out_index].p; // our own copy, in the arena
    for (size_t i = 0; i < c->texts[*out_index].n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z') p[i] = (char)(p[i] + 32);
    return true;
}

// A name, or a map's member, as the step that fetches it or asks whether it is there.
static bool parse_name(struct compiler *c, bool has, struct operand *out) {
    const struct word w = c->word;
    enum condition_name name;
    if (w.kind != WORD_NAME) return expected(c, "a name");
    if (!find_name(w.text, &name)) return unknown_name(c, &w);
    if (!advance(c)) return false;
    struct step step = {.name = (uint8_t)name};
    *out = (struct operand){.kind = NAMES[name].kind, .at = w.at};
    if (out->kind == CONDITION_KIND_MEMBERS) {
        if (!parse_member(c, name, &step.a)) return false;
        out->kind = CONDITION_KIND_STRING;
    }
    if (has && out->kind == CONDITION_KIND_BOOL)
        return FAULT(c, w.at, "%.*s is true or false itself, without has()", STR_ARG(NAMES[name].word));
    if (has)
        step.op = STEP_HAS, out->kind = CONDITION_KIND_BOOL;
    else if (out->kind == CONDITION_KIND_NUMBER)
        step.op = STEP_LOAD_NUMBER;
    else
        step.op = out->kind == CONDITION_KIND_STRING ? STEP_LOAD_TEXT : STEP_LOAD_TRUTH;
    c->uses |= CONDITION_USES(name);
    return emit(c, step, 1);
}

static bool constant(struct compiler *c, size_t at) {
    return FAULT(c, at, "nothing of the request is in this, so it is always the same: write true or false");
}

// The arguments after the text that a function is about, with the closing parenthesis; the text is on the stack.
static bool parse_text_call(struct compiler *c, const struct function *f, const struct operand *text) {
    struct step step = {.op = (uint8_t)f->op};
    struct operand arg = {.fixed = true};
    if (f->op == STEP_MATCHES) {
        if (c->word.kind != WORD_TEXT) return expected(c, "a pattern in quotes");
        if (!add_text(c, c->word.text, &step.a) || !advance(c)) return false;
    } else if (!parse_or(c, &arg) || !need_kind(c, &arg, CONDITION_KIND_STRING, f->word.p)) {
        return false;
    }
    if (text->fixed && arg.fixed) return constant(c, text->at);
    return take_sign(c, ")") && emit(c, step, f->op == STEP_MATCHES ? 0 : -1);
}

// f(…); the word to be read is the parenthesis.
static bool parse_function(struct compiler *c, const struct function *f, struct operand *out) {
    const size_t at = out->at;
    struct operand arg = {.at = at};
    if (!take_sign(c, "(") || !enter(c)) return false;
    if (f->op == STEP_HAS) {
        if (!parse_name(c, true, &arg) || !take_sign(c, ")")) return false;
    } else {
        if (!parse_or(c, &arg) || !need_kind(c, &arg, CONDITION_KIND_STRING, f->word.p)) return false;
        if (f->op == STEP_TO_NUMBER) {
            if (!take_sign(c, ")") || !emit_op(c, f->op, 0)) return false;
        } else if (!take_sign(c, ",") || !parse_text_call(c, f, &arg)) {
            return false;
        }
    }
    c->depth--;
    *out = (struct operand){.kind = f->op == STEP_TO_NUMBER ? CONDITION_KIND_NUMBER : CONDITION_KIND_BOOL,
                            .at = at,
                            .fixed = f->op == STEP_TO_NUMBER && arg.fixed};
    return true;
}

static bool parse_word(struct compiler *c, struct operand *out) {
    static const char *const hints[][2] = {{"and", "&&"}, {"or", "||"}, {"not", "!"}};
    const struct word w = c->word;
    *out = (struct operand){.kind = CONDITION_KIND_BOOL, .at = w.at, .fixed = true};
    if (is_word(c, "true") || is_word(c, "false"))
        return emit(c, (struct step){.op = STEP_TRUTH, .a = w.text.p[0] == 't'}, 1) && advance(c);
    for (size_t i = 0; i < ARRAY_LEN(hints); i++)
        if (is_word(c, hints[i][0])) return FAULT(c, w.at, "\"%s\" is written \"%s\"", hints[i][0], hints[i][1]);
    const struct function *f = find_function(w.text);
    if (!f) return parse_name(c, false, out);
    return advance(c) && parse_function(c, f, out);
}

static bool parse_primary(struct compiler *c, struct operand *out) {
    struct step step = {.op = STEP_NUMBER};
    *out = (struct operand){.kind = CONDITION_KIND_NUMBER, .at = c->word.at, .fixed = true};
    switch (c->word.kind) {
    case WORD_NUMBER:
        return add_number(c, c->word.number, &step.a) && emit(c, step, 1) && advance(c);
    case WORD_TEXT:
        out->kind = CONDITION_KIND_STRING;
        step.op = STEP_TEXT;
        return add_text(c, c->word.text, &step.a) && emit(c, step, 1) && advance(c);
    case WORD_NAME:
        return parse_word(c, out);
    case WORD_END:
    case WORD_SIGN:
        break;
    }
    if (!is_sign(c, "(")) return expected(c, "a name or a value");
    const size_t at = c->word.at;
    if (!enter(c) || !advance(c) || !parse_or(c, out) || !take_sign(c, ")")) return false;
    c->depth--;
    out->at = at;
    return true;
}

// --- operators, the strongest first ---

static bool parse_method(struct compiler *c, struct operand *out) {
    if (!advance(c)) return false;
    const struct function *f = c->word.kind == WORD_NAME ? find_function(c->word.text) : NULL;
    if (!f || f->op == STEP_HAS || f->op == STEP_TO_NUMBER)
        return expected(c, "startsWith, endsWith, contains or matches");
    if (!need_kind(c, out, CONDITION_KIND_STRING, f->word.p)) return false;
    if (!advance(c) || !take_sign(c, "(") || !enter(c) || !parse_text_call(c, f, out)) return false;
    c->depth--;
    out->kind = CONDITION_KIND_BOOL;
    out->fixed = false;
    return true;
}

static bool parse_unary(struct compiler *c, struct operand *out) {
    const bool is_not = is_sign(c, "!");
    if (is_not || is_sign(c, "-")) {
        const size_t at = c->word.at;
        if (!enter(c) || !advance(c) || !parse_unary(c, out)) return false;
        if (!need_kind(c, out, is_not ? CONDITION_KIND_BOOL : CONDITION_KIND_NUMBER, is_not ? "!" : "-")) return false;
        if (out->always) return FAULT(c, at, "this is never true, whatever the request");
        c->depth--;
        out->at = at;
        return emit_op(c, is_not ? STEP_NOT : STEP_NEGATE, 0);
    }
    if (!parse_primary(c, out)) return false;
    while (is_sign(c, "."))
        if (!parse_method(c, out)) return false;
    return true;
}

static bool parse_product(struct compiler *c, struct operand *out) {
    if (!parse_unary(c, out)) return false;
    while (is_sign(c, "*") || is_sign(c, "/") || is_sign(c, "%")) {
        const char sign[2] = {c->word.text.p[0], '\0'};
        struct operand right;
        if (!need_kind(c, out, CONDITION_KIND_NUMBER, sign) || !advance(c) || !parse_unary(c, &right) ||
            !need_kind(c, &right, CONDITION_KIND_NUMBER, sign))
            return false;
        out->fixed &= right.fixed;
        if (!emit_op(c, *sign == '*' ? STEP_MULTIPLY : *sign == '/' ? STEP_DIVIDE : STEP_REMAINDER, -1)) return false;
    }
    return true;
}

static bool parse_sum(struct compiler *c, struct operand *out) {
    if (!parse_product(c, out)) return false;
    while (is_sign(c, "+") || is_sign(c, "-")) {
        const char sign[2] = {c->word.text.p[0], '\0'};
        struct operand right;
        if (!need_kind(c, out, CONDITION_KIND_NUMBER, sign) || !advance(c) || !parse_product(c, &right) ||
            !need_kind(c, &right, CONDITION_KIND_NUMBER, sign))
            return false;
        out->fixed &= right.fixed;
        if (!emit_op(c, *sign == '+' ? STEP_ADD : STEP_SUBTRACT, -1)) return false;
    }
    return true;
}

// name: what is looked for in the list, or NULL.
static bool parse_item(struct compiler *c, enum condition_kind kind, const struct step *name) {
    uint16_t index = 0;
    const size_t at = c->word.at;
    const bool minus = is_sign(c, "-");
    if (minus && !advance(c)) return false;
    if (kind == CONDITION_KIND_NUMBER && c->word.kind == WORD_NUMBER) {
        const double number = minus ? -c->word.number : c->word.number;
        return (!name || range_number(&c->reader, at, name, number)) && add_number(c, number, &index) && advance(c);
    }
    if (kind == CONDITION_KIND_STRING && c->word.kind == WORD_TEXT && !minus)
        return add_text(c, c->word.text, &index) && (!name || range_text(&c->reader, at, name, c->texts[index])) &&
               advance(c);
    return expected(c, kind == CONDITION_KIND_NUMBER ? "a number" : "a text in quotes");
}

// After "in": a list of literals. begin: the left side's first step.
static bool parse_list(struct compiler *c, unsigned begin, struct operand *left) {
    const struct step *name = c->count == begin + 1 ? &c->steps[begin] : NULL;
    const bool texts = left->kind == CONDITION_KIND_STRING;
    if (left->kind == CONDITION_KIND_BOOL) return FAULT(c, left->at, "\"in\" takes a number or a text on its left");
    if (left->fixed) return constant(c, left->at);
    if (!advance(c) || !take_sign(c, "[")) return false;
    const unsigned first = texts ? c->text_count : c->number_count;
    if (is_sign(c, "]")) return FAULT(c, c->word.at, "the list is empty");
    for (;;) {
        if (!parse_item(c, left->kind, name)) return false;
        if (!is_sign(c, ",")) break;
        if (!advance(c)) return false;
    }
    if (!is_sign(c, "]")) return expected(c, "\",\" or \"]\"");
    const unsigned n = (texts ? c->text_count : c->number_count) - first;
    left->kind = CONDITION_KIND_BOOL;
    return advance(c) &&
           emit(c, (struct step){.op = texts ? STEP_TEXT_IN : STEP_NUMBER_IN, .a = (uint16_t)first, .b = (uint16_t)n},
                0);
}

struct comparison {
    const char *sign;
    enum step_op number, text, truth; // 0: not for this kind
};
static const struct comparison COMPARISONS[] = {
    {"==", STEP_NUMBER_EQUAL, STEP_TEXT_EQUAL, STEP_TRUTH_EQUAL},
    {"!=", STEP_NUMBER_DIFFERS, STEP_TEXT_DIFFERS, STEP_TRUTH_DIFFERS},
    {"<", STEP_LESS, 0, 0},
    {"<=", STEP_LESS_EQUAL, 0, 0},
    {">", STEP_MORE, 0, 0},
    {">=", STEP_MORE_EQUAL, 0, 0},
};

static const struct comparison *find_comparison(const struct compiler *c) {
    for (size_t i = 0; i < ARRAY_LEN(COMPARISONS); i++)
        if (is_sign(c, COMPARISONS[i].sign)) return &COMPARISONS[i];
    return NULL;
}

// A name that is compared with a number as it stands, on whichever side: which numbers are below makes no difference.
static void note_compared(struct step *name, const struct step *number) {
    if (name->op == STEP_LOAD_NUMBER && number->op == STEP_NUMBER) name->b = (uint16_t)(number->a + 1);
}

// One side is a name as it stands, the other a constant: the name has to be able to be it.
static bool check_range(struct compiler *c, enum step_op op, const struct step *name, const struct operand *side,
                        const struct step *steps, size_t count, struct operand *out) {
    const struct condition all = {.steps = c->steps, .numbers = c->numbers, .texts = c->texts};
    const bool first = name < steps;
    if (side->kind == CONDITION_KIND_STRING)
        return range_text(&c->reader, side->at, name, c->texts[steps[count - 1].a]);
    if (side->kind == CONDITION_KIND_BOOL) return true;
    const double number = condition_constant(&all, steps, count);
    if (op == STEP_NUMBER_EQUAL || op == STEP_NUMBER_DIFFERS) return range_number(&c->reader, side->at, name, number);
    return range_order(&c->reader, side->at, name, first, op, number, &out->always);
}

static bool check_compared(struct compiler *c, enum step_op op, unsigned first, unsigned second, struct operand *left,
                           const struct operand *right) {
    const struct step *l = &c->steps[first], *r = &c->steps[second];
    const size_t l_count = second - first, r_count = c->count - second;
    const struct operand was = *left;
    if (was.fixed && right->fixed) return constant(c, was.at);
    *left = (struct operand){.kind = CONDITION_KIND_BOOL, .at = was.at};
    if (right->fixed && l_count == 1) return check_range(c, op, l, right, r, r_count, left);
    if (was.fixed && r_count == 1) return check_range(c, op, r, &was, l, l_count, left);
    return true;
}

// first: the left side's first step.
static bool parse_compared(struct compiler *c, const struct comparison *how, unsigned first, struct operand *left) {
    const unsigned second = c->count;
    struct operand right;
    if (!how->text && !need_kind(c, left, CONDITION_KIND_NUMBER, how->sign)) return false;
    if (!advance(c) || !parse_sum(c, &right)) return false;
    if (right.kind != left->kind)
        return FAULT(c, right.at, "%s compares %s with %s: they have to be of one kind", how->sign,
                     kind_text(left->kind), kind_text(right.kind));
    const enum step_op op = left->kind == CONDITION_KIND_NUMBER   ? how->number
                            : left->kind == CONDITION_KIND_STRING ? how->text
                                                                  : how->truth;
    if (second == first + 1 && c->count == second + 1) {
        note_compared(&c->steps[first], &c->steps[second]);
        note_compared(&c->steps[second], &c->steps[first]);
    }
    return check_compared(c, op, first, second, left, &right) && emit_op(c, op, -1);
}

static bool parse_comparison(struct compiler *c, struct operand *out) {
    const unsigned first = c->count;
    if (!parse_sum(c, out)) return false;
    const struct comparison *how = find_comparison(c);
    if (how) {
        if (!parse_compared(c, how, first, out)) return false;
    } else if (is_word(c, "in")) {
        if (!parse_list(c, first, out)) return false;
    } else {
        return true;
    }
    if (find_comparison(c) || is_word(c, "in"))
        return FAULT(c, c->word.at, "comparisons do not chain; join them with \"&&\" or use parentheses");
    return true;
}

typedef bool parser(struct compiler *c, struct operand *out);

// a || b || c: each but the last jumps past the next when it decides.
static bool parse_joined(struct compiler *c, const char *sign, enum step_op op, parser *next, struct operand *out) {
    if (!next(c, out)) return false;
    while (is_sign(c, sign)) {
        const unsigned jump = c->count;
        struct operand right;
        if (!need_kind(c, out, CONDITION_KIND_BOOL, sign) || !emit_op(c, op, -1) || !advance(c) || !next(c, &right) ||
            !need_kind(c, &right, CONDITION_KIND_BOOL, sign))
            return false;
        out->always = op == STEP_OR_ELSE ? out->always || right.always : out->always && right.always;
        out->fixed = false;
        c->steps[jump].a = (uint16_t)c->count;
    }
    return true;
}

static bool parse_and(struct compiler *c, struct operand *out) {
    return parse_joined(c, "&&", STEP_AND_THEN, parse_comparison, out);
}

static bool parse_or(struct compiler *c, struct operand *out) {
    return parse_joined(c, "||", STEP_OR_ELSE, parse_and, out);
}

static bool parse_all(struct compiler *c) {
    struct operand whole;
    if (!advance(c)) return false;
    if (c->word.kind == WORD_END) return FAULT(c, 0, "the condition is empty");
    if (!parse_or(c, &whole)) return false;
    if (c->word.kind != WORD_END) return expected(c, "an operator or the end");
    if (whole.always) return FAULT(c, whole.at, "this is always true, whatever the request");
    if (whole.kind == CONDITION_KIND_BOOL) return true;
    return FAULT(c, whole.at, "a condition is true or false, this is %s: compare it with something",
                 kind_text(whole.kind));
}

static void *copy(struct arena *arena, const void *from, size_t bytes) {
    void *to = arena_alloc(arena, bytes ? bytes : 1);
    if (to && bytes) memcpy(to, from, bytes);
    return to;
}

bool condition_compile(struct str text, struct arena *arena, const struct condition **out_condition, struct err *err) {
    struct compiler c = {.reader = {.text = text, .err = err}, .arena = arena};
    if (text.n > CONDITION_TEXT_MAX)
        return err_set(err, ERR_CONFIG_INVALID, "a condition has at most %d bytes", CONDITION_TEXT_MAX);
    if (!parse_all(&c)) return false;
    struct condition *made = ARENA_NEW(arena, struct condition);
    if (!made) return err_no_memory(err);
    made->steps = copy(arena, c.steps, c.count * sizeof *c.steps);
    made->numbers = copy(arena, c.numbers, c.number_count * sizeof *c.numbers);
    made->texts = copy(arena, c.texts, c.text_count * sizeof *c.texts);
    made->uses = c.uses;
    made->count = (uint16_t)c.count;
    if (!made->steps || !made->numbers || !made->texts) return err_no_memory(err);
    *out_condition = made;
    return true;
}
