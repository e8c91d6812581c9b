// Whether text of one colour can be read on another: the contrast ratio of WCAG 2.x.
//
// Thread rule: pure.
#ifndef GOVERN_CONTRAST_H
#define GOVERN_CONTRAST_H

#include "base/str.h"

#define CONTRAST_MIN 4.5 // of normal text, level AA

struct colour {
    unsigned char r, g, b;
};
// "#1a2b3c"; capital letters too.
NODISCARD bool colour_parse(struct str text, struct colour *out_colour);
#define COLOUR_TEXT_LEN 7
void colour_text(struct colour c, char out[COLOUR_TEXT_LEN]);
// From 1 (the same) to 21 (black on white).
double contrast_ratio(struct colour a, struct colour b);
// The colour nearest to `text`, on its way to black or to white, that can be read on `background`.
struct colour contrast_readable(struct colour text, struct colour background);

#endif
