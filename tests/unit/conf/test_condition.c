// Conditions: what they mean, what binds stronger, what is missing, and what each wrong text is told.
#include "base/buf.h"
#include "check.h"
#include "conf/condition.h"

#include <math.h>
#include <stdlib.h>

struct world {
    unsigned asked[CONDITION_NAME_COUNT];
    bool empty; // nothing is there
};

static bool member_of(struct str member, const char *const *pairs, struct str *out) {
    for (; *pairs; pairs += 2)
        if (str_eq(member, str_c(pairs[0]))) {
            *out = str_c(pairs[1]);
            return true;
        }
    return false;
}

static bool world_get(const void *ctx, enum condition_name name, struct str member, double from,
                      struct condition_value *out) {
    struct world *w = (struct world *)(uintptr_t)ctx;
    static const char *const headers[] = {"x-team", "search", "x-empty", "", "x-quoted", "a'b\\", NULL};
    static const char *const metadata[] = {"job", "nightly", "n", " 42 ", "cost-center", "k\"7", NULL};
    static const char *const tags[] = {"env", "prod", NULL};
    (void)from;
    w->asked[name]++;
    if (w->empty) return false;
    switch (name) {
    case CONDITION_TOKENS:
        out->number = 32000;
        return true;
    case CONDITION_COMPLEXITY:
        out->number = 61.5;
        return true;
    case CONDITION_HOUR:
        out->number = 14;
        return true;
    case CONDITION_WEEKDAY:
        out->number = 3;
        return true;
    case CONDITION_MODEL:
        out->text = STR("gpt-5-mini");
        return true;
    case CONDITION_TENANT:
        out->text = STR("acme");
        return true;
    case CONDITION_TEAM:
        out->text = STR("");
        return true;
    case CONDITION_LANGUAGE:
        out->text = STR("d\xc3\xa9");
        return true;
    case CONDITION_STREAM:
        out->truth = true;
        return true;
    case CONDITION_TOOLS:
        out->truth = false;
        return true;
    case CONDITION_HEADER:
        return member_of(member, headers, &out->text);
    case CONDITION_METADATA:
        return member_of(member, metadata, &out->text);
    case CONDITION_TAG:
        return member_of(member, tags, &out->text);
    default:
        return false;
    }
}

struct expectation {
    const char *text;
    bool holds;
};

static void check_holds(const struct expectation *all, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct arena arena;
        struct err err;
        struct world w = {.empty = false};
        const struct condition *c;
        arena_init(&arena, NULL, 0, 1 << 20);
        const bool ok = condition_compile(str_c(all[i].text), &arena, &c, &err);
        if (!ok) fprintf(stderr, "%s: %s\n", all[i].text, err.message);
        CHECK(ok);
        if (ok && condition_holds(c, &(struct condition_env){world_get, &w}) != all[i].holds) {
            fprintf(stderr, "%s: is not %s\n", all[i].text, all[i].holds ? "true" : "false");
            CHECK(false);
        }
        arena_free(&arena);
    }
}

struct wrong {
    const char *text, *message;
};

static void check_wrong(const struct wrong *all, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct arena arena;
        struct err err = {0};
        const struct condition *c;
        arena_init(&arena, NULL, 0, 1 << 20);
        const bool ok = condition_compile(str_c(all[i].text), &arena, &c, &err);
        if (ok) fprintf(stderr, "%s: is taken\n", all[i].text);
        CHECK(!ok);
        CHECK_INT(err.code, ERR_CONFIG_INVALID);
        CHECK_STR(str_c(err.message), str_c(all[i].message));
        arena_free(&arena);
    }
}

static void values_are_compared(void) {
    static const struct expectation all[] = {
        {"true", true},
        {"false", false},
        {"stream", true},
        {"tools", false},
        {"tokens == 32k", true},
        {"tokens == 0.032M", true},
        {"tokens != 32K", false},
        {"tokens > 32000", false},
        {"tokens >= 32000", true},
        {"tokens < 32000.5", true},
        {"tokens <= 31999", false},
        {"complexity == 61.5", true},
        {"-tokens == -32000", true},
        {"- -tokens == 32000", true},
        {"tenant == \"acme\"", true},
        {"tenant == 'acme'", true},
        {"tenant != 'acme'", false},
        {"tenant == 'Acme'", false},
        {"'acme' == tenant", true},
        {"stream == true", true},
        {"stream != tools", true},
        {"tools == false", true},
        {"weekday in [1, 2, 3]", true},
        {"tokens - 1 in [-3, 6,7]", false},
        {"-weekday in [-3]", true},
        {"tenant in ['beta', \"acme\"]", true},
        {"!(tenant in ['beta'])", true},
        {"model.startsWith('gpt-')", true},
        {"startsWith(model, 'gpt-')", true},
        {"model.startsWith('gpt-5-mini-x')", false},
        {"model.endsWith(\"-mini\")", true},
        {"model.contains('-5-')", true},
        {"model.contains('')", true},
        {"model.contains('mimi')", false},
        {"model.contains(tenant)", false},
        {"'acme-search'.startsWith(tenant)", true},
        {"model.matches('gpt-*')", true},
        {"matches(model, 'gpt-?-m*i')", true},
        {"model.matches('gpt')", false},
        {"model.matches('*')", true},
        {"language.matches('d?')", true},
        {"language.matches('d?e')", false},
        {"header['x-quoted'] == 'a\\'b\\\\' && header['x-quoted'] == \"a'b\\\\\"", true},
        {" \t\r\n stream \n && true", true},
    };
    check_holds(all, ARRAY_LEN(all));
}

static void precedence_is_as_in_c(void) {
    static const struct expectation all[] = {
        {"true || false && false", true},
        {"(true || false) && false", false},
        {"false && true || true", true},
        {"false && (true || true)", false},
        {"!false && false", false},
        {"!(false && false)", true},
        {"!vision == stream", true},
        {"!!stream", true},
        {"1 + 2 * 3 == 7 + messages", true},
        {"(1 + 2) * 3 == 9 + messages", true},
        {"10 - 4 - 3 == 3 + messages", true},
        {"100 / 10 / 2 == 5 + messages", true},
        {"7 % 4 * 2 == 6 + messages", true},
        {"-7 % 4 == messages - 3", true},
        {"7.9 % 4.9 == 3 + messages", true},
        {"2 * -3 == messages - 6", true},
        {"1 + 1 > messages + 1 && 2 < messages + 1 + 2", true},
    };
    check_holds(all, ARRAY_LEN(all));
    static const struct expectation odd[] = {
        {"1 / 0 == messages", true},
        {"1 % 0 == messages", true},
        {"1 % 0.5 == messages", true},
        {"999999999999999M * 999999999999999M * 999999999999999M % 7 == messages", true},
        {"true || true || true && false", true},
        {"false || false || true", true},
        {"true && true && false", false},
    };
    check_holds(odd, ARRAY_LEN(odd));
}

static void members_and_what_is_missing(void) {
    static const struct expectation all[] = {
        {"header[\"X-Team\"] == 'search'", true},
        {"header['x-other'] == ''", true},
        {"has(header['x-TEAM'])", true},
        {"has(header['x-empty'])", true},
        {"has(header['x-other'])", false},
        {"metadata.job == 'nightly'", true},
        {"metadata['job'].startsWith('night')", true},
        {"metadata.job.endsWith('ly')", true},
        {"metadata.Job == 'nightly'", false},
        {"has(metadata.x)", false},
        {"!has(metadata.x) && metadata.x == ''", true},
        {"metadata['cost-center'] == 'k\\\"7'", true},
        {"tag.env in ['prod', 'test']", true},
        {"has(tag.team)", false},
        {"number(metadata.n) == 42", true},
        {"number(metadata.job) == 0", true},
        {"number('-1.5k') == messages - 1500", true},
        {"number('1e9') == messages", true},
        {"has(tenant)", true},
        {"has(team)", false}, // empty
        {"has(user)", false},
        {"has(tokens)", true},
        {"has(max_tokens)", false},
        {"max_tokens == 0 && user == '' && !vision", true},
    };
    check_holds(all, ARRAY_LEN(all));
}

// A world of tokens alone: so many, or what they are said to be where that makes no difference.
struct counted {
    double tokens, told, from;
};

static bool counted_get(const void *ctx, enum condition_name name, struct str member, double from,
                        struct condition_value *out) {
    struct counted *w = (struct counted *)(uintptr_t)ctx;
    (void)member;
    if (name != CONDITION_TOKENS) return false;
    w->from = from;
    out->number = w->tokens < from && w->told < from ? w->told : w->tokens;
    return true;
}

static void what_is_below_makes_no_difference(void) {
    static const double numbers[] = {0, 1, 4, 5, 6, 41, 42, 31999, 32000, 32001, 999999, 1000000, 1e12};
    static const struct {
        const char *text;
        double from;
    } all[] = {
        {"tokens > 32k", 32000},
        {"tokens >= 32k", 32000},
        {"32k <= tokens", 32000},
        {"tokens == 42", 42},
        {"(tokens) != (42)", 42},
        {"!(tokens < 42)", 42},
        {"max_tokens == 0 && 5 < tokens", 5},
        {"tokens > 5 && tokens > 1M || tokens == 42", 42},
        {"tokens > -max_tokens", -INFINITY},
        {"-tokens < -5", -INFINITY},
        {"tokens + 1 > 5", -INFINITY},
        {"5 > 47 - tokens", -INFINITY},
        {"tokens % 2 == 0", -INFINITY},
        {"tokens in [5, 42]", -INFINITY},
        {"tokens > max_tokens", -INFINITY},
        {"tokens < tokens + 1", -INFINITY},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct arena arena;
        struct err err;
        const struct condition *c;
        arena_init(&arena, NULL, 0, 1 << 20);
        REQUIRE(condition_compile(str_c(all[i].text), &arena, &c, &err));
        struct counted low = {0, 0, 0};
        (void)condition_holds(c, &(struct condition_env){counted_get, &low});
        CHECK(low.from <= all[i].from && low.from >= all[i].from);
        for (size_t k = 0; k < ARRAY_LEN(numbers) * ARRAY_LEN(numbers); k++) {
            double n = numbers[k / ARRAY_LEN(numbers)];
            struct counted exact = {n, n, 0}, other = {n, numbers[k % ARRAY_LEN(numbers)], 0};
            CHECK(condition_holds(c, &(struct condition_env){counted_get, &exact}) ==
                  condition_holds(c, &(struct condition_env){counted_get, &other}));
        }
        arena_free(&arena);
    }
}

// What a name can never be is an error, told at the constant; bounds as people tell them are none.
static const struct wrong impossible[] = {
    {"tier == 'hard'", "column 9: tier is \"simple\", \"medium\", \"complex\" or \"reasoning\", never \"hard\""},
    {"tier != \"complx\"", "column 9: tier is never \"complx\"; did you mean \"complex\"?"},
    {"'Simple' == tier", "column 1: tier is never \"Simple\"; did you mean \"simple\"?"},
    {"stream && tier in ['simple', '']",
     "column 30: tier is \"simple\", \"medium\", \"complex\" or \"reasoning\", never \"\""},
    {"privacy == 'none'", "column 12: privacy is \"private\" or \"\", never \"none\""},
    {"endpoint == 'chats'", "column 13: endpoint is never \"chats\"; did you mean \"chat\"?"},
    {"language == 'deu'",
     "column 13: language is a code of two small letters such as \"en\" (ISO 639-1), or \"\" where "
     "nothing tells, never \"deu\""},
    {"task == 'My Task'", "column 9: task is a name of 1 to 64 of a-z, 0-9, \"-\", \"_\" and \".\", never \"My Task\""},
    {"weekday == 0", "column 12: weekday is 1 (Monday) to 7 (Sunday), never 0"},
    {"weekday in [6, 7, 8]", "column 19: weekday is 1 (Monday) to 7 (Sunday), never 8"},
    {"weekday in [-1]", "column 13: weekday is 1 (Monday) to 7 (Sunday), never -1"},
    {"weekday <= 8", "column 12: weekday is 1 (Monday) to 7 (Sunday): this is always true"},
    {"weekday >= 0 && weekday <= 4", "column 12: weekday is 1 (Monday) to 7 (Sunday): this is always true"},
    {"hour == 24", "column 9: hour is a whole number, 0 to 23, never 24"},
    {"hour != (20 + 4)", "column 9: hour is a whole number, 0 to 23, never 24"},
    {"hour == 9.5", "column 9: hour is a whole number, 0 to 23, never 9.5"},
    {"hour >= 24", "column 9: hour is a whole number, 0 to 23: this is never true"},
    {"hour > 23", "column 8: hour is a whole number, 0 to 23: this is never true"},
    {"24 <= hour", "column 1: hour is a whole number, 0 to 23: this is never true"},
    {"25 > hour", "column 1: hour is a whole number, 0 to 23: this is always true"},
    {"hour < 0", "column 8: hour is a whole number, 0 to 23: this is never true"},
    {"hour > -2", "column 8: hour is a whole number, 0 to 23: this is always true"},
    {"minute == 60", "column 11: minute is a whole number, 0 to 59, never 60"},
    {"complexity > 100", "column 14: complexity is 0 to 100: this is never true"},
    {"tokens < 0", "column 10: tokens is a whole number from 0 on: this is never true"},
    {"messages == 1.5", "column 13: messages is a whole number from 0 on, never 1.5"},
    // Right by themselves, and yet the same for every request.
    {"hour < 24", "column 1: this is always true, whatever the request"},
    {"hour >= 0 && hour <= 23", "column 1: this is always true, whatever the request"},
    {"stream || hour >= 0", "column 1: this is always true, whatever the request"},
    {"stream && !(hour >= 0)", "column 11: this is never true, whatever the request"},
    {"1 > 2", "column 1: nothing of the request is in this, so it is always the same: write true or false"},
    {"stream && 2 == 1 + 1",
     "column 11: nothing of the request is in this, so it is always the same: write true or false"},
    {"'a' in ['a']", "column 1: nothing of the request is in this, so it is always the same: write true or false"},
    {"'abc'.startsWith('a')",
     "column 1: nothing of the request is in this, so it is always the same: write true or false"},
    {"matches('abc', 'a*')",
     "column 9: nothing of the request is in this, so it is always the same: write true or false"},
    {"number('5') > 4", "column 1: nothing of the request is in this, so it is always the same: write true or false"},
    {"true == false", "column 1: nothing of the request is in this, so it is always the same: write true or false"},
};

static void what_can_never_be_is_an_error(void) {
    static const struct expectation possible[] = {
        {"hour >= 9 && hour < 24", true},
        {"hour > 18 && 24 > hour", false},
        {"weekday > 0 && weekday < 6", true},
        {"weekday >= 1 && weekday <= 5", true},
        {"weekday > 0 && weekday < 8 && tools", false},
        {"hour >= 0 && stream", true},
        {"hour in [0, 14, 23]", true},
        {"minute + 1 == 60", false},
        {"hour + 24 == 38", true},
        {"complexity <= 61.5", true},
        {"tier == 'simple' || tier == \"reasoning\"", false},
        {"privacy == '' && privacy != 'private'", true},
        {"endpoint in ['chat', 'gemini_chat']", false},
        {"language == '' || language == 'de'", false},
        {"task == 'my-own.task_2' || task == 'code'", false},
        {"tier.startsWith('comp')", false},
        {"metadata.tier == 'hard'", false},
        {"tenant == '' || model == 'x y'", false},
        {"true", true},
        {"false && stream", false},
        {"true || stream", true},
    };
    check_holds(possible, ARRAY_LEN(possible));
    check_wrong(impossible, ARRAY_LEN(impossible));
}

static void only_what_matters_is_asked_for(void) {
    struct arena arena;
    struct err err;
    struct world w = {.empty = false}, nothing = {.empty = true};
    const struct condition *c;
    arena_init(&arena, NULL, 0, 1 << 20);
    REQUIRE(condition_compile(STR("tools && complexity > 3 || stream || header.a == 'b'"), &arena, &c, &err));
    CHECK(condition_uses(c) == (CONDITION_USES(CONDITION_TOOLS) | CONDITION_USES(CONDITION_COMPLEXITY) |
                                CONDITION_USES(CONDITION_STREAM) | CONDITION_USES(CONDITION_HEADER)));
    CHECK(condition_holds(c, &(struct condition_env){world_get, &w}));
    CHECK_INT(w.asked[CONDITION_TOOLS], 1);
    CHECK_INT(w.asked[CONDITION_COMPLEXITY], 0);
    CHECK_INT(w.asked[CONDITION_STREAM], 1);
    CHECK_INT(w.asked[CONDITION_HEADER], 0);
    CHECK(!condition_holds(c, &(struct condition_env){world_get, &nothing}));
    CHECK_INT(nothing.asked[CONDITION_HEADER], 1);
    arena_free(&arena);
}

static const struct wrong wrongs[] = {
    {"", "column 1: the condition is empty"},
    {"  \n ", "column 1: the condition is empty"},
    {"token > 5", "column 1: unknown name \"token\"; did you mean \"tokens\"?"},
    {"stream && tenent == 'a'", "column 11: unknown name \"tenent\"; did you mean \"tenant\"?"},
    {"tenant == acme", "column 11: unknown name \"acme\"; a text stands in quotes"},
    {"model.beginsWith('a')", "column 7: expected startsWith, endsWith, contains or matches, found \"beginsWith\""},
    {"model.has('a')", "column 7: expected startsWith, endsWith, contains or matches, found \"has\""},
    {"tokens", "column 1: a condition is true or false, this is a number: compare it with something"},
    {"metadata.x", "column 1: a condition is true or false, this is a text: compare it with something"},
    {"tokens == 'a'", "column 11: == compares a number with a text: they have to be of one kind"},
    {"stream != 1", "column 11: != compares true or false with a number: they have to be of one kind"},
    {"tenant < 'b'", "column 1: < takes a number, this is a text"},
    {"1 < stream", "column 5: < compares a number with true or false: they have to be of one kind"},
    {"tokens + tenant > 1", "column 10: + takes a number, this is a text"},
    {"tenant * 2 > 1", "column 1: * takes a number, this is a text"},
    {"!tokens", "column 2: ! takes true or false, this is a number"},
    {"-stream", "column 2: - takes a number, this is true or false"},
    {"tokens && stream", "column 1: && takes true or false, this is a number"},
    {"stream || tenant", "column 11: || takes true or false, this is a text"},
    {"tokens.startsWith('1')", "column 1: startsWith takes a text, this is a number"},
    {"model.startsWith(1)", "column 18: startsWith takes a text, this is a number"},
    {"startsWith(tokens, '1')", "column 12: startsWith takes a text, this is a number"},
    {"startsWith(model)", "column 17: expected \",\", found \")\""},
    {"startsWith", "column 11: \"(\" is missing"},
    {"number(tokens) == 1", "column 8: number takes a text, this is a number"},
    {"model.matches(tenant)", "column 15: expected a pattern in quotes, found \"tenant\""},
    {"has(stream)", "column 5: stream is true or false itself, without has()"},
    {"has('a')", "column 5: expected a name, found a text in quotes"},
    {"has(metadata)", "column 13: metadata is a map: write metadata.name or metadata[\"name\"]"},
    {"header == 'a'", "column 8: header is a map: write header.name or header[\"name\"]"},
    {"header[x] == 'a'", "column 8: expected a member's name in quotes, found \"x\""},
    {"metadata. == 'a'", "column 11: expected a member's name, found \"==\""},
    {"tokens = 5", "column 8: \"=\" is no sign; did you mean \"==\"?"},
    {"stream & tools", "column 8: \"&\" is no sign; did you mean \"&&\"?"},
    {"stream | tools", "column 8: \"|\" is no sign; did you mean \"||\"?"},
    {"stream and tools", "column 8: expected an operator or the end, found \"and\""},
    {"not stream", "column 1: \"not\" is written \"!\""},
    {"1 < tokens < 5", "column 12: comparisons do not chain; join them with \"&&\" or use parentheses"},
    {"weekday in [1] == true", "column 16: comparisons do not chain; join them with \"&&\" or use parentheses"},
    {"(stream", "column 8: \")\" is missing"},
    {"stream)", "column 7: expected an operator or the end, found \")\""},
    {"()", "column 2: expected a name or a value, found \")\""},
    {"stream &&", "column 10: a name or a value is missing"},
    {"tenant == 'acme", "column 11: the closing ' is missing"},
    {"tenant == 'ac\nme'", "column 11: the closing ' is missing"},
    {"tenant == 'a\\n'", "column 13: after a backslash comes \\, \" or '"},
    {"weekday in []", "column 13: the list is empty"},
    {"weekday in [1, 'a']", "column 16: expected a number, found a text in quotes"},
    {"tenant in ['a', b]", "column 17: expected a text in quotes, found \"b\""},
    {"tenant in ['a' 'b']", "column 16: expected \",\" or \"]\", found a text in quotes"},
    {"tenant in 'a'", "column 11: expected \"[\", found a text in quotes"},
    {"stream in [1]", "column 1: \"in\" takes a number or a text on its left"},
    {"tokens > 32kb", "column 13: a number ends in a digit, \"k\" (1000) or \"M\" (1000000)"},
    {"tokens > 3.2.1", "column 13: a number ends in a digit, \"k\" (1000) or \"M\" (1000000)"},
    {"tokens > 3.", "column 11: a number ends in a digit, \"k\" (1000) or \"M\" (1000000)"},
    {"tokens > 1234567890123456", "column 10: a number has at most 15 digits"},
    {"tokens > #", "column 10: \"#\" means nothing here"},
    {"'\xc3\xa9' == \xc3\xa9", "column 8: a character that means nothing outside of quotes"},
    {"stream &&\n  tols", "line 2, column 3: unknown name \"tols\"; did you mean \"tools\"?"},
};

static void wrong_texts_are_told_where(void) { check_wrong(wrongs, ARRAY_LEN(wrongs)); }

// As many of `unit` as fit, between two texts.
static bool compile_many(const char *before, const char *unit, unsigned n, const char *after, struct err *err) {
    struct buf text = BUF_INIT(1 << 16);
    struct arena arena;
    const struct condition *c;
    arena_init(&arena, NULL, 0, 1 << 20);
    buf_printf(&text, "%s", before);
    for (unsigned i = 0; i < n; i++) buf_printf(&text, "%s", unit);
    buf_printf(&text, "%s", after);
    const bool ok = condition_compile(buf_str(&text), &arena, &c, err);
    if (ok) {
        struct world w = {.empty = false};
        CHECK(condition_holds(c, &(struct condition_env){world_get, &w}));
    }
    buf_free(&text);
    arena_free(&arena);
    return ok;
}

static void size_is_bounded(void) {
    struct err err;
    CHECK(compile_many("", "!", CONDITION_DEPTH_MAX, "stream", &err));
    CHECK(!compile_many("", "!", CONDITION_DEPTH_MAX + 1, "stream", &err));
    CHECK_STR(str_c(err.message), STR("column 33: a condition is nested at most 32 deep"));
    CHECK(!compile_many("", "(", 2000, "", &err));
    // The deepest that the stack can become: each level leaves a number of a sum and of a product behind.
    CHECK(!compile_many("", "1==1+1*(", CONDITION_DEPTH_MAX, "1", &err));
    CHECK(compile_many("stream", "&&stream", (CONDITION_STEPS_MAX - 1) / 2, "", &err));
    CHECK(!compile_many("stream", "&&stream", (CONDITION_STEPS_MAX - 1) / 2 + 1, "", &err));
    CHECK(str_find(str_c(err.message), STR("at most 512 steps")) < strlen(err.message));
    CHECK(compile_many("weekday in [3", ",1", 255, "]", &err));
    CHECK(!compile_many("weekday in [3", ",1", 256, "]", &err));
    CHECK(str_find(str_c(err.message), STR("at most 256 numbers")) < strlen(err.message));
    CHECK(!compile_many("tenant in ['acme'", ",'b'", 256, "]", &err));
    CHECK(str_find(str_c(err.message), STR("at most 256 texts")) < strlen(err.message));
    CHECK(compile_many("true", " ", CONDITION_TEXT_MAX - 4, "", &err));
    CHECK(!compile_many("true", " ", CONDITION_TEXT_MAX - 3, "", &err));
    CHECK_STR(str_c(err.message), STR("a condition has at most 4096 bytes"));
}

static void little_memory_is_an_error(void) {
    unsigned refused = 0;
    for (size_t max = 0; max < 4096; max += 16) {
        struct arena arena;
        struct err err;
        const struct condition *c;
        arena_init(&arena, NULL, 64, max);
        if (!condition_compile(STR("tenant == 'acme' && tokens > 5 || model in ['a', 'b']"), &arena, &c, &err)) {
            refused++;
            CHECK_INT(err.code, ERR_NO_MEMORY);
        }
        arena_free(&arena);
    }
    CHECK(refused > 0 && refused < 200);
}

static void patterns(void) {
    CHECK(condition_glob(STR(""), STR("")));
    CHECK(!condition_glob(STR(""), STR("a")));
    CHECK(condition_glob(STR("**"), STR("")));
    CHECK(condition_glob(STR("*a*b"), STR("xaxbxaxb")));
    CHECK(!condition_glob(STR("*a*b"), STR("xaxbxaxbx")));
    CHECK(!condition_glob(STR("?"), STR("")));
    CHECK(condition_glob(STR("a?c"), STR("a\xe2\x82\xac"
                                         "c")));
}

static void names_are_described(void) {
    for (unsigned i = 0; i < CONDITION_NAME_COUNT; i++) {
        const struct condition_name_info *info = condition_name_info((enum condition_name)i);
        CHECK(info->word.n > 0 && info->meaning.n > 0);
    }
}

TEST_MAIN(values_are_compared, precedence_is_as_in_c, members_and_what_is_missing, what_can_never_be_is_an_error,
          only_what_matters_is_asked_for, what_is_below_makes_no_difference, wrong_texts_are_told_where,
          size_is_bounded, little_memory_is_an_error, patterns, names_are_described)
