// The figures of a benchmark as a table, and as JSON.
#include "base/text.h"
#include "cli/bench.h"

#define TEXT_MAX ((size_t)256 << 20)

// --- the table ---

enum { MODEL, OK, SCORE, P50, P95, FIRST, RATE, COST, COLUMNS };
static const struct cli_column k_columns[COLUMNS] = {
    [MODEL] = {.title = "MODEL", .min = 16},     [OK] = {.title = "OK", .right = true},
    [SCORE] = {.title = "SCORE", .right = true}, [P50] = {.title = "P50", .right = true},
    [P95] = {.title = "P95", .right = true},     [FIRST] = {.title = "TTFT", .right = true},
    [RATE] = {.title = "TOK/S", .right = true},  [COST] = {.title = "$", .right = true}};

static struct str time_of(struct arena *a, const struct bench_summary *s, double v) {
    return s->n ? bench_time_text(a, v) : STR("-");
}

static struct str score_text(struct arena *a, const struct bench_share *s) {
    return s->n ? arena_printf(a, "%.2f", s->mean) : STR("-");
}

// Of those calls whose price is known; a sum that lacks some says so.
static struct str cost_text(struct arena *a, const struct bench_result *r) {
    size_t answers = r->calls - r->failed;
    if (!r->priced) return answers ? STR("?") : STR("-");
    struct str text = cli_dollars_short(a, (int64_t)MIN(r->cost_nano, (uint64_t)INT64_MAX));
    return r->priced == answers ? text : arena_printf(a, ">%.*s", STR_ARG(text));
}

static void put_table(struct bench *b, const struct bench_result *results, struct buf *out) {
    struct arena *a = &b->arena;
    struct cli_table table = {.columns = k_columns, .n_columns = COLUMNS, .arena = a};
    for (size_t i = 0; i < b->n_models; i++) {
        const struct bench_result *r = &results[i];
        const struct str cells[COLUMNS] = {[MODEL] = r->model->name,
                                           [OK] = arena_printf(a, "%zu/%zu", r->calls - r->failed, r->calls),
                                           [SCORE] = score_text(a, &r->score),
                                           [P50] = time_of(a, &r->latency, r->latency.p50),
                                           [P95] = time_of(a, &r->latency, r->latency.p95),
                                           [FIRST] = time_of(a, &r->first, r->first.p50),
                                           [RATE] = r->rate.n ? arena_printf(a, "%.1f", r->rate.p50) : STR("-"),
                                           [COST] = cost_text(a, r)};
        cli_table_add(&table, cells);
    }
    cli_table_print(&table, b->args->io, out);
}

// --- what there is to say of it ---

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }

static void say_noise(struct bench *b, const struct bench_result *r) {
    const struct cli_io *io = b->args->io;
    if (!r->latency.n) return;
    fprintf(io->err, "%.*s: ", STR_ARG(r->model->name));
    if (r->latency.has_range)
        fprintf(io->err, "median latency %.*s to %.*s", STR_ARG(bench_time_text(&b->arena, r->latency.low)),
                STR_ARG(bench_time_text(&b->arena, r->latency.high)));
    else
        fprintf(io->err, "too few calls to say how exact the median latency is");
    if (r->score.n) fprintf(io->err, ", score %.2f to %.2f (%zu scored)", r->score.low, r->score.high, r->score.n);
    fputc('\n', io->err);
}

static void say_errors(struct bench *b, const struct bench_result *r) {
    for (size_t i = 0; i < r->n_errors; i++)
        fprintf(b->args->io->err, "%.*s: %zu call%s failed: %s\n", STR_ARG(r->model->name), r->errors[i].n,
                plural(r->errors[i].n), r->errors[i].text);
}

static void say(struct bench *b, const struct bench_result *results) {
    const struct cli_io *io = b->args->io;
    bool few = false;
    fprintf(io->err, "%zu prompt%s, %zu time%s each, %zu call%s at a time to each model; %zu to warm up not counted.\n",
            b->prompts.n, plural(b->prompts.n), b->repeat, plural(b->repeat), b->concurrency, plural(b->concurrency),
            b->warmup);
    fprintf(io->err, "P50 and P95 are of the whole answer, TTFT is the median time to its first text. With 95 %% "
                     "confidence:\n");
    for (size_t i = 0; i < b->n_models; i++) say_noise(b, &results[i]);
    for (size_t i = 0; i < b->n_models; i++) {
        few |= results[i].latency.n > 0 && results[i].latency.n < 20;
        say_errors(b, &results[i]);
    }
    if (few) fprintf(io->err, "Of fewer than 20 calls the p95 is the slowest one.\n");
    if (b->judged)
        fprintf(io->err, "%zu answer%s judged by %.*s, for %s%.*s.\n", b->judged, plural(b->judged), STR_ARG(b->judge),
                b->judge_cost_known ? "$ " : "an unknown price",
                STR_ARG(b->judge_cost_known ? cli_dollars_short(&b->arena, (int64_t)b->judge_nano) : STR("")));
    if (b->judge_failed) fprintf(io->err, "%zu of them got no score: %s\n", b->judge_failed, b->judge_error);
    if (b->interrupted) fprintf(io->err, "Interrupted: this is what there was until then.\n");
}

int bench_print(struct bench *b, const struct bench_result *results) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    if (cli_given(b->args, CLI_JSON))
        bench_json_put(b, results, &out);
    else
        put_table(b, results, &out);
    int code = cli_print(b->args->io, &out);
    if (code == CLI_OK && !cli_given(b->args, CLI_JSON) && !cli_given(b->args, CLI_QUIET)) say(b, results);
    return code;
}

// --- JSON ---

static void put_figure(struct json_writer *w, struct str key, double v) {
    if (v >= 0)
        json_put_member_fixed(w, key, (int64_t)(v * 1000 + 0.5), 3);
    else
        json_put_member_null(w, key);
}

static void put_range(struct json_writer *w, struct str key, double low, double high) {
    json_put_member_object(w, key);
    put_figure(w, STR("low"), low);
    put_figure(w, STR("high"), high);
    json_put_object_end(w);
}

static void put_summary(struct json_writer *w, struct str key, const struct bench_summary *s) {
    json_put_member_object(w, key);
    json_put_member_u64(w, STR("n"), s->n);
    if (s->n) {
        put_figure(w, STR("p50"), s->p50);
        put_figure(w, STR("p95"), s->p95);
        put_figure(w, STR("mean"), s->mean);
        put_figure(w, STR("min"), s->min);
        put_figure(w, STR("max"), s->max);
        if (s->has_range)
            put_range(w, STR("p50_95_confidence"), s->low, s->high);
        else
            json_put_member_null(w, STR("p50_95_confidence"));
    }
    json_put_object_end(w);
}

static void put_score(struct json_writer *w, const struct bench_share *s) {
    json_put_member_object(w, STR("score"));
    json_put_member_u64(w, STR("n"), s->n);
    if (s->n) {
        put_figure(w, STR("mean"), s->mean);
        put_range(w, STR("mean_95_confidence"), s->low, s->high);
    }
    json_put_object_end(w);
}

static void put_cost(struct json_writer *w, struct str key, bool known, uint64_t nano) {
    if (known)
        json_put_member_fixed(w, key, (int64_t)MIN(nano, (uint64_t)INT64_MAX), 9);
    else
        json_put_member_null(w, key);
}

static void put_sample(struct json_writer *w, const struct bench *b, const struct bench_sample *s) {
    json_put_object(w);
    json_put_member_str(w, STR("prompt"), b->prompts.p[s->prompt].id);
    json_put_member_bool(w, STR("ok"), s->ok);
    if (s->ok) {
        put_figure(w, STR("latency_ms"), s->latency_ms);
        put_figure(w, STR("first_token_ms"), s->first_ms);
        json_put_member_u64(w, STR("input_tokens"), s->usage.prompt);
        json_put_member_u64(w, STR("output_tokens"), s->usage.output);
        put_cost(w, STR("cost_usd"), s->cost_known, s->cost_nano);
        put_figure(w, STR("score"), s->score);
    }
    json_put_member_text(w, s->ok ? STR("score_reason") : STR("error"), str_c(s->error));
    json_put_object_end(w);
}

static void put_errors(struct json_writer *w, const struct bench_result *r) {
    json_put_member_array(w, STR("errors"));
    for (size_t i = 0; i < r->n_errors; i++) {
        json_put_object(w);
        json_put_member_str(w, STR("message"), str_c(r->errors[i].text));
        json_put_member_u64(w, STR("calls"), r->errors[i].n);
        json_put_object_end(w);
    }
    json_put_array_end(w);
}

static void put_model(struct json_writer *w, const struct bench *b, const struct bench_result *r) {
    json_put_object(w);
    json_put_member_str(w, STR("model"), r->model->name);
    json_put_member_u64(w, STR("calls"), r->calls);
    json_put_member_u64(w, STR("failed"), r->failed);
    put_score(w, &r->score);
    put_summary(w, STR("latency_ms"), &r->latency);
    put_summary(w, STR("first_token_ms"), &r->first);
    put_summary(w, STR("tokens_per_s"), &r->rate);
    put_summary(w, STR("tokens_per_s_after_first"), &r->writing_rate);
    json_put_member_u64(w, STR("input_tokens"), r->tokens_in);
    json_put_member_u64(w, STR("output_tokens"), r->tokens_out);
    put_cost(w, STR("cost_usd"), r->priced && r->priced == r->calls - r->failed, r->cost_nano);
    json_put_member_u64(w, STR("calls_of_unknown_cost"), r->calls - r->failed - r->priced);
    put_errors(w, r);
    json_put_member_array(w, STR("samples"));
    for (size_t i = 0; i < bench_calls(b); i++)
        if (r->model->samples[i].done) put_sample(w, b, &r->model->samples[i]);
    json_put_array_end(w);
    json_put_object_end(w);
}

static void put_judge(struct json_writer *w, const struct bench *b) {
    if (!b->judge.n) return;
    json_put_member_object(w, STR("judge"));
    json_put_member_str(w, STR("model"), b->judge);
    json_put_member_u64(w, STR("calls"), b->judged);
    json_put_member_u64(w, STR("failed"), b->judge_failed);
    put_cost(w, STR("cost_usd"), b->judge_cost_known, b->judge_nano);
    json_put_object_end(w);
}

void bench_json_put(struct bench *b, const struct bench_result *results, struct buf *out) {
    struct json_writer w;
    char began[TIME_TEXT_LEN];
    time_text(began, b->began_ns);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_u64(&w, STR("penstock_bench"), 1);
    json_put_member_str(&w, STR("began"), str_of(began, sizeof began));
    put_figure(&w, STR("took_s"), (double)b->took_ns / 1e9);
    json_put_member_bool(&w, STR("interrupted"), b->interrupted);
    json_put_member_u64(&w, STR("prompts"), b->prompts.n);
    json_put_member_u64(&w, STR("repeat"), b->repeat);
    json_put_member_u64(&w, STR("concurrency"), b->concurrency);
    json_put_member_u64(&w, STR("warmup"), b->warmup);
    put_judge(&w, b);
    json_put_member_array(&w, STR("models"));
    for (size_t i = 0; i < b->n_models; i++) put_model(&w, b, &results[i]);
    json_put_array_end(&w);
    json_put_object_end(&w);
    buf_putc(out, '\n');
}
