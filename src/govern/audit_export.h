// Exports a tenant's audit trail, and verifies such an export without a database.
//
// JSONL of a whole chain carries what it takes to prove it, one object a line: the export itself ("export": tenant, the
// number it begins at, the hash before it), the keys ("key"), the events ("event"), each checkpoint after its event
// ("checkpoint"), and the head ("head"). An export of a search has events only and says so ("complete":false). Several
// exports may follow one another in a file.
//
// Ownership: audit_file_begin … audit_file_free. Thread rule: one thread each. Errors: those of sql.h; what is wrong
// with a file is a fault, not an error.
#ifndef GOVERN_AUDIT_EXPORT_H
#define GOVERN_AUDIT_EXPORT_H

#include "govern/audit_format.h"
#include "store/audit_query.h"
#include "store/audit_verify.h"

// Takes the text piece by piece; false with *err set ends the export.
typedef bool audit_write(void *arg, struct str bytes, struct err *err);
struct audit_export {
    enum audit_format format;
    const struct audit_query *search; // NULL: the whole chain, in its order; else what it finds, newest first
    int64_t since;                    // of the whole chain: events from this number on; 0 = all
    struct str version;               // the program's
};
NODISCARD bool audit_export(struct sql_scope scope, const struct audit_export *options, audit_write *write, void *arg,
                            struct err *err);

#define AUDIT_LINE_MAX ((size_t)1 << 20)
struct audit_file {
    const unsigned char *key; // the trusted public key; NULL: the newest of the file's own
    struct audit_keyset keys;
    struct audit_verifier v;
    struct audit_verdict verdict;
    struct buf line, again;
    uint64_t number; // of the line
    bool in_chain, trusted;
};
void audit_file_begin(struct audit_file *f, const unsigned char *key);
// The next bytes of the file; false when a fault was found, or *err (code set) is out of memory.
NODISCARD bool audit_file_put(struct audit_file *f, struct str bytes, struct err *err);
// At the end: the verdict; whether its key was the file's own is for the caller to tell.
void audit_file_end(struct audit_file *f, struct audit_verdict *out_verdict);
void audit_file_free(struct audit_file *f);
// 64 hexadecimal digits.
NODISCARD bool audit_key_parse(struct str text, unsigned char out_key[AUDIT_KEY_SIZE]);

#endif
