// Splits web and socket addresses, refusing what is ambiguous.
#include "conf/url.h"

static bool host_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
}

static bool host_ok(struct str host) {
    for (size_t i = 0; i < host.n; i++) {
        if (!host_char(host.p[i])) return false;
    }
    return host.n > 0 && host.n <= 253;
}

static bool v6_ok(struct str host) {
    bool colon = false;
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!hex && c != ':' && c != '.') return false;
        colon = colon || c == ':';
    }
    return colon && host.n <= 45;
}

// host[:port] or [v6][:port]; *out_port is the text after the colon, p NULL when there is none.
static bool host_split(struct str text, struct str *out_host, struct str *out_port) {
    *out_port = STR_NONE;
    if (text.n && text.p[0] == '[') {
        size_t end = str_find_char(text, ']');
        if (end == text.n) return false;
        *out_host = str_head(str_from(text, 1), end - 1);
        struct str rest = str_from(text, end + 1);
        if (rest.n && rest.p[0] != ':') return false;
        if (rest.n) *out_port = str_from(rest, 1);
        return v6_ok(*out_host);
    }
    size_t colon = str_find_char(text, ':');
    *out_host = str_head(text, colon);
    if (colon < text.n) *out_port = str_from(text, colon + 1);
    return true;
}

static bool port_parse(struct str text, uint16_t *out_port) {
    uint64_t v;
    if (text.n > 5 || !str_to_u64(text, &v) || v > 65535) return false;
    *out_port = (uint16_t)v;
    return true;
}

static bool path_ok(struct str path) {
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '?' || c == '#' || c == '"' || c == '<' || c == '>' || c == '\\' ||
            c == '{' || c == '}')
            return false;
    }
    return str_find(path, STR("/../")) == path.n && !str_ends(path, STR("/.."));
}

const char *conf_url_parse(struct str text, struct conf_url *out_url) {
    static const char wrong[] = "an address such as https://api.example.com/v1";
    struct conf_url url = {0};
    if (str_starts(text, STR("https://")))
        url.tls = true;
    else if (!str_starts(text, STR("http://")))
        return "an address that begins with https:// or http://";
    struct str rest = str_from(text, url.tls ? 8 : 7), port;
    size_t slash = str_find_char(rest, '/');
    struct str authority = str_head(rest, slash);
    if (str_find_char(authority, '@') < authority.n) return "an address without user name or password";
    if (str_find_char(rest, '?') < rest.n || str_find_char(rest, '#') < rest.n)
        return "an address without \"?\" or \"#\"";
    if (!host_split(authority, &url.host, &port)) return wrong;
    if (authority.n && authority.p[0] != '[' && !host_ok(url.host)) return wrong;
    if (!url.host.n) return wrong;
    url.port = url.tls ? 443 : 80;
    if (port.p && (!port_parse(port, &url.port) || !url.port)) return "an address with a port of 1 to 65535";
    url.path = str_from(rest, slash);
    while (url.path.n && url.path.p[url.path.n - 1] == '/') url.path.n--;
    if (!path_ok(url.path)) return wrong;
    *out_url = url;
    return NULL;
}

const char *conf_addr_parse(struct str text, struct conf_addr *out_addr) {
    static const char wrong[] = "host:port, such as 127.0.0.1:8080, [::1]:8080 or :8080";
    struct conf_addr addr = {0};
    struct str port;
    if (!host_split(text, &addr.host, &port) || !port.p || !port_parse(port, &addr.port)) return wrong;
    bool bracketed = text.n && text.p[0] == '[', any = !addr.host.n || str_eq(addr.host, STR("*"));
    if (!bracketed && !any && !host_ok(addr.host)) return wrong;
    *out_addr = addr;
    return NULL;
}
