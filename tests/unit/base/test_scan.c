// The byte scanners at every level against plain loops, over random bytes at every alignment and length.
#include "base/scan.h"

#include "base/mem.h"
#include "base/scan_level.h"

#include "check.h"

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static bool stops_string(unsigned char c) { return c == '"' || c == '\\' || c < 0x20 || c >= 0x80; }
static bool needs_escape(unsigned char c) { return c == '"' || c == '\\' || c < 0x20; }
static bool is_no_space(unsigned char c) { return c != ' ' && c != '\t' && c != '\n' && c != '\r'; }
static bool is_digit_or_at(unsigned char c) { return (c >= 0x30 && c <= 0x39) || c == 0x40; }

static size_t plain_first(struct str s, bool (*wanted)(unsigned char)) {
    for (size_t i = 0; i < s.n; i++)
        if (wanted((unsigned char)s.p[i])) return i;
    return s.n;
}

static size_t plain_find(struct str hay, struct str needle) {
    for (size_t i = 0; i + needle.n <= hay.n; i++)
        if (needle.n == 0 || memcmp(hay.p + i, needle.p, needle.n) == 0) return i;
    return hay.n;
}

static void check_levels(struct str s, struct str needle) {
    for (int level = 0; level < SCAN_LEVEL_COUNT; level++) {
        const struct scan_ops *ops = scan_ops_at((enum scan_level)level);
        if (!ops) continue;
        CHECK_INT(ops->string_stop(s.p, s.n), plain_first(s, stops_string));
        CHECK_INT(ops->json_escape(s.p, s.n), plain_first(s, needs_escape));
        CHECK_INT(ops->space(s.p, s.n), plain_first(s, is_no_space));
        CHECK_INT(ops->digit_or_at(s.p, s.n), plain_first(s, is_digit_or_at));
        CHECK_INT(ops->find(s, needle), plain_find(s, needle));
    }
}

static void levels_agree_on_random_bytes(void) {
    static const struct str alphabets[] = {STR_INIT("abcdefgh ijklmnopq"), STR_INIT(" \t\r\n"), STR_INIT("ab"),
                                           STR_INIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\"\\\x80\x1f\x7f")};
    uint64_t seed = 77;
    for (int round = 0; round < 4000; round++) {
        size_t n = random_next(&seed) % 300;
        // Exactly n bytes, so that a sanitizer sees one too far.
        AUTO_FREE char *p = mem_must(mem_alloc(n));
        struct str alphabet = alphabets[random_next(&seed) % ARRAY_LEN(alphabets)];
        bool any = random_next(&seed) % 5 == 0;
        for (size_t i = 0; i < n; i++) {
            uint64_t r = random_next(&seed);
            p[i] = any ? (char)r : alphabet.p[r % alphabet.n];
        }
        char needle[12];
        size_t m = random_next(&seed) % sizeof needle;
        for (size_t i = 0; i < m; i++) needle[i] = alphabet.p[random_next(&seed) % alphabet.n];
        if (n >= m && random_next(&seed) % 2) memcpy(needle, p + random_next(&seed) % (n - m + 1), m);
        check_levels(str_of(p, n), str_of(needle, m));
    }
}

static void every_byte_at_every_place(void) {
    char text[200];
    for (unsigned c = 0; c < 256; c++) {
        memset(text, 'x', sizeof text);
        size_t at = (c * 7) % sizeof text;
        text[at] = (char)c;
        struct str s = str_of(text, sizeof text);
        CHECK_INT(scan_string_stop(s), stops_string((unsigned char)c) ? at : sizeof text);
        CHECK_INT(scan_json_escape(s), needs_escape((unsigned char)c) ? at : sizeof text);
        memset(text, ' ', sizeof text);
        text[at] = (char)c;
        CHECK_INT(scan_space(s), is_no_space((unsigned char)c) ? at : sizeof text);
    }
}

static void finds_substrings(void) {
    CHECK_INT(scan_find(STR("data: [DONE]"), STR("[DONE]")), 6);
    CHECK_INT(scan_find(STR("abc"), STR("")), 0);
    CHECK_INT(scan_find(STR("abc"), STR("abcd")), 3);
    CHECK_INT(scan_find(STR("abc"), STR("abc")), 0);
    CHECK_INT(scan_find(STR_NONE, STR("a")), 0);
    CHECK_INT(scan_find(STR("aaab"), STR("aab")), 1);
    CHECK_INT(scan_find(STR("aaa"), STR("b")), 3);
}

static void finds_the_last_blank_line(void) {
    CHECK_INT(scan_last_blank_line(STR("")), 0);
    CHECK_INT(scan_last_blank_line(STR("\n")), 0);
    CHECK_INT(scan_last_blank_line(STR("data: a\n")), 0);
    CHECK_INT(scan_last_blank_line(STR("data: a\n\n")), 9);
    CHECK_INT(scan_last_blank_line(STR("data: a\n\ndata: b\n\ndata: c")), 18);
    CHECK_INT(scan_last_blank_line(STR("data: a\r\n\r\ndata: b")), 11);
    CHECK_INT(scan_last_blank_line(STR("data: a\r\ndata: b\r\n")), 0);
    CHECK_INT(scan_last_blank_line(STR("\n\n")), 2);
    CHECK_INT(scan_last_blank_line(STR("\r\n\r\n")), 4);
    CHECK_INT(scan_last_blank_line(STR("\r\n")), 0);
    CHECK_INT(scan_last_blank_line(STR("a\n\nb\nc\nd\ne")), 3);
    CHECK_INT(scan_last_blank_line(STR("a\n\n\nb")), 4);
    CHECK_INT(scan_last_blank_line(STR_NONE), 0);
}

TEST_MAIN(levels_agree_on_random_bytes, every_byte_at_every_place, finds_substrings, finds_the_last_blank_line)
