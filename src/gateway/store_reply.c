// What the endpoints of files and batches share.
#include "gateway/store_reply.h"

#include "gateway/pipeline.h"
#include "govern/audit_note.h"
#include "os/clock.h"
#include "store/tenant.h"

static struct store_place place_of(const struct key_entry *key) {
    if (key->project_id) return (struct store_place){STORE_PLACE_PROJECT, key->project_id};
    if (key->owner.kind == PRINCIPAL_USER) return (struct store_place){STORE_PLACE_USER, key->owner.id};
    if (key->owner.kind == PRINCIPAL_SERVICE_ACCOUNT)
        return (struct store_place){STORE_PLACE_SERVICE_ACCOUNT, key->owner.id};
    return (struct store_place){STORE_PLACE_TENANT, 0};
}

struct store_caller store_caller_of(const struct call *call) {
    if (!call->key) return (struct store_caller){.tenant = TENANT_DEFAULT};
    return (struct store_caller){call->key->tenant_id, call->key->id, place_of(call->key)};
}

bool store_admits(const struct call *call, struct err *err) {
    const struct key_entry *key = call->key;
    return !key || permission_has(&key->scopes, RESOURCE_MODEL, ACTION_USE) ||
           err_set(err, ERR_FORBIDDEN, "The API key %.*s… may not do this: its scopes do not hold model:use.",
                   STR_ARG(key->prefix));
}

void store_note(const struct call *call, struct str action, struct str type, struct str id) {
    const struct key_entry *key = call->key;
    struct audit_denial d = {.tenant = key ? key->tenant_id : 0,
                             .key = key ? key->id : 0,
                             .name = key ? key->prefix : STR(""),
                             .action = action,
                             .resource_type = type,
                             .resource = id,
                             .reason = action, // what one key does of a kind in a minute is one event
                             .address = call->req->peer,
                             .request_id = str_of(call->id_text, REQUEST_ID_TEXT_LEN),
                             .was_allowed = true};
    audit_note_denied(call->gl->gateway->o.audit, &d);
}

bool store_query(const struct call *call, struct str name, struct str *out_value, struct err *err) {
    struct str rest = call->req->query, part;
    *out_value = STR("");
    while (rest.n && str_split(&rest, '&', &part)) {
        size_t eq = str_find_char(part, '=');
        if (!str_eq(str_head(part, eq), name)) continue;
        *out_value = http_path_decode(&call->req->arena, str_from(part, eq + 1));
        return out_value->p || err_no_memory(err);
    }
    return true;
}

bool store_query_limit(const struct call *call, int64_t low, int64_t high, int64_t otherwise, int64_t *out_limit,
                       struct err *err) {
    struct str text;
    if (!store_query(call, STR("limit"), &text, err)) return false;
    *out_limit = otherwise;
    if (!text.n || (str_to_i64(text, out_limit) && *out_limit >= low && *out_limit <= high)) return true;
    snprintf(err->param, sizeof err->param, "limit");
    err_set(err, ERR_INVALID_FIELD, "limit must be a number from %lld to %lld", (long long)low, (long long)high);
    snprintf(err->param, sizeof err->param, "limit");
    return false;
}

struct str store_path_id(const struct call *call) {
    const struct endpoint *e = call->endpoint;
    struct str rest = str_from(call->req->path, e->path.n);
    return str_head(rest, rest.n - e->suffix.n);
}

void store_put_time(struct json_writer *w, struct str name, int64_t at_ns) {
    if (at_ns)
        json_put_member_i64(w, name, at_ns / (int64_t)NS_PER_SEC);
    else
        json_put_member_null(w, name);
}

void store_list_begin(struct store_list *l, struct buf *out, int64_t limit) {
    *l = (struct store_list){.limit = limit};
    json_writer_init(&l->w, out);
    json_put_object(&l->w);
    json_put_member_str(&l->w, STR("object"), STR("list"));
    json_put_member_array(&l->w, STR("data"));
}

bool store_list_next(struct store_list *l, struct str id) {
    l->more = l->n == l->limit;
    if (l->more) return false;
    if (l->n++ == 0) snprintf(l->first, sizeof l->first, "%.*s", STR_ARG(id));
    snprintf(l->last, sizeof l->last, "%.*s", STR_ARG(id));
    return true;
}

void store_list_end(struct store_list *l) {
    json_put_array_end(&l->w);
    json_put_member_text(&l->w, STR("first_id"), str_c(l->first));
    json_put_member_text(&l->w, STR("last_id"), str_c(l->last));
    json_put_member_bool(&l->w, STR("has_more"), l->more);
    json_put_object_end(&l->w);
}
