// The entity domain: a host name that is a tenant's own.
#include "store/entity_fields.h"

// a-z, 0-9, '-' in parts, at least two of them.
static const char *check_domain(struct str text) {
    static const char expected[] = "a host name of two parts or more, in lower case, without a port: ai.example.com";
    struct str part = STR_NONE;
    size_t parts = 0;
    if (text.n > 253) return expected;
    for (struct str rest = text; rest.p && str_split(&rest, '.', &part); parts++) {
        if (!part.n || part.n > 63 || part.p[0] == '-' || part.p[part.n - 1] == '-') return expected;
        for (size_t i = 0; i < part.n; i++) {
            char c = part.p[i];
            if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return expected;
        }
    }
    // Numbers alone at the end are an address.
    bool letters = false;
    for (size_t i = 0; i < part.n; i++) letters |= part.p[i] >= 'a';
    return parts >= 2 && letters ? NULL : expected;
}

static const struct entity_field k_fields[] = {
    {.name = STR_INIT("name"),
     .type = ENTITY_TEXT,
     .flags = ENTITY_REQUIRED | ENTITY_CREATE_ONLY | ENTITY_FILTER | ENTITY_SORT,
     .min = 1,
     .max = 253,
     .check = check_domain,
     .help = "The host name; requests to it are this tenant's",
     .example = "ai.acme.example"},
};

const struct entity entity_domain = {
    .name = STR_INIT("domain"),
    .plural = STR_INIT("domains"),
    .title = STR_INIT("Domain"),
    .table = STR_INIT("tenant_domain"),
    .prefix = STR_INIT("domain_"),
    .called_by = STR_INIT("name"),
    .fields = k_fields,
    .n = ARRAY_LEN(k_fields),
    .help = "A host name that is a tenant's own: only its keys and people are admitted there",
};
static_assert(ARRAY_LEN(k_fields) <= ENTITY_FIELDS_MAX, "rows have room for all fields");
