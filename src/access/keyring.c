// Looks presented keys up by their hash, and says what they may do.
#include "access/key_text.h"
#include "access/keyring_impl.h"

#include <sodium.h>
#include <stdio.h>

struct keyring *keyring_ref(struct keyring *ring) {
    atom_add_relaxed(&ring->refs, 1);
    return ring;
}

void keyring_unref(struct keyring *ring) {
    if (!ring || atom_sub(&ring->refs, 1) != 0) return;
    key_table_unref(ring->all);
    key_table_unref(ring->latest);
    host_table_free(ring->hosts);
    mem_free(ring);
}

// --- questions ---

int64_t keyring_host_tenant(const struct keyring *ring, struct str host) { return host_table_find(ring->hosts, host); }

bool keyring_stale(const struct keyring *ring) {
    return datadir_key_generation(ring->dir) != atom_load(&ring->generation);
}

bool keyring_edited(const struct keyring *ring, struct sql *db, bool *out_edited, struct err *err) {
    struct key_counts now;
    if (!key_counts_read(db, &now, err)) return false;
    *out_edited =
        now.keys != ring->counts.keys || now.deleted != ring->counts.deleted || now.rights != ring->counts.rights;
    return true;
}

size_t keyring_count(const struct keyring *ring) { return ring->count; }
size_t keyring_damaged(const struct keyring *ring) { return ring->damaged; }

static const struct key_entry *find(const struct keyring *ring, struct str presented) {
    char hash[KEY_HASH_SIZE];
    key_hash(datadir_secret(ring->dir), presented, hash);
    const struct key_entry *entry = ring->latest ? key_table_find(ring->latest, hash) : NULL;
    return entry ? entry : key_table_find(ring->all, hash);
}

COLD static bool malformed(struct str presented, struct err *err) {
    if (presented.n == 0)
        return err_set(
            err, ERR_UNAUTHENTICATED,
            "No API key was given: send the header \"Authorization: Bearer ps-…\" with a key of this server.");
    if (key_text_form(presented) == KEY_FORM_DAMAGED)
        return err_set(err, ERR_UNAUTHENTICATED,
                       "The API key %.*s… is damaged: its last characters, a checksum, do not fit the others. Was it "
                       "mistyped?",
                       KEY_PREFIX_LEN, presented.p);
    if (str_starts(presented, STR("ps-")))
        return err_set(err, ERR_UNAUTHENTICATED,
                       "The API key is malformed: a key is \"ps-\" and 49 letters and digits, %d characters in all (%d "
                       "in an early "
                       "one); this one has %zu bytes. Was it cut or wrapped while being copied?",
                       KEY_TEXT_LEN, KEY_TEXT_EARLY_LEN, presented.n);
    return err_set(
        err, ERR_UNAUTHENTICATED,
        "This is not a key of this server, whose keys begin with \"ps-\". A provider's own key does not work "
        "here: ask the operator for one made by `penstock key create`.");
}

COLD static bool unusable(const struct key_entry *entry, const char *what, int64_t when_ns, struct err *err) {
    char when[TIME_TEXT_LEN];
    time_text(when, when_ns);
    return err_set(err, ERR_UNAUTHENTICATED,
                   "The API key %.*s… %s %.*s: ask the operator for a new one (`penstock key create`).",
                   STR_ARG(entry->prefix), what, TIME_TEXT_LEN, when);
}

bool keyring_usable(const struct key_entry *entry, int64_t now_ns, struct err *err) {
    if (UNLIKELY(entry->revoked_at != 0)) return unusable(entry, "was revoked on", entry->revoked_at, err);
    if (UNLIKELY(entry->expires_at != 0 && entry->expires_at <= now_ns))
        return unusable(entry, "expired on", entry->expires_at, err);
    return true;
}

bool keyring_check(const struct keyring *ring, struct str presented, int64_t now_ns, const struct key_entry **out_entry,
                   struct err *err) {
    if (UNLIKELY(!key_text_valid(presented))) return malformed(presented, err);
    const struct key_entry *entry = find(ring, presented);
    if (UNLIKELY(!entry))
        return err_set(
            err, ERR_UNAUTHENTICATED,
            "The API key %.*s… is not known here: check that it was made on this server and copied whole, or "
            "ask the operator for a new one (`penstock key create`).",
            KEY_PREFIX_LEN, presented.p);
    if (!keyring_usable(entry, now_ns, err)) return false;
    *out_entry = entry;
    return true;
}

enum keyring_refusal keyring_refusal(const struct keyring *ring, struct str presented, int64_t now_ns,
                                     const struct key_entry **out_entry) {
    *out_entry = NULL;
    if (!key_text_valid(presented)) return KEYRING_MALFORMED;
    const struct key_entry *entry = find(ring, presented);
    // Of an early key's text nothing says that it ever was one.
    if (!entry) return key_text_form(presented) == KEY_FORM_GOOD ? KEYRING_UNKNOWN : KEYRING_MALFORMED;
    if (entry->revoked_at == 0 && (entry->expires_at == 0 || entry->expires_at > now_ns)) return KEYRING_MALFORMED;
    *out_entry = entry;
    return entry->revoked_at ? KEYRING_REVOKED : KEYRING_EXPIRED;
}

static void memo_begin(struct keyring_memo *memo, const struct keyring *ring) {
    memset(memo, 0, sizeof *memo);
    memo->ring = ring->mark;
    randombytes_buf(memo->seed, sizeof memo->seed);
}

bool keyring_check_memo(const struct keyring *ring, struct keyring_memo *memo, struct str presented, int64_t now_ns,
                        const struct key_entry **out_entry, struct err *err) {
    unsigned char tag[crypto_shorthash_siphashx24_BYTES];
    if (memo->ring != ring->mark) memo_begin(memo, ring);
    crypto_shorthash_siphashx24(tag, (const unsigned char *)presented.p, presented.n, memo->seed);
    size_t slot = tag[0] % KEYRING_MEMO_SLOTS;
    const struct key_entry *entry = memo->slots[slot].entry;
    if (LIKELY(entry && sodium_memcmp(tag, memo->slots[slot].tag, sizeof tag) == 0)) {
        if (!keyring_usable(entry, now_ns, err)) return false;
        *out_entry = entry;
        return true;
    }
    if (!keyring_check(ring, presented, now_ns, out_entry, err)) return false;
    memo->slots[slot].entry = *out_entry;
    memcpy(memo->slots[slot].tag, tag, sizeof tag);
    return true;
}

static bool matches(struct str pattern, struct str model) {
    if (pattern.n && pattern.p[pattern.n - 1] == '*') return str_starts(model, str_head(pattern, pattern.n - 1));
    return str_eq(pattern, model);
}

bool key_allows_model(const struct key_entry *entry, struct str model) {
    if (entry->any_model) return true;
    for (size_t i = 0; i < entry->n_models; i++)
        if (matches(entry->models[i], model)) return true;
    return false;
}

bool key_check_model(const struct key_entry *entry, struct str model, struct err *err) {
    if (LIKELY(key_allows_model(entry, model))) return true;
    char list[200] = "";
    size_t n = 0, shown = 0;
    for (; shown < entry->n_models; shown++) {
        struct str m = entry->models[shown];
        if (m.n + 3 > sizeof list - n) break;
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%.*s", shown ? ", " : "", STR_ARG(m));
    }
    err_set(err, ERR_MODEL_NOT_ALLOWED, "The API key %.*s… may not use the model \"%.*s\". It may use: %s%s",
            STR_ARG(entry->prefix), STR_ARG(str_head(model, 100)), n ? list : "none",
            shown < entry->n_models ? ", …" : ".");
    snprintf(err->param, sizeof err->param, "model");
    return false;
}

// --- rights ---

const struct policy *keyring_policy(const struct keyring *ring) { return ring->all->policy; }

COLD static bool suspended(const struct key_entry *entry, struct err *err) {
    bool tenants = entry->subject.principal.kind == PRINCIPAL_KEY;
    return err_set(err, ERR_FORBIDDEN, "The API key %.*s… cannot be used: its %s is suspended or gone.",
                   STR_ARG(entry->prefix), tenants ? "tenant" : "owner, or its tenant,");
}

bool keyring_admits(const struct keyring *ring, const struct key_entry *entry, struct str peer, struct str origin,
                    struct err *err) {
    (void)ring;
    if (UNLIKELY(policy_suspended(&entry->subject))) return suspended(entry, err);
    if (LIKELY(entry->place.any_address && entry->place.any_origin)) return true;
    return key_place_allows(&entry->place, peer, origin, err);
}

static bool decide_use(const struct key_entry *entry, struct str model, int64_t now_ns,
                       struct policy_decision *out_decision) {
    const struct policy_resource resource = {.type = RESOURCE_MODEL,
                                             .tenant = entry->tenant_id,
                                             .team = entry->team_id,
                                             .project = entry->project_id,
                                             .id = model,
                                             .name = model};
    return policy_decide(entry->policy, &entry->subject, ACTION_USE, &resource, now_ns, out_decision);
}

bool keyring_allows_model(const struct keyring *ring, const struct key_entry *entry, struct str model, int64_t now_ns) {
    struct policy_decision ignored;
    (void)ring;
    return key_allows_model(entry, model) && decide_use(entry, model, now_ns, &ignored);
}

COLD static bool no_right(const struct key_entry *entry, struct str model, const struct policy_decision *d,
                          struct err *err) {
    const struct str kind = principal_kind_name(entry->owner.kind);
    switch (d->reason) {
    case POLICY_BEYOND_SCOPES:
        err_set(err, ERR_MODEL_NOT_ALLOWED,
                "The API key %.*s… may not use the model \"%.*s\": its scopes do not hold model:use.",
                STR_ARG(entry->prefix), STR_ARG(str_head(model, 100)));
        break;
    case POLICY_DENIED:
        err_set(err, ERR_MODEL_NOT_ALLOWED, "The API key %.*s… may not use the model \"%.*s\": it is denied.",
                STR_ARG(entry->prefix), STR_ARG(str_head(model, 100)));
        break;
    case POLICY_OPERATOR:
    case POLICY_GRANTED:
    case POLICY_BY_SCOPES:
    case POLICY_NO_GRANT:
    case POLICY_SUSPENDED:
    case POLICY_REASON_COUNT:
        err_set(err, ERR_MODEL_NOT_ALLOWED,
                "The API key %.*s… may not use the model \"%.*s\": no grant gives its owner (a %.*s) model:use there.",
                STR_ARG(entry->prefix), STR_ARG(str_head(model, 100)), STR_ARG(kind));
    }
    snprintf(err->param, sizeof err->param, "model");
    return false;
}

bool keyring_check_model(const struct keyring *ring, const struct key_entry *entry, struct str model, int64_t now_ns,
                         struct err *err) {
    struct policy_decision d;
    (void)ring;
    if (!key_check_model(entry, model, err)) return false;
    return LIKELY(decide_use(entry, model, now_ns, &d)) || no_right(entry, model, &d, err);
}
