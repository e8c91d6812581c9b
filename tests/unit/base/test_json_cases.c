// The reader's verdict on a few hundred texts, at every level, at every place in a block, and cut short at every byte.
#include "base/json_read.h"
#include "base/mem.h"
#include "base/scan_level.h"

#include "../../fuzz/json_naive.h"
#include "check.h"
#include "json_cases.h"

// The text is copied to a block of exactly its size, so that a sanitizer sees one byte too far.
static bool accepts(struct str text, const struct scan_ops *ops, struct err *err) {
    AUTO_FREE char *exact = mem_must(mem_alloc(text.n));
    if (text.n) memcpy(exact, text.p, text.n);
    struct json_reader r;
    json_reader_init(&r, str_of(exact, text.n), 0);
    r.ops = ops;
    return json_end(&r, err);
}

static void check_verdict(struct str text, bool want) {
    struct err err;
    for (int level = 0; level < SCAN_LEVEL_COUNT; level++) {
        const struct scan_ops *ops = scan_ops_at((enum scan_level)level);
        if (!ops) continue;
        bool got = accepts(text, ops, &err);
        if (got != want) fprintf(stderr, "level %d, text: %.*s\n", level, STR_ARG(text));
        CHECK(got == want);
        if (!got) CHECK(err.code == ERR_INVALID_JSON && err.message[0] != '\0');
    }
}

static void good_is_accepted(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_json_good); i++) check_verdict(k_json_good[i], true);
}

static void bad_is_refused(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_json_bad); i++) check_verdict(k_json_bad[i], false);
}

// In the middle of a bigger text, shifted so that each part of it meets a block's edge.
static void embed(struct str text, bool want) {
    for (size_t shift = 0; shift < 70; shift += 1 + shift % 3) {
        BUF_AUTO struct buf b = BUF_INIT(1 << 16);
        buf_lit(&b, "{\"pad\":\"");
        for (size_t i = 0; i < shift; i++) buf_putc(&b, 'x');
        buf_lit(&b, "\",\"v\":");
        buf_put(&b, text);
        buf_lit(&b, ",\"after\":[1,2,{\"more\":\"text that goes on for a while so that the blocks are full ones\"}]}");
        check_verdict(buf_str(&b), want);
        // The same inside an array, which the container kernel sees from its first byte.
        b.p[0] = '[', b.n = 1;
        for (size_t i = 0; i < shift; i++) buf_putc(&b, ' ');
        buf_put(&b, text);
        buf_lit(&b, ",null]");
        check_verdict(buf_str(&b), want);
    }
}

static void good_is_accepted_anywhere(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_json_good); i++) embed(k_json_good[i], true);
}

static void bad_is_refused_anywhere(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_json_bad); i++) {
        // Some texts are bad only for standing alone.
        BUF_AUTO struct buf b = BUF_INIT(1 << 12);
        buf_lit(&b, "[");
        buf_put(&b, k_json_bad[i]);
        buf_lit(&b, ",null]");
        bool in_array = naive_json_valid(b.p, b.n, 128);
        if (!in_array && k_json_bad[i].n && !str_eq(k_json_bad[i], STR("1,000"))) embed(k_json_bad[i], false);
    }
}

static void every_truncation_is_refused(void) {
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(k_json_good); i++) {
        struct str text = k_json_good[i];
        for (size_t cut = 0; cut < text.n; cut++) {
            bool want = naive_json_valid(text.p, cut, 128);
            for (int level = 0; level < SCAN_LEVEL_COUNT; level++) {
                const struct scan_ops *ops = scan_ops_at((enum scan_level)level);
                if (ops) CHECK(accepts(str_head(text, cut), ops, &err) == want);
            }
            // Nothing but numbers and trailing space can be cut and stay whole.
            bool open = text.p[0] == '{' || text.p[0] == '[' || text.p[0] == '"';
            if (open && text.p[text.n - 1] != '\n') CHECK(!want);
        }
    }
}

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Good texts with a byte changed, dropped or doubled: the reader must agree with the plain checker on each.
static void mutations_agree_with_the_plain_checker(void) {
    static const char spice[] = "\"\\{}[]:,0123456789.-+eEtrufalsn \n\x01\x80\xc3\xe2\xf0\xff/bu";
    uint64_t seed = 0x5eed;
    int valid = 0, invalid = 0;
    for (int round = 0; round < 20000; round++) {
        BUF_AUTO struct buf b = BUF_INIT(1 << 16);
        buf_lit(&b, "[");
        for (int k = 0; k < 3; k++) {
            buf_put(&b, k_json_good[random_next(&seed) % ARRAY_LEN(k_json_good)]);
            buf_lit(&b, ",");
        }
        buf_lit(&b, "0]");
        for (uint64_t edits = random_next(&seed) % 3; edits; edits--)
            b.p[random_next(&seed) % b.n] = spice[random_next(&seed) % (sizeof spice - 1)];
        bool want = naive_json_valid(b.p, b.n, 128);
        valid += want;
        invalid += !want;
        check_verdict(buf_str(&b), want);
    }
    CHECK(valid > 1000 && invalid > 1000);
}

static void depth_is_capped(void) {
    struct err err;
    for (unsigned cap = 1; cap <= JSON_DEPTH_MAX; cap += cap < 4 ? 1 : 61) {
        for (unsigned depth = cap; depth <= cap + 1; depth++) {
            BUF_AUTO struct buf b = BUF_INIT(1 << 16);
            for (unsigned i = 0; i < depth; i++) buf_put(&b, i % 2 ? STR("{\"a\":") : STR("["));
            buf_lit(&b, "1");
            for (unsigned i = depth; i-- > 0;) buf_putc(&b, i % 2 ? '}' : ']');
            CHECK(json_validate(buf_str(&b), cap, &err) == (depth <= cap));
            if (depth > cap) CHECK(strstr(err.message, "nested too deep") != NULL);
        }
    }
    // A request for more than the hard limit is cut down to it; a flood of brackets costs nothing.
    BUF_AUTO struct buf b = BUF_INIT(1 << 21);
    for (unsigned i = 0; i < 1000000; i++) buf_putc(&b, '[');
    CHECK(!json_validate(buf_str(&b), 1000000, &err));
    CHECK(strstr(err.message, "byte 512 ") != NULL);
}

TEST_MAIN(good_is_accepted, bad_is_refused, good_is_accepted_anywhere, bad_is_refused_anywhere,
          every_truncation_is_refused, mutations_agree_with_the_plain_checker, depth_is_capped)
