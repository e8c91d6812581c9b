// What the names of conditions can be: a comparison with anything else never holds, or always does, and is an error.
#include "conf/condition_impl.h"

#include "base/buf.h"
#include "conf/conf_tables.h"
#include "conf/opt.h"

#include <math.h>

#define SHOWN 40
#define TASK_MAX 64 // bytes of a task's name

struct range {
    double least, most;
    bool whole;
    const char *text;
};

static const struct range *range_of(enum condition_name name) {
    static const struct range ranges[] = {
        [CONDITION_TOKENS] = {0, INFINITY, true, "a whole number from 0 on"},
        [CONDITION_MAX_TOKENS] = {0, INFINITY, true, "a whole number from 0 on"},
        [CONDITION_MESSAGES] = {0, INFINITY, true, "a whole number from 0 on"},
        [CONDITION_COMPLEXITY] = {0, 100, false, "0 to 100"},
        [CONDITION_HOUR] = {0, 23, true, "a whole number, 0 to 23"},
        [CONDITION_MINUTE] = {0, 59, true, "a whole number, 0 to 59"},
        [CONDITION_WEEKDAY] = {1, 7, true, "1 (Monday) to 7 (Sunday)"},
    };
    return (size_t)name < ARRAY_LEN(ranges) && ranges[name].text ? &ranges[name] : NULL;
}

// The endpoints at which a target is chosen; the gateway's tests hold this list against its own.
static const struct str k_endpoints[] = {
#define WORD(word) STR_INIT(word),
#include "conf/condition_endpoint.def"
#undef WORD
};
static const struct str k_tiers[] = {
#define TIER(id, word, help) STR_INIT(word),
#include "conf/tier.def"
#undef TIER
};
static const struct str k_privacy[] = {STR_INIT("private"), STR_INIT("")};

static const struct str *words_of(enum condition_name name, size_t *out_n) {
    switch (name) {
    case CONDITION_ENDPOINT:
        *out_n = ARRAY_LEN(k_endpoints);
        return k_endpoints;
    case CONDITION_TIER:
        *out_n = ARRAY_LEN(k_tiers);
        return k_tiers;
    case CONDITION_PRIVACY:
        *out_n = ARRAY_LEN(k_privacy);
        return k_privacy;
    default:
        return NULL;
    }
}

static bool is_language(struct str s) {
    return s.n == 0 || (s.n == 2 && s.p[0] >= 'a' && s.p[0] <= 'z' && s.p[1] >= 'a' && s.p[1] <= 'z');
}

// NULL, or what it would have to look like.
static const char *form_of(enum condition_name name, struct str text) {
    if (name == CONDITION_LANGUAGE && !is_language(text))
        return "a code of two small letters such as \"en\" (ISO 639-1), or \"\" where nothing tells";
    if (name == CONDITION_TASK && (!text.n || text.n > TASK_MAX || check_slug(text)))
        return "a name of 1 to 64 of a-z, 0-9, \"-\", \"_\" and \".\"";
    return NULL;
}

static bool text_fault(struct word_reader *r, size_t at, enum condition_name name, struct str text) {
    const struct str word = condition_name_info(name)->word, shown = str_head(text, SHOWN);
    const char *form = form_of(name, text);
    size_t n = 0;
    const struct str *words = words_of(name, &n);
    if (form) return word_fault(r, at, "%.*s is %s, never \"%.*s\"", STR_ARG(word), form, STR_ARG(shown));
    for (size_t i = 0; i < n; i++)
        if (str_eq(words[i], text)) return true;
    if (!n) return true;
    const struct str near = opt_nearest(text, words, n);
    if (near.n)
        return word_fault(r, at, "%.*s is never \"%.*s\"; did you mean \"%.*s\"?", STR_ARG(word), STR_ARG(shown),
                          STR_ARG(near));
    BUF_AUTO struct buf list = BUF_INIT(1024);
    for (size_t i = 0; i < n; i++)
        buf_printf(&list, "%s\"%.*s\"", i == 0 ? "" : i + 1 < n ? ", " : " or ", STR_ARG(words[i]));
    return word_fault(r, at, "%.*s is %.*s, never \"%.*s\"", STR_ARG(word), STR_ARG(buf_str(&list)), STR_ARG(shown));
}

bool range_text(struct word_reader *r, size_t at, const struct step *name, struct str text) {
    return name->op != STEP_LOAD_TEXT || text_fault(r, at, (enum condition_name)name->name, text);
}

bool range_number(struct word_reader *r, size_t at, const struct step *name, double number) {
    const struct range *range = name->op == STEP_LOAD_NUMBER ? range_of((enum condition_name)name->name) : NULL;
    if (!range) return true;
    const bool fits = number >= range->least && number <= range->most && !(range->whole && floor(number) < number);
    if (fits) return true;
    return word_fault(r, at, "%.*s is %s, never %.15g",
                      STR_ARG(condition_name_info((enum condition_name)name->name)->word), range->text, number);
}

// 6 < hour as hour > 6.
static enum step_op turned(enum step_op op) {
    static const enum step_op turns[][2] = {{STEP_LESS, STEP_MORE}, {STEP_LESS_EQUAL, STEP_MORE_EQUAL}};
    for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
        if (op == turns[i][0]) return turns[i][1];
        if (op == turns[i][1]) return turns[i][0];
    }
    return op;
}

// Bounds are told as people tell them: `hour < 24` and `weekday > 0` speak of all values, and do no harm beside another
// comparison. What is further out was meant otherwise.
bool range_order(struct word_reader *r, size_t at, const struct step *name, bool name_first, enum step_op op,
                 double number, bool *out_always) {
    const struct range *range = name->op == STEP_LOAD_NUMBER ? range_of((enum condition_name)name->name) : NULL;
    if (!range) return true;
    if (!name_first) op = turned(op);
    const double least = range->least, most = range->most;
    const bool up = op == STEP_MORE || op == STEP_MORE_EQUAL, open = op == STEP_LESS || op == STEP_MORE;
    // Of the values the one that goes furthest the comparison's way, and the one that goes least.
    const bool never = up ? (open ? most <= number : most < number) : (open ? least >= number : least > number);
    const bool always = up ? (open ? least > number : least >= number) : (open ? most < number : most <= number);
    const bool told = number >= least - (op == STEP_MORE) && number <= most + (op == STEP_LESS);
    *out_always = always;
    if (!never && (told || !always)) return true;
    return word_fault(r, at, "%.*s is %s: this is %s true",
                      STR_ARG(condition_name_info((enum condition_name)name->name)->word), range->text,
                      never ? "never" : "always");
}
