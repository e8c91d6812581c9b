// The process's key ring, and how it is renewed.
#include "gateway/keys.h"

#include "base/mem.h"

#define BUSY_MS 2000

struct keys {
    const struct datadir *dir;
    struct sql *db; // used under the lock, by one thread at a time
    struct mutex lock;
    struct keyring *ring;
};

bool keys_create(const struct datadir *dir, struct keys **out_keys, struct err *err) {
    struct keys *keys = mem_zalloc(1, sizeof *keys);
    if (!keys) return err_no_memory(err);
    keys->dir = dir;
    mutex_init(&keys->lock);
    if (!datadir_open_db(dir, BUSY_MS, &keys->db, err) || !keyring_load(keys->db, dir, &keys->ring, err)) {
        keys_free(keys);
        return false;
    }
    *out_keys = keys;
    return true;
}

void keys_free(struct keys *keys) {
    if (!keys) return;
    keyring_unref(keys->ring);
    sql_close(keys->db);
    mutex_free(&keys->lock);
    mem_free(keys);
}

bool keys_current(struct keys *keys, struct keyring **out_ring, struct err *err) {
    mutex_lock(&keys->lock);
    bool ok = true;
    if (!keys->ring || keyring_stale(keys->ring)) {
        struct keyring *fresh;
        ok = keyring_load(keys->db, keys->dir, &fresh, err);
        if (ok) {
            keyring_unref(keys->ring);
            keys->ring = fresh;
        }
    }
    if (ok) *out_ring = keyring_ref(keys->ring);
    mutex_unlock(&keys->lock);
    return ok;
}

bool keys_edited(struct keys *keys, bool *out_edited, struct err *err) {
    mutex_lock(&keys->lock);
    bool edited = false, ok = true;
    if (keys->ring && !keyring_stale(keys->ring)) ok = keyring_edited(keys->ring, keys->db, &edited, err);
    if (ok && edited) {
        keyring_unref(keys->ring);
        keys->ring = NULL;
    }
    if (ok) *out_edited = edited;
    mutex_unlock(&keys->lock);
    return ok;
}
