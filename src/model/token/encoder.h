// One encoding of a text in progress: where the tokens go, and the merging of pairs.
//
// Ownership: borrows the image and the text; `out` belongs to the caller. Thread rule: one thread, on its stack.
// Errors: `failed` is set when memory runs out; what follows is then without meaning.
#ifndef MODEL_TOKEN_ENCODER_H
#define MODEL_TOKEN_ENCODER_H

#include "model/token/image.h"
#include "model/token/tokenizer.h"

// What short pieces were encoded as a moment ago: most of a text is a few words again and again.
#define CACHE_BITS 11
#define CACHE_PIECE 16
#define CACHE_TOKENS 3
struct cache_entry {
    uint64_t key[2]; // the piece, filled up with zeros
    uint32_t symbol[CACHE_TOKENS];
    uint8_t length; // of the piece; 0: free
    uint8_t n;
};

struct encoder {
    const struct image *im;
    struct token_ids *out;     // NULL: only counted
    const uint8_t *end;        // of the text
    struct cache_entry *cache; // 1 << CACHE_BITS; NULL: none, for short texts
    size_t n;                  // tokens so far
    bool failed;
};

static inline void encoder_put(struct encoder *e, uint32_t symbol) {
    e->n++;
    if (e->out && !vec_push(e->out, image_id(e->im, symbol))) e->failed = true;
}

// A piece of a text as the symbols that exist before any merge. Byte-level vocabularies: one a byte. SentencePiece: one
// a character, or one a byte for a character that is no token.
struct piece {
    const uint8_t *p;
    size_t n;
    bool chars;       // SentencePiece
    bool space_first; // a space that is not in the text comes before it
};

// Encodes a piece by merging alone, without looking it up whole.
void encoder_merge(struct encoder *e, const struct piece *piece);
// Encodes a piece that is not empty: a token if it is one, otherwise by merging.
void encoder_piece(struct encoder *e, const uint8_t *p, size_t n);

// For encoder_merge, in symbols.c. Takes symbols from piece->p + *at on, which then moves, until there are `max` or
// the piece ends; start[i] is how far behind the first *at symbol i begins. Returns how many.
size_t piece_symbols(const struct image *im, const struct piece *piece, size_t *at, size_t max, uint32_t *symbol,
                     uint32_t *start);

const struct image *tokenizer_image(const struct tokenizer *t);

// The cutters: each encodes the whole of a text in valid UTF-8.
void encode_o200k(struct encoder *e, const uint8_t *p, const uint8_t *end);
void encode_tekken(struct encoder *e, const uint8_t *p, const uint8_t *end);
void encode_cl100k(struct encoder *e, const uint8_t *p, const uint8_t *end);
void encode_gpt2(struct encoder *e, const uint8_t *p, const uint8_t *end);
void encode_sentence(struct encoder *e, const uint8_t *p, const uint8_t *end);
void encode_sentence_prefixed(struct encoder *e, const uint8_t *p, const uint8_t *end);

#endif
