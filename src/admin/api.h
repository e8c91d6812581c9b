// The core of the admin API: one request, from who asks to the answer, without HTTP.
//
// HTTP (api_http.c) and the command line (in process, on the data directory) carry requests to it alike. It finds the
// endpoint, opens a transaction for whatever changes something, checks the permission that the endpoint's row names,
// runs the handler, appends the audit event (before, after, outcome; also for what was denied) and commits: no event,
// no act. Afterwards every process is told.
//
// Ownership: the request's text is borrowed; the reply is the caller's to free. Thread rule: blocks on the database: a
// worker thread, or a command. Errors: in the reply, which then holds problem+json (RFC 9457).
#ifndef ADMIN_API_H
#define ADMIN_API_H

#include "access/password.h"
#include "access/policy.h"
#include "access/session.h"
#include "base/arena.h"
#include "net/http.h"
#include "store/audit.h"
#include "store/datadir.h"
#include "store/entity.h"

struct audit_notes;
struct event_bus;
struct budget_use_view;
struct quota_list;
struct sql_pool;
struct log;
struct conf;
struct model_catalog;

// What it works on. A command needs no more than dir and signer.
struct api {
    struct datadir *dir;
    const struct audit_signer *signer;
    struct sql *db;                  // a connection to work on; NULL: one is taken for each request
    struct sql_pool *pool;           // from here; NULL: one is opened
    struct event_bus *events;        // NULL: nobody is told
    struct audit_notes *notes;       // NULL: every denial is an event
    struct password_hasher *hasher;  // NULL: hashing passwords is not bounded
    struct log *log;                 // NULL
    struct conf *(*conf)(void *ctx); // the configuration in force, with a reference; NULL: there is none
    // Whose models a row may name: the configuration in force or at hand, with a reference. NULL, or it gives NULL:
    // nobody knows.
    struct conf *(*names)(void *ctx);
    // As in host.h; NULL: nobody counts, and what was used of budgets is what the ledger says.
    bool (*budgets)(void *ctx, int64_t tenant, struct quota_list *out_list, bool *out_shared, struct err *err);
    struct model_catalog *(*models)(void *ctx); // likewise; NULL: none
    bool (*targets)(void *ctx, struct buf *out, struct err *err);
    void *ctx;
};

// Who a request says it is from, when that takes the database to find out (api_caller.c). All text may be empty.
struct api_credential {
    struct str session; // a cookie's
    struct str token;   // an access token
    struct session_door door;
    struct session_origin origin;
    struct str agent;
    struct buf *out_name; // gets the name of who it is; NULL: nobody wants it
};
struct api_request {
    enum http_method method;
    struct str path, query, body; // "/api/v1/teams", "limit=10&sort=-name", JSON
    struct str if_match;          // an ETag, or empty
    struct str idempotency_key;   // or empty
    struct str tenant;            // X-Penstock-Tenant: a name or id to act for; empty = one's own
    struct str request_id;
    const struct who *who;
    struct api_credential credential;    // in place of who
    const struct permission_set *within; // the scopes of the key or token it came with; NULL = no bound
    int64_t key_team, key_project;       // of a key that is its own principal: where it lies
};
// A body that is made piece by piece, after the reply's head: what is too long to be held. It serves one thread at a
// time, outlives the connection that the request worked on, and blocks.
struct api_pieces {
    NODISCARD bool (*next)(struct api_pieces *pieces, struct buf *out, bool *out_end, struct err *err);
    void (*free)(struct api_pieces *pieces);
};
struct api_reply {
    int status;
    struct buf body;           // JSON; empty with 204
    struct str type;           // of the body
    struct api_pieces *pieces; // in place of the body; NULL = none. Freed with the reply, unless taken out of it
    int64_t version;           // ETag; -1 = none
    struct str location;       // of what was made; empty = none
    struct str cookie;         // for Set-Cookie; empty = none
    struct str allow;          // with 405
    bool replayed;             // the answer to an earlier request with the same idempotency key
    struct err err;            // of a status from 400 on
    struct arena arena;
};

void api_execute(const struct api *api, const struct api_request *request, struct api_reply *out_reply);
void api_reply_free(struct api_reply *reply);
// For endpoints that HTTP answers itself (API_STREAM): whether the caller may. A denial is audited.
NODISCARD bool api_permit(const struct api *api, const struct api_request *request, struct err *err);
// The body of an error.
struct api_endpoint;
void api_problem_put(struct buf *out, const struct err *err, const struct api_endpoint *endpoint,
                     struct str request_id);
// Of an error: as its code says, or as it was set otherwise.
int api_status_of(const struct err *err);

// --- endpoints ---

struct api_call;
typedef bool api_handler(struct api_call *call, struct err *err);

enum api_flag {
    API_CHANGES = 1,  // runs in a transaction, leaves an audit event
    API_PLATFORM = 2, // on all tenants' rows: the scope of its permission is the platform
    API_OPEN = 4,     // asks for no permission: sign-in, one's own session
    API_STREAM = 8,   // answered by HTTP itself, not by a handler
    API_ROW = 16,     // the handler asks for the permission (api_check), on the row it finds; one that did not is a
                      // fault and its answer is not given
    API_ANYBODY = 32, // with API_OPEN: not even for who asks
    API_TELLS = 64,   // has transactions and audit events of its own: what takes long is not within them
    API_HEAVY = 256,  // goes over a whole trail or tenant: few at a time
    API_DUE = 128,    // also for a session whose password or second factor is still to be set
};

// How the API treats an entity: what it does besides reading and writing rows. Each function may be NULL.
struct api_kind {
    const struct entity *entity;
    enum resource_type resource;
    bool platform; // its rows are the platform's, not a tenant's
    // The action that making it asks for, where that depends on the row.
    enum action (*creating)(const struct entity_row *row);
    // Checks and completes a row that is to be written; `old`: as it is stored, NULL for a new one.
    bool (*prepare)(struct api_call *call, struct entity_row *row, const struct entity_row *old, struct err *err);
    // After it was written.
    bool (*written)(struct api_call *call, struct entity_row *row, const struct entity_row *old, struct err *err);
    // Before the row is deleted: what hangs on it. *out_done: it was taken care of wholly, the row stays.
    bool (*removing)(struct api_call *call, struct entity_row *row, bool *out_done, struct err *err);
    // Members of its JSON besides the fields, and their schema ("\"a\":{…},\"b\":{…}").
    void (*put_more)(struct api_call *call, struct json_writer *w, const struct entity_row *row);
    const char *more_schema;
};

struct api_endpoint {
    enum http_method method;
    struct str path;             // "/api/v1/teams/:id"
    enum resource_type resource; // the permission it asks for
    enum action action;
    unsigned flags;
    const struct api_kind *kind; // what it is about; NULL = none
    api_handler *handle;
    const char *query;   // parameters it takes, spaces between
    const char *body;    // JSON Schema of its body as text, NULL = the entity's or none
    const char *answer;  // likewise
    const char *summary; // "Makes a team"
    const char *audit;   // what its event is called, NULL = "RESOURCE.ACTION"
};
// The tables of endpoints: one line of api_tables.def each.
struct api_table {
    const char *title; // of their group in the documentation
    const struct api_endpoint *endpoints;
    size_t n;
};
size_t api_table_count(void);
const struct api_table *api_table_at(size_t i);
// All endpoints, for finding, for OpenAPI, for tests.
size_t api_endpoint_count(void);
const struct api_endpoint *api_endpoint_at(size_t i);
#define API_PARAMS_MAX 2
// NULL when there is none; *out_allow: the methods the path has, ", " between, or empty. Params are slices of path.
const struct api_endpoint *api_endpoint_find(enum http_method method, struct str path, struct str *out_params,
                                             struct arena *arena, struct str *out_allow);
// The path most like it, or STR_NONE.
struct str api_endpoint_near(struct str path);

// --- for handlers ---

#define API_QUERY_MAX 16
struct api_param {
    struct str name, value; // decoded
};
struct api_call {
    const struct api *api;
    const struct api_request *request;
    const struct api_endpoint *endpoint;
    struct api_reply *reply;
    struct arena *arena; // the reply's
    struct sql *db;
    struct sql_scope scope; // the tenant's it acts for
    struct who who;         // the request's, with the tenant it acts for
    struct policy *policy;
    struct policy_subject subject;
    struct str params[API_PARAMS_MAX];
    struct api_param query[API_QUERY_MAX];
    size_t n_query;
    int64_t now;
    int64_t expected;         // from If-Match, or -1
    bool checked;             // a permission was asked for
    bool denied;              // and not had
    bool rows_differ;         // a list is shown row by row
    struct audit_event event; // a handler fills in resource, before, after; the rest is set
    struct str secret;        // to be shown once, in the answer alone
    int64_t (*project_teams)[2];
    size_t n_project_teams;
    bool has_project_teams;
    struct budget_use_view *budgets; // how they stand (api_budget_use.h); NULL: nobody has asked
};
struct str api_param(const struct api_call *call, const char *name); // of the query; STR_NONE = not given
// A further permission that depends on what was found: on this row, for this change. ERR_FORBIDDEN, or ERR_NOT_FOUND
// when the caller may not even read it.
NODISCARD bool api_check(struct api_call *call, enum action action, const struct policy_resource *resource,
                         struct err *err);
// Where a row lies and what it is called.
NODISCARD bool api_locate(struct api_call *call, const struct api_kind *kind, const struct entity_row *row,
                          struct policy_resource *out_resource, struct err *err);
// Begins the answer's JSON.
void api_answer(struct api_call *call, struct json_writer *out_w);
// Fills in what the event tells of the row.
void api_event_row(struct api_call *call, const struct api_kind *kind, const struct entity_row *row);
// A row's JSON without secrets, for the event; empty when out of memory.
struct str api_row_text(struct api_call *call, const struct api_kind *kind, const struct entity_row *row);
// The kind's row that the path's first parameter names (id or name); the caller may do this action to it.
NODISCARD bool api_find(struct api_call *call, const struct api_kind *kind, enum action action, struct entity_row *row,
                        struct err *err);
// The row as the answer.
void api_answer_row(struct api_call *call, const struct api_kind *kind, const struct entity_row *row);
bool api_wrong(struct err *err, const char *field, const char *fmt, ...) PRINTF_LIKE(3, 4);

// The five of an entity.
api_handler api_entity_list, api_entity_create, api_entity_get, api_entity_change, api_entity_delete;

extern const struct api_kind api_kind_tenant, api_kind_team, api_kind_project, api_kind_user, api_kind_service_account,
    api_kind_role, api_kind_grant, api_kind_elevation, api_kind_key, api_kind_budget;

#define API_LIST(plural, TYPE, k, what)                                                                                \
    {                                                                                                                  \
        .method = HTTP_GET, .path = STR_INIT("/api/v1/" plural), .resource = RESOURCE_##TYPE, .action = ACTION_READ,   \
        .flags = API_ROW, .kind = &k, .handle = api_entity_list, .query = "limit cursor sort fields q",                \
        .summary = "Lists " what                                                                                       \
    }
#define API_CREATE(plural, TYPE, k, what)                                                                              \
    {                                                                                                                  \
        .method = HTTP_POST, .path = STR_INIT("/api/v1/" plural), .resource = RESOURCE_##TYPE,                         \
        .action = ACTION_CREATE, .flags = API_CHANGES | API_ROW, .kind = &k, .handle = api_entity_create, .query = "", \
        .summary = "Makes " what                                                                                       \
    }
#define API_GET(plural, TYPE, k, what)                                                                                 \
    {                                                                                                                  \
        .method = HTTP_GET, .path = STR_INIT("/api/v1/" plural "/:id"), .resource = RESOURCE_##TYPE,                   \
        .action = ACTION_READ, .flags = API_ROW, .kind = &k, .handle = api_entity_get, .query = "fields",              \
        .summary = "Shows " what                                                                                       \
    }
#define API_CHANGE(plural, TYPE, k, what)                                                                              \
    {                                                                                                                  \
        .method = HTTP_PATCH, .path = STR_INIT("/api/v1/" plural "/:id"), .resource = RESOURCE_##TYPE,                 \
        .action = ACTION_UPDATE, .flags = API_CHANGES | API_ROW, .kind = &k, .handle = api_entity_change, .query = "", \
        .summary = "Changes " what                                                                                     \
    }
#define API_DELETE(plural, TYPE, k, what)                                                                              \
    {                                                                                                                  \
        .method = HTTP_DELETE, .path = STR_INIT("/api/v1/" plural "/:id"), .resource = RESOURCE_##TYPE,                \
        .action = ACTION_DELETE, .flags = API_CHANGES | API_ROW, .kind = &k, .handle = api_entity_delete, .query = "", \
        .summary = what                                                                                                \
    }

#endif
