// A batch that goes to a provider's own batch API: how it gets there, and what came of it.
//
// Its lines are written down first (NATIVE_DRAFT, gateway/native_call.h). If all go to one model of one provider that
// has a batch API they are uploaded, a batch is made of them there and looked at until it has ended; then its answers
// are taken through the data plane, line by line (NATIVE_ANSWER). Each step is on the disk before the next: the
// provider's file before a batch is made of it, the batch before it is looked at; one whose making was not answered is
// looked for in the provider's list, by its file. What the provider has not answered the server runs itself, as it does
// whatever has no place there.
//
// Ownership: struct batch_native is its run's. Thread rule: the thread's of batches. Errors: faults of providers are
// logged, and met by trying again or by running the lines here; *err: those of the store.
#ifndef GATEWAY_BATCH_NATIVE_H
#define GATEWAY_BATCH_NATIVE_H

#include "base/vec.h"
#include "gateway/native_ask.h"
#include "store/batch_provider.h"

struct batch_work;
struct batch_run;
struct batch_line;

enum native_phase {
    NATIVE_UNDECIDED,
    NATIVE_OWN,    // the server runs what has no result yet
    NATIVE_DRAFTS, // lines are written down
    NATIVE_DROP,   // what is under way of that is waited for, then they are the server's own
    NATIVE_UPLOAD,
    NATIVE_CREATE,
    NATIVE_FIND, // perhaps it was created
    NATIVE_POLL,
    NATIVE_CANCEL, // to be told
    NATIVE_OUTPUT, // files of results are fetched
    NATIVE_ERRORS,
    NATIVE_ANSWERS, // they are taken through the data plane
    NATIVE_CLEAN,   // its files there are deleted
};

// A line of a file of results: where it is, by the number of the batch's line.
struct native_result {
    int64_t line;
    size_t from, n;
};
struct native_results {
    struct buf text;
    VEC(struct native_result) index; // by line
};

struct batch_native {
    enum native_phase phase;
    struct batch_provider row; // texts in the run's arena
    struct native_ask *ask;    // under way
    uint64_t due_ns;           // nothing before it, monotonic
    unsigned tries;
    // Drafts.
    struct buf lines;
    struct quota_ask asked; // what they will use, by estimate
    bool unfit;
    // At the provider.
    struct str after;      // FIND: the page's
    unsigned pages, round; // CLEAN: which file
    bool cancel_told;
    struct native_results results;
};

void batch_native_init(struct batch_native *native);
void batch_native_free(struct batch_native *native);
// What there is to do by now. *out_own: the server itself goes on with the batch; else its lines are not its business.
NODISCARD bool batch_native_step(const struct batch_work *w, struct batch_run *run, bool *out_own, struct err *err);

// Whether lines are wanted now, and whether this one is.
bool batch_native_gives(const struct batch_run *run);
bool batch_native_wants(const struct batch_work *w, const struct batch_run *run, int64_t line);
// Of a line that is about to be run: as what.
void batch_native_set(const struct batch_work *w, const struct batch_run *run, struct batch_line *line);
// A draft that came back well.
void batch_native_take(struct batch_run *run, const struct batch_line *line);
// One that came back badly and may be tried again: whether it is. An answer's line is run by the server itself then.
bool batch_native_again(const struct batch_work *w, struct batch_line *line);

// --- batch_native_wire.c: what is said ---

// {"custom_id":"line-7","method":"POST","url":…,"body":…} and a line end.
void native_line_put(struct buf *out, int64_t line, struct str url, struct str body);
NODISCARD bool native_say_upload(struct native_ask *ask, struct str name, struct str lines);
NODISCARD bool native_say_create(struct native_ask *ask, struct str file, struct str url, struct str name);
// The id in an answer; p is NULL when there is none that could be put into a path.
struct str native_hear_id(struct str json, struct arena *arena);
// The message of an error, or what stands for it; borrowed.
struct str native_hear_error(struct str json);
struct native_batch {
    struct str id, status, output_file, error_file; // empty: none
    bool ended;
};
bool native_hear_batch(struct str json, struct arena *arena, struct native_batch *out_batch);
// In a page of batches, the one of this file. *out_last: the id that the next page begins behind; empty: it is the
// last.
bool native_hear_list(struct str json, struct str file, struct arena *arena, struct native_batch *out_batch,
                      struct str *out_last);
// Finds the lines in results.text; false: no memory.
NODISCARD bool native_results_index(struct native_results *results);
// The answer to a line; false: there is none.
bool native_results_find(const struct native_results *results, int64_t line, int *out_status, struct str *out_body);

#endif
