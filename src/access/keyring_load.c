// Loads a key ring, or makes one from another and what has changed since.
#include "access/keyring_impl.h"

#include "access/policy_load.h"
#include "os/rand.h"
#include "store/grant.h"

#include <sodium.h>

// More changes than these since all keys were read, and all are read again.
#define LATEST_MAX 256

bool key_counts_read(struct sql *db, struct key_counts *out_counts, struct err *err) {
    return key_edits(db, &out_counts->keys, err) && key_deletions(db, &out_counts->deleted, err) &&
           grant_edits(db, &out_counts->rights, err);
}

struct keyring *keyring_new(const struct datadir *dir) {
    struct keyring *ring = mem_zalloc(1, sizeof *ring);
    if (!ring) return NULL;
    ring->refs = 1;
    ring->dir = dir;
    // Before the rows: a change that comes in between then shows as one more renewal, never as none.
    ring->mark = rand_u64() | 1;
    ring->generation = datadir_key_generation(dir);
    return ring;
}

static bool on_row(void *arg, const struct key_row *row, struct err *err) { return key_table_add(arg, row, err); }

static bool load_all(struct sql *db, struct keyring *ring, struct err *err) {
    ring->all = key_table_new();
    if (!ring->all) return err_no_memory(err);
    if (!key_counts_read(db, &ring->counts, err) || !key_each(db, on_row, ring->all, err) ||
        !policy_load_owners(db, &ring->all->policy, err) || !key_table_finish(ring->all, err))
        return false;
    ring->all_counts = ring->counts;
    ring->count = ring->all->entries.n;
    ring->damaged = ring->all->damaged;
    return true;
}

bool keyring_load(struct sql *db, const struct datadir *dir, struct keyring **out_ring, struct err *err) {
    if (sodium_init() < 0) return err_set(err, ERR_INTERNAL, "the cryptographic library cannot start");
    struct keyring *ring = keyring_new(dir);
    if (!ring) return err_no_memory(err);
    if (!load_all(db, ring, err) || !host_table_load(db, &ring->hosts, err)) {
        keyring_unref(ring);
        return false;
    }
    *out_ring = ring;
    return true;
}

// --- what has changed since all keys were read ---

struct changes {
    bool many; // too many to tell, or of a kind that can concern everybody
    uint64_t explained;
    struct principal people[LATEST_MAX]; // whose rights may have changed
    size_t n_people;
    int64_t keys[LATEST_MAX];
    size_t n_keys;
};

static bool on_change(void *arg, const struct access_change *change, struct err *err) {
    (void)err;
    struct changes *c = arg;
    struct principal who = {.id = change->id};
    c->explained++;
    if (!principal_kind_parse(change->kind, &who.kind)) return true;
    if (who.kind != PRINCIPAL_USER && who.kind != PRINCIPAL_SERVICE_ACCOUNT) return true;
    for (size_t i = 0; i < c->n_people; i++)
        if (c->people[i].kind == who.kind && c->people[i].id == who.id) return true;
    if (c->n_people == LATEST_MAX)
        c->many = true;
    else
        c->people[c->n_people++] = who;
    return true;
}

static void add_keys(struct changes *c, const int64_t *ids, size_t n) {
    for (size_t i = 0; i < n && !c->many; i++) {
        size_t at = 0;
        while (at < c->n_keys && c->keys[at] != ids[i]) at++;
        if (at < c->n_keys) continue;
        c->many = c->n_keys == LATEST_MAX;
        if (!c->many) c->keys[c->n_keys++] = ids[i];
    }
}

// Whose keys to look at; all of their keys.
static bool find_people(struct sql *db, const struct keyring *old, uint64_t now, struct changes *c, struct err *err) {
    int64_t ids[LATEST_MAX + 1];
    size_t n;
    if (now == old->all_counts.rights) return true;
    if (!access_change_each(db, old->all_counts.rights, now, on_change, c, err)) return false;
    c->many |= c->explained != now - old->all_counts.rights;
    c->many |= !c->many && !policy_add_borrowers(old->all->policy, c->people, LATEST_MAX, &c->n_people);
    for (size_t i = 0; i < c->n_people && !c->many; i++) {
        if (!key_ids_of_owner(db, principal_kind_name(c->people[i].kind), c->people[i].id, ids, ARRAY_LEN(ids), &n,
                              err))
            return false;
        add_keys(c, ids, n);
    }
    return true;
}

static bool find_changes(struct sql *db, const struct keyring *old, const struct key_counts *now, struct changes *c,
                         struct err *err) {
    int64_t ids[LATEST_MAX + 1];
    size_t n;
    c->many = now->deleted != old->all_counts.deleted;
    if (c->many) return true;
    if (!key_ids_since(db, old->all_counts.keys, ids, ARRAY_LEN(ids), &n, err)) return false;
    add_keys(c, ids, n);
    return c->many || find_people(db, old, now->rights, c, err);
}

// --- the latest ---

static bool load_keys(struct sql *db, const struct changes *c, struct key_table *table, struct err *err) {
    struct arena scratch;
    struct key_row row;
    bool ok = true;
    arena_init(&scratch, NULL, 0, SIZE_MAX / 2);
    for (size_t i = 0; ok && i < c->n_keys; i++) {
        if (key_find_id(db, c->keys[i], &scratch, &row, err))
            ok = key_table_add(table, &row, err);
        else
            ok = err->code == ERR_NOT_FOUND; // deleted meanwhile: that is the next renewal's
    }
    arena_free(&scratch);
    return ok;
}

static bool load_rights(struct sql *db, struct key_table *table, struct err *err) {
    VEC(struct principal) who = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < table->entries.n; i++) {
        const struct key_entry *e = &table->entries.p[i];
        ok = vec_push(&who, (struct principal){PRINCIPAL_TENANT, e->tenant_id});
        if (e->owner.kind != PRINCIPAL_NOBODY) ok = ok && vec_push(&who, e->owner);
    }
    ok = ok || err_no_memory(err);
    ok = ok && policy_load_principals(db, who.p, who.n, &table->policy, err);
    vec_free(&who);
    return ok;
}

static bool load_latest(struct sql *db, const struct keyring *old, const struct changes *c, struct keyring *ring,
                        struct err *err) {
    ring->all = key_table_ref(old->all);
    ring->all_counts = old->all_counts;
    ring->count = old->all->entries.n;
    ring->damaged = old->all->damaged;
    if (!c->n_keys) return true;
    ring->latest = key_table_new();
    if (!ring->latest) return err_no_memory(err);
    if (!load_keys(db, c, ring->latest, err) || !load_rights(db, ring->latest, err) ||
        !key_table_finish(ring->latest, err))
        return false;
    ring->damaged += ring->latest->damaged;
    for (size_t i = 0; i < ring->latest->entries.n; i++) {
        const struct key_entry *before = key_table_find(ring->all, ring->latest->entries.p[i].hash);
        if (before)
            ring->damaged -= before->damaged;
        else
            ring->count++;
    }
    return true;
}

static bool same_counts(const struct key_counts *a, const struct key_counts *b) {
    return a->keys == b->keys && a->deleted == b->deleted && a->rights == b->rights;
}

bool keyring_renew(struct sql *db, struct keyring *old, struct keyring **out_ring, struct err *err) {
    struct keyring *ring = keyring_new(old->dir);
    struct changes *c = mem_zalloc(1, sizeof *c);
    bool ok = (ring && c) || err_no_memory(err);
    ok = ok && key_counts_read(db, &ring->counts, err);
    if (ok && same_counts(&ring->counts, &old->counts)) {
        atom_store(&old->generation, ring->generation);
        *out_ring = keyring_ref(old);
        keyring_unref(ring);
        mem_free(c);
        return true;
    }
    ok = ok && find_changes(db, old, &ring->counts, c, err);
    ok = ok && (c->many ? load_all(db, ring, err) : load_latest(db, old, c, ring, err)) &&
         host_table_load(db, &ring->hosts, err);
    mem_free(c);
    if (!ok) {
        keyring_unref(ring);
        return false;
    }
    *out_ring = ring;
    return true;
}
