// Rotation: another key takes a key's place, by hand or by the clock, and both work for a time.
//
// By hand, the new key's text goes to whoever asked, and the old one works for the overlap. By the clock (a key's
// rotate_at has come), nobody is there to be shown it: the text is sealed and waits until its holder collects it, once.
// The overlap begins then; but the old key ends at the latest when the next rotation would have been due. A key that
// was not collected is not rotated again: its own time starts when it is.
//
// Several servers may look at once: the one that finds the row as it was in its transaction rotates it.
//
// Ownership: text and rows in the arena given. Thread rule: the connection's; blocks. Units: unix nanoseconds. Errors:
// those of sql.h, store/entity.h and store/sealed.h.
#ifndef ACCESS_KEY_ROTATE_H
#define ACCESS_KEY_ROTATE_H

#include "access/key_text.h"
#include "store/audit.h"
#include "store/entity.h"

// A fresh text for a row that is to be inserted: its hash and prefix. *out_text is in the arena: wipe that.
NODISCARD bool key_fresh_text(const struct datadir *dir, struct entity_row *row, struct arena *arena,
                              struct str *out_text, struct err *err);
// Inserts a key with the rights of `old`, to take its place; its text as above. waits: it is to be collected. Within a
// transaction, after which datadir_key_changed is to be called; likewise the others.
NODISCARD bool key_rotate_insert(struct sql_scope scope, const struct datadir *dir, const struct entity_row *old,
                                 bool waits, int64_t now_ns, struct arena *arena, struct entity_row *out_next,
                                 struct str *out_text, struct err *err);
// The old one works until then; not at all any more when that is not after now. expected: its version, or -1.
NODISCARD bool key_rotate_end(struct sql_scope scope, struct entity_row *old, int64_t next, int64_t until_ns,
                              int64_t expected, int64_t now_ns, struct err *err);

// Takes the text that waits, and lets the overlap of the key that it replaces begin. expected: the row's version, or
// -1. ERR_EXISTS: none waits.
NODISCARD bool key_rotate_collect(struct sql_scope scope, const struct datadir *dir, struct entity_row *row,
                                  int64_t expected, int64_t now_ns, struct arena *arena, struct str *out_text,
                                  struct err *err);

// --- by the clock ---

// Whether any key is due: one look at an index.
NODISCARD bool key_rotation_is_due(struct sql *db, int64_t now_ns, bool *out_due, struct err *err);
struct key_rotated {
    int64_t tenant, key, next, until_ns;
    struct str name;
};
typedef void key_rotated_fn(void *ctx, const struct key_rotated *rotated);
// Rotates what is due, each key in a transaction with its audit event; tells of each after its commit. False when one
// could not be; the others were.
NODISCARD bool key_rotate_due(struct sql *db, struct datadir *dir, const struct audit_signer *signer, int64_t now_ns,
                              key_rotated_fn *told, void *ctx, struct err *err);

#endif
