// The log's queue and the thread that writes it out.
//
// The queue is a list of chunks of whole lines. The writer takes the whole list, so that a chunk being written is never
// appended to, and writes each chunk with one write().
#include "obs/log_impl.h"

#include "base/mem.h"
#include "os/clock.h"

static struct log_chunk *chunk_new(struct log *log) {
    struct log_chunk *chunk = log->spare;
    if (chunk) {
        log->spare = NULL;
    } else {
        chunk = mem_alloc(sizeof *chunk);
        if (!chunk) return NULL;
    }
    chunk->next = NULL;
    chunk->target = (struct log_target){0};
    chunk->n = 0;
    chunk->lines = 0;
    return chunk;
}

static void chunk_queue(struct log *log, struct log_chunk *chunk) {
    if (log->tail)
        log->tail->next = chunk;
    else
        log->head = chunk;
    log->tail = chunk;
}

// A chunk with room for n bytes at the end of the queue; NULL when the queue is full.
static struct log_chunk *chunk_for(struct log *log, size_t n) {
    if (log->waiting + n > log->queue_max) return NULL;
    if (log->tail && LOG_CHUNK_BYTES - log->tail->n >= n) return log->tail;
    struct log_chunk *chunk = chunk_new(log);
    if (chunk) chunk_queue(log, chunk);
    return chunk;
}

bool log_queue_put(struct log *log, struct str line, bool urgent) {
    mutex_lock(&log->mutex);
    struct log_chunk *old_tail = log->tail;
    struct log_chunk *chunk = chunk_for(log, line.n);
    if (!chunk) {
        log->dropped++;
        mutex_unlock(&log->mutex);
        return false;
    }
    memcpy(chunk->bytes + chunk->n, line.p, line.n);
    chunk->n += line.n;
    chunk->lines++;
    log->waiting += line.n;
    log->accepted++;
    if (urgent) log->urgent = true;
    mutex_unlock(&log->mutex);
    // The first line starts the writer's interval, a chunk that is full ends it.
    if (urgent || chunk != old_tail) cond_signal(&log->wake);
    return true;
}

void log_target_close(struct log_target *target) {
    if (!target->is_stderr) file_close(&target->file);
    *target = (struct log_target){0};
}

// A chunk of its own carries the change, so that the lines before it keep their target. One that no line has followed
// yet is used again: a writer that is stuck does not collect them.
bool log_queue_target(struct log *log, struct log_target *target, const struct log_options *look) {
    struct log_target unused = {0};
    mutex_lock(&log->mutex);
    struct log_chunk *chunk = log->tail;
    if (!chunk || chunk->n) {
        chunk = chunk_new(log);
        if (!chunk) {
            mutex_unlock(&log->mutex);
            return false;
        }
        chunk_queue(log, chunk);
    }
    unused = chunk->target;
    chunk->target = *target;
    *target = (struct log_target){0};
    if (look) {
        atom_store_relaxed(&log->level, (uint64_t)look->level);
        atom_store_relaxed(&log->style, (uint64_t)look->format | (look->color ? LOG_STYLE_COLOR : 0));
    }
    log->urgent = true;
    mutex_unlock(&log->mutex);
    cond_signal(&log->wake);
    log_target_close(&unused);
    return true;
}

// Holds the mutex. True: there is work, and the time has come to do it; false: the log is closed and empty.
static bool work_wait(struct log *log) {
    while (!log->head && !log->stop) {
        log->urgent = false; // asked for a flush of nothing
        cond_wait(&log->wake, &log->mutex);
    }
    uint64_t until = clock_mono_ns() + log->flush_ns;
    while (log->head == log->tail && !log->urgent && !log->stop) {
        uint64_t now = clock_mono_ns();
        if (now >= until) break;
        cond_wait_for(&log->wake, &log->mutex, until - now);
    }
    return log->head != NULL;
}

static void drops_report(struct log *log) {
    mutex_lock(&log->mutex);
    uint64_t dropped = log->dropped;
    mutex_unlock(&log->mutex);
    if (dropped == log->reported) return;
    struct log_line line;
    log_line_begin(&line, log, LOG_WARN, 0, STR("log lines dropped"));
    log_line_u64(&line, "lines", dropped - log->reported);
    log_line_finish(&line);
    struct err err;
    if (file_append(&log->target.file, str_of(line.text, line.n), &err)) log->reported = dropped;
}

// Writes one chunk without the mutex, then settles it.
static void chunk_write(struct log *log, struct log_chunk *chunk) {
    struct err err;
    if (chunk->target.file.path) {
        log_target_close(&log->target);
        log->target = chunk->target;
        chunk->target = (struct log_target){0};
    }
    bool written = file_append(&log->target.file, str_of(chunk->bytes, chunk->n), &err);
    mutex_lock(&log->mutex);
    log->waiting -= chunk->n;
    log->settled += chunk->lines;
    log->progress++;
    if (!written) log->dropped += chunk->lines;
    if (!log->spare) {
        log->spare = chunk;
        chunk = NULL;
    }
    cond_broadcast(&log->done);
    mutex_unlock(&log->mutex);
    mem_free(chunk);
}

void log_writer_run(void *arg) {
    thread_background();
    struct log *log = arg;
    mutex_lock(&log->mutex);
    while (work_wait(log)) {
        struct log_chunk *list = log->head;
        log->head = log->tail = NULL;
        log->urgent = false;
        mutex_unlock(&log->mutex);
        while (list) {
            struct log_chunk *next = list->next;
            chunk_write(log, list);
            list = next;
        }
        drops_report(log);
        mutex_lock(&log->mutex);
    }
    log->ended = true;
    cond_broadcast(&log->done);
    mutex_unlock(&log->mutex);
}
