// Tests of gateway/trials.h over a database: what is counted is counted once, whatever fails, is killed or is begun
// anew in between.
#include "gateway/trials.h"

#include "check.h"
#include "test_database.h"

#include "store/migrate.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MINUTE (INT64_C(60) * 1000000000)
#define START (INT64_C(1700000000) * 1000000000)

static struct err err;
static struct trial_row last_told;
static unsigned told_rolled_back, told_advanced;

static const char *no_var(void *ctx, const char *name) {
    (void)ctx, (void)name;
    return NULL;
}
static bool no_file(void *ctx, struct str path, size_t max, struct buf *out, struct err *e) {
    (void)ctx, (void)path, (void)max, (void)out;
    return err_set(e, ERR_NOT_FOUND, "no such file");
}

#define TARGETS "targets: [{provider: p, model: x}]"

static struct conf *conf_of(const char *canary) {
    struct buf text = BUF_INIT(1 << 16);
    struct conf_problems problems;
    struct conf_env env = {.get = no_var, .read_file = no_file};
    struct conf *c = NULL;
    buf_printf(&text,
               "providers: [{name: p, kind: openai, base_url: 'http://127.0.0.1:1/v1', api_key: k}]\n"
               "models:\n  - name: m\n    " TARGETS "\n    canary: {model: next, %s}\n  - {name: next, " TARGETS "}\n",
               canary);
    conf_problems_init(&problems);
    REQUIRE(conf_load_text(buf_str(&text), STR("penstock.yaml"), &env, &problems, &c));
    conf_problems_free(&problems);
    buf_free(&text);
    return c;
}

struct world {
    struct sql *db;
    struct conf *conf;
    struct trials *trials;
    struct trial *canary;
    struct arena arena;
};

static struct sql *db_of(const char *name) {
    struct sql_options options = {.mode = SQL_CREATE, .busy_ms = 5000};
    struct sql *db = NULL;
    REQUIRE(sql_open(test_database(name), &options, &db, &err));
    REQUIRE(migrate_to(db, MIGRATE_STEPS, &err));
    return db;
}

static void world_open(struct world *w, const char *name, const char *canary) {
    w->db = db_of(name);
    w->conf = conf_of(canary);
    REQUIRE(w->trials = trials_create());
    REQUIRE(trials_get(w->trials, TRIAL_CANARY, &w->conf->models.p[0], NULL, &w->canary, &err) && w->canary);
    arena_init(&w->arena, NULL, 0, 16 << 20);
    told_rolled_back = told_advanced = 0;
}

static void world_close(struct world *w) {
    trials_free(w->trials);
    conf_unref(w->conf);
    sql_close(w->db);
    arena_free(&w->arena);
}

static void told(void *arg, const struct trial_news *news) {
    (void)arg;
    last_told = *news->row;
    *(news->rolled_back ? &told_rolled_back : &told_advanced) += 1;
}

static bool save(struct world *w, int64_t now) { return trials_save(w->trials, w->conf, w->db, now, told, NULL, &err); }

static void note(struct world *w, unsigned arm, unsigned step, unsigned n, unsigned failed) {
    for (unsigned i = 0; i < n; i++) {
        const struct trial_note one = {.arm = arm, .step = step, .failed = i < failed, .ns = 1000000};
        trial_note(w->canary, &one);
    }
}

static struct trial_row row_of(struct world *w) {
    trial_rows rows = {0};
    struct trial_row row = {.id = 0};
    REQUIRE(trial_list(w->db, STR("canary"), &w->arena, &rows, &err));
    if (rows.n) row = rows.p[0];
    vec_free(&rows);
    return row;
}

struct sums {
    uint64_t requests, errors;
};
static bool add(void *arg, const struct trial_arm *arm, struct err *e) {
    (void)e;
    struct sums *s = arg;
    s->requests += arm->requests;
    s->errors += arm->errors;
    return true;
}
static struct sums sums_of(struct world *w) {
    struct sums s = {0, 0};
    struct trial_row row = row_of(w);
    if (row.id) REQUIRE(trial_each_arm(w->db, row.id, add, &s, &err));
    return s;
}

static void test_rounds(void) {
    struct world w;
    world_open(&w, "rounds.db", "steps: ['0.1', '0.5'], every: 1m, min_requests: 10");
    CHECK_INT(trial_share(w.canary), 0); // nobody has asked the database
    CHECK(save(&w, START));
    CHECK_INT(trial_share(w.canary), 100000);
    note(&w, TRIAL_BASE, 0, 90, 1);
    note(&w, TRIAL_RIVAL, 0, 10, 0);
    CHECK(save(&w, START + MINUTE));
    CHECK_INT(trial_share(w.canary), 500000);
    CHECK_INT(told_advanced, 1);
    CHECK_INT(sums_of(&w).requests, 100);
    note(&w, TRIAL_BASE, 1, 100, 1);
    note(&w, TRIAL_RIVAL, 1, 100, 60);
    CHECK(save(&w, START + MINUTE + 1));
    CHECK_INT(trial_share(w.canary), 0);
    CHECK_INT(told_rolled_back, 1);
    CHECK_STR(row_of(&w).state, STR("rolled_back"));
    CHECK(save(&w, START + MINUTE + 2)); // told once
    CHECK_INT(told_rolled_back, 1);
    world_close(&w);
}

// --- a database that does not take it ---

static void test_locked(void) {
    struct world w;
    world_open(&w, "locked.db", "steps: ['0.5'], every: 1h");
    if (sql_is_postgres(w.db)) return; // where a lock is waited for
    REQUIRE(save(&w, START));
    struct sql *other = db_of("locked.db");
    struct sql_options soon = {.mode = SQL_READ_WRITE, .busy_ms = 1};
    sql_close(w.db);
    REQUIRE(sql_open(test_database("locked.db"), &soon, &w.db, &err));
    REQUIRE(sql_begin(other, &err));
    note(&w, TRIAL_BASE, 0, 10, 1);
    note(&w, TRIAL_RIVAL, 0, 10, 0);
    for (int i = 0; i < 3; i++) CHECK(!save(&w, START + i));
    CHECK_INT(trial_share(w.canary), 500000); // it stays
    note(&w, TRIAL_BASE, 0, 5, 0);
    sql_rollback(other);
    CHECK(save(&w, START + 9));
    CHECK_INT(sums_of(&w).requests, 25);
    CHECK_INT(sums_of(&w).errors, 1);
    CHECK(save(&w, START + 10));
    CHECK_INT(sums_of(&w).requests, 25);
    sql_close(other);
    world_close(&w);
}

static rlim_t bytes_of(const char *name) {
    struct stat st;
    char path[300];
    snprintf(path, sizeof path, "%s/%s", temp_dir(), name);
    return stat(path, &st) == 0 ? (rlim_t)st.st_size : 0;
}

// Wherever in a round there is no room any more, all of the round is undone, and counted later.
static void test_disk_full(void) {
    struct world w;
    struct rlimit limit, none;
    uint64_t failed = 0, sent = 0;
    world_open(&w, "full.db", "steps: ['0.25', '0.5', '1'], every: 1m, min_requests: 1");
    if (sql_is_postgres(w.db)) return;
    REQUIRE(save(&w, START));
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &none) == 0);
    for (unsigned more = 0; more < 40; more++) {
        const struct trial_note one = {.arm = more % 2, .step = trial_step(w.canary), .ns = (uint64_t)1e6 << more % 30};
        uint32_t share = trial_share(w.canary);
        trial_note(w.canary, &one);
        sent++;
        limit = none;
        limit.rlim_cur = MAX(bytes_of("full.db-wal"), bytes_of("full.db")) + (more % 10) * 1500;
        REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        bool ok = save(&w, START + (int64_t)sent * MINUTE);
        REQUIRE(setrlimit(RLIMIT_FSIZE, &none) == 0);
        failed += !ok;
        CHECK(ok || trial_share(w.canary) == share);
        if (more % 3 == 0) CHECK(save(&w, START + (int64_t)sent * MINUTE + 1));
    }
    CHECK(failed > 3);
    CHECK(save(&w, START + 1000 * MINUTE));
    CHECK_INT(sums_of(&w).requests, sent);
    CHECK_INT(trial_share(w.canary), 1000000); // and it has grown meanwhile
    world_close(&w);
}

// --- kill -9 amid a round ---

#define EACH 7 // requests a round

// Counts and saves until it is killed; says by a byte each time that a round was saved.
static void child(const char *name, int pipe_fd) {
    struct world w;
    world_open(&w, name, "steps: ['0.2', '0.4', '0.6', '0.8', '1'], every: 1s, min_requests: 20");
    for (int64_t i = 1;; i++) {
        for (unsigned k = 0; k < EACH; k++) note(&w, k % 2, trial_step(w.canary), 1, 0);
        if (!save(&w, START + i * 1000000000)) _exit(3);
        if (write(pipe_fd, "x", 1) != 1) _exit(4);
    }
}

static unsigned run_and_kill(const char *name, unsigned ms) {
    int fds[2];
    char bytes[4096];
    unsigned rounds = 0;
    REQUIRE(pipe(fds) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        child(name, fds[1]);
    }
    close(fds[1]);
    REQUIRE(read(fds[0], bytes, 1) == 1); // it is under way
    rounds++;
    usleep(ms * 1000 + 137);
    kill(pid, SIGKILL);
    for (ssize_t n; (n = read(fds[0], bytes, sizeof bytes)) > 0;) rounds += (unsigned)n;
    int status;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(fds[0]);
    return rounds;
}

static void test_killed(void) {
    uint64_t saved = 0, step = 0;
    for (unsigned turn = 0; turn < 24; turn++) {
        struct world w;
        unsigned rounds = run_and_kill("killed.db", turn * 3 % 17);
        world_open(&w, "killed.db", "steps: ['0.2', '0.4', '0.6', '0.8', '1'], every: 1s, min_requests: 20");
        struct trial_row row = row_of(&w);
        struct sums s = sums_of(&w);
        // All of a round or nothing: the last one may be in the database though nobody was told.
        CHECK_INT(s.requests % EACH, 0);
        CHECK(s.requests >= saved + (uint64_t)rounds * EACH);
        CHECK(s.requests <= saved + (uint64_t)(rounds + 1) * EACH);
        CHECK_INT(s.errors, 0);
        saved = s.requests;
        // Its course is one that it can have come to, and goes on from there.
        CHECK(str_eq(row.state, STR("running")) || str_eq(row.state, STR("finished")));
        CHECK(row.step >= (int64_t)step && row.step < 5);
        CHECK_INT(row.share, 200000 * (row.step + 1));
        CHECK(save(&w, START + INT64_C(1000000000)));
        CHECK(trial_share(w.canary) >= (uint32_t)row.share);
        step = (uint64_t)row.step;
        world_close(&w);
    }
    CHECK(saved > 100);
}

// --- by hand ---

static void test_begun_anew(void) {
    struct world w;
    world_open(&w, "anew.db", "steps: ['0.5'], every: 1h");
    REQUIRE(save(&w, START));
    note(&w, TRIAL_BASE, 0, 100, 0);
    note(&w, TRIAL_RIVAL, 0, 100, 100); // all fail, and before the next round it is begun anew
    struct trial_row row = row_of(&w);
    row.started_at = row.step_since = START + 1;
    row.step = row.looks = row.looked_at = row.share = 0;
    REQUIRE(trial_forget(w.db, row.id, &err) && trial_save(w.db, &row, &err));
    CHECK(save(&w, START + 2));
    CHECK_STR(row_of(&w).state, STR("running"));
    CHECK_INT(sums_of(&w).requests, 0);
    CHECK_INT(trial_share(w.canary), 500000);
    note(&w, TRIAL_RIVAL, 0, 5, 0); // and what comes from now on counts
    CHECK(save(&w, START + 3));
    CHECK_INT(sums_of(&w).requests, 5);
    world_close(&w);
}

// Calls that were dealt at a later step end when it was begun anew.
static void test_late_calls(void) {
    struct world w;
    world_open(&w, "late.db", "steps: ['0.5', '1'], every: 1h");
    REQUIRE(save(&w, START));
    note(&w, TRIAL_RIVAL, 1, 30, 30);
    CHECK(save(&w, START + 1));
    CHECK_INT(sums_of(&w).requests, 0);
    world_close(&w);
}

// Which one is meant by hand, of a model whose configuration went there and back: the one in force.
static void test_back_again(void) {
    struct world w;
    world_open(&w, "back.db", "steps: ['0.5'], every: 1h");
    struct conf *first = w.conf, *second = conf_of("steps: ['0.7'], every: 1h");
    REQUIRE(save(&w, START));
    struct str mark = row_of(&w).key.mark;
    w.conf = second;
    REQUIRE(save(&w, START + 1));
    CHECK(!str_eq(row_of(&w).key.mark, mark));
    w.conf = first;
    REQUIRE(save(&w, START + 2));
    CHECK_STR(row_of(&w).key.mark, mark);
    conf_unref(second);
    world_close(&w);
}

// Long configurations that differ in their ends are two.
static void test_long_marks(void) {
    struct trials *all = trials_create();
    struct buf text = BUF_INIT(1 << 16);
    struct conf_problems problems;
    struct conf_env env = {.get = no_var, .read_file = no_file};
    struct conf *c[2];
    struct trial *t[2];
    for (int i = 0; i < 2; i++) {
        buf_clear(&text);
        buf_printf(&text, "providers: [{name: p, kind: openai, base_url: 'http://127.0.0.1:1/v1', api_key: k}]\n"
                          "models:\n  - name: m\n    strategy: ab\n    targets:\n");
        for (int k = 0; k < 40; k++)
            buf_printf(&text,
                       "      - {provider: p, model: a-name-of-sixty-bytes-that-is-as-long-as-names-of-models-%d}\n",
                       k < 39 ? k : k + i);
        conf_problems_init(&problems);
        REQUIRE(conf_load_text(buf_str(&text), STR("penstock.yaml"), &env, &problems, &c[i]));
        conf_problems_free(&problems);
        REQUIRE(trials_get(all, TRIAL_AB, &c[i]->models.p[0], NULL, &t[i], &err) && t[i]);
    }
    CHECK(t[0] != t[1]);
    for (int i = 0; i < 2; i++) conf_unref(c[i]);
    buf_free(&text);
    trials_free(all);
}

TEST_MAIN(test_rounds, test_locked, test_disk_full, test_killed, test_begun_anew, test_late_calls, test_back_again,
          test_long_marks)
