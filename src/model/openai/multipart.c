// Form data looked through without a copy.
#include "model/openai/multipart.h"

#include "base/scan.h"

static bool token_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("'()+_,-./:=?", c));
}

static bool boundary_valid(struct str b) {
    if (b.n < 1 || b.n > 70) return false;
    for (size_t i = 0; i < b.n; i++)
        if (!token_char(b.p[i]) && !(b.p[i] == ' ' && i + 1 < b.n)) return false;
    return true;
}

bool multipart_boundary(struct str content_type, struct str *out_boundary) {
    struct str part, found = STR_NONE;
    if (!str_split(&content_type, ';', &part)) return false;
    if (!str_eq_nocase(str_trim(part), STR("multipart/form-data"))) return false;
    while (str_split(&content_type, ';', &part)) {
        part = str_trim(part);
        size_t eq = str_find_char(part, '=');
        if (eq == part.n || !str_eq_nocase(str_head(part, eq), STR("boundary"))) continue;
        if (found.p) return false;
        found = str_from(part, eq + 1);
        if (found.n >= 2 && found.p[0] == '"' && found.p[found.n - 1] == '"') found = str_of(found.p + 1, found.n - 2);
    }
    if (!found.p || !boundary_valid(found)) return false;
    *out_boundary = found;
    return true;
}

// The value of a parameter in `form-data; name="model"; filename="x"`; quoted strings with \" as browsers have them.
static bool parameter(struct str *rest, struct str *out_name, struct str *out_value) {
    *rest = str_trim(*rest);
    if (!rest->n || rest->p[0] != ';') return false;
    *rest = str_trim(str_from(*rest, 1));
    size_t eq = str_find_char(*rest, '=');
    if (eq == rest->n) return false;
    *out_name = str_trim(str_head(*rest, eq));
    *rest = str_from(*rest, eq + 1);
    if (rest->n && rest->p[0] == '"') {
        size_t end = 1;
        while (end < rest->n && rest->p[end] != '"') end += rest->p[end] == '\\' ? 2 : 1;
        if (end >= rest->n) return false;
        *out_value = str_of(rest->p + 1, end - 1);
        *rest = str_from(*rest, end + 1);
        return true;
    }
    size_t end = str_find_char(*rest, ';');
    *out_value = str_trim(str_head(*rest, end));
    *rest = str_from(*rest, end);
    return true;
}

struct part_name {
    bool named, is_file;
    struct str name, filename;
};

static bool read_disposition(struct str value, struct part_name *out) {
    struct str name, text;
    size_t semi = str_find_char(value, ';');
    if (!str_eq_nocase(str_trim(str_head(value, semi)), STR("form-data"))) return false;
    value = str_from(value, semi);
    while (parameter(&value, &name, &text)) {
        if (str_eq_nocase(name, STR("name"))) {
            if (out->named) return false;
            out->named = true;
            out->name = text;
        }
        if (str_eq_nocase(name, STR("filename"))) out->filename = text;
        if (str_eq_nocase(name, STR("filename")) || str_eq_nocase(name, STR("filename*"))) out->is_file = true;
    }
    return str_trim(value).n == 0;
}

static bool read_head(struct str head, struct part_name *out) {
    *out = (struct part_name){0};
    while (head.n) {
        size_t end = scan_find(head, STR("\r\n"));
        struct str line = str_head(head, end);
        head = str_from(head, end + 2);
        size_t colon = str_find_char(line, ':');
        if (colon == line.n || colon == 0 || line.p[0] == ' ' || line.p[0] == '\t') return false;
        if (str_eq_nocase(str_head(line, colon), STR("content-disposition"))) {
            if (out->named || !read_disposition(str_from(line, colon + 1), out)) return false;
        }
    }
    return out->named;
}

// Text between two delimiters: "\r\n--" and the boundary.
struct cutter {
    struct str rest;
    char mark[4 + 70];
    size_t mark_n;
};

static bool wrong(struct err *err, const char *what) {
    return err_set(err, ERR_INVALID_REQUEST, "the form data %s", what);
}

static bool note_field(struct multipart_field *fields, size_t count, const struct part_name *name, struct str value,
                       struct err *err) {
    for (size_t i = 0; i < count; i++) {
        if (!str_eq(fields[i].name, name->name)) continue;
        if (fields[i].found || name->is_file != fields[i].file) {
            err_set(err, ERR_INVALID_FIELD, "\"%.*s\" must be one %s", STR_ARG(name->name),
                    fields[i].file ? "file, with a filename" : "field of text");
            memcpy(err->param, name->name.p, MIN(name->name.n, sizeof err->param - 1));
            return false;
        }
        fields[i].found = true;
        fields[i].value = value;
        fields[i].filename = name->filename;
    }
    return true;
}

// One part, the cursor behind its delimiter's line.
static bool take_part(struct cutter *c, struct multipart_field *fields, size_t count, struct err *err) {
    struct part_name name;
    size_t head = scan_find(str_head(c->rest, MULTIPART_HEAD_MAX), STR("\r\n\r\n"));
    if (head >= MIN(c->rest.n, (size_t)MULTIPART_HEAD_MAX)) return wrong(err, "has a part without a head");
    if (!read_head(str_head(c->rest, head + 2), &name)) return wrong(err, "has a part without a name");
    c->rest = str_from(c->rest, head + 4);
    // The delimiter of an empty value begins with the head's own line end.
    struct str from = str_of(c->rest.p - 2, c->rest.n + 2);
    size_t at = scan_find(from, str_of(c->mark, c->mark_n));
    if (at >= from.n) return wrong(err, "is cut off");
    struct str value = at < 2 ? str_head(c->rest, 0) : str_head(c->rest, at - 2);
    c->rest = str_from(from, at + c->mark_n);
    return note_field(fields, count, &name, value, err);
}

bool multipart_scan(struct str body, struct str boundary, struct multipart_field *fields, size_t count,
                    struct err *err) {
    struct cutter c = {.rest = body};
    INVARIANT(boundary.n <= 70);
    memcpy(c.mark, "\r\n--", 4);
    memcpy(c.mark + 4, boundary.p, boundary.n);
    c.mark_n = boundary.n + 4;
    for (size_t i = 0; i < count; i++) fields[i].found = false;
    if (str_starts(c.rest, STR("\r\n"))) c.rest = str_from(c.rest, 2);
    if (!str_starts(c.rest, str_of(c.mark + 2, c.mark_n - 2))) return wrong(err, "does not begin with its boundary");
    c.rest = str_from(c.rest, c.mark_n - 2);
    for (int parts = 0;; parts++) {
        if (str_starts(c.rest, STR("--"))) return true;
        if (parts == MULTIPART_PARTS_MAX) return wrong(err, "has too many parts");
        while (c.rest.n && (c.rest.p[0] == ' ' || c.rest.p[0] == '\t')) c.rest = str_from(c.rest, 1);
        if (!str_starts(c.rest, STR("\r\n"))) return wrong(err, "is cut off");
        c.rest = str_from(c.rest, 2);
        if (!take_part(&c, fields, count, err)) return false;
    }
}
