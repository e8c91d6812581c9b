// Measures the search for personal data: processor time a byte of texts, of what is worst for it, and of whole bodies.
#include "base/mem.h"
#include "gateway/finding.h"
#include "govern/pii.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT_MAX ((size_t)4 << 20)
#define HOSTILE_BYTES ((size_t)1 << 20)
#define ARENA_MAX ((size_t)1 << 20)

static double cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static volatile size_t g_sink;

static void search(struct str text) {
    struct pii_scan scan = pii_scan_of(text, PII_ALL);
    struct pii_match m;
    size_t n = 0;
    while (pii_next(&scan, &m)) n++;
    g_sink += n;
}

static void search_body(struct str text) {
    const struct finding_in in = {.body = text, .content_type = STR(""), .kinds = PII_ALL};
    struct arena arena;
    struct finding f = {0};
    struct err err;
    arena_init(&arena, NULL, 0, ARENA_MAX);
    if (!finding_in_body(&in, &arena, &f, &err)) exit(1);
    g_sink += f.found;
    arena_free(&arena);
}

static void measure(const char *kind, const char *name, struct str text, void (*go)(struct str), int rounds) {
    double best = 1e18;
    for (int i = 0; i < rounds; i++) {
        double from = cpu_ns();
        go(text);
        best = MIN(best, cpu_ns() - from);
    }
    printf("{\"kind\":\"%s\",\"case\":\"", kind);
    for (const char *c = name; *c; c++) {
        unsigned char b = (unsigned char)*c;
        if (b < 0x20 || b >= 0x7f || b == '"' || b == '\\')
            printf("\\u%04x", (unsigned)b);
        else
            putchar(b);
    }
    printf("\",\"ns_per_byte\":%.3f}\n", best / (double)text.n);
    fflush(stdout);
}

static void measure_file(const char *path, int rounds) {
    FILE *f = fopen(path, "rb");
    char *p = mem_must(mem_alloc(TEXT_MAX));
    const size_t n = f ? fread(p, 1, TEXT_MAX, f) : 0;
    const char *slash = strrchr(path, '/');
    if (!n) {
        fprintf(stderr, "bench_pii: cannot read %s\n", path);
        exit(1);
    }
    fclose(f);
    measure("text", slash ? slash + 1 : path, str_of(p, n), search, rounds);
    mem_free(p);
}

static void measure_over_and_over(const char *kind, const char *piece, void (*go)(struct str), int rounds) {
    struct buf b = BUF_INIT(HOSTILE_BYTES);
    const size_t n = strlen(piece);
    while (b.n + n <= HOSTILE_BYTES) buf_put(&b, str_of(piece, n));
    measure(kind, piece, buf_str(&b), go, rounds);
    buf_free(&b);
}

// One such element after the other.
static void measure_body(const char *name, const char *head, const char *element, const char *tail, int rounds) {
    struct buf b = BUF_INIT(HOSTILE_BYTES + 64);
    buf_put(&b, str_c(head));
    while (b.n < HOSTILE_BYTES) buf_put(&b, str_c(element));
    buf_put(&b, str_c(tail));
    measure("body", name, buf_str(&b), search_body, rounds);
    buf_free(&b);
}

// A search among short texts that are repeated has found these to be the worst, each for another part of it.
static const char *const k_hostile[] = {
    "1 ",
    "1.",
    "1:",
    "00 ",
    "a 00 ",
    "00\xe2\x80\x93",
    "+1 ",
    "(123)",
    "4111 ",
    "4111\xc2\xa0",
    "212 555 ",
    "fe80:",
    "2001:db8:",
    "@",
    "a@",
    "\xc3\xa9@",
    "DE89 ",
    "LC11 AAAA ",
    "a@b.zz.zz.",
    "a@b.png.png.",
    "0 1234567890 ",
    "1111 1111 1111 12 ",
    "a1 ",
    "1",
    "DE89 3704 0044 0532 0130 00@",
};

// bench_pii ROUNDS [FILE]…
int main(int argc, char **argv) {
    uint64_t n;
    if (argc < 2 || !str_to_u64(str_c(argv[1]), &n) || n < 1 || n > 1000) {
        fprintf(stderr, "usage: bench_pii ROUNDS [FILE]…\n");
        return 2;
    }
    const int rounds = (int)n;
    for (int i = 2; i < argc; i++) measure_file(argv[i], rounds);
    for (size_t i = 0; i < ARRAY_LEN(k_hostile); i++) measure_over_and_over("hostile", k_hostile[i], search, rounds);
    measure_body("[\"\",\"\",…]", "[\"\"", ",\"\"", "]", rounds);
    measure_body("[1,1,…]", "[1", ",1", "]", rounds);
    measure_body("{\"\":1,…}", "{\"\":1", ",\"\":1", "}", rounds);
    measure_body("[\"\\\\n1\",…]", "[1", ",\"\\n1\"", "]", rounds);
    measure_body("\"…\\\\n\"", "\"", "\\n", "\"", rounds);
    measure_body("lines", "", "{\n", "", rounds);
    measure_body("prose", "\"", "The quick brown fox jumps over the lazy dog. ", "\"", rounds);
    return 0;
}
