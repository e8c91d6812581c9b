// Cuts a text as cl100k_base and Llama 3 do.
//
// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
#include "model/token/encoder.h"
#include "model/token/split.h"

// Other characters, then the ends of lines.
static const uint8_t *other_end(const uint8_t *p, const uint8_t *end) {
    return run_end(run_end(p, end, CHARS_OTHER), end, CLASS_BIT(CHAR_NEWLINE));
}

static const uint8_t *piece_end(const uint8_t *p, const uint8_t *end) {
    size_t n, m;
    const unsigned class = class_at(p, &n);
    if (CLASS_BIT(class) & CHARS_LETTER) return run_end(p + n, end, CHARS_LETTER);
    if (class == CHAR_NUMBER) return number_end(p, end, 3);
    if (*p == '\'') {
        const size_t short_form = contraction_nocase(p, end);
        if (short_form) return p + short_form;
    }
    const unsigned next = p + n < end ? class_at(p + n, &m) : (unsigned)CHAR_NEWLINE;
    if (class != CHAR_NEWLINE && CLASS_BIT(next) & CHARS_LETTER) return run_end(p + n + m, end, CHARS_LETTER);
    if (CLASS_BIT(class) & CHARS_OTHER) return other_end(p, end);
    if (*p == ' ' && p + n < end && CLASS_BIT(next) & CHARS_OTHER) return other_end(p + n, end);
    return space_end(p, end);
}

void encode_cl100k(struct encoder *e, const uint8_t *p, const uint8_t *end) {
    for (const uint8_t *next; p < end; p = next) {
        next = piece_end(p, end);
        encoder_piece(e, p, (size_t)(next - p));
    }
}
