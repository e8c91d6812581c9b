// What the readers of requests share: members wanted and unknown, lists, and errors that name their place.
#include "model/anthropic/anthropic.h"

#include <stdio.h>

static bool set_param(struct anthropic_reading *r, const char *member) {
    const char *dot = r->path[0] && member[0] ? "." : "";
    char text[256];
    snprintf(text, sizeof text, "%s%s%s", r->path, dot, member);
    snprintf(r->err->param, sizeof r->err->param, "%.*s", (int)sizeof r->err->param - 1, text);
    return false;
}

bool anthropic_wrong(struct anthropic_reading *r, const char *member, const char *what) {
    err_set(r->err, ERR_INVALID_FIELD, "%s", what);
    set_param(r, member);
    return err_wrap(r->err, "%s", r->err->param);
}

static bool missing(struct anthropic_reading *r, struct str member) {
    char name[48];
    snprintf(name, sizeof name, "%.*s", STR_ARG(member));
    err_set(r->err, ERR_MISSING_FIELD, "this field is required");
    set_param(r, name);
    return err_wrap(r->err, "%s", r->err->param);
}

void anthropic_not_known(struct anthropic_reading *r, struct str prefix, struct str name) {
    struct chat *chat = r->chat;
    if (chat->other_count == CHAT_OTHERS_MAX) return;
    struct str full = arena_printf(r->arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(str_head(name, 100)));
    for (size_t i = 0; i < chat->other_count; i++)
        if (str_eq(chat->others[i], full)) return;
    if (chat->other_count < CHAT_OTHERS_MAX && full.n) chat->others[chat->other_count++] = full;
}

static struct json_field *wanted(struct json_field *fields, size_t n, struct str key) {
    for (size_t i = 0; i < n; i++)
        if (json_string_eq(key, fields[i].name)) return &fields[i];
    return NULL;
}

static bool take(struct anthropic_reading *r, struct json_field *f, enum json_kind kind, struct str raw) {
    char name[48];
    snprintf(name, sizeof name, "%.*s", STR_ARG(f->name));
    if (f->found) return anthropic_wrong(r, name, "this field is there twice");
    if (kind == JSON_NULL && !f->required) return true;
    if (f->kinds && !(f->kinds & JSON_IS(kind))) return anthropic_wrong(r, name, "it has the wrong type");
    f->found = true;
    f->kind = kind;
    f->raw = raw;
    return true;
}

bool anthropic_members(struct anthropic_reading *r, struct str raw, struct str prefix, struct json_field *fields,
                       size_t n) {
    struct json_reader in;
    struct str key, value, name;
    enum json_kind kind;
    json_reader_init(&in, raw, JSON_DEPTH_MAX);
    if (!json_enter_object(&in)) return anthropic_wrong(r, "", "an object was expected");
    while (json_member(&in, &key, &kind)) {
        if (!json_skip(&in, &value)) break;
        struct json_field *f = wanted(fields, n, key);
        if (f && !take(r, f, kind, value)) return false;
        if (!f && kind != JSON_NULL && json_string_text(key, r->arena, &name)) anthropic_not_known(r, prefix, name);
    }
    if (!json_end(&in, r->err)) return set_param(r, "");
    for (size_t i = 0; i < n; i++)
        if (fields[i].required && !fields[i].found) return missing(r, fields[i].name);
    return true;
}

bool anthropic_is(const struct json_field *field, struct str text) {
    return field->found && field->kind == JSON_STRING && json_string_eq(field->raw, text);
}

static bool each_element(struct anthropic_reading *r, struct str array, struct str *list, size_t *out_count) {
    struct json_reader in;
    enum json_kind kind;
    struct str raw;
    size_t n = 0;
    json_reader_init(&in, array, JSON_DEPTH_MAX);
    if (!json_enter_array(&in)) return anthropic_wrong(r, "", "a list was expected");
    while (json_element(&in, &kind)) {
        if (!json_skip(&in, &raw)) break;
        if (list) list[n] = raw;
        n++;
    }
    *out_count = n;
    return json_end(&in, r->err) || set_param(r, "");
}

bool anthropic_elements(struct anthropic_reading *r, struct str array, struct str **out_list, size_t *out_count) {
    size_t n;
    if (!each_element(r, array, NULL, &n)) return false;
    *out_list = ARENA_ARRAY(r->arena, struct str, n + 1);
    if (!*out_list) return err_no_memory(r->err);
    return each_element(r, array, *out_list, out_count);
}
