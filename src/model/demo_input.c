// What the demonstration provider reads of a request, and the embeddings it makes of it.
#include "model/demo_input.h"

#include "base/hash.h"
#include "base/json_write.h"
#include "base/text.h"

#include <math.h>

// A message's content: a string, or parts of which the first text counts.
static struct str content_text(struct str raw, struct arena *arena) {
    struct str text = STR("");
    if (json_raw_kind(raw) == JSON_STRING) return json_string_text(raw, arena, &text) ? text : STR_NONE;
    if (json_raw_kind(raw) != JSON_ARRAY) return text;
    struct json_reader r;
    enum json_kind kind;
    json_reader_init(&r, raw, 0);
    json_enter_array(&r);
    while (json_element(&r, &kind)) {
        struct str part, value;
        json_skip(&r, &part);
        if (kind == JSON_OBJECT && JSON_GET(part, &value, STR("text")) && json_raw_kind(value) == JSON_STRING)
            return json_string_text(value, arena, &text) ? text : STR_NONE;
    }
    return text;
}

struct str demo_last_user_text(const struct model_request *q, struct arena *arena) {
    if (!q->input.p) return STR("");
    if (q->operation != OPERATION_CHAT) return content_text(q->input, arena);
    struct json_reader r;
    enum json_kind kind;
    struct str last = STR_NONE;
    json_reader_init(&r, q->input, 0);
    json_enter_array(&r);
    while (json_element(&r, &kind)) {
        struct str message, role, content;
        json_skip(&r, &message);
        if (kind == JSON_OBJECT && JSON_GET(message, &role, STR("role")) && json_string_eq(role, STR("user")) &&
            JSON_GET(message, &content, STR("content")))
            last = content;
    }
    return last.p ? content_text(last, arena) : STR("");
}

static void vector_of(struct str text, float out[DEMO_DIMENSIONS]) {
    double sum = 0;
    for (unsigned i = 0; i < DEMO_DIMENSIONS; i++) {
        uint64_t h = hash_bytes(text, i + 1);
        out[i] = (float)((double)(h >> 11) / 9007199254740992.0 - 0.5);
        sum += (double)out[i] * (double)out[i];
    }
    double scale = sum > 0 ? 1 / sqrt(sum) : 1;
    for (unsigned i = 0; i < DEMO_DIMENSIONS; i++) out[i] = (float)((double)out[i] * scale);
}

static void put_vector(struct json_writer *w, struct str text, uint64_t index, bool base64) {
    float v[DEMO_DIMENSIONS];
    vector_of(text, v);
    json_put_object(w);
    json_put_member_str(w, STR("object"), STR("embedding"));
    json_put_member_u64(w, STR("index"), index);
    json_put_key(w, STR("embedding"));
    if (base64) {
        struct buf b = BUF_INIT(4096);
        base64_put(&b, str_of((const char *)v, sizeof v));
        json_put_str(w, buf_str(&b));
        buf_free(&b);
    } else {
        json_put_array(w);
        for (unsigned i = 0; i < DEMO_DIMENSIONS; i++) json_put_double(w, (double)v[i]);
        json_put_array_end(w);
    }
    json_put_object_end(w);
}

// A string, an array of strings, or tokens (an array of numbers, or of such arrays); the raw text stands for the
// tokens.
static void put_vectors(const struct model_request *q, struct json_writer *w, bool base64) {
    struct json_reader r;
    enum json_kind kind;
    uint64_t index = 0;
    bool numbers = false;
    if (json_raw_kind(q->input) == JSON_STRING) {
        put_vector(w, q->input, 0, base64);
        return;
    }
    json_reader_init(&r, q->input, 0);
    json_enter_array(&r);
    while (json_element(&r, &kind)) {
        struct str raw;
        json_skip(&r, &raw);
        numbers = numbers || kind == JSON_NUMBER;
        if (kind != JSON_NUMBER) put_vector(w, raw, index++, base64);
    }
    if (numbers) put_vector(w, q->input, 0, base64);
}

void demo_embeddings_put(const struct model_request *q, struct str model, uint64_t tokens_in, struct buf *out) {
    struct json_writer w;
    struct str format;
    bool base64 = JSON_GET(q->body, &format, STR("encoding_format")) && json_string_eq(format, STR("base64"));
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("object"), STR("list"));
    json_put_member_array(&w, STR("data"));
    put_vectors(q, &w, base64);
    json_put_array_end(&w);
    json_put_member_str(&w, STR("model"), model);
    json_put_member_object(&w, STR("usage"));
    json_put_member_u64(&w, STR("prompt_tokens"), tokens_in);
    json_put_member_u64(&w, STR("total_tokens"), tokens_in);
    json_put_object_end(&w);
    json_put_object_end(&w);
    json_writer_done(&w);
}
