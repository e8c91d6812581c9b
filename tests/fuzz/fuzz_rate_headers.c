// Fuzzes what providers say of their rate limits: any bytes give numbers within bounds, or nothing.
#include "route/rate_headers.h"

static void check(const struct rate_headers *h) {
    for (int i = 0; i < RATE_OF_COUNT; i++) INVARIANT(h->of[i].reset_ns <= RATE_MAX_NS);
    INVARIANT(h->retry_after_ns <= RATE_MAX_NS);
    INVARIANT(h->has_retry_after || h->retry_after_ns == 0);
    INVARIANT(rate_headers_wait(h) <= RATE_MAX_NS);
    for (int i = 0; i < RATE_OF_COUNT; i++)
        if (rate_headers_told(h, (enum rate_of)i)) INVARIANT(h->of[i].has_remaining && h->of[i].has_reset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rate_headers h = {0};
    struct str rest = str_of((const char *)data, size), line;
    uint64_t ns;
    int64_t then;
    for (int i = 0; i < 64 && str_split(&rest, '\n', &line); i++) {
        size_t colon = str_find_char(line, ':');
        struct str value = str_from(line, colon + 1);
        struct rate_headers before = h;
        bool used = rate_headers_add(&h, str_head(line, colon), value, INT64_C(1774771200) * 1000000000);
        INVARIANT(used || memcmp(&before, &h, sizeof h) == 0);
        check(&h);
        INVARIANT(!rate_duration_parse(value, &ns) || ns <= RATE_MAX_NS);
        if (rate_http_date_parse(value, &then)) INVARIANT(value.n >= 24);
    }
    return 0;
}
