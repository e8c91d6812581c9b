// Counts the tokens of pictures by their vendors' published rules.
#include "base/defs.h"
#include "model/image_size.h"
#include "model/prompt_tokens.h"

enum how { HOW_TILES, HOW_PATCHES, HOW_AREA, HOW_CROPS, HOW_FIXED };
static const struct {
    struct str part;
    enum how how;
    uint64_t a, b, c;
} k_rules[] = {
#define TILES(part, base, tile) {STR_INIT(part), HOW_TILES, base, tile, 0},
#define PATCHES(part, factor) {STR_INIT(part), HOW_PATCHES, factor, 0, 0},
#define AREA(part, pixels, side, most) {STR_INIT(part), HOW_AREA, pixels, side, most},
#define CROPS(part, none) {STR_INIT(part), HOW_CROPS, none, 0, 0},
#define FIXED(part, tokens) {STR_INIT(part), HOW_FIXED, tokens, 0, 0},
#include "model/picture_rule.def"
#undef TILES
#undef PATCHES
#undef AREA
#undef CROPS
#undef FIXED
};

unsigned prompt_picture_of(struct str model) {
    for (unsigned i = 0; i < ARRAY_LEN(k_rules); i++)
        if (!k_rules[i].part.n || str_find(model, k_rules[i].part) < model.n) return i;
    return ARRAY_LEN(k_rules) - 1;
}

static uint64_t up(uint64_t n, uint64_t unit) { return (n + unit - 1) / unit; }

// Both sides by the same factor, so that `side` is at most `most`.
static void shrink(uint64_t *width, uint64_t *height, uint64_t side, uint64_t most) {
    if (side <= most) return;
    *width = MAX(*width * most / side, (uint64_t)1);
    *height = MAX(*height * most / side, (uint64_t)1);
}

static uint64_t tiles(uint64_t width, uint64_t height) {
    shrink(&width, &height, MAX(width, height), 2048);
    shrink(&width, &height, MIN(width, height), 768);
    return up(width, 512) * up(height, 512);
}

// The largest square root that fits.
static uint64_t root(uint64_t n) {
    uint64_t low = 0, high = UINT32_MAX;
    while (low < high) {
        uint64_t mid = (low + high + 1) / 2;
        if (mid * mid <= n)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

#define PATCH 32
#define PATCHES_MAX 1536
static uint64_t patches(uint64_t width, uint64_t height) {
    if (up(width, PATCH) * up(height, PATCH) <= PATCHES_MAX) return up(width, PATCH) * up(height, PATCH);
    // So small that its area is that of as many patches, then so that one of its sides is a whole number of them.
    uint64_t factor = root(((uint64_t)PATCH * PATCH * PATCHES_MAX << 32) / (width * height)); // times 65536
    uint64_t w = MAX((width * factor >> 16) / PATCH, (uint64_t)1),
             h = MAX((height * factor >> 16) / PATCH, (uint64_t)1);
    bool by_width = w * height <= h * width; // the side that loses more to a whole number decides
    uint64_t n = by_width ? w * up(height * w, width) : h * up(width * h, height);
    return MIN(n, (uint64_t)PATCHES_MAX);
}

static uint64_t crops(uint64_t width, uint64_t height) {
    if (width <= 384 && height <= 384) return 1;
    uint64_t unit = MAX(MIN(MIN(width, height) * 2 / 3, (uint64_t)768), (uint64_t)256);
    return up(width, unit) * up(height, unit);
}

uint64_t prompt_picture_tokens(unsigned picture, const struct image_size *size, bool low) {
    uint64_t width = size ? size->width : 1024, height = size ? size->height : 1024;
    uint64_t a = k_rules[picture].a, b = k_rules[picture].b, c = k_rules[picture].c;
    switch (k_rules[picture].how) {
    case HOW_TILES:
        return low ? a : a + b * tiles(width, height);
    case HOW_PATCHES:
        return up(patches(width, height) * a, 1000);
    case HOW_AREA:
        shrink(&width, &height, MAX(width, height), b);
        return MIN(up(width * height, a), c);
    case HOW_CROPS:
        return 258 * crops(width, height);
    case HOW_FIXED:
        return a;
    }
    return 0;
}
