// Seals short texts under the server's key.
#include "access/seal_text.h"

static struct str label_of(int64_t row, char out[20]) { return str_of(out, fmt_u64(out, (uint64_t)row)); }

bool text_seal(struct sql_scope scope, const struct datadir *dir, const char *purpose, int64_t row, struct str text,
               struct buf *out, struct err *err) {
    char label[20];
    return seal(scope, dir, str_c(purpose), label_of(row, label), text, out, err);
}

bool text_unseal(struct sql_scope scope, const struct datadir *dir, const char *purpose, int64_t row, struct str sealed,
                 struct buf *out, struct err *err) {
    char label[20];
    return unseal(scope, dir, str_c(purpose), label_of(row, label), sealed, out, err);
}

const struct secret *hash_secret(const struct datadir *dir) { return datadir_secret(dir); }
