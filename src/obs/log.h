// Structured logs: events and access lines as JSON lines or as text for people, written by a thread of the log's own.
//
//   log_info(log, LOG_MSG("listening"), LOG_STR("address", address), LOG_INT("workers", n));
//
// Lines go into a bounded queue under a short mutex; the writer thread hands them to the file about every 50 ms, when
// 32 KiB wait, or at once after an error. A reader that does not keep up costs lines, which are counted and reported in
// the log itself, and never time of the caller.
//
// A NULL log is silent: every function here but log_open takes it.
//
// Secrets: nothing is redacted here; callers never pass them. Text from outside is safe to pass: it is escaped, made
// valid UTF-8, and cut at LOG_VALUE_MAX bytes. Ownership: log_open … log_close; values are borrowed for the call.
// Thread rule: any thread. Errors: only opening can fail; a line that cannot be kept is counted in log_stats.
#ifndef OBS_LOG_H
#define OBS_LOG_H

#include "base/err.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_JSON, LOG_PRETTY };

struct log_options {
    struct str file; // appended to; empty = standard error
    enum log_level level;
    enum log_format format;
    bool color;        // pretty only
    size_t queue_max;  // bytes that may wait; 0 = 4 MiB
    unsigned flush_ms; // 0 = 50
};

struct log;
NODISCARD bool log_open(const struct log_options *options, struct log **out_log, struct err *err);
// Writes what waits and ends the thread. If the file takes nothing for two seconds the rest is given up. NULL is fine.
void log_close(struct log *log);
// Opens the file anew by its name, after it was rotated away; nothing to do for standard error.
NODISCARD bool log_reopen(struct log *log, struct err *err);
// From now on lines of this level and format go to this file; those handed in before go where the log went then. Nobody
// waits. A line that another thread has begun keeps the format it began with. queue_max and flush_ms stay what they
// were. On failure nothing changes.
NODISCARD bool log_retarget(struct log *log, const struct log_options *options, struct err *err);
void log_level_set(struct log *log, enum log_level level);
// Events of this level are kept; ask before work that only a log line needs.
bool log_on(const struct log *log, enum log_level level);
// Waits until all lines handed in so far are written, at most timeout_ms. For the end of a run and for tests.
bool log_flush(struct log *log, unsigned timeout_ms);

struct log_stats {
    uint64_t lines;   // accepted
    uint64_t dropped; // lost: the queue was full, or the file could not be written
    uint64_t waiting; // bytes in the queue
};
void log_stats_get(struct log *log, struct log_stats *out_stats);

// --- Events ----------------------------------------------------------------------------------------------------------

enum log_type { LOG_TYPE_STR, LOG_TYPE_INT, LOG_TYPE_FLOAT, LOG_TYPE_BOOL };
struct log_field {
    struct str json_key; // ",\"key\":"
    enum log_type type;
    struct str s;
    int64_t i;
    double f;
};
#define LOG_KEY(key) STR_INIT(",\"" key "\":")
// The first field of every event: a short constant sentence. Keys are literals too.
#define LOG_MSG(text)                                                                                                  \
    { .json_key = LOG_KEY("msg"), .type = LOG_TYPE_STR, .s = STR_INIT(text) }
#define LOG_STR(key, value)                                                                                            \
    { .json_key = LOG_KEY(key), .type = LOG_TYPE_STR, .s = (value) }
#define LOG_INT(key, value)                                                                                            \
    { .json_key = LOG_KEY(key), .type = LOG_TYPE_INT, .i = (int64_t)(value) }
#define LOG_FLOAT(key, value)                                                                                          \
    { .json_key = LOG_KEY(key), .type = LOG_TYPE_FLOAT, .f = (value) }
#define LOG_BOOL(key, value)                                                                                           \
    { .json_key = LOG_KEY(key), .type = LOG_TYPE_BOOL, .i = (value) }
// What a struct err says: two fields.
#define LOG_ERR(err) LOG_STR("error", str_c(err_info((err)->code)->wire_code)), LOG_STR("reason", str_c((err)->message))

// fields[0] is the message.
void log_event(struct log *log, enum log_level level, const struct log_field *fields, size_t count);
#define LOG_EVENT(log, level, ...)                                                                                     \
    log_event((log), (level), (const struct log_field[]){__VA_ARGS__},                                                 \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_error(log, ...) LOG_EVENT(log, LOG_ERROR, __VA_ARGS__)
#define log_warn(log, ...) LOG_EVENT(log, LOG_WARN, __VA_ARGS__)
#define log_info(log, ...) LOG_EVENT(log, LOG_INFO, __VA_ARGS__)
#define log_debug(log, ...) LOG_EVENT(log, LOG_DEBUG, __VA_ARGS__)

// --- One line, field by field: for the access log, where every nanosecond counts
// ---------------------------------------

#define LOG_LINE_MAX 4096 // longer lines lose their last fields and say "truncated":true
#define LOG_VALUE_MAX 1024
struct log_line {
    struct log *log;
    enum log_level level;
    bool full;
    bool json, color; // the log's when the line was begun
    size_t n;
    char text[LOG_LINE_MAX];
};
// unix_ns: the time shown; 0 = now.
void log_line_begin(struct log_line *line, struct log *log, enum log_level level, int64_t unix_ns, struct str message);
void log_line_put_str(struct log_line *line, struct str json_key, struct str value);
void log_line_put_u64(struct log_line *line, struct str json_key, uint64_t value);
void log_line_put_i64(struct log_line *line, struct str json_key, int64_t value);
void log_line_put_float(struct log_line *line, struct str json_key, double value);
void log_line_put_bool(struct log_line *line, struct str json_key, bool value);
// value / 10^decimals, exactly: microseconds as milliseconds with 3 decimals, nanodollars as dollars with 9. Zeros at
// the end are left out.
void log_line_put_fixed(struct log_line *line, struct str json_key, uint64_t value, unsigned decimals);
// Hands the line in; the struct may be used anew.
void log_line_end(struct log_line *line);
#define log_line_str(line, key, value) log_line_put_str((line), STR(",\"" key "\":"), (value))
#define log_line_u64(line, key, value) log_line_put_u64((line), STR(",\"" key "\":"), (value))
#define log_line_i64(line, key, value) log_line_put_i64((line), STR(",\"" key "\":"), (value))
#define log_line_float(line, key, value) log_line_put_float((line), STR(",\"" key "\":"), (value))
#define log_line_bool(line, key, value) log_line_put_bool((line), STR(",\"" key "\":"), (value))
#define log_line_fixed(line, key, value, decimals) log_line_put_fixed((line), STR(",\"" key "\":"), (value), (decimals))

// --- Repeated errors
// --------------------------------------------------------------------------------------------------

// Lets one event through per period and counts the others. Zeroed to begin with; any thread.
struct log_gate {
    uint64_t next_ns;
    uint64_t suppressed;
};
// True: log now, and *out_suppressed is how many were held back since the last. now_ns: clock_mono_ns().
bool log_every(struct log_gate *gate, uint64_t now_ns, uint64_t period_ns, uint64_t *out_suppressed);

#endif
