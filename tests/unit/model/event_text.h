// Chat events as lines of text, for tests.
#ifndef TESTS_EVENT_TEXT_H
#define TESTS_EVENT_TEXT_H

#include "base/buf.h"
#include "model/chat_event.h"

struct event_text {
    struct chat_sink sink; // feeds the text
    struct buf text;
};

static const char *const k_part_names[] = {"text", "image",  "audio",    "video",    "file",
                                           "call", "result", "thinking", "redacted", "refusal"};
static const char *const k_finish_names[] = {"none", "stop", "stop_sequence", "length", "tools", "filter", "pause"};

// "begin 0.0 text", "delta 0.0 hello", "end 0.0", "finish 0 stop", …
static inline void event_text_take(struct chat_sink *sink, const struct chat_event *e) {
    struct buf *b = &((struct event_text *)sink)->text;
    switch (e->kind) {
    case CHAT_BEGIN:
        buf_printf(b, "answer %.*s %.*s\n", STR_ARG(e->id), STR_ARG(e->name));
        break;
    case CHAT_PART_BEGIN:
        buf_printf(b, "begin %u.%u %s %.*s %.*s\n", e->choice, e->part, k_part_names[e->part_kind], STR_ARG(e->id),
                   STR_ARG(e->name));
        break;
    case CHAT_DELTA:
        buf_printf(b, "delta %u.%u %.*s\n", e->choice, e->part, STR_ARG(e->text));
        break;
    case CHAT_SIGNATURE:
        buf_printf(b, "signature %u.%u %.*s\n", e->choice, e->part, STR_ARG(e->text));
        break;
    case CHAT_CITATION:
        buf_printf(b, "citation %u.%u %.*s\n", e->choice, e->part, STR_ARG(e->raw));
        break;
    case CHAT_PART_END:
        buf_printf(b, "end %u.%u\n", e->choice, e->part);
        break;
    case CHAT_USAGE:
        buf_printf(b, "usage %llu %llu\n", (unsigned long long)e->usage->prompt, (unsigned long long)e->usage->output);
        break;
    case CHAT_FINISH:
        buf_printf(b, "finish %u %s %.*s\n", e->choice, k_finish_names[e->finish], STR_ARG(e->text));
        break;
    case CHAT_FAIL:
        buf_printf(b, "fail %d %.*s\n", e->failure->status, STR_ARG(e->failure->message));
        break;
    case CHAT_END:
        buf_lit(b, "over\n");
        break;
    }
}

static inline void event_text_init(struct event_text *t) {
    *t = (struct event_text){.sink = {.take = event_text_take}};
    buf_init(&t->text, (size_t)1 << 24);
}

#endif
