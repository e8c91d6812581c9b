// Bytes as text: hexadecimal, Crockford base 32, base 64, percent-encoding, and times in RFC 3339.
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"

void hex_put(struct buf *out, struct str bytes);
// 13 lower-case Crockford base-32 digits (no i, l, o, u) of a 64-bit number, most significant first.
#define BASE32_U64_LEN 13
void base32_u64(char out[BASE32_U64_LEN], uint64_t v);
// The inverse; false on a wrong length, digit or overflow.
NODISCARD bool base32_u64_parse(struct str s, uint64_t *out_value);
// RFC 4648 base64 (padded) and base64url (not padded).
void base64_put(struct buf *out, struct str bytes);
void base64url_put(struct buf *out, struct str bytes);
// All but the unreserved characters of RFC 3986 and those of `also` as %XX.
void percent_put(struct buf *out, struct str bytes, const char *also);

// "2026-11-21T07:30:00.123Z" from nanoseconds since 1970 UTC.
#define TIME_TEXT_LEN 24
void time_text(char out[TIME_TEXT_LEN], int64_t unix_ns);
// RFC 3339 with Z or an offset, fraction optional, or a plain date (midnight UTC).
NODISCARD bool time_parse(struct str s, int64_t *out_unix_ns);

#endif
