// Measures routing from inside: choosing among fifty targets with conditions, and what judging prompts saves.
#include "base/mem.h"
#include "os/clock.h"
#include "route/route.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS 20000
#define LINE_MAX_BYTES 16384

// --- choosing ---

static const char *no_variable(void *ctx, const char *name) {
    (void)ctx, (void)name;
    return NULL;
}

static bool no_file(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx, (void)path, (void)max, (void)out;
    return err_set(err, ERR_NOT_FOUND, "no such file");
}

static bool value_of(const void *ctx, enum condition_name name, struct str member, double from,
                     struct condition_value *out) {
    (void)ctx, (void)member, (void)from;
    out->number = name == CONDITION_TOKENS ? 900 : 0;
    out->text = STR("acme");
    out->truth = false;
    return true;
}

static void put_model(struct buf *text, const char *strategy, int targets) {
    buf_printf(text, "  - name: of-%d-%s\n    strategy: %s\n    targets:\n", targets, strategy, strategy);
    for (int i = 0; i < targets; i++)
        buf_printf(text, "      - {provider: p%d, model: m%d, tags: [a], limits: {concurrency: 100}%s}\n", i % 10, i,
                   targets == 1 ? ""
                   : i % 2      ? ", when: 'tokens < 32000 && tenant == \"acme\"'"
                                : "");
}

static struct conf *load(const char *const *strategies, size_t n) {
    struct buf text = BUF_INIT(1 << 20);
    struct conf_problems problems;
    const struct conf_env env = {.get = no_variable, .read_file = no_file};
    struct conf *conf = NULL;
    buf_lit(&text, "providers:\n");
    for (int i = 0; i < 10; i++)
        buf_printf(&text, "  - {name: p%d, kind: openai, base_url: 'http://127.0.0.1:%d/v1', api_key: x}\n", i,
                   9000 + i);
    buf_lit(&text, "models:\n");
    for (size_t i = 0; i < n; i++) put_model(&text, strategies[i], 50);
    put_model(&text, "weighted", 1);
    conf_problems_init(&problems);
    if (!conf_load_text(buf_str(&text), STR("bench.yaml"), &env, &problems, &conf)) {
        struct buf b = BUF_INIT(1 << 16);
        conf_problems_print(&problems, &b);
        fprintf(stderr, "%.*s", STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
    conf_problems_free(&problems);
    buf_free(&text);
    return conf;
}

static volatile size_t g_sink;

static double resolve_ns(const struct route_table *table, const struct route_need *need, const char *name) {
    struct arena arena;
    struct route route;
    struct err err;
    uint64_t best = UINT64_MAX;
    arena_init(&arena, NULL, 0, 1 << 20);
    for (int part = 0; part < 10; part++) {
        uint64_t from = clock_mono_ns();
        for (int i = 0; i < ROUNDS / 10; i++) {
            const struct route_ask ask = {.table = table,
                                          .need = need,
                                          .arena = &arena,
                                          .now_ns = from + (uint64_t)i,
                                          .draw = (uint64_t)(i + 1) * 0x9e3779b97f4a7c15u};
            if (!route_resolve(&ask, str_c(name), &route, NULL, &err)) return -1;
            g_sink += route.count;
        }
        best = MIN(best, clock_mono_ns() - from);
    }
    arena_free(&arena);
    return (double)best / (ROUNDS / 10);
}

static int choosing(void) {
    static const char *const strategies[] = {"weighted", "round_robin", "least_busy", "latency", "cost",
                                             "quality",  "balanced",    "sticky",     "usage"};
    struct conf *conf = load(strategies, ARRAY_LEN(strategies));
    struct model_catalog *models;
    struct board *board = board_create();
    struct route_table *table;
    struct err err;
    const struct condition_env env = {.get = value_of};
    const struct route_need need = {.model = {.tokens = 900, .most = 4000, .read = true},
                                    .expected = {.prompt = 900, .output = 300},
                                    .affinity = 77,
                                    .tags = {STR_INIT("a")},
                                    .tag_count = 1,
                                    .env = &env};
    if (!conf || !board || !model_catalog_builtin(&models, &err)) return 1;
    if (!route_table_create(conf, models, board, clock_mono_ns(), &table, &err)) return 1;
    route_table_tune(table);
    double one = resolve_ns(table, &need, "of-1-weighted");
    printf("{\"case\":\"resolve, 1 target\",\"metric\":\"time\",\"unit\":\"ns\",\"ours\":%.0f}\n", one);
    for (size_t i = 0; i < ARRAY_LEN(strategies); i++) {
        char name[64];
        snprintf(name, sizeof name, "of-50-%s", strategies[i]);
        printf("{\"case\":\"resolve, 50 targets, %s\",\"metric\":\"time\",\"unit\":\"ns\",\"ours\":%.0f}\n",
               strategies[i], resolve_ns(table, &need, name));
    }
    route_table_free(table);
    board_free(board);
    model_catalog_unref(models);
    conf_unref(conf);
    return 0;
}

// --- judging ---

#define TIERS 4

// Dollars a million tokens, and the tokens of an answer, by tier: small models for the two lower ones.
static const double k_in[TIERS] = {0.25, 0.25, 1.25, 1.25}, k_out[TIERS] = {2, 2, 10, 10};
static const double k_answer[TIERS] = {60, 350, 1200, 1500};

struct sums {
    unsigned all, right, enough;
    double cost, large;
};

static size_t unescape(struct str raw, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        bool escape = raw.p[i] == '\\' && i + 1 < raw.n;
        char c = escape ? raw.p[++i] : raw.p[i];
        out[n++] = !escape ? c : (char)(c == 'n' ? '\n' : c == 't' ? '\t' : c);
    }
    return n;
}

static double cost_of(size_t of, size_t label, size_t bytes) {
    return ((double)(bytes + 3) / 4 * k_in[of] + k_answer[label] * k_out[of]) / 1e6;
}

static void judge(const struct complexity_lexicon *lexicon, char *line, struct sums *s) {
    char text[LINE_MAX_BYTES];
    struct str rest = str_trim(str_c(line)), tier, task, language;
    struct complexity c;
    size_t label = 0;
    if (!str_split(&rest, '\t', &tier) || !str_split(&rest, '\t', &task) || !str_split(&rest, '\t', &language)) return;
    while (label < TIERS && !str_eq(tier, tier_name((enum conf_tier)label))) label++;
    if (label == TIERS) return;
    size_t n = unescape(rest, text);
    const struct complexity_around around = {.message_bytes = n};
    complexity_of_text(lexicon, str_of(text, n), &around, &c);
    s->all++;
    s->right += c.tier == (enum conf_tier)label;
    s->enough += (c.tier >= TIER_COMPLEX) >= (label >= TIER_COMPLEX);
    s->cost += cost_of(c.tier, label, n);
    s->large += cost_of(TIER_REASONING, label, n);
}

static int judging(const char *path) {
    static struct complexity_lexicon lexicon;
    static char line[LINE_MAX_BYTES];
    struct sums s = {.all = 0};
    FILE *f = fopen(path, "rb");
    if (!f) return 1;
    complexity_lexicon_init(&lexicon);
    while (fgets(line, sizeof line, f)) judge(&lexicon, line, &s);
    fclose(f);
    if (!s.all) return 1;
    printf("{\"case\":\"complexity, %u prompts\",\"metric\":\"cost_saved\",\"unit\":\"%%\",\"ours\":%.1f}\n", s.all,
           100 * (1 - s.cost / s.large));
    printf("{\"case\":\"complexity, %u prompts\",\"metric\":\"tier_agrees\",\"unit\":\"%%\",\"ours\":%.1f}\n", s.all,
           100.0 * s.right / s.all);
    printf("{\"case\":\"complexity, %u prompts\",\"metric\":\"model_suffices\",\"unit\":\"%%\",\"ours\":%.1f}\n", s.all,
           100.0 * s.enough / s.all);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "complexity")) return judging(argv[2]);
    return choosing();
}
