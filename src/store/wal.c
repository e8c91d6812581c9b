// Reads segments of the write-ahead log and their file names; pure.
#include "store/wal.h"

#include "store/wal_format.h"

bool wal_scan_init(struct wal_scan *scan, struct str bytes) {
    const char *p = bytes.p;
    if (bytes.n < WAL_HEADER_SIZE || memcmp(p, WAL_MAGIC, sizeof WAL_MAGIC) != 0) return false;
    uint32_t crc = (uint32_t)wal_get(p + WAL_AT_CRC, 4);
    if (crc32c(0, p, WAL_AT_CRC) != crc || wal_get(p + WAL_AT_VERSION, 4) != WAL_VERSION) return false;
    *scan = (struct wal_scan){.bytes = bytes,
                              .at = WAL_HEADER_SIZE,
                              .seed = crc,
                              .number = wal_get(p + WAL_AT_NUMBER, 8),
                              .epoch = wal_get(p + WAL_AT_EPOCH, 8)};
    return true;
}

static bool all_zero(struct str s) {
    if (s.n == 0) return true;
    return s.p[0] == 0 && memcmp(s.p, s.p + 1, s.n - 1) == 0;
}

enum wal_result wal_scan_live(struct wal_scan *scan, struct wal_record *out_rec) {
    struct str rest = str_from(scan->bytes, scan->at);
    if (rest.n < 4) return WAL_AT_END;
    uint32_t length = (uint32_t)wal_get(rest.p, 4);
    if (length == 0) return WAL_AT_END;
    if (length > WAL_PAYLOAD_MAX || length > rest.n || rest.n - length < WAL_RECORD_HEADER_SIZE) return WAL_AT_END;
    if (wal_crc(scan->seed, rest.p, length) != wal_get(rest.p + WAL_AT_RECORD_CRC, 4)) return WAL_AT_END;
    unsigned type = (unsigned char)rest.p[WAL_AT_TYPE];
    if (type != WAL_BEGIN && type != WAL_END) return WAL_AT_END;
    scan->at += WAL_RECORD_HEADER_SIZE + length;
    *out_rec = (struct wal_record){
        .type = (enum wal_type)type, .payload = {rest.p + WAL_RECORD_HEADER_SIZE, length}, .end = scan->at};
    return WAL_RECORD;
}

enum wal_result wal_scan_next(struct wal_scan *scan, struct wal_record *out_rec) {
    if (wal_scan_live(scan, out_rec) == WAL_RECORD) return WAL_RECORD;
    return all_zero(str_from(scan->bytes, scan->at)) ? WAL_AT_END : WAL_DAMAGED;
}

void wal_name(char out[WAL_NAME_LEN + 1], uint64_t number) {
    for (int i = 19; i >= 0; i--, number /= 10) out[i] = (char)('0' + number % 10);
    memcpy(out + 20, ".wal", 5);
}

bool wal_name_parse(struct str name, uint64_t *out_number) {
    if (name.n != WAL_NAME_LEN || !str_ends(name, STR(".wal"))) return false;
    return str_to_u64(str_head(name, 20), out_number);
}
