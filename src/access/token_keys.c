// Loads the keys of access tokens, makes them in time, and signs.
#include "access/seal_text.h"
#include "access/token_impl.h"

#include "base/text.h"
#include "os/clock.h"
#include "os/rand.h"

#include <sodium.h>

#define DAY_NS INT64_C(86400000000000)

struct token_keys {
    uint64_t refs;
    size_t n;
    struct token_key keys[TOKEN_KEYS_MAX];
};

static int64_t from_ms(int64_t ms) { return ms * (int64_t)NS_PER_MS; }

// RFC 7638: the hash of the key's required members in their order.
void token_kid(const char public_key[TOKEN_PUBLIC_SIZE], char out_kid[KID_LEN]) {
    char x[TOKEN_PUBLIC_SIZE * 2], text[128], kid[KID_LEN + 1];
    unsigned char hash[crypto_hash_sha256_BYTES];
    sodium_bin2base64(x, sizeof x, (const unsigned char *)public_key, TOKEN_PUBLIC_SIZE,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    int n = snprintf(text, sizeof text, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", x);
    crypto_hash_sha256(hash, (const unsigned char *)text, (unsigned long long)n);
    sodium_bin2base64(kid, sizeof kid, hash, sizeof hash, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    memcpy(out_kid, kid, KID_LEN);
}

// --- loading ---

bool token_keys_load(struct sql *db, int64_t now_ns, struct token_keys **out_keys, struct err *err) {
    struct token_keys *keys = mem_zalloc(1, sizeof *keys);
    struct token_key_row *rows = mem_zalloc(TOKEN_KEYS_MAX, sizeof *rows);
    struct arena arena;
    arena_init(&arena, NULL, 0, 1 << 20);
    bool ok =
        keys && rows ? token_key_all(db, now_ns, &arena, rows, TOKEN_KEYS_MAX, &keys->n, err) : err_no_memory(err);
    for (size_t i = 0; ok && i < keys->n; i++) {
        struct token_key *key = &keys->keys[i];
        if (rows[i].kid.n == KID_LEN) memcpy(key->kid, rows[i].kid.p, KID_LEN);
        memcpy(key->public_key, rows[i].public_key, sizeof key->public_key);
        key->retires_at = rows[i].retires_at;
    }
    arena_free(&arena);
    mem_free(rows);
    if (!ok) {
        mem_free(keys);
        return false;
    }
    keys->refs = 1;
    *out_keys = keys;
    return true;
}

struct token_keys *token_keys_of(const char public_key[TOKEN_PUBLIC_SIZE], struct str kid, int64_t retires_at) {
    struct token_keys *keys = kid.n == KID_LEN ? mem_zalloc(1, sizeof *keys) : NULL;
    if (!keys) return NULL;
    keys->refs = keys->n = 1;
    keys->keys[0].retires_at = retires_at;
    memcpy(keys->keys[0].kid, kid.p, KID_LEN);
    memcpy(keys->keys[0].public_key, public_key, TOKEN_PUBLIC_SIZE);
    return keys;
}

struct token_keys *token_keys_ref(struct token_keys *keys) {
    atom_add_relaxed(&keys->refs, 1);
    return keys;
}

void token_keys_unref(struct token_keys *keys) {
    if (keys && atom_sub(&keys->refs, 1) == 0) mem_free(keys);
}

const struct token_key *token_key_find(const struct token_keys *keys, struct str kid) {
    for (size_t i = 0; i < keys->n; i++)
        if (str_eq(str_of(keys->keys[i].kid, KID_LEN), kid)) return &keys->keys[i];
    return NULL;
}

void token_keys_put(struct json_writer *w, const struct token_keys *keys, int64_t now_ns) {
    json_put_object(w);
    json_put_member_array(w, STR("keys"));
    for (size_t i = 0; i < keys->n; i++) {
        const struct token_key *key = &keys->keys[i];
        char x[TOKEN_PUBLIC_SIZE * 2];
        if (key->retires_at <= now_ns) continue;
        sodium_bin2base64(x, sizeof x, key->public_key, sizeof key->public_key,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        json_put_object(w);
        json_put_member_str(w, STR("kty"), STR("OKP"));
        json_put_member_str(w, STR("crv"), STR("Ed25519"));
        json_put_member_str(w, STR("alg"), STR("EdDSA"));
        json_put_member_str(w, STR("use"), STR("sig"));
        json_put_member_str(w, STR("kid"), str_of(key->kid, KID_LEN));
        json_put_member_str(w, STR("x"), str_c(x));
        json_put_object_end(w);
    }
    json_put_array_end(w);
    json_put_object_end(w);
}

// --- making keys ---

static bool write_key(struct sql *db, const struct datadir *dir, struct token_key_row *row, struct str secret,
                      struct err *err) {
    BUF_AUTO struct buf sealed = BUF_INIT(1024);
    // Its id is part of what is sealed, and known only when the row is there.
    return token_key_insert(db, row, &row->id, err) &&
           text_seal(sql_platform(db), dir, "token_key", row->id, secret, &sealed, err) &&
           token_key_set_secret(db, row->id, buf_str(&sealed), err);
}

static bool make_key(struct sql *db, const struct datadir *dir, const struct conf_auth *auth, int64_t now_ns,
                     int64_t signs_from, struct err *err) {
    unsigned char secret[crypto_sign_ed25519_SECRETKEYBYTES];
    char kid[KID_LEN];
    struct token_key_row row = {.created_at = now_ns, .signs_from = signs_from};
    crypto_sign_ed25519_keypair((unsigned char *)row.public_key, secret);
    token_kid(row.public_key, kid);
    row.kid = str_of(kid, sizeof kid);
    row.signs_until = signs_from + from_ms(auth->tokens.rotate);
    row.retires_at = row.signs_until + from_ms(auth->tokens.lifetime) + 2 * TOKEN_LEEWAY_NS;
    bool ok = write_key(db, dir, &row, str_of((const char *)secret, sizeof secret), err);
    secret_wipe(secret, sizeof secret);
    return ok;
}

// The one that signs now: of several the oldest, so that a new one is known everywhere before it is used.
static const struct token_key_row *signer_of(const struct token_key_row *rows, size_t n, int64_t now_ns) {
    for (size_t i = n; i-- > 0;)
        if (rows[i].signs_from <= now_ns && now_ns < rows[i].signs_until) return &rows[i];
    return NULL;
}

static bool has_next(const struct token_key_row *rows, size_t n, const struct token_key_row *signer) {
    for (size_t i = 0; i < n; i++)
        if (rows[i].signs_until > signer->signs_until) return true;
    return false;
}

// Within a transaction, which keeps two replicas from making one each.
static bool make_missing(struct sql *db, const struct datadir *dir, const struct conf_auth *auth, int64_t now_ns,
                         struct arena *arena, struct err *err) {
    struct token_key_row *rows = ARENA_ARRAY(arena, struct token_key_row, TOKEN_KEYS_MAX);
    size_t n;
    if (!rows) return err_no_memory(err);
    if (!token_key_purge(db, now_ns, err) || !token_key_all(db, now_ns, arena, rows, TOKEN_KEYS_MAX, &n, err))
        return false;
    const struct token_key_row *signer = signer_of(rows, n, now_ns);
    if (!signer) return make_key(db, dir, auth, now_ns, now_ns, err);
    if (has_next(rows, n, signer)) return true;
    return make_key(db, dir, auth, now_ns, signer->signs_until, err);
}

static bool find_signer(struct sql *db, int64_t now_ns, struct arena *arena, struct token_key_row *out_signer,
                        bool *out_missing, struct err *err) {
    struct token_key_row *rows = ARENA_ARRAY(arena, struct token_key_row, TOKEN_KEYS_MAX);
    size_t n;
    if (!rows) return err_no_memory(err);
    if (!token_key_all(db, now_ns, arena, rows, TOKEN_KEYS_MAX, &n, err)) return false;
    const struct token_key_row *signer = signer_of(rows, n, now_ns);
    int64_t ahead = signer ? MIN(DAY_NS, (signer->signs_until - signer->signs_from) / 4) : 0;
    *out_missing = !signer || (now_ns >= signer->signs_until - ahead && !has_next(rows, n, signer));
    if (signer) *out_signer = *signer;
    return true;
}

static bool have_signer(struct sql *db, const struct datadir *dir, const struct conf_auth *auth, int64_t now_ns,
                        struct arena *arena, struct token_key_row *out_signer, bool *out_new_key, struct err *err) {
    bool missing;
    *out_new_key = false;
    if (!find_signer(db, now_ns, arena, out_signer, &missing, err)) return false;
    if (!missing) return true;
    if (!sql_begin(db, err)) return false;
    if (!make_missing(db, dir, auth, now_ns, arena, err)) {
        sql_rollback(db);
        return false;
    }
    *out_new_key = true;
    if (!sql_commit(db, err) || !find_signer(db, now_ns, arena, out_signer, &missing, err)) return false;
    return !missing || err_set(err, ERR_INTERNAL, "there is no key to sign access tokens with");
}

// --- signing ---

static bool sign(struct sql *db, const struct datadir *dir, const struct token_key_row *key,
                 const struct token_claims *claims, struct buf *out_text, struct err *err) {
    struct buf secret = BUF_INIT(1024), body = BUF_INIT(TOKEN_MAX);
    unsigned char signature[crypto_sign_ed25519_BYTES];
    bool ok = text_unseal(sql_platform(db), dir, "token_key", key->id, key->secret_key, &secret, err);
    if (ok && secret.n != crypto_sign_ed25519_SECRETKEYBYTES)
        ok = err_set(err, ERR_STORE, "the key that signs access tokens is damaged");
    if (ok) {
        token_body_put(&body, key->kid, claims);
        buf_lit(out_text, TOKEN_PREFIX);
        buf_put(out_text, buf_str(&body));
        buf_putc(out_text, '.');
        ok = (!body.failed && !out_text->failed) || err_no_memory(err);
    }
    if (ok) {
        crypto_sign_ed25519_detached(signature, NULL, (const unsigned char *)body.p, body.n,
                                     (const unsigned char *)secret.p);
        base64url_put(out_text, str_of((const char *)signature, sizeof signature));
        ok = !out_text->failed || err_no_memory(err);
    }
    secret_wipe(secret.p, secret.n);
    buf_free(&secret);
    buf_free(&body);
    return ok;
}

static void fill_in(struct token_claims *claims, int64_t now_ns) {
    char random[16], text[TOKEN_JTI_LEN + 1];
    rand_bytes(random, sizeof random);
    sodium_bin2base64(text, sizeof text, (const unsigned char *)random, sizeof random,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    memcpy(claims->jti, text, TOKEN_JTI_LEN);
    claims->issued_at = claims->not_before = now_ns / (int64_t)NS_PER_SEC * (int64_t)NS_PER_SEC;
}

bool token_make(struct sql *db, const struct datadir *dir, const struct conf_auth *auth, int64_t now_ns,
                struct token_claims *claims, struct buf *out_text, bool *out_new_key, struct err *err) {
    int64_t left = claims->expires_at - now_ns;
    struct token_key_row key;
    struct arena arena;
    if (left <= 0 || left > from_ms(auth->tokens.lifetime))
        return err_set(err, ERR_INVALID_FIELD, "an access token is good for 1 to %lld s",
                       (long long)(auth->tokens.lifetime / 1000));
    arena_init(&arena, NULL, 0, 1 << 20);
    fill_in(claims, now_ns);
    bool ok = have_signer(db, dir, auth, now_ns, &arena, &key, out_new_key, err) &&
              sign(db, dir, &key, claims, out_text, err);
    arena_free(&arena);
    return ok;
}
