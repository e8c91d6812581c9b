// Watches how keys are used: when and from where last, and what looks like misuse.
//
// The data path notes a use in its own loop's seat, without a lock, and hands it over once a minute for each key and
// address. What was handed over is written by whoever calls key_watch_save, off the data path.
//
// Misuse is told as "key.anomaly" in the audit trail and on the bus, through audit notes, so at most once a minute for
// each key and kind:
//   new_address          a key that was used from one place alone for KEY_STABLE_NS is used from another; of version 6,
//                        the first 64 bits make the place. The use is not refused
//   revoked_key, expired_key  a key is used that has ended
//   address_not_allowed, origin_not_allowed  a key is used from where it may not be
//   unknown_keys         KEY_BURST requests in a minute with keys of the right form, checksum and all, that none knows
//
// Ownership: key_watch_create … key_watch_free; the notes are borrowed. Thread rule: a seat is its loop's;
// key_watch_save is for one thread at a time, on its connection. Units: unix nanoseconds. Errors: those of sql.h.
// Memory: bounded; what finds no room is not noted.
#ifndef GOVERN_KEY_WATCH_H
#define GOVERN_KEY_WATCH_H

#include "access/keyring.h"
#include "govern/audit_note.h"

#define KEY_STABLE_NS ((int64_t)7 * 86400 * 1000000000)
#define KEY_BURST 20
#define KEY_USES_MAX 8192 // that wait to be written
#define KEY_SEAT_SLOTS 512

struct key_watch;
// notes NULL: misuse is not told.
NODISCARD bool key_watch_create(struct audit_notes *notes, struct key_watch **out_watch, struct err *err);
void key_watch_free(struct key_watch *watch); // NULL is fine
// Writes what was handed over.
NODISCARD bool key_watch_save(struct key_watch *watch, struct sql *db, struct err *err);

struct key_seat {
    struct key_watch *watch; // NULL: nothing is noted
    uint64_t seed;
    struct {
        uint64_t tag; // of key and address
        int64_t told;
    } slots[KEY_SEAT_SLOTS];
};
void key_seat_init(struct key_seat *seat, struct key_watch *watch);
// It was let in.
void key_seat_used(struct key_seat *seat, const struct key_entry *entry, struct str peer, int64_t now_ns);
// keyring_check has refused it.
void key_seat_refused(struct key_seat *seat, const struct keyring *ring, struct str presented, struct str peer,
                      struct str request_id, int64_t now_ns);
// keyring_admits has refused it, or key_place_allows.
void key_seat_misplaced(struct key_seat *seat, const struct key_entry *entry, struct str peer, struct str request_id);

#endif
