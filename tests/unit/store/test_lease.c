// Tests of store/lease.h: epochs only grow, over connections and processes; ids and their text form.
#include "check.h"
#include "test_database.h"

#include "store/lease.h"
#include "store/migrate.h"

#include <sys/wait.h>

static struct err err;

static struct sql *open_db(const char *name) {
    struct sql_options options = {.mode = SQL_CREATE, .busy_ms = 20000};
    struct sql *db = NULL;
    REQUIRE(sql_open(test_database(name), &options, &db, &err));
    REQUIRE(migrate_to(db, MIGRATE_STEPS, &err));
    return db;
}

static void test_epochs(void) {
    struct sql *db = open_db("epochs.db"), *other = open_db("epochs.db");
    uint32_t a = 0, b = 0, c = 0;
    CHECK(lease_take(db, &a, &err) && lease_take(other, &b, &err) && lease_take(db, &c, &err));
    CHECK_INT(a, 1);
    CHECK(b == a + 1 && c == b + 1);
    sql_close(other);
    sql_close(db);
    db = open_db("epochs.db");
    CHECK(lease_take(db, &a, &err) && a == c + 1);

    CHECK(sql_exec(db, STR("UPDATE id_lease SET epoch = 16777214"), &err));
    CHECK(lease_take(db, &a, &err));
    CHECK_INT(a, LEASE_EPOCH_MAX);
    CHECK(!lease_take(db, &a, &err));
    CHECK_INT(err.code, ERR_STORE);
    CHECK(sql_exec(db, STR("UPDATE id_lease SET epoch = -7"), &err));
    CHECK(!lease_take(db, &a, &err));
    CHECK(sql_exec(db, STR("DELETE FROM id_lease"), &err));
    CHECK(!lease_take(db, &a, &err));
    sql_close(db);
}

static void test_processes(void) {
    enum { PROCESSES = 4, EACH = 20 };
    int result[2];
    bool seen[PROCESSES * EACH + 1] = {0};
    REQUIRE(pipe(result) == 0);
    sql_close(open_db("many.db"));
    fflush(NULL);
    for (int i = 0; i < PROCESSES; i++) {
        if (fork() != 0) continue;
        struct sql *db = open_db("many.db");
        for (int k = 0; k < EACH; k++) {
            uint32_t epoch;
            if (!lease_take(db, &epoch, &err)) _exit(1);
            if (write(result[1], &epoch, sizeof epoch) != sizeof epoch) _exit(2);
        }
        sql_close(db);
        _exit(0);
    }
    close(result[1]);
    for (int i = 0, status; i < PROCESSES; i++) {
        REQUIRE(wait(&status) > 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    int n = 0;
    for (uint32_t epoch; read(result[0], &epoch, sizeof epoch) == (ssize_t)sizeof epoch; n++) {
        REQUIRE(epoch >= 1 && epoch < ARRAY_LEN(seen));
        CHECK(!seen[epoch]);
        seen[epoch] = true;
    }
    CHECK_INT(n, PROCESSES * EACH);
    close(result[0]);
}

static void test_ids(void) {
    struct request_ids ids = {0}, last = {0};
    uint64_t id = 0, first = 0;
    CHECK(!request_ids_next(&ids, &id)); // no lease yet
    request_ids_init(&ids, 3);
    CHECK(request_ids_next(&ids, &first) && first == 3ULL << 39);
    CHECK(request_ids_next(&ids, &id) && id == first + 1);
    ids.next = ids.end - 1;
    CHECK(request_ids_next(&ids, &id) && id == (4ULL << 39) - 1);
    CHECK(!request_ids_next(&ids, &id));
    request_ids_init(&last, LEASE_EPOCH_MAX);
    last.next = last.end - 1;
    CHECK(request_ids_next(&last, &id) && id == INT64_MAX);
}

static void test_text(void) {
    static const uint64_t ids[] = {1, 1ULL << 39, 123456789012345678, INT64_MAX};
    char text[REQUEST_ID_TEXT_LEN], before[REQUEST_ID_TEXT_LEN] = "";
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        uint64_t back = 0;
        request_id_text(text, ids[i]);
        CHECK(request_id_parse(str_of(text, sizeof text), &back) && back == ids[i]);
        CHECK(memcmp(before, text, sizeof text) < 0); // sorts as the number does
        memcpy(before, text, sizeof text);
    }
    static const char *const bad[] = {"",
                                      "req_",
                                      "req_0000000000000",
                                      "req_zzzzzzzzzzzzz",
                                      "req_8000000000000",
                                      "key_0000000000001",
                                      "req_000000000000",
                                      "req_00000000000011",
                                      "req_000000000000 ",
                                      "0000000000001"};
    uint64_t id;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) CHECK(!request_id_parse(str_c(bad[i]), &id));
}

TEST_MAIN(test_epochs, test_processes, test_ids, test_text)
