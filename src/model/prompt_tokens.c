// Counts the tokens of a request's input.
#include "model/prompt_tokens.h"

#include "base/json_read.h"
#include "base/mem.h"

#define SCHEMA_DEPTH 16
#define NAME_MAX 200
#define EACH_CALL 3          // around a call of a tool in the conversation
#define TOOLS_ONCE_MAX 512   // around all definitions together, at most
#define EACH_TOOL 6          // around a definition that is counted as JSON
#define A_PAGE 258           // of a PDF, where pages are pictures
#define A_PAGE_TEXT 1500     // where its text is taken besides
#define PDF_PAGE_BYTES 50000 // one that does not tell how many pages it has

enum tools_rule { TOOLS_OPENAI, TOOLS_JSON };
struct prompt_rule {
    unsigned each;
    bool role;
    unsigned name, reply;
    enum tools_rule tools;
    unsigned before_tools;
    bool published;
};
enum rule_id {
#define RULE(id, each, role, name, reply, tools, before, published) RULE_##id,
#include "model/prompt_rule.def"
#undef RULE
};
static const struct prompt_rule k_rules[] = {
#define RULE(id, each, role, name, reply, tools, before, published)                                                    \
    [RULE_##id] = {each, role, name, reply, tools, before, published},
#include "model/prompt_rule.def"
#undef RULE
};

// --- ways ---

static enum rule_id rule_of(const struct tokenizer *t, bool exact, struct str model) {
    if (t == tokenizer_get(TOKENIZER_CLAUDE)) return RULE_CLAUDE;
    if (t == tokenizer_get(TOKENIZER_GEMMA)) return str_find(model, STR("gemini")) < model.n ? RULE_GEMINI : RULE_GEMMA;
    if (t == tokenizer_get(TOKENIZER_LLAMA3)) return RULE_LLAMA3;
    if (t == tokenizer_get(TOKENIZER_MISTRAL) || t == tokenizer_get(TOKENIZER_TEKKEN)) return RULE_MISTRAL;
    if (t == tokenizer_get(TOKENIZER_CL100K)) return RULE_OPENAI_OLD;
    return exact ? RULE_OPENAI : RULE_OTHER;
}

struct prompt_way prompt_way_of(struct str model) {
    char small[NAME_MAX];
    size_t n = MIN(model.n, sizeof small);
    for (size_t i = 0; i < n; i++)
        small[i] = model.p[i] >= 'A' && model.p[i] <= 'Z' ? (char)(model.p[i] + 'a' - 'A') : model.p[i];
    struct str name = str_of(small, n);
    struct prompt_way way;
    way.tokenizer = tokenizer_for_model(model, &way.tokenizer_exact);
    way.rule = &k_rules[rule_of(way.tokenizer, way.tokenizer_exact, name)];
    way.picture = prompt_picture_of(name);
    return way;
}

bool prompt_way_same(const struct prompt_way *a, const struct prompt_way *b) {
    return a->tokenizer == b->tokenizer && a->tokenizer_exact == b->tokenizer_exact && a->rule == b->rule &&
           a->picture == b->picture;
}

// --- texts ---

struct counting {
    const struct prompt_way *way;
    struct arena *arena;
    struct prompt_tokens *out;
    bool guessed, failed;
};

static uint64_t plain(const struct counting *c, struct str text) {
    return text.n ? tokenizer_count(c->way->tokenizer, text) : 0;
}

// Of a JSON string; 0 for what is none.
static uint64_t quoted(struct counting *c, struct str json) {
    struct str text;
    if (!json.p || json_raw_kind(json) != JSON_STRING) return 0;
    if (json_string_text(json, c->arena, &text)) return plain(c, text);
    c->failed = true;
    return 0;
}

static struct str decoded(struct counting *c, struct str json) {
    struct str text;
    if (!json.p || json_raw_kind(json) != JSON_STRING) return STR("");
    if (json_string_text(json, c->arena, &text)) return text;
    c->failed = true;
    return STR("");
}

// --- pictures and files ---

static bool is_image(struct str mime) { return str_starts(mime, STR("image/")); }

static void picture(struct counting *c, const struct chat_media *m) {
    struct image_size size;
    bool known = m->data.n && image_size_of(m->data, &size);
    c->guessed = true;
    c->out->images += prompt_picture_tokens(c->way->picture, known ? &size : NULL, str_eq(m->detail, STR("\"low\"")));
}

static void file(struct counting *c, const struct chat_media *m) {
    c->guessed = true;
    if (m->text.p) {
        c->out->text += quoted(c, m->text);
    } else if (is_image(m->mime)) {
        picture(c, m);
    } else if (m->data.n) {
        uint64_t pages = m->data.n / 4 * 3 / PDF_PAGE_BYTES + 1;
        c->out->images += pages * (c->way->rule == &k_rules[RULE_GEMINI] ? A_PAGE : A_PAGE + A_PAGE_TEXT);
    } else {
        c->out->uncounted++;
    }
}

// --- turns ---

static void part(struct counting *c, const struct chat_part *p);

static void parts(struct counting *c, const struct chat_part *list, size_t n) {
    for (size_t i = 0; i < n; i++) part(c, &list[i]);
}

static void part(struct counting *c, const struct chat_part *p) {
    switch (p->kind) {
    case CHAT_TEXT:
    case CHAT_REFUSAL:
        c->out->text += quoted(c, p->text);
        break;
    case CHAT_IMAGE:
        picture(c, &p->media);
        break;
    case CHAT_FILE:
        file(c, &p->media);
        break;
    case CHAT_AUDIO:
    case CHAT_VIDEO:
        c->out->uncounted++;
        break;
    case CHAT_TOOL_CALL:
        c->guessed = true;
        c->out->text += EACH_CALL + quoted(c, p->name) + plain(c, p->args);
        break;
    case CHAT_TOOL_RESULT: // a message of its own where OpenAI's rule holds
        c->guessed = true;
        c->out->text += c->way->rule->each + (c->way->rule->role ? 1 : 0);
        parts(c, p->parts, p->count);
        break;
    case CHAT_THINKING: // of turns that are over: not taken again
    case CHAT_REDACTED_THINKING:
        break;
    }
}

static bool only_results(const struct chat_turn *t) {
    for (size_t i = 0; i < t->count; i++)
        if (t->parts[i].kind != CHAT_TOOL_RESULT) return false;
    return t->count > 0;
}

static void turn(struct counting *c, const struct chat_turn *t) {
    static const struct str roles[] = {
        [CHAT_SYSTEM] = STR_INIT("system"), [CHAT_USER] = STR_INIT("user"), [CHAT_ASSISTANT] = STR_INIT("assistant")};
    const struct prompt_rule *rule = c->way->rule;
    if (!only_results(t)) c->out->text += rule->each + (rule->role ? plain(c, roles[t->role]) : 0);
    if (t->name.p && rule->name) c->out->text += rule->name + quoted(c, t->name);
    parts(c, t->parts, t->count);
}

// --- tools, as OpenAI's cookbook counts them ---

#define PROPERTIES 3
#define PROPERTY 3
#define ENUM 3
#define TOOLS_END 12

static struct str without_dot(struct str s) { return str_ends(s, STR(".")) ? str_head(s, s.n - 1) : s; }

static uint64_t line(struct counting *c, const struct str *texts, size_t n) {
    size_t max = n;
    for (size_t i = 0; i < n; i++) max += texts[i].n;
    BUF_AUTO struct buf b = BUF_INIT(max);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_putc(&b, ':');
        buf_put(&b, texts[i]);
    }
    c->failed = c->failed || b.failed;
    return plain(c, buf_str(&b));
}

static uint64_t choices(struct counting *c, struct str list) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    uint64_t n = 0;
    json_reader_init(&r, list, 0);
    if (!json_enter_array(&r)) return 0;
    while (json_element(&r, &kind) && json_skip(&r, &raw))
        n += ENUM + (kind == JSON_STRING ? quoted(c, raw) : plain(c, raw));
    return n > ENUM ? n - ENUM : 0;
}

static uint64_t properties(struct counting *c, struct str schema, unsigned depth);

static uint64_t property(struct counting *c, struct str key, struct str schema, unsigned depth) {
    struct str type = STR_NONE, about = STR_NONE, list, items;
    (void)!JSON_GET(schema, &type, STR("type"));
    (void)!JSON_GET(schema, &about, STR("description"));
    const struct str texts[] = {decoded(c, key), decoded(c, type), without_dot(decoded(c, about))};
    uint64_t n = PROPERTY + line(c, texts, ARRAY_LEN(texts));
    if (JSON_GET(schema, &list, STR("enum"))) n += choices(c, list);
    n += properties(c, schema, depth);
    if (JSON_GET(schema, &items, STR("items"))) n += properties(c, items, depth);
    return n;
}

static uint64_t properties(struct counting *c, struct str schema, unsigned depth) {
    struct json_reader r;
    enum json_kind kind;
    struct str all, key, raw;
    uint64_t n = 0;
    if (!JSON_GET(schema, &all, STR("properties")) || json_raw_kind(all) != JSON_OBJECT) return 0;
    if (depth == 0) return plain(c, all);
    json_reader_init(&r, all, 0);
    if (!json_enter_object(&r)) return 0;
    while (json_member(&r, &key, &kind) && json_skip(&r, &raw)) n += property(c, key, raw, depth - 1);
    return n ? n + PROPERTIES : 0;
}

static void tool(struct counting *c, const struct chat_tool *t) {
    const struct prompt_rule *rule = c->way->rule;
    if (t->hosted.p) {
        c->out->uncounted++;
        return;
    }
    if (rule->tools == TOOLS_JSON) {
        c->out->tools += EACH_TOOL + quoted(c, t->name) + quoted(c, t->description) + plain(c, t->schema);
        return;
    }
    const struct str texts[] = {decoded(c, t->name), without_dot(decoded(c, t->description))};
    c->out->tools += rule->before_tools + line(c, texts, ARRAY_LEN(texts));
    if (t->schema.p) c->out->tools += properties(c, t->schema, SCHEMA_DEPTH);
}

static void tools(struct counting *c, const struct chat *chat) {
    const struct prompt_rule *rule = c->way->rule;
    if (!chat->tool_count) return;
    c->guessed = true;
    c->out->tools += rule->tools == TOOLS_OPENAI ? TOOLS_END : rule->before_tools;
    for (size_t i = 0; i < chat->tool_count; i++) tool(c, &chat->tools[i]);
}

// --- the whole ---

static bool finish(struct counting *c) {
    struct prompt_tokens *t = c->out;
    t->total = t->text + t->tools + t->images;
    t->exact = c->way->tokenizer_exact && c->way->rule->published && !c->guessed && !t->uncounted;
    return !c->failed;
}

bool prompt_count_chat(const struct prompt_way *way, const struct chat *chat, struct arena *arena,
                       struct prompt_tokens *out_tokens) {
    struct counting c = {.way = way, .arena = arena, .out = out_tokens};
    *out_tokens = (struct prompt_tokens){.text = way->rule->reply};
    for (size_t i = 0; i < chat->count; i++) turn(&c, &chat->turns[i]);
    tools(&c, chat);
    if (chat->output == CHAT_OUTPUT_SCHEMA && chat->output_schema.p) {
        c.guessed = true;
        out_tokens->tools += plain(&c, chat->output_schema);
    }
    return finish(&c);
}

static bool has_media(const struct chat_part *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (list[i].kind == CHAT_IMAGE || list[i].kind == CHAT_FILE) return true;
        if (has_media(list[i].parts, list[i].count)) return true;
    }
    return false;
}

// A text has a token for each byte at most, and around plain turns JSON has more of its own than is counted. What
// stands around tools and around empty turns is counted with up to two tokens a byte ("1," in an enumeration: four).
uint64_t prompt_tokens_most(const struct chat *chat, size_t bytes) {
    if (!chat) return bytes;
    for (size_t i = 0; i < chat->count; i++)
        if (has_media(chat->turns[i].parts, chat->turns[i].count)) return UINT64_MAX;
    return 2 * (uint64_t)bytes + TOOLS_ONCE_MAX;
}

static void input(struct counting *c, struct str raw, bool within) {
    struct json_reader r;
    enum json_kind kind = json_raw_kind(raw);
    struct str one;
    if (kind == JSON_STRING) {
        c->out->text += quoted(c, raw);
    } else if (kind == JSON_NUMBER) {
        c->out->text++;
    } else if (kind == JSON_ARRAY && !within) {
        json_reader_init(&r, raw, 0);
        if (!json_enter_array(&r)) return;
        while (json_element(&r, &kind) && json_skip(&r, &one)) {
            if (kind != JSON_ARRAY) {
                input(c, one, true);
                continue;
            }
            struct json_reader inner;
            json_reader_init(&inner, one, 0);
            if (!json_enter_array(&inner)) return;
            while (json_element(&inner, &kind) && json_skip(&inner, NULL)) c->out->text++;
        }
    } else {
        c->out->uncounted++;
    }
}

bool prompt_count_input(const struct prompt_way *way, struct str raw, struct arena *arena,
                        struct prompt_tokens *out_tokens) {
    struct counting c = {.way = way, .arena = arena, .out = out_tokens};
    *out_tokens = (struct prompt_tokens){0};
    input(&c, raw, false);
    return finish(&c);
}
