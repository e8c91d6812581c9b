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

struct conf_env {
    void *ctx;
    // The variable's value, NULL when it is not set; valid until the load returns.
    const char *(*get)(void *ctx, const char *name);
    // Appends the file's bytes to *out, whose `max` is the limit.
    bool (*read_file)(void *ctx, const char *path, struct buf *out, struct err *err);
    const struct conf_local *local;
    size_t n_local;
};

#endif
