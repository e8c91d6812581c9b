// What HTTP/1.1, HTTP/2, server and client have in common.
#include "net/http.h"

static const struct str k_methods[] = {
    [HTTP_GET] = STR_INIT("GET"),         [HTTP_HEAD] = STR_INIT("HEAD"),          [HTTP_POST] = STR_INIT("POST"),
    [HTTP_PUT] = STR_INIT("PUT"),         [HTTP_PATCH] = STR_INIT("PATCH"),        [HTTP_DELETE] = STR_INIT("DELETE"),
    [HTTP_OPTIONS] = STR_INIT("OPTIONS"), [HTTP_METHOD_OTHER] = STR_INIT("OTHER"),
};

enum http_method http_method_parse(struct str token) {
    for (unsigned m = 0; m < HTTP_METHOD_OTHER; m++)
        if (str_eq(token, k_methods[m])) return (enum http_method)m;
    return HTTP_METHOD_OTHER;
}

struct str http_method_text(enum http_method method) {
    return k_methods[method];
}

static const struct {
    int status;
    const char *text;
} k_statuses[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {529, "Overloaded"},
};

const char *http_status_text(int status) {
    for (size_t i = 0; i < ARRAY_LEN(k_statuses); i++)
        if (k_statuses[i].status == status) return k_statuses[i].text;
    return "Unknown";
}

struct str http_field_get(const struct http_field *fields, size_t count, struct str name) {
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(fields[i].name, name)) return fields[i].value.p ? fields[i].value : STR("");
    return STR_NONE;
}

bool http_list_has(struct str list, struct str token) {
    struct str part;
    while (str_split(&list, ',', &part))
        if (str_eq_nocase(str_trim(part), token)) return true;
    return false;
}

static bool is_token_char(unsigned char c) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool http_is_token(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char((unsigned char)s.p[i])) return false;
    return s.n > 0;
}

bool http_is_field_value(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

bool http_is_hop_by_hop(struct str name) {
    static const struct str hop[] = {
        STR_INIT("connection"), STR_INIT("keep-alive"),          STR_INIT("proxy-authenticate"),
        STR_INIT("te"),         STR_INIT("proxy-authorization"), STR_INIT("proxy-connection"),
        STR_INIT("trailer"),    STR_INIT("transfer-encoding"),   STR_INIT("upgrade"),
    };
    for (size_t i = 0; i < ARRAY_LEN(hop); i++)
        if (str_eq_nocase(name, hop[i])) return true;
    return false;
}

void http_target_split(struct str target, struct str *out_path, struct str *out_query) {
    size_t at = str_find_char(target, '?');
    *out_path = str_head(target, at);
    *out_query = at < target.n ? str_from(target, at + 1) : STR("");
}

struct str http_path_decode(struct arena *arena, struct str s) {
    char *p = arena_alloc(arena, s.n + 1), hex[3] = "";
    size_t n = 0;
    if (!p) return STR_NONE;
    for (size_t i = 0; i < s.n; i++) {
        char *end = hex;
        if (s.p[i] == '%' && i + 2 < s.n) {
            hex[0] = s.p[i + 1];
            hex[1] = s.p[i + 2];
            p[n] = (char)strtoul(hex, &end, 16);
        }
        if (end == hex + 2)
            i += 2;
        else
            p[n] = s.p[i];
        n++;
    }
    return str_of(p, n);
}
