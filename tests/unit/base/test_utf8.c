// Strict UTF-8: every code point, every bad form, at every level and every place in a block.
#include "base/utf8.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/scan_level.h"

#include "../../fuzz/json_naive.h"
#include "check.h"

static void check_valid(struct str s, bool want) {
    AUTO_FREE char *exact = mem_must(mem_alloc(s.n));
    if (s.n) memcpy(exact, s.p, s.n);
    for (int level = 0; level < SCAN_LEVEL_COUNT; level++) {
        const struct scan_ops *ops = scan_ops_at((enum scan_level)level);
        if (ops) CHECK(ops->utf8_valid(exact, s.n) == want);
    }
}

static void every_code_point_goes_round(void) {
    size_t failures = 0;
    for (uint32_t c = 0; c <= 0x110010; c++) {
        char text[UTF8_MAX_BYTES];
        uint32_t back = ~c;
        size_t n = utf8_encode(text, c);
        bool surrogate = c >= 0xd800 && c <= 0xdfff;
        size_t want = surrogate || c > 0x10ffff ? 0 : c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        failures += n != want;
        if (n) failures += utf8_decode(str_of(text, n), &back) != n || back != c || !naive_utf8_valid(text, n);
        if (n && c % 61 == 0) failures += !utf8_valid(str_of(text, n));
    }
    CHECK_INT(failures, 0);
}

static const struct str k_bad[] = {STR_INIT("\x80"),
                                   STR_INIT("\xbf"),
                                   STR_INIT("\xc0\x80"),
                                   STR_INIT("\xc1\xbf"),
                                   STR_INIT("\xc2"),
                                   STR_INIT("\xc2\x7f"),
                                   STR_INIT("\xe0\x80\x80"),
                                   STR_INIT("\xe0\x9f\xbf"),
                                   STR_INIT("\xe1\x80"),
                                   STR_INIT("\xe1\x80\x7f"),
                                   STR_INIT("\xed\xa0\x80"),
                                   STR_INIT("\xed\xbf\xbf"),
                                   STR_INIT("\xf0\x80\x80\x80"),
                                   STR_INIT("\xf0\x8f\xbf\xbf"),
                                   STR_INIT("\xf1\x80\x80"),
                                   STR_INIT("\xf4\x90\x80\x80"),
                                   STR_INIT("\xf5\x80\x80\x80"),
                                   STR_INIT("\xf8\x88\x80\x80\x80"),
                                   STR_INIT("\xfc\x84\x80\x80\x80\x80"),
                                   STR_INIT("\xfe"),
                                   STR_INIT("\xff"),
                                   STR_INIT("\xc3\xa9\xa9"),
                                   STR_INIT("\xc3\xc3\xa9")};

static void bad_forms_anywhere(void) {
    char text[200];
    for (size_t i = 0; i < ARRAY_LEN(k_bad); i++) {
        CHECK(!utf8_valid(k_bad[i]));
        for (size_t at = 0; at + k_bad[i].n <= 140; at++) {
            memset(text, 'a', sizeof text);
            memcpy(text + at, k_bad[i].p, k_bad[i].n);
            check_valid(str_of(text, at + k_bad[i].n), false);
            check_valid(str_of(text, 140), false);
        }
    }
}

static void cut_characters_are_refused_at_every_place(void) {
    static const struct str text =
        STR_INIT("a\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80\xd0\xbf\xd1\x80z\xf4\x8f\xbf\xbf\xee\x80\x80");
    BUF_AUTO struct buf b = BUF_INIT(1 << 12);
    for (int i = 0; i < 8; i++) buf_put(&b, text);
    for (size_t cut = 0; cut <= b.n; cut++) {
        struct str part = str_head(buf_str(&b), cut);
        bool whole = cut == b.n || ((unsigned char)b.p[cut] & 0xc0) != 0x80;
        check_valid(part, whole);
        size_t prefix = utf8_valid_prefix(part);
        CHECK(whole ? prefix == cut : prefix < cut && cut - prefix < UTF8_MAX_BYTES);
        struct str head = utf8_head(buf_str(&b), cut);
        CHECK(head.n <= cut && utf8_valid(head) && cut - head.n < UTF8_MAX_BYTES);
    }
    CHECK_INT(utf8_count(text), 9);
    CHECK_INT(utf8_count(STR("")), 0);
    CHECK_INT(utf8_head(STR("abc"), 10).n, 3);
}

static void random_bytes_agree_with_the_plain_checker(void) {
    uint64_t seed = 4242;
    char text[160];
    int valid = 0;
    for (int round = 0; round < 40000; round++) {
        size_t n = 0;
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        size_t want_n = (seed >> 40) % 140;
        while (n < want_n) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            uint32_t r = (uint32_t)(seed >> 33);
            n += utf8_encode(text + n, r % 4 ? r % 0x110000 : r % 0x80);
        }
        if (n && seed >> 63) text[(seed >> 20) % n] = (char)(seed >> 10);
        bool ok = naive_utf8_valid(text, n);
        valid += ok;
        check_valid(str_of(text, n), ok);
        CHECK((utf8_valid_prefix(str_of(text, n)) == n) == ok);
    }
    CHECK(valid > 10000 && valid < 39000);
}

static void decode_refuses_an_empty_slice(void) {
    uint32_t c = 7;
    CHECK_INT(utf8_decode(STR_NONE, &c), 0);
    CHECK_INT(utf8_decode(STR("\xe6\xbc"), &c), 0);
    CHECK_INT(c, 7);
    CHECK(utf8_valid(STR_NONE));
}

TEST_MAIN(every_code_point_goes_round, bad_forms_anywhere, cut_characters_are_refused_at_every_place,
          random_bytes_agree_with_the_plain_checker, decode_refuses_an_empty_slice)
