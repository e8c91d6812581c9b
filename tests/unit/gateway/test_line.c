// Tests of gateway/line.h: classes first, keys in turns, a key's own by deadline, those who leave.
#include "check.h"

#include "base/mem.h"
#include "gateway/line.h"

struct waiter {
    struct line_item item;
    unsigned class;
    uint64_t key, deadline;
    char name;
};

static void add(struct line *line, uint64_t lane, struct waiter *w) {
    const struct line_seat seat = {lane, w->class, w->key, SIZE_MAX};
    REQUIRE(line_add(line, &seat, w->deadline, &w->item));
}

// The names in the order in which they are served.
static void serve_all(struct line *line, char *out) {
    while (line->lanes) {
        struct line_item *item = line_first(line->lanes);
        *out++ = CONTAINER_OF(item, struct waiter, item)->name;
        line_serve(line, item);
        CHECK(!item->flow);
    }
    *out = '\0';
    CHECK_INT(line->waiting, 0);
}

static void check_order(struct waiter *w, size_t n, const char *expected) {
    struct line line = {0};
    char order[64];
    for (size_t i = 0; i < n; i++) add(&line, 1, &w[i]);
    CHECK_INT(line.waiting, n);
    serve_all(&line, order);
    CHECK_STR(str_c(order), str_c(expected));
}

static void test_order(void) {
    struct waiter classes[] = {{{0}, 2, 1, 10, 'l'}, {{0}, 1, 1, 20, 'n'}, {{0}, 0, 1, 30, 'h'}, {{0}, 1, 1, 40, 'm'}};
    check_order(classes, 4, "hnml");
    struct waiter deadlines[] = {
        {{0}, 1, 1, 30, 'c'}, {{0}, 1, 1, 10, 'a'}, {{0}, 1, 1, 20, 'b'}, {{0}, 1, 1, 20, 'B'}};
    check_order(deadlines, 4, "abBc");
    struct waiter keys[] = {{{0}, 1, 1, 1, 'a'}, {{0}, 1, 1, 2, 'b'}, {{0}, 1, 1, 3, 'c'},
                            {{0}, 1, 1, 4, 'd'}, {{0}, 1, 2, 5, 'X'}, {{0}, 1, 2, 6, 'Y'}};
    check_order(keys, 6, "aXbYcd");
}

// Who comes back is not ahead of what the others are owed.
static void test_coming_back(void) {
    struct line line = {0};
    struct waiter many[4] = {{{0}, 1, 1, 1, 'a'}, {{0}, 1, 1, 2, 'b'}, {{0}, 1, 1, 3, 'c'}, {{0}, 1, 1, 4, 'd'}};
    struct waiter one = {{0}, 1, 2, 0, 'X'};
    char order[16];
    size_t n = 0;
    for (size_t i = 0; i < 4; i++) add(&line, 1, &many[i]);
    add(&line, 1, &one);
    while (line.lanes && n < 15) {
        struct waiter *w = CONTAINER_OF(line_first(line.lanes), struct waiter, item);
        order[n++] = w->name;
        line_serve(&line, &w->item);
        if (w == &one && n < 8) add(&line, 1, &one);
    }
    order[n] = '\0';
    CHECK_STR(str_of(order, 8), STR("XaXbXcXd"));
}

static void test_leaving(void) {
    struct line line = {0};
    struct waiter w[3] = {{{0}, 1, 1, 1, 'a'}, {{0}, 1, 1, 2, 'b'}, {{0}, 1, 2, 3, 'c'}};
    char order[8];
    for (size_t i = 0; i < 3; i++) add(&line, 7, &w[i]);
    line_leave(&line, &w[0].item);
    line_leave(&line, &w[0].item);
    CHECK_INT(line.waiting, 2);
    serve_all(&line, order);
    CHECK_STR(str_c(order), STR("bc"));
    line_leave(&line, &w[1].item);
    CHECK(!line.lanes);
}

static void test_lanes(void) {
    struct line line = {0};
    struct waiter a = {{0}, 2, 1, 1, 'a'}, b = {{0}, 0, 1, 2, 'b'};
    add(&line, 1, &a);
    add(&line, 2, &b);
    CHECK(line_first(line.lanes) == &b.item && line_first(line.lanes->next) == &a.item);
    line_turn(&line);
    CHECK(line_first(line.lanes) == &a.item && line_first(line.lanes->next) == &b.item && !line.lanes->next->next);
    line_leave(&line, &a.item);
    line_turn(&line);
    CHECK(line.lanes && line_first(line.lanes) == &b.item);
    line_leave(&line, &b.item);
    line_turn(&line);
    CHECK(!line.lanes);
}

// Keys without end that come once: what is remembered of them stays small, and all are served once.
static void test_many_keys(void) {
    static struct waiter w[1000];
    struct line line = {0};
    struct waiter always = {{0}, 1, 5000, 1000000, '-'};
    size_t served = 0;
    add(&line, 1, &always);
    for (size_t i = 0; i < 1000; i++) {
        w[i] = (struct waiter){{0}, 1, i, i, '.'};
        add(&line, 1, &w[i]);
        struct waiter *first = CONTAINER_OF(line_first(line.lanes), struct waiter, item);
        line_serve(&line, &first->item);
        served++;
        CHECK(line.lanes && line.lanes->idle <= 65);
        if (first == &always) add(&line, 1, &always);
    }
    while (line.lanes) {
        line_serve(&line, line_first(line.lanes));
        served++;
    }
    CHECK(served >= 1001);
}

static void test_without_memory(void) {
    struct line line = {0};
    struct waiter a = {{0}, 1, 1, 1, 'a'};
    const struct line_seat seat = {1, 1, 1, 1};
    for (uint64_t nth = 1; nth <= 2; nth++) {
        mem_fail_nth(nth);
        CHECK(!line_add(&line, &seat, 1, &a.item));
        mem_fail_nth(0);
        CHECK(!line.lanes && !line.waiting && !a.item.flow);
    }
    add(&line, 1, &a);
    line_leave(&line, &a.item);
}

// The names of those who had to give up their places.
static void check_out(struct line *line, const void *owner, const char *expected) {
    char names[16];
    size_t n = 0;
    struct line_item *item;
    while ((item = line_take_out(line, owner))) {
        CHECK(!item->out && !item->flow);
        names[n++] = CONTAINER_OF(item, struct waiter, item)->name;
    }
    CHECK_STR(str_of(names, n), str_c(expected));
}

static bool add_bounded(struct line *line, size_t places, struct waiter *w) {
    const struct line_seat seat = {1, w->class, w->key, places};
    if (!line_has_place(line, &seat)) return false;
    REQUIRE(line_add(line, &seat, w->deadline, &w->item));
    return true;
}

// Places are shared among keys as turns are, and a lower class gives way.
static void test_places(void) {
    struct line line = {0};
    struct waiter one[4] = {{{0}, 1, 1, 1, 'a'}, {{0}, 1, 1, 2, 'b'}, {{0}, 1, 1, 3, 'c'}, {{0}, 1, 1, 4, 'd'}};
    struct waiter two[2] = {{{0}, 1, 2, 5, 'X'}, {{0}, 1, 2, 6, 'Y'}};
    struct waiter low = {{0}, 2, 3, 1, 'l'}, high[2] = {{{0}, 0, 1, 9, 'H'}, {{0}, 0, 1, 9, 'I'}};
    char order[16];
    int me;
    for (size_t i = 0; i < 4; i++) {
        one[i].item.owner = &me;
        CHECK(add_bounded(&line, 3, &one[i]) == (i < 3));
    }
    CHECK(add_bounded(&line, 3, &two[0])); // of three it takes one
    check_out(&line, &line, "");
    check_out(&line, &me, "c");
    CHECK(!add_bounded(&line, 3, &two[1])); // who has as many gives nothing up
    CHECK(!add_bounded(&line, 3, &low));
    CHECK(add_bounded(&line, 4, &low));
    CHECK(add_bounded(&line, 4, &high[0]));
    check_out(&line, NULL, "l");
    CHECK(add_bounded(&line, 4, &high[1]));
    line_leave(&line, &one[1].item); // it had to go, and leaves before it was told
    check_out(&line, &me, "");
    CHECK_INT(line.waiting, 4);
    serve_all(&line, order);
    CHECK_STR(str_c(order), STR("HIaX"));
}

TEST_MAIN(test_places, test_order, test_coming_back, test_leaving, test_lanes, test_many_keys, test_without_memory)
