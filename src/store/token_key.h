// The entity token_key: key pairs that sign access tokens, one after the other.
//
// Ownership: text read goes into the caller's arena. Thread rule: the connection's. Units: unix ns. Errors: those of
// sql.h.
#ifndef STORE_TOKEN_KEY_H
#define STORE_TOKEN_KEY_H

#include "base/arena.h"
#include "store/sql.h"

#define TOKEN_PUBLIC_SIZE 32
#define TOKEN_KEYS_MAX 64 // read; more are never there at a time

struct token_key_row {
    int64_t id;
    struct str kid;
    char public_key[TOKEN_PUBLIC_SIZE];
    struct str secret_key; // sealed
    int64_t created_at, signs_from, signs_until, retires_at;
};
// Without its secret key.
NODISCARD bool token_key_insert(struct sql *db, const struct token_key_row *row, int64_t *out_id, struct err *err);
NODISCARD bool token_key_set_secret(struct sql *db, int64_t id, struct str sealed, struct err *err);
// Those that are not retired, newest first.
NODISCARD bool token_key_all(struct sql *db, int64_t now_ns, struct arena *arena, struct token_key_row *out_rows,
                             size_t max, size_t *out_n, struct err *err);
NODISCARD bool token_key_purge(struct sql *db, int64_t now_ns, struct err *err);
// All of them sign no more, and what they signed is good no more.
NODISCARD bool token_key_retire_all(struct sql *db, int64_t now_ns, struct err *err);

#endif
