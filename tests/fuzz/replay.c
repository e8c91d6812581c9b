// Runs a fuzz harness over the files of its corpus, each also cut short, so that the corpus is a plain test.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *dir, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    enum { LIMIT = 1 << 20 };
    uint8_t *all = malloc(LIMIT);
    if (!all) abort();
    size_t n = fread(all, 1, LIMIT, f);
    fclose(f);
    size_t step = n / 64 + 1;
    for (size_t cut = 0; cut <= n; cut += (cut + step > n && cut < n) ? n - cut : step) {
        // An exact allocation each time, so that a sanitizer sees one byte too far.
        uint8_t *part = malloc(cut ? cut : 1);
        if (!part) abort();
        for (size_t i = 0; i < cut; i++) part[i] = all[i];
        LLVMFuzzerTestOneInput(part, cut);
        free(part);
    }
    free(all);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_DIR\n", argv[0]);
        return 2;
    }
    DIR *dir = opendir(argv[1]);
    if (!dir) {
        fprintf(stderr, "%s: no such corpus\n", argv[1]);
        return 1;
    }
    int files = 0;
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.') files += replay(argv[1], e->d_name);
    closedir(dir);
    printf("%d corpus files replayed\n", files);
    return files ? 0 : 1;
}
