// Seals text with a key made from secret.key, and keeps named secrets so.
#include "store/sealed.h"

#include "os/rand.h"

#include <sodium.h>

// Sealed bytes: the format's number, the nonce, the text's bytes encrypted, the tag.
#define FORMAT '\1'
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE crypto_aead_xchacha20poly1305_ietf_ABYTES
#define KEY_SIZE crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define OVERHEAD ((size_t)1 + NONCE_SIZE + TAG_SIZE)
#define SUBKEY_ID 1
#define PURPOSE STR("sealed_secret")

static_assert(DATADIR_SECRET_SIZE == crypto_kdf_KEYBYTES, "secret.key is as long as a master key of libsodium");
static_assert(sizeof "penstock" - 1 == crypto_kdf_CONTEXTBYTES, "the context's length is fixed");

struct label {
    unsigned char p[32];
};

static const unsigned char *bytes_of(const char *p) { return (const unsigned char *)p; }

// What is authenticated with the text, at one length whatever its names are.
static void label_make(struct str purpose, struct str label, struct label *out) {
    crypto_generichash_state state;
    INVARIANT(purpose.n > 0 && !memchr(purpose.p, '\0', purpose.n)); // so that its end is certain
    crypto_generichash_init(&state, NULL, 0, sizeof out->p);
    crypto_generichash_update(&state, bytes_of(purpose.p), purpose.n);
    crypto_generichash_update(&state, bytes_of(""), 1);
    if (label.n) crypto_generichash_update(&state, bytes_of(label.p), label.n);
    crypto_generichash_final(&state, out->p, sizeof out->p);
}

static void key_make(const struct datadir *dir, unsigned char out_key[KEY_SIZE]) {
    INVARIANT(dir->secret.n == DATADIR_SECRET_SIZE);
    INVARIANT(crypto_kdf_derive_from_key(out_key, KEY_SIZE, SUBKEY_ID, "penstock", bytes_of(dir->secret.p)) == 0);
}

static bool reserve(struct buf *out, size_t n, struct err *err) {
    bool failed = out->failed;
    if (buf_reserve(out, n)) return true;
    out->failed = failed;
    return err_no_memory(err);
}

bool seal(const struct datadir *dir, struct str purpose, struct str label, struct str text, struct buf *out,
          struct err *err) {
    unsigned char key[KEY_SIZE];
    struct label ad;
    if (text.n > SIZE_MAX / 2) return err_no_memory(err);
    if (!reserve(out, text.n + OVERHEAD, err)) return false;
    unsigned char *p = (unsigned char *)out->p + out->n, *nonce = p + 1;
    p[0] = FORMAT;
    rand_bytes(nonce, NONCE_SIZE);
    label_make(purpose, label, &ad);
    key_make(dir, key);
    INVARIANT(crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_SIZE, NULL, bytes_of(text.n ? text.p : ""),
                                                         text.n, ad.p, sizeof ad.p, NULL, nonce, key) == 0);
    secret_wipe(key, sizeof key);
    out->n += text.n + OVERHEAD;
    return true;
}

bool unseal(const struct datadir *dir, struct str purpose, struct str label, struct str bytes, struct buf *out,
            struct err *err) {
    unsigned char key[KEY_SIZE];
    struct label ad;
    if (bytes.n < OVERHEAD || bytes.p[0] != FORMAT)
        return err_set(err, ERR_STORE,
                       "the sealed value is damaged, or was written by a newer Penstock: restore the database from a "
                       "backup, or set the value anew");
    size_t n = bytes.n - OVERHEAD;
    // A byte more, so that there is an address to write to when the text is empty.
    if (!reserve(out, n + 1, err)) return false;
    const unsigned char *nonce = bytes_of(bytes.p) + 1;
    label_make(purpose, label, &ad);
    key_make(dir, key);
    int rc = crypto_aead_xchacha20poly1305_ietf_decrypt(
        (unsigned char *)out->p + out->n, NULL, NULL, nonce + NONCE_SIZE, n + TAG_SIZE, ad.p, sizeof ad.p, nonce, key);
    secret_wipe(key, sizeof key);
    if (rc != 0)
        return err_set(err, ERR_STORE,
                       "the sealed value does not open: it was sealed with another secret.key, or is damaged; restore "
                       "secret.key and the database from the same backup, or set the value anew");
    out->n += n;
    return true;
}

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

bool sealed_put(struct sql *db, const struct datadir *dir, struct str name, struct str value, int64_t now_ns,
                struct err *err) {
    struct sql_stmt *st;
    BUF_AUTO struct buf sealed = BUF_INIT(SEALED_VALUE_MAX + OVERHEAD);
    if (!sealed_name_check(name, err)) return false;
    if (value.n > SEALED_VALUE_MAX)
        return err_set(err, ERR_INVALID_FIELD, "the secret's value is %zu bytes long; the limit is %zu", value.n,
                       SEALED_VALUE_MAX);
    if (!seal(dir, PURPOSE, name, value, &sealed, err)) return false;
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO sealed_secret (name, value, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)"
                         " ON CONFLICT (tenant_id, name) DO UPDATE SET value = ?2, updated_at = ?3"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, name);
    sql_bind_blob(st, 2, buf_str(&sealed));
    sql_bind_i64(st, 3, now_ns);
    return sql_run(st, err);
}

bool sealed_get(struct sql *db, const struct datadir *dir, struct str name, struct buf *out_value, struct err *err) {
    struct sql_stmt *st;
    bool has;
    if (!sealed_name_check(name, err)) return false;
    if (!sql_prepare(sql_platform(db), STR("SELECT value FROM sealed_secret WHERE name = ?1 LIMIT 1"), &st, err))
        return false;
    sql_bind_text(st, 1, name);
    if (!sql_step(st, &has, err)) return false;
    if (!has) return absent(name, err);
    bool ok = unseal(dir, PURPOSE, name, sql_col_blob(st, 0), out_value, err);
    sql_reset(st);
    return ok || err_wrap(err, "secret \"%.*s\"", STR_ARG(name));
}

bool sealed_delete(struct sql *db, struct str name, struct err *err) {
    struct sql_stmt *st;
    if (!sealed_name_check(name, err)) return false;
    if (!sql_prepare(sql_platform(db), STR("DELETE FROM sealed_secret WHERE name = ?1"), &st, err)) return false;
    sql_bind_text(st, 1, name);
    if (!sql_run(st, err)) return false;
    return sql_changes(db) > 0 || absent(name, err);
}

bool sealed_each(struct sql *db, sealed_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT name, created_at, updated_at FROM sealed_secret ORDER BY name"), &st,
                     err))
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
