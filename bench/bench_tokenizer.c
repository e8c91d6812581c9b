// Measures a tokenizer on a file: processor time of listing the tokens and of counting them.
#include "model/token/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TEXT_MAX ((size_t)256 << 20)

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct str read_file(const char *path) {
    FILE *f = fopen(path, "rb");
    char *p = mem_must(mem_alloc(TEXT_MAX));
    const size_t n = f ? fread(p, 1, TEXT_MAX, f) : 0;
    if (!f || ferror(f) || n == 0) {
        fprintf(stderr, "bench_tokenizer: cannot read %s\n", path);
        exit(1);
    }
    fclose(f);
    return str_of(p, n);
}

static size_t list(const struct tokenizer *t, struct str text) {
    struct token_ids ids = {0};
    struct err err;
    if (!tokenizer_encode(t, text, &ids, &err)) exit(1);
    mem_free(ids.p);
    return ids.n;
}

// bench_tokenizer TOKENIZER FILE ROUNDS: one line a round, seconds of listing and of counting.
int main(int argc, char **argv) {
    const struct tokenizer *t = argc == 4 ? tokenizer_find(str_c(argv[1])) : NULL;
    uint64_t rounds;
    if (!t || !str_to_u64(str_c(argv[3]), &rounds)) {
        fprintf(stderr, "usage: bench_tokenizer TOKENIZER FILE ROUNDS\n");
        return 2;
    }
    const struct str text = read_file(argv[2]);
    for (uint64_t i = 0; i < rounds; i++) {
        const double start = cpu_s();
        const size_t listed = list(t, text);
        const double between = cpu_s();
        const size_t counted = tokenizer_count(t, text);
        const double end = cpu_s();
        if (listed != counted) return 1;
        printf("{\"bytes\":%zu,\"tokens\":%zu,\"list_s\":%.6f,\"count_s\":%.6f}\n", text.n, counted, between - start,
               end - between);
    }
    return 0;
}
