// Wishes and their answers as text, for a command and the server beside it (store/config_wish.h).
//
// Ownership: what is read lives in the arena given. Thread rule: pure. Errors: ERR_STORE for text that is neither.
#ifndef ADMIN_WISH_TEXT_H
#define ADMIN_WISH_TEXT_H

#include "admin/host.h"

void wish_put(const struct admin_wish *wish, struct buf *out);
NODISCARD bool wish_read(struct str text, struct arena *a, struct admin_wish *out_wish, struct err *err);

struct wish_answer {
    bool ok;
    struct err err;     // when not
    struct str reason;  // likewise: all problems, for people; may be empty
    int64_t version;    // in force
    bool added;         // the wish made it
    struct str shown;   // the changes, for people
    struct str changes; // JSON array
};
void wish_answer_put(const struct wish_answer *answer, struct buf *out);
NODISCARD bool wish_answer_read(struct str text, struct arena *a, struct wish_answer *out_answer, struct err *err);

#endif
