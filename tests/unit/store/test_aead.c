// Tests of store/aead.h: published vectors, every bit of damage, no memory.
#include "check.h"

#include "base/mem.h"
#include "base/text.h"
#include "store/aead.h"

#include <stdlib.h>

static struct err err;

struct bytes {
    char p[1200];
    size_t n;
};

static struct bytes hex(struct str text) {
    struct bytes b = {.n = 0};
    if (str_eq(text, STR("-"))) return b;
    REQUIRE(text.n % 2 == 0 && text.n / 2 <= sizeof b.p);
    for (; b.n < text.n / 2; b.n++) {
        char two[3] = {text.p[2 * b.n], text.p[2 * b.n + 1], '\0'};
        b.p[b.n] = (char)strtoul(two, NULL, 16);
    }
    return b;
}
static struct str str_bytes(const struct bytes *b) { return str_of(b->p, b->n); }
static const unsigned char *raw(const struct bytes *b) { return (const unsigned char *)b->p; }

static void check_vector(struct str line) {
    struct str part[8];
    for (size_t i = 0; i < 8; i++) REQUIRE(str_split(&line, ' ', &part[i]));
    struct bytes key = hex(part[2]), nonce = hex(part[3]), ad = hex(part[4]), text = hex(part[5]);
    BUF_AUTO struct buf sealed = BUF_INIT(4096), wanted = BUF_INIT(4096), opened = BUF_INIT(4096);
    struct bytes cipher = hex(part[6]), tag = hex(part[7]);
    REQUIRE(key.n == AEAD_KEY_SIZE && nonce.n == AEAD_NONCE_SIZE && tag.n == AEAD_TAG_SIZE);
    buf_put(&wanted, str_bytes(&cipher));
    buf_put(&wanted, str_bytes(&tag));
    bool valid = str_eq(part[1], STR("v"));
    bool opens = aead_open(raw(&key), raw(&nonce), str_bytes(&ad), buf_str(&wanted), &opened, &err);
    CHECK(opens == valid);
    if (!opens) CHECK_INT(err.code, ERR_STORE);
    CHECK_STR(buf_str(&opened), valid ? str_bytes(&text) : STR(""));
    CHECK(aead_seal(raw(&key), raw(&nonce), str_bytes(&ad), str_bytes(&text), &sealed, &err));
    CHECK(str_eq(buf_str(&sealed), buf_str(&wanted)) == valid);
}

// D. McGrew, J. Viega: The Galois/Counter Mode of Operation, test cases 13 to 16.
static void test_gcm_paper(void) {
#define K "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define ZEROS "00000000000000000000000000000000"
#define P                                                                                                              \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657" \
    "ba637b39"
#define C                                                                                                              \
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a" \
    "bcc9f662"
    check_vector(STR("13 v " ZEROS ZEROS " 000000000000000000000000 - - - 530f8afbc74536b9a963b4f1c4cb738b"));
    check_vector(STR("14 v " ZEROS ZEROS " 000000000000000000000000 - " ZEROS
                     " cea7403d4d606b6e074ec5d3baf39d18 d0d1c8a799996bf0265b98b5d48ab919"));
    check_vector(
        STR("15 v " K " cafebabefacedbaddecaf888 - " P "1aafd255 " C "898015ad b094dac5d93471bdec1a502270e3cc6c"));
    check_vector(STR("16 v " K " cafebabefacedbaddecaf888 feedfacedeadbeeffeedfacedeadbeefabaddad2 " P " " C
                     " 76fc6ece0f4e1768cddf8853bb2d551b"));
}

static void test_wycheproof(void) {
    char line[4096];
    int n = 0;
    FILE *f = fopen("tests/unit/store/vectors/aes_256_gcm.txt", "r");
    REQUIRE(f);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#') continue;
        check_vector(str_trim(str_c(line)));
        n++;
    }
    fclose(f);
    CHECK_INT(n, 66);
}

static void test_damage(void) {
    static const unsigned char key[AEAD_KEY_SIZE] = {1}, nonce[AEAD_NONCE_SIZE] = {2};
    unsigned char other_key[AEAD_KEY_SIZE] = {1, 1}, other_nonce[AEAD_NONCE_SIZE] = {2, 1};
    BUF_AUTO struct buf sealed = BUF_INIT(1000), out = BUF_INIT(1000), full = BUF_INIT(4);
    buf_lit(&sealed, "head");
    REQUIRE(aead_seal(key, nonce, STR("ad"), STR("hello, world"), &sealed, &err));
    struct str bytes = str_from(buf_str(&sealed), 4);
    CHECK_INT(bytes.n, 12 + AEAD_TAG_SIZE);
    buf_lit(&out, "kept");
    for (size_t i = 0; i < bytes.n * 8; i++) {
        sealed.p[4 + i / 8] = (char)(sealed.p[4 + i / 8] ^ (1 << (i % 8)));
        CHECK(!aead_open(key, nonce, STR("ad"), bytes, &out, &err));
        sealed.p[4 + i / 8] = (char)(sealed.p[4 + i / 8] ^ (1 << (i % 8)));
    }
    for (size_t n = 0; n < bytes.n; n++) CHECK(!aead_open(key, nonce, STR("ad"), str_head(bytes, n), &out, &err));
    CHECK(!aead_open(other_key, nonce, STR("ad"), bytes, &out, &err));
    CHECK(!aead_open(key, other_nonce, STR("ad"), bytes, &out, &err));
    CHECK(!aead_open(key, nonce, STR("a"), bytes, &out, &err));
    CHECK(!aead_open(key, nonce, STR_NONE, bytes, &out, &err));
    CHECK_STR(buf_str(&out), STR("kept"));
    CHECK(!memmem(out.p, out.cap, "hello", 5)); // nothing of it is left in the memory either
    CHECK(aead_open(key, nonce, STR("ad"), bytes, &out, &err));
    CHECK_STR(buf_str(&out), STR("kepthello, world"));
    CHECK(!aead_open(key, nonce, STR("ad"), bytes, &full, &err) && err.code == ERR_NO_MEMORY && !full.failed);
    CHECK(!aead_seal(key, nonce, STR("ad"), bytes, &full, &err) && err.code == ERR_NO_MEMORY && !full.failed);
}

TEST_MAIN(test_gcm_paper, test_wycheproof, test_damage)
