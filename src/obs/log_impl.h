// What the files of the log share: its struct, and the formats of a line.
//
// Thread rule: `level` is read and written atomically; what stands below the mutex is guarded by it; `file` is the
// writer thread's.
#ifndef OBS_LOG_IMPL_H
#define OBS_LOG_IMPL_H

#include "obs/log.h"
#include "os/file.h"
#include "os/thread.h"

#define LOG_CHUNK_BYTES ((size_t)32 * 1024)

struct log_chunk {
    struct log_chunk *next;
    size_t n;
    uint64_t lines;
    char bytes[LOG_CHUNK_BYTES];
};

struct log {
    uint64_t level; // enum log_level
    enum log_format format;
    bool color;
    bool to_stderr;
    char *path; // NULL for standard error
    size_t queue_max;
    uint64_t flush_ns;
    struct thread writer;
    struct file file;
    uint64_t reported; // dropped lines that a line in the log has told of; the writer's

    struct mutex mutex;
    struct cond wake; // for the writer: there is something to do
    struct cond done; // for those who wait: something was written
    struct log_chunk *head, *tail;
    struct log_chunk *spare; // kept, so that a quiet log allocates nothing
    size_t waiting;          // bytes queued or being written
    uint64_t accepted, settled, dropped;
    uint64_t progress;     // writes that ended
    struct file next_file; // from log_reopen, to be taken by the writer
    bool urgent, stop, ended;
};

// Queues one line. False when they were dropped.
bool log_queue_put(struct log *log, struct str line, bool urgent);
// Ends the line's text without handing it in.
void log_line_finish(struct log_line *line);
// The writer thread.
void log_writer_run(void *log);

// Appends to text[*n…cap) with JSON's escapes, without quotes; false, and nothing appended, when it does not fit.
bool log_text_json(char *text, size_t cap, size_t *n, struct str value);
// The same for people: what a terminal would act on becomes \xNN or \u{NNNN}.
bool log_text_visible(char *text, size_t cap, size_t *n, struct str value);

#endif
