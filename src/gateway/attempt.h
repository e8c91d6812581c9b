// One try of one target: all that is of this try and not of the call.
//
// A call has room for two: the one whose answer is the call's, or is to be (call->at), and another that takes its place
// when it fails, or that runs beside it for a while (hedge.h).
//
// Ownership: part of its call; attempt_release gives back what is not in the call's arena. Thread rule: the call's
// loop.
#ifndef GATEWAY_ATTEMPT_H
#define GATEWAY_ATTEMPT_H

#include "gateway/gateway.h"
#include "route/route.h"

struct call;
struct chat_report;
struct dialect_ops;
struct fan;
struct http_exchange;
struct meter_series;
struct opening;
struct try_note;

struct attempt {
    struct call *call;
    bool taken;                              // a target was taken for it, and its ticket is held
    bool hedge;                              // it was begun beside another
    size_t target;                           // index in the route
    const struct runtime_provider *provider; // NULL: no target was taken yet
    struct board_ticket ticket, provider_ticket;
    bool looked;                               // attempt_looked: once is enough
    bool keyed;                                // its provider has several keys
    size_t key;                                // of them, the one it is asked with
    uint32_t keys_left_out;                    // those that were tried, a bit for each
    struct board_ticket key_ticket, model_key; // of the key, of the target under it
    uint64_t credential_serial;                // of what was fetched for its provider, which it was sent with
    struct rate_headers rate;                  // that came with its answer
    struct http_exchange *exchange;
    struct opening *opening;            // its stream has not begun (opening.h); NULL: nothing is held back
    uint64_t sent_ns;                   // monotonic; 0: not yet
    uint32_t calls;                     // that it was to its provider
    struct try_note *note;              // what is told of it; NULL: it is not over
    bool opened;                        // its target's breaker, by how it failed
    const struct meter_series *series;  // NULL until it was sent
    const struct dialect_ops *upstream; // the dialect the target is spoken to in
    const struct chat_report *dropped;  // what the target could not be told; NULL: nothing
    bool translated;                    // it speaks another dialect than the client
    bool retold;                        // it speaks the client's, yet its stream is read and written anew
    enum operation asks;                // what it is asked for
    struct fan *fan;                    // the call is several to it; NULL: one
    struct buf written;                 // its body, where translated
    struct str *body;                   // pieces, JSON_EDIT_SLICES_MAX of them; NULL: not written yet
    size_t body_count;
};

void attempt_init(struct attempt *a, struct call *call);
// Forgets what was of an earlier try. Nothing of it may be under way.
void attempt_reset(struct attempt *a);
void attempt_release(struct attempt *a);

// Takes the route's target of that index, if the board lets it. False: *out_refusal says why not.
NODISCARD bool attempt_take(struct attempt *a, size_t target, struct board_refusal *out_refusal);
// The target that `failed` was refused at, under another of its provider's keys. False: there is none.
NODISCARD bool attempt_take_key(struct attempt *a, const struct attempt *failed);
// Takes one further place for it, wherever it has one: to send a piece of it beside another. False: there is none.
NODISCARD bool attempt_widen(struct attempt *a);
// Its first token has come.
void attempt_first(struct attempt *a);
// Whether its target's breaker tries the target with it, and nobody has looked yet at what came first.
bool attempt_is_probe(const struct attempt *a);
// well: what came first tells no error, which is all that the breaker waits for.
void attempt_looked(struct attempt *a, bool well);
// It has failed so: the board learns of it now, and what it held at its target is free. Then attempt_end.
void attempt_failed(struct attempt *a, enum failure why);
// How it ended, told to the board, once; nothing is told of one that was never taken. Cancels what is under way.
void attempt_end(struct attempt *a, enum failure why);

#endif
