// What the endpoints of files and batches share: whose rows the caller sees, what a query asks for, and lists.
//
// Thread rule: the call's loop, but for the writers. Errors: ERR_INVALID_FIELD with err->param.
#ifndef GATEWAY_STORE_REPLY_H
#define GATEWAY_STORE_REPLY_H

#include "base/json_write.h"
#include "gateway/call.h"
#include "store/stored_file.h"

// Whose: of a key, its tenant, and there its project, or else its owner, or else the tenant at large; without keys, the
// default tenant's.
struct store_caller {
    int64_t tenant, key;
    struct store_place place;
};
struct store_caller store_caller_of(const struct call *call);

// Files and batches are for the use of models: a key whose scopes do not hold that has none. ERR_FORBIDDEN.
NODISCARD bool store_admits(const struct call *call, struct err *err);
// Tells the audit trail what the call has done to the row of this id: "file.create" to a "file".
void store_note(const struct call *call, struct str action, struct str type, struct str id);

// A parameter of the query, decoded; empty when it is not given. False: out of memory.
NODISCARD bool store_query(const struct call *call, struct str name, struct str *out_value, struct err *err);
NODISCARD bool store_query_limit(const struct call *call, int64_t low, int64_t high, int64_t otherwise,
                                 int64_t *out_limit, struct err *err);
// The part of the path that names a row: "file-…" of "/v1/files/file-…/content".
struct str store_path_id(const struct call *call);

// {"object":"list","data":[ …rows… ],"first_id","last_id","has_more"}
struct store_list {
    struct json_writer w;
    int64_t limit, n;
    char first[32], last[32]; // ids' texts
    bool more;
};
void store_list_begin(struct store_list *list, struct buf *out, int64_t limit);
// True: write the row, an object. False: it is one more than was asked for.
bool store_list_next(struct store_list *list, struct str id);
void store_list_end(struct store_list *list);
// Unix seconds, or null for 0.
void store_put_time(struct json_writer *w, struct str name, int64_t at_ns);

#endif
