// The process's key ring and budgets, and how they are renewed.
#include "gateway/keys.h"

#include "access/key_rotate.h"
#include "access/token.h"
#include "base/mem.h"
#include "os/clock.h"

#define BUSY_MS 2000
#define SIGNERS_NS (NS_PER_SEC / 4) // keys of tokens that are not known are looked for no more often

struct keys {
    const struct datadir *dir;
    struct sql *db; // used under the lock, by one thread at a time
    struct mutex lock;
    struct keyring *ring;
    struct quota *quota;
    struct sql *budget_db; // likewise, under budget_lock: saving does not hold up the key ring
    struct mutex budget_lock;
    uint64_t budget_generation; // of dir, before the budgets were read
    struct mutex signers_lock;
    struct token_keys *signers; // as last read; NULL: never
    uint64_t signers_ns;        // when
};

static bool load_budgets(struct keys *keys, uint64_t *out_damaged, struct err *err) {
    uint64_t generation = datadir_key_generation(keys->dir);
    if (!quota_load(keys->quota, keys->budget_db, clock_unix_ns(), out_damaged, err)) return false;
    keys->budget_generation = generation;
    return true;
}

bool keys_create(const struct datadir *dir, struct keys **out_keys, struct err *err) {
    struct keys *keys = mem_zalloc(1, sizeof *keys);
    if (!keys) return err_no_memory(err);
    keys->dir = dir;
    uint64_t damaged;
    mutex_init(&keys->lock);
    mutex_init(&keys->budget_lock);
    mutex_init(&keys->signers_lock);
    if (!datadir_open_db(dir, BUSY_MS, &keys->db, err) || !keyring_load(keys->db, dir, &keys->ring, err) ||
        !datadir_open_db(dir, BUSY_MS, &keys->budget_db, err) || !quota_create(&keys->quota, err) ||
        !load_budgets(keys, &damaged, err)) {
        keys_free(keys);
        return false;
    }
    *out_keys = keys;
    return true;
}

void keys_free(struct keys *keys) {
    if (!keys) return;
    keyring_unref(keys->ring);
    quota_free(keys->quota);
    sql_close(keys->db);
    sql_close(keys->budget_db);
    mutex_free(&keys->lock);
    mutex_free(&keys->budget_lock);
    mutex_free(&keys->signers_lock);
    if (keys->signers) token_keys_unref(keys->signers);
    mem_free(keys);
}

static bool renew_budgets(struct keys *keys, struct err *err) {
    uint64_t damaged, generation = datadir_key_generation(keys->dir);
    bool edited = false, ok = true;
    mutex_lock(&keys->budget_lock);
    if (generation != keys->budget_generation) ok = quota_edited(keys->quota, keys->budget_db, &edited, err);
    if (ok && edited)
        ok = load_budgets(keys, &damaged, err);
    else if (ok)
        keys->budget_generation = generation;
    mutex_unlock(&keys->budget_lock);
    return ok;
}

bool keys_current(struct keys *keys, struct keyring **out_ring, struct err *err) {
    bool ok = true;
    if (!renew_budgets(keys, err)) return false;
    mutex_lock(&keys->lock);
    if (keyring_stale(keys->ring)) {
        struct keyring *fresh;
        ok = keyring_renew(keys->db, keys->ring, &fresh, err);
        if (ok) {
            keyring_unref(keys->ring);
            keys->ring = fresh;
        }
    }
    if (ok) *out_ring = keyring_ref(keys->ring);
    mutex_unlock(&keys->lock);
    return ok;
}

static bool not_ours(struct err *err) {
    if (err->code == ERR_NOT_FOUND) err_set(err, ERR_UNAUTHENTICATED, "the access token was not made by this server");
    return false;
}

// By the keys at hand: whoever sends what no server signed costs others neither the database nor the lock.
static bool may_be_good(struct keys *keys, struct str text, int64_t now_ns, struct err *err) {
    struct token_claims ignored;
    mutex_lock(&keys->signers_lock);
    struct token_keys *signers = keys->signers ? token_keys_ref(keys->signers) : NULL;
    bool fresh = clock_mono_ns() - keys->signers_ns < SIGNERS_NS;
    mutex_unlock(&keys->signers_lock);
    if (!signers) return true;
    bool ok = token_check(signers, text, now_ns, &ignored, err);
    token_keys_unref(signers);
    return ok || (err->code == ERR_NOT_FOUND && !fresh) || not_ours(err);
}

static void keep_signers(struct keys *keys, struct token_keys *signers) {
    mutex_lock(&keys->signers_lock);
    struct token_keys *before = keys->signers;
    keys->signers = signers;
    keys->signers_ns = clock_mono_ns();
    mutex_unlock(&keys->signers_lock);
    if (before) token_keys_unref(before);
}

bool keys_token(struct keys *keys, struct str text, int64_t now_ns, struct keyring **out_ring,
                const struct key_entry **out_entry, struct err *err) {
    struct token_keys *signers;
    struct token_claims claims;
    if (!may_be_good(keys, text, now_ns, err)) return false;
    mutex_lock(&keys->lock);
    bool ok = token_keys_load(keys->db, now_ns, &signers, err);
    if (ok) {
        ok = token_check(signers, text, now_ns, &claims, err) || not_ours(err);
        keep_signers(keys, signers);
    }
    ok = ok && keyring_of_token(keys->db, keys->dir, &claims, now_ns, out_ring, out_entry, err);
    mutex_unlock(&keys->lock);
    return ok;
}

bool keys_edited(struct keys *keys, bool *out_edited, struct err *err) {
    mutex_lock(&keys->lock);
    bool edited = false, ok = true;
    if (!keyring_stale(keys->ring)) ok = keyring_edited(keys->ring, keys->db, &edited, err);
    if (ok) *out_edited = edited;
    mutex_unlock(&keys->lock);
    return ok;
}

bool keys_rotation_due(struct keys *keys, int64_t now_ns, bool *out_due, struct err *err) {
    mutex_lock(&keys->lock);
    bool ok = key_rotation_is_due(keys->db, now_ns, out_due, err);
    mutex_unlock(&keys->lock);
    return ok;
}

bool keys_save_uses(struct keys *keys, struct key_watch *watch, struct err *err) {
    mutex_lock(&keys->budget_lock);
    bool ok = key_watch_save(watch, keys->budget_db, err);
    mutex_unlock(&keys->budget_lock);
    return ok;
}

struct quota *keys_quota(struct keys *keys) {
    return keys->quota;
}

bool keys_look_at_budgets(struct keys *keys, const struct quota_listener *listener, uint64_t *out_damaged,
                          struct err *err) {
    uint64_t damaged = 0;
    bool edited;
    mutex_lock(&keys->budget_lock);
    bool ok = quota_edited(keys->quota, keys->budget_db, &edited, err);
    if (ok && edited) ok = load_budgets(keys, &damaged, err);
    ok = ok && quota_save(keys->quota, keys->budget_db, clock_unix_ns(), listener, err);
    mutex_unlock(&keys->budget_lock);
    if (ok) *out_damaged = damaged;
    return ok;
}

bool keys_recount_budgets(struct keys *keys, struct err *err) {
    mutex_lock(&keys->budget_lock);
    bool ok = quota_recount(keys->quota, keys->budget_db, err);
    mutex_unlock(&keys->budget_lock);
    return ok;
}
