// Hashing: CRC-32C check values, and that the table hash depends on every bit, the length and the seed.
#include "base/hash.h"

#include "check.h"

static void crc_check_values(void) {
    unsigned char bytes[32];
    CHECK_INT(crc32c(0, "123456789", 9), 0xE3069283);
    CHECK_INT(crc32c(0, "", 0), 0);
    memset(bytes, 0, sizeof bytes);
    CHECK_INT(crc32c(0, bytes, sizeof bytes), 0x8A9136AA); // RFC 3720, appendix B.4
    memset(bytes, 0xff, sizeof bytes);
    CHECK_INT(crc32c(0, bytes, sizeof bytes), 0x62A8AB43);
    for (unsigned i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
    CHECK_INT(crc32c(0, bytes, sizeof bytes), 0x46DD794E);
    for (unsigned i = 0; i < 32; i++) bytes[i] = (unsigned char)(31 - i);
    CHECK_INT(crc32c(0, bytes, sizeof bytes), 0x113FDB5C);
}

// The definition, bit by bit.
static uint32_t plain_crc(const unsigned char *p, size_t n) {
    uint32_t crc = ~0u;
    while (n--) {
        crc ^= *p++;
        for (int k = 0; k < 8; k++) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    }
    return ~crc;
}

static void crc_in_pieces(void) {
    unsigned char bytes[100];
    for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 37 + 11);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        uint32_t want = plain_crc(bytes, n);
        CHECK_INT(crc32c(0, bytes, n), want);
        for (size_t cut = 0; cut <= n; cut += 7) CHECK_INT(crc32c(crc32c(0, bytes, cut), bytes + cut, n - cut), want);
    }
}

static void hash_depends_on_everything(void) {
    char text[100];
    memset(text, 'a', sizeof text);
    for (size_t n = 0; n <= sizeof text; n++) {
        struct str s = str_of(text, n);
        uint64_t h = hash_bytes(s, 1);
        CHECK(h == hash_bytes(s, 1));
        CHECK(h != hash_bytes(s, 2));
        if (n) CHECK(h != hash_bytes(str_head(s, n - 1), 1));
        for (size_t i = 0; i < n; i++) {
            text[i] ^= 1;
            CHECK(h != hash_bytes(s, 1));
            text[i] ^= 1;
        }
    }
    CHECK(hash_bytes(STR("\0"), 1) != hash_bytes(STR("\0\0"), 1));
}

// Sequential keys fill the low bits evenly: no bucket of 256 holds more than a few times its share.
static void hash_spreads(void) {
    unsigned buckets[256] = {0}, most = 0;
    for (int i = 0; i < 25600; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "key-%d", i);
        unsigned *b = &buckets[hash_bytes(str_of(key, (size_t)n), 42) & 255];
        ++*b;
        most = MAX(*b, most);
    }
    CHECK(most < 200);
}

TEST_MAIN(crc_check_values, crc_in_pieces, hash_depends_on_everything, hash_spreads)
