// What the tables say of an option as text, for all that describes options: the reference, the schema, explain.
//
// Everything is appended to a buf of the caller's. Thread rule: pure.
#ifndef CONF_OPT_TEXT_H
#define CONF_OPT_TEXT_H

#include "base/buf.h"
#include "conf/opt.h"

bool opt_is_number(const struct opt *opt); // sizes, durations and amounts too
bool opt_is_secret(const struct opt *opt); // never shown
// "true or false", "size", "`a`, `b`": for people.
void opt_type_put(struct buf *out, const struct opt *opt);
// "1 KiB to 1 GiB", "at most 300 bytes", "1 to 64 entries"; nothing when there is no limit of its own.
void opt_limits_put(struct buf *out, const struct opt *opt);
// How a change applies: "live", "drain" or "restart"; and as a sentence.
const char *opt_apply_name(const struct opt *opt);
const char *opt_apply_text(const struct opt *opt);
const char *opt_since(const struct opt *opt); // "0.1.0"
// One line of Markdown with default, limits and how a change applies.
void opt_note_put(struct buf *out, const struct opt *opt);
// The example as JSON; false when there is none.
NODISCARD bool opt_example_json(const struct opt *opt, struct buf *out);

// Lists and maps: what a key and a variable have in the place of an item: "[]" or ".NAME", "0" or "NAME".
bool opt_has_items(const struct opt *opt);
const char *opt_item_text(const struct opt *opt);
const char *opt_item_variable(const struct opt *opt);
// Options of the root that say what is read: no layer above the files sets them.
bool opt_is_about_files(const struct opt *opt);
#define OPT_VARIABLE_PREFIX "PENSTOCK_"
// Appends a part of a variable's name, in capitals, "__" before it when *out is not empty.
void opt_variable_put(struct buf *out, const char *word);

// JSON over several lines, indented; what fits into a line stays in one. `json` must be valid.
void json_indent(struct str json, struct buf *out);

#endif
