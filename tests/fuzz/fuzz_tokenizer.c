// Feeds texts to every tokenizer, and bodies to POST /v1/tokenize.
//
// Invariants: a text comes back from the bytes of its tokens; as many tokens are counted as are listed; an answer is
// JSON.
#include "base/json_read.h"
#include "base/utf8.h"
#include "model/token/tokenize.h"

#include <stdlib.h>

#define BODY (uint8_t)200 // from this first byte on the rest is a body

static struct str *g_bytes[TOKENIZER_COUNT]; // by id
static size_t g_ids[TOKENIZER_COUNT];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void learn(enum tokenizer_id which) {
    const struct tokenizer *t = tokenizer_get(which);
    uint32_t id;
    struct str bytes;
    if (g_bytes[which]) return;
    for (size_t i = 0; tokenizer_entry(t, i, &id, &bytes); i++) g_ids[which] = MAX(g_ids[which], (size_t)id + 1);
    g_bytes[which] = mem_must(mem_zalloc(g_ids[which], sizeof bytes));
    for (size_t i = 0; tokenizer_entry(t, i, &id, &bytes); i++) g_bytes[which][id] = bytes;
}

static bool is_sentence(enum tokenizer_id which) { return which == TOKENIZER_MISTRAL || which == TOKENIZER_GEMMA; }

// The text as the tokens spell it.
static void put_expected(enum tokenizer_id which, struct str text, struct buf *out) {
    if (which == TOKENIZER_MISTRAL && text.n) buf_putc(out, ' ');
    while (text.n) {
        uint32_t c;
        const size_t n = utf8_decode(text, &c);
        if (n == 0) abort();
        if (is_sentence(which) && c == 0x2581)
            buf_putc(out, ' ');
        else
            buf_append(out, text.p, n);
        text = str_from(text, n);
    }
}

static void check_text(enum tokenizer_id which, struct str text) {
    const struct tokenizer *t = tokenizer_get(which);
    struct token_ids ids = {0};
    struct err err;
    struct buf got = BUF_INIT(1 << 24), want = BUF_INIT(1 << 24);
    learn(which);
    if (!tokenizer_encode(t, text, &ids, &err)) abort();
    if (tokenizer_count(t, text) != ids.n) abort();
    for (size_t i = 0; i < ids.n; i++) {
        if (ids.p[i] >= g_ids[which] || g_bytes[which][ids.p[i]].n == 0) abort();
        buf_put(&got, g_bytes[which][ids.p[i]]);
    }
    if (utf8_valid(text)) {
        put_expected(which, text, &want);
        if (!str_eq(buf_str(&got), buf_str(&want))) abort();
    } else if (!utf8_valid(buf_str(&got))) {
        abort();
    }
    buf_free(&got);
    buf_free(&want);
    mem_free(ids.p);
}

static void check_body(struct str body) {
    struct tokenize_request request;
    struct arena arena;
    struct buf out = BUF_INIT(1 << 20);
    struct err err;
    arena_init(&arena, NULL, 0, 1 << 20);
    if (tokenize_read(body, 64, &arena, &request, &err) && tokenize_answer(&request, &out, &err) &&
        !json_validate(buf_str(&out), 0, &err))
        abort();
    buf_free(&out);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    const struct str rest = str_of((const char *)data + 1, size - 1);
    if (data[0] >= BODY)
        check_body(rest);
    else
        check_text((enum tokenizer_id)(data[0] % TOKENIZER_COUNT), rest);
    return 0;
}
