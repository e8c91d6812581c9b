// Host names to addresses, through the system's resolver on the worker pool.
#include "os/dns.h"

#include "base/map.h"
#include "base/mem.h"

#include <netdb.h>
#include <netinet/in.h>
#include <uv.h>

#define KEEP_MS 30000
#define CACHE_MAX 256

struct dns_entry {
    struct dns_answer answer;
    uint64_t expires_ms;
    size_t host_n;
    char host[256];
};

struct dns {
    struct loop *loop;
    struct map cache; // host → dns_entry
    uint64_t lookups;
};

struct dns_query {
    uv_getaddrinfo_t req;
    struct dns *dns;
    dns_fn *fn;
    void *ctx;
    uint16_t port;
    bool cancelled;
    size_t host_n;
    char host[256];
};

bool dns_create(struct loop *loop, struct dns **out_dns, struct err *err) {
    struct dns *dns = mem_zalloc(1, sizeof *dns);
    if (!dns) return err_no_memory(err);
    dns->loop = loop;
    *out_dns = dns;
    return true;
}

static void cache_clear(struct dns *dns) {
    size_t it = 0;
    for (const struct map_entry *e; (e = map_next(&dns->cache, &it));) mem_free(e->value);
    map_free(&dns->cache);
}

void dns_free(struct dns *dns) {
    if (!dns) return;
    cache_clear(dns);
    mem_free(dns);
}

static void set_port(struct dns_answer *answer, uint16_t port) {
    for (size_t i = 0; i < answer->count; i++) {
        struct sockaddr_storage *ss = &answer->addresses[i];
        if (ss->ss_family == AF_INET6)
            ((struct sockaddr_in6 *)ss)->sin6_port = htons(port);
        else
            ((struct sockaddr_in *)ss)->sin_port = htons(port);
    }
}

// What needs no resolver: addresses, and localhost (RFC 6761, 6.3), which a bare system may not know.
static bool literal(const char *host, struct dns_answer *out) {
    if (str_eq_nocase(str_c(host), STR("localhost"))) {
        out->count = 2;
        return uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)&out->addresses[0]) == 0 &&
               uv_ip6_addr("::1", 0, (struct sockaddr_in6 *)&out->addresses[1]) == 0;
    }
    out->count = 1;
    return uv_ip4_addr(host, 0, (struct sockaddr_in *)&out->addresses[0]) == 0 ||
           uv_ip6_addr(host, 0, (struct sockaddr_in6 *)&out->addresses[0]) == 0;
}

static void remember(struct dns *dns, const struct dns_query *query, const struct dns_answer *answer) {
    if (dns->cache.n >= CACHE_MAX) cache_clear(dns);
    struct dns_entry *entry = map_get(&dns->cache, str_of(query->host, query->host_n));
    bool fresh = entry == NULL;
    if (fresh) entry = mem_alloc(sizeof *entry);
    if (!entry) return;
    entry->answer = *answer;
    entry->expires_ms = loop_now_ms(dns->loop) + KEEP_MS;
    entry->host_n = query->host_n;
    memcpy(entry->host, query->host, sizeof entry->host);
    if (fresh && !map_put(&dns->cache, str_of(entry->host, entry->host_n), entry)) mem_free(entry);
}

static void collect(const struct addrinfo *list, struct dns_answer *out) {
    out->count = 0;
    for (const struct addrinfo *a = list; a && out->count < DNS_ADDRESSES_MAX; a = a->ai_next) {
        if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
        struct sockaddr_storage *ss = &out->addresses[out->count++];
        memset(ss, 0, sizeof *ss);
        memcpy(ss, a->ai_addr, a->ai_addrlen);
    }
}

static void on_answer(uv_getaddrinfo_t *req, int status, struct addrinfo *list) {
    struct dns_query *query = req->data;
    struct dns_answer answer = {0};
    if (status == 0) collect(list, &answer);
    uv_freeaddrinfo(list);
    if (!query->cancelled) {
        if (answer.count) {
            remember(query->dns, query, &answer);
            set_port(&answer, query->port);
            query->fn(query->ctx, &answer, NULL);
        } else {
            query->fn(query->ctx, NULL, status ? uv_strerror(status) : "the name has no address");
        }
    }
    mem_free(query);
}

bool dns_resolve(struct dns *dns, struct str host, uint16_t port, dns_fn *fn, void *ctx, struct dns_answer *out_answer,
                 struct dns_query **out_query, struct err *err) {
    struct dns_query *query = mem_zalloc(1, sizeof *query);
    if (!query) return err_no_memory(err);
    if (host.n == 0 || host.n >= sizeof query->host || memchr(host.p, 0, host.n)) {
        mem_free(query);
        return err_set(err, ERR_UPSTREAM_REFUSED, "\"%.*s\" is not a host name", STR_ARG(host));
    }
    memcpy(query->host, host.p, host.n);
    query->host_n = host.n;
    const struct dns_entry *entry = map_get(&dns->cache, host);
    bool known = entry && entry->expires_ms > loop_now_ms(dns->loop);
    if (known) *out_answer = entry->answer;
    if (known || literal(query->host, out_answer)) {
        set_port(out_answer, port);
        mem_free(query);
        *out_query = NULL;
        return true;
    }
    query->dns = dns;
    query->fn = fn;
    query->ctx = ctx;
    query->port = port;
    query->req.data = query;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    int rc = uv_getaddrinfo(loop_uv(dns->loop), &query->req, on_answer, query->host, NULL, &hints);
    if (rc != 0) {
        mem_free(query);
        return err_set(err, ERR_UPSTREAM_REFUSED, "cannot look up \"%.*s\": %s", STR_ARG(host), uv_strerror(rc));
    }
    dns->lookups++;
    *out_query = query;
    return true;
}

void dns_cancel(struct dns_query *query) {
    query->cancelled = true;
    uv_cancel((uv_req_t *)&query->req); // the callback comes all the same and frees it
}

uint64_t dns_lookups(const struct dns *dns) { return dns->lookups; }
