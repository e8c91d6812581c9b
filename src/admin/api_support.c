// What the API's core needs besides its course: the policy, events, idempotency keys.
#include "admin/api_impl.h"

#include "access/policy_load.h"
#include "base/json_write.h"
#include "base/text.h"
#include "conf/conf.h"
#include "govern/mask.h"
#include "obs/event.h"
#include "obs/log.h"
#include "store/sealed.h"

#define KEEP_NS ((int64_t)24 * 3600 * 1000000000)
#define TOKEN_MAX 255

// --- the policy ---

static bool is_loaded(enum principal_kind kind) {
    return kind == PRINCIPAL_USER || kind == PRINCIPAL_SERVICE_ACCOUNT || kind == PRINCIPAL_TEAM ||
           kind == PRINCIPAL_TENANT;
}

// For the caller, the tenant it acts for, and others whom the request is about.
static bool load(struct api_call *call, const struct principal *others, size_t n, struct err *err) {
    struct principal who[API_PRINCIPALS_MAX + 2];
    struct policy *policy;
    size_t m = 0;
    INVARIANT(n <= API_PRINCIPALS_MAX);
    if (is_loaded(call->who.principal.kind)) who[m++] = call->who.principal;
    who[m++] = (struct principal){PRINCIPAL_TENANT, call->who.tenant};
    for (size_t i = 0; i < n; i++)
        if (is_loaded(others[i].kind)) who[m++] = others[i];
    if (!policy_load_principals(call->db, who, m, &policy, err)) return false;
    policy_unref(call->policy);
    call->policy = policy;
    return true;
}

static void init_subject(struct api_call *call) {
    policy_subject_init(call->policy, call->who.principal, call->who.home, call->request->within, &call->subject);
    call->subject.team = call->request->key_team;
    call->subject.project = call->request->key_project;
}

bool api_policy_load(struct api_call *call, struct err *err) {
    if (!load(call, NULL, 0, err)) return false;
    init_subject(call);
    return true;
}

bool api_policy_with(struct api_call *call, const struct principal *others, size_t n, struct err *err) {
    if (!load(call, others, n, err)) return false;
    init_subject(call);
    return true;
}

// --- events ---

struct str api_principal_text(struct principal p, char out[ENTITY_ID_TEXT_MAX]) {
    struct str kind = principal_kind_name(p.kind);
    const struct entity *e = entity_find(kind);
    return e && p.id ? entity_id_text(e, p.id, out) : kind;
}

void api_event_begin(struct api_call *call) {
    const struct who *who = &call->who;
    const struct api_endpoint *e = call->endpoint;
    struct audit_event *event = &call->event;
    char id[ENTITY_ID_TEXT_MAX];
    event->actor_kind = principal_kind_name(who->principal.kind);
    event->actor_id = arena_str(call->arena, api_principal_text(who->principal, id));
    event->actor_name = who->name;
    event->resource_type = resource_type_name(e->resource);
    event->action = e->audit ? str_c(e->audit)
                             : arena_printf(call->arena, "%.*s.%.*s", STR_ARG(event->resource_type),
                                            STR_ARG(action_name(e->action)));
    event->address = who->address;
    event->agent = who->agent;
    event->request_id = call->request->request_id;
    // Somebody may have put a whole key where its id belongs.
    char masked[MASK_PATH_MAX];
    event->resource_id = call->params[0].p ? arena_str(call->arena, mask_path(call->params[0], masked)) : STR_NONE;
}

bool api_may_lose(const struct api *api) {
    if (!api->conf) return false;
    struct conf *conf = api->conf(api->ctx);
    bool may = conf->audit.on_failure == AUDIT_ALLOW;
    conf_unref(conf);
    return may;
}

void api_event_lost(const void *ctx, const struct audit_event *event, const struct err *why) {
    const struct api *api = ctx;
    log_error(api->log, LOG_MSG("an event of the audit trail is lost"), LOG_STR("action", event->action),
              LOG_STR("actor", event->actor_name), LOG_STR("resource", event->resource_id), LOG_ERR(why));
}

static bool append_event(struct api_call *call, struct err *err) {
    const struct api *api = call->api;
    struct err why;
    bool lost;
    if (!api_may_lose(api)) return audit_append(call->scope, api->signer, &call->event, err);
    if (!audit_append_or_lose(call->scope, api->signer, &call->event, &lost, &why, err)) return false;
    if (lost) api_event_lost(api, &call->event, &why);
    return true;
}

bool api_event_append(struct api_call *call, enum audit_outcome outcome, struct str reason, struct err *err) {
    struct audit_event *event = &call->event;
    char home[ENTITY_ID_TEXT_MAX];
    event->outcome = outcome;
    if (reason.n) event->reason = reason;
    if (call->who.tenant != call->who.home) {
        event->on_behalf = arena_str(call->arena, entity_id_text(&entity_tenant, call->who.home, home));
        if (!event->on_behalf.p) return err_no_memory(err);
    }
    if (!call->api->signer) return err_set(err, ERR_INTERNAL, "there is nobody to sign the audit trail");
    return append_event(call, err);
}

void api_event_tell(struct api_call *call) {
    const struct audit_event *event = &call->event;
    BUF_AUTO struct buf data = BUF_INIT(EVENT_DATA_MAX);
    char tenant[ENTITY_ID_TEXT_MAX];
    struct json_writer w;
    if (!call->api->events) return;
    json_writer_init(&w, &data);
    json_put_object(&w);
    json_put_member_str(&w, STR("tenant_id"), entity_id_text(&entity_tenant, call->who.tenant, tenant));
    json_put_member_str(&w, STR("resource"), event->resource_id);
    json_put_member_str(&w, STR("name"), event->resource_name);
    json_put_member_str(&w, STR("actor"), event->actor_name);
    json_put_object_end(&w);
    if (!data.failed) event_tell(call->api->events, event->action, buf_str(&data));
}

struct str api_row_text(struct api_call *call, const struct api_kind *kind, const struct entity_row *row) {
    BUF_AUTO struct buf out = BUF_INIT(API_NOTE_MAX);
    struct json_writer w;
    json_writer_init(&w, &out);
    entity_put_json(&w, kind->entity, row, STR_NONE);
    return out.failed ? STR_NONE : arena_str(call->arena, buf_str(&out));
}

void api_event_row(struct api_call *call, const struct api_kind *kind, const struct entity_row *row) {
    const struct entity *e = kind->entity;
    char id[ENTITY_ID_TEXT_MAX];
    call->event.resource_type = resource_type_name(kind->resource);
    call->event.resource_id = arena_str(call->arena, entity_id_text(e, row->id, id));
    size_t name = entity_field_index(e, STR("name"));
    if (name == SIZE_MAX && e->called_by.n) name = entity_field_index(e, e->called_by);
    if (name != SIZE_MAX) call->event.resource_name = row->v[name].s;
}

// --- idempotency keys ---

// Who asks, as the table has it. A token is given away: what its maker was answered is not for who has it.
static struct str caller_text(struct api_call *call) {
    const struct api_credential *c = &call->request->credential;
    char id[ENTITY_ID_TEXT_MAX];
    struct str who = api_principal_text(call->who.principal, id);
    return arena_printf(call->arena, "%.*s/%lld%s", STR_ARG(who), (long long)call->who.key_id,
                        c->token.n && !c->session.n ? "/token" : "");
}

static bool request_hash(struct api_call *call, char out[KEY_HASH_SIZE], struct err *err) {
    const struct api_request *r = call->request;
    BUF_AUTO struct buf text = BUF_INIT(API_BODY_MAX);
    struct str parts[] = {http_method_text(r->method), r->path, r->query, str_trim(r->if_match), r->body};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        buf_put_u64(&text, parts[i].n);
        buf_putc(&text, ':');
        buf_put(&text, parts[i]);
    }
    if (text.failed) return err_no_memory(err);
    key_hash(datadir_secret(call->api->dir), buf_str(&text), out);
    return true;
}

static struct str seal_label(struct api_call *call) {
    return arena_printf(call->arena, "%lld/%.*s/%.*s", (long long)call->who.tenant, STR_ARG(caller_text(call)),
                        STR_ARG(call->request->idempotency_key));
}

// "VERSION LOCATION\nBODY"
static bool replay(struct api_call *call, int status, struct str answer, struct err *err) {
    struct api_reply *reply = call->reply;
    size_t line = str_find_char(answer, '\n'), space = str_find_char(answer, ' ');
    if (line == answer.n || space > line || !str_to_i64(str_head(answer, space), &reply->version))
        return err_set(err, ERR_STORE, "a kept answer is damaged");
    reply->location = arena_str(call->arena, str_of(answer.p + space + 1, line - space - 1));
    buf_put(&reply->body, str_from(answer, line + 1));
    reply->status = status;
    reply->replayed = true;
    return !reply->body.failed || err_no_memory(err);
}

static bool read_kept(struct api_call *call, struct sql_stmt *st, bool *out_replayed, struct err *err) {
    struct buf answer = BUF_INIT(API_BODY_MAX);
    char hash[KEY_HASH_SIZE];
    struct str had = sql_col_blob(st, 0), sealed = arena_str(call->arena, sql_col_blob(st, 2));
    int status = (int)sql_col_i64(st, 1);
    bool same = request_hash(call, hash, err) && had.n == sizeof hash && key_hash_eq(had.p, hash);
    sql_reset(st);
    if (!same) {
        api_wrong(err, "Idempotency-Key", "this Idempotency-Key was used before, with another request");
        err->status = 409;
        return false;
    }
    struct str label = seal_label(call);
    bool ok = unseal(call->scope, call->api->dir, STR("idempotency"), label, sealed, &answer, err) &&
              replay(call, status, buf_str(&answer), err);
    secret_wipe(answer.p, answer.cap);
    buf_free(&answer);
    *out_replayed = ok;
    return ok;
}

bool api_idempotency_find(struct api_call *call, bool *out_replayed, struct err *err) {
    struct str token = call->request->idempotency_key, caller = caller_text(call);
    struct sql_stmt *st;
    bool row;
    *out_replayed = false;
    if (token.n > TOKEN_MAX)
        return api_wrong(err, "Idempotency-Key", "an Idempotency-Key has at most %d bytes", TOKEN_MAX);
    for (size_t i = 0; i < token.n; i++)
        if (token.p[i] < 0x21 || token.p[i] > 0x7e)
            return api_wrong(err, "Idempotency-Key", "an Idempotency-Key is visible ASCII");
    if (!caller.n) return err_no_memory(err);
    if (!sql_prepare(call->scope,
                     STR("SELECT request, status, answer FROM idempotency WHERE tenant_id = ?1 AND caller = ?2 AND"
                         " token = ?3 AND at > ?4"),
                     &st, err))
        return false;
    sql_bind_text(st, 2, caller);
    sql_bind_text(st, 3, token);
    sql_bind_i64(st, 4, call->now - KEEP_NS);
    if (!sql_step(st, &row, err)) return false;
    return !row || read_kept(call, st, out_replayed, err);
}

static bool drop_old(struct api_call *call, struct str caller, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(call->scope,
                     STR("DELETE FROM idempotency WHERE tenant_id = ?1 AND (at <= ?2 OR (caller = ?3 AND token = ?4))"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, call->now - KEEP_NS);
    sql_bind_text(st, 3, caller);
    sql_bind_text(st, 4, call->request->idempotency_key);
    // Of those of the same name only old ones are left.
    return sql_run(st, err);
}

static bool insert_kept(struct api_call *call, struct str caller, struct str sealed, struct err *err) {
    struct sql_stmt *st;
    char hash[KEY_HASH_SIZE];
    if (!request_hash(call, hash, err)) return false;
    if (!sql_prepare(call->scope,
                     STR("INSERT INTO idempotency (tenant_id, caller, token, request, status, answer, at)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
                     &st, err))
        return false;
    sql_bind_text(st, 2, caller);
    sql_bind_text(st, 3, call->request->idempotency_key);
    sql_bind_blob(st, 4, str_of(hash, sizeof hash));
    sql_bind_i64(st, 5, call->reply->status);
    sql_bind_blob(st, 6, sealed);
    sql_bind_i64(st, 7, call->now);
    return sql_run(st, err);
}

bool api_idempotency_keep(struct api_call *call, struct err *err) {
    const struct api_reply *reply = call->reply;
    struct str caller = caller_text(call), label = seal_label(call);
    BUF_AUTO struct buf sealed = BUF_INIT(API_BODY_MAX);
    struct buf answer = BUF_INIT(API_BODY_MAX);
    if (!caller.n || !label.n) return err_no_memory(err);
    bool ok = buf_reserve(&answer, reply->body.n + reply->location.n + 64);
    buf_put_i64(&answer, reply->version);
    buf_putc(&answer, ' ');
    buf_put(&answer, reply->location);
    buf_putc(&answer, '\n');
    buf_put(&answer, buf_str(&reply->body));
    ok = (ok && !answer.failed) || err_no_memory(err);
    ok = ok && seal(call->scope, call->api->dir, STR("idempotency"), label, buf_str(&answer), &sealed, err);
    secret_wipe(answer.p, answer.cap);
    buf_free(&answer);
    return ok && drop_old(call, caller, err) && insert_kept(call, caller, buf_str(&sealed), err);
}
