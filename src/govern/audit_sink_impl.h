// What a sink sends to: a syslog server, a file or a webhook behind one face.
//
// Ownership: sink_end_open … sink_end_close, which also accepts a zeroed one. Thread rule: the sink's thread. Errors:
// whatever kept an event from being delivered.
#ifndef GOVERN_AUDIT_SINK_IMPL_H
#define GOVERN_AUDIT_SINK_IMPL_H

#include "base/vec.h"
#include "govern/audit_sink.h"
#include "net/outlet.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"

struct sink_end {
    bool open;
    int type; // enum audit_sink_type
    struct outlet outlet;
    struct file file;
    uint64_t size;
    struct buf out; // lines not yet written to the file; the message at hand
};
NODISCARD bool sink_end_open(struct sink_end *end, const struct conf_audit_sink *conf, struct err *err);
NODISCARD bool sink_end_send(struct sink_end *end, const struct conf_audit_sink *conf,
                             const struct audit_record *record, struct str version, atomic_bool *stop, struct err *err);
// What was sent is on its way, or on the disk.
NODISCARD bool sink_end_flush(struct sink_end *end, struct err *err);
bool sink_end_alive(struct sink_end *end);
// The peer has all that was sent, as far as can be known.
bool sink_end_delivered(struct sink_end *end);
// Whether that is sure only after the connection has lived on.
bool sink_end_settles(const struct sink_end *end);
void sink_end_close(struct sink_end *end);
// A hash of all that decides what it is.
uint64_t sink_end_settings(const struct conf_audit_sink *conf);

#endif
