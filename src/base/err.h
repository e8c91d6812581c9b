// Errors as values: a code from one table, an HTTP status, and a message that says what was wrong, where, and what to
// do.
//
// Convention: `bool f(…, struct err *err)`; true = outputs set, false = *err set and outputs untouched. err must not be
// NULL. Lower rooms return errors; only gateway, admin, cli and main log them, once. Thread rule: pure values.
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/str.h"

enum err_code {
#define ERR(code, status, type, wire, retryable, meaning) ERR_##code,
#include "base/err.def"
#undef ERR
    ERR_COUNT
};

#define ERR_MESSAGE_MAX 512

struct err {
    enum err_code code;
    int status; // HTTP status; the code's own unless set otherwise
    char message[ERR_MESSAGE_MAX];
    char param[64];   // the request field at fault, or ""
    unsigned retry_s; // when to try again, in seconds from now; 0 = not said
};

struct err_info {
    const char *name;      // "INVALID_JSON"
    int status;            // default HTTP status
    const char *type;      // OpenAI's error.type
    const char *wire_code; // OpenAI's error.code
    bool retryable;        // the same request may succeed later
    const char *meaning;
};
const struct err_info *err_info(enum err_code code);

// Sets code, default status and message; always returns false, so that `return err_set(…)` reads well.
PRINTF_LIKE(3, 4) bool err_set(struct err *err, enum err_code code, const char *fmt, ...);
// Puts "prefix: " before the message.
PRINTF_LIKE(2, 3) bool err_wrap(struct err *err, const char *fmt, ...);
// Whether it is a fault of the database or the disk, whose message says how the server is built: for its log.
bool err_is_inner(const struct err *err);
// Such a fault as others than operators are told it.
void err_hide(struct err *err);
// As err_set with NO_MEMORY.
bool err_no_memory(struct err *err);

#ifdef __clang_analyzer__
// The analyzer sees one file at a time and must be told that these return false.
#define err_set(...) ((void)err_set(__VA_ARGS__), false)
#define err_wrap(...) ((void)err_wrap(__VA_ARGS__), false)
#define err_no_memory(err) ((void)err_no_memory(err), false)
#endif

#endif
