// What each request to a provider needs for itself: Amazon Bedrock's a signature with an access key, Vertex AI's a
// token.
//
// Ownership: the fields lie in the call's arena. Thread rule: the call's loop.
#ifndef GATEWAY_SIGN_H
#define GATEWAY_SIGN_H

#include "gateway/call.h"
#include "net/http_client.h"

#define SIGN_FIELDS_MAX 3
// Adds what signs the request, complete but for this, to `fields`, which r->fields points to and which has room.
NODISCARD bool sign_request(struct call *call, struct http_request *r, struct http_field *fields, struct err *err);

#endif
