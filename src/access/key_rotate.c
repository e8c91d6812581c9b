// Makes a key that takes another's place, keeps its text until it is collected, and does so when the clock says.
#include "access/key_rotate.h"

#include "access/seal_text.h"
#include "access/who.h"
#include "base/json_write.h"

#define PURPOSE "key_handover"
#define SEALED_MAX 1024
#define ARENA_MAX ((size_t)4 << 20)

static struct entity_value *at(const struct entity_row *row, const char *field) {
    return entity_at(&entity_key, (struct entity_row *)(uintptr_t)row, field);
}
static void set(struct entity_row *row, const char *field, int64_t value) {
    *at(row, field) = (struct entity_value){.given = true, .i = value};
}
static int64_t after_seconds(int64_t now_ns, int64_t seconds) {
    int64_t ns;
    return __builtin_mul_overflow(seconds, INT64_C(1000000000), &ns) || __builtin_add_overflow(now_ns, ns, &ns)
               ? INT64_MAX
               : ns;
}

bool key_fresh_text(const struct datadir *dir, struct entity_row *row, struct arena *arena, struct str *out_text,
                    struct err *err) {
    SECRET_AUTO struct secret text = {0};
    char hash[KEY_HASH_SIZE];
    if (!key_text_make(&text, err)) return false;
    key_text_hash(dir, secret_str(&text), hash);
    *out_text = arena_str(arena, secret_str(&text));
    at(row, "hash")->s = arena_str(arena, str_of(hash, sizeof hash));
    at(row, "prefix")->s = str_head(*out_text, KEY_PREFIX_LEN);
    return (out_text->p && at(row, "hash")->s.p) || err_no_memory(err);
}

bool key_rotate_insert(struct sql_scope scope, const struct datadir *dir, const struct entity_row *old, bool waits,
                       int64_t now_ns, struct arena *arena, struct entity_row *next, struct str *out_text,
                       struct err *err) {
    int64_t every = at(old, "rotate_every")->i;
    *next = *old;
    at(next, "last_used_at")->i = at(next, "replaced_by")->i = 0;
    at(next, "last_used_address")->s = STR("");
    at(next, "replaces")->i = old->id;
    // Of one that waits, the time begins when it is collected.
    at(next, "uncollected_since")->i = waits ? now_ns : 0;
    at(next, "rotate_at")->i = every && !waits ? after_seconds(now_ns, every) : 0;
    return key_fresh_text(dir, next, arena, out_text, err) && entity_insert(scope, &entity_key, next, now_ns, err);
}

static bool handover_clear(struct sql_scope scope, int64_t id, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope, STR("UPDATE api_key SET handover = NULL WHERE tenant_id = ?1 AND id = ?2"), &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    return sql_run(st, err);
}

bool key_rotate_end(struct sql_scope scope, struct entity_row *old, int64_t next, int64_t until_ns, int64_t expected,
                    int64_t now_ns, struct err *err) {
    int64_t had = at(old, "expires_at")->i;
    set(old, "replaced_by", next);
    set(old, "rotate_at", 0);
    set(old, "uncollected_since", 0);
    if (until_ns <= now_ns)
        set(old, "revoked_at", now_ns);
    else if (!had || had > until_ns)
        set(old, "expires_at", until_ns);
    return handover_clear(scope, old->id, err) && entity_update(scope, &entity_key, old, expected, now_ns, err);
}

// --- collecting ---

static bool read_text(struct sql_scope scope, const struct datadir *dir, int64_t id, struct arena *arena,
                      struct str *out_text, struct err *err) {
    struct sql_stmt *st;
    bool row;
    struct buf text = BUF_INIT(SEALED_MAX);
    // At once: growing would leave copies behind.
    if (!buf_reserve(&text, SEALED_MAX)) return err_no_memory(err);
    bool ok = sql_prepare(scope, STR("SELECT handover FROM api_key WHERE tenant_id = ?1 AND id = ?2"), &st, err);
    if (ok) {
        sql_bind_i64(st, 2, id);
        ok = sql_step(st, &row, err);
        struct str sealed = ok && row ? arena_str(arena, sql_col_blob(st, 0)) : STR_NONE;
        if (ok && row) sql_reset(st);
        if (ok && !sealed.n) ok = err_set(err, ERR_EXISTS, "the key's text does not wait any more");
        ok = ok && text_unseal(scope, dir, PURPOSE, id, sealed, &text, err);
    }
    if (ok) *out_text = arena_str(arena, buf_str(&text));
    secret_wipe(text.p, text.cap);
    buf_free(&text);
    return ok && (out_text->p || err_no_memory(err));
}

// The overlap begins; what had less time left keeps that.
static bool begin_overlap(struct sql_scope scope, const struct entity_row *next, int64_t now_ns, struct arena *arena,
                          struct err *err) {
    struct entity_row *old = ARENA_NEW(arena, struct entity_row);
    if (!old) return err_no_memory(err);
    if (!at(next, "replaces")->i) return true;
    if (!entity_get(scope, &entity_key, at(next, "replaces")->i, arena, old, err)) return err->code == ERR_NOT_FOUND;
    if (at(old, "revoked_at")->i) return true;
    return key_rotate_end(scope, old, next->id, after_seconds(now_ns, at(old, "rotate_overlap")->i), -1, now_ns, err);
}

bool key_rotate_collect(struct sql_scope scope, const struct datadir *dir, struct entity_row *row, int64_t expected,
                        int64_t now_ns, struct arena *arena, struct str *out_text, struct err *err) {
    int64_t every = at(row, "rotate_every")->i;
    if (!at(row, "uncollected_since")->i)
        return err_set(err, ERR_EXISTS,
                       "no text of this key waits: it was collected before, or shown when it was made");
    if (at(row, "revoked_at")->i) return err_set(err, ERR_EXISTS, "the key was revoked");
    if (!read_text(scope, dir, row->id, arena, out_text, err)) return false;
    set(row, "uncollected_since", 0);
    set(row, "rotate_at", every ? after_seconds(now_ns, every) : 0);
    return handover_clear(scope, row->id, err) && entity_update(scope, &entity_key, row, expected, now_ns, err) &&
           begin_overlap(scope, row, now_ns, arena, err);
}

// --- by the clock ---

// One that waits to be collected is not due, whatever its row says.
#define DUE                                                                                                            \
    " FROM api_key WHERE rotate_at > 0 AND rotate_at <= ?1 AND revoked_at = 0 AND replaced_by = 0"                     \
    " AND handover_at = 0 AND (expires_at = 0 OR expires_at > ?1)"

// The first due one behind `after`; *out_id 0: there is none.
static bool next_due(struct sql *db, int64_t now_ns, int64_t after, int64_t *out_tenant, int64_t *out_id,
                     struct err *err) {
    struct sql_stmt *st;
    bool row;
    *out_id = *out_tenant = 0;
    if (!sql_prepare(sql_platform(db), STR("SELECT tenant_id, id" DUE " AND id > ?2 ORDER BY id LIMIT 1"), &st, err))
        return false;
    sql_bind_i64(st, 1, now_ns);
    sql_bind_i64(st, 2, after);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return true;
    *out_tenant = sql_col_i64(st, 0);
    *out_id = sql_col_i64(st, 1);
    sql_reset(st);
    return true;
}

bool key_rotation_is_due(struct sql *db, int64_t now_ns, bool *out_due, struct err *err) {
    int64_t tenant, id;
    if (!next_due(db, now_ns, 0, &tenant, &id, err)) return false;
    *out_due = id != 0;
    return true;
}

static bool keep_text(struct sql_scope scope, const struct datadir *dir, int64_t id, struct str text, struct err *err) {
    BUF_AUTO struct buf sealed = BUF_INIT(SEALED_MAX);
    struct sql_stmt *st;
    if (!text_seal(scope, dir, PURPOSE, id, text, &sealed, err)) return false;
    if (!sql_prepare(scope, STR("UPDATE api_key SET handover = ?3 WHERE tenant_id = ?1 AND id = ?2"), &st, err))
        return false;
    sql_bind_i64(st, 2, id);
    sql_bind_blob(st, 3, buf_str(&sealed));
    return sql_run(st, err);
}

static bool tell_trail(struct sql_scope scope, const struct audit_signer *signer, const struct key_rotated *r,
                       struct err *err) {
    char id[ENTITY_ID_TEXT_MAX], next[ENTITY_ID_TEXT_MAX], until[TIME_TEXT_LEN];
    BUF_AUTO struct buf after = BUF_INIT(1024);
    struct json_writer w;
    time_text(until, r->until_ns);
    json_writer_init(&w, &after);
    json_put_object(&w);
    json_put_member_str(&w, STR("replaced_by"), entity_id_text(&entity_key, r->next, next));
    json_put_member_str(&w, STR("expires_at"), str_of(until, sizeof until));
    json_put_object_end(&w);
    struct audit_event event = {.actor_kind = principal_kind_name(PRINCIPAL_SYSTEM),
                                .actor_name = STR("schedule"),
                                .action = STR("key.rotate"),
                                .resource_type = STR("key"),
                                .resource_id = entity_id_text(&entity_key, r->key, id),
                                .resource_name = r->name,
                                .outcome = AUDIT_OK,
                                .after = buf_str(&after)};
    return audit_append(scope, signer, &event, err);
}

static bool replace(struct sql_scope scope, const struct datadir *dir, struct entity_row *old, int64_t now_ns,
                    struct arena *arena, struct key_rotated *out, struct err *err) {
    struct entity_row *next = ARENA_NEW(arena, struct entity_row);
    struct str text;
    if (!next) return err_no_memory(err);
    // At the latest when the next one would be due.
    int64_t deadline = after_seconds(now_ns, at(old, "rotate_every")->i), had = at(old, "expires_at")->i;
    out->until_ns = had && had < deadline ? had : deadline;
    out->name = at(old, "name")->s;
    if (!key_rotate_insert(scope, dir, old, true, now_ns, arena, next, &text, err)) return false;
    out->next = next->id;
    return keep_text(scope, dir, next->id, text, err) &&
           key_rotate_end(scope, old, next->id, deadline, old->version, now_ns, err);
}

// *out: key 0: another server was faster.
static bool rotate_one(struct sql *db, const struct datadir *dir, const struct audit_signer *signer, int64_t now_ns,
                       int64_t id, struct arena *arena, struct key_rotated *out, struct err *err) {
    struct entity_row *old = ARENA_NEW(arena, struct entity_row);
    if (!old) return err_no_memory(err);
    *out = (struct key_rotated){0};
    if (!next_due(db, now_ns, id - 1, &out->tenant, &out->key, err)) return false;
    if (out->key != id) {
        out->key = 0;
        return true;
    }
    struct sql_scope scope = sql_tenant(db, out->tenant);
    return entity_get(scope, &entity_key, id, arena, old, err) && replace(scope, dir, old, now_ns, arena, out, err) &&
           tell_trail(scope, signer, out, err);
}

bool key_rotate_due(struct sql *db, struct datadir *dir, const struct audit_signer *signer, int64_t now_ns,
                    key_rotated_fn *told, void *ctx, struct err *err) {
    bool all = true;
    for (int64_t last = 0, tenant, id;; last = id) {
        struct key_rotated r = {0};
        struct arena arena;
        struct err why;
        if (!next_due(db, now_ns, last, &tenant, &id, all ? err : &why)) return false;
        if (!id) return all;
        arena_init(&arena, NULL, 0, ARENA_MAX);
        bool ok = sql_begin(db, &why);
        if (ok) {
            ok = rotate_one(db, dir, signer, now_ns, id, &arena, &r, &why) && sql_commit(db, &why);
            if (!ok) sql_rollback(db);
        }
        if (ok && r.key) {
            datadir_key_changed(dir);
            told(ctx, &r);
        }
        arena_wipe_free(&arena);
        // One that cannot be rotated does not stand in the way of others.
        if (!ok && all) *err = why;
        all = all && ok;
    }
}
