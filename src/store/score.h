// Scores of answers: what each was found to be worth, what a judge and a user said of it, and what they add up to.
//
// Ownership: slices of what is read live during the call. Thread rule: the connection's; blocks. Units: thousandths;
// unix nanoseconds. Errors: those of sql.h.
#ifndef STORE_SCORE_H
#define STORE_SCORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "store/sql.h"

#define SCORE_NONE (-1)
#define SCORE_COMMENT_MAX 1000

struct score_row {
    int64_t tenant;
    uint64_t request; // its id
    int64_t attempt;  // which of the request's, from 1
    int64_t ts;       // when the request came
    struct str provider, model, upstream_model;
    struct str task;             // its name; empty: not judged
    int score, judged, feedback; // SCORE_NONE: not this time
    unsigned faults;             // of score: bits of enum conf_fault
    struct str comment;          // with feedback
};
// What the row has is added to what is there. scope: the tenant's; of one that is being deleted nothing is kept.
NODISCARD bool score_put(struct sql_scope scope, const struct score_row *row, struct err *err);
// Of one attempt; *out_found false: there is none. task lies in the arena.
NODISCARD bool score_get(struct sql_scope scope, uint64_t request, int64_t attempt, struct arena *arena,
                         struct score_row *out_row, bool *out_found, struct err *err);

enum score_group {
    SCORE_BY_MODEL,
    SCORE_BY_PROVIDER,
    SCORE_BY_UPSTREAM_MODEL,
    SCORE_BY_TARGET, // "provider/upstream model"
    SCORE_BY_TASK,
    SCORE_BY_DAY,
    SCORE_BY_HOUR
};
#define SCORE_FAULTS_MAX 8
struct score_sum {
    struct str name; // of the group; by time empty
    int64_t ts;      // by time: the beginning, unix nanoseconds
    int64_t answers, judged, feedbacks;
    int64_t score, judge_score, feedback_score; // means, thousandths; SCORE_NONE: of none
    int64_t faults[SCORE_FAULTS_MAX];           // answers that have it, by enum conf_fault
};
struct score_query {
    int64_t since, until; // until 0: no end
    enum score_group by;
    struct str model, provider, task; // empty: any
    int64_t limit;
};
// The groups with the most answers first; the newest time.
NODISCARD bool score_sums(struct sql_scope scope, const struct score_query *query,
                          bool (*each)(void *arg, const struct score_sum *sum), void *arg, struct err *err);

#endif
