// Reads and checks from where a key may be used.
#include "access/key_place.h"

#include "base/json_read.h"

const char *key_address_check(struct str text) {
    struct cidr ignored;
    return cidr_parse(text, &ignored) ? NULL
                                      : "an address, or a block of them such as 10.0.0.0/8 or 2001:db8::/32 (no bits "
                                        "set beyond the length)";
}

// SCHEME://HOST[:PORT], where HOST may begin with "*." and PORT may be *.
const char *key_origin_check(struct str text) {
    static const char expected[] = "an origin: SCHEME://HOST or SCHEME://HOST:PORT; HOST may begin with \"*.\", PORT "
                                   "may be \"*\"";
    size_t at = str_find(text, STR("://"));
    if (at == 0 || at == text.n || text.n > 300) return expected;
    struct str host = str_from(text, at + 3);
    if (str_starts(host, STR("*."))) host = str_from(host, 2);
    if (str_ends(host, STR(":*"))) host = str_head(host, host.n - 2);
    if (host.n == 0) return expected;
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= 0x20 || (unsigned char)text.p[i] >= 0x7f) return expected;
    for (size_t i = 0; i < host.n; i++)
        if (host.p[i] == '/' || host.p[i] == '*' || host.p[i] == '?' || host.p[i] == '#' || host.p[i] == '@')
            return expected;
    return NULL;
}

typedef bool place_text(void *arg, struct str text);

// Shows each text of a JSON array. *out_good: all could be read.
static bool each_text(struct arena *arena, struct str json, place_text *visit, void *arg, bool *out_good) {
    struct json_reader r;
    struct str raw, text;
    enum json_kind kind;
    struct err ignored;
    bool memory = true, good = true;
    json_reader_init(&r, json, 2);
    if (json_enter_array(&r)) {
        while (memory && good && json_element(&r, &kind)) {
            if (!json_string(&r, &raw)) break;
            memory = json_string_text(raw, arena, &text);
            good = memory && visit(arg, text);
        }
    }
    *out_good = good && json_end(&r, &ignored);
    return memory;
}

struct reading {
    struct cidr *addresses;
    struct str *origins;
    size_t n_addresses, n_origins;
};

static bool add_address(void *arg, struct str text) {
    struct reading *r = arg;
    return r->n_addresses < KEY_PLACES_MAX && cidr_parse(text, &r->addresses[r->n_addresses]) && ++r->n_addresses;
}

static bool add_origin(void *arg, struct str text) {
    struct reading *r = arg;
    if (r->n_origins == KEY_PLACES_MAX || key_origin_check(text)) return false;
    r->origins[r->n_origins++] = text;
    return true;
}

static bool is_empty(struct str json) { return json.n == 0 || str_eq(json, STR("[]")); }

bool key_place_read(struct arena *arena, struct str addresses, struct str origins, struct key_place *out_place,
                    bool *out_damaged) {
    struct cidr blocks[KEY_PLACES_MAX];
    struct str sites[KEY_PLACES_MAX];
    struct reading r = {.addresses = blocks, .origins = sites};
    struct key_place place = {.any_address = is_empty(addresses), .any_origin = is_empty(origins)};
    bool good = true, good_origins = true, ok = true;
    // Texts with no escapes are borrowed, so what is read from must stay.
    struct str kept = place.any_origin ? STR("") : arena_str(arena, origins);
    if (!kept.p) return false;
    if (!place.any_address) ok = each_text(arena, addresses, add_address, &r, &good);
    if (ok && !place.any_origin) ok = each_text(arena, kept, add_origin, &r, &good_origins);
    struct cidr *own_blocks = ARENA_ARRAY(arena, struct cidr, r.n_addresses + 1);
    struct str *own_sites = ARENA_ARRAY(arena, struct str, r.n_origins + 1);
    if (!ok || !own_blocks || !own_sites) return false;
    memcpy(own_blocks, blocks, r.n_addresses * sizeof *blocks);
    memcpy(own_sites, sites, r.n_origins * sizeof *sites);
    place.addresses = own_blocks, place.n_addresses = good ? r.n_addresses : 0;
    place.origins = own_sites, place.n_origins = good_origins ? r.n_origins : 0;
    place.any_address = place.any_address || (good && r.n_addresses == 0); // "[ ]"
    place.any_origin = place.any_origin || (good_origins && r.n_origins == 0);
    *out_place = place;
    *out_damaged = !good || !good_origins;
    return true;
}

static struct str take_port(struct str *io_host) {
    size_t bracket = str_find_char(*io_host, ']'), colon = io_host->n;
    for (size_t i = bracket < io_host->n ? bracket : 0; i < io_host->n; i++)
        if (io_host->p[i] == ':') colon = i;
    struct str port = str_from(*io_host, colon + 1);
    *io_host = str_head(*io_host, colon);
    return port;
}

static bool origin_matches(struct str pattern, struct str origin) {
    size_t a = str_find(pattern, STR("://")), b = str_find(origin, STR("://"));
    if (!str_eq_nocase(str_head(pattern, a), str_head(origin, b)) || b == origin.n) return false;
    struct str want = str_from(pattern, a + 3), host = str_from(origin, b + 3);
    struct str want_port = take_port(&want), port = take_port(&host);
    if (!str_eq(want_port, STR("*")) && !str_eq(want_port, port)) return false;
    if (!str_starts(want, STR("*."))) return str_eq_nocase(want, host);
    want = str_from(want, 1); // with the dot
    return host.n > want.n && str_eq_nocase(str_from(host, host.n - want.n), want);
}

bool key_place_allows(const struct key_place *place, struct str peer, struct str origin, struct err *err) {
    uint8_t bytes[16];
    bool here = place->any_address;
    if (!here && address_parse(peer, bytes))
        for (size_t i = 0; i < place->n_addresses && !here; i++) here = cidr_has(&place->addresses[i], bytes);
    if (!here)
        return err_set(err, ERR_FORBIDDEN,
                       "this API key may not be used from the address %.*s (the key's allowed addresses)",
                       STR_ARG(str_head(peer, 64)));
    here = place->any_origin;
    for (size_t i = 0; i < place->n_origins && !here; i++) here = origin_matches(place->origins[i], origin);
    if (here) return true;
    if (!origin.n)
        return err_set(err, ERR_FORBIDDEN,
                       "this API key may be used by certain web pages only (its allowed origins), and the request has "
                       "no Origin");
    return err_set(err, ERR_FORBIDDEN, "this API key may not be used by pages of %.*s (the key's allowed origins)",
                   STR_ARG(str_head(origin, 100)));
}
