// Differences of texts: hunks, context, missing line ends, and texts that have nothing in common.
#include "check.h"
#include "conf/text_diff.h"

static void expect(const char *a, const char *b, const char *want) {
    struct buf out = BUF_INIT(1 << 20);
    text_diff(str_c(a), str_c(b), STR("old"), STR("new"), false, &out);
    CHECK(!out.failed);
    CHECK_STR(buf_str(&out), str_c(want));
    buf_free(&out);
}

static void hunks(void) {
    expect("", "", "");
    expect("a\n", "a\n", "");
    expect("", "a\nb\n", "--- old\n+++ new\n@@ -0,0 +1,2 @@\n+a\n+b\n");
    expect("a\n", "", "--- old\n+++ new\n@@ -1 +0,0 @@\n-a\n");
    expect("a\nb\nc\n", "a\nx\nc\n", "--- old\n+++ new\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
    expect("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n7\n8\n9\n",
           "--- old\n+++ new\n@@ -3,7 +3,6 @@\n 3\n 4\n 5\n-6\n 7\n 8\n 9\n");
    expect("a\n1\n2\n3\n4\n5\n6\nb\n", "x\n1\n2\n3\n4\n5\n6\ny\n",
           "--- old\n+++ new\n@@ -1,8 +1,8 @@\n-a\n+x\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+y\n");
    expect("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "x\n1\n2\n3\n4\n5\n6\n7\ny\n",
           "--- old\n+++ new\n@@ -1,4 +1,4 @@\n-a\n+x\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+y\n");
    expect("k\nm\nm\n", "m\nk\nm\n", "--- old\n+++ new\n@@ -1,3 +1,3 @@\n-k\n m\n+k\n m\n");
}

static void line_ends(void) {
    expect("a", "a\n", "--- old\n+++ new\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
    expect("a\x1b[31m\n", "a\n", "--- old\n+++ new\n@@ -1 +1 @@\n-a?[31m\n+a\n");
}

static void colours(void) {
    struct buf out = BUF_INIT(4096);
    text_diff(STR("a\n"), STR("b\n"), STR("o"), STR("n"), true, &out);
    CHECK_STR(buf_str(&out), STR("--- o\n+++ n\n\x1b[36m@@ -1 +1 @@\x1b[0m\n\x1b[31m-a\x1b[0m\n\x1b[32m+b\x1b[0m\n"));
    buf_free(&out);
}

static void nothing_in_common(void) {
    struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
    for (int i = 0; i < 2000; i++) {
        buf_printf(&a, "a%d\n", i);
        buf_printf(&b, "b%d\n", i);
    }
    text_diff(buf_str(&a), buf_str(&b), STR("o"), STR("n"), false, &out);
    CHECK(str_starts(buf_str(&out), STR("--- o\n+++ n\n@@ -1,2000 +1,2000 @@\n-a0\n")));
    CHECK(str_ends(buf_str(&out), STR("+b1999\n")));
    buf_free(&a);
    buf_free(&b);
    buf_free(&out);
}

TEST_MAIN(hunks, line_ends, colours, nothing_in_common)
