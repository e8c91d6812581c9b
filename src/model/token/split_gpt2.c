// Cuts a text as p50k_base and Claude 2 do.
//
// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
#include "model/token/encoder.h"
#include "model/token/split.h"

static const uint8_t *spaces_end(const uint8_t *p, const uint8_t *end) {
    const uint8_t *at = p, *last = p;
    for (size_t n; at < end && CLASS_BIT(class_at(at, &n)) & CHARS_SPACE; at += n) last = at;
    return at == end || last == p ? at : last;
}

static const uint8_t *piece_end(const uint8_t *p, const uint8_t *end) {
    size_t n;
    const size_t short_form = *p == '\'' ? contraction(p, end) : 0;
    if (short_form) return p + short_form;
    const uint8_t *word = *p == ' ' && p + 1 < end ? p + 1 : p;
    const unsigned class = CLASS_BIT(class_at(word, &n));
    if (class & CHARS_LETTER) return run_end(word + n, end, CHARS_LETTER);
    if (class & CHARS_NUMBER) return run_end(word + n, end, CHARS_NUMBER);
    if (class & CHARS_OTHER) return run_end(word + n, end, CHARS_OTHER);
    return spaces_end(p, end);
}

void encode_gpt2(struct encoder *e, const uint8_t *p, const uint8_t *end) {
    for (const uint8_t *next; p < end; p = next) {
        next = piece_end(p, end);
        encoder_piece(e, p, (size_t)(next - p));
    }
}
