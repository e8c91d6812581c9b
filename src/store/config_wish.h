// The entity config_wish: what a command asks of the server that runs on the same data directory.
//
// A command adds a wish and raises the configuration's counter; the server takes the oldest, carries it out and
// answers; the command reads the answer, which removes both. Wishes may hold secrets: both texts are sealed (sealed.h).
//
// Ownership: text read goes into the caller's arena. Thread rule: the connection's. Units: unix nanoseconds. Errors:
// those of sql.h and sealed.h.
#ifndef STORE_CONFIG_WISH_H
#define STORE_CONFIG_WISH_H

#include "base/arena.h"
#include "store/datadir.h"

#define CONFIG_WISH_WAIT_NS INT64_C(15000000000) // nobody waits longer for an answer

NODISCARD bool config_wish_add(struct sql *db, const struct datadir *dir, struct str text, int64_t now_ns,
                               int64_t *out_id, struct err *err);
// The oldest one that is not answered; *out_id 0 = there is none. Those that nobody waits for any more go.
NODISCARD bool config_wish_take(struct sql *db, const struct datadir *dir, int64_t now_ns, struct arena *a,
                                int64_t *out_id, struct str *out_text, struct err *err);
NODISCARD bool config_wish_answer(struct sql *db, const struct datadir *dir, int64_t id, struct str text,
                                  struct err *err);
// *out_text.p NULL: not yet.
NODISCARD bool config_wish_collect(struct sql *db, const struct datadir *dir, int64_t id, struct arena *a,
                                   struct str *out_text, struct err *err);
// Takes the wish back: nobody waits for it.
NODISCARD bool config_wish_drop(struct sql *db, int64_t id, struct err *err);

#endif
