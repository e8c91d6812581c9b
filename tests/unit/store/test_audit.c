// Tests of store/audit.h: chains, checkpoints, keys, what texts may hold, writers of several processes at once.
#include "audit_fixture.h"

#include "store/audit_verify.h"

#include <sys/wait.h>

static void test_append(void) {
    trail_open("append");
    struct audit_event e = trail_event(0);
    e.at = 0;
    CHECK(audit_append_alone(sql_tenant(db, 1), signer, &e, &err));
    CHECK_INT(e.seq, 1);
    CHECK(e.at > 0);
    CHECK(audit_append_alone(sql_tenant(db, 7), signer, &e, &err));
    CHECK_INT(e.seq, 1);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event WHERE tenant_id = 1 AND seq = 2"
                           " AND action = 'audit.begin' AND resource_id = '7'"),
              1);
    CHECK(audit_append_alone(sql_platform(db), signer, &e, &err));
    CHECK_INT(e.seq, 3);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event WHERE tenant_id = 1"), 3);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_key"), 1);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_checkpoint"), 2);
    // What is rolled back leaves no gap.
    REQUIRE(sql_begin(db, &err));
    CHECK(audit_append(sql_tenant(db, 1), signer, &e, &err));
    CHECK_INT(e.seq, 4);
    sql_rollback(db);
    CHECK(audit_append_alone(sql_tenant(db, 1), signer, &e, &err));
    CHECK_INT(e.seq, 4);
    trail_close();
}

static void test_only_appended(void) {
    trail_open("only");
    trail_fill(1, 3, 3);
    CHECK(!sql_exec(db, STR("UPDATE audit_event SET reason = 'x' WHERE seq = 2"), &err));
    CHECK(!sql_exec(db, STR("DELETE FROM audit_event WHERE seq = 2"), &err));
    CHECK(!sql_exec(db, STR("DELETE FROM audit_checkpoint"), &err));
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event WHERE reason = 'because'"), 3);
    trail_close();
}

static void test_checkpoints(void) {
    trail_open("checkpoints");
    trail_fill(1, 600, 200);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_checkpoint"), 3); // 1, 256, 512
    struct audit_event e = trail_event(0);
    e.at = 1000000000 * (int64_t)600 + AUDIT_CHECKPOINT_NS;
    CHECK(audit_append_alone(sql_tenant(db, 1), signer, &e, &err));
    CHECK_INT(trail_number("SELECT max(seq) FROM audit_checkpoint"), 601);
    CHECK_INT(trail_number("SELECT checkpoint_seq FROM audit_head"), 601);
    trail_close();
}

static void test_texts(void) {
    trail_open("texts");
    struct audit_event e = trail_event(0);
    char *big = mem_zalloc(1, 70000);
    REQUIRE(big);
    memset(big, 'x', 70000);
    e.actor_name = STR("a\0b\xff\xc3\xa4");
    e.reason = str_of(big, 70000);
    e.before = STR("not json");
    big[0] = big[69999] = '"';
    e.after = str_of(big, 70000);
    CHECK(audit_append_alone(sql_tenant(db, 1), signer, &e, &err));
    CHECK_INT(trail_number("SELECT actor_name = 'a\xef\xbf\xbd"
                           "b\xef\xbf\xbd\xc3\xa4' FROM audit_event"),
              1);
    CHECK_INT(trail_number("SELECT length(reason) FROM audit_event"), (int64_t)AUDIT_TEXT_MAX);
    CHECK_INT(trail_number("SELECT before_json = '{\"unreadable\":true,\"bytes\":8}' FROM audit_event"), 1);
    CHECK_INT(trail_number("SELECT after_json = '{\"truncated\":true,\"bytes\":70000}' FROM audit_event"), 1);
    mem_free(big);
    struct audit_event nothing = {.outcome = AUDIT_FAILED};
    CHECK(audit_append_alone(sql_tenant(db, 1), signer, &nothing, &err));
    trail_close();
}

static void test_address_key(void) {
    char key[AUDIT_ADDRESS_KEY_MAX];
    CHECK_STR(audit_address_key(STR("192.0.2.7"), key), STR("00000000000000000000ffffc0000207"));
    CHECK_STR(audit_address_key(STR("2001:db8::1"), key), STR("20010db8000000000000000000000001"));
    CHECK_STR(audit_address_key(STR("unix"), key), STR(""));
    CHECK_STR(audit_address_key(STR(""), key), STR(""));
}

static void test_rotation(void) {
    struct audit_public own, rotated;
    trail_open("rotation");
    CHECK(!audit_key_own(db, &dir, &own, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    trail_fill(1, 2, 1);
    struct audit_signer *other;
    REQUIRE(audit_signer_create(&dir, &other, &err));
    struct audit_event e = trail_event(3);
    CHECK(audit_append_alone(sql_tenant(db, 1), other, &e, &err));
    CHECK(audit_key_own(db, &dir, &own, &err));
    CHECK_INT(own.id, 1);
    REQUIRE(sql_begin(db, &err));
    CHECK(audit_key_rotate(db, signer, 5, &rotated, &err));
    REQUIRE(sql_commit(db, &err));
    CHECK_INT(rotated.id, 2);
    CHECK(audit_key_signed(&rotated, rotated.by_previous, own.p));
    CHECK(audit_key_signed(&own, rotated.of_previous, rotated.p));
    CHECK_INT(trail_number("SELECT count(*) FROM audit_key WHERE secret IS NULL AND retired_at = 5"), 1);
    // Another process's signer goes over to the new key by itself.
    CHECK(audit_append_alone(sql_tenant(db, 1), other, &e, &err));
    CHECK_INT(trail_number("SELECT key_id FROM audit_head"), 2);
    // A rotation that is taken back leaves the old key in use.
    REQUIRE(sql_begin(db, &err));
    CHECK(audit_key_rotate(db, signer, 6, &rotated, &err));
    CHECK(audit_append(sql_tenant(db, 1), signer, &e, &err));
    sql_rollback(db);
    CHECK(audit_append_alone(sql_tenant(db, 1), signer, &e, &err));
    CHECK_INT(trail_number("SELECT key_id FROM audit_head"), 2);
    audit_signer_free(other);
    trail_close();
}

static void test_wrong_secret(void) {
    trail_open("wrong");
    trail_fill(1, 1, 1);
    struct audit_signer *other;
    struct datadir stranger = {0};
    struct sql *elsewhere;
    REQUIRE(test_datadir("stranger", &stranger, &err));
    REQUIRE(datadir_open_db(&stranger, 1000, &elsewhere, &err));
    REQUIRE(audit_signer_create(&stranger, &other, &err));
    struct audit_event e = trail_event(1);
    CHECK(!audit_append_alone(sql_tenant(db, 1), other, &e, &err));
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event"), 1);
    CHECK_INT(trail_number("SELECT seq FROM audit_head"), 1);
    audit_signer_free(other);
    sql_close(elsewhere);
    datadir_close(&stranger);
    trail_close();
}

static void child(int64_t n) {
    trail_open("several");
    for (int64_t i = 0; i < n; i++) {
        struct audit_event e = trail_event(i);
        if (!audit_append_alone(sql_tenant(db, 1 + i % 2), signer, &e, &err)) {
            fprintf(stderr, "%s\n", err.message);
            _exit(1);
        }
    }
    trail_close();
    _exit(0);
}

static void test_processes(void) {
    enum { PROCESSES = 4, EACH = 40 };
    pid_t pids[PROCESSES];
    temp_dir();
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        REQUIRE(pids[i] >= 0);
        if (pids[i] == 0) child(EACH);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        CHECK(waitpid(pids[i], &status, 0) == pids[i]);
        CHECK_INT(status, 0);
    }
    trail_open("several");
    CHECK_INT(trail_number("SELECT count(*) FROM audit_event"), PROCESSES * EACH + 1);
    CHECK_INT(trail_number("SELECT seq FROM audit_head WHERE tenant_id = 2"), PROCESSES * EACH / 2);
    CHECK_INT(trail_number("SELECT seq FROM audit_head WHERE tenant_id = 1"), PROCESSES * EACH / 2 + 1);
    struct audit_verdict verdict;
    CHECK(audit_verify(db, &(struct audit_verify_options){.dir = &dir}, &verdict, &err));
    CHECK(!verdict.faulty);
    CHECK_INT(trail_number("SELECT count(*) FROM audit_key"), 1);
    trail_close();
}

static void test_no_memory(void) {
    trail_open("memory");
    trail_fill(1, 2, 1);
    for (uint64_t nth = 1; nth < 400; nth++) {
        struct audit_event e = trail_event(2);
        struct audit_signer *fresh = NULL;
        mem_fail_nth(nth);
        bool ok = audit_signer_create(&dir, &fresh, &err) && audit_append_alone(sql_tenant(db, 1), fresh, &e, &err);
        mem_fail_nth(0);
        audit_signer_free(fresh);
        if (ok) break;
    }
    int64_t n = trail_number("SELECT count(*) FROM audit_event");
    CHECK(n >= 3);
    CHECK_INT(trail_number("SELECT seq FROM audit_head"), n);
    trail_close();
}

TEST_MAIN(test_append, test_only_appended, test_checkpoints, test_texts, test_address_key, test_rotation,
          test_wrong_secret, test_processes, test_no_memory)
