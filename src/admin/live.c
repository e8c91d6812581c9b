// Works out live changes from wishes, and records the versions they make.
#include "admin/live.h"

#include "base/hash.h"
#include "base/secret.h"
#include "conf/tree.h"

#define TREE_MAX ((size_t)64 << 20)
#define KEY_MAX 4096
#define VALUE_MAX ((size_t)8 << 20)

typedef VEC(struct config_live_row) row_list;

// Whether the key is `above` itself or something in it. Both are canonical.
static bool is_below(struct str key, struct str above) {
    return str_starts(key, above) && (key.n == above.n || key.p[above.n] == '.' || key.p[above.n] == '[');
}

// Whether the step names an item of a list: numbers are positions there, and names elsewhere.
static bool is_list(const struct conf_path *path, size_t step) {
    struct conf_path above = *path;
    struct conf_place place;
    struct err err;
    above.n = step;
    return step && conf_path_find(&conf_table, &above, &place, &err) && place.opt && !place.item &&
           (place.opt->type == OPT_LIST || place.opt->type == OPT_STRS);
}

static bool canonical(struct str key, struct arena *a, struct str *out_key, struct conf_place *out_place,
                      struct err *err) {
    struct conf_path path;
    struct buf text = BUF_INIT(KEY_MAX);
    if (!conf_path_parse(key, a, &path, err) || !conf_path_find(&conf_table, &path, out_place, err)) return false;
    for (size_t i = 0; i < path.n; i++) {
        uint64_t index;
        if (is_list(&path, i) && !path.quoted[i] && str_to_u64(path.steps[i], &index))
            buf_printf(&text, "[%llu]", (unsigned long long)index);
        else
            conf_path_put(&text, path.steps[i]);
    }
    bool fits = !text.failed;
    *out_key = arena_str(a, buf_str(&text));
    buf_free(&text);
    if (!fits) return err_set(err, ERR_INVALID_FIELD, "a key has at most %d bytes", KEY_MAX);
    return out_key->p || err_no_memory(err);
}

static bool may_change(struct str key, struct err *err) {
    // Live changes are kept in the database, sealed: where it is and what opens it must be known before.
    static const struct str barred[] = {STR_INIT("storage.data"),
                                        STR_INIT("storage.url"),
                                        STR_INIT("storage.master_key"),
                                        STR_INIT("storage.next_master_key"),
                                        STR_INIT("version"),
                                        STR_INIT("include"),
                                        STR_INIT("profiles")};
    for (size_t i = 0; i < ARRAY_LEN(barred); i++)
        if (is_below(key, barred[i]) || is_below(barred[i], key))
            return err_set(err, ERR_INVALID_FIELD, "%.*s cannot be changed live: it stands in the file", STR_ARG(key));
    return true;
}

// Whether the value was set so already, and nothing since has to do with it.
static bool is_there(const row_list *rows, struct str key, struct str value) {
    for (size_t i = rows->n; i-- > 0;) {
        const struct config_live_row *row = &rows->p[i];
        if (str_eq(row->key, key)) return str_eq(row->value, value);
        if (is_below(row->key, key) || is_below(key, row->key)) return false;
    }
    return false;
}

static bool add(row_list *rows, struct arena *a, struct str key, struct str value, struct str actor, int64_t now_ns,
                struct err *err) {
    struct config_live_row row = {.key = key, .at = now_ns, .actor = arena_str(a, actor), .value = arena_str(a, value)};
    if (is_there(rows, key, value)) return true;
    // What it takes the place of.
    size_t kept = 0;
    for (size_t i = 0; i < rows->n; i++)
        if (!is_below(rows->p[i].key, key)) rows->p[kept++] = rows->p[i];
    rows->n = kept;
    return (row.value.p && vec_push(rows, row)) || err_no_memory(err);
}

static bool patch(row_list *rows, const struct admin_wish *wish, int64_t now_ns, struct arena *a, struct err *err) {
    for (size_t i = 0; i < wish->n; i++) {
        struct conf_place place;
        struct str key;
        if (!canonical(wish->list[i].key, a, &key, &place, err) || !may_change(key, err) ||
            !add(rows, a, key, wish->list[i].value, wish->actor, now_ns, err))
            return false;
    }
    return true;
}

static bool revert(row_list *rows, const struct admin_wish *wish, struct arena *a, struct err *err) {
    if (!wish->n) rows->n = 0;
    for (size_t i = 0; i < wish->n; i++) {
        struct conf_place place;
        struct str key;
        size_t kept = 0, before = rows->n;
        if (!canonical(wish->list[i].key, a, &key, &place, err)) return false;
        for (size_t k = 0; k < rows->n; k++)
            if (!is_below(rows->p[k].key, key)) rows->p[kept++] = rows->p[k];
        rows->n = kept;
        if (kept == before)
            return err_set(err, ERR_NOT_FOUND, "there is no live change of %.*s", STR_ARG(str_head(key, 200)));
    }
    return true;
}

// --- rollback ---

struct rollback {
    const struct conf_node *base;
    row_list *rows;
    struct arena *a;
    struct str actor;
    int64_t now_ns;
    struct err *err;
};

static bool own_layer(struct str key) {
    return str_eq(key, STR("include")) || str_eq(key, STR("profiles")) || str_eq(key, STR("version"));
}

// Whether the process was started with it. A version that another process made, which was started otherwise, does not
// know of it; taking it away would close the addresses of --listen, say.
static bool is_of_start(const struct rollback *r, struct str key) {
    struct conf_path path;
    struct err ignored;
    const struct conf_node *node = NULL;
    if (conf_path_parse(key, r->a, &path, &ignored)) node = conf_tree_get(&conf_table, r->base, &path);
    return node && node->source && node->source->layer > LAYER_FILE && node->source->layer < LAYER_LIVE;
}

static bool on_difference(void *ctx, struct str key, const struct conf_node *value) {
    struct rollback *r = ctx;
    struct buf json = BUF_INIT(VALUE_MAX);
    struct str kept = arena_str(r->a, key);
    if (own_layer(key) || (!value && is_of_start(r, key))) return true;
    conf_tree_json(value, &json);
    bool ok = !json.failed && kept.p && may_change(kept, r->err) &&
              add(r->rows, r->a, kept, buf_str(&json), r->actor, r->now_ns, r->err);
    if (json.failed || !kept.p) err_no_memory(r->err);
    secret_wipe(json.p, json.p ? json.cap : 0);
    buf_free(&json);
    return ok;
}

static bool roll_back(row_list *rows, struct sql *db, const struct datadir *dir, const struct admin_wish *wish,
                      const struct conf_node *base, int64_t now_ns, struct arena *a, struct err *err) {
    struct config_version_row row;
    struct conf_problems problems;
    struct conf_node *tree = NULL;
    if (!config_version_find(db, dir, wish->version, a, &row, err)) return false;
    conf_problems_init(&problems);
    struct conf_source source = {.name = STR("the history"), .text = row.tree, .layer = LAYER_LIVE};
    struct rollback r = {.base = base, .rows = rows, .a = a, .actor = wish->actor, .now_ns = now_ns, .err = err};
    rows->n = 0;
    bool ok = conf_parse(&source, a, &problems, &tree);
    if (ok) {
        (void)!err_no_memory(err); // unless on_difference says something else
        ok = conf_tree_compare(&conf_table, base, tree, on_difference, &r);
    } else {
        err_set(err, ERR_STORE, "version %lld cannot be read", (long long)wish->version);
    }
    conf_problems_free(&problems);
    return ok;
}

// --- plans ---

static bool same(const struct config_live_list *a, const row_list *b) {
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (!str_eq(a->p[i].key, b->p[i].key) || !str_eq(a->p[i].value, b->p[i].value)) return false;
    return true;
}

static bool carry_out(row_list *rows, struct sql *db, const struct datadir *dir, const struct admin_wish *wish,
                      const struct conf_node *base, int64_t now_ns, struct arena *a, struct err *err) {
    if (!wish) return true;
    switch (wish->kind) {
    case WISH_RELOAD:
    case WISH_MODELS:
        return true;
    case WISH_PATCH:
        return patch(rows, wish, now_ns, a, err);
    case WISH_REVERT:
        return revert(rows, wish, a, err);
    case WISH_ROLLBACK:
        return roll_back(rows, db, dir, wish, base, now_ns, a, err);
    }
    return true;
}

bool live_plan_make(struct sql *db, const struct datadir *dir, const struct admin_wish *wish,
                    const struct conf_node *base, int64_t now_ns, struct arena *a, struct live_plan *out_plan,
                    struct err *err) {
    struct live_plan plan = {0};
    struct config_live_list old;
    row_list rows = {0};
    bool ok =
        config_version_newest(db, &plan.newest, &plan.newest_digest, err) && config_live_read(db, dir, a, &old, err);
    if (ok && wish && wish->expected >= 0 && wish->expected != plan.newest && wish->kind != WISH_RELOAD)
        ok = err_set(err, ERR_EXISTS, "the configuration is at version %lld by now, not %lld: read it again",
                     (long long)plan.newest, (long long)wish->expected);
    for (size_t i = 0; ok && i < old.n; i++) ok = vec_push(&rows, old.p[i]) || err_no_memory(err);
    ok = ok && carry_out(&rows, db, dir, wish, base, now_ns, a, err);
    if (ok) {
        plan.changed = !same(&old, &rows);
        plan.live = (struct config_live_list){ARENA_ARRAY(a, struct config_live_row, rows.n + 1), rows.n};
        ok = plan.live.p || err_no_memory(err);
        if (ok && rows.n) memcpy(plan.live.p, rows.p, rows.n * sizeof *rows.p);
    }
    vec_free(&rows);
    if (ok) *out_plan = plan;
    return ok;
}

bool live_record(struct sql *db, const struct datadir *dir, const struct conf *conf, const struct live_plan *plan,
                 const struct config_version_row *about, int64_t *out_version, bool *out_added, struct err *err) {
    struct buf tree = BUF_INIT(TREE_MAX);
    struct config_version_row row = *about;
    conf_tree_yaml(conf->stated, &tree);
    if (tree.failed) {
        buf_free(&tree);
        return err_no_memory(err);
    }
    row.tree = buf_str(&tree);
    row.file = conf->file;
    row.digest = hash_bytes(row.tree, 1);
    bool ok = true;
    *out_added = plan->changed || row.again || !plan->newest || row.digest != plan->newest_digest;
    if (*out_added)
        ok = config_version_add(db, dir, &row, plan->changed ? &plan->live : NULL, plan->newest, out_version, err);
    else
        *out_version = plan->newest;
    secret_wipe(tree.p, tree.p ? tree.cap : 0);
    buf_free(&tree);
    return ok;
}

// --- values as people write them ---

static bool is_scalar(const struct conf_place *place) {
    if (!place->opt) return false;
    if (place->item) return place->opt->type == OPT_STRS || place->opt->type == OPT_MAP;
    return place->opt->type < OPT_STRUCT;
}

bool live_value(struct str key, struct str text, struct arena *a, struct str *out_key, struct str *out_json,
                struct err *err) {
    struct conf_place place;
    struct conf_problems problems;
    struct conf_source source = {.name = STR("the value"), .text = text, .layer = LAYER_LIVE};
    struct conf_node scalar = {.kind = NODE_SCALAR, .plain = text.n != 0, .text = text}, *node = &scalar;
    struct buf json = BUF_INIT(VALUE_MAX);
    if (!canonical(key, a, out_key, &place, err)) return false;
    conf_problems_init(&problems);
    bool ok = is_scalar(&place) || conf_parse(&source, a, &problems, &node);
    if (ok)
        conf_tree_json(node, &json);
    else
        err_set(err, ERR_INVALID_FIELD, "%.*s: %.*s", STR_ARG(str_head(*out_key, 100)),
                STR_ARG(problems.list.n ? problems.list.p[0].message : STR("it is not YAML")));
    *out_json = ok ? arena_str(a, buf_str(&json)) : STR_NONE;
    conf_problems_free(&problems);
    secret_wipe(json.p, json.p ? json.cap : 0);
    buf_free(&json);
    return ok && (out_json->p || err_no_memory(err));
}
