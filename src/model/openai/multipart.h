// Form data (multipart/form-data) looked through without a copy: the few fields that routing needs, and where they are.
//
// Strict, after RFC 2046 and RFC 7578: CRLF, a boundary of 1 to 70 bytes, no preamble that is not empty, at most
// MULTIPART_PARTS_MAX parts with heads of MULTIPART_HEAD_MAX bytes, and the closing delimiter must be there. A field
// that is asked for may come once.
//
// Ownership: slices of the body. Thread rule: pure. Errors: ERR_INVALID_REQUEST, ERR_INVALID_FIELD with err->param.
#ifndef MODEL_OPENAI_MULTIPART_H
#define MODEL_OPENAI_MULTIPART_H

#include "base/err.h"

#define MULTIPART_PARTS_MAX 256
#define MULTIPART_HEAD_MAX 4096

struct multipart_field {
    struct str name;
    bool file;           // a file is wanted: a part with a filename
    struct str filename; // out: of a file, as it is written
    bool found;
    struct str value; // out: where it stands in the body
};

// The boundary that a content type names: "multipart/form-data; boundary=…". False: it is none.
NODISCARD bool multipart_boundary(struct str content_type, struct str *out_boundary);
NODISCARD bool multipart_scan(struct str body, struct str boundary, struct multipart_field *fields, size_t count,
                              struct err *err);

#endif
