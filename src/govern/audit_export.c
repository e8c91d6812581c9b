// Writes a chain, or what a search finds, piece by piece.
#include "govern/audit_export.h"

#include "base/text.h"
#include "store/audit_key.h"

#define PIECE ((size_t)64 * 1024)
#define PIECE_MAX ((size_t)4 << 20)

struct run {
    struct sql_scope scope;
    const struct audit_export *o;
    audit_write *write;
    void *arg;
    struct buf out;
    struct sql_stmt *checkpoints; // one ahead; NULL at their end
};

static bool flush(struct run *r, struct err *err) {
    if (r->out.failed) return err_no_memory(err);
    bool ok = !r->out.n || r->write(r->arg, buf_str(&r->out), err);
    buf_clear(&r->out);
    return ok;
}

static bool flush_full(struct run *r, struct err *err) {
    return r->out.n < PIECE ? !r->out.failed || err_no_memory(err) : flush(r, err);
}

static bool put_key(void *arg, const struct audit_public *key, struct err *err) {
    struct run *r = arg;
    struct json_writer w;
    json_writer_init(&w, &r->out);
    audit_put_key_json(&w, key, STR("key"));
    buf_putc(&r->out, '\n');
    return flush_full(r, err);
}

static bool put_begin(struct run *r, int64_t since, const struct audit_hash *previous, bool complete, struct err *err) {
    struct json_writer w;
    BUF_AUTO struct buf hex = BUF_INIT(100);
    hex_put(&hex, str_of((const char *)previous->p, sizeof previous->p));
    json_writer_init(&w, &r->out);
    json_put_object(&w);
    json_put_member_str(&w, STR("type"), STR("export"));
    json_put_member_i64(&w, STR("format"), 1);
    json_put_member_i64(&w, STR("tenant"), r->scope.tenant);
    json_put_member_bool(&w, STR("complete"), complete);
    json_put_member_i64(&w, STR("since"), since);
    json_put_member_str(&w, STR("previous"), buf_str(&hex));
    json_put_object_end(&w);
    buf_putc(&r->out, '\n');
    return !complete || audit_key_each(r->scope.db, put_key, r, err);
}

static bool checkpoint_step(struct run *r, struct err *err) {
    bool row;
    if (!sql_step(r->checkpoints, &row, err)) return false;
    if (!row) r->checkpoints = NULL;
    return true;
}

static bool checkpoints_begin(struct run *r, int64_t first, struct err *err) {
    if (!sql_prepare(r->scope,
                     STR("SELECT " AUDIT_HEAD_COLUMNS " FROM audit_checkpoint WHERE tenant_id = ?1 AND seq >= ?2"
                         " ORDER BY seq"),
                     &r->checkpoints, err))
        return false;
    sql_bind_i64(r->checkpoints, 2, first);
    return checkpoint_step(r, err);
}

static bool put_head(struct run *r, const struct audit_head *head, struct str type, struct err *err) {
    struct json_writer w;
    json_writer_init(&w, &r->out);
    audit_put_head_json(&w, head, type);
    buf_putc(&r->out, '\n');
    return flush_full(r, err);
}

static bool checkpoints_until(struct run *r, int64_t seq, struct err *err) {
    while (r->checkpoints && sql_col_i64(r->checkpoints, 1) <= seq) {
        struct audit_head head;
        if (!audit_head_row(r->checkpoints, &head))
            return err_set(err, ERR_STORE,
                           "a checkpoint of the audit trail is damaged: `penstock audit verify` says where");
        if (!put_head(r, &head, STR("checkpoint"), err) || !checkpoint_step(r, err)) return false;
    }
    return true;
}

static bool put_event(void *arg, const struct audit_record *record, struct err *err) {
    struct run *r = arg;
    audit_put(&r->out, r->o->format, record, r->o->version);
    if (r->checkpoints && !checkpoints_until(r, record->event.seq, err)) return false;
    return flush_full(r, err);
}

static bool take_hash(void *arg, const struct audit_record *record, struct err *err UNUSED) {
    *(struct audit_hash *)arg = record->hash;
    return true;
}

static bool chain_export(struct run *r, struct err *err) {
    int64_t first = r->o->since > 1 ? r->o->since : 1, checkpoint;
    struct audit_hash previous = {{0}};
    struct audit_head head;
    bool proves = r->o->format == AUDIT_JSONL, has = false;
    if (first > 1 && !audit_get(r->scope, first - 1, take_hash, &previous, err)) return false;
    if (proves && (!put_begin(r, first, &previous, true, err) || !checkpoints_begin(r, first, err))) return false;
    bool ok = audit_each(r->scope, first, 0, put_event, r, err);
    if (r->checkpoints) sql_reset(r->checkpoints);
    r->checkpoints = NULL;
    if (!ok || !proves) return ok;
    if (!audit_head_read(r->scope, &head, &checkpoint, &has, err)) return false;
    return !has || put_head(r, &head, STR("head"), err);
}

static bool search_export(struct run *r, struct err *err) {
    struct audit_query q = *r->o->search;
    struct buf next = BUF_INIT(200), cursor = BUF_INIT(200);
    const struct audit_hash nothing = {{0}};
    bool ok = r->o->format != AUDIT_JSONL || put_begin(r, 0, &nothing, false, err);
    q.limit = AUDIT_PAGE_MAX;
    while (ok) {
        ok = audit_search(r->scope, &q, put_event, r, &next, err);
        if (!ok || !next.n) break;
        buf_clear(&cursor);
        buf_put(&cursor, buf_str(&next));
        q.cursor = buf_str(&cursor);
    }
    buf_free(&next);
    buf_free(&cursor);
    return ok;
}

bool audit_export(struct sql_scope scope, const struct audit_export *options, audit_write *write, void *arg,
                  struct err *err) {
    struct run r = {.scope = scope, .o = options, .write = write, .arg = arg, .out = BUF_INIT(PIECE_MAX)};
    // One state of the database, so that events, checkpoints and head belong together.
    bool inside = scope.db->ops->in_transaction(scope.db);
    if (!inside && !sql_begin_read(scope.db, err)) return false;
    if (options->format == AUDIT_CSV) audit_put_csv_names(&r.out);
    bool ok = options->search ? search_export(&r, err) : chain_export(&r, err);
    ok = ok && flush(&r, err);
    if (!inside) sql_rollback(scope.db);
    buf_free(&r.out);
    return ok;
}
