// A model that is a chain: its steps, one after the other.
#include "gateway/chain_impl.h"

#include "base/mem.h"
#include "gateway/answer.h"
#include "gateway/need.h"
#include "gateway/pipeline.h"
#include "gateway/translation.h"
#include "os/clock.h"

#define CHAIN_ARENA_MAX ((size_t)256 << 20)
#define ASKED_MAX ((size_t)64 << 20)

static const struct conf_step *step_conf(const struct chain *c) { return &c->model->chain.p[c->at]; }

// --- before it ---

bool chain_route(struct call *call, const struct conf_model *model, struct err *err) {
    bool chat = call->request.operation == OPERATION_CHAT || call->request.operation == OPERATION_COMPLETIONS;
    const struct chat *read;
    // Neither do shadows and judges: a chain's steps have some of their own, and so on.
    const struct inner_caller *by = call->inner;
    if (by && (by->step || by->shadow || by->judge))
        return err_set(err, ERR_UNSUPPORTED, "model \"%.*s\" is a chain, and a %s asks none",
                       STR_ARG(str_head(call->request.model, 100)),
                       by->step     ? "step of a chain"
                       : by->shadow ? "shadow"
                                    : "judge");
    if (!chat || !call->dialect->read)
        return err_set(err, ERR_UNSUPPORTED, "model \"%.*s\" is a chain, which takes chats alone",
                       STR_ARG(str_head(call->request.model, 100)));
    call->route = (struct route){.model = model};
    return translation_chat(call, &read, err);
}

static void on_time(struct timer *timer);
static void on_task(struct task *task);

// What the client said of how its request is to be treated holds for each step.
static bool take_fields(struct chain *c) {
    static const struct str names[] = {STR_INIT("x-penstock-session"), STR_INIT("x-penstock-strict"),
                                       STR_INIT("x-penstock-priority"), STR_INIT("x-penstock-max-wait"),
                                       STR_INIT("traceparent")};
    const struct http_req *req = c->call->req;
    static_assert(NEED_FIELDS_MAX + ARRAY_LEN(names) == ARRAY_LEN(c->fields), "room for all");
    if (!need_fields(c->call->need, &c->arena, c->fields, &c->field_count)) return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str value = arena_str(&c->arena, http_field_get(req->fields, req->field_count, names[i]));
        if (value.p && value.n) c->fields[c->field_count++] = (struct http_field){names[i], value};
    }
    return true;
}

static void destroy(struct chain *c) {
    timer_stop(&c->timer);
    keyring_unref(c->caller.ring);
    buf_free(&c->asked);
    buf_free(&c->body);
    buf_free(&c->answer);
    arena_free(&c->arena);
    mem_free(c);
}

static struct chain *chain_new(struct call *call) {
    struct chain *c = mem_zalloc(1, sizeof *c);
    if (!c) return NULL;
    const struct conf_model *m = call->route.model;
    uint64_t now = clock_mono_ns(), left = watch_remaining(call);
    c->call = call;
    c->gl = call->gl;
    c->model = m;
    c->caller = (struct inner_caller){
        .ring = call->key ? keyring_ref(call->ring) : NULL, .key = call->key, .origin = STR(""), .step = &c->limits};
    c->cost_known = true;
    if (m->chain_timeout != OPT_UNSET) left = MIN(left, (uint64_t)m->chain_timeout * NS_PER_MS);
    c->end_ns = left == UINT64_MAX ? left : now + left;
    c->task.fn = on_task;
    timer_init(&c->timer, call->gl->loop, on_time);
    buf_init(&c->asked, ASKED_MAX);
    buf_init(&c->body, call->answer.max);
    buf_init(&c->answer, call->answer.max);
    arena_init(&c->arena, loop_pool(call->gl->loop), 16384 - 16, CHAIN_ARENA_MAX);
    struct str origin = http_field_get(call->req->fields, call->req->field_count, STR("origin"));
    c->caller.batch = call->inner && call->inner->batch;
    c->caller.origin = arena_str(&c->arena, call->inner ? call->inner->origin : origin);
    if (!c->caller.origin.p) c->caller.origin = STR("");
    if (take_fields(c)) return c;
    destroy(c);
    return NULL;
}

static void post(struct chain *c) {
    if (c->posted) return;
    c->posted = true;
    loop_post(c->gl->loop, &c->task);
}

// --- a step ---

static void on_head(struct http_inner *inner, int status, const struct http_field *fields, size_t count) {
    struct chain *c = inner->user;
    c->status = status;
    if (c->stopped || !chain_streams(c) || status != 200) return;
    struct str type = http_field_get(fields, count, STR("content-type"));
    if (!str_starts(type, STR("text/event-stream"))) return;
    const struct http_field own = {STR("content-type"), STR("text/event-stream")};
    c->before = c->all;
    c->taking = c->streaming = true;
    if (answer_head(c->call, 200, &own, 1)) {
        answer_begin(c->call); // the step's call has waited as long as heads are held back
        http_reply_flush(c->call->req);
    }
    c->taking = false;
}

static size_t on_data(struct http_inner *inner, const struct str *parts, size_t count, bool last) {
    struct chain *c = inner->user;
    (void)last;
    c->taking = true;
    for (size_t i = 0; i < count && !c->stopped; i++) {
        if (!c->streaming)
            buf_put(&c->body, parts[i]);
        else if (parts[i].n)
            answer_data(c->call, parts[i], false);
    }
    c->taking = false;
    return !c->stopped && c->call->paused ? SIZE_MAX : 0;
}

static void on_done(struct http_inner *inner) {
    struct chain *c = inner->user;
    c->inner = NULL;
    c->over = true;
    if (!inner->whole) c->status = 0;
    post(c);
}

static const struct http_inner_sink k_sink = {.head = on_head, .data = on_data};

static void give_up(struct chain *c) {
    struct http_inner *inner = c->inner;
    timer_stop(&c->timer);
    if (!inner) return;
    if (c->taking) { // from within it: a little later
        post(c);
        return;
    }
    struct err late;
    c->inner = NULL;
    if (c->late) {
        err_set(&late, ERR_UPSTREAM_TIMEOUT, "it took too long");
        call_give_up(inner->req.user, &late);
    } else {
        call_abort(inner->req.user);
    }
    http_inner_free(inner);
}

static void on_time(struct timer *timer) {
    struct chain *c = CONTAINER_OF(timer, struct chain, timer);
    if (!c->inner) return;
    c->late = c->over = true;
    give_up(c);
    post(c);
}

static void set_timer(struct chain *c) {
    const struct conf_step *s = step_conf(c);
    uint64_t until = c->end_ns, now = c->step_ns;
    if (s->timeout != OPT_UNSET) until = MIN(until, now + (uint64_t)s->timeout * NS_PER_MS);
    c->last_call = until == c->end_ns;
    if (until != UINT64_MAX) timer_set(&c->timer, until > now ? MAX((until - now) / NS_PER_MS, (uint64_t)1) : 1);
}

// What the step may cost: what is set for it, and what is left of the chain's. False: nothing is left.
static bool set_budget(struct chain *c) {
    uint64_t own = (uint64_t)step_conf(c)->max_cost * 1000, all = (uint64_t)c->model->chain_max_cost * 1000;
    c->limits = (struct inner_step){.max_nano = own};
    if (!all) return true;
    if (c->cost_nano >= all) return false;
    c->limits.max_nano = own ? MIN(own, all - c->cost_nano) : all - c->cost_nano;
    return true;
}

static bool send_step(struct chain *c, struct err *err) {
    struct step *s = &c->steps[c->at];
    s->model = c->fell ? step_conf(c)->fallback : step_conf(c)->model;
    s->state = STEP_RUNNING;
    c->late = c->over = c->streaming = false;
    c->status = 0;
    c->step_ns = clock_mono_ns();
    buf_clear(&c->body);
    if (!set_budget(c)) return err_set(err, ERR_QUOTA_EXCEEDED, "the chain has cost what it may (chain_max_cost)");
    if (!chain_ask(c, s->model, chain_streams(c), err)) return false;
    const struct http_inner_options o = {.loop = c->gl->loop,
                                         .method = HTTP_POST,
                                         .path = STR("/v1/chat/completions"),
                                         .content_type = STR("application/json"),
                                         .fields = c->fields,
                                         .field_count = c->field_count,
                                         .sink = &k_sink,
                                         .body = buf_str(&c->asked),
                                         .peer = c->call->req->peer,
                                         .max_reply = 0,
                                         .done = on_done,
                                         .user = c};
    c->inner = http_inner_create(&o);
    if (!c->inner) return err_no_memory(err);
    set_timer(c);
    gateway_on_inner(c->gl, &c->inner->req, &c->caller);
    return true;
}

// --- its end ---

static struct usage sum(const struct usage *a, const struct usage *b) {
    return (struct usage){.prompt = a->prompt + b->prompt,
                          .cached = a->cached + b->cached,
                          .cache_write = a->cache_write + b->cache_write,
                          .cache_write_1h = a->cache_write_1h + b->cache_write_1h,
                          .output = a->output + b->output,
                          .reasoning = a->reasoning + b->reasoning,
                          .audio_in = a->audio_in + b->audio_in,
                          .audio_out = a->audio_out + b->audio_out};
}

// What it used counts, whatever came of it.
static void count_step(struct chain *c) {
    struct step *s = &c->steps[c->at];
    const struct inner_told *t = &c->limits.told;
    s->ns += clock_mono_ns() - c->step_ns;
    s->tokens += t->usage.prompt + t->usage.output;
    c->all = sum(&c->all, &t->usage);
    c->cost_nano += t->cost_nano;
    if (t->usage.prompt + t->usage.output && !t->cost_known) c->cost_known = false;
}

static void tell_cost(struct chain *c) {
    c->call->cost_nano = c->cost_nano;
    c->call->cost_known = c->cost_known;
}

static struct usage less(const struct usage *a, const struct usage *b) {
    return (struct usage){.prompt = a->prompt - b->prompt,
                          .cached = a->cached - b->cached,
                          .cache_write = a->cache_write - b->cache_write,
                          .cache_write_1h = a->cache_write_1h - b->cache_write_1h,
                          .output = a->output - b->output,
                          .reasoning = a->reasoning - b->reasoning,
                          .audio_in = a->audio_in - b->audio_in,
                          .audio_out = a->audio_out - b->audio_out};
}

static void fail(struct chain *c, const struct err *err) {
    struct call *call = c->call;
    tell_cost(c);
    if (c->streaming)
        answer_error(call, err);
    else
        call_fail(call, err);
}

// The whole answer, once all steps are done. Where its step was left out, that of the last one that has an answer.
static void tell_answer(struct chain *c) {
    const struct http_field type = {STR("content-type"), STR("application/json")};
    struct err err;
    tell_cost(c);
    c->before = less(&c->all, &c->answered);
    if (!c->answer.n) {
        err_set(&err, ERR_UPSTREAM_INVALID, "no step of the chain has given an answer");
        call_fail(c->call, &err);
    } else if (answer_head(c->call, 200, &type, 1)) {
        answer_data(c->call, buf_str(&c->answer), true);
    }
}

// What its failure means: the fallback, the next step, or the end. True: it goes on.
static bool after_failure(struct chain *c, const struct err *err) {
    const struct conf_step *s = step_conf(c);
    struct step *step = &c->steps[c->at];
    struct err told = *err;
    step->state = STEP_FAILED;
    step->error = err_info(err->code)->wire_code;
    step->text = STR("");
    bool time_left = !(c->late && c->last_call) && clock_mono_ns() < c->end_ns;
    if (s->on_failure == STEP_SKIP && time_left && !c->streaming) {
        c->at++;
        return true;
    }
    if (s->on_failure == STEP_FALLBACK && !c->fell && time_left && !c->streaming) {
        c->fell = true;
        return true;
    }
    err_set(&told, err->code, "step \"%.*s\" of the chain failed: %s", STR_ARG(s->name), err->message);
    told.status = err->status;
    fail(c, &told);
    return false;
}

static enum err_code code_of(const char *wire_code, int status) {
    for (unsigned i = 0; wire_code && i < ERR_COUNT; i++)
        if (!strcmp(err_info((enum err_code)i)->wire_code, wire_code)) return (enum err_code)i;
    return status == 429 ? ERR_RATE_LIMITED : status >= 400 && status < 500 ? ERR_INVALID_REQUEST : ERR_UPSTREAM_STATUS;
}

static void read_failure(struct chain *c, struct err *err) {
    struct str raw, text = STR(""), body = buf_str(&c->body);
    bool told = !c->body.failed && JSON_GET(body, &raw, STR("error"), STR("message")) &&
                json_string_text(raw, &c->arena, &text);
    if (!told || !text.n) text = STR("its answer was cut off, or too large");
    err_set(err, code_of(c->limits.told.error, c->status), "%.*s", STR_ARG(str_head(text, 600)));
    if (c->status >= 400) err->status = c->status;
}

static bool has_failed(struct chain *c, struct err *err) {
    const struct conf_step *s = step_conf(c);
    struct step *step = &c->steps[c->at];
    if (c->late) {
        err_set(err, ERR_UPSTREAM_TIMEOUT, "it took too long");
    } else if (c->status != 200 || c->body.failed) {
        read_failure(c, err);
    } else if (!chain_text(c, buf_str(&c->body), &step->text)) {
        err_set(err, ERR_UPSTREAM_INVALID, "it gave no answer");
    } else if (s->pass.n && str_find(step->text, s->pass) >= step->text.n) {
        err_set(err, ERR_UPSTREAM_INVALID, "its answer does not say \"%.*s\"", STR_ARG(str_head(s->pass, 100)));
    } else {
        return false;
    }
    return true;
}

// True: the chain goes on.
static bool step_over(struct chain *c) {
    struct err err;
    timer_stop(&c->timer);
    c->over = false;
    if (c->streaming && !c->late && c->status == 200) {
        count_step(c);
        c->steps[c->at].state = STEP_DONE;
        tell_cost(c);
        c->at++;
        answer_data(c->call, STR(""), true);
        return false;
    }
    bool failed = has_failed(c, &err);
    count_step(c);
    if (failed) return after_failure(c, &err);
    if (c->at <= c->model->chain_answer) { // also of one before, in case the answer's own step is left out
        struct buf old = c->answer;
        c->answer = c->body;
        c->body = old;
        c->answered = c->limits.told.usage;
    }
    c->steps[c->at++].state = STEP_DONE;
    return true;
}

// --- the whole ---

bool chain_wants(const struct call *call, const struct conf_step *s) {
    return !s->condition || (call->need && condition_holds(s->condition, &call->need->env));
}

// Begins the next step, or tells the answer.
static void next(struct chain *c) {
    struct err err;
    for (;;) {
        while (c->at < c->model->chain.n && !c->fell && !chain_wants(c->call, step_conf(c)))
            c->steps[c->at++].state = STEP_LEFT_OUT;
        if (c->at == c->model->chain.n) {
            tell_answer(c);
            return;
        }
        size_t at = c->at;
        if (send_step(c, &err)) return;
        c->steps[at].ns += clock_mono_ns() - c->step_ns;
        if (!after_failure(c, &err)) return;
        if (c->at != at) c->fell = false;
    }
}

static void on_task(struct task *task) {
    struct chain *c = CONTAINER_OF(task, struct chain, task);
    c->posted = false;
    if (c->stopped) { // while a piece was handed on
        give_up(c);
        if (!c->call) destroy(c);
        return;
    }
    if (!c->over) return;
    size_t at = c->at;
    if (!step_over(c)) return;
    if (c->at != at) c->fell = false;
    next(c);
}

enum stage_result chain_begin(struct call *call, struct err *err) {
    call->chain = chain_new(call);
    if (!call->chain) {
        err_no_memory(err);
        return STAGE_FAIL;
    }
    call->at->translated = true;
    call->at->upstream = dialect_get(DIALECT_OPENAI);
    call->at->asks = OPERATION_CHAT;
    next(call->chain);
    return STAGE_WAIT;
}

void chain_stop(struct call *call) {
    struct chain *c = call->chain;
    if (!c) return;
    c->stopped = true;
    give_up(c);
}

void chain_free(struct call *call) {
    struct chain *c = call->chain;
    if (!c) return;
    call->chain = NULL;
    c->call = NULL;
    c->stopped = true;
    give_up(c);
    if (!c->posted) destroy(c);
}

void chain_resume(struct call *call) {
    struct chain *c = call->chain;
    if (c->inner) gateway_on_drained(&c->inner->req);
}

// --- what is told ---

const struct usage *chain_spent(const struct call *call) { return call->chain ? &call->chain->before : NULL; }

static void put_step(struct buf *out, const struct conf_step *conf, const struct step *s) {
    if (s->state == STEP_WAITING) return;
    if (out->n) buf_lit(out, "; ");
    buf_printf(out, "%.*s=", STR_ARG(conf->name));
    if (s->state == STEP_LEFT_OUT) {
        buf_lit(out, "left-out");
        return;
    }
    buf_put(out, http_is_field_value(s->model) ? s->model : STR("?"));
    if (s->state == STEP_RUNNING) return;
    buf_printf(out, " %llu.%llus %llut", (unsigned long long)(s->ns / NS_PER_SEC),
               (unsigned long long)(s->ns / (NS_PER_SEC / 10) % 10), (unsigned long long)s->tokens);
    if (s->error && s->state == STEP_FAILED) buf_printf(out, " failed(%s)", s->error);
}

struct str chain_trace(struct call *call) {
    const struct chain *c = call->chain;
    if (!c) return STR("");
    BUF_AUTO struct buf out = BUF_INIT(4096);
    for (size_t i = 0; i < c->model->chain.n; i++) put_step(&out, &c->model->chain.p[i], &c->steps[i]);
    struct str kept = arena_str(&call->req->arena, buf_str(&out));
    return kept.p ? kept : STR("");
}

// --- a step's call ---

bool inner_step_admits(struct call *call, struct err *err) {
    const struct inner_step *step = call->inner ? call->inner->step : NULL;
    if (!step || !step->max_nano) return true;
    uint64_t otherwise = (uint64_t)call->runtime->conf->quota.default_output_tokens, nano;
    const struct usage usage = {.prompt = model_request_estimate(&call->request),
                                .output = estimate_output(&call->gl->estimates, &call->request, otherwise)};
    for (size_t i = 0; i < call->route.count; i++) {
        if (!price_cost(call->route.targets[i].price, &usage, &nano))
            return err_set(err, ERR_QUOTA_EXCEEDED, "its price is not known, and it may cost so much at most");
        if (nano > step->max_nano)
            return err_set(err, ERR_QUOTA_EXCEEDED, "it is expected to cost %.6f dollars and may cost %.6f",
                           (double)nano / 1e9, (double)step->max_nano / 1e9);
    }
    return true;
}

void inner_step_tell(const struct call *call) {
    struct inner_step *step = call->inner ? call->inner->step : NULL;
    if (!step) return;
    step->told.error = call->error;
    if (!call->at->provider) return;
    step->told.usage = call->usage;
    step->told.cost_nano = call->cost_nano;
    step->told.cost_known = call->cost_known;
    // Of the parts that broke off, too; where nothing came after them, their cost is all of it.
    usage_add(&step->told.usage, &call->continued.used);
    step->told.cost_nano += call->continued.cost_nano;
    if (call->continued.pending) step->told.cost_known = call->continued.cost_nano > 0;
}
