// Lines of batches on an event loop: begun as requests of this server's own when others leave room, and handed back.
//
// Ownership: lines are those of gateway/batches.c, which gets each back but those that were stopped. Thread rule: the
// loop's; batch_line_post: the thread of batches.
#ifndef GATEWAY_BATCH_LINES_H
#define GATEWAY_BATCH_LINES_H

#include "gateway/native_call.h"
#include "net/http_inner.h"

struct batch_run;

struct batch_line {
    struct batch_line *next_all, **prev_all; // of all there are; the thread's
    struct batch_line *next;                 // of those that wait
    struct batches *batches;
    struct batch_run *run; // the thread's
    struct task task;
    struct gateway_loop *gl;
    struct inner_caller caller; // with a reference of its own
    struct native_line native;  // where a provider's batch runs it
    const char *lost;           // it is not run: why, as it is told; NULL: it is
    int64_t number;
    struct str custom_id, body, path, address, wishes;
    unsigned cap; // of the lines under way on a loop
    unsigned tries;
    uint64_t due_ns; // when it is tried again, monotonic
    // What came of it.
    struct http_inner *inner; // under way
    int status;
    bool whole;
    unsigned retry_s; // 0 = not said
    char request_id[40];
    struct buf answer;
    size_t max_answer;
};

void batch_line_post(struct batch_line *line, struct gateway_loop *gl);
// Those under way are given up, those that wait are forgotten: the loop ends.
void batch_lines_stop(struct gateway_loop *gl);
void batch_lines_free(struct batch_lines *lines);

// gateway/batches.c: takes a line back; from a loop's thread.
void batch_line_done(struct batch_line *line);

#endif
