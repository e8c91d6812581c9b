// Builds, in memory, the bytes of a SQLite database that holds one table of integers, with one index or none.
//
// SQLite copies rows from one table into another of the same shape, with the same indexes, as they lie, without running
// a program for each column: a quarter of the cost of an INSERT a row. The driver hands such an image to
// sqlite3_deserialize and copies from it. Format: https://sqlite.org/fileformat2.html, which is stable. Ownership: the
// image owns its bytes; those that image_finish gives are valid until the next call. Thread rule: one thread. Errors:
// false = no memory, rows out of order, NULL in an index, or more rows than one image takes; the image is to be cleared
// then.
#ifndef STORE_SQLITE_IMAGE_H
#define STORE_SQLITE_IMAGE_H

#include "base/str.h"
#include "base/vec.h"

#define SQLITE_IMAGE_COLUMNS_MAX 64
#define SQLITE_INDEX_COLUMNS_MAX 3

struct sqlite_index {
    unsigned n; // columns, 0: there is no index
    unsigned columns[SQLITE_INDEX_COLUMNS_MAX];
};
// What an index has of a row: its columns, then the row's key.
struct sqlite_index_entry {
    int64_t v[SQLITE_INDEX_COLUMNS_MAX + 1];
};

struct sqlite_image {
    unsigned char *p;       // pages: the schema's, the two roots, the leaves
    size_t cap;             // pages
    VEC(int64_t) last_keys; // of each leaf that is full
    VEC(struct sqlite_index_entry) entries;
    size_t rows;
    int64_t key; // of the row added last
    unsigned columns;
    struct sqlite_index index; // of its columns none is NULL, and all go up
    size_t page;               // the leaf in the making
    unsigned cells, top;       // rows in it, where the lowest begins
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
// Names, and the texts of the CREATE statements; those of the index are empty when there is none. There must be a row.
struct sqlite_image_names {
    struct str table, create, index, create_index;
};
NODISCARD bool image_finish(struct sqlite_image *image, const struct sqlite_image_names *names, struct str *out_bytes);

#endif
