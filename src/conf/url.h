// Web and socket addresses as the configuration writes them, split into their parts.
//
// Ownership: parts are slices of the text parsed. Thread rule: pure.
#ifndef CONF_URL_H
#define CONF_URL_H

#include "base/str.h"

struct conf_url {
    bool tls;
    struct str host; // without the brackets of an IPv6 address
    uint16_t port;   // the scheme's own when not given
    struct str path; // "/v1": without trailing slash; empty for none
};
// http(s)://host[:port][/path]; no user, query or fragment. NULL, or what is wrong with it.
const char *conf_url_parse(struct str text, struct conf_url *out_url);

struct conf_addr {
    struct str host; // empty or "*" = every interface
    uint16_t port;
};
// host:port, [v6]:port, :port or *:port. NULL, or what is wrong with it.
const char *conf_addr_parse(struct str text, struct conf_addr *out_addr);

#endif
