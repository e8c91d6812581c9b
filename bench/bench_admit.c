// Measures what admitting a request costs: the key, its owner's rights, five budgets reserved and settled; and the same
// counting by a mutex and a hash map, as a reference.
#include "access/keyring.h"
#include "access/quota.h"
#include "base/map.h"
#include "base/mem.h"
#include "os/clock.h"
#include "store/datadir.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KEYS 50
#define REQUESTS 2000000
#define NOW INT64_C(1795000000000000000)

static uint64_t thread_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void fail(const struct err *err) {
    fprintf(stderr, "bench_admit: %s\n", err->message);
    exit(1);
}

static void print(const char *name, double ns) {
    printf("{\"bench\":\"admit\",\"case\":\"%s\",\"metric\":\"cpu\",\"unit\":\"ns\",\"ours\":%.1f}\n", name, ns);
}

static void run_sql(struct sql *db, const char *text) {
    struct err err;
    if (!sql_exec(db, str_c(text), &err)) fail(&err);
}

// --- the scene: a tenant with teams, projects, people and their keys; ten thousand grants; budgets for all of them ---

struct scene {
    struct datadir dir;
    struct sql *db;
    struct key_created keys[KEYS];
    struct keyring *ring;
    struct quota *quota;
};

static const char k_fill[] =
    "BEGIN;"
    "INSERT INTO team (tenant_id, created_at, updated_at, name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
    " FROM n WHERE i < 50) SELECT 1, 0, 0, 'team-' || i FROM n;"
    "INSERT INTO project (tenant_id, created_at, updated_at, name, team_id) SELECT 1, 0, 0, 'project-' || id, id FROM"
    " team;"
    "INSERT INTO app_user (tenant_id, created_at, updated_at, email) SELECT 1, 0, 0, 'u' || id || '@example.com' FROM"
    " team;"
    "INSERT INTO access_grant (tenant_id, created_at, updated_at, principal_kind, principal_id, role, resource)"
    " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
    " SELECT 1, 0, 0, 'user', i % 50 + 1, CASE WHEN i <= 50 THEN 'developer' ELSE 'viewer' END,"
    " CASE WHEN i <= 50 THEN '' ELSE 'model/m' || i END FROM n;"
    "UPDATE api_key SET team_id = id, project_id = id, owner_kind = 'user', owner_id = id;"
    "INSERT INTO budget (tenant_id, created_at, updated_at, name, scope_kind, metric, period, amount) VALUES"
    " (1, 0, 0, 'tenant', 'tenant', 'cost', 'month', 4000000000000000000);"
    "INSERT INTO budget (tenant_id, created_at, updated_at, name, scope_kind, scope_id, metric, period, amount)"
    " SELECT 1, 0, 0, 'team-' || id, 'team', id, 'tokens', 'day', 4000000000000000000 FROM team"
    " UNION ALL SELECT 1, 0, 0, 'project-' || id, 'project', id, 'tokens', 'month', 4000000000000000000 FROM team"
    " UNION ALL SELECT 1, 0, 0, 'user-' || id, 'user', id, 'concurrency', 'total', 100000 FROM team"
    " UNION ALL SELECT 1, 0, 0, 'key-' || id, 'key', id, 'requests', 'minute', 4000000000000000000 FROM team;"
    "COMMIT";

static void scene_make(struct scene *s, const char *folder) {
    struct err err;
    struct key_wanted wanted = {.name = STR_INIT("bench")};
    uint64_t damaged = 0;
    if (!datadir_open(str_c(folder), &s->dir, &err) || !datadir_open_db(&s->dir, 1000, &s->db, &err)) fail(&err);
    for (size_t i = 0; i < KEYS; i++)
        if (!key_create(s->db, &s->dir, &wanted, NOW, &s->keys[i], &err)) fail(&err);
    run_sql(s->db, k_fill);
    if (!keyring_load(s->db, &s->dir, &s->ring, &err) || !quota_create(&s->quota, &err) ||
        !quota_load(s->quota, s->db, NOW, &damaged, &err))
        fail(&err);
    if (damaged || quota_count(s->quota) != 1 + 4 * 50) {
        fprintf(stderr, "bench_admit: %zu budgets, %" PRIu64 " damaged\n", quota_count(s->quota), damaged);
        exit(1);
    }
}

// --- ours ---

static const struct quota_ask k_ask = {.requests = 1, .tokens = 700, .cost_nano = 350000};
static const struct quota_ask k_used = {.requests = 1, .tokens = 512, .cost_nano = 219600};

static void check(struct scene *s, struct keyring_memo *memo, uint64_t i, const struct key_entry **out_key) {
    struct err err;
    struct str key = secret_str(&s->keys[i % KEYS].text);
    if (!keyring_check_memo(s->ring, memo, key, NOW, out_key, &err) ||
        !keyring_admits(s->ring, *out_key, STR("192.0.2.7"), STR(""), &err) ||
        !keyring_check_model(s->ring, *out_key, STR("gpt-4o-mini"), NOW, &err))
        fail(&err);
}

static void count(struct quota_seat *seat, const struct key_entry *key, uint64_t i) {
    struct quota_grant grant;
    struct quota_refusal refusal;
    struct quota_subject subject = {.tenant = key->tenant_id,
                                    .team = key->team_id,
                                    .project = key->project_id,
                                    .key = key->id,
                                    .owner_kind = key->owner.kind,
                                    .owner_id = key->owner.id,
                                    .model = STR("gpt-4o-mini")};
    int64_t now = NOW + (int64_t)i * 20000; // 50,000 a second: windows turn
    if (!quota_reserve(seat, &subject, &k_ask, now, &grant, &refusal) || grant.n != 5) {
        fprintf(stderr, "bench_admit: %u budgets applied\n", grant.n);
        exit(1);
    }
    quota_settle(&grant, &k_used);
    quota_close(&grant);
}

static double measure(struct scene *s, bool with_check, bool with_count) {
    struct quota_seat seat;
    static struct keyring_memo memo;
    const struct key_entry *keys[KEYS];
    quota_seat_init(&seat, s->quota);
    for (uint64_t i = 0; i < KEYS; i++) check(s, &memo, i, &keys[i]);
    uint64_t start = thread_cpu_ns();
    for (uint64_t i = 0; i < REQUESTS; i++) {
        const struct key_entry *key = keys[i % KEYS];
        if (with_check) check(s, &memo, i, &key);
        if (with_count) count(&seat, key, i);
    }
    uint64_t took = thread_cpu_ns() - start;
    quota_seat_free(&seat);
    return (double)took / REQUESTS;
}

// The fields of an answer, which only limited calls have.
static double measure_fields(struct scene *s) {
    struct quota_seat seat;
    struct quota_grant grant;
    struct quota_refusal refusal;
    struct quota_header headers[QUOTA_HEADERS_MAX];
    struct quota_subject subject = {
        .tenant = 1, .team = 1, .project = 1, .key = 1, .owner_kind = PRINCIPAL_USER, .owner_id = 1};
    struct arena arena;
    const uint64_t n = 200000;
    arena_init(&arena, NULL, 0, SIZE_MAX / 2);
    quota_seat_init(&seat, s->quota);
    if (!quota_reserve(&seat, &subject, &k_ask, NOW, &grant, &refusal)) exit(1);
    uint64_t start = thread_cpu_ns();
    for (uint64_t i = 0; i < n; i++) {
        if (quota_headers(&grant, NULL, NOW, &arena, headers) < 5) exit(1);
        if (i % 16 == 0) arena_free(&arena);
    }
    uint64_t took = thread_cpu_ns() - start;
    quota_close(&grant);
    quota_seat_free(&seat);
    arena_free(&arena);
    return (double)took / (double)n;
}

// --- the reference: a mutex over a map from "scope:id:period" to a count ---

struct plain {
    struct mutex lock;
    struct map counts;
    struct arena arena;
};

static uint64_t *plain_count(struct plain *p, const char *scope, int64_t id, const char *period, int64_t window) {
    char name[96];
    int n = snprintf(name, sizeof name, "%s:%lld:%s:%lld", scope, (long long)id, period, (long long)window);
    struct str key = str_of(name, (size_t)n);
    uint64_t *found = map_get(&p->counts, key);
    if (found) return found;
    found = ARENA_NEW(&p->arena, uint64_t);
    if (!found || !map_put(&p->counts, arena_str(&p->arena, key), found)) exit(1);
    return found;
}

static void plain_add(struct plain *p, int64_t id, int64_t now, int64_t sign, const struct quota_ask *a) {
    uint64_t amounts[] = {a->cost_nano, a->tokens, a->tokens, 1, a->requests};
    static const char *const scopes[] = {"tenant", "team", "project", "user", "key"};
    static const char *const periods[] = {"month", "day", "month", "total", "minute"};
    static const int64_t lengths[] = {2592000, 86400, 2592000, INT64_MAX, 60};
    mutex_lock(&p->lock);
    for (size_t i = 0; i < ARRAY_LEN(amounts); i++) {
        uint64_t *at = plain_count(p, scopes[i], i ? id : 1, periods[i], now / (int64_t)NS_PER_SEC / lengths[i]);
        if (sign > 0 && *at > UINT64_MAX / 2) exit(1);
        *at += (uint64_t)sign * amounts[i];
    }
    mutex_unlock(&p->lock);
}

static double measure_plain(void) {
    struct plain p = {0};
    mutex_init(&p.lock);
    map_init(&p.counts, 42);
    arena_init(&p.arena, NULL, 0, SIZE_MAX / 2);
    struct quota_ask back = {.tokens = k_ask.tokens - k_used.tokens, .cost_nano = k_ask.cost_nano - k_used.cost_nano};
    uint64_t start = thread_cpu_ns();
    for (uint64_t i = 0; i < REQUESTS / 4; i++) {
        int64_t now = NOW + (int64_t)i * 20000;
        plain_add(&p, (int64_t)(i % KEYS + 1), now, 1, &k_ask);
        plain_add(&p, (int64_t)(i % KEYS + 1), now, -1, &back);
    }
    uint64_t took = thread_cpu_ns() - start;
    map_free(&p.counts);
    arena_free(&p.arena);
    mutex_free(&p.lock);
    return (double)took / (REQUESTS / 4);
}

// --- several threads at the same counters ---

#define THREADS 4

struct worker {
    struct thread thread;
    struct scene *scene;
    double ns;
};

static void work(void *arg) {
    struct worker *w = arg;
    struct quota_seat seat;
    struct keyring_memo memo = {0};
    const struct key_entry *key;
    quota_seat_init(&seat, w->scene->quota);
    check(w->scene, &memo, 0, &key);
    uint64_t start = thread_cpu_ns();
    for (uint64_t i = 0; i < REQUESTS / 4; i++) count(&seat, key, i);
    w->ns = (double)(thread_cpu_ns() - start) / (REQUESTS / 4);
    quota_seat_free(&seat);
}

static double measure_threads(struct scene *s) {
    struct worker workers[THREADS];
    struct err err;
    double sum = 0;
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.scene = s};
        if (!thread_start(&workers[i].thread, "bench", 0, work, &workers[i], &err)) fail(&err);
    }
    for (size_t i = 0; i < THREADS; i++) thread_join(&workers[i].thread), sum += workers[i].ns;
    return sum / THREADS;
}

int main(int argc, char **argv) {
    static struct scene s;
    if (argc != 2) {
        fprintf(stderr, "usage: bench_admit FOLDER\n");
        return 2;
    }
    scene_make(&s, argv[1]);
    measure(&s, true, true); // warm
    print("key and rights", measure(&s, true, false));
    print("five budgets, reserved and settled", measure(&s, false, true));
    print("all of it", measure(&s, true, true));
    print("five budgets, four threads at the same counters", measure_threads(&s));
    print("fields of the answer", measure_fields(&s));
    print("mutex and map", measure_plain());
    quota_free(s.quota);
    keyring_unref(s.ring);
    for (size_t i = 0; i < KEYS; i++) key_created_free(&s.keys[i]);
    sql_close(s.db);
    datadir_close(&s.dir);
    return 0;
}
