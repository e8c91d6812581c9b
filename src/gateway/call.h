// One request on its way through the gateway: filled from left to right, each field written by one stage.
//
// Ownership: lives in its request's arena; call_release gives back what it holds elsewhere. Thread rule: its loop's.
#ifndef GATEWAY_CALL_H
#define GATEWAY_CALL_H

#include "access/quota.h"
#include "gateway/attempt.h"
#include "gateway/continuation.h"
#include "gateway/failover.h"
#include "gateway/gateway.h"
#include "gateway/grade.h"
#include "gateway/queue.h"
#include "gateway/quota_redis.h"
#include "gateway/trial_call.h"
#include "gateway/wait.h"
#include "gateway/watch.h"
#include "model/demo.h"
#include "model/relay.h"
#include "route/route.h"

struct endpoint;
struct sync_wait;
struct translation;
struct fan;
struct meter_series;
struct previous;
struct chain;
struct clerk_job;
struct inner_caller;
struct need;
struct finding;
struct held;
struct rider;

enum answer_mode {
    ANSWER_NONE,   // no answer has begun
    ANSWER_WHOLE,  // collected, then sent at once
    ANSWER_STREAM, // passed on as it comes
};

#define CALL_FIELDS_MAX 32

// What it holds of budgets.
struct admission {
    struct quota_ask ask; // reserved for it
    struct quota_grant grant;
    struct quota_held *held; // in Redis; NULL: none
    enum admit_step { ADMIT_NEW, ADMIT_ASKED, ADMIT_ANSWERED, ADMIT_SHARE } step;
    enum quota_answer answer;
    uint64_t share_until_ms; // loop time: a share of the budgets is waited for no longer
    unsigned downgrades;
    bool refused, unsure;
    struct quota_refusal refusal; // when it was
    struct str asked_model;       // what the client asked for, when a budget has sent it to another; p is NULL when not
};

struct call {
    struct gateway_loop *gl;
    struct http_req *req;
    struct runtime *runtime;
    const struct endpoint *endpoint;
    unsigned stage; // the next one to run
    // Identity.
    uint64_t id;
    int64_t ts; // unix ns
    char id_text[REQUEST_ID_TEXT_LEN];
    const struct inner_caller *inner; // NULL: it came over a connection
    struct clerk_job *job;            // that it waits for, or that sends its answer; NULL: none
    // stage_auth
    struct keyring *ring;
    const struct key_entry *key;      // NULL: none was needed
    const struct conf_tenant *tenant; // the innermost level of the key's; NULL: the general configuration is its
    struct call *next_waiting;
    struct wait_list *waits_in;
    bool asked; // the providers for their models
    // stage_read
    struct model_request request;
    const struct dialect_ops *dialect; // the client's
    bool strict;                       // what a provider cannot be told refuses the call
    struct str *fallbacks;             // models that the client has asked for in the place of those that fail
    size_t fallback_count;
    // stage_previous
    struct previous *previous; // NULL: it is no response
    // stage_route
    struct need *need;             // what routing knows of it
    const struct finding *finding; // personal data in it; NULL: it was not looked for
    struct route route;
    struct str task;       // what the request is for, as routing has it; empty: it was not said
    struct str task_model; // that does such tasks, and was taken for it; empty: none
    struct trial_part trials;
    // stage_admit
    struct admission admission;
    // stage_call
    struct attempt tries[2]; // one under way, and with a hedge another
    struct attempt *at;      // the one whose answer is the call's, or is to be
    struct failover failover;
    struct watch watch;
    struct continuation continued;
    struct queue_place place;
    size_t attempts;    // at targets
    size_t calls;       // to providers: an attempt with a long list of inputs is several
    size_t inputs_sent; // of such a list, by the last attempt
    struct demo demo;
    struct timer timer;              // of the demonstration
    bool begun;                      // told to the ledger
    struct chain *chain;             // under way, or over; NULL: its model is none
    struct translation *translation; // NULL: the request was not read into the neutral form
    struct rider *rider;             // of a flight that answers it; NULL: none, or it has got the answer
    bool coalesced;                  // the call that answers it is in another's record
    bool unbilled;                   // it pays nothing then
    // the answer
    enum answer_mode mode;
    int upstream_status;
    size_t passed_count;
    struct buf answer;
    struct buf content; // of the answer, where it is kept
    struct grade_seen seen;
    struct held *held;  // an answer for the case that no better one comes; NULL: none
    struct relay relay; // where both speak the same dialect
    bool reply_started, paused, recorded;
    // the record
    struct usage usage;
    uint64_t cost_nano, first_ns, end_ns;
    uint64_t reference_nano; // what its tokens would have cost on the reference model
    bool cost_known, usage_known, reference_known;
    int status;
    const char *error;      // err_info()->wire_code, or NULL
    struct sync_wait *sync; // durability sync: the last bytes wait for the disk
    // the answer's, last because it is not zeroed
    struct http_field passed[CALL_FIELDS_MAX]; // the upstream's fields that are the client's too
};

// Begins a call: the request's id, the configuration in force.
NODISCARD struct call *call_create(struct gateway_loop *gl, struct http_req *req);
// Gives back references and buffers; the memory itself goes with the request.
void call_release(struct call *call);
// Whether it is the operator's own, who may know what is behind the general configuration and goes on in it. A tenant
// that was made, and is not configured, has the general configuration, but is somebody else.
static inline bool call_is_operators(const struct call *call) {
    return !call->tenant && (!call->key || !call->key->tenant.n);
}
// Whether the model's configuration is the caller's tenant's own.
static inline bool call_owns(const struct call *call, const struct route_model *m) {
    return call->tenant && m->level && m->level->of == call->tenant->of;
}
// What its route is asked for with; need is what stage_route has read.
struct route_ask call_route_ask(struct call *call);
// Its model as a label of metrics: a configured one's name, "other" where the provider was asked for by name.
struct str call_model_label(const struct call *call);
// Whether what comes is read into events and written anew.
static inline bool call_translates(const struct call *call) { return call->at->translated || call->at->retold; }
// The target being tried, or NULL when none was reached.
const struct route_target *call_target(const struct call *call);

#endif
