// How a tenant shows itself: a row that is there once something was said.
//
// Ownership: texts read are the arena's. Thread rule: the connection's. Units: unix ns. Errors: those of sql.h.
#ifndef STORE_BRANDING_H
#define STORE_BRANDING_H

#include "base/arena.h"
#include "store/sql.h"

struct branding {
    int64_t version, updated_at;                      // 0: nothing was said yet
    struct str display_name;                          // empty = the tenant's title or name
    struct str background, text, accent, accent_text; // "#rrggbb", empty = none
    struct str logo_type;                             // "image/svg+xml", "image/png", empty = none
    int64_t logo_bytes;
};
// The scope is the tenant's.
NODISCARD bool branding_read(struct sql_scope scope, struct arena *arena, struct branding *out_branding,
                             struct err *err);
// All but the logo; sets version and updated_at.
NODISCARD bool branding_write(struct sql_scope scope, struct branding *branding, int64_t now_ns, struct err *err);
// type empty: the logo is taken away.
NODISCARD bool branding_put_logo(struct sql_scope scope, struct str type, struct str bytes, int64_t now_ns,
                                 struct err *err);
// ERR_NOT_FOUND: there is none. type and bytes are the arena's.
NODISCARD bool branding_logo(struct sql_scope scope, struct arena *arena, struct str *out_type, struct str *out_bytes,
                             struct err *err);

#endif
