// Measures the usage store: records a second until they are durable in the database, and how long reports over them
// take.
//
// usage: bench_usage_store DIR RECORDS load|query
#include "base/mem.h"
#include "os/clock.h"
#include "store/ledger.h"
#include "store/ledger_read.h"
#include "store/migrate.h"

#include <inttypes.h>
#include <unistd.h>

enum { KEYS = 1000, TENANTS = 50, DAYS = 30, ROUNDS = 5 };
#define START 1780272000000000000 // 2026-06-01

static void fail(const struct err *err) {
    fprintf(stderr, "bench_usage_store: %s\n", err->message);
    exit(1);
}

// A month of a company's traffic: a thousand keys of fifty tenants, each of which uses three of a dozen models.
static struct usage_record record_of(uint64_t i, uint64_t n) {
    static const struct str models[] = {
        STR_INIT("gpt-5"),        STR_INIT("gpt-5-mini"),  STR_INIT("gpt-4o"),         STR_INIT("claude-sonnet-4-5"),
        STR_INIT("claude-haiku"), STR_INIT("gemini-pro"),  STR_INIT("gemini-flash"),   STR_INIT("llama-4"),
        STR_INIT("mistral"),      STR_INIT("deepseek-v3"), STR_INIT("text-embedding"), STR_INIT("qwen-3"),
    };
    static const struct str providers[] = {STR_INIT("openai"), STR_INIT("anthropic"), STR_INIT("google"),
                                           STR_INIT("local")};
    uint64_t mixed = i * 0x9e3779b97f4a7c15ULL, key = 1 + (mixed >> 40) % KEYS, model = (key + (mixed >> 20) % 3) % 12;
    bool failed = (mixed >> 8) % 97 == 0;
    uint64_t step = (uint64_t)DAYS * 86400 * NS_PER_SEC / n;
    return (struct usage_record){.id = (1ULL << 40) + i,
                                 .tenant_id = 1 + key % TENANTS,
                                 .key_id = key,
                                 .team_id = key % 200,
                                 .project_id = key % 400,
                                 .ts = START + (int64_t)(i * step),
                                 .provider = providers[model % 4],
                                 .model = models[model],
                                 .upstream_model = models[model],
                                 .error = failed ? STR("upstream_timeout") : STR_NONE,
                                 .endpoint = USAGE_ENDPOINT_CHAT,
                                 .status = failed ? 504 : 200,
                                 .flags = USAGE_STREAM,
                                 .tokens_in = 400 + mixed % 1000,
                                 .tokens_out = 100 + (mixed >> 12) % 400,
                                 .cost_nano = (int64_t)(mixed % 3000000),
                                 .latency_us = 200000 + mixed % 4000000,
                                 .ttft_us = 90000 + mixed % 100000};
}

static void print(const char *name, const char *metric, const char *unit, double ours) {
    printf("{\"case\":\"%s\",\"metric\":\"%s\",\"unit\":\"%s\",\"ours\":%.3f}\n", name, metric, unit, ours);
    fflush(stdout);
}

static void load(const char *dir, uint64_t n) {
    struct err err;
    char path[512];
    struct sql *db = NULL;
    struct ledger *l = NULL;
    struct sql_options sql = {.mode = SQL_CREATE, .busy_ms = 1000};
    snprintf(path, sizeof path, "%s/penstock.db", dir);
    if (!sql_open(str_c(path), &sql, &db, &err) || !migrate_to(db, MIGRATE_STEPS, &err)) fail(&err);
    sql_close(db);
    struct ledger_options opt = {.data_dir = str_c(dir), .writers = 1, .queue_max = 1};
    if (!ledger_open(&opt, &l, &err)) fail(&err);
    uint64_t start = clock_mono_ns(), cpu = clock_cpu_ns();
    for (uint64_t i = 0; i < n; i++) {
        struct usage_record rec = record_of(i, n);
        // As a request does: begin, then end. Without a segment nothing is begun, so that nothing waits in memory.
        while (ledger_begin(ledger_writer(l, 0), &rec) == LEDGER_LOST) usleep(200);
        while (ledger_end(ledger_writer(l, 0), &rec) == LEDGER_LOST) usleep(200);
    }
    ledger_close(l, 600000);
    double s = (double)(clock_mono_ns() - start) / 1e9, c = (double)(clock_cpu_ns() - cpu) / 1e3;
    print("load", "records_per_s", "1/s", (double)n / s);
    print("load", "cpu_per_record", "us", c / (double)n);
}

static bool count(void *arg, const struct ledger_row *row) {
    *(uint64_t *)arg += row->requests;
    return true;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The median of a few rounds.
static void query(const char *dir, const char *name, struct ledger_query q) {
    double ms[ROUNDS];
    uint64_t found = 0;
    struct err err;
    q.data_dir = str_c(dir);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start = clock_mono_ns();
        found = 0;
        if (!ledger_read(&q, count, &found, &err)) fail(&err);
        ms[i] = (double)(clock_mono_ns() - start) / 1e6;
    }
    qsort(ms, ROUNDS, sizeof *ms, by_value);
    print(name, "time", "ms", ms[ROUNDS / 2]);
    print(name, "requests", "", (double)found);
}

static void queries(const char *dir) {
    int64_t day = 86400 * (int64_t)NS_PER_SEC, since = START + 3 * day + 12345678901, until = START + 24 * day + 777;
    query(dir, "sum by model", (struct ledger_query){.group = LEDGER_GROUP_MODEL});
    query(dir, "sum by key", (struct ledger_query){.group = LEDGER_GROUP_KEY});
    query(dir, "sum by day of a tenant", (struct ledger_query){.group = LEDGER_GROUP_DAY, .tenant_id = 7});
    query(dir, "sum by model of a range to the second",
          (struct ledger_query){.group = LEDGER_GROUP_MODEL, .since = since, .until = until});
    query(dir, "sum by hour of a week",
          (struct ledger_query){.group = LEDGER_GROUP_HOUR, .since = START + 7 * day, .until = START + 14 * day});
    query(dir, "sum by team of errors", (struct ledger_query){.group = LEDGER_GROUP_TEAM, .errors = true});
    query(dir, "sum by project of a provider and model",
          (struct ledger_query){.group = LEDGER_GROUP_PROJECT, .provider = STR("openai"), .model = STR("gpt-5")});
    query(dir, "newest 100", (struct ledger_query){.limit = 100});
    query(dir, "newest 100 of a key", (struct ledger_query){.limit = 100, .key_id = 77});
    query(dir, "newest 100 of a tenant's errors", (struct ledger_query){.limit = 100, .tenant_id = 7, .errors = true});
    query(dir, "newest 100 of a key and model",
          (struct ledger_query){.limit = 100, .key_id = 77, .model = STR("claude-haiku")});
    query(dir, "newest 100 of a key's errors", (struct ledger_query){.limit = 100, .key_id = 77, .errors = true});
    query(dir, "100 in the middle",
          (struct ledger_query){.limit = 100, .tenant_id = 9, .since = since, .until = START + 10 * day});
    query(dir, "100 slower than 4 s", (struct ledger_query){.limit = 100, .min_latency_us = 4190000});
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fputs("usage: bench_usage_store DIR RECORDS load|query\n", stderr);
        return 2;
    }
    if (argv[3][0] == 'l')
        load(argv[1], strtoull(argv[2], NULL, 10));
    else
        queries(argv[1]);
    return 0;
}
