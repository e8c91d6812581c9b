// HTTP/1.1 message heads and chunked bodies: strict parsing of bytes from outside, no copying.
//
// Source: RFC 9112. Refused rather than guessed (request smuggling): bare CR, bare LF, folded lines, spaces before the
// colon, control characters, both Content-Length and Transfer-Encoding, repeated or malformed Content-Length, any
// Transfer-Encoding but "chunked", a request without exactly one Host (HTTP/1.1). Thread rule: pure functions.
// Ownership: slices point into the input.
#ifndef NET_HTTP1_PARSE_H
#define NET_HTTP1_PARSE_H

#include "base/err.h"
#include "net/http.h"

#define HTTP1_FIELDS_MAX 128

enum http1_framing {
    HTTP1_NO_BODY,
    HTTP1_LENGTH,
    HTTP1_CHUNKED,
    HTTP1_UNTIL_CLOSE, // responses only
};

struct http1_limits {
    size_t max_head;   // bytes of the whole head
    size_t max_fields; // up to HTTP1_FIELDS_MAX
    size_t max_target; // bytes of the request target
};

struct http1_head {
    enum http_method method; // requests
    struct str method_text;
    struct str target;
    struct str host;
    int status; // responses
    int minor;  // HTTP/1.minor: 0 or 1
    enum http1_framing framing;
    uint64_t content_length; // HTTP1_LENGTH
    bool keep_alive;
    bool expect_continue;
    bool upgrade_h2c; // requests: the HTTP/2 preface was seen instead of a head
    size_t size;      // bytes of the head, with the empty line
    size_t field_count;
    struct http_field fields[HTTP1_FIELDS_MAX];
};

enum http1_result {
    HTTP1_DONE,
    HTTP1_MORE, // the head is not complete yet
    HTTP1_BAD,  // *err says why; the connection must be closed
};

// Looks for the end of the head from *scanned on (0 at first; kept between calls so that no byte is looked at twice).
enum http1_result http1_request(struct str in, size_t *scanned, const struct http1_limits *limits,
                                struct http1_head *out_head, struct err *err);
// head_request: the response answers HEAD, so it has no body whatever its fields say.
enum http1_result http1_response(struct str in, size_t *scanned, const struct http1_limits *limits, bool head_request,
                                 struct http1_head *out_head, struct err *err);

// Chunked decoder: feed it bytes, it hands out slices of data.
struct http1_chunked {
    uint8_t state;
    uint64_t left;       // of the current chunk
    unsigned line_bytes; // of the current size line or trailer, bounded
};
void http1_chunked_init(struct http1_chunked *c);
// Consumes from *in. DONE: the last chunk and its trailers were read, the rest stays in *in. MORE with out_data->n > 0:
// data; call again. MORE with none: all of *in was used. BAD: malformed.
enum http1_result http1_chunked_next(struct http1_chunked *c, struct str *in, struct str *out_data);

#endif
