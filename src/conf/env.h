// The outside world as the configuration sees it: environment variables and files, replaceable in tests.
//
// Ownership: the caller keeps the struct and what it points to until the load returns. Thread rule: as its callbacks.
#ifndef CONF_ENV_H
#define CONF_ENV_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "conf/provider_preset.h"

// A model server that a probe found listening on this machine.
struct conf_local {
    enum provider_kind kind;
    struct str base_url; // "http://127.0.0.1:11434/v1"
};

// A value given elsewhere than in a file, which goes before it: the command line's, or a live change.
struct conf_override {
    struct str key;   // a conf_path: "storage.data", "listeners.0.address", "models.\"gpt-4.1\".targets"
    struct str value; // text for what takes text, a number or the like; YAML for lists and maps. "null" takes the value
                      // (of a list: the item) away
    struct str origin; // for messages: "--data"
    bool literal;      // value is text as it stands, whatever characters are in it
};

// Where secrets and live changes are kept, as the layers below the live changes say.
struct conf_vault;
struct conf_storage;
struct conf_stores {
    struct str data; // storage.data
    const struct conf_storage *storage;
    const struct conf_vault *vault;
    // For the master key of the sealed store, before any sealed secret can be read: without what is one itself.
    const struct conf_vault *master_vault;
};
enum conf_store { CONF_STORE_SEALED, CONF_STORE_VAULT }; // ${secret:name}, ${vault:path#key}

struct conf_env {
    void *ctx;
    // The variable's value, NULL when it is not set; valid until the load returns.
    const char *(*get)(void *ctx, const char *name);
    // Appends the file's bytes to *out; more than `max` is an error.
    bool (*read_file)(void *ctx, struct str path, size_t max, struct buf *out, struct err *err);
    // Appends the paths that match, in order, a line each; none is no error. A pattern without * ? [ is looked for as
    // it is.
    bool (*match_files)(void *ctx, struct str pattern, struct buf *out_lines, struct err *err);
    const char *const *variables; // "NAME=value", ends with NULL; those that begin with PENSTOCK_ may set options
    // Looks a secret up and appends it. NULL: references to stores can't be resolved.
    bool (*read_secret)(void *ctx, const struct conf_stores *stores, enum conf_store store, struct str name,
                        struct buf *out, struct err *err);
    // The live changes; *out_list lives as long as the arena. NULL: there are none.
    bool (*read_live)(void *ctx, const struct conf_stores *stores, struct arena *arena, struct conf_override **out_list,
                      size_t *out_n, struct err *err);
    bool offline;       // references are checked for their form and not looked up
    struct str profile; // of `profiles`; empty = $PENSTOCK_ENV, else none
    const struct conf_local *local;
    size_t n_local;
    const struct conf_override *overrides; // applied in their order
    size_t n_overrides;
};

// The process's own environment and the file system, with nothing found or overridden.
struct conf_env conf_env_system(void);

#endif
