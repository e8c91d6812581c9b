// Measures the audit trail: appending, each kind of search over many events, verifying.
#include "base/mem.h"
#include "os/clock.h"
#include "store/audit_query.h"
#include "store/audit_verify.h"
#include "store/datadir.h"

#include <inttypes.h>

#define SINGLE 200
#define LOT 5000
#define MEASURED 200000
#define ROUNDS 5

static struct err err;
static struct datadir dir;
static struct sql *db;
static struct audit_signer *signer;
static int64_t g_now = 1780000000000000000;

static void must(bool ok) {
    if (ok) return;
    fprintf(stderr, "bench_audit: %s\n", err.message);
    exit(1);
}

static void print(const char *name, const char *metric, const char *unit, double ours) {
    printf("{\"bench\":\"audit\",\"case\":\"%s\",\"metric\":\"%s\",\"unit\":\"%s\",\"ours\":%.3f,\"peer\":null,"
           "\"peer_name\":null,\"ratio\":null}\n",
           name, metric, unit, ours);
    fflush(stdout);
}

static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ULL;
    return x ^ (x >> 32);
}

// 1,000 people, 40 kinds of actions of very different frequency, 100,000 resources, 60,000 addresses.
static void append(uint64_t i) {
    static const char *const types[] = {"key", "user", "grant", "session", "config", "budget", "team", "project"};
    static const char *const acts[] = {"create", "update", "delete", "rotate", "read"};
    uint64_t r = mix(i + 1), skew = (r >> 8) % 100;
    char actor[32], name[64], action[64], resource[64], address[64], request[32], reason[96], after[160];
    const char *type = types[skew < 60 ? 3 : (r >> 16) % 8], *act = acts[(r >> 20) % 5];
    uint64_t person = (r >> 24) % (skew < 30 ? 3 : 1000);
    snprintf(actor, sizeof actor, "user_%013" PRIu64, person);
    snprintf(name, sizeof name, "person%" PRIu64 "@example.com", person);
    snprintf(action, sizeof action, "%s.%s", type, act);
    snprintf(resource, sizeof resource, "%s_%013" PRIu64, type, (r >> 30) % 100000);
    snprintf(address, sizeof address, "10.%" PRIu64 ".%" PRIu64 ".7", (r >> 33) % 240, (r >> 41) % 250);
    snprintf(request, sizeof request, "req_%013" PRIx64, r >> 12);
    snprintf(reason, sizeof reason, "ticket %" PRIu64 " word%" PRIu64, i / 3, (r >> 50) % 5000);
    snprintf(after, sizeof after, "{\"name\":\"n%" PRIu64 "\",\"status\":\"active\",\"tags\":{\"env\":\"prod\"}}", i);
    struct audit_event e = {.at = g_now += 60000000000,
                            .actor_kind = STR("user"),
                            .actor_id = str_c(actor),
                            .actor_name = str_c(name),
                            .action = str_c(action),
                            .resource_type = str_c(type),
                            .resource_id = str_c(resource),
                            .outcome = (r >> 5) % 50 == 0    ? AUDIT_DENIED
                                       : (r >> 5) % 500 == 1 ? AUDIT_FAILED
                                                             : AUDIT_OK,
                            .reason = str_c(reason),
                            .address = str_c(address),
                            .agent = STR("Mozilla/5.0 (X11; Linux x86_64)"),
                            .request_id = str_c(request),
                            .after = str_c(after)};
    must(audit_append(sql_tenant(db, 1), signer, &e, &err));
}

static void append_lots(uint64_t from, uint64_t to) {
    for (uint64_t i = from; i < to; i++) {
        if (i == from || i % LOT == 0) must(sql_begin(db, &err));
        append(i);
        if (i % LOT == LOT - 1 || i == to - 1) must(sql_commit(db, &err));
    }
}

// The indexes but for that of the chain are made anew after the many, which takes a fraction of the time.
static const struct {
    const char *name, *columns;
} k_indexes[] = {{"time", "at, seq"},
                 {"actor", "actor_id, at, seq"},
                 {"actor_name", "actor_name, at, seq"},
                 {"action", "action, at, seq"},
                 {"resource_type", "resource_type, at, seq"},
                 {"resource", "resource_id, at, seq"},
                 {"outcome", "outcome, at, seq"},
                 {"address", "address_key, at, seq"},
                 {"request", "request_id, at, seq"}};

static void indexes(bool make) {
    for (size_t i = 0; i < sizeof k_indexes / sizeof k_indexes[0]; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 make ? "CREATE INDEX audit_event_by_%s ON audit_event (tenant_id, %s)"
                      : "DROP INDEX audit_event_by_%s",
                 k_indexes[i].name, k_indexes[i].columns);
        must(sql_exec(db, str_c(text), &err));
    }
}

static void load(uint64_t n) {
    uint64_t first = n < MEASURED ? n : MEASURED, begin = clock_mono_ns();
    append_lots(0, first);
    print("append", "of a lot, an event", "us", (double)(clock_mono_ns() - begin) / 1e3 / (double)first);
    if (first < n) {
        indexes(false);
        append_lots(first, n);
        indexes(true);
    }
    begin = clock_mono_ns();
    for (uint64_t i = 0; i < SINGLE; i++) {
        must(sql_begin(db, &err));
        append(n + i);
        must(sql_commit(db, &err));
    }
    print("append", "alone, on the disk", "us", (double)(clock_mono_ns() - begin) / 1e3 / SINGLE);
}

static bool count_one(void *arg, const struct audit_record *record UNUSED, struct err *e UNUSED) {
    ++*(size_t *)arg;
    return true;
}

static void search(const char *name, struct audit_query q) {
    uint64_t worst = 0, first = 0;
    size_t found = 0;
    struct buf cursor = BUF_INIT(200);
    q.limit = 100;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t begin = clock_mono_ns();
        found = 0;
        must(audit_search(sql_tenant(db, 1), &q, count_one, &found, &cursor, &err));
        uint64_t took = clock_mono_ns() - begin;
        if (i == 0) first = took;
        if (took > worst) worst = took;
    }
    print(name, "first", "ms", (double)first / 1e6);
    print(name, "worst of five", "ms", (double)worst / 1e6);
    print(name, "events of the page", "1", (double)found);
    buf_free(&cursor);
}

static void searches(int64_t from, int64_t to) {
    int64_t middle = from + (to - from) / 2;
    search("all", (struct audit_query){.since = 0});
    search("time", (struct audit_query){.since = middle, .until = middle + 3600000000000});
    search("actor, frequent", (struct audit_query){.actor = STR("user_0000000000001")});
    search("actor, by name", (struct audit_query){.actor = STR("person777@example.com")});
    search("actor, none", (struct audit_query){.actor = STR("nobody@example.com")});
    search("action", (struct audit_query){.action = STR("key.rotate")});
    search("action prefix", (struct audit_query){.action = STR("grant.*")});
    search("resource", (struct audit_query){.resource = STR("key_0000000004711")});
    search("resource type", (struct audit_query){.resource_type = STR("budget")});
    search("outcome", (struct audit_query){.outcome = STR("failed")});
    search("address", (struct audit_query){.address = STR("10.17.19.7")});
    search("address /24", (struct audit_query){.address = STR("10.17.19.0/24")});
    search("address /16", (struct audit_query){.address = STR("10.17.0.0/16")});
    search("address /8, none", (struct audit_query){.address = STR("11.0.0.0/8")});
    search("request id", (struct audit_query){.request_id = STR("req_00000000000ff")});
    search("words", (struct audit_query){.search = STR("word4711")});
    search("words, frequent", (struct audit_query){.search = STR("mozilla session")});
    search("words, none", (struct audit_query){.search = STR("word4711 nothing")});
    search("words, beginning", (struct audit_query){.search = STR("word47*")});
    search("actor, action", (struct audit_query){.actor = STR("user_0000000000001"), .action = STR("key.rotate")});
    search("actor, outcome, time",
           (struct audit_query){
               .actor = STR("user_0000000000002"), .outcome = STR("failed"), .since = middle, .until = to});
    search(
        "action, outcome, old",
        (struct audit_query){.action = STR("session.*"), .outcome = STR("denied"), .until = from + (to - from) / 50});
    search("all but empty", (struct audit_query){.actor = STR("user_0000000000777"),
                                                 .action = STR("config.delete"),
                                                 .outcome = STR("failed"),
                                                 .resource_type = STR("config")});
}

int main(int argc, char **argv) {
    uint64_t n = 1000000;
    bool search_only = argc > 3;
    if (argc < 3 || !str_to_u64(str_c(argv[2]), &n)) {
        fprintf(stderr, "usage: bench_audit DIR EVENTS [search]\n");
        return 2;
    }
    must(datadir_open(str_c(argv[1]), &dir, &err));
    must(datadir_open_db(&dir, 5000, &db, &err));
    must(
        sql_exec(db, STR("PRAGMA wal_autocheckpoint=100000; PRAGMA cache_size=-400000; PRAGMA synchronous=OFF"), &err));
    must(audit_signer_create(&dir, &signer, &err));
    if (!search_only) load(n);
    // As a server has it: a small cache.
    sql_close(db);
    must(datadir_open_db(&dir, 5000, &db, &err));
    searches(1780000000000000000, 1780000000000000000 + (int64_t)n * 60000000000);
    struct audit_verdict verdict;
    uint64_t begin = clock_mono_ns();
    must(audit_verify(db, &(struct audit_verify_options){.dir = &dir}, &verdict, &err));
    double seconds = (double)(clock_mono_ns() - begin) / 1e9;
    if (verdict.faulty) {
        fprintf(stderr, "bench_audit: %s\n", verdict.fault.why);
        return 1;
    }
    print("verify", "events a second", "1/s", (double)verdict.events / seconds);
    audit_signer_free(signer);
    sql_close(db);
    datadir_close(&dir);
    return 0;
}
