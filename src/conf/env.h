// The outside world as the configuration sees it: environment variables and files, replaceable in tests.
//
// Ownership: the caller keeps the struct and what it points to until the load returns. Thread rule: as its callbacks.
#ifndef CONF_ENV_H
#define CONF_ENV_H

#include "base/buf.h"
#include "base/err.h"
#include "conf/provider_preset.h"

// A model server that a probe found listening on this machine.
struct conf_local {
    enum provider_kind kind;
    struct str base_url; // "http://127.0.0.1:11434/v1"
};

// A value given elsewhere than in the file, which goes before it: the command line's.
struct conf_override {
    struct str key;    // "storage.data", "listeners.0.address"; an index may be one past the end
    struct str value;  // YAML, unless literal
    struct str origin; // for messages: "--data"
    bool literal;      // value is text as it stands, whatever characters are in it
};

struct conf_env {
    void *ctx;
    // The variable's value, NULL when it is not set; valid until the load returns.
    const char *(*get)(void *ctx, const char *name);
    // Appends the file's bytes to *out; more than `max` is an error.
    bool (*read_file)(void *ctx, struct str path, size_t max, struct buf *out, struct err *err);
    const struct conf_local *local;
    size_t n_local;
    const struct conf_override *overrides; // applied in their order
    size_t n_overrides;
};

// The process's own environment and the file system, with nothing found or overridden.
struct conf_env conf_env_system(void);

#endif
