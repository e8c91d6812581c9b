// What HTTP/1.1, HTTP/2, server and client have in common: methods, fields, status texts.
//
// Source: RFC 9110. Everything here borrows; nothing allocates.
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/arena.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_METHOD_OTHER,
};
#define HTTP_METHOD_COUNT (HTTP_METHOD_OTHER + 1)

// What its handler may put into a request's arena beside its body, however small that is: a conversation of many short
// messages takes many times its bytes when it is read.
#define HTTP_BESIDE_BODY_MAX ((size_t)16 << 20)

struct http_field {
    struct str name; // any case in HTTP/1.1, lower case in HTTP/2
    struct str value;
};

enum http_method http_method_parse(struct str token);
struct str http_method_text(enum http_method method);
// "OK", "Not Found", …; "Unknown" for a status without a name.
const char *http_status_text(int status);
// First field of that name, case-insensitively; p is NULL when there is none.
struct str http_field_get(const struct http_field *fields, size_t count, struct str name);
// A comma-separated list holds the token, case-insensitively.
bool http_list_has(struct str list, struct str token);
// Token characters of RFC 9110, 5.6.2 throughout, and not empty.
bool http_is_token(struct str s);
// No byte that could end a field line or hide one: no control characters but tab.
bool http_is_field_value(struct str s);
// Fields that belong to one hop and are never passed on (RFC 9110, 7.6.1).
bool http_is_hop_by_hop(struct str name);
// "%2F" and its like as what they stand for; openai's client escapes the slash of "provider/model". p is NULL without
// memory.
struct str http_path_decode(struct arena *arena, struct str s);
// Splits "/path?query"; a missing query is empty.
void http_target_split(struct str target, struct str *out_path, struct str *out_query);

#endif
