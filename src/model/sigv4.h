// AWS Signature Version 4: what signs a request to Amazon's services.
//
// Source: AWS General Reference, "Signature Version 4 signing process"; checked against its published test suite.
// Ownership: the caller's buffers. Thread rule: pure; the clock is passed in. Units: Unix seconds.
#ifndef MODEL_SIGV4_H
#define MODEL_SIGV4_H

#include "base/buf.h"
#include "base/err.h"

struct sigv4_field { // of the request
    struct str name, value;
};
#define SIGV4_FIELDS_MAX 16

struct sigv4_request {
    struct str method;
    struct str path;                  // as it is sent: encoded once; the signature's is encoded once more
    struct str query;                 // as it is sent, without '?'
    const struct sigv4_field *fields; // to be signed: host, content-type; names in any case and order
    size_t field_count;
    const struct str *body; // in pieces
    size_t body_count;
    struct str region, service;
    int64_t now;
};
struct sigv4_key {
    struct str id, secret;
    struct str session_token; // of temporary credentials; or empty
};

#define SIGV4_DATE_LEN 16 // "20150830T123600Z"

// The value of x-amz-date, which has to be sent, and of authorization; x-amz-security-token too is signed, when there
// is a session token, and has to be sent. False: too many fields, or no memory.
NODISCARD bool sigv4_sign(const struct sigv4_request *request, const struct sigv4_key *key,
                          char out_date[SIGV4_DATE_LEN], struct buf *out_authorization, struct err *err);

#endif
