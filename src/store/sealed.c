// Seals text with a tenant's data key, and keeps named secrets so.
#include "store/sealed.h"

#include "os/rand.h"
#include "store/aead.h"

#include <sodium.h>

// Sealed bytes: the format's number, the data key's version and id, a nonce, the text's bytes encrypted, the tag.
#define FORMAT '\2'
#define ID_AT SEALED_PREFIX_SIZE
#define NONCE_AT (ID_AT + KEEPER_ID_SIZE)
#define TEXT_AT (NONCE_AT + AEAD_NONCE_SIZE)
#define OVERHEAD ((size_t)TEXT_AT + AEAD_TAG_SIZE)
#define PURPOSE STR("sealed_secret")

// Those of early versions: the format's number, a nonce, the text's bytes encrypted, the tag.
#define EARLY_FORMAT '\1'
#define EARLY_NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define EARLY_TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define EARLY_KEY crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define EARLY_OVERHEAD ((size_t)1 + EARLY_NONCE + EARLY_TAG)
#define EARLY_SUBKEY 1

static_assert(KEEPER_KEY_SIZE == AEAD_KEY_SIZE, "a data key is one of AES-256");
static_assert(KEEPER_KEY_SIZE == crypto_kdf_KEYBYTES, "an early secret.key is as long as a master key of libsodium");
static_assert(OVERHEAD > 40, "the schema's CHECK of sealed columns");

static const unsigned char *bytes_of(const char *p) { return (const unsigned char *)p; }

static bool reserve(struct buf *out, size_t n, struct err *err) {
    bool failed = out->failed;
    if (buf_reserve(out, n)) return true;
    out->failed = failed;
    return err_no_memory(err);
}

static int64_t tenant_of(struct sql_scope scope) {
    return scope.tenant == SQL_PLATFORM ? TENANT_DEFAULT : scope.tenant;
}

// --- sealing ---

void sealed_prefix(int64_t version, char out_prefix[SEALED_PREFIX_SIZE]) {
    out_prefix[0] = FORMAT;
    for (unsigned i = 0; i < 4; i++) out_prefix[1 + i] = (char)(unsigned char)((uint64_t)version >> (24 - 8 * i));
}

// What is authenticated with the text: the bytes before the nonce, and whose it is.
static bool put_associated(struct buf *ad, struct str head, int64_t tenant, struct str purpose, struct str label,
                           struct err *err) {
    INVARIANT(purpose.n > 0 && !memchr(purpose.p, '\0', purpose.n)); // so that its end is certain
    buf_put(ad, head);
    for (unsigned i = 0; i < 8; i++) buf_putc(ad, (char)(unsigned char)((uint64_t)tenant >> (56 - 8 * i)));
    buf_put(ad, purpose);
    buf_putc(ad, '\0');
    buf_put(ad, label);
    return !ad->failed || err_no_memory(err);
}

static bool seal_with(const struct keeper_key *key, int64_t tenant, struct str purpose, struct str label,
                      struct str text, struct buf *out, struct err *err) {
    char head[TEXT_AT];
    unsigned char nonce[AEAD_NONCE_SIZE];
    BUF_AUTO struct buf ad = BUF_INIT(SIZE_MAX / 4);
    sealed_prefix(key->version, head);
    memcpy(head + ID_AT, key->id, KEEPER_ID_SIZE);
    rand_bytes(nonce, sizeof nonce);
    memcpy(head + NONCE_AT, nonce, sizeof nonce);
    if (!put_associated(&ad, str_of(head, NONCE_AT), tenant, purpose, label, err) ||
        !reserve(out, text.n + OVERHEAD, err))
        return false;
    size_t before = out->n;
    buf_append(out, head, sizeof head);
    if (aead_seal(key->key, nonce, buf_str(&ad), text, out, err)) return true;
    out->n = before;
    return false;
}

bool seal(struct sql_scope scope, const struct datadir *dir, struct str purpose, struct str label, struct str text,
          struct buf *out, struct err *err) {
    struct keeper_key key;
    if (text.n > SIZE_MAX / 4 || label.n > SIZE_MAX / 8) return err_no_memory(err);
    if (!keeper_newest(dir->keeper, scope, &key, err)) return false;
    bool ok = seal_with(&key, tenant_of(scope), purpose, label, text, out, err);
    keeper_key_wipe(&key);
    return ok;
}

// --- unsealing ---

static bool damaged(struct err *err) {
    return err_set(err, ERR_STORE,
                   "the sealed value is damaged, or was written by a newer Penstock: restore the database from a "
                   "backup, or set the value anew");
}

static bool closed(struct err *err) {
    return err_set(err, ERR_STORE,
                   "the sealed value does not open: it was sealed with another key or for another place, or is "
                   "damaged; restore the database and its master key from the same backup, or set the value anew");
}

static bool unseal_current(struct sql_scope scope, const struct datadir *dir, struct str purpose, struct str label,
                           struct str bytes, struct buf *out, struct err *err) {
    struct keeper_key key;
    int64_t version = 0;
    if (bytes.n < OVERHEAD) return damaged(err);
    for (unsigned i = 1; i < SEALED_PREFIX_SIZE; i++) version = version << 8 | (unsigned char)bytes.p[i];
    if (!version) return damaged(err);
    if (!keeper_find(dir->keeper, scope, version, &key, err))
        return err->code == ERR_NOT_FOUND ? err_set(err, ERR_STORE, "the key of the sealed value was destroyed")
                                          : false;
    BUF_AUTO struct buf ad = BUF_INIT(SIZE_MAX / 4);
    bool ok = memcmp(key.id, bytes.p + ID_AT, KEEPER_ID_SIZE) == 0 || closed(err);
    ok = ok && put_associated(&ad, str_head(bytes, NONCE_AT), tenant_of(scope), purpose, label, err);
    if (ok && !aead_open(key.key, bytes_of(bytes.p) + NONCE_AT, buf_str(&ad), str_from(bytes, TEXT_AT), out, err))
        ok = err->code == ERR_STORE ? closed(err) : false;
    keeper_key_wipe(&key);
    return ok;
}

static void early_label(struct str purpose, struct str label, unsigned char out[crypto_generichash_BYTES]) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, crypto_generichash_BYTES);
    crypto_generichash_update(&state, bytes_of(purpose.p), purpose.n);
    crypto_generichash_update(&state, bytes_of(""), 1);
    if (label.n) crypto_generichash_update(&state, bytes_of(label.p), label.n);
    crypto_generichash_final(&state, out, crypto_generichash_BYTES);
}

// There was the default tenant only.
static bool unseal_early(struct sql_scope scope, const struct datadir *dir, struct str purpose, struct str label,
                         struct str bytes, struct buf *out, struct err *err) {
    unsigned char key[EARLY_KEY], ad[crypto_generichash_BYTES];
    struct keeper_key early;
    if (bytes.n < EARLY_OVERHEAD) return damaged(err);
    if (tenant_of(scope) != TENANT_DEFAULT) return closed(err);
    size_t n = bytes.n - EARLY_OVERHEAD;
    // A byte more, so that there is an address to write to when the text is empty.
    if (!reserve(out, n + 1, err)) return false;
    if (!keeper_early(dir->keeper, scope.db, &early, err)) return err->code == ERR_NOT_FOUND ? closed(err) : false;
    const unsigned char *nonce = bytes_of(bytes.p) + 1;
    early_label(purpose, label, ad);
    INVARIANT(crypto_kdf_derive_from_key(key, sizeof key, EARLY_SUBKEY, "penstock", early.key) == 0);
    int rc = crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)out->p + out->n, NULL, NULL,
                                                        nonce + EARLY_NONCE, n + EARLY_TAG, ad, sizeof ad, nonce, key);
    secret_wipe(key, sizeof key);
    keeper_key_wipe(&early);
    if (rc != 0) return closed(err);
    out->n += n;
    return true;
}

bool unseal(struct sql_scope scope, const struct datadir *dir, struct str purpose, struct str label, struct str bytes,
            struct buf *out, struct err *err) {
    if (bytes.n && bytes.p[0] == FORMAT) return unseal_current(scope, dir, purpose, label, bytes, out, err);
    if (bytes.n && bytes.p[0] == EARLY_FORMAT) return unseal_early(scope, dir, purpose, label, bytes, out, err);
    return damaged(err);
}

// --- names ---

static bool name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-' || c == '/';
}

// A name that is wrong is not repeated: it may be a value in the wrong place.
bool sealed_name_check(struct str name, struct err *err) {
    if (name.n == 0) return err_set(err, ERR_INVALID_FIELD, "the secret's name is empty");
    if (name.n > SEALED_NAME_MAX)
        return err_set(err, ERR_INVALID_FIELD, "the secret's name is %zu bytes long; the limit is %d", name.n,
                       SEALED_NAME_MAX);
    for (size_t i = 0; i < name.n; i++)
        if (!name_char(name.p[i]))
            return err_set(err, ERR_INVALID_FIELD,
                           "byte %zu of the secret's name is not allowed: it may hold letters, digits, and . _ - /",
                           i + 1);
    return true;
}

static bool absent(struct str name, struct err *err) {
    return err_set(err, ERR_NOT_FOUND, "there is no secret \"%.*s\": `penstock secret list` shows those there are",
                   STR_ARG(name));
}

static bool put_row(struct sql_scope scope, struct str name, struct str value, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("INSERT INTO sealed_secret (tenant_id, name, value, created_at, updated_at)"
                         " VALUES (?1, ?2, ?3, ?4, ?4)"
                         " ON CONFLICT (tenant_id, name) DO UPDATE SET value = ?3, updated_at = ?4"),
                     &st, err))
        return false;
    sql_bind_text(st, 2, name);
    sql_bind_blob(st, 3, value);
    sql_bind_i64(st, 4, now_ns);
    return sql_run(st, err);
}

bool sealed_put(struct sql_scope scope, const struct datadir *dir, struct str name, struct str value, int64_t now_ns,
                struct err *err) {
    BUF_AUTO struct buf sealed = BUF_INIT(SEALED_VALUE_MAX + OVERHEAD);
    bool own = !scope.db->ops->in_transaction(scope.db);
    if (!sealed_name_check(name, err)) return false;
    if (value.n > SEALED_VALUE_MAX)
        return err_set(err, ERR_INVALID_FIELD, "the secret's value is %zu bytes long; the limit is %zu", value.n,
                       SEALED_VALUE_MAX);
    // In one transaction, so that the key cannot be changed in between.
    if (own && !sql_begin(scope.db, err)) return false;
    bool ok =
        seal(scope, dir, PURPOSE, name, value, &sealed, err) && put_row(scope, name, buf_str(&sealed), now_ns, err);
    if (own && ok) ok = sql_commit(scope.db, err);
    if (own && !ok) sql_rollback(scope.db);
    return ok;
}

bool sealed_get(struct sql_scope scope, const struct datadir *dir, struct str name, struct buf *out_value,
                struct err *err) {
    struct sql_stmt *st;
    BUF_AUTO struct buf sealed = BUF_INIT(SEALED_VALUE_MAX + OVERHEAD + EARLY_OVERHEAD);
    bool has;
    if (!sealed_name_check(name, err)) return false;
    if (!sql_prepare(scope, STR("SELECT value FROM sealed_secret WHERE tenant_id = ?1 AND name = ?2"), &st, err))
        return false;
    sql_bind_text(st, 2, name);
    if (!sql_step(st, &has, err)) return false;
    if (!has) return absent(name, err);
    buf_put(&sealed, sql_col_blob(st, 0));
    sql_reset(st);
    if (sealed.failed) return err_no_memory(err);
    return unseal(scope, dir, PURPOSE, name, buf_str(&sealed), out_value, err) ||
           err_wrap(err, "secret \"%.*s\"", STR_ARG(name));
}

bool sealed_delete(struct sql_scope scope, struct str name, struct err *err) {
    struct sql_stmt *st;
    if (!sealed_name_check(name, err)) return false;
    if (!sql_prepare(scope, STR("DELETE FROM sealed_secret WHERE tenant_id = ?1 AND name = ?2"), &st, err))
        return false;
    sql_bind_text(st, 2, name);
    if (!sql_run(st, err)) return false;
    return sql_changes(scope.db) > 0 || absent(name, err);
}

bool sealed_each(struct sql_scope scope, sealed_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("SELECT name, created_at, updated_at FROM sealed_secret WHERE tenant_id = ?1 ORDER BY name"),
                     &st, err))
        return false;
    for (bool has;;) {
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        struct sealed_row row = {
            .name = sql_col_text(st, 0), .created_at = sql_col_i64(st, 1), .updated_at = sql_col_i64(st, 2)};
        if (!row.name.p) {
            err_no_memory(err);
            break;
        }
        if (!visit(arg, &row, err)) break;
    }
    sql_reset(st);
    return false;
}
