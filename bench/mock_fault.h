/* What the mock upstream does when it is to fail: which fault comes next, the bytes it answers with, and the count.
 *
 * The model `faulty-PERMILLE` fails so many of a thousand calls, at random but the same way in every run, with the
 * kinds in turns. Ownership: constants and a plain value. Threads: one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault {
    FAULT_NONE,
    FAULT_RESET,   /* a reset in place of an answer */
    FAULT_CLOSE,   /* an end in place of an answer */
    FAULT_LIMIT,   /* 429 with retry-after-ms */
    FAULT_ERROR,   /* 500 */
    FAULT_BUSY,    /* 503 */
    FAULT_NO_HTTP, /* bytes that are no answer at all */
    FAULT_NO_JSON, /* an answer whose body is none; for streams, 502 */
    FAULT_CUT,     /* half a body, then a reset; for streams, a head and a reset */
    FAULT_HANG,    /* nothing, until the client leaves */
    FAULT_COUNT
};

struct faults {
    uint64_t seed; /* not 0 */
    uint64_t done[FAULT_COUNT];
    uint32_t turn;
};

/* Draws, and counts what it has drawn. */
enum fault fault_draw(struct faults *f, uint32_t permille);

/* "reset", "limit", ... */
const char *fault_name(enum fault fault);

/* What is sent for it; n is 0 where nothing is. */
const char *fault_bytes(enum fault fault, bool stream, size_t *out_n);

/* Whether the connection ends after those bytes, and whether by a reset. */
bool fault_ends(enum fault fault, bool *out_reset);
