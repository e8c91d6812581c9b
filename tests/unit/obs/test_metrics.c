// Tests the metrics: exact sums over threads, rendering of every type, escaping, bounded series, promtool's opinion.
#include "check.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "obs/metrics.h"
#include "os/clock.h"
#include "os/thread.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LABELS(...) ((const struct str[]){__VA_ARGS__})

static struct metrics *create(unsigned shards, uint64_t max_series) {
    struct metrics *metrics;
    struct err err;
    struct metrics_options options = {.shards = shards, .max_series = max_series, .version = STR("1.2.3")};
    REQUIRE(metrics_create(&options, &metrics, &err));
    return metrics;
}

static struct buf render(struct metrics *metrics, bool openmetrics) {
    struct buf out = BUF_INIT((size_t)16 << 20);
    metrics_render(metrics, &out, openmetrics);
    REQUIRE(!out.failed);
    return out;
}

static void check_line(const struct buf *text, const char *line) {
    char whole[1024];
    int n = snprintf(whole, sizeof whole, "\n%s\n", line);
    if (str_find(buf_str(text), str_of(whole, (size_t)n)) == text->n) fprintf(stderr, "no line: %s\n", line);
    CHECK(str_find(buf_str(text), str_of(whole, (size_t)n)) < text->n);
}

static void check_absent(const struct buf *text, const char *part) {
    CHECK(str_find(buf_str(text), str_c(part)) == text->n);
}

static void test_values(void) {
    struct metrics *m = create(2, 0);
    struct metric_shard *a = metrics_shard(m, 0), *b = metrics_shard(m, 1);
    struct str labels[] = {STR("chat"), STR("gpt-5"), STR("openai"), STR("200")};
    struct metric requests = metric_series(m, METRIC_REQUESTS, labels, 4);
    CHECK_INT(metric_find(a, METRIC_REQUESTS, labels, 4).cell, requests.cell);
    CHECK_INT(metric_find(a, METRIC_REQUESTS, labels, 4).cell, requests.cell);
    metric_add(a, requests, 2);
    metric_add(b, requests, 40);
    metrics_add(m, requests, 1);
    struct metric cost = metric_series(m, METRIC_COST, labels + 1, 2);
    metric_add(a, cost, 1500000000);
    metric_add(b, cost, 1);
    struct metric active = metric_series(m, METRIC_ACTIVE_REQUESTS, NULL, 0);
    metric_add(a, active, 1);
    metric_sub(b, active, 3);
    struct metric turn = metric_series(m, METRIC_LOOP_MAX_TURN, LABELS(STR("0")), 1);
    metric_set(a, turn, 7);
    metric_set(a, turn, 2500000);
    struct buf text = render(m, false);
    check_line(&text,
               "penstock_requests_total{endpoint=\"chat\",model=\"gpt-5\",provider=\"openai\",status=\"200\"} 43");
    check_line(&text, "# TYPE penstock_requests_total counter");
    check_line(&text, "penstock_cost_usd_total{model=\"gpt-5\",provider=\"openai\"} 1.500000001");
    check_line(&text, "penstock_active_requests -2");
    check_line(&text, "penstock_loop_max_turn_seconds{loop=\"0\"} 0.0025");
    check_line(&text, "penstock_build_info{version=\"1.2.3\"} 1");
    check_line(&text, "penstock_log_dropped_total 0");
    check_absent(&text, "penstock_tokens");
    check_absent(&text, "# EOF");
    buf_free(&text);
    text = render(m, true);
    check_line(&text, "# TYPE penstock_requests counter");
    check_line(&text, "# UNIT penstock_loop_max_turn_seconds seconds");
    CHECK(str_ends(buf_str(&text), STR("\n# EOF\n")));
    buf_free(&text);
    metrics_free(m);
}

static void test_histogram(void) {
    struct metrics *m = create(2, 0);
    struct metric h = metric_series(m, METRIC_UPSTREAM_DURATION, LABELS(STR("p")), 1);
    metric_observe(metrics_shard(m, 0), h, NS_PER_MS, 0); // on the bound: within
    metric_observe(metrics_shard(m, 0), h, NS_PER_MS + 1, 0);
    metric_observe(metrics_shard(m, 1), h, 2 * NS_PER_SEC, 5);
    metric_observe(metrics_shard(m, 1), h, 1000 * NS_PER_SEC, 0);
    struct buf text = render(m, true);
    check_line(&text, "penstock_upstream_duration_seconds_bucket{provider=\"p\",le=\"0.001\"} 1");
    check_line(&text, "penstock_upstream_duration_seconds_bucket{provider=\"p\",le=\"0.0025\"} 2");
    check_line(&text, "penstock_upstream_duration_seconds_bucket{provider=\"p\",le=\"1.0\"} 2");
    check_line(&text, "penstock_upstream_duration_seconds_bucket{provider=\"p\",le=\"2.5\"} 3 # "
                      "{request_id=\"req_0000000000005\"} 2");
    check_line(&text, "penstock_upstream_duration_seconds_bucket{provider=\"p\",le=\"300.0\"} 3");
    check_line(&text, "penstock_upstream_duration_seconds_bucket{provider=\"p\",le=\"+Inf\"} 4");
    check_line(&text, "penstock_upstream_duration_seconds_sum{provider=\"p\"} 1002.002000001");
    check_line(&text, "penstock_upstream_duration_seconds_count{provider=\"p\"} 4");
    buf_free(&text);
    text = render(m, false);
    check_absent(&text, "req_");
    buf_free(&text);
    metrics_free(m);
}

static void test_labels(void) {
    struct metrics *m = create(1, 0);
    struct metric_shard *s = metrics_shard(m, 0);
    char long_value[200];
    for (size_t i = 0; i < sizeof long_value; i++) long_value[i] = "\xe2\x82\xac"[i % 3];
    struct str cut = str_of(long_value, sizeof long_value);
    metric_add(s, metric_find(s, METRIC_REJECTED, LABELS(STR("a\"b\\c\nd\x01")), 1), 1);
    metric_add(s, metric_find(s, METRIC_REJECTED, LABELS(STR("\xff")), 1), 2);
    metric_add(s, metric_find(s, METRIC_REJECTED, LABELS(STR("")), 1), 3);
    metric_add(s, metric_find(s, METRIC_REJECTED, LABELS(cut), 1), 4);
    metric_add(s, metric_find(s, METRIC_REJECTED, LABELS(str_head(cut, 150)), 1), 5);
    struct buf text = render(m, false);
    CHECK(utf8_valid(buf_str(&text)));
    check_line(&text, "penstock_rejected_total{reason=\"a\\\"b\\\\c\\nd?\"} 1");
    check_line(&text, "penstock_rejected_total{reason=\"\xef\xbf\xbd\"} 2");
    check_line(&text, "penstock_rejected_total{reason=\"\"} 3");
    char want[256]; // 42 whole characters are 126 bytes; what is equal until there is one series
    snprintf(want, sizeof want, "penstock_rejected_total{reason=\"%.126s\"} 9", long_value);
    check_line(&text, want);
    buf_free(&text);
    // Neighbouring values do not run together.
    struct metric x = metric_find(s, METRIC_COST, LABELS(STR("ab"), STR("c")), 2);
    struct metric y = metric_find(s, METRIC_COST, LABELS(STR("a"), STR("bc")), 2);
    CHECK(x.cell != y.cell);
    metrics_free(m);
}

static void test_overflow(void) {
    struct metrics *m = create(1, 5);
    struct metric_shard *s = metrics_shard(m, 0);
    for (int i = 0; i < 1000; i++) {
        char name[16];
        struct str model = str_of(name, (size_t)snprintf(name, sizeof name, "m%d", i));
        metric_add(s, metric_find(s, METRIC_COST, LABELS(model, STR("p")), 2), NS_PER_SEC);
        metric_add(s, metric_series(m, METRIC_COST, LABELS(model, STR("p")), 2), NS_PER_SEC);
    }
    // Other families have their own room.
    metric_add(s, metric_find(s, METRIC_REJECTED, LABELS(STR("why")), 1), 1);
    struct buf text = render(m, false);
    check_line(&text, "penstock_cost_usd_total{model=\"m4\",provider=\"p\"} 2");
    check_line(&text, "penstock_cost_usd_total{model=\"other\",provider=\"other\"} 1990");
    check_line(&text, "penstock_rejected_total{reason=\"why\"} 1");
    check_absent(&text, "m5");
    buf_free(&text);
    metrics_free(m);
}

// Past the last cell everything is "other" or goes nowhere, and nothing breaks.
static void test_cells_end(void) {
    struct metrics *m = create(1, 1000000);
    struct metric_shard *s = metrics_shard(m, 0);
    for (int i = 0; i < 50000; i++) {
        char name[16];
        struct str p = str_of(name, (size_t)snprintf(name, sizeof name, "p%d", i));
        struct metric h = metric_series(m, METRIC_UPSTREAM_DURATION, &p, 1);
        if (i % 1000 == 0 || i > 49990) metric_observe(s, h, 1, 1);
    }
    struct metric late = metric_series(m, METRIC_UPSTREAM_DURATION, LABELS(STR("late")), 1);
    CHECK_INT(late.cell, 0);
    metric_observe(s, late, 1, 1);
    metrics_free(m);
}

static void collect(void *arg, struct metrics *m) {
    uint64_t *v = arg;
    metrics_set(m, metric_series(m, METRIC_LOG_DROPPED, NULL, 0), *v);
    metrics_set(m, metric_series(m, METRIC_LEDGER_PENDING, NULL, 0), *v);
}

static void test_collect(void) {
    struct metrics *m = create(0, 0);
    uint64_t v = 12;
    CHECK(metrics_collect(m, collect, &v));
    struct buf text = render(m, false);
    check_line(&text, "penstock_log_dropped_total 12");
    buf_free(&text);
    v = 5; // a counter never goes back, a gauge may
    text = render(m, false);
    check_line(&text, "penstock_log_dropped_total 12");
    check_line(&text, "penstock_ledger_pending 5");
    check_absent(&text, "process_resident_memory_bytes 0\n");
    check_absent(&text, "process_open_fds 0\n");
    check_absent(&text, "process_max_fds 0\n");
    check_absent(&text, "process_start_time_seconds 0\n");
    buf_free(&text);
    for (int i = 0; i < 7; i++) CHECK(metrics_collect(m, collect, &v));
    CHECK(!metrics_collect(m, collect, &v));
    metrics_free(m);
}

#define THREADS 4
#define ROUNDS 20000
struct job {
    struct thread thread;
    struct metrics *metrics;
    unsigned shard;
};
static void count(void *arg) {
    struct job *job = arg;
    struct metric_shard *s = metrics_shard(job->metrics, job->shard);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        char name[8];
        struct str model = str_of(name, (size_t)snprintf(name, sizeof name, "m%d", (int)(i % 20)));
        metric_add(s, metric_find(s, METRIC_COST, LABELS(model, STR("p")), 2), NS_PER_SEC);
        metric_observe(s, metric_find(s, METRIC_UPSTREAM_DURATION, LABELS(STR("p")), 1), NS_PER_MS, i + 1);
        metrics_add(job->metrics, metric_series(job->metrics, METRIC_UPSTREAM_CONNECTS, NULL, 0), 1);
    }
}

static void test_threads(void) {
    struct metrics *m = create(THREADS, 0);
    struct job jobs[THREADS];
    struct err err;
    for (unsigned i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.metrics = m, .shard = i};
        REQUIRE(thread_start(&jobs[i].thread, "count", 0, count, &jobs[i], &err));
    }
    for (int i = 0; i < 20; i++) {
        struct buf text = render(m, i % 2);
        buf_free(&text);
    }
    for (unsigned i = 0; i < THREADS; i++) thread_join(&jobs[i].thread);
    struct buf text = render(m, false);
    for (int i = 0; i < 20; i++) {
        char want[128];
        snprintf(want, sizeof want, "penstock_cost_usd_total{model=\"m%d\",provider=\"p\"} %d", i,
                 THREADS * ROUNDS / 20);
        check_line(&text, want);
    }
    check_line(&text, "penstock_upstream_duration_seconds_count{provider=\"p\"} 80000");
    check_line(&text, "penstock_upstream_connects_total 80000");
    buf_free(&text);
    metrics_free(m);
}

static void test_no_memory(void) {
    struct err err;
    struct metrics *m;
    struct metrics_options options = {.shards = 1, .version = STR("1")};
    for (uint64_t i = 1; i < 200; i++) {
        mem_fail_nth(i);
        bool made = metrics_create(&options, &m, &err);
        if (made) {
            struct metric_shard *s = metrics_shard(m, 0);
            metric_add(s, metric_find(s, METRIC_REJECTED, LABELS(STR("x")), 1), 1);
            metric_observe(s, metric_find(s, METRIC_UPSTREAM_DURATION, LABELS(STR("x")), 1), 1, 1);
            struct buf out = BUF_INIT((size_t)1 << 20);
            metrics_render(m, &out, true);
            buf_free(&out);
            metrics_free(m);
        } else {
            CHECK_INT(err.code, ERR_NO_MEMORY);
        }
        mem_fail_nth(0);
    }
}

static void fill_all(struct metrics *m) {
    struct metric_shard *s = metrics_shard(m, 0);
    metric_add(s, metric_find(s, METRIC_REQUESTS, LABELS(STR("chat"), STR("m"), STR("p"), STR("200")), 4), 1);
    metric_observe(s, metric_find(s, METRIC_REQUEST_DURATION, LABELS(STR("chat"), STR("m"), STR("p")), 3), 1, 1);
    metric_observe(s, metric_find(s, METRIC_FIRST_TOKEN, LABELS(STR("chat"), STR("m"), STR("p")), 3), 1, 1);
    metric_add(s, metric_find(s, METRIC_TOKENS, LABELS(STR("m"), STR("p"), STR("input")), 3), 1);
    metric_add(s, metric_find(s, METRIC_COST, LABELS(STR("m"), STR("p")), 2), 1);
    metric_add(s, metric_find(s, METRIC_REFERENCE_COST, LABELS(STR("m"), STR("p")), 2), 1);
    metric_add(s, metric_find(s, METRIC_COMPARED_COST, LABELS(STR("m"), STR("p")), 2), 1);
    metric_add(s, metric_find(s, METRIC_UNPRICED, LABELS(STR("m"), STR("p")), 2), 1);
    metric_add(s, metric_find(s, METRIC_TENANT_REQUESTS, LABELS(STR("t"), STR("200")), 2), 1);
    metric_add(s, metric_find(s, METRIC_TENANT_TOKENS, LABELS(STR("t"), STR("input")), 2), 1);
    metric_add(s, metric_find(s, METRIC_TENANT_COST, LABELS(STR("t")), 1), 1);
    metric_add(s, metric_find(s, METRIC_SHADOW_REQUESTS, LABELS(STR("m"), STR("sent")), 2), 1);
    metric_add(s, metric_find(s, METRIC_CANARY_ROLLBACKS, LABELS(STR("m")), 1), 1);
    metric_add(s, metric_find(s, METRIC_REJECTED, LABELS(STR("why\n\"")), 1), 1);
    metric_add(s, metric_find(s, METRIC_UPSTREAM_REQUESTS, LABELS(STR("p"), STR("200")), 2), 1);
    metric_observe(s, metric_find(s, METRIC_UPSTREAM_DURATION, LABELS(STR("p")), 1), 1, 1);
    metric_add(s, metric_find(s, METRIC_UPSTREAM_CONNECTIONS, LABELS(STR("p"), STR("idle")), 2), 1);
    metric_add(s, metric_find(s, METRIC_TARGET_STATE, LABELS(STR("p"), STR("m")), 2), 1);
    metric_add(s, metric_find(s, METRIC_TARGET_IN_FLIGHT, LABELS(STR("p"), STR("m")), 2), 1);
    metric_add(s, metric_find(s, METRIC_TARGET_ATTEMPTS, LABELS(STR("p"), STR("m"), STR("none")), 3), 1);
    metric_add(s, metric_find(s, METRIC_TARGET_REFUSED, LABELS(STR("p"), STR("m")), 2), 1);
    metric_add(s, metric_find(s, METRIC_TARGET_OPENINGS, LABELS(STR("p"), STR("m")), 2), 1);
    metric_add(s, metric_find(s, METRIC_TARGET_COOLDOWNS, LABELS(STR("p"), STR("m")), 2), 1);
    metric_add(s, metric_find(s, METRIC_TARGET_BREAKER, LABELS(STR("p"), STR("m")), 2), 2);
    metric_add(s, metric_find(s, METRIC_TARGET_EJECTIONS, LABELS(STR("p"), STR("m")), 2), 1);
    metric_add(s, metric_find(s, METRIC_TARGET_QUALITY, LABELS(STR("p"), STR("m")), 2), 700000000);
    metric_add(s, metric_find(s, METRIC_JUDGE_GRADES, LABELS(STR("m"), STR("graded")), 2), 1);
    metric_add(s, metric_find(s, METRIC_FAILOVERS, LABELS(STR("connect")), 1), 1);
    metric_add(s, metric_find(s, METRIC_RETRIES, LABELS(STR("connect")), 1), 1);
    metric_add(s, metric_find(s, METRIC_HEDGES, LABELS(STR("sent")), 1), 1);
    metric_add(s, metric_find(s, METRIC_QUEUE_LENGTH, LABELS(STR("high")), 1), 1);
    metric_observe(s, metric_find(s, METRIC_QUEUE_WAIT, LABELS(STR("high"), STR("served")), 2), 1, 1);
    metric_add(s, metric_find(s, METRIC_QUEUE_REFUSED, LABELS(STR("m"), STR("full")), 2), 1);
    metric_add(s, metric_find(s, METRIC_COALESCED, LABELS(STR("m"), STR("leader")), 2), 1);
    metric_add(s, metric_find(s, METRIC_LOOP_BUSY, LABELS(STR("0")), 1), 1);
    metric_add(s, metric_find(s, METRIC_LOOP_MAX_TURN, LABELS(STR("0")), 1), 1);
    metric_add(s, metric_find(s, METRIC_ROWS_WAITING, LABELS(STR("w")), 1), 1);
    metric_add(s, metric_find(s, METRIC_ROWS_DROPPED, LABELS(STR("w")), 1), 1);
    metric_add(s, metric_find(s, METRIC_CONFIG_RELOADS, LABELS(STR("ok")), 1), 1);
    metric_add(s, metric_find(s, METRIC_BUDGET_THRESHOLDS, LABELS(STR("80")), 1), 1);
    metric_add(s, metric_find(s, METRIC_REDIS_UP, LABELS(STR("0")), 1), 1);
    metric_add(s, metric_find(s, METRIC_WEBHOOK_DELIVERIES, LABELS(STR("ops"), STR("ok")), 2), 1);
}

static void test_promtool(void) {
    if (system("command -v promtool >/dev/null 2>&1") != 0) {
        printf("promtool is not installed: not asked\n");
        return;
    }
    struct metrics *m = create(1, 0);
    fill_all(m);
    struct buf text = render(m, false);
    // Every family is in it, so that each one is looked at.
    int families = 0;
    for (size_t i = 0; i + 7 < text.n; i++) families += memcmp(text.p + i, "# TYPE ", 7) == 0;
    CHECK_INT(families, METRIC_FAMILY_COUNT);
    FILE *tool = popen("promtool check metrics >&2", "w");
    REQUIRE(tool != NULL);
    CHECK_INT(fwrite(text.p, 1, text.n, tool), text.n);
    CHECK_INT(pclose(tool), 0);
    buf_free(&text);
    metrics_free(m);
}

TEST_MAIN(test_values, test_histogram, test_labels, test_overflow, test_cells_end, test_collect, test_threads,
          test_no_memory, test_promtool)
