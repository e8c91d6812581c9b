// Non-cryptographic hashing: a keyed 64-bit hash for tables and CRC-32C for files.
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

// Keyed with `seed`: give each table a random one where keys come from outside. Construction: multiply-and-fold of
// 64-bit lanes, after wyhash (Wang Yi, public domain design). Not stable across versions: never store it.
uint64_t hash_bytes(struct str s, uint64_t seed);
// CRC-32C (Castagnoli, RFC 3720 appendix B.4); pass 0 first, then the last result to continue. SSE 4.2 where there is
// one.
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif
