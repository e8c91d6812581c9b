// Who the client of a request is, when it came through proxies that are trusted to say so.
//
// X-Forwarded-For is read from its right end, where the nearest proxy has added the address that it saw: as long as the
// address so far is a trusted proxy's, what that proxy says is taken. So a client that writes the field itself changes
// nothing, and without trusted proxies neither field is looked at. The field Forwarded (RFC 7239) and X-Forwarded-Host
// are not read.
//
// Ownership: the request's new peer lives in its arena. Thread rule: pure; forwarded_apply: the request's. Errors:
// none; an entry that is no address ends the reading, the address before it counts.
#ifndef NET_FORWARDED_H
#define NET_FORWARDED_H

#include "base/ip.h"
#include "net/http_server.h"

#define FORWARDED_ENTRIES_MAX 32 // the nearest; those further away are not looked at
#define FORWARDED_BYTES_MAX 4096 // of them, commas included

// peer: whose connection it is. The client's address: the peer's own when it is not trusted, or says nothing.
struct ip forwarded_client(const struct ip *peer, const struct http_field *fields, size_t count,
                           const struct ip_set *trusted);
// An entry: "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; with a port: "192.0.2.1:4711", "[2001:db8::1]:4711".
NODISCARD bool forwarded_entry(struct str text, struct ip *out_ip);

// What X-Forwarded-Proto says about the client's way to the proxies; the last entry, the nearest proxy's, counts.
enum forwarded_proto { FORWARDED_UNSAID, FORWARDED_HTTP, FORWARDED_HTTPS };
enum forwarded_proto forwarded_proto(const struct http_field *fields, size_t count);

// Of a request whose peer is trusted: its peer becomes the client, its tls what the proxies say. Once a request.
// Without memory the peer becomes "-", which no rule for addresses admits.
void forwarded_apply(struct http_req *req, const struct ip_set *trusted);

#endif
