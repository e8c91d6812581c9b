// Watches the directories that paths lead through, and tells of changes when they have settled.
#include "os/watch.h"

#include "base/mem.h"
#include "base/vec.h"
#include "os/file_os.h"
#include "os/path_walk.h"

#include <errno.h>
#include <unistd.h>
#include <uv.h>

#define ROUNDS_MAX 8 // of looking and arming, until nothing moves meanwhile
#define BURST_MAX 10 // debounces that a burst may put off the call

// One watched directory. Only some names in it matter, so that a busy neighbour costs nothing but the notice.
struct watched {
    uv_fs_event_t uv;
    struct watch *watch;
    struct watched *next;
    char *path; // absolute, without symbolic links
    VEC(char *) names;
    bool all;   // every name matters
    bool stale; // the directory itself was moved or removed: what stands at the path now is another
    bool armed; // uv is open
    bool wanted;
};

struct watch {
    struct loop *loop;
    unsigned debounce_ms, look_ms;
    watch_fn *fn;
    void *ctx;
    struct timer debounce, look;
    uint64_t burst_ms; // loop time of a burst's first notice; 0 = quiet
    struct watched *dirs;
    VEC(char *) paths; // absolute
};

static void paths_free(char **paths, size_t n) {
    for (size_t i = 0; i < n; i++) mem_free(paths[i]);
    mem_free(paths);
}

// --- notices ---

static void notice(struct watch *w) {
    uint64_t now = loop_now_ms(w->loop), wait = MAX(w->debounce_ms, 1u);
    if (!w->burst_ms) w->burst_ms = MAX(now, (uint64_t)1);
    uint64_t latest = w->burst_ms + BURST_MAX * (uint64_t)w->debounce_ms;
    timer_set(&w->debounce, latest > now ? MIN(wait, latest - now) : 1);
}

static struct str last_part(const char *path) { return str_c(strrchr(path, '/') + 1); }

static bool matters(const struct watched *d, struct str name) {
    if (d->all) return true;
    for (size_t i = 0; i < d->names.n; i++)
        if (str_eq(str_c(d->names.p[i]), name)) return true;
    return false;
}

static void on_notice(uv_fs_event_t *handle, const char *name, int events, int status) {
    struct watched *d = handle->data;
    // A notice about the directory itself comes under its own name; one about a child of that name does no harm here.
    bool itself = !name || str_eq(str_c(name), last_part(d->path));
    if (itself && (events & UV_RENAME)) d->stale = true;
    if (status < 0 || itself || matters(d, str_c(name))) notice(d->watch);
}

// --- directories ---

static void names_clear(struct watched *d) {
    paths_free(d->names.p, d->names.n);
    d->names.p = NULL;
    d->names.n = d->names.cap = 0;
    d->all = d->wanted = false;
}

static void on_closed(uv_handle_t *handle) {
    struct watched *d = handle->data;
    mem_free(d->path);
    mem_free(d);
}

static void watched_free(struct watched *d) {
    names_clear(d);
    if (d->armed)
        uv_close((uv_handle_t *)&d->uv, on_closed);
    else
        on_closed((uv_handle_t *)&d->uv);
}

static struct watched *watched_at(struct watch *w, struct str path) {
    for (struct watched *d = w->dirs; d; d = d->next)
        if (!d->stale && str_eq(str_c(d->path), path)) return d;
    struct watched *d = mem_zalloc(1, sizeof *d);
    char *copy = mem_strdup(path);
    if (!d || !copy) {
        mem_free(d);
        mem_free(copy);
        return NULL;
    }
    *d = (struct watched){.watch = w, .path = copy, .next = w->dirs};
    d->uv.data = d;
    w->dirs = d;
    return d;
}

// This name in this directory matters; an empty one: all names.
static bool want(void *ctx, struct str dir, struct str name, struct err *err) {
    struct watched *d = watched_at(ctx, dir);
    if (!d) return err_no_memory(err);
    d->wanted = true;
    if (name.n == 0) d->all = true;
    if (matters(d, name)) return true;
    char *copy = mem_strdup(name);
    if (copy && vec_push(&d->names, copy)) return true;
    mem_free(copy);
    return err_no_memory(err);
}

static bool arm(struct watched *d, struct err *err) {
    int rc = uv_fs_event_init(loop_uv(d->watch->loop), &d->uv);
    d->uv.data = d;
    if (rc == 0) {
        d->armed = true;
        uv_unref((uv_handle_t *)&d->uv);
        rc = uv_fs_event_start(&d->uv, on_notice, d->path, 0);
    }
    if (rc == 0) return true;
    const char *hint = rc == UV_ENOSPC   ? "; raise fs.inotify.max_user_watches"
                       : rc == UV_EMFILE ? "; raise fs.inotify.max_user_instances"
                                         : "";
    return err_set(err, rc == UV_ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot watch %s: %s%s", d->path, uv_strerror(rc),
                   hint);
}

// *out_again: something was armed, or went away meanwhile, so what stands there has to be looked at once more.
static bool arm_new(struct watch *w, bool *out_again, struct err *err) {
    bool ok = true;
    *out_again = false;
    for (struct watched *d = w->dirs; d; d = d->next) {
        struct err why;
        if (d->armed) continue;
        if (arm(d, &why)) {
            *out_again = true;
            continue;
        }
        d->stale = true;
        if (why.code == ERR_NOT_FOUND) {
            *out_again = true;
        } else {
            *err = why;
            ok = false;
        }
    }
    return ok;
}

static void drop_unwanted(struct watch *w) {
    for (struct watched **at = &w->dirs; *at;) {
        struct watched *d = *at;
        if (d->wanted && !d->stale) {
            at = &d->next;
        } else {
            *at = d->next;
            watched_free(d);
        }
    }
}

// Watches what the paths lead through now. What cannot be watched is left out and told.
static bool rearm(struct watch *w, struct err *err) {
    bool ok = true, again = true;
    for (int round = 0; again && round < ROUNDS_MAX; round++) {
        ok = true;
        for (struct watched *d = w->dirs; d; d = d->next) names_clear(d);
        for (size_t i = 0; i < w->paths.n && ok; i++) ok = path_walk(w->paths.p[i], want, w, err);
        if (!ok) // no memory: keep what there is
            for (struct watched *d = w->dirs; d; d = d->next) d->wanted = d->all = true;
        if (!arm_new(w, &again, err)) ok = false;
        drop_unwanted(w);
    }
    return ok;
}

// --- telling ---

// Armed first, so that nothing that happens after the owner has looked goes unseen.
static void tell(struct watch *w) {
    struct err err; // the owner heard of it from watch_set, and the next notice or look tries again
    rearm(w, &err);
    w->fn(w->ctx);
}

static void on_debounced(struct timer *timer) {
    struct watch *w = CONTAINER_OF(timer, struct watch, debounce);
    w->burst_ms = 0;
    tell(w);
}

static void on_look(struct timer *timer) {
    struct watch *w = CONTAINER_OF(timer, struct watch, look);
    timer_set(&w->look, w->look_ms);
    tell(w);
}

// --- the owner's calls ---

bool watch_create(struct loop *loop, unsigned debounce_ms, unsigned look_ms, watch_fn *fn, void *ctx,
                  struct watch **out_watch, struct err *err) {
    struct watch *w = mem_zalloc(1, sizeof *w);
    if (!w) return err_no_memory(err);
    *w = (struct watch){.loop = loop, .debounce_ms = debounce_ms, .look_ms = look_ms, .fn = fn, .ctx = ctx};
    timer_init(&w->debounce, loop, on_debounced);
    timer_init(&w->look, loop, on_look);
    if (look_ms) timer_set(&w->look, look_ms);
    *out_watch = w;
    return true;
}

static bool path_absolute(struct str path, char **out_path, struct err *err) {
    struct path_z z;
    char dir[PATH_MAX] = "";
    if (!path_to_z(path, &z, err)) return false;
    if (z.z[0] != '/' && !getcwd(dir, sizeof dir)) return file_failed(err, errno, "find", "the working directory");
    size_t n = strlen(dir);
    if (n + 1 + path.n >= PATH_MAX) return file_failed(err, ENAMETOOLONG, "watch", z.z);
    char *whole = mem_alloc(n + path.n + 2);
    if (!whole) return err_no_memory(err);
    memcpy(whole, dir, n);
    whole[n] = '/';
    memcpy(whole + n + 1, z.z, path.n + 1);
    *out_path = whole;
    return true;
}

bool watch_set(struct watch *w, const struct str *paths, size_t n, struct err *err) {
    __typeof__(w->paths) absolute = {0};
    for (size_t i = 0; i < n; i++) {
        char *path = NULL;
        if (path_absolute(paths[i], &path, err)) {
            if (vec_push(&absolute, path)) continue;
            mem_free(path);
            err_no_memory(err);
        }
        paths_free(absolute.p, absolute.n);
        return false;
    }
    paths_free(w->paths.p, w->paths.n);
    w->paths = absolute;
    return rearm(w, err);
}

size_t watch_count(const struct watch *w) {
    size_t n = 0;
    for (const struct watched *d = w->dirs; d; d = d->next) n++;
    return n;
}

void watch_free(struct watch *w) {
    if (!w) return;
    timer_stop(&w->debounce);
    timer_stop(&w->look);
    while (w->dirs) {
        struct watched *d = w->dirs;
        w->dirs = d->next;
        watched_free(d);
    }
    paths_free(w->paths.p, w->paths.n);
    mem_free(w);
}
