// The API of all that a tenant has: its deletion with a proof.
#include "admin/api_impl.h"

#include "store/tenant.h"
#include "store/tenant_delete.h"
#include "store/tenant_export.h"
#include "store/tenant_proof.h"

// --- deletion ---

static bool text_of(struct api_call *call, const struct json_field *f, struct str *out_text, struct err *err) {
    return !f->found || json_string_text(f->raw, call->arena, out_text) || err_no_memory(err);
}

static bool confirmed(struct api_call *call, struct str name, struct str *out_reason, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("confirm"), .kinds = JSON_IS(JSON_STRING)},
                             {.name = STR_INIT("reason"), .kinds = JSON_IS(JSON_STRING)}};
    struct str confirm = STR("");
    *out_reason = STR("");
    if (call->request->body.n && !json_scan(call->request->body, f, ARRAY_LEN(f), err)) return false;
    if (!text_of(call, &f[0], &confirm, err) || !text_of(call, &f[1], out_reason, err)) return false;
    if (out_reason->n > 500) return api_wrong(err, "reason", "reason is at most 500 bytes long");
    return str_eq(confirm, name) ||
           api_wrong(err, "confirm", "confirm: expected the tenant's name, \"%.*s\": all that it has will be deleted",
                     STR_ARG(name));
}

static bool may_go(const struct entity_row *row, struct str status, struct err *err) {
    if (row->id == TENANT_DEFAULT)
        return err_set(err, ERR_WRONG_STATE, "the default tenant is the server's own and cannot be deleted");
    return !str_eq(status, STR("active")) ||
           err_set(err, ERR_WRONG_STATE, "the tenant is active: suspend it first, and see that nobody misses it");
}

// In one transaction with its event.
static bool mark(struct api_call *call, struct entity_row *row, struct str reason, struct err *err) {
    const struct audit_event *e = &call->event;
    struct tenant_delete_wish wish = {.tenant = row->id,
                                      .name = entity_at(&entity_tenant, row, "name")->s,
                                      .title = entity_at(&entity_tenant, row, "title")->s,
                                      .reason = reason,
                                      .actor_kind = e->actor_kind,
                                      .actor_id = e->actor_id,
                                      .actor_name = e->actor_name,
                                      .address = e->address,
                                      .request_id = e->request_id,
                                      .now = call->now};
    call->event.before = api_row_text(call, &api_kind_tenant, row);
    for (size_t i = 0; i < entity_tenant.n; i++) row->v[i].given = false;
    *entity_at(&entity_tenant, row, "status") = (struct entity_value){.given = true, .s = STR("deleting")};
    *entity_at(&entity_tenant, row, "status_at") = (struct entity_value){.given = true, .i = call->now};
    *entity_at(&entity_tenant, row, "status_reason") = (struct entity_value){.given = true, .s = reason};
    return entity_update(sql_platform(call->db), &entity_tenant, row, call->expected, call->now, err) &&
           tenant_delete_begin(call->db, &wish, err) && api_event_append(call, AUDIT_OK, reason, err);
}

static bool begin(struct api_call *call, struct str *out_name, int64_t *out_id, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    const struct policy_resource platform = {.type = RESOURCE_TENANT};
    struct str reason;
    if (!row) return err_no_memory(err);
    // Asked first: who may not is not told which tenants there are.
    if (!api_check(call, ACTION_DELETE, &platform, err) || !api_find(call, &api_kind_tenant, ACTION_READ, row, err))
        return false;
    struct str status = entity_at(&entity_tenant, row, "status")->s;
    *out_name = entity_at(&entity_tenant, row, "name")->s;
    *out_id = row->id;
    if (!may_go(row, status, err) || !confirmed(call, *out_name, &reason, err)) return false;
    if (str_eq(status, STR("deleting"))) return true; // somebody began: it is gone on with
    return mark(call, row, reason, err);
}

static bool delete (struct api_call *call, struct err *err) {
    struct str name = STR_NONE;
    int64_t id = 0;
    if (!sql_begin(call->db, err)) return false;
    if (!begin(call, &name, &id, err)) {
        sql_rollback(call->db);
        return false;
    }
    if (!sql_commit(call->db, err)) return false;
    datadir_key_changed(call->api->dir);
    struct tenant_deleter d = {.db = call->db, .dir = call->api->dir, .signer = call->api->signer};
    if (!tenant_delete_run(&d, id, err))
        return err_wrap(err, "the tenant is being deleted, and this goes on by itself where it was interrupted");
    datadir_key_changed(call->api->dir);
    datadir_config_changed(call->api->dir);
    return tenant_proof_find(call->db, id, name, &call->reply->body, err);
}

static bool proof(struct api_call *call, struct err *err) {
    int64_t id = 0;
    struct str what = call->params[0];
    if (!entity_id_parse(&entity_tenant, what, &id)) id = 0;
    return tenant_proof_find(call->db, id, what, &call->reply->body, err);
}

// --- export ---

struct export_pieces {
    struct api_pieces pieces; // first
    struct tenant_export *export;
};

static bool export_next(struct api_pieces *pieces, struct buf *out, bool *out_end, struct err *err) {
    return tenant_export_next(((struct export_pieces *)pieces)->export, out, out_end, err);
}

static void export_free(struct api_pieces *pieces) {
    tenant_export_free(((struct export_pieces *)pieces)->export);
    mem_free(pieces);
}

// That all of a tenant's data is taken out is an event of its trail, on the disk before it is.
static bool export_told(struct api_call *call, int64_t tenant, struct err *err) {
    call->scope = sql_tenant(call->db, tenant);
    if (!sql_begin(call->db, err)) return false;
    if (api_event_append(call, AUDIT_OK, STR_NONE, err)) return sql_commit(call->db, err);
    sql_rollback(call->db);
    return false;
}

static bool export(struct api_call *call, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct export_pieces *x = mem_zalloc(1, sizeof *x);
    if (!row || !x) {
        mem_free(x);
        return err_no_memory(err);
    }
    x->pieces = (struct api_pieces){export_next, export_free};
    bool ok = api_find(call, &api_kind_tenant, ACTION_EXPORT, row, err);
    struct str text = ok ? api_row_text(call, &api_kind_tenant, row) : STR_NONE;
    struct str head = arena_printf(call->arena, "\"tenant\":%.*s", STR_ARG(text));
    ok = ok && ((text.n && head.n) || err_no_memory(err)) && export_told(call, row->id, err) &&
         tenant_export_open(call->api->dir, row->id, head, &x->export, err);
    if (ok) {
        call->reply->type = STR("application/x-ndjson");
        call->reply->pieces = &x->pieces;
    } else {
        mem_free(x);
    }
    return ok;
}

#define PROOF                                                                                                          \
    "{\"type\":\"object\",\"properties\":{\"proof\":{\"type\":\"object\"},\"signature\":{\"type\":\"object\","         \
    "\"properties\":"                                                                                                  \
    "{\"algorithm\":{\"type\":\"string\"},\"key_id\":{\"type\":\"integer\"},\"public_key\":{\"type\":\"string\"},"     \
    "\"value\":{\"type\":\"string\"}}}}}"

static const struct api_endpoint k_endpoints[] = {
    {.method = HTTP_DELETE,
     .path = STR_INIT("/api/v1/tenants/:id"),
     .resource = RESOURCE_TENANT,
     .action = ACTION_DELETE,
     .flags = API_ROW | API_TELLS | API_HEAVY,
     .handle = delete,
     .kind = &api_kind_tenant,
     .query = "",
     .body = "{\"type\":\"object\",\"required\":[\"confirm\"],\"properties\":{\"confirm\":{\"type\":\"string\","
             "\"description\":\"The tenant's name\"},\"reason\":{\"type\":\"string\",\"maxLength\":500}}}",
     .answer = PROOF,
     .summary = "Deletes a suspended tenant with all that it has, for good, and answers with the signed proof",
     .audit = "tenant.delete_begin"},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/tenants/:id/export"),
     .resource = RESOURCE_TENANT,
     .action = ACTION_EXPORT,
     .flags = API_ROW | API_TELLS | API_HEAVY,
     .kind = &api_kind_tenant,
     .handle = export,
     .query = "",
     .answer = "",
     .summary = "Exports everything that a tenant has, as lines of JSON"},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/tenants/:id/proof"),
     .resource = RESOURCE_TENANT,
     .action = ACTION_READ,
     .flags = API_PLATFORM,
     .handle = proof,
     .query = "",
     .answer = PROOF,
     .summary = "Shows the signed proof that a tenant was deleted, by the id or the name that it had"},
};
const struct api_table api_table_tenant_data = {"Tenants' data", k_endpoints, ARRAY_LEN(k_endpoints)};
