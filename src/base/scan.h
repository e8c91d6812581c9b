// SIMD byte scanning: the inner loops of the JSON reader, the SSE reader and the header parser.
//
// Ownership: everything is borrowed; no byte outside the slice is read. Thread rule: pure functions. Units: bytes;
// every "find" returns an index, or s.n when there is nothing. The widest instructions this CPU has (AVX-512BW, AVX2,
// else portable 64-bit words) are chosen at each call by a test of a constant word.
#ifndef BASE_SCAN_H
#define BASE_SCAN_H

#include "base/str.h"

// First byte that ends a run of plain string body: '"', '\\', below 0x20, or 0x80 and above.
size_t scan_string_stop(struct str s);
// First byte that must be escaped in a JSON string: '"', '\\' or below 0x20. Non-ASCII bytes are passed over.
size_t scan_json_escape(struct str s);
// First byte that is not JSON white space (space, tab, CR, LF).
size_t scan_spaces(struct str s);
// The same, where there is mostly none: told without a call.
static inline size_t scan_space(struct str s) { return s.n && (unsigned char)s.p[0] <= ' ' ? scan_spaces(s) : 0; }
// First decimal digit or '@': where numbers and addresses can be.
size_t scan_digit_or_at(struct str s);
// First needle, comparing first and last byte of it at memory speed. An empty needle is found at 0.
size_t scan_find(struct str hay, struct str needle);
// End of the last blank line ("\n\n" or "\n\r\n", hence also "\r\n\r\n"), that is the index just after it; 0 when there
// is none. What lies before it is whole server-sent events, what follows is the start of the next one.
size_t scan_last_blank_line(struct str s);

#endif
