// One request to the control plane, from its key to its answer.
//
// A call outlives its request when the client leaves while something is under way for it elsewhere: `req` is NULL then,
// and the call goes when that has come back. While it is on the worker pool (`pending`), `req` is not to be touched
// there: what the worker needs is in the call.
//
// Ownership: on the heap, owned by its loop; its text lives in its own arena. Thread rule: its loop's; while pending,
// arena, out, status, version and err are the other thread's.
#ifndef ADMIN_CALL_H
#define ADMIN_CALL_H

#include "admin/admin.h"
#include "admin/api.h"
#include "admin/share.h"
#include "govern/key_watch.h"
#include "store/config_history.h"
#include "store/lease.h"

#define ADMIN_BODY_MAX ((size_t)8 << 20)
#define ADMIN_ANSWER_MAX ((size_t)64 << 20)
#define ADMIN_PARAMS_MAX 2
#define ADMIN_QUERY_MAX 8

struct admin_call;
struct event_stream;

struct admin {
    struct admin_options o;
    const struct admin_host *host;
    char boot[9]; // of this process: begins the ids of events
    struct webhooks *webhooks;
    struct audit_signer *signer;
    struct sql_pool *pool;
    struct password_hasher *hasher;
    struct share *share; // of the worker pool
    struct api api;      // the core: what it works on
};

struct admin_loop {
    struct admin *admin;
    struct loop *loop;
    struct admin_loop_options o;
    struct key_seat uses;
    struct keyring *ring;       // NULL before the first request
    struct admin_call *waiting; // for a new one
    bool refreshing, draining;
    size_t busy; // calls pending, and a refresh
    struct event_stream *streams;
    uint64_t round;
    struct event_listener listener;
    bool listening;
    struct task news; // posted by the listener
    uint64_t news_posted;
};

struct admin_endpoint {
    enum http_method method;
    struct str path;   // "/api/v1/config/history/:version"
    const char *query; // the parameters it takes, spaces between
    void (*handle)(struct admin_call *call);
};
// How an endpoint is carried out that the core (api.h) leaves to HTTP; NULL: the core does it itself.
const struct admin_endpoint *admin_endpoint_of(const struct api_endpoint *e);

struct admin_param {
    struct str name, value; // decoded
};

struct admin_call {
    struct admin_loop *al;
    struct http_req *req; // NULL: the client has left
    const struct admin_endpoint *endpoint;
    char id_text[REQUEST_ID_TEXT_LEN];
    struct arena arena;
    struct str params[ADMIN_PARAMS_MAX];       // of the path
    struct admin_param query[ADMIN_QUERY_MAX]; // of the query
    size_t n_query;
    struct keyring *ring;
    const struct key_entry *key; // NULL: it came with none
    struct str actor;            // "admin key ps-abc123 (ops)"
    // Who acts, from whatever it came with: a key, a session, a token. Text lives in the arena or the ring.
    struct who who;
    const struct permission_set *within; // NULL = no bound
    int64_t key_team, key_project;       // of a key that is its own principal
    const struct api_endpoint *api_endpoint;
    struct api_request request;
    struct admin_call *next_waiting, **waits_in; // for a key ring
    bool pending;
    struct str body; // for workers: a copy
    // What came of it.
    struct buf out;
    int status;
    int64_t version;     // for ETag; -1 = none
    struct str allow;    // for 405
    unsigned retry_s;    // for Retry-After; 0 = none
    struct str type;     // of the body; empty = application/json
    struct str location; // of what was made
    struct str cookie;   // for Set-Cookie
    struct buf name;     // of who came with a session or token
    bool replayed;       // the answer to an earlier request
    struct str problems; // JSON array beside an error; empty = none
    struct err err;
    bool ok;
    struct share_work work;
    bool begun; // `work` was, and is not done
    bool (*run)(struct admin_call *call, struct err *err);
    struct admin_wish wish;
    int64_t expected; // If-Match, or -1
    struct event_stream *stream;
    struct api_pieces *pieces; // an answer in pieces
    bool pieces_end, pieces_paused;
};

// --- the answer; afterwards the call is gone ---

// With the body in call->out, which is JSON.
void admin_reply(struct admin_call *call, int status);
void admin_fail(struct admin_call *call, const struct err *err);
// Head alone, for streams.
void admin_begin_reply(struct admin_call *call, int status, struct str type, uint64_t length);
// {"message","type","code"}
struct json_writer;
void admin_error_put(struct json_writer *w, const struct err *err);

// `run` on a worker, then the answer: status 200 unless run sets another, or the error.
void admin_work(struct admin_call *call, bool (*run)(struct admin_call *call, struct err *err));
// As admin_work, of a body no larger than ADMIN_BODY_MAX, which is copied.
void admin_work_body(struct admin_call *call, bool (*run)(struct admin_call *call, struct err *err));
// As admin_work, with what is to be run and what follows it on the loop's thread. False: err says why.
NODISCARD bool admin_work_begin(struct admin_call *call, void (*run)(struct share_work *work),
                                void (*done)(struct share_work *work), struct err *err);
// The client has left: true when work was waiting for its turn, and is now forgotten.
bool admin_work_forget(struct admin_call *call);
// Hands call->wish over, its kind and list filled in, and answers with what came of it.
void admin_wish(struct admin_call *call);

// Between: the call is another thread's until admin_resume returns true; false: the client had left, the call is gone.
void admin_suspend(struct admin_call *call);
NODISCARD bool admin_resume(struct admin_call *call);
void admin_call_free(struct admin_call *call);

// --- what was asked ---

// STR_NONE (p is NULL) when not given.
struct str admin_query(const struct admin_call *call, const char *name);
// Absent: as given by *out_value before. Present without a value: true.
NODISCARD bool admin_query_bool(const struct admin_call *call, const char *name, bool *out_value, struct err *err);
NODISCARD bool admin_query_i64(const struct admin_call *call, const char *name, int64_t low, int64_t high,
                               int64_t *out_value, struct err *err);
// Takes the query apart; unknown parameters are errors, for a misspelt dry_run must not be passed over.
NODISCARD bool admin_query_parse(struct admin_call *call, struct str query, struct err *err);

// A connection to the database; a worker's.
NODISCARD bool admin_db(struct admin_call *call, struct sql **out_db, struct err *err);

// Who is it: then admin_route, or an error. May wait for the key ring.
void admin_admit(struct admin_call *call);
void admin_route(struct admin_call *call);
void admin_leave_waiting(struct admin_call *call);
// What a session or token says is found out there: whether the request has one, and no key.
bool admin_signed_in(const struct admin_call *call);
// Fills in call->request.credential.
NODISCARD bool admin_credential(struct admin_call *call);
// Carries the request to the core, on a worker.
void admin_api(struct admin_call *call);
// Asks the core whether the caller may, then runs call->endpoint.
void admin_api_permit(struct admin_call *call);
// Whether the path is one of the core's, whose errors are problem+json.
bool admin_api_answers(const struct admin_call *call);

// --- answers in pieces (call->pieces) ---

void pieces_begin(struct admin_call *call);
void pieces_drained(struct admin_call *call);

// --- event streams ---

void events_wake(struct admin_loop *al);
void events_end(struct admin_loop *al);
void events_drained(struct admin_call *call);
void events_free(struct admin_call *call);
// Whether a name is meant by a pattern: itself, or "config.*".
bool event_matches(struct str pattern, struct str name);

// --- endpoints ---

void api_config_get(struct admin_call *call);
void api_config_patch(struct admin_call *call);
void api_config_live_delete(struct admin_call *call);
void api_config_reload(struct admin_call *call);
void api_config_rollback(struct admin_call *call);
void api_config_validate(struct admin_call *call);
void api_config_diff(struct admin_call *call);
void api_config_schema(struct admin_call *call);
void api_config_history(struct admin_call *call);
void api_config_history_one(struct admin_call *call);
void api_models_refresh(struct admin_call *call);
void api_events_get(struct admin_call *call);

#endif
