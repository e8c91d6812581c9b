// Fuzzes the finder of personal data: any bytes; what is found lies in the text, in order, and is found again when it
// stands alone with what decides on it. And the bytes as a request's body: what can be read in it is gone through, and
// what is told of it holds none of the data.
#include "gateway/finding.h"
#include "govern/pii.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
    if (!ok) abort();
}

// What stands farther away than PII_REACH has no part in it.
static void check_alone(struct str text, size_t floor, const struct pii_match *m) {
    size_t from = m->at > PII_REACH ? m->at - PII_REACH : 0;
    struct str part = str_head(str_from(text, from), m->at - from + m->n + PII_REACH);
    struct pii_scan scan = {.text = part, .kinds = PII_ALL, .at = m->at - from, .floor = 0};
    struct pii_match again;
    if (floor > from) scan.floor = floor - from;
    check(pii_next(&scan, &again));
    check(again.kind == m->kind && again.at + from == m->at && again.n == m->n && again.score == m->score);
}

static void check_body(struct str body, const char *type) {
    struct arena arena;
    struct finding f;
    struct err err;
    struct pii_match m;
    arena_init(&arena, NULL, 0, (size_t)1 << 24);
    const struct finding_in in = {.body = body, .content_type = str_c(type), .kinds = PII_ALL};
    check(finding_in_body(&in, &arena, &f, &err));
    check(f.found == (f.text.n > 0) && !pii_find(f.text, PII_ALL, &m));
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct str text = str_of((const char *)data, size);
    struct pii_scan scan = pii_scan_of(text, PII_ALL);
    struct pii_match m;
    size_t end = 0;
    while (pii_next(&scan, &m)) {
        check(m.at >= end && m.n && m.at + m.n <= text.n && (unsigned)m.kind < PII_KIND_COUNT);
        check_alone(text, end, &m);
        end = m.at + m.n;
        check(scan.at == end);
    }
    for (unsigned kind = 0; kind < PII_KIND_COUNT; kind++) {
        scan = pii_scan_of(text, PII_BIT(kind));
        while (pii_next(&scan, &m)) check((unsigned)m.kind == kind);
    }
    check_body(text, "application/json");
    check_body(text, "multipart/form-data; boundary=b");
    check_body(text, "application/x-www-form-urlencoded");
    return 0;
}
