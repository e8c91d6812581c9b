// The names of kinds of personal data.
#include "conf/pii_kind.h"

#include "base/defs.h"

static const struct str k_names[PII_KIND_COUNT] = {
#define PII(id, word, help) STR_INIT(word),
#include "conf/pii_kind.def"
#undef PII
};

struct str pii_kind_name(enum pii_kind kind) {
    return k_names[kind];
}

unsigned pii_kind_bits(struct str name) {
    if (str_eq(name, STR("all"))) return PII_ALL;
    for (unsigned i = 0; i < PII_KIND_COUNT; i++)
        if (str_eq(name, k_names[i])) return PII_BIT(i);
    return 0;
}
