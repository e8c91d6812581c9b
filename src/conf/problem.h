// What is wrong with a configuration: a list of problems with their places, and how they are shown.
//
// Ownership: the list owns all its text; conf_problems_free releases it. Thread rule: one thread at a time.
// Errors: out of memory sets `dropped`, so that a list is never silently empty. Secrets: an excerpt never shows what
// follows a key that may hold one.
#ifndef CONF_PROBLEM_H
#define CONF_PROBLEM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"

#define CONF_PROBLEMS_MAX 200 // more than anybody reads; the rest is only counted

// A place in a source; line and col count from 1, in characters. line 0 = the source as a whole.
struct conf_pos {
    uint32_t line, col;
};

// Where a value may come from; a later one goes before an earlier one.
enum conf_layer {
    LAYER_DEFAULT,  // the option table
    LAYER_FOUND,    // providers found in the environment and on this machine
    LAYER_INCLUDE,  // included files and conf.d/
    LAYER_FILE,     // the main file
    LAYER_ENV,      // PENSTOCK_CONFIG_JSON, then PENSTOCK_SECTION__KEY
    LAYER_PROFILE,  // the section of `profiles` that --env names
    LAYER_OVERRIDE, // --config-override and the command line's own options
    LAYER_LIVE,     // changes made while running, by API or command line
};
// "default", "found", "include", "file", "environment", "profile", "command line", "live".
const char *conf_layer_name(enum conf_layer layer);

// Where text came from; borrowed by nodes as long as their tree lives.
struct conf_source {
    struct str name; // as shown: "penstock.yaml", "$PENSTOCK_LOG__LEVEL", "--config-override", "live change by …"
    struct str text; // for excerpts; may be empty
    enum conf_layer layer;
};

enum conf_severity {
    CONF_ERROR,
    CONF_WARNING,
    CONF_ERROR_PRIVATE, // an error in a secret: its line is shown masked, or not at all. Kept as CONF_ERROR
};

struct conf_problem {
    enum conf_severity severity;
    struct str file;
    struct conf_pos pos;
    struct str message; // "unknown key \"provders\"; did you mean \"providers\"?"
    struct str excerpt; // the line at fault, secrets masked; may be empty
};

struct conf_problems {
    struct arena arena;
    VEC(struct conf_problem) list;
    size_t errors;  // CONF_ERROR among them, dropped ones included
    size_t dropped; // past CONF_PROBLEMS_MAX, or without memory
    // Where the last excerpt's line began: the next one is mostly behind it.
    struct str seen;
    size_t seen_at;
    uint32_t seen_line;
};

void conf_problems_init(struct conf_problems *ps);
void conf_problems_free(struct conf_problems *ps);
// src may be NULL when there is no file.
PRINTF_LIKE(5, 6)
void conf_problem_add(struct conf_problems *ps, enum conf_severity severity, const struct conf_source *src,
                      struct conf_pos pos, const char *fmt, ...);
// By file, line and column.
void conf_problems_sort(struct conf_problems *ps);
// One "file:line:col: message" line each, then the line at fault with a caret under the place.
void conf_problems_print(const struct conf_problems *ps, struct buf *out);
// One JSON array of {"severity","file","line","column","message"}.
void conf_problems_json(const struct conf_problems *ps, struct buf *out);

#endif
