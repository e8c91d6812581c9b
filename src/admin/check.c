// Makes the list of checks of a configuration and runs it, several at a time.
#include "admin/check.h"

#include "admin/check_impl.h"
#include "conf/tree.h"
#include "os/clock.h"

#define THREADS_MAX 16
#define CHECKS_MAX 10000
#define RUN_MS 28000
#define TICK_NS (100 * NS_PER_MS)
#define ARENA_MAX ((size_t)64 << 20)

const char *check_kind_name(enum check_kind kind) {
    static const char *const names[CHECK_KIND_COUNT] = {[CHECK_PROVIDER] = "provider",
                                                        [CHECK_VAULT] = "vault",
                                                        [CHECK_DATABASE] = "database",
                                                        [CHECK_REDIS] = "redis",
                                                        [CHECK_MODELS] = "models",
                                                        [CHECK_WEBHOOK] = "webhook",
                                                        [CHECK_LISTENER] = "listener",
                                                        [CHECK_CERTIFICATE] = "certificate",
                                                        [CHECK_PATH] = "path",
                                                        [CHECK_SECRET_FILE] = "secret_file",
                                                        [CHECK_OPEN_FILES] = "open_files",
                                                        [CHECK_CLOCK] = "clock"};
    return names[kind];
}

const char *check_verdict_name(enum check_verdict verdict) {
    static const char *const names[] = {"ok", "warning", "failed"};
    return names[verdict];
}

// --- the list ---

// The nearest of the key's own place and those around it: a list's item may be written while its option is not.
static const struct conf_node *place_of(const struct conf *conf, struct str key, struct arena *a) {
    struct conf_path path;
    struct err err;
    if (!conf->root || !conf_path_parse(key, a, &path, &err)) return NULL;
    for (; path.n; path.n--) {
        const struct conf_node *node = conf_tree_get(&conf_table, conf->root, &path);
        if (node) return node;
    }
    return NULL;
}

static struct str where_of(struct check_list *l, struct str key) {
    const struct conf_node *node = place_of(l->conf, key, &l->arena);
    if (!node || !node->source || !node->source->name.n) return key;
    struct str where = node->pos.line ? arena_printf(&l->arena, "%.*s:%u", STR_ARG(node->source->name), node->pos.line)
                                      : node->source->name;
    return where.p ? where : key;
}

struct check *check_add(struct check_list *l, enum check_kind kind, struct str name, check_fn *run, const void *subject,
                        const char *key, ...) {
    char text[512];
    va_list ap;
    va_start(ap, key);
    vsnprintf(text, sizeof text, key, ap);
    va_end(ap);
    struct str kept = arena_str(&l->arena, str_c(text));
    if (!kept.p || l->checks.n >= CHECKS_MAX ||
        !vec_push(&l->checks,
                  ((struct check){.kind = kind, .name = name, .key = kept, .run = run, .subject = subject}))) {
        l->failed = true;
        return NULL;
    }
    struct check *c = &l->checks.p[l->checks.n - 1];
    c->index = l->checks.n - 1;
    c->where = where_of(l, kept);
    return c;
}

bool check_list_make(struct conf *conf, unsigned kinds, struct check_list **out_list, struct err *err) {
    static void (*const add[CHECK_KIND_COUNT])(struct check_list *) = {[CHECK_PROVIDER] = check_add_providers,
                                                                       [CHECK_VAULT] = check_add_vault,
                                                                       [CHECK_DATABASE] = check_add_database,
                                                                       [CHECK_REDIS] = check_add_redis,
                                                                       [CHECK_MODELS] = check_add_models,
                                                                       [CHECK_WEBHOOK] = check_add_webhooks,
                                                                       [CHECK_LISTENER] = check_add_listeners,
                                                                       [CHECK_CERTIFICATE] = check_add_certificates,
                                                                       [CHECK_PATH] = check_add_paths,
                                                                       [CHECK_SECRET_FILE] = check_add_secret_files,
                                                                       [CHECK_OPEN_FILES] = check_add_open_files,
                                                                       [CHECK_CLOCK] = check_add_clock};
    struct check_list *l = mem_zalloc(1, sizeof *l);
    if (!l) return err_no_memory(err);
    arena_init(&l->arena, NULL, 0, ARENA_MAX);
    mutex_init(&l->lock);
    cond_init(&l->changed);
    l->conf = conf_ref(conf);
    for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++)
        if (kinds & (1u << kind)) add[kind](l);
    l->finished = mem_zalloc(l->checks.n + 1, sizeof *l->finished);
    if (l->failed || !l->finished) {
        check_list_free(l);
        return err_no_memory(err);
    }
    *out_list = l;
    return true;
}

void check_list_free(struct check_list *l) {
    if (!l) return;
    vec_free(&l->checks);
    mem_free(l->finished);
    arena_free(&l->arena);
    mutex_free(&l->lock);
    cond_free(&l->changed);
    conf_unref(l->conf);
    mem_free(l);
}

size_t check_list_count(const struct check_list *l) { return l->checks.n; }
const struct check *check_list_at(const struct check_list *l, size_t i) { return &l->checks.p[i]; }

// --- the run ---

uint64_t check_running_us(const struct check *c) { return (clock_mono_ns() - c->started_ns) / NS_PER_US; }

unsigned check_time_left(const struct check_list *l, int64_t own_ms) {
    uint64_t now = clock_mono_ns(), own = own_ms > 0 ? (uint64_t)own_ms : 1;
    uint64_t left = l->deadline_ns > now ? (l->deadline_ns - now) / NS_PER_MS : 0;
    return (unsigned)MAX(MIN(MIN(own, left), (uint64_t)3600000), (uint64_t)1);
}

static void perform(struct check_list *l, struct check *c) {
    if (clock_mono_ns() >= l->deadline_ns) {
        check_note(c, CHECK_FAILED, "not tried: the time for all checks was up");
        check_advise(c, "those before it took too long");
    } else {
        c->run(l, c);
    }
    c->us = check_running_us(c);
}

static void finish(struct check_list *l, struct check *c) {
    mutex_lock(&l->lock);
    l->finished[l->n_finished++] = c->index;
    cond_signal(&l->changed);
    mutex_unlock(&l->lock);
}

// Takes one check after the other until there is none. The clock's is left out: it needs all others.
static struct check *take(struct check_list *l) {
    struct check *c = NULL;
    mutex_lock(&l->lock);
    if (l->next < l->checks.n && l->checks.p[l->next].kind != CHECK_CLOCK) {
        c = &l->checks.p[l->next++];
        c->started_ns = clock_mono_ns();
    }
    mutex_unlock(&l->lock);
    return c;
}

static void work(void *arg) {
    struct check_list *l = arg;
    for (struct check *c; (c = take(l));) {
        perform(l, c);
        finish(l, c);
    }
}

static void tell_running(struct check_list *l, const struct check_watch *watch, size_t told) {
    const struct check *running[THREADS_MAX + 1];
    size_t n = 0;
    mutex_lock(&l->lock);
    for (size_t i = 0; i < l->next && n < ARRAY_LEN(running); i++) {
        bool done = false;
        for (size_t k = 0; k < l->n_finished && !done; k++) done = l->finished[k] == i;
        if (!done) running[n++] = &l->checks.p[i];
    }
    mutex_unlock(&l->lock);
    watch->tick(watch->ctx, running, n, l->checks.n - told);
}

// Calls back as they end, until `wanted` have been told.
static void follow(struct check_list *l, const struct check_watch *watch, size_t wanted) {
    for (size_t told = 0; told < wanted;) {
        bool ready;
        mutex_lock(&l->lock);
        if (l->n_finished == told) cond_wait_for(&l->changed, &l->lock, TICK_NS);
        ready = l->n_finished > told;
        mutex_unlock(&l->lock);
        if (ready) {
            const struct check *c = &l->checks.p[l->finished[told++]];
            if (watch->done) watch->done(watch->ctx, c);
        }
        if (watch->tick) tell_running(l, watch, told);
    }
}

void check_list_run(struct check_list *l, const struct check_watch *watch) {
    struct thread threads[THREADS_MAX];
    struct err err;
    size_t n = 0, others = 0;
    l->began_ns = clock_mono_ns();
    l->began_unix_ns = clock_unix_ns();
    l->deadline_ns = l->began_ns + RUN_MS * NS_PER_MS;
    for (size_t i = 0; i < l->checks.n; i++) others += l->checks.p[i].kind != CHECK_CLOCK;
    while (n < MIN((size_t)THREADS_MAX, others) && thread_start(&threads[n], "check", 0, work, l, &err)) n++;
    if (n == 0) work(l); // one after the other, where there are no threads to be had
    follow(l, watch, others);
    for (size_t i = 0; i < n; i++) thread_join(&threads[i]);
    for (size_t i = others; i < l->checks.n; i++) {
        struct check *c = &l->checks.p[i];
        c->started_ns = clock_mono_ns();
        perform(l, c);
        if (watch->done) watch->done(watch->ctx, c);
    }
    if (watch->tick) watch->tick(watch->ctx, NULL, 0, 0);
}

// --- what a check says ---

PRINTF_LIKE(4, 0)
static void put(char *text, size_t max, const char *between, const char *fmt, va_list ap) {
    size_t n = strlen(text);
    if (n) n += (size_t)MAX(snprintf(text + n, max - n, "%s", between), 0);
    if (n < max) vsnprintf(text + n, max - n, fmt, ap);
}

void check_note(struct check *c, enum check_verdict verdict, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    put(c->detail, sizeof c->detail, "; ", fmt, ap);
    va_end(ap);
    c->verdict = MAX(c->verdict, verdict);
}

void check_advise(struct check *c, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    put(c->hint, sizeof c->hint, "; ", fmt, ap);
    va_end(ap);
}
