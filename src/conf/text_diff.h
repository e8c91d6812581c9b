// The difference of two texts, line by line, as `diff -u` shows it.
//
// Ownership: appends to the buf given. Thread rule: pure. Errors: the buf's own; out of memory sets its `failed`.
#ifndef CONF_TEXT_DIFF_H
#define CONF_TEXT_DIFF_H

#include "base/buf.h"

// Nothing when they are the same. Three lines of context; colour: for a terminal. Control characters are shown as "?".
void text_diff(struct str old_text, struct str new_text, struct str old_name, struct str new_name, bool colour,
               struct buf *out);

#endif
