// One change of what is in force, worked out off the loop: load, check, prepare, record.
//
// Ownership: job_begin … job_end; what was prepared is the job's until it is taken. Thread rule: job_run blocks and is
// for the worker pool, one at a time; the rest is loop 0's.
#ifndef SERVER_JOB_H
#define SERVER_JOB_H

#include "admin/live.h"
#include "server/setting.h"

struct server;

enum job_cause {
    JOB_START,  // what was loaded at the start is recorded
    JOB_LOOK,   // a watched file changed, or may have
    JOB_SIGNAL, // SIGHUP
    JOB_LIVE,   // live changes or secrets were written by another process
    JOB_VAULT,  // a secret of Vault's changed
    JOB_WISH,   // asked for by the control plane
};
struct job {
    enum job_cause cause;
    struct admin_wish *wish; // JOB_WISH; JOB_LIVE: `asked`, when a command asked
    struct admin_wish asked;
    int64_t asked_id; // of its row; 0 = none
    uint64_t stamp;   // of the watched files as they were last read
    bool again;       // JOB_LOOK: even if they are the same: they were refused
    // Results.
    bool unchanged; // JOB_LOOK: no watched file differs
    bool ok;
    struct err err;
    struct conf_problems problems;
    struct setting *setting;
    struct conf_changes changes;
    size_t restarts;
    uint64_t new_stamp;
    int64_t version;
    bool added;               // a version was recorded
    struct err models_missed; // why the catalogue of models is the old one; ERR_COUNT: it is not
    struct str models, shown; // WISH_MODELS: what came of it, as JSON and for people
    struct arena arena;
};
void job_begin(struct job *job, enum job_cause cause, struct admin_wish *wish, uint64_t stamp);
void job_run(struct server *s, struct sql *db, struct job *job);
void job_end(struct job *job);
// "api: change", "file", "signal", …: for logs, events and the history.
const char *job_cause_name(const struct job *job);
struct str job_actor(const struct job *job);
// What the watched files look like now.
uint64_t job_stamp(const struct conf *conf);

#endif
