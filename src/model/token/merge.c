// Byte-pair encoding of a piece: of all pairs side by side the preferred one is merged, until none is left.
//
// Three ways for three lengths, with one result. A short piece: the smallest of an array is looked for again and again.
// A longer one: a heap of possible merges over a list. A very long one: in windows. Two facts make windows exact. The
// tokens of a text between two boundaries of its encoding are the encoding of what lies between; and a sequence of
// tokens is the encoding of a text if each two neighbours are the encoding of what they span. So when a window's
// encoding is cut at a boundary, and the next window, begun there, starts with the very token that followed the cut,
// all neighbours have been seen side by side and the whole is right. If it does not, larger windows are taken.
#include "model/token/encoder.h"

#define SHORT_PIECE 48
#define WINDOW 1024

// --- short pieces ---

static size_t smallest(const uint32_t *order, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        if (order[i] < order[best]) best = i;
    }
    return best;
}

static uint32_t order_of(const struct image *im, uint32_t left, uint32_t right) {
    return image_order(im, image_pair(im, left, right));
}

static uint32_t made_of(const struct image *im, uint32_t order, uint32_t left, uint32_t right) {
    return image_order_is_made(im, order) ? order : image_pair(im, left, right);
}

// Merges in place; returns how many symbols are left.
static size_t merge_short(const struct image *im, uint32_t *symbol, size_t n) {
    uint32_t order[SHORT_PIECE]; // order[i]: when symbols i and i + 1 would be merged
    for (size_t i = 0; i + 1 < n; i++) order[i] = order_of(im, symbol[i], symbol[i + 1]);
    while (n > 1) {
        const size_t i = smallest(order, n - 1);
        if (order[i] == SYMBOL_NONE) break;
        symbol[i] = made_of(im, order[i], symbol[i], symbol[i + 1]);
        n--;
        memmove(symbol + i + 1, symbol + i + 2, (n - i - 1) * sizeof *symbol);
        if (i + 1 < n) {
            memmove(order + i + 1, order + i + 2, (n - i - 1) * sizeof *order);
            order[i] = order_of(im, symbol[i], symbol[i + 1]);
        }
        if (i > 0) order[i - 1] = order_of(im, symbol[i - 1], symbol[i]);
    }
    return n;
}

// --- windows ---

struct window {
    size_t size;      // symbols it has room for
    uint32_t *symbol; // a list: next and prev, `size` for none
    uint32_t *start;
    uint32_t *next;
    uint32_t *prev;
    uint32_t *order; // as above; SYMBOL_NONE for a symbol that is no longer there
    uint64_t *heap;  // an order, and at which symbol: the smallest, leftmost one first
    size_t heaped;
};

#define WINDOW_BYTES(size) ((size) * (5 * sizeof(uint32_t) + 3 * sizeof(uint64_t)))

static struct window window_lay(void *memory, size_t size) {
    uint64_t *heap = memory;
    uint32_t *words = (uint32_t *)(heap + 3 * size); // each merge ends one pair and begins at most two
    return (struct window){.size = size,
                           .heap = heap,
                           .symbol = words,
                           .start = words + size,
                           .next = words + 2 * size,
                           .prev = words + 3 * size,
                           .order = words + 4 * size};
}

static void heap_push(struct window *w, uint64_t entry) {
    size_t i = w->heaped++;
    for (; i > 0 && w->heap[(i - 1) / 2] > entry; i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = entry;
}

static uint64_t heap_pop(struct window *w) {
    const uint64_t top = w->heap[0], last = w->heap[--w->heaped];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->heaped; i = child) {
        if (child + 1 < w->heaped && w->heap[child + 1] < w->heap[child]) child++;
        if (w->heap[child] >= last) break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    return top;
}

static void pair_look(const struct image *im, struct window *w, uint32_t i) {
    w->order[i] = w->next[i] < w->size ? order_of(im, w->symbol[i], w->symbol[w->next[i]]) : SYMBOL_NONE;
    if (w->order[i] != SYMBOL_NONE) heap_push(w, (uint64_t)w->order[i] << 32 | i);
}

// Merges the n symbols, then moves those left to the front. Returns how many.
static size_t merge_window(const struct image *im, struct window *w, size_t n) {
    const uint32_t none = (uint32_t)w->size;
    w->heaped = 0;
    for (uint32_t i = 0; i < n; i++) {
        w->next[i] = i + 1 < n ? i + 1 : none;
        w->prev[i] = i > 0 ? i - 1 : none;
    }
    for (uint32_t i = 0; i < n; i++) pair_look(im, w, i);
    while (w->heaped > 0) {
        const uint64_t entry = heap_pop(w);
        const uint32_t i = (uint32_t)entry;
        if (w->order[i] != entry >> 32) continue; // one of the two has been merged otherwise since
        const uint32_t gone = w->next[i];
        w->symbol[i] = made_of(im, w->order[i], w->symbol[i], w->symbol[gone]);
        w->next[i] = w->next[gone];
        if (w->next[i] < none) w->prev[w->next[i]] = i;
        w->order[gone] = SYMBOL_NONE;
        pair_look(im, w, i);
        if (w->prev[i] < none) pair_look(im, w, w->prev[i]);
    }
    size_t left = 0;
    for (uint32_t i = 0; i < none && left < n; i = w->next[i]) {
        w->symbol[left] = w->symbol[i];
        w->start[left++] = w->start[i];
    }
    return left;
}

// False when a window's first token is not the one that was expected.
static bool merge_windows(struct encoder *e, const struct piece *piece, struct window *w) {
    uint32_t expected = SYMBOL_NONE;
    for (size_t at = 0;;) {
        size_t end = at;
        size_t n = piece_symbols(e->im, piece, &end, w->size, w->symbol, w->start);
        n = merge_window(e->im, w, n);
        if (expected != SYMBOL_NONE && w->symbol[0] != expected) return false;
        // Of a window in the middle the last quarter is only there to keep the rest from noticing the cut.
        const size_t keep = end == piece->n ? n : n - n / 4 - 1;
        if (end < piece->n && w->start[keep] == 0) return false;
        for (size_t i = 0; i < keep; i++) encoder_put(e, w->symbol[i]);
        if (end == piece->n) return true;
        expected = w->symbol[keep];
        at += w->start[keep];
    }
}

static void merge_long(struct encoder *e, const struct piece *piece) {
    uint64_t memory[WINDOW_BYTES(WINDOW) / sizeof(uint64_t)];
    struct window w = window_lay(memory, WINDOW);
    const size_t before = e->n, kept = e->out ? e->out->n : 0;
    AUTO_FREE void *larger = NULL;
    while (!merge_windows(e, piece, &w)) {
        e->n = before;
        if (e->out) e->out->n = kept;
        mem_free(larger);
        larger = mem_alloc(WINDOW_BYTES(w.size * 4));
        if (!larger) {
            e->failed = true;
            return;
        }
        w = window_lay(larger, w.size * 4);
    }
}

// --- any piece ---

void encoder_merge(struct encoder *e, const struct piece *piece) {
    uint32_t symbol[SHORT_PIECE], start[SHORT_PIECE];
    size_t end = 0;
    size_t n = piece_symbols(e->im, piece, &end, SHORT_PIECE, symbol, start);
    if (end < piece->n) {
        merge_long(e, piece);
        return;
    }
    n = merge_short(e->im, symbol, n);
    for (size_t i = 0; i < n; i++) encoder_put(e, symbol[i]);
}

// --- pieces that are looked up whole ---

// The tokens of a piece of at most CACHE_PIECE bytes. Returns how many.
static size_t piece_tokens(const struct image *im, const uint8_t *p, size_t n, uint32_t *symbol) {
    symbol[0] = image_piece(im, p, n);
    if (symbol[0] != SYMBOL_NONE) return 1;
    for (size_t i = 0; i < n; i++) symbol[i] = im->byte_symbol[p[i]];
    return merge_short(im, symbol, n);
}

static void cached_fill(struct encoder *e, struct cache_entry *entry, const uint64_t key[2], const uint8_t *p,
                        size_t n) {
    uint32_t symbol[SHORT_PIECE];
    const size_t count = piece_tokens(e->im, p, n, symbol);
    for (size_t i = 0; i < count; i++) encoder_put(e, symbol[i]);
    if (count > CACHE_TOKENS) return;
    *entry = (struct cache_entry){.key = {key[0], key[1]}, .length = (uint8_t)n, .n = (uint8_t)count};
    memcpy(entry->symbol, symbol, count * sizeof *symbol);
}

static void cached_piece(struct encoder *e, const uint8_t *p, size_t n) {
    static const uint8_t MASKS[3 * CACHE_PIECE] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                   255, 255, 255, 255, 255, 255, 255, 255};
    const uint8_t *mask = MASKS + CACHE_PIECE - n;
    const uint64_t key[2] = {load_u64(p) & load_u64(mask), load_u64(p + 8) & load_u64(mask + 8)};
    const uint64_t hash = ((key[0] ^ (key[1] << 7 | key[1] >> 57)) + n) * 0x9e3779b97f4a7c15u;
    struct cache_entry *entry = &e->cache[hash >> (64 - CACHE_BITS)];
    if (entry->key[0] != key[0] || entry->key[1] != key[1] || entry->length != n) {
        cached_fill(e, entry, key, p, n);
        return;
    }
    if (!e->out) {
        e->n += entry->n;
        return;
    }
    for (size_t i = 0; i < entry->n; i++) encoder_put(e, entry->symbol[i]);
}

void encoder_piece(struct encoder *e, const uint8_t *p, size_t n) {
    if (n <= CACHE_PIECE && e->cache && (size_t)(e->end - p) >= CACHE_PIECE) {
        cached_piece(e, p, n);
        return;
    }
    const uint32_t symbol = n <= e->im->longest ? image_piece(e->im, p, n) : SYMBOL_NONE;
    if (symbol != SYMBOL_NONE)
        encoder_put(e, symbol);
    else
        encoder_merge(e, &(struct piece){.p = p, .n = n});
}
