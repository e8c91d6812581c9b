// Sends audit events on: to syslog servers, files and webhooks that `audit.sinks` of the configuration names.
//
// Each sink has a thread and, for each chain, a cursor in the database: the number up to which it was told. Events are
// sent in the order of their chain, each at least once, over outages and restarts: a cursor moves on only when a file
// is on the disk, a webhook has answered with 2xx, or a stream's peer has acknowledged the bytes and the connection has
// lived on for AUDIT_SINK_SETTLE_NS. What was sent within that time before a connection broke is sent again; tenant and
// number in each event tell the copies. Of several servers on one database one tells a sink; another takes over within
// seconds when that one ends. Syslog: RFC 5424, over streams with octet counting (RFC 6587, RFC 5425).
//
// Ownership: audit_sinks_start … audit_sinks_end; the options' parts are borrowed; fetch_global_begin comes before.
// Thread rule: any thread; nothing waits for a sink. Errors: those of starting; outages are logged when they begin and
// when they end.
#ifndef GOVERN_AUDIT_SINK_H
#define GOVERN_AUDIT_SINK_H

#include "conf/conf.h"
#include "govern/audit_format.h"
#include "obs/log.h"
#include "store/datadir.h"

#define AUDIT_SINK_SETTLE_NS ((uint64_t)1000000000)

struct audit_sinks;
struct audit_sinks_options {
    const struct datadir *dir;
    struct log *log;
    struct str version;              // the program's
    struct conf *(*conf)(void *ctx); // the configuration in force, with a reference; any thread
    void *ctx;
};
NODISCARD bool audit_sinks_start(const struct audit_sinks_options *options, struct audit_sinks **out_sinks,
                                 struct err *err);
// Within a few seconds; what was not sent follows at the next start. NULL is fine.
void audit_sinks_end(struct audit_sinks *sinks);

// One event as a syslog message of RFC 5424, without framing.
void audit_put_syslog(struct buf *out, const struct audit_record *record, int facility, enum audit_format format,
                      struct str version);

#endif
