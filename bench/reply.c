/* Reads one HTTP/1.1 answer as it arrives. */
#include "reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void reply_reset(struct reply *r) {
    free(r->head);
    memset(r, 0, offsetof(struct reply, tail));
}

bool reply_ends_done(const struct reply *r) {
    static const char DONE[] = "data: [DONE]\n\n";
    const size_t n = sizeof DONE - 1;
    return r->tail_len >= n && memcmp(r->tail + r->tail_len - n, DONE, n) == 0;
}

/* Keeps the last bytes of the body, and notices the first blank line in it. */
static void body_seen(struct reply *r, const char *p, size_t n) {
    if (n == 0) return;
    if (!r->event_seen) {
        r->event_seen = (r->last == '\n' && p[0] == '\n') || memmem(p, n, "\n\n", 2) != NULL;
    }
    r->last = p[n - 1];
    r->body_bytes += n;
    if (n >= REPLY_TAIL) {
        memcpy(r->tail, p + n - REPLY_TAIL, REPLY_TAIL);
        r->tail_len = REPLY_TAIL;
        return;
    }
    size_t keep = r->tail_len + n > REPLY_TAIL ? REPLY_TAIL - n : r->tail_len;
    memmove(r->tail, r->tail + r->tail_len - keep, keep);
    memcpy(r->tail + keep, p, n);
    r->tail_len = (uint32_t)(keep + n);
}

static void head_line(struct reply *r, const char *line, size_t n, bool *length_seen) {
    if (n > 15 && strncasecmp(line, "content-length:", 15) == 0) {
        r->left = strtoull(line + 15, NULL, 10);
        *length_seen = true;
    } else if (n > 18 && strncasecmp(line, "transfer-encoding:", 18) == 0) {
        r->chunked = memmem(line, n, "chunked", 7) != NULL;
    } else if (n > 11 && strncasecmp(line, "connection:", 11) == 0) {
        r->close = memmem(line, n, "close", 5) != NULL;
    }
}

/* Reads a whole header of n bytes, its blank line included. */
static void head_parse(struct reply *r, const char *p, size_t n) {
    const char *end = p + n;
    bool length_seen = false;
    r->state = REPLY_BROKEN;
    if (n < 16 || memcmp(p, "HTTP/1.1 ", 9) != 0) return;
    for (int i = 9; i < 12; i++) {
        if (p[i] < '0' || p[i] > '9') return;
        r->status = r->status * 10 + (uint32_t)(p[i] - '0');
    }
    for (const char *line = memchr(p, '\n', n); line != NULL && ++line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        if (next == NULL) break;
        head_line(r, line, (size_t)(next - line), &length_seen);
        line = next;
    }
    if (r->chunked == length_seen) return; /* both, or neither: an answer without a known end */
    if (r->chunked) {
        r->state = REPLY_CHUNK_SIZE;
    } else {
        r->state = r->left == 0 ? REPLY_DONE : REPLY_LENGTH;
    }
}

/* Takes header bytes; gathers them when they come in pieces. */
static size_t feed_head(struct reply *r, const char *p, size_t n) {
    if (r->head == NULL) {
        const char *blank = memmem(p, n, "\r\n\r\n", 4);
        if (blank != NULL) {
            size_t used = (size_t)(blank - p) + 4;
            head_parse(r, p, used);
            return used;
        }
        r->head = malloc(REPLY_HEAD_MAX);
        if (r->head == NULL) abort();
    }
    size_t take = n < REPLY_HEAD_MAX - r->head_len ? n : REPLY_HEAD_MAX - r->head_len;
    uint32_t before = r->head_len;
    memcpy(r->head + before, p, take);
    r->head_len += (uint32_t)take;
    const char *blank = memmem(r->head, r->head_len, "\r\n\r\n", 4);
    if (blank == NULL) {
        if (take < n || r->head_len == REPLY_HEAD_MAX) r->state = REPLY_BROKEN;
        return take;
    }
    size_t head_len = (size_t)(blank - r->head) + 4;
    head_parse(r, r->head, head_len);
    free(r->head);
    r->head = NULL;
    return head_len - before;
}

static void chunk_size_byte(struct reply *r, char byte) {
    if (byte == '\n') {
        if (!r->digit_seen) {
            r->state = REPLY_BROKEN;
            return;
        }
        r->state = r->left == 0 ? REPLY_TRAILER : REPLY_CHUNK_DATA;
        r->line_empty = true;
        return;
    }
    if (r->extension) return;
    uint64_t digit;
    if (byte >= '0' && byte <= '9') {
        digit = (uint64_t)(byte - '0');
    } else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f') {
        digit = (uint64_t)((byte | 0x20) - 'a') + 10;
    } else {
        r->extension = true;
        return;
    }
    r->digit_seen = true;
    r->left = r->left << 4 | digit;
    if (r->left > 1ULL << 40) r->state = REPLY_BROKEN;
}

static size_t feed_data(struct reply *r, const char *p, size_t n) {
    size_t take = n < r->left ? n : (size_t)r->left;
    body_seen(r, p, take);
    r->left -= take;
    if (r->left == 0) r->state = r->state == REPLY_LENGTH ? REPLY_DONE : REPLY_CHUNK_END;
    return take;
}

/* The line end after a chunk, and the lines after the last one. */
static void feed_line_byte(struct reply *r, char byte) {
    if (r->state == REPLY_CHUNK_END) {
        if (byte == '\n') {
            r->state = REPLY_CHUNK_SIZE;
            r->digit_seen = r->extension = false;
        } else if (byte != '\r') {
            r->state = REPLY_BROKEN;
        }
        return;
    }
    if (byte == '\n') {
        if (r->line_empty) r->state = REPLY_DONE;
        r->line_empty = true;
    } else if (byte != '\r') {
        r->line_empty = false;
    }
}

size_t reply_feed(struct reply *r, const char *p, size_t n) {
    size_t used = 0;
    while (used < n && r->state != REPLY_DONE && r->state != REPLY_BROKEN) {
        switch (r->state) {
        case REPLY_HEAD:
            used += feed_head(r, p + used, n - used);
            break;
        case REPLY_LENGTH:
        case REPLY_CHUNK_DATA:
            used += feed_data(r, p + used, n - used);
            break;
        case REPLY_CHUNK_SIZE:
            chunk_size_byte(r, p[used++]);
            break;
        case REPLY_CHUNK_END:
        case REPLY_TRAILER:
            feed_line_byte(r, p[used++]);
            break;
        case REPLY_DONE:
        case REPLY_BROKEN:
            break;
        }
    }
    return used;
}
