// Property: of requests in every dialect, with texts of every kind, no tokenizer counts more than their bytes allow.
#include "check.h"

#include "model/dialect.h"
#include "model/need.h"
#include "model/prompt_tokens.h"

#define REQUESTS 1000

static uint64_t g_seed = 1;

static uint64_t draw(uint64_t below) { // splitmix64
    uint64_t x = g_seed += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return (x ^ (x >> 31)) % below;
}

// --- texts, as they stand in JSON ---

static void put_character(struct buf *b, uint32_t c) {
    if (c < 0x80) {
        buf_putc(b, (char)c);
    } else if (c < 0x800) {
        buf_putc(b, (char)(0xc0 | c >> 6));
        buf_putc(b, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_putc(b, (char)(0xe0 | c >> 12));
        buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(b, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_putc(b, (char)(0xf0 | c >> 18));
        buf_putc(b, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(b, (char)(0x80 | (c & 0x3f)));
    }
}

static void put_piece(struct buf *b) {
    static const char *const words[] = {"the ",
                                        "of",
                                        " token",
                                        "\\n",
                                        "\\t\\t",
                                        "if (x != 0) {\\n    return -1;\\n}",
                                        "&&",
                                        "<|endoftext|>",
                                        "<|im_start|>",
                                        "[INST]",
                                        "<s>",
                                        "\\u0000",

                                        "\\ud83d\\ude00",
                                        "\\u4e2d",
                                        "\\/",
                                        "\\\\",
                                        "\\\"",
                                        "        ",
                                        "\\r\\n\\r\\n",
                                        "3.14159",
                                        "0x7fffffff",
                                        "\xc3\x9f\xc3\x9f",
                                        "e\xcc\x81",
                                        "\xe2\x80\x8d"};
    static const uint32_t scripts[][2] = {{0x21, 0x5b},       {0x400, 0x45f},   {0x4e00, 0x9fff}, {0x3040, 0x30ff},
                                          {0xac00, 0xd7a3},   {0x900, 0x97f},   {0x600, 0x6ff},   {0x1f300, 0x1f6ff},
                                          {0x20000, 0x20fff}, {0x2500, 0x257f}, {0x80, 0x9f},     {0xe000, 0xf8ff},
                                          {0x10a00, 0x10a5f}, {0xfff9, 0xfffd}, {0x2000, 0x206f}, {0x300, 0x36f}};
    const uint32_t *script = scripts[draw(ARRAY_LEN(scripts))];
    switch (draw(4)) {
    case 0:
        for (uint64_t n = draw(12); n; n--) buf_put(b, str_c(words[draw(ARRAY_LEN(words))]));
        break;
    case 1: {
        const char *one = words[draw(ARRAY_LEN(words))];
        for (uint64_t n = draw(100); n; n--) buf_put(b, str_c(one));
        break;
    }
    default:
        for (uint64_t n = draw(30); n; n--) {
            uint32_t c = script[0] + (uint32_t)draw(script[1] - script[0] + 1);
            if (c != '"' && c != '\\') put_character(b, c);
        }
    }
}

static void put_text(struct buf *b) {
    buf_putc(b, '"');
    if (draw(4))
        for (uint64_t n = draw(6); n; n--) put_piece(b);
    buf_putc(b, '"');
}

// --- requests ---

static void put_messages(struct buf *b, const char *least, bool names) {
    static const char *const roles[] = {"user", "assistant", "system"};
    uint64_t n = draw(5) ? 1 + draw(5) : 1 + draw(300);
    for (uint64_t i = 0; i < n; i++) {
        if (i) buf_putc(b, ',');
        if (n > 5) {
            buf_put(b, str_c(least));
            continue;
        }
        buf_printf(b, "{\"role\":\"%s\",", i ? roles[draw(names ? 3 : 2)] : "user");
        if (names && !draw(4)) buf_printf(b, "\"name\":\"%c\",", (char)('a' + draw(26)));
        buf_lit(b, "\"content\":");
        put_text(b);
        buf_putc(b, '}');
    }
}

static void put_schema(struct buf *b, unsigned depth) {
    buf_lit(b, "{\"type\":\"object\",\"properties\":{");
    for (uint64_t n = draw(4), i = 0; i < n; i++) {
        buf_printf(b, "%s\"%c%d\":", i ? "," : "", (char)('a' + draw(26)), (int)i);
        if (depth && !draw(3)) {
            put_schema(b, depth - 1);
            continue;
        }
        buf_lit(b, "{");
        if (draw(2)) buf_lit(b, "\"type\":\"integer\"");
        if (draw(2)) {
            if (b->p[b->n - 1] != '{') buf_putc(b, ',');
            buf_lit(b, "\"enum\":[1");
            for (uint64_t k = draw(200); k; k--) buf_lit(b, ",2");
            buf_lit(b, "]");
        }
        buf_lit(b, "}");
    }
    buf_lit(b, "}}");
}

static void put_tools(struct buf *b, const char *before, const char *parameters, const char *after) {
    for (uint64_t n = 1 + draw(10), i = 0; i < n; i++) {
        buf_printf(b, "%s%s\"name\":\"t%d\"", i ? "," : "", before, (int)i);
        if (draw(2)) {
            buf_lit(b, ",\"description\":");
            put_text(b);
        }
        buf_printf(b, ",\"%s\":", parameters);
        put_schema(b, 3);
        buf_put(b, str_c(after));
    }
}

static void put_request(struct buf *b, enum dialect dialect, bool tools) {
    switch (dialect) {
    case DIALECT_GEMINI:
        buf_lit(b, "{\"contents\":[");
        for (uint64_t n = draw(5) ? 1 + draw(4) : 1 + draw(200), i = 0; i < n; i++) {
            if (i) buf_putc(b, ',');
            buf_lit(b, "{\"parts\":[{\"text\":");
            if (n > 4)
                buf_lit(b, "\"\"");
            else
                put_text(b);
            buf_lit(b, "}]}");
        }
        buf_putc(b, ']');
        if (tools) {
            buf_lit(b, ",\"tools\":[{\"functionDeclarations\":[");
            put_tools(b, "{", "parameters", "}");
            buf_lit(b, "]}]");
        }
        break;
    case DIALECT_RESPONSES:
        buf_lit(b, "{\"model\":\"m\",\"input\":[");
        put_messages(b, "{\"role\":\"user\",\"content\":\"\"}", false);
        buf_putc(b, ']');
        if (tools) {
            buf_lit(b, ",\"tools\":[");
            put_tools(b, "{\"type\":\"function\",", "parameters", "}");
            buf_putc(b, ']');
        }
        break;
    case DIALECT_ANTHROPIC:
        buf_lit(b, "{\"model\":\"m\",\"max_tokens\":9,\"system\":");
        put_text(b);
        buf_lit(b, ",\"messages\":[");
        put_messages(b, "{\"role\":\"user\",\"content\":\"x\"}", false);
        buf_putc(b, ']');
        if (tools) {
            buf_lit(b, ",\"tools\":[");
            put_tools(b, "{", "input_schema", "}");
            buf_putc(b, ']');
        }
        break;
    default:
        buf_lit(b, "{\"model\":\"m\",\"messages\":[");
        put_messages(b, "{\"role\":\"user\",\"content\":\"\"}", dialect == DIALECT_OPENAI);
        buf_putc(b, ']');
        if (tools) {
            buf_lit(b, ",\"tools\":[");
            put_tools(b, "{\"type\":\"function\",\"function\":{", "parameters", "}}");
            buf_putc(b, ']');
        }
    }
    buf_putc(b, '}');
}

static const char *const k_models[] = {"gpt-4o",       "gpt-4",   "text-davinci-003", "llama-3",         "mistral-7b",
                                       "mistral-nemo", "gemma-3", "gemini-2.5-pro",   "claude-sonnet-4", "unknown"};

// Whether each model's count keeps to what was said before; and how many requests were plain.
static void check_request(enum dialect dialect, struct str body, unsigned *io_plain) {
    struct arena a;
    struct err err;
    struct model_request q;
    struct chat chat;
    struct model_request_in in = {.operation = OPERATION_CHAT,
                                  .body = body,
                                  .content_type = STR("application/json"),
                                  .model = dialect == DIALECT_GEMINI ? STR("m") : STR(""),
                                  .action = dialect == DIALECT_GEMINI ? STR("generateContent") : STR(""),
                                  .depth = 64};
    arena_init(&a, NULL, 0, 64 << 20);
    if (!dialect_get(dialect)->peek(&in, &a, &q, &err) || !dialect_get(dialect)->read(&q, &a, &chat, &err)) {
        fprintf(stderr, "%s\n%.*s\n", err.message, STR_ARG(body));
        REQUIRE(false);
    }
    bool plain = model_need_plain(&q);
    *io_plain += plain;
    for (size_t i = 0; i < ARRAY_LEN(k_models); i++) {
        struct prompt_way way = prompt_way_of(str_c(k_models[i]));
        struct prompt_tokens tokens;
        REQUIRE(prompt_count_chat(&way, &chat, &a, &tokens));
        bool kept = tokens.total <= prompt_tokens_most(&chat, q.body.n) &&
                    (!plain || tokens.total <= prompt_tokens_most(NULL, q.body.n));
        CHECK(kept);
        if (!kept)
            fprintf(stderr, "%s: %llu of %zu bytes\n%.*s\n", k_models[i], (unsigned long long)tokens.total, q.body.n,
                    STR_ARG(body));
    }
    arena_free(&a);
}

static void bytes_bound_tokens(void) {
    static const enum dialect dialects[] = {DIALECT_OPENAI, DIALECT_ANTHROPIC, DIALECT_GEMINI, DIALECT_OLLAMA,
                                            DIALECT_RESPONSES};
    struct buf body = BUF_INIT(8 << 20);
    unsigned plain = 0;
    for (unsigned i = 0; i < REQUESTS; i++) {
        buf_clear(&body);
        enum dialect dialect = dialects[draw(ARRAY_LEN(dialects))];
        put_request(&body, dialect, !draw(3));
        check_request(dialect, buf_str(&body), &plain);
    }
    CHECK(plain > REQUESTS / 10 && plain < REQUESTS / 2);
    buf_free(&body);
}

// The least that a turn and a tool can be.
static void small_things(void) {
    static const struct {
        enum dialect dialect;
        const char *before, *each, *after;
    } all[] = {
        {DIALECT_OPENAI, "{\"model\":\"m\",\"messages\":[", "{\"role\":\"user\",\"content\":\"\"}", "]}"},
        {DIALECT_OPENAI, "{\"model\":\"m\",\"messages\":[", "{\"role\":\"user\",\"name\":\"a\",\"content\":\"?\"}",
         "]}"},
        {DIALECT_OPENAI, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\"}],\"tools\":[",
         "{\"type\":\"function\",\"function\":{\"name\":\"a\"}}", "]}"},
        {DIALECT_ANTHROPIC, "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[", "{\"role\":\"user\",\"content\":\"?\"}",
         "]}"},
        {DIALECT_OLLAMA, "{\"model\":\"m\",\"messages\":[", "{\"role\":\"user\"}", "]}"},
        {DIALECT_GEMINI, "{\"contents\":[", "{\"parts\":[{\"text\":\"\"}]}", "]}"},
        {DIALECT_GEMINI, "{\"contents\":[", "{\"parts\":[]}", "]}"},
        {DIALECT_GEMINI, "{\"contents\":[", "{}", "]}"},
        {DIALECT_GEMINI, "{\"contents\":[{\"parts\":[", "{\"text\":\"\"}", "]}]}"},
        {DIALECT_GEMINI, "{\"contents\":[{\"parts\":[", "{\"text\":\"?\"}", "]}]}"},
        {DIALECT_RESPONSES, "{\"model\":\"m\",\"input\":[", "{\"role\":\"user\",\"content\":\"\"}", "]}"},
    };
    unsigned plain = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (unsigned n = 1; n < 1000; n *= 3) {
            struct buf body = BUF_INIT(1 << 20);
            buf_put(&body, str_c(all[i].before));
            for (unsigned k = 0; k < n; k++) buf_printf(&body, "%s%s", k ? "," : "", all[i].each);
            buf_put(&body, str_c(all[i].after));
            check_request(all[i].dialect, buf_str(&body), &plain);
            buf_free(&body);
        }
}

static void pictures_have_no_bound(void) {
    struct chat_part picture = {.kind = CHAT_IMAGE}, text = {.kind = CHAT_TEXT};
    struct chat_part within[] = {text, picture}, result[] = {{.kind = CHAT_TOOL_RESULT, .parts = within, .count = 2}};
    struct chat_turn turns[] = {{.parts = &text, .count = 1}, {.parts = result, .count = 1}};
    struct chat chat = {.turns = turns, .count = 1};
    CHECK(prompt_tokens_most(&chat, 100) < UINT64_MAX);
    chat.count = 2;
    CHECK(prompt_tokens_most(&chat, 100) == UINT64_MAX);
    within[1].kind = CHAT_FILE;
    CHECK(prompt_tokens_most(&chat, 100) == UINT64_MAX);
    within[1].kind = CHAT_TEXT;
    CHECK(prompt_tokens_most(&chat, 100) < UINT64_MAX);
}

TEST_MAIN(bytes_bound_tokens, small_things, pictures_have_no_bound)
