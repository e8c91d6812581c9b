// A page of the items that a response was asked with: its own, and before them those of the conversation so far.
#include "gateway/responses.h"

#include "base/json_write.h"
#include "model/responses/responses.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX 100

struct page {
    uint64_t limit;
    bool rising;
    struct str after;
};
struct item {
    struct str id;  // decoded
    struct str raw; // as it came
    bool has_id;
};
struct items {
    struct item *list;
    size_t count, max;
};

static bool read_page(struct str query, struct page *out_page, struct err *err) {
    struct page page = {.limit = LIMIT_DEFAULT};
    struct str part;
    while (query.n && str_split(&query, '&', &part)) {
        size_t eq = str_find_char(part, '=');
        struct str name = str_head(part, eq), value = str_from(part, eq + 1);
        bool wrong = false;
        if (str_eq(name, STR("limit")))
            wrong = !str_to_u64(value, &page.limit) || page.limit < 1 || page.limit > LIMIT_MAX;
        else if (str_eq(name, STR("order")))
            wrong = !str_eq(value, STR("asc")) && !str_eq(value, STR("desc"));
        if (wrong) {
            err_set(err, ERR_INVALID_FIELD, "\"%.*s\" must be %s", STR_ARG(name),
                    str_eq(name, STR("limit")) ? "a number from 1 to 100" : "asc or desc");
            snprintf(err->param, sizeof err->param, "%.*s", STR_ARG(name));
            return false;
        }
        if (str_eq(name, STR("order"))) page.rising = str_eq(value, STR("asc"));
        if (str_eq(name, STR("after"))) page.after = value;
    }
    *out_page = page;
    return true;
}

// --- gathering ---

static bool add_list(struct items *all, const struct response_row *row, struct str list, struct arena *arena) {
    struct str *raws, name = str_from(row->name, sizeof "resp_" - 1);
    size_t n;
    if (!responses_array(list, &raws, &n, arena)) return false;
    for (size_t i = 0; i < n; i++) {
        if (all->count == all->max) {
            size_t max = all->max ? all->max * 2 : 64;
            struct item *more = ARENA_ARRAY(arena, struct item, max);
            if (!more) return false;
            if (all->count) memcpy(more, all->list, all->count * sizeof *more);
            all->list = more;
            all->max = max;
        }
        struct item *it = &all->list[all->count++];
        struct str id = responses_string(raws[i], STR("id")), type = responses_string(raws[i], STR("type"));
        bool message = !type.p || json_string_eq(type, STR("message"));
        it->raw = raws[i];
        it->has_id = id.n > 2 && json_string_text(id, arena, &it->id);
        if (!it->has_id) it->id = arena_printf(arena, "%s_%.*s_i%zu", message ? "msg" : "item", STR_ARG(name), i);
        if (!it->id.n) return false;
    }
    return true;
}

static bool add_row(struct items *all, const struct response_row *row, bool with_answer, struct arena *arena) {
    struct str name = STR("output"), raw, input = arena_printf(arena, "[%.*s]", STR_ARG(row->input));
    if (!input.n || !add_list(all, row, input, arena)) return false;
    if (!with_answer || !json_get(row->answer, &name, 1, &raw)) return true;
    return add_list(all, row, raw, arena);
}

// --- writing ---

// A text alone is a list of one part here.
static void put_content(struct buf *out, struct str raw, struct str content) {
    bool assistant = json_string_eq(responses_string(raw, STR("role")), STR("assistant"));
    if (json_raw_kind(content) != JSON_STRING) {
        buf_put(out, content);
        return;
    }
    buf_printf(out, "[{\"type\":\"%s\",", assistant ? "output_text" : "input_text");
    if (assistant) buf_lit(out, "\"annotations\":[],");
    buf_lit(out, "\"text\":");
    buf_put(out, content);
    buf_lit(out, "}]");
}

static void put_item(struct buf *out, const struct item *it, struct arena *arena) {
    struct json_field f[] = {{.name = STR_INIT("type")}, {.name = STR_INIT("content")}, {.name = STR_INIT("status")}};
    struct buf content = BUF_INIT(RESPONSE_TEXT_MAX), head = BUF_INIT(4096);
    struct json_edits e;
    struct err ignored;
    struct str raw = it->raw;
    json_edits_init(&e, raw);
    if (json_raw_kind(raw) != JSON_OBJECT || !json_scan(raw, f, ARRAY_LEN(f), &ignored)) {
        buf_put(out, raw);
        return;
    }
    bool message = !f[0].found || json_string_eq(f[0].raw, STR("message"));
    if (!it->has_id) buf_printf(&head, "\"id\":%.*s", STR_ARG(chat_quote(arena, it->id)));
    if (!f[0].found) buf_printf(&head, "%s\"type\":\"message\"", head.n ? "," : "");
    if (message && !f[2].found) buf_printf(&head, "%s\"status\":\"completed\"", head.n ? "," : "");
    if (head.n) json_edit_insert(&e, raw, buf_str(&head));
    if (message && f[1].found) {
        put_content(&content, raw, f[1].raw);
        json_edit_replace(&e, f[1].raw, buf_str(&content));
    }
    if (!json_edits_put(&e, out, &ignored)) out->failed = true;
    buf_free(&content);
    buf_free(&head);
}

static size_t place_of(const struct items *all, struct str id) {
    for (size_t i = 0; i < all->count; i++)
        if (str_eq(all->list[i].id, id)) return i;
    return all->count;
}

static const struct item *at(const struct items *all, bool rising, size_t i) {
    return &all->list[rising ? i : all->count - 1 - i];
}

static void put_page(struct buf *out, const struct items *all, const struct page *page, size_t from,
                     struct arena *arena) {
    size_t to = MIN(all->count, from + (size_t)page->limit);
    buf_lit(out, "{\"object\":\"list\",\"data\":[");
    for (size_t i = from; i < to; i++) {
        if (i > from) buf_lit(out, ",");
        put_item(out, at(all, page->rising, i), arena);
    }
    struct str first = from < to ? chat_quote(arena, at(all, page->rising, from)->id) : STR("null");
    struct str last = from < to ? chat_quote(arena, at(all, page->rising, to - 1)->id) : STR("null");
    buf_printf(out, "],\"first_id\":%.*s,\"last_id\":%.*s,\"has_more\":%s}", STR_ARG(first), STR_ARG(last),
               to < all->count ? "true" : "false");
}

bool response_items_put(const struct response_chain *chain, struct str query, struct arena *arena, struct str *out_json,
                        struct err *err) {
    struct items all = {0};
    struct page page;
    size_t from = 0;
    if (!read_page(query, &page, err)) return false;
    for (size_t i = chain->count; i-- > 0;)
        if (!add_row(&all, &chain->rows[i], i > 0, arena)) return err_no_memory(err);
    if (page.after.n) {
        size_t place = place_of(&all, page.after);
        if (place == all.count) {
            err_set(err, ERR_NOT_FOUND, "there is no item with this id in the list");
            memcpy(err->param, "after", sizeof "after");
            return false;
        }
        from = (page.rising ? place : all.count - 1 - place) + 1;
    }
    struct buf out = BUF_INIT(2 * RESPONSE_TEXT_MAX);
    put_page(&out, &all, &page, from, arena);
    *out_json = out.failed ? STR_NONE : arena_str(arena, buf_str(&out));
    buf_free(&out);
    return out_json->p || err_no_memory(err);
}
