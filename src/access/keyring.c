// Loads keys into an immutable table and looks presented ones up by their hash.
#include "access/keyring.h"

#include "access/key_text.h"
#include "access/policy_load.h"
#include "access/token.h"
#include "base/json_read.h"
#include "base/vec.h"
#include "os/rand.h"
#include "store/grant.h"

#include <sodium.h>
#include <stdio.h>

struct keyring {
    uint64_t refs;
    const struct datadir *dir;
    uint64_t mark;       // random, not 0: tells rings apart even when one lies where another lay
    uint64_t generation; // of dir, before the rows were read
    uint64_t edits;      // key_edits, before the rows were read
    uint64_t rights;     // grant_edits, likewise
    struct policy *policy;
    VEC(struct key_entry) entries;
    uint32_t *slots;   // open addressing: 1 + index into entries, 0 = free
    size_t slots_mask; // their number, a power of two, less one
    struct arena arena;
    size_t damaged;
};

// The hash is keyed with a secret, so no one outside can choose where a key falls.
static size_t slot_of(const struct keyring *ring, const char hash[KEY_HASH_SIZE]) {
    uint64_t h;
    memcpy(&h, hash, sizeof h);
    return (size_t)h & ring->slots_mask;
}

// --- loading ---

// Reads a JSON array of texts, of which some are borrowed: json lies in the arena. False: out of memory.
static bool read_models(struct arena *arena, struct str json, struct key_entry *entry, bool *out_damaged) {
    struct json_reader r;
    enum json_kind kind;
    struct err ignored;
    VEC(struct str) models = {0};
    bool memory = true;
    json_reader_init(&r, json, 2);
    if (json_enter_array(&r)) {
        while (memory && json_element(&r, &kind)) {
            struct str raw, text = STR_NONE;
            if (!json_string(&r, &raw)) break;
            memory = json_string_text(raw, arena, &text) && vec_push(&models, text);
        }
    }
    *out_damaged = memory && !json_end(&r, &ignored);
    struct str *copy = memory && models.n ? ARENA_ARRAY(arena, struct str, models.n) : NULL;
    if (copy) memcpy(copy, models.p, models.n * sizeof *copy);
    bool ok = memory && (copy || models.n == 0);
    if (ok && !*out_damaged) entry->models = copy, entry->n_models = models.n;
    vec_free(&models);
    return ok;
}

static bool copy_text(struct arena *arena, struct str text, struct str *out_copy) {
    *out_copy = arena_str(arena, text);
    return out_copy->p != NULL;
}

// What cannot be read gives no right, and is counted.
static void read_rights(const struct key_row *row, struct key_entry *entry, bool *io_damaged) {
    struct err ignored;
    if (row->any_scope)
        entry->scopes.actions[RESOURCE_MODEL] = 1u << ACTION_READ | 1u << ACTION_USE;
    else if (!permission_read_json(&entry->scopes, row->scopes, &ignored))
        *io_damaged = true;
    if (!row->owner_kind.n) return;
    bool known = principal_kind_parse(row->owner_kind, &entry->owner.kind) &&
                 (entry->owner.kind == PRINCIPAL_USER || entry->owner.kind == PRINCIPAL_SERVICE_ACCOUNT);
    entry->owner.id = row->owner_id;
    if (known) return;
    // Whose rights bound it is not known: none are left.
    entry->scopes = (struct permission_set){0};
    entry->owner = (struct principal){0};
    *io_damaged = true;
}

static bool add_row(void *arg, const struct key_row *row, struct err *err) {
    struct keyring *ring = arg;
    struct key_entry entry = {
        .id = row->id,
        .tenant_id = row->tenant_id,
        .tenant_made = row->tenant_made,
        .is_admin = row->is_admin,
        .any_model = row->any_model,
        .expires_at = row->expires_at,
        .revoked_at = row->revoked_at,
        .team_id = row->team_id,
        .project_id = row->project_id,
    };
    bool damaged = false, lost = false, ok;
    memcpy(entry.hash, row->hash, sizeof entry.hash);
    ok = copy_text(&ring->arena, row->name, &entry.name) && copy_text(&ring->arena, row->prefix, &entry.prefix) &&
         copy_text(&ring->arena, row->tenant, &entry.tenant) && copy_text(&ring->arena, row->tags, &entry.tags) &&
         copy_text(&ring->arena, row->team, &entry.team) && copy_text(&ring->arena, row->project, &entry.project);
    if (ok && !row->any_model) {
        struct str json;
        ok = copy_text(&ring->arena, row->allowed_models, &json) && read_models(&ring->arena, json, &entry, &damaged);
    }
    read_rights(row, &entry, &damaged);
    ok = ok && key_place_read(&ring->arena, row->addresses, row->origins, &entry.place, &lost);
    ok = ok && ring->entries.n < UINT32_MAX && vec_push(&ring->entries, entry);
    ring->damaged += damaged || lost;
    return ok || err_no_memory(err);
}

static bool build_slots(struct keyring *ring, struct err *err) {
    size_t n = 8;
    while (n < ring->entries.n * 2) n *= 2;
    ring->slots = mem_zalloc(n, sizeof *ring->slots);
    if (!ring->slots) return err_no_memory(err);
    ring->slots_mask = n - 1;
    for (size_t i = 0; i < ring->entries.n; i++) {
        size_t at = slot_of(ring, ring->entries.p[i].hash);
        while (ring->slots[at]) at = (at + 1) & ring->slots_mask;
        ring->slots[at] = (uint32_t)i + 1;
    }
    return true;
}

// Once the entries lie where they stay: their subjects point at their scopes.
static void bind_rights(struct keyring *ring) {
    for (size_t i = 0; i < ring->entries.n; i++) {
        struct key_entry *e = &ring->entries.p[i];
        struct principal who = e->owner;
        if (who.kind == PRINCIPAL_NOBODY) who = (struct principal){PRINCIPAL_KEY, e->id};
        policy_subject_init(ring->policy, who, e->tenant_id, &e->scopes, &e->subject);
        e->subject.team = e->team_id;
        e->subject.project = e->project_id;
    }
}

static struct keyring *ring_new(const struct datadir *dir) {
    struct keyring *ring = mem_zalloc(1, sizeof *ring);
    if (!ring) return NULL;
    ring->refs = 1;
    ring->dir = dir;
    arena_init(&ring->arena, NULL, 0, SIZE_MAX / 2);
    // Before the rows: a change that comes in between then shows as one more reload, never as none.
    ring->mark = rand_u64() | 1;
    ring->generation = datadir_key_generation(dir);
    return ring;
}

bool keyring_load(struct sql *db, const struct datadir *dir, struct keyring **out_ring, struct err *err) {
    if (sodium_init() < 0) return err_set(err, ERR_INTERNAL, "the cryptographic library cannot start");
    struct keyring *ring = ring_new(dir);
    if (!ring) return err_no_memory(err);
    bool ok = key_edits(db, &ring->edits, err) && grant_edits(db, &ring->rights, err) &&
              key_each(db, add_row, ring, err) && policy_load_owners(db, &ring->policy, err) && build_slots(ring, err);
    if (ok) {
        bind_rights(ring);
        *out_ring = ring;
        return true;
    }
    keyring_unref(ring);
    return false;
}

// --- of an access token ---

static bool ended(struct err *err) {
    return err_set(err, ERR_UNAUTHENTICATED, "what the access token was made with has ended or was revoked");
}

static bool check_session(struct sql *db, const struct token_claims *c, int64_t now_ns, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!c->session_id) return true;
    if (!sql_prepare(
            sql_tenant(db, c->home),
            STR("SELECT 1 FROM session WHERE tenant_id = ?1 AND id = ?2 AND revoked_at = 0 AND expires_at > ?3"), &st,
            err))
        return false;
    sql_bind_i64(st, 2, c->session_id);
    sql_bind_i64(st, 3, now_ns);
    if (!sql_step(st, &row, err)) return false;
    sql_reset(st);
    return row || ended(err);
}

static bool token_tenant(struct keyring *ring, struct sql *db, const struct token_claims *c, struct key_entry *entry,
                         struct err *err) {
    struct sql_stmt *st;
    bool row, active = false, ok = true;
    if (!sql_prepare(sql_platform(db), STR("SELECT name, status, created_at FROM tenant WHERE id = ?1"), &st, err))
        return false;
    sql_bind_i64(st, 1, c->tenant);
    if (!sql_step(st, &row, err)) return false;
    if (row) {
        active = str_eq(sql_col_text(st, 1), STR("active"));
        ok = copy_text(&ring->arena, sql_col_text(st, 0), &entry->tenant);
        entry->tenant_made = sql_col_i64(st, 2) != 0;
    }
    sql_reset(st);
    if (!ok) return err_no_memory(err);
    return active || err_set(err, ERR_FORBIDDEN, "the tenant of this access token is suspended");
}

static bool token_entry(struct keyring *ring, struct sql *db, const struct token_claims *c, int64_t now_ns,
                        struct err *err) {
    struct key_entry entry = {.any_model = true, .place = {.any_address = true, .any_origin = true}};
    struct key_row row;
    if (c->key_id) {
        bool found = key_find_id(db, c->key_id, &ring->arena, &row, err);
        if (!found) return err->code == ERR_NOT_FOUND ? ended(err) : false;
        if (!add_row(ring, &row, err)) return false;
        entry = ring->entries.p[0];
        if (entry.is_admin || entry.revoked_at || (entry.expires_at && entry.expires_at <= now_ns)) return ended(err);
    }
    // A key's own list of models, its places and what it lies in still hold, where it acts at home.
    if (!token_tenant(ring, db, c, &entry, err)) return false;
    if (entry.tenant_id != c->tenant) {
        entry.team_id = entry.project_id = 0;
        entry.team = entry.project = STR_NONE;
        entry.elsewhere = true;
    }
    entry.tenant_id = c->tenant;
    if (!entry.expires_at || entry.expires_at > c->expires_at) entry.expires_at = c->expires_at;
    entry.prefix = arena_printf(&ring->arena, TOKEN_PREFIX "%.6s", c->jti);
    if (c->principal.kind != PRINCIPAL_KEY) entry.owner = c->principal;
    for (size_t i = 0; i < RESOURCE_TYPE_COUNT; i++)
        entry.scopes.actions[i] = c->scopes.actions[i] & (c->key_id ? entry.scopes.actions[i] : ~0U);
    ring->entries.n = 0;
    return (entry.prefix.n && vec_push(&ring->entries, entry)) || err_no_memory(err);
}

// Of a token for another tenant than its maker's own: whether the maker may still act for that one.
static bool still_acts(const struct policy *policy, const struct token_claims *c, int64_t now_ns, struct err *err) {
    struct policy_resource target = {.type = RESOURCE_TENANT, .tenant = c->tenant};
    struct policy_subject whole;
    struct policy_decision d;
    if (c->tenant == c->home) return true;
    policy_subject_init(policy, c->principal, c->home, NULL, &whole);
    return policy_decide(policy, &whole, ACTION_ACT_AS, &target, now_ns, &d) ||
           err_set(err, ERR_FORBIDDEN, "who made this access token may no longer act for the tenant it is for");
}

bool keyring_of_token(struct sql *db, const struct datadir *dir, const struct token_claims *claims, int64_t now_ns,
                      struct keyring **out_ring, const struct key_entry **out_entry, struct err *err) {
    struct keyring *ring = ring_new(dir);
    if (!ring) return err_no_memory(err);
    struct principal who[] = {{PRINCIPAL_TENANT, claims->home}, claims->principal};
    bool ok = check_session(db, claims, now_ns, err) && token_entry(ring, db, claims, now_ns, err) &&
              policy_load_principals(db, who, claims->principal.kind == PRINCIPAL_KEY ? 1 : 2, &ring->policy, err) &&
              still_acts(ring->policy, claims, now_ns, err);
    if (!ok) {
        keyring_unref(ring);
        return false;
    }
    struct key_entry *e = &ring->entries.p[0];
    policy_subject_init(ring->policy, claims->principal, claims->home, &e->scopes, &e->subject);
    e->subject.team = e->team_id;
    e->subject.project = e->project_id;
    *out_ring = ring;
    *out_entry = e;
    return true;
}

struct keyring *keyring_ref(struct keyring *ring) {
    atom_add_relaxed(&ring->refs, 1);
    return ring;
}

void keyring_unref(struct keyring *ring) {
    if (!ring || atom_sub(&ring->refs, 1) != 0) return;
    policy_unref(ring->policy);
    vec_free(&ring->entries);
    mem_free(ring->slots);
    arena_free(&ring->arena);
    mem_free(ring);
}

// --- questions ---

bool keyring_stale(const struct keyring *ring) { return datadir_key_generation(ring->dir) != ring->generation; }

bool keyring_edited(const struct keyring *ring, struct sql *db, bool *out_edited, struct err *err) {
    uint64_t edits, rights;
    if (!key_edits(db, &edits, err) || !grant_edits(db, &rights, err)) return false;
    *out_edited = edits != ring->edits || rights != ring->rights;
    return true;
}

size_t keyring_count(const struct keyring *ring) { return ring->entries.n; }
size_t keyring_damaged(const struct keyring *ring) { return ring->damaged; }

static const struct key_entry *find(const struct keyring *ring, struct str presented) {
    char hash[KEY_HASH_SIZE];
    key_hash(datadir_secret(ring->dir), presented, hash);
    for (size_t at = slot_of(ring, hash); ring->slots[at]; at = (at + 1) & ring->slots_mask) {
        const struct key_entry *entry = &ring->entries.p[ring->slots[at] - 1];
        if (key_hash_eq(entry->hash, hash)) return entry;
    }
    return NULL;
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

static bool usable(const struct key_entry *entry, int64_t now_ns, struct err *err) {
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
    if (!usable(entry, now_ns, err)) return false;
    *out_entry = entry;
    return true;
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
        if (!usable(entry, now_ns, err)) return false;
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

const struct policy *keyring_policy(const struct keyring *ring) { return ring->policy; }

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

static bool decide_use(const struct keyring *ring, const struct key_entry *entry, struct str model, int64_t now_ns,
                       struct policy_decision *out_decision) {
    const struct policy_resource resource = {.type = RESOURCE_MODEL,
                                             .tenant = entry->tenant_id,
                                             .team = entry->team_id,
                                             .project = entry->project_id,
                                             .id = model,
                                             .name = model};
    return policy_decide(ring->policy, &entry->subject, ACTION_USE, &resource, now_ns, out_decision);
}

bool keyring_allows_model(const struct keyring *ring, const struct key_entry *entry, struct str model, int64_t now_ns) {
    struct policy_decision ignored;
    return key_allows_model(entry, model) && decide_use(ring, entry, model, now_ns, &ignored);
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
    if (!key_check_model(entry, model, err)) return false;
    return LIKELY(decide_use(ring, entry, model, now_ns, &d)) || no_right(entry, model, &d, err);
}
