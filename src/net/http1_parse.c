// HTTP/1.1 message heads: strict parsing of bytes from outside, no copying.
#include "net/http1_parse.h"

#define TLS_RECORD 0x16 // the first byte of a TLS handshake

static const char k_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Byte classes: what may stand in a token, and in a field value or request target.
enum { TOKEN = 1, VALUE = 2, TARGET = 4 };
#define T (TOKEN | VALUE | TARGET)
#define V (VALUE | TARGET)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" // ranges in initialisers: GNU, understood by both compilers
static const uint8_t k_class[256] = {
    ['\t'] = VALUE,    [' '] = VALUE,
    ['!'] = T,         ['"'] = V,
    ['#'] = T,         ['$'] = T,
    ['%'] = T,         ['&'] = T,
    ['\''] = T,        ['('] = V,
    [')'] = V,         ['*'] = T,
    ['+'] = T,         [','] = V,
    ['-'] = T,         ['.'] = T,
    ['/'] = V,         ['0' ... '9'] = T,
    [':'] = V,         [';'] = V,
    ['<'] = V,         ['='] = V,
    ['>'] = V,         ['?'] = V,
    ['@'] = V,         ['A' ... 'Z'] = T,
    ['['] = V,         ['\\'] = V,
    [']'] = V,         ['^'] = T,
    ['_'] = T,         ['`'] = T,
    ['a' ... 'z'] = T, ['{'] = V,
    ['|'] = T,         ['}'] = V,
    ['~'] = T,         [0x80 ... 0xff] = VALUE,
};
#pragma GCC diagnostic pop
#undef T
#undef V

static bool all_of(struct str s, uint8_t class) {
    uint8_t all = class;
    for (size_t i = 0; i < s.n; i++) all &= k_class[(unsigned char)s.p[i]];
    return all != 0;
}

static enum http1_result bad(struct err *err, enum err_code code, const char *why) {
    err_set(err, code, "%s", why);
    return HTTP1_BAD;
}

#define HEAD_BARE_LF SIZE_MAX

// Finds "\r\n\r\n" at or after *scanned; returns the head's size, 0 when it has not ended, or HEAD_BARE_LF: a line that
// ends without CR will never be right, so nobody needs to wait for the rest.
static size_t head_end(struct str in, size_t *scanned) {
    size_t from = *scanned > 3 ? *scanned - 3 : 0;
    struct str rest = str_from(in, from);
    while (rest.n >= 4) {
        const char *nl = memchr(rest.p, '\n', rest.n - 2);
        if (!nl) break;
        if (nl == in.p || nl[-1] != '\r') return HEAD_BARE_LF;
        if (nl[1] == '\r' && nl[2] == '\n') return (size_t)(nl - in.p) + 3;
        rest = str_of(nl + 1, (size_t)(in.p + in.n - nl - 1));
    }
    *scanned = in.n;
    return 0;
}

// Takes a line that ends in CRLF; both are in the input, for the head is complete.
static bool take_line(struct str *rest, struct str *out_line) {
    const char *nl = memchr(rest->p, '\n', rest->n);
    if (!nl || nl == rest->p || nl[-1] != '\r') return false;
    *out_line = str_of(rest->p, (size_t)(nl - 1 - rest->p));
    *rest = str_of(nl + 1, rest->n - out_line->n - 2);
    return true;
}

static bool parse_version(struct str s, int *out_minor) {
    if (s.n != 8 || memcmp(s.p, "HTTP/1.", 7) != 0 || (s.p[7] != '0' && s.p[7] != '1')) return false;
    *out_minor = s.p[7] - '0';
    return true;
}

// What the framing fields said so far.
struct framing {
    unsigned hosts;
    bool te_seen, length_seen, close, keep_alive;
};

static enum http1_result note_length(struct framing *f, struct str value, uint64_t *out_length, struct err *err) {
    uint64_t n;
    if (f->length_seen || !str_to_u64(value, &n))
        return bad(err, ERR_INVALID_HTTP, "Content-Length must be one decimal number, given once");
    f->length_seen = true;
    *out_length = n;
    return HTTP1_DONE;
}

// Fields are told apart by length first: almost none needs a comparison.
static enum http1_result note_field(struct http1_head *h, struct framing *f, struct http_field field, struct err *err) {
    switch (field.name.n) {
    case 4:
        if (str_eq_nocase(field.name, STR("host"))) {
            f->hosts++;
            h->host = field.value;
        }
        break;
    case 6:
        if (str_eq_nocase(field.name, STR("expect")))
            h->expect_continue = str_eq_nocase(field.value, STR("100-continue"));
        break;
    case 10:
        if (str_eq_nocase(field.name, STR("connection"))) { // several lines are one list
            f->close = f->close || http_list_has(field.value, STR("close"));
            f->keep_alive = f->keep_alive || http_list_has(field.value, STR("keep-alive"));
        }
        break;
    case 14:
        if (str_eq_nocase(field.name, STR("content-length")))
            return note_length(f, field.value, &h->content_length, err);
        break;
    case 17:
        if (str_eq_nocase(field.name, STR("transfer-encoding"))) {
            if (f->te_seen || !str_eq_nocase(field.value, STR("chunked")))
                return bad(err, ERR_INVALID_HTTP, "the only Transfer-Encoding understood is \"chunked\", given once");
            f->te_seen = true;
        }
        break;
    default:
        break;
    }
    return HTTP1_DONE;
}

static enum http1_result parse_field(struct str line, struct http_field *out_field, struct err *err) {
    size_t colon = str_find_char(line, ':');
    struct str name = str_head(line, colon), value = str_from(line, colon + 1);
    if (colon == line.n || name.n == 0 || !all_of(name, TOKEN))
        return bad(err, ERR_INVALID_HTTP,
                   "a header field is not \"name: value\" (space before the colon, or a folded line?)");
    while (value.n && (value.p[0] == ' ' || value.p[0] == '\t')) value = str_from(value, 1);
    while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t')) value.n--;
    if (!all_of(value, VALUE)) return bad(err, ERR_INVALID_HTTP, "a header field holds a control character");
    *out_field = (struct http_field){name, value};
    return HTTP1_DONE;
}

static enum http1_result parse_fields(struct str rest, size_t max_fields, struct http1_head *h, struct framing *f,
                                      struct err *err) {
    max_fields = MIN(max_fields, (size_t)HTTP1_FIELDS_MAX);
    h->field_count = 0;
    for (;;) {
        struct str line;
        if (!take_line(&rest, &line)) return bad(err, ERR_INVALID_HTTP, "a header line does not end in CRLF");
        if (line.n == 0) break;
        if (h->field_count == max_fields)
            return bad(err, ERR_HEADERS_TOO_LARGE, "too many header fields (limits.max_headers)");
        struct http_field *field = &h->fields[h->field_count];
        if (parse_field(line, field, err) != HTTP1_DONE || note_field(h, f, *field, err) != HTTP1_DONE)
            return HTTP1_BAD;
        h->field_count++;
    }
    if (f->te_seen && f->length_seen)
        return bad(err, ERR_INVALID_HTTP, "Content-Length and Transfer-Encoding exclude each other");
    if (f->te_seen && h->minor == 0) return bad(err, ERR_INVALID_HTTP, "HTTP/1.0 has no Transfer-Encoding");
    h->keep_alive = !f->close && (h->minor == 1 || f->keep_alive);
    return HTTP1_DONE;
}

static enum http1_result parse_request_line(struct str line, size_t max_target, struct http1_head *h, struct err *err) {
    size_t first = str_find_char(line, ' ');
    size_t last = line.n;
    while (last > first && line.p[last - 1] != ' ') last--;
    if (first == line.n || last <= first + 1)
        return bad(err, ERR_INVALID_HTTP, "the request line is not \"METHOD target HTTP/1.1\"");
    h->method_text = str_head(line, first);
    h->target = str_of(line.p + first + 1, last - first - 2);
    if (h->method_text.n == 0 || !all_of(h->method_text, TOKEN) || h->method_text.n > 32)
        return bad(err, ERR_INVALID_HTTP, "the method is not a token");
    if (!parse_version(str_from(line, last), &h->minor))
        return bad(err, ERR_INVALID_HTTP, "the request line does not end in HTTP/1.0 or HTTP/1.1");
    if (h->target.n > max_target) return bad(err, ERR_URI_TOO_LONG, "the request target is too long (limits.max_uri)");
    if (h->target.n == 0 || !all_of(h->target, TARGET))
        return bad(err, ERR_INVALID_HTTP, "the request target holds a forbidden character");
    h->method = http_method_parse(h->method_text);
    return HTTP1_DONE;
}

static enum http1_result need_more(struct str in, size_t max_head, struct err *err) {
    if (in.n >= max_head)
        return bad(err, ERR_HEADERS_TOO_LARGE, "the header section is too large (limits.max_header_bytes)");
    return HTTP1_MORE;
}

enum http1_result http1_request(struct str in, size_t *scanned, const struct http1_limits *limits,
                                struct http1_head *out_head, struct err *err) {
    struct http1_head *h = out_head;
    size_t lead = 0; // one empty line before a request is tolerated (RFC 9112, 2.2)
    if (in.n >= 2 && in.p[0] == '\r' && in.p[1] == '\n') lead = 2;
    h->upgrade_h2c = false;
    if (in.n && in.p[0] == 'P' && memcmp(in.p, k_preface, MIN(in.n, sizeof k_preface - 1)) == 0) {
        h->upgrade_h2c = in.n >= sizeof k_preface - 1;
        if (h->upgrade_h2c) return HTTP1_DONE;
        if (in.n > 2) return HTTP1_MORE; // "P" and "PR" could still become POST, PUT, PATCH, PROPFIND
    }
    if (in.n > lead && in.p[lead] != '\r' && !(k_class[(unsigned char)in.p[lead]] & TOKEN))
        return bad(err, ERR_INVALID_HTTP,
                   in.p[lead] == TLS_RECORD ? "this port speaks plain HTTP, not TLS: use http://"
                                            : "this is not an HTTP request");
    size_t size = head_end(str_from(in, lead), scanned);
    if (size == 0) return need_more(in, limits->max_head, err);
    if (size == HEAD_BARE_LF) return bad(err, ERR_INVALID_HTTP, "a header line does not end in CRLF");
    if (size + lead > limits->max_head)
        return bad(err, ERR_HEADERS_TOO_LARGE, "the header section is too large (limits.max_header_bytes)");
    struct framing f = {0};
    struct str rest = str_of(in.p + lead, size), line;
    h->host = STR_NONE;
    h->content_length = 0;
    h->expect_continue = false;
    h->size = size + lead;
    if (!take_line(&rest, &line)) return bad(err, ERR_INVALID_HTTP, "the request line does not end in CRLF");
    if (parse_request_line(line, limits->max_target, h, err) != HTTP1_DONE) return HTTP1_BAD;
    if (parse_fields(rest, limits->max_fields, h, &f, err) != HTTP1_DONE) return HTTP1_BAD;
    if (f.hosts > 1 || (f.hosts == 0 && h->minor == 1))
        return bad(err, ERR_INVALID_HTTP, "a request needs exactly one Host field");
    h->framing = f.te_seen ? HTTP1_CHUNKED : h->content_length ? HTTP1_LENGTH : HTTP1_NO_BODY;
    return HTTP1_DONE;
}

static enum http1_result parse_status_line(struct str line, struct http1_head *h, struct err *err) {
    if (line.n < 12 || !parse_version(str_head(line, 8), &h->minor) || line.p[8] != ' ' ||
        (line.n > 12 && line.p[12] != ' '))
        return bad(err, ERR_UPSTREAM_INVALID, "the answer does not start with an HTTP/1.x status line");
    uint64_t status;
    if (!str_to_u64(str_of(line.p + 9, 3), &status) || status < 100)
        return bad(err, ERR_UPSTREAM_INVALID, "the answer's status is not a number from 100 on");
    h->status = (int)status;
    return HTTP1_DONE;
}

enum http1_result http1_response(struct str in, size_t *scanned, const struct http1_limits *limits, bool head_request,
                                 struct http1_head *out_head, struct err *err) {
    struct http1_head *h = out_head;
    if (in.n && memcmp(in.p, "HTTP/1.", MIN(in.n, (size_t)7)) != 0)
        return bad(err, ERR_UPSTREAM_INVALID, "the answer is not HTTP/1.x");
    size_t size = head_end(in, scanned);
    if (size == HEAD_BARE_LF) return bad(err, ERR_UPSTREAM_INVALID, "a line of its head does not end in CRLF");
    if (size == 0 || size > limits->max_head) {
        if (size == 0 && in.n < limits->max_head) return HTTP1_MORE;
        return bad(err, ERR_UPSTREAM_INVALID, "the answer's header section is too large");
    }
    struct framing f = {0};
    struct str rest = str_of(in.p, size), line;
    h->upgrade_h2c = false;
    h->host = STR_NONE;
    h->content_length = 0;
    h->expect_continue = false;
    h->size = size;
    if (!take_line(&rest, &line))
        return bad(err, ERR_UPSTREAM_INVALID, "the answer's status line does not end in CRLF");
    bool ok = parse_status_line(line, h, err) == HTTP1_DONE &&
              parse_fields(rest, limits->max_fields, h, &f, err) == HTTP1_DONE;
    if (!ok) {
        err->code = ERR_UPSTREAM_INVALID;
        err->status = err_info(ERR_UPSTREAM_INVALID)->status;
        return HTTP1_BAD;
    }
    bool no_body = head_request || h->status < 200 || h->status == 204 || h->status == 304;
    if (no_body || (f.length_seen && h->content_length == 0))
        h->framing = HTTP1_NO_BODY;
    else if (f.te_seen)
        h->framing = HTTP1_CHUNKED;
    else
        h->framing = f.length_seen ? HTTP1_LENGTH : HTTP1_UNTIL_CLOSE;
    if (h->framing == HTTP1_UNTIL_CLOSE) h->keep_alive = false;
    return HTTP1_DONE;
}
