// Cuts a text for SentencePiece vocabularies, which know no words: only where no token could reach across.
//
// Tokens that are taken before anything else is looked at (Gemma's runs of newlines and tabs, its HTML tags) come
// first.
#include "model/token/encoder.h"

// The longest added token at p: its length, or 0.
static size_t added_at(const struct image *im, const uint8_t *p, const uint8_t *end, uint32_t *out_symbol) {
    const struct image_node *nodes = image_at(im, im->added);
    size_t best = 0;
    uint32_t at = 0;
    for (const uint8_t *q = p; q < end; q++) {
        at = nodes[at].child;
        while (at && nodes[at].byte != *q) at = nodes[at].sibling;
        if (!at) break;
        if (nodes[at].symbol == SYMBOL_NONE) continue;
        best = (size_t)(q + 1 - p);
        *out_symbol = nodes[at].symbol;
    }
    return best;
}

static void sentence_piece(struct encoder *e, const uint8_t *p, size_t n) {
    const uint32_t symbol = n <= e->im->longest ? image_piece(e->im, p, n) : SYMBOL_NONE;
    if (symbol != SYMBOL_NONE)
        encoder_put(e, symbol);
    else
        encoder_merge(e, &(struct piece){.p = p, .n = n, .chars = true});
}

static bool separate(const struct image *im, const uint8_t *p) {
    return (*p & 0xc0) != 0x80 && !image_adjacent(im, p[-1], *p);
}

void encode_sentence(struct encoder *e, const uint8_t *p, const uint8_t *end) {
    const uint8_t *from = p;
    while (p < end) {
        uint32_t symbol;
        const size_t added = e->im->added ? added_at(e->im, p, end, &symbol) : 0;
        if (p > from && (added || separate(e->im, p))) {
            sentence_piece(e, from, (size_t)(p - from));
            from = p;
        }
        if (added) {
            encoder_put(e, symbol);
            from = p += added;
        } else {
            p++;
        }
    }
    if (from < end) sentence_piece(e, from, (size_t)(end - from));
}

void encode_sentence_prefixed(struct encoder *e, const uint8_t *p, const uint8_t *end) {
    const uint8_t *first = p + 1;
    if (p == end) return;
    while (first < end && !separate(e->im, first)) first++;
    encoder_merge(e, &(struct piece){.p = p, .n = (size_t)(first - p), .chars = true, .space_first = true});
    encode_sentence(e, first, end);
}
