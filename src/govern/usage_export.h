// Writes what was used to files, one for each period: usage-20261121T080000Z.csv.
//
// A file is written once its period is over, by one of the servers over a database, and appears whole or not at all.
// Requests that end after it was written have it written anew, until USAGE_EXPORT_BACK_NS after it. What was missed
// while no server ran is made up for. Ownership: none is kept. Thread rule: blocks: a worker thread, one at a time.
// Errors: those of sql.h and os/file.h; what was written by then stays.
#ifndef GOVERN_USAGE_EXPORT_H
#define GOVERN_USAGE_EXPORT_H

#include "conf/conf.h"
#include "store/datadir.h"

#define USAGE_EXPORT_WAIT_NS (INT64_C(60) * 1000000000) // after the period's end
#define USAGE_EXPORT_BACK_NS (INT64_C(48) * 3600 * 1000000000)

struct usage_exported {
    uint64_t files;
    bool holds; // this server writes them
};
// Writes what is due; nothing without usage.export.path.
NODISCARD bool usage_export_run(const struct datadir *dir, const struct conf *conf, int64_t now,
                                struct usage_exported *out_exported, struct err *err);
// When to run it next: in a minute, or when a period has just ended.
int64_t usage_export_next(const struct conf *conf, int64_t now);

#endif
