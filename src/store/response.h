// Responses that are kept so that clients go on from them (previous_response_id): what was asked and what was answered,
// sealed.
//
// A response knows the one before it; a conversation is the chain of them. Each is found only from its own place: the
// project of the key that made it, or else that key's owner, or else the tenant at large. Whoever goes on from a
// response keeps those before it from expiring.
//
// Ownership: what is read lies in the caller's arena. Thread rule: the connection's; blocks. Units: unix nanoseconds.
// Errors: those of sql.h and sealed.h; ERR_NOT_FOUND.
#ifndef STORE_RESPONSE_H
#define STORE_RESPONSE_H

#include "base/arena.h"
#include "store/datadir.h"

#define RESPONSE_NAME_MAX 200                // bytes
#define RESPONSE_TEXT_MAX ((size_t)64 << 20) // of input, of an answer

struct response_row {
    int64_t tenant, key_id;
    struct str name;     // "resp_…"
    struct str previous; // the one before it; empty: none
    struct str place;    // "project:3", "user:7", "service_account:7", or ""
    struct str model;
    struct str input;  // the items that this request itself brought, JSON, separated by commas
    struct str answer; // the response object
    bool private;      // who goes on from it does so in private too
    int64_t created_at, expires_at;
};

// In an open transaction; what is there already stays. A tenant that keeps contents for less time goes before.
NODISCARD bool response_put(struct sql_scope scope, const struct datadir *dir, const struct response_row *row,
                            struct err *err);
// The scopes are a tenant's.
NODISCARD bool response_get(struct sql_scope scope, const struct datadir *dir, struct str name, struct str place,
                            int64_t now_ns, struct arena *arena, struct response_row *out_row, struct err *err);
NODISCARD bool response_delete(struct sql_scope scope, struct str name, struct str place, int64_t now_ns,
                               struct err *err);
// Of all tenants.
NODISCARD bool response_expire(struct sql *db, int64_t now_ns, struct err *err);

#endif
