// The text of virtual keys: made from 256 random bits, stored only as a keyed hash, changed so that all processes
// notice.
//
// What a key looks like: access/key_text.h. The database holds BLAKE2b-256 of the whole text, keyed with a
// secret that the database holds sealed: a stolen database yields no key, and without the master key no guess can be
// tested.
//
// Ownership: a key_created holds a secret; key_created_free wipes it. Thread rule: key_hash and key_text_valid are
// pure; the rest follows the connection's rule. Units: unix nanoseconds, 0 = never. Errors: those of sql.h,
// ERR_INVALID_FIELD for bad names and patterns, ERR_NOT_FOUND.
#ifndef ACCESS_KEY_H
#define ACCESS_KEY_H

#include "store/datadir.h"
#include "store/key.h"

#define KEY_TEXT_LEN 52
#define KEY_TEXT_EARLY_LEN 46 // of keys made by early versions
#define KEY_PREFIX_LEN 9      // "ps-" and six characters: enough to recognise it by, shown as "ps-abc123…"
#define KEY_MODELS_MAX 256
#define KEY_MODEL_NAME_MAX 256
#define KEY_TENANT_MAX 64

// Whether text has the form of a key, its checksum too; says nothing about its being known.
bool key_text_valid(struct str text);
void key_hash(const struct secret *server, struct str text, char out_hash[KEY_HASH_SIZE]);
// Constant time.
bool key_hash_eq(const char a[KEY_HASH_SIZE], const char b[KEY_HASH_SIZE]);

// NULL when text can be a tenant's name, else what was expected.
const char *key_tenant_check(struct str text);

struct key_wanted {
    struct str name; // UTF-8, at most KEY_NAME_MAX bytes; may be empty
    bool is_admin;
    struct str tenant;        // its name; empty: the general configuration. Not with is_admin
    const struct str *models; // allowed models, exact or ending in '*'; none = every model
    size_t n_models;
    int64_t expires_at;
};
struct key_created {
    int64_t id;
    struct secret text; // KEY_TEXT_LEN bytes: to be shown once
};
NODISCARD bool key_create(struct sql *db, struct datadir *dir, const struct key_wanted *wanted, int64_t now_ns,
                          struct key_created *out_key, struct err *err);
void key_created_free(struct key_created *key);

// Effective in every process at its next request.
NODISCARD bool key_revoke(struct sql *db, struct datadir *dir, int64_t id, int64_t now_ns, struct err *err);

#endif
