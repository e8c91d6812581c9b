// penstock bench models: the same prompts to several models of a server, and what came of it.
#include "cli/bench.h"
#include "os/file.h"

#define ARENA_MAX ((size_t)1 << 30)
#define HTML_MAX ((size_t)256 << 20)

static int number(const struct bench *b, enum cli_option_id option, uint64_t least, uint64_t most, uint64_t fallback,
                  size_t *out) {
    uint64_t n = cli_number(b->args, option, fallback);
    char what[120];
    *out = (size_t)n;
    if (n >= least && n <= most) return CLI_OK;
    snprintf(what, sizeof what, "--%s is a number from %llu to %llu", CLI_OPTIONS[option].name,
             (unsigned long long)least, (unsigned long long)most);
    return cli_fail(b->args->io, CLI_USAGE, what, NULL, NULL);
}

static int read_options(struct bench *b) {
    int code = number(b, CLI_REPEAT, 1, 1000, 1, &b->repeat);
    if (code == CLI_OK) code = number(b, CLI_WARMUP, 0, 100, 1, &b->warmup);
    if (code == CLI_OK) code = number(b, CLI_CONCURRENCY, 1, BENCH_CONCURRENCY_MAX, 1, &b->concurrency);
    b->judge = str_trim(cli_value(b->args, CLI_JUDGE));
    if (code == CLI_OK && !cli_given(b->args, CLI_PROMPTS))
        code = cli_fail(b->args->io, CLI_USAGE, "which prompts?", "--prompts FILE is missing", NULL);
    return code;
}

static int read_prompts(struct bench *b) {
    struct str path = cli_value(b->args, CLI_PROMPTS);
    struct err err;
    char what[400];
    bool ok = file_read_all(path, BENCH_FILE_MAX, &b->file, &err);
    if (!ok) return cli_fail_err(b->args->io, &err, "cannot read the prompts", NULL);
    if (!bench_prompts_read(buf_str(&b->file), &b->arena, &b->prompts, &err)) {
        snprintf(what, sizeof what, "%.*s holds no prompts to run", STR_ARG(str_head(path, 300)));
        return cli_fail(b->args->io, CLI_USAGE, what, err.message,
                        "a line is {\"prompt\": \"…\"}, with expect, regex, schema or judge to score the answer");
    }
    for (size_t i = 0; i < b->prompts.n; i++)
        if (b->prompts.p[i].check == BENCH_JUDGE && !b->judge.n)
            return cli_fail(b->args->io, CLI_USAGE, "there are prompts to be judged", "no --judge was given",
                            "--judge MODEL");
    return CLI_OK;
}

static int check_size(const struct bench *b) {
    if (bench_calls(b) <= BENCH_CALLS_MAX / b->n_models) return CLI_OK;
    return cli_fail(b->args->io, CLI_USAGE, "these are more than 200,000 calls", NULL, "a smaller --repeat");
}

static int write_html(struct bench *b, const struct bench_result *results) {
    BUF_AUTO struct buf out = BUF_INIT(HTML_MAX);
    struct err err;
    if (!cli_given(b->args, CLI_HTML)) return CLI_OK;
    bench_html_put(b, results, &out);
    bool ok = out.failed ? err_no_memory(&err) : file_replace(cli_value(b->args, CLI_HTML), buf_str(&out), 0644, &err);
    return ok ? CLI_OK : cli_fail_err(b->args->io, &err, "cannot write the report", NULL);
}

// Not one answer is a failure, some that failed are told by the exit code.
static int conclude(const struct bench *b, const struct bench_result *results) {
    size_t calls = 0, failed = 0;
    for (size_t i = 0; i < b->n_models; i++) {
        calls += results[i].calls;
        failed += results[i].failed;
    }
    if (b->interrupted) return CLI_INTERRUPTED;
    if (calls && calls == failed) return CLI_FAILED;
    return failed || b->judge_failed ? CLI_PARTLY : CLI_OK;
}

static int run(struct bench *b) {
    int code = read_options(b);
    if (code == CLI_OK) code = read_prompts(b);
    if (code == CLI_OK) code = bench_models_find(b);
    if (code == CLI_OK) code = check_size(b);
    if (code == CLI_OK) code = bench_run(b);
    if (code != CLI_OK) return code;
    struct bench_result *results = bench_results(b);
    if (!results) return cli_fail(b->args->io, CLI_FAILED, "out of memory", NULL, NULL);
    code = bench_print(b, results);
    if (code == CLI_OK) code = write_html(b, results);
    return code == CLI_OK ? conclude(b, results) : code;
}

static void bench_free(struct bench *b) {
    for (size_t i = 0; i < b->n_models; i++) {
        struct bench_model *m = &b->models[i];
        for (size_t k = 0; m->samples && k < bench_calls(b); k++) mem_free(m->samples[k].answer);
        mem_free(m->samples);
    }
    buf_free(&b->file);
    arena_free(&b->arena);
}

int cmd_bench_models(const struct cli_args *args) {
    struct bench b = {.args = args, .file = BUF_INIT(BENCH_FILE_MAX), .judge_cost_known = true};
    arena_init(&b.arena, NULL, 0, ARENA_MAX);
    int code = run(&b);
    bench_free(&b);
    return code;
}
