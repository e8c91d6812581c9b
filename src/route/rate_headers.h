// What providers' answers say of their rate limits: x-ratelimit-*, anthropic-ratelimit-*, ratelimit-*, Retry-After.
//
// The bytes are hostile: what is not understood, or beyond all sense, is passed over. Nothing allocates. Thread rule:
// pure. Units: ns; times from now, at most a day.
#ifndef ROUTE_RATE_HEADERS_H
#define ROUTE_RATE_HEADERS_H

#include "net/http.h"

enum rate_of {
    RATE_OF_REQUESTS,
    RATE_OF_TOKENS,
    RATE_OF_INPUT, // Anthropic counts input and output also apart
    RATE_OF_OUTPUT,
    RATE_OF_COUNT
};

#define RATE_MAX_NS (UINT64_C(86400) * 1000000000)

struct rate_counter {
    uint64_t limit, remaining, reset_ns;
    bool has_limit, has_remaining, has_reset;
};

struct rate_headers {
    struct rate_counter of[RATE_OF_COUNT];
    uint64_t retry_after_ns; // the longest that was asked for; 0 = none
    bool has_retry_after;
};

// Takes one field into *h (zeroed at first). name in any case. unix_ns: the wall clock, for dates. False when it is
// none of these fields, or its value is not understood.
bool rate_headers_add(struct rate_headers *h, struct str name, struct str value, int64_t unix_ns);
// All of an answer's fields; whether any was of use.
bool rate_headers_read(struct rate_headers *h, const struct http_field *fields, size_t count, int64_t unix_ns);
// Whether it was told how much is left of it and until when. Input and output together were not where that says no more
// than each of them.
bool rate_headers_told(const struct rate_headers *h, enum rate_of of);
// How long to stay away after a 429: Retry-After, else the reset of a counter that has nothing left, else 0.
uint64_t rate_headers_wait(const struct rate_headers *h);

// "1s", "6m0s", "12ms", "1h2m3.5s", "250µs"; "20" and "0.5" are seconds.
NODISCARD bool rate_duration_parse(struct str s, uint64_t *out_ns);
// The three forms of RFC 9110, 5.6.7.
NODISCARD bool rate_http_date_parse(struct str s, int64_t *out_unix_ns);

#endif
