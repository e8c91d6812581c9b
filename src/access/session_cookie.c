// Finds and writes the session's cookie, and tells requests of other sites from those of our own pages.
#include "access/session.h"

#define COOKIE_FIELD_MAX 16384
#define COOKIE_SECURE "__Host-penstock-session"
#define COOKIE_PLAIN "penstock-session"

static struct str without_port(struct str host) {
    if (host.n && host.p[0] == '[') return str_head(host, str_find_char(host, ']') + 1);
    return str_head(host, str_find_char(host, ':'));
}

static bool is_loopback(struct str host) {
    return str_eq_nocase(host, STR("localhost")) || str_eq(host, STR("127.0.0.1")) || str_eq(host, STR("[::1]")) ||
           str_eq(host, STR("::1"));
}

bool session_door_is_plain(const struct session_door *door) {
    struct str peer = str_starts(door->peer, STR("::ffff:")) ? str_from(door->peer, 7) : door->peer;
    return !door->tls && is_loopback(peer) && is_loopback(without_port(door->host));
}

static struct str cookie_name(const struct session_door *door) {
    return session_door_is_plain(door) ? STR(COOKIE_PLAIN) : STR(COOKIE_SECURE);
}

bool session_cookie_find(struct str field, const struct session_door *door, struct str *out_text) {
    struct str name = cookie_name(door), pair, found = STR_NONE, rest = field;
    if (!field.n || field.n > COOKIE_FIELD_MAX) return false;
    while (str_split(&rest, ';', &pair)) {
        pair = str_trim(pair);
        size_t eq = str_find_char(pair, '=');
        if (eq == pair.n || !str_eq(str_trim(str_head(pair, eq)), name)) continue;
        if (found.p) return false;
        found = str_trim(str_from(pair, eq + 1));
    }
    if (!found.n) return false;
    *out_text = found;
    return true;
}

void session_cookie_put(struct buf *out, const struct session_door *door, struct str text, int64_t seconds) {
    buf_put(out, cookie_name(door));
    buf_putc(out, '=');
    buf_put(out, text);
    buf_lit(out, "; Path=/; HttpOnly; SameSite=Strict; Max-Age=");
    buf_put_i64(out, text.n && seconds > 0 ? seconds : 0);
    if (!session_door_is_plain(door)) buf_lit(out, "; Secure");
}

// "https://a.example:8443" is of the host "a.example:8443". A request that came plain may have been TLS before a proxy
// that does not say so: either scheme will do then.
static bool same_origin(struct str origin, struct str host, bool tls) {
    size_t at = str_find(origin, STR("://"));
    if (at == origin.n || !host.n) return false;
    struct str scheme = str_head(origin, at), authority = str_from(origin, at + 3);
    bool https = str_eq_nocase(scheme, STR("https"));
    if (!https && (tls || !str_eq_nocase(scheme, STR("http")))) return false;
    if (str_eq_nocase(authority, host)) return true;
    // A default port may be written or not.
    struct str port = https ? STR(":443") : STR(":80");
    if (str_ends(host, port)) host.n -= port.n;
    return str_eq_nocase(authority, host);
}

bool session_origin_check(const struct session_origin *from, const struct str *csrf, struct err *err) {
    bool other_site =
        from->fetch_site.n && !str_eq(from->fetch_site, STR("same-origin")) && !str_eq(from->fetch_site, STR("none"));
    if (other_site || (from->origin.n && !same_origin(from->origin, from->host, from->tls)))
        return err_set(err, ERR_FORBIDDEN,
                       "the request comes from a page of another origin: only this server's own may change something");
    if (!csrf) return true;
    if (csrf->n && str_eq_secret(from->csrf_header, *csrf)) return true;
    return err_set(err, ERR_FORBIDDEN,
                   "the field X-CSRF-Token is missing or not the session's: GET /api/v1/session tells it");
}
