// Tests of govern/audit_note.h: start and end, denials added up, the bus told of everybody's events.
#include "../store/audit_fixture.h"

#include "govern/audit_note.h"
#include "os/clock.h"
#include "store/audit_verify.h"

#include <unistd.h>

static struct audit_notes *notes;

static struct audit_denial denial(int64_t key, const char *reason) {
    return (struct audit_denial){.tenant = 1,
                                 .key = key,
                                 .name = STR("ps-abc123"),
                                 .action = STR("model.use"),
                                 .resource = STR("gpt-5"),
                                 .reason = str_c(reason),
                                 .address = STR("192.0.2.1"),
                                 .request_id = STR("req_1")};
}

static void begin(struct event_bus *bus, uint64_t every) {
    struct audit_notes_options o = {.dir = &dir, .events = bus, .version = STR("1"), .every_ns = every};
    REQUIRE(audit_notes_start(&o, &notes, &err));
}

static void test_life(void) {
    trail_open("life");
    begin(NULL, 0);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event WHERE action = 'server.start'"), 1);
    audit_note_denied(NULL, &(struct audit_denial){0});
    for (int i = 0; i < 1000; i++) {
        struct audit_denial d = denial(5, "invalid_api_key");
        audit_note_denied(notes, &d);
    }
    struct audit_denial other = denial(5, "permission_denied"), none = {.reason = STR("invalid_api_key")};
    audit_note_denied(notes, &other);
    audit_note_denied(notes, &none);
    audit_notes_end(notes);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event WHERE action = 'server.stop'"), 1);
    // What was written at once and what at the end: all of them are there.
    CHECK_INT(trail_number("SELECT sum(json_extract(after_json, '$.count')) FROM audit_event WHERE outcome = 1"), 1002);
    CHECK(trail_number("SELECT count(*) FROM audit_event WHERE outcome = 1") <= 4);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event WHERE actor_id = 'key_0000000000005'"
                           " AND reason = 'permission_denied' AND address = '192.0.2.1'"),
              1);
    struct audit_verdict v;
    CHECK(audit_verify(db, &(struct audit_verify_options){.dir = &dir}, &v, &err) && !v.faulty);
    trail_close();
}

static void test_flood(void) {
    trail_open("flood");
    begin(NULL, 0);
    for (int64_t i = 1; i <= 3 * AUDIT_NOTES_MAX; i++) {
        struct audit_denial d = denial(i, "invalid_api_key");
        audit_note_denied(notes, &d);
    }
    audit_notes_end(notes);
    CHECK_INT(trail_number("SELECT sum(json_extract(after_json, '$.count')) FROM audit_event WHERE outcome = 1"),
              3 * AUDIT_NOTES_MAX);
    trail_close();
}

static struct audit_denial refusal(const char *actor, const char *action) {
    struct audit_denial d = denial(0, "permission_denied");
    d.actor_kind = STR("user");
    d.actor_id = str_c(actor);
    d.action = str_c(action);
    d.resource_type = STR("team");
    return d;
}

// The first of an actor are their own thread's to write, anew every minute; then each kind has its own count.
static void test_repeated(void) {
    trail_open("repeated");
    begin(NULL, 0);
    struct audit_denial a = refusal("user_a", "team.create"), b = refusal("user_b", "team.create"),
                        c = refusal("user_a", "team.delete");
    CHECK(!audit_note_repeated(NULL, &a));
    for (int i = 0; i < 1000; i++) CHECK_INT(audit_note_repeated(notes, &a), i >= AUDIT_NOTE_FIRST);
    CHECK(!audit_note_repeated(notes, &b) && audit_note_repeated(notes, &c));
    audit_notes_end(notes);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event WHERE outcome = 1"), 2);
    CHECK_INT(trail_number("SELECT sum(json_extract(after_json, '$.count')) FROM audit_event WHERE outcome = 1"
                           " AND actor_kind = 'user' AND actor_id = 'user_a' AND action = 'team.create'"
                           " AND resource_type = 'team' AND reason = 'permission_denied'"),
              1000 - AUDIT_NOTE_FIRST);
    begin(NULL, NS_PER_MS);
    for (int i = 0; i < AUDIT_NOTE_FIRST; i++) CHECK(!audit_note_repeated(notes, &a));
    while (audit_note_repeated(notes, &a)) usleep(1000); // until the next of its minutes
    audit_notes_end(notes);
    trail_close();
}

struct heard {
    int appended;
    bool mine;
};
static void on_event(void *ctx, const struct event *event) {
    struct heard *h = ctx;
    if (!str_eq(event->name, STR("audit.appended"))) return;
    h->appended++;
    if (str_find(event->data, STR("\"tenant\":9,\"seq\":1,\"action\":\"session.sign_in\"")) < event->data.n)
        h->mine = true;
}

static void test_bus(void) {
    struct event_bus *bus;
    struct heard heard = {0};
    trail_open("bus");
    trail_fill(1, 3, 3); // before the start: not told
    REQUIRE(event_bus_create(&bus, &err));
    begin(bus, 0);
    trail_fill(9, 1, 1);
    for (int i = 0; i < 400 && !heard.mine; i++) {
        heard = (struct heard){0};
        event_each(bus, 0, on_event, &heard);
        clock_pause_ns(25 * NS_PER_MS);
    }
    CHECK(heard.mine);
    CHECK_INT(heard.appended, 3); // the server's start, and the event that the chain begins, besides
    audit_notes_end(notes);
    event_bus_free(bus);
    trail_close();
}

TEST_MAIN(test_life, test_flood, test_repeated, test_bus)
