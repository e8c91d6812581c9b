// Files that clients put in or batches give out: a row each, and their bytes in sealed pieces.
//
// A file is made in three steps, each a transaction of its own: begin, add for each piece, finish; until then nobody
// sees it, and what was left in the middle goes after an hour. Whose it is: a tenant's, and within it of one place, the
// project of the key that made it, or else that key's owner, or else the tenant at large.
//
// Ownership: texts read are the arena's or the caller's buf. Thread rule: the connection's; blocks. Units: bytes, unix
// nanoseconds, 0 = never. Errors: those of sql.h and sealed.h; ERR_NOT_FOUND; ERR_QUOTA_EXCEEDED when the tenant's
// files are too large together; ERR_WRONG_STATE for a file that a batch still needs.
#ifndef STORE_STORED_FILE_H
#define STORE_STORED_FILE_H

#include "base/arena.h"
#include "base/text.h"
#include "store/datadir.h"
#include "store/sql.h"

#define STORED_FILE_PIECE ((size_t)256 * 1024) // of each piece but the last
#define STORED_FILE_PIECES_MAX (INT64_C(1) << 20)
#define STORED_FILE_LEAST 4096                  // bytes that any file counts for in a limit: its row is there too
#define STORED_FILE_ID_LEN (5 + BASE32_U64_LEN) // "file-" and 13 digits of base 32

// Whose row, within a tenant.
enum store_place_kind { STORE_PLACE_TENANT, STORE_PLACE_PROJECT, STORE_PLACE_USER, STORE_PLACE_SERVICE_ACCOUNT };
struct store_place {
    int64_t kind, id; // enum store_place_kind; id 0: the tenant at large
};

struct stored_file {
    int64_t id, key_id, created_at, expires_at, bytes;
    struct store_place place;
    struct str purpose, name;
};

// Sets id; no other than an incomplete file is there then. max_total: of the tenant's files together; 0 = any.
NODISCARD bool stored_file_begin(struct sql_scope scope, struct stored_file *file, int64_t max_total, struct err *err);
// n: 0, 1, …; all of STORED_FILE_PIECE bytes but the last.
NODISCARD bool stored_file_add(struct sql_scope scope, const struct datadir *dir, int64_t id, int64_t n,
                               struct str bytes, struct err *err);
// bytes: what came together, where begin did not know.
NODISCARD bool stored_file_finish(struct sql_scope scope, int64_t id, int64_t bytes, struct err *err);

// place NULL: of any.
NODISCARD bool stored_file_get(struct sql_scope scope, const struct store_place *place, int64_t id, int64_t now_ns,
                               struct arena *arena, struct stored_file *out_file, struct err *err);
// Appends a piece. ERR_NOT_FOUND: there is none of this number.
NODISCARD bool stored_file_piece(struct sql_scope scope, const struct datadir *dir, int64_t id, int64_t n,
                                 struct buf *out, struct err *err);
struct stored_file_list {
    struct store_place place;
    struct str purpose; // empty = any
    int64_t after;      // an id; 0 = from the start
    bool oldest_first;
    int64_t limit, now_ns;
};
typedef bool stored_file_visit(void *arg, const struct stored_file *file, struct err *err);
NODISCARD bool stored_file_each(struct sql_scope scope, const struct stored_file_list *list, stored_file_visit *visit,
                                void *arg, struct err *err);
NODISCARD bool stored_file_delete(struct sql_scope scope, const struct store_place *place, int64_t id, struct err *err);
// Deletes what has expired and what was left in the middle; a few files a call. *out_more: there may be more.
NODISCARD bool stored_files_tidy(struct sql *db, int64_t now_ns, bool *out_more, struct err *err);

void stored_file_id_text(char out[STORED_FILE_ID_LEN], int64_t id);
NODISCARD bool stored_file_id_parse(struct str text, int64_t *out_id);

#endif
