// Walks option table, bound values and tree side by side and makes a row of each value.
#include "conf/change_impl.h"
#include "conf/conf_tables.h"
#include "conf/opt_text.h"
#include "conf/show_impl.h"
#include "conf/tree.h"

#define TEXT_MAX ((size_t)1 << 20)

static const struct opt text_option = {.name = "", .type = OPT_STR};

bool show_key_wants(const struct show_walk *w, size_t at, struct str step) {
    return at >= w->key.n || str_eq(w->key.steps[at], step);
}

static bool item_wanted(const struct show_walk *w, size_t at, size_t i, struct str name) {
    uint64_t index;
    if (at >= w->key.n) return true;
    if (!w->key.quoted[at] && str_to_u64(w->key.steps[at], &index)) return index == i;
    return name.n && str_eq(w->key.steps[at], name);
}

static struct str keep(struct show_walk *w, struct buf *text) {
    struct str kept = arena_str(w->arena, buf_str(text));
    if (text->failed || (text->n && !kept.p)) w->failed = true;
    return kept;
}

static struct str yaml_of(struct show_walk *w, struct opt_shown shown) {
    BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
    opt_shown_yaml(&text, shown);
    return keep(w, &text);
}

static struct str json_of(struct show_walk *w, struct opt_shown shown) {
    BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
    struct json_writer j;
    json_writer_init(&j, &text);
    opt_shown_json(&j, shown);
    return keep(w, &text);
}

static struct show_row *row_add(struct show_walk *w, const struct opt *opt, struct str key,
                                const struct conf_node *node, unsigned depth) {
    struct show_row row = {
        .depth = depth, .opt = opt, .node = node, .level = w->level, .lower = w->lower, .within = w->within};
    row.key = key.n ? yaml_of(w, (struct opt_shown){SHOWN_TEXT, key}) : STR_NONE;
    row.path = keep(w, &w->path);
    row.rule = w->rule;
    row.origin = w->rule.n ? FROM_RULE : conf_node_is_null(node) ? FROM_DEFAULT : FROM_NODE;
    if (vec_push(&w->rows, row)) return &w->rows.p[w->rows.n - 1];
    w->failed = true;
    return NULL;
}

struct show_row *show_section(struct show_walk *w, const struct opt *opt, struct str key, const struct conf_node *node,
                              unsigned depth) {
    struct show_row *row = row_add(w, opt, key, node, depth);
    if (row) row->section = true;
    return row;
}

void show_default(struct show_walk *w, struct show_row *row, const struct opt *opt) {
    struct opt_shown def = opt_shown_default(opt, w->arena);
    row->def_yaml = yaml_of(w, def), row->def = json_of(w, def);
}

static void put_value(struct show_walk *w, const struct opt *opt, struct str key, struct opt_shown shown,
                      const struct conf_node *node, unsigned depth) {
    struct show_row *row = row_add(w, opt, key, node, depth);
    if (!row) return;
    row->yaml = yaml_of(w, shown), row->json = json_of(w, shown);
    show_default(w, row, opt);
}

static bool visible(const struct show_walk *w, struct show_value v) {
    bool given = !conf_node_is_null(v.node);
    if (w->force) return true;
    if (w->how->what == SHOW_SET) return given;
    return w->how->what != SHOW_CHANGED || (given && !opt_is_default(v.opt, v.field));
}

// --- single values ---

static const struct conf_provider *provider_of(const struct show_walk *w, const void *field) {
    for (size_t i = 0; i < w->conf->providers.n; i++) {
        const struct conf_provider *p = &w->conf->providers.p[i];
        if ((const char *)field >= (const char *)p && (const char *)field < (const char *)(p + 1)) return p;
    }
    return NULL;
}

// What a value follows from that nobody set and that is not its default.
static struct str rule_of(struct show_walk *w, struct show_value v) {
    if (w->rule.n) return w->rule;
    if (!v.field || !conf_node_is_null(v.node) || opt_is_default(v.opt, v.field)) return STR_NONE;
    const struct conf_provider *p = provider_of(w, v.field);
    if (!p && strcmp(v.opt->name, "address") == 0) return STR("from server.host and server.port");
    if (!p && strcmp(v.opt->name, "model") == 0) return STR("as the model's name");
    if (!p) return STR("inherited");
    if (v.field == &p->kind) return STR("as its name says");
    if (v.opt->flags & OPT_MAYBE) return arena_printf(w->arena, "as timeouts.%s", v.opt->name);
    return arena_printf(w->arena, "of kind %.*s", STR_ARG(p->preset->name));
}

// Nobody set it: it may still stand for what is confidential, or for an environment variable.
static struct opt_shown derived_shown(struct show_walk *w, struct show_value v) {
    struct opt_shown none = {SHOWN_NULL, STR_NONE};
    bool text = v.opt->type == OPT_STR || v.opt->type == OPT_SECRET;
    if (!text || !opt_text_at(v.field).n) return opt_shown(v.opt, v.field, v.node, w->arena);
    const struct conf_provider *p = provider_of(w, v.field);
    if (p && v.field == &p->api_key)
        return (struct opt_shown){SHOWN_TEXT, arena_printf(w->arena, "${env:%.*s}", STR_ARG(p->preset->variable))};
    return conf_is_confidential(w->conf, opt_text_at(v.field)) ? none : opt_shown(v.opt, v.field, v.node, w->arena);
}

static void show_scalar(struct show_walk *w, struct show_value v, unsigned depth) {
    struct opt_shown shown;
    struct str rule = w->rule;
    static const int64_t version = CONF_VERSION; // what is shown is of this format, whatever was read
    if (v.opt == &conf_table.opts[0]) v.field = &version;
    w->rule = rule_of(w, v);
    if (!v.field)
        shown = opt_shown_default(v.opt, w->arena);
    else if (conf_node_is_null(v.node))
        shown = derived_shown(w, v);
    else
        shown = opt_shown(v.opt, v.field, v.node, w->arena);
    put_value(w, v.opt, str_c(v.opt->name), shown, v.node, depth);
    w->rule = rule;
}

// A list of texts is one value.
static void show_texts(struct show_walk *w, struct show_value v, unsigned depth) {
    BUF_AUTO struct buf yaml = BUF_INIT(TEXT_MAX), json = BUF_INIT(TEXT_MAX);
    struct opt_list list = v.field ? opt_list_at(v.field) : (struct opt_list){0};
    struct str rule = w->rule;
    if (v.node && !v.node->n && list.n) v.node = NULL; // an empty one, which says nothing
    w->rule = rule_of(w, v);
    const struct str *texts = list.p;
    struct json_writer j;
    json_writer_init(&j, &json);
    json_put_array(&j);
    buf_putc(&yaml, '[');
    for (size_t i = 0; i < list.n; i++) {
        struct opt_shown shown = opt_shown_text(v.opt, texts[i], opt_item_node(v.node, i));
        if (i) buf_lit(&yaml, ", ");
        opt_shown_yaml(&yaml, shown);
        opt_shown_json(&j, shown);
    }
    buf_putc(&yaml, ']');
    json_put_array_end(&j);
    struct str y = keep(w, &yaml), js = keep(w, &json);
    struct show_row *row = row_add(w, v.opt, str_c(v.opt->name), v.node, depth);
    if (row) row->yaml = y, row->json = js, row->def = row->def_yaml = STR("[]");
    w->rule = rule;
}

static void show_empty(struct show_walk *w, struct show_value v, unsigned depth) {
    bool map = v.opt->type == OPT_MAP || v.opt->type == OPT_STRUCT_MAP;
    struct show_row *row = row_add(w, v.opt, str_c(v.opt->name), v.node, depth);
    if (row) row->yaml = row->json = row->def = row->def_yaml = map ? STR("{}") : STR("[]");
}

// --- what has parts ---

static void put_item_nothing(struct show_walk *w, unsigned depth) {
    struct show_row *row = row_add(w, NULL, STR_NONE, NULL, depth);
    if (row) row->yaml = row->json = STR("{}");
}

// The step of an item's path: its name as it was written, else its position.
static void path_item(struct show_walk *w, const struct opt *opt, size_t i, const void *item,
                      const struct conf_node *node) {
    bool named = opt->type != OPT_LIST || (opt->flags & OPT_NAMED);
    const struct conf_node *name = opt->type == OPT_LIST ? conf_node_get(node, str_c(opt->sub->opts[0].name)) : NULL;
    if (named && item)
        conf_path_put(&w->path, opt_shown_text(&text_option, opt_text_at(item), name).text);
    else
        buf_printf(&w->path, "[%zu]", i);
}

void show_list_item(struct show_walk *w, const struct opt *opt, size_t i, const void *item,
                    const struct conf_node *node, unsigned depth, size_t at) {
    size_t base = w->path.n, first = w->rows.n;
    path_item(w, opt, i, item, node);
    show_table(w, opt->sub, (struct show_value){.field = item, .node = node}, depth + 1, at + 1);
    if (w->rows.n == first && at + 1 >= w->key.n) put_item_nothing(w, depth + 1);
    if (w->rows.n > first) w->rows.p[first].dash = true;
    w->path.n = base;
}

void show_struct_item(struct show_walk *w, const struct opt *opt, const void *item, const struct conf_node *node,
                      unsigned depth, size_t at) {
    size_t base = w->path.n, first = w->rows.n;
    struct str name = opt_text_at(item);
    conf_path_put(&w->path, name);
    show_section(w, opt, name, node, depth);
    show_table(w, opt->sub, (struct show_value){.field = item, .node = node}, depth + 1, at + 1);
    if (w->rows.n == first + 1 && at + 1 >= w->key.n) {
        struct show_row *row = &w->rows.p[first];
        row->section = false, row->yaml = row->json = STR("{}");
    } else if (w->rows.n == first + 1) {
        w->rows.n = first;
    }
    w->path.n = base;
}

void show_pair(struct show_walk *w, const struct opt *opt, const struct opt_pair *pair, const struct conf_node *node,
               unsigned depth, size_t at) {
    size_t base = w->path.n;
    if (at < w->key.n && !str_eq(w->key.steps[at], pair->name)) return;
    conf_path_put(&w->path, pair->name);
    struct opt *one = ARENA_NEW(w->arena, struct opt);
    if (one) {
        *one = (struct opt){.name = "", .type = OPT_STR, .flags = opt->flags};
        put_value(w, one, pair->name, opt_shown_text(opt, pair->value, node), node, depth);
    }
    if (!one) w->failed = true;
    w->path.n = base;
}

static void show_items(struct show_walk *w, struct show_value v, unsigned depth, size_t at) {
    struct opt_list list = v.field ? opt_list_at(v.field) : (struct opt_list){0};
    size_t first = w->rows.n;
    if (!list.n && !(at < w->key.n && !v.field && v.opt->sub)) {
        if (at >= w->key.n && visible(w, v)) show_empty(w, v, depth);
        return;
    }
    show_section(w, v.opt, str_c(v.opt->name), v.node, depth);
    if (!v.field) { // of an item that is asked for: what holds where nothing is set
        show_list_item(w, v.opt, 0, NULL, NULL, depth, at);
    }
    for (size_t i = 0; i < list.n; i++) {
        const void *item = opt_item_at(v.opt, list, i);
        const struct conf_node *node = opt_item_node(v.node, i);
        if (!item_wanted(w, at, i,
                         v.opt->type == OPT_LIST && !(v.opt->flags & OPT_NAMED) ? STR_NONE : opt_text_at(item)))
            continue;
        if (v.opt->type == OPT_LIST && (node || w->how->what == SHOW_EFFECTIVE))
            show_list_item(w, v.opt, i, item, node, depth, at);
        else if (v.opt->type == OPT_STRUCT_MAP)
            show_struct_item(w, v.opt, item, node, depth + 1, at);
        else if (v.opt->type == OPT_MAP)
            show_pair(w, v.opt, item, node, depth + 1, at);
    }
    if (w->rows.n == first + 1) w->rows.n = first;
}

static void show_struct(struct show_walk *w, struct show_value v, unsigned depth, size_t at) {
    size_t first = w->rows.n;
    // What a model has of its own, joined with what holds for all.
    if (v.opt->sub == &model_routing_table && v.field && w->how->what == SHOW_EFFECTIVE)
        v.field = &CONTAINER_OF((struct conf_routing *)(uintptr_t)v.field, struct conf_model, routing)->policy;
    show_section(w, v.opt, str_c(v.opt->name), v.node, depth);
    show_table(w, v.opt->sub, v, depth + 1, at);
    if (w->rows.n == first + 1) w->rows.n = first;
}

void show_option(struct show_walk *w, struct show_value v, unsigned depth, size_t at) {
    switch (v.opt->type) {
    case OPT_BOOL:
    case OPT_INT:
    case OPT_SIZE:
    case OPT_DURATION:
    case OPT_DECIMAL:
    case OPT_STR:
    case OPT_SECRET:
    case OPT_ENUM:
        if (visible(w, v) || (v.opt == &conf_table.opts[0] && w->how->what == SHOW_SET && !w->key.n))
            show_scalar(w, v, depth);
        break;
    case OPT_STRS:
        if (visible(w, v)) show_texts(w, v, depth);
        break;
    case OPT_STRUCT:
        show_struct(w, v, depth, at);
        break;
    case OPT_LIST:
    case OPT_MAP:
    case OPT_STRUCT_MAP:
        show_items(w, v, depth, at);
        break;
    case OPT_PROFILES: // taken up when layers are joined
        break;
    }
}

// of: the struct and its node.
void show_table(struct show_walk *w, const struct opt_table *table, struct show_value of, unsigned depth, size_t at) {
    size_t base = w->path.n;
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        struct str name = str_c(opt->name);
        // What was included stands here: reading it once more would change nothing, or fail.
        bool included = table == &conf_table && opt->type == OPT_STRS && !w->key.n;
        if (!show_key_wants(w, at, name) || included) continue;
        conf_path_put(&w->path, name);
        const void *field = of.field ? (const char *)of.field + opt->offset : NULL;
        show_option(w, (struct show_value){opt, field, conf_node_get(of.node, name)}, depth, at + 1);
        w->path.n = base;
    }
}

// --- all of it ---

static bool parse_key(struct show_walk *w, const struct opt_table *table, struct err *err) {
    struct conf_place place;
    if (!w->how->key.n) return true;
    if (!conf_path_parse(w->how->key, w->arena, &w->key, err) || !conf_path_find(table, &w->key, &place, err))
        return false;
    if (str_eq(w->key.steps[0], STR("profiles")))
        return err_set(err, ERR_INVALID_FIELD,
                       "profiles are taken up when the configuration is loaded; see what one makes of it with --env "
                       "NAME");
    return true;
}

static bool find_level(struct show_walk *w, struct err *err) {
    const struct conf_show *how = w->how;
    const struct str names[LEVEL_KIND_COUNT] = {
        [LEVEL_TEAM] = how->team, [LEVEL_PROJECT] = how->project, [LEVEL_KEY] = how->api_key};
    enum conf_level_kind kind = LEVEL_TENANT;
    for (size_t i = 0; i < LEVEL_KIND_COUNT; i++) {
        if (!names[i].n) continue;
        if (kind != LEVEL_TENANT)
            return err_set(err, ERR_INVALID_FIELD, "one of team, project and key says whose level it is");
        kind = (enum conf_level_kind)i;
    }
    if (!how->tenant.n)
        return kind == LEVEL_TENANT ||
               err_set(err, ERR_INVALID_FIELD, "a %s is one of a tenant: name that too", conf_level_word(kind));
    const struct conf_tenant *tenant = map_get(&w->conf->tenant_map, how->tenant);
    if (!tenant) return err_set(err, ERR_NOT_FOUND, "there is no tenant \"%.*s\"", STR_ARG(str_head(how->tenant, 100)));
    w->tenant = kind == LEVEL_TENANT ? tenant : conf_level_find(tenant, kind, names[kind]);
    return w->tenant || err_set(err, ERR_NOT_FOUND, "the configuration has no %s \"%.*s\" of tenant \"%.*s\"",
                                conf_level_word(kind), STR_ARG(str_head(names[kind], 100)), STR_ARG(tenant->name));
}

bool show_rows(struct show_walk *w, struct err *err) {
    const struct conf *c = w->conf;
    bool defaults = w->how->what == SHOW_DEFAULTS;
    if (!find_level(w, err)) return false;
    if (w->tenant) {
        if (!parse_key(w, show_level_table(w->tenant->kind), err)) return false;
        show_tenant(w, w->tenant);
    } else if (parse_key(w, &conf_table, err)) {
        show_table(w, &conf_table, (struct show_value){.field = defaults ? NULL : c, .node = defaults ? NULL : c->root},
                   0, 0);
    } else {
        return false;
    }
    return !w->failed || err_no_memory(err);
}
