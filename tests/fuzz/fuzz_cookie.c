// Fuzzes the cookie and origin rules of access/session.h.
#include "access/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct str input = str_of((const char *)data, n), parts[5] = {{0}}, text;
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!str_split(&input, '\n', &parts[i])) break;
    struct session_door door = {n & 1, parts[1], parts[2]};
    if (session_cookie_find(parts[0], &door, &text)) {
        INVARIANT(text.n > 0 && text.p >= parts[0].p && text.p + text.n <= parts[0].p + parts[0].n);
        INVARIANT(str_find_char(text, ';') == text.n);
        (void)!session_text_valid(text);
    }
    struct session_origin from = {.csrf_header = parts[3], .origin = parts[4], .host = parts[2], .tls = n & 1};
    struct str token = STR("0123456789");
    if (session_origin_check(&from, &token, &err)) INVARIANT(str_eq(parts[3], token));
    return 0;
}
