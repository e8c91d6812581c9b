// Walks a PNG's chunks: sizes, order, checksums; keeps what is the picture.
#include "govern/png.h"

static const struct str k_signature = STR_INIT("\x89PNG\r\n\x1a\n");

bool png_looks_like(struct str bytes) { return str_starts(bytes, k_signature); }

static uint32_t u32(const char *p) {
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

// CRC-32 of ISO 3309, as PNG has it.
static uint32_t crc_of(struct str bytes) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < bytes.n; i++) {
        crc ^= (unsigned char)bytes.p[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
    }
    return ~crc;
}

static bool wrong(struct err *err, const char *why) {
    return err_set(err, ERR_INVALID_FIELD, "the PNG is refused: %s", why);
}

static bool check_head(struct str data, struct err *err) {
    if (data.n != 13) return wrong(err, "its head is damaged");
    uint32_t width = u32(data.p), height = u32(data.p + 4);
    if (!width || !height || width > PNG_SIDE_MAX || height > PNG_SIDE_MAX)
        return wrong(err, "it must be 1 to 2048 pixels wide and high");
    return true;
}

static bool is_kept(struct str type) {
    static const struct str kept[] = {STR_INIT("IHDR"), STR_INIT("PLTE"), STR_INIT("tRNS"), STR_INIT("IDAT"),
                                      STR_INIT("IEND"), STR_INIT("gAMA"), STR_INIT("sRGB")};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (str_eq(type, kept[i])) return true;
    return false;
}

bool png_sanitise(struct str bytes, struct buf *out, struct err *err) {
    if (bytes.n > PNG_MAX) return wrong(err, "it has more than 256 KiB");
    if (!png_looks_like(bytes)) return wrong(err, "it is none");
    struct str rest = str_from(bytes, k_signature.n);
    bool first = true, end = false, data = false;
    buf_put(out, k_signature);
    while (!end) {
        if (rest.n < 12 || u32(rest.p) > rest.n - 12) return wrong(err, "it is cut off");
        size_t n = u32(rest.p);
        struct str type = str_of(rest.p + 4, 4), chunk = str_of(rest.p + 8, n);
        if (crc_of(str_of(rest.p + 4, n + 4)) != u32(rest.p + 8 + n)) return wrong(err, "a checksum is wrong");
        if (first != str_eq(type, STR("IHDR"))) return wrong(err, "its pieces are in the wrong order");
        if (first && !check_head(chunk, err)) return false;
        // Pieces that a reader must understand begin with a capital letter.
        if (!is_kept(type) && type.p[0] >= 'A' && type.p[0] <= 'Z')
            return wrong(err, "it has a piece that nobody knows");
        data |= str_eq(type, STR("IDAT"));
        end = str_eq(type, STR("IEND"));
        if (is_kept(type)) buf_put(out, str_head(rest, n + 12));
        rest = str_from(rest, n + 12);
        first = false;
    }
    if (!data) return wrong(err, "it has no picture in it");
    return !out->failed || err_no_memory(err);
}
