// The JSON writer: commas, escapes, numbers, misuse; and random documents written, read back and compared.
#include "base/json_write.h"

#include "base/json_read.h"
#include "base/utf8.h"

#include "../../fuzz/json_naive.h"
#include "check.h"

#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

static void writes_a_document(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_put_object(&w);
    json_put_member_str(&w, STR("id"), STR("a\"b"));
    json_put_member_i64(&w, STR("min"), INT64_MIN);
    json_put_member_u64(&w, STR("max"), UINT64_MAX);
    json_put_member_bool(&w, STR("yes"), true);
    json_put_member_bool(&w, STR("no"), false);
    json_put_member_null(&w, STR("none"));
    json_put_member_double(&w, STR("d"), 0.25);
    json_put_member_raw(&w, STR("raw"), STR("[1, 2]"));
    json_put_member_array(&w, STR("list"));
    json_put_object(&w);
    json_put_object_end(&w);
    json_put_array(&w);
    json_put_array_end(&w);
    json_put_i64(&w, -1);
    json_put_str(&w, STR(""));
    json_put_array_end(&w);
    json_put_member_object(&w, STR("o"));
    json_put_key(&w, STR("k\n"));
    json_put_u64(&w, 1);
    json_put_object_end(&w);
    json_put_object_end(&w);
    json_writer_done(&w);
    CHECK(!out.failed);
    CHECK_STR(
        buf_str(&out),
        STR("{\"id\":\"a\\\"b\",\"min\":-9223372036854775808,\"max\":18446744073709551615,\"yes\":true,\"no\":false,"
            "\"none\":null,\"d\":0.25,\"raw\":[1, 2],\"list\":[{},[],-1,\"\"],\"o\":{\"k\\n\":1}}"));
}

static void numbers_as_decimals(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 12);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_put_object(&w);
    json_put_member_fixed(&w, STR("a"), 1234567, 3);
    json_put_member_fixed(&w, STR("b"), -5, 2);
    json_put_member_fixed(&w, STR("c"), INT64_MIN, 9);
    json_put_member_fixed(&w, STR("d"), 0, 1);
    json_put_member_fixed(&w, STR("e"), 1, 18);
    json_put_member_text(&w, STR("f"), STR("x"));
    json_put_member_text(&w, STR("g"), STR(""));
    json_put_object_end(&w);
    CHECK_STR(buf_str(&out), STR("{\"a\":1234.567,\"b\":-0.05,\"c\":-9223372036.854775808,\"d\":0.0,"
                                 "\"e\":0.000000000000000001,\"f\":\"x\",\"g\":null}"));
}

static void check_escape(struct str text, struct str want) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 12);
    json_escape_put(&out, text);
    CHECK_STR(buf_str(&out), want);
}

static void escapes(void) {
    check_escape(STR(""), STR(""));
    check_escape(STR("plain / text"), STR("plain / text"));
    check_escape(STR("\"\\\b\f\n\r\t"), STR("\\\"\\\\\\b\\f\\n\\r\\t"));
    check_escape(STR("\0\x01\x1f\x7f"), STR("\\u0000\\u0001\\u001f\x7f"));
    check_escape(STR("\xc3\xa9\xf0\x9f\x98\x80"), STR("\xc3\xa9\xf0\x9f\x98\x80"));
    check_escape(STR("a\xff"
                     "b\n\xc3"),
                 STR("a\xef\xbf\xbd"
                     "b\\n\xef\xbf\xbd"));
    check_escape(STR("\xed\xa0\x80"), STR("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
}

static void check_double(double v, struct str want) {
    BUF_AUTO struct buf out = BUF_INIT(100);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_put_double(&w, v);
    json_writer_done(&w);
    CHECK_STR(buf_str(&out), want);
}

static void doubles(void) {
    check_double(0, STR("0"));
    check_double(-0.0, STR("-0"));
    check_double(0.1, STR("0.1"));
    check_double(1.0 / 3, STR("0.3333333333333333"));
    check_double(0.1 + 0.2, STR("0.30000000000000004"));
    check_double(1e21, STR("1e+21"));
    check_double(5e-324, STR("4.94065645841247e-324"));
    check_double(1.7976931348623157e308, STR("1.7976931348623157e+308"));
    check_double((double)NAN, STR("null"));
    check_double((double)INFINITY, STR("null"));
    check_double(-(double)INFINITY, STR("null"));
}

static void random_doubles_read_back(void) {
    uint64_t seed = 99;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        uint64_t bits = seed ^ seed >> 31;
        double v, back;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v)) continue;
        BUF_AUTO struct buf out = BUF_INIT(100);
        struct json_writer w;
        json_writer_init(&w, &out);
        json_put_double(&w, v);
        CHECK(json_raw_double(buf_str(&out), &back) && memcmp(&v, &back, sizeof v) == 0);
    }
}

static void a_full_buf_fails_quietly(void) {
    BUF_AUTO struct buf out = BUF_INIT(5);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_put_array(&w);
    json_put_str(&w, STR("longer than that"));
    json_put_array_end(&w);
    json_writer_done(&w);
    CHECK(out.failed);
}

enum misuse {
    VALUE_WITHOUT_KEY,
    KEY_IN_ARRAY,
    TWO_KEYS,
    WRONG_END,
    END_TOO_MANY,
    END_AFTER_KEY,
    TWO_TOPS,
    NOT_CLOSED,
    NOTHING_WRITTEN,
    TOO_DEEP,
    MISUSE_COUNT
};

static void commit(enum misuse which) {
    struct buf out = BUF_INIT(1 << 12);
    struct json_writer w;
    json_writer_init(&w, &out);
    if (which == END_TOO_MANY) json_put_array_end(&w);
    if (which == NOTHING_WRITTEN) json_writer_done(&w);
    if (which == TWO_TOPS) json_put_null(&w), json_put_null(&w);
    if (which == KEY_IN_ARRAY) json_put_array(&w), json_put_key(&w, STR("a"));
    for (int i = 0; which == TOO_DEEP && i <= JSON_WRITE_DEPTH_MAX; i++) json_put_array(&w);
    json_put_object(&w);
    if (which == VALUE_WITHOUT_KEY) json_put_null(&w);
    if (which == TWO_KEYS) json_put_key(&w, STR("a")), json_put_key(&w, STR("b"));
    if (which == WRONG_END) json_put_array_end(&w);
    if (which == END_AFTER_KEY) json_put_key(&w, STR("a")), json_put_object_end(&w);
    if (which == NOT_CLOSED) json_writer_done(&w);
}

// Each misuse aborts, in a child of its own.
static void misuse_breaks_an_invariant(void) {
    for (int which = 0; which < MISUSE_COUNT; which++) {
        fflush(NULL);
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            if (!freopen("/dev/null", "w", stderr)) _exit(2);
            commit((enum misuse)which);
            _exit(0);
        }
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        bool aborted = WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0);
        if (!aborted) fprintf(stderr, "misuse %d went unnoticed\n", which);
        CHECK(aborted);
    }
}

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct str random_text(uint64_t *seed, char *space, size_t max) {
    size_t n = 0;
    for (uint64_t left = random_next(seed) % max; left && n + UTF8_MAX_BYTES <= max; left--) {
        uint64_t r = random_next(seed);
        uint32_t range = r % 16 == 0 ? 0x110000 : r % 16 == 1 ? 0x800 : r % 16 == 2 ? 0x22 : 0x80;
        n += utf8_encode(space + n, (uint32_t)(r >> 8) % range);
    }
    return str_of(space, n);
}

static void write_random(struct json_writer *w, uint64_t *seed, unsigned depth) {
    char space[200];
    uint64_t r = random_next(seed), n = random_next(seed) % 6;
    double d;
    switch (r % (depth ? 8 : 6)) {
    case 0:
        json_put_null(w);
        break;
    case 1:
        json_put_bool(w, r >> 8 & 1);
        break;
    case 2:
        json_put_i64(w, (int64_t)random_next(seed) >> (r >> 8) % 64);
        break;
    case 3:
        d = (double)(int64_t)random_next(seed) / (double)(1 + (r >> 8));
        json_put_double(w, d);
        break;
    case 4:
    case 5:
        json_put_str(w, random_text(seed, space, sizeof space));
        break;
    case 6:
        json_put_array(w);
        while (n--) write_random(w, seed, depth - 1);
        json_put_array_end(w);
        break;
    default:
        json_put_object(w);
        while (n--) {
            json_put_key(w, random_text(seed, space, 20));
            write_random(w, seed, depth - 1);
        }
        json_put_object_end(w);
    }
}

// Copies what the reader sees to a writer: decoded and written anew.
static void copy(struct json_reader *r, struct json_writer *w, enum json_kind kind) {
    struct str raw;
    BUF_AUTO struct buf text = BUF_INIT(1 << 12);
    bool yes;
    int64_t i;
    double d;
    switch (kind) {
    case JSON_NULL:
        CHECK(json_null(r));
        json_put_null(w);
        break;
    case JSON_BOOL:
        CHECK(json_bool(r, &yes));
        json_put_bool(w, yes);
        break;
    case JSON_NUMBER:
        CHECK(json_number(r, &raw));
        if (json_raw_i64(raw, &i) && !str_eq(raw, STR("-0")))
            json_put_i64(w, i);
        else if (json_raw_double(raw, &d))
            json_put_double(w, d);
        break;
    case JSON_STRING:
        CHECK(json_string(r, &raw) && json_string_decode(raw, &text));
        json_put_str(w, buf_str(&text));
        break;
    case JSON_ARRAY:
        CHECK(json_enter_array(r));
        json_put_array(w);
        while (json_element(r, &kind)) copy(r, w, kind);
        json_put_array_end(w);
        break;
    case JSON_OBJECT:
        CHECK(json_enter_object(r));
        json_put_object(w);
        while (json_member(r, &raw, &kind)) {
            buf_clear(&text);
            CHECK(json_string_decode(raw, &text));
            json_put_key(w, buf_str(&text));
            copy(r, w, kind);
        }
        json_put_object_end(w);
        break;
    }
}

static void random_documents_survive_a_round_trip(void) {
    for (uint64_t round = 1; round <= 3000; round++) {
        uint64_t seed = round * 0x9e3779b97f4a7c15ULL;
        BUF_AUTO struct buf first = BUF_INIT(1 << 24), second = BUF_INIT(1 << 24);
        struct json_writer w;
        struct json_reader r;
        struct err err;
        enum json_kind kind;
        json_writer_init(&w, &first);
        write_random(&w, &seed, 6);
        json_writer_done(&w);
        CHECK(naive_json_valid(first.p, first.n, 128));
        CHECK(json_validate(buf_str(&first), 0, &err));
        json_reader_init(&r, buf_str(&first), 0);
        json_writer_init(&w, &second);
        REQUIRE(json_peek(&r, &kind));
        copy(&r, &w, kind);
        CHECK(json_end(&r, &err));
        json_writer_done(&w);
        CHECK(str_eq(buf_str(&first), buf_str(&second)));
    }
}

TEST_MAIN(writes_a_document, numbers_as_decimals, escapes, doubles, random_doubles_read_back, a_full_buf_fails_quietly,
          misuse_breaks_an_invariant, random_documents_survive_a_round_trip)
