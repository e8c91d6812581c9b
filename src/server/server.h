// The whole server in one process: builds every room in order, runs, reloads, drains and tears down in reverse.
//
//   main thread   loop 0, signals, reloads, figures for the metrics
//   loop threads  loops 1 … N-1
//   others        the ledger's, the log's, and the worker pool's threads
//
// Ownership: server_run owns all it makes. Thread rule: called once, on the main thread. Errors: what kept the server
// from starting, with what to do; configuration problems are listed in options->problems.
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "conf/conf.h"
#include "conf/problem.h"

// What the first lines on the terminal tell.
struct server_started {
    const struct conf *conf;
    struct str url;       // "http://127.0.0.1:8080"
    struct str admin_key; // made in this run; empty when there were keys already
    struct str example_model;
    unsigned loops;
};

struct server_options {
    struct str config;                     // a file; empty = none
    struct str profile;                    // of its `profiles`; empty = $PENSTOCK_ENV, else none
    const struct conf_override *overrides; // the command line's
    size_t n_overrides;
    struct str version;
    bool color; // standard error is a terminal that shows colours
    bool tty;
    struct conf_problems *problems; // filled when the configuration is refused; warnings too
    void (*on_started)(void *ctx, const struct server_started *started);
    void *ctx;
};

// Returns after a drain (true) or a failure to start. ERR_CONFIG_INVALID: see options->problems.
NODISCARD bool server_run(const struct server_options *options, struct err *err);

#endif
