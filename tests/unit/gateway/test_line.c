// Tests of gateway/line.h: classes first, keys in turns, a key's own by deadline, several lanes, those who leave.
#include "check.h"

#include "base/mem.h"
#include "gateway/line.h"

static const char k_lanes[8]; // their places are their ids

#define ANEW                                                                                                           \
    {                                                                                                                  \
        .item = {.count = 0 }                                                                                          \
    }

struct waiter {
    struct {
        struct line_item item;
        struct line_entry entries[4];
    } at;
    unsigned class;
    uint64_t key, deadline;
    char name;
};

// In lanes "0" to "7".
static struct line_seat seat_in(const char *lanes, const struct waiter *w, size_t places) {
    struct line_seat seat = {.class = w->class, .key = w->key, .places = places};
    for (; *lanes; lanes++) seat.lanes[seat.count++] = &k_lanes[*lanes - '0'];
    return seat;
}

static bool add_at(struct line *line, const struct line_seat *seat, struct waiter *w) {
    w->at.item.entries = w->at.entries;
    return line_add(line, seat, w->deadline, &w->at.item);
}

static void add_in(struct line *line, const char *lanes, struct waiter *w) {
    const struct line_seat seat = seat_in(lanes, w, SIZE_MAX);
    REQUIRE(add_at(line, &seat, w));
}

static void add(struct line *line, struct waiter *w) { add_in(line, "1", w); }

static struct line_item *first_of(const struct line_lane *lane) { return line_first(lane, NULL, NULL); }

static char name_of(struct line_item *item) { return CONTAINER_OF(item, struct waiter, at.item)->name; }

// The names in the order in which they are served.
static void serve_all(struct line *line, char *out) {
    while (line->lanes) {
        struct line_item *item = first_of(line->lanes);
        *out++ = name_of(item);
        line_serve(line, item, line->lanes->id);
        CHECK(!item->count);
    }
    *out = '\0';
    CHECK_INT(line->waiting, 0);
}

static void check_order(struct waiter *w, size_t n, const char *expected) {
    struct line line = {0};
    char order[64];
    for (size_t i = 0; i < n; i++) add(&line, &w[i]);
    CHECK_INT(line.waiting, n);
    serve_all(&line, order);
    CHECK_STR(str_c(order), str_c(expected));
}

static void test_order(void) {
    struct waiter classes[] = {
        {ANEW, 2, 1, 10, 'l'}, {ANEW, 1, 1, 20, 'n'}, {ANEW, 0, 1, 30, 'h'}, {ANEW, 1, 1, 40, 'm'}};
    check_order(classes, 4, "hnml");
    struct waiter deadlines[] = {
        {ANEW, 1, 1, 30, 'c'}, {ANEW, 1, 1, 10, 'a'}, {ANEW, 1, 1, 20, 'b'}, {ANEW, 1, 1, 20, 'B'}};
    check_order(deadlines, 4, "abBc");
    struct waiter keys[] = {{ANEW, 1, 1, 1, 'a'}, {ANEW, 1, 1, 2, 'b'}, {ANEW, 1, 1, 3, 'c'},
                            {ANEW, 1, 1, 4, 'd'}, {ANEW, 1, 2, 5, 'X'}, {ANEW, 1, 2, 6, 'Y'}};
    check_order(keys, 6, "aXbYcd");
}

// Who comes back is not ahead of what the others are owed.
static void test_coming_back(void) {
    struct line line = {0};
    struct waiter many[4] = {{ANEW, 1, 1, 1, 'a'}, {ANEW, 1, 1, 2, 'b'}, {ANEW, 1, 1, 3, 'c'}, {ANEW, 1, 1, 4, 'd'}};
    struct waiter one = {ANEW, 1, 2, 0, 'X'};
    char order[16];
    size_t n = 0;
    for (size_t i = 0; i < 4; i++) add(&line, &many[i]);
    add(&line, &one);
    while (line.lanes && n < 15) {
        struct waiter *w = CONTAINER_OF(first_of(line.lanes), struct waiter, at.item);
        order[n++] = w->name;
        line_serve(&line, &w->at.item, line.lanes->id);
        if (w == &one && n < 8) add(&line, &one);
    }
    order[n] = '\0';
    CHECK_STR(str_of(order, 8), STR("XaXbXcXd"));
}

static void test_leaving(void) {
    struct line line = {0};
    struct waiter w[3] = {{ANEW, 1, 1, 1, 'a'}, {ANEW, 1, 1, 2, 'b'}, {ANEW, 1, 2, 3, 'c'}};
    char order[8];
    for (size_t i = 0; i < 3; i++) add(&line, &w[i]);
    line_leave(&line, &w[0].at.item);
    line_leave(&line, &w[0].at.item);
    CHECK_INT(line.waiting, 2);
    serve_all(&line, order);
    CHECK_STR(str_c(order), STR("bc"));
    line_leave(&line, &w[1].at.item);
    CHECK(!line.lanes);
}

// The one that was served is the last; whoever leaves its last item goes.
static void test_lanes(void) {
    struct line line = {0};
    struct waiter a = {ANEW, 2, 1, 1, 'a'}, b = {ANEW, 0, 1, 2, 'b'}, c = {ANEW, 1, 1, 3, 'c'};
    add_in(&line, "1", &a);
    add_in(&line, "2", &b);
    add_in(&line, "2", &c);
    CHECK(first_of(line.lanes) == &b.at.item && first_of(line.lanes->next) == &a.at.item);
    line_serve(&line, &b.at.item, &k_lanes[2]);
    CHECK(first_of(line.lanes) == &a.at.item && first_of(line.lanes->next) == &c.at.item && !line.lanes->next->next);
    line_leave(&line, &a.at.item);
    CHECK(line.lanes && first_of(line.lanes) == &c.at.item && !line.lanes->next);
    line_leave(&line, &c.at.item);
    CHECK(!line.lanes && !line.waiting);
}

// Who waits for more than others do has no more turns for it.
static void test_several_lanes(void) {
    struct line line = {0};
    struct waiter a[] = {{ANEW, 1, 1, 1, 'a'}, {ANEW, 1, 1, 2, 'b'}, {ANEW, 1, 1, 3, 'c'}, {ANEW, 1, 1, 4, 'd'}};
    struct waiter other[] = {{ANEW, 1, 2, 5, 'X'}, {ANEW, 1, 2, 6, 'Y'}};
    static const char *const lanes[] = {"1", "12", "134", "1234"};
    char order[8] = "";
    for (size_t i = 0; i < 4; i++) add_in(&line, lanes[i], &a[i]);
    for (size_t i = 0; i < 2; i++) add_in(&line, "1", &other[i]);
    CHECK_INT(line.waiting, 6);
    for (size_t n = 0; n < 6; n++) {
        const struct line_lane *lane = line.lanes;
        while (lane->id != &k_lanes[1]) lane = lane->next;
        struct line_item *item = first_of(lane);
        order[n] = name_of(item);
        line_serve(&line, item, &k_lanes[1]);
    }
    CHECK_STR(str_c(order), STR("aXbYcd"));
    CHECK(!line.lanes);
}

// All but one.
static bool may(const struct line_item *item, void *arg) { return item != arg; }

// Who cannot go is passed over, holds up nobody, and has no turns to catch up with.
static void test_passed_over(void) {
    struct line line = {0};
    struct waiter blocked = {ANEW, 1, 1, 1, 'a'};
    struct waiter w[] = {{ANEW, 1, 2, 3, 'U'}, {ANEW, 1, 2, 4, 'V'}, {ANEW, 1, 2, 5, 'W'}, {ANEW, 1, 2, 6, 'X'}};
    struct waiter more[] = {{ANEW, 1, 1, 7, 'b'}, {ANEW, 1, 1, 8, 'c'}};
    char order[16] = "";
    add(&line, &blocked);
    for (size_t i = 0; i < 4; i++) add(&line, &w[i]);
    for (size_t n = 0; n < 2; n++) {
        struct line_item *item = line_first(line.lanes, may, &blocked.at.item);
        order[n] = name_of(item);
        line_serve(&line, item, line.lanes->id);
    }
    CHECK_STR(str_c(order), STR("UV"));
    for (size_t i = 0; i < 2; i++) add(&line, &more[i]);
    CHECK(line_first(line.lanes, may, &blocked.at.item) == &more[0].at.item);
    serve_all(&line, order);
    CHECK_STR(str_c(order), STR("aWbXc"));
}

// Keys without end that come once: what is remembered of them stays small, and all are served once.
static void test_many_keys(void) {
    static struct waiter w[1000];
    struct line line = {0};
    struct waiter always = {ANEW, 1, 5000, 1000000, '-'};
    size_t served = 0;
    add(&line, &always);
    for (size_t i = 0; i < 1000; i++) {
        w[i] = (struct waiter){ANEW, 1, i, i, '.'};
        add(&line, &w[i]);
        struct waiter *first = CONTAINER_OF(first_of(line.lanes), struct waiter, at.item);
        line_serve(&line, &first->at.item, line.lanes->id);
        served++;
        CHECK(line.lanes && line.lanes->idle <= 65);
        if (first == &always) add(&line, &always);
    }
    while (line.lanes) {
        line_serve(&line, first_of(line.lanes), line.lanes->id);
        served++;
    }
    CHECK(served >= 1001);
}

static void test_without_memory(void) {
    struct line line = {0};
    struct waiter a = {ANEW, 1, 1, 1, 'a'};
    const struct line_seat seat = seat_in("12", &a, 1);
    for (uint64_t nth = 1; nth <= 4; nth++) {
        mem_fail_nth(nth);
        CHECK(!add_at(&line, &seat, &a));
        mem_fail_nth(0);
        CHECK(!line.lanes && !line.waiting && !a.at.item.count);
    }
    add(&line, &a);
    line_leave(&line, &a.at.item);
}

// The names of those who had to give up their places.
static void check_out(struct line *line, const void *owner, const char *expected) {
    char names[16];
    size_t n = 0;
    struct line_item *item;
    while ((item = line_take_out(line, owner))) {
        CHECK(!item->out && !item->count);
        names[n++] = name_of(item);
    }
    CHECK_STR(str_of(names, n), str_c(expected));
}

static bool add_bounded(struct line *line, size_t places, struct waiter *w) {
    const struct line_seat seat = seat_in("1", w, places);
    if (!line_places(line, &seat)) return false;
    REQUIRE(add_at(line, &seat, w));
    return true;
}

// Places are shared among keys as turns are, and a lower class gives way.
static void test_places(void) {
    struct line line = {0};
    struct waiter one[4] = {{ANEW, 1, 1, 1, 'a'}, {ANEW, 1, 1, 2, 'b'}, {ANEW, 1, 1, 3, 'c'}, {ANEW, 1, 1, 4, 'd'}};
    struct waiter two[2] = {{ANEW, 1, 2, 5, 'X'}, {ANEW, 1, 2, 6, 'Y'}};
    struct waiter low = {ANEW, 2, 3, 1, 'l'}, high[2] = {{ANEW, 0, 1, 9, 'H'}, {ANEW, 0, 1, 9, 'I'}};
    char order[16];
    int me;
    for (size_t i = 0; i < 4; i++) {
        one[i].at.item.owner = &me;
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
    line_leave(&line, &one[1].at.item); // it had to go, and leaves before it was told
    check_out(&line, &me, "");
    CHECK_INT(line.waiting, 4);
    serve_all(&line, order);
    CHECK_STR(str_c(order), STR("HIaX"));
}

// A place in one lane is none in another, and who gives up one leaves all.
static void test_places_in_several(void) {
    struct line line = {0};
    struct waiter a[] = {{ANEW, 1, 1, 1, 'a'}, {ANEW, 1, 1, 2, 'b'}, {ANEW, 1, 1, 3, 'c'}};
    struct waiter x = {ANEW, 1, 2, 4, 'X'};
    add_in(&line, "1", &a[0]);
    add_in(&line, "12", &a[1]);
    struct line_seat seat = seat_in("213", &a[2], 2);
    CHECK_INT(line_places(&line, &seat), 1 | 4);
    seat = seat_in("12", &x, 2);
    CHECK_INT(line_places(&line, &seat), 3);
    REQUIRE(add_at(&line, &seat, &x));
    CHECK(a[1].at.item.out && !a[0].at.item.out && !a[1].at.item.count);
    CHECK_INT(line.waiting, 2);
    check_out(&line, NULL, "b");
    line_leave(&line, &x.at.item);
    line_leave(&line, &a[0].at.item);
    CHECK(!line.lanes && !line.waiting);
}

TEST_MAIN(test_several_lanes, test_passed_over, test_places_in_several, test_places, test_order, test_coming_back,
          test_leaving, test_lanes, test_many_keys, test_without_memory)
