// penstock bench models: the same prompts to several models, timed, priced and scored.
//
// Ownership: everything lives in the arena of struct bench, save answers and samples, which bench_free releases. Thread
// rule: the main thread. Units: milliseconds, nanodollars; scores are 0 … 1. Errors: as in err.h; those of reading a
// file of prompts name line and field.
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "base/json_write.h"
#include "base/pattern.h"
#include "base/vec.h"
#include "cli/chat_client.h"
#include "model/json_schema.h"
#include "model/price.h"

#define BENCH_FILE_MAX ((size_t)64 << 20)
#define BENCH_PROMPTS_MAX 10000
#define BENCH_MODELS_MAX 64
#define BENCH_CALLS_MAX 200000   // of all models together
#define BENCH_CONCURRENCY_MAX 64 // to one model
#define BENCH_NONE (-1.0)        // no such figure

// --- prompts (bench_prompts.c) ---

enum bench_check { BENCH_UNCHECKED, BENCH_EXPECT, BENCH_REGEX, BENCH_SCHEMA, BENCH_JUDGE };
struct bench_prompt {
    struct str id;
    struct str system, text;                 // decoded; text empty where there are messages
    struct str messages;                     // raw, or empty
    struct str temperature, response_format; // raw, or empty
    uint64_t max_tokens;                     // 0 = not said
    enum bench_check check;
    struct str expect; // trimmed; of BENCH_JUDGE what the judge is to look at
    const struct pattern *regex;
    const struct json_schema *schema;
};
struct bench_prompts {
    struct bench_prompt *p;
    size_t n;
};
// JSONL when its first character is {, else a prompt a line. The text must stay.
NODISCARD bool bench_prompts_read(struct str text, struct arena *arena, struct bench_prompts *out_prompts,
                                  struct err *err);
const char *bench_check_name(enum bench_check check);
// The messages as a JSON array.
void bench_messages_put(struct json_writer *w, const struct bench_prompt *prompt);

// --- statistics (bench_stats.c) ---

struct bench_summary {
    size_t n; // 0: the others mean nothing
    double min, mean, p50, p95, max;
    bool has_range;   // from 6 samples on
    double low, high; // the median of all such calls is in between, with 95 % confidence
};
// Percentiles by nearest rank. Sorts the values.
void bench_summarize(double *values, size_t n, struct bench_summary *out_summary);
struct bench_share {
    size_t n;
    double mean, low, high; // Wilson's interval of 95 %
};
void bench_share_of(double sum, size_t n, struct bench_share *out_share);

// --- scores (bench_score.c) ---

// Of an answer to a prompt that needs no judge; BENCH_NONE where it cannot be told. why: of a score below 1.
double bench_score(const struct bench_prompt *prompt, struct str answer, char why[200]);
// What a judge is asked.
void bench_judge_body(struct str judge, const struct bench_prompt *prompt, struct str answer, struct buf *out);
// The score in its answer: {"score": 0.7}, 0.7, 7/10, 70 %, "Score: 0.7". False: there is none.
NODISCARD bool bench_judge_read(struct str answer, double *out_score);

// --- a run (bench_run.c) ---

struct bench_sample {
    size_t prompt;
    bool done, ok;
    char error[200];             // of one that failed, or what an answer is marked down for
    double latency_ms, first_ms; // first_ms BENCH_NONE: no text came
    double rate, writing_rate;   // tokens a second: of all the time; after the first text; or BENCH_NONE
    bool has_usage, cost_known;
    struct usage usage;
    uint64_t cost_nano;
    double score; // or BENCH_NONE
    char *answer; // for the judge; NULL once it is not needed
    size_t answer_n;
};
struct bench_model {
    struct str name;
    struct price price;
    struct bench_sample *samples; // prompts × repeat, in the order they are sent
    size_t warm_left, started, done;
};
struct bench {
    const struct cli_args *args;
    struct arena arena;
    struct buf file;
    struct bench_prompts prompts;
    struct bench_model *models;
    size_t n_models;
    size_t repeat, warmup, concurrency;
    struct str judge, server; // judge: a model, or empty
    struct price judge_price;
    size_t judged, judge_failed;
    uint64_t judge_nano;
    bool judge_cost_known;
    char judge_error[200]; // the first
    bool interrupted;
    int64_t began_ns;
    uint64_t took_ns;
};
// Which models, with their prices, as the server tells. CLI_OK, or the exit code after it was said why.
int bench_models_find(struct bench *b);
int bench_run(struct bench *b);
size_t bench_calls(const struct bench *b); // of one model

// --- what came of it (bench_result.c, bench_print.c, bench_html.c) ---

#define BENCH_ERRORS_MAX 5
struct bench_result {
    const struct bench_model *model;
    size_t calls, failed, left; // left: not done when it was interrupted
    struct bench_summary latency, first, rate, writing_rate;
    struct bench_share score;
    size_t priced; // calls whose cost is known
    uint64_t cost_nano;
    uint64_t tokens_in, tokens_out;
    struct {
        const char *text;
        size_t n;
    } errors[BENCH_ERRORS_MAX];
    size_t n_errors;
};
// One a model: the best score first, then the fastest. NULL: out of memory.
struct bench_result *bench_results(struct bench *b);
int bench_print(struct bench *b, const struct bench_result *results);
void bench_json_put(struct bench *b, const struct bench_result *results, struct buf *out);
void bench_html_put(struct bench *b, const struct bench_result *results, struct buf *out);
// The mean score of a model for a prompt, or BENCH_NONE.
double bench_prompt_score(const struct bench *b, const struct bench_model *model, size_t prompt);
// "812 ms", "1.24 s".
struct str bench_time_text(struct arena *arena, double ms);

#endif
