// HTTP for the control plane: one request on libcurl, awaited, with a time for each step.
//
// Ownership: the answer's body is the caller's buf; fetch_answer_free releases it. Thread rule: blocks, so it is for
// worker threads and the command line; any thread. Units: milliseconds, microseconds for steps. Errors: ERR_UPSTREAM_…
// codes with the step that failed and libcurl's reason; an HTTP status is no error.
#ifndef NET_FETCH_H
#define NET_FETCH_H

#include "base/buf.h"
#include "base/err.h"
#include "net/http.h"

#include <stdatomic.h>

// What it failed of, for those who tell people what to do.
enum fetch_fault {
    FETCH_FAULT_OTHER,
    FETCH_FAULT_RESOLVE,       // the server's name
    FETCH_FAULT_RESOLVE_PROXY, // the proxy's name
    FETCH_FAULT_CONNECT,
    FETCH_FAULT_TLS,
    FETCH_FAULT_CERTIFICATE, // it is not to be trusted, or not for this name
    FETCH_FAULT_CA_FILE,     // tls_ca can't be used
    FETCH_FAULT_TIMEOUT,
};

struct fetch_request {
    struct str method; // empty = GET
    struct str url;    // http or https; nothing else is followed, no redirects
    const struct http_field *fields;
    size_t n_fields;
    struct str body;
    struct str proxy, tls_ca; // empty = none, the system's
    bool no_verify;           // TLS certificates are not verified
    unsigned timeout_ms;      // for all of it; 0 = 10 s
    unsigned connect_ms;      // until connected, TLS included; 0 = as timeout_ms
    size_t max_body;          // 0 = 1 MiB; a longer answer is an error
    // Takes the body of a successful answer piece by piece, so that it may be of any length; false ends the transfer.
    // NULL: the body is gathered.
    bool (*sink)(void *ctx, struct str piece);
    void *sink_ctx;
    enum fetch_fault *out_fault; // set when it fails; may be NULL
    atomic_bool *stop;           // once true, the request fails within about a second; may be NULL
};
struct fetch_answer {
    int status;
    struct buf body;
    struct str content_type; // in `text`
    struct str date;         // the Date field, or empty
    struct str cookie;       // "NAME=VALUE" of the first Set-Cookie field, or empty
    int64_t date_s;          // unix seconds of it; 0 = none
    int64_t cert_expires_s;  // unix seconds of the server certificate's end; 0 = no TLS or not known
    unsigned resolve_us, connect_us, tls_us, first_byte_us, total_us; // since the start; 0 = that step was not reached
    char text[1024];
};
// Once in a process, before threads begin; fetch_global_end at its end. Both are idempotent.
NODISCARD bool fetch_global_begin(struct err *err);
void fetch_global_end(void);
NODISCARD bool fetch(const struct fetch_request *request, struct fetch_answer *out_answer, struct err *err);
void fetch_answer_free(struct fetch_answer *answer);

#endif
