// Conditions on requests, as they stand after `when:`: a small expression language without loops, compiled once and
// asked for each request.
//
//   tokens > 32k && tenant == "acme"
//   model.startsWith("gpt-") || header["x-tier"] in ["gold", "silver"]
//   !(weekday in [6, 7]) && hour >= 9 && hour < 18 && !has(metadata.batch)
//
// Language. Weakest first: ||, &&, then one comparison (== != < <= > >= in [..]; they do not chain), + -, * / %, ! and
// - before, .method() after. Numbers 12, 0.5, 32k, 1M; texts "a" or 'a' with \\, \" and \' inside; true, false. On
// texts s.startsWith(t), s.endsWith(t), s.contains(t), s.matches("gpt-?-*") (* any run, ? one character, all of s; a
// literal), the same as startsWith(s, t); number(s); has(name), has(metadata.x). Names: condition_name.def. A member of
// a map: metadata.name, metadata["any name"]. Each expression has one type, known when it is compiled; nothing is
// converted on its own. What is missing is "", 0 or false, and has() tells. number() of what is no number is 0.
// Division by zero gives 0; % takes whole numbers. A comparison with what a name can never be, or without a name, is an
// error (condition_range.c).
//
// How to use it: compile with an arena that lives as long as the condition (the configuration's); look at
// condition_uses() to prepare only what is asked for; then condition_holds() with an environment whose get() says what
// a name stands for. get() is called only for names that matter to the result, each time that one is met.
//
// Ownership: the condition and all it points to lie in the arena; it borrows nothing. Thread rule: immutable, any
// number of threads may ask it. Evaluation allocates nothing and ends after at most CONDITION_STEPS_MAX steps. Errors:
// ERR_CONFIG_INVALID, "column 9: unknown name "token"; did you mean "tokens"?".
#ifndef CONF_CONDITION_H
#define CONF_CONDITION_H

#include "base/arena.h"
#include "base/err.h"

#define CONDITION_TEXT_MAX 4096 // bytes
#define CONDITION_DEPTH_MAX 32  // parentheses and the like
#define CONDITION_STEPS_MAX 512

enum condition_name {
#define NAME(id, word, kind, meaning) CONDITION_##id,
#include "conf/condition_name.def"
#undef NAME
    CONDITION_NAME_COUNT
};

enum condition_kind { CONDITION_KIND_NUMBER, CONDITION_KIND_STRING, CONDITION_KIND_BOOL, CONDITION_KIND_MEMBERS };

struct condition_name_info {
    struct str word;
    enum condition_kind kind;
    struct str meaning;
};
const struct condition_name_info *condition_name_info(enum condition_name name);

// get() fills the one that the name's kind says.
struct condition_value {
    double number;
    struct str text;
    bool truth;
};

struct condition_env {
    // The value of a name, or of a map's member (decoded; a header's in small letters; otherwise empty). False: there
    // is none. What out_value points to must live until condition_holds returns. from: what a number is below it makes
    // no difference, so one that is costly to know need not be exact there; -INFINITY: it has to be.
    bool (*get)(const void *ctx, enum condition_name name, struct str member, double from,
                struct condition_value *out_value);
    const void *ctx;
};

struct condition;
// The text may have several lines; a place beyond the first is told as "line 2, column 5".
NODISCARD bool condition_compile(struct str text, struct arena *arena, const struct condition **out_condition,
                                 struct err *err);
bool condition_holds(const struct condition *c, const struct condition_env *env);

// The names that a condition asks about, as CONDITION_USES(name) each.
#define CONDITION_USES(name) (UINT64_C(1) << (name))
static_assert(CONDITION_NAME_COUNT <= 64, "a bit for each name");
uint64_t condition_uses(const struct condition *c);

// Whether all of the text is as the pattern says: * for any run of characters, ? for one. For names of models and hosts
// elsewhere too.
bool condition_glob(struct str pattern, struct str text);

#endif
