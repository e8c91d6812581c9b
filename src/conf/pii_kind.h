// The kinds of personal data that configuration speaks of; what they look like is known to govern/pii.h.
//
// Ownership: static. Thread rule: pure.
#ifndef CONF_PII_KIND_H
#define CONF_PII_KIND_H

#include "base/str.h"

enum pii_kind {
#define PII(id, word, help) PII_##id,
#include "conf/pii_kind.def"
#undef PII
    PII_KIND_COUNT
};

// Sets of kinds.
#define PII_BIT(kind) (1u << (kind))
#define PII_ALL (PII_BIT(PII_KIND_COUNT) - 1)

struct str pii_kind_name(enum pii_kind kind);
// "credit_card", or "all"; 0: there is no such kind.
unsigned pii_kind_bits(struct str name);

#endif
