// Makes, seals, rotates and reads the keys that sign the audit trail.
#include "store/audit_key.h"

#include "os/clock.h"
#include "store/sealed.h"

#include <sodium.h>

// What a signer holds; behind a pointer, for users of a signer share it.
struct state {
    const struct datadir *dir;
    struct mutex lock;
    int64_t key_id; // 0 = none was read yet
    unsigned char secret[AUDIT_SECRET_SIZE];
};
struct audit_signer {
    struct state *state;
};

#define COLUMNS "id, created_at, retired_at, public_key, by_previous, of_previous, secret"

// --- the only place that seals ---

#define LABEL_MAX 24
static struct str label_of(char out[LABEL_MAX], int64_t key_id) {
    int n = snprintf(out, LABEL_MAX, "%lld", (long long)key_id);
    return str_of(out, (size_t)n);
}

static bool secret_seal(struct sql *db, const struct datadir *dir, int64_t key_id,
                        const unsigned char secret[AUDIT_SECRET_SIZE], struct buf *out, struct err *err) {
    char label[LABEL_MAX];
    return seal(sql_tenant(db, TENANT_DEFAULT), dir, STR("audit_key"), label_of(label, key_id),
                str_of((const char *)secret, AUDIT_SECRET_SIZE), out, err);
}

static bool secret_open(struct sql *db, const struct datadir *dir, int64_t key_id, struct str sealed,
                        unsigned char out_secret[AUDIT_SECRET_SIZE], struct err *err) {
    char label[LABEL_MAX];
    BUF_AUTO struct buf text = BUF_INIT(4096);
    if (!unseal(sql_tenant(db, TENANT_DEFAULT), dir, STR("audit_key"), label_of(label, key_id), sealed, &text, err))
        return err_wrap(err, "the key that signs the audit trail");
    bool ok = text.n == AUDIT_SECRET_SIZE;
    if (ok) memcpy(out_secret, text.p, AUDIT_SECRET_SIZE);
    secret_wipe(text.p, text.n);
    return ok || err_set(err, ERR_STORE, "the key that signs the audit trail is damaged");
}

// --- rows ---

static bool signature_read(struct sql_stmt *st, int column, unsigned char out[AUDIT_SIGNATURE_SIZE], bool *out_has) {
    struct str bytes = sql_col_blob(st, column);
    *out_has = bytes.n == AUDIT_SIGNATURE_SIZE;
    if (*out_has) memcpy(out, bytes.p, AUDIT_SIGNATURE_SIZE);
    return *out_has || bytes.n == 0;
}

static bool key_read(struct sql_stmt *st, struct audit_public *out_key, struct err *err) {
    struct audit_public key = {
        .id = sql_col_i64(st, 0), .created_at = sql_col_i64(st, 1), .retired_at = sql_col_i64(st, 2)};
    struct str bytes = sql_col_blob(st, 3);
    if (bytes.n != AUDIT_KEY_SIZE || !signature_read(st, 4, key.by_previous, &key.has_by_previous) ||
        !signature_read(st, 5, key.of_previous, &key.has_of_previous))
        return err_set(err, ERR_STORE, "key %lld of the audit trail is damaged", (long long)key.id);
    memcpy(key.p, bytes.p, AUDIT_KEY_SIZE);
    *out_key = key;
    return true;
}

// The newest; *out_has: whether there is one. secret: where its sealed secret goes.
static bool newest_read(struct sql *db, struct audit_public *out_key, struct buf *secret, bool *out_has,
                        struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT " COLUMNS " FROM audit_key ORDER BY id DESC LIMIT 1"), &st, err) ||
        !sql_step(st, out_has, err))
        return false;
    if (!*out_has) return true;
    bool ok = key_read(st, out_key, err);
    buf_put(secret, sql_col_blob(st, 6));
    sql_reset(st);
    if (ok && secret->failed) return err_no_memory(err);
    return ok;
}

static void bind_signature(struct sql_stmt *st, int index, bool has, const unsigned char signature[]) {
    if (has)
        sql_bind_blob(st, index, str_of((const char *)signature, AUDIT_SIGNATURE_SIZE));
    else
        sql_bind_null(st, index);
}

static bool key_insert(struct sql *db, const struct datadir *dir, const struct audit_public *key,
                       const unsigned char secret[AUDIT_SECRET_SIZE], struct err *err) {
    struct sql_stmt *st;
    BUF_AUTO struct buf sealed = BUF_INIT(4096);
    if (!secret_seal(db, dir, key->id, secret, &sealed, err)) return false;
    // Another process may have made the first one at the same time: then that one counts.
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO audit_key (id, created_at, public_key, by_previous, of_previous, secret)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, key->id);
    sql_bind_i64(st, 2, key->created_at);
    sql_bind_blob(st, 3, str_of((const char *)key->p, sizeof key->p));
    bind_signature(st, 4, key->has_by_previous, key->by_previous);
    bind_signature(st, 5, key->has_of_previous, key->of_previous);
    sql_bind_blob(st, 6, buf_str(&sealed));
    return sql_run(st, err);
}

static bool first_make(struct sql *db, const struct datadir *dir, struct err *err) {
    struct audit_public key = {.id = 1, .created_at = clock_unix_ns()};
    unsigned char secret[AUDIT_SECRET_SIZE];
    INVARIANT(crypto_sign_keypair(key.p, secret) == 0);
    key.has_by_previous = true; // there is none: it signs itself
    audit_sign_key(&key, secret, key.by_previous);
    bool ok = key_insert(db, dir, &key, secret, err);
    secret_wipe(secret, sizeof secret);
    return ok;
}

static bool newest_open(struct sql *db, const struct datadir *dir, struct audit_public *out_key,
                        unsigned char out_secret[AUDIT_SECRET_SIZE], bool *out_has, struct err *err) {
    BUF_AUTO struct buf sealed = BUF_INIT(4096);
    unsigned char secret[AUDIT_SECRET_SIZE], public_key[AUDIT_KEY_SIZE];
    if (!newest_read(db, out_key, &sealed, out_has, err)) return false;
    if (!*out_has) return true;
    if (!secret_open(db, dir, out_key->id, buf_str(&sealed), secret, err)) return false;
    bool ok =
        crypto_sign_ed25519_sk_to_pk(public_key, secret) == 0 && !memcmp(public_key, out_key->p, sizeof public_key);
    if (ok) memcpy(out_secret, secret, sizeof secret);
    secret_wipe(secret, sizeof secret);
    return ok ||
           err_set(err, ERR_STORE, "key %lld of the audit trail does not belong to its secret", (long long)out_key->id);
}

// --- the signer ---

bool audit_signer_create(const struct datadir *dir, struct audit_signer **out_signer, struct err *err) {
    struct audit_signer *signer = mem_zalloc(1, sizeof *signer);
    struct state *state = mem_zalloc(1, sizeof *state);
    if (!signer || !state) {
        mem_free(signer);
        mem_free(state);
        return err_no_memory(err);
    }
    state->dir = dir;
    mutex_init(&state->lock);
    signer->state = state;
    *out_signer = signer;
    return true;
}

void audit_signer_free(struct audit_signer *signer) {
    if (!signer) return;
    struct state *state = signer->state;
    secret_wipe(state->secret, sizeof state->secret);
    mutex_free(&state->lock);
    mem_free(state);
    mem_free(signer);
}

// With the secret that is held, if it is the newest key's: its last half is the public key. The lock is never held
// while the database is asked, which may wait for a transaction that waits for this lock.
static bool sign_held(struct state *state, const struct audit_public *newest, struct audit_head *head) {
    mutex_lock(&state->lock);
    bool held = state->key_id == newest->id && !memcmp(state->secret + AUDIT_KEY_SIZE, newest->p, sizeof newest->p);
    if (held) audit_sign_head(head, state->secret);
    mutex_unlock(&state->lock);
    return held;
}

static void hold(struct state *state, const struct audit_public *key, const unsigned char secret[AUDIT_SECRET_SIZE]) {
    mutex_lock(&state->lock);
    memcpy(state->secret, secret, AUDIT_SECRET_SIZE);
    state->key_id = key->id;
    mutex_unlock(&state->lock);
}

bool audit_signer_sign(const struct audit_signer *signer, struct sql *db, struct audit_head *head, struct err *err) {
    struct state *state = signer->state;
    BUF_AUTO struct buf sealed = BUF_INIT(4096);
    unsigned char secret[AUDIT_SECRET_SIZE];
    struct audit_public key;
    bool has;
    if (!newest_read(db, &key, &sealed, &has, err)) return false;
    head->key_id = has ? key.id : 1;
    if (has && sign_held(state, &key, head)) return true;
    if (!has && !first_make(db, state->dir, err)) return false;
    if (!newest_open(db, state->dir, &key, secret, &has, err)) return false;
    if (!has) return err_set(err, ERR_STORE, "the key that signs the audit trail is gone");
    head->key_id = key.id;
    audit_sign_head(head, secret);
    hold(state, &key, secret);
    secret_wipe(secret, sizeof secret);
    return true;
}

bool audit_signer_seal(const struct audit_signer *signer, struct sql *db, struct str what, struct str text,
                       struct audit_seal *out_seal, struct err *err) {
    const struct datadir *dir = signer->state->dir;
    unsigned char secret[AUDIT_SECRET_SIZE];
    struct audit_public key;
    bool has;
    if (!newest_open(db, dir, &key, secret, &has, err)) return false;
    if (!has && (!first_make(db, dir, err) || !newest_open(db, dir, &key, secret, &has, err))) return false;
    if (!has) return err_set(err, ERR_STORE, "the key that signs the audit trail is gone");
    out_seal->key_id = key.id;
    memcpy(out_seal->public_key, key.p, sizeof key.p);
    audit_sign_text(what, text, secret, out_seal->signature);
    secret_wipe(secret, sizeof secret);
    return true;
}

// --- for people ---

static bool key_retire(struct sql *db, int64_t id, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("UPDATE audit_key SET retired_at = ?2, secret = NULL WHERE id = ?1"), &st,
                     err))
        return false;
    sql_bind_i64(st, 1, id);
    sql_bind_i64(st, 2, now_ns);
    return sql_run(st, err);
}

bool audit_key_rotate(struct sql *db, const struct audit_signer *signer, int64_t now_ns, struct audit_public *out_key,
                      struct err *err) {
    const struct datadir *dir = signer->state->dir;
    struct audit_public old = {0}, key = {.created_at = now_ns, .has_by_previous = true, .has_of_previous = true};
    unsigned char secret[AUDIT_SECRET_SIZE], old_secret[AUDIT_SECRET_SIZE];
    bool has;
    if (!newest_open(db, dir, &old, old_secret, &has, err)) return false;
    if (!has) return err_set(err, ERR_NOT_FOUND, "there is no audit trail yet, and no key that signs it");
    INVARIANT(crypto_sign_keypair(key.p, secret) == 0);
    key.id = old.id + 1;
    audit_sign_key(&key, old_secret, key.by_previous);
    audit_sign_key(&old, secret, key.of_previous);
    secret_wipe(old_secret, sizeof old_secret);
    bool ok = key_insert(db, dir, &key, secret, err) && key_retire(db, old.id, now_ns, err);
    secret_wipe(secret, sizeof secret);
    if (ok) *out_key = key;
    return ok;
}

bool audit_key_each(struct sql *db, audit_key_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT " COLUMNS " FROM audit_key ORDER BY id"), &st, err)) return false;
    for (bool has;;) {
        struct audit_public key;
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        if (!key_read(st, &key, err) || !visit(arg, &key, err)) break;
    }
    sql_reset(st);
    return false;
}

bool audit_key_own(struct sql *db, const struct datadir *dir, struct audit_public *out_key, struct err *err) {
    unsigned char secret[AUDIT_SECRET_SIZE];
    struct audit_public key;
    bool has;
    if (!newest_open(db, dir, &key, secret, &has, err)) return false;
    secret_wipe(secret, sizeof secret);
    if (!has) return err_set(err, ERR_NOT_FOUND, "there is no audit trail yet, and no key that signs it");
    *out_key = key;
    return true;
}
