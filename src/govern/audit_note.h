// Events of the audit trail that no request waits for: denials on the data plane, the server's own start and end.
//
// A denial is noted in passing and written by a thread of its own. So that nobody can flood the trail, denials of one
// key (or of none) for one reason are one event a minute, which says how many there were; what finds no room in the
// table, of AUDIT_NOTES_MAX, is one event for all the rest. The same thread tells the bus of every event of every
// chain, whichever process wrote it ("audit.appended"), within about half a second. What looks like misuse of a key is
// noted in the same way (govern/key_watch.h).
//
// Ownership: audit_notes_start … audit_notes_end, which writes what waits; the options' parts are borrowed. Thread
// rule: any thread; noting takes a short lock and never waits for the database. Errors: those of starting; a failure to
// write is logged and tried again.
#ifndef GOVERN_AUDIT_NOTE_H
#define GOVERN_AUDIT_NOTE_H

#include "obs/event.h"
#include "obs/log.h"
#include "store/datadir.h"

#define AUDIT_NOTES_MAX 1024
#define AUDIT_NOTE_EVERY_NS ((uint64_t)60 * 1000000000)

struct audit_notes;
struct audit_notes_options {
    const struct datadir *dir;
    struct event_bus *events; // NULL: nobody is told
    struct log *log;
    struct str version; // the program's
    uint64_t every_ns;  // 0 = AUDIT_NOTE_EVERY_NS
};
// Writes "server.start", before it returns.
NODISCARD bool audit_notes_start(const struct audit_notes_options *options, struct audit_notes **out_notes,
                                 struct err *err);
// Writes what waits, and "server.stop". NULL is fine.
void audit_notes_end(struct audit_notes *notes);

struct audit_denial {
    int64_t tenant; // 0 = not known
    int64_t key;    // 0 = none, or unknown
    // Who it was when that is no key of the data plane, and what kind of thing it was about; else empty.
    struct str actor_kind, actor_id, resource_type;
    struct str name;     // the key's name or prefix
    struct str action;   // "model.use"
    struct str resource; // what it was about
    struct str reason;   // "invalid_api_key": from a fixed set
    struct str address, request_id;
    bool is_anomaly;          // told on the bus too, by its action
    bool was_allowed;         // and not denied
    uint64_t least;           // fewer than so many within a minute are not told; 0 = one is
    struct str usual_address; // in place of which the address is new
};
// notes NULL is fine.
void audit_note_denied(struct audit_notes *notes, const struct audit_denial *denial);
// Of denials that their own thread writes, each before it is answered: the first AUDIT_NOTE_FIRST of an actor in a
// minute, which is false here. The others are noted: one event a minute for each action on each type. notes NULL:
// false.
#define AUDIT_NOTE_FIRST 600
bool audit_note_repeated(struct audit_notes *notes, const struct audit_denial *denial);

#endif
