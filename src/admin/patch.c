// Walks a merge patch along the option tables and writes down each value that it sets or takes away.
#include "admin/patch.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/map.h"
#include "conf/path.h"
#include "os/rand.h"

#define KEY_MAX 4096
#define VALUE_MAX ((size_t)8 << 20)
#define SHOWN 60

struct walk {
    const struct opt_table *root;
    struct str body;
    struct json_reader r;
    struct arena *a;
    struct conf_problems *problems;
    struct conf_path path;
    VEC(struct conf_override) list;
    struct err *err;
    bool failed; // *err is set, and is not the reader's
};

static bool fail(struct walk *w, enum err_code code, const char *message) {
    if (!w->failed) err_set(w->err, code, "%s", message);
    w->failed = true;
    return false;
}

// --- what is wrong ---

static struct conf_pos place_of(const struct walk *w, const char *at) {
    struct conf_pos pos = {.line = 1, .col = 1};
    for (const char *p = w->body.p; p < at; p++) {
        bool starts_character = ((unsigned char)*p & 0xc0) != 0x80;
        if (*p == '\n')
            pos = (struct conf_pos){.line = pos.line + 1, .col = 1};
        else if (starts_character)
            pos.col++;
    }
    return pos;
}

static void complain(struct walk *w, struct str raw, const char *message) {
    // Without text there is no excerpt: what is patched may be a secret.
    const struct conf_source source = {.name = STR("the patch"), .layer = LAYER_LIVE};
    if (w->problems->list.n < CONF_PROBLEMS_MAX)
        conf_problem_add(w->problems, CONF_ERROR, &source, place_of(w, raw.p), "%s", message);
    else
        w->problems->errors++, w->problems->dropped++;
}

// --- values, written anew: YAML knows not all of JSON's escapes ---

static void copy_value(struct walk *w, struct json_writer *out, unsigned depth);

static void copy_text(struct walk *w, struct json_writer *out, struct str raw, bool is_key) {
    struct str text;
    if (!json_string_text(raw, w->a, &text)) {
        fail(w, ERR_NO_MEMORY, "out of memory");
        text = STR("");
    }
    if (is_key)
        json_put_key(out, text);
    else
        json_put_str(out, text);
}

static void copy_members(struct walk *w, struct json_writer *out, unsigned depth) {
    struct str key;
    enum json_kind kind;
    json_put_object(out);
    if (json_enter_object(&w->r))
        while (json_member(&w->r, &key, &kind)) {
            copy_text(w, out, key, true);
            copy_value(w, out, depth + 1);
        }
    json_put_object_end(out);
}

static void copy_elements(struct walk *w, struct json_writer *out, unsigned depth) {
    enum json_kind kind;
    json_put_array(out);
    if (json_enter_array(&w->r))
        while (json_element(&w->r, &kind)) copy_value(w, out, depth + 1);
    json_put_array_end(out);
}

static void copy_value(struct walk *w, struct json_writer *out, unsigned depth) {
    enum json_kind kind;
    struct str raw;
    bool nests = json_peek(&w->r, &kind) && (kind == JSON_OBJECT || kind == JSON_ARRAY);
    if (nests && depth < PATCH_DEPTH_MAX) {
        if (kind == JSON_OBJECT)
            copy_members(w, out, depth);
        else
            copy_elements(w, out, depth);
        return;
    }
    if (nests) fail(w, ERR_INVALID_FIELD, "the patch nests too deeply");
    if (!json_skip(&w->r, &raw) || nests)
        json_put_null(out);
    else if (kind == JSON_STRING)
        copy_text(w, out, raw, false);
    else
        json_put_raw(out, raw);
}

// The value under the cursor becomes a change of what the path names.
static bool take_value(struct walk *w) {
    struct buf key = BUF_INIT(KEY_MAX), value = BUF_INIT(VALUE_MAX);
    struct json_writer out;
    for (size_t i = 0; i < w->path.n; i++) conf_path_put(&key, w->path.steps[i]);
    json_writer_init(&out, &value);
    copy_value(w, &out, 0);
    struct conf_override change = {.key = arena_str(w->a, buf_str(&key)), .value = arena_str(w->a, buf_str(&value))};
    bool too_long = key.failed, whole = !value.failed && change.key.p && change.value.p;
    secret_wipe(value.p, value.p ? value.cap : 0);
    buf_free(&key);
    buf_free(&value);
    if (too_long) return fail(w, ERR_INVALID_FIELD, "a key of the patch is too long");
    if (!json_ok(&w->r) || w->failed) return false;
    if (w->list.n == PATCH_CHANGES_MAX) return fail(w, ERR_INVALID_FIELD, "the patch has too many changes");
    return (whole && vec_push(&w->list, change)) || fail(w, ERR_NO_MEMORY, "out of memory");
}

// --- walking ---

static bool walk_object(struct walk *w, const struct opt_table *table, const struct opt *each);

// Whether an object is not a value of the option's own but holds parts of it.
static bool has_parts(const struct opt *opt) {
    switch (opt->type) {
    case OPT_STRUCT:
    case OPT_MAP:
    case OPT_STRUCT_MAP:
        return true;
    case OPT_LIST:
        return (opt->flags & OPT_NAMED) != 0;
    case OPT_STRS:
    case OPT_PROFILES:
    case OPT_BOOL:
    case OPT_INT:
    case OPT_SIZE:
    case OPT_DURATION:
    case OPT_DECIMAL:
    case OPT_STR:
    case OPT_SECRET:
    case OPT_ENUM:
        break;
    }
    return false;
}

// A value of the option itself.
static bool walk_option(struct walk *w, const struct opt *opt, enum json_kind kind) {
    if (kind != JSON_OBJECT || !has_parts(opt)) return take_value(w);
    if (opt->type == OPT_STRUCT) return walk_object(w, opt->sub, NULL);
    return walk_object(w, NULL, opt);
}

// A value of one of its entries.
static bool walk_entry(struct walk *w, const struct opt *opt, enum json_kind kind) {
    if (kind == JSON_OBJECT && opt->sub) return walk_object(w, opt->sub, NULL);
    return take_value(w);
}

static bool is_name(struct str text) {
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f) return false;
    return text.n != 0;
}

// An option of the table, or, when it is NULL, an entry of `each`.
static bool walk_member(struct walk *w, const struct opt_table *table, const struct opt *each, struct str raw,
                        enum json_kind kind) {
    struct str name = w->path.steps[w->path.n - 1];
    if (!table) {
        if (is_name(name)) return walk_entry(w, each, kind);
        complain(w, raw, "a name is empty or holds a control character");
        return json_skip(&w->r, NULL);
    }
    const struct opt *opt = opt_get(table, name);
    if (opt) return walk_option(w, opt, kind);
    struct conf_place place;
    struct err unknown;
    if (conf_path_find(w->root, &w->path, &place, &unknown))
        err_set(&unknown, ERR_NOT_FOUND, "there is no option \"%.*s\"", STR_ARG(str_head(name, SHOWN)));
    complain(w, raw, unknown.message);
    return json_skip(&w->r, NULL);
}

static bool walk_members(struct walk *w, const struct opt_table *table, const struct opt *each, struct map *seen) {
    struct str raw, name;
    enum json_kind kind;
    while (json_member(&w->r, &raw, &kind)) {
        if (!json_string_text(raw, w->a, &name)) return fail(w, ERR_NO_MEMORY, "out of memory");
        if (map_get(seen, name)) {
            complain(w, raw, "this member is given twice");
            if (!json_skip(&w->r, NULL)) return false;
            continue;
        }
        if (!map_put(seen, name, w)) return fail(w, ERR_NO_MEMORY, "out of memory");
        w->path.steps[w->path.n] = name;
        w->path.quoted[w->path.n++] = true;
        bool ok = walk_member(w, table, each, raw, kind);
        w->path.n--;
        if (!ok) return false;
    }
    return json_ok(&w->r);
}

static bool walk_object(struct walk *w, const struct opt_table *table, const struct opt *each) {
    struct map seen;
    if (w->path.n == CONF_PATH_MAX) return fail(w, ERR_INVALID_FIELD, "the patch nests too deeply");
    map_init(&seen, rand_u64());
    bool ok = json_enter_object(&w->r) && walk_members(w, table, each, &seen);
    map_free(&seen);
    return ok;
}

bool patch_parse(const struct opt_table *root, struct str body, struct arena *a, struct conf_problems *problems,
                 struct patch *out_patch, struct err *err) {
    struct walk w = {.root = root, .body = body, .a = a, .problems = problems, .err = err};
    struct patch patch = {.n = 0};
    size_t errors = problems->errors;
    json_reader_init(&w.r, body, PATCH_DEPTH_MAX + CONF_PATH_MAX);
    bool ok = walk_object(&w, root, NULL) && json_ok(&w.r);
    if (!w.failed) ok = json_end(&w.r, err) && ok;
    if (ok && problems->errors != errors) ok = err_set(err, ERR_CONFIG_INVALID, "the patch is not valid");
    if (ok && w.list.n) {
        patch = (struct patch){.list = ARENA_ARRAY(a, struct conf_override, w.list.n), .n = w.list.n};
        if (patch.list)
            memcpy(patch.list, w.list.p, w.list.n * sizeof *patch.list);
        else
            ok = err_no_memory(err);
    }
    vec_free(&w.list);
    if (ok) *out_patch = patch;
    return ok;
}
