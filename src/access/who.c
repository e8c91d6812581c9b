// The names of kinds of principals.
#include "access/who.h"

#include "base/defs.h"

static const struct str k_names[PRINCIPAL_KIND_COUNT] = {
    [PRINCIPAL_NOBODY] = STR_INIT("nobody"), [PRINCIPAL_OPERATOR] = STR_INIT("operator"),
    [PRINCIPAL_USER] = STR_INIT("user"),     [PRINCIPAL_SERVICE_ACCOUNT] = STR_INIT("service_account"),
    [PRINCIPAL_KEY] = STR_INIT("key"),       [PRINCIPAL_TEAM] = STR_INIT("team"),
    [PRINCIPAL_TENANT] = STR_INIT("tenant"), [PRINCIPAL_SYSTEM] = STR_INIT("system"),
};

struct str principal_kind_name(enum principal_kind kind) {
    return k_names[kind];
}

bool principal_kind_parse(struct str name, enum principal_kind *out_kind) {
    for (unsigned i = 0; i < PRINCIPAL_KIND_COUNT; i++) {
        if (!str_eq(k_names[i], name)) continue;
        *out_kind = (enum principal_kind)i;
        return true;
    }
    return false;
}
