// One value of an entity's field from its text: numbers, times, durations, money, references.
#include "store/entity_impl.h"

#include "base/utf8.h"
#include "conf/opt.h"

#define NANO 1000000000

bool entity_field_wrong(struct err *err, const struct entity_field *f, struct str got, const char *expected) {
    err_set(err, ERR_INVALID_FIELD, "%.*s: expected %s, not \"%.*s\"", STR_ARG(f->name), expected,
            STR_ARG(utf8_head(got, 60)));
    snprintf(err->param, sizeof err->param, "%.*s", STR_ARG(f->name));
    return false;
}

// --- texts ---

static const char *check_text(struct str text, int64_t min, int64_t max) {
    if (text.n > (size_t)max) return "a shorter text";
    if (text.n < (size_t)min) return min == 1 ? "a text that is not empty" : "a longer text";
    if (!utf8_valid(text)) return "UTF-8";
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f) return "a text without control characters";
    return NULL;
}

static bool parse_text(const struct entity_field *f, struct str text, struct entity_value *out, struct err *err) {
    const char *expected = check_text(text, f->min, f->max ? f->max : ENTITY_TEXT_MAX);
    if (!expected && f->check && text.n) expected = f->check(text);
    if (expected) return entity_field_wrong(err, f, text, expected);
    out->s = text;
    return true;
}

static bool parse_enum(const struct entity_field *f, struct str text, struct entity_value *out, struct err *err) {
    struct str names[64];
    char expected[300] = "one of ";
    size_t n = 0, at = strlen(expected);
    for (; f->names[n] && n < ARRAY_LEN(names); n++) {
        names[n] = str_c(f->names[n]);
        if (str_eq(names[n], text)) {
            out->s = names[n];
            return true;
        }
        int len = snprintf(expected + at, sizeof expected - at, "%s%s", n ? ", " : "", f->names[n]);
        at = MIN(at + (size_t)len, sizeof expected - 1);
    }
    return entity_field_wrong(err, f, text, expected);
}

// --- numbers ---

static bool in_range(const struct entity_field *f, int64_t v, struct str text, struct err *err) {
    char expected[80];
    if (v >= f->min && (!f->max || v <= f->max)) return true;
    if (f->max)
        snprintf(expected, sizeof expected, "a number from %lld to %lld", (long long)f->min, (long long)f->max);
    else
        snprintf(expected, sizeof expected, "a number from %lld on", (long long)f->min);
    return entity_field_wrong(err, f, text, expected);
}

// Digits with up to nine behind the point, exactly.
static bool parse_decimal(struct str text, int64_t *out_nano) {
    size_t dot = str_find_char(text, '.');
    struct str whole = str_head(text, dot), part = str_from(text, dot + 1);
    uint64_t units, frac = 0;
    int64_t v;
    if (!str_to_u64(whole, &units) || units > INT64_MAX / NANO) return false;
    if (dot < text.n && (part.n == 0 || part.n > 9 || !str_to_u64(part, &frac))) return false;
    for (size_t i = part.n; i < 9; i++) frac *= 10;
    if (__builtin_add_overflow((int64_t)units * NANO, (int64_t)frac, &v)) return false;
    *out_nano = v;
    return true;
}

struct str entity_decimal(char out[32], int64_t nano) {
    uint64_t v = nano < 0 ? 0 - (uint64_t)nano : (uint64_t)nano;
    int n = snprintf(out, 32, "%s%llu.%09llu", nano < 0 ? "-" : "", (unsigned long long)(v / NANO),
                     (unsigned long long)(v % NANO));
    while (n > 0 && out[n - 1] == '0') n--;
    if (n > 0 && out[n - 1] == '.') n--;
    return str_of(out, (size_t)n);
}

static const struct {
    char unit;
    int64_t seconds;
} k_units[] = {{'w', 604800}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

static bool parse_duration(struct str text, int64_t *out_seconds) {
    int64_t each = 1;
    uint64_t v;
    for (size_t i = 0; text.n && i < ARRAY_LEN(k_units); i++)
        if (text.p[text.n - 1] == k_units[i].unit) each = k_units[i].seconds;
    if (text.n && (text.p[text.n - 1] < '0' || text.p[text.n - 1] > '9')) {
        if (each == 1 && text.p[text.n - 1] != 's') return false;
        text.n--;
    }
    if (!str_to_u64(text, &v) || v > (uint64_t)(INT64_MAX / 1000000000 / each)) return false;
    *out_seconds = (int64_t)v * each;
    return true;
}

struct str entity_duration(char out[32], int64_t seconds) {
    size_t i = 1; // weeks are read but not written: days are clearer
    while (i + 1 < ARRAY_LEN(k_units) && seconds % k_units[i].seconds) i++;
    int n = snprintf(out, 32, "%lld%c", (long long)(seconds / k_units[i].seconds), k_units[i].unit);
    return str_of(out, (size_t)n);
}

// --- references ---

static bool find_ref(struct sql_scope scope, const struct entity_field *f, const struct entity *e, struct str text,
                     struct arena *arena, int64_t *out_id, struct err *err) {
    struct entity_row *row = ARENA_NEW(arena, struct entity_row);
    char expected[100];
    int64_t id;
    if (!row) return err_no_memory(err);
    if (f->flags & ENTITY_FOREIGN && entity_id_parse(e, text, &id)) {
        *out_id = id;
        return true;
    }
    if (entity_resolve_ref(scope, e, text, arena, row, err)) {
        *out_id = row->id;
        return true;
    }
    if (err->code != ERR_NOT_FOUND) return false;
    snprintf(expected, sizeof expected, "the id or name of a %.*s that there is", STR_ARG(e->name));
    return entity_field_wrong(err, f, text, expected);
}

// "user_0…", "user/ada@example.com", or a kind alone.
static bool parse_any_ref(struct sql_scope scope, const struct entity_field *f, struct str text, struct arena *arena,
                          struct entity_value *out, struct err *err) {
    size_t slash = str_find_char(text, '/');
    for (size_t i = 0; f->names[i]; i++) {
        struct str kind = str_c(f->names[i]);
        const struct entity *e = entity_find(kind);
        int64_t id = 0;
        bool by_name = slash < text.n && str_eq(str_head(text, slash), kind);
        bool alone = str_eq(text, kind);
        if (alone && e && e != &entity_tenant) break;
        if (alone)
            id = e ? scope.tenant : 0;
        else if (!e || (!by_name && !entity_id_parse(e, text, &id)))
            continue;
        else if (!find_ref(scope, f, e, by_name ? str_from(text, slash + 1) : text, arena, &id, err))
            return false;
        *out = (struct entity_value){.s = kind, .i = id};
        return true;
    }
    char expected[200] = "an id, or KIND/NAME, of ";
    size_t at = strlen(expected);
    for (size_t i = 0; f->names[i]; i++) {
        int len = snprintf(expected + at, sizeof expected - at, "%s%s", i ? ", " : "", f->names[i]);
        at = MIN(at + (size_t)len, sizeof expected - 1);
    }
    return entity_field_wrong(err, f, text, expected);
}

// --- all of them ---

static bool parse_bool(const struct entity_field *f, struct str text, struct entity_value *out, struct err *err) {
    if (!str_eq(text, STR("true")) && !str_eq(text, STR("false")))
        return entity_field_wrong(err, f, text, "true or false");
    out->i = str_eq(text, STR("true"));
    return true;
}

static bool parse_number(const struct entity_field *f, struct str text, struct entity_value *out, struct err *err) {
    const char *expected = NULL;
    switch (f->type) {
    case ENTITY_TIME:
        if (!time_parse(text, &out->i) || out->i < 0) expected = "a time such as 2026-12-31T23:59:59Z";
        break;
    case ENTITY_DURATION:
        if (!parse_duration(text, &out->i)) expected = "a length of time such as 30d, 12h or 90 (seconds)";
        break;
    case ENTITY_MONEY:
    case ENTITY_AMOUNT: // scaled when it is known what it counts
        if (!parse_decimal(text, &out->i)) expected = "an amount such as 100 or 12.50";
        break;
    default:
        if (!str_to_i64(text, &out->i)) expected = "a whole number";
    }
    if (expected) return entity_field_wrong(err, f, text, expected);
    bool bounded = f->type != ENTITY_TIME && f->type != ENTITY_AMOUNT;
    return !bounded || in_range(f, out->i, text, err);
}

bool entity_value_parse(struct sql_scope scope, const struct entity_field *f, struct str text, struct arena *arena,
                        struct entity_value *out_value, struct err *err) {
    struct entity_value v = {0};
    bool ok;
    if (f->type == ENTITY_TEXT)
        ok = parse_text(f, text, &v, err);
    else if (f->type == ENTITY_ENUM)
        ok = parse_enum(f, text, &v, err);
    else if (f->type == ENTITY_BOOL)
        ok = parse_bool(f, text, &v, err);
    else if (f->type == ENTITY_REF)
        ok = find_ref(scope, f, f->ref, text, arena, &v.i, err);
    else if (f->type == ENTITY_ANY_REF)
        ok = parse_any_ref(scope, f, text, arena, &v, err);
    else
        ok = parse_number(f, text, &v, err);
    if (ok) *out_value = v;
    return ok;
}
