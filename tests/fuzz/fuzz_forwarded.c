// Fuzzes net/forwarded.h: lines are fields, the first says who connects; nobody but a trusted proxy is believed.
#include "net/forwarded.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
    if (!ok) abort();
}

// What was found is written as it is read.
static void check_text(const struct ip *ip) {
    char text[IP_TEXT_MAX];
    struct ip again;
    check(ip_parse(ip_text(ip, text), &again) && memcmp(ip, &again, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str input = str_of((const char *)data, size), line;
    struct http_field fields[64];
    struct ip_range ranges[2];
    struct ip_set trusted = {ranges, 2}, nobody = {0};
    struct ip peer = {{[15] = 1}}, ip;
    size_t n = 0;
    if (!size || !ip_range_parse(STR("10.0.0.0/8"), &ranges[0]) || !ip_range_parse(STR("2001:db8::/32"), &ranges[1]))
        return 0;
    if (str_split(&input, '\n', &line) && !ip_parse(line, &peer)) peer = ranges[0].first;
    while (n < ARRAY_LEN(fields) && str_split(&input, '\n', &line)) {
        if (forwarded_entry(line, &ip)) check_text(&ip);
        fields[n++] = (struct http_field){STR("x-forwarded-for"), line};
    }
    ip = forwarded_client(&peer, fields, n, &nobody);
    check(memcmp(&ip, &peer, sizeof ip) == 0);
    ip = forwarded_client(&peer, fields, n, &trusted);
    if (!ip_set_has(&trusted, &peer)) check(memcmp(&ip, &peer, sizeof ip) == 0);
    check_text(&ip);
    // What clients wrote before the nearest proxy's entry changes nothing when that one is no proxy's.
    if (n && n < ARRAY_LEN(fields) && !ip_set_has(&trusted, &ip)) {
        memmove(fields + 1, fields, n * sizeof *fields);
        fields[0].value = STR("203.0.113.66");
        struct ip same = forwarded_client(&peer, fields, n + 1, &trusted);
        check(memcmp(&ip, &same, sizeof ip) == 0);
    }
    for (size_t i = 0; i < n; i++) fields[i].name = STR("x-forwarded-proto");
    (void)forwarded_proto(fields, n);
    return 0;
}
