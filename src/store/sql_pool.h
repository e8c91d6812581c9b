// Connections to a data directory's database that are kept for the next who needs one.
//
// Ownership: sql_pool_create … sql_pool_free, when all that were taken have been given back; the directory outlives it.
// Thread rule: any thread; a connection belongs to who took it until it is given back. Errors: those of
// datadir_open_db.
#ifndef STORE_SQL_POOL_H
#define STORE_SQL_POOL_H

#include "store/datadir.h"

struct sql_pool;

NODISCARD bool sql_pool_create(const struct datadir *dir, struct sql_pool **out_pool, struct err *err);
void sql_pool_free(struct sql_pool *pool); // NULL is fine
// One that lies idle, or a new one.
NODISCARD bool sql_pool_take(struct sql_pool *pool, struct sql **out_db, struct err *err);
// What was left in the middle is ended (sql_rest). NULL is fine.
void sql_pool_give(struct sql_pool *pool, struct sql *db);

#endif
