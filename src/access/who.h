// Who acts: the principal behind a request, and for which tenant it acts.
//
// Ownership: text is borrowed from whatever named the principal (key ring, session, command line). Thread rule: values.
#ifndef ACCESS_WHO_H
#define ACCESS_WHO_H

#include "base/str.h"

// The names are stored and shown (principal_kind_name): append only.
enum principal_kind {
    PRINCIPAL_NOBODY,
    PRINCIPAL_OPERATOR,        // whoever may run commands on the data directory, or holds an admin key: all rights
    PRINCIPAL_USER,            // a person, signed in
    PRINCIPAL_SERVICE_ACCOUNT, // a program with an identity of its own
    PRINCIPAL_KEY,             // an API key without an owner: its scopes are its rights
    PRINCIPAL_TEAM,            // in grants: the members of a team
    PRINCIPAL_TENANT,          // in grants: everybody of a tenant
    PRINCIPAL_SYSTEM,          // the server itself: scheduled rotations, replays
    PRINCIPAL_KIND_COUNT
};
// "operator", "user", "service_account", "key", …
struct str principal_kind_name(enum principal_kind kind);
// False for a name that is none.
bool principal_kind_parse(struct str name, enum principal_kind *out_kind);

struct principal {
    enum principal_kind kind;
    int64_t id; // of the user, service account, key, team, tenant; 0 for operator and system
};

struct who {
    struct principal principal; // whose rights count
    struct str name;            // for people: an e-mail address, a key's prefix and name, "operator"
    int64_t key_id;             // the API key it came with; 0 = none
    int64_t session_id;         // likewise the session
    int64_t home;               // the principal's own tenant
    int64_t tenant;             // the one it acts for: home, unless on behalf of another
    struct str tenant_name;     // of `tenant`; empty for the default tenant
    struct str address;         // of the client, without port; empty = local
    struct str agent;           // User-Agent, or the command
};

#endif
