// What the ledger's tests share: a fresh data folder with a migrated database, records that can be told apart, queries.
#ifndef TESTS_LEDGER_FIXTURE_H
#define TESTS_LEDGER_FIXTURE_H

#include "check.h"
#include "test_database.h"

#include "base/buf.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/rand.h"
#include "os/thread.h"
#include "store/ledger.h"
#include "store/migrate.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct fixture {
    char dir[256], db[600];
    uint64_t events[LEDGER_DROPPED + 1]; // atomic
};

static inline struct sql *fixture_db(const struct fixture *f) {
    struct err err;
    struct sql *db = NULL;
    struct sql_options opt = {.mode = SQL_CREATE, .busy_ms = 20000, .lane = SQL_LANE_USAGE};
    REQUIRE(sql_open(str_c(f->db), &opt, &db, &err));
    return db;
}

// A database as a step of the schema left it.
static inline void fixture_make_at(struct fixture *f, size_t step) {
    static unsigned n;
    struct err err;
    *f = (struct fixture){0};
    snprintf(f->dir, sizeof f->dir, "%s/data%u", temp_dir(), n++);
    if (test_server()) {
        char name[32];
        snprintf(name, sizeof name, "data%u", n);
        snprintf(f->db, sizeof f->db, "%s", test_database(name).p);
    } else {
        snprintf(f->db, sizeof f->db, "%s/penstock.db", f->dir);
    }
    REQUIRE(dir_make(str_c(f->dir), 0700, &err));
    struct sql *db = fixture_db(f);
    REQUIRE(migrate_to(db, step, &err));
    REQUIRE(sql_exec(db, STR("INSERT INTO api_key (id, hash, prefix, created_at) VALUES (3, zeroblob(32), 'ps-', 1)"),
                     &err));
    sql_close(db);
}
static inline void fixture_make(struct fixture *f) { fixture_make_at(f, MIGRATE_STEPS); }

static inline void fixture_event(void *arg, enum ledger_event event, const char *message UNUSED) {
    struct fixture *f = arg;
    atom_add(&f->events[event], 1);
}

static inline struct ledger_options fixture_options(struct fixture *f) {
    return (struct ledger_options){.data_dir = str_c(f->dir),
                                   .database = str_c(f->db),
                                   .writers = 2,
                                   .segment_bytes = 16384,
                                   .apply_ms = 10,
                                   .on_event = fixture_event,
                                   .arg = f};
}

static inline struct ledger *fixture_open(struct fixture *f) {
    struct ledger_options opt = fixture_options(f);
    struct ledger *l = NULL;
    struct err err;
    REQUIRE(ledger_open(&opt, &l, &err));
    return l;
}

// The table's rows with what they were of.
#define FIXTURE_VIEW                                                                                                   \
    "CREATE TEMP VIEW record AS SELECT u.*, d.key_id, d.provider_id, d.model_id, d.upstream_model_id, d.status,"       \
    " d.error_id FROM usage u JOIN usage_dim d ON d.id = u.dim_id"
// A row with that status and nothing else to it.
static inline void fixture_row(struct sql *db, int64_t id, int64_t ts, int64_t status) {
    char text[1000];
    struct err err;
    snprintf(
        text, sizeof text,
        "INSERT INTO usage_dim (tenant_id, key_id, team_id, project_id, owner_kind, owner_id, provider_id, model_id,"
        " upstream_model_id, endpoint, status, error_id, tags_id) VALUES (1,0,0,0,0,0,0,0,0,0,%d,0,0) ON CONFLICT DO"
        " NOTHING; INSERT INTO usage SELECT %d, 1, %d, id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM usage_dim WHERE"
        " status = %d AND model_id = 0;"
        " INSERT INTO usage_hour SELECT 1, 0, dim_id, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM usage WHERE id = %d"
        " ON CONFLICT (tenant_id, hour, dim_id) DO UPDATE SET requests = usage_hour.requests + 1;"
        " INSERT INTO usage_day SELECT 1, 0, dim_id, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM usage WHERE id = %d"
        " ON CONFLICT (tenant_id, day, dim_id) DO UPDATE SET requests = usage_day.requests + 1",
        (int)status, (int)id, (int)ts, (int)status, (int)id, (int)id);
    REQUIRE(sql_exec(db, str_c(text), &err));
}

static inline int64_t fixture_query(const struct fixture *f, const char *text) {
    struct err err;
    int64_t v = -1;
    struct sql *db = fixture_db(f);
    REQUIRE(sql_exec(db, STR(FIXTURE_VIEW), &err));
    bool ok = sql_query_i64(sql_platform(db), str_c(text), &v, &err);
    if (!ok) fprintf(stderr, "%s: %s\n", text, err.message);
    REQUIRE(ok);
    sql_close(db);
    return v;
}

static inline size_t fixture_files(const struct fixture *f, const char *below) {
    char path[400];
    struct err err;
    snprintf(path, sizeof path, "%s/%s", f->dir, below);
    struct file_names names = {0};
    if (!dir_list(str_c(path), &names, &err)) return 0;
    size_t n = 0;
    for (size_t i = 0; i < names.n; i++) n += str_ends(str_c(names.p[i]), STR(".wal"));
    file_names_free(&names);
    return n;
}

// Everything in it follows from the id.
static inline struct usage_record fixture_record(uint64_t id) {
    static const struct str models[] = {STR_INIT("small"), STR_INIT("large"), STR_INIT("huge")};
    return (struct usage_record){.id = id,
                                 .key_id = 3,
                                 .ts = (int64_t)(1000000 + id),
                                 .provider = STR("openai"),
                                 .model = models[id % 3],
                                 .upstream_model = STR("gpt-4o-mini-2024-07-18"),
                                 .endpoint = USAGE_ENDPOINT_CHAT,
                                 .status = 200,
                                 .flags = USAGE_STREAM,
                                 .tokens_in = id * 3,
                                 .tokens_out = id * 5,
                                 .cost_nano = (int64_t)id * 7,
                                 .latency_us = 1000,
                                 .ttft_us = 100};
}

// Rows that are not as fixture_record has them.
#define FIXTURE_WRONG                                                                                                  \
    "SELECT count(*) FROM record WHERE status <> 0 AND (tokens_in <> id * 3 OR tokens_out <> id * 5 OR "               \
    "cost_nano <> id * 7 OR ts <> id + 1000000 OR key_id <> 3 OR tenant_id <> 1 OR status <> 200 OR error_id <> 0 "    \
    "OR (SELECT text FROM name WHERE id = model_id) <> CASE record.id % 3 WHEN 0 THEN 'small' WHEN 1 THEN "            \
    "'large' ELSE 'huge' END OR (SELECT text FROM name WHERE id = provider_id) <> 'openai')"

static inline struct ledger_health fixture_health(struct ledger *l) {
    struct ledger_health h;
    ledger_health(l, &h);
    return h;
}

// Waits until the condition holds, for at most 120 s: longer than a loaded machine takes.
#define WAIT_FOR(cond)                                                                                                 \
    do {                                                                                                               \
        uint64_t until_ = clock_mono_ns() + 120 * NS_PER_SEC;                                                          \
        while (!(cond) && clock_mono_ns() < until_) usleep(500);                                                       \
        CHECK(cond);                                                                                                   \
    } while (0)

// Runs the body in a child process that then dies of SIGKILL, closing nothing.
#define IN_KILLED_CHILD(body)                                                                                          \
    do {                                                                                                               \
        pid_t pid_ = fork();                                                                                           \
        REQUIRE(pid_ >= 0);                                                                                            \
        if (pid_ == 0) {                                                                                               \
            body;                                                                                                      \
            raise(SIGKILL);                                                                                            \
        }                                                                                                              \
        int status_;                                                                                                   \
        REQUIRE(waitpid(pid_, &status_, 0) == pid_);                                                                   \
        REQUIRE(WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL);                                                 \
    } while (0)

#endif
