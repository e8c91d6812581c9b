// The data directory: where the embedded database, the server's secret and the counters of changes live.
//
// Ownership: the opener owns it until datadir_close; key rings made from it must be gone by then. Thread rule: opened
// and closed by one thread; the generations are atomic, the rest read-only, so any thread may use it meanwhile. Errors:
// those of os/file.h, with what to do about a secret of the wrong size.
#ifndef STORE_DATADIR_H
#define STORE_DATADIR_H

#include "base/secret.h"
#include "os/file.h"
#include "os/thread.h"
#include "store/sql.h"

#define DATADIR_SECRET_SIZE 32

struct datadir {
    char *path;                 // as given
    char *database;             // PATH/penstock.db
    struct secret secret;       // PATH/secret.key: keys the hashes of API keys, and the sealed store
    struct file_map gen;        // PATH/keys.gen: a counter shared by all processes on this directory
    struct file_map config_gen; // PATH/config.gen: likewise, for live configuration and sealed secrets
};

// Creates what is missing, the directory with mode 0700. Any number of processes may have it open.
NODISCARD bool datadir_open(struct str path, struct datadir *out_dir, struct err *err);
void datadir_close(struct datadir *dir);

// Opens the database and brings it to this build's schema.
NODISCARD bool datadir_open_db(const struct datadir *dir, unsigned busy_ms, struct sql **out_db, struct err *err);

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
