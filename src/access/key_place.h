// From where a key may be used: blocks of client addresses, and origins of web pages.
//
// Ownership: in the arena of the ring. Thread rule: pure. Errors: ERR_INVALID_FIELD when reading what a person wrote,
// ERR_FORBIDDEN for a request from elsewhere.
#ifndef ACCESS_KEY_PLACE_H
#define ACCESS_KEY_PLACE_H

#include "access/cidr.h"
#include "base/arena.h"
#include "base/err.h"

#define KEY_PLACES_MAX 64 // of each kind

struct key_place {
    bool any_address, any_origin; // else those listed; none when a list could not be read
    size_t n_addresses, n_origins;
    const struct cidr *addresses;
    const struct str *origins; // "https://app.example.com", "https://*.example.com", "http://localhost:*"
};
// NULL when good, else what was expected. For fields that hold such texts.
const char *key_address_check(struct str text);
const char *key_origin_check(struct str text);
// From two JSON arrays. *out_damaged: one of them cannot be read; from there, no request comes. False: out of memory.
NODISCARD bool key_place_read(struct arena *arena, struct str addresses, struct str origins,
                              struct key_place *out_place, bool *out_damaged);
// peer: the client's address as text. origin: the Origin field, or empty.
NODISCARD bool key_place_allows(const struct key_place *place, struct str peer, struct str origin, struct err *err);

#endif
