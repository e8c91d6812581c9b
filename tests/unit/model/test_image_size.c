// Sizes of pictures by the head of their files, and of what is cut off, wrong or something else.
#include "base/buf.h"
#include "base/text.h"
#include "check.h"
#include "model/image_size.h"

#define FILE_OF(bytes) str_of(bytes, sizeof(bytes) - 1)

static const struct {
    const char *bytes;
    size_t n;
    uint32_t width, height; // 0: none
} k_files[] = {
#define ROW(bytes, w, h)                                                                                               \
    { bytes, sizeof(bytes) - 1, w, h }
    ROW("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x2c\0\0\0\xc8", 300, 200),
    ROW("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\0\x01\x2c\0\0\0\xc8", 0, 0),
    ROW("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\xc8", 0, 0),
    ROW("GIF89a\x2c\x01\xc8\0\x80", 300, 200),
    ROW("\xff\xd8\xff\xe0\0\x04JF\xff\xff\xff\xdb\0\x03\0\xff\xc0\0\x11\x08\0\xc8\x01\x2c\x03", 300, 200),
    ROW("\xff\xd8\xff\xc2\0\x11\x08\0\xc8\x01\x2c\x03", 300, 200),
    ROW("\xff\xd8\xff\xe0\0\x01\xff\xc0\0\x11\x08\0\xc8\x01\x2c\x03", 0, 0), // a segment shorter than its length
    ROW("\xff\xd8\xff\xda\0\x02\xff\xc0\0\x11\x08\0\xc8\x01\x2c\x03", 0, 0), // the picture before its frame
    ROW("\xff\xd8\x12\x34", 0, 0),
    ROW("RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x2c\x01\xc8\0", 300, 200),
    ROW("RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x2b\xc1\x31\0", 300, 200),
    ROW("RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x2b\x01\0\xc7\0\0", 300, 200),
    ROW("RIFF\0\0\0\0WEBPVP9 \0\0\0\0\0\0\0\0\x2b\x01\0\xc7\0\0", 0, 0),
    ROW("BM\0\0\0\0\0\0\0\0", 0, 0),
    ROW("", 0, 0),
};

static void sizes(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_files); i++) {
        struct buf b = BUF_INIT(4096);
        struct image_size size = {7, 7};
        base64_put(&b, str_of(k_files[i].bytes, k_files[i].n));
        bool ok = image_size_of(buf_str(&b), &size);
        if (ok != (k_files[i].width != 0)) fprintf(stderr, "file %zu\n", i);
        CHECK(ok == (k_files[i].width != 0));
        CHECK_INT(size.width, ok ? k_files[i].width : 7);
        CHECK_INT(size.height, ok ? k_files[i].height : 7);
        for (size_t n = 0; n < b.n; n++) CHECK(!image_size_of(str_of(b.p, n), &size) || size.width); // cut off anywhere
        buf_free(&b);
    }
    struct image_size size;
    CHECK(!image_size_of(STR("UklGRgAAAABXRUJQVlA4IAAAAAAA"), &size)); // a WebP that ends before its sides
    CHECK(!image_size_of(STR("!!!!"), &size));
    CHECK(!image_size_of(STR("/9j/////////////"), &size)); // fill without end
}

TEST_MAIN(sizes)
