// Measures how long a configuration takes from the file's bytes to a checked snapshot: median, least and most of many.
#include "base/mem.h"
#include "conf/conf.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS_MAX 1000

static int by_value(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static bool load_once(struct str path, int64_t *out_ns, size_t *out_models, size_t *out_tenants) {
    struct conf_env env = conf_env_system();
    struct conf_problems problems;
    struct conf *conf = NULL;
    conf_problems_init(&problems);
    int64_t began = (int64_t)clock_mono_ns();
    bool ok = conf_load(path, &env, &problems, &conf);
    *out_ns = (int64_t)clock_mono_ns() - began;
    if (ok) {
        *out_models = conf->models.n;
        *out_tenants = conf->tenants.n;
    } else {
        struct buf text = BUF_INIT((size_t)1 << 20);
        conf_problems_print(&problems, &text);
        fprintf(stderr, "%.*s", STR_ARG(buf_str(&text)));
        buf_free(&text);
    }
    conf_unref(conf);
    conf_problems_free(&problems);
    return ok;
}

int main(int argc, char **argv) {
    static int64_t took[ROUNDS_MAX];
    size_t models = 0, tenants = 0;
    long rounds = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_conf FILE ROUNDS (1 to %d)\n", ROUNDS_MAX);
        return 2;
    }
    for (long i = 0; i < rounds; i++)
        if (!load_once(str_c(argv[1]), &took[i], &models, &tenants)) return 1;
    qsort(took, (size_t)rounds, sizeof *took, by_value);
    printf("{\"models\":%zu,\"tenants\":%zu,\"rounds\":%ld,\"median_ms\":%.3f,\"min_ms\":%.3f,\"max_ms\":%.3f}\n",
           models, tenants, rounds, (double)took[rounds / 2] / 1e6, (double)took[0] / 1e6,
           (double)took[rounds - 1] / 1e6);
    return 0;
}
