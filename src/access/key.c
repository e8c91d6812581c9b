// Makes, hashes and revokes virtual keys.
#include "access/key_text.h"

#include "base/json_write.h"
#include "base/utf8.h"

#include <sodium.h>

static_assert(KEY_HASH_SIZE == crypto_generichash_BYTES, "the stored hash is libsodium's default size");
static_assert(KEEPER_KEY_SIZE == crypto_generichash_KEYBYTES, "the secret is libsodium's default key size");

void key_hash(const struct secret *server, struct str text, char out_hash[KEY_HASH_SIZE]) {
    // Fails for wrong lengths only.
    INVARIANT(crypto_generichash((unsigned char *)out_hash, KEY_HASH_SIZE, (const unsigned char *)text.p, text.n,
                                 (const unsigned char *)server->p, server->n) == 0);
}

bool key_hash_eq(const char a[KEY_HASH_SIZE], const char b[KEY_HASH_SIZE]) {
    return sodium_memcmp(a, b, KEY_HASH_SIZE) == 0;
}

static bool check_text(struct str text, size_t max, const char *what, struct err *err) {
    if (text.n > max)
        return err_set(err, ERR_INVALID_FIELD, "%s is %zu bytes long; the limit is %zu", what, text.n, max);
    if (!utf8_valid(text)) return err_set(err, ERR_INVALID_FIELD, "%s is not UTF-8", what);
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
            return err_set(err, ERR_INVALID_FIELD, "%s holds a control character", what);
    return true;
}

static bool check_model(struct str model, struct err *err) {
    if (model.n == 0) return err_set(err, ERR_INVALID_FIELD, "a model's name is empty");
    if (!check_text(model, KEY_MODEL_NAME_MAX, "a model's name", err)) return false;
    if (str_find_char(model, '*') + 1 >= model.n) return true;
    return err_set(err, ERR_INVALID_FIELD, "\"%.*s\": a * may stand only at the end of a model's name", STR_ARG(model));
}

const char *key_tenant_check(struct str text) {
    static const char expected[] = "a tenant's name: a-z, 0-9, \"-\", \"_\" and \".\", at most 64 in all";
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!word && (i == 0 || (c != '-' && c != '_' && c != '.'))) return expected;
    }
    return text.n && text.n <= KEY_TENANT_MAX ? NULL : expected;
}

static bool check_wanted(const struct key_wanted *w, int64_t now_ns, struct err *err) {
    if (!check_text(w->name, KEY_NAME_MAX, "the key's name", err)) return false;
    if (w->n_models > KEY_MODELS_MAX)
        return err_set(err, ERR_INVALID_FIELD,
                       "%zu models are too many for one key: the limit is %d; use patterns such as "
                       "\"gpt-*\"",
                       w->n_models, KEY_MODELS_MAX);
    for (size_t i = 0; i < w->n_models; i++)
        if (!check_model(w->models[i], err)) return false;
    const char *expected = w->tenant.n ? key_tenant_check(w->tenant) : NULL;
    if (expected)
        return err_set(err, ERR_INVALID_FIELD, "\"%.*s\" is not %s", STR_ARG(str_head(w->tenant, 80)), expected);
    if (w->tenant.n && w->is_admin)
        return err_set(err, ERR_INVALID_FIELD,
                       "an admin key governs the whole server, so it cannot be a tenant's; make one without a tenant");
    if (w->expires_at != 0 && w->expires_at <= now_ns)
        return err_set(err, ERR_INVALID_FIELD, "the key's expiry is in the past");
    return true;
}

static void put_models(const struct key_wanted *w, struct buf *out) {
    struct json_writer json;
    json_writer_init(&json, out);
    json_put_array(&json);
    for (size_t i = 0; i < w->n_models; i++) json_put_str(&json, w->models[i]);
    json_put_array_end(&json);
    json_writer_done(&json);
}

static bool insert(struct sql *db, const struct datadir *dir, const struct key_wanted *w, int64_t now_ns,
                   struct key_created *key, struct err *err) {
    struct str text = secret_str(&key->text);
    BUF_AUTO struct buf models = BUF_INIT((size_t)KEY_MODELS_MAX * (6 * KEY_MODEL_NAME_MAX + 3) + 2);
    put_models(w, &models);
    if (models.failed) return err_no_memory(err);
    int64_t tenant_id = TENANT_DEFAULT;
    if (w->tenant.n && !tenant_intern(db, w->tenant, &tenant_id, err)) return false;
    struct key_row row = {
        .tenant_id = tenant_id,
        .name = w->name,
        .prefix = str_head(text, KEY_PREFIX_LEN),
        .is_admin = w->is_admin,
        .any_model = w->n_models == 0,
        .allowed_models = buf_str(&models),
        .created_at = now_ns,
        .expires_at = w->expires_at,
    };
    key_hash(datadir_secret(dir), text, row.hash);
    return key_insert(db, &row, &key->id, err);
}

bool key_create(struct sql *db, struct datadir *dir, const struct key_wanted *wanted, int64_t now_ns,
                struct key_created *out_key, struct err *err) {
    struct key_created key = {0};
    if (!check_wanted(wanted, now_ns, err)) return false;
    if (!key_text_make(&key.text, err) || !insert(db, dir, wanted, now_ns, &key, err)) {
        key_created_free(&key);
        return false;
    }
    datadir_key_changed(dir);
    *out_key = key;
    return true;
}

void key_created_free(struct key_created *key) {
    secret_free(&key->text);
    key->id = 0;
}

bool key_revoke(struct sql *db, struct datadir *dir, int64_t id, int64_t now_ns, struct err *err) {
    if (!key_set_revoked(db, id, now_ns, err)) return false;
    datadir_key_changed(dir);
    return true;
}
