// Opens or creates the data directory and the small files in it.
#include "store/datadir.h"

#include "conf/conf.h"
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

// Made once; what is on disk is what counts, since several processes may begin at once.
static bool open_id(struct str path, int64_t *out_id, struct err *err) {
    int64_t fresh = (int64_t)(rand_u64() >> 1 | 1), found = 0;
    bool created;
    size_t n;
    CLEANUP(file_close) struct file f = {0};
    if (!file_create_once(path, str_of((const char *)&fresh, sizeof fresh), 0600, &created, err) ||
        !file_open(path, FILE_READ, 0, &f, err) || !file_read_at(&f, 0, &found, sizeof found, &n, err))
        return false;
    if (n != sizeof found || found <= 0)
        return err_set(err, ERR_STORE, "%.*s is damaged: remove it while no server runs on this directory",
                       STR_ARG(path));
    *out_id = found;
    return true;
}

static bool has_url(const struct conf_storage *storage) { return storage && storage->url.n; }

static bool open_parts(struct str path, const struct conf_storage *storage, const struct conf_vault *vault,
                       struct datadir *dir, struct err *err) {
    AUTO_FREE char *gen = join(path, STR("keys.gen")), *config_gen = join(path, STR("config.gen")),
                   *id = join(path, STR("directory.id"));
    dir->path = mem_strdup(path);
    dir->database = has_url(storage) ? mem_strdup(secret_str(&storage->url)) : join(path, STR("penstock.db"));
    if (!gen || !config_gen || !id || !dir->path || !dir->database) return err_no_memory(err);
    return dir_make(path, 0700, err) && open_id(str_c(id), &dir->id, err) &&
           keeper_create(path, storage, vault, &dir->keeper, err) &&
           file_map_open(str_c(gen), sizeof(uint64_t), 0600, &dir->gen, err) &&
           file_map_open(str_c(config_gen), sizeof(uint64_t), 0600, &dir->config_gen, err);
}

bool datadir_open(struct str path, struct datadir *out_dir, struct err *err) {
    return datadir_open_as(path, NULL, NULL, out_dir, err);
}

bool datadir_open_as(struct str path, const struct conf_storage *storage, const struct conf_vault *vault,
                     struct datadir *out_dir, struct err *err) {
    struct datadir dir = {0};
    if (!open_parts(path, storage, vault, &dir, err)) {
        datadir_close(&dir);
        return err_wrap(err, "data directory %.*s", STR_ARG(path));
    }
    *out_dir = dir;
    return true;
}

void datadir_close(struct datadir *dir) {
    file_map_close(&dir->config_gen);
    file_map_close(&dir->gen);
    keeper_free(dir->keeper);
    if (dir->database) secret_wipe(dir->database, strlen(dir->database));
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
    if (!migrate_to(db, MIGRATE_STEPS, err) || !keeper_open(dir->keeper, db, err)) {
        bool is_file = !sql_is_postgres(db);
        sql_close(db);
        return err_wrap(err, "%s", is_file ? dir->database : "storage.url"); // a URL holds a password
    }
    *out_db = db;
    return true;
}
