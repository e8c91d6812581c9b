// Brings a database to the schema of this build, one transaction a step.
//
// Ownership: borrows the connection. Thread rule: the connection's. Two processes may start at once: one does the work,
// the other finds it done. Errors: besides those of sql.h, ERR_STORE when the database is newer than this build,
// belongs to another program, or was made by a build whose steps differ; the message says what to do.
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "store/sql.h"

struct migration {
    int version; // 1, 2, 3, …
    struct str name;
    struct str script; // never changed once released: its checksum is in every database
};
struct migrations {
    const struct migration *p;
    size_t n;
    struct str after; // what follows each step, in its transaction; empty = nothing
};
#define MIGRATE_STEPS 25 // of this build: schema/steps.def

NODISCARD bool migrate(struct sql *db, struct migrations steps, struct err *err);
// By the first n steps of this build.
NODISCARD bool migrate_to(struct sql *db, size_t n, struct err *err);
// The newest step applied; 0 for an empty database.
NODISCARD bool migrate_version(struct sql *db, int *out_version, struct err *err);

#endif
