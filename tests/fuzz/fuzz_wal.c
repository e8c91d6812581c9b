// Fuzzes the reader of write-ahead log segments and the decoder of usage records: any bytes, no wrong record.
#include "base/hash.h"
#include "base/mem.h"
#include "store/usage.h"
#include "store/wal_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What is decoded encodes to the same bytes, and what an earlier version wrote, to bytes that mean the same.
static void check_record(struct str payload) {
    struct usage_record rec, same;
    char again[USAGE_ENCODED_MAX], twice[USAGE_ENCODED_MAX];
    uint64_t id = usage_decode_id(payload);
    if (!usage_decode(payload, &rec)) return;
    INVARIANT(rec.id == id);
    struct str encoded = str_of(again, usage_encode(&rec, again));
    INVARIANT(str_eq(encoded, payload) || payload.p[0] < encoded.p[0]);
    INVARIANT(usage_decode(encoded, &same) && same.id == id);
    INVARIANT(str_eq(str_of(twice, usage_encode(&same, twice)), encoded));
}

static void scan_all(struct str bytes) {
    struct wal_scan scan;
    struct wal_record r;
    if (!wal_scan_init(&scan, bytes)) return;
    size_t at = scan.at;
    while (wal_scan_next(&scan, &r) == WAL_RECORD) {
        INVARIANT(r.end > at && r.end <= bytes.n && r.end == scan.at);
        at = r.end;
        check_record(r.payload);
    }
    INVARIANT(wal_scan_live(&scan, &r) == WAL_AT_END && scan.at == at);
}

// Makes the checksums right, so that what lies behind them is reached.
static void repair(char *p, size_t n) {
    if (n < WAL_HEADER_SIZE) return;
    memcpy(p, WAL_MAGIC, sizeof WAL_MAGIC);
    wal_put(p + WAL_AT_VERSION, WAL_VERSION, 4);
    uint32_t seed = crc32c(0, p, WAL_AT_CRC);
    wal_put(p + WAL_AT_CRC, seed, 4);
    for (size_t at = WAL_HEADER_SIZE; n - at >= WAL_RECORD_HEADER_SIZE;) {
        uint32_t length = (uint32_t)wal_get(p + at, 4) & 0xff;
        if (length == 0 || length > n - at - WAL_RECORD_HEADER_SIZE) return;
        wal_put(p + at, length, 4);
        wal_put(p + at + WAL_AT_RECORD_CRC, wal_crc(seed, p + at, length), 4);
        at += WAL_RECORD_HEADER_SIZE + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str bytes = {(const char *)data, size};
    check_record(bytes);
    scan_all(bytes);
    char *copy = mem_must(mem_alloc(size + 1));
    if (size) memcpy(copy, data, size);
    repair(copy, size);
    scan_all(str_of(copy, size));
    mem_free(copy);
    return 0;
}
