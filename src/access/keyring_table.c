// Reads keys into a table that finds them by their hash.
#include "access/keyring_impl.h"

#include "base/json_read.h"

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

bool key_table_zone(struct key_table *table, struct str name, const struct zone **out_zone, struct err *err) {
    struct key_zone z = {0};
    struct err unknown;
    *out_zone = NULL;
    if (!name.n) return true;
    for (size_t i = 0; i < table->zones.n; i++) {
        if (!str_eq(table->zones.p[i].name, name)) continue;
        *out_zone = table->zones.p[i].zone;
        return true;
    }
    if (!zone_find(name, &z.zone, &unknown)) {
        if (unknown.code == ERR_NO_MEMORY) return err_no_memory(err);
        z.zone = NULL; // who reads the budgets says so
    }
    if (!copy_text(&table->arena, name, &z.name) || !vec_push(&table->zones, z)) {
        zone_free(z.zone);
        return err_no_memory(err);
    }
    *out_zone = z.zone;
    return true;
}

bool key_table_add(struct key_table *table, const struct key_row *row, struct err *err) {
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
    ok = copy_text(&table->arena, row->name, &entry.name) && copy_text(&table->arena, row->prefix, &entry.prefix) &&
         copy_text(&table->arena, row->tenant, &entry.tenant) && copy_text(&table->arena, row->tags, &entry.tags) &&
         copy_text(&table->arena, row->team, &entry.team) && copy_text(&table->arena, row->project, &entry.project);
    if (ok && !row->any_model) {
        struct str json;
        ok = copy_text(&table->arena, row->allowed_models, &json) && read_models(&table->arena, json, &entry, &damaged);
    }
    if (!key_table_zone(table, row->time_zone, &entry.zone, err)) return false;
    read_rights(row, &entry, &damaged);
    ok = ok && key_place_read(&table->arena, row->addresses, row->origins, &entry.place, &lost);
    entry.damaged = damaged || lost;
    ok = ok && table->entries.n < UINT32_MAX && vec_push(&table->entries, entry);
    table->damaged += entry.damaged;
    return ok || err_no_memory(err);
}

// The hash is keyed with a secret, so no one outside can choose where a key falls.
static size_t slot_of(const struct key_table *table, const char hash[KEY_HASH_SIZE]) {
    uint64_t h;
    memcpy(&h, hash, sizeof h);
    return (size_t)h & table->slots_mask;
}

const struct key_entry *key_table_find(const struct key_table *table, const char hash[KEY_HASH_SIZE]) {
    for (size_t at = slot_of(table, hash); table->slots[at]; at = (at + 1) & table->slots_mask) {
        const struct key_entry *entry = &table->entries.p[table->slots[at] - 1];
        if (key_hash_eq(entry->hash, hash)) return entry;
    }
    return NULL;
}

static bool build_slots(struct key_table *table, struct err *err) {
    size_t n = 8;
    while (n < table->entries.n * 2) n *= 2;
    table->slots = mem_zalloc(n, sizeof *table->slots);
    if (!table->slots) return err_no_memory(err);
    table->slots_mask = n - 1;
    for (size_t i = 0; i < table->entries.n; i++) {
        size_t at = slot_of(table, table->entries.p[i].hash);
        while (table->slots[at]) at = (at + 1) & table->slots_mask;
        table->slots[at] = (uint32_t)i + 1;
    }
    return true;
}

// Once the entries lie where they stay: their subjects point at their scopes.
static void bind_rights(struct key_table *table) {
    for (size_t i = 0; i < table->entries.n; i++) {
        struct key_entry *e = &table->entries.p[i];
        struct principal who = e->owner;
        if (who.kind == PRINCIPAL_NOBODY) who = (struct principal){PRINCIPAL_KEY, e->id};
        e->policy = table->policy;
        policy_subject_init(table->policy, who, e->tenant_id, &e->scopes, &e->subject);
        e->subject.team = e->team_id;
        e->subject.project = e->project_id;
    }
}

bool key_table_finish(struct key_table *table, struct err *err) {
    if (!build_slots(table, err)) return false;
    bind_rights(table);
    return true;
}

struct key_table *key_table_new(void) {
    struct key_table *table = mem_zalloc(1, sizeof *table);
    if (!table) return NULL;
    table->refs = 1;
    arena_init(&table->arena, NULL, 0, SIZE_MAX / 2);
    return table;
}

struct key_table *key_table_ref(struct key_table *table) {
    atom_add_relaxed(&table->refs, 1);
    return table;
}

void key_table_unref(struct key_table *table) {
    if (!table || atom_sub(&table->refs, 1) != 0) return;
    policy_unref(table->policy);
    for (size_t i = 0; i < table->zones.n; i++) zone_free(table->zones.p[i].zone);
    vec_free(&table->zones);
    vec_free(&table->entries);
    mem_free(table->slots);
    arena_free(&table->arena);
    mem_free(table);
}
