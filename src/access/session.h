// Sessions of people who signed in: begun, checked, renewed, and carried in a cookie that no other site can use.
//
// A session's text is 256 random bits, of which the database holds the BLAKE2b-256. Every request looks it up there, so
// that one that was revoked, or whose user was suspended, is refused at once by every replica. When what the user may
// do has changed, the session gets a new text, handed out with the answer to its next request; the old one serves for
// another half minute, for requests that are under way.
//
// Cross-site requests: the cookie is SameSite=Strict, and whatever changes something must bring along the session's
// token (X-CSRF-Token), which only pages of the same origin can read, and must not come from another origin.
//
// Ownership: text of what is found lives in the caller's arena; a session_text is the caller's to wipe. Thread rule:
// the connection's; what takes no connection is pure. Units: unix ns. Errors: ERR_UNAUTHENTICATED when there is no such
// session any more; ERR_FORBIDDEN for a request that another site may have made; those of sql.h.
#ifndef ACCESS_SESSION_H
#define ACCESS_SESSION_H

#include "access/who.h"
#include "conf/conf.h"
#include "store/session.h"
#include "store/user.h"

#define SESSION_TEXT_LEN 47 // "pss-" and 43 characters of base64url
#define SESSION_CSRF_LEN 43
#define SESSION_CSRF_HEADER "x-csrf-token"

struct session_text {
    char p[SESSION_TEXT_LEN];
};
static inline struct str session_text_str(const struct session_text *t) { return (struct str){t->p, sizeof t->p}; }
bool session_text_valid(struct str text);

// What a session must do before anything else.
enum session_due {
    SESSION_DUE_NOTHING,
    SESSION_DUE_PASSWORD, // somebody else set the password: a new one
    SESSION_DUE_FACTOR,   // a second factor is required, and there is none
};
// "", "password", "second_factor".
struct str session_due_name(enum session_due due);
enum session_due session_due_of(const struct conf_auth *auth, int64_t password_at, int64_t totp_at);

struct session_begun {
    int64_t id, expires_at;
    struct session_text text;
    char csrf[SESSION_CSRF_LEN];
};
// Within a transaction of the caller's.
NODISCARD bool session_begin(struct sql_scope tenant, const struct conf_auth *auth, const struct user_row *user,
                             struct str address, struct str agent, bool second_factor, int64_t now_ns,
                             struct session_begun *out_session, struct err *err);

struct session_found {
    struct who who; // a user's; address and agent are left empty
    struct str csrf;
    int64_t created_at, seen_at, expires_at;
    bool second_factor; // signed in with one
    enum session_due due;
    bool renewed; // then the cookie is to be set to `text`
    struct session_text text;
};
NODISCARD bool session_check(struct sql *db, const struct conf_auth *auth, struct str text, int64_t now_ns,
                             struct arena *arena, struct session_found *out_session, struct err *err);
// Another text for a session that has `old`, which is good for grace_ns more; *out_text is set to it.
NODISCARD bool session_renew(struct sql_scope tenant, int64_t id, struct str old, struct str rights, int64_t grace_ns,
                             int64_t now_ns, struct session_text *out_text, struct err *err);

// --- the cookie ---

// Where a request came from, as far as it matters here. All text may be empty.
struct session_door {
    bool tls;
    struct str peer; // the client's address
    struct str host; // the Host field
};
// Over plain HTTP on the loopback interface, for trying it out, the cookie has a name of its own and is not Secure;
// everywhere else browsers must have come by TLS, ours or a proxy's.
bool session_door_is_plain(const struct session_door *door);
// From the Cookie field; false when there is none. A name that comes twice was put there by somebody else: none then.
NODISCARD bool session_cookie_find(struct str field, const struct session_door *door, struct str *out_text);
// The value of Set-Cookie; text empty: takes it away.
void session_cookie_put(struct buf *out, const struct session_door *door, struct str text, int64_t seconds);

// Whether a request that changes something comes from a page of this server. csrf: of the session; NULL: there is none
// yet (sign-in), only the origin counts.
struct session_origin {
    struct str csrf_header, origin, fetch_site; // fields X-CSRF-Token, Origin, Sec-Fetch-Site; empty = not sent
    struct str host;
    bool tls; // then a page that came without it is of another origin
};
NODISCARD bool session_origin_check(const struct session_origin *from, const struct str *csrf, struct err *err);

#endif
