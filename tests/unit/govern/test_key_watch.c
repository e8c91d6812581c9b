// Tests of govern/key_watch.h: what is noted once, what is written, and what is told of misuse.
#include "../store/audit_fixture.h"

#include "access/key_text.h"
#include "govern/key_watch.h"

#define DAY ((int64_t)86400 * 1000000000)
#define MINUTE ((int64_t)60 * 1000000000)

static const int64_t k_now = 1700000000000000000;
static struct audit_notes *notes;
static struct key_watch *watch;
static struct keyring *ring;
static struct key_created key;
static const struct key_entry *entry;

static void begin(const char *name) {
    struct audit_notes_options o = {.dir = &dir, .version = STR("1")};
    trail_open(name);
    REQUIRE(audit_notes_start(&o, &notes, &err) && key_watch_create(notes, &watch, &err));
    REQUIRE(key_create(db, &dir, &(struct key_wanted){.name = STR("k")}, k_now, &key, &err));
    REQUIRE(keyring_load(db, &dir, &ring, &err) && keyring_check(ring, secret_str(&key.text), k_now, &entry, &err));
}

static void end(void) {
    key_watch_free(watch);
    key_created_free(&key);
    keyring_unref(ring);
    trail_close();
}

static void use(struct key_seat *seat, const char *from, int64_t at) {
    key_seat_used(seat, entry, str_c(from), at);
    REQUIRE(key_watch_save(watch, db, &err));
}

static bool last_is(const char *address, int64_t at) {
    struct key_row row;
    struct arena arena;
    arena_init(&arena, NULL, 0, 1 << 20);
    REQUIRE(key_find_id(db, key.id, &arena, &row, &err));
    bool same = str_eq(row.last_used_address, str_c(address)) && row.last_used_at == at;
    arena_free(&arena);
    return same;
}

static void test_last_use(void) {
    begin("last");
    struct key_seat a, b, none;
    key_seat_init(&a, watch);
    key_seat_init(&b, watch);
    key_seat_init(&none, NULL);
    CHECK(last_is("", 0));
    use(&none, "192.0.2.1", k_now);
    CHECK(last_is("", 0));
    use(&a, "192.0.2.1", k_now);
    CHECK(last_is("192.0.2.1", k_now));
    use(&a, "192.0.2.1", k_now + MINUTE - 1); // within the minute: nothing is handed over
    CHECK(last_is("192.0.2.1", k_now));
    use(&a, "192.0.2.1", k_now + MINUTE);
    CHECK(last_is("192.0.2.1", k_now + MINUTE));
    use(&b, "192.0.2.2", k_now + 1); // an earlier use of another loop: its address, and not its time
    CHECK(last_is("192.0.2.2", k_now + MINUTE));
    use(&a, "192.0.2.1", k_now - DAY); // the clock was set back
    CHECK(last_is("192.0.2.1", k_now + MINUTE));
    CHECK_INT(trail_number("SELECT version FROM api_key"), 1);
    // More than there is room for; and a key that is gone.
    struct key_entry many = *entry;
    for (int64_t i = 0; i < 2 * KEY_USES_MAX; i++) {
        many.id = 1000 + i;
        key_seat_used(&a, &many, STR("192.0.2.3"), k_now);
    }
    CHECK(key_watch_save(watch, db, &err));
    many.id = 0; // a token's
    key_seat_used(&a, &many, STR("192.0.2.3"), k_now);
    static char longer[200];
    memset(longer, 'x', sizeof longer);
    key_seat_used(&a, entry, str_of(longer, sizeof longer), k_now + 2 * MINUTE);
    CHECK(key_watch_save(watch, db, &err));
    audit_notes_end(notes);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event WHERE action = 'key.anomaly'"), 0);
    end();
}

static void test_new_address(void) {
    begin("new");
    struct key_seat seat;
    int64_t t = k_now;
    key_seat_init(&seat, watch);
    use(&seat, "2001:db8:1:2::1", t);
    use(&seat, "2001:db8:1:2:a:b:c:d", t += 4 * DAY); // the same network
    use(&seat, "2001:db8:1:2::1", t += 4 * DAY);
    use(&seat, "2001:db8:1:3::1", t += DAY); // after nine days
    use(&seat, "192.0.2.1", t += DAY);       // not stable any more
    use(&seat, "192.0.2.1", t += 7 * DAY);
    use(&seat, "192.0.2.2", t += MINUTE); // of version 4, the whole address counts
    audit_notes_end(notes);
    CHECK_INT(trail_number("SELECT sum(json_extract(after_json, '$.count')) FROM audit_event WHERE action ="
                           " 'key.anomaly' AND reason = 'new_address' AND outcome = 0 AND resource_type = 'key'"),
              2);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event WHERE json_extract(after_json, '$.usual_address') ="
                           " '192.0.2.1' AND address = '192.0.2.2'"),
              1);
    end();
}

static void test_refused(void) {
    begin("refused");
    struct key_seat seat;
    key_seat_init(&seat, watch);
    struct str id = STR("req_1"), peer = STR("192.0.2.1");
    key_seat_refused(&seat, ring, secret_str(&key.text), peer, id, k_now); // it is good
    key_seat_refused(&seat, ring, STR("sk-nothing"), peer, id, k_now);
    for (int i = 0; i < 100; i++)
        key_seat_refused(&seat, ring, STR("ps-0123456789012345678901234567890123456789-_z"), peer, id, k_now);
    for (int i = 0; i < KEY_BURST - 1; i++) {
        SECRET_AUTO struct secret text = {0};
        REQUIRE(key_text_make(&text, &err));
        key_seat_refused(&seat, ring, secret_str(&text), peer, id, k_now);
    }
    struct key_entry bound = *entry, suspended = *entry;
    key_seat_misplaced(&seat, &bound, peer, id); // from anywhere
    bound.place.any_address = false;
    key_seat_misplaced(&seat, &bound, peer, id);
    suspended.id = 0;
    key_seat_misplaced(&seat, &suspended, peer, id);
    audit_notes_end(notes);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event WHERE action = 'key.anomaly'"), 1);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event WHERE reason = 'address_not_allowed' AND outcome = 1"), 1);
    end();
}

TEST_MAIN(test_last_use, test_new_address, test_refused)
