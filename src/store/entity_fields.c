// What the texts of entities' fields must look like.
#include "store/entity_fields.h"

static bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

const char *entity_check_name(struct str text) {
    static const char expected[] =
        "a name: a-z, 0-9, \"-\", \"_\" and \".\", a letter or digit first, at most 64 in all";
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!is_word(c) && (i == 0 || (c != '-' && c != '_' && c != '.'))) return expected;
    }
    return text.n && text.n <= ENTITY_NAME_MAX ? NULL : expected;
}

const char *entity_check_email(struct str text) {
    static const char expected[] = "an e-mail address such as ada@example.com";
    size_t at = str_find_char(text, '@');
    struct str domain = str_from(text, at + 1);
    if (at == 0 || at > 64 || !domain.n || str_find_char(domain, '@') < domain.n) return expected;
    if (domain.p[0] == '.' || domain.p[domain.n - 1] == '.') return expected;
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || strchr("<>()[],;:\\\"", text.p[i])) return expected;
    return NULL;
}

const char *entity_check_zone(struct str text) {
    static const char expected[] = "the name of a time zone such as Europe/Vienna";
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool ok = is_letter(c) || (i && ((c >= '0' && c <= '9') || c == '/' || c == '_' || c == '-' || c == '+'));
        if (!ok) return expected;
    }
    return text.n ? NULL : expected;
}

const char *entity_check_address(struct str text) {
    static const char expected[] = "an IP address or a range such as 10.0.0.0/8";
    size_t slash = str_find_char(text, '/'), dots = 0, colons = 0;
    uint64_t bits;
    for (size_t i = 0; i < slash; i++) {
        char c = text.p[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        dots += c == '.';
        colons += c == ':';
        if (!hex && c != '.' && c != ':') return expected;
    }
    if (slash == 0 || (colons ? colons < 2 || colons > 7 : dots != 3)) return expected;
    if (slash == text.n) return NULL;
    return str_to_u64(str_from(text, slash + 1), &bits) && bits <= (colons ? 128 : 32) ? NULL : expected;
}

const char *entity_check_origin(struct str text) {
    static const char expected[] = "an origin such as https://app.example.com";
    size_t at = str_find(text, STR("://"));
    struct str host = str_from(text, at + 3);
    if (at == text.n || !host.n) return expected;
    if (!str_eq(str_head(text, at), STR("https")) && !str_eq(str_head(text, at), STR("http"))) return expected;
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        if (!is_word(c) && c != '.' && c != '-' && c != ':' && c != '[' && c != ']') return expected;
    }
    return NULL;
}

const char *entity_check_selector(struct str text) {
    static const char expected[] = "TYPE/ID, TYPE/NAME or TYPE/PREFIX*, such as model/gpt-*";
    size_t slash = str_find_char(text, '/'), star = str_find_char(text, '*');
    if (slash == 0 || slash + 1 >= text.n || star + 1 < text.n) return expected;
    for (size_t i = 0; i < slash; i++)
        if (!is_word(text.p[i]) && text.p[i] != '_') return expected;
    return NULL;
}

const char *entity_check_condition(struct str text) {
    static const char expected[] = "TAG=VALUE or TAG!=VALUE, such as env=prod";
    size_t eq = str_find_char(text, '=');
    size_t key = eq && eq < text.n && text.p[eq - 1] == '!' ? eq - 1 : eq;
    return eq < text.n && key > 0 ? NULL : expected;
}
