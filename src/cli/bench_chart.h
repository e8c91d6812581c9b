// Charts as inline SVG that take their colours from the page around them.
//
// Ownership: text is borrowed for the call. Thread rule: pure. Units: values as they come; BENCH_NONE is no value.
#ifndef CLI_BENCH_CHART_H
#define CLI_BENCH_CHART_H

#include "base/buf.h"

struct chart_bar {
    struct str label, text;        // the value in words
    double value, low, high, mark; // of the interval, and of one more figure; < 0 = none
    bool best;
};
// Bars beside each other's labels; most: where the axis ends (0: at the largest).
void chart_bars_put(struct buf *out, const char *title, const char *note, const struct chart_bar *bars, size_t n,
                    double most);
struct chart_point {
    struct str label, text;
    double x, y; // y: 0 … 1
};
// Points in a field; x from 0 on, with its ends in words.
void chart_points_put(struct buf *out, const char *title, const char *note, const struct chart_point *points, size_t n,
                      const char *axis_x, const char *axis_y, struct str most_x);

// Text for HTML, in elements and in quoted attributes.
void html_put(struct buf *out, struct str text);

#endif
