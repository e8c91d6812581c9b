// Reads the configuration files: the main one, what it includes, and conf.d/ beside it.
#include "conf/conf_impl.h"
#include "conf/tree.h"

#include "base/secret.h"
#include "os/file.h"

#define INCLUDE_DEPTH 8
#define FILES_MAX 1000
#define PATH_MAX_SHOWN 200

struct reading { // a file that is being read, and those that include it
    const struct reading *up;
    struct str path;
    const struct conf_node *asked_by; // its `include` entry; NULL: the main file, or conf.d
    unsigned depth;
};

static bool read_include(struct load *l, const struct reading *r, const struct conf_node *root);

// At the `include` entry that asked for the path, or at the path itself.
static bool complain(struct load *l, const struct conf_node *node, struct str path, const char *why) {
    struct conf_source source = {.name = path};
    if (node)
        conf_problem_add(l->problems, CONF_ERROR, node->source, node->pos, "include: %.*s: %s",
                         STR_ARG(str_head(path, PATH_MAX_SHOWN)), why);
    else
        conf_problem_add(l->problems, CONF_ERROR, &source, (struct conf_pos){0}, "%s", why);
    return false;
}

// Everything in it is checked as a whole later; here what only concerns this file.
static bool take(struct load *l, const struct reading *r, struct conf_node *root, struct conf_node **io_joined) {
    if (root && root->kind != NODE_MAP && r->depth) {
        conf_problem_add(l->problems, CONF_ERROR, root->source, root->pos,
                         "expected a map of options (\"name: value\" lines)");
        return false;
    }
    bool ok = read_include(l, r, root);
    return (conf_tree_join(&conf_table, *io_joined, root, &l->conf->tree_arena, io_joined) ||
            load_fail(l, NULL, "out of memory")) &&
           ok;
}

static bool read_file(struct load *l, const struct reading *r, struct conf_node **io_joined) {
    struct buf text = BUF_INIT(CONF_FILE_MAX + 1);
    struct err err;
    struct conf_node *root = NULL;
    if (l->files.n >= FILES_MAX) return complain(l, r->asked_by, r->path, "this would be more than 1000 files");
    if (!vec_push(&l->files, r->path)) return load_fail(l, NULL, "out of memory");
    if (!l->env->read_file(l->env->ctx, r->path, CONF_FILE_MAX, &text, &err)) {
        buf_free(&text);
        return complain(l, r->asked_by, r->path, err.message);
    }
    if (!vec_push(&l->texts, text)) {
        secret_wipe(text.p, text.cap);
        buf_free(&text);
        return load_fail(l, NULL, "out of memory");
    }
    return load_parse(l, buf_str(&text), r->path, LAYER_INCLUDE, &root) && take(l, r, root, io_joined);
}

static bool in_circle(const struct reading *r, struct str path) {
    for (; r; r = r->up)
        if (str_eq(r->path, path)) return true;
    return false;
}

static bool include_one(struct load *l, const struct reading *r, struct str path, const struct conf_node *asked_by) {
    struct reading next = {.up = r, .path = path, .asked_by = asked_by, .depth = r->depth + 1};
    if (in_circle(r, path)) return complain(l, asked_by, path, "includes itself, over others or directly");
    if (next.depth > INCLUDE_DEPTH) return complain(l, asked_by, path, "more than 8 files deep");
    return read_file(l, &next, &l->included);
}

static bool has_pattern(struct str s) {
    return str_find_char(s, '*') < s.n || str_find_char(s, '?') < s.n || str_find_char(s, '[') < s.n;
}

// Files that match, or that may come to match, are watched by their directory.
static bool include_matching(struct load *l, const struct reading *r, struct str pattern,
                             const struct conf_node *node) {
    struct arena *a = &l->conf->tree_arena;
    struct buf lines = BUF_INIT((size_t)1 << 20);
    struct err err = {0};
    struct str dir = path_dir(pattern);
    while (has_pattern(dir)) dir = path_dir(dir);
    bool ok = vec_push(&l->files, dir) || load_fail(l, NULL, "out of memory");
    if (ok && !l->env->match_files(l->env->ctx, pattern, &lines, &err)) ok = complain(l, node, pattern, err.message);
    struct str rest = arena_str(a, buf_str(&lines)), path;
    buf_free(&lines);
    if (ok && !rest.n && !has_pattern(pattern)) return complain(l, node, pattern, "there is no such file");
    while (ok && str_split(&rest, '\n', &path))
        if (path.n) ok = include_one(l, r, path, node);
    return ok;
}

// Came through a pipe: what it names is looked for in the working directory.
static bool is_descriptor(struct str file) {
    return str_starts(file, STR("/dev/")) || str_starts(file, STR("/proc/self/fd/"));
}

static struct str beside(struct load *l, struct str file, struct str name) {
    struct buf path = BUF_INIT(4096);
    if (str_starts(name, STR("/")))
        buf_put(&path, name);
    else if (str_find_char(file, '/') == file.n || is_descriptor(file))
        buf_put(&path, name);
    else
        path_join(&path, path_dir(file), name);
    struct str kept = arena_str(&l->conf->tree_arena, buf_str(&path));
    buf_free(&path);
    return kept;
}

static bool read_include(struct load *l, const struct reading *r, const struct conf_node *root) {
    const struct conf_node *list = conf_node_get(root, STR("include"));
    if (!list || list->kind != NODE_LIST || !l->env || !l->env->match_files) return true; // its form is checked later
    bool ok = true;
    for (size_t i = 0; i < list->n; i++) {
        if (list->values[i]->kind != NODE_SCALAR || !list->values[i]->text.n) continue;
        struct str pattern = beside(l, r->path, list->values[i]->text);
        ok = (pattern.p ? include_matching(l, r, pattern, list->values[i]) : load_fail(l, NULL, "out of memory")) && ok;
    }
    return ok;
}

static bool read_conf_d(struct load *l, const struct reading *main_file) {
    struct str dir = beside(l, main_file->path, STR("conf.d")),
               pattern = beside(l, main_file->path, STR("conf.d/*.yaml"));
    if (!dir.p || !pattern.p || !vec_push(&l->files, dir)) return load_fail(l, NULL, "out of memory");
    return include_matching(l, main_file, pattern, NULL);
}

bool layer_files(struct load *l, struct str text, struct str name) {
    struct reading main_file = {.path = name};
    struct conf_node *root = NULL;
    if (name.n && !vec_push(&l->files, name)) return load_fail(l, NULL, "out of memory");
    if (!load_parse(l, text, name, LAYER_FILE, &root)) return false;
    bool files = name.n && l->env && l->env->match_files;
    bool ok = read_include(l, &main_file, root);
    if (files) ok = read_conf_d(l, &main_file) && ok;
    return (conf_tree_join(&conf_table, l->included, root, &l->conf->tree_arena, &l->tree) ||
            load_fail(l, NULL, "out of memory")) &&
           ok;
}
