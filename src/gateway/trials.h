// What models are tried against: canaries, shadows and experiments, as the process knows them, and as all servers of
// its database together do.
//
// A trial outlives configurations: whoever prepares a configuration gets its trials once and keeps the pointers. Calls
// count into it; a round on a worker brings the counts to the database, takes the course of all servers' from there,
// and says how large the share is.
//
// Ownership: struct trials owns its trials, until its end. Thread rule: any thread; counting takes the trial's own lock
// for well under a microsecond, the share and the step are read without. Units: shares in millionths, times in ns.
// Errors: those of the store; what could not be saved is saved in the next round.
#ifndef GATEWAY_TRIALS_H
#define GATEWAY_TRIALS_H

#include "conf/conf.h"
#include "route/canary.h"
#include "store/trial.h"

struct trials;
struct trial;
struct call;

#define TRIALS_MAX 4096
#define TRIAL_ARMS_MAX 16 // further arms of an experiment are counted as one

enum trial_kind { TRIAL_CANARY, TRIAL_SHADOW, TRIAL_AB, TRIAL_KIND_COUNT };
struct str trial_kind_name(enum trial_kind kind);
enum trial_side { TRIAL_BASE, TRIAL_RIVAL }; // arms of canaries and shadows

NODISCARD struct trials *trials_create(void); // NULL without memory
void trials_free(struct trials *trials);
// Finds or makes it; *out_trial NULL: the model has no such thing. level: where it is configured, or NULL.
NODISCARD bool trials_get(struct trials *trials, enum trial_kind kind, const struct conf_model *model,
                          const struct conf_tenant *level, struct trial **out_trial, struct err *err);

// A canary's. That of a shadow, which may change without making it another, is in the configuration of each call.
uint32_t trial_share(const struct trial *trial);
unsigned trial_step(const struct trial *trial);
// What its requests are dealt by, besides whose they are.
uint64_t trial_place(const struct trial *trial);
unsigned trial_arm_of(const struct trial *trial, const struct conf_target *target);
// Whether one more than those under way is no more than `most`; each that was taken is given back.
NODISCARD bool trial_take(struct trial *trial, uint32_t most);
void trial_give(struct trial *trial);

struct trial_note {
    unsigned arm, step;
    bool failed;
    uint64_t ns; // that it took; 0: it is not counted, as of one that failed
    bool priced;
    uint64_t cost_nano;
    bool judged;
    double quality; // 0..1
    bool late;      // the request was counted before: this is the quality alone
};
void trial_note(struct trial *trial, const struct trial_note *note);

struct trial_news {
    const struct trial_row *row;
    bool rolled_back; // by itself
};
typedef void trial_told(void *arg, const struct trial_news *news);
// A round over the trials of this configuration. Blocks: a worker.
NODISCARD bool trials_save(struct trials *trials, const struct conf *conf, struct sql *db, int64_t now,
                           trial_told *told, void *arg, struct err *err);

#endif
