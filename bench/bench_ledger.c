// Measures the usage ledger: nanoseconds an append on the loop, processor time a record until it is in the database.
#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/ledger.h"
#include "store/migrate.h"

#include <inttypes.h>
#include <unistd.h>

static uint64_t thread_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void fail(const struct err *err) {
    fprintf(stderr, "bench_ledger: %s\n", err->message);
    exit(1);
}

static struct usage_record record_of(uint64_t id) {
    return (struct usage_record){.id = (1ULL << 40) + id,
                                 .tenant_id = 1,
                                 .key_id = 1 + id % 20,
                                 .ts = 1780000000000000000 + (int64_t)id * 20000,
                                 .provider = STR("openai"),
                                 .model = STR("fast"),
                                 .upstream_model = STR("gpt-4o-mini-2024-07-18"),
                                 .endpoint = USAGE_ENDPOINT_CHAT,
                                 .status = 200,
                                 .flags = USAGE_STREAM,
                                 .tokens_in = 412 + id % 100,
                                 .tokens_cached = 128,
                                 .tokens_out = 230 + id % 50,
                                 .cost_nano = 219600,
                                 .latency_us = 812345,
                                 .ttft_us = 143210};
}

static void print(const char *name, const char *metric, const char *unit, double ours) {
    printf("{\"bench\":\"ledger\",\"case\":\"%s\",\"metric\":\"%s\",\"unit\":\"%s\",\"ours\":%.3f,\"peer\":null,"
           "\"peer_name\":null,\"ratio\":null}\n",
           name, metric, unit, ours);
}

static struct ledger *ledger_make(const char *dir, size_t segment_bytes) {
    struct err err;
    char path[512];
    struct sql *db = NULL;
    struct ledger *l = NULL;
    struct sql_options sql = {.mode = SQL_CREATE, .busy_ms = 1000};
    snprintf(path, sizeof path, "%s/penstock.db", dir);
    if (!sql_open(str_c(path), &sql, &db, &err) || !migrate_to(db, MIGRATE_STEPS, &err)) fail(&err);
    sql_close(db);
    struct ledger_options opt = {.data_dir = str_c(dir), .writers = 1, .segment_bytes = segment_bytes};
    if (!ledger_open(&opt, &l, &err)) fail(&err);
    return l;
}

// As fast as it goes, within one segment.
static void bench_append(const char *dir) {
    enum { COUNT = 100000 };
    struct ledger *l = ledger_make(dir, 64U << 20);
    struct ledger_writer *w = ledger_writer(l, 0);
    uint64_t kept = 0, start = thread_cpu_ns();
    for (uint64_t i = 1; i <= COUNT; i++) {
        struct usage_record rec = record_of(i);
        kept += ledger_begin(w, &rec) == LEDGER_KEPT;
        kept += ledger_end(w, &rec) == LEDGER_KEPT;
    }
    uint64_t spent = thread_cpu_ns() - start;
    if (kept != 2 * COUNT) fprintf(stderr, "bench_ledger: only %" PRIu64 " appends were kept\n", kept);
    print("append", "cpu", "ns/append", (double)spent / (2 * COUNT));
    ledger_close(l, 60000);
}

// At a rate like a busy loop's: BEGIN and END, and all that follows on the other threads.
static void bench_apply(const char *dir, unsigned per_ms, unsigned ms) {
    struct ledger *l = ledger_make(dir, 0);
    struct ledger_writer *w = ledger_writer(l, 0);
    uint64_t id = 1 << 30, cpu = clock_cpu_ns(), loop = 0, queued = 0;
    for (unsigned t = 0; t < ms; t++) {
        uint64_t start = thread_cpu_ns();
        for (unsigned i = 0; i < per_ms; i++, id++) {
            struct usage_record rec = record_of(id);
            queued += ledger_begin(w, &rec) != LEDGER_KEPT;
            queued += ledger_end(w, &rec) != LEDGER_KEPT;
        }
        loop += thread_cpu_ns() - start;
        usleep(1000);
    }
    struct ledger_health h;
    do {
        usleep(20000);
        ledger_health(l, &h);
    } while (h.pending);
    cpu = clock_cpu_ns() - cpu;
    char name[64];
    double n = (double)per_ms * ms;
    snprintf(name, sizeof name, "steady, %u requests/ms", per_ms);
    print(name, "cpu on the loop", "ns/request", (double)loop / n);
    print(name, "cpu of all threads", "us/request", (double)cpu / n / 1000);
    print(name, "records a transaction", "count", n / (double)h.batches);
    print(name, "syncs", "count", (double)h.syncs);
    if (queued) print(name, "appends without a segment", "count", (double)queued);
    ledger_close(l, 60000);
}

int main(int argc, char **argv) {
    char dir[256];
    snprintf(dir, sizeof dir, "%.200s/penstock-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(dir)) {
        perror("bench_ledger: cannot make a folder");
        return 1;
    }
    bench_append(dir);
    bench_apply(dir, 50, 4000);
    bench_apply(dir, 5, 4000);
    fprintf(stderr, "bench_ledger: its files are in %s\n", dir);
    return 0;
}
