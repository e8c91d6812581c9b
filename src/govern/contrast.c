// Computes contrast ratios as WCAG 2.x defines them, and finds colours that are enough.
#include "govern/contrast.h"

static int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool colour_parse(struct str text, struct colour *out_colour) {
    unsigned char v[3];
    if (text.n != COLOUR_TEXT_LEN || text.p[0] != '#') return false;
    for (size_t i = 0; i < 3; i++) {
        int high = nibble(text.p[1 + 2 * i]), low = nibble(text.p[2 + 2 * i]);
        if (high < 0 || low < 0) return false;
        v[i] = (unsigned char)(high << 4 | low);
    }
    *out_colour = (struct colour){v[0], v[1], v[2]};
    return true;
}

void colour_text(struct colour c, char out[COLOUR_TEXT_LEN]) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char v[] = {c.r, c.g, c.b};
    out[0] = '#';
    for (size_t i = 0; i < 3; i++) {
        out[1 + 2 * i] = digits[v[i] >> 4];
        out[2 + 2 * i] = digits[v[i] & 15];
    }
}

// x to the power of 2.4: x² times the fifth root of x², by Newton's method. 0 < x <= 1.
static double power_2_4(double x) {
    double square = x * x, y = 1;
    for (int i = 0; i < 60; i++) y = (4 * y + square / (y * y * y * y)) / 5;
    return square * y;
}

static double linear(unsigned char v) {
    double c = v / 255.0;
    return c <= 0.04045 ? c / 12.92 : power_2_4((c + 0.055) / 1.055);
}

static double luminance(struct colour c) { return 0.2126 * linear(c.r) + 0.7152 * linear(c.g) + 0.0722 * linear(c.b); }

double contrast_ratio(struct colour a, struct colour b) {
    double x = luminance(a), y = luminance(b);
    return (MAX(x, y) + 0.05) / (MIN(x, y) + 0.05);
}

static unsigned char toward(unsigned char from, unsigned char to, int step) {
    return (unsigned char)(from + (to - from) * step / 64);
}

struct colour contrast_readable(struct colour text, struct colour background) {
    for (int step = 0; step <= 64; step++) {
        for (int light = 0; light < 2; light++) {
            unsigned char to = light ? 255 : 0;
            struct colour c = {toward(text.r, to, step), toward(text.g, to, step), toward(text.b, to, step)};
            if (contrast_ratio(c, background) >= CONTRAST_MIN) return c;
        }
    }
    return text; // never: black or white can be read on everything
}
