// Runs a benchmark: each model has so many calls under way at a time, whatever the others do; judges come afterwards,
// so that they slow nothing down.
#include "cli/bench.h"

#include "base/utf8.h"
#include "os/clock.h"

#define ANSWER_KEPT ((size_t)4 << 20)
#define BODY_MAX ((size_t)512 << 20)
#define WRITING_NS (20 * NS_PER_MS)
#define BAR 30
#define JUDGES 4 // calls to it at a time, for each to a model
#define BAR_AFTER_NS (300 * NS_PER_MS)

// A place for one call at a time.
struct lane {
    struct run *run;
    struct bench_model *model;   // whose it is now; a judge's: the one that is judged
    struct bench_sample *sample; // NULL: a call to warm up
    struct chat_call call;
    struct buf body, answer;
    bool busy;
};
struct run {
    struct bench *b;
    struct chat_client client;
    struct lane *lanes;
    size_t n_lanes, busy;
    bool judging;
    size_t judge_model, judge_sample; // the next to be judged
    size_t done, total;
    bool line_open;
};

size_t bench_calls(const struct bench *b) { return b->prompts.n * b->repeat; }

// --- how far it is ---

static void tell(struct run *r) {
    const struct cli_io *io = r->b->args->io;
    uint64_t ns = (uint64_t)(clock_unix_ns() - r->b->began_ns);
    char bar[BAR + 1];
    if (!io->err_tty || cli_given(r->b->args, CLI_QUIET) || ns < BAR_AFTER_NS || !r->total) return;
    size_t full = r->done * BAR / r->total;
    for (size_t i = 0; i < BAR; i++) bar[i] = i < full ? '#' : '.';
    bar[BAR] = '\0';
    uint64_t left = r->done ? ns / r->done * (r->total - MIN(r->done, r->total)) / NS_PER_SEC : 0;
    fprintf(io->err, "\r[%s] %zu/%zu%s, %llu:%02llu left\x1b[K", bar, r->done, r->total, r->judging ? ", judging" : "",
            (unsigned long long)(left / 60), (unsigned long long)(left % 60));
    fflush(io->err);
    r->line_open = true;
}

// --- requests ---

static void put_options(struct json_writer *w, const struct bench_prompt *p) {
    if (p->max_tokens) json_put_member_u64(w, STR("max_tokens"), p->max_tokens);
    if (p->temperature.n) json_put_member_raw(w, STR("temperature"), p->temperature);
    if (p->response_format.n) json_put_member_raw(w, STR("response_format"), p->response_format);
    json_put_member_bool(w, STR("stream"), true);
    json_put_member_object(w, STR("stream_options"));
    json_put_member_bool(w, STR("include_usage"), true);
    json_put_object_end(w);
}

static void put_body(struct lane *lane, const struct bench_prompt *p) {
    struct json_writer w;
    buf_clear(&lane->body);
    json_writer_init(&w, &lane->body);
    json_put_object(&w);
    json_put_member_str(&w, STR("model"), lane->model->name);
    json_put_key(&w, STR("messages"));
    bench_messages_put(&w, p);
    put_options(&w, p);
    json_put_object_end(&w);
}

// --- what a call was ---

// What others wrote, in a line that does nothing to a terminal.
static void keep_text(char out[200], const char *what, struct str text) {
    int n = snprintf(out, 200, "%s", what);
    text = utf8_head(str_trim(text), (size_t)(199 - n));
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0);
        out[n++] = control ? ' ' : text.p[i];
        if (control && c == 0xc2) i++;
    }
    out[n] = '\0';
}

static void describe_failure(struct chat_call *call, char out[200]) {
    BUF_AUTO struct buf why = BUF_INIT((size_t)1 << 20);
    char status[40];
    if (call->failed) {
        keep_text(out, "", str_c(call->err.message));
    } else if (call->status == 200) {
        snprintf(out, 200, "%s", call->streaming ? "the answer broke off" : "the answer is no stream");
    } else {
        chat_error_text(buf_str(&call->answer), &why);
        snprintf(status, sizeof status, "status %d: ", call->status);
        keep_text(out, status, buf_str(&why));
    }
}

static double ms_between(uint64_t from, uint64_t to) { return (double)(to - from) / (double)NS_PER_MS; }

static void note_times(const struct chat_call *call, struct bench_sample *s) {
    s->latency_ms = ms_between(call->began_ns, call->ended_ns);
    if (call->pieces) s->first_ms = ms_between(call->began_ns, call->first_ns);
    s->has_usage = call->stream.has_usage;
    s->usage = call->stream.usage;
    if (!s->has_usage || !s->usage.output) return;
    if (s->latency_ms > 0) s->rate = (double)s->usage.output * 1000 / s->latency_ms;
    // Of an answer that came nearly in one piece it cannot be told how fast it was written.
    if (call->pieces > 1 && call->last_ns - call->first_ns >= WRITING_NS)
        s->writing_rate = (double)s->usage.output * 1000 / ms_between(call->first_ns, call->last_ns);
}

static void note_score(const struct bench_prompt *p, struct lane *lane, struct bench_sample *s) {
    s->score = bench_score(p, buf_str(&lane->answer), s->error);
    if (p->check != BENCH_JUDGE || !lane->run->b->judge.n) return;
    s->answer = mem_strdup(buf_str(&lane->answer));
    s->answer_n = s->answer ? lane->answer.n : 0;
}

static void note(struct lane *lane) {
    struct bench_sample *s = lane->sample;
    struct chat_call *call = &lane->call;
    const struct bench_prompt *p = &lane->run->b->prompts.p[s->prompt];
    s->done = true;
    lane->model->done++;
    s->ok = chat_call_ok(call) && !lane->answer.failed;
    if (!s->ok) {
        if (chat_call_ok(call)) err_set(&call->err, ERR_UPSTREAM_TOO_LARGE, "the answer is too large");
        if (chat_call_ok(call)) call->failed = true;
        describe_failure(call, s->error);
        return;
    }
    note_times(call, s);
    // Another target's price is not known here.
    s->cost_known = s->has_usage && !call->elsewhere && price_cost(&lane->model->price, &s->usage, &s->cost_nano);
    note_score(p, lane, s);
}

static void note_judged(struct lane *lane) {
    struct bench *b = lane->run->b;
    struct bench_sample *s = lane->sample;
    struct chat_call *call = &lane->call;
    uint64_t nano;
    b->judged++;
    if (chat_call_ok(call) && call->stream.has_usage && !call->elsewhere &&
        price_cost(&b->judge_price, &call->stream.usage, &nano))
        b->judge_nano += nano;
    else
        b->judge_cost_known = false;
    if (chat_call_ok(call) && bench_judge_read(buf_str(&lane->answer), &s->score)) {
        if (s->score < 1) snprintf(s->error, sizeof s->error, "the judge gave %.2f", s->score);
        return;
    }
    s->score = BENCH_NONE;
    snprintf(s->error, sizeof s->error, "the judge gave no score");
    if (!b->judge_failed++) {
        if (chat_call_ok(call))
            keep_text(b->judge_error, "no score in: ", buf_str(&lane->answer));
        else
            describe_failure(call, b->judge_error);
    }
}

// --- what comes next ---

static void on_text(void *arg, struct str text) {
    struct lane *lane = arg;
    buf_put(&lane->answer, text);
}

static void on_ended(struct chat_call *call);

static void finish(struct lane *lane) {
    struct run *r = lane->run;
    lane->busy = false;
    r->busy--;
    r->done++;
    if (r->judging)
        note_judged(lane);
    else if (lane->sample)
        note(lane);
    chat_call_free(&lane->call);
    tell(r);
}

// Sends what is in the body. False: that failed, which is noted.
static bool start(struct lane *lane) {
    struct err err;
    chat_call_init(&lane->call, &lane->run->client, on_text, on_ended, lane);
    buf_clear(&lane->answer);
    lane->busy = true;
    lane->run->busy++;
    bool ok = lane->body.failed ? err_no_memory(&err) : chat_call_start(&lane->call, buf_str(&lane->body), &err);
    if (ok) return true;
    lane->call.failed = true;
    lane->call.err = err;
    finish(lane);
    return false;
}

// The next call of the lane's model into its body; false: there is none.
static bool take_next(struct lane *lane) {
    struct bench_model *m = lane->model;
    const struct bench *b = lane->run->b;
    size_t prompt;
    lane->sample = NULL;
    if (m->warm_left) {
        prompt = --m->warm_left % b->prompts.n;
    } else if (m->started < bench_calls(b)) {
        lane->sample = &m->samples[m->started++];
        prompt = lane->sample->prompt;
    } else {
        return false;
    }
    put_body(lane, &b->prompts.p[prompt]);
    return true;
}

// The next answer that waits for the judge, likewise.
static bool take_judged(struct lane *lane) {
    struct run *r = lane->run;
    struct bench *b = r->b;
    for (; r->judge_model < b->n_models; r->judge_model++, r->judge_sample = 0) {
        struct bench_model *m = &b->models[r->judge_model];
        while (r->judge_sample < bench_calls(b)) {
            struct bench_sample *s = &m->samples[r->judge_sample++];
            if (!s->answer) continue;
            lane->model = m;
            lane->sample = s;
            buf_clear(&lane->body);
            bench_judge_body(b->judge, &b->prompts.p[s->prompt], str_of(s->answer, s->answer_n), &lane->body);
            mem_free(s->answer);
            s->answer = NULL;
            return true;
        }
    }
    return false;
}

// False: there is nothing left for this lane.
static bool start_next(struct lane *lane) {
    while (lane->run->judging ? take_judged(lane) : take_next(lane))
        if (start(lane)) return true;
    return false;
}

static void begin_judging(struct run *r) {
    const struct bench *b = r->b;
    r->judging = true;
    for (size_t i = 0; i < b->n_models; i++)
        for (size_t k = 0; k < bench_calls(b); k++) r->total += b->models[i].samples[k].answer != NULL;
    for (size_t i = 0; i < r->n_lanes && i < b->concurrency * JUDGES; i++)
        if (!start_next(&r->lanes[i])) return;
}

static void on_ended(struct chat_call *call) {
    struct lane *lane = call->arg;
    struct run *r = lane->run;
    finish(lane);
    if (start_next(lane) || r->busy) return;
    if (!r->judging) begin_judging(r);
    if (!r->busy) chat_client_stop(&r->client);
}

// --- all of it ---

static bool prepare(struct run *r) {
    struct bench *b = r->b;
    size_t calls = bench_calls(b);
    r->n_lanes = b->n_models * b->concurrency;
    r->lanes = ARENA_ARRAY(&b->arena, struct lane, r->n_lanes);
    if (!r->lanes) return false;
    for (size_t i = 0; i < r->n_lanes; i++)
        r->lanes[i] = (struct lane){.run = r,
                                    .model = &b->models[i % b->n_models],
                                    .body = BUF_INIT(BODY_MAX),
                                    .answer = BUF_INIT(ANSWER_KEPT)};
    for (size_t i = 0; i < b->n_models; i++) {
        struct bench_model *m = &b->models[i];
        m->warm_left = b->warmup;
        m->samples = mem_zalloc(calls, sizeof *m->samples);
        if (!m->samples) return false;
        for (size_t k = 0; k < calls; k++)
            m->samples[k] = (struct bench_sample){.prompt = k % b->prompts.n,
                                                  .first_ms = BENCH_NONE,
                                                  .rate = BENCH_NONE,
                                                  .writing_rate = BENCH_NONE,
                                                  .score = BENCH_NONE};
    }
    r->total = b->n_models * (calls + b->warmup);
    return true;
}

static bool go(struct run *r, struct err *err) {
    if (!prepare(r)) return err_no_memory(err);
    if (!chat_client_ready(&r->client, err)) return false;
    r->b->began_ns = clock_unix_ns();
    uint64_t from = clock_mono_ns();
    for (size_t i = 0; i < r->n_lanes; i++) (void)start_next(&r->lanes[i]);
    if (!r->busy) begin_judging(r);
    if (r->busy) chat_client_run(&r->client);
    r->b->took_ns = clock_mono_ns() - from;
    r->b->interrupted = r->client.interrupted;
    return true;
}

static void clear(struct run *r) {
    for (size_t i = 0; i < r->n_lanes; i++) {
        struct lane *lane = &r->lanes[i];
        if (lane->busy) {
            chat_call_cancel(&lane->call);
            chat_call_free(&lane->call);
        }
        buf_free(&lane->body);
        buf_free(&lane->answer);
    }
}

int bench_run(struct bench *b) {
    struct run r = {.b = b};
    struct err err;
    int code = chat_client_open(b->args, b->server, "--server", &r.client);
    bool ok = code != CLI_OK || go(&r, &err);
    if (r.line_open) fputc('\n', b->args->io->err);
    clear(&r);
    chat_client_close(&r.client);
    return ok ? code : cli_fail_err(b->args->io, &err, "the benchmark cannot begin", NULL);
}
