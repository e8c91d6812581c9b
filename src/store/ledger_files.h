// The segment files in a ledger's folder: listing, reading whole, setting damaged ones aside.
//
// Ownership: lists and buffers are the caller's. Thread rule: any; blocks. Errors: those of os/file.h.
#ifndef STORE_LEDGER_FILES_H
#define STORE_LEDGER_FILES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

#define LEDGER_PATH_MAX 8192

struct ledger_numbers {
    VEC(uint64_t) list;
};

// DATA/wal into *out.
NODISCARD bool ledger_wal_dir(struct buf *out, struct str data_dir, struct err *err);
// DATABASE, or DATA/penstock.db when that is empty, into *out.
NODISCARD bool ledger_database(struct buf *out, struct str data_dir, struct str database, struct err *err);
// The numbers of the segments in the folder, ascending; none when it is absent.
NODISCARD bool ledger_files_list(struct str dir, struct ledger_numbers *out_numbers, struct err *err);
// Replaces *out by the file's bytes.
NODISCARD bool ledger_file_read(struct str dir, uint64_t number, struct buf *out, struct err *err);
NODISCARD bool ledger_file_remove(struct str dir, uint64_t number, struct err *err);
// Moves the file into DIR/quarantine, where the newest LEDGER_QUARANTINE_MAX are kept.
#define LEDGER_QUARANTINE_MAX 64
NODISCARD bool ledger_file_quarantine(struct str dir, uint64_t number, struct err *err);

#endif
