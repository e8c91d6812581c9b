// Reads what trusted proxies say about the client of a request.
#include "net/forwarded.h"

// What is left to read of a request's fields of one name, from the last entry to the first.
struct entries {
    const struct http_field *fields;
    size_t left; // fields that were not begun
    struct str name, rest;
    bool open; // `rest` holds an entry still, perhaps an empty one
    size_t bytes, n;
};

static bool field_before(struct entries *e) {
    while (e->left) {
        const struct http_field *f = &e->fields[--e->left];
        if (!str_eq_nocase(f->name, e->name)) continue;
        e->rest = f->value;
        e->open = true;
        return true;
    }
    return false;
}

// The entry before; false: there is none, or they are more or longer than what is looked at.
static bool entry_before(struct entries *e, struct str *out) {
    if ((!e->open && !field_before(e)) || e->n++ == FORWARDED_ENTRIES_MAX) return false;
    size_t end = e->rest.n, at = end;
    while (at && e->rest.p[at - 1] != ',') {
        if (++e->bytes > FORWARDED_BYTES_MAX) return false;
        at--;
    }
    e->bytes++; // the comma
    *out = str_trim(str_from(e->rest, at));
    e->open = at > 0;
    e->rest = str_head(e->rest, at ? at - 1 : 0);
    return true;
}

static bool port_ok(struct str text) {
    uint64_t port;
    return text.n > 1 && text.n <= 6 && text.p[0] == ':' && str_to_u64(str_from(text, 1), &port) && port <= 65535;
}

bool forwarded_entry(struct str text, struct ip *out_ip) {
    size_t colon = str_find_char(text, ':');
    if (str_starts(text, STR("["))) {
        size_t close = str_find_char(text, ']');
        if (close == text.n || colon > close) return false;
        struct str after = str_from(text, close + 1);
        return (!after.n || port_ok(after)) && ip_parse(str_of(text.p + 1, close - 1), out_ip);
    }
    struct str after = str_from(text, colon);
    if (after.n && str_find_char(str_from(after, 1), ':') == after.n - 1) {
        // One colon alone is before a port: an address of version 6 has two at least.
        if (!port_ok(after)) return false;
        text = str_head(text, colon);
    }
    return ip_parse(text, out_ip);
}

struct ip forwarded_client(const struct ip *peer, const struct http_field *fields, size_t count,
                           const struct ip_set *trusted) {
    struct entries e = {.fields = fields, .left = count, .name = STR("x-forwarded-for")};
    struct ip client = *peer;
    struct str text;
    while (ip_set_has(trusted, &client) && entry_before(&e, &text))
        if (!forwarded_entry(text, &client)) break;
    return client;
}

enum forwarded_proto forwarded_proto(const struct http_field *fields, size_t count) {
    struct entries e = {.fields = fields, .left = count, .name = STR("x-forwarded-proto")};
    struct str text;
    if (!entry_before(&e, &text)) return FORWARDED_UNSAID;
    if (str_eq_nocase(text, STR("https"))) return FORWARDED_HTTPS;
    return str_eq_nocase(text, STR("http")) ? FORWARDED_HTTP : FORWARDED_UNSAID;
}

void forwarded_apply(struct http_req *req, const struct ip_set *trusted) {
    struct ip peer;
    char text[IP_TEXT_MAX];
    if (!trusted->n || !ip_parse(req->peer, &peer) || !ip_set_has(trusted, &peer)) return;
    struct ip client = forwarded_client(&peer, req->fields, req->field_count, trusted);
    enum forwarded_proto proto = forwarded_proto(req->fields, req->field_count);
    if (proto != FORWARDED_UNSAID) req->tls = proto == FORWARDED_HTTPS;
    if (memcmp(&client, &peer, sizeof peer) == 0) return;
    req->peer = arena_str(&req->arena, ip_text(&client, text));
    if (!req->peer.p) req->peer = STR("-");
}
