// The file format of SQLite, as far as a table of integers and its index need it.
#include "store/sqlite_image.h"

#include <stdlib.h>

// Large pages: fewer to build and to read, and one root page above the leaves is always enough.
#define PAGE 16384U
#define LEAF_HEADER 8U
#define ROOT_HEADER 12U
#define FILE_HEADER 100U
enum { KIND_INDEX_INTERIOR = 2, KIND_INTERIOR = 5, KIND_INDEX_LEAF = 10, KIND_LEAF = 13 };
#define VARINT_MAX 9U
// A root's cell is a page number, a key and a place in the array of cells.
#define LEAVES_MAX ((PAGE - ROOT_HEADER) / (4 + VARINT_MAX + 2))
// The header's length fits one byte as long as there are fewer than 127 columns.
#define RECORD_MAX (1 + SQLITE_IMAGE_COLUMNS_MAX + 8 * SQLITE_IMAGE_COLUMNS_MAX)
#define CELL_MAX (2 * VARINT_MAX + RECORD_MAX)

static void put_be(unsigned char *p, uint64_t v, unsigned bytes) {
    for (; bytes--; v >>= 8) p[bytes] = (unsigned char)v;
}

// Most significant group first; a ninth byte has all its eight bits.
static unsigned put_varint(unsigned char *p, uint64_t v) {
    if (v < 0x80) {
        p[0] = (unsigned char)v;
        return 1;
    }
    if (v >> 56) {
        p[8] = (unsigned char)v;
        v >>= 8;
        for (unsigned i = 8; i--; v >>= 7) p[i] = (unsigned char)(v | 0x80);
        return 9;
    }
    unsigned n = (70 - (unsigned)__builtin_clzll(v)) / 7;
    p[n - 1] = v & 0x7f;
    for (unsigned i = n - 1; i--;) {
        v >>= 7;
        p[i] = (unsigned char)(v | 0x80);
    }
    return n;
}

// Writes up to 8 bytes at *body, of which it advances over those that count; returns the serial type.
static inline unsigned char put_integer(unsigned char **body, int64_t v) {
    // By the number of bytes that hold the value with its sign: how many are stored, and what that is called.
    static const unsigned char size[9] = {1, 1, 2, 3, 4, 6, 6, 8, 8}, type[9] = {1, 1, 2, 3, 4, 5, 5, 6, 6};
    if (v == 0 || v == 1) return (unsigned char)(8 + v);
    uint64_t magnitude = (uint64_t)(v ^ (v >> 63));
    unsigned need = (72 - (unsigned)__builtin_clzll(magnitude | 1)) / 8;
    unsigned n = size[need];
    uint64_t be = (uint64_t)v << (64 - 8 * n);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    be = __builtin_bswap64(be);
#endif
    memcpy(*body, &be, 8);
    *body += n;
    return type[need];
}

static unsigned record_put(unsigned char *p, unsigned columns, const int64_t *values, uint64_t nulls) {
    unsigned char *header = p + 1, *body = p + 1 + columns;
    p[0] = (unsigned char)(1 + columns);
    for (unsigned i = 0; i < columns; i++)
        *header++ = (nulls >> i & 1) ? (unsigned char)0 : put_integer(&body, values[i]);
    return (unsigned)(body - p);
}

void image_free(struct sqlite_image *image) {
    mem_free(image->p);
    vec_free(&image->last_keys);
    vec_free(&image->entries);
    image_init(image, image->columns);
}

void image_clear(struct sqlite_image *image) {
    image->last_keys.n = image->entries.n = image->rows = 0;
    image->cells = image->top = 0;
}

static unsigned char *page_at(const struct sqlite_image *image, size_t page) { return image->p + page * PAGE; }

// The schema's page, the roots, then the table's leaves, then the index's. A root's number is the same in every image,
// so that a statement that was prepared over one is right for the next.
enum { PAGE_ROOT = 1, PAGE_INDEX_ROOT = 2, PAGE_LEAVES = 3 };
static unsigned char *leaf(const struct sqlite_image *image) { return page_at(image, image->page); }

static bool reserve(struct sqlite_image *image, size_t pages) {
    if (pages <= image->cap) return true;
    size_t cap = MAX(pages, image->cap + image->cap / 2);
    unsigned char *p = mem_realloc(image->p, cap * PAGE);
    if (!p) return false;
    image->p = p;
    image->cap = cap;
    return true;
}

static void page_begin(unsigned char *page, unsigned kind) {
    memset(page, 0, LEAF_HEADER);
    page[0] = (unsigned char)kind;
}

static void page_end(unsigned char *page, unsigned cells, unsigned top) {
    put_be(page + 3, cells, 2);
    put_be(page + 5, top, 2);
}

static bool leaf_begin(struct sqlite_image *image, size_t page, unsigned kind) {
    if (!reserve(image, page + 1)) return false;
    image->page = page;
    image->cells = 0;
    image->top = PAGE;
    page_begin(leaf(image), kind);
    return true;
}

static bool leaf_takes(const struct sqlite_image *image, unsigned n) {
    return image->top >= LEAF_HEADER + 2 * (image->cells + 1) + n;
}

static void leaf_put(struct sqlite_image *image, const unsigned char *cell, unsigned n) {
    image->top -= n;
    memcpy(leaf(image) + image->top, cell, n);
    put_be(leaf(image) + LEAF_HEADER + 2 * image->cells, image->top, 2);
    image->cells++;
}

static bool leaf_next(struct sqlite_image *image) {
    if (image->cells) {
        page_end(leaf(image), image->cells, image->top);
        if (image->last_keys.n + 1 >= LEAVES_MAX || !vec_push(&image->last_keys, image->key)) return false;
    }
    return leaf_begin(image, PAGE_LEAVES + image->last_keys.n, KIND_LEAF);
}

static bool entry_add(struct sqlite_image *image, const int64_t *values, uint64_t nulls) {
    struct sqlite_index_entry e = {0};
    unsigned n = image->index.n;
    for (unsigned i = 0; i < n; i++) {
        if (nulls >> image->index.columns[i] & 1) return false;
        e.v[i] = values[image->index.columns[i]];
    }
    e.v[n] = values[0];
    return !n || vec_push(&image->entries, e);
}

bool image_add(struct sqlite_image *image, const int64_t *values, uint64_t nulls) {
    unsigned char record[RECORD_MAX + 8], cell[CELL_MAX + 8];
    INVARIANT(image->columns >= 2 && image->columns <= SQLITE_IMAGE_COLUMNS_MAX);
    if (image->rows && values[0] <= image->key) return false;
    unsigned size = record_put(record, image->columns, values, nulls | 1); // the key is the cell's, not the record's
    unsigned n = put_varint(cell, size);
    n += put_varint(cell + n, (uint64_t)values[0]);
    memcpy(cell + n, record, size);
    n += size;
    if (image->rows == 0 || !leaf_takes(image, n))
        if (!leaf_next(image)) return false;
    leaf_put(image, cell, n);
    image->rows++;
    image->key = values[0];
    return entry_add(image, values, nulls);
}

// Above the leaves: each but the last with the key it ends at.
static void root_put(struct sqlite_image *image) {
    size_t full = image->last_keys.n;
    unsigned char *page = page_at(image, PAGE_ROOT);
    unsigned top = PAGE;
    page_begin(page, KIND_INTERIOR);
    for (size_t i = 0; i < full; i++) {
        unsigned char cell[4 + VARINT_MAX];
        put_be(cell, PAGE_LEAVES + 1 + i, 4); // pages are numbered from 1
        unsigned n = 4 + put_varint(cell + 4, (uint64_t)image->last_keys.p[i]);
        top -= n;
        memcpy(page + top, cell, n);
        put_be(page + ROOT_HEADER + 2 * i, top, 2);
    }
    page_end(page, (unsigned)full, top);
    put_be(page + LEAF_HEADER, PAGE_LEAVES + 1 + full, 4);
}

static int entry_order(const void *a, const void *b) {
    const struct sqlite_index_entry *x = a, *y = b;
    for (size_t i = 0; i < ARRAY_LEN(x->v); i++)
        if (x->v[i] != y->v[i]) return x->v[i] < y->v[i] ? -1 : 1;
    return 0;
}

// Rows mostly come in the order of the index too.
static void entries_sort(struct sqlite_image *image) {
    struct sqlite_index_entry *e = image->entries.p;
    size_t n = image->entries.n, i = 1;
    while (i < n && entry_order(&e[i - 1], &e[i]) < 0) i++;
    if (i < n) qsort(e, n, sizeof *e, entry_order);
}

// The last cell of a leaf that is full goes up, to stand between it and the next. False: the root is full.
static bool entry_rise(struct sqlite_image *image, unsigned n, unsigned *cells, unsigned *top) {
    unsigned char *root = page_at(image, PAGE_INDEX_ROOT);
    if (*top < ROOT_HEADER + 2 * (*cells + 1) + 4 + n) return false;
    *top -= 4 + n;
    put_be(root + *top, image->page + 1, 4);
    memcpy(root + *top + 4, leaf(image) + image->top, n);
    put_be(root + ROOT_HEADER + 2 * *cells, *top, 2);
    ++*cells;
    page_end(leaf(image), image->cells - 1, image->top + n);
    return true;
}

// From page `first` on; *out_pages: where they end.
static bool index_put(struct sqlite_image *image, size_t first, size_t *out_pages) {
    unsigned char cell[1 + RECORD_MAX + 8];
    unsigned n = 0, root_cells = 0, root_top = PAGE, columns = image->index.n + 1;
    entries_sort(image);
    if (!leaf_begin(image, first, KIND_INDEX_LEAF)) return false;
    for (size_t i = 0; i < image->entries.n; i++) {
        unsigned before = n;
        n = 1 + record_put(cell + 1, columns, image->entries.p[i].v, 0);
        cell[0] = (unsigned char)(n - 1); // of so few columns, less than 128
        if (!leaf_takes(image, n) &&
            !(entry_rise(image, before, &root_cells, &root_top) && leaf_begin(image, image->page + 1, KIND_INDEX_LEAF)))
            return false;
        leaf_put(image, cell, n);
    }
    page_end(leaf(image), image->cells, image->top);
    unsigned char *root = page_at(image, PAGE_INDEX_ROOT);
    *out_pages = root_cells ? image->page + 1 : first;
    if (root_cells) {
        page_begin(root, KIND_INDEX_INTERIOR);
        page_end(root, root_cells, root_top);
        put_be(root + LEAF_HEADER, image->page + 1, 4);
    } else {
        memcpy(root, leaf(image), PAGE);
    }
    return true;
}

static void file_header_put(unsigned char *p, size_t pages) {
    memset(p, 0, FILE_HEADER);
    memcpy(p, "SQLite format 3", 16);
    put_be(p + 16, PAGE, 2);
    p[18] = p[19] = 1;                  // no write-ahead log
    p[21] = 64, p[22] = 32, p[23] = 32; // fixed by the format
    put_be(p + 24, 1, 4);               // change counter
    put_be(p + 28, pages, 4);
    put_be(p + 40, 1, 4);       // schema cookie
    put_be(p + 44, 4, 4);       // schema format: the one with types for 0 and 1
    put_be(p + 56, 1, 4);       // UTF-8
    put_be(p + 92, 1, 4);       // the change counter that the next number goes with
    put_be(p + 96, 3040001, 4); // the library that wrote it last
}

// A row of sqlite_schema: type, name, tbl_name, rootpage, sql.
static bool schema_row_put(unsigned char *page, unsigned row, unsigned *top, struct str type, struct str name,
                           struct str table, unsigned root, struct str create) {
    if (name.n > 100 || table.n > 100 || create.n > PAGE / 3) return false;
    unsigned char types[24], head[2 * VARINT_MAX], *cell;
    unsigned n = 1;
    n += put_varint(types + n, 13 + 2 * type.n);
    n += put_varint(types + n, 13 + 2 * name.n);
    n += put_varint(types + n, 13 + 2 * table.n);
    types[n++] = 4;
    n += put_varint(types + n, 13 + 2 * create.n);
    types[0] = (unsigned char)n;
    size_t size = n + type.n + name.n + table.n + 4 + create.n;
    unsigned head_n = put_varint(head, size);
    head_n += put_varint(head + head_n, row);
    *top -= (unsigned)size + head_n;
    cell = page + *top;
    memcpy(cell, head, head_n);
    memcpy(cell += head_n, types, n);
    memcpy(cell += n, type.p, type.n);
    memcpy(cell += type.n, name.p, name.n);
    memcpy(cell += name.n, table.p, table.n);
    put_be(cell += table.n, root + 1, 4);
    memcpy(cell + 4, create.p, create.n);
    put_be(page + FILE_HEADER + LEAF_HEADER + 2 * (row - 1), *top, 2);
    return true;
}

static bool schema_put(unsigned char *page, const struct sqlite_image_names *names) {
    unsigned top = PAGE, rows = names->index.n ? 2 : 1;
    page_begin(page + FILE_HEADER, KIND_LEAF);
    if (!schema_row_put(page, 1, &top, STR("table"), names->table, names->table, PAGE_ROOT, names->create))
        return false;
    if (rows == 2 &&
        !schema_row_put(page, 2, &top, STR("index"), names->index, names->table, PAGE_INDEX_ROOT, names->create_index))
        return false;
    page_end(page + FILE_HEADER, rows, top);
    return true;
}

bool image_finish(struct sqlite_image *image, const struct sqlite_image_names *names, struct str *out_bytes) {
    INVARIANT(image->rows);
    size_t full = image->last_keys.n, pages = full ? image->page + 1 : PAGE_LEAVES;
    page_end(leaf(image), image->cells, image->top);
    if (full)
        root_put(image);
    else
        memcpy(page_at(image, PAGE_ROOT), leaf(image), PAGE); // a single leaf is the root itself
    if (image->index.n && !index_put(image, pages, &pages)) return false;
    file_header_put(image->p, pages);
    if (!schema_put(image->p, names)) return false;
    *out_bytes = str_of((const char *)image->p, pages * PAGE);
    return true;
}
