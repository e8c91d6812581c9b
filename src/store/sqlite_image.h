// Builds, in memory, the bytes of a SQLite database that holds one table of integers.
//
// SQLite copies rows from one table into another of the same shape as they lie, without running a program for each
// column: a quarter of the cost of an INSERT a row. The driver hands such an image to sqlite3_deserialize and copies
// from it. Format: https://sqlite.org/fileformat2.html, which is stable. Ownership: the image owns its bytes; those
// that image_finish gives are valid until the next call. Thread rule: one thread. Errors: false = no memory, rows out
// of order, or more of them than one image takes; the image is to be cleared then.
#ifndef STORE_SQLITE_IMAGE_H
#define STORE_SQLITE_IMAGE_H

#include "base/str.h"
#include "base/vec.h"

#define SQLITE_IMAGE_COLUMNS_MAX 64

struct sqlite_image {
    unsigned char *p;       // pages: the schema's, the root, the leaves
    size_t cap;             // pages
    VEC(int64_t) last_keys; // of each leaf that is full
    size_t rows;
    int64_t key; // of the row added last
    unsigned columns;
    unsigned cells, top; // of the leaf in the making: rows in it, where the lowest begins
};

// columns: 2 … SQLITE_IMAGE_COLUMNS_MAX.
static inline void image_init(struct sqlite_image *image, unsigned columns) {
    *image = (struct sqlite_image){.columns = columns};
}
void image_free(struct sqlite_image *image);
// Empties it and keeps its memory.
void image_clear(struct sqlite_image *image);
// values[0] is the row's INTEGER PRIMARY KEY, larger than the one before. Bit i of nulls: column i is NULL.
NODISCARD bool image_add(struct sqlite_image *image, const int64_t *values, uint64_t nulls);
// create: the text of its CREATE TABLE statement. There must be a row.
NODISCARD bool image_finish(struct sqlite_image *image, struct str table, struct str create, struct str *out_bytes);

#endif
