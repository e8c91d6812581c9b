// Makes any sequence of chat events keep the grammar that encoders are promised (chat_event.h).
//
// One BEGIN; in each choice parts one after the other, numbered from 0, each begun and ended; no empty deltas; a tool
// call without arguments gets "{}"; USAGE as it comes; FINISH held back until the end, when the last usage is known,
// and made where the provider has told none; one END. Parts that come interleaved are held back until the one before
// them is over, which of a call is known as soon as its arguments are a whole JSON value.
//
// Ownership: borrows the sink it feeds; owns what it holds back. Thread rule: one thread. Errors: what is held back
// past `max` bytes or CHAT_ORDER_HELD_MAX parts of a choice is a CHAT_FAIL.
#ifndef MODEL_CHAT_ORDER_H
#define MODEL_CHAT_ORDER_H

#include "base/buf.h"
#include "base/vec.h"
#include "model/chat_event.h"

#define CHAT_ORDER_HELD_MAX 1024
struct chat_held { // a part that waits for its turn
    unsigned part;
    size_t bytes; // that it counts for
    enum chat_part_kind kind;
    bool ended;
    struct str id, name, mime; // own memory, one piece from id.p on
    struct buf text, signature, citations;
};

struct chat_choice {
    bool seen, tools;
    bool open;                            // a part is
    unsigned part, told;                  // the open one's number with the decoder, and how many were begun
    unsigned ended_part;                  // the last one that was ended here but may go on with the decoder
    bool may_go_on;                       // ended_part is of text
    bool joins;                           // the next text goes on in the open one
    enum chat_part_kind kind, ended_kind; // of the open one, of ended_part
    bool any_text;                        // the open one has had a delta
    unsigned depth;                       // of the open call's arguments
    bool in_string, escaped, whole;
    VEC(struct chat_held) held;
    enum chat_finish finish;
    struct buf stop;
};

struct chat_order {
    struct chat_sink sink; // what decoders feed
    struct chat_sink *to;
    unsigned choices; // how many the client can be given; events of others are dropped
    size_t max, held_bytes;
    struct buf line; // of a citation that had several
    bool begun, failed, ended;
    struct chat_choice choice[CHAT_CHOICES_MAX];
};

void chat_order_init(struct chat_order *o, struct chat_sink *to, unsigned choices, size_t max);
// What follows is another decoder's, who goes on where this one has stopped: a text in the text that is open. Thoughts
// before it are left out, since the answer has begun.
void chat_order_go_on(struct chat_order *o);
// The stream is over: what is owed is told, END last.
void chat_order_end(struct chat_order *o);
void chat_order_free(struct chat_order *o);

#endif
