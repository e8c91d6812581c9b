// Rows of entities from JSON, and as JSON.
#include "store/entity_impl.h"

#include "base/json_read.h"
#include "base/utf8.h"
#include "conf/opt.h"

#define NANO 1000000000
#define VALUE_MAX ((size_t)1 << 20) // of a list or map, as text

// --- reading ---

static bool is_number_type(enum entity_type type) {
    return type == ENTITY_I64 || type == ENTITY_DURATION || type == ENTITY_MONEY || type == ENTITY_AMOUNT;
}

static bool wrong_kind(const struct entity_field *f, enum json_kind kind, struct err *err) {
    static const char *const names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
    static const char *const wanted[] = {
        [ENTITY_TEXT] = "a string",
        [ENTITY_I64] = "a whole number",
        [ENTITY_BOOL] = "a boolean",
        [ENTITY_TIME] = "a time in a string, or null",
        [ENTITY_DURATION] = "a length of time such as \"30d\", or seconds",
        [ENTITY_MONEY] = "a number",
        [ENTITY_AMOUNT] = "a number",
        [ENTITY_BLOB] = "nothing",
        [ENTITY_ENUM] = "a string",
        [ENTITY_REF] = "an id or a name in a string",
        [ENTITY_ANY_REF] = "an id in a string",
        [ENTITY_LIST] = "an array of strings",
        [ENTITY_NUMBERS] = "an array of numbers",
        [ENTITY_MAP] = "an object of strings",
    };
    err_set(err, ERR_INVALID_FIELD, "%.*s: expected %s, not %s", STR_ARG(f->name), wanted[f->type], names[kind]);
    snprintf(err->param, sizeof err->param, "%.*s", STR_ARG(f->name));
    return false;
}

static bool keep(struct buf *text, struct arena *arena, struct str *out, struct err *err) {
    struct str copy = text->failed ? STR_NONE : arena_str(arena, buf_str(text));
    *out = copy;
    return copy.p || err_no_memory(err);
}

static bool read_item(const struct entity_field *f, struct json_reader *r, struct json_writer *w, struct arena *arena,
                      struct err *err) {
    struct str raw, text;
    enum json_kind kind;
    if (!json_peek(r, &kind)) return json_error(r, err);
    if (f->type == ENTITY_NUMBERS) {
        int64_t v;
        if (kind != JSON_NUMBER) return wrong_kind(f, kind, err);
        if (!json_i64(r, &v) || v < f->min || (f->max && v > f->max))
            return entity_field_wrong(err, f, STR("another number"), f->help);
        json_put_i64(w, v);
        return true;
    }
    if (kind != JSON_STRING) return wrong_kind(f, kind, err);
    if (!json_string(r, &raw)) return json_error(r, err);
    if (!json_string_text(raw, arena, &text)) return err_no_memory(err);
    if (text.n == 0 || text.n > ENTITY_ITEM_MAX) return entity_field_wrong(err, f, text, "items of 1 to 256 bytes");
    const char *expected = f->check ? f->check(text) : NULL;
    for (size_t i = 0; !expected && i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20) expected = "texts without control characters";
    if (expected) return entity_field_wrong(err, f, text, expected);
    json_put_str(w, text);
    return true;
}

static bool read_list(const struct entity_field *f, struct str raw, struct arena *arena, struct entity_value *out,
                      struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(VALUE_MAX);
    struct json_reader r;
    struct json_writer w;
    enum json_kind kind;
    size_t n = 0, most = f->type == ENTITY_LIST && f->max ? (size_t)f->max : ENTITY_ITEMS_MAX;
    json_reader_init(&r, raw, 4);
    json_writer_init(&w, &text);
    if (!json_enter_array(&r)) return json_error(&r, err);
    json_put_array(&w);
    while (json_element(&r, &kind)) {
        if (++n > most) return entity_field_wrong(err, f, STR("more"), "fewer items");
        if (!read_item(f, &r, &w, arena, err)) return false;
    }
    json_put_array_end(&w);
    return json_end(&r, err) && keep(&text, arena, &out->s, err);
}

static bool map_part(const struct entity_field *f, struct str raw, size_t min, size_t max, struct arena *arena,
                     struct str *out_text, struct err *err) {
    if (!json_string_text(raw, arena, out_text)) return err_no_memory(err);
    bool ok = out_text->n >= min && out_text->n <= max;
    for (size_t i = 0; ok && i < out_text->n; i++) ok = (unsigned char)out_text->p[i] >= 0x20;
    return ok || entity_field_wrong(err, f, str_head(*out_text, 60),
                                    "keys of 1 to 64 bytes and values of at most 256, without control characters");
}

static bool read_map(const struct entity_field *f, struct str raw, struct arena *arena, struct entity_value *out,
                     struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(VALUE_MAX);
    struct str keys[ENTITY_PAIRS_MAX], key_raw, value_raw, value;
    struct json_reader r;
    struct json_writer w;
    enum json_kind kind;
    size_t n = 0;
    json_reader_init(&r, raw, 4);
    json_writer_init(&w, &text);
    if (!json_enter_object(&r)) return json_error(&r, err);
    json_put_object(&w);
    while (json_member(&r, &key_raw, &kind)) {
        if (n == ENTITY_PAIRS_MAX) return entity_field_wrong(err, f, STR("more"), "at most 64 pairs");
        if (kind != JSON_STRING) return wrong_kind(f, kind, err);
        if (!json_string(&r, &value_raw)) return json_error(&r, err);
        if (!map_part(f, key_raw, 1, ENTITY_MAP_KEY_MAX, arena, &keys[n], err) ||
            !map_part(f, value_raw, 0, ENTITY_ITEM_MAX, arena, &value, err))
            return false;
        for (size_t i = 0; i < n; i++)
            if (str_eq(keys[i], keys[n])) return entity_field_wrong(err, f, keys[n], "each key once");
        json_put_member_str(&w, keys[n++], value);
    }
    json_put_object_end(&w);
    return json_end(&r, err) && keep(&text, arena, &out->s, err);
}

static bool fits_kind(const struct entity_field *f, enum json_kind kind) {
    if (f->type == ENTITY_LIST || f->type == ENTITY_NUMBERS) return kind == JSON_ARRAY;
    if (f->type == ENTITY_MAP) return kind == JSON_OBJECT;
    if (f->type == ENTITY_BOOL) return kind == JSON_BOOL;
    if (f->type == ENTITY_I64) return kind == JSON_NUMBER;
    return kind == JSON_STRING || (is_number_type(f->type) && kind == JSON_NUMBER);
}

static bool read_value(struct sql_scope scope, const struct entity_field *f, struct str raw, struct arena *arena,
                       struct entity_value *out, struct err *err) {
    enum json_kind kind = json_raw_kind(raw);
    struct str text = raw;
    *out = (struct entity_value){0};
    if (kind == JSON_NULL) {
        bool may = !(f->flags & ENTITY_REQUIRED) && f->type != ENTITY_BOOL && f->type != ENTITY_ENUM;
        if (f->type == ENTITY_MAP) out->s = STR("{}");
        if ((f->type == ENTITY_LIST || f->type == ENTITY_NUMBERS) && !(f->flags & ENTITY_NULL)) out->s = STR("[]");
        return may || wrong_kind(f, kind, err);
    }
    if (!fits_kind(f, kind)) return wrong_kind(f, kind, err);
    if (kind == JSON_ARRAY) return read_list(f, raw, arena, out, err);
    if (kind == JSON_OBJECT) return read_map(f, raw, arena, out, err);
    if (kind == JSON_STRING && !json_string_text(raw, arena, &text)) return err_no_memory(err);
    return entity_value_parse(scope, f, text, arena, out, err);
}

// The number was read as if it were money.
static bool scale_amount(const struct entity *e, struct entity_row *row, size_t i, struct err *err) {
    const struct entity_field *f = &e->fields[i];
    struct entity_value *v = &row->v[i];
    char text[32];
    if (f->type != ENTITY_AMOUNT) return true;
    bool money = str_eq(entity_at(e, row, "metric")->s, STR("cost"));
    struct str shown = entity_decimal(text, v->i);
    if (!money && v->i % NANO) return entity_field_wrong(err, f, shown, "a whole number");
    if (!money) v->i /= NANO;
    return v->i >= f->min || entity_field_wrong(err, f, shown, "more than 0");
}

static bool unknown_field(const struct entity *e, struct str raw_key, struct arena *arena, struct err *err) {
    struct str name = STR_NONE;
    if (!json_string_text(raw_key, arena, &name)) return err_no_memory(err);
    name = utf8_head(name, 60);
    struct str near = entity_field_near(e, name);
    err_set(err, ERR_INVALID_FIELD, "%.*s has no field \"%.*s\"%s%.*s%s", STR_ARG(e->title), STR_ARG(name),
            near.n ? "; did you mean \"" : "", STR_ARG(near), near.n ? "\"?" : "");
    snprintf(err->param, sizeof err->param, "%.*s", STR_ARG(name));
    return false;
}

static bool may_set(const struct entity *e, const struct entity_field *f, bool creating, struct err *err) {
    const char *why = f->flags & ENTITY_READ_ONLY                    ? "it is set by the server"
                      : !creating && (f->flags & ENTITY_CREATE_ONLY) ? "it cannot be changed afterwards"
                                                                     : NULL;
    if (!why) return true;
    err_set(err, ERR_INVALID_FIELD, "%.*s of a %.*s cannot be set: %s", STR_ARG(f->name), STR_ARG(e->name), why);
    snprintf(err->param, sizeof err->param, "%.*s", STR_ARG(f->name));
    return false;
}

// The raw value of each field that the text gives; unknown ones and second copies are refused.
static bool collect(const struct entity *e, struct str json, bool creating, struct arena *arena, struct str *raws,
                    struct err *err) {
    struct json_reader r;
    struct str key, raw;
    enum json_kind kind;
    json_reader_init(&r, json, 16);
    if (!json_enter_object(&r)) return json_error(&r, err);
    while (json_member(&r, &key, &kind)) {
        size_t i = 0;
        while (i < e->n && (e->fields[i].flags & ENTITY_HIDDEN || !json_string_eq(key, e->fields[i].name))) i++;
        if (i == e->n) return unknown_field(e, key, arena, err);
        if (!may_set(e, &e->fields[i], creating, err)) return false;
        if (!json_skip(&r, &raw)) return json_error(&r, err);
        if (raws[i].p) return entity_field_wrong(err, &e->fields[i], STR("a second one"), "each field once");
        raws[i] = raw;
    }
    return json_end(&r, err);
}

static bool absent(struct sql_scope scope, const struct entity_field *f, struct arena *arena, struct entity_value *out,
                   struct err *err) {
    *out = (struct entity_value){0};
    if (f->type == ENTITY_MAP) out->s = STR("{}");
    if ((f->type == ENTITY_LIST || f->type == ENTITY_NUMBERS) && !(f->flags & ENTITY_NULL)) out->s = STR("[]");
    if (f->fallback && (f->type == ENTITY_LIST || f->type == ENTITY_NUMBERS))
        out->s = str_c(f->fallback);
    else if (f->fallback)
        return entity_value_parse(scope, f, str_c(f->fallback), arena, out, err);
    if (!(f->flags & ENTITY_REQUIRED)) return true;
    err_set(err, ERR_MISSING_FIELD, "%.*s is missing: %s", STR_ARG(f->name), f->help);
    snprintf(err->param, sizeof err->param, "%.*s", STR_ARG(f->name));
    return false;
}

bool entity_read_json(struct sql_scope scope, const struct entity *e, struct str json, bool creating,
                      struct arena *arena, struct entity_row *row, struct err *err) {
    struct str raws[ENTITY_FIELDS_MAX] = {{NULL, 0}};
    if (!collect(e, json, creating, arena, raws, err)) return false;
    for (size_t i = 0; i < e->n; i++) {
        const struct entity_field *f = &e->fields[i];
        bool given = raws[i].p != NULL;
        if (given && (!read_value(scope, f, raws[i], arena, &row->v[i], err) || !scale_amount(e, row, i, err)))
            return false;
        // What the server sets was put into the row before.
        if (!given && creating && !(f->flags & ENTITY_READ_ONLY) && !absent(scope, f, arena, &row->v[i], err))
            return false;
        row->v[i].given = given;
    }
    return true;
}

// --- writing ---

static void put_time(struct json_writer *w, int64_t ns) {
    char text[TIME_TEXT_LEN];
    if (!ns) {
        json_put_null(w);
        return;
    }
    time_text(text, ns);
    json_put_str(w, str_of(text, sizeof text));
}

static void put_ref(struct json_writer *w, const struct entity *e, struct str kind, int64_t id) {
    char text[ENTITY_ID_TEXT_MAX];
    if (e && id)
        json_put_str(w, entity_id_text(e, id, text));
    else if (kind.n)
        json_put_str(w, kind);
    else
        json_put_null(w);
}

static bool shows_money(const struct entity *e, const struct entity_row *row, const struct entity_field *f) {
    size_t metric = entity_field_index(e, STR("metric"));
    return f->type == ENTITY_MONEY || (metric < e->n && str_eq(row->v[metric].s, STR("cost")));
}

static void put_value(struct json_writer *w, const struct entity *e, const struct entity_row *row, size_t i) {
    const struct entity_field *f = &e->fields[i];
    const struct entity_value *v = &row->v[i];
    char text[32];
    switch (f->type) {
    case ENTITY_TEXT:
    case ENTITY_ENUM:
        if (!v->s.n && f->flags & ENTITY_NULL)
            json_put_null(w);
        else
            json_put_str(w, v->s.n || !f->empty ? v->s : str_c(f->empty));
        return;
    case ENTITY_I64:
        json_put_i64(w, v->i);
        return;
    case ENTITY_BOOL:
        json_put_bool(w, v->i != 0);
        return;
    case ENTITY_TIME:
        put_time(w, v->i);
        return;
    case ENTITY_DURATION:
        if (v->i)
            json_put_str(w, entity_duration(text, v->i));
        else
            json_put_null(w);
        return;
    case ENTITY_MONEY:
    case ENTITY_AMOUNT:
        if (shows_money(e, row, f))
            json_put_raw(w, entity_decimal(text, v->i));
        else
            json_put_i64(w, v->i);
        return;
    case ENTITY_REF:
        put_ref(w, f->ref, STR_NONE, v->i);
        return;
    case ENTITY_ANY_REF:
        put_ref(w, entity_find(v->s), v->s, v->i);
        return;
    case ENTITY_LIST:
    case ENTITY_NUMBERS:
    case ENTITY_MAP:
        if (v->s.n)
            json_put_raw(w, v->s);
        else
            json_put_null(w);
        return;
    case ENTITY_BLOB:
        json_put_null(w);
        return;
    }
}

static bool is_wanted(struct str only, struct str name) {
    struct str one;
    if (!only.n) return true;
    while (str_split(&only, ',', &one))
        if (str_eq(str_trim(one), name)) return true;
    return false;
}

void entity_put_members(struct json_writer *w, const struct entity *e, const struct entity_row *row, struct str only) {
    char id[ENTITY_ID_TEXT_MAX], tenant[ENTITY_ID_TEXT_MAX];
    if (is_wanted(only, STR("id"))) json_put_member_str(w, STR("id"), entity_id_text(e, row->id, id));
    if (e != &entity_tenant && is_wanted(only, STR("tenant_id")))
        json_put_member_str(w, STR("tenant_id"), entity_id_text(&entity_tenant, row->tenant_id, tenant));
    for (size_t i = 0; i < e->n; i++) {
        if (e->fields[i].flags & ENTITY_HIDDEN || !is_wanted(only, e->fields[i].name)) continue;
        json_put_key(w, e->fields[i].name);
        put_value(w, e, row, i);
    }
    if (is_wanted(only, STR("version"))) json_put_member_i64(w, STR("version"), row->version);
    if (is_wanted(only, STR("created_at"))) {
        json_put_key(w, STR("created_at"));
        put_time(w, row->created_at);
    }
    if (is_wanted(only, STR("updated_at"))) {
        json_put_key(w, STR("updated_at"));
        put_time(w, row->updated_at);
    }
}

void entity_put_json(struct json_writer *w, const struct entity *e, const struct entity_row *row, struct str only) {
    json_put_object(w);
    entity_put_members(w, e, row, only);
    json_put_object_end(w);
}

bool entity_check_only(const struct entity *e, struct str only, const char *more, struct err *err) {
    struct str one, list, known;
    while (only.n && str_split(&only, ',', &one)) {
        one = str_trim(one);
        size_t i = entity_field_index(e, one);
        bool ok = i < e->n && !(e->fields[i].flags & ENTITY_HIDDEN);
        list = more ? str_c(more) : STR("");
        while (!ok && str_split(&list, ' ', &known)) ok = known.n && str_eq(known, one);
        list = STR("id tenant_id version created_at updated_at");
        while (!ok && str_split(&list, ' ', &known)) ok = str_eq(known, one);
        if (ok) continue;
        struct str near = entity_field_near(e, one);
        err_set(err, ERR_INVALID_FIELD, "fields: %.*s has no \"%.*s\"%s%.*s%s", STR_ARG(e->title),
                STR_ARG(utf8_head(one, 60)), near.n ? "; did you mean \"" : "", STR_ARG(near), near.n ? "\"?" : "");
        snprintf(err->param, sizeof err->param, "fields");
        return false;
    }
    return true;
}
