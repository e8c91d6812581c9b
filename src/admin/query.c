// Query parameters: taken apart, decoded, and checked against those that the endpoint takes.
#include "admin/call.h"

#include "conf/opt.h"

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool decode(struct str text, struct arena *a, struct str *out_text, struct err *err) {
    char *p = arena_alloc(a, text.n + 1);
    size_t n = 0;
    if (!p) return err_no_memory(err);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex_value(text.p[i + 1]) : -1, low = high >= 0 ? hex_value(text.p[i + 2]) : -1;
            if (low < 0)
                return err_set(err, ERR_INVALID_REQUEST,
                               "the query holds a \"%%\" that is not followed by two hexadecimal digits");
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        p[n++] = c;
    }
    p[n] = '\0';
    *out_text = str_of(p, n);
    return true;
}

static bool unknown(struct str name, const struct str *names, size_t n, struct err *err) {
    struct str near = opt_nearest(name, names, n);
    if (!n) return err_set(err, ERR_INVALID_REQUEST, "this path takes no query parameters");
    err_set(err, ERR_INVALID_REQUEST, "there is no query parameter \"%.*s\" here%s%.*s%s", STR_ARG(str_head(name, 60)),
            near.n ? "; did you mean \"" : "", STR_ARG(near), near.n ? "\"?" : "");
    return false;
}

static bool is_known(const struct admin_call *call, struct str name, struct err *err) {
    struct str list = str_c(call->endpoint->query), one, names[ADMIN_QUERY_MAX];
    size_t n = 0;
    while (str_split(&list, ' ', &one))
        if (one.n && n < ARRAY_LEN(names)) names[n++] = one;
    for (size_t i = 0; i < n; i++)
        if (str_eq(names[i], name)) return true;
    return unknown(name, names, n, err);
}

bool admin_query_parse(struct admin_call *call, struct str query, struct err *err) {
    struct str part;
    while (str_split(&query, '&', &part)) {
        struct admin_param param;
        if (!part.n) continue;
        size_t eq = str_find_char(part, '=');
        if (!decode(str_head(part, eq), &call->arena, &param.name, err) ||
            !decode(str_from(part, eq + 1), &call->arena, &param.value, err) || !is_known(call, param.name, err))
            return false;
        bool twice = false;
        for (size_t i = 0; i < call->n_query; i++) twice = twice || str_eq(call->query[i].name, param.name);
        if (twice || call->n_query == ADMIN_QUERY_MAX)
            return err_set(err, ERR_INVALID_REQUEST, "\"%.*s\" is given twice", STR_ARG(param.name));
        call->query[call->n_query++] = param;
    }
    return true;
}

struct str admin_query(const struct admin_call *call, const char *name) {
    for (size_t i = 0; i < call->n_query; i++)
        if (str_eq(call->query[i].name, str_c(name))) return call->query[i].value;
    return STR_NONE;
}

bool admin_query_bool(const struct admin_call *call, const char *name, bool *out_value, struct err *err) {
    struct str value = admin_query(call, name);
    if (!value.p) return true;
    if (!value.n || str_eq(value, STR("1")) || str_eq(value, STR("true"))) {
        *out_value = true;
    } else if (str_eq(value, STR("0")) || str_eq(value, STR("false"))) {
        *out_value = false;
    } else {
        return err_set(err, ERR_INVALID_FIELD, "%s is 1 or 0", name);
    }
    return true;
}

bool admin_query_i64(const struct admin_call *call, const char *name, int64_t low, int64_t high, int64_t *out_value,
                     struct err *err) {
    struct str value = admin_query(call, name);
    int64_t v;
    if (!value.p) return true;
    if (!str_to_i64(value, &v) || v < low || v > high)
        return err_set(err, ERR_INVALID_FIELD, "%s is a number from %lld to %lld", name, (long long)low,
                       (long long)high);
    *out_value = v;
    return true;
}
