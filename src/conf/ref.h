// References in values, ${env:NAME}, ${file:/path}, ${secret:name} and ${vault:path#key}, replaced by what they name.
//
// Ownership: the result lives in the arena given, NUL-terminated. Thread rule: as the env's callbacks.
#ifndef CONF_REF_H
#define CONF_REF_H

#include "base/arena.h"
#include "conf/opt.h"

#define CONF_VALUE_MAX 65536 // bytes in a value after expansion

// Whether the text has anything to expand: "${", or "$${", which stands for "${" itself.
bool ref_present(struct str text);
// "Bearer ${env:TOKEN}" → "Bearer s3cr3t". A file's trailing line end is dropped. False with err->message naming the
// reference when it can't be resolved; an empty variable or file counts as missing. Files and Vault's names are noted
// in b->refs; the text goes into b->arena. When b->env is offline, references stay as they are once their form is
// checked.
NODISCARD bool ref_expand(struct opt_bind *b, struct str text, struct str *out_text, struct err *err);

#endif
