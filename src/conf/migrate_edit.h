// Changes to a configuration's text that leave every other byte of it alone: taking pairs out and putting them in.
//
// Ownership: an edit borrows the text and the tree made from it; its lists and pieces live in its arena. Thread rule:
// one thread. Errors: problems with line and column where the text stands in a way that is not changed by program.
#ifndef CONF_MIGRATE_EDIT_H
#define CONF_MIGRATE_EDIT_H

#include "conf/node.h"

#define EDIT_PLACES_MAX 8

// Bytes [from, to) are replaced; places do not overlap.
struct edit_place {
    size_t from, to;
    struct str text;
    bool fresh, apart; // begins a line; has a blank line above it
};
struct edit {
    const struct conf_source *source;
    struct arena *arena;
    struct conf_problems *problems;
    const struct conf_node *root;
    struct str line_end; // as the file has it
    size_t *lines;       // where each line begins
    size_t n_lines;
    struct edit_place places[EDIT_PLACES_MAX];
    size_t n_places;
};

// Reads the text; *e is ready for use.
NODISCARD bool edit_begin(struct edit *e, const struct conf_source *source, struct arena *a,
                          struct conf_problems *problems);
// Appends the text as changed.
void edit_finish(struct edit *e, struct buf *out);

// A pair taken out of the text.
struct edit_pair {
    struct str comments; // whole lines right above it, without indentation
    struct str value;    // all between the colon and the value's end; may be several lines
    struct str trailing; // the comment behind it with the blanks before it, or empty
    size_t indent;       // of the value's further lines
};
// The slot of a key that stands in the map itself; map->n when there is none. False, with the problem added, when it
// comes from elsewhere (`<<`, an alias).
NODISCARD bool edit_slot(struct edit *e, const struct conf_node *map, struct str name, size_t *out_slot);
// The map that a pair holds, NULL for nothing; false when it stands elsewhere.
NODISCARD bool edit_below(struct edit *e, const struct conf_node *map, size_t slot, const struct conf_node **out_map);
bool edit_is_flow(const struct edit *e, const struct conf_node *map);
NODISCARD bool edit_rename(struct edit *e, const struct conf_node *map, size_t slot, struct str name);
// Takes a pair out. What it leaves of comments on its own lines stays.
NODISCARD bool edit_take(struct edit *e, const struct conf_node *map, size_t slot, struct edit_pair *out_pair);
// Takes out a pair whose map has become empty; comments in it stay.
NODISCARD bool edit_take_header(struct edit *e, const struct conf_node *map, size_t slot);
// Puts `name: …` at the end of a map, or, under `section` when that is not empty, into a new map of that name.
NODISCARD bool edit_put(struct edit *e, const struct conf_node *map, struct str section, struct str name,
                        const struct edit_pair *pair);
// Likewise into a pair of it whose value is nothing (`metrics:`).
NODISCARD bool edit_put_empty(struct edit *e, const struct conf_node *map, size_t slot, struct str name,
                              const struct edit_pair *pair);
// Sets or adds the file's version.
NODISCARD bool edit_version(struct edit *e, int64_t version);

#endif
