// One request to a server's admin API, over HTTP.
//
// Ownership: the answer is the caller's, to cli_answer_free. Thread rule: the main thread; blocks. Errors: as in err.h;
// an HTTP status is none.
#ifndef CLI_SERVER_CALL_H
#define CLI_SERVER_CALL_H

#include "cli/commands.h"
#include "net/http.h"

// Takes an answer of any length piece by piece; false: no more of it.
typedef bool cli_sink(void *ctx, struct str piece);

#define SERVER_CALL_FIELDS_MAX 32
struct server_call {
    struct str server; // "https://penstock.example.com", without a slash at its end
    enum http_method method;
    struct str target;   // path and query
    struct str body;     // JSON, or empty
    struct str type;     // of the body; empty = application/json
    unsigned timeout_ms; // 0 = a minute
    struct str bearer;   // a key or an access token
    struct str cookie, csrf;
    struct str tenant;
    const struct http_field *fields; // besides; at most SERVER_CALL_FIELDS_MAX
    size_t field_count;
    cli_sink *sink; // of a successful answer's body; NULL: it is gathered
    void *sink_ctx;
};
struct cli_answer {
    int status;
    struct buf body;
    char cookie[512]; // "NAME=VALUE" that the answer sets, or empty
};
NODISCARD bool server_call(const struct server_call *call, struct cli_answer *out_answer, struct err *err);
// Wipes it: a new key may be in it.
void cli_answer_free(struct cli_answer *answer);

// --server, else $PENSTOCK_SERVER, without slashes at its end; empty when neither is given.
struct str server_named(const struct cli_args *args);
// CLI_OK, or the exit code after it was said what is wrong with the address.
int server_check(const struct cli_args *args, struct str server);

#endif
