// Forecasts of requests: tokens by the models' tokenizers, answers by what is known of them, costs by their prices.
#include "model/forecast.h"

#include "base/json_write.h"
#include "model/dialect.h"

#include <stdlib.h>

#define WAYS_MAX 64

// --- reading ---

static bool add_name(struct forecast_request *q, struct str raw, struct arena *arena, struct err *err) {
    struct str name;
    if (json_raw_kind(raw) != JSON_STRING) {
        memcpy(err->param, "models", sizeof "models");
        return err_set(err, ERR_INVALID_FIELD, "models: expected the names of models");
    }
    if (!json_string_text(raw, arena, &name)) return err_no_memory(err);
    q->names[q->name_count++] = name;
    return true;
}

static bool read_list(struct forecast_request *q, struct str raw, struct arena *arena, struct err *err) {
    struct json_reader r;
    enum json_kind kind;
    struct str one;
    size_t n = 0;
    json_reader_init(&r, raw, 0);
    for (bool ok = json_enter_array(&r); ok && json_element(&r, &kind) && json_skip(&r, NULL);) n++;
    if (n > FORECAST_MODELS_MAX)
        return err_set(err, ERR_INVALID_FIELD, "models: at most %d at a time", FORECAST_MODELS_MAX);
    q->names = ARENA_ARRAY(arena, struct str, n + 1);
    if (!q->names) return err_no_memory(err);
    json_reader_init(&r, raw, 0);
    for (bool ok = json_enter_array(&r); ok && json_element(&r, &kind) && json_skip(&r, &one);)
        if (!add_name(q, one, arena, err)) return false;
    return true;
}

static bool read_models(struct forecast_request *q, struct str models, struct str model, struct arena *arena,
                        struct err *err) {
    if (models.p && json_raw_kind(models) == JSON_ARRAY) {
        if (!read_list(q, models, arena, err)) return false;
    } else if (models.p) {
        q->all = json_string_eq(models, STR("all"));
        if (!q->all) return err_set(err, ERR_INVALID_FIELD, "models: expected a list of names, or \"all\"");
    }
    if (q->all || q->name_count) return true;
    q->names = ARENA_ARRAY(arena, struct str, 1);
    if (!q->names) return err_no_memory(err);
    if (model.p) return add_name(q, model, arena, err);
    memcpy(err->param, "model", sizeof "model");
    return err_set(err, ERR_MISSING_FIELD, "model or models is required: whose tokens and prices?");
}

// What a reader of requests takes: with a model.
static struct str with_model(struct str body, struct arena *arena) {
    struct str rest = str_from(str_trim(body), 1);
    bool empty = str_starts(str_trim(rest), STR("}"));
    return arena_printf(arena, "{\"model\":\"-\"%s%.*s", empty ? "" : ",", STR_ARG(rest));
}

bool forecast_read(struct str body, unsigned depth, struct arena *arena, struct forecast_request *out_request,
                   struct err *err) {
    const struct dialect_ops *openai = dialect_get(DIALECT_OPENAI);
    struct forecast_request q = {.operation = OPERATION_CHAT};
    struct model_request request;
    struct json_field f[] = {{.name = STR_INIT("model")},
                             {.name = STR_INIT("models")},
                             {.name = STR_INIT("messages")},
                             {.name = STR_INIT("input")},
                             {.name = STR_INIT("prompt")}};
    if (!json_validate(body, depth, err) || !json_scan(body, f, ARRAY_LEN(f), err)) return false;
    if (!f[2].found && f[3].found) q.operation = OPERATION_EMBEDDINGS;
    if (!f[2].found && !f[3].found && f[4].found) q.operation = OPERATION_COMPLETIONS;
    struct str whole = f[0].found ? body : with_model(body, arena);
    if (!whole.p) return err_no_memory(err);
    struct model_request_in in = {.operation = q.operation, .body = whole, .depth = depth};
    if (!openai->peek(&in, arena, &request, err)) return false;
    if (!read_models(&q, f[1].raw, f[0].raw, arena, err)) return false;
    if (q.operation == OPERATION_CHAT && !openai->read(&request, arena, &q.chat, err)) return false;
    q.input = request.input;
    q.max_output = request.max_output;
    *out_request = q;
    return true;
}

bool forecast_fits_mode(const struct forecast_request *request, enum model_mode mode) {
    switch (request->operation) {
    case OPERATION_EMBEDDINGS:
        return mode == MODEL_EMBEDDING;
    case OPERATION_COMPLETIONS:
        return mode == MODEL_COMPLETION || mode == MODEL_CHAT;
    default:
        return mode == MODEL_CHAT;
    }
}

// --- making ---

struct memo {
    struct prompt_way ways[WAYS_MAX];
    struct prompt_tokens tokens[WAYS_MAX];
    size_t n;
};

static bool count(const struct forecast_request *q, struct memo *memo, struct str model, struct arena *arena,
                  struct forecast *f) {
    struct prompt_way way = prompt_way_of(model);
    f->tokenizer = tokenizer_name(way.tokenizer);
    for (size_t i = 0; i < memo->n; i++) {
        if (!prompt_way_same(&memo->ways[i], &way)) continue;
        f->input = memo->tokens[i];
        return true;
    }
    bool ok = q->operation == OPERATION_CHAT ? prompt_count_chat(&way, &q->chat, arena, &f->input)
                                             : prompt_count_input(&way, q->input, arena, &f->input);
    if (!ok || memo->n == WAYS_MAX) return ok;
    memo->ways[memo->n] = way;
    memo->tokens[memo->n++] = f->input;
    return true;
}

static uint64_t at_most(uint64_t n, uint64_t most) { return most ? MIN(n, most) : n; }

// What the request allows is the most; what was seen, or else `otherwise`, is expected; a quarter of that is little,
// four times of it is much.
static struct forecast_range output_of(const struct forecast_request *q, const struct forecast_model *m,
                                       uint64_t otherwise) {
    if (q->operation == OPERATION_EMBEDDINGS) return (struct forecast_range){0};
    uint64_t limit = q->max_output ? q->max_output : m->facts.max_output;
    uint64_t expected = at_most(m->observed ? m->observed : otherwise, limit);
    uint64_t high = q->max_output ? q->max_output : at_most(expected * 4, limit);
    return (struct forecast_range){.low = (expected + 3) / 4, .expected = expected, .high = MAX(high, expected)};
}

static void price(struct forecast *f) {
    const struct price *p = &f->model->facts.price;
    struct usage low = {.prompt = f->input.total, .output = f->output.low}, expected = low, high = low;
    expected.output = f->output.expected;
    high.output = f->output.high;
    f->cost_known = price_cost(p, &low, &f->cost.low) && price_cost(p, &expected, &f->cost.expected) &&
                    price_cost(p, &high, &f->cost.high);
}

static int by_cost(const void *a, const void *b) {
    const struct forecast *x = a, *y = b;
    if (x->cost_known != y->cost_known) return x->cost_known ? -1 : 1;
    if (x->cost_known && x->cost.expected != y->cost.expected) return x->cost.expected < y->cost.expected ? -1 : 1;
    return str_cmp(x->model->name, y->model->name);
}

void forecast_sort(struct forecast *list, size_t n) { qsort(list, n, sizeof *list, by_cost); }

struct forecast *forecast_make(const struct forecast_request *q, const struct forecast_model *models, size_t n,
                               uint64_t otherwise, struct arena *arena) {
    struct forecast *list = ARENA_ARRAY(arena, struct forecast, n + 1);
    struct memo *memo = ARENA_NEW(arena, struct memo);
    if (!list || !memo) return NULL;
    for (size_t i = 0; i < n; i++) {
        struct forecast *f = &list[i];
        f->model = &models[i];
        if (!count(q, memo, models[i].upstream, arena, f)) return NULL;
        f->output = output_of(q, &models[i], otherwise);
        uint64_t window = models[i].facts.context_window;
        f->fits = !window || f->input.total <= window;
        price(f);
    }
    forecast_sort(list, n);
    return list;
}

static void range_add(struct forecast_range *sum, const struct forecast_range *one) {
    sum->low += one->low;
    sum->expected += one->expected;
    sum->high += one->high;
}

void forecast_add(struct forecast *sum, const struct forecast *one) {
    sum->input.text += one->input.text;
    sum->input.tools += one->input.tools;
    sum->input.images += one->input.images;
    sum->input.total += one->input.total;
    sum->input.uncounted += one->input.uncounted;
    sum->input.exact = sum->input.exact && one->input.exact;
    sum->cost_known = sum->cost_known && one->cost_known;
    sum->fits = sum->fits && one->fits;
    range_add(&sum->output, &one->output);
    range_add(&sum->cost, &one->cost);
}

// --- writing ---

static void put_tokens(struct json_writer *w, struct str name, const struct forecast_range *r) {
    json_put_member_object(w, name);
    json_put_member_u64(w, STR("low"), r->low);
    json_put_member_u64(w, STR("expected"), r->expected);
    json_put_member_u64(w, STR("high"), r->high);
    json_put_object_end(w);
}

static void put_dollars(struct json_writer *w, struct str name, uint64_t nano) {
    json_put_member_fixed(w, name, (int64_t)MIN(nano, (uint64_t)INT64_MAX), 9);
}

void forecast_put(struct json_writer *w, const struct forecast *f) {
    const struct model_entry *facts = &f->model->facts;
    json_put_object(w);
    json_put_member_str(w, STR("model"), f->model->name);
    json_put_member_text(w, STR("provider"), f->model->provider);
    json_put_member_str(w, STR("upstream_model"), f->model->upstream);
    json_put_member_str(w, STR("tokenizer"), f->tokenizer);
    json_put_member_bool(w, STR("exact"), f->input.exact);
    json_put_member_u64(w, STR("input_tokens"), f->input.total);
    json_put_member_object(w, STR("input_tokens_details"));
    json_put_member_u64(w, STR("text"), f->input.text);
    json_put_member_u64(w, STR("tools"), f->input.tools);
    json_put_member_u64(w, STR("images"), f->input.images);
    json_put_member_u64(w, STR("parts_not_counted"), f->input.uncounted);
    json_put_object_end(w);
    put_tokens(w, STR("output_tokens"), &f->output);
    json_put_key(w, STR("cost_usd"));
    if (f->cost_known) {
        json_put_object(w);
        put_dollars(w, STR("low"), f->cost.low);
        put_dollars(w, STR("expected"), f->cost.expected);
        put_dollars(w, STR("high"), f->cost.high);
        json_put_object_end(w);
    } else {
        json_put_null(w);
    }
    json_put_key(w, STR("context_window"));
    if (facts->context_window)
        json_put_u64(w, facts->context_window);
    else
        json_put_null(w);
    json_put_member_bool(w, STR("fits"), f->fits);
    json_put_object_end(w);
}
