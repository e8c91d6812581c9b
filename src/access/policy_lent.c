// Finds whose rights hang on those of others: the holders of what these have delegated, down all chains.
#include "access/policy_impl.h"

static bool has(const struct policy *p, uint32_t slot, const struct principal *list, size_t n) {
    if (slot == NO_SLOT) return false;
    const struct principal *who = &p->slots.p[slot].principal;
    for (size_t i = 0; i < n; i++)
        if (list[i].id == who->id && list[i].kind == who->kind) return true;
    return false;
}

bool policy_add_borrowers(const struct policy *policy, struct principal *list, size_t max, size_t *io_n) {
    size_t before;
    do {
        before = *io_n;
        for (size_t i = 0; i < policy->told.n; i++) {
            const struct grant *g = &policy->grants[i];
            if (LIKELY(g->parent == NO_GRANT && !g->lost)) continue;
            // The one it came from may have been made since.
            bool lent = g->lost || has(policy, g->giver, list, *io_n) ||
                        has(policy, policy->grants[g->parent].holder, list, *io_n);
            if (!lent || has(policy, g->holder, list, *io_n)) continue;
            if (*io_n == max) return false;
            list[(*io_n)++] = policy->slots.p[g->holder].principal;
        }
    } while (*io_n != before);
    return true;
}
