// References in values, ${env:NAME} and ${file:/path}, replaced by what they name.
//
// Ownership: the result lives in the arena given, NUL-terminated. Thread rule: as the env's callbacks.
#ifndef CONF_REF_H
#define CONF_REF_H

#include "base/arena.h"
#include "conf/env.h"

#define CONF_VALUE_MAX 65536 // bytes in a value after expansion

// Whether the text has anything to expand: "${", or "$${", which stands for "${" itself.
bool ref_present(struct str text);
// "Bearer ${env:TOKEN}" → "Bearer s3cr3t". A file's trailing line end is dropped. False with err->message naming the
// reference when it can't be resolved; an empty variable or file counts as missing.
NODISCARD bool ref_expand(const struct conf_env *env, struct str text, struct arena *a, struct str *out_text,
                          struct err *err);

#endif
