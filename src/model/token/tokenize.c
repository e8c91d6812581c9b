// Reads what POST /v1/tokenize asks and writes the answer.
#include "model/token/tokenize.h"

#include "base/json_read.h"
#include "base/json_write.h"

static bool wrong(struct err *err, const char *param, const char *what) {
    err_set(err, ERR_INVALID_FIELD, "%s", what);
    snprintf(err->param, sizeof err->param, "%s", param);
    return false;
}

// --- the request ---

enum { FIELD_MODEL, FIELD_TOKENIZER, FIELD_INPUT, FIELD_MESSAGES, FIELD_IDS, FIELD_COUNT };

static bool choose(const struct json_field *f, struct arena *arena, struct tokenize_request *r, struct err *err) {
    struct str name;
    if (f[FIELD_MODEL].found) {
        if (!json_string_text(f[FIELD_MODEL].raw, arena, &r->model)) return err_no_memory(err);
        if (r->model.n == 0) return wrong(err, "model", "\"model\" is empty");
        r->tokenizer = tokenizer_for_model(r->model, &r->exact);
    }
    r->by_model = !f[FIELD_TOKENIZER].found;
    if (r->by_model) return true;
    if (!json_string_text(f[FIELD_TOKENIZER].raw, arena, &name)) return err_no_memory(err);
    r->tokenizer = tokenizer_find(name);
    if (!r->tokenizer)
        return wrong(err, "tokenizer", "there is no tokenizer of this name; `penstock tokens` lists them");
    r->exact = tokenizer_exact(r->tokenizer);
    return true;
}

bool tokenize_read(struct str body, unsigned depth, struct arena *arena, struct tokenize_request *out_request,
                   struct err *err) {
    struct json_field f[FIELD_COUNT] = {
        [FIELD_MODEL] = {.name = STR_INIT("model"), .kinds = JSON_IS(JSON_STRING)},
        [FIELD_TOKENIZER] = {.name = STR_INIT("tokenizer"), .kinds = JSON_IS(JSON_STRING)},
        [FIELD_INPUT] = {.name = STR_INIT("input"), .kinds = JSON_IS(JSON_STRING) | JSON_IS(JSON_ARRAY)},
        [FIELD_MESSAGES] = {.name = STR_INIT("messages"), .kinds = JSON_IS(JSON_ARRAY)},
        [FIELD_IDS] = {.name = STR_INIT("ids"), .kinds = JSON_IS(JSON_BOOL)},
    };
    struct tokenize_request r = {0};
    struct json_reader reader;
    json_reader_init(&reader, body, depth);
    if (!json_object_scan(&reader, f, FIELD_COUNT, err) || !json_end(&reader, err)) return false;
    if (!choose(f, arena, &r, err)) return false;
    if (!r.tokenizer) {
        err_set(err, ERR_MISSING_FIELD, "\"model\" or \"tokenizer\" must say whose tokens are meant");
        snprintf(err->param, sizeof err->param, "model");
        return false;
    }
    if (f[FIELD_INPUT].found == f[FIELD_MESSAGES].found) {
        err_set(err, f[FIELD_INPUT].found ? ERR_INVALID_FIELD : ERR_MISSING_FIELD,
                "either \"input\" (a text or an array of texts) or \"messages\" must be given");
        snprintf(err->param, sizeof err->param, "input");
        return false;
    }
    r.input = f[FIELD_INPUT].raw;
    r.messages = f[FIELD_MESSAGES].raw;
    if (f[FIELD_IDS].found && !json_raw_bool(f[FIELD_IDS].raw, &r.ids))
        return wrong(err, "ids", "\"ids\" is no boolean");
    if (r.ids && f[FIELD_MESSAGES].found) return wrong(err, "ids", "ids are given for \"input\" alone");
    *out_request = r;
    return true;
}

// --- texts ---

// The decoded text of a JSON string; `hold` keeps it if it has escapes.
static bool text_of(struct str raw, struct buf *hold, struct str *out_text, struct err *err) {
    if (json_string_borrow(raw, out_text)) return true;
    buf_init(hold, raw.n);
    if (!json_string_decode(raw, hold)) return err_no_memory(err);
    *out_text = buf_str(hold);
    return true;
}

static bool text_count(const struct tokenizer *t, struct str raw, size_t *sum, struct err *err) {
    BUF_AUTO struct buf hold = BUF_INIT(0);
    struct str text;
    if (!text_of(raw, &hold, &text, err)) return false;
    *sum += tokenizer_count(t, text);
    return true;
}

struct texts {
    const struct tokenize_request *request;
    size_t total;
    struct json_writer *counts;
    struct json_writer *ids;
};

static bool put_text(struct texts *x, struct str raw, struct err *err) {
    BUF_AUTO struct buf hold = BUF_INIT(0);
    struct token_ids ids = {0};
    struct str text;
    if (!text_of(raw, &hold, &text, err)) return false;
    if (!x->request->ids) {
        ids.n = tokenizer_count(x->request->tokenizer, text);
    } else {
        if (!tokenizer_encode(x->request->tokenizer, text, &ids, err)) return false;
        json_put_array(x->ids);
        for (size_t i = 0; i < ids.n; i++) json_put_u64(x->ids, ids.p[i]);
        json_put_array_end(x->ids);
        mem_free(ids.p);
    }
    x->total += ids.n;
    json_put_u64(x->counts, ids.n);
    return true;
}

static bool put_input(struct texts *x, struct str input, struct err *err) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    if (json_raw_kind(input) == JSON_STRING) return put_text(x, input, err);
    json_reader_init(&r, input, JSON_DEPTH_MAX);
    if (!json_enter_array(&r)) return json_error(&r, err);
    while (json_element(&r, &kind)) {
        if (kind != JSON_STRING) return wrong(err, "input", "an element of \"input\" is no text");
        if (json_string(&r, &raw) && !put_text(x, raw, err)) return false;
    }
    return json_end(&r, err);
}

// --- messages ---

struct tally {
    const struct tokenizer *t;
    size_t tokens;
    size_t uncounted;
};

static bool count_part(struct tally *tally, struct str part, struct err *err) {
    struct str raw;
    if (json_raw_kind(part) == JSON_STRING) return text_count(tally->t, part, &tally->tokens, err);
    static const char *const names[] = {"text", "refusal", "content", "thinking"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (JSON_GET(part, &raw, str_c(names[i])) && json_raw_kind(raw) == JSON_STRING)
            return text_count(tally->t, raw, &tally->tokens, err);
    }
    tally->uncounted++;
    return true;
}

static bool count_call(struct tally *tally, struct str call, struct err *err) {
    struct str raw;
    static const char *const names[] = {"name", "arguments"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (JSON_GET(call, &raw, STR("function"), str_c(names[i])) && json_raw_kind(raw) == JSON_STRING &&
            !text_count(tally->t, raw, &tally->tokens, err))
            return false;
    }
    return true;
}

static bool each(struct tally *tally, struct str array, bool (*count)(struct tally *, struct str, struct err *),
                 struct err *err) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    json_reader_init(&r, array, JSON_DEPTH_MAX);
    if (!json_enter_array(&r)) return json_error(&r, err);
    while (json_element(&r, &kind)) {
        if (json_skip(&r, &raw) && !count(tally, raw, err)) return false;
    }
    return json_end(&r, err);
}

static bool count_member(struct tally *tally, struct str key, enum json_kind kind, struct str raw, struct err *err) {
    if (kind == JSON_STRING) {
        if (json_string_eq(key, STR("name"))) {
            tally->tokens += TOKENS_NAME;
            return text_count(tally->t, raw, &tally->tokens, err);
        }
        bool text = json_string_eq(key, STR("role")) || json_string_eq(key, STR("content"));
        return !text || text_count(tally->t, raw, &tally->tokens, err);
    }
    if (kind != JSON_ARRAY) return true;
    if (json_string_eq(key, STR("content"))) return each(tally, raw, count_part, err);
    return !json_string_eq(key, STR("tool_calls")) || each(tally, raw, count_call, err);
}

static bool count_message(struct tally *tally, struct str message, struct err *err) {
    struct json_reader r;
    enum json_kind kind;
    struct str key, raw;
    if (json_raw_kind(message) != JSON_OBJECT) return wrong(err, "messages", "an element of \"messages\" is no object");
    json_reader_init(&r, message, JSON_DEPTH_MAX);
    tally->tokens += TOKENS_EACH_MESSAGE;
    if (!json_enter_object(&r)) return json_error(&r, err);
    while (json_member(&r, &key, &kind)) {
        if (json_skip(&r, &raw) && !count_member(tally, key, kind, raw, err)) return false;
    }
    return json_end(&r, err);
}

static bool put_messages(struct texts *x, struct str messages, size_t *out_uncounted, struct err *err) {
    struct tally tally = {.t = x->request->tokenizer};
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    json_reader_init(&r, messages, JSON_DEPTH_MAX);
    if (!json_enter_array(&r)) return json_error(&r, err);
    while (json_element(&r, &kind)) {
        const size_t before = tally.tokens;
        if (!json_skip(&r, &raw)) break;
        if (!count_message(&tally, raw, err)) return false;
        json_put_u64(x->counts, tally.tokens - before);
    }
    x->total = tally.tokens + TOKENS_REPLY;
    *out_uncounted = tally.uncounted;
    return json_end(&r, err);
}

// --- the answer ---

// The rule for messages is of OpenAI's own models.
static bool messages_exact(const struct tokenizer *t) {
    return t == tokenizer_get(TOKENIZER_O200K) || t == tokenizer_get(TOKENIZER_CL100K);
}

bool tokenize_answer(const struct tokenize_request *request, struct buf *out, struct err *err) {
    BUF_AUTO struct buf counts = BUF_INIT(out->max), ids = BUF_INIT(out->max);
    struct json_writer w, counts_w, ids_w;
    struct texts x = {.request = request, .counts = &counts_w, .ids = &ids_w};
    size_t uncounted = 0;
    json_writer_init(&counts_w, &counts);
    json_writer_init(&ids_w, &ids);
    json_put_array(&counts_w);
    json_put_array(&ids_w);
    if (request->input.n ? !put_input(&x, request->input, err) : !put_messages(&x, request->messages, &uncounted, err))
        return false;
    json_put_array_end(&counts_w);
    json_put_array_end(&ids_w);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("object"), STR("tokenization"));
    if (request->model.n) json_put_member_str(&w, STR("model"), request->model);
    json_put_member_str(&w, STR("tokenizer"), tokenizer_name(request->tokenizer));
    json_put_member_bool(&w, STR("exact"),
                         request->exact && !uncounted && (request->input.n || messages_exact(request->tokenizer)));
    json_put_member_u64(&w, STR("tokens"), x.total);
    json_put_member_raw(&w, STR("counts"), buf_str(&counts));
    if (request->messages.n) json_put_member_u64(&w, STR("uncounted"), uncounted);
    if (request->ids) json_put_member_raw(&w, STR("ids"), buf_str(&ids));
    json_put_object_end(&w);
    if (!out->failed && !counts.failed && !ids.failed) return true;
    return err_set(err, ERR_INVALID_REQUEST, "the answer would be larger than %zu bytes; ask for fewer texts",
                   out->max);
}
