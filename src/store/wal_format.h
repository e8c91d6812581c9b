// The bytes of a segment, shared by its reader and its writer: little-endian fields at fixed places.
#ifndef STORE_WAL_FORMAT_H
#define STORE_WAL_FORMAT_H

#include "base/hash.h"
#include "store/wal.h"

#define WAL_MAGIC "PSTKWAL"
#define WAL_VERSION 1
enum { WAL_AT_VERSION = 8, WAL_AT_SIZE = 12, WAL_AT_NUMBER = 16, WAL_AT_EPOCH = 24, WAL_AT_ZERO = 32, WAL_AT_CRC = 36 };
enum { WAL_AT_RECORD_CRC = 4, WAL_AT_TYPE = 8 };

static inline void wal_put(char *p, uint64_t v, unsigned bytes) {
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v) >> (64 - 8 * bytes);
#endif
    memcpy(p, &v, bytes);
}
static inline uint64_t wal_get(const char *p, unsigned bytes) {
    uint64_t v = 0;
    memcpy(&v, p, bytes);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v) >> (64 - 8 * bytes);
#endif
    return v;
}

// Covers the length (through the seed), the type and the payload.
static inline uint32_t wal_crc(uint32_t seed, const char *record, uint32_t length) {
    return crc32c(seed ^ length, record + WAL_AT_TYPE, (size_t)length + 1);
}

#endif
