// Gathers a whole answer out of chat events that keep the grammar.
//
// Ownership: what it gathers lies in the arena. Thread rule: one thread. Errors: `failed` says that memory was short or
// that there were more parts than CHAT_ANSWER_PARTS_MAX; `failure` that the provider's answer was an error.
#ifndef MODEL_CHAT_COLLECT_H
#define MODEL_CHAT_COLLECT_H

#include "base/buf.h"
#include "base/vec.h"
#include "model/chat_order.h"

#define CHAT_ANSWER_PARTS_MAX 4096

struct chat_collect {
    struct chat_sink sink;
    struct arena *arena;
    struct chat_answer answer;
    VEC(struct chat_answer_part) parts;
    struct buf text, citations; // of the part that was told last, where they came in several pieces
    size_t filling;             // the number of that part
    bool failed, has_failure;
    struct chat_failure failure;
};

void chat_collect_init(struct chat_collect *c, struct arena *arena, size_t max);
// The answer, complete once END has come. Valid as long as the arena and the collector.
const struct chat_answer *chat_collect_answer(struct chat_collect *c);
void chat_collect_free(struct chat_collect *c);

#endif
