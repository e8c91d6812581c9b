// Keeps a few connections open: a new one reads the whole schema (SQLite) or is a process (PostgreSQL).
#include "store/sql_pool.h"

#define IDLE_MAX 8
// A connection is used this often: it keeps each text that it was given.
#define USES_MAX 500

struct slot {
    struct sql *db;
    unsigned uses;
};
struct sql_pool {
    const struct datadir *dir;
    struct mutex lock;
    struct slot idle[IDLE_MAX];
    size_t n_idle;
    struct slot busy[64]; // to remember how often they were used; one that finds no room here is closed when given back
    size_t n_busy;
};

bool sql_pool_create(const struct datadir *dir, struct sql_pool **out_pool, struct err *err) {
    struct sql_pool *pool = mem_zalloc(1, sizeof *pool);
    if (!pool) return err_no_memory(err);
    pool->dir = dir;
    mutex_init(&pool->lock);
    *out_pool = pool;
    return true;
}

void sql_pool_free(struct sql_pool *pool) {
    if (!pool) return;
    for (size_t i = 0; i < pool->n_idle; i++) sql_close(pool->idle[i].db);
    mutex_free(&pool->lock);
    mem_free(pool);
}

static void note_busy(struct sql_pool *pool, struct slot slot) {
    if (pool->n_busy < ARRAY_LEN(pool->busy)) pool->busy[pool->n_busy++] = slot;
}

bool sql_pool_take(struct sql_pool *pool, struct sql **out_db, struct err *err) {
    struct slot slot = {0};
    mutex_lock(&pool->lock);
    if (pool->n_idle) {
        slot = pool->idle[--pool->n_idle];
        slot.uses++;
        note_busy(pool, slot);
    }
    mutex_unlock(&pool->lock);
    if (slot.db) {
        *out_db = slot.db;
        return true;
    }
    if (!datadir_open_db(pool->dir, SQL_BUSY_MS_DEFAULT, &slot.db, err)) return false;
    mutex_lock(&pool->lock);
    note_busy(pool, slot);
    mutex_unlock(&pool->lock);
    *out_db = slot.db;
    return true;
}

void sql_pool_give(struct sql_pool *pool, struct sql *db) {
    struct slot slot = {.db = db, .uses = USES_MAX};
    if (!db) return;
    sql_rest(db);
    mutex_lock(&pool->lock);
    for (size_t i = 0; i < pool->n_busy; i++) {
        if (pool->busy[i].db != db) continue;
        slot = pool->busy[i];
        pool->busy[i] = pool->busy[--pool->n_busy];
        break;
    }
    bool keep = slot.uses < USES_MAX && pool->n_idle < IDLE_MAX;
    if (keep) pool->idle[pool->n_idle++] = slot;
    mutex_unlock(&pool->lock);
    if (!keep) sql_close(db);
}
