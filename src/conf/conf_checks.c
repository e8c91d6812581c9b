// The checks of well-formed text that option tables name.
#include "conf/conf_tables.h"
#include "conf/pii_kind.h"

const char *check_address(struct str text) {
    struct conf_addr addr;
    return conf_addr_parse(text, &addr);
}

const char *check_host(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && c != '-' && c != '.' && c != ':' && c != '%') return "a host name or an address";
    }
    return NULL;
}

// Bits beyond the prefix are most likely an address that was meant alone, or a wrong prefix: who is trusted by mistake
// may call itself anybody.
const char *check_network(struct str text) {
    static const char expected[] = "an address such as 10.0.0.1 or 2001:db8::1, or a range such as 10.0.0.0/8 whose "
                                   "address has no bits beyond its prefix";
    struct ip_range range;
    struct ip ip;
    if (!ip_range_parse(text, &range) || !ip_parse(str_head(text, str_find_char(text, '/')), &ip)) return expected;
    return memcmp(&ip, &range.first, sizeof ip) == 0 ? NULL : expected;
}

const char *check_url(struct str text) {
    struct conf_url url;
    return conf_url_parse(text, &url);
}

const char *check_proxy(struct str text) {
    struct conf_url url;
    if (conf_url_parse(text, &url) || url.tls || url.path.n)
        return "a proxy's address such as http://proxy.example.com:3128";
    return NULL;
}

const char *check_slug(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!word && (i == 0 || (c != '-' && c != '_' && c != '.')))
            return "a name of a-z, 0-9, \"-\", \"_\" and \".\"";
    }
    return NULL;
}

const char *check_pii_kind(struct str text) {
    if (pii_kind_bits(text) || str_eq(text, STR(CONF_PRIVATE_WHEN_NONE))) return NULL;
    return "a kind of personal data, such as email, credit_card, iban or phone; all; or none";
}

const char *check_model_name(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] <= 0x20) return "a model name without spaces";
    }
    return text.n && text.n <= 256 ? NULL : "a model name of 1 to 256 bytes";
}

const char *check_header_name(struct str text) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    static const struct str ours[] = {STR_INIT("host"),       STR_INIT("content-length"), STR_INIT("transfer-encoding"),
                                      STR_INIT("connection"), STR_INIT("upgrade"),        STR_INIT("te"),
                                      STR_INIT("trailer"),    STR_INIT("keep-alive"),     STR_INIT("expect")};
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (!c || !strchr(others, c))) return "a header name";
    }
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (str_eq_nocase(text, ours[i]))
            return "a header that Penstock does not set itself (as it does host, content-length, connection and the "
                   "like)";
    }
    return text.n ? NULL : "a header name";
}

const char *check_server_name(struct str text) {
    struct str host = str_starts(text, STR("*.")) ? str_from(text, 2) : text;
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!word && c != '-' && c != '.') return "a host name in lower case, such as api.example.com or *.example.com";
    }
    return host.n ? NULL : "a host name";
}

const char *check_model_pattern(struct str text) {
    size_t star = str_find_char(text, '*');
    if (star + 1 < text.n) return "a model name, which may end in \"*\"";
    return check_model_name(text);
}

const char *check_event_pattern(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool word = (c >= 'a' && c <= 'z') || c == '.' || c == '_' || (c == '*' && i + 1 == text.n);
        if (!word) return "an event's name such as config.applied, or config.*";
    }
    return text.n ? NULL : "an event's name";
}
