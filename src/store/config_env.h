// What the configuration takes from the stores while it loads: sealed secrets, Vault's, live changes.
//
// Ownership: borrows the vault client; config_env_end frees the rest; fills callbacks into a struct conf_env that must
// not outlive it. Thread rule: as conf_load, any thread, one at a time; blocks on the database and the network. Errors:
// in the load's problems. A data directory that does not exist holds no secrets and no live changes.
#ifndef STORE_CONFIG_ENV_H
#define STORE_CONFIG_ENV_H

#include "store/config_history.h"
#include "store/vault.h"

struct config_env {
    struct vault *vault; // NULL: made at the first use, freed by config_env_end
    bool own_vault;
    const struct config_live_list *live; // in place of those in the database; NULL = those
    bool no_live;                        // none at all
    int64_t newest;                      // out: the newest version before live changes were read from the database
    // Its own: the data directory, opened when something there was first asked for.
    struct datadir dir;
    struct sql *db;
};
// The system's environment and files, with this one's stores.
struct conf_env config_env_system(struct config_env *env);
void config_env_end(struct config_env *env);

#endif
