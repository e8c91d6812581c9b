// Query parameters of the API: taken apart, decoded, and checked against those that the endpoint takes.
#include "admin/api_impl.h"

#include "conf/opt.h"

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool api_decode(struct str text, struct arena *arena, struct str *out_text, struct err *err) {
    char *p = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    if (!p) return err_no_memory(err);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex_value(text.p[i + 1]) : -1, low = high >= 0 ? hex_value(text.p[i + 2]) : -1;
            if (low < 0) return err_set(err, ERR_INVALID_REQUEST, "a \"%%\" is not followed by two hexadecimal digits");
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        p[n++] = c;
    }
    *out_text = str_of(p, n);
    return true;
}

bool api_query_known(const struct api_endpoint *e, struct str name) {
    struct str list = str_c(e->query ? e->query : ""), one;
    while (str_split(&list, ' ', &one))
        if (one.n && str_eq(one, name)) return true;
    return false;
}

// Lists of an entity are filtered by its fields.
static bool is_filter(const struct api_endpoint *e, struct str name) {
    if (!e->kind || !api_query_known(e, STR("cursor"))) return false;
    struct str field = str_head(name, str_find_char(name, '.'));
    size_t i = entity_column_index(e->kind->entity, field);
    return i != SIZE_MAX && entity_column(e->kind->entity, i)->flags & ENTITY_FILTER;
}

static bool unknown(const struct api_call *call, struct str name, struct err *err) {
    struct str names[ENTITY_FIELDS_MAX + API_QUERY_MAX], list = str_c(call->endpoint->query), one;
    size_t n = 0;
    while (list.n && str_split(&list, ' ', &one))
        if (one.n) names[n++] = one;
    const struct entity *e = call->endpoint->kind ? call->endpoint->kind->entity : NULL;
    for (size_t i = 0; e && api_query_known(call->endpoint, STR("cursor")) && i < e->n; i++)
        if (e->fields[i].flags & ENTITY_FILTER) names[n++] = e->fields[i].name;
    struct str near = opt_nearest(name, names, n);
    snprintf(err->param, sizeof err->param, "%.*s", STR_ARG(str_head(name, 60)));
    return api_wrong(err, err->param, "there is no query parameter \"%.*s\" here%s%.*s%s", STR_ARG(str_head(name, 60)),
                     near.n ? "; did you mean \"" : "", STR_ARG(near), near.n ? "\"?" : "");
}

bool api_query_parse(struct api_call *call, struct err *err) {
    struct str part, query = call->request->query;
    while (query.n && str_split(&query, '&', &part)) {
        struct api_param param;
        if (!part.n) continue;
        size_t eq = str_find_char(part, '=');
        if (!api_decode(str_head(part, eq), call->arena, &param.name, err) ||
            !api_decode(str_from(part, eq + 1), call->arena, &param.value, err))
            return false;
        if (!api_query_known(call->endpoint, param.name) && !is_filter(call->endpoint, param.name))
            return unknown(call, param.name, err);
        for (size_t i = 0; i < call->n_query; i++)
            if (str_eq(call->query[i].name, param.name))
                return api_wrong(err, "", "\"%.*s\" is given twice", STR_ARG(str_head(param.name, 60)));
        if (call->n_query == API_QUERY_MAX) return api_wrong(err, "", "these are too many query parameters");
        call->query[call->n_query++] = param;
    }
    return true;
}

struct str api_param(const struct api_call *call, const char *name) {
    for (size_t i = 0; i < call->n_query; i++)
        if (str_eq(call->query[i].name, str_c(name))) return call->query[i].value;
    return STR_NONE;
}
