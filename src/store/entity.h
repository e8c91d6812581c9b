// Entities: kinds of rows that are made, read, changed and deleted alike, each described by one table of fields.
//
// From that table come the SQL, the reading and writing of JSON, the admin API with its OpenAPI description, and the
// flags and columns of the command line: a field is added in one place. Every table has id, tenant_id, version,
// created_at and updated_at; version grows by one with each change and is what an ETag shows.
//
// Ownership: rows read live in the caller's arena. Thread rule: the connection's. Units: times are unix ns; money is
// in nanodollars here and in dollars in JSON. Errors: those of sql.h; ERR_NOT_FOUND (alike whether the row is another
// tenant's or nobody's); ERR_EXISTS names the field and value that are taken; ERR_CONFLICT when the version is not the
// expected one; ERR_INVALID_FIELD and ERR_MISSING_FIELD name the field, what was expected, and for an unknown field the
// nearest known one.
#ifndef STORE_ENTITY_H
#define STORE_ENTITY_H

#include "base/arena.h"
#include "base/json_write.h"
#include "base/text.h"
#include "store/sql.h"

enum entity_type {
    ENTITY_TEXT,
    ENTITY_I64,
    ENTITY_BOOL,
    ENTITY_TIME,     // RFC 3339 in JSON, null when 0
    ENTITY_DURATION, // seconds here; "30d", "12h" or a number of seconds in JSON
    ENTITY_MONEY,    // nanodollars here; a decimal number of dollars in JSON
    ENTITY_ENUM,     // one of `names`
    ENTITY_AMOUNT,   // ENTITY_MONEY when the row's field "metric" is "cost", else ENTITY_I64
    ENTITY_BLOB,     // bytes; always ENTITY_HIDDEN
    ENTITY_REF,      // the id of a row of entity `ref`, in the same tenant; "team_0…" in JSON, its name is taken too
    ENTITY_ANY_REF, // of one of the kinds in `names`, in the columns NAME_kind (s) and NAME_id (i): "user_0…" in JSON,
                    // "user/NAME" is taken too; a kind alone when it is no entity's ("platform") or the tenant's own
    ENTITY_LIST,    // JSON array of strings
    ENTITY_NUMBERS, // JSON array of integers
    ENTITY_MAP,     // JSON object of strings
};
enum entity_flag {
    ENTITY_REQUIRED = 1,
    ENTITY_READ_ONLY = 2,   // set by the server
    ENTITY_CREATE_ONLY = 4, // never changed afterwards
    ENTITY_FILTER = 8,      // lists may be filtered by it
    ENTITY_SORT = 16,       // and sorted
    ENTITY_HIDDEN = 32,     // never leaves the store: hashes, sealed values
    ENTITY_NULL = 64,       // 0 or empty is stored as NULL
    ENTITY_FOREIGN = 128,   // ENTITY_ANY_REF: the row meant may be another tenant's; whoever sets it has to look
};

struct entity;
struct entity_field {
    struct str name;   // in JSON, and of the column unless
    struct str column; // it is called otherwise
    enum entity_type type;
    unsigned flags;
    const char *const *names; // ENTITY_ENUM, ENTITY_ANY_REF: ends with NULL
    const struct entity *ref; // ENTITY_REF
    int64_t min, max;         // of numbers, of a text's bytes, of a list's items; max 0 = the type's own limit
    // NULL when the text (each item of a list) is good, else what was expected.
    const char *(*check)(struct str text);
    const char *fallback; // what it is when not given; NULL = empty, 0
    const char *empty;    // what an empty text is shown as and asked for by; NULL = nothing
    const char *help, *example;
};
struct entity {
    struct str name, plural, title; // "team", "teams", "Team"
    struct str table;
    struct str prefix;      // of its ids: "team_"
    struct str called_by;   // the field that is its name for people and unique in the tenant: "name", "email"; or empty
    struct str also_called; // another by which other rows may name it, where only one has that text; or empty
    const struct entity_field *fields;
    size_t n;
    const char *help;
    struct str columns; // what a table of rows shows, commas between; empty = the first fields
};
#define ENTITY_FIELDS_MAX 40
// Columns that every entity has, as field indices of queries (not of rows).
enum { ENTITY_AT_ID = 1000, ENTITY_AT_CREATED, ENTITY_AT_UPDATED };

// All of them, in an order in which none refers to a later one.
extern const struct entity entity_tenant, entity_team, entity_project, entity_user, entity_service_account, entity_role,
    entity_grant, entity_elevation, entity_key, entity_budget, entity_domain;
const struct entity *entity_find(struct str name_or_plural);
size_t entity_count_kinds(void);
const struct entity *entity_kind_at(size_t i);

struct entity_value {
    bool given; // of a change: whether it is to be set
    int64_t i;
    struct str s;
};
struct entity_row {
    int64_t id, tenant_id, version, created_at, updated_at;
    struct entity_value v[ENTITY_FIELDS_MAX]; // as entity->fields
};
// The index of a field; SIZE_MAX when there is none.
size_t entity_field_index(const struct entity *e, struct str name);
// The same, with ENTITY_AT_…: "id", "created_at", "updated_at".
size_t entity_column_index(const struct entity *e, struct str name);
const struct entity_field *entity_column(const struct entity *e, size_t index);
// The field most like a name, or STR_NONE.
struct str entity_field_near(const struct entity *e, struct str name);
// Of a field that is known to be there.
struct entity_value *entity_at(const struct entity *e, struct entity_row *row, const char *field);

#define ENTITY_ID_TEXT_MAX 40
// "team_0…": the prefix and 13 digits of base 32.
struct str entity_id_text(const struct entity *e, int64_t id, char out[ENTITY_ID_TEXT_MAX]);
void entity_put_id(struct json_writer *w, struct str key, const struct entity *e, int64_t id); // null for 0
NODISCARD bool entity_id_parse(const struct entity *e, struct str text, int64_t *out_id);

// --- rows ---

// Sets id, version 1, created_at, updated_at.
NODISCARD bool entity_insert(struct sql_scope scope, const struct entity *e, struct entity_row *row, int64_t now_ns,
                             struct err *err);
NODISCARD bool entity_get(struct sql_scope scope, const struct entity *e, int64_t id, struct arena *arena,
                          struct entity_row *out_row, struct err *err);
// By id text or by name.
NODISCARD bool entity_resolve(struct sql_scope scope, const struct entity *e, struct str what, struct arena *arena,
                              struct entity_row *out_row, struct err *err);
// The same for what another row says of it: also by `also_called`.
NODISCARD bool entity_resolve_ref(struct sql_scope scope, const struct entity *e, struct str what, struct arena *arena,
                                  struct entity_row *out_row, struct err *err);
// Sets the given values, and the version to one more. expected: the version it must have, or -1.
NODISCARD bool entity_update(struct sql_scope scope, const struct entity *e, struct entity_row *row, int64_t expected,
                             int64_t now_ns, struct err *err);
// ERR_EXISTS when other rows refer to it, naming of which kind.
NODISCARD bool entity_delete(struct sql_scope scope, const struct entity *e, int64_t id, int64_t expected,
                             struct err *err);

// A scalar from its text, as in a query or in a JSON string or number. ERR_INVALID_FIELD names the field.
NODISCARD bool entity_value_parse(struct sql_scope scope, const struct entity_field *f, struct str text,
                                  struct arena *arena, struct entity_value *out_value, struct err *err);

enum entity_op { ENTITY_EQ, ENTITY_NE, ENTITY_GE, ENTITY_LT, ENTITY_CONTAINS };
struct entity_filter {
    size_t field; // a column's index
    enum entity_op op;
    struct entity_value value;
};
#define ENTITY_FILTERS_MAX 8
// "name" or "created_at.ge" with the text of a value; ERR_INVALID_FIELD for what cannot be filtered by. "null" means
// what is not set.
NODISCARD bool entity_filter_parse(struct sql_scope scope, const struct entity *e, struct str name, struct str text,
                                   struct arena *arena, struct entity_filter *out_filter, struct err *err);
struct entity_query {
    struct entity_filter filters[ENTITY_FILTERS_MAX];
    size_t n_filters;
    struct str search; // part of any text; empty = all
    size_t sort;       // a column's index: a field with ENTITY_SORT, or ENTITY_AT_…
    bool descending;
    struct str cursor; // from the page before; empty = the first page
    size_t limit;
};
// Shows rows until the visitor returns false (with *err set for an error; without: enough). Keyset paging: rows made or
// deleted meanwhile neither repeat nor hide others. A bad cursor is ERR_INVALID_FIELD.
typedef bool entity_visit(void *arg, const struct entity_row *row, struct err *err);
NODISCARD bool entity_list(struct sql_scope scope, const struct entity *e, const struct entity_query *query,
                           entity_visit *visit, void *arg, struct err *err);
// The cursor that goes on after a row, valid for the same query.
NODISCARD bool entity_cursor(const struct entity *e, const struct entity_query *query, const struct entity_row *row,
                             struct buf *out);
#define ENTITY_CURSOR_MAX 2048
#define ENTITY_LIMIT_MAX 1000
// How many there are; ENTITY_COUNT_MAX when there are so many or more.
#define ENTITY_COUNT_MAX 100000
NODISCARD bool entity_count(struct sql_scope scope, const struct entity *e, const struct entity_query *query,
                            uint64_t *out_count, struct err *err);

// --- JSON ---

// Fields from a JSON object into the row, marked as given; of a new row (creating) also checks what is required and
// fills in fallbacks; of a change the row holds what is stored. References are looked up.
NODISCARD bool entity_read_json(struct sql_scope scope, const struct entity *e, struct str json, bool creating,
                                struct arena *arena, struct entity_row *row, struct err *err);
// {"id", …, "created_at", "updated_at"}; only: names of fields, commas between, or empty for all.
void entity_put_json(struct json_writer *w, const struct entity *e, const struct entity_row *row, struct str only);
// The same without the braces.
void entity_put_members(struct json_writer *w, const struct entity *e, const struct entity_row *row, struct str only);
// That all of `only` are fields. more: names besides, spaces between; NULL = none.
NODISCARD bool entity_check_only(const struct entity *e, struct str only, const char *more, struct err *err);
// The JSON Schema (2020-12) of a row; creating, changing: of the bodies of POST and PATCH.
enum entity_schema { ENTITY_SCHEMA_ROW, ENTITY_SCHEMA_CREATE, ENTITY_SCHEMA_CHANGE };
// more: members of a row besides, as JSON text without braces; empty = none.
void entity_put_schema(struct json_writer *w, const struct entity *e, enum entity_schema which, struct str more);
// The schema of one field, as it is written in a query too.
void entity_put_field_schema(struct json_writer *w, const struct entity_field *f, bool read);

#endif
