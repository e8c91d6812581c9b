// The schema, step by step.
//
// A released step is never edited: add another one below it. Times are unix nanoseconds, 0 = never. Every row of an
// entity carries its tenant.
#include "store/migrate.h"

// usage has no index besides its key, so that a record costs one insertion into one tree. Names that repeat in millions
// of records (models, providers, errors) live once in `name`. change_count tells readers that keep a copy of a table
// that it was edited, by whatever program: the triggers run for all of them.
#define FIRST                                                                                                          \
    "CREATE TABLE api_key ("                                                                                           \
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"                                                                           \
    " tenant_id INTEGER NOT NULL DEFAULT 1,"                                                                           \
    " name TEXT NOT NULL DEFAULT '',"                                                                                  \
    " hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"                                                            \
    " prefix TEXT NOT NULL,"                                                                                           \
    " is_admin INTEGER NOT NULL DEFAULT 0,"                                                                            \
    " allowed_models TEXT,"                                                                                            \
    " created_at INTEGER NOT NULL,"                                                                                    \
    " expires_at INTEGER NOT NULL DEFAULT 0,"                                                                          \
    " revoked_at INTEGER NOT NULL DEFAULT 0,"                                                                          \
    " last_used_at INTEGER NOT NULL DEFAULT 0"                                                                         \
    ") STRICT;\n"                                                                                                      \
    "CREATE INDEX api_key_by_name ON api_key (tenant_id, name);\n"                                                     \
    "CREATE INDEX api_key_by_prefix ON api_key (prefix);\n"                                                            \
    "CREATE TABLE change_count (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;\n"               \
    "INSERT INTO change_count VALUES ('api_key', 0);\n"                                                                \
    "CREATE TRIGGER api_key_inserted AFTER INSERT ON api_key BEGIN"                                                    \
    " UPDATE change_count SET value = value + 1 WHERE name = 'api_key'; END;\n"                                        \
    "CREATE TRIGGER api_key_deleted AFTER DELETE ON api_key BEGIN"                                                     \
    " UPDATE change_count SET value = value + 1 WHERE name = 'api_key'; END;\n"                                        \
    "CREATE TRIGGER api_key_updated AFTER UPDATE OF id, tenant_id, name, hash, prefix, is_admin, allowed_models,"      \
    " expires_at, revoked_at ON api_key BEGIN"                                                                         \
    " UPDATE change_count SET value = value + 1 WHERE name = 'api_key'; END;\n"                                        \
    "CREATE TABLE id_lease (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL) STRICT;\n"                \
    "INSERT INTO id_lease VALUES (1, 0);\n"                                                                            \
    "CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;\n"                                  \
    "CREATE TABLE usage ("                                                                                             \
    " id INTEGER PRIMARY KEY,"                                                                                         \
    " ts INTEGER NOT NULL,"                                                                                            \
    " key_id INTEGER,"                                                                                                 \
    " provider_id INTEGER,"                                                                                            \
    " model_id INTEGER,"                                                                                               \
    " upstream_model_id INTEGER,"                                                                                      \
    " endpoint INTEGER NOT NULL DEFAULT 0,"                                                                            \
    " status INTEGER NOT NULL DEFAULT 0,"                                                                              \
    " flags INTEGER NOT NULL DEFAULT 0,"                                                                               \
    " tokens_in INTEGER NOT NULL DEFAULT 0,"                                                                           \
    " tokens_cached INTEGER NOT NULL DEFAULT 0,"                                                                       \
    " tokens_cache_write INTEGER NOT NULL DEFAULT 0,"                                                                  \
    " tokens_out INTEGER NOT NULL DEFAULT 0,"                                                                          \
    " tokens_reasoning INTEGER NOT NULL DEFAULT 0,"                                                                    \
    " cost_nano INTEGER NOT NULL DEFAULT 0,"                                                                           \
    " latency_us INTEGER NOT NULL DEFAULT 0,"                                                                          \
    " ttft_us INTEGER NOT NULL DEFAULT 0,"                                                                             \
    " error_id INTEGER,"                                                                                               \
    " tenant_id INTEGER NOT NULL DEFAULT 1"                                                                            \
    ") STRICT;\n"                                                                                                      \
    "CREATE TABLE wal_applied (segment INTEGER PRIMARY KEY, offset INTEGER NOT NULL) STRICT;\n"

// Values of sealed_secret and config_live and the trees of config_version are sealed (store/sealed.h): a nonce and a
// tag make them longer than 40 bytes. Sealed trees stand last, so that a list of versions need not read over them.
#define SECOND                                                                                                         \
    "CREATE TABLE sealed_secret ("                                                                                     \
    " tenant_id INTEGER NOT NULL DEFAULT 1,"                                                                           \
    " name TEXT NOT NULL,"                                                                                             \
    " value BLOB NOT NULL CHECK (length(value) > 40),"                                                                 \
    " created_at INTEGER NOT NULL,"                                                                                    \
    " updated_at INTEGER NOT NULL,"                                                                                    \
    " PRIMARY KEY (tenant_id, name)"                                                                                   \
    ") STRICT;\n"                                                                                                      \
    "CREATE TABLE config_version ("                                                                                    \
    " version INTEGER PRIMARY KEY,"                                                                                    \
    " at INTEGER NOT NULL,"                                                                                            \
    " actor TEXT NOT NULL,"                                                                                            \
    " cause TEXT NOT NULL,"                                                                                            \
    " file TEXT NOT NULL,"                                                                                             \
    " changes TEXT NOT NULL,"                                                                                          \
    " digest INTEGER NOT NULL,"                                                                                        \
    " tree BLOB NOT NULL CHECK (length(tree) > 40)"                                                                    \
    ") STRICT;\n"                                                                                                      \
    "CREATE TABLE config_live ("                                                                                       \
    " position INTEGER PRIMARY KEY,"                                                                                   \
    " key TEXT NOT NULL UNIQUE,"                                                                                       \
    " value BLOB NOT NULL CHECK (length(value) > 40),"                                                                 \
    " actor TEXT NOT NULL,"                                                                                            \
    " at INTEGER NOT NULL,"                                                                                            \
    " version INTEGER NOT NULL"                                                                                        \
    ") STRICT;\n"

// The numbers in every tenant_id have names from here on; 1 is the general configuration, whose name is empty.
#define THIRD                                                                                                          \
    "CREATE TABLE tenant (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE) STRICT;\n"                  \
    "INSERT INTO tenant VALUES (1, '');\n"

// What commands ask of a running server; rows live for seconds.
#define FOURTH                                                                                                         \
    "CREATE TABLE config_wish ("                                                                                       \
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"                                                                           \
    " at INTEGER NOT NULL,"                                                                                            \
    " wish BLOB,"                                                                                                      \
    " answer BLOB"                                                                                                     \
    ") STRICT;\n"

static const struct migration steps[] = {
    {.version = 1, .name = STR_INIT("keys, leases and usage"), .script = STR_INIT(FIRST)},
    {.version = 2, .name = STR_INIT("sealed secrets and configuration history"), .script = STR_INIT(SECOND)},
    {.version = 3, .name = STR_INIT("names of tenants"), .script = STR_INIT(THIRD)},
    {.version = 4, .name = STR_INIT("wishes of commands"), .script = STR_INIT(FOURTH)},
};

const struct migrations migrations_all = {steps, ARRAY_LEN(steps)};
