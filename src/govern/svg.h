// Makes a picture in SVG harmless: it is parsed, and written anew from the elements and attributes that are known to
// be.
//
// What stays: shapes, paths, text, groups, gradients, clips and masks, with the attributes that place and paint them,
// and references to parts of the picture itself. What does not: scripts, event handlers, styles, links, images, foreign
// content, animation, anything from elsewhere. A document type, and with it every entity, is refused.
//
// Ownership: text borrowed. Thread rule: pure. Errors: ERR_INVALID_FIELD says what is wrong with the picture.
#ifndef GOVERN_SVG_H
#define GOVERN_SVG_H

#include "base/buf.h"
#include "base/err.h"

#define SVG_MAX ((size_t)128 * 1024)
#define SVG_DEPTH_MAX 32
#define SVG_ELEMENTS_MAX 5000

// Appends the new text, which, sanitised again, stays as it is.
NODISCARD bool svg_sanitise(struct str text, struct buf *out, struct err *err);

#endif
