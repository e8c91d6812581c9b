// The entities config_live, changes made while running, and config_version, the history of all that was in force.
//
// A version is one configuration that was in force: who put it there, why, what changed, and the whole tree, sealed.
// The live changes are a list of values that go before every other layer; they are replaced as a whole, in the same
// transaction as the version that they make. Values and trees may hold secrets, so both are sealed (sealed.h).
//
// Ownership: text of rows read goes into the caller's arena. Thread rule: the connection's. Units: unix nanoseconds.
// Errors: those of sql.h and sealed.h; ERR_NOT_FOUND; ERR_EXISTS when another process made a version meanwhile.
#ifndef STORE_CONFIG_HISTORY_H
#define STORE_CONFIG_HISTORY_H

#include "base/arena.h"
#include "base/vec.h"
#include "store/datadir.h"

#define CONFIG_HISTORY_KEEP 1000 // versions; older ones go

struct config_live_row {
    struct str key;   // a conf_path
    struct str value; // JSON; "null" takes the value away
    struct str actor; // "admin key ps-abc123 (ops)", "command line (root)"
    int64_t at;
    int64_t version; // that it came with
};
struct config_live_list {
    struct config_live_row *p;
    size_t n;
};
struct config_version_row {
    int64_t version; // 1, 2, …
    int64_t at;
    struct str actor;   // as above; "file" and "start" for changes that nobody made through Penstock
    struct str cause;   // "start", "file", "signal", "api", "cli", "rollback to 3"
    struct str file;    // the main file, or empty
    struct str changes; // JSON array as conf_changes_json writes it, secrets masked
    struct str tree;    // YAML of the joined layers; filled by config_version_find only
    // Of the tree, 0 = unknown; the same is not recorded twice in a row unless live changes come with it.
    uint64_t digest;
    bool again; // it is, though: what the tree's references stand for has changed. Only looked at when one is added
};

NODISCARD bool config_live_read(struct sql *db, const struct datadir *dir, struct arena *a,
                                struct config_live_list *out_list, struct err *err);
// One transaction: adds the version (row->version is ignored; the next number is given out) and, when `live` is not
// NULL, replaces the live changes, whose rows of version 0 get the new number. `expected`: the newest version that the
// change was made from, or -1; when there is a newer one, ERR_EXISTS and nothing is written. Without live changes, and
// with the digest of the newest version, nothing is written either unless row->again, and that version's number is
// given.
NODISCARD bool config_version_add(struct sql *db, const struct datadir *dir, const struct config_version_row *row,
                                  const struct config_live_list *live, int64_t expected, int64_t *out_version,
                                  struct err *err);
// 0 when there is none. *out_digest may be NULL.
NODISCARD bool config_version_newest(struct sql *db, int64_t *out_version, uint64_t *out_digest, struct err *err);
NODISCARD bool config_version_find(struct sql *db, const struct datadir *dir, int64_t version, struct arena *a,
                                   struct config_version_row *out_row, struct err *err);
// Newest first, at most `limit` (0 = all), trees left out.
typedef bool config_version_visit(void *arg, const struct config_version_row *row, struct err *err);
NODISCARD bool config_version_each(struct sql *db, size_t limit, config_version_visit *visit, void *arg,
                                   struct err *err);

#endif
