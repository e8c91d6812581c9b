// Finds the API keys that a change of the configuration touches.
#include "cli/diff_keys.h"

#include "base/json_read.h"
#include "base/map.h"
#include "conf/path.h"

#define ARENA_MAX ((size_t)64 << 20)

struct finding {
    const struct conf *sides[2];
    // Names touched; of models and aliases; of keys by their names.
    struct map tenants, teams, projects, keys, models;
    VEC(struct str) open; // "provider/*"
    int64_t now;
    struct diff_keys *out;
};

void diff_keys_init(struct diff_keys *keys) {
    *keys = (struct diff_keys){0};
    arena_init(&keys->arena, NULL, 0, ARENA_MAX);
}

void diff_keys_free(struct diff_keys *keys) {
    vec_free(&keys->list);
    arena_free(&keys->arena);
}

static bool add_names(struct finding *f, struct map *map, struct str names) {
    static char touched;
    bool ok = true;
    while (ok && names.n) {
        struct str name;
        conf_names_next(&names, &name);
        ok = map_put(map, name, &touched);
        if (ok && map == &f->models && str_ends(name, STR("/*"))) ok = vec_push(&f->open, name);
    }
    return ok;
}

// Through a provider that passes models on by their own names.
static bool passes_on(const struct finding *f, struct str name) {
    for (size_t i = 0; i < f->open.n; i++) {
        struct str open = f->open.p[i], provider = str_head(open, open.n - 2);
        if (conf_pattern_matches(open, name) || conf_pattern_matches(name, open)) return true;
        for (size_t side = 0; side < ARRAY_LEN(f->sides); side++) {
            struct conf_choice choice;
            bool found = conf_resolve(f->sides[side], NULL, name, &choice) && choice.peer;
            if (found && str_eq(choice.peer->name, provider)) return true;
        }
    }
    return false;
}

// The touched name that a model name or beginning of a key means; empty = none.
static struct str touched_by(const struct finding *f, struct str wanted) {
    bool open = str_ends(wanted, STR("*"));
    size_t it = 0;
    if (map_get(&f->models, wanted)) return wanted;
    for (const struct map_entry *e; open && (e = map_next(&f->models, &it)) != NULL;)
        if (conf_pattern_matches(wanted, e->key)) return e->key;
    struct str stem = open ? str_head(wanted, wanted.n - 1) : wanted;
    return stem.n && passes_on(f, stem) ? wanted : STR_NONE;
}

static bool limited_to(struct finding *f, struct str json, struct str *out_model) {
    struct json_reader r;
    enum json_kind kind;
    bool memory = true;
    json_reader_init(&r, json, 2);
    if (!json_enter_array(&r)) return true;
    while (memory && !out_model->n && json_element(&r, &kind)) {
        struct str raw, text = STR_NONE;
        if (!json_string(&r, &raw)) break;
        memory = json_string_text(raw, &f->out->arena, &text);
        if (memory) *out_model = touched_by(f, text);
    }
    return memory;
}

// "team ml": what is touched of that in which the key lies; empty = nothing.
static struct str touched_level(struct finding *f, const struct key_row *row) {
    const struct {
        const char *word;
        const struct map *map;
        struct str name;
    } levels[] = {
        {"key", &f->keys, row->name}, {"project", &f->projects, row->project}, {"team", &f->teams, row->team}};
    struct arena *a = &f->out->arena;
    if (!row->tenant.n) return STR_NONE;
    if (map_get(&f->tenants, row->tenant)) return arena_printf(a, "tenant %.*s", STR_ARG(row->tenant));
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        BUF_AUTO struct buf name = BUF_INIT(1024), full = BUF_INIT(2048);
        if (!levels[i].name.n || !levels[i].map->n) continue;
        conf_path_put(&name, levels[i].name);
        buf_printf(&full, "%.*s/%.*s", STR_ARG(row->tenant), STR_ARG(buf_str(&name)));
        if (map_get(levels[i].map, buf_str(&full)))
            return arena_printf(a, "%s %.*s", levels[i].word, STR_ARG(buf_str(&full)));
    }
    return STR_NONE;
}

static bool look_at(void *arg, const struct key_row *row, struct err *err) {
    struct finding *f = arg;
    struct arena *a = &f->out->arena;
    struct str model = STR_NONE;
    if (row->revoked_at || (row->expires_at && row->expires_at <= f->now)) return true;
    struct str level = touched_level(f, row);
    if (!level.n && !row->any_model && !limited_to(f, row->allowed_models, &model)) return err_no_memory(err);
    if (!level.n && !model.n) return true;
    struct diff_key key = {.id = row->id, .name = arena_str(a, row->name), .prefix = arena_str(a, row->prefix)};
    key.why = level.n ? level : arena_printf(a, "model %.*s", STR_ARG(model));
    return vec_push(&f->out->list, key) || err_no_memory(err);
}

bool diff_keys_find(struct sql *db, const struct conf *a, const struct conf *b, const struct conf_changes *changes,
                    int64_t now_ns, struct diff_keys *out_keys, struct err *err) {
    struct finding f = {.sides = {a, b}, .now = now_ns, .out = out_keys};
    bool ok = true;
    struct map *maps[] = {&f.tenants, &f.teams, &f.projects, &f.keys, &f.models};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) map_init(maps[i], (uint64_t)now_ns);
    for (size_t i = 0; ok && i < changes->list.n; i++) {
        const struct conf_change *change = &changes->list.p[i];
        ok = add_names(&f, &f.tenants, change->tenants) && add_names(&f, &f.teams, change->teams) &&
             add_names(&f, &f.projects, change->projects) && add_names(&f, &f.keys, change->keys) &&
             add_names(&f, &f.models, change->models) && add_names(&f, &f.models, change->aliases);
    }
    if (!ok) err_no_memory(err);
    ok = ok && key_each(db, look_at, &f, err);
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) map_free(maps[i]);
    vec_free(&f.open);
    return ok;
}
