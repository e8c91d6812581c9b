// The API's description in OpenAPI 3.1, from the tables of endpoints and of fields.
//
// Ownership: the buf is the caller's. Thread rule: pure. Errors: the buf's.
#ifndef ADMIN_API_OPENAPI_H
#define ADMIN_API_OPENAPI_H

#include "base/buf.h"

void api_openapi_put(struct buf *out);

#endif
