// A JSON merge patch (RFC 7396) of the configuration, taken apart into live changes by the option tables.
//
// Objects of sections, of maps and of lists of named items are walked; every other value, and null, becomes a change of
// its own. {"models":{"fast":{…}}} addresses the model of that name, {"models":[…]} is all of them. An empty object
// changes nothing.
//
// Ownership: keys and values live in the arena given. Thread rule: pure. Errors: ERR_INVALID_JSON, ERR_INVALID_FIELD,
// ERR_NO_MEMORY; what the tables do not know, and a member given twice, is told in *problems with its place in the
// text, and the error is ERR_CONFIG_INVALID. Values themselves are checked when the whole is loaded.
#ifndef ADMIN_PATCH_H
#define ADMIN_PATCH_H

#include "conf/opt.h"

#define PATCH_CHANGES_MAX 10000
#define PATCH_DEPTH_MAX 32

struct patch {
    struct conf_override *list; // value: JSON in one line, text without escapes that YAML would not know
    size_t n;
};
NODISCARD bool patch_parse(const struct opt_table *root, struct str body, struct arena *a,
                           struct conf_problems *problems, struct patch *out_patch, struct err *err);

#endif
