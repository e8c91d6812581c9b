// Fuzzes Bedrock's binary stream: the events of a text are framed as Amazon frames them, damaged where the text says
// so, and translated whole and in pieces: both give the same, or both are refused.
//
// First byte: the client's dialect; second: the size of the pieces. Then lines: "event-type payload", and with '!'
// before it an exception's; a line that begins with '#' damages the frame before it.
#include "model/translate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_EVENT 20000

static uint32_t crc32_of(const char *p, size_t n) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)p[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xedb88320u & (0 - (crc & 1)));
    }
    return ~crc;
}

static void put_u32(struct buf *out, uint32_t v) {
    for (int shift = 24; shift >= 0; shift -= 8) buf_putc(out, (char)(v >> shift));
}

static void put_header(struct buf *out, struct str name, struct str value) {
    buf_putc(out, (char)name.n);
    buf_put(out, name);
    buf_putc(out, 7);
    buf_putc(out, (char)(value.n >> 8));
    buf_putc(out, (char)value.n);
    buf_put(out, value);
}

static void put_frame(struct buf *out, bool exception, struct str type, struct str payload) {
    BUF_AUTO struct buf headers = BUF_INIT(1 << 20);
    put_header(&headers, exception ? STR(":exception-type") : STR(":event-type"), str_head(type, 1000));
    put_header(&headers, STR(":message-type"), exception ? STR("exception") : STR("event"));
    size_t at = out->n;
    put_u32(out, (uint32_t)(16 + headers.n + payload.n));
    put_u32(out, (uint32_t)headers.n);
    put_u32(out, crc32_of(out->p + at, 8));
    buf_put(out, buf_str(&headers));
    buf_put(out, payload);
    put_u32(out, crc32_of(out->p + at, out->n - at));
}

static void frame_lines(struct str text, struct buf *out) {
    struct str line;
    while (str_split(&text, '\n', &line)) {
        if (line.n && line.p[0] == '#') {
            if (out->n) out->p[out->n - 1 - line.n % MIN(out->n, (size_t)40)] ^= 1;
            continue;
        }
        bool exception = line.n && line.p[0] == '!';
        if (exception) line = str_from(line, 1);
        size_t space = str_find_char(line, ' ');
        if (line.n) put_frame(out, exception, str_head(line, space), str_from(line, space + 1));
    }
}

static bool translate(struct str frames, const struct dialect_ops *to, size_t step, struct buf *out) {
    struct arena arena;
    struct translator t;
    struct err err;
    struct model_request request = {.body = STR_INIT("{}"), .stream = true, .dialect = to->dialect};
    struct chat chat = {.stream = true};
    bool ok = true;
    arena_init(&arena, NULL, 0, (size_t)64 << 20);
    struct chat_reply reply = {.id = STR("0000g00000000"),
                               .model = STR("m"),
                               .created = 1700000000,
                               .request = &request,
                               .chat = &chat,
                               .arena = &arena};
    INVARIANT(translator_init(&t, dialect_get(DIALECT_BEDROCK), to, &reply, MAX_EVENT, &arena, &err));
    for (bool last = false; ok && !last;) {
        struct str piece = str_head(frames, step);
        frames = str_from(frames, piece.n);
        last = frames.n == 0;
        ok = translator_feed(&t, piece, last, &err);
    }
    buf_put(out, buf_str(&t.out));
    translator_free(&t);
    arena_free(&arena);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    BUF_AUTO struct buf frames = BUF_INIT((size_t)64 << 20), a = BUF_INIT((size_t)64 << 20),
                        b = BUF_INIT((size_t)64 << 20);
    const struct dialect_ops *to = dialect_get((enum dialect)(data[0] % DIALECT_COUNT));
    if (!to->encoder_init) return 0;
    frame_lines(str_of((const char *)data + 2, size - 2), &frames);
    if (frames.failed) return 0;
    bool once = translate(buf_str(&frames), to, SIZE_MAX, &a);
    bool pieces = translate(buf_str(&frames), to, 1 + data[1] % 64u, &b);
    INVARIANT(once == pieces);
    if (once) INVARIANT(str_eq(buf_str(&a), buf_str(&b)));
    return 0;
}
