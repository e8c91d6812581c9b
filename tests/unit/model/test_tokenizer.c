// Tokenizers: known ids, texts of every kind and size, merging in windows against merging in the plainest way, names.
// That all of a large text is as the vendors' own programs have it is shown by tests/integration/test_tokens.py.
#include "model/token/tokenizer.h"

#include "check.h"
#include "model/token/encoder.h"

static const struct tokenizer *get(enum tokenizer_id id) { return tokenizer_get(id); }

static struct token_ids encode(const struct tokenizer *t, struct str text) {
    struct token_ids ids = {0};
    struct err err;
    REQUIRE(tokenizer_encode(t, text, &ids, &err));
    CHECK_INT(tokenizer_count(t, text), ids.n);
    return ids;
}

static void check_ids(enum tokenizer_id id, struct str text, const uint32_t *want, size_t n) {
    struct token_ids ids = encode(get(id), text);
    CHECK_INT(ids.n, n);
    for (size_t i = 0; i < n && i < ids.n; i++) CHECK_INT(ids.p[i], want[i]);
    mem_free(ids.p);
}

#define CHECK_IDS(id, text, ...)                                                                                       \
    check_ids(TOKENIZER_##id, STR(text), (const uint32_t[]){__VA_ARGS__},                                              \
              sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void known_ids(void) {
    CHECK_IDS(O200K, "hello world", 24912, 2375);
    CHECK_IDS(CL100K, "hello world", 15339, 1917);
    CHECK_IDS(P50K, "hello world", 31373, 995);
    CHECK_IDS(LLAMA3, "hello world", 15339, 1917);
    CHECK_IDS(MISTRAL, "Hello  world\n", 23325, 29473, 2294, 781);
    CHECK_IDS(O200K, "'", 6);
}

static void empty_text(void) {
    for (enum tokenizer_id id = 0; id < TOKENIZER_COUNT; id++) {
        struct token_ids ids = encode(get(id), STR_NONE);
        CHECK_INT(ids.n, 0);
        CHECK(ids.p == NULL);
    }
}

static void ids_are_appended(void) {
    struct token_ids ids = {0};
    struct err err;
    CHECK(tokenizer_encode(get(TOKENIZER_O200K), STR("hello"), &ids, &err));
    CHECK(tokenizer_encode(get(TOKENIZER_O200K), STR(" world"), &ids, &err));
    CHECK_INT(ids.n, 2);
    mem_free(ids.p);
}

// --- Texts put together again
// -----------------------------------------------------------------------------------------

static bool id_bytes(const struct tokenizer *t, uint32_t id, struct str *out_bytes) {
    uint32_t other;
    for (size_t i = 0; tokenizer_entry(t, i, &other, out_bytes); i++) {
        if (other == id) return true;
    }
    return false;
}

static void comes_back(enum tokenizer_id id, struct str text) {
    struct token_ids ids = encode(get(id), text);
    size_t at = 0;
    for (size_t i = 0; i < ids.n; i++) {
        struct str bytes;
        REQUIRE(id_bytes(get(id), ids.p[i], &bytes));
        if (id == TOKENIZER_MISTRAL && i == 0) bytes = str_from(bytes, 1);
        CHECK(str_starts(str_from(text, at), bytes));
        at += bytes.n;
    }
    CHECK_INT(at, text.n);
    mem_free(ids.p);
}

static void texts_come_back(void) {
    static const struct str TEXTS[] = {
        STR_INIT("The quick brown fox, isn't it? IT'S 12345 o'clock."),
        STR_INIT("int main(void) {\r\n    return 0;\r\n}"),
        STR_INIT("Привет, мир! 你好世界 नमस्ते दुनिया مرحبا 안녕하세요"),
        STR_INIT("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7 e\xcc\x81"),
        STR_INIT("<table>\n\n\n\t\t<td>x</td>    <unused5>\n"),
        STR_INIT("\x01\x02  \x7f \xc2\x85 \xe3\x80\x80"),
    };
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        for (enum tokenizer_id id = 0; id < TOKENIZER_COUNT; id++) comes_back(id, TEXTS[i]);
    }
}

static void same(const struct tokenizer *t, struct str a, struct str b) {
    struct token_ids x = encode(t, a), y = encode(t, b);
    CHECK_INT(x.n, y.n);
    CHECK(x.n == y.n && (x.n == 0 || memcmp(x.p, y.p, x.n * sizeof *x.p) == 0));
    mem_free(x.p);
    mem_free(y.p);
}

#define REPLACED "\xef\xbf\xbd"

static void ill_formed_text(void) {
    for (enum tokenizer_id id = 0; id < TOKENIZER_COUNT; id++) {
        const struct tokenizer *t = get(id);
        same(t, STR("a\xff z"), STR("a" REPLACED " z"));
        same(t, STR("\x80\x80"), STR(REPLACED REPLACED));
        same(t, STR("\xc0\xaf"), STR(REPLACED REPLACED));
        same(t, STR("\xe2\x82"), STR(REPLACED));                           // cut short: one sequence
        same(t, STR("\xe2\x82x"), STR(REPLACED "x"));                      //
        same(t, STR("\xf0\x9f\x92 \xf0\x9f"), STR(REPLACED " " REPLACED)); //
        same(t, STR("\xed\xa0\x80"), STR(REPLACED REPLACED REPLACED));     // a surrogate
        same(t, STR("\xf4\x90\x80\x80"), STR(REPLACED REPLACED REPLACED REPLACED));
        same(t, STR("\xe0\x80\x80"), STR(REPLACED REPLACED REPLACED));
        same(t, STR("ok \xf1\x80\x80\xe1\x80\xc2"), STR("ok " REPLACED REPLACED REPLACED));
    }
}

static void spelled_spaces(void) {
    same(get(TOKENIZER_MISTRAL),
         STR("a\xe2\x96\x81"
             "b"),
         STR("a b"));
    same(get(TOKENIZER_GEMMA),
         STR("a\xe2\x96\x81"
             "b"),
         STR("a b"));
}

// --- Long pieces
// ------------------------------------------------------------------------------------------------------

static size_t plain_merge(const struct image *im, uint32_t *symbol, size_t n) {
    for (;;) {
        size_t best = 0;
        uint32_t order = SYMBOL_NONE;
        for (size_t i = 0; i + 1 < n; i++) {
            const uint32_t this = image_order(im, image_pair(im, symbol[i], symbol[i + 1]));
            if (this < order) order = this, best = i;
        }
        if (order == SYMBOL_NONE) return n;
        symbol[best] = image_pair(im, symbol[best], symbol[best + 1]);
        memmove(symbol + best + 1, symbol + best + 2, (n - best - 2) * sizeof *symbol);
        n--;
    }
}

static void check_merge(enum tokenizer_id id, struct str text, bool chars) {
    const struct image *image = tokenizer_image(get(id));
    const struct piece piece = {.p = (const uint8_t *)text.p, .n = text.n, .chars = chars};
    struct token_ids ids = {0};
    struct encoder e = {.im = image, .out = &ids};
    encoder_merge(&e, &piece);
    uint32_t *symbol = mem_must(mem_alloc(text.n * sizeof *symbol)),
             *start = mem_must(mem_alloc(text.n * sizeof *start));
    size_t at = 0;
    size_t n = piece_symbols(image, &piece, &at, text.n, symbol, start);
    n = plain_merge(image, symbol, n);
    CHECK_INT(e.n, n);
    CHECK_INT(ids.n, n);
    for (size_t i = 0; i < n && i < ids.n; i++) CHECK_INT(ids.p[i], image_id(image, symbol[i]));
    mem_free(symbol);
    mem_free(start);
    mem_free(ids.p);
}

// Texts whose merges reach far, from two letters to all bytes.
static void windows_are_exact(void) {
    static const char LETTERS[] = "ab etaoinshrdlu.,;0123456789\n\t_ABCXYZ";
    static char text[5000];
    uint32_t random = 12345;
    for (size_t letters = 1; letters < sizeof LETTERS; letters += 3) {
        for (size_t i = 0; i < sizeof text; i++) {
            random = random * 1664525 + 1013904223;
            text[i] = LETTERS[(random >> 16) % letters];
        }
        for (size_t n = 1; n <= sizeof text; n = n * 4 + 3) {
            check_merge(TOKENIZER_O200K, str_of(text, n), false);
            check_merge(TOKENIZER_MISTRAL, str_of(text, n), true);
            check_merge(TOKENIZER_GEMMA, str_of(text, n), true);
        }
    }
    memset(text, ' ', sizeof text);
    check_merge(TOKENIZER_O200K, str_of(text, sizeof text), false);
    check_merge(TOKENIZER_MISTRAL, str_of(text, sizeof text), true);
    check_merge(TOKENIZER_GEMMA, str_of(text, sizeof text), true);
}

// One long piece: done in a moment, or the test runs into its limit, and nothing is left behind.
static void much_of_one_letter(void) {
    const size_t n = 200000;
    char *text = mem_must(mem_alloc(n));
    struct mem_stats before, after;
    for (const char *c = "a \n0\xff!"; *c; c++) {
        memset(text, *c, n);
        for (enum tokenizer_id id = 0; id < TOKENIZER_COUNT; id++) {
            mem_stats_get(&before);
            const size_t count = tokenizer_count(get(id), str_of(text, n));
            mem_stats_get(&after);
            CHECK(count > 0 && count <= 3 * n);
            CHECK_INT(after.bytes, before.bytes);
        }
    }
    memset(text, 'a', n);
    CHECK_INT(tokenizer_count(get(TOKENIZER_O200K), str_of(text, n)), n / 8);
    mem_free(text);
}

static void without_memory(void) {
    struct token_ids ids = {0};
    struct err err;
    mem_fail_nth(1);
    CHECK(!tokenizer_encode(get(TOKENIZER_O200K), STR("hello"), &ids, &err));
    CHECK_INT(err.code, ERR_NO_MEMORY);
    CHECK_INT(ids.n, 0);
    mem_fail_nth(1);
    CHECK_INT(tokenizer_count(get(TOKENIZER_O200K), STR("hello \xff")), 21);
    mem_fail_nth(0);
    mem_free(ids.p);
}

// --- Names
// ------------------------------------------------------------------------------------------------------------

static void check_model(const char *model, enum tokenizer_id want, bool want_exact) {
    bool exact = !want_exact;
    CHECK_STR(tokenizer_name(tokenizer_for_model(str_c(model), &exact)), tokenizer_name(get(want)));
    CHECK(exact == want_exact);
    CHECK(tokenizer_for_model(str_c(model), NULL) == get(want));
}

static void models(void) {
    check_model("gpt-4o-mini", TOKENIZER_O200K, true);
    check_model("openai/gpt-4o", TOKENIZER_O200K, true);
    check_model("ft:gpt-4o-mini:acme::1", TOKENIZER_O200K, true);
    check_model("o3-mini", TOKENIZER_O200K, true);
    check_model("o1", TOKENIZER_O200K, true);
    check_model("gpt-5.2", TOKENIZER_O200K, true);
    check_model("GPT-4-turbo", TOKENIZER_CL100K, true);
    check_model("gpt-35-turbo", TOKENIZER_CL100K, true);
    check_model("text-embedding-3-small", TOKENIZER_CL100K, true);
    check_model("davinci-002", TOKENIZER_CL100K, true);
    check_model("text-davinci-003", TOKENIZER_P50K, true);
    check_model("meta-llama/Llama-3.3-70B-Instruct", TOKENIZER_LLAMA3, true);
    check_model("accounts/fireworks/models/llama-v3p1-8b-instruct", TOKENIZER_LLAMA3, true);
    check_model("meta.llama3-70b-instruct-v1:0", TOKENIZER_LLAMA3, true);
    check_model("open-mistral-7b", TOKENIZER_MISTRAL, true);
    check_model("mistral:7b", TOKENIZER_MISTRAL, true);
    check_model("mistral-large-latest", TOKENIZER_TEKKEN, false);
    check_model("open-mistral-nemo", TOKENIZER_TEKKEN, true);
    check_model("gemma3:4b", TOKENIZER_GEMMA, true);
    check_model("gemini-2.5-pro", TOKENIZER_GEMMA, false);
    check_model("us.anthropic.claude-sonnet-4-v1:0", TOKENIZER_CLAUDE, false);
    check_model("command-r-plus", TOKENIZER_O200K, false);
    check_model("foo1", TOKENIZER_O200K, false);
    check_model("o11", TOKENIZER_O200K, false);
    check_model("", TOKENIZER_O200K, false);
}

static void names(void) {
    for (enum tokenizer_id id = 0; id < TOKENIZER_COUNT; id++) {
        CHECK(tokenizer_find(tokenizer_name(get(id))) == get(id));
        CHECK(tokenizer_about(get(id)).n > 0);
        CHECK(tokenizer_exact(get(id)) == (id != TOKENIZER_CLAUDE));
    }
    CHECK(tokenizer_find(STR("o200k")) == NULL);
    CHECK(tokenizer_find(STR_NONE) == NULL);
}

static void entries(void) {
    uint32_t id;
    struct str bytes;
    size_t n = 0;
    while (tokenizer_entry(get(TOKENIZER_O200K), n, &id, &bytes)) n++;
    CHECK_INT(n, 199998);
    CHECK(!tokenizer_entry(get(TOKENIZER_O200K), SIZE_MAX, &id, &bytes));
}

TEST_MAIN(known_ids, empty_text, ids_are_appended, texts_come_back, ill_formed_text, spelled_spaces, windows_are_exact,
          much_of_one_letter, without_memory, models, names, entries)
