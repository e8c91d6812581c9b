// Reads files of prompts: JSONL with checks, or plain text, a prompt a line.
#include "cli/bench.h"

#include "base/json_read.h"
#include "base/map.h"
#include "base/utf8.h"
#include "os/rand.h"

#define ID_MAX 200
#define TOKENS_MAX 10000000

const char *bench_check_name(enum bench_check check) {
    static const char *const names[] = {"none", "expect", "regex", "schema", "judge"};
    return names[check];
}

enum field { ID, SYSTEM, PROMPT, MESSAGES, MAX_TOKENS, TEMPERATURE, FORMAT, EXPECT, REGEX, SCHEMA, JUDGE, FIELDS };
static const struct {
    struct str name;
    unsigned kinds;
    const char *wanted;
} k_fields[FIELDS] = {
    [ID] = {STR_INIT("id"), JSON_IS(JSON_STRING), "a text"},
    [SYSTEM] = {STR_INIT("system"), JSON_IS(JSON_STRING), "a text"},
    [PROMPT] = {STR_INIT("prompt"), JSON_IS(JSON_STRING), "a text"},
    [MESSAGES] = {STR_INIT("messages"), JSON_IS(JSON_ARRAY), "a list of messages"},
    [MAX_TOKENS] = {STR_INIT("max_tokens"), JSON_IS(JSON_NUMBER), "a whole number above 0"},
    [TEMPERATURE] = {STR_INIT("temperature"), JSON_IS(JSON_NUMBER), "a number from 0 to 2"},
    [FORMAT] = {STR_INIT("response_format"), JSON_IS(JSON_OBJECT), "an object"},
    [EXPECT] = {STR_INIT("expect"), JSON_IS(JSON_STRING), "a text"},
    [REGEX] = {STR_INIT("regex"), JSON_IS(JSON_STRING), "a text"},
    [SCHEMA] = {STR_INIT("schema"), JSON_IS(JSON_OBJECT) | JSON_IS(JSON_BOOL), "a JSON schema"},
    [JUDGE] = {STR_INIT("judge"), JSON_IS(JSON_STRING) | JSON_IS(JSON_BOOL), "a text, or true"},
};

struct reading {
    struct arena *arena;
    VEC(struct bench_prompt) list;
    struct map ids;
    size_t line;
    struct str raw[FIELDS]; // p NULL: not there
    struct err *err;
};

static bool wrong(struct reading *r, struct str field, const char *what) {
    return err_set(r->err, ERR_INVALID_FIELD, "line %zu, %.*s: %s", r->line, STR_ARG(str_head(field, 60)), what);
}
static bool wrong_in(struct reading *r, enum field field, const char *what) {
    return wrong(r, k_fields[field].name, what);
}

// --- a line ---

static bool take_member(struct reading *r, struct str key, struct str raw) {
    for (size_t i = 0; i < FIELDS; i++) {
        char what[80];
        if (!json_string_eq(key, k_fields[i].name)) continue;
        if (r->raw[i].p) return wrong(r, k_fields[i].name, "it is there twice");
        snprintf(what, sizeof what, "expected %s", k_fields[i].wanted);
        if (!(k_fields[i].kinds & JSON_IS(json_raw_kind(raw)))) return wrong(r, k_fields[i].name, what);
        r->raw[i] = raw;
        return true;
    }
    return wrong(r, str_head(str_from(key, 1), key.n - 2), "no field of a prompt");
}

static bool take_members(struct reading *r, struct str line) {
    struct json_reader j;
    struct str key, raw;
    enum json_kind kind;
    struct err why;
    memset(r->raw, 0, sizeof r->raw);
    if (!json_validate(line, 0, &why))
        return err_set(r->err, ERR_INVALID_FIELD, "line %zu is no JSON: %.300s", r->line, why.message);
    if (json_raw_kind(line) != JSON_OBJECT)
        return err_set(r->err, ERR_INVALID_FIELD, "line %zu is no JSON object", r->line);
    json_reader_init(&j, line, 0);
    if (!json_enter_object(&j)) return false;
    while (json_member(&j, &key, &kind))
        if (!json_skip(&j, &raw) || !take_member(r, key, raw)) return false;
    return true;
}

static bool text_of(struct reading *r, enum field field, struct str *out) {
    return !r->raw[field].p || json_string_text(r->raw[field], r->arena, out) || err_no_memory(r->err);
}

static bool take_messages(struct reading *r, struct bench_prompt *p) {
    struct json_reader j;
    enum json_kind kind;
    struct str one, raw;
    size_t n = 0;
    json_reader_init(&j, r->raw[MESSAGES], 0);
    for (bool in = json_enter_array(&j); in && json_element(&j, &kind) && json_skip(&j, &one); n++)
        if (kind != JSON_OBJECT || !JSON_GET(one, &raw, STR("role")))
            return wrong_in(r, MESSAGES, "expected objects with a role");
    p->messages = r->raw[MESSAGES];
    return n > 0 || wrong_in(r, MESSAGES, "there is none");
}

static bool take_question(struct reading *r, struct bench_prompt *p) {
    if (!r->raw[PROMPT].p && !r->raw[MESSAGES].p) return wrong_in(r, PROMPT, "it is missing, and so is messages");
    if (r->raw[PROMPT].p && r->raw[MESSAGES].p) return wrong_in(r, MESSAGES, "there is a prompt already");
    if (!text_of(r, SYSTEM, &p->system) || !text_of(r, PROMPT, &p->text)) return false;
    if (r->raw[PROMPT].p && !p->text.n) return wrong_in(r, PROMPT, "it is empty");
    return !r->raw[MESSAGES].p || take_messages(r, p);
}

static bool take_numbers(struct reading *r, struct bench_prompt *p) {
    double v = 0;
    if (r->raw[MAX_TOKENS].p &&
        (!json_raw_u64(r->raw[MAX_TOKENS], &p->max_tokens) || !p->max_tokens || p->max_tokens > TOKENS_MAX))
        return wrong_in(r, MAX_TOKENS, "expected a whole number above 0");
    if (r->raw[TEMPERATURE].p && (!json_raw_double(r->raw[TEMPERATURE], &v) || v < 0 || v > 2))
        return wrong_in(r, TEMPERATURE, "expected a number from 0 to 2");
    p->temperature = r->raw[TEMPERATURE];
    p->response_format = r->raw[FORMAT];
    return true;
}

static bool take_regex(struct reading *r, struct bench_prompt *p) {
    struct str text = STR("");
    struct err why;
    p->check = BENCH_REGEX;
    if (!text_of(r, REGEX, &text)) return false;
    return pattern_compile(r->arena, text, PATTERN_POSIX, &p->regex, &why) || wrong_in(r, REGEX, why.message);
}

static bool take_schema(struct reading *r, struct bench_prompt *p) {
    struct err why;
    p->check = BENCH_SCHEMA;
    return json_schema_read(r->raw[SCHEMA], r->arena, &p->schema, &why) || wrong_in(r, SCHEMA, why.message);
}

static bool take_judge(struct reading *r, struct bench_prompt *p) {
    bool on = true;
    if (json_raw_bool(r->raw[JUDGE], &on)) {
        p->check = on ? BENCH_JUDGE : BENCH_UNCHECKED;
        return true;
    }
    p->check = BENCH_JUDGE;
    return text_of(r, JUDGE, &p->expect);
}

static bool take_check(struct reading *r, struct bench_prompt *p) {
    static const enum field checks[] = {EXPECT, REGEX, SCHEMA, JUDGE};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if (r->raw[checks[i]].p && n++) return wrong_in(r, checks[i], "there is a check already");
    if (r->raw[REGEX].p) return take_regex(r, p);
    if (r->raw[SCHEMA].p) return take_schema(r, p);
    if (r->raw[JUDGE].p) return take_judge(r, p);
    if (!r->raw[EXPECT].p) return true;
    p->check = BENCH_EXPECT;
    if (!text_of(r, EXPECT, &p->expect)) return false;
    p->expect = str_trim(p->expect);
    return true;
}

// --- the file ---

static bool keep(struct reading *r, struct bench_prompt *p) {
    if (!p->id.n) p->id = arena_printf(r->arena, "%zu", r->line);
    if (p->id.n > ID_MAX) return wrong_in(r, ID, "it is too long");
    if (map_get(&r->ids, p->id)) return wrong_in(r, ID, "another prompt has it");
    if (r->list.n >= BENCH_PROMPTS_MAX)
        return err_set(r->err, ERR_INVALID_FIELD, "line %zu: there are more than %d prompts", r->line,
                       BENCH_PROMPTS_MAX);
    return (p->id.p && map_put(&r->ids, p->id, r) && vec_push(&r->list, *p)) || err_no_memory(r->err);
}

static bool read_line(struct reading *r, struct str line, bool json) {
    struct bench_prompt p = {.system = STR(""), .text = line, .expect = STR("")};
    if (!json) return keep(r, &p);
    p.text = STR("");
    return take_members(r, line) && text_of(r, ID, &p.id) && take_question(r, &p) && take_numbers(r, &p) &&
           take_check(r, &p) && keep(r, &p);
}

static bool read_all(struct reading *r, struct str text) {
    struct str line;
    bool json = str_starts(str_trim(text), STR("{"));
    while (text.p && str_split(&text, '\n', &line)) {
        r->line++;
        line = str_trim(line);
        if (!utf8_valid(line)) return err_set(r->err, ERR_INVALID_FIELD, "line %zu is not UTF-8 text", r->line);
        if (line.n && !read_line(r, line, json)) return false;
    }
    return r->list.n > 0 || err_set(r->err, ERR_INVALID_FIELD, "there is no prompt in it");
}

bool bench_prompts_read(struct str text, struct arena *arena, struct bench_prompts *out, struct err *err) {
    struct reading r = {.arena = arena, .err = err};
    uint64_t seed;
    rand_bytes(&seed, sizeof seed);
    map_init(&r.ids, seed);
    if (str_starts(text, STR("\xef\xbb\xbf"))) text = str_from(text, 3);
    bool ok = read_all(&r, text);
    struct bench_prompt *list = ok ? ARENA_ARRAY(arena, struct bench_prompt, r.list.n) : NULL;
    if (ok && !list) ok = err_no_memory(err);
    if (ok) {
        memcpy(list, r.list.p, r.list.n * sizeof *list);
        *out = (struct bench_prompts){.p = list, .n = r.list.n};
    }
    vec_free(&r.list);
    map_free(&r.ids);
    return ok;
}

static void put_message(struct json_writer *w, const char *role, struct str text) {
    json_put_object(w);
    json_put_member_str(w, STR("role"), str_c(role));
    json_put_member_str(w, STR("content"), text);
    json_put_object_end(w);
}

void bench_messages_put(struct json_writer *w, const struct bench_prompt *p) {
    struct json_reader r;
    struct str one;
    enum json_kind kind;
    json_put_array(w);
    if (p->system.n) put_message(w, "system", p->system);
    if (p->text.n) put_message(w, "user", p->text);
    if (p->messages.n) {
        json_reader_init(&r, p->messages, 0);
        for (bool in = json_enter_array(&r); in && json_element(&r, &kind) && json_skip(&r, &one);)
            json_put_raw(w, one);
    }
    json_put_array_end(w);
}
