// Which tokenizer a model has, by its name.
#include "model/token/tokenizer.h"

static const struct {
    struct str part;
    enum tokenizer_id tokenizer;
    bool exact;
} NAMES[] = {
#define NAME(part, tokenizer, exact) {STR_INIT(part), TOKENIZER_##tokenizer, exact},
#include "model/token/model_names.def"
#undef NAME
};

static char small(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }

static bool is_word(char c) { return (small(c) >= 'a' && small(c) <= 'z') || (c >= '0' && c <= '9'); }

static bool fits_at(struct str name, size_t at, struct str part) {
    const bool whole = part.p[part.n - 1] == '|';
    const size_t n = whole ? part.n - 1 : part.n;
    if (name.n - at < n || (at > 0 && is_word(name.p[at - 1]))) return false;
    for (size_t i = 0; i < n; i++) {
        if (small(name.p[at + i]) != part.p[i]) return false;
    }
    return !whole || at + n == name.n || !is_word(name.p[at + n]);
}

static bool fits(struct str name, struct str part) {
    for (size_t at = 0; at < name.n; at++) {
        if (fits_at(name, at, part)) return true;
    }
    return false;
}

const struct tokenizer *tokenizer_for_model(struct str model, bool *out_exact) {
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        if (!fits(model, NAMES[i].part)) continue;
        if (out_exact) *out_exact = NAMES[i].exact;
        return tokenizer_get(NAMES[i].tokenizer);
    }
    if (out_exact) *out_exact = false;
    return tokenizer_get(TOKENIZER_O200K);
}
