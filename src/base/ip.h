// Addresses of the Internet protocol as 16 bytes, and ranges of them in CIDR notation.
//
// IPv4 is ::ffff:a.b.c.d, so that both kinds compare alike. Ownership: an ip_set borrows. Thread rule: pure functions.
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/str.h"

struct ip {
    unsigned char p[16];
};
struct ip_range {
    struct ip first, last;
};
struct ip_set {
    const struct ip_range *p;
    size_t n;
};
#define IP_TEXT_MAX 40

// "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"; no brackets, port or zone.
NODISCARD bool ip_parse(struct str text, struct ip *out_ip);
// "192.0.2.0/24", "2001:db8::/32", or one address. Bits beyond the prefix are ignored.
NODISCARD bool ip_range_parse(struct str text, struct ip_range *out_range);
static inline bool ip_in(const struct ip_range *range, const struct ip *ip) {
    return memcmp(ip->p, range->first.p, sizeof ip->p) >= 0 && memcmp(ip->p, range->last.p, sizeof ip->p) <= 0;
}
bool ip_set_has(const struct ip_set *set, const struct ip *ip);
// As RFC 5952 writes it; one of IPv4 in its own way, "192.0.2.1". Not ended by a NUL: the text is of *out.
struct str ip_text(const struct ip *ip, char out[IP_TEXT_MAX]);

#endif
