// Configuration files to begin with, held in the program itself.
//
// Ownership and thread rule: constant.
#ifndef CONF_TEMPLATE_H
#define CONF_TEMPLATE_H

#include "base/str.h"

struct conf_template {
    struct str name;    // "production"
    struct str summary; // a clause without a full stop
    struct str text;    // YAML with comments
};

size_t conf_template_count(void);
// In the order in which they are listed; the first one is the default.
struct conf_template conf_template_at(size_t i);
NODISCARD bool conf_template_find(struct str name, struct conf_template *out_template);

#endif
