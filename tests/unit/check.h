// A tiny test harness: CHECK… count failures and go on; TEST_MAIN runs the listed cases and exits non-zero on any.
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>

static int g_check_failures;
static int g_check_count;

#define CHECK(cond)                                                                                                    \
    do {                                                                                                               \
        g_check_count++;                                                                                               \
        if (!(cond)) {                                                                                                 \
            g_check_failures++;                                                                                        \
            fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #cond);                                   \
        }                                                                                                              \
    } while (0)

#define CHECK_INT(got, want)                                                                                           \
    do {                                                                                                               \
        int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);                                                        \
        g_check_count++;                                                                                               \
        if (got_ != want_) {                                                                                           \
            g_check_failures++;                                                                                        \
            fprintf(stderr, "%s:%d: %s is %" PRId64 ", wanted %" PRId64 "\n", __FILE__, __LINE__, #got, got_, want_);  \
        }                                                                                                              \
    } while (0)

#define CHECK_STR(got, want)                                                                                           \
    do {                                                                                                               \
        struct str got_ = (got), want_ = (want);                                                                       \
        g_check_count++;                                                                                               \
        if (!str_eq(got_, want_)) {                                                                                    \
            g_check_failures++;                                                                                        \
            fprintf(stderr, "%s:%d: %s is \"%.*s\", wanted \"%.*s\"\n", __FILE__, __LINE__, #got, STR_ARG(got_),       \
                    STR_ARG(want_));                                                                                   \
        }                                                                                                              \
    } while (0)

// For what a test cannot go on without.
#define REQUIRE(cond)                                                                                                  \
    do {                                                                                                               \
        g_check_count++;                                                                                               \
        if (!(cond)) {                                                                                                 \
            fprintf(stderr, "%s:%d: REQUIRE(%s) failed, giving up\n", __FILE__, __LINE__, #cond);                      \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

typedef void check_case(void);

#define TEST_MAIN(...)                                                                                                 \
    int main(void) {                                                                                                   \
        check_case *const cases[] = {__VA_ARGS__};                                                                     \
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) cases[i]();                                        \
        printf("%d checks, %d failures\n", g_check_count, g_check_failures);                                           \
        return g_check_failures != 0 || g_check_count == 0;                                                            \
    }

#endif
