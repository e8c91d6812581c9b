// Addresses: of e-mail, and of the Internet protocol.
#include "govern/pii_impl.h"

#include "base/ip.h"

// --- e-mail ---

#define LOCAL_MAX ((size_t)64)
#define DOMAIN_MAX ((size_t)253)
#define LABEL_MAX ((size_t)63)

static bool is_local(char c) { return pii_word(c) || c == '.' || c == '-' || c == '+' || c == '%' || c == '\''; }

// Countries' domains, after IANA's list of 2026.
static bool is_country(struct str top) {
    // By the first letter, which second ones there are.
    static const char *const seconds[26] = {"cdefgilmoqrstuwxz",
                                            "abdefghijmnorstvwyz",
                                            "acdfghiklmnoruvwxyz",
                                            "ejkmoz",
                                            "cegrstu",
                                            "ijkmor",
                                            "abdefghilmnpqrstuwy",
                                            "kmnrtu",
                                            "delmnoqrst",
                                            "emop",
                                            "eghimnprwyz",
                                            "abcikrstuvy",
                                            "acdeghklmnopqrstuvwxyz",
                                            "acefgilopruz",
                                            "m",
                                            "aefghklmnrstwy",
                                            "a",
                                            "eosuw",
                                            "abcdeghijklmnorstuvxyz",
                                            "cdfghjklmnortvwz",
                                            "agksyz",
                                            "aceginu",
                                            "fs",
                                            "",
                                            "et",
                                            "amw"};
    unsigned first = (unsigned char)(top.p[0] | 0x20) - 'a';
    return first < ARRAY_LEN(seconds) && strchr(seconds[first], top.p[1] | 0x20);
}

// What follows the last dot of files' and services' names: logo@2x.png, getty@tty1.service.
static bool is_suffix(struct str top) {
    static const struct str suffixes[] = {
        STR_INIT("png"),    STR_INIT("jpg"),   STR_INIT("jpeg"),  STR_INIT("gif"),   STR_INIT("svg"),
        STR_INIT("webp"),   STR_INIT("bmp"),   STR_INIT("ico"),   STR_INIT("css"),   STR_INIT("mjs"),
        STR_INIT("json"),   STR_INIT("html"),  STR_INIT("htm"),   STR_INIT("xml"),   STR_INIT("yaml"),
        STR_INIT("yml"),    STR_INIT("toml"),  STR_INIT("txt"),   STR_INIT("csv"),   STR_INIT("pdf"),
        STR_INIT("zip"),    STR_INIT("tgz"),   STR_INIT("log"),   STR_INIT("conf"),  STR_INIT("cfg"),
        STR_INIT("ini"),    STR_INIT("lock"),  STR_INIT("exe"),   STR_INIT("dll"),   STR_INIT("service"),
        STR_INIT("socket"), STR_INIT("timer"), STR_INIT("slice"), STR_INIT("mount"), STR_INIT("target")};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (str_eq_nocase(top, suffixes[i])) return true;
    return false;
}

static bool is_top(struct str top) {
    if (top.n < 2 || top.n > LABEL_MAX) return false;
    if (str_eq_nocase(str_head(top, 4), STR("xn--"))) return true;
    for (size_t i = 0; i < top.n; i++)
        if (!pii_letter(top.p[i]) && (unsigned char)top.p[i] < 0x80) return false;
    if (top.n == 2) return is_country(top);
    return !is_suffix(top);
}

static size_t local_start(const struct pii_text *t, size_t at) {
    size_t from = at, last;
    do {
        last = from;
        if (from > t->floor && is_local(pii_before(t, from)))
            from--;
        else
            from -= pii_letter_before(t, from);
    } while (from != last && from > t->floor && at - from <= LOCAL_MAX);
    while (from < at && !pii_word(t->p[from]) && (unsigned char)t->p[from] < 0x80) from++;
    return from;
}

// Where a label that begins at i ends.
static size_t label_end(const struct pii_text *t, size_t i) {
    for (size_t from = i, n = 1; n && i - from <= LABEL_MAX; i += n)
        n = pii_alnum(pii_at(t, i)) || pii_at(t, i) == '-' ? 1 : pii_letter_at(t, i);
    return i;
}

// The end of the domain that begins at i; 0: there is none.
static size_t domain_end(const struct pii_text *t, size_t i) {
    size_t from = i, end = 0;
    for (unsigned labels = 1; i - from < DOMAIN_MAX; labels++) {
        size_t to = label_end(t, i);
        struct str label = str_of(t->p + i, to - i);
        if (!label.n || label.n > LABEL_MAX || label.p[0] == '-') break;
        while (label.p[label.n - 1] == '-') label.n--;
        if (labels > 1 && is_top(label)) end = i + label.n;
        if (pii_at(t, to) != '.' || label.n != to - i) break;
        i = to + 1;
    }
    return end;
}

bool pii_email_at(const struct pii_text *t, size_t at, struct pii_match *out) {
    char before = pii_before(t, at), after = pii_at(t, at + 1);
    if (at <= t->floor || !(is_local(before) || (unsigned char)before >= 0x80)) return false;
    if (!(pii_alnum(after) || (unsigned char)after >= 0x80)) return false;
    size_t from = local_start(t, at), end = 0;
    if (from == at || at - from > LOCAL_MAX || t->p[at - 1] == '.') return false;
    end = domain_end(t, at + 1);
    if (!end) return false;
    // git@github.com:someone/something
    if (str_eq(str_of(t->p + from, at - from), STR("git")) && pii_at(t, end) == ':') return false;
    return pii_hit(PII_EMAIL, PII_BY_FORM, from, end, out);
}

// --- the Internet protocol ---

// Of nobody: this network, the machine itself, many at once, none yet, masks of networks.
static bool is_nobodys(const unsigned char b[4]) { return b[0] == 0 || b[0] == 127 || b[0] >= 224; }

// "10.0.0.0/8"; one of all bits is a single address.
static bool is_network(const struct pii_text *t, size_t end, const char *all) {
    if (pii_at(t, end) != '/' || !pii_digit(pii_at(t, end + 1))) return false;
    return !str_starts(str_of(t->p + end + 1, t->n - end - 1), str_c(all));
}

// "nginx/1.2.3.4", "1.2.3.4-rc1", "version 1.2.3.4"; but "http://192.0.2.1/"
static bool is_version(const struct pii_text *t, size_t at) {
    bool path = pii_before(t, at) == '/' && at > 1 && pii_alnum(t->p[at - 2]);
    return path || pii_misnamed(t, at);
}

bool pii_ip4_form(const struct pii_text *t, size_t at, struct pii_match *out) {
    unsigned char b[4];
    size_t i = at;
    for (int part = 0; part < 4; part++) {
        unsigned v = 0;
        size_t from = i;
        while (i < from + 4 && pii_digit(pii_at(t, i))) v = v * 10 + (unsigned)(t->p[i++] - '0');
        if (i == from || v > 255 || (t->p[from] == '0' && i > from + 1)) return false;
        b[part] = (unsigned char)v;
        if (part < 3 && pii_at(t, i++) != '.') return false;
    }
    if (!pii_ends(t, i) || is_nobodys(b) || is_version(t, at)) return false;
    if (is_network(t, i, "32")) return false;
    return pii_hit(PII_IP_ADDRESS, PII_BY_FORM, at, i, out);
}

// Global, of a site, of a link. The first group of each has four digits, which much else with colons has not.
static bool is_somebodys(const unsigned char b[16]) {
    return (b[0] & 0xe0) == 0x20 || (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

// Where the hexadecimal digits and colons before `at` begin.
static size_t run_start(const struct pii_text *t, size_t at) {
    struct pii_memo *memo = t->memo;
    size_t from = at;
    while (from && from != memo->run_end && (pii_hex(t->p[from - 1]) || t->p[from - 1] == ':')) from--;
    if (from != memo->run_end) memo->run_at = from;
    memo->run_end = at;
    return memo->run_at;
}

#define COLONS_MAX 8

static bool ip6_from(const struct pii_text *t, size_t from, struct pii_match *out) {
    struct ip ip;
    size_t end, colons = 0;
    char first = pii_at(t, from);
    if (pii_at(t, from + 4) != ':' || !(first == '2' || first == '3' || first == 'f' || first == 'F')) return false;
    for (end = from; end < t->n && end - from < IP_TEXT_MAX + 8; end++) {
        if (!pii_hex(t->p[end]) && t->p[end] != ':' && t->p[end] != '.') break;
        colons += t->p[end] == ':';
        if (colons > COLONS_MAX && pii_hex(t->p[end])) return false;
    }
    while (end > from && (t->p[end - 1] == '.' || (t->p[end - 1] == ':' && pii_before(t, end - 1) != ':'))) end--;
    if (colons < 2 || !pii_begins(t, from) || !pii_ends(t, end)) return false;
    if (!ip_parse(str_of(t->p + from, end - from), &ip) || !is_somebodys(ip.p)) return false;
    if (is_network(t, end, "128")) return false;
    return pii_hit(PII_IP_ADDRESS, PII_BY_FORM, from, end, out);
}

bool pii_ip6_form(const struct pii_text *t, size_t at, struct pii_match *out) {
    if (pii_before(t, at) != ':' && !(pii_at(t, at + 4) == ':' && pii_hex(pii_at(t, at)))) return false;
    size_t from = MAX(run_start(t, at), t->floor);
    if (at - from > IP_TEXT_MAX) from = at - IP_TEXT_MAX;
    while (from < at && t->p[from] == ':') from++;
    // Each group of one asks for the whole of it; and none has so much before a group.
    if (t->memo->no_ip6 == from + 1 || at - from >= IP_TEXT_MAX - 1) return false;
    if (ip6_from(t, from, out)) return true;
    t->memo->no_ip6 = from + 1;
    return false;
}
