// Errors as values.
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

#undef err_set
#undef err_wrap
#undef err_no_memory

static const struct err_info k_info[ERR_COUNT] = {
#define ERR(code, status, type, wire, retryable, meaning)                                                              \
    [ERR_##code] = {#code, status, type, wire, retryable, meaning},
#include "base/err.def"
#undef ERR
};

const struct err_info *err_info(enum err_code code) {
    INVARIANT(code < ERR_COUNT);
    return &k_info[code];
}

bool err_set(struct err *err, enum err_code code, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    err->code = code;
    err->status = k_info[code].status;
    err->param[0] = '\0';
    err->retry_s = 0;
    vsnprintf(err->message, sizeof err->message, fmt, ap);
    va_end(ap);
    return false;
}

bool err_wrap(struct err *err, const char *fmt, ...) {
    char prefix[ERR_MESSAGE_MAX], old[ERR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, ap);
    va_end(ap);
    memcpy(old, err->message, sizeof old);
    // The prefix gives way: what went wrong comes last.
    size_t n = MIN(strlen(prefix), (size_t)250), m = MIN(strlen(old), sizeof err->message - n - 3);
    memcpy(err->message, prefix, n);
    memcpy(err->message + n, ": ", 2);
    memcpy(err->message + n + 2, old, m);
    err->message[n + 2 + m] = '\0';
    return false;
}

bool err_is_inner(const struct err *err) {
    return err->code == ERR_STORE || err->code == ERR_STORE_BUSY || err->code == ERR_STORE_FULL || err->code == ERR_IO;
}

void err_hide(struct err *err) {
    if (!err_is_inner(err)) return;
    snprintf(err->message, sizeof err->message, "%s; the server's log says more", k_info[err->code].meaning);
}

bool err_no_memory(struct err *err) { return err_set(err, ERR_NO_MEMORY, "out of memory"); }
