// What each family of Claude models takes, by its name.
#include "model/anthropic/anthropic.h"

static const struct anthropic_family k_families[] = {
#define FAMILY(prefix, max_output, flags) {STR_INIT(prefix), (flags), (max_output)},
#include "model/anthropic/family.def"
#undef FAMILY
};

// Other vendors' models behind this dialect take what it had when they copied it.
static const struct anthropic_family k_other = {
    STR_INIT(""), ANTHROPIC_SAMPLES | ANTHROPIC_FORCES | ANTHROPIC_BUDGET | ANTHROPIC_SCHEMA, 0};

// The version ends where the name does, or a date or another part begins: "claude-opus-4-1" is none of
// "claude-opus-4-15".
static bool fits(struct str name, struct str prefix) {
    if (!str_starts(name, prefix)) return false;
    char last = prefix.p[prefix.n - 1];
    if (last < '0' || last > '9' || name.n == prefix.n) return true;
    char next = name.p[prefix.n];
    return next < '0' || next > '9';
}

const struct anthropic_family *anthropic_family_of(struct str model) {
    const struct anthropic_family *best = &k_other;
    // "anthropic.claude-…", "us.anthropic.claude-…", "anthropic/claude-…".
    struct str name = str_from(model, str_find(model, STR("claude-")));
    if (!name.n) return best;
    for (size_t i = 0; i < ARRAY_LEN(k_families); i++)
        if (fits(name, k_families[i].prefix) && k_families[i].prefix.n > best->prefix.n) best = &k_families[i];
    return best;
}

uint64_t anthropic_max_tokens(const struct chat_target *target) {
    const struct anthropic_family *family = anthropic_family_of(target->model);
    uint64_t max = target->max_output ? target->max_output : family->max_output;
    if (!max) return ANTHROPIC_OUTPUT_DEFAULT;
    return family->flags & ANTHROPIC_SCHEMA ? max : MIN(max, (uint64_t)ANTHROPIC_OUTPUT_OLDER);
}
