// The address of a Redis server as the configuration writes it, split into its parts.
//
// Ownership: the struct holds everything itself; redis_url_wipe when it is of no more use, for it holds a password.
// Thread rule: pure.
#ifndef CONF_REDIS_URL_H
#define CONF_REDIS_URL_H

#include "base/str.h"

#define REDIS_PORT 6379

struct redis_url {
    bool tls;
    char host[254]; // without the brackets of an IPv6 address; empty = path
    char path[108]; // of a Unix socket; NUL-terminated like all of these
    uint16_t port;
    unsigned db;
    char user[129];     // empty = the default user
    char password[513]; // empty = none is sent
};
// redis://[[user]:password@]host[:port][/db], the same with rediss:// for TLS, or
// unix://[[user]:password@]/path[?db=N]. %XX in user and password is decoded. NULL, or what was expected.
const char *redis_url_parse(struct str text, struct redis_url *out_url);
void redis_url_wipe(struct redis_url *url);

#endif
