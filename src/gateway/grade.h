// How good answers are: a share of them is read once they are out, and what was found moves the target's score; whole
// answers that fail a hard check are held back while another target can be asked.
//
// An answer's bytes are copied as they go by, up to GRADE_BYTES_MAX, and read on the worker pool: nothing waits for
// that. Of what comes faster than it is read, some is not scored. A judge is asked by a request of the server's own
// (net/http_inner.h), in the name of the key that asked, a few at a time.
//
// Ownership: struct grade_seen is the call's; what is under way is its loop's. Thread rule: the call's loop. Errors:
// none are told; what cannot be read has no score.
#ifndef GATEWAY_GRADE_H
#define GATEWAY_GRADE_H

#include "base/buf.h"

struct call;
struct gateway_loop;
struct board_slot;
struct runtime;
struct conf_tenant;
struct grade_loop;
struct http_req;

#define GRADE_BYTES_MAX ((size_t)256 * 1024)    // of an answer
#define GRADE_REQUEST_MAX ((size_t)1024 * 1024) // a longer request is not read again
#define GRADE_JOBS_MAX 64                       // on a loop at a time
#define GRADE_JUDGES_MAX 4

struct grade_seen {
    enum { GRADE_UNDECIDED, GRADE_PASSED_OVER, GRADE_WANTED } wish;
    struct buf bytes;
    bool cut;
};

// Parts of the answer, in their order, as the client gets them.
void grade_add(struct call *call, const struct str *parts, size_t count);
// At the record's end.
void grade_end(struct call *call);
void grade_free(struct call *call);
// Whether a whole answer of the target is held back: failover_again has found something else, and failover_go follows.
bool grade_holds_back(struct call *call, struct str body);
// The loop ends: judges under way are given up.
void grade_stop(struct gateway_loop *gl);
void grade_loop_free(struct grade_loop *q); // NULL is fine

// The board's number of a task by its name; 0: none of them.
unsigned grade_task(struct str name);
// What is known of a target of that configuration; NULL: it has none such.
struct board_slot *grade_slot(const struct runtime *runtime, struct str provider, struct str upstream_model);

#endif
