// A body on its way to a provider that speaks Google's dialect too: passed through, with the few spans changed that
// must.
#include "model/gemini/gemini.h"

// Spans that become something else, in their order.
struct change {
    struct str span, with;
};
struct changes {
    struct arena *arena;
    struct change *list;
    size_t n, cap;
    bool failed; // no memory
};

static void change_add(struct changes *c, struct str span, struct str with) {
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 16;
        struct change *grown = ARENA_ARRAY(c->arena, struct change, cap);
        if (!grown) {
            c->failed = true;
            return;
        }
        if (c->n) memcpy(grown, c->list, c->n * sizeof *grown);
        c->list = grown, c->cap = cap;
    }
    c->list[c->n++] = (struct change){span, with};
}

// --- the model's name, which embeddings have in their bodies ---

static void name_models(struct changes *c, struct str raw, struct str name, bool outer) {
    struct json_reader r;
    struct str key, value;
    enum json_kind kind;
    json_reader_init(&r, raw, JSON_DEPTH_MAX);
    if (!json_enter_object(&r)) return;
    while (json_member(&r, &key, &kind)) {
        bool requests = outer && kind == JSON_ARRAY && json_string_eq(key, STR("requests"));
        bool inner = outer && kind == JSON_OBJECT &&
                     (json_string_eq(key, STR("generateContentRequest")) || json_string_eq(key, STR("requests")));
        if (inner && json_skip(&r, &value)) {
            name_models(c, value, name, false);
        } else if (kind == JSON_STRING && json_string_eq(key, STR("model"))) {
            if (json_skip(&r, &value)) change_add(c, value, name);
        } else if (requests && json_enter_array(&r)) {
            while (json_element(&r, &kind))
                if (kind == JSON_OBJECT && json_skip(&r, &value)) name_models(c, value, name, false);
        }
    }
}

// --- ids of calls, which Vertex AI refuses ---

static struct str without_id(struct arena *arena, struct str object) {
    struct json_reader r;
    struct str key, value;
    enum json_kind kind;
    char *text = arena_alloc(arena, object.n + 2);
    size_t n = 0;
    bool had = false;
    if (!text) return STR_NONE;
    text[n++] = '{';
    json_reader_init(&r, object, JSON_DEPTH_MAX);
    if (json_enter_object(&r))
        while (json_member(&r, &key, &kind)) {
            if (!json_skip(&r, &value)) break;
            if (json_string_eq(key, STR("id"))) {
                had = true;
                continue;
            }
            if (n > 1) text[n++] = ',';
            size_t len = (size_t)(value.p + value.n - key.p);
            memcpy(text + n, key.p, len);
            n += len;
        }
    text[n++] = '}';
    return had ? str_of(text, n) : object;
}

static void drop_id(struct changes *c, struct str call) {
    struct str bare = without_id(c->arena, call);
    if (!bare.p) c->failed = true;
    if (bare.p && bare.p != call.p) change_add(c, call, bare);
}

static bool is_call(struct str key) {
    static const struct str names[] = {STR_INIT("functionCall"), STR_INIT("function_call"),
                                       STR_INIT("functionResponse"), STR_INIT("function_response")};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (json_string_eq(key, names[i])) return true;
    return false;
}

// Level 0: a request, 1: a content, 2: a part.
static void drop_ids(struct changes *c, struct str raw, unsigned level) {
    static const struct str lists[] = {STR_INIT("contents"), STR_INIT("parts")};
    struct json_reader r;
    struct str key, value;
    enum json_kind kind;
    json_reader_init(&r, raw, JSON_DEPTH_MAX);
    if (!json_enter_object(&r)) return;
    while (json_member(&r, &key, &kind)) {
        if (level == 2) {
            if (kind == JSON_OBJECT && is_call(key) && json_skip(&r, &value)) drop_id(c, value);
            continue;
        }
        if (!json_string_eq(key, lists[level])) continue;
        if (kind == JSON_OBJECT && json_skip(&r, &value)) drop_ids(c, value, level + 1); // a list of one
        if (kind != JSON_ARRAY || !json_enter_array(&r)) continue;
        while (json_element(&r, &kind))
            if (kind == JSON_OBJECT && json_skip(&r, &value)) drop_ids(c, value, level + 1);
    }
}

// --- all of them ---

static struct str joined(const struct changes *c, struct str body) {
    size_t size = body.n, n = 0;
    for (size_t i = 0; i < c->n; i++) size += c->list[i].with.n;
    char *text = arena_alloc(c->arena, size);
    if (!text) return STR_NONE;
    const char *from = body.p;
    for (size_t i = 0; i < c->n; i++) {
        size_t kept = (size_t)(c->list[i].span.p - from);
        memcpy(text + n, from, kept);
        memcpy(text + n + kept, c->list[i].with.p, c->list[i].with.n);
        n += kept + c->list[i].with.n;
        from = c->list[i].span.p + c->list[i].span.n;
    }
    size_t rest = (size_t)(body.p + body.n - from);
    memcpy(text + n, from, rest);
    return str_of(text, n + rest);
}

bool gemini_rewrite(const struct model_request *request, const struct chat_target *target, struct arena *arena,
                    struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err) {
    struct changes c = {.arena = arena};
    if (request->operation == OPERATION_EMBEDDINGS || request->operation == OPERATION_COUNT_TOKENS) {
        struct str name = chat_quote(arena, arena_printf(arena, "models/%.*s", STR_ARG(target->model)));
        if (!name.p) return err_no_memory(err);
        name_models(&c, request->body, name, true);
    } else if (gemini_on_vertex(target)) {
        drop_ids(&c, request->body, 0);
    }
    struct str body = c.n ? joined(&c, request->body) : request->body;
    if (c.failed || !body.p) return err_no_memory(err);
    out_slices[0] = body;
    *out_count = 1;
    return true;
}
