// JSON objects of one shape as lines of CSV (RFC 4180): names of members as the first line, then their values.
//
// A text that a spreadsheet would take for a formula gets an apostrophe before it; null is empty; arrays and objects
// stay JSON. Ownership: appends to the caller's buffer. Thread rule: pure. Errors: false for what is no object.
#ifndef BASE_JSON_CSV_H
#define BASE_JSON_CSV_H

#include "base/buf.h"

// The line of names, of the first object.
NODISCARD bool json_csv_names(struct buf *out, struct str object);
NODISCARD bool json_csv_row(struct buf *out, struct str object);
void csv_put_text(struct buf *out, struct str text);

#endif
