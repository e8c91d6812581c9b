// Trials: what is known of canaries, shadows and arms of experiments, over restarts and by all servers of a database
// together.
//
// A trial is known by its kind, the level and name of its model, and a mark that says all of its configuration: another
// configuration is another trial. Its arms are counted by step, for a canary's share changes from step to step.
//
// Ownership: texts read are borrowed until the connection's next statement, but where an arena takes them. Thread rule:
// the connection's; blocks. Units: unix ns; shares and sums of quality in millionths; costs in nanodollars. Errors:
// those of sql.h; ERR_NOT_FOUND.
#ifndef STORE_TRIAL_H
#define STORE_TRIAL_H

#include "base/arena.h"
#include "base/vec.h"
#include "store/sql.h"

#define TRIAL_TIMES 88 // of latencies: four to a doubling, from a millisecond on

struct trial_key {
    struct str kind;  // "canary", "shadow", "ab"
    struct str level; // "acme", "acme/team/search"; empty: the general configuration
    struct str model, mark;
};
struct trial_row {
    int64_t id; // 0 = new
    struct trial_key key;
    struct str rival; // the other model; empty with "ab"
    struct str state, reason;
    int64_t step, steps, step_since, looks, looked_at;
    int64_t share; // in force
    int64_t started_at, seen_at;
};
struct trial_arm {
    struct str arm;
    int64_t step;
    uint64_t requests, errors;
    uint64_t priced, cost_nano; // of those whose cost is known
    uint64_t judged, quality;   // sum of millionths
    uint32_t times[TRIAL_TIMES];
};

// Which of `times`, and what it stands for: its upper end in microseconds.
size_t trial_time_slot(uint64_t us);
uint64_t trial_time_us(size_t slot);
// So many are no slower, 0..1; 0: nothing was counted.
uint64_t trial_quantile_us(const struct trial_arm *arm, double share);
// Adds counts; arm and step stay.
void trial_arm_add(struct trial_arm *arm, const struct trial_arm *more);

// The row of that key; *out_found: whether there is one. Texts lie in the arena.
NODISCARD bool trial_find(struct sql *db, const struct trial_key *key, struct arena *arena, struct trial_row *out_row,
                          bool *out_found, struct err *err);
// Inserts (id 0) or writes; within a transaction.
NODISCARD bool trial_save(struct sql *db, struct trial_row *row, struct err *err);
// Adds to what is there; within a transaction.
NODISCARD bool trial_count(struct sql *db, int64_t trial, const struct trial_arm *more, struct err *err);
// All counts of it are forgotten.
NODISCARD bool trial_forget(struct sql *db, int64_t trial, struct err *err);

typedef bool trial_arm_visit(void *arg, const struct trial_arm *arm, struct err *err);
NODISCARD bool trial_each_arm(struct sql *db, int64_t trial, trial_arm_visit *visit, void *arg, struct err *err);
// The newest of each model, in the order of their names; kind empty: all. Texts lie in the arena.
typedef VEC(struct trial_row) trial_rows;
NODISCARD bool trial_list(struct sql *db, struct str kind, struct arena *arena, trial_rows *out_rows, struct err *err);
// Deletes those that no server has had in force since.
NODISCARD bool trial_tidy(struct sql *db, int64_t since, struct err *err);

#endif
