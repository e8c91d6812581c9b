// The end of a tenant's deletion: its audit trail goes, nothing is left in any table, and the proof is signed.
#include "store/tenant_delete_impl.h"

#include "os/clock.h"
#include "store/audit_key.h"
#include "store/audit_read.h"
#include "store/audit_text.h"
#include "store/entity.h"
#include "store/tenant.h"
#include "store/tenant_proof.h"

#define ARENA_MAX ((size_t)4 << 20)

struct finish {
    const struct tenant_deleter *d;
    struct sql *db;
    int64_t tenant, now;
    struct arena arena;
    struct tenant_delete_wish wish;
    struct str data_keys;
    struct audit_head head;
    bool has_head;
};

// --- the audit trail ---

// Whoever appends to it waits for this transaction, and then finds it gone.
static bool head_hold(struct finish *f, struct err *err) {
    struct sql_stmt *st;
    int64_t checkpoint;
    return sql_prepare(sql_tenant(f->db, f->tenant), STR("UPDATE audit_head SET seq = seq WHERE tenant_id = ?1"), &st,
                       err) &&
           sql_run(st, err) && audit_head_read(sql_tenant(f->db, f->tenant), &f->head, &checkpoint, &f->has_head, err);
}

static bool remove_words(void *arg, const struct audit_record *record, struct err *err) {
    struct finish *f = arg;
    return audit_text_remove(f->db, f->tenant, record->id, &record->event, err);
}

static bool trail_delete(struct finish *f, struct err *err) {
    bool postgres = sql_is_postgres(f->db);
    if (!head_hold(f, err)) return false;
    if (!postgres &&
        (!audit_each(sql_tenant(f->db, f->tenant), 0, 0, remove_words, f, err) || !audit_text_compact(f->db, err)))
        return false;
    for (size_t i = 0; i < tenant_table_count(); i++) {
        const struct tenant_table *t = tenant_table_at(i);
        bool here = t->rows == TENANT_ROWS_AUDIT || (t->rows == TENANT_ROWS_WORDS && postgres);
        if (here && !tenant_delete_table(f->db, f->tenant, t->name, err)) return false;
    }
    return true;
}

// --- nothing is left ---

bool tenant_tables_each(struct sql *db, tenant_table_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    struct str text = sql_is_postgres(db)
                          ? STR("SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a"
                                " ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped"
                                " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace ORDER BY 1")
                          : STR("SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c"
                                " WHERE m.type = 'table' AND c.name = 'tenant_id' ORDER BY 1");
    if (!sql_prepare(sql_platform(db), text, &st, err)) return false;
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        if (!visit(arg, sql_col_text(st, 0), err)) break;
    }
    sql_reset(st);
    return false;
}

static bool is_empty(void *arg, struct str table, struct err *err) {
    struct finish *f = arg;
    char text[200];
    struct sql_stmt *st;
    bool row;
    int n = snprintf(text, sizeof text, "SELECT 1 FROM %.*s WHERE tenant_id = ?1 LIMIT 1", STR_ARG(table));
    if (n < 0 || (size_t)n >= sizeof text) return err_set(err, ERR_STORE, "a table's name is too long");
    if (!sql_prepare(sql_tenant(f->db, f->tenant), str_of(text, (size_t)n), &st, err) || !sql_step(st, &row, err))
        return false;
    if (!row) return true;
    sql_reset(st);
    return err_set(err, ERR_STORE_BUSY, "the table %.*s still has rows of the tenant: it is tried again",
                   STR_ARG(table));
}

static bool tenant_row_delete(struct finish *f, struct err *err) {
    struct sql_stmt *st;
    return sql_prepare(sql_tenant(f->db, f->tenant),
                       STR("DELETE FROM tenant WHERE id = ?1 AND name <> '' RETURNING id AS tenant_id"), &st, err) &&
           sql_run(st, err);
}

// --- the proof ---

static void put_time(struct json_writer *w, struct str name, int64_t ns) {
    char text[TIME_TEXT_LEN];
    time_text(text, ns);
    json_put_member_str(w, name, str_of(text, sizeof text));
}

static void put_hash(struct json_writer *w, struct str name, const struct audit_hash *hash) {
    BUF_AUTO struct buf hex = BUF_INIT(256);
    hex_put(&hex, str_of((const char *)hash->p, sizeof hash->p));
    json_put_member_str(w, name, buf_str(&hex));
}

static bool put_rows(struct finish *f, struct json_writer *w, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(f->db),
                     STR("SELECT name, deleted FROM tenant_deletion_rows WHERE tenant = ?1 ORDER BY name"), &st, err))
        return false;
    sql_bind_i64(st, 1, f->tenant);
    json_put_member_object(w, STR("rows"));
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) break;
        json_put_member_i64(w, sql_col_text(st, 0), sql_col_i64(st, 1));
    }
    json_put_object_end(w);
    return true;
}

static void put_who(struct finish *f, struct json_writer *w) {
    const struct tenant_delete_wish *q = &f->wish;
    json_put_member_object(w, STR("requested_by"));
    json_put_member_str(w, STR("kind"), q->actor_kind);
    json_put_member_str(w, STR("id"), q->actor_id);
    json_put_member_str(w, STR("name"), q->actor_name);
    json_put_member_str(w, STR("address"), q->address);
    json_put_member_str(w, STR("request_id"), q->request_id);
    json_put_object_end(w);
    json_put_member_str(w, STR("reason"), q->reason);
    put_time(w, STR("requested_at"), q->now);
    put_time(w, STR("completed_at"), f->now);
}

static void put_trail(struct finish *f, struct json_writer *w) {
    json_put_key(w, STR("audit_trail"));
    if (!f->has_head) {
        json_put_null(w);
        return;
    }
    json_put_object(w);
    json_put_member_i64(w, STR("events"), f->head.seq);
    put_time(w, STR("last_event_at"), f->head.at);
    put_hash(w, STR("head_hash"), &f->head.hash);
    json_put_object_end(w);
}

static bool put_proof(struct finish *f, struct buf *out, struct err *err) {
    char id[ENTITY_ID_TEXT_MAX];
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("type"), STR("penstock.tenant_deletion"));
    json_put_member_i64(&w, STR("format"), 1);
    json_put_member_object(&w, STR("tenant"));
    json_put_member_str(&w, STR("id"), entity_id_text(&entity_tenant, f->tenant, id));
    json_put_member_str(&w, STR("name"), f->wish.name);
    json_put_member_str(&w, STR("title"), f->wish.title);
    json_put_object_end(&w);
    put_who(f, &w);
    if (!put_rows(f, &w, err)) return false;
    put_trail(f, &w);
    json_put_member_array(&w, STR("data_keys_destroyed"));
    if (f->data_keys.n) json_put_raw(&w, f->data_keys);
    json_put_array_end(&w);
    json_put_object_end(&w);
    return !out->failed || err_no_memory(err);
}

static bool keep(struct finish *f, struct str document, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(f->db),
                     STR("UPDATE tenant_deletion SET finished_at = ?2, proof = ?3 WHERE tenant = ?1"), &st, err))
        return false;
    sql_bind_i64(st, 1, f->tenant);
    sql_bind_i64(st, 2, f->now);
    sql_bind_text(st, 3, document);
    return sql_run(st, err);
}

static bool tell(struct finish *f, struct str document, struct err *err) {
    BUF_AUTO struct buf after = BUF_INIT(ARENA_MAX);
    BUF_AUTO struct buf digest = BUF_INIT(256);
    char id[ENTITY_ID_TEXT_MAX];
    struct json_writer w;
    if (!tenant_proof_digest(document, &digest, err)) return false;
    json_writer_init(&w, &after);
    json_put_object(&w);
    json_put_member_str(&w, STR("proof"), buf_str(&digest));
    if (!put_rows(f, &w, err)) return false;
    put_trail(f, &w);
    json_put_object_end(&w);
    if (after.failed) return err_no_memory(err);
    struct audit_event event = {.actor_kind = f->wish.actor_kind,
                                .actor_id = f->wish.actor_id,
                                .actor_name = f->wish.actor_name,
                                .action = STR(TENANT_DELETED_EVENT),
                                .resource_type = STR("tenant"),
                                .resource_id = entity_id_text(&entity_tenant, f->tenant, id),
                                .resource_name = f->wish.name,
                                .reason = f->wish.reason,
                                .address = f->wish.address,
                                .request_id = f->wish.request_id,
                                .after = buf_str(&after)};
    return audit_append(sql_tenant(f->db, AUDIT_TENANT_DEFAULT), f->d->signer, &event, err);
}

static bool wish_read(struct finish *f, bool *out_finished, struct err *err) {
    struct tenant_delete_wish *q = &f->wish;
    struct str *const texts[] = {&q->name,       &q->title,   &q->reason,     &q->actor_kind, &q->actor_id,
                                 &q->actor_name, &q->address, &q->request_id, &f->data_keys};
    struct sql_stmt *st;
    bool row, ok = true;
    if (!sql_prepare(sql_platform(f->db),
                     STR("SELECT finished_at, begun_at, name, title, reason, actor_kind, actor_id, actor_name, address,"
                         " request_id, data_keys FROM tenant_deletion WHERE tenant = ?1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, f->tenant);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return err_set(err, ERR_NOT_FOUND, "this tenant is not being deleted");
    *out_finished = sql_col_i64(st, 0) != 0;
    q->now = sql_col_i64(st, 1);
    for (size_t i = 0; ok && i < ARRAY_LEN(texts); i++) {
        *texts[i] = arena_str(&f->arena, sql_col_text(st, (int)i + 2));
        ok = texts[i]->p != NULL;
    }
    sql_reset(st);
    return ok || err_no_memory(err);
}

static bool finish(struct finish *f, struct err *err) {
    BUF_AUTO struct buf proof = BUF_INIT(TENANT_PROOF_MAX);
    BUF_AUTO struct buf document = BUF_INIT(TENANT_PROOF_MAX);
    bool finished;
    if (!wish_read(f, &finished, err)) return false;
    if (finished) return true; // another process was faster
    for (size_t i = 0; i < tenant_table_count(); i++) {
        const struct tenant_table *t = tenant_table_at(i);
        bool late = t->rows == TENANT_ROWS_FEW || t->rows == TENANT_ROWS_MANY;
        if (late && !tenant_delete_table(f->db, f->tenant, t->name, err)) return false;
    }
    return tenant_delete_keys(f->d, f->tenant, err) && wish_read(f, &finished, err) && trail_delete(f, err) &&
           tenant_tables_each(f->db, is_empty, f, err) && tenant_row_delete(f, err) && put_proof(f, &proof, err) &&
           tenant_proof_make(f->db, f->d->signer, buf_str(&proof), &document, err) &&
           keep(f, buf_str(&document), err) && tell(f, buf_str(&document), err);
}

bool tenant_delete_finish(const struct tenant_deleter *d, int64_t tenant, struct err *err) {
    struct finish f = {.d = d, .db = d->db, .tenant = tenant, .now = clock_unix_ns()};
    arena_init(&f.arena, NULL, 0, ARENA_MAX);
    bool ok = finish(&f, err);
    arena_free(&f.arena);
    return ok;
}

// --- finding it again ---

bool tenant_proof_find(struct sql *db, int64_t tenant, struct str name, struct buf *out, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT finished_at, proof FROM tenant_deletion WHERE tenant = ?1 OR (?1 = 0 AND name = ?2)"
                         " ORDER BY tenant DESC LIMIT 1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, tenant);
    sql_bind_text(st, 2, name);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return err_set(err, ERR_NOT_FOUND, "no tenant of this name or id was deleted");
    bool finished = sql_col_i64(st, 0) != 0;
    buf_put(out, sql_col_text(st, 1));
    sql_reset(st);
    if (!finished) return err_set(err, ERR_CONFLICT, "the tenant is still being deleted");
    return !out->failed || err_no_memory(err);
}
