// The API keys that a change of the configuration touches.
//
// Ownership: the list lives in its arena. Thread rule: the connection's. Errors: those of store/key.h.
#ifndef CLI_DIFF_KEYS_H
#define CLI_DIFF_KEYS_H

#include "base/vec.h"
#include "conf/change.h"
#include "store/key.h"

struct diff_key {
    int64_t id;
    struct str name, prefix;
    struct str why; // "tenant acme", "model gpt-5"
};
struct diff_keys {
    struct arena arena;
    VEC(struct diff_key) list;
};
void diff_keys_init(struct diff_keys *keys);
void diff_keys_free(struct diff_keys *keys);
// Of the keys in use: those of a tenant that is touched, and those limited to models of which one is touched.
NODISCARD bool diff_keys_find(struct sql *db, const struct conf *a, const struct conf *b,
                              const struct conf_changes *changes, int64_t now_ns, struct diff_keys *out_keys,
                              struct err *err);

#endif
