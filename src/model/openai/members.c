// Objects of a request read member by member, with faults named by their path.
#include "model/openai/openai.h"

#include <stdio.h>

static void name_param(const struct openai_reading *x, struct str name, struct err *err) {
    char text[sizeof err->param];
    size_t n = 0;
    if (x->message >= 0) n += (size_t)snprintf(text + n, sizeof text - n, "messages[%d].", x->message);
    if (x->list) n += (size_t)snprintf(text + n, sizeof text - n, "%s[%d].", x->list, x->element);
    snprintf(text + n, sizeof text - n, "%.*s", STR_ARG(name));
    n = strlen(text);
    if (n && !name.n) text[n - 1] = '\0'; // the dot
    memcpy(err->param, text, sizeof text);
}

bool openai_wrong(const struct openai_reading *x, struct str name, const char *what) {
    struct err named = {0};
    name_param(x, name, &named);
    err_set(x->err, ERR_INVALID_FIELD, "\"%s\" %s", named.param, what);
    memcpy(x->err->param, named.param, sizeof named.param);
    return false;
}

bool openai_missing(const struct openai_reading *x, struct str name) {
    struct err named = {0};
    name_param(x, name, &named);
    err_set(x->err, ERR_MISSING_FIELD, "\"%s\" is missing", named.param);
    memcpy(x->err->param, named.param, sizeof named.param);
    return false;
}

void openai_note_other(struct openai_reading *x, const char *prefix, struct str name) {
    struct chat *c = x->chat;
    if (c->other_count == CHAT_OTHERS_MAX) return;
    struct str text = prefix[0] ? arena_printf(x->arena, "%s%.*s", prefix, STR_ARG(str_head(name, 100))) : name;
    for (size_t i = 0; i < c->other_count; i++)
        if (str_eq(c->others[i], text)) return;
    if (c->other_count < CHAT_OTHERS_MAX && text.n) c->others[c->other_count++] = text;
}

// Whether a value says anything: null, false and empty lists do not; an empty object may switch something on.
static bool says_something(struct str raw) {
    if (str_eq(raw, STR("null")) || str_eq(raw, STR("false"))) return false;
    return raw.p[0] != '[' || str_trim(str_of(raw.p + 1, raw.n - 2)).n > 0;
}

static bool unknown(struct openai_reading *x, struct json_reader *r, struct str key, const char *prefix) {
    struct str raw, name;
    if (!json_skip(r, &raw)) return false;
    if (!prefix || !says_something(raw)) return true;
    if (!json_string_text(key, x->arena, &name)) return err_no_memory(x->err);
    openai_note_other(x, prefix, name);
    return true;
}

static const char *kinds_text(unsigned kinds) {
    switch (kinds) {
    case JSON_IS(JSON_STRING):
        return "must be a string";
    case JSON_IS(JSON_NUMBER):
        return "must be a number";
    case JSON_IS(JSON_BOOL):
        return "must be true or false";
    case JSON_IS(JSON_ARRAY):
        return "must be an array";
    case JSON_IS(JSON_OBJECT):
        return "must be an object";
    case JSON_IS(JSON_STRING) | JSON_IS(JSON_ARRAY):
        return "must be a string or an array";
    case JSON_IS(JSON_STRING) | JSON_IS(JSON_OBJECT):
        return "must be a string or an object";
    default:
        return "has the wrong type";
    }
}

static size_t find(const struct openai_member *table, size_t count, struct str key) {
    size_t i = 0;
    while (i < count && !json_string_eq(key, table[i].name)) i++;
    return i;
}

// What made the reading stop: the text, or the err that is set already.
static bool stopped(const struct openai_reading *x, const struct json_reader *r) {
    return json_ok(r) ? false : json_error(r, x->err);
}

bool openai_members(struct openai_reading *x, struct json_reader *r, const struct openai_member *table, size_t count,
                    const char *prefix, struct str *out_raws) {
    struct str key;
    enum json_kind kind;
    uint64_t seen = 0;
    INVARIANT(count <= OPENAI_MEMBERS_MAX);
    for (size_t i = 0; i < count; i++) out_raws[i] = STR_NONE;
    if (!json_enter_object(r)) return openai_wrong(x, STR(""), "must be an object");
    while (json_member(r, &key, &kind)) {
        size_t i = find(table, count, key);
        if (i == count) {
            if (!unknown(x, r, key, prefix)) return stopped(x, r);
            continue;
        }
        if (seen >> i & 1) return openai_wrong(x, table[i].name, "is given twice");
        seen |= 1ULL << i;
        if (kind == JSON_NULL) continue;
        if (table[i].kinds && !(table[i].kinds & JSON_IS(kind)))
            return openai_wrong(x, table[i].name, kinds_text(table[i].kinds));
        if (table[i].read ? !table[i].read(x, r) : !json_skip(r, &out_raws[i])) return stopped(x, r);
    }
    return json_ok(r) || json_error(r, x->err);
}

bool openai_members_of(struct openai_reading *x, struct str object, const struct openai_member *table, size_t count,
                       const char *prefix, struct str *out_raws) {
    struct json_reader r;
    json_reader_init(&r, object, JSON_DEPTH_MAX);
    return openai_members(x, &r, table, count, prefix, out_raws);
}

bool openai_grow(struct arena *arena, void **array, size_t n, size_t *cap, size_t size) {
    if (n < *cap) return true;
    size_t want = *cap ? *cap * 2 : 1; // most messages have one part, and parts are large
    void *p = arena_alloc(arena, want * size);
    if (!p) return false;
    if (n) memcpy(p, *array, n * size);
    *array = p;
    *cap = want;
    return true;
}

struct chat_part *openai_part_add(struct openai_reading *x, struct openai_part_list *list) {
    void *p = list->p;
    if (!openai_grow(x->arena, &p, list->n, &list->cap, sizeof *list->p)) {
        err_no_memory(x->err);
        return NULL;
    }
    list->p = p;
    list->p[list->n] = (struct chat_part){.kind = CHAT_TEXT};
    return &list->p[list->n++];
}
