// Measures reports over the usage of a quarter, as a dashboard asks for them: what adds up by hour, day and month is
// made directly, for as many requests as are asked for, and of the requests themselves those of the last days.
//
// usage: bench_usage_report DIR MILLIONS make|schema|ask [DATABASE]
// DATABASE is a URL of PostgreSQL, which has to be filled by others between schema, which makes its tables, and ask.
#include "base/mem.h"
#include "os/clock.h"
#include "store/ledger_read.h"
#include "store/migrate.h"
#include "store/usage_rollup.h"

#include <math.h>
#include <string.h>

enum { KEYS = 1000, TENANTS = 50, DAYS = 90, ROUNDS = 5, HOURS = DAYS * 24, MODELS = 12, PROVIDERS = 4, TASKS = 5 };
#define START INT64_C(1780272000000000000) // 2026-06-01, 00:00
#define FIRST_HOUR (START / HOUR_NS)
#define HOUR_NS INT64_C(3600000000000)
#define BEFORE_FACETS 22 // the step of the schema after which sums of facets are made of those that are there
// A range of which both edges are as far from the ends of months, days and hours as can be; in ns after START.
#define MIDDLE_FROM (15 * 24 * HOUR_NS + 12 * HOUR_NS + HOUR_NS / 2)
#define MIDDLE_TO (MIDDLE_FROM + 30 * 24 * HOUR_NS)
// The same, and of quarters of a day and thirds of months too: the middle of a month's second third to that of
// another's, half an hour before the middle of the quarter in which most is asked.
#define WORST_FROM (15 * 24 * HOUR_NS + 14 * HOUR_NS + HOUR_NS / 2)
#define WORST_MONTH_TO (WORST_FROM + 30 * 24 * HOUR_NS)
#define WORST_TWO_TO (WORST_FROM + 60 * 24 * HOUR_NS)
#define RAW_HOURS 25 // whose requests are there one by one

static const char *const k_models[MODELS] = {"gpt-5",        "gpt-5-mini",  "gpt-4o",       "claude-sonnet-4-5",
                                             "claude-haiku", "gemini-pro",  "gemini-flash", "llama-4",
                                             "mistral",      "deepseek-v3", "qwen-3",       "command-r"};
static const char *const k_providers[PROVIDERS] = {"openai", "anthropic", "google", "local"};
static const char *const k_tasks[TASKS] = {"", "summarise", "code", "classify", "extract"};
static const char *const k_tags[] = {"{\"env\":\"prod\"}", "{\"env\":\"test\"}"};
enum { NAME_MODEL = 1, NAME_PROVIDER = 21, NAME_TASK = 31, NAME_ERROR = 41, NAME_TAGS = 51 };

static void fail(const struct err *err) {
    fprintf(stderr, "bench_usage_report: %s\n", err->message);
    exit(1);
}

static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

// What a combination is of, from its number: each key has three models, each of those two tasks, each ends well or not.
struct combination {
    unsigned key, model, task, status;
    double share; // of all requests
};
enum { COMBINATIONS = KEYS * 3 * 2 * 2 };

static struct combination combination_of(unsigned i) {
    unsigned key = 1 + i / 12, choice = i / 4 % 3, second = i / 2 % 2, failed = i % 2;
    struct combination c = {.key = key, .model = (key + choice * 5) % MODELS, .status = failed ? 502 : 200};
    c.task = (unsigned)(mix(key) + choice + second) % TASKS;
    // Few keys make most of the requests, each mostly with its first model.
    double key_share = pow(key, -0.8);
    static const double of_choice[] = {0.6, 0.3, 0.1}, of_task[] = {0.7, 0.3};
    c.share = key_share * of_choice[choice] * of_task[second] * (failed ? 0.01 : 0.99);
    return c;
}

static double total_share(void) {
    double sum = 0;
    for (unsigned i = 0; i < COMBINATIONS; i++) sum += combination_of(i).share;
    return sum;
}

// More by day than by night, less at the week's end.
static double of_hour(unsigned hour) {
    unsigned of_day = hour % 24, day = hour / 24 % 7;
    double v = 0.3 + 1.4 * exp(-pow(((double)of_day - 13) / 5, 2));
    return day >= 5 ? v * 0.4 : v;
}

static double total_hours(void) {
    double sum = 0;
    for (unsigned h = 0; h < HOURS; h++) sum += of_hour(h);
    return sum;
}

// --- making ---

struct making {
    struct sql *db;
    double per; // requests of a share of one in an hour of one
    uint64_t requests, rows, records;
};

static void run(struct sql *db, const char *text) {
    struct err err;
    if (!sql_exec(db, str_c(text), &err)) fail(&err);
}

static void name_put(struct sql *db, int id, const char *text) {
    char sql[200];
    snprintf(sql, sizeof sql, "INSERT INTO name (id, text) VALUES (%d, '%s')", id, text);
    run(db, sql);
}

static void names_put(struct sql *db) {
    for (int i = 0; i < MODELS; i++) name_put(db, NAME_MODEL + i, k_models[i]);
    for (int i = 0; i < PROVIDERS; i++) name_put(db, NAME_PROVIDER + i, k_providers[i]);
    for (int i = 1; i < TASKS; i++) name_put(db, NAME_TASK + i, k_tasks[i]);
    for (int i = 0; i < 2; i++) name_put(db, NAME_TAGS + i, k_tags[i]);
    name_put(db, NAME_ERROR, "upstream_error");
}

static struct sql_stmt *prepared(struct sql *db, const char *text) {
    struct sql_stmt *st;
    struct err err;
    if (!sql_prepare(sql_platform(db), str_c(text), &st, &err)) fail(&err);
    return st;
}

static void put(struct sql_stmt *st, const int64_t *v, int n) {
    struct err err;
    for (int i = 0; i < n; i++) sql_bind_i64(st, i + 1, v[i]);
    if (!sql_run(st, &err)) fail(&err);
}

static void dims_put(struct sql *db) {
    struct sql_stmt *st = prepared(
        db,
        "INSERT INTO usage_dim (id, tenant_id, key_id, team_id, project_id, owner_kind, owner_id, provider_id,"
        " model_id, upstream_model_id, endpoint, status, error_id, tags_id, task_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
        " ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT DO NOTHING");
    for (unsigned i = 0; i < COMBINATIONS; i++) {
        struct combination c = combination_of(i);
        const int64_t v[] = {i + 1,
                             1 + c.key % TENANTS,
                             c.key,
                             1 + c.key % 200,
                             1 + c.key % 400,
                             2,
                             1 + c.key % 300,
                             NAME_PROVIDER + c.model % PROVIDERS,
                             NAME_MODEL + c.model,
                             NAME_MODEL + c.model,
                             USAGE_ENDPOINT_CHAT,
                             c.status,
                             c.status == 200 ? 0 : NAME_ERROR,
                             NAME_TAGS + c.key / TENANTS % 2,
                             c.task ? NAME_TASK + c.task : 0};
        put(st, v, ARRAY_LEN(v));
    }
}

// How many requests of it an hour had: the part that is less than one is drawn.
static uint64_t drawn(const struct making *m, const struct combination *c, unsigned i, unsigned hour) {
    double want = m->per * c->share * of_hour(hour);
    uint64_t whole = (uint64_t)want, dice = mix(((uint64_t)i << 32) | hour) >> 32;
    return whole + ((double)dice < (want - (double)whole) * 4294967296.0);
}

static void sums_of(uint64_t n, uint64_t dice, bool failed, int64_t v[SUM_COUNT]) {
    int64_t k = (int64_t)n, in = 400 + (int64_t)(dice % 1000), out = failed ? 0 : 100 + (int64_t)(dice / 1000 % 400);
    const int64_t each[SUM_COUNT] = {1,
                                     0,
                                     in,
                                     0,
                                     0,
                                     out,
                                     0,
                                     failed ? 0 : in * 150 + out * 600,
                                     900000 + out,
                                     300000,
                                     1,
                                     1,
                                     in * 1250 + out * 10000,
                                     in * 1100 + out * 9400};
    for (int i = 0; i < SUM_COUNT; i++) v[i] = each[i] * k;
}

#define HOLES "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17"
static void hours_put(struct making *m, const struct combination *all) {
    // In the order of the table's key: by tenant, then hour, then combination.
    struct sql_stmt *st = prepared(m->db, "INSERT INTO usage_hour VALUES (" HOLES ")");
    for (unsigned tenant = 1; tenant <= TENANTS; tenant++) {
        for (unsigned hour = 0; hour < HOURS; hour++) {
            for (unsigned i = 0; i < COMBINATIONS; i++) {
                if (1 + all[i].key % TENANTS != tenant) {
                    i += 11; // of the same key
                    continue;
                }
                uint64_t n = drawn(m, &all[i], i, hour);
                int64_t v[3 + SUM_COUNT] = {tenant, FIRST_HOUR + hour, i + 1};
                if (!n) continue;
                sums_of(n, mix(i), all[i].status != 200, v + 3);
                put(st, v, ARRAY_LEN(v));
                m->requests += n;
                m->rows++;
            }
        }
    }
}

// Ids grow with time, as they do.
static void minute_put(struct making *m, struct sql_stmt *st, const struct combination *c, unsigned i, unsigned hour,
                       unsigned minute) {
    const int64_t ns = HOUR_NS / 60, start = START + hour * HOUR_NS + minute * ns;
    uint64_t n = drawn(m, c, i, hour);
    for (uint64_t k = n * minute / 60; k < n * (minute + 1) / 60; k++) {
        int64_t s[SUM_COUNT], ts = start + (int64_t)(mix(i * 1000003ULL + k) % (uint64_t)ns);
        sums_of(1, mix(i), c->status != 200, s);
        const int64_t v[] = {(int64_t)++m->records,
                             1 + c->key % TENANTS,
                             ts,
                             i + 1,
                             USAGE_COMPARED,
                             s[SUM_TOKENS_IN],
                             0,
                             0,
                             s[SUM_TOKENS_OUT],
                             0,
                             s[SUM_COST],
                             s[SUM_LATENCY],
                             s[SUM_TTFT],
                             0,
                             0,
                             1,
                             s[SUM_REFERENCE]};
        put(st, v, ARRAY_LEN(v));
    }
}

static void records_put(struct making *m, const struct combination *all) {
    struct sql_stmt *st = prepared(m->db, "INSERT INTO usage VALUES (" HOLES ")");
    // Those of hours in the middle, at which ranges begin and end; and the last ones.
    static const int64_t edges[] = {MIDDLE_FROM, MIDDLE_TO, WORST_FROM, WORST_MONTH_TO, WORST_TWO_TO};
    for (unsigned hour = 0; hour < HOURS; hour++) {
        bool edge = hour == HOURS - 7 * 24 - 1 || hour == HOURS - 30 * 24 - 1;
        for (size_t i = 0; i < ARRAY_LEN(edges); i++) edge |= (int64_t)hour == edges[i] / HOUR_NS;
        if (!edge && hour < HOURS - RAW_HOURS) continue;
        for (unsigned minute = 0; minute < 60; minute++)
            for (unsigned i = 0; i < COMBINATIONS; i++) minute_put(m, st, &all[i], i, hour, minute);
    }
}

#define SUMS                                                                                                           \
    "sum(requests), sum(unpriced), sum(tokens_in), sum(tokens_cached), sum(tokens_cache_write), sum(tokens_out),"      \
    " sum(tokens_reasoning), sum(cost_nano), sum(latency_us), sum(ttft_us), sum(ttft_requests), sum(attempts),"        \
    " sum(reference_nano), sum(saved_nano)"

static void make(const char *dir, double millions) {
    struct err err;
    char path[512];
    struct making m = {0};
    struct sql_options sql = {.mode = SQL_CREATE, .busy_ms = 1000, .cache_kb = 200000};
    struct combination *all = mem_must(mem_zalloc(COMBINATIONS, sizeof *all));
    snprintf(path, sizeof path, "%s/penstock.db", dir);
    if (!sql_open(str_c(path), &sql, &m.db, &err) || !migrate_to(m.db, BEFORE_FACETS, &err)) fail(&err);
    for (unsigned i = 0; i < COMBINATIONS; i++) all[i] = combination_of(i);
    m.per = millions * 1e6 / total_share() / total_hours();
    run(m.db, "BEGIN");
    names_put(m.db);
    dims_put(m.db);
    hours_put(&m, all);
    records_put(&m, all);
    run(m.db, "INSERT INTO usage_day SELECT tenant_id, hour / 24, dim_id, " SUMS " FROM usage_hour GROUP BY 1, 2, 3");
    run(m.db, "INSERT INTO usage_hour SELECT r.tenant_id, r.hour, CASE WHEN d.status >= 400 THEN -1 ELSE 0 END, " SUMS
              " FROM usage_hour r JOIN usage_dim d ON d.id = r.dim_id GROUP BY 1, 2, 3");
    run(m.db, "INSERT INTO usage_day SELECT tenant_id, hour / 24, dim_id, " SUMS
              " FROM usage_hour WHERE dim_id <= 0 GROUP BY 1, 2, 3");
    run(m.db, "INSERT INTO usage_month SELECT tenant_id, CAST(strftime('%s', day * 86400, 'unixepoch', 'start of"
              " month') AS INTEGER) / 86400, dim_id, " SUMS " FROM usage_day GROUP BY 1, 2, 3");
    run(m.db, "COMMIT");
    uint64_t busy = clock_cpu_ns();
    if (!migrate_to(m.db, MIGRATE_STEPS, &err)) fail(&err);
    double migration_s = (double)(clock_cpu_ns() - busy) / 1e9;
    sql_close(m.db);
    mem_free(all);
    printf("{\"case\":\"made\",\"requests\":%llu,\"rows\":%llu,\"records\":%llu,\"migration_cpu_s\":%.1f}\n",
           (unsigned long long)m.requests, (unsigned long long)m.rows, (unsigned long long)m.records, migration_s);
}

// --- asking ---

static bool count(void *arg, const struct ledger_row *row) {
    *(uint64_t *)arg += row->requests;
    return true;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct place {
    const char *dir, *database; // database NULL: the file in dir
};

// The median of a few rounds.
static void ask(const struct place *where, const char *name, struct ledger_query q) {
    const char *only = getenv("BENCH_ONLY");
    if (only && !strstr(name, only)) return;
    double ms[ROUNDS], cpu[ROUNDS];
    uint64_t found = 0;
    struct err err;
    q.data_dir = str_c(where->dir);
    if (where->database) q.database = str_c(where->database);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start = clock_mono_ns(), busy = clock_cpu_ns();
        found = 0;
        if (!ledger_read(&q, count, &found, &err)) fail(&err);
        ms[i] = (double)(clock_mono_ns() - start) / 1e6;
        cpu[i] = (double)(clock_cpu_ns() - busy) / 1e6;
    }
    qsort(ms, ROUNDS, sizeof *ms, by_value);
    qsort(cpu, ROUNDS, sizeof *cpu, by_value);
    printf("{\"case\":\"%s\",\"ms\":%.3f,\"cpu\":%.3f,\"worst\":%.3f,\"requests\":%llu}\n", name, ms[ROUNDS / 2],
           cpu[ROUNDS / 2], ms[ROUNDS - 1], (unsigned long long)found);
    fflush(stdout);
}

static const struct {
    const char *name;
    enum ledger_group group;
} k_groups[] = {{"tenant", LEDGER_GROUP_TENANT},     {"team", LEDGER_GROUP_TEAM},   {"project", LEDGER_GROUP_PROJECT},
                {"user", LEDGER_GROUP_OWNER},        {"key", LEDGER_GROUP_KEY},     {"model", LEDGER_GROUP_MODEL},
                {"provider", LEDGER_GROUP_PROVIDER}, {"task", LEDGER_GROUP_TASK},   {"tags", LEDGER_GROUP_TAGS},
                {"status", LEDGER_GROUP_STATUS},     {"month", LEDGER_GROUP_MONTH}, {"day", LEDGER_GROUP_DAY},
                {"hour", LEDGER_GROUP_HOUR}};

// Ranges of which both edges lie as badly as can be, and more than one thing asked for, of all tenants.
static void ask_worst(const struct place *where) {
    static const struct {
        const char *name;
        int64_t until;
    } ranges[] = {{"worst month", START + WORST_MONTH_TO}, {"worst two months", START + WORST_TWO_TO}};
    static const struct {
        const char *name;
        struct ledger_query q;
    } filters[] = {{.name = ""},
                   {"errors, ", {.errors = true}},
                   {"a tenant, ", {.tenant_id = 8}},
                   {"a model, ", {.model = STR_INIT("gpt-5")}},
                   {"a tag, ", {.tag = STR_INIT("env=prod")}},
                   {"a status, ", {.status = 200}},
                   {"a provider's task, ", {.provider = STR_INIT("openai"), .task = STR_INIT("code")}},
                   {"a tag's provider, ", {.tag = STR_INIT("env=prod"), .provider = STR_INIT("google")}},
                   {"a tag's status, ", {.tag = STR_INIT("env=prod"), .status = 200}},
                   {"an endpoint's status, ", {.endpoint = USAGE_ENDPOINT_CHAT + 1, .status = 200}}};
    char name[100];
    for (size_t f = 0; f < ARRAY_LEN(filters); f++)
        for (size_t g = 0; g < ARRAY_LEN(k_groups); g++)
            for (size_t r = 0; r < ARRAY_LEN(ranges); r++) {
                struct ledger_query q = filters[f].q;
                if (k_groups[g].group == LEDGER_GROUP_HOUR) continue; // more points than a picture has
                q.group = k_groups[g].group;
                q.since = START + WORST_FROM;
                q.until = ranges[r].until;
                snprintf(name, sizeof name, "%sby %s, %s", filters[f].name, k_groups[g].name, ranges[r].name);
                ask(where, name, q);
            }
}

static void ask_all(const struct place *where) {
    const int64_t day = 24 * HOUR_NS, now = START + DAYS * day - 1234567890123;
    // Sliding ranges, as they are asked for at any moment: to the nanosecond.
    const struct {
        const char *name;
        int64_t since, until;
    } ranges[] = {{"24h", now - day, now},
                  {"7d", now - 7 * day, now},
                  {"30d", now - 30 * day, now},
                  {"90d", 0, now},
                  {"mid-June to mid-July", START + MIDDLE_FROM, START + MIDDLE_TO}};
    char name[100];
    for (size_t g = 0; g < ARRAY_LEN(k_groups); g++)
        for (size_t r = 0; r < ARRAY_LEN(ranges); r++) {
            if (k_groups[g].group == LEDGER_GROUP_HOUR && r > 1) continue;
            snprintf(name, sizeof name, "by %s, %s", k_groups[g].name, ranges[r].name);
            ask(where, name,
                (struct ledger_query){.group = k_groups[g].group, .since = ranges[r].since, .until = ranges[r].until});
        }
    static const enum ledger_group series[] = {LEDGER_GROUP_HOUR, LEDGER_GROUP_DAY};
    static const char *const names[] = {"hour", "day"};
    const struct {
        const char *name;
        struct ledger_query q;
    } filters[] = {{"a model", {.model = STR_INIT("gpt-5")}},
                   {"a provider", {.provider = STR_INIT("openai")}},
                   {"a task", {.task = STR_INIT("code")}},
                   {"a tag", {.tag = STR_INIT("env=prod")}},
                   {"a key", {.key_id = 7}},
                   {"a user", {.owner_kind = 2, .owner_id = 9}},
                   {"errors", {.errors = true}},
                   {"a tenant", {.tenant_id = 8}},
                   {"a tenant's model", {.tenant_id = 8, .model = STR_INIT("gpt-5")}},
                   {"a team", {.team_id = 3}},
                   {"a status", {.status = 200}},
                   {"errors of a provider", {.provider = STR_INIT("openai"), .errors = true}},
                   {"a provider's task", {.provider = STR_INIT("openai"), .task = STR_INIT("code")}},
                   {"a tag's provider", {.tag = STR_INIT("env=prod"), .provider = STR_INIT("google")}},
                   {"a tag's status", {.tag = STR_INIT("env=prod"), .status = 200}}};
    for (size_t f = 0; f < ARRAY_LEN(filters); f++)
        for (size_t s = 0; s < ARRAY_LEN(series); s++)
            for (size_t r = 1; r < ARRAY_LEN(ranges); r++) {
                struct ledger_query q = filters[f].q;
                if (s == 0 && r > 1) continue; // more points than a picture has
                q.group = series[s];
                q.since = ranges[r].since;
                q.until = ranges[r].until;
                snprintf(name, sizeof name, "%s by %s, %s", filters[f].name, names[s], ranges[r].name);
                ask(where, name, q);
            }
    ask_worst(where);
    ask(where, "newest 100", (struct ledger_query){.limit = 100});
    ask(where, "newest 100 of a key", (struct ledger_query){.limit = 100, .key_id = 77});
}

static void schema(const char *database) {
    struct err err;
    struct sql *db;
    struct sql_options sql = {.mode = SQL_CREATE, .busy_ms = 1000};
    if (!sql_open(str_c(database), &sql, &db, &err) || !migrate_to(db, MIGRATE_STEPS, &err)) fail(&err);
    sql_close(db);
}

int main(int argc, char **argv) {
    if (argc < 4 || argc > 5) {
        fputs("usage: bench_usage_report DIR MILLIONS make|schema|ask [DATABASE]\n", stderr);
        return 2;
    }
    struct place where = {argv[1], argc == 5 ? argv[4] : NULL};
    if (argv[3][0] == 'm')
        make(argv[1], strtod(argv[2], NULL));
    else if (argv[3][0] == 's' && where.database)
        schema(where.database);
    else
        ask_all(&where);
    return 0;
}
