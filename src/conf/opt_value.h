// One option's value as it is shown: canonical, secrets masked, references as they were written.
//
// Ownership: texts live in the arena given or where the value does. Thread rule: pure.
#ifndef CONF_OPT_VALUE_H
#define CONF_OPT_VALUE_H

#include "base/json_write.h"
#include "conf/opt.h"

#define OPT_MASK "***"

// What a field of a bound struct holds; `field` is at the option's offset.
struct str opt_text_at(const void *field);                       // OPT_STR, OPT_SECRET
struct opt_list opt_list_at(const void *field);                  // lists and maps
int64_t opt_number_at(const struct opt *opt, const void *field); // numbers, OPT_BOOL, OPT_ENUM
bool opt_is_unset(const struct opt *opt, const void *field);     // empty text or list, OPT_UNSET
bool opt_is_default(const struct opt *opt, const void *field);   // what the table gives; false for lists that hold any
bool opt_equal(const struct opt *opt, const void *a, const void *b); // one value; OPT_STRS too; not for what has parts

enum opt_shown_kind {
    SHOWN_NULL,   // not set
    SHOWN_NUMBER, // a number or boolean in JSON too
    SHOWN_PLAIN,  // "32 MiB": no quotes in YAML
    SHOWN_TEXT,
    SHOWN_YAML, // YAML already
};
struct opt_shown {
    enum opt_shown_kind kind;
    struct str text;
};
// A value of one of the scalar types. node: what set it, or NULL; a reference in it is shown in the value's place.
struct opt_shown opt_shown(const struct opt *opt, const void *field, const struct conf_node *node, struct arena *a);
// Text that stands in a list or map of texts.
struct opt_shown opt_shown_text(const struct opt *opt, struct str value, const struct conf_node *node);
// The node alone, of a layer that lost.
struct opt_shown opt_shown_node(const struct opt *opt, const struct conf_node *node, struct arena *a);
struct opt_shown opt_shown_default(const struct opt *opt, struct arena *a);
void opt_shown_yaml(struct buf *out, struct opt_shown shown);
void opt_shown_json(struct json_writer *w, struct opt_shown shown);

// Any value on one line, as flow YAML; of an item's options those that are set, or that are not their defaults where
// nothing tells what was set. node may be NULL.
void opt_value_put(struct buf *out, const struct opt *opt, const void *field, const struct conf_node *node,
                   struct arena *a);
// without_name: its first option is told already.
void opt_item_put(struct buf *out, const struct opt_table *table, const void *item, const struct conf_node *node,
                  bool without_name, struct arena *a);
// The node of an item: of a list's by position, of a map's likewise; NULL when there is none.
const struct conf_node *opt_item_node(const struct conf_node *list, size_t i);
// A list's item, or a map's pair or struct.
const void *opt_item_at(const struct opt *opt, struct opt_list list, size_t i);

#endif
