// The file format of SQLite, as far as a table of integers needs it.
#include "store/sqlite_image.h"

// Large pages: fewer to build and to read, and one root page above the leaves is always enough.
#define PAGE 16384U
#define LEAF_HEADER 8U
#define ROOT_HEADER 12U
#define FILE_HEADER 100U
enum { KIND_INTERIOR = 5, KIND_LEAF = 13 };
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
    *header++ = 0; // the key is the cell's, not the record's
    for (unsigned i = 1; i < columns; i++)
        *header++ = (nulls >> i & 1) ? (unsigned char)0 : put_integer(&body, values[i]);
    return (unsigned)(body - p);
}

void image_free(struct sqlite_image *image) {
    mem_free(image->p);
    vec_free(&image->last_keys);
    image_init(image, image->columns);
}

void image_clear(struct sqlite_image *image) {
    image->last_keys.n = image->rows = 0;
    image->cells = image->top = 0;
}

static unsigned char *page_at(const struct sqlite_image *image, size_t page) { return image->p + page * PAGE; }

// The schema's page, the root, then the leaves. The root's number is the same in every image, so that a statement that
// was prepared over one is right for the next.
enum { PAGE_ROOT = 1, PAGE_LEAVES = 2 };
// The leaf in the making comes after those that are full.
static unsigned char *leaf(const struct sqlite_image *image) {
    return page_at(image, PAGE_LEAVES + image->last_keys.n);
}

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

static bool leaf_next(struct sqlite_image *image) {
    if (image->cells) {
        page_end(leaf(image), image->cells, image->top);
        if (image->last_keys.n + 1 >= LEAVES_MAX || !vec_push(&image->last_keys, image->key)) return false;
    }
    if (!reserve(image, PAGE_LEAVES + image->last_keys.n + 1)) return false;
    page_begin(leaf(image), KIND_LEAF);
    image->cells = 0;
    image->top = PAGE;
    return true;
}

bool image_add(struct sqlite_image *image, const int64_t *values, uint64_t nulls) {
    unsigned char record[RECORD_MAX + 8], cell[CELL_MAX + 8];
    INVARIANT(image->columns >= 2 && image->columns <= SQLITE_IMAGE_COLUMNS_MAX);
    if (image->rows && values[0] <= image->key) return false;
    unsigned size = record_put(record, image->columns, values, nulls);
    unsigned n = put_varint(cell, size);
    n += put_varint(cell + n, (uint64_t)values[0]);
    memcpy(cell + n, record, size);
    n += size;
    if (image->rows == 0 || image->top < LEAF_HEADER + 2 * (image->cells + 1) + n)
        if (!leaf_next(image)) return false;
    image->top -= n;
    memcpy(leaf(image) + image->top, cell, n);
    put_be(leaf(image) + LEAF_HEADER + 2 * image->cells, image->top, 2);
    image->cells++;
    image->rows++;
    image->key = values[0];
    return true;
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

// The one row of sqlite_schema: type, name, tbl_name, rootpage, sql.
static bool schema_put(unsigned char *p, struct str table, struct str create) {
    if (table.n > 100 || create.n > PAGE / 2) return false;
    unsigned char types[24], *cell = p + PAGE;
    unsigned n = 1;
    n += put_varint(types + n, 13 + 2 * STR("table").n);
    n += put_varint(types + n, 13 + 2 * table.n);
    n += put_varint(types + n, 13 + 2 * table.n);
    types[n++] = 4;
    n += put_varint(types + n, 13 + 2 * create.n);
    types[0] = (unsigned char)n;
    size_t size = n + STR("table").n + 2 * table.n + 4 + create.n;
    unsigned char head[2 * VARINT_MAX];
    unsigned head_n = put_varint(head, size);
    head_n += put_varint(head + head_n, 1);
    cell -= size + head_n;
    unsigned top = (unsigned)(cell - p);
    memcpy(cell, head, head_n);
    memcpy(cell += head_n, types, n);
    memcpy(cell += n, "table", 5);
    memcpy(cell += 5, table.p, table.n);
    memcpy(cell += table.n, table.p, table.n);
    put_be(cell += table.n, PAGE_ROOT + 1, 4);
    memcpy(cell + 4, create.p, create.n);
    page_begin(p + FILE_HEADER, KIND_LEAF);
    page_end(p + FILE_HEADER, 1, top);
    put_be(p + FILE_HEADER + LEAF_HEADER, top, 2);
    return true;
}

bool image_finish(struct sqlite_image *image, struct str table, struct str create, struct str *out_bytes) {
    INVARIANT(image->rows);
    size_t full = image->last_keys.n;
    size_t pages = full ? PAGE_LEAVES + full + 1 : PAGE_LEAVES;
    page_end(leaf(image), image->cells, image->top);
    if (full)
        root_put(image);
    else
        memcpy(page_at(image, PAGE_ROOT), leaf(image), PAGE); // a single leaf is the root itself
    file_header_put(image->p, pages);
    if (!schema_put(image->p, table, create)) return false;
    *out_bytes = str_of((const char *)image->p, pages * PAGE);
    return true;
}
