// A question about rights: whether somebody may do something, with something, somewhere, at some time.
//
// Ownership: text is borrowed from the request or lives in its arena. Thread rule: as api.h. Errors: ERR_INVALID_FIELD
// for what cannot be understood or is not there; those of api_check for what one may not ask.
#ifndef ADMIN_API_ACCESS_ASK_H
#define ADMIN_API_ACCESS_ASK_H

#include "admin/api_impl.h"

// As it was asked; all may be empty but the action.
struct api_asked {
    struct str principal, action, resource, team, project;
    struct str tags;   // a JSON object
    struct str scopes; // a JSON array
    struct str at;
};

struct api_question {
    struct principal principal;
    int64_t home;
    enum resource_type type;
    enum action action;
    struct policy_resource resource;
    int64_t at;
    struct permission_set within;
    struct policy_subject subject; // within may point into this question: it stays where it is
    // Of a key: why it may not, whatever its rights are. NULL: they decide.
    const char *refused, *because;
};
// Reads it and makes call->policy one that can answer it.
NODISCARD bool api_question_read(struct api_call *call, const struct api_asked *asked, struct api_question *out,
                                 struct err *err);

#endif
