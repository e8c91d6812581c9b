// What the files of answers' quality share.
#ifndef GATEWAY_GRADE_IMPL_H
#define GATEWAY_GRADE_IMPL_H

#include "gateway/call.h"
#include "gateway/grade.h"
#include "gateway/need.h"
#include "gateway/trial_call.h"
#include "net/http_inner.h"
#include "route/score.h"
#include "store/score.h"

#define GRADE_WEIGHT_JUDGE 4.0f
#define GRADE_WEIGHT_USER 4.0f

struct grade_judge;
struct grade_loop {
    unsigned jobs, judges;
    bool stopped; // no judge is asked any more
    struct grade_judge *running;
};
struct grade_loop *grade_loop_of(struct gateway_loop *gl); // NULL without memory

// An answer that is being read. `run` is on a pool thread, and has all of it to itself.
struct grade_job {
    struct work work; // first
    struct gateway_loop *gl;
    struct runtime *runtime;
    struct trial_part trials;
    struct board_slot *slot; // with a reference; NULL: none
    struct arena arena;
    const struct dialect_ops *ops;
    enum frame_kind frames;
    bool stream, cut;
    struct buf bytes;
    struct model_request_in in;
    struct score_row row;
    // What was found.
    bool read;
    struct str prompt, answer; // decoded, for a judge
    // Whether, and as whom, a judge is asked.
    struct str judge; // the model; empty: none
    struct inner_caller by;
    struct str peer;
    struct http_field fields[NEED_FIELDS_MAX]; // where it may go
    size_t field_count;
};
void grade_job_free(struct grade_job *job);
// Takes the job over.
void grade_judge(struct grade_job *job);

#endif
