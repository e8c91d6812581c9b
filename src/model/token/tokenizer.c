// The tokenizers: which vocabulary and which way of cutting each has, and what all of them do to a text first.
#include "model/token/tokenizer.h"

#include "base/utf8.h"
#include "model/token/encoder.h"

struct tokenizer {
    struct str name;
    struct str about;
    const void *image;
    void (*encode)(struct encoder *e, const uint8_t *p, const uint8_t *end);
};

#define TOKENIZER(id, name, image, kind, about) extern const unsigned char vocabulary_##image[];
#include "model/token/tokenizer.def"
#undef TOKENIZER

#define ENCODE_O200K encode_o200k
#define ENCODE_CL100K encode_cl100k
#define ENCODE_TEKKEN encode_tekken
#define ENCODE_GPT2 encode_gpt2
#define ENCODE_SENTENCE encode_sentence
#define ENCODE_SENTENCE_PREFIXED encode_sentence_prefixed

static const struct tokenizer TOKENIZERS[] = {
#define TOKENIZER(id, name, image, kind, about)                                                                        \
    [TOKENIZER_##id] = {STR_INIT(name), STR_INIT(about), vocabulary_##image, ENCODE_##kind},
#include "model/token/tokenizer.def"
#undef TOKENIZER
};

const struct tokenizer *tokenizer_get(enum tokenizer_id id) {
    INVARIANT(id < TOKENIZER_COUNT);
    return &TOKENIZERS[id];
}

const struct tokenizer *tokenizer_find(struct str name) {
    for (size_t i = 0; i < TOKENIZER_COUNT; i++) {
        if (str_eq(name, TOKENIZERS[i].name)) return &TOKENIZERS[i];
    }
    return NULL;
}

struct str tokenizer_name(const struct tokenizer *t) {
    return t->name;
}

struct str tokenizer_about(const struct tokenizer *t) {
    return t->about;
}

bool tokenizer_exact(const struct tokenizer *t) { return t != &TOKENIZERS[TOKENIZER_CLAUDE]; }

const struct image *tokenizer_image(const struct tokenizer *t) { return t->image; }

bool tokenizer_entry(const struct tokenizer *t, size_t i, uint32_t *out_id, struct str *out_bytes) {
    const struct image *im = t->image;
    if (i >= im->symbols) return false;
    size_t n;
    const uint8_t *p = image_token(im, (uint32_t)i, &n);
    *out_id = image_id(im, (uint32_t)i);
    *out_bytes = str_of((const char *)p, n);
    return true;
}

// How many bytes at the front of s are one ill-formed sequence: the longest that could have begun a character.
static size_t ill_formed(struct str s) {
    const uint8_t *p = (const uint8_t *)s.p;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 1;
    const size_t want = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    const uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    size_t n = 1;
    for (; n < want && n < s.n; n++) {
        if (p[n] < (n == 1 ? low : 0x80) || p[n] > (n == 1 ? high : 0xbf)) break;
    }
    return n;
}

// A copy with U+FFFD for each ill-formed sequence, owned; NULL when out of memory.
static char *text_mended(struct str text, size_t *out_n) {
    size_t most;
    if (__builtin_mul_overflow(text.n, (size_t)3, &most)) return NULL;
    char *copy = mem_alloc(most + 1), *to = copy;
    if (!copy) return NULL;
    while (text.n > 0) {
        const size_t good = utf8_valid_prefix(text);
        memcpy(to, text.p, good);
        to += good;
        text = str_from(text, good);
        if (text.n == 0) break;
        memcpy(to, "\xef\xbf\xbd", 3);
        to += 3;
        text = str_from(text, ill_formed(text));
    }
    *out_n = (size_t)(to - copy);
    return copy;
}

#define CACHE_FROM 4096 // bytes of text from which on a cache earns what it costs

static bool text_encode(const struct tokenizer *t, struct str text, struct encoder *e) {
    AUTO_FREE char *mended = NULL;
    if (text.n == 0) return true;
    if (!utf8_valid(text)) {
        mended = text_mended(text, &text.n);
        if (!mended) return false;
        text.p = mended;
    }
    AUTO_FREE struct cache_entry *cache = text.n >= CACHE_FROM ? mem_zalloc(1 << CACHE_BITS, sizeof *cache) : NULL;
    e->cache = cache;
    e->end = (const uint8_t *)text.p + text.n;
    t->encode(e, (const uint8_t *)text.p, e->end);
    return !e->failed;
}

size_t tokenizer_count(const struct tokenizer *t, struct str text) {
    struct encoder e = {.im = t->image};
    return text_encode(t, text, &e) ? e.n : 3 * text.n;
}

bool tokenizer_encode(const struct tokenizer *t, struct str text, struct token_ids *ids, struct err *err) {
    const size_t before = ids->n;
    struct encoder e = {.im = t->image, .out = ids};
    if (text_encode(t, text, &e)) return true;
    ids->n = before;
    return err_no_memory(err);
}
