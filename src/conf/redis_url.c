// Splits the addresses of Redis servers, refusing what is ambiguous.
#include "conf/redis_url.h"

#include "base/secret.h"
#include "conf/url.h"

#include <stdio.h>

static const char k_wrong[] = "an address such as redis://:password@redis.example.com:6379/0";

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// NUL-terminated; false when it is malformed or does not fit.
static bool decode(struct str s, char *out, size_t cap) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            if (s.n - i < 3 || hex_digit(s.p[i + 1]) < 0 || hex_digit(s.p[i + 2]) < 0) return false;
            c = (char)(hex_digit(s.p[i + 1]) * 16 + hex_digit(s.p[i + 2]));
            i += 2;
        }
        if (!c || n + 1 >= cap) return false;
        out[n++] = c;
    }
    out[n] = 0;
    return true;
}

// Takes "user:password@" off the front of *rest.
static const char *take_user(struct str *rest, struct redis_url *url) {
    size_t at = rest->n;
    while (at && rest->p[at - 1] != '@') at--;
    if (!at) return NULL;
    struct str who = str_head(*rest, at - 1);
    size_t colon = str_find_char(who, ':');
    *rest = str_from(*rest, at);
    if (!decode(str_head(who, colon), url->user, sizeof url->user))
        return "an address with a user name of at most 128 bytes, special characters as %XX";
    if (!decode(str_from(who, colon + 1), url->password, sizeof url->password))
        return "an address with a password of at most 512 bytes, special characters as %XX";
    return NULL;
}

static bool take_db(struct str text, unsigned *out_db) {
    uint64_t db;
    if (!str_to_u64(text, &db) || db > 65535) return false;
    *out_db = (unsigned)db;
    return true;
}

static const char *parse_unix(struct str rest, struct redis_url *url) {
    size_t end = rest.n;
    for (size_t i = rest.n; i-- > 0;)
        if (rest.p[i] == '/') end = i;
    // Only an '@' before the path belongs to a user.
    struct str front = str_head(rest, end);
    if (front.n) {
        const char *wrong = take_user(&front, url);
        if (wrong) return wrong;
        if (front.n) return "unix:// and an absolute path: unix:///run/redis/redis.sock";
    }
    struct str path = str_from(rest, end);
    size_t query = str_find_char(path, '?');
    if (query < path.n) {
        struct str option = str_from(path, query + 1);
        if (!str_starts(option, STR("db=")) || !take_db(str_from(option, 3), &url->db))
            return "no more than ?db=NUMBER after the path";
        path = str_head(path, query);
    }
    if (path.n < 2 || path.n >= sizeof url->path) return "unix:// and an absolute path of at most 107 bytes";
    memcpy(url->path, path.p, path.n);
    return NULL;
}

static const char *parse_host(struct str rest, struct redis_url *url) {
    char text[300];
    struct conf_url web;
    const char *wrong = take_user(&rest, url);
    if (wrong) return wrong;
    size_t slash = str_find_char(rest, '/');
    struct str db = str_from(rest, slash + 1);
    rest = str_head(rest, slash);
    if (db.n && !take_db(db, &url->db)) return "an address that ends with the number of a database, such as /0";
    int n = snprintf(text, sizeof text, "http://%.*s", STR_ARG(rest));
    if (n <= 0 || (size_t)n >= sizeof text || conf_url_parse(str_of(text, (size_t)n), &web)) return k_wrong;
    if (web.host.n >= sizeof url->host) return k_wrong;
    memcpy(url->host, web.host.p, web.host.n);
    bool given = rest.n > web.host.n + (rest.p[0] == '[' ? 2 : 0);
    url->port = given ? web.port : REDIS_PORT;
    return NULL;
}

const char *redis_url_parse(struct str text, struct redis_url *out_url) {
    struct redis_url url = {0};
    const char *wrong = "an address that begins with redis://, rediss:// or unix://";
    url.tls = str_starts(text, STR("rediss://"));
    if (str_starts(text, STR("unix://")))
        wrong = parse_unix(str_from(text, 7), &url);
    else if (url.tls || str_starts(text, STR("redis://")))
        wrong = parse_host(str_from(text, url.tls ? 9 : 8), &url);
    if (!wrong) *out_url = url;
    redis_url_wipe(&url);
    return wrong;
}

void redis_url_wipe(struct redis_url *url) { secret_wipe(url, sizeof *url); }
