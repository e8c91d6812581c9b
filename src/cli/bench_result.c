// Adds up what a benchmark measured, model by model.
#include "cli/bench.h"

#include <stdlib.h>

static void add_error(struct bench_result *r, const char *text) {
    for (size_t i = 0; i < r->n_errors; i++) {
        if (strcmp(r->errors[i].text, text) != 0) continue;
        r->errors[i].n++;
        return;
    }
    if (r->n_errors == BENCH_ERRORS_MAX) return;
    r->errors[r->n_errors].text = text;
    r->errors[r->n_errors++].n = 1;
}

// One figure of all answers into values.
static void summarize(const struct bench_model *m, size_t calls, size_t offset, double *values,
                      struct bench_summary *out) {
    size_t n = 0;
    for (size_t i = 0; i < calls; i++) {
        double v;
        memcpy(&v, (const char *)&m->samples[i] + offset, sizeof v);
        if (m->samples[i].ok && v >= 0) values[n++] = v;
    }
    bench_summarize(values, n, out);
}

static void add_up(const struct bench *b, struct bench_result *r, double *values) {
    const struct bench_model *m = r->model;
    size_t calls = bench_calls(b), scored = 0;
    double score = 0;
    for (size_t i = 0; i < calls; i++) {
        const struct bench_sample *s = &m->samples[i];
        r->left += !s->done;
        if (!s->done) continue;
        r->calls++;
        r->failed += !s->ok;
        if (!s->ok) add_error(r, s->error);
        if (!s->ok) continue;
        r->tokens_in += s->usage.prompt;
        r->tokens_out += s->usage.output;
        r->priced += s->cost_known;
        r->cost_nano += s->cost_known ? s->cost_nano : 0;
        scored += s->score >= 0;
        score += s->score >= 0 ? s->score : 0;
    }
    bench_share_of(score, scored, &r->score);
    summarize(m, calls, offsetof(struct bench_sample, latency_ms), values, &r->latency);
    summarize(m, calls, offsetof(struct bench_sample, first_ms), values, &r->first);
    summarize(m, calls, offsetof(struct bench_sample, rate), values, &r->rate);
    summarize(m, calls, offsetof(struct bench_sample, writing_rate), values, &r->writing_rate);
}

static int order(const void *a, const void *b) {
    const struct bench_result *x = a, *y = b;
    if ((x->latency.n == 0) != (y->latency.n == 0)) return x->latency.n ? -1 : 1; // those without an answer last
    double s = x->score.n ? x->score.mean : BENCH_NONE, t = y->score.n ? y->score.mean : BENCH_NONE;
    if (s < t || s > t) return s > t ? -1 : 1;
    if (x->latency.p50 < y->latency.p50 || x->latency.p50 > y->latency.p50)
        return x->latency.p50 < y->latency.p50 ? -1 : 1;
    return str_cmp(x->model->name, y->model->name);
}

struct bench_result *bench_results(struct bench *b) {
    struct bench_result *list = ARENA_ARRAY(&b->arena, struct bench_result, b->n_models);
    double *values = ARENA_ARRAY(&b->arena, double, bench_calls(b));
    if (!list || !values) return NULL;
    for (size_t i = 0; i < b->n_models; i++) {
        list[i].model = &b->models[i];
        add_up(b, &list[i], values);
    }
    qsort(list, b->n_models, sizeof *list, order);
    return list;
}

double bench_prompt_score(const struct bench *b, const struct bench_model *m, size_t prompt) {
    double sum = 0;
    size_t n = 0;
    for (size_t i = prompt; i < bench_calls(b); i += b->prompts.n) {
        if (m->samples[i].score < 0) continue;
        sum += m->samples[i].score;
        n++;
    }
    return n ? sum / (double)n : BENCH_NONE;
}

struct str bench_time_text(struct arena *a, double ms) {
    if (ms < 10) return arena_printf(a, "%.1f ms", ms);
    if (ms < 1000) return arena_printf(a, "%.0f ms", ms);
    return ms < 10000 ? arena_printf(a, "%.2f s", ms / 1000) : arena_printf(a, "%.1f s", ms / 1000);
}
