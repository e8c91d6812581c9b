// What the files of the log share: its struct, and the formats of a line.
//
// Thread rule: `level` and `style` are read and written atomically; `path` is guarded by `target_mutex`, which is taken
// before `mutex`, if both are; what stands below `mutex` is guarded by it; `target` is the writer thread's.
#ifndef OBS_LOG_IMPL_H
#define OBS_LOG_IMPL_H

#include "obs/log.h"
#include "os/file.h"
#include "os/thread.h"

#define LOG_CHUNK_BYTES ((size_t)32 * 1024)

// Where lines go.
struct log_target {
    struct file file; // path is NULL: none
    bool is_stderr;   // nothing of it is ours
};
void log_target_close(struct log_target *target);

struct log_chunk {
    struct log_chunk *next;
    struct log_target target; // to change to before these lines
    size_t n;
    uint64_t lines;
    char bytes[LOG_CHUNK_BYTES];
};

struct log {
    uint64_t level; // enum log_level
    uint64_t style; // enum log_format, and LOG_STYLE_COLOR
    struct mutex target_mutex;
    char *path; // NULL for standard error
    size_t queue_max;
    uint64_t flush_ns;
    struct thread writer;
    struct log_target target;
    uint64_t reported; // dropped lines that a line in the log has told of; the writer's

    struct mutex mutex;
    struct cond wake; // for the writer: there is something to do
    struct cond done; // for those who wait: something was written
    struct log_chunk *head, *tail;
    struct log_chunk *spare; // kept, so that a quiet log allocates nothing
    size_t waiting;          // bytes queued or being written
    uint64_t accepted, settled, dropped;
    uint64_t progress; // writes that ended
    bool urgent, stop, ended;
};
#define LOG_STYLE_COLOR 0x100

// Queues one line. False when it was dropped.
bool log_queue_put(struct log *log, struct str line, bool urgent);
// Queues a change of target and takes *target over; level, format and colour of `look`, unless NULL, hold from then on.
NODISCARD bool log_queue_target(struct log *log, struct log_target *target, const struct log_options *look);
// Ends the line's text without handing it in.
void log_line_finish(struct log_line *line);
// The writer thread.
void log_writer_run(void *log);

// Appends to text[*n…cap) with JSON's escapes, without quotes; false, and nothing appended, when it does not fit.
bool log_text_json(char *text, size_t cap, size_t *n, struct str value);
// The same for people: what a terminal would act on becomes \xNN or \u{NNNN}.
bool log_text_visible(char *text, size_t cap, size_t *n, struct str value);

#endif
