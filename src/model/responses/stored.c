// Conversations that go on: earlier items before a request's own, and what an answer adds to them.
#include "base/json_write.h"
#include "model/responses/responses.h"

static bool put_list(struct buf *b, const struct str *items, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (i) buf_lit(b, ",");
        buf_put(b, items[i]);
    }
    return !b->failed;
}

static bool is_reference(struct str item) {
    return json_string_eq(responses_string(item, STR("type")), STR("item_reference"));
}

// A string is one message of the user.
static bool list_of_input(struct responses_ask *ask, struct arena *arena, struct err *err) {
    struct str *items;
    size_t n;
    if (!ask->input.n) return true;
    struct buf b = BUF_INIT(ask->input.n + 128);
    if (ask->input.p[0] == '"') {
        buf_lit(&b, "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":");
        buf_put(&b, ask->input);
        buf_lit(&b, "}]}");
    } else if (responses_array(ask->input, &items, &n, arena)) {
        for (size_t i = 0; i < n && !ask->references; i++) ask->references = is_reference(items[i]);
        put_list(&b, items, n);
    } else {
        b.failed = true;
    }
    ask->input_list = b.failed ? STR_NONE : arena_str(arena, buf_str(&b));
    bool ok = !b.failed && (ask->input_list.p || !b.n);
    buf_free(&b);
    return ok || err_no_memory(err);
}

bool responses_ask_read(struct str body, struct arena *arena, struct responses_ask *out_ask, struct err *err) {
    enum { INPUT, PREVIOUS, STORE };
    struct json_field f[] = {[INPUT] = {.name = STR_INIT("input")},
                             [PREVIOUS] = {.name = STR_INIT("previous_response_id")},
                             [STORE] = {.name = STR_INIT("store")}};
    struct responses_ask ask = {.previous = STR(""), .store = true};
    if (!json_scan(body, f, ARRAY_LEN(f), err)) return false;
    if (f[STORE].found && f[STORE].kind == JSON_BOOL) ask.store = f[STORE].raw.p[0] == 't';
    if (f[PREVIOUS].found && f[PREVIOUS].kind == JSON_STRING &&
        !json_string_text(f[PREVIOUS].raw, arena, &ask.previous))
        return err_no_memory(err);
    if (f[INPUT].found && (f[INPUT].kind == JSON_STRING || f[INPUT].kind == JSON_ARRAY)) ask.input = f[INPUT].raw;
    if (!list_of_input(&ask, arena, err)) return false;
    *out_ask = ask;
    return true;
}

// The request's own items, with what their references name in their place.
static bool put_own(const struct responses_ask *ask, responses_find *find, void *arg, struct arena *arena,
                    struct buf *b) {
    struct str *items, id, found;
    size_t n;
    if (!ask->references || !find) {
        buf_put(b, ask->input_list);
        return true;
    }
    if (!responses_array(ask->input, &items, &n, arena)) return false;
    for (size_t i = 0; i < n; i++) {
        if (i) buf_lit(b, ",");
        if (is_reference(items[i]) && json_string_text(responses_string(items[i], STR("id")), arena, &id) &&
            (found = find(arg, id)).p)
            buf_put(b, found);
        else
            buf_put(b, items[i]);
    }
    return true;
}

bool responses_expand(struct str body, const struct responses_ask *ask, struct str items, responses_find *find,
                      void *arg, struct arena *arena, struct str *out_body, struct err *err) {
    struct buf b = BUF_INIT((size_t)1 << 30);
    struct json_edits e;
    buf_lit(&b, "[");
    buf_put(&b, items);
    if (items.n && ask->input_list.n) buf_lit(&b, ",");
    bool ok = put_own(ask, find, arg, arena, &b);
    buf_lit(&b, "]");
    struct str input = ok && !b.failed ? arena_str(arena, buf_str(&b)) : STR_NONE;
    buf_clear(&b);
    json_edits_init(&e, body);
    struct json_field f[] = {{.name = STR_INIT("input")}};
    if (!input.p || !json_scan(body, f, 1, err)) {
        buf_free(&b);
        return input.p ? false : err_no_memory(err);
    }
    if (f[0].found) {
        json_edit_replace(&e, f[0].raw, input);
    } else {
        struct str member = arena_printf(arena, "\"input\":%.*s", STR_ARG(input));
        json_edit_insert(&e, body, member);
        if (!member.n) b.failed = true;
    }
    ok = !b.failed && json_edits_put(&e, &b, err);
    if (ok) *out_body = arena_str(arena, buf_str(&b));
    buf_free(&b);
    return ok && (out_body->p || err_no_memory(err));
}

// --- what an answer adds ---

// The item without its number, which means something only to the provider that keeps it.
static bool put_without_id(struct buf *b, struct str item) {
    struct json_field f[] = {{.name = STR_INIT("id")}};
    struct json_edits e;
    struct err err;
    json_edits_init(&e, item);
    if (!json_scan(item, f, 1, &err)) return false;
    if (f[0].found) json_edit_delete(&e, f[0].member);
    return json_edits_put(&e, b, &err);
}

static bool is_kept_elsewhere(struct str item) {
    return json_string_eq(responses_string(item, STR("type")), STR("reasoning")) &&
           !responses_string(item, STR("encrypted_content")).n;
}

bool responses_output_items(struct str response, struct arena *arena, struct str *out_items, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("output")}};
    struct str *items;
    size_t n, put = 0;
    *out_items = STR_NONE;
    if (!json_scan(response, f, 1, err)) return false;
    if (!f[0].found || f[0].kind != JSON_ARRAY) return true;
    if (!responses_array(f[0].raw, &items, &n, arena)) return err_no_memory(err);
    struct buf b = BUF_INIT(f[0].raw.n + n);
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        if (is_kept_elsewhere(items[i])) continue;
        if (put++) buf_lit(&b, ",");
        ok = put_without_id(&b, items[i]);
    }
    *out_items = ok && !b.failed ? arena_str(arena, buf_str(&b)) : STR_NONE;
    ok = ok && !b.failed && (out_items->p || !b.n);
    buf_free(&b);
    return ok || err_no_memory(err);
}

struct str responses_item(struct str response, struct str item_id, struct arena *arena) {
    struct str raw, *items, name = STR("output"), out = STR_NONE;
    size_t n;
    if (!json_get(response, &name, 1, &raw) || !responses_array(raw, &items, &n, arena)) return STR_NONE;
    for (size_t i = 0; i < n; i++) {
        if (!json_string_eq(responses_string(items[i], STR("id")), item_id) || is_kept_elsewhere(items[i])) continue;
        struct buf b = BUF_INIT(items[i].n);
        if (put_without_id(&b, items[i])) out = arena_str(arena, buf_str(&b));
        buf_free(&b);
        return out;
    }
    return STR_NONE;
}

struct str responses_id_of_item(struct str item_id, struct arena *arena) {
    size_t from = str_find_char(item_id, '_'), last = from;
    for (size_t i = from + 1; i < item_id.n; i++)
        if (item_id.p[i] == '_') last = i;
    if (last == from || last <= from + 1) return STR("");
    return arena_printf(arena, "resp_%.*s", (int)MIN(last - from - 1, (size_t)64), item_id.p + from + 1);
}

struct str responses_ended(struct str event_name, struct str data) {
    struct str name = STR("response"), raw;
    if (!str_eq(event_name, STR("response.completed")) && !str_eq(event_name, STR("response.incomplete")))
        return STR_NONE;
    return json_get(data, &name, 1, &raw) && json_raw_kind(raw) == JSON_OBJECT ? raw : STR_NONE;
}
