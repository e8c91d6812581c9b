// What the control plane asks of the process it runs in.
//
// Ownership: the server implements it and outlives the admin room. Thread rule: each call says so.
#ifndef ADMIN_HOST_H
#define ADMIN_HOST_H

#include "access/keyring.h"
#include "access/quota.h"
#include "conf/change.h"
#include "obs/event.h"
#include "obs/log.h"
#include "os/loop.h"
#include "store/datadir.h"

// A wish to change what is in force. It is embedded in its owner, filled in by it, and handed back by `done`.
enum admin_wish_kind {
    WISH_RELOAD,   // read all layers again
    WISH_PATCH,    // these live changes besides those there are
    WISH_REVERT,   // the live changes at and below these keys are taken back
    WISH_ROLLBACK, // to make the version `version` effective again
    WISH_MODELS,   // read or fetch the catalogue of models again; the configuration stays
};
struct admin_wish {
    enum admin_wish_kind kind;
    bool dry_run;               // everything is prepared and checked, nothing is put in force
    struct str actor;           // "admin key ps-abc123 (ops)"
    int64_t version;            // WISH_ROLLBACK
    int64_t expected;           // WISH_PATCH, WISH_REVERT: the newest version the wish was made from, or -1
    struct conf_override *list; // WISH_PATCH: key and value; WISH_REVERT: key
    size_t n;
    // The answer; text lives in `arena`, which is the owner's.
    struct arena *arena;
    bool ok;
    struct err err;                        // when not: ERR_CONFIG_INVALID has `problems`
    struct str problems;                   // JSON array, as conf_problems_json
    struct str changes;                    // JSON array, as conf_changes_json
    struct str models;                     // WISH_MODELS: JSON, {"source","models","own"}
    int64_t new_version;                   // now in force; 0 = nothing changed
    size_t restarts;                       // changes that only a restart applies
    void (*done)(struct admin_wish *wish); // on loop `loop`
    struct loop *loop;
    struct task task; // the host's
    struct admin_wish *next;
};

struct audit_notes;
struct key_watch;
struct model_catalog;
struct admin_host {
    void *ctx;
    struct datadir *dir;
    struct log *log;
    struct event_bus *events;
    struct key_watch *watch;   // NULL: uses of keys are not watched
    struct audit_notes *notes; // NULL: every denial is an event
    struct str version;        // the program's
    // Any thread. Wishes are carried out one after the other.
    void (*wish)(void *ctx, struct admin_wish *wish);
    // Any thread: the configuration in force, with a reference.
    struct conf *(*conf)(void *ctx);
    // A key ring that is not stale, with a reference; may block on the database: a worker thread.
    bool (*ring)(void *ctx, struct keyring **out_ring, struct err *err);
    // A configuration from text in place of the main file, joined with the running process's other layers and checked.
    // Blocks: a worker thread.
    bool (*check)(void *ctx, struct str text, struct conf_problems *problems, struct conf **out_conf);
    // The tenant's budgets as they are counted now; *out_shared: as all servers together count them. May wait for
    // Redis: a worker thread.
    bool (*budgets)(void *ctx, int64_t tenant, struct quota_list *out_list, bool *out_shared, struct err *err);
    // Any thread: appends the targets of routing and how they are, a JSON array.
    bool (*targets)(void *ctx, struct buf *out, struct err *err);
    // Any thread: the catalogue of models in force, with a reference.
    struct model_catalog *(*models)(void *ctx);
};

#endif
