// The symbols that a piece of text consists of before any merge.
#include "model/token/encoder.h"
#include "model/token/unicode.h"

static size_t char_length(uint8_t first) { return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4; }

// A character's symbol, or SYMBOL_NONE. A window may begin within a character that is spelled in bytes.
static uint32_t char_symbol(const struct image *im, const uint8_t *p, const uint8_t *end, size_t *out_n) {
    const size_t n = char_length(p[0]);
    *out_n = 1;
    if (n > (size_t)(end - p)) return SYMBOL_NONE;
    const bool space = n == 3 && memcmp(p, "\xe2\x96\x81", 3) == 0; // what SentencePiece writes for a space
    const uint32_t symbol = space ? image_piece(im, (const uint8_t *)" ", 1) : image_piece(im, p, n);
    if (symbol != SYMBOL_NONE) *out_n = n;
    return symbol;
}

size_t piece_symbols(const struct image *im, const struct piece *piece, size_t *at, size_t max, uint32_t *symbol,
                     uint32_t *start) {
    const size_t from = *at;
    size_t n = 0;
    const uint8_t *end = piece->p + piece->n;
    if (piece->space_first && *at == 0 && max > 0) {
        start[n] = 0;
        symbol[n++] = image_piece(im, (const uint8_t *)" ", 1);
    }
    while (n < max && *at < piece->n) {
        const uint8_t *p = piece->p + *at;
        size_t length = 1;
        uint32_t s = piece->chars ? char_symbol(im, p, end, &length) : SYMBOL_NONE;
        start[n] = (uint32_t)(*at - from);
        symbol[n++] = s != SYMBOL_NONE ? s : im->byte_symbol[p[0]];
        *at += length;
    }
    return n;
}
