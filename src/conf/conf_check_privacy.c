// Whether a provider is in the house, where its configuration leaves that to its address.
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

void conf_check_privacy(struct conf_provider *p) {
    struct ip ip;
    if (p->privacy != PRIVACY_AUTO) return;
    bool local = p->kind == PROVIDER_DEMO || str_eq_nocase(p->url.host, STR("localhost")) ||
                 (ip_parse(p->url.host, &ip) && is_private(&ip));
    p->privacy = local ? PRIVACY_LOCAL : PRIVACY_REMOTE;
}
