// The response object: what was asked, what came of it.
#include "base/json_write.h"
#include "model/responses/put.h"

void responses_text_put(struct responses_text *t, struct arena *arena, struct str piece, bool *no_memory) {
    if (!piece.n || *no_memory) return;
    if (t->cap - t->n < piece.n) {
        size_t cap = MAX(t->cap * 2, MAX(t->n + piece.n, (size_t)256));
        char *p = arena_alloc(arena, cap);
        if (!p) {
            *no_memory = true;
            return;
        }
        if (t->n) memcpy(p, t->p, t->n);
        t->p = p;
        t->cap = cap;
    }
    memcpy(t->p + t->n, piece.p, piece.n);
    t->n += piece.n;
}

// --- what was asked ---

// In the order in which the object has them. `otherwise` is what OpenAI's says when the request says nothing.
static const struct {
    struct str name, otherwise;
} k_asked[] = {
    {STR_INIT("instructions"), STR_INIT("null")},
    {STR_INIT("max_output_tokens"), STR_INIT("null")},
    {STR_INIT("max_tool_calls"), STR_INIT("null")},
    {STR_INIT("parallel_tool_calls"), STR_INIT("true")},
    {STR_INIT("previous_response_id"), STR_INIT("null")},
    {STR_INIT("prompt_cache_key"), STR_INIT("null")},
    {STR_INIT("reasoning"), STR_INIT("{\"effort\":null,\"summary\":null}")},
    {STR_INIT("safety_identifier"), STR_INIT("null")},
    {STR_INIT("service_tier"), STR_INIT("\"default\"")},
    {STR_INIT("store"), STR_INIT("true")},
    {STR_INIT("temperature"), STR_INIT("1.0")},
    {STR_INIT("text"), STR_INIT("{\"format\":{\"type\":\"text\"}}")},
    {STR_INIT("tool_choice"), STR_INIT("\"auto\"")},
    {STR_INIT("tools"), STR_INIT("[]")},
    {STR_INIT("top_logprobs"), STR_INIT("0")},
    {STR_INIT("top_p"), STR_INIT("1.0")},
    {STR_INIT("truncation"), STR_INIT("\"disabled\"")},
    {STR_INIT("user"), STR_INIT("null")},
    {STR_INIT("metadata"), STR_INIT("{}")},
};
#define ASKED_TOOLS 13

void responses_find_asked(struct responses_encoder *e) {
    struct err ignored;
    struct json_field *f = ARENA_ARRAY(e->reply->arena, struct json_field, ARRAY_LEN(k_asked));
    if (!f) {
        e->no_memory = true;
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(k_asked); i++) f[i].name = k_asked[i].name;
    if (!e->reply->request || !json_scan(e->reply->request->body, f, ARRAY_LEN(k_asked), &ignored)) return;
    e->asked = f;
    // They are told again within lines.
    for (size_t i = 0; i < ARRAY_LEN(k_asked); i++) {
        if (!f[i].found) continue;
        f[i].raw = chat_on_one_line(f[i].raw, e->reply->arena);
        f[i].found = f[i].raw.p != NULL;
        if (!f[i].found) e->no_memory = true;
    }
}

bool responses_is_free_tool(const struct responses_encoder *e, struct str name) {
    struct str *tools;
    size_t n;
    if (!e->asked || !e->asked[ASKED_TOOLS].found) return false;
    struct str raw = e->asked[ASKED_TOOLS].raw;
    if (str_find(raw, STR("custom")) == raw.n || !responses_array(raw, &tools, &n, e->reply->arena)) return false;
    for (size_t i = 0; i < n; i++)
        if (json_string_eq(responses_string(tools[i], STR("type")), STR("custom")) &&
            str_eq(chat_inner(responses_string(tools[i], STR("name"))), name))
            return true;
    return false;
}

static void put_asked(const struct responses_encoder *e, struct json_writer *w) {
    for (size_t i = 0; i < ARRAY_LEN(k_asked); i++) {
        const struct json_field *f = e->asked ? &e->asked[i] : NULL;
        bool said = f && f->found && f->kind != JSON_NULL;
        json_put_member_raw(w, k_asked[i].name, said ? f->raw : k_asked[i].otherwise);
    }
}

// --- what came of it ---

static void put_usage(const struct responses_encoder *e, struct json_writer *w) {
    const struct usage *u = &e->usage;
    if (!e->has_usage) {
        json_put_member_null(w, STR("usage"));
        return;
    }
    json_put_member_object(w, STR("usage"));
    json_put_member_u64(w, STR("input_tokens"), u->prompt);
    json_put_member_object(w, STR("input_tokens_details"));
    json_put_member_u64(w, STR("cached_tokens"), u->cached);
    json_put_object_end(w);
    json_put_member_u64(w, STR("output_tokens"), u->output);
    json_put_member_object(w, STR("output_tokens_details"));
    json_put_member_u64(w, STR("reasoning_tokens"), u->reasoning);
    json_put_object_end(w);
    json_put_member_u64(w, STR("total_tokens"), u->prompt + u->output);
    json_put_object_end(w);
}

static void put_error(const struct responses_encoder *e, struct json_writer *w) {
    struct buf *out = w->out;
    if (!e->failure_message.p) {
        json_put_member_null(w, STR("error"));
        return;
    }
    json_put_member_object(w, STR("error"));
    json_put_member_raw(w, STR("code"), STR("\""));
    buf_put(out, e->failure_code);
    buf_lit(out, "\",\"message\":\"");
    buf_put(out, e->failure_message);
    buf_lit(out, "\"");
    json_put_object_end(w);
}

static void put_incomplete(const struct responses_encoder *e, struct str status, struct json_writer *w) {
    if (!str_eq(status, STR("incomplete"))) {
        json_put_member_null(w, STR("incomplete_details"));
        return;
    }
    json_put_member_object(w, STR("incomplete_details"));
    json_put_member_str(w, STR("reason"),
                        e->finish == CHAT_FINISH_FILTER ? STR("content_filter") : STR("max_output_tokens"));
    json_put_object_end(w);
}

void responses_put_object(const struct responses_encoder *e, struct str status, struct buf *out) {
    const struct chat_reply *reply = e->reply;
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_raw(&w, STR("id"), STR("\"resp_"));
    json_escape_put(out, reply->id);
    buf_lit(out, "\"");
    json_put_member_str(&w, STR("object"), STR("response"));
    json_put_member_i64(&w, STR("created_at"), reply->created);
    json_put_member_str(&w, STR("status"), status);
    json_put_member_bool(&w, STR("background"), false);
    if (str_eq(status, STR("completed")))
        json_put_member_i64(&w, STR("completed_at"), reply->created + (int64_t)(reply->elapsed_ns / 1000000000u));
    else
        json_put_member_null(&w, STR("completed_at"));
    put_error(e, &w);
    put_incomplete(e, status, &w);
    json_put_member_str(&w, STR("model"), reply->model);
    json_put_member_array(&w, STR("output"));
    if (e->items.n) json_put_raw(&w, responses_text_str(&e->items));
    json_put_array_end(&w);
    put_asked(e, &w);
    put_usage(e, &w);
    json_put_object_end(&w);
    json_writer_done(&w);
}

void responses_put_item_id(const struct responses_encoder *e, struct buf *out) {
    static const struct str prefixes[] = {
        [RESPONSES_NO_ITEM] = STR_INIT("item_"), [RESPONSES_MESSAGE] = STR_INIT("msg_"),
        [RESPONSES_CALL] = STR_INIT("fc_"),      [RESPONSES_CUSTOM] = STR_INIT("ctc_"),
        [RESPONSES_REASONING] = STR_INIT("rs_"), [RESPONSES_PICTURE] = STR_INIT("ig_"),
    };
    buf_put(out, prefixes[e->item]);
    json_escape_put(out, e->reply->id);
    buf_lit(out, "_");
    buf_put_u64(out, e->output_index);
}
