// Which master key is in force: found among the configured ones, proven by the database, made for a fresh one.
#include "store/keeper_impl.h"

#include "os/clock.h"
#include "os/file.h"
#include "os/rand.h"
#include "store/vault_internal.h"

#include <sodium.h>
#include <stdio.h>

#define PATH_MAX_BYTES 65536

void keeper_label(int64_t tenant, const struct keeper_row *row, unsigned char out_label[MASTER_LABEL_SIZE]) {
    crypto_generichash_state state;
    unsigned char numbers[16];
    for (unsigned i = 0; i < 8; i++) {
        numbers[i] = (unsigned char)((uint64_t)tenant >> (56 - 8 * i));
        numbers[8 + i] = (unsigned char)((uint64_t)row->version >> (56 - 8 * i));
    }
    crypto_generichash_init(&state, NULL, 0, MASTER_LABEL_SIZE);
    crypto_generichash_update(&state, (const unsigned char *)"penstock data key", sizeof "penstock data key");
    crypto_generichash_update(&state, numbers, sizeof numbers);
    crypto_generichash_update(&state, row->id, sizeof row->id);
    crypto_generichash_update(&state, (const unsigned char *)row->purpose.p, row->purpose.n);
    crypto_generichash_final(&state, out_label, MASTER_LABEL_SIZE);
}

// --- settings ---

static bool copy_text(struct arena *a, struct str *text) {
    char *copy = arena_cstr(a, *text);
    text->p = copy;
    return copy != NULL;
}

static bool copy_master(struct arena *a, const struct conf_master_key *from, struct conf_master_key *to) {
    *to = *from;
    to->command.p = from->command.n ? ARENA_ARRAY(a, struct str, from->command.n) : NULL;
    if (from->command.n && !to->command.p) return false;
    bool ok = copy_text(a, &to->file) && copy_text(a, &to->env) && copy_text(a, &to->mount) && copy_text(a, &to->key);
    for (size_t i = 0; ok && i < from->command.n; i++) {
        to->command.p[i] = from->command.p[i];
        ok = copy_text(a, &to->command.p[i]);
    }
    return ok;
}

bool keeper_configure(struct keeper *k, const struct conf_storage *storage, const struct conf_vault *vault,
                      struct err *err) {
    static const struct conf_storage plain = {.master_key = {.source = MASTER_FILE}};
    struct arena arena;
    struct conf_master_key now, next;
    struct vault_session *session = NULL;
    if (!storage) storage = &plain;
    bool wanted =
        storage->master_key.source == MASTER_VAULT_TRANSIT || storage->next_master_key.source == MASTER_VAULT_TRANSIT;
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    bool ok = copy_master(&arena, &storage->master_key, &now) && copy_master(&arena, &storage->next_master_key, &next);
    // A configuration that was not filled in by the tables has the first: what every data directory begins with.
    if (ok && now.source == MASTER_NONE) now.source = MASTER_FILE;
    if (ok && wanted && vault && vault->address.n) ok = (session = vault_session_new(vault, &k->skew_ns)) != NULL;
    if (!ok) {
        arena_free(&arena);
        return err_no_memory(err);
    }
    mutex_lock(&k->asking);
    mutex_lock(&k->lock);
    master_free(k->master); // which borrows the old ones
    k->master = NULL;
    k->generation = 0;
    vault_session_free(k->vault);
    arena_free(&k->arena);
    k->arena = arena;
    k->now = now;
    k->next = next;
    k->vault = session;
    mutex_unlock(&k->lock);
    mutex_unlock(&k->asking);
    return true;
}

bool keeper_file(const struct keeper *k, struct buf *out_path, struct err *err) {
    if (k->now.source == MASTER_FILE && k->now.file.n)
        buf_put(out_path, k->now.file);
    else
        path_join(out_path, k->data, STR("secret.key"));
    return !out_path->failed || err_no_memory(err);
}

// --- proving ---

bool keeper_master_row(struct sql *db, int64_t *out_generation, struct buf *out_check, bool *out_there,
                       struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT generation, check_value FROM master_key WHERE one = 1"), &st, err) ||
        !sql_step(st, out_there, err))
        return false;
    if (!*out_there) return true;
    *out_generation = sql_col_i64(st, 0);
    buf_put(out_check, str_head(sql_col_blob(st, 1), KEEPER_WRAPPED_BUF));
    sql_reset(st);
    return !out_check->failed || err_no_memory(err);
}

// Opens a candidate and tries it on the check value.
static bool candidate(struct keeper *k, const struct conf_master_key *c, struct str file, struct str check,
                      struct master **out_master, struct err *err) {
    unsigned char label[MASTER_LABEL_SIZE], text[KEEPER_KEY_SIZE];
    if (!master_open(c, file, false, k->vault, out_master, err)) return false;
    keeper_label(0, KEEPER_CHECK_ROW, label);
    bool ok = master_unwrap(*out_master, label, check, text, err);
    if (ok && !sodium_is_zero(text, sizeof text)) ok = err_set(err, ERR_STORE, "the check value is damaged");
    secret_wipe(text, sizeof text);
    if (ok) return true;
    master_free(*out_master);
    return false;
}

// A change to a fresh key in a file puts it beside the old one first. If that is the one in force, whoever changed it
// was stopped before the last step, which is done now; unless another change is under way.
static void heal(struct keeper *k, struct str path, struct str beside) {
    struct file_lock lock;
    struct err ignored;
    BUF_AUTO struct buf name = BUF_INIT(PATH_MAX_BYTES);
    path_join(&name, k->data, STR("master.lock"));
    if (name.failed || !file_lock_take(buf_str(&name), false, &lock, &ignored)) return;
    (void)!file_rename(beside, path, &ignored);
    file_lock_release(&lock);
}

static bool find(struct keeper *k, struct str check, struct master **out_master, struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(PATH_MAX_BYTES), beside = BUF_INIT(PATH_MAX_BYTES);
    struct err other;
    if (!keeper_file(k, &path, err)) return false;
    if (candidate(k, &k->now, buf_str(&path), check, out_master, err)) return true;
    if (k->next.source != MASTER_NONE && candidate(k, &k->next, buf_str(&path), check, out_master, &other)) return true;
    if (k->now.source != MASTER_FILE) return false;
    const struct conf_master_key plain = {.source = MASTER_FILE};
    buf_printf(&beside, "%.*s.next", STR_ARG(buf_str(&path)));
    if (beside.failed || !candidate(k, &plain, buf_str(&beside), check, out_master, &other)) return false;
    heal(k, buf_str(&path), buf_str(&beside));
    return true;
}

void keeper_take(struct keeper *k, struct master *master, int64_t generation) {
    mutex_lock(&k->lock);
    master_free(k->master);
    k->master = master;
    k->generation = generation;
    mutex_unlock(&k->lock);
}

bool keeper_proof_read(struct sql *db, struct keeper_proof *out_proof, struct err *err) {
    bool there;
    if (!keeper_master_row(db, &out_proof->generation, &out_proof->check, &there, err)) return false;
    return there || err_set(err, ERR_STORE, "the database lacks the row of its master key");
}

bool keeper_prove(struct keeper *k, const struct keeper_proof *proof, struct err *err) {
    struct master *master = NULL;
    char name[MASTER_NAME_MAX];
    if (find(k, buf_str(&proof->check), &master, err)) {
        keeper_take(k, master, proof->generation);
        return true;
    }
    // Only who was asked elsewhere can be away; what is at hand is right or wrong.
    struct err why = *err;
    master_name(&k->now, name);
    return err_set(err, why.code,
                   "storage.master_key (%s) does not open this database: set the right key, or restore it (\"file\": "
                   "secret.key) from the database's backup: %s",
                   name, why.message);
}

bool keeper_ensure(struct keeper *k, const struct keeper_proof *proof, struct err *err) {
    return k->generation == proof->generation || keeper_prove(k, proof, err);
}

bool keeper_refresh(struct keeper *k, struct sql *db, struct err *err) {
    CLEANUP(keeper_proof_free) struct keeper_proof proof = {.check = BUF_INIT(KEEPER_WRAPPED_BUF)};
    if (!keeper_proof_read(db, &proof, err)) return false;
    mutex_lock(&k->asking);
    bool ok = keeper_ensure(k, &proof, err);
    mutex_unlock(&k->asking);
    return ok;
}

bool keeper_hold(struct sql *db, int64_t generation, bool *out_same, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("UPDATE master_key SET generation = generation WHERE one = 1 AND generation = ?1"), &st, err))
        return false;
    sql_bind_i64(st, 1, generation);
    if (!sql_run(st, err)) return false;
    *out_same = sql_changes(db) == 1;
    return true;
}

bool keeper_state_get(struct sql *db, struct keeper_state *out_state, struct err *err) {
    struct sql_stmt *st;
    bool there;
    if (!sql_prepare(sql_platform(db), STR("SELECT generation, changed_at, source FROM master_key WHERE one = 1"), &st,
                     err) ||
        !sql_step(st, &there, err))
        return false;
    *out_state = (struct keeper_state){0};
    if (!there) return true;
    out_state->generation = sql_col_i64(st, 0);
    out_state->changed_at = sql_col_i64(st, 1);
    snprintf(out_state->source, sizeof out_state->source, "%.*s", STR_ARG(sql_col_text(st, 2)));
    sql_reset(st);
    return true;
}

// --- the first one ---

// Whether the database is of before there were data keys, and something in it needs secret.key.
static bool is_early(struct sql *db, bool *out_early, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT 1 FROM api_key UNION ALL SELECT 1 FROM sealed_secret"
                         " UNION ALL SELECT 1 FROM config_version UNION ALL SELECT 1 FROM config_live LIMIT 1"),
                     &st, err) ||
        !sql_step(st, out_early, err))
        return false;
    if (*out_early) sql_reset(st);
    return true;
}

static bool read_early(const struct keeper *k, unsigned char out_key[KEEPER_KEY_SIZE], struct err *err) {
    char bytes[KEEPER_KEY_SIZE + 1];
    BUF_AUTO struct buf path = BUF_INIT(PATH_MAX_BYTES);
    CLEANUP(file_close) struct file f = {0};
    size_t n;
    path_join(&path, k->data, STR("secret.key"));
    if (path.failed) return err_no_memory(err);
    if (!file_open(buf_str(&path), FILE_READ, 0, &f, err)) {
        if (err->code != ERR_NOT_FOUND) return false;
        return err_set(err, ERR_STORE,
                       "%.*s is missing, without which the API keys and secrets in the database mean nothing: restore "
                       "it from a backup",
                       STR_ARG(str_head(buf_str(&path), 300)));
    }
    if (!file_read_at(&f, 0, bytes, sizeof bytes, &n, err)) return false;
    if (n == KEEPER_KEY_SIZE) memcpy(out_key, bytes, KEEPER_KEY_SIZE);
    secret_wipe(bytes, sizeof bytes);
    return n == KEEPER_KEY_SIZE ||
           err_set(err, ERR_STORE, "%.*s has the wrong size (%d bytes are expected): restore it from a backup",
                   STR_ARG(str_head(buf_str(&path), 300)), KEEPER_KEY_SIZE);
}

static bool insert_wrapped(struct keeper *k, struct sql *db, struct str purpose,
                           const unsigned char key[KEEPER_KEY_SIZE], struct err *err) {
    BUF_AUTO struct buf wrapped = BUF_INIT(KEEPER_WRAPPED_BUF);
    struct keeper_row row = {.purpose = purpose, .version = 1};
    int64_t generation;
    rand_bytes(row.id, sizeof row.id);
    return keeper_wrap(k, NULL, TENANT_DEFAULT, &row, key, &wrapped, &generation, err) &&
           (wrapped.n || err_set(err, ERR_STORE_BUSY, "the master key is being changed")) &&
           keeper_insert(db, TENANT_DEFAULT, &row, buf_str(&wrapped), clock_unix_ns(), false, err);
}

bool keeper_check_put(struct sql *db, const struct conf_master_key *settings, int64_t generation, struct str check,
                      struct err *err) {
    char name[MASTER_NAME_MAX];
    struct sql_stmt *st;
    master_name(settings, name);
    // The first one never takes another's place: two replicas may make it at the same time.
    if (!sql_prepare(sql_platform(db),
                     generation == 1 ? STR("INSERT INTO master_key (one, generation, source, check_value, changed_at)"
                                           " VALUES (1, ?1, ?2, ?3, ?4) ON CONFLICT (one) DO NOTHING")
                                     : STR("UPDATE master_key SET generation = ?1, source = ?2, check_value = ?3,"
                                           " changed_at = ?4 WHERE one = 1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, generation);
    sql_bind_text(st, 2, str_c(name));
    sql_bind_blob(st, 3, check);
    sql_bind_i64(st, 4, clock_unix_ns());
    if (!sql_run(st, err)) return false;
    return sql_changes(db) == 1 ||
           err_set(err, ERR_STORE_BUSY, "another server makes the database's keys at this moment: try again");
}

static bool open_first(struct keeper *k, bool early, struct conf_master_key *out_settings, struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(PATH_MAX_BYTES);
    struct master *master;
    if (!keeper_file(k, &path, err)) return false;
    mutex_lock(&k->asking);
    bool ok = master_open(&k->now, buf_str(&path), !early, k->vault, &master, err);
    if (ok) {
        keeper_take(k, master, 1);
        *out_settings = k->now;
    }
    mutex_unlock(&k->asking);
    return ok;
}

static bool make_first(struct keeper *k, struct sql *db, bool early, struct err *err) {
    static const unsigned char zeros[KEEPER_KEY_SIZE];
    BUF_AUTO struct buf check = BUF_INIT(KEEPER_WRAPPED_BUF);
    struct conf_master_key settings;
    int64_t generation;
    return open_first(k, early, &settings, err) &&
           keeper_wrap(k, NULL, 0, KEEPER_CHECK_ROW, zeros, &check, &generation, err) &&
           keeper_check_put(db, &settings, 1, buf_str(&check), err);
}

bool keeper_found(struct keeper *k, struct sql *db, struct err *err) {
    unsigned char key[KEEPER_KEY_SIZE];
    bool early;
    if (!is_early(db, &early, err)) return false;
    if (early && !read_early(k, key, err)) return false;
    if (!early) rand_bytes(key, sizeof key);
    bool ok = make_first(k, db, early, err) && insert_wrapped(k, db, PURPOSE_HASH, key, err) &&
              (!early || insert_wrapped(k, db, PURPOSE_EARLY, key, err));
    secret_wipe(key, sizeof key);
    return ok;
}
