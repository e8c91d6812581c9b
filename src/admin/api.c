// Carries a request out: endpoint, transaction, permission, handler, audit event, commit, news.
#include "admin/api_budget_use.h"
#include "admin/api_impl.h"

#include "access/host_table.h"
#include "base/json_write.h"
#include "govern/audit_note.h"
#include "govern/mask.h"
#include "obs/event.h"
#include "obs/log.h"
#include "os/clock.h"
#include "store/sql_pool.h"
#include "store/tenant.h"

#include <stdarg.h>

bool api_wrong(struct err *err, const char *field, const char *fmt, ...) {
    char message[ERR_MESSAGE_MAX], name[sizeof err->param];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    snprintf(name, sizeof name, "%s", field);
    err_set(err, ERR_INVALID_FIELD, "%s", message);
    memcpy(err->param, name, sizeof name);
    return false;
}

void api_answer(struct api_call *call, struct json_writer *out_w) { json_writer_init(out_w, &call->reply->body); }

// --- permissions ---

bool api_decide(struct api_call *call, enum action action, const struct policy_resource *resource,
                struct policy_decision *out_decision) {
    struct policy_resource r = *resource;
    call->checked = true;
    // A grant for the whole platform is read as the tenant's others are: who can do what is not hidden from those who
    // may see grants. To give it and to take it back is another matter.
    if (r.type == RESOURCE_GRANT && action == ACTION_READ && !r.tenant) r.tenant = call->who.tenant;
    return policy_decide(call->policy, &call->subject, action, &r, call->now, out_decision);
}

bool api_not_found(const struct api_kind *kind, struct err *err) {
    return err_set(err, ERR_NOT_FOUND, "%.*s not found", STR_ARG(kind ? kind->entity->title : STR("Resource")));
}

bool api_check(struct api_call *call, enum action action, const struct policy_resource *resource, struct err *err) {
    struct policy_decision d, may_read;
    struct str type = resource_type_name(resource->type), verb = action_name(action);
    if (api_decide(call, action, resource, &d)) return true;
    call->denied = true;
    bool row = resource->id.n != 0;
    if (row && (action == ACTION_READ || !api_decide(call, ACTION_READ, resource, &may_read)))
        return api_not_found(call->endpoint->kind, err);
    return err_set(err, ERR_FORBIDDEN, "the permission %.*s:%.*s is needed here, and %s", STR_ARG(type), STR_ARG(verb),
                   d.reason == POLICY_DENIED          ? "a grant denies it to you"
                   : d.reason == POLICY_BEYOND_SCOPES ? "the scopes of your key or token leave it out"
                   : d.reason == POLICY_SUSPENDED     ? "you or your tenant are suspended"
                                                      : "nothing grants it to you");
}

static bool no_act_as(struct api_call *call, struct err *err) {
    call->denied = true;
    return err_set(err, ERR_FORBIDDEN,
                   "to act for another tenant (X-Penstock-Tenant) the permission "
                   "tenant:act_as is needed on it");
}

// A token made for another tenant is good as long as who made it may act for that one, whether or not the token may.
static bool still_acts(struct api_call *call, struct err *err) {
    struct policy_resource target = {.type = RESOURCE_TENANT, .tenant = call->who.tenant};
    struct policy_subject whole = call->subject;
    struct policy_decision d;
    if (call->who.tenant == call->who.home) return true;
    whole.within = NULL;
    return policy_decide(call->policy, &whole, ACTION_ACT_AS, &target, call->now, &d) || no_act_as(call, err);
}

// A tenant's own address admits its own people and keys, for that tenant alone.
static bool check_host(struct api_call *call, int64_t tenant, struct err *err) {
    int64_t of;
    if (!host_tenant(call->db, call->request->credential.door.host, &of, err)) return false;
    if (!of || of == tenant) return true;
    call->denied = true;
    return err_set(err, ERR_FORBIDDEN,
                   "this address is a tenant's own, and does not admit you: use the server's own address");
}

bool api_act_for(struct api_call *call, struct err *err) {
    const struct api_request *r = call->request;
    struct policy_decision d;
    struct str name = str_trim(r->tenant);
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    if (!row) return err_no_memory(err);
    if (!still_acts(call, err) || !check_host(call, call->who.home, err) || !check_host(call, call->who.tenant, err))
        return false;
    if (!name.n) return true;
    struct sql_scope all = sql_platform(call->db);
    bool there = str_eq(name, STR("default")) ? entity_get(all, &entity_tenant, TENANT_DEFAULT, call->arena, row, err)
                                              : entity_resolve(all, &entity_tenant, name, call->arena, row, err);
    if (!there && err->code != ERR_NOT_FOUND) return false;
    if (there && row->id == call->who.tenant) return true;
    if (there && row->id == call->who.home)
        return err_set(err, ERR_FORBIDDEN, "this access token is for another tenant than \"%.*s\"",
                       STR_ARG(str_head(name, 60)));
    // Who may not act for others is not told which there are.
    struct policy_resource target = {.type = RESOURCE_TENANT, .tenant = there ? row->id : 0};
    bool may = api_decide(call, ACTION_ACT_AS, &target, &d);
    call->checked = false;
    if (!may) return no_act_as(call, err);
    if (!there) return api_not_found(&api_kind_tenant, err);
    if (str_eq(entity_at(&entity_tenant, row, "status")->s, STR("deleting")))
        return err_set(err, ERR_WRONG_STATE, "the tenant is being deleted");
    if (!check_host(call, row->id, err)) return false;
    call->who.tenant = row->id;
    call->who.tenant_name = entity_at(&entity_tenant, row, "name")->s;
    call->scope = sql_tenant(call->db, row->id);
    // With the tenant come its roles, and what it denies to everybody.
    return api_policy_load(call, err);
}

static bool check_endpoint(struct api_call *call, struct err *err) {
    const struct api_endpoint *e = call->endpoint;
    if (e->flags & (API_OPEN | API_ROW)) return true;
    struct policy_resource r = {.type = e->resource, .tenant = e->flags & API_PLATFORM ? 0 : call->who.tenant};
    return api_check(call, e->action, &r, err);
}

static bool check_caller(struct api_call *call, struct err *err) {
    const struct who *who = call->request->who;
    if (call->endpoint->flags & API_ANYBODY || api_caller_given(call->request)) return true;
    if (!who || who->principal.kind == PRINCIPAL_NOBODY)
        return err_set(err, ERR_UNAUTHENTICATED, "nobody is signed in and no API key was given");
    call->who = *who;
    if (!call->who.home) call->who.home = TENANT_DEFAULT;
    call->who.tenant = call->who.home;
    return true;
}

// --- the request ---

static bool find_endpoint(struct api_call *call, struct err *err) {
    const struct api_request *r = call->request;
    char masked[MASK_PATH_MAX];
    struct str path = str_head(mask_path(r->path, masked), 100), name = http_method_text(r->method);
    call->endpoint = api_endpoint_find(r->method, r->path, call->params, call->arena, &call->reply->allow);
    for (size_t i = 0; call->endpoint && i < API_PARAMS_MAX; i++)
        if (call->params[i].p && !api_decode(call->params[i], call->arena, &call->params[i], err)) return false;
    if (call->endpoint) {
        call->reply->allow = STR_NONE;
        return true;
    }
    if (call->reply->allow.n)
        return err_set(err, ERR_METHOD_NOT_ALLOWED, "%.*s takes %.*s, not %.*s", STR_ARG(path),
                       STR_ARG(call->reply->allow), STR_ARG(name));
    struct str near = api_endpoint_near(r->path);
    return err_set(err, ERR_NOT_FOUND, "there is nothing at %.*s%s%.*s%s", STR_ARG(path),
                   near.n ? "; did you mean " : "", STR_ARG(near), near.n ? "?" : "");
}

// If-Match: "7"; * or nothing = whatever version there is.
static bool parse_expected(struct api_call *call, struct err *err) {
    struct str value = str_trim(call->request->if_match);
    uint64_t v;
    call->expected = -1;
    if (!value.n || str_eq(value, STR("*"))) return true;
    bool quoted = value.n > 2 && value.p[0] == '"' && value.p[value.n - 1] == '"';
    if (!quoted || !str_to_u64(str_of(value.p + 1, value.n - 2), &v) || v > INT64_MAX)
        return api_wrong(err, "If-Match", "If-Match is a version in double quotes, as the ETag was");
    call->expected = (int64_t)v;
    return true;
}

static bool handle(struct api_call *call, bool *out_replayed, struct err *err) {
    const struct api_endpoint *e = call->endpoint;
    *out_replayed = false;
    if (e->flags & API_CHANGES && call->request->idempotency_key.n) {
        if (!api_idempotency_find(call, out_replayed, err)) return false;
        if (*out_replayed) return true;
    }
    if (!check_endpoint(call, err) || !e->handle(call, err)) return false;
    // An answer for which nobody was asked whether it may be given is not given.
    if (!call->checked && !(e->flags & API_OPEN))
        return err_set(err, ERR_INTERNAL, "no permission was asked for at %.*s", STR_ARG(e->path));
    return !call->reply->body.failed || err_no_memory(err);
}

static bool finish_change(struct api_call *call, struct err *err) {
    if (!api_event_append(call, AUDIT_OK, STR_NONE, err)) return false;
    if (call->request->idempotency_key.n && !api_idempotency_keep(call, err)) return false;
    return sql_commit(call->db, err);
}

static bool run_change(struct api_call *call, struct err *err) {
    bool replayed;
    if (!sql_begin(call->db, err)) return false;
    // Within the transaction: what is decided holds until it ends.
    if (!api_policy_load(call, err) || !api_act_for(call, err) || !handle(call, &replayed, err)) return false;
    if (replayed) {
        sql_rollback(call->db);
        return true;
    }
    if (!finish_change(call, err)) return false;
    datadir_key_changed(call->api->dir);
    api_event_tell(call);
    return true;
}

static bool run_read(struct api_call *call, struct err *err) {
    bool replayed;
    const struct api_endpoint *e = call->endpoint;
    if (e->flags & API_ANYBODY) return e->handle(call, err);
    // Rights, rows and their number are those of one moment.
    if (e->method == HTTP_GET && !(e->flags & API_TELLS) && !sql_begin_read(call->db, err)) return false;
    return api_policy_load(call, err) && api_act_for(call, err) && handle(call, &replayed, err);
}

static bool open_db(struct api_call *call, struct err *err) {
    const struct api *api = call->api;
    bool changes = call->endpoint->flags & API_CHANGES;
    if (call->endpoint->flags & API_ANYBODY && !changes) return true;
    call->db = api->db;
    if (!call->db && api->pool && !sql_pool_take(api->pool, &call->db, err)) return false;
    if (!call->db && !datadir_open_db(api->dir, SQL_BUSY_MS_DEFAULT, &call->db, err)) return false;
    // Of callers not known yet: whatever the handler does is the platform's.
    call->scope = call->who.tenant ? sql_tenant(call->db, call->who.tenant) : sql_platform(call->db);
    return true;
}

static void close_db(struct api_call *call) {
    budget_use_end(call);
    if (!call->db) return;
    sql_rollback(call->db);
    policy_unref(call->policy);
    call->policy = NULL;
    if (call->db != call->api->db && call->api->pool)
        sql_pool_give(call->api->pool, call->db);
    else if (call->db != call->api->db)
        sql_close(call->db);
    call->db = NULL;
}

static bool run(struct api_call *call, struct err *err) {
    if (!check_caller(call, err) || !api_query_parse(call, err) || !parse_expected(call, err) || !open_db(call, err) ||
        !api_caller_find(call, err))
        return false;
    api_event_begin(call);
    return call->endpoint->flags & API_CHANGES ? run_change(call, err) : run_read(call, err);
}

// --- the answer ---

// One caller that is denied the same over and over neither fills the trail nor keeps others from writing to it.
static bool is_repeated(const struct api_call *call) {
    const struct audit_event *e = &call->event;
    struct audit_denial denial = {.tenant = call->who.tenant,
                                  .name = e->actor_name,
                                  .action = e->action,
                                  .actor_kind = e->actor_kind,
                                  .actor_id = e->actor_id,
                                  .resource_type = e->resource_type,
                                  .resource = e->resource_id,
                                  .reason = STR("permission_denied"),
                                  .address = e->address,
                                  .request_id = e->request_id};
    return audit_note_repeated(call->api->notes, &denial);
}

static void note_denial(struct api_call *call, const struct err *why) {
    struct err err;
    if (!call->db || !call->denied) return;
    sql_rollback(call->db);
    if (is_repeated(call)) return;
    struct str reason = str_c(why->message);
    call->event.before = call->event.after = STR_NONE;
    bool ok =
        sql_begin(call->db, &err) && api_event_append(call, AUDIT_DENIED, reason, &err) && sql_commit(call->db, &err);
    if (!ok) sql_rollback(call->db);
    // What cannot be told of must not be told to the caller either: a fault in place of the denial.
    if (!ok) call->reply->err = err;
}

// Where and why the database failed is for operators and the log.
static void hide_fault(struct api_call *call) {
    struct err *err = &call->reply->err;
    if (!err_is_inner(err) || call->who.principal.kind == PRINCIPAL_OPERATOR) return;
    char masked[MASK_PATH_MAX];
    if (call->api->log)
        log_error(call->api->log, LOG_MSG("a request of the admin API failed"),
                  LOG_STR("request_id", call->request->request_id),
                  LOG_STR("path", mask_path(call->request->path, masked)), LOG_ERR(err));
    err_hide(err);
}

static void put_problem(struct api_call *call) {
    struct api_reply *reply = call->reply;
    buf_clear(&reply->body);
    api_problem_put(&reply->body, &reply->err, call->endpoint, call->request->request_id);
    if (reply->body.failed) buf_clear(&reply->body);
    reply->type = STR("application/problem+json");
    reply->status = api_status_of(&reply->err);
    reply->version = -1;
    reply->location = STR_NONE;
}

static void call_begin(struct api_call *call, const struct api *api, const struct api_request *request,
                       struct api_reply *reply) {
    *reply = (struct api_reply){.status = 200, .type = STR("application/json"), .version = -1};
    buf_init(&reply->body, API_BODY_MAX);
    arena_init(&reply->arena, NULL, 0, API_ARENA_MAX);
    *call = (struct api_call){
        .api = api, .request = request, .reply = reply, .arena = &reply->arena, .now = clock_unix_ns()};
}

void api_execute(const struct api *api, const struct api_request *request, struct api_reply *out_reply) {
    struct api_call call;
    struct err err;
    call_begin(&call, api, request, out_reply);
    bool ok = find_endpoint(&call, &err);
    if (ok && (call.endpoint->flags & API_STREAM || !call.endpoint->handle))
        ok = err_set(&err, ERR_NOT_FOUND, "%.*s is served by a running server alone", STR_ARG(call.endpoint->path));
    ok = ok && run(&call, &err);
    if (!ok) {
        out_reply->err = err;
        note_denial(&call, &err);
        hide_fault(&call);
        put_problem(&call);
    }
    close_db(&call);
}

bool api_permit(const struct api *api, const struct api_request *request, struct err *err) {
    struct api_reply reply;
    struct api_call call;
    call_begin(&call, api, request, &reply);
    bool ok =
        find_endpoint(&call, err) && check_caller(&call, err) && open_db(&call, err) && api_caller_find(&call, err);
    if (ok) {
        api_event_begin(&call);
        ok = api_policy_load(&call, err) && api_act_for(&call, err) && check_endpoint(&call, err);
        if (!ok) {
            reply.err = *err;
            note_denial(&call, err);
            *err = reply.err;
        }
    }
    close_db(&call);
    api_reply_free(&reply);
    return ok;
}

void api_reply_free(struct api_reply *reply) {
    if (reply->pieces) reply->pieces->free(reply->pieces);
    // It may hold the text of a new key.
    secret_wipe(reply->body.p, reply->body.cap);
    buf_free(&reply->body);
    arena_wipe_free(&reply->arena);
}

int api_status_of(const struct err *err) { return err->code == ERR_CONFIG_INVALID ? 422 : err->status; }

static bool has_field(const struct api_endpoint *e, struct str name) {
    return entity_field_index(e->kind->entity, name) != SIZE_MAX;
}

void api_problem_put(struct buf *out, const struct err *err, const struct api_endpoint *endpoint,
                     struct str request_id) {
    const struct err_info *info = err_info(err->code);
    struct json_writer w;
    char type[120];
    struct str field = str_c(err->param), near = STR_NONE;
    if (field.n && endpoint && endpoint->kind && !has_field(endpoint, field))
        near = entity_field_near(endpoint->kind->entity, field);
    snprintf(type, sizeof type, "urn:penstock:problem:%s", info->wire_code);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("type"), str_c(type));
    json_put_member_str(&w, STR("title"), str_c(info->meaning));
    json_put_member_i64(&w, STR("status"), api_status_of(err));
    json_put_member_str(&w, STR("detail"), str_c(err->message));
    json_put_member_str(&w, STR("code"), str_c(info->wire_code));
    if (field.n) json_put_member_str(&w, STR("field"), field);
    if (near.n) json_put_member_str(&w, STR("near"), near);
    if (request_id.n) json_put_member_str(&w, STR("request_id"), request_id);
    json_put_object_end(&w);
}
