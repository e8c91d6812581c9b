// The lines of a batch's file: how they are read out of it, and what a line must be.
//
// Ownership: texts are the reader's until its next line, or the arena's. Thread rule: the connection's. Errors: those
// of stored_file.h; ERR_BODY_TOO_LARGE for a line that is longer than max; faults of lines are values.
#ifndef GATEWAY_BATCH_ITEM_H
#define GATEWAY_BATCH_ITEM_H

#include "base/map.h"
#include "store/batch.h"

#define BATCH_CUSTOM_ID_MAX 512
#define BATCH_FAULTS_MAX 100 // that are told

// --- reading ---

struct batch_reader {
    const struct datadir *dir;
    int64_t tenant, file, piece;
    struct buf buf;
    size_t at;
    int64_t line; // the number of the line read last, from 1
    bool at_end;
};
void batch_reader_init(struct batch_reader *r, const struct datadir *dir, int64_t tenant, int64_t file,
                       size_t max_line);
void batch_reader_free(struct batch_reader *r);
// The next line that is not blank. *out_line: p is NULL at the end of the file.
NODISCARD bool batch_reader_next(struct batch_reader *r, struct sql *db, struct str *out_line, struct err *err);

// --- a line ---

struct batch_item {
    struct str custom_id; // decoded
    struct str body;      // a JSON object, as it stands
};
struct batch_fault {
    const char *code, *param; // param NULL = none
    char message[300];
};
// Paths that a batch may be for.
bool batch_endpoint_known(struct str path);
// {"custom_id","method":"POST","url","body":{…}}, of the batch's endpoint.
NODISCARD bool batch_item_read(struct str line, struct str endpoint, struct arena *arena, struct batch_item *out_item,
                               struct batch_fault *out_fault);

// --- all lines ---

struct batch_check {
    struct str endpoint;
    int64_t max_lines, lines;
    struct arena arena; // ids
    struct map ids;
    struct buf faults; // JSON array, not yet closed
    size_t n_faults;
};
void batch_check_init(struct batch_check *check, struct str endpoint, int64_t max_lines);
void batch_check_free(struct batch_check *check);
// False: no more lines need be looked at, or memory is out (then faults is failed).
bool batch_check_line(struct batch_check *check, int64_t number, struct str line);
void batch_check_fault(struct batch_check *check, int64_t number, const struct batch_fault *fault);
// After the last line. Returns the faults as a JSON array; empty: all is well.
struct str batch_check_end(struct batch_check *check);

#endif
