// Tries paths: directories that are written to, files of the log, files that hold secrets.
#include "admin/check_impl.h"
#include "conf/node.h"
#include "os/disk.h"
#include "os/file.h"
#include "os/rand.h"

#define ROOM_WANTED (UINT64_C(1) << 30)
#define PROBE_TEXT STR("penstock was here to see whether it may write\n")

// --- directories ---

static void note_room(struct check *c, struct str dir) {
    struct err err;
    uint64_t bytes;
    if (!disk_free(dir, &bytes, &err)) {
        check_note(c, CHECK_WARNING, "%s", err.message);
        return;
    }
    if (bytes >= ROOM_WANTED) {
        check_note(c, CHECK_OK, "%.1f GiB free", (double)bytes / (double)ROOM_WANTED);
        return;
    }
    check_note(c, CHECK_WARNING, "only %llu MiB free", (unsigned long long)(bytes >> 20));
    check_advise(c, "make room: at least 1 GiB; when the disk is full, usage can't be recorded");
}

static bool probe(struct str dir, struct err *err) {
    struct buf path BUF_AUTO = BUF_INIT(8192);
    struct file file;
    uint64_t tag = 0;
    rand_bytes(&tag, sizeof tag);
    path_join(&path, dir, STR(".penstock-probe-"));
    buf_printf(&path, "%016llx", (unsigned long long)tag);
    if (path.failed) return err_set(err, ERR_IO, "the path is too long");
    if (!file_open(buf_str(&path), FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &file, err)) return false;
    bool ok = file_append(&file, PROBE_TEXT, err) && file_sync(&file, err);
    struct err left;
    file_close(&file);
    bool removed = file_remove(buf_str(&path), ok ? err : &left);
    return ok && removed;
}

// The nearest directory on the way that is there: what is missing will be made in it.
static struct str existing(struct str dir) {
    struct file_info info;
    struct err err;
    while (dir.n && !(str_eq(dir, STR("/")) || str_eq(dir, STR(".")))) {
        if (!file_stat(dir, &info, &err) || info.kind != FILE_KIND_ABSENT) return dir;
        while (dir.n > 1 && dir.p[dir.n - 1] == '/') dir.n--;
        dir = path_dir(dir);
    }
    return dir.n ? dir : STR(".");
}

static void try_directory(struct check *c, struct str dir, bool may_be_made) {
    struct str there = existing(dir);
    struct err err;
    if (!str_eq(there, dir) && !may_be_made) {
        check_note(c, CHECK_FAILED, "the directory %.*s does not exist", STR_ARG(dir));
        check_advise(c, "mkdir -p %.*s", STR_ARG(dir));
        return;
    }
    if (!probe(there, &err)) {
        check_note(c, CHECK_FAILED, "%s", err.message);
        check_advise(c, "%.*s must be a directory that the user Penstock runs as may write to", STR_ARG(there));
        return;
    }
    check_note(c, CHECK_OK, str_eq(there, dir) ? "writable" : "does not exist yet, can be made");
    note_room(c, there);
}

static void run_data(struct check_list *l, struct check *c) { try_directory(c, l->conf->storage.data, true); }

static void run_log(struct check_list *l, struct check *c) {
    (void)l;
    const struct str *path = c->subject;
    struct file_info info;
    struct file file;
    struct err err;
    if (file_stat(*path, &info, &err) && info.kind == FILE_KIND_ABSENT) {
        try_directory(c, path_dir(*path), false);
        return;
    }
    if (!file_open(*path, FILE_WRITE | FILE_APPEND, 0, &file, &err)) {
        check_note(c, CHECK_FAILED, "%s", err.message);
        check_advise(c, "the user Penstock runs as must be able to write to it");
        return;
    }
    file_close(&file);
    check_note(c, CHECK_OK, "writable");
    note_room(c, path_dir(*path));
}

void check_add_paths(struct check_list *l) {
    const struct conf *conf = l->conf;
    check_add(l, CHECK_PATH, conf->storage.data, run_data, NULL, "storage.data");
    if (conf->log.file.n) check_add(l, CHECK_PATH, conf->log.file, run_log, &conf->log.file, "log.file");
    if (conf->log.access_file.n)
        check_add(l, CHECK_PATH, conf->log.access_file, run_log, &conf->log.access_file, "log.access_file");
}

// --- files that hold secrets ---

static void run_secret_file(struct check_list *l, struct check *c) {
    (void)l;
    struct file_info info;
    struct err err;
    if (!file_stat(c->name, &info, &err) || info.kind == FILE_KIND_ABSENT) {
        check_note(c, CHECK_FAILED, "it is not there");
        check_advise(c, "write it, or take the reference to it away");
        return;
    }
    if (!(info.mode & 077)) {
        check_note(c, CHECK_OK, "only its owner can read it");
        return;
    }
    check_note(c, CHECK_WARNING, "others than its owner can read it (mode %03o)", info.mode & 0777);
    check_advise(c, "chmod go= %.*s", STR_ARG(c->name));
}

static bool known(const struct check_list *l, struct str path) {
    for (size_t i = 0; i < l->checks.n; i++)
        if (l->checks.p[i].kind == CHECK_SECRET_FILE && str_eq(l->checks.p[i].name, path)) return true;
    return false;
}

static void add_secret_file(struct check_list *l, struct str path, const struct conf_node *node) {
    if (!path.n || known(l, path)) return;
    struct str kept = arena_str(&l->arena, path);
    struct check *c =
        kept.p ? check_add(l, CHECK_SECRET_FILE, kept, run_secret_file, NULL, "${file:%.*s}", STR_ARG(path)) : NULL;
    if (!c) {
        l->failed = true;
        return;
    }
    if (!node->source || !node->source->name.n) return;
    struct str where = node->pos.line ? arena_printf(&l->arena, "%.*s:%u", STR_ARG(node->source->name), node->pos.line)
                                      : node->source->name;
    if (where.p) c->where = where;
}

// The configuration as written holds the references; the values no longer do.
static void walk(struct check_list *l, const struct conf_node *node) {
    for (size_t i = 0; node && node->kind != NODE_SCALAR && i < node->n; i++) walk(l, node->values[i]);
    if (!node || node->kind != NODE_SCALAR) return;
    for (struct str rest = node->text; !l->failed;) {
        size_t at = str_find(rest, STR("${file:"));
        if (at == rest.n) return;
        bool escaped = at > 0 && rest.p[at - 1] == '$';
        rest = str_from(rest, at + 7);
        size_t end = str_find_char(rest, '}');
        if (end == rest.n) return;
        if (!escaped) add_secret_file(l, str_head(rest, end), node);
        rest = str_from(rest, end + 1);
    }
}

void check_add_secret_files(struct check_list *l) { walk(l, l->conf->root); }
