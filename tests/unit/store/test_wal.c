// Tests of write-ahead log segments: what is written is read back, and damage of any kind never gives a wrong record.
#include "check.h"
#include "temp_dir.h"

#include "base/mem.h"
#include "os/file.h"
#include "os/rand.h"
#include "store/wal.h"

#define RECORDS 40
#define SIZE WAL_SEGMENT_MIN

static struct str fresh_dir(void) {
    static unsigned n;
    struct err err;
    char name[32];
    snprintf(name, sizeof name, "wal%u", n++);
    struct str dir = temp_path(name);
    REQUIRE(dir_make(dir, 0700, &err));
    return dir;
}

static size_t payload_of(unsigned i, char out[64]) {
    size_t n = 1 + (i * 7) % 50;
    for (size_t k = 0; k < n; k++) out[k] = (char)(i * 31 + k * 17 + 1);
    return n;
}

static void segment_fill(struct wal_segment *s) {
    char payload[64];
    for (unsigned i = 0; i < RECORDS; i++) {
        size_t n = payload_of(i, payload);
        REQUIRE(wal_append(s, i % 3 ? WAL_END : WAL_BEGIN, str_of(payload, n)));
    }
}

// The file's bytes, all of them.
static char *segment_bytes(struct str dir, size_t *out_tail) {
    struct wal_segment *s;
    struct err err;
    REQUIRE(wal_segment_create(dir, 77, 5, SIZE, &s, &err));
    segment_fill(s);
    *out_tail = wal_tail(s);
    char *bytes = mem_must(mem_zalloc(1, SIZE));
    memcpy(bytes, wal_bytes(s).p, *out_tail);
    wal_segment_free(s);
    return bytes;
}

// How many records in front are as written; a wrong one fails the test.
static unsigned records_good(struct str bytes, enum wal_result *out_result) {
    struct wal_scan scan;
    struct wal_record r;
    char payload[64];
    unsigned i = 0;
    if (!wal_scan_init(&scan, bytes)) {
        *out_result = WAL_DAMAGED;
        return 0;
    }
    while ((*out_result = wal_scan_next(&scan, &r)) == WAL_RECORD) {
        size_t n = payload_of(i, payload);
        REQUIRE(i < RECORDS);
        CHECK_STR(r.payload, str_of(payload, n));
        CHECK_INT(r.type, i % 3 ? WAL_END : WAL_BEGIN);
        CHECK_INT(r.end, scan.at);
        i++;
    }
    return i;
}

static void test_write_and_read(void) {
    struct str dir = fresh_dir();
    struct wal_segment *s;
    struct err err;
    REQUIRE(wal_segment_create(dir, 123, 9, SIZE, &s, &err));
    segment_fill(s);
    size_t synced = 0;
    CHECK(wal_sync(s, 0, &synced, &err));
    CHECK_INT(synced, wal_tail(s));
    enum wal_result result;
    CHECK_INT(records_good(wal_bytes(s), &result), RECORDS);
    CHECK_INT(result, WAL_AT_END);

    BUF_AUTO struct buf path = BUF_INIT(4096), file = BUF_INIT(1 << 20);
    path_join(&path, dir, STR("00000000000000000123.wal"));
    REQUIRE(file_read_all(buf_str(&path), 1 << 20, &file, &err));
    CHECK_INT(file.n, SIZE);
    CHECK_INT(records_good(buf_str(&file), &result), RECORDS);
    CHECK_INT(result, WAL_AT_END);
    struct wal_scan scan;
    REQUIRE(wal_scan_init(&scan, buf_str(&file)));
    CHECK_INT(scan.number, 123);
    CHECK_INT(scan.epoch, 9);
    wal_segment_free(s);
}

static void test_full(void) {
    struct str dir = fresh_dir();
    struct wal_segment *s;
    struct err err;
    char payload[1000] = {1};
    REQUIRE(wal_segment_create(dir, 1, 1, SIZE, &s, &err));
    unsigned n = 0;
    while (wal_append(s, WAL_END, str_of(payload, sizeof payload))) n++;
    CHECK_INT(n, (SIZE - WAL_HEADER_SIZE) / (sizeof payload + WAL_RECORD_HEADER_SIZE));
    CHECK(!wal_reserve(s, sizeof payload));
    size_t rest = SIZE - wal_tail(s) - WAL_RECORD_HEADER_SIZE;
    CHECK(wal_append(s, WAL_END, str_of(payload, rest))); // to the last byte
    CHECK_INT(wal_tail(s), SIZE);
    struct wal_scan scan;
    struct wal_record r;
    REQUIRE(wal_scan_init(&scan, wal_bytes(s)));
    for (unsigned i = 0; i <= n; i++) CHECK_INT(wal_scan_next(&scan, &r), WAL_RECORD);
    CHECK_INT(wal_scan_next(&scan, &r), WAL_AT_END);
    wal_segment_free(s);
}

// The file cut off after every byte, the rest zero: as a kill, or a power cut, leaves it.
static void test_torn_at_every_byte(void) {
    struct str dir = fresh_dir();
    size_t tail;
    char *whole = segment_bytes(dir, &tail), *torn = mem_must(mem_zalloc(1, SIZE));
    unsigned last = 0;
    for (size_t cut = 0; cut <= tail; cut++) {
        enum wal_result result;
        memset(torn, 0, SIZE);
        memcpy(torn, whole, cut);
        unsigned good = records_good(str_of(torn, SIZE), &result);
        CHECK(good == last || good == last + 1);
        CHECK(result == WAL_AT_END || result == WAL_DAMAGED);
        last = good;
        // The file itself cut short.
        char *part = mem_must(mem_alloc(cut + 1));
        memcpy(part, whole, cut);
        CHECK_INT(records_good(str_of(part, cut), &result), good);
        mem_free(part);
    }
    CHECK_INT(last, RECORDS);
    mem_free(whole);
    mem_free(torn);
}

static void test_bit_flips(void) {
    struct str dir = fresh_dir();
    size_t tail;
    char *bytes = segment_bytes(dir, &tail);
    for (unsigned round = 0; round < 10000; round++) {
        size_t at = (size_t)(rand_u64() % (tail * 8));
        enum wal_result result;
        bytes[at / 8] ^= (char)(1 << (at % 8));
        unsigned good = records_good(str_of(bytes, SIZE), &result); // checks each one
        CHECK(good < RECORDS);
        CHECK_INT(result, WAL_DAMAGED);
        bytes[at / 8] ^= (char)(1 << (at % 8));
    }
    // Behind the last record a flipped bit is damage as well: something was there, or should not be.
    enum wal_result result;
    bytes[SIZE - 1] = 1;
    CHECK_INT(records_good(str_of(bytes, SIZE), &result), RECORDS);
    CHECK_INT(result, WAL_DAMAGED);
    mem_free(bytes);
}

// Records of an older segment of the same place, as a reused disk block might bring back.
static void test_foreign_records(void) {
    struct str dir = fresh_dir();
    struct err err;
    size_t tail;
    char *old = segment_bytes(dir, &tail);
    struct wal_segment *s;
    REQUIRE(wal_segment_create(dir, 78, 5, SIZE, &s, &err));
    memcpy(old, wal_bytes(s).p, WAL_HEADER_SIZE);
    enum wal_result result;
    CHECK_INT(records_good(str_of(old, SIZE), &result), 0);
    CHECK_INT(result, WAL_DAMAGED);
    wal_segment_free(s);
    mem_free(old);
}

static void test_live(void) {
    struct str dir = fresh_dir();
    size_t tail;
    char *bytes = segment_bytes(dir, &tail);
    struct wal_scan scan;
    struct wal_record r;
    // The last record half written: its length is not there yet.
    size_t last = 0;
    REQUIRE(wal_scan_init(&scan, str_of(bytes, SIZE)));
    for (unsigned i = 0; i < RECORDS; i++) {
        last = scan.at;
        CHECK_INT(wal_scan_live(&scan, &r), WAL_RECORD);
    }
    memset(bytes + last, 0, 4);
    scan.at = last;
    CHECK_INT(wal_scan_live(&scan, &r), WAL_AT_END);
    CHECK_INT(wal_scan_next(&scan, &r), WAL_DAMAGED);
    mem_free(bytes);
}

static void test_names(void) {
    char name[WAL_NAME_LEN + 1];
    uint64_t number;
    wal_name(name, UINT64_MAX);
    CHECK_STR(str_c(name), STR("18446744073709551615.wal"));
    CHECK(wal_name_parse(str_c(name), &number));
    CHECK(number == UINT64_MAX);
    wal_name(name, 42);
    CHECK_STR(str_c(name), STR("00000000000000000042.wal"));
    static const char *const bad[] = {"",
                                      "x",
                                      "42.wal",
                                      "0000000000000000004x.wal",
                                      "00000000000000000042.wax",
                                      "000000000000000000042.wal",
                                      "99999999999999999999.wal",
                                      "-0000000000000000042.wal"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) CHECK(!wal_name_parse(str_c(bad[i]), &number));
}

static void test_create_failures(void) {
    struct wal_segment *s;
    struct err err;
    CHECK(!wal_segment_create(STR("/nonexistent/folder"), 1, 1, SIZE, &s, &err));
    struct str dir = fresh_dir();
    for (uint64_t nth = 1; nth < 20; nth++) {
        mem_fail_nth(nth);
        bool ok = wal_segment_create(dir, nth, 1, SIZE, &s, &err);
        mem_fail_nth(0);
        if (ok) wal_segment_free(s);
    }
}

TEST_MAIN(test_write_and_read, test_full, test_torn_at_every_byte, test_bit_flips, test_foreign_records, test_live,
          test_names, test_create_failures)
