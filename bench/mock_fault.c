/* The faults of the mock upstream. */
#include "mock_fault.h"

#include <string.h>

#define JSON_HEAD "content-type: application/json\r\n"
#define ERROR(status, more, length, text)                                                                              \
    "HTTP/1.1 " status "\r\n" JSON_HEAD more "content-length: " length "\r\n\r\n"                                      \
    "{\"error\":{\"message\":\"" text "\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n"

static const char *const NAMES[FAULT_COUNT] = {"none", "reset",   "close",   "limit", "error",
                                               "busy", "no_http", "no_json", "cut",   "hang"};

/* xorshift64* */
static uint64_t next(uint64_t *seed) {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545f4914f6cdd1dULL;
}

enum fault fault_draw(struct faults *f, uint32_t permille) {
    enum fault fault = FAULT_NONE;
    if ((next(&f->seed) >> 32) % 1000 < permille) fault = (enum fault)(1 + f->turn++ % (FAULT_COUNT - 1));
    f->done[fault]++;
    return fault;
}

const char *fault_name(enum fault fault) { return NAMES[fault]; }

const char *fault_bytes(enum fault fault, bool stream, size_t *out_n) {
    static const char *const whole[FAULT_COUNT] = {
        [FAULT_LIMIT] = ERROR("429 Too Many Requests", "retry-after-ms: 50\r\n", "81", "slow down"),
        [FAULT_ERROR] = ERROR("500 Internal Server Error", "", "81", "it failed"),
        [FAULT_BUSY] = ERROR("503 Service Unavailable", "", "81", "too much!"),
        [FAULT_NO_HTTP] = "\x16\x03\x01 SSH-2.0 this is no answer\r\n\r\n",
        [FAULT_NO_JSON] = "HTTP/1.1 200 OK\r\n" JSON_HEAD "content-length: 31\r\n\r\n"
                          "<html>a page of a proxy's</html",
        [FAULT_CUT] = "HTTP/1.1 200 OK\r\n" JSON_HEAD "content-length: 1000\r\n\r\n"
                      "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"choices\":[{\"ind",
    };
    const char *p = whole[fault];
    if (stream && fault == FAULT_NO_JSON) p = ERROR("502 Bad Gateway", "", "81", "no stream");
    if (stream && fault == FAULT_CUT)
        p = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    *out_n = p == NULL ? 0 : strlen(p);
    return p;
}

bool fault_ends(enum fault fault, bool *out_reset) {
    *out_reset = fault == FAULT_RESET || fault == FAULT_CUT;
    return *out_reset || fault == FAULT_CLOSE || fault == FAULT_NO_HTTP;
}
