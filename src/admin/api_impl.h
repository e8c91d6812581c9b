// What the files of the API's core share.
//
// Ownership, threads, errors: as in api.h.
#ifndef ADMIN_API_IMPL_H
#define ADMIN_API_IMPL_H

#include "access/key.h"
#include "admin/api.h"
#include "base/json_read.h"

#include <stdio.h>

#define API_ARENA_MAX ((size_t)128 << 20)
#define API_BODY_MAX ((size_t)64 << 20)
#define API_NOTE_MAX ((size_t)1 << 20) // a row's JSON in an event

NODISCARD bool api_query_parse(struct api_call *call, struct err *err);
// Whether the endpoint names the parameter.
bool api_query_known(const struct api_endpoint *e, struct str name);
NODISCARD bool api_decode(struct str text, struct arena *arena, struct str *out_text, struct err *err);

// The answer to an earlier request with this key, if there is one: *out_replayed.
NODISCARD bool api_idempotency_find(struct api_call *call, bool *out_replayed, struct err *err);
NODISCARD bool api_idempotency_keep(struct api_call *call, struct err *err);

// From what it came with, once the database is open: who, and what it may be used for.
NODISCARD bool api_caller_find(struct api_call *call, struct err *err);
bool api_caller_given(const struct api_request *request);

// Who, on whose behalf, from where.
void api_event_begin(struct api_call *call);
NODISCARD bool api_event_append(struct api_call *call, enum audit_outcome outcome, struct str reason, struct err *err);
void api_event_tell(struct api_call *call);
// Whether an act may happen though the trail takes no event; then the log tells it. ctx: the struct api.
bool api_may_lose(const struct api *api);
void api_event_lost(const void *ctx, const struct audit_event *event, const struct err *why);

NODISCARD bool api_policy_load(struct api_call *call, struct err *err);
// Anew, with what is known of others whom the request is about; call->subject is made again.
#define API_PRINCIPALS_MAX 4
NODISCARD bool api_policy_with(struct api_call *call, const struct principal *others, size_t n, struct err *err);
// For the tenant that the header names.
NODISCARD bool api_act_for(struct api_call *call, struct err *err);
bool api_decide(struct api_call *call, enum action action, const struct policy_resource *resource,
                struct policy_decision *out_decision);
bool api_not_found(const struct api_kind *kind, struct err *err);

void api_put_row(struct api_call *call, const struct api_kind *kind, struct json_writer *w,
                 const struct entity_row *row, struct str only);
// The team of a project, 0 = none.
NODISCARD bool api_project_team(struct api_call *call, int64_t project, int64_t *out_team, struct err *err);

// Revokes what was granted to a principal, takes it out of teams, and revokes its keys.
NODISCARD bool api_forget_principal(struct api_call *call, struct principal principal, struct err *err);
// Runs a statement in the tenant's scope with up to three numbers from ?2 on.
NODISCARD bool api_run(struct api_call *call, struct str text, const int64_t *values, size_t n, struct err *err);
// Whether a role is there for the tenant.
NODISCARD bool api_role_known(struct api_call *call, struct str name, const char *field, struct err *err);
NODISCARD bool api_scope_of(struct api_call *call, const struct entity_value *value, enum scope_kind *out_kind,
                            int64_t *out_id, int64_t *out_team, struct err *err);
struct principal api_principal_of(const struct entity_value *value);
// "user_0…", or the kind alone.
struct str api_principal_text(struct principal p, char out[ENTITY_ID_TEXT_MAX]);

// --- keys, besides the five of an entity ---

api_handler api_key_identify;

// --- lists ---

// limit, cursor, sort, q and filters of the request.
NODISCARD bool api_list_query(struct api_call *call, const struct entity *e, struct sql_scope scope,
                              struct entity_query *q, struct err *err);
// What is wrong with a query is told to those who may read something of the kind; others are told that they may not.
// Always false.
bool api_list_wrong(struct api_call *call, enum resource_type type, struct err *err);
// The rows of a page into an open array.
NODISCARD bool api_list_into(struct api_call *call, const struct api_kind *kind, struct entity_query *query,
                             struct json_writer *w, struct buf *cursor, bool *out_more, uint64_t *out_total,
                             struct err *err);
// Closes the array and the object around it.
void api_put_page_end(struct json_writer *w, bool more, struct str cursor, uint64_t total);

#endif
