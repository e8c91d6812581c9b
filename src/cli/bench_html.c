// The report of a benchmark as one HTML page that needs nothing from anywhere.
#include "base/text.h"
#include "cli/bench.h"
#include "cli/bench_chart.h"

#include <math.h>

#define MATRIX_MAX 200 // prompts shown one by one

static const char k_style[] =
    ":root{color-scheme:light "
    "dark;--bg:#f5f6f9;--card:#fff;--ink:#161b26;--soft:#5c6678;--line:#e2e6ee;--track:#eef1f6;"
    "--bar:#9db8f2;--best:#2f66e0;--mark:#161b26;--good:#1f9d61;--bad:#d24545}"
    "@media (prefers-color-scheme:dark){:root{--bg:#0e1117;--card:#171c26;--ink:#e8ecf4;--soft:#98a3b8;--line:#2a3242;"
    "--track:#212837;--bar:#3d5a99;--best:#7aa5ff;--mark:#e8ecf4;--good:#3ecb8a;--bad:#ff7b7b}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"
    "\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif}"
    "main{max-width:1180px;margin:0 auto;padding:40px 24px 64px}h1{font-size:28px;line-height:1.2;margin:0 0 6px;"
    "letter-spacing:-.01em}h2{font-size:18px;margin:40px 0 12px}p{margin:0;color:var(--soft)}"
    ".tiles,.charts{display:grid;gap:16px}.tiles{grid-template-columns:repeat(auto-fit,minmax(200px,1fr));margin:28px "
    "0 16px}"
    ".charts{grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));align-items:start}"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px "
    "18px;margin:0;min-width:0}"
    ".tile span{display:block;color:var(--soft);font-size:13px}.tile b{display:block;font-size:22px;line-height:1.3}"
    ".tile em{font-style:normal;font-size:13px;overflow-wrap:anywhere}"
    "figcaption{margin-bottom:10px}figcaption span{display:block;color:var(--soft);font-size:13px}svg{display:block;"
    "width:100%;height:auto}svg text{font:13px system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif;fill:var(--ink)}"
    ".label{text-anchor:end}.value{font-weight:600!important;font-variant-numeric:tabular-nums}.track{fill:var(--track)"
    "}"
    ".bar{fill:var(--bar)}.bar.best,.point{fill:var(--best)}.whisker{stroke:var(--mark);stroke-width:1.5;fill:none;"
    "opacity:.75}.mark{fill:var(--card);stroke:var(--mark);stroke-width:1.5}.grid{stroke:var(--line)}svg .axis{fill:"
    "var(--soft);font-size:12px}.end{text-anchor:end}.point{stroke:var(--card);stroke-width:2}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:"
    "14px}"
    "th,td{padding:8px 9px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}tr:last-child td,"
    "tr:last-child th{border-bottom:0}th{font-weight:600;font-size:13px}thead th{color:var(--soft)}th:first-child"
    "{text-align:left}td.s{--c:var(--bad);background:color-mix(in srgb,var(--c) 22%,transparent)}"
    "td.hi{--c:var(--good)}td small{display:block;color:var(--soft);font-size:12px}"
    "thead th{white-space:normal;min-width:56px;vertical-align:bottom}.m thead th,tbody th{overflow-wrap:anywhere;"
    "white-space:normal}tbody th{min-width:130px;max-width:230px}.bad{color:var(--bad)}ul{margin:"
    "0;padding-left:20px}"
    "li{overflow-wrap:anywhere}footer{margin-top:40px;color:var(--soft);font-size:13px}"
    "@media print{body{background:#fff}.card{break-inside:avoid}}";

struct page {
    struct bench *b;
    const struct bench_result *results;
    struct buf *out;
};

// --- figures ---

static double cost_of_call(const struct bench_result *r) {
    size_t answers = r->calls - r->failed;
    return answers && r->priced == answers ? (double)r->cost_nano / 1e9 / (double)answers : BENCH_NONE;
}

// Dollars of one call, with three digits that matter.
static struct str dollars_text(struct arena *a, double v) {
    if (v < 0) return STR("not known");
    if (v == 0) return STR("$0");
    int digits = 3;
    while (v * pow(10, digits - 2) < 1 && digits < 9) digits++;
    return arena_printf(a, "$%.*f", digits, v);
}

static struct str score_text(struct arena *a, const struct bench_result *r) {
    return r->score.n ? arena_printf(a, "%.2f", r->score.mean) : STR("none");
}
static struct str time_text_of(struct arena *a, const struct bench_summary *s, double v) {
    return s->n ? bench_time_text(a, v) : STR("none");
}
static struct str rate_text(struct arena *a, const struct bench_summary *s) {
    return s->n ? arena_printf(a, "%.1f", s->p50) : STR("none");
}

enum measure { SCORE, LATENCY, FIRST, RATE, COST };
// What a model is best by, larger the better, BENCH_NONE where it has none.
static double merit(const struct bench_result *r, enum measure measure) {
    double cost = cost_of_call(r);
    switch (measure) {
    case SCORE:
        return r->score.n ? r->score.mean : BENCH_NONE;
    case LATENCY:
        return r->latency.n ? 1 / (r->latency.p50 + 1e-9) : BENCH_NONE;
    case FIRST:
        return r->first.n ? 1 / (r->first.p50 + 1e-9) : BENCH_NONE;
    case RATE:
        return r->rate.n ? r->rate.p50 : BENCH_NONE;
    case COST:
        break;
    }
    return cost >= 0 ? 1 / (cost + 1e-12) : BENCH_NONE;
}

static const struct bench_result *best_by(const struct page *p, enum measure measure) {
    const struct bench_result *best = NULL;
    for (size_t i = 0; i < p->b->n_models; i++) {
        const struct bench_result *r = &p->results[i];
        if (merit(r, measure) >= 0 && (!best || merit(r, measure) > merit(best, measure))) best = r;
    }
    return best;
}

static struct str text_of(struct arena *a, const struct bench_result *r, enum measure measure) {
    switch (measure) {
    case SCORE:
        return score_text(a, r);
    case LATENCY:
        return time_text_of(a, &r->latency, r->latency.p50);
    case FIRST:
        return time_text_of(a, &r->first, r->first.p50);
    case RATE:
        return rate_text(a, &r->rate);
    case COST:
        break;
    }
    return r->calls == r->failed ? STR("none") : dollars_text(a, cost_of_call(r));
}

// --- parts of the page ---

static void put_head(const struct page *p) {
    const struct bench *b = p->b;
    char began[TIME_TEXT_LEN];
    time_text(began, b->began_ns);
    buf_lit(p->out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                    "content=\"width=device-width,initial-scale=1\"><title>Model benchmark</title><style>");
    buf_put(p->out, str_of(k_style, sizeof k_style - 1));
    buf_lit(p->out, "</style></head><body><main>\n<h1>Model benchmark</h1><p>");
    buf_printf(p->out, "%.10s %.5s UTC \xc2\xb7 %zu model%s \xc2\xb7 %zu prompt%s, %zu time%s each \xc2\xb7 ", began,
               began + 11, b->n_models, b->n_models == 1 ? "" : "s", b->prompts.n, b->prompts.n == 1 ? "" : "s",
               b->repeat, b->repeat == 1 ? "" : "s");
    buf_printf(p->out, "%zu call%s at a time to each model \xc2\xb7 %zu to warm up not counted", b->concurrency,
               b->concurrency == 1 ? "" : "s", b->warmup);
    if (b->interrupted) buf_lit(p->out, " \xc2\xb7 <b class=\"bad\">interrupted: not all calls were made</b>");
    buf_lit(p->out, "</p>\n");
}

static void put_tile(const struct page *p, const char *title, enum measure measure) {
    const struct bench_result *r = best_by(p, measure);
    if (!r) return;
    buf_printf(p->out, "<div class=\"card tile\"><span>%s</span><b>", title);
    html_put(p->out, text_of(&p->b->arena, r, measure));
    buf_lit(p->out, "</b><em>");
    html_put(p->out, r->model->name);
    buf_lit(p->out, "</em></div>");
}

static void put_bars(const struct page *p, const char *title, const char *note, enum measure measure) {
    struct bench *b = p->b;
    const struct bench_result *best = best_by(p, measure);
    struct chart_bar *bars = ARENA_ARRAY(&b->arena, struct chart_bar, b->n_models);
    if (!best || !bars) return;
    for (size_t i = 0; i < b->n_models; i++) {
        const struct bench_result *r = &p->results[i];
        const struct bench_summary *s = measure == LATENCY ? &r->latency : measure == FIRST ? &r->first : &r->rate;
        bool timed = measure == LATENCY || measure == FIRST || measure == RATE;
        bars[i] = (struct chart_bar){.label = r->model->name,
                                     .text = text_of(&b->arena, r, measure),
                                     .value = BENCH_NONE,
                                     .low = BENCH_NONE,
                                     .high = BENCH_NONE,
                                     .mark = BENCH_NONE,
                                     .best = merit(r, measure) >= 0 && merit(r, measure) >= merit(best, measure)};
        if (timed && s->n) bars[i].value = s->p50;
        if (timed && s->n && s->has_range) bars[i].low = s->low, bars[i].high = s->high;
        if ((measure == LATENCY || measure == FIRST) && s->n) bars[i].mark = s->p95;
        if (measure == SCORE && r->score.n)
            bars[i].value = r->score.mean, bars[i].low = r->score.low, bars[i].high = r->score.high;
        if (measure == COST) bars[i].value = cost_of_call(r);
    }
    chart_bars_put(p->out, title, note, bars, b->n_models, measure == SCORE ? 1 : 0);
}

// Who is worth the money; where no price is known, the time.
static void put_points(const struct page *p) {
    struct bench *b = p->b;
    struct chart_point *points = ARENA_ARRAY(&b->arena, struct chart_point, b->n_models);
    size_t n = 0, priced = 0;
    double most = 0;
    for (size_t i = 0; i < b->n_models; i++) priced += cost_of_call(&p->results[i]) > 0 && p->results[i].score.n;
    bool money = priced > 1;
    for (size_t i = 0; points && i < b->n_models; i++) {
        const struct bench_result *r = &p->results[i];
        double x = money ? cost_of_call(r) : r->latency.p50;
        if (!r->score.n || x < 0) continue;
        most = MAX(most, x);
        points[n++] = (struct chart_point){.label = r->model->name,
                                           .text = arena_printf(&b->arena, "score %.2f, %.*s", r->score.mean,
                                                                STR_ARG(text_of(&b->arena, r, money ? COST : LATENCY))),
                                           .x = x,
                                           .y = r->score.mean};
    }
    if (n < 2) return;
    struct str end = money ? dollars_text(&b->arena, most / 0.94) : bench_time_text(&b->arena, most / 0.94);
    chart_points_put(p->out, money ? "Score and cost" : "Score and latency", "Up and to the left is better", points, n,
                     money ? "a call" : "median latency", "score", end);
}

static void put_charts(const struct page *p) {
    buf_lit(p->out, "<div class=\"tiles\">");
    put_tile(p, "Best score", SCORE);
    put_tile(p, "Lowest latency", LATENCY);
    put_tile(p, "Soonest first token", FIRST);
    put_tile(p, "Most tokens a second", RATE);
    put_tile(p, "Cheapest a call", COST);
    buf_lit(p->out, "</div>\n<div class=\"charts\">\n");
    put_bars(p, "Score", "Mean of all answers that were checked; the line is where it lies with 95 % confidence",
             SCORE);
    put_points(p);
    put_bars(p, "Latency", "Median; the circle is the 95th percentile, the line the median's 95 % confidence", LATENCY);
    put_bars(p, "Time to first token", "Median; circle and line as above", FIRST);
    put_bars(p, "Tokens a second", "Median of tokens of an answer by all of its time", RATE);
    put_bars(p, "Cost of a call", "Mean, by the tokens that were really used", COST);
    buf_lit(p->out, "</div>\n");
}

static void put_cell(const struct page *p, struct str text) {
    buf_lit(p->out, "<td>");
    html_put(p->out, text);
    buf_lit(p->out, "</td>");
}

static void put_row(const struct page *p, const struct bench_result *r) {
    struct arena *a = &p->b->arena;
    size_t answers = r->calls - r->failed;
    buf_lit(p->out, "<tr><th scope=\"row\">");
    html_put(p->out, r->model->name);
    buf_printf(p->out, "</th><td>%zu</td><td%s>%zu</td><td>", r->calls, r->failed ? " class=\"bad\"" : "", r->failed);
    html_put(p->out, score_text(a, r));
    if (r->score.n)
        buf_printf(p->out, "<small>%.2f\xe2\x80\x93%.2f, n=%zu</small>", r->score.low, r->score.high, r->score.n);
    buf_lit(p->out, "</td><td>");
    html_put(p->out, time_text_of(a, &r->latency, r->latency.p50));
    if (r->latency.has_range) {
        buf_lit(p->out, "<small>");
        html_put(p->out, bench_time_text(a, r->latency.low));
        buf_lit(p->out, "\xe2\x80\x93");
        html_put(p->out, bench_time_text(a, r->latency.high));
        buf_lit(p->out, "</small>");
    }
    buf_lit(p->out, "</td>");
    put_cell(p, time_text_of(a, &r->latency, r->latency.p95));
    put_cell(p, time_text_of(a, &r->first, r->first.p50));
    put_cell(p, time_text_of(a, &r->first, r->first.p95));
    put_cell(p, rate_text(a, &r->rate));
    put_cell(p, rate_text(a, &r->writing_rate));
    put_cell(p, cli_count_text(a, r->tokens_in));
    put_cell(p, cli_count_text(a, r->tokens_out));
    put_cell(p, !answers               ? STR("none")
                : r->priced == answers ? dollars_text(a, (double)r->cost_nano / 1e9)
                                       : STR("not known"));
    buf_lit(p->out, "</tr>\n");
}

static void put_table(const struct page *p) {
    buf_lit(p->out, "<h2>All figures</h2><div class=\"card scroll\"><table><thead><tr><th>Model</th><th>Calls</th>"
                    "<th>Failed</th><th>Score</th><th>Latency p50</th><th>p95</th><th>First token p50</th><th>p95</th>"
                    "<th>Tokens/s</th><th>after the first</th><th>Tokens in</th><th>out</th><th>Cost</th></tr></thead>"
                    "<tbody>\n");
    for (size_t i = 0; i < p->b->n_models; i++) put_row(p, &p->results[i]);
    buf_lit(p->out, "</tbody></table></div>\n");
}

static void put_matrix_row(const struct page *p, size_t prompt) {
    const struct bench *b = p->b;
    buf_lit(p->out, "<tr><th scope=\"row\">");
    html_put(p->out, b->prompts.p[prompt].id);
    buf_printf(p->out, "</th><td>%s</td>", bench_check_name(b->prompts.p[prompt].check));
    for (size_t i = 0; i < b->n_models; i++) {
        double v = bench_prompt_score(b, p->results[i].model, prompt);
        if (v < 0)
            buf_lit(p->out, "<td>\xe2\x80\x93</td>");
        else
            buf_printf(p->out, "<td class=\"s%s\">%.2f</td>", v >= 0.5 ? " hi" : "", v);
    }
    buf_lit(p->out, "</tr>\n");
}

static void put_matrix(const struct page *p) {
    const struct bench *b = p->b;
    size_t checked = 0;
    for (size_t i = 0; i < b->prompts.n; i++) checked += b->prompts.p[i].check != BENCH_UNCHECKED;
    if (!checked) return;
    buf_lit(p->out, "<h2>Scores by prompt</h2><div class=\"card scroll m\"><table><thead><tr><th>Prompt</th>"
                    "<th>Check</th>");
    for (size_t i = 0; i < b->n_models; i++) {
        buf_lit(p->out, "<th>");
        html_put(p->out, p->results[i].model->name);
        buf_lit(p->out, "</th>");
    }
    buf_lit(p->out, "</tr></thead><tbody>\n");
    size_t shown = 0;
    for (size_t i = 0; i < b->prompts.n && shown < MATRIX_MAX; i++) {
        if (b->prompts.p[i].check == BENCH_UNCHECKED) continue;
        put_matrix_row(p, i);
        shown++;
    }
    buf_lit(p->out, "</tbody></table></div>\n");
    if (shown < checked) buf_printf(p->out, "<p>The first %zu of %zu.</p>\n", shown, checked);
}

static void put_errors(const struct page *p) {
    size_t failed = 0;
    for (size_t i = 0; i < p->b->n_models; i++) failed += p->results[i].failed;
    if (!failed) return;
    buf_lit(p->out, "<h2>What failed</h2><div class=\"card\"><ul>");
    for (size_t i = 0; i < p->b->n_models; i++) {
        const struct bench_result *r = &p->results[i];
        for (size_t k = 0; k < r->n_errors; k++) {
            buf_lit(p->out, "<li><b>");
            html_put(p->out, r->model->name);
            buf_printf(p->out, "</b>, %zu of %zu calls: ", r->errors[k].n, r->calls);
            html_put(p->out, str_c(r->errors[k].text));
            buf_lit(p->out, "</li>\n");
        }
    }
    buf_lit(p->out, "</ul></div>\n");
}

static void put_foot(const struct page *p) {
    const struct bench *b = p->b;
    buf_lit(p->out,
            "<footer>Calls that failed are in no other figure. Percentiles are by nearest rank: of fewer than 20 "
            "calls the 95th is the slowest. Intervals: of the median by order statistics, from 6 calls on; of "
            "the score Wilson\xe2\x80\x99s. Costs are by the tokens that were used and the prices the server "
            "lists; where one of them is missing the cost is not known.");
    if (b->judged) {
        buf_printf(p->out, " %zu answers were judged by ", b->judged);
        html_put(p->out, b->judge);
        if (b->judge_failed) buf_printf(p->out, ", of which %zu got no score", b->judge_failed);
        buf_putc(p->out, '.');
    }
    buf_lit(p->out, "</footer></main></body></html>\n");
}

void bench_html_put(struct bench *b, const struct bench_result *results, struct buf *out) {
    const struct page page = {.b = b, .results = results, .out = out};
    put_head(&page);
    put_charts(&page);
    put_table(&page);
    put_matrix(&page);
    put_errors(&page);
    put_foot(&page);
}
