// What the files that show a configuration share: its values as rows, in the order of the option tables.
#ifndef CONF_SHOW_IMPL_H
#define CONF_SHOW_IMPL_H

#include "conf/opt_value.h"
#include "conf/path.h"
#include "conf/show.h"

enum show_origin {
    FROM_NODE,    // set by a layer
    FROM_DEFAULT, // the option table
    FROM_RULE,    // follows from another value: `rule` says which
};
// A value on a level above the one that won: a tenant's parent, or the general configuration.
struct show_lower {
    struct str level;
    const struct opt *opt;
    const struct conf_node *node;
    const struct show_lower *next;
};
struct show_row {
    unsigned depth;
    bool dash;                // the first line of a list's item
    bool section;             // its parts follow; it has no value of its own
    struct str key;           // as YAML; empty for an item without options
    struct str path;          // "limits.max_body"
    const struct opt *opt;    // NULL: an item without options
    struct str yaml, json;    // the value
    struct str def_yaml, def; // the default, as YAML and JSON
    enum show_origin origin;
    const struct conf_node *node; // what set it, or what took the value away that was set below, or NULL
    struct str rule;
    struct str level;               // for tenants: who says so
    const struct show_lower *lower; // likewise: what it took the place of
    bool within;                    // likewise: what `lower` says holds too
};
struct show_walk {
    const struct conf *conf;
    const struct conf_show *how;
    const struct conf_tenant *tenant; // the level that is asked for, or NULL
    struct conf_path key;
    struct arena *arena;
    VEC(struct show_row) rows;
    struct buf path;
    struct str level;               // of rows that are made now
    const struct show_lower *lower; // likewise
    struct str rule;
    bool within;
    bool force; // rows even of what is not set
    bool failed;
};
// An option's value, where it is bound and where it is set.
struct show_value {
    const struct opt *opt;
    const void *field; // NULL: only the default is asked for
    const struct conf_node *node;
};
bool show_key_wants(const struct show_walk *w, size_t at, struct str step);
void show_table(struct show_walk *w, const struct opt_table *table, struct show_value of, unsigned depth, size_t at);
void show_option(struct show_walk *w, struct show_value v, unsigned depth, size_t at);
struct show_row *show_section(struct show_walk *w, const struct opt *opt, struct str key, const struct conf_node *node,
                              unsigned depth);
// An item of a list of options; of a map by names, a pair of a map of texts.
void show_list_item(struct show_walk *w, const struct opt *opt, size_t i, const void *item,
                    const struct conf_node *node, unsigned depth, size_t at);
void show_struct_item(struct show_walk *w, const struct opt *opt, const void *item, const struct conf_node *node,
                      unsigned depth, size_t at);
void show_pair(struct show_walk *w, const struct opt *opt, const struct opt_pair *pair, const struct conf_node *node,
               unsigned depth, size_t at);
// Another option's default is the row's too.
void show_default(struct show_walk *w, struct show_row *row, const struct opt *opt);
// arena: initialised here, freed by show_end, which passes `ok` on unless out has failed.
void show_begin(struct show_walk *w, struct arena *arena, const struct conf *c, const struct conf_show *how);
bool show_end(struct show_walk *w, const struct buf *out, bool ok, struct err *err);
// All rows of a configuration, or of what holds for a tenant.
NODISCARD bool show_rows(struct show_walk *w, struct err *err);
void show_tenant(struct show_walk *w, const struct conf_tenant *tenant);
// A level's options, its node, and what it is called: "team ml".
const struct opt_table *show_level_table(enum conf_level_kind kind);
const struct conf_node *show_level_node(const struct conf *c, const struct conf_tenant *level);
struct str show_level_label(const struct conf_tenant *level, struct arena *a);
// What the levels below w->tenant make of a value that it has: text, and the member "below" of an object that is open.
void show_below_put(struct show_walk *w, const struct show_row *row, struct buf *out);
void show_below_json(struct show_walk *w, const struct show_row *row, struct json_writer *j);

// "penstock.yaml:4:3", "profile prod (penstock.yaml:9:5)", "$PENSTOCK_LOG__LEVEL".
void show_node_put(struct buf *out, const struct conf *c, const struct conf_node *node);
// The members layer, name, line, column of an object that is open.
void show_node_json(struct json_writer *w, const struct conf *c, const struct conf_node *node);
// A row's origin with its level: "tenant acme (penstock.yaml:4:3)", "default", "as timeouts.idle".
void show_origin_put(struct buf *out, const struct conf *c, const struct show_row *row);
void show_origin_json(struct json_writer *w, const struct conf *c, const struct show_row *row);

#endif
