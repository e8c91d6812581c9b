// The chunked transfer coding, decoded piece by piece (RFC 9112, 7.1).
#include "net/http1_parse.h"

#define LINE_MAX_BYTES 4096 // of a size line with its extensions, or of all trailers

enum {
    SIZE_FIRST,
    SIZE,
    SIZE_SPACE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER,
    TRAILER_LF,
    END_LF
};

void http1_chunked_init(struct http1_chunked *c) { *c = (struct http1_chunked){.state = SIZE_FIRST}; }

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool after_size(struct http1_chunked *c, char b) {
    bool space = b == ' ' || b == '\t';
    c->state = b == '\r' ? SIZE_LF : space ? SIZE_SPACE : EXTENSION;
    return b == '\r' || b == ';' || space;
}

static bool size_byte(struct http1_chunked *c, char b) {
    int v = hex_value(b);
    if (v >= 0) {
        if (c->left >> 59) return false;
        c->left = c->left << 4 | (uint64_t)v;
        c->state = SIZE;
        return true;
    }
    return c->state != SIZE_FIRST && after_size(c, b);
}

// A byte of the framing; false when it has no business there.
static bool framing_byte(struct http1_chunked *c, char b) {
    switch (c->state) {
    case SIZE_FIRST:
    case SIZE:
        return size_byte(c, b);
    case SIZE_SPACE:
        return after_size(c, b);
    case EXTENSION:
        if (b == '\r') c->state = SIZE_LF;
        return b == '\r' || b == '\t' || (unsigned char)b >= 0x20;
    case SIZE_LF:
        c->state = c->left ? DATA : TRAILER_START;
        c->line_bytes = 0;
        return b == '\n';
    case DATA_CR:
        c->state = DATA_LF;
        return b == '\r';
    case DATA_LF:
        c->state = SIZE_FIRST;
        c->line_bytes = 0;
        return b == '\n';
    case TRAILER_START:
        c->state = b == '\r' ? END_LF : TRAILER;
        return b != '\n';
    case TRAILER:
        if (b == '\r') c->state = TRAILER_LF;
        return b != '\n';
    case TRAILER_LF:
        c->state = TRAILER_START;
        return b == '\n';
    default:
        return false;
    }
}

enum http1_result http1_chunked_next(struct http1_chunked *c, struct str *in, struct str *out_data) {
    *out_data = STR_NONE;
    while (in->n) {
        if (c->state == DATA) {
            *out_data = str_head(*in, c->left < in->n ? (size_t)c->left : in->n);
            *in = str_from(*in, out_data->n);
            c->left -= out_data->n;
            if (c->left == 0) c->state = DATA_CR;
            return HTTP1_MORE;
        }
        char b = in->p[0];
        *in = str_from(*in, 1);
        if (c->state == END_LF) return b == '\n' ? HTTP1_DONE : HTTP1_BAD;
        if (++c->line_bytes > LINE_MAX_BYTES || !framing_byte(c, b)) return HTTP1_BAD;
    }
    return HTTP1_MORE;
}
