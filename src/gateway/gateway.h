// The data plane: from HTTP requests to model calls and back.
//
//   struct gateway        one a process: log, metrics, ledger, keys, state for /readyz
//   struct gateway_loop   one an event loop: its HTTP client, request ids, configuration, key ring
//   struct call           one a request (call.h)
//
// Ownership: gateway_create … gateway_free; what is passed in is borrowed and must outlive it. Thread rule: a
// gateway_loop belongs to its loop's thread; struct gateway is shared, its changing parts are atomic or locked.
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "access/keyring.h"
#include "access/quota.h"
#include "gateway/estimate.h"
#include "gateway/queue.h"
#include "gateway/runtime.h"
#include "gateway/wait.h"
#include "govern/key_watch.h"
#include "net/http_server.h"
#include "obs/log.h"
#include "obs/metrics.h"
#include "os/thread.h"
#include "store/lease.h"
#include "store/ledger.h"

struct call;
struct redis;
struct quota_redis;
struct quota_share;
struct meter;
struct tokens;
struct catalog;
struct health;
struct warm;
struct keys;
struct credential_job;
struct response_log;
struct row_writer;
struct clerk;
struct batches;
struct batch_lines;
struct native_ask;
struct native_line;
struct flight;
struct flights;
struct grade_loop;
struct mirror;
struct trial;

struct gateway_options {
    struct log *log;    // NULL is silent
    struct log *access; // the access log; NULL is none
    struct metrics *metrics;
    struct ledger *ledger;
    struct keys *keys;
    struct audit_notes *audit;      // NULL: denials are not told
    struct key_watch *watch;        // NULL: uses of keys are not watched
    struct row_writer *content;     // NULL: contents are not kept
    struct response_log *responses; // NULL: none is kept
    struct row_writer *scores;      // NULL: scores are not written down
    const struct datadir *dir;      // of the files
    struct clerk *clerk;            // NULL: no files are kept
    struct batches *batches;        // NULL: none are run
    struct str version;
    bool sync; // durability: an answer's last byte waits for the disk
};

enum gateway_note { GATEWAY_NOTE_CONFIG, GATEWAY_NOTE_VAULT, GATEWAY_NOTE_COUNT };
struct gateway {
    struct gateway_options o;
    uint64_t started_ns; // monotonic
    char via[32];        // what this process adds to Via: by it a request that came back is known
    atomic_bool ready, draining;
    atomic_bool stopping;      // nothing is under way any more: what is fetched in the background is given up
    struct quota_share *share; // on the first loop; NULL: no Redis is configured
    struct flights *flights;
    struct queue_line queue;
    _Atomic int64_t config_version; // in force
    struct log_gate judges;         // lines of grades that did not come about
    struct mutex lock;              // for what follows
    struct {
        char text[512];
        int64_t at; // unix ns; 0 = all is well
    } notes[GATEWAY_NOTE_COUNT];
};

struct gateway_loop {
    struct gateway *gateway;
    struct loop *loop;
    struct http_client *client;
    struct runtime *runtime;
    struct keyring *ring;
    struct keyring_memo memo;
    struct tokens *tokens; // NULL: none has come yet
    struct quota_seat seat;
    struct key_seat uses;
    struct estimates estimates;
    struct redis *redis;             // NULL: none is configured
    struct quota_redis *quota_redis; // likewise
    struct wait_list sharing;        // calls that wait for shares of budgets
    struct timer share_timer;
    struct queue queue; // calls that wait for room at their targets
    struct ledger_writer *ledger;
    struct metric_shard *shard;
    struct meter *meter;
    struct request_ids ids;
    struct catalog *catalog;
    struct warm *warm;                      // connections opened ahead
    struct health *health;                  // checks of providers; on the first loop alone
    struct credential_job *credential_jobs; // tokens of providers that are being fetched
    struct wait_list waiting;               // for a new key ring
    bool refreshing;
    struct wait_list tokenize_waiting; // calls with long texts; the latest goes first
    bool tokenizing;                   // one of them is being counted
    struct wait_list finding_waiting;  // calls with long texts to be searched for personal data
    unsigned findings;                 // that are being searched
    struct batch_lines *lines;         // of batches; NULL: none were here yet
    struct native_ask *asks;           // of batches, under way
    struct grade_loop *grades;         // answers that are read and judged; NULL: none were yet
    uint64_t jobs;                     // at the clerk's
    uint64_t seed;                     // for weighted draws
    uint64_t active;                   // calls
    uint64_t syncing;                  // answers whose last bytes wait for the disk, also of clients that left
    struct mirror *mirrors;            // requests that are sent to a shadow as well
    uint64_t mirrored;                 // how many
    bool mirrors_ended;
};

NODISCARD bool gateway_create(const struct gateway_options *options, struct gateway **out_gateway, struct err *err);
void gateway_free(struct gateway *gateway);
// What /readyz tells of what works only in part; message NULL: all is well with it.
void gateway_note(struct gateway *gateway, enum gateway_note note, const char *message);

struct gateway_loop_options {
    struct loop *loop;
    struct runtime *runtime; // a reference is taken
    struct keyring *ring;    // a reference is taken
    uint32_t epoch;          // of the lease that request ids come from
    struct redis *redis;     // NULL: none is configured
};
NODISCARD bool gateway_loop_create(struct gateway *gateway, const struct gateway_loop_options *options,
                                   struct gateway_loop **out_gl, struct err *err);
// Closes the resting upstream connections, before the end.
void gateway_loop_quiesce(struct gateway_loop *gl);
// No call may be in progress, and no upstream connection left.
void gateway_loop_free(struct gateway_loop *gl);
// New requests use it; those in progress keep theirs.
void gateway_loop_set_runtime(struct gateway_loop *gl, struct runtime *runtime);
// Whether the data plane has this path, whatever the method: below /api/ too, where the rest is the control plane's.
bool gateway_takes(struct str path);
// A request that this server makes itself, as the caller says, who is not asked for a key. It lives as long as the
// request.
struct inner_caller {
    struct keyring *ring; // NULL: nobody
    const struct key_entry *key;
    bool gone;                  // whose request it was is not there any more
    struct str origin;          // as the field
    struct native_line *native; // NULL: an ordinary call
    struct flight *flight;      // that it is the call of; NULL: none
    struct inner_step *step;    // of a chain (chain.h); NULL: it is none
    bool judge;                 // the configuration names the model, not who holds the key; it is of an answer
    struct trial *shadow;       // it is sent to this shadow; NULL: an ordinary call
    struct str model;           // asked for in place of what the request names; empty: nothing
    bool batch;                 // a line of a batch, or what one asks
    bool charge;                // a shadow's: it counts in the caller's budgets
};
void gateway_on_inner(struct gateway_loop *gl, struct http_req *req, const struct inner_caller *caller);
// The largest body of a request, as of struct http_handler.
size_t gateway_max_body(const struct gateway_loop *gl, enum http_method method, struct str path);

// A random number; not for secrets.
uint64_t gateway_draw(struct gateway_loop *gl);

// As those of struct http_handler.
void gateway_on_request(struct gateway_loop *gl, struct http_req *req);
void gateway_on_abort(struct http_req *req);
void gateway_on_drained(struct http_req *req);
void gateway_on_reject(struct gateway_loop *gl, const struct err *err, struct str peer, struct arena *arena,
                       struct buf *out_body, struct http_field *out_fields, size_t *io_count);
// The limits a configuration sets for the HTTP server of one of `loops` loops.
struct http_server_options gateway_server_options(const struct conf *conf, unsigned loops);

#endif
