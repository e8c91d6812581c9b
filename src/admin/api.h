// The core of the admin API: one request, from who asks to the answer, without HTTP.
//
// HTTP (api_http.c) and the command line (in process, on the data directory) carry requests to it alike. It finds the
// endpoint, checks the permission that the endpoint's row names, opens a transaction for whatever changes something,
// runs the handler, appends the audit event (before, after, outcome; also for what was denied) and commits: no event,
// no act. Afterwards every process is told.
//
// Ownership: the request's text is borrowed; the reply is the caller's to free. Thread rule: blocks on the database: a
// worker thread, or a command. Errors: in the reply; shown as problem+json (RFC 9457) by HTTP.
#ifndef ADMIN_API_H
#define ADMIN_API_H

#include "access/policy.h"
#include "base/arena.h"
#include "net/http.h"
#include "store/audit.h"
#include "store/datadir.h"
#include "store/entity.h"

// What it works on.
struct api {
    struct datadir *dir;
    const struct audit_signer *signer;
    struct event_bus *events;        // NULL: nobody is told
    struct log *log;                 // NULL
    struct conf *(*conf)(void *ctx); // the configuration in force, with a reference; NULL: there is none
    void *ctx;
};

struct api_request {
    enum http_method method;
    struct str path, query, body; // "/api/v1/teams", "limit=10&sort=-name", JSON
    struct str if_match;          // an ETag, or empty
    struct str idempotency_key;   // or empty
    struct str request_id;
    const struct who *who;
    const struct permission_set *within; // the scopes of the key or token it came with; NULL = no bound
};
struct api_reply {
    int status;
    struct buf body;     // JSON; empty with 204
    struct str type;     // of the body
    int64_t version;     // ETag; -1 = none
    struct str location; // of what was made; empty = none
    struct err err;      // of a status from 400 on
    struct arena arena;
};

void api_execute(const struct api *api, const struct api_request *request, struct api_reply *out_reply);
void api_reply_free(struct api_reply *reply);

// --- for endpoints ---

struct api_call;
typedef bool api_handler(struct api_call *call, struct err *err);

enum api_flag {
    API_CHANGES = 1,  // runs in a transaction, leaves an audit event
    API_PLATFORM = 2, // on all tenants' rows: the scope of its permission is the platform
    API_OPEN = 4,     // asks for no permission: sign-in, one's own session
    API_STREAM = 8,   // answered by HTTP itself, not by a handler
};
struct api_endpoint {
    enum http_method method;
    struct str path;             // "/api/v1/teams/:id"
    enum resource_type resource; // the permission it asks for
    enum action action;
    unsigned flags;
    const struct entity *entity; // what it is about; NULL = none
    api_handler *handle;
    const char *query;   // parameters it takes, spaces between
    const char *body;    // JSON Schema of its body as text, NULL = the entity's or none
    const char *answer;  // likewise
    const char *summary; // "Makes a team"
};
// All endpoints, for finding, for OpenAPI, for tests. Each entity brings its five: list, create, get, change, delete.
size_t api_endpoint_count(void);
const struct api_endpoint *api_endpoint_at(size_t i);

struct api_call {
    const struct api *api;
    const struct api_request *request;
    const struct api_endpoint *endpoint;
    struct api_reply *reply;
    struct arena *arena; // the reply's
    struct sql *db;
    struct sql_scope scope; // the tenant's it acts for
    struct policy *policy;
    struct policy_subject subject;
    struct str params[2];
    int64_t now;
    int64_t expected;         // from If-Match, or -1
    struct audit_event event; // a handler fills in resource, before, after; the rest is set
};
struct str api_param(const struct api_call *call, const char *name); // of the query; STR_NONE = not given
// A further permission that depends on what was found: on this row, for this change. ERR_FORBIDDEN, or ERR_NOT_FOUND
// when the caller may not even read it.
NODISCARD bool api_check(struct api_call *call, enum action action, const struct policy_resource *resource,
                         struct err *err);

#endif
