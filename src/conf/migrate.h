// Brings files of older formats up to date: in memory when they are loaded, and as text for `penstock config migrate`.
//
// Ownership: results live in the arena or buf given; trees are never changed, only copied where they differ. Thread
// rule: pure. Errors: all of them are collected in a struct conf_problems.
#ifndef CONF_MIGRATE_H
#define CONF_MIGRATE_H

#include "conf/node.h"

// One file's tree, of any version up to CONF_VERSION, as the current version has it. Each key that has moved is a
// warning. False when the version is none that is known, or when an old key and its new one are both there; *root is as
// before then. *root may be NULL.
NODISCARD bool conf_migrate_tree(struct conf_node **root, struct arena *a, struct conf_problems *problems);

// The file's text with `version` set and what has moved in its new place; comments, order and all else stay as they
// are. *out_from is the version that the file has. *out (appended) is the same text when the file is current. False
// when the text can't be changed safely: it is not valid YAML, or what must move stands in a way that has to be changed
// by hand; the result of a true one is known to say the same as the text.
NODISCARD bool conf_migrate_text(const struct conf_source *source, struct conf_problems *problems, struct buf *out,
                                 int64_t *out_from);

// What both go by. The rows of migrate.def; another set in tests.
struct migrate_rule {
    int64_t version;     // the last one with the old path
    struct str from, to; // to is empty: it is gone
    struct str why;      // of one that is gone
};
struct migrate_rules {
    int64_t current; // the version that this program knows
    const struct migrate_rule *p;
    size_t n;
};
NODISCARD bool conf_migrate_tree_by(const struct migrate_rules *rules, struct conf_node **root, struct arena *a,
                                    struct conf_problems *problems);
NODISCARD bool conf_migrate_text_by(const struct migrate_rules *rules, const struct conf_source *source,
                                    struct conf_problems *problems, struct buf *out, int64_t *out_from);
extern const struct migrate_rules conf_migrate_rules;
// 1 when the file has none. False, with the problem added, when it is no version that is known.
NODISCARD bool conf_migrate_version(const struct migrate_rules *rules, const struct conf_node *root,
                                    struct conf_problems *problems, int64_t *out_version);

#endif
