/* The answers that the mock upstream gives, built once for each model name and then only read.
 *
 * Ownership: an answer belongs to its book and lives until the process ends, so a connection may
 * point into it for as long as it likes. Threads: one. Units: milliseconds, bytes, events.
 * Errors: an unknown model name gives NULL; the caller answers 404. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_WRITES_MAX = 512, ANSWER_EVENTS_MAX = 20000, ANSWER_BOOK_MAX = 64 };

enum answer_kind {
    ANSWER_PLAIN,  /* plain-SIZE or plain-SIZEk: one JSON body of about that size */
    ANSWER_STREAM, /* stream-EVENTS: server-sent events, at once */
    ANSWER_SLOW,   /* slow-EVENTS-MS: one event each MS milliseconds, the first after MS */
    ANSWER_LATE,   /* lat-MS: the 1 KB JSON body after MS milliseconds */
};

struct bytes {
    char *p;
    size_t n;
};

struct answer_script {
    enum answer_kind kind;
    uint32_t size; /* body bytes for PLAIN, else events */
    uint32_t delay_ms;
    bool usage;     /* streams only: with the closing usage chunk */
    bool anthropic; /* a-stream-EVENTS: the same stream in Anthropic's dialect */
};

struct answer {
    struct answer_script script;

    /* PLAIN, LATE and STREAM: the whole answer, and the offsets where each write ends. */
    struct bytes whole;
    size_t cut[ANSWER_WRITES_MAX];
    uint32_t cuts;

    /* SLOW: the header, sent at once; one event; the end of the stream. */
    struct bytes head, event, tail;
};

struct answer_book {
    struct answer *answers[ANSWER_BOOK_MAX];
    uint32_t count;
    uint32_t writes; /* how many writes a fast stream is cut into; 0 means one an event */
};

/* The answer for a model name of n bytes. with_usage matters only for streams. */
const struct answer *answer_find(struct answer_book *book, const char *model, size_t n, bool with_usage);
