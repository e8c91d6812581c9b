// What the files of entity share: SQL put together from field tables, values bound and read.
//
// Ownership, threads, errors: as in entity.h.
#ifndef STORE_ENTITY_IMPL_H
#define STORE_ENTITY_IMPL_H

#include "store/entity.h"

#include <stdio.h>

#define ENTITY_SQL_MAX 32768
#define ENTITY_TEXT_MAX 1024  // bytes of a text without a limit of its own
#define ENTITY_ITEMS_MAX 256  // of lists
#define ENTITY_ITEM_MAX 256   // bytes of an item
#define ENTITY_PAIRS_MAX 64   // of maps
#define ENTITY_MAP_KEY_MAX 64 // bytes

static inline struct str entity_sql_name(const struct entity_field *f) { return f->column.n ? f->column : f->name; }
// The placeholder that follows those of the scope: a tenant is ?1.
static inline int entity_first(struct sql_scope scope) { return scope.tenant == SQL_PLATFORM ? 1 : 2; }
// "tenant_id = ?1", or what is always true for the platform.
void entity_put_scope(struct buf *out, struct sql_scope scope, const struct entity *e);
// "id, tenant_id, version, created_at, updated_at" and all fields that may be seen.
void entity_put_columns(struct buf *out, const struct entity *e);
// The columns of one field: two of ENTITY_ANY_REF, ", " between, "suffix" behind each.
void entity_put_field(struct buf *out, const struct entity_field *f, const char *suffix);
static inline int entity_field_width(const struct entity_field *f) { return f->type == ENTITY_ANY_REF ? 2 : 1; }
// Binds a field's columns from `index` on; the next index.
int entity_bind(struct sql_stmt *st, int index, const struct entity_field *f, const struct entity_value *value);
// A row as entity_put_columns selects it, borrowed.
NODISCARD bool entity_read_row(struct sql_stmt *st, const struct entity *e, struct entity_row *out_row,
                               struct err *err);
NODISCARD bool entity_own(struct arena *arena, const struct entity *e, struct entity_row *row, struct err *err);
// The statement whose text was put together in `text`.
NODISCARD bool entity_prepare(struct sql_scope scope, struct buf *text, struct sql_stmt **out_stmt, struct err *err);
bool entity_is_text(enum entity_type type); // in the database

bool entity_field_wrong(struct err *err, const struct entity_field *f, struct str got, const char *expected);
struct str entity_decimal(char out[32], int64_t nano);
struct str entity_duration(char out[32], int64_t seconds);

#endif
