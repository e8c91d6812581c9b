// Runs an import from text to text, and makes sure that what comes out is a configuration that loads.
#include "conf/import_impl.h"

#define ARENA_MAX ((size_t)128 << 20)

const char *import_fate_name(enum import_fate fate) {
    return fate == IMPORT_LOST ? "lost" : fate == IMPORT_SECRET ? "secret" : "changed";
}

// Names come from a foreign file and go to a terminal.
static void put_clean(struct buf *out, struct str s) {
    for (size_t i = 0; i < s.n; i++) buf_putc(out, (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i]);
}

void import_notes_print(const struct import_result *result, struct buf *out) {
    static const char *const says[] = {"not carried over", "not copied", "works otherwise"};
    for (size_t i = 0; i < result->notes.n; i++) {
        const struct import_note *n = &result->notes.p[i];
        put_clean(out, n->file);
        if (n->pos.line) buf_printf(out, ":%u:%u", n->pos.line, n->pos.col);
        if (n->file.n) buf_lit(out, ": ");
        put_clean(out, n->path);
        buf_printf(out, "%s%s: ", n->path.n ? ": " : "", says[n->fate]);
        put_clean(out, n->why);
        if (n->instead.n) buf_lit(out, "; try: ");
        put_clean(out, n->instead);
        buf_putc(out, '\n');
    }
    if (result->dropped) buf_printf(out, "and %zu more\n", result->dropped);
}

void import_result_free(struct import_result *result) {
    buf_free(&result->yaml);
    vec_free(&result->notes);
    arena_free(&result->arena);
}

bool import_read(struct importer *im, struct str text, struct str name, struct conf_node **out_root) {
    struct conf_source *source = ARENA_NEW(im->arena, struct conf_source);
    size_t before = im->problems->errors;
    if (!source) return false;
    *source = (struct conf_source){.name = arena_str(im->arena, name), .text = text, .layer = LAYER_FILE};
    return conf_parse(source, im->arena, im->problems, out_root) && im->problems->errors == before;
}

static void fail(struct importer *im, const char *what) {
    conf_problem_add(im->problems, CONF_ERROR, NULL, (struct conf_pos){0}, "%s", what);
}

// A result that does not load would be found out too late, and by somebody else.
static bool verify(struct importer *im) {
    const struct conf_env env = {.offline = true};
    struct conf_problems found;
    struct conf *conf = NULL;
    conf_problems_init(&found);
    bool ok = conf_load_text(buf_str(&im->result->yaml), STR("the result"), &env, &found, &conf);
    for (size_t i = 0; i < found.list.n && !ok; i++) {
        const struct conf_problem *p = &found.list.p[i];
        if (p->severity == CONF_ERROR)
            conf_problem_add(im->problems, CONF_ERROR, NULL, (struct conf_pos){0},
                             "the result would not be valid, line %u: %.*s", p->pos.line, STR_ARG(p->message));
    }
    conf_unref(conf);
    conf_problems_free(&found);
    return ok;
}

static void importer_free(struct importer *im) {
    for (size_t i = 0; i < im->providers.n; i++) vec_free(&im->providers.p[i].headers);
    for (size_t i = 0; i < im->models.n; i++) vec_free(&im->models.p[i].targets);
    vec_free(&im->providers);
    vec_free(&im->models);
    vec_free(&im->aliases);
    vec_free(&im->prices);
    vec_free(&im->fallbacks);
    vec_free(&im->secrets);
}

static int note_cmp(const void *va, const void *vb) {
    const struct import_note *a = va, *b = vb;
    int by_file = str_cmp(a->file, b->file);
    if (by_file) return by_file;
    if (a->pos.line != b->pos.line) return a->pos.line < b->pos.line ? -1 : 1;
    if (a->pos.col != b->pos.col) return a->pos.col < b->pos.col ? -1 : 1;
    int by_path = str_cmp(a->path, b->path);
    return by_path ? by_path : str_cmp(a->why, b->why);
}

static bool run(struct importer *im, enum import_format format, struct str text, struct str name) {
    struct conf_node *root = NULL;
    if (!import_read(im, text, name, &root)) return false;
    if (!root || root->kind != NODE_MAP) {
        struct conf_source source = {.name = name};
        conf_problem_add(im->problems, CONF_ERROR, &source, (struct conf_pos){1, 1},
                         "the file holds no map of settings");
        return false;
    }
    if (format == IMPORT_LITELLM)
        import_litellm(im, root, name);
    else
        import_portkey(im, root);
    import_write(im, &im->result->yaml);
    if (im->result->notes.n > 1) qsort(im->result->notes.p, im->result->notes.n, sizeof *im->result->notes.p, note_cmp);
    conf_node_wipe(im->tree ? im->tree : root);
    if (im->failed || im->result->yaml.failed) {
        fail(im, "out of memory");
        return false;
    }
    return verify(im);
}

bool import_run(enum import_format format, struct str text, struct str name, const struct conf_env *env,
                struct conf_problems *problems, struct import_result *out_result) {
    struct import_result result = {.yaml = BUF_INIT(CONF_FILE_MAX)};
    arena_init(&result.arena, NULL, 16384, ARENA_MAX);
    struct importer im = {.env = env, .problems = problems, .result = &result, .arena = &result.arena};
    bool ok = run(&im, format, text, name);
    importer_free(&im);
    if (ok)
        *out_result = result;
    else
        import_result_free(&result);
    return ok;
}
