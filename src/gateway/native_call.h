// Lines of batches that a provider's own batch API runs, as calls: once to be written down as the provider wants them,
// and once more, when its answer is there, to be answered with it, and paid for.
//
// Both go through the stages as any call does. A draft is refused what a call is refused, but leaves no trace when it
// is not: nothing has happened yet. What was answered was allowed when it was sent: it is not refused any more, and its
// record has the id that was set aside for it, so that it counts once however often it is read.
//
// Ownership: struct native_line is its batch_line's, borrowed by the call. Thread rule: the loop's, while the call is
// under way. Errors: those of the stages.
#ifndef GATEWAY_NATIVE_CALL_H
#define GATEWAY_NATIVE_CALL_H

#include "gateway/pipeline.h"

#define NATIVE_LINE_MAX ((size_t)64 << 20)

enum native_mode { NATIVE_NONE, NATIVE_DRAFT, NATIVE_ANSWER };
struct native_line {
    enum native_mode mode;
    // A draft: what was asked for before it in the same batch; and what came of it.
    struct quota_ask before;
    bool fits; // a provider with a batch API has it, and takes it there
    struct buf provider, model, url, body;
    // An answer, borrowed.
    uint64_t id;
    int64_t ts;
    int status;
    struct str from_provider, from_model, answer;
};
void native_line_init(struct native_line *line);
void native_line_free(struct native_line *line);

static inline bool native_is(const struct call *call, enum native_mode mode) {
    return call->inner && call->inner->native && call->inner->native->mode == mode;
}
static inline bool native_any(const struct call *call) { return call->inner && call->inner->native; }

// In place of the call to a provider.
enum stage_result native_call(struct call *call, struct err *err);
// Lines sent together are looked at together, for nothing of them is used before they come back: what is asked of
// budgets of a day or longer. Shorter ones say how fast calls may come.
void native_count_before(struct call *call);
// A batch's price, where its provider's list has none.
void native_price(struct call *call);

#endif
