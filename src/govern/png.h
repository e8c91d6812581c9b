// Makes a picture in PNG harmless: its pieces are checked, and only those that are the picture are kept.
//
// Ownership: bytes borrowed. Thread rule: pure. Errors: ERR_INVALID_FIELD.
#ifndef GOVERN_PNG_H
#define GOVERN_PNG_H

#include "base/buf.h"
#include "base/err.h"

#define PNG_MAX ((size_t)256 * 1024)
#define PNG_SIDE_MAX 2048

bool png_looks_like(struct str bytes);
// Appends the picture without texts, times, profiles and whatever else travels along.
NODISCARD bool png_sanitise(struct str bytes, struct buf *out, struct err *err);

#endif
