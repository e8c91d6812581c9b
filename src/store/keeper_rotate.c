// Changes the master key: wraps every data key anew, in one transaction.
#include "store/keeper_impl.h"

#include "base/vec.h"
#include "os/file.h"
#include "os/rand.h"

#include <stdio.h>

#define PATH_MAX_BYTES 65536
#define PURPOSE_MAX 32

// A data key's row, and its key wrapped by the new master key once it was.
struct wrapping {
    int64_t tenant;
    struct keeper_row row; // purpose points into the name
    char name[PURPOSE_MAX];
    struct str old, fresh; // owned
};
struct wrappings {
    VEC(struct wrapping) list;
};

static struct str wrapping_purpose(const struct wrapping *w) { return str_of(w->name, w->row.purpose.n); }

static void str_free(struct str *s) {
    mem_free((void *)(uintptr_t)s->p);
    *s = STR_NONE;
}

static void wrappings_free(struct wrappings *all) {
    for (size_t i = 0; i < all->list.n; i++) {
        str_free(&all->list.p[i].old);
        str_free(&all->list.p[i].fresh);
    }
    vec_free(&all->list);
}

// --- reading ---

static bool take_row(struct sql_stmt *st, struct wrappings *all, struct err *err) {
    struct wrapping w = {.tenant = sql_col_i64(st, 0), .row.version = sql_col_i64(st, 2)};
    struct str purpose = sql_col_text(st, 1), id = sql_col_blob(st, 3), old = sql_col_blob(st, 4);
    if (purpose.n > sizeof w.name || id.n != sizeof w.row.id)
        return err_set(err, ERR_STORE, "a data key's row is damaged");
    memcpy(w.name, purpose.p, purpose.n);
    w.row.purpose.n = purpose.n;
    memcpy(w.row.id, id.p, id.n);
    w.old = str_of(mem_strdup(old), old.n);
    if (w.old.p && vec_push(&all->list, w)) return true;
    str_free(&w.old);
    return err_no_memory(err);
}

static bool read_rows(struct sql *db, struct wrappings *all, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT tenant_id, purpose, version, key_id, wrapped FROM data_key"
                         " ORDER BY tenant_id, purpose, version"),
                     &st, err))
        return false;
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        if (!take_row(st, all, err)) {
            sql_reset(st);
            return false;
        }
    }
}

// --- wrapping ---

static bool wrap_one(struct keeper *k, struct sql *db, struct master *target, struct wrapping *w, struct err *err) {
    unsigned char key[KEEPER_KEY_SIZE], label[MASTER_LABEL_SIZE];
    BUF_AUTO struct buf fresh = BUF_INIT(KEEPER_WRAPPED_BUF);
    struct keeper_row row = w->row;
    row.purpose = wrapping_purpose(w);
    if (!keeper_unwrap(k, db, w->tenant, &row, w->old, key, err)) return false;
    keeper_label(w->tenant, &row, label);
    bool ok = master_wrap(target, label, key, &fresh, err);
    secret_wipe(key, sizeof key);
    if (!ok) return false;
    char *copy = mem_strdup(buf_str(&fresh));
    w->fresh = str_of(copy, fresh.n);
    return copy || err_no_memory(err);
}

static bool wrap_all(struct keeper *k, struct sql *db, struct master *target, struct wrappings *all, struct err *err) {
    for (size_t i = 0; i < all->list.n; i++)
        if (!wrap_one(k, db, target, &all->list.p[i], err)) return false;
    return true;
}

// What was wrapped before the transaction began is taken over where the row is still the same. Both are in order.
static void take_over(struct wrappings *before, struct wrappings *all) {
    size_t at = 0;
    for (size_t i = 0; i < all->list.n; i++) {
        struct wrapping *w = &all->list.p[i];
        for (size_t k = at; k < before->list.n; k++) {
            struct wrapping *b = &before->list.p[k];
            if (b->tenant != w->tenant || memcmp(b->row.id, w->row.id, KEEPER_ID_SIZE) != 0) continue;
            if (str_eq(b->old, w->old)) {
                w->fresh = b->fresh;
                b->fresh = STR_NONE;
            }
            at = k + 1;
            break;
        }
    }
}

static bool put_row(struct sql *db, const struct wrapping *w, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_tenant(db, w->tenant),
                     STR("UPDATE data_key SET wrapped = ?4 WHERE tenant_id = ?1 AND purpose = ?2 AND version = ?3"),
                     &st, err))
        return false;
    sql_bind_text(st, 2, wrapping_purpose(w));
    sql_bind_i64(st, 3, w->row.version);
    sql_bind_blob(st, 4, w->fresh);
    return sql_run(st, err);
}

struct change {
    struct master *target;
    struct conf_master_key settings; // texts are the keeper's
    int64_t generation;              // before
};

static bool put_all(struct keeper *k, struct sql *db, const struct change *c, struct wrappings *before,
                    int64_t *out_count, struct err *err) {
    static const unsigned char zeros[KEEPER_KEY_SIZE];
    BUF_AUTO struct buf check = BUF_INIT(KEEPER_WRAPPED_BUF);
    unsigned char label[MASTER_LABEL_SIZE];
    struct wrappings all = {0};
    bool same = false;
    bool ok = keeper_hold(db, c->generation, &same, err);
    if (ok && !same) ok = err_set(err, ERR_STORE_BUSY, "the master key was changed by somebody else just now");
    ok = ok && read_rows(db, &all, err);
    if (ok) take_over(before, &all);
    for (size_t i = 0; ok && i < all.list.n; i++) {
        struct wrapping *w = &all.list.p[i];
        ok = (w->fresh.p || wrap_one(k, db, c->target, w, err)) && put_row(db, w, err);
    }
    keeper_label(0, KEEPER_CHECK_ROW, label);
    ok = ok && master_wrap(c->target, label, zeros, &check, err) &&
         keeper_check_put(db, &c->settings, c->generation + 1, buf_str(&check), err);
    *out_count = (int64_t)all.list.n;
    wrappings_free(&all);
    return ok;
}

// The program or service is asked before the transaction begins, so that it stays short.
static bool change_over(struct keeper *k, struct sql *db, const struct change *c, int64_t *out_count, struct err *err) {
    struct wrappings before = {0};
    bool ok = read_rows(db, &before, err) && wrap_all(k, db, c->target, &before, err) && sql_begin(db, err);
    if (ok) {
        ok = put_all(k, db, c, &before, out_count, err) && sql_commit(db, err);
        if (!ok) sql_rollback(db);
    }
    wrappings_free(&before);
    return ok;
}

// --- to what ---

static void take_new(struct keeper *k, const struct change *c) {
    mutex_lock(&k->asking);
    keeper_take(k, c->target, c->generation + 1);
    mutex_unlock(&k->asking);
}

// Whether the master key in force is this one: it opens the check value.
static bool in_force(struct sql *db, struct master *m, bool *out_is, struct err *err) {
    BUF_AUTO struct buf check = BUF_INIT(KEEPER_WRAPPED_BUF);
    unsigned char label[MASTER_LABEL_SIZE], text[KEEPER_KEY_SIZE];
    struct err ignored;
    int64_t generation;
    bool there;
    if (!keeper_master_row(db, &generation, &check, &there, err)) return false;
    keeper_label(0, KEEPER_CHECK_ROW, label);
    *out_is = there && master_unwrap(m, label, buf_str(&check), text, &ignored);
    return true;
}

// A new key is beside the old one until the database knows it, then in its place: at any moment one of the two files
// holds the key in force, and both are looked at.
static bool rotate_fresh(struct keeper *k, struct sql *db, struct change *c, int64_t *out_count, struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(PATH_MAX_BYTES), beside = BUF_INIT(PATH_MAX_BYTES);
    unsigned char key[MASTER_KEY_SIZE];
    if (k->now.source != MASTER_FILE)
        return err_set(err, ERR_CONFIG_INVALID,
                       "only a master key in a file can be made anew here; for another one set "
                       "storage.next_master_key, and rotate to \"next\"");
    if (!keeper_file(k, &path, err)) return false;
    buf_printf(&beside, "%.*s.next", STR_ARG(buf_str(&path)));
    if (beside.failed) return err_no_memory(err);
    c->settings = k->now;
    rand_bytes(key, sizeof key);
    bool ok = master_of(key, &c->target, err) &&
              file_replace(buf_str(&beside), str_of((const char *)key, sizeof key), 0600, err);
    secret_wipe(key, sizeof key);
    if (ok) ok = change_over(k, db, c, out_count, err);
    if (!ok) {
        master_free(c->target);
        return false;
    }
    take_new(k, c);
    return file_rename(buf_str(&beside), buf_str(&path), err) ||
           err_wrap(err, "the new master key is in force, in %.*s, which should be moved to %.*s",
                    STR_ARG(buf_str(&beside)), STR_ARG(buf_str(&path)));
}

static bool rotate_next(struct keeper *k, struct sql *db, struct change *c, int64_t *out_count, struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(PATH_MAX_BYTES);
    bool is = false;
    if (k->next.source == MASTER_NONE)
        return err_set(err, ERR_CONFIG_INVALID, "storage.next_master_key, which to change to, is not set");
    path_join(&path, k->data, STR("secret.key"));
    if (path.failed) return err_no_memory(err);
    c->settings = k->next;
    mutex_lock(&k->asking);
    bool ok = master_open(&k->next, buf_str(&path), true, k->vault, &c->target, err);
    mutex_unlock(&k->asking);
    if (!ok) return false;
    ok = in_force(db, c->target, &is, err);
    if (ok && is)
        ok = err_set(err, ERR_EXISTS,
                     "the next master key is in force already: put it in storage.master_key, and remove "
                     "storage.next_master_key");
    ok = ok && change_over(k, db, c, out_count, err);
    if (ok)
        take_new(k, c);
    else
        master_free(c->target);
    return ok;
}

bool keeper_rotate_master(struct keeper *k, struct sql *db, bool fresh, int64_t *out_count, struct err *err) {
    struct file_lock lock;
    BUF_AUTO struct buf name = BUF_INIT(PATH_MAX_BYTES);
    struct change c = {0};
    path_join(&name, k->data, STR("master.lock"));
    if (name.failed) return err_no_memory(err);
    if (!keeper_refresh(k, db, err)) return false;
    if (!file_lock_take(buf_str(&name), false, &lock, err))
        return err_wrap(err, "the master key is being changed by another command");
    c.generation = k->generation;
    bool ok = fresh ? rotate_fresh(k, db, &c, out_count, err) : rotate_next(k, db, &c, out_count, err);
    file_lock_release(&lock);
    return ok;
}
