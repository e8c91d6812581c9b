// Finds, makes and destroys data keys.
#include "store/keeper_impl.h"

#include "os/clock.h"
#include "os/rand.h"
#include "store/vault_internal.h"

#include <sodium.h>

#define MAKE_TRIES 4

// --- what is unwrapped already ---

static bool kept_is(const struct keeper *k, size_t i, int64_t tenant, const struct keeper_row *row) {
    return k->kept->slots[i].used && k->kept->slots[i].tenant == tenant && k->kept->slots[i].version == row->version &&
           k->kept->slots[i].purpose == row->purpose.n && memcmp(k->kept->slots[i].id, row->id, KEEPER_ID_SIZE) == 0;
}

static bool kept_find(const struct keeper *k, int64_t tenant, const struct keeper_row *row,
                      unsigned char out_key[KEEPER_KEY_SIZE]) {
    for (size_t i = 0; i < KEEPER_KEPT; i++) {
        if (!kept_is(k, i, tenant, row)) continue;
        memcpy(out_key, k->kept->slots[i].key, KEEPER_KEY_SIZE);
        return true;
    }
    return false;
}

static void kept_add(struct keeper *k, int64_t tenant, const struct keeper_row *row,
                     const unsigned char key[KEEPER_KEY_SIZE]) {
    size_t i = k->turn++ % KEEPER_KEPT;
    k->kept->slots[i].tenant = tenant;
    k->kept->slots[i].version = row->version;
    k->kept->slots[i].purpose = row->purpose.n;
    k->kept->slots[i].used = true;
    memcpy(k->kept->slots[i].id, row->id, KEEPER_ID_SIZE);
    memcpy(k->kept->slots[i].key, key, KEEPER_KEY_SIZE);
}

static void kept_forget(struct keeper *k, int64_t tenant) {
    mutex_lock(&k->lock);
    for (size_t i = 0; i < KEEPER_KEPT; i++)
        if (k->kept->slots[i].tenant == tenant) secret_wipe(&k->kept->slots[i], sizeof k->kept->slots[i]);
    mutex_unlock(&k->lock);
}

// --- wrapping ---

bool keeper_wrap(struct keeper *k, const struct keeper_proof *proof, int64_t tenant, const struct keeper_row *row,
                 const unsigned char key[KEEPER_KEY_SIZE], struct buf *out, int64_t *out_generation, struct err *err) {
    unsigned char label[MASTER_LABEL_SIZE];
    keeper_label(tenant, row, label);
    mutex_lock(&k->asking);
    bool ok = (!proof || keeper_ensure(k, proof, err)) && (!k->master || master_wrap(k->master, label, key, out, err));
    *out_generation = k->generation;
    mutex_unlock(&k->asking);
    return ok;
}

static bool kept_get(struct keeper *k, int64_t tenant, const struct keeper_row *row,
                     unsigned char out_key[KEEPER_KEY_SIZE]) {
    mutex_lock(&k->lock);
    bool there = kept_find(k, tenant, row, out_key);
    mutex_unlock(&k->lock);
    return there;
}

// proof: finds the master key in force first; NULL: asks the one at hand. *out_asked: the generation of the one asked;
// 0 when there was none.
static bool unwrap_now(struct keeper *k, const struct keeper_proof *proof, int64_t tenant, const struct keeper_row *row,
                       struct str wrapped, int64_t *out_asked, unsigned char out_key[KEEPER_KEY_SIZE],
                       struct err *err) {
    unsigned char label[MASTER_LABEL_SIZE];
    *out_asked = 0;
    if (kept_get(k, tenant, row, out_key)) return true;
    keeper_label(tenant, row, label);
    mutex_lock(&k->asking);
    bool ok = kept_get(k, tenant, row, out_key); // by whoever asked before
    if (!ok && (!proof || keeper_ensure(k, proof, err))) {
        *out_asked = k->generation;
        ok = k->master && master_unwrap(k->master, label, wrapped, out_key, err);
        mutex_lock(&k->lock);
        if (ok) kept_add(k, tenant, row, out_key);
        mutex_unlock(&k->lock);
    }
    mutex_unlock(&k->asking);
    return ok;
}

bool keeper_unwrap(struct keeper *k, struct sql *db, int64_t tenant, const struct keeper_row *row, struct str wrapped,
                   unsigned char out_key[KEEPER_KEY_SIZE], struct err *err) {
    int64_t asked;
    if (unwrap_now(k, NULL, tenant, row, wrapped, &asked, out_key, err)) return true;
    if (asked && err->code == ERR_NO_MEMORY) return false;
    // Other settings may have come, or the key may have been wrapped anew with another master key. Which one is in
    // force is found and asked in one go, so that nothing comes between.
    struct err why = {0};
    if (asked) why = *err;
    CLEANUP(keeper_proof_free) struct keeper_proof proof = {.check = BUF_INIT(KEEPER_WRAPPED_BUF)};
    if (!keeper_proof_read(db, &proof, err)) return false;
    if (asked == proof.generation)
        *err = why;
    else if (unwrap_now(k, &proof, tenant, row, wrapped, &asked, out_key, err))
        return true;
    else if (!asked)
        return false; // what is wrong with the master key, not with this one
    return err_wrap(err, "the data key of tenant %lld, version %lld", (long long)tenant, (long long)row->version);
}

// --- rows ---

static struct sql_scope scope_of(struct sql_scope scope) {
    return scope.tenant == SQL_PLATFORM ? sql_tenant(scope.db, TENANT_DEFAULT) : scope;
}

static bool id_take(struct str blob, unsigned char out_id[KEEPER_ID_SIZE], struct err *err) {
    if (blob.n != KEEPER_ID_SIZE) return err_set(err, ERR_STORE, "a data key's row is damaged");
    memcpy(out_id, blob.p, KEEPER_ID_SIZE);
    return true;
}

// version 0: the newest.
static bool row_read(struct sql_scope scope, struct keeper_row *row, struct buf *wrapped, bool *out_there,
                     struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     row->version ? STR("SELECT version, key_id, wrapped FROM data_key"
                                        " WHERE tenant_id = ?1 AND purpose = ?2 AND version = ?3")
                                  : STR("SELECT version, key_id, wrapped FROM data_key"
                                        " WHERE tenant_id = ?1 AND purpose = ?2 ORDER BY version DESC LIMIT 1"),
                     &st, err))
        return false;
    sql_bind_text(st, 2, row->purpose);
    if (row->version) sql_bind_i64(st, 3, row->version);
    if (!sql_step(st, out_there, err)) return false;
    if (!*out_there) return true;
    row->version = sql_col_i64(st, 0);
    struct str blob = str_head(sql_col_blob(st, 2), KEEPER_WRAPPED_BUF); // what is longer does not open
    bool ok = id_take(sql_col_blob(st, 1), row->id, err);
    buf_put(wrapped, blob);
    sql_reset(st);
    return ok && (!wrapped->failed || err_no_memory(err));
}

static bool key_read(struct keeper *k, struct sql_scope scope, struct str purpose, int64_t version,
                     struct keeper_key *out_key, bool *out_there, struct err *err) {
    BUF_AUTO struct buf wrapped = BUF_INIT(KEEPER_WRAPPED_BUF);
    struct keeper_row row = {.purpose = purpose, .version = version};
    if (!row_read(scope, &row, &wrapped, out_there, err)) return false;
    if (!*out_there) return true;
    if (!keeper_unwrap(k, scope.db, scope.tenant, &row, buf_str(&wrapped), out_key->key, err)) {
        // Read before the master key was changed, asked after it?
        BUF_AUTO struct buf again = BUF_INIT(KEEPER_WRAPPED_BUF);
        struct err why = *err;
        if (!row_read(scope, &row, &again, out_there, err)) return false;
        if (!*out_there) return true;
        if (str_eq(buf_str(&again), buf_str(&wrapped))) {
            *err = why;
            return false;
        }
        if (!keeper_unwrap(k, scope.db, scope.tenant, &row, buf_str(&again), out_key->key, err)) return false;
    }
    out_key->version = row.version;
    memcpy(out_key->id, row.id, KEEPER_ID_SIZE);
    return true;
}

bool keeper_insert(struct sql *db, int64_t tenant, const struct keeper_row *row, struct str wrapped, int64_t now_ns,
                   bool rekeying, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_tenant(db, tenant),
                     STR("INSERT INTO data_key (tenant_id, purpose, version, key_id, wrapped, created_at, rekeying)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant_id, purpose, version) DO NOTHING"),
                     &st, err))
        return false;
    sql_bind_text(st, 2, row->purpose);
    sql_bind_i64(st, 3, row->version);
    sql_bind_blob(st, 4, str_of((const char *)row->id, KEEPER_ID_SIZE));
    sql_bind_blob(st, 5, wrapped);
    sql_bind_i64(st, 6, now_ns);
    sql_bind_i64(st, 7, rekeying);
    return sql_run(st, err);
}

// --- making ---

// One try; *out_done is false when the master key was changed meanwhile, or is another than the one at hand.
static bool make_once(struct keeper *k, const struct keeper_proof *proof, struct sql_scope scope, int64_t version,
                      bool rekeying, bool *out_done, struct err *err) {
    struct keeper_row row = {.purpose = PURPOSE_SEAL, .version = version};
    unsigned char key[KEEPER_KEY_SIZE];
    BUF_AUTO struct buf wrapped = BUF_INIT(KEEPER_WRAPPED_BUF);
    int64_t generation;
    bool own = !scope.db->ops->in_transaction(scope.db), same = false;
    rand_bytes(row.id, sizeof row.id);
    rand_bytes(key, sizeof key);
    bool ok = keeper_wrap(k, proof, scope.tenant, &row, key, &wrapped, &generation, err);
    secret_wipe(key, sizeof key);
    if (!ok || (own && !sql_begin(scope.db, err))) return false;
    ok = keeper_hold(scope.db, generation, &same, err);
    if (ok && same) ok = keeper_insert(scope.db, scope.tenant, &row, buf_str(&wrapped), clock_unix_ns(), rekeying, err);
    if (own && ok) ok = sql_commit(scope.db, err);
    if (own && !ok) sql_rollback(scope.db);
    *out_done = same;
    return ok;
}

static bool make(struct keeper *k, struct sql_scope scope, int64_t version, bool rekeying, struct err *err) {
    if (version > KEEPER_VERSION_MAX) return err_set(err, ERR_STORE, "the tenant has had too many data keys");
    CLEANUP(keeper_proof_free) struct keeper_proof proof = {.check = BUF_INIT(KEEPER_WRAPPED_BUF)};
    for (int i = 0; i < MAKE_TRIES; i++) {
        bool done;
        if (!make_once(k, i ? &proof : NULL, scope, version, rekeying, &done, err)) return false;
        if (done) return true;
        buf_clear(&proof.check);
        if (!keeper_proof_read(scope.db, &proof, err)) return false;
    }
    return err_set(err, ERR_STORE_BUSY, "the master key is being changed");
}

bool keeper_newest(struct keeper *k, struct sql_scope given, struct keeper_key *out_key, struct err *err) {
    struct sql_scope scope = scope_of(given);
    bool there;
    if (!key_read(k, scope, PURPOSE_SEAL, 0, out_key, &there, err)) return false;
    if (there) return true;
    if (!make(k, scope, 1, false, err)) return false;
    // Read back: another may have been first.
    return keeper_find(k, scope, 1, out_key, err);
}

bool keeper_find(struct keeper *k, struct sql_scope scope, int64_t version, struct keeper_key *out_key,
                 struct err *err) {
    bool there;
    if (!key_read(k, scope_of(scope), PURPOSE_SEAL, version, out_key, &there, err)) return false;
    return there || err_set(err, ERR_NOT_FOUND, "the data key that sealed it was destroyed");
}

bool keeper_early(struct keeper *k, struct sql *db, struct keeper_key *out_key, struct err *err) {
    bool there;
    if (!key_read(k, sql_tenant(db, TENANT_DEFAULT), PURPOSE_EARLY, 1, out_key, &there, err)) return false;
    return there || err_set(err, ERR_NOT_FOUND, "the key of early sealed values is not there (any more)");
}

// --- the next one ---

static bool newest_state(struct sql_scope scope, int64_t *out_version, bool *out_rekeying, struct err *err) {
    struct sql_stmt *st;
    bool there;
    if (!sql_prepare(scope,
                     STR("SELECT version, rekeying FROM data_key WHERE tenant_id = ?1 AND purpose = 'seal'"
                         " ORDER BY version DESC LIMIT 1"),
                     &st, err) ||
        !sql_step(st, &there, err))
        return false;
    *out_version = there ? sql_col_i64(st, 0) : 0;
    *out_rekeying = there && sql_col_i64(st, 1) != 0;
    if (there) sql_reset(st);
    return true;
}

static bool retire(struct sql_scope scope, int64_t newest, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("UPDATE data_key SET retired_at = ?3"
                         " WHERE tenant_id = ?1 AND purpose = 'seal' AND version < ?2 AND retired_at = 0"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, newest);
    sql_bind_i64(st, 3, clock_unix_ns());
    return sql_run(st, err);
}

bool keeper_advance(struct keeper *k, struct sql_scope given, int64_t *out_version, bool *out_resumed,
                    struct err *err) {
    struct sql_scope scope = scope_of(given);
    int64_t version;
    bool rekeying;
    if (!sql_begin(scope.db, err)) return false;
    bool ok = newest_state(scope, &version, &rekeying, err);
    if (ok && !rekeying) ok = make(k, scope, ++version, true, err) && retire(scope, version, err);
    if (ok) ok = sql_commit(scope.db, err);
    if (!ok) {
        sql_rollback(scope.db);
        return false;
    }
    *out_version = version;
    *out_resumed = rekeying;
    return true;
}

// --- destroying ---

// With as many bytes, so that they take the place of the old ones.
static bool overwrite(struct sql_scope scope, struct err *err) {
    static const char zeros[MASTER_WRAPPED_MAX];
    for (;;) {
        struct sql_stmt *st;
        bool there;
        if (!sql_prepare(scope,
                         STR("SELECT purpose, version, length(wrapped) FROM data_key"
                             " WHERE tenant_id = ?1 AND key_id <> ?2 LIMIT 1"),
                         &st, err))
            return false;
        sql_bind_blob(st, 2, str_of(zeros, KEEPER_ID_SIZE));
        if (!sql_step(st, &there, err)) return false;
        if (!there) return true;
        char purpose[32];
        struct str name = str_head(sql_col_text(st, 0), sizeof purpose);
        memcpy(purpose, name.p, name.n);
        int64_t version = sql_col_i64(st, 1), n = sql_col_i64(st, 2);
        sql_reset(st);
        if (!sql_prepare(scope,
                         STR("UPDATE data_key SET wrapped = ?4, key_id = ?5"
                             " WHERE tenant_id = ?1 AND purpose = ?2 AND version = ?3"),
                         &st, err))
            return false;
        sql_bind_text(st, 2, str_of(purpose, name.n));
        sql_bind_i64(st, 3, version);
        sql_bind_blob(st, 4, str_of(zeros, (size_t)MIN(MAX(n, 0), (int64_t)sizeof zeros)));
        sql_bind_blob(st, 5, str_of(zeros, KEEPER_ID_SIZE));
        if (!sql_run(st, err)) return false;
    }
}

static bool delete_rows(struct sql_scope scope, struct err *err) {
    struct sql_stmt *st;
    return overwrite(scope, err) && sql_prepare(scope, STR("DELETE FROM data_key WHERE tenant_id = ?1"), &st, err) &&
           sql_run(st, err);
}

bool keeper_destroy(struct keeper *k, struct sql_scope scope, struct err *err) {
    struct err ignored;
    bool own = !scope.db->ops->in_transaction(scope.db);
    if (scope.tenant == SQL_PLATFORM || scope.tenant == TENANT_DEFAULT)
        return err_set(err, ERR_INVALID_FIELD, "the keys of the default tenant are the whole server's: they stay");
    if (own && !sql_begin(scope.db, err)) return false;
    bool ok = delete_rows(scope, err);
    if (own && ok) ok = sql_commit(scope.db, err);
    if (own && !ok) sql_rollback(scope.db);
    kept_forget(k, scope.tenant);
    // The log of an embedded database holds the bytes until it is begun anew; a reader may put that off.
    if (own && ok && str_eq(str_c(scope.db->ops->name), STR("sqlite")))
        (void)!sql_exec(scope.db, STR("PRAGMA wal_checkpoint(TRUNCATE)"), &ignored);
    return ok;
}

// --- the keeper ---

bool keeper_create(struct str data, const struct conf_storage *storage, const struct conf_vault *vault,
                   struct keeper **out_keeper, struct err *err) {
    if (sodium_init() < 0) return err_set(err, ERR_INTERNAL, "the cryptographic library cannot start");
    struct keeper *k = mem_zalloc(1, sizeof *k);
    if (!k) return err_no_memory(err);
    mutex_init(&k->asking);
    mutex_init(&k->lock);
    arena_init(&k->arena, NULL, 0, (size_t)1 << 20);
    char *copy = mem_strdup(data);
    k->data = str_of(copy, data.n);
    k->kept = sodium_malloc(sizeof *k->kept);
    if (!copy || !k->kept || !keeper_configure(k, storage, vault, err)) {
        keeper_free(k);
        return err_no_memory(err);
    }
    memset(k->kept, 0, sizeof *k->kept);
    *out_keeper = k;
    return true;
}

void keeper_free(struct keeper *k) {
    if (!k) return;
    master_free(k->master);
    vault_session_free(k->vault);
    sodium_free(k->kept); // wipes
    arena_free(&k->arena);
    mutex_free(&k->lock);
    mutex_free(&k->asking);
    mem_free((void *)(uintptr_t)k->data.p);
    mem_free(k);
}

static bool prove_or_found(struct keeper *k, struct sql *db, struct err *err) {
    CLEANUP(keeper_proof_free) struct keeper_proof proof = {.check = BUF_INIT(KEEPER_WRAPPED_BUF)};
    bool there;
    if (!keeper_master_row(db, &proof.generation, &proof.check, &there, err)) return false;
    if (!there) {
        if (!sql_begin(db, err)) return false;
        // Again, now that nobody else makes it.
        bool ok = keeper_master_row(db, &proof.generation, &proof.check, &there, err) &&
                  (there || keeper_found(k, db, err)) && sql_commit(db, err);
        if (!ok) {
            sql_rollback(db);
            if (err->code != ERR_STORE_BUSY) return false; // otherwise another server was first
        }
        buf_clear(&proof.check);
        struct err why = *err;
        if (!keeper_master_row(db, &proof.generation, &proof.check, &there, err)) return false;
        if (!there) {
            *err = why;
            return false;
        }
    }
    mutex_lock(&k->asking);
    bool ok = keeper_prove(k, &proof, err);
    mutex_unlock(&k->asking);
    return ok;
}

bool keeper_open(struct keeper *k, struct sql *db, struct err *err) {
    struct keeper_key hash;
    bool there;
    mutex_lock(&k->lock);
    bool open = k->open;
    mutex_unlock(&k->lock);
    if (open) return true;
    if (!prove_or_found(k, db, err)) return false;
    if (!key_read(k, sql_tenant(db, TENANT_DEFAULT), PURPOSE_HASH, 1, &hash, &there, err)) return false;
    if (!there)
        return err_set(err, ERR_STORE, "the database lacks the key that hashes API keys: restore it from a backup");
    mutex_lock(&k->lock);
    if (!k->open) {
        memcpy(k->kept->hash, hash.key, sizeof k->kept->hash);
        k->hash = (struct secret){.p = (char *)k->kept->hash, .n = sizeof k->kept->hash};
        k->open = true;
    }
    mutex_unlock(&k->lock);
    keeper_key_wipe(&hash);
    return true;
}

const struct secret *keeper_hash_secret(const struct keeper *k) {
    INVARIANT(k->open);
    return &k->hash;
}
