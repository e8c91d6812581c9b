// Reads the size of a picture from its base64.
#include "model/image_size.h"

#define SEGMENTS_MAX 1000

static int digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

// The byte at i of what the base64 stands for, or -1.
static int byte_at(struct str b64, size_t i) {
    size_t at = i / 3 * 4 + i % 3;
    if (at + 1 >= b64.n) return -1;
    int a = digit(b64.p[at]), b = digit(b64.p[at + 1]);
    if (a < 0 || b < 0) return -1;
    switch (i % 3) {
    case 0:
        return (a << 2 | b >> 4) & 0xff;
    case 1:
        return (a << 4 | b >> 2) & 0xff;
    default:
        return (a << 6 | b) & 0xff;
    }
}

// n bytes, the most significant first; -1 when they are not there.
static int64_t big(struct str b64, size_t i, unsigned n) {
    int64_t v = 0;
    for (unsigned k = 0; k < n; k++) {
        int c = byte_at(b64, i + k);
        if (c < 0) return -1;
        v = v << 8 | c;
    }
    return v;
}

static int64_t little(struct str b64, size_t i, unsigned n) {
    int64_t v = 0;
    for (unsigned k = n; k > 0; k--) {
        int c = byte_at(b64, i + k - 1);
        if (c < 0) return -1;
        v = v << 8 | c;
    }
    return v;
}

static bool sides(int64_t width, int64_t height, struct image_size *out_size) {
    if (width < 1 || height < 1 || width > IMAGE_SIDE_MAX || height > IMAGE_SIDE_MAX) return false;
    *out_size = (struct image_size){(uint32_t)width, (uint32_t)height};
    return true;
}

// From segment to segment until one that begins a frame.
static bool jpeg(struct str b64, struct image_size *out_size) {
    size_t at = 2;
    for (int n = 0; n < SEGMENTS_MAX; n++) {
        int mark = byte_at(b64, at + 1);
        if (byte_at(b64, at) != 0xff || mark < 0) return false;
        if (mark == 0xff) { // fill
            at++;
            continue;
        }
        bool frame = mark >= 0xc0 && mark <= 0xcf && mark != 0xc4 && mark != 0xc8 && mark != 0xcc;
        if (frame) return sides(big(b64, at + 7, 2), big(b64, at + 5, 2), out_size);
        bool bare = mark == 0x01 || (mark >= 0xd0 && mark <= 0xd8);
        int64_t length = bare ? 0 : big(b64, at + 2, 2);
        if (length < 0 || (!bare && length < 2) || mark == 0xd9 || mark == 0xda) return false;
        at += 2 + (size_t)length;
    }
    return false;
}

static bool webp(struct str b64, struct image_size *out_size) {
    switch (big(b64, 12, 4)) {
    case 0x56503820: { // "VP8 "
        int64_t width = little(b64, 26, 2), height = little(b64, 28, 2);
        return width >= 0 && height >= 0 && sides(width & 0x3fff, height & 0x3fff, out_size);
    }
    case 0x5650384c: { // "VP8L"
        int64_t bits = little(b64, 21, 4);
        return bits >= 0 && sides((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1, out_size);
    }
    case 0x56503858: { // "VP8X"
        int64_t width = little(b64, 24, 3), height = little(b64, 27, 3);
        return width >= 0 && height >= 0 && sides(width + 1, height + 1, out_size);
    }
    default:
        return false;
    }
}

bool image_size_of(struct str b64, struct image_size *out_size) {
    if (big(b64, 0, 4) == 0x89504e47) return sides(big(b64, 16, 4), big(b64, 20, 4), out_size);
    if (big(b64, 0, 2) == 0xffd8) return jpeg(b64, out_size);
    if (big(b64, 0, 3) == 0x474946) return sides(little(b64, 6, 2), little(b64, 8, 2), out_size);
    if (big(b64, 0, 4) == 0x52494646 && big(b64, 8, 4) == 0x57454250) return webp(b64, out_size);
    return false;
}
