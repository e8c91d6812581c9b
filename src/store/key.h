// The entity api_key: rows of virtual keys.
//
// What a key's text looks like and how it is hashed is access/key.h's business.
//
// Ownership: text of rows read goes into the caller's arena; rows shown to a visitor are borrowed for the call. Thread
// rule: the connection's. Units: unix nanoseconds, 0 = never. Errors: those of sql.h; ERR_NOT_FOUND; ERR_EXISTS when a
// name or prefix means several keys.
#ifndef STORE_KEY_H
#define STORE_KEY_H

#include "base/arena.h"
#include "base/text.h"
#include "store/tenant.h"

#define KEY_HASH_SIZE 32
#define KEY_NAME_MAX 128

struct key_row {
    int64_t id; // > 0, never given twice
    int64_t tenant_id;
    struct str tenant; // its name; empty for TENANT_DEFAULT
    bool tenant_made; // somebody made the tenant; otherwise it has no more than this name, for the configuration's sake
    struct str time_zone; // the tenant's, by name; empty: UTC
    struct str name;      // for people; may be empty, need not be unique
    struct str prefix;    // the start of the key's text, to recognise it by
    char hash[KEY_HASH_SIZE];
    bool is_admin;
    bool any_model;            // allowed_models is NULL
    struct str allowed_models; // JSON array of names and patterns, unless any_model
    int64_t created_at, expires_at, revoked_at, last_used_at;
    struct str last_used_address; // empty: not yet, or not known
    int64_t team_id, project_id;  // 0 = none
    struct str team, project;     // their names
    struct str owner_kind;        // "user", "service_account", or empty
    int64_t owner_id;
    bool any_scope;                // scopes is NULL: the use of models
    struct str scopes;             // JSON array of permissions, unless any_scope
    struct str addresses, origins; // JSON arrays; empty ones: from anywhere
    struct str tags;               // JSON object
};

// id is ignored, and so are tenant (tenant_id counts), revoked_at and last_used_at. ERR_EXISTS when the hash is there
// already.
NODISCARD bool key_insert(struct sql *db, const struct key_row *row, int64_t *out_id, struct err *err);

// All keys in the order of their ids; the visitor ends the walk by returning false with *err set.
typedef bool key_visit(void *arg, const struct key_row *row, struct err *err);
NODISCARD bool key_each(struct sql *db, key_visit *visit, void *arg, struct err *err);
NODISCARD bool key_count(struct sql *db, uint64_t *out_count, struct err *err);

NODISCARD bool key_find_id(struct sql *db, int64_t id, struct arena *arena, struct key_row *out_row, struct err *err);
NODISCARD bool key_find_prefix(struct sql *db, struct str prefix, struct arena *arena, struct key_row *out_row,
                               struct err *err);
NODISCARD bool key_find_name(struct sql *db, struct str name, struct arena *arena, struct key_row *out_row,
                             struct err *err);
// By whatever a person has at hand: the id's text, the prefix (with or without the closing dots), or the name.
NODISCARD bool key_find(struct sql *db, struct str what, struct arena *arena, struct key_row *out_row, struct err *err);

// ERR_NOT_FOUND for an unknown id. A key revoked before keeps its first time.
NODISCARD bool key_set_revoked(struct sql *db, int64_t id, int64_t now_ns, struct err *err);

struct key_use {
    int64_t id;
    int64_t at; // unix ns
};
// Moves last_used_at forward, all in one transaction; ids that are gone are passed over.
NODISCARD bool key_touch(struct sql *db, const struct key_use *uses, size_t n, struct err *err);

// Grows with every change that matters to who may do what (not with key_touch), whoever made it.
NODISCARD bool key_edits(struct sql *db, uint64_t *out_edits, struct err *err);
// Grows with every row that is deleted.
NODISCARD bool key_deletions(struct sql *db, uint64_t *out_deletions, struct err *err);

// Up to `max` ids, in no order: *out_n of them.
//
// Of the keys that were made or changed since key_edits was `since`.
NODISCARD bool key_ids_since(struct sql *db, uint64_t since, int64_t *ids, size_t max, size_t *out_n, struct err *err);
// Of those of an owner.
NODISCARD bool key_ids_of_owner(struct sql *db, struct str kind, int64_t owner, int64_t *ids, size_t max, size_t *out_n,
                                struct err *err);

// "key_" and 13 digits of base 32.
#define KEY_ID_TEXT_LEN (4 + BASE32_U64_LEN)
void key_id_text(char out[KEY_ID_TEXT_LEN], int64_t id);
NODISCARD bool key_id_parse(struct str text, int64_t *out_id);

#endif
