// Addresses of the Internet, versions 4 and 6, and blocks of them ("10.0.0.0/8", "2001:db8::/32").
//
// Version 4 stands as ::ffff:0:0/96, as which version 6 sockets show it, so that both compare alike. Thread rule: pure.
#ifndef ACCESS_CIDR_H
#define ACCESS_CIDR_H

#include "base/str.h"

struct cidr {
    uint8_t bytes[16];
    uint8_t bits; // how many of the first count
};
// "192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7"; also in brackets, or with a zone ("fe80::1%eth0", which is dropped).
NODISCARD bool address_parse(struct str text, uint8_t out_bytes[16]);
// An address (all of its bits count) or ADDRESS/BITS. False also when bits beyond the first are set: a typing error.
NODISCARD bool cidr_parse(struct str text, struct cidr *out_block);
bool cidr_has(const struct cidr *block, const uint8_t bytes[16]);

#endif
