// How a vocabulary lies in memory: the format that tools/vocabulary.py writes, and the two look-ups in it.
//
// A symbol is a token's number here: symbols that exist before any merge come first, the others in the order in which
// merges prefer them, so of two possible merges the one with the smaller symbol goes first. All numbers are
// little-endian, all offsets from the start of the image. Both tables are open-addressed with linear probing.
//
// Ownership: constants of the program. Thread rule: any thread.
#ifndef MODEL_TOKEN_IMAGE_H
#define MODEL_TOKEN_IMAGE_H

#include "base/defs.h"

#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "images are little-endian");

#define IMAGE_MAGIC 0x434f5650u
#define IMAGE_VERSION 1u
#define SYMBOL_BITS 18
#define SYMBOL_NONE 0xffffffffu
#define SYMBOL_MASK ((1u << SYMBOL_BITS) - 1)

struct image {
    uint32_t magic;
    uint32_t version;
    uint32_t symbols;
    uint32_t longest;     // bytes of the longest token
    uint32_t pairs;       // uint64_t[pair_slots]: left symbol, right symbol, what they merge into
    uint32_t pair_slots;  //
    uint32_t pieces;      // uint32_t[piece_slots]: 14 bits of the hash, symbol
    uint32_t piece_slots; //
    uint32_t offsets;     // uint32_t[symbols + 1] into the blob
    uint32_t ids;         // uint32_t[symbols]: the ids that the vendor uses; 0: the symbol + shift
    uint32_t shift;       //
    uint32_t added;       // struct image_node[added_nodes]: what is taken before anything else is looked at
    uint32_t added_nodes; //
    uint32_t blob;        // the bytes of all tokens
    uint32_t size;
    uint32_t inputs;        // a checksum of what the image was made from
    uint32_t equal_first;   // symbols of a range that merges prefer alike, the leftmost first
    uint32_t equal_count;   //
    uint8_t adjacent[8192]; // bit a * 256 + b: some token has byte b right after byte a
    uint32_t byte_symbol[256];
};

// A trie: node 0 is the root, 0 as child or sibling means none.
struct image_node {
    uint32_t byte;
    uint32_t child;
    uint32_t sibling;
    uint32_t symbol; // that ends here, or SYMBOL_NONE
};

static inline const void *image_at(const struct image *im, uint32_t offset) { return (const uint8_t *)im + offset; }

static inline const uint8_t *image_token(const struct image *im, uint32_t symbol, size_t *out_n) {
    const uint32_t *at = (const uint32_t *)image_at(im, im->offsets) + symbol;
    *out_n = at[1] - at[0];
    return (const uint8_t *)image_at(im, im->blob) + at[0];
}

static inline uint32_t image_id(const struct image *im, uint32_t symbol) {
    return im->ids ? ((const uint32_t *)image_at(im, im->ids))[symbol] : symbol + im->shift;
}

static inline bool image_adjacent(const struct image *im, uint8_t a, uint8_t b) {
    uint32_t bit = (uint32_t)a << 8 | b;
    return im->adjacent[bit >> 3] >> (bit & 7) & 1;
}

static inline uint32_t load_u32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t load_u64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

// The first n bytes, 1…8, as a number whose other bytes are zero; reads none but those.
static inline uint64_t load_part(const uint8_t *p, size_t n) {
    if (n == 8) return load_u64(p);
    if (n >= 4) return load_u32(p) | (uint64_t)load_u32(p + n - 4) << ((n - 4) * 8);
    return p[0] | (uint64_t)p[n / 2] << (n / 2 * 8) | (uint64_t)p[n - 1] << ((n - 1) * 8);
}

static inline uint64_t piece_hash(const uint8_t *p, size_t n) {
    uint64_t h = n * 0x9e3779b97f4a7c15u;
    while (n > 0) {
        size_t take = n < 8 ? n : 8;
        h = (h ^ load_part(p, take)) * 0xd6e8feb86659fd93u;
        h ^= h >> 32;
        p += take;
        n -= take;
    }
    return h;
}

static inline bool bytes_equal(const uint8_t *a, const uint8_t *b, size_t n) {
    for (; n > 8; a += 8, b += 8, n -= 8) {
        if (load_u64(a) != load_u64(b)) return false;
    }
    return load_part(a, n) == load_part(b, n);
}

// The symbol that has exactly these bytes, or SYMBOL_NONE. n must not be 0.
static inline uint32_t image_piece(const struct image *im, const uint8_t *p, size_t n) {
    uint64_t h = piece_hash(p, n);
    const uint32_t *table = image_at(im, im->pieces);
    const uint32_t tag = (uint32_t)(h & 0x3fff) == 0x3fff ? 0 : (uint32_t)(h & 0x3fff);
    uint32_t at = (uint32_t)((h >> 32) * im->piece_slots >> 32);
    for (uint32_t entry; (entry = table[at]) != SYMBOL_NONE; at = at + 1 < im->piece_slots ? at + 1 : 0) {
        if (entry >> SYMBOL_BITS != tag) continue;
        size_t length;
        const uint8_t *token = image_token(im, entry & SYMBOL_MASK, &length);
        if (length == n && bytes_equal(token, p, n)) return entry & SYMBOL_MASK;
    }
    return SYMBOL_NONE;
}

// The order in which merges are preferred, from what they make; SYMBOL_NONE is last.
static inline uint32_t image_order(const struct image *im, uint32_t made) {
    return made - im->equal_first < im->equal_count ? im->equal_first : made;
}

// Whether what is made follows from the order alone.
static inline bool image_order_is_made(const struct image *im, uint32_t order) {
    return order - im->equal_first >= im->equal_count;
}

// What two symbols side by side merge into, or SYMBOL_NONE.
static inline uint32_t image_pair(const struct image *im, uint32_t left, uint32_t right) {
    const uint64_t key = (uint64_t)left << SYMBOL_BITS | right;
    const uint64_t *table = image_at(im, im->pairs);
    uint32_t at = (uint32_t)((key * 0x9e3779b97f4a7c15u >> 32) * im->pair_slots >> 32);
    for (uint64_t entry; (entry = table[at]) != UINT64_MAX; at = at + 1 < im->pair_slots ? at + 1 : 0) {
        if (entry >> SYMBOL_BITS == key) return (uint32_t)entry & SYMBOL_MASK;
    }
    return SYMBOL_NONE;
}

#endif
