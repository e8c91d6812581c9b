// Opening, changing and closing the log, and its levels and figures.
#include "obs/log_impl.h"

#include "base/mem.h"
#include "os/clock.h"

#define QUEUE_MAX_DEFAULT ((size_t)4 * 1024 * 1024)
#define FLUSH_MS_DEFAULT 50
#define WRITER_STACK ((size_t)256 * 1024)
#define CLOSE_WAIT_NS (2 * NS_PER_SEC)
#define STDERR_FD 2

static bool target_open(struct str path, struct log_target *out_target, struct err *err) {
    static char stderr_name[] = "standard error";
    if (path.n == 0) {
        *out_target = (struct log_target){.file = {.fd = STDERR_FD, .path = stderr_name}, .is_stderr = true};
        return true;
    }
    struct file file;
    if (!file_open(path, FILE_WRITE | FILE_CREATE | FILE_APPEND, 0640, &file, err)) return err_wrap(err, "log");
    *out_target = (struct log_target){.file = file};
    return true;
}

static void log_free(struct log *log) {
    while (log->head) {
        struct log_chunk *chunk = log->head;
        log->head = chunk->next;
        log_target_close(&chunk->target);
        mem_free(chunk);
    }
    mem_free(log->spare);
    log_target_close(&log->target);
    mem_free(log->path);
    mutex_free(&log->target_mutex);
    mutex_free(&log->mutex);
    cond_free(&log->wake);
    cond_free(&log->done);
    mem_free(log);
}

static bool log_start(struct log *log, struct str path, struct err *err) {
    if (path.n && !(log->path = mem_strdup(path))) return err_no_memory(err);
    return target_open(path, &log->target, err) &&
           thread_start(&log->writer, "log", WRITER_STACK, log_writer_run, log, err);
}

bool log_open(const struct log_options *options, struct log **out_log, struct err *err) {
    struct log *log = mem_zalloc(1, sizeof *log);
    if (!log) return err_no_memory(err);
    log->level = options->level;
    log->style = (uint64_t)options->format | (options->color ? LOG_STYLE_COLOR : 0);
    log->queue_max = options->queue_max ? options->queue_max : QUEUE_MAX_DEFAULT;
    log->flush_ns = (options->flush_ms ? options->flush_ms : FLUSH_MS_DEFAULT) * NS_PER_MS;
    mutex_init(&log->target_mutex);
    mutex_init(&log->mutex);
    cond_init(&log->wake);
    cond_init(&log->done);
    if (!log_start(log, options->file, err)) {
        log_free(log);
        return false;
    }
    *out_log = log;
    return true;
}

// True when the writer has ended, false when nothing moved for CLOSE_WAIT_NS.
static bool writer_wait(struct log *log) {
    uint64_t seen = log->progress, until = clock_mono_ns() + CLOSE_WAIT_NS;
    while (!log->ended) {
        uint64_t now = clock_mono_ns();
        if (log->progress != seen) {
            seen = log->progress;
            until = now + CLOSE_WAIT_NS;
        }
        if (now >= until) return false;
        cond_wait_for(&log->done, &log->mutex, until - now);
    }
    return true;
}

void log_close(struct log *log) {
    if (!log) return;
    mutex_lock(&log->mutex);
    log->stop = true;
    cond_signal(&log->wake);
    bool ended = writer_wait(log);
    mutex_unlock(&log->mutex);
    // A writer stuck in a write() cannot be ended: it keeps the log until the process is gone.
    if (!ended) return;
    thread_join(&log->writer);
    log_free(log);
}

// Opens the file before anything changes, without the lock that writers take. Holds target_mutex.
static bool target_change(struct log *log, struct str path, const struct log_options *look, struct err *err) {
    struct log_target target;
    if (!target_open(path, &target, err)) return false;
    if (log_queue_target(log, &target, look)) return true;
    log_target_close(&target);
    return err_no_memory(err);
}

bool log_reopen(struct log *log, struct err *err) {
    if (!log) return true;
    mutex_lock(&log->target_mutex);
    bool ok = !log->path || target_change(log, str_c(log->path), NULL, err);
    mutex_unlock(&log->target_mutex);
    return ok;
}

bool log_retarget(struct log *log, const struct log_options *options, struct err *err) {
    if (!log) return true;
    char *path = options->file.n ? mem_strdup(options->file) : NULL;
    if (options->file.n && !path) return err_no_memory(err);
    mutex_lock(&log->target_mutex);
    bool ok = target_change(log, options->file, options, err);
    if (ok) {
        char *old = log->path;
        log->path = path;
        path = old;
    }
    mutex_unlock(&log->target_mutex);
    mem_free(path);
    return ok;
}

bool log_flush(struct log *log, unsigned timeout_ms) {
    if (!log) return true;
    uint64_t until = clock_mono_ns() + timeout_ms * NS_PER_MS;
    mutex_lock(&log->mutex);
    uint64_t goal = log->accepted;
    log->urgent = true;
    cond_signal(&log->wake);
    while (log->settled < goal) {
        uint64_t now = clock_mono_ns();
        if (now >= until) break;
        cond_wait_for(&log->done, &log->mutex, until - now);
    }
    bool flushed = log->settled >= goal;
    mutex_unlock(&log->mutex);
    return flushed;
}

void log_level_set(struct log *log, enum log_level level) {
    if (log) atom_store_relaxed(&log->level, (uint64_t)level);
}

bool log_on(const struct log *log, enum log_level level) {
    return log && (uint64_t)level >= atom_load_relaxed(&log->level);
}

void log_stats_get(struct log *log, struct log_stats *out_stats) {
    *out_stats = (struct log_stats){0};
    if (!log) return;
    mutex_lock(&log->mutex);
    *out_stats = (struct log_stats){.lines = log->accepted, .dropped = log->dropped, .waiting = log->waiting};
    mutex_unlock(&log->mutex);
}

bool log_every(struct log_gate *gate, uint64_t now_ns, uint64_t period_ns, uint64_t *out_suppressed) {
    uint64_t next = atom_load_relaxed(&gate->next_ns);
    if (now_ns < next || !__atomic_compare_exchange_n(&gate->next_ns, &next, now_ns + period_ns, false,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        atom_add_relaxed(&gate->suppressed, 1);
        return false;
    }
    *out_suppressed = __atomic_exchange_n(&gate->suppressed, 0, __ATOMIC_RELAXED);
    return true;
}
