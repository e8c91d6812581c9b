// What the files batch_native*.c share.
// Thread rule: the thread's of batches.
#ifndef GATEWAY_BATCH_NATIVE_IMPL_H
#define GATEWAY_BATCH_NATIVE_IMPL_H

#include "gateway/batch_native.h"
#include "gateway/batch_run.h"

#define NATIVE_SMALL ((size_t)1 << 20) // answers
#define NATIVE_LIST ((size_t)8 << 20)
#define NATIVE_RESULTS_MAX ((size_t)512 << 20)

// Whether the batch's day is over, and so many hours of grace.
bool native_late(const struct batch_run *run, int64_t times);
// Before the next look: longer each time.
void native_wait(const struct batch_work *w, struct batch_native *native);
void native_go(struct batch_native *native, enum native_phase phase);
NODISCARD bool native_save(const struct batch_work *w, struct batch_run *run, enum batch_provider_state state,
                           struct err *err);
void native_tell(const struct batch_work *w, const struct batch_run *run, struct str what, const struct native_ask *a);
void native_rewind(struct batch_run *run);
struct native_ask *native_ask_begin(struct batch_run *run, const char *method, size_t max_answer);
// Takes it, NULL too. made: its texts are there.
NODISCARD bool native_ask_send(const struct batch_work *w, struct batch_run *run, struct native_ask *ask, bool made,
                               struct err *err);

// --- batch_native_there.c ---

// Goes on from where the store says.
NODISCARD bool native_resume(const struct batch_work *w, struct batch_run *run, struct err *err);
NODISCARD bool native_step_there(const struct batch_work *w, struct batch_run *run, struct err *err);
NODISCARD bool native_hear_there(const struct batch_work *w, struct batch_run *run, struct native_ask *ask,
                                 struct err *err);

#endif
