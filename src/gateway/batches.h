// Runs batches: takes their lines through the data plane as requests of the keys that made them, and keeps what came of
// each.
//
// A thread claims batches, reads their files, hands lines to the event loops and writes results down. A result counts
// when it is on the disk; what was under way when the process died is asked for again. Of several servers over one
// database one runs a batch, and another takes it over when its lease has ended.
//
// Ownership: batches_create, batches_start once the loops are there, batches_stop before they go, batches_free after
// them. Thread rule: batches_wake and batches_drain: any. Errors: of lines, in their results; others are logged, and
// tried again.
#ifndef GATEWAY_BATCHES_H
#define GATEWAY_BATCHES_H

#include "gateway/gateway.h"

struct batches_options {
    const struct datadir *dir;
    struct log *log;
    struct conf *(*conf)(void *ctx); // in force, with a reference; any thread
    void *ctx;
};
NODISCARD bool batches_create(const struct batches_options *options, struct batches **out_batches, struct err *err);
NODISCARD bool batches_start(struct batches *batches, struct gateway_loop *const *loops, size_t n_loops,
                             struct err *err);
// Begins no more lines; those under way go on.
void batches_drain(struct batches *batches);
// Writes down what has come back, lets go of the batches, ends the thread. NULL is fine, and so is a second time.
void batches_stop(struct batches *batches);
void batches_free(struct batches *batches); // NULL is fine
// There is something new to do. NULL is fine.
void batches_wake(struct batches *batches);

#endif
