// The JSON Schema (2020-12) of an entity, from its table of fields.
#include "store/entity_impl.h"

#include "base/json_read.h"

static void put_type(struct json_writer *w, const char *type, bool null) {
    json_put_key(w, STR("type"));
    if (!null) {
        json_put_str(w, str_c(type));
        return;
    }
    json_put_array(w);
    json_put_str(w, str_c(type));
    json_put_str(w, STR("null"));
    json_put_array_end(w);
}

static void put_bounds(struct json_writer *w, const struct entity_field *f) {
    json_put_member_i64(w, STR("minimum"), f->min);
    if (f->max) json_put_member_i64(w, STR("maximum"), f->max);
}

static void put_names(struct json_writer *w, const char *const *names) {
    json_put_member_array(w, STR("enum"));
    for (; *names; names++) json_put_str(w, str_c(*names));
    json_put_array_end(w);
}

static void put_text(struct json_writer *w, const struct entity_field *f) {
    put_type(w, "string", f->flags & ENTITY_NULL);
    if (f->min) json_put_member_i64(w, STR("minLength"), 1);
    json_put_member_i64(w, STR("maxLength"), f->max ? f->max : ENTITY_TEXT_MAX);
}

static void put_items(struct json_writer *w, const struct entity_field *f) {
    bool numbers = f->type == ENTITY_NUMBERS;
    put_type(w, "array", f->flags & ENTITY_NULL);
    json_put_member_i64(w, STR("maxItems"), !numbers && f->max ? f->max : ENTITY_ITEMS_MAX);
    json_put_member_object(w, STR("items"));
    put_type(w, numbers ? "integer" : "string", false);
    if (numbers) put_bounds(w, f);
    json_put_object_end(w);
}

static void put_map(struct json_writer *w) {
    put_type(w, "object", false);
    json_put_member_i64(w, STR("maxProperties"), ENTITY_PAIRS_MAX);
    json_put_member_object(w, STR("additionalProperties"));
    put_type(w, "string", false);
    json_put_object_end(w);
}

static void put_amount(struct json_writer *w, const struct entity_field *f, bool read) {
    if (read) {
        put_type(w, "number", false);
        json_put_member_i64(w, STR("minimum"), f->min > 0 ? 0 : f->min);
        return;
    }
    json_put_member_array(w, STR("type"));
    json_put_str(w, STR("number"));
    json_put_str(w, STR("string"));
    json_put_array_end(w);
}

static void put_kind(struct json_writer *w, const struct entity_field *f, bool read) {
    bool optional = !(f->flags & ENTITY_REQUIRED);
    switch (f->type) {
    case ENTITY_TEXT:
        put_text(w, f);
        return;
    case ENTITY_I64:
        put_type(w, "integer", false);
        put_bounds(w, f);
        return;
    case ENTITY_BOOL:
        put_type(w, "boolean", false);
        return;
    case ENTITY_TIME:
        put_type(w, "string", optional);
        json_put_member_str(w, STR("format"), STR("date-time"));
        return;
    case ENTITY_DURATION:
        if (read) {
            put_type(w, "string", true);
            return;
        }
        json_put_member_raw(w, STR("type"), STR("[\"string\",\"integer\",\"null\"]"));
        return;
    case ENTITY_MONEY:
    case ENTITY_AMOUNT:
        put_amount(w, f, read);
        return;
    case ENTITY_ENUM:
        put_type(w, "string", false);
        put_names(w, f->names);
        return;
    case ENTITY_REF:
    case ENTITY_ANY_REF:
        put_type(w, "string", optional);
        return;
    case ENTITY_LIST:
    case ENTITY_NUMBERS:
        put_items(w, f);
        return;
    case ENTITY_MAP:
        put_map(w);
        return;
    case ENTITY_BLOB:
        put_type(w, "string", false);
        return;
    }
}

static void put_default(struct json_writer *w, const struct entity_field *f) {
    struct str text = str_c(f->fallback);
    if (!f->fallback) return;
    bool raw = f->type == ENTITY_LIST || f->type == ENTITY_NUMBERS || f->type == ENTITY_BOOL || f->type == ENTITY_I64;
    if (raw)
        json_put_member_raw(w, STR("default"), text);
    else
        json_put_member_str(w, STR("default"), text);
}

static void put_example(struct json_writer *w, const struct entity_field *f) {
    struct err ignored;
    struct str text = str_c(f->example);
    bool string = f->type == ENTITY_TEXT || f->type == ENTITY_ENUM || f->type == ENTITY_REF ||
                  f->type == ENTITY_ANY_REF || f->type == ENTITY_TIME || f->type == ENTITY_DURATION;
    if (!text.n) return;
    json_put_member_array(w, STR("examples"));
    if (!string && json_validate(text, 0, &ignored))
        json_put_raw(w, text);
    else
        json_put_str(w, text);
    json_put_array_end(w);
}

void entity_put_field_schema(struct json_writer *w, const struct entity_field *f, bool read) {
    json_put_object(w);
    put_kind(w, f, read);
    if (f->help) json_put_member_str(w, STR("description"), str_c(f->help));
    if (!read) put_default(w, f);
    put_example(w, f);
    if (read && f->flags & ENTITY_READ_ONLY) json_put_member_bool(w, STR("readOnly"), true);
    json_put_object_end(w);
}

static bool is_in(const struct entity_field *f, enum entity_schema which) {
    if (f->flags & ENTITY_HIDDEN) return false;
    if (which != ENTITY_SCHEMA_ROW && f->flags & ENTITY_READ_ONLY) return false;
    return which != ENTITY_SCHEMA_CHANGE || !(f->flags & ENTITY_CREATE_ONLY);
}

static void put_required(struct json_writer *w, const struct entity *e, enum entity_schema which) {
    bool any = false;
    for (size_t i = 0; i < e->n; i++)
        any = any || (which == ENTITY_SCHEMA_CREATE && e->fields[i].flags & ENTITY_REQUIRED);
    if (!any) return;
    json_put_member_array(w, STR("required"));
    for (size_t i = 0; i < e->n; i++)
        if (e->fields[i].flags & ENTITY_REQUIRED && is_in(&e->fields[i], which)) json_put_str(w, e->fields[i].name);
    json_put_array_end(w);
}

static void put_common(struct json_writer *w, const struct entity *e, bool before) {
    if (before) {
        json_put_member_raw(w, STR("id"), STR("{\"type\":\"string\",\"readOnly\":true}"));
        if (e != &entity_tenant)
            json_put_member_raw(w, STR("tenant_id"), STR("{\"type\":\"string\",\"readOnly\":true}"));
        return;
    }
    json_put_member_raw(w, STR("version"),
                        STR("{\"type\":\"integer\",\"readOnly\":true,\"description\":\"Grows by one with each change; "
                            "the ETag\"}"));
    static const char time[] = "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\",\"readOnly\":true}";
    json_put_member_raw(w, STR("created_at"), str_c(time));
    json_put_member_raw(w, STR("updated_at"), str_c(time));
}

void entity_put_schema(struct json_writer *w, const struct entity *e, enum entity_schema which, struct str more) {
    bool row = which == ENTITY_SCHEMA_ROW;
    json_put_object(w);
    json_put_member_str(w, STR("type"), STR("object"));
    if (e->help && row) json_put_member_str(w, STR("description"), str_c(e->help));
    json_put_member_object(w, STR("properties"));
    if (row) put_common(w, e, true);
    for (size_t i = 0; i < e->n; i++) {
        if (!is_in(&e->fields[i], which)) continue;
        json_put_key(w, e->fields[i].name);
        entity_put_field_schema(w, &e->fields[i], row);
    }
    if (row) put_common(w, e, false);
    if (row && more.n) {
        // Members with their keys, as text.
        buf_putc(w->out, ',');
        buf_put(w->out, more);
    }
    json_put_object_end(w);
    put_required(w, e, which);
    if (!row) json_put_member_bool(w, STR("additionalProperties"), false);
    json_put_object_end(w);
}
