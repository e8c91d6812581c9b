// Opens or creates the data directory and the small files in it.
#include "store/datadir.h"

#include "os/rand.h"
#include "store/migrate.h"

// "PATH/name", owned; NULL when out of memory.
static char *join(struct str path, struct str name) {
    struct buf joined = BUF_INIT(SIZE_MAX / 2);
    path_join(&joined, path, name);
    char *z = joined.failed ? NULL : mem_strdup(buf_str(&joined));
    buf_free(&joined);
    return z;
}

static bool read_secret(struct str path, struct secret *out_secret, struct err *err) {
    char bytes[DATADIR_SECRET_SIZE + 1];
    CLEANUP(file_close) struct file f = {0};
    size_t n;
    if (!file_open(path, FILE_READ, 0, &f, err) || !file_read_at(&f, 0, bytes, sizeof bytes, &n, err)) return false;
    bool ok = n == DATADIR_SECRET_SIZE;
    if (!ok)
        err_set(err, ERR_STORE,
                "%.*s has the wrong size (%d bytes are expected): restore it from a backup, or remove it, which makes "
                "every API key invalid and every sealed secret unreadable",
                STR_ARG(path), DATADIR_SECRET_SIZE);
    else if (!secret_set(out_secret, str_of(bytes, n)))
        ok = err_no_memory(err);
    secret_wipe(bytes, sizeof bytes);
    return ok;
}

static bool open_secret(struct str path, struct secret *out_secret, struct err *err) {
    char fresh[DATADIR_SECRET_SIZE];
    bool created;
    rand_bytes(fresh, sizeof fresh);
    bool ok = file_create_once(path, str_of(fresh, sizeof fresh), 0600, &created, err);
    secret_wipe(fresh, sizeof fresh);
    // Read back even when just created: what is on disk is what other processes use.
    return ok && read_secret(path, out_secret, err);
}

static bool open_parts(struct str path, struct datadir *dir, struct err *err) {
    AUTO_FREE char *secret = join(path, STR("secret.key")), *gen = join(path, STR("keys.gen")),
                   *config_gen = join(path, STR("config.gen"));
    dir->path = mem_strdup(path);
    dir->database = join(path, STR("penstock.db"));
    if (!secret || !gen || !config_gen || !dir->path || !dir->database) return err_no_memory(err);
    return dir_make(path, 0700, err) && open_secret(str_c(secret), &dir->secret, err) &&
           file_map_open(str_c(gen), sizeof(uint64_t), 0600, &dir->gen, err) &&
           file_map_open(str_c(config_gen), sizeof(uint64_t), 0600, &dir->config_gen, err);
}

bool datadir_open(struct str path, struct datadir *out_dir, struct err *err) {
    struct datadir dir = {0};
    if (!open_parts(path, &dir, err)) {
        datadir_close(&dir);
        return err_wrap(err, "data directory %.*s", STR_ARG(path));
    }
    *out_dir = dir;
    return true;
}

void datadir_close(struct datadir *dir) {
    file_map_close(&dir->config_gen);
    file_map_close(&dir->gen);
    secret_free(&dir->secret);
    mem_free(dir->database);
    mem_free(dir->path);
    *dir = (struct datadir){0};
}

void datadir_config_changed(struct datadir *dir) {
    struct err ignored;
    atom_add((uint64_t *)(void *)dir->config_gen.p, 1);
    // A watcher without a notice finds the counter at its next look.
    (void)!file_touch(&dir->config_gen.file, &ignored);
}

bool datadir_open_db(const struct datadir *dir, unsigned busy_ms, struct sql **out_db, struct err *err) {
    struct sql_options options = {.mode = SQL_CREATE, .busy_ms = busy_ms};
    struct sql *db;
    if (!sql_open(str_c(dir->database), &options, &db, err)) return false;
    if (!migrate_to(db, MIGRATE_STEPS, err)) {
        sql_close(db);
        return err_wrap(err, "%s", dir->database);
    }
    *out_db = db;
    return true;
}
