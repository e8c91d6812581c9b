// Changes a tenant's data key while servers run: the next one is made, what the old ones sealed is sealed anew, and the
// old ones are destroyed once nothing uses them.
//
// Every step is a short transaction that leaves the database whole, and the state is in the database: what is stopped
// at any moment goes on at the next call. Readers and writers go on throughout, for each value says which key sealed
// it.
//
// Ownership: borrows everything. Thread rule: the connection's. Units: unix nanoseconds. Errors: those of sql.h and
// keeper.h. Values that do not open are left as they are and counted, with the keys they name.
#ifndef STORE_REKEY_H
#define STORE_REKEY_H

#include "store/datadir.h"

// A key that a newer one took the place of is destroyed this long after: whoever sealed with it meanwhile has written.
#define REKEY_GRACE_NS (INT64_C(60) * 1000000000)

struct rekey_report {
    int64_t tenant;
    int64_t version;   // of the new key; 0: the tenant has nothing sealed
    bool resumed;      // it was begun by an earlier call
    int64_t resealed;  // values sealed anew
    int64_t unopened;  // values that do not open
    int64_t destroyed; // old keys
    int64_t kept;      // old keys that something may still use
};
// A whole tenant's; of the default one, the server's own values too.
NODISCARD bool rekey_tenant(struct sql_scope scope, const struct datadir *dir, struct rekey_report *out_report,
                            struct err *err);
// All tenants', one after the other. told: after each that had something.
typedef bool rekey_told(void *arg, const struct rekey_report *report, struct err *err);
NODISCARD bool rekey_all(struct sql *db, const struct datadir *dir, rekey_told *told, void *arg, struct err *err);
// Destroys the old keys of a tenant that nothing uses and that have been old for grace_ns.
NODISCARD bool rekey_tidy(struct sql_scope scope, int64_t grace_ns, int64_t now_ns, int64_t *out_destroyed,
                          int64_t *out_kept, struct err *err);
// Likewise of all tenants, for a server to call now and then.
NODISCARD bool rekey_tidy_all(struct sql *db, struct err *err);

#endif
