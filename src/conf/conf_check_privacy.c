// Whether a provider is in the house, where its configuration leaves that to its address; what keeps a request in.
#include "conf/conf_impl.h"

static bool is_private(const struct ip *ip) {
    static const char *const ranges[] = {"127.0.0.0/8",    "::1/128",  "10.0.0.0/8", "172.16.0.0/12",
                                         "192.168.0.0/16", "fc00::/7", "fe80::/10"};
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        struct ip_range range;
        if (ip_range_parse(str_c(ranges[i]), &range) && ip_in(&range, ip)) return true;
    }
    return false;
}

static bool is_near(struct str host) {
    struct ip ip;
    return str_eq_nocase(host, STR("localhost")) || (ip_parse(host, &ip) && is_private(&ip));
}

// What goes through a proxy is seen there, and goes where that says.
void conf_check_privacy(struct conf_provider *p) {
    if (p->privacy != PRIVACY_AUTO) return;
    bool near = is_near(p->url.host) && (!p->proxy.n || is_near(p->proxy_url.host));
    p->privacy = near || p->kind == PROVIDER_DEMO ? PRIVACY_LOCAL : PRIVACY_REMOTE;
}

void conf_check_private_when(struct opt_bind *b, const char *where, const struct str *names, size_t n,
                             const void *field) {
    for (size_t i = 0; n > 1 && i < n; i++)
        if (str_eq(names[i], STR(CONF_PRIVATE_WHEN_NONE)))
            conf_complain(b, CONF_ERROR, &names[i], field, "%s.private_when: " CONF_PRIVATE_WHEN_NONE " stands alone",
                          where);
}
