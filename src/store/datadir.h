// The data directory: where the embedded database and the counters of changes live; with it goes the keeper of the
// database's keys.
//
// Ownership: the opener owns it until datadir_close; key rings made from it must be gone by then. Thread rule: opened
// and closed by one thread; the generations are atomic, the keeper locks, the rest is read-only, so any thread may use
// it meanwhile. Errors: those of os/file.h and store/keeper.h.
#ifndef STORE_DATADIR_H
#define STORE_DATADIR_H

#include "base/secret.h"
#include "os/file.h"
#include "os/thread.h"
#include "store/keeper.h"

struct datadir {
    char *path;                 // as given
    char *database;             // PATH/penstock.db, or the URL of one for several servers, with its password
    int64_t id;                 // random and lasting, in PATH/directory.id: tells servers on one database apart
    struct keeper *keeper;      // of the keys that hash API keys and seal secrets; open once a database was opened
    struct file_map gen;        // PATH/keys.gen: a counter shared by all processes on this directory
    struct file_map config_gen; // PATH/config.gen: likewise, for live configuration and sealed secrets
};

// Creates what is missing, the directory with mode 0700. Any number of processes may have it open.
NODISCARD bool datadir_open(struct str path, struct datadir *out_dir, struct err *err);
// Likewise, with the database and the master key where storage says (NULL: in PATH/penstock.db and PATH/secret.key), in
// this Vault perhaps (NULL: in none); neither is kept.
NODISCARD bool datadir_open_as(struct str path, const struct conf_storage *storage, const struct conf_vault *vault,
                               struct datadir *out_dir, struct err *err);
void datadir_close(struct datadir *dir);

// Opens the database, brings it to this build's schema, and proves the master key with it.
NODISCARD bool datadir_open_db(const struct datadir *dir, unsigned busy_ms, struct sql **out_db, struct err *err);

// What hashes API keys: the same for every data directory on this database, from datadir_open_db on.
static inline const struct secret *datadir_secret(const struct datadir *dir) { return keeper_hash_secret(dir->keeper); }

// How often keys were changed on this directory, by any process.
static inline uint64_t datadir_key_generation(const struct datadir *dir) {
    return atom_load((const uint64_t *)(const void *)dir->gen.p);
}
// To be called after a change of keys was committed: every process sees its key ring stale at its next request.
static inline void datadir_key_changed(struct datadir *dir) { atom_add((uint64_t *)(void *)dir->gen.p, 1); }

// How often the live configuration or a sealed secret was changed on this directory, by any process.
static inline uint64_t datadir_config_generation(const struct datadir *dir) {
    return atom_load((const uint64_t *)(const void *)dir->config_gen.p);
}
// To be called after such a change was committed. Who watches the directory is woken: a store into a mapping is no
// event to the system, so the file's time is set too. The counter tells whether there is something to read.
void datadir_config_changed(struct datadir *dir);

#endif
