// The JSON reader: a validating cursor over a complete text.
#include "base/json_read.h"

#include "base/scan_level.h"

#include <stdio.h>

static const char *const k_kind_name[] = {
    [JSON_NULL] = "null",       [JSON_BOOL] = "a boolean", [JSON_NUMBER] = "a number",
    [JSON_STRING] = "a string", [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
};

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// Indented text apart, there is none or one.
static void pass_space(struct json_reader *r) {
    if (!is_space(*r->at)) return;
    r->at++;
    if (r->at < r->end && is_space(*r->at)) r->at += r->ops->space(r->at, (size_t)(r->end - r->at));
}

static inline void space(struct json_reader *r) {
    if (r->at < r->end && (unsigned char)*r->at <= ' ') pass_space(r);
}

static bool refuse(struct json_reader *r, const char *what, const char *at) {
    if (!r->fault) {
        r->fault = what;
        r->fault_at = at;
    }
    return false;
}

static bool refuse_kind(struct json_reader *r, const char *what, const char *at) {
    if (!r->fault) r->fault_is_kind = true;
    return refuse(r, what, at);
}

void json_reader_init(struct json_reader *r, struct str input, unsigned max_depth) {
    r->begin = r->at = input.p ? input.p : "";
    r->end = r->begin + input.n;
    r->ops = scan_ops();
    r->fault = r->fault_at = NULL;
    r->fault_is_kind = false;
    r->pending = true;
    r->fresh = false;
    r->depth = 0;
    r->depth_max = MIN(max_depth ? max_depth : JSON_DEPTH_DEFAULT, JSON_DEPTH_MAX);
    if (input.n >= 3 && memcmp(r->at, "\xef\xbb\xbf", 3) == 0)
        refuse(r, "the text starts with a byte order mark; send it without", r->at);
    space(r);
}

// The kind that a value's first byte announces, and one; 0 when no value starts so.
static const unsigned char k_kind_of[256] = {
    ['{'] = JSON_OBJECT + 1, ['['] = JSON_ARRAY + 1,  ['"'] = JSON_STRING + 1, ['t'] = JSON_BOOL + 1,
    ['f'] = JSON_BOOL + 1,   ['n'] = JSON_NULL + 1,   ['-'] = JSON_NUMBER + 1, ['0'] = JSON_NUMBER + 1,
    ['1'] = JSON_NUMBER + 1, ['2'] = JSON_NUMBER + 1, ['3'] = JSON_NUMBER + 1, ['4'] = JSON_NUMBER + 1,
    ['5'] = JSON_NUMBER + 1, ['6'] = JSON_NUMBER + 1, ['7'] = JSON_NUMBER + 1, ['8'] = JSON_NUMBER + 1,
    ['9'] = JSON_NUMBER + 1,
};

static inline bool kind_here(struct json_reader *r, enum json_kind *out_kind) {
    unsigned kind = r->at < r->end ? k_kind_of[(unsigned char)*r->at] : 0;
    if (!kind) return refuse(r, "expected a value", r->at);
    *out_kind = (enum json_kind)(kind - 1);
    return true;
}

static bool at_value(struct json_reader *r) {
    if (r->fault) return false;
    // Consuming twice, or before json_member, is the caller's bug.
    INVARIANT(r->pending);
    return r->at < r->end || refuse(r, "expected a value", r->at);
}

bool json_peek(struct json_reader *r, enum json_kind *out_kind) { return at_value(r) && kind_here(r, out_kind); }

bool json_skip(struct json_reader *r, struct str *out_raw) {
    if (!at_value(r)) return false;
    struct json_fault fault;
    const char *after = r->ops->json_value(r->at, r->end, r->depth_max - r->depth, &fault);
    if (!after) return refuse(r, fault.what, fault.at);
    if (out_raw) *out_raw = str_of(r->at, (size_t)(after - r->at));
    r->at = after;
    r->pending = false;
    return true;
}

// Checks the kind, then steps over the value.
static bool take(struct json_reader *r, enum json_kind wanted, const char *what, struct str *out_raw) {
    enum json_kind kind;
    if (!json_peek(r, &kind)) return false;
    const char *at = r->at;
    if (!json_skip(r, out_raw)) return false;
    return kind == wanted || refuse_kind(r, what, at);
}

bool json_string(struct json_reader *r, struct str *out_raw) {
    struct str raw;
    if (!take(r, JSON_STRING, "expected a string", &raw)) return false;
    *out_raw = raw;
    return true;
}

bool json_number(struct json_reader *r, struct str *out_raw) {
    struct str raw;
    if (!take(r, JSON_NUMBER, "expected a number", &raw)) return false;
    *out_raw = raw;
    return true;
}

bool json_bool(struct json_reader *r, bool *out_value) {
    struct str raw;
    if (!take(r, JSON_BOOL, "expected true or false", &raw)) return false;
    *out_value = raw.p[0] == 't';
    return true;
}

bool json_null(struct json_reader *r) { return take(r, JSON_NULL, "expected null", NULL); }

bool json_i64(struct json_reader *r, int64_t *out_value) {
    struct str raw;
    if (!take(r, JSON_NUMBER, "expected an integer", &raw)) return false;
    return json_raw_i64(raw, out_value) || refuse_kind(r, "expected an integer of at most 64 bits", raw.p);
}

bool json_u64(struct json_reader *r, uint64_t *out_value) {
    struct str raw;
    if (!take(r, JSON_NUMBER, "expected a positive integer", &raw)) return false;
    return json_raw_u64(raw, out_value) || refuse_kind(r, "expected a positive integer of at most 64 bits", raw.p);
}

bool json_double(struct json_reader *r, double *out_value) {
    struct str raw;
    if (!take(r, JSON_NUMBER, "expected a number", &raw)) return false;
    return json_raw_double(raw, out_value) || refuse_kind(r, "the number is out of range", raw.p);
}

static bool enter(struct json_reader *r, enum json_kind wanted, const char *what) {
    enum json_kind kind;
    if (!json_peek(r, &kind)) return false;
    if (kind != wanted) return take(r, wanted, what, NULL);
    if (r->depth >= r->depth_max) return refuse(r, "nested too deep", r->at);
    uint64_t bit = 1ULL << (r->depth % 64), *word = &r->is_object[r->depth / 64];
    *word = wanted == JSON_OBJECT ? *word | bit : *word & ~bit;
    r->depth++;
    r->at++;
    r->fresh = true;
    r->pending = false;
    return true;
}

bool json_enter_object(struct json_reader *r) { return enter(r, JSON_OBJECT, "expected an object"); }
bool json_enter_array(struct json_reader *r) { return enter(r, JSON_ARRAY, "expected an array"); }

static bool in_object(const struct json_reader *r) {
    return r->depth && r->is_object[(r->depth - 1) / 64] >> ((r->depth - 1) % 64) & 1;
}

// Steps to the next item of the innermost container; false at its end (which is then left behind) or on a fault.
static bool item_next(struct json_reader *r, bool object) {
    if (r->fault) return false;
    INVARIANT(r->depth && in_object(r) == object);
    if (r->pending && !json_skip(r, NULL)) return false;
    bool fresh = r->fresh;
    r->fresh = false;
    space(r);
    if (r->at == r->end) return refuse(r, object ? "the object has no end" : "the array has no end", r->at);
    if (*r->at == (object ? '}' : ']')) {
        r->at++;
        r->depth--;
        return false;
    }
    if (fresh) return true;
    if (*r->at != ',') return refuse(r, object ? "expected ',' or '}'" : "expected ',' or ']'", r->at);
    r->at++;
    space(r);
    return true;
}

bool json_member(struct json_reader *r, struct str *out_key, enum json_kind *out_kind) {
    if (!item_next(r, true)) return false;
    if (r->at == r->end || *r->at != '"') return refuse(r, "expected a member name in quotes", r->at);
    const char *after = r->ops->json_string(r->at + 1, r->end);
    if (!after) {
        struct json_fault fault;
        // A kernel that refuses a good string would be a bug of ours.
        INVARIANT(!json_string_steps(r->at + 1, r->end, &fault));
        return refuse(r, fault.what, fault.at);
    }
    struct str key = str_of(r->at, (size_t)(after - r->at));
    r->at = after;
    space(r);
    if (r->at == r->end || *r->at != ':') return refuse(r, "expected ':' after the member name", r->at);
    r->at++;
    space(r);
    r->pending = true;
    if (!kind_here(r, out_kind)) return false;
    *out_key = key;
    return true;
}

bool json_element(struct json_reader *r, enum json_kind *out_kind) {
    if (!item_next(r, false)) return false;
    r->pending = true;
    return kind_here(r, out_kind);
}

bool json_leave(struct json_reader *r) {
    struct str key;
    enum json_kind kind;
    if (in_object(r))
        while (json_member(r, &key, &kind)) {
        }
    else
        while (json_element(r, &kind)) {
        }
    return json_ok(r);
}

bool json_fail(struct json_reader *r, struct str raw, const char *what) { return refuse_kind(r, what, raw.p); }

bool json_error(const struct json_reader *r, struct err *err) {
    INVARIANT(r->fault != NULL);
    size_t line = 1;
    const char *line_start = r->begin;
    for (const char *p = r->begin; (p = memchr(p, '\n', (size_t)(r->fault_at - p))) != NULL;) {
        line++;
        line_start = ++p;
    }
    return err_set(err, r->fault_is_kind ? ERR_INVALID_FIELD : ERR_INVALID_JSON,
                   "%s at byte %zu (line %zu, column %zu): %s", r->fault_is_kind ? "wrong value" : "invalid JSON",
                   (size_t)(r->fault_at - r->begin), line, (size_t)(r->fault_at - line_start) + 1, r->fault);
}

bool json_end(struct json_reader *r, struct err *err) {
    if (!r->fault && r->pending && r->depth == 0) json_skip(r, NULL);
    if (r->fault) return json_error(r, err);
    INVARIANT(r->depth == 0);
    space(r);
    if (r->at == r->end) return true;
    refuse(r, "expected nothing more after the value", r->at);
    return json_error(r, err);
}

static struct json_field *field_of(struct json_field *fields, size_t n, struct str key) {
    struct str text;
    bool plain = json_string_borrow(key, &text); // looked through for escapes once, not for each field
    for (size_t i = 0; i < n; i++)
        if (plain ? str_eq(text, fields[i].name) : json_string_eq(key, fields[i].name)) return &fields[i];
    return NULL;
}

// Puts the field's name into err->param.
static bool field_fault(const struct json_field *f, struct err *err) {
    snprintf(err->param, sizeof err->param, "%.*s", STR_ARG(f->name));
    return false;
}

// What it has to be; null, which is as if it were not there, goes without saying.
static bool kind_fault(const struct json_field *f, enum json_kind kind, struct err *err) {
    char wanted[80] = "";
    size_t n = 0;
    unsigned kinds = f->kinds & ~JSON_OR_NULL ? f->kinds & ~JSON_OR_NULL : f->kinds;
    for (unsigned i = 0; i < ARRAY_LEN(k_kind_name); i++)
        if (kinds & JSON_IS(i) && n < sizeof wanted)
            n += (size_t)snprintf(wanted + n, sizeof wanted - n, "%s%s", n ? " or " : "", k_kind_name[i]);
    err_set(err, ERR_INVALID_FIELD, "'%.*s' has to be %s, not %s", STR_ARG(f->name), wanted, k_kind_name[kind]);
    return field_fault(f, err);
}

static bool field_take(struct json_reader *r, struct json_field *f, struct str key, enum json_kind kind,
                       struct err *err) {
    if (f->found) {
        err_set(err, ERR_INVALID_FIELD, "'%.*s' is given twice", STR_ARG(f->name));
        return field_fault(f, err);
    }
    if (f->kinds != JSON_IS_ANY && !(f->kinds & JSON_IS(kind))) return kind_fault(f, kind, err);
    if (!json_skip(r, &f->raw)) return json_error(r, err);
    f->found = true;
    f->kind = kind;
    f->member = str_of(key.p, (size_t)(r->at - key.p));
    return true;
}

bool json_object_scan(struct json_reader *r, struct json_field *fields, size_t n, struct err *err) {
    struct str key;
    enum json_kind kind;
    if (!json_enter_object(r)) return json_error(r, err);
    while (json_member(r, &key, &kind)) {
        struct json_field *f = field_of(fields, n, key);
        if (f && !field_take(r, f, key, kind, err)) return false;
    }
    if (!json_ok(r)) return json_error(r, err);
    for (size_t i = 0; i < n; i++) {
        if (fields[i].found || !fields[i].required) continue;
        err_set(err, ERR_MISSING_FIELD, "'%.*s' is required", STR_ARG(fields[i].name));
        return field_fault(&fields[i], err);
    }
    return true;
}

bool json_scan(struct str input, struct json_field *fields, size_t n, struct err *err) {
    struct json_reader r;
    json_reader_init(&r, input, 0);
    return json_object_scan(&r, fields, n, err) && json_end(&r, err);
}

bool json_validate(struct str input, unsigned max_depth, struct err *err) {
    struct json_reader r;
    json_reader_init(&r, input, max_depth);
    return json_end(&r, err);
}

bool json_get(struct str raw, const struct str *path, size_t n, struct str *out_raw) {
    for (size_t i = 0; i < n; i++) {
        struct json_reader r;
        struct str key;
        enum json_kind kind;
        bool found = false;
        json_reader_init(&r, raw, 0);
        if (!json_peek(&r, &kind) || kind != JSON_OBJECT || !json_enter_object(&r)) return false;
        while (!found && json_member(&r, &key, &kind)) found = json_string_eq(key, path[i]);
        if (!found || !json_skip(&r, &raw)) return false;
    }
    *out_raw = raw;
    return true;
}
