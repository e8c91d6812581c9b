// Makes a ring of one entry: for whoever presents an access token, or for a key by its number.
#include "access/keyring_impl.h"

#include "access/policy_load.h"
#include "access/token.h"

#define ROTATIONS_MAX 1000

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

static bool copy_text(struct arena *arena, struct str text, struct str *out_copy) {
    *out_copy = arena_str(arena, text);
    return out_copy->p != NULL;
}

static bool token_tenant(struct key_table *table, struct sql *db, const struct token_claims *c, struct key_entry *entry,
                         struct err *err) {
    struct sql_stmt *st;
    bool row, active = false, ok = true;
    if (!sql_prepare(sql_platform(db), STR("SELECT name, status, created_at, time_zone FROM tenant WHERE id = ?1"), &st,
                     err))
        return false;
    sql_bind_i64(st, 1, c->tenant);
    if (!sql_step(st, &row, err)) return false;
    if (row) {
        active = str_eq(sql_col_text(st, 1), STR("active"));
        ok = copy_text(&table->arena, sql_col_text(st, 0), &entry->tenant);
        entry->tenant_made = sql_col_i64(st, 2) != 0;
        ok = ok && key_table_zone(table, sql_col_text(st, 3), &entry->zone, err);
    }
    sql_reset(st);
    if (!ok) return err_no_memory(err);
    return active || err_set(err, ERR_FORBIDDEN, "the tenant of this access token is suspended");
}

static bool token_entry(struct key_table *table, struct sql *db, const struct token_claims *c, int64_t now_ns,
                        struct err *err) {
    struct key_entry entry = {.any_model = true, .place = {.any_address = true, .any_origin = true}};
    struct key_row row;
    if (c->key_id) {
        bool found = key_find_id(db, c->key_id, &table->arena, &row, err);
        if (!found) return err->code == ERR_NOT_FOUND ? ended(err) : false;
        if (!key_table_add(table, &row, err)) return false;
        entry = table->entries.p[0];
        if (entry.is_admin || entry.revoked_at || (entry.expires_at && entry.expires_at <= now_ns)) return ended(err);
    }
    // A key's own list of models, its places and what it lies in still hold, where it acts at home.
    if (!token_tenant(table, db, c, &entry, err)) return false;
    if (entry.tenant_id != c->tenant) {
        entry.team_id = entry.project_id = 0;
        entry.team = entry.project = STR_NONE;
        entry.elsewhere = true;
    }
    entry.tenant_id = c->tenant;
    if (!entry.expires_at || entry.expires_at > c->expires_at) entry.expires_at = c->expires_at;
    entry.prefix = arena_printf(&table->arena, TOKEN_PREFIX "%.6s", c->jti);
    if (c->principal.kind != PRINCIPAL_KEY) entry.owner = c->principal;
    for (size_t i = 0; i < RESOURCE_TYPE_COUNT; i++)
        entry.scopes.actions[i] = c->scopes.actions[i] & (c->key_id ? entry.scopes.actions[i] : ~0U);
    table->entries.n = 0;
    return (entry.prefix.n && vec_push(&table->entries, entry)) || err_no_memory(err);
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
    struct keyring *ring = keyring_new(dir);
    if (ring) ring->all = key_table_new();
    if (!ring || !ring->all) {
        keyring_unref(ring);
        return err_no_memory(err);
    }
    struct principal who[] = {{PRINCIPAL_TENANT, claims->home}, claims->principal};
    bool ok =
        check_session(db, claims, now_ns, err) && token_entry(ring->all, db, claims, now_ns, err) &&
        policy_load_principals(db, who, claims->principal.kind == PRINCIPAL_KEY ? 1 : 2, &ring->all->policy, err) &&
        still_acts(ring->all->policy, claims, now_ns, err);
    if (!ok) {
        keyring_unref(ring);
        return false;
    }
    struct key_entry *e = &ring->all->entries.p[0];
    e->policy = ring->all->policy;
    policy_subject_init(ring->all->policy, claims->principal, claims->home, &e->scopes, &e->subject);
    e->subject.team = e->team_id;
    e->subject.project = e->project_id;
    *out_ring = ring;
    *out_entry = e;
    return true;
}

// The key itself, or what its rotation has put in its place.
static bool latest_key(struct sql *db, int64_t tenant, int64_t *io_id, struct err *err) {
    for (int i = 0; i < ROTATIONS_MAX; i++) {
        struct sql_stmt *st;
        bool row;
        if (!sql_prepare(sql_tenant(db, tenant),
                         STR("SELECT replaced_by FROM api_key WHERE tenant_id = ?1 AND id = ?2 AND replaced_by > 0"),
                         &st, err))
            return false;
        sql_bind_i64(st, 2, *io_id);
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        *io_id = sql_col_i64(st, 0);
        sql_reset(st);
    }
    return true;
}

static bool key_entry_alone(struct key_table *table, struct sql *db, int64_t tenant, int64_t id, struct err *err) {
    struct key_row row;
    if (!latest_key(db, tenant, &id, err) || !key_find_id(db, id, &table->arena, &row, err)) return false;
    if (row.tenant_id != tenant) return err_set(err, ERR_NOT_FOUND, "there is no such key");
    if (!key_table_add(table, &row, err)) return false;
    const struct key_entry *e = &table->entries.p[0];
    struct principal who[] = {{PRINCIPAL_TENANT, tenant}, e->owner};
    return policy_load_principals(db, who, e->owner.kind == PRINCIPAL_NOBODY ? 1 : 2, &table->policy, err) &&
           key_table_finish(table, err);
}

bool keyring_of_key(struct sql *db, const struct datadir *dir, int64_t tenant, int64_t id, struct keyring **out_ring,
                    const struct key_entry **out_entry, struct err *err) {
    struct keyring *ring = keyring_new(dir);
    if (ring) ring->all = key_table_new();
    bool ok = (ring && ring->all) || err_no_memory(err);
    if (!ok || !key_entry_alone(ring->all, db, tenant, id, err)) {
        keyring_unref(ring);
        return false;
    }
    *out_ring = ring;
    *out_entry = &ring->all->entries.p[0];
    return true;
}
