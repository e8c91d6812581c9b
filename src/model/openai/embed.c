// Embeddings in OpenAI's dialect: requests and answers, vectors as numbers or as base64 of little-endian floats.
#include "model/embed.h"

#include "base/json_write.h"
#include "base/text.h"
#include "model/openai/openai.h"

#include <stdio.h>
#include <stdlib.h>

#define STRING JSON_IS(JSON_STRING)
#define VECTOR_MAX ((size_t)1 << 22) // bytes of one

// --- requests ---

static bool add_input(struct embed_request *q, struct str raw, enum json_kind kind) {
    if (q->count == EMBED_INPUTS_MAX || (kind != JSON_STRING && kind != JSON_ARRAY)) return false;
    q->inputs[q->count++] =
        kind == JSON_STRING ? (struct embed_input){.text = raw} : (struct embed_input){.tokens = raw};
    return true;
}

static bool all_numbers(struct str array) {
    struct json_reader r;
    enum json_kind kind;
    bool any = false;
    json_reader_init(&r, array, 0);
    if (!json_enter_array(&r)) return false;
    while (json_element(&r, &kind)) {
        if (kind != JSON_NUMBER) return false;
        any = true;
        json_skip(&r, NULL);
    }
    return any && json_ok(&r);
}

static bool read_inputs(struct openai_reading *x, struct str raw, uint64_t count, struct embed_request *q) {
    struct json_reader r;
    enum json_kind kind;
    struct str element;
    q->inputs = ARENA_ARRAY(x->arena, struct embed_input, MIN(count, (uint64_t)EMBED_INPUTS_MAX) + 1);
    if (!q->inputs) return err_no_memory(x->err);
    q->single = raw.p[0] == '"' || all_numbers(raw);
    if (q->single) return add_input(q, raw, raw.p[0] == '"' ? JSON_STRING : JSON_ARRAY);
    if (count > EMBED_INPUTS_MAX) return openai_wrong(x, STR("input"), "has more than 10000 entries");
    json_reader_init(&r, raw, 0);
    if (!json_enter_array(&r)) return openai_wrong(x, STR("input"), "must be a string or an array");
    while (json_element(&r, &kind) && json_skip(&r, &element)) {
        bool ok = kind == JSON_STRING || (kind == JSON_ARRAY && all_numbers(element));
        if (!ok || !add_input(q, element, kind))
            return openai_wrong(x, STR("input"), "must be texts or lists of token numbers");
    }
    return q->count > 0 || openai_wrong(x, STR("input"), "must not be empty");
}

static bool embed_read(const struct model_request *request, struct arena *arena, struct embed_request *out,
                       struct err *err) {
    enum { MODEL, INPUT, DIMENSIONS, ENCODING, USER, TYPE, TRUNCATE, COUNT };
    // The last two are NVIDIA's and Cohere's.
    static const struct openai_member table[COUNT] = {
        [MODEL] = {STR_INIT("model"), 0, NULL},
        [INPUT] = {STR_INIT("input"), STRING | JSON_IS(JSON_ARRAY), NULL},
        [DIMENSIONS] = {STR_INIT("dimensions"), JSON_IS(JSON_NUMBER), NULL},
        [ENCODING] = {STR_INIT("encoding_format"), STRING, NULL},
        [USER] = {STR_INIT("user"), STRING, NULL},
        [TYPE] = {STR_INIT("input_type"), STRING, NULL},
        [TRUNCATE] = {STR_INIT("truncate"), 0, NULL},
    };
    struct chat chat = {0}; // for the names of what is not known
    struct openai_reading x = {.chat = &chat, .arena = arena, .err = err, .message = -1};
    struct embed_request q = {0};
    struct str m[COUNT];
    if (!openai_members_of(&x, request->body, table, COUNT, "", m)) return false;
    if (!m[INPUT].p) return openai_missing(&x, STR("input"));
    if (!read_inputs(&x, m[INPUT], request->inputs, &q)) return false;
    if (m[DIMENSIONS].p && (!json_raw_u64(m[DIMENSIONS], &q.dimensions) || !q.dimensions))
        return openai_wrong(&x, STR("dimensions"), "must be a positive number");
    q.base64 = json_string_eq(m[ENCODING], STR("base64"));
    if (m[ENCODING].p && !q.base64 && !json_string_eq(m[ENCODING], STR("float")))
        return openai_wrong(&x, STR("encoding_format"), "must be \"float\" or \"base64\"");
    q.user = m[USER];
    q.purpose = m[TYPE];
    if (json_string_eq(m[TYPE], STR("query"))) q.purpose = STR("\"search_query\"");
    if (json_string_eq(m[TYPE], STR("passage"))) q.purpose = STR("\"search_document\"");
    q.truncate = m[TRUNCATE];
    memcpy(q.others, chat.others, sizeof q.others);
    q.other_count = chat.other_count;
    *out = q;
    return true;
}

static void put_inputs(const struct embed_request *q, struct json_writer *w) {
    json_put_key(w, STR("input"));
    if (!q->single) json_put_array(w);
    for (size_t i = 0; i < q->count; i++)
        json_put_raw(w, q->inputs[i].text.p ? q->inputs[i].text : q->inputs[i].tokens);
    if (!q->single) json_put_array_end(w);
}

// NVIDIA's models must be told which side of a search a text is; the rest has no word for it.
static void put_purpose(const struct embed_request *q, const struct provider_traits *t, struct json_writer *w,
                        struct chat_report *report) {
    bool nvidia = t->kind == PROVIDER_NVIDIA;
    if (nvidia)
        json_put_member_str(w, STR("input_type"),
                            json_string_eq(q->purpose, STR("search_document")) ? STR("passage") : STR("query"));
    else if (q->purpose.p)
        chat_drop(report, STR("input_type"));
    if (q->truncate.p && nvidia && json_raw_kind(q->truncate) == JSON_STRING)
        json_put_member_raw(w, STR("truncate"), q->truncate);
    else if (q->truncate.p)
        chat_drop(report, STR("truncate"));
    if (q->title.p) chat_drop(report, STR("title"));
}

static bool embed_write(const struct embed_request *q, const struct chat_target *target, struct arena *arena,
                        struct buf *out, struct chat_report *report, struct err *err) {
    struct json_writer w;
    const struct provider_traits *t = target->traits;
    bool mistral = t->kind == PROVIDER_MISTRAL;
    bool packs = t->kind == PROVIDER_OPENAI || t->kind == PROVIDER_AZURE;
    (void)arena;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("model"), target->model);
    put_inputs(q, &w);
    if (q->dimensions) json_put_member_u64(&w, mistral ? STR("output_dimension") : STR("dimensions"), q->dimensions);
    json_put_member_str(&w, STR("encoding_format"), q->base64 && packs ? STR("base64") : STR("float"));
    if (q->user.p && !mistral)
        json_put_member_raw(&w, STR("user"), q->user);
    else if (q->user.p)
        chat_drop(report, STR("user"));
    put_purpose(q, t, &w, report);
    json_put_object_end(&w);
    json_writer_done(&w);
    return !out->failed || err_no_memory(err);
}

// --- vectors ---

// Up to 15 digits and a small power of ten are exact in one division or multiplication; the rest is the library's.
static bool to_double(struct str s, double *out) {
    static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t m = 0;
    int digits = 0, scale = 0;
    size_t i = s.n && s.p[0] == '-';
    bool point = false;
    for (; i < s.n; i++) {
        char c = s.p[i];
        if (c == '.') {
            point = true;
            continue;
        }
        if (c < '0' || c > '9') return json_raw_double(s, out); // an exponent
        m = m * 10 + (uint64_t)(c - '0');
        digits += m > 0;
        scale += point;
        if (digits > 15 || scale > 22) return json_raw_double(s, out);
    }
    *out = (double)m / ten[scale];
    if (s.n && s.p[0] == '-') *out = -*out;
    return s.n > 0;
}

static bool pack(struct str numbers, struct buf *bytes) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    double v;
    json_reader_init(&r, numbers, 0);
    if (!json_enter_array(&r)) return false;
    while (json_element(&r, &kind)) {
        if (kind != JSON_NUMBER || !json_number(&r, &raw) || !to_double(raw, &v)) return false;
        float f = (float)v;
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        const char four[4] = {(char)(bits & 255), (char)(bits >> 8 & 255), (char)(bits >> 16 & 255),
                              (char)(bits >> 24)};
        buf_append(bytes, four, sizeof four);
    }
    return json_ok(&r) && !bytes->failed;
}

static int digit_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Appends the numbers of base64 as JSON.
static bool unpack(struct str base64, struct json_writer *w) {
    uint32_t bits = 0, value = 0;
    unsigned have = 0, bytes = 0;
    for (size_t i = 0; i < base64.n && base64.p[i] != '='; i++) {
        int d = digit_of(base64.p[i]);
        if (d < 0) return false;
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        value |= (bits >> have & 255) << 8 * bytes;
        if (++bytes < 4) continue;
        float f;
        memcpy(&f, &value, sizeof f);
        char text[32];
        int n = 0;
        // As many digits as it takes to read back the same float.
        for (int digits = 6; digits <= 9; digits++) {
            n = snprintf(text, sizeof text, "%.*g", digits, (double)f);
            if (strtof(text, NULL) == f) break;
        }
        bool finite = f - f == 0;
        json_put_raw(w, finite ? str_of(text, (size_t)n) : STR("null"));
        bytes = 0;
        value = 0;
    }
    return bytes == 0;
}

static void put_vector(struct str vector, bool is_base64, bool as_base64, struct json_writer *w) {
    if (is_base64 == as_base64) {
        json_put_raw(w, vector);
    } else if (as_base64) {
        BUF_AUTO struct buf bytes = BUF_INIT(VECTOR_MAX);
        if (!pack(vector, &bytes)) buf_clear(&bytes);
        json_put_raw(w, STR("\""));
        base64_put(w->out, buf_str(&bytes));
        buf_putc(w->out, '"');
    } else {
        json_put_array(w);
        (void)unpack(chat_inner(vector), w);
        json_put_array_end(w);
    }
}

// --- answers ---

static void embed_put_answer(const struct embed_answer *a, const struct embed_request *request,
                             const struct chat_reply *reply, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("object"), STR("list"));
    json_put_member_array(&w, STR("data"));
    for (size_t i = 0; i < a->count; i++) {
        json_put_object(&w);
        json_put_member_str(&w, STR("object"), STR("embedding"));
        json_put_member_u64(&w, STR("index"), i);
        json_put_key(&w, STR("embedding"));
        put_vector(a->vectors[i], a->base64, request->base64, &w);
        json_put_object_end(&w);
    }
    json_put_array_end(&w);
    json_put_member_str(&w, STR("model"), reply->model);
    json_put_member_object(&w, STR("usage"));
    json_put_member_u64(&w, STR("prompt_tokens"), a->has_usage ? a->usage.prompt : reply->prompt_estimate);
    json_put_member_u64(&w, STR("total_tokens"), a->has_usage ? a->usage.prompt : reply->prompt_estimate);
    json_put_object_end(&w);
    json_put_object_end(&w);
    json_writer_done(&w);
}

static bool bad_answer(struct err *err, const char *what) {
    return err_set(err, ERR_UPSTREAM_INVALID, "the provider's embeddings %s", what);
}

// One of "data", at the place that its index says.
static bool read_vector(struct json_reader *r, size_t place, struct embed_answer *a, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("index")}, {.name = STR_INIT("embedding")}};
    uint64_t index = place;
    if (!json_object_scan(r, f, ARRAY_LEN(f), err)) return bad_answer(err, "are not valid");
    if (f[0].found && f[0].kind == JSON_NUMBER && !json_raw_u64(f[0].raw, &index)) index = a->count;
    if (index >= a->count || a->vectors[index].p) return bad_answer(err, "are numbered wrongly");
    bool text = f[1].found && f[1].kind == JSON_STRING;
    if (!text && !(f[1].found && f[1].kind == JSON_ARRAY)) return bad_answer(err, "lack a vector");
    if (place > 0 && a->base64 != text) return bad_answer(err, "come in two forms");
    a->base64 = text;
    a->vectors[index] = f[1].raw;
    return true;
}

static bool embed_read_answer(struct str body, struct arena *arena, struct embed_answer *out, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("data")}, {.name = STR_INIT("usage")}};
    struct embed_answer a = {0};
    struct json_reader r;
    enum json_kind kind;
    if (!json_scan(body, f, ARRAY_LEN(f), err) || !f[0].found || f[0].kind != JSON_ARRAY)
        return bad_answer(err, "have no \"data\"");
    json_reader_init(&r, f[0].raw, 0);
    json_enter_array(&r);
    while (json_element(&r, &kind) && json_skip(&r, NULL)) a.count++;
    if (a.count > EMBED_INPUTS_MAX) return bad_answer(err, "are too many");
    a.vectors = ARENA_ARRAY(arena, struct str, a.count + 1);
    if (!a.vectors) return err_no_memory(err);
    json_reader_init(&r, f[0].raw, 0);
    json_enter_array(&r);
    for (size_t i = 0; json_element(&r, &kind); i++) {
        if (kind != JSON_OBJECT) return bad_answer(err, "are no objects");
        if (!read_vector(&r, i, &a, err)) return false;
    }
    a.has_usage = f[1].found && openai_usage_merge(f[1].raw, &a.usage);
    *out = a;
    return true;
}

const struct embed_ops openai_embed = {
    .read = embed_read,
    .put_answer = embed_put_answer,
    .max_inputs = 2048,
    .write = embed_write,
    .read_answer = embed_read_answer,
};
