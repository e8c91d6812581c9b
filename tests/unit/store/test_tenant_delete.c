// Tests of store/tenant_delete.h and tenant_proof.h: no table or column is forgotten, everything goes, the proof holds.
#include "audit_fixture.h"

#include "store/audit_verify.h"
#include "store/ledger_rows.h"
#include "store/sealed.h"
#include "store/tenant.h"
#include "store/tenant_delete.h"
#include "store/tenant_proof.h"
#include "store/tenant_table.h"

static const struct tenant_table *table_find(struct str name) {
    for (size_t i = 0; i < tenant_table_count(); i++)
        if (str_eq(tenant_table_at(i)->name, name)) return tenant_table_at(i);
    return NULL;
}

// --- the tables ---

static bool column_known(const struct tenant_table *t, struct str name) {
    struct str columns = t->columns;
    struct tenant_column c;
    while (tenant_column_next(&columns, &c))
        if (str_eq(c.name, name)) return true;
    return str_eq(name, STR("tenant_id"));
}

static bool check_table(void *arg, struct str table, struct err *e) {
    (void)e;
    struct sql_stmt *st;
    const struct tenant_table *t = table_find(table);
    char name[100], text[300];
    size_t *count = arg;
    snprintf(name, sizeof name, "%.*s is in tenant_table.def", STR_ARG(table));
    if (!t) printf("%s: no\n", name);
    CHECK(t);
    if (!t) return true;
    ++*count;
    int n =
        snprintf(text, sizeof text,
                 sql_is_postgres(db) ? "SELECT column_name::text FROM information_schema.columns WHERE table_schema ="
                                       " current_schema() AND table_name = '%.*s'"
                                     : "SELECT name FROM pragma_table_info('%.*s')",
                 STR_ARG(table));
    REQUIRE(sql_prepare(sql_platform(db), str_of(text, (size_t)n), &st, &err));
    for (bool row; sql_step(st, &row, &err) && row;) {
        snprintf(name, sizeof name, "column %.*s of %.*s is in tenant_table.def", STR_ARG(sql_col_text(st, 0)),
                 STR_ARG(t->name));
        bool known = column_known(t, sql_col_text(st, 0));
        if (!known) printf("%s: no\n", name);
        CHECK(known);
    }
    return true;
}

static void test_every_table(void) {
    size_t count = 0;
    trail_open("tables");
    struct sql *other = NULL;
    struct sql_options o = {.mode = SQL_READ_WRITE, .busy_ms = 1000};
    // The walk reads while the visitor asks: a connection each.
    REQUIRE(sql_open(str_c(dir.database), &o, &other, &err));
    CHECK(tenant_tables_each(other, check_table, &count, &err));
    CHECK_INT(count, (int64_t)tenant_table_count() - (sql_is_postgres(db) ? 0 : 1)); // audit_text
    sql_close(other);
    trail_close();
}

// --- deletion ---

static int64_t count_of(const char *text) {
    int64_t n = -1;
    return sql_query_i64(sql_platform(db), str_c(text), &n, &err) ? n : -1;
}

static int64_t make_tenant(const char *name) {
    int64_t id = 0;
    REQUIRE(tenant_intern(db, str_c(name), &id, &err));
    REQUIRE(sealed_put(sql_tenant(db, id), &dir, STR("upstream"), STR("sk-secret"), 1, &err));
    for (int64_t i = 1; i <= 3; i++) {
        struct audit_event e = trail_event(i);
        REQUIRE(audit_append_alone(sql_tenant(db, id), signer, &e, &err));
    }
    return id;
}

static void begin(int64_t id, const char *name) {
    struct tenant_delete_wish wish = {.tenant = id,
                                      .name = str_c(name),
                                      .title = STR("A title"),
                                      .reason = STR("over"),
                                      .actor_kind = STR("operator"),
                                      .actor_name = STR("ops"),
                                      .now = 1000};
    REQUIRE(sql_begin(db, &err));
    REQUIRE(tenant_delete_begin(db, &wish, &err));
    REQUIRE(tenant_delete_begin(db, &wish, &err));
    REQUIRE(sql_commit(db, &err));
}

static void check_sound(bool sound) {
    struct audit_verdict v;
    struct audit_verify_options o = {.dir = &dir};
    REQUIRE(audit_verify(db, &o, &v, &err));
    CHECK(v.faulty == !sound);
}

static void usage_put(struct ledger_rows *rows, uint64_t id, int64_t tenant) {
    struct usage_record rec = {.id = id, .ts = 5, .status = 200, .tenant_id = (uint64_t)tenant, .model = STR("m")};
    struct ledger_batch batch = {0};
    char payload[USAGE_ENCODED_MAX];
    struct ledger_item item = {.id = id, .payload = str_of(payload, usage_encode(&rec, payload))};
    REQUIRE(vec_push(&batch.items, item));
    CHECK(ledger_rows_write(rows, &batch, &err));
    vec_free(&batch.items);
}

static void test_all_goes(void) {
    struct ledger_rows rows;
    BUF_AUTO struct buf proof = BUF_INIT(TENANT_PROOF_MAX);
    BUF_AUTO struct buf digest = BUF_INIT(1000);
    struct tenant_proof_verdict v;
    trail_open("deletion");
    int64_t gone = make_tenant("gone"), stays = make_tenant("stays"), next = -1;
    struct tenant_deleter d = {.db = db, .dir = &dir, .signer = signer};
    REQUIRE(ledger_rows_open(&rows, str_c(dir.database), 1, 1000, &err));
    usage_put(&rows, 1, gone);
    usage_put(&rows, 2, stays);
    CHECK_INT(count_of("SELECT count(*) FROM usage"), 2);
    // The trail can only be appended to, until its tenant goes.
    CHECK(!sql_exec(db, STR("DELETE FROM audit_event"), &err));
    CHECK(!sql_exec(db, STR("DELETE FROM audit_checkpoint"), &err));

    CHECK(!tenant_delete_run(&d, gone, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    begin(gone, "gone");
    CHECK(tenant_delete_next(db, 0, &next, &err) && next == gone);
    CHECK(!tenant_proof_find(db, gone, STR(""), &proof, &err));
    CHECK_INT(err.code, ERR_CONFLICT);
    check_sound(true);
    usage_put(&rows, 3, gone); // one that was under way
    CHECK(tenant_delete_run(&d, gone, &err));
    CHECK(tenant_delete_run(&d, gone, &err)); // once more: nothing to do
    usage_put(&rows, 4, gone);
    CHECK(tenant_delete_next(db, 0, &next, &err) && next == 0);

    CHECK_INT(count_of("SELECT count(*) FROM tenant WHERE name = 'gone'"), 0);
    CHECK_INT(count_of("SELECT count(*) FROM usage"), 1);
    CHECK_INT(count_of("SELECT count(*) FROM sealed_secret"), 1);
    CHECK_INT(count_of("SELECT count(*) FROM data_key WHERE purpose = 'seal' AND tenant_id > 1"), 1);
    CHECK_INT(count_of("SELECT count(*) FROM audit_head"), 2);
    check_sound(true);

    CHECK(tenant_proof_find(db, 0, STR("gone"), &proof, &err));
    CHECK(tenant_proof_check(buf_str(&proof), &v, &err) && v.sound);
    CHECK(str_find(v.proof, STR("\"sealed_secret\":1")) < v.proof.n);
    CHECK(str_find(v.proof, STR("\"audit_event\":3")) < v.proof.n);
    CHECK(str_find(v.proof, STR("\"events\":3")) < v.proof.n);
    CHECK(tenant_proof_digest(buf_str(&proof), &digest, &err) && digest.n == 64);

    // What still comes for it is told in the default tenant's trail, and no chain begins anew.
    struct audit_event late = trail_event(9);
    CHECK(audit_append_alone(sql_tenant(db, gone), signer, &late, &err));
    CHECK_INT(count_of("SELECT count(*) FROM audit_head"), 2);
    // A number is never given out again; a name may be.
    int64_t again = 0;
    CHECK(tenant_intern(db, STR("gone"), &again, &err) && again > stays);
    CHECK(tenant_delete_late(db, 0, &err));
    check_sound(true);
    // A proof that was exchanged shows.
    CHECK(sql_exec(db, STR("UPDATE tenant_deletion SET proof = replace(proof, 'A title', 'B title')"), &err));
    check_sound(false);
    ledger_rows_close(&rows);
    trail_close();
}

// Nothing but the missing rows says that it was deleted: that is a fault.
static void test_not_told(void) {
    trail_open("untold");
    int64_t id = make_tenant("victim");
    check_sound(true);
    CHECK(sql_exec(db,
                   STR("INSERT INTO tenant_deletion (tenant, name, title, reason, actor_kind, actor_id, actor_name,"
                       " address, request_id, begun_at) VALUES (2, 'victim', '', '', '', '', '', '', '', 1);"
                       "DELETE FROM audit_event WHERE tenant_id = 2; DELETE FROM audit_checkpoint WHERE tenant_id = 2;"
                       "DELETE FROM audit_head WHERE tenant_id = 2; UPDATE tenant_deletion SET finished_at = 5"),
                   &err));
    CHECK_INT(id, 2);
    check_sound(false);
    trail_close();
}

static void test_proof_text(void) {
    struct tenant_proof_verdict v;
    static const char *const bad[] = {
        "",
        "x",
        "{}",
        "[]",
        "{\"proof\":1}",
        "{\"proof\":{}}",
        "{\"proof\":{},\"signature\":{}}",
        "{\"proof\":{},\"signature\":{\"key_id\":1,\"public_key\":\"00\",\"value\":\"00\"}}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!tenant_proof_check(str_c(bad[i]), &v, &err));
        CHECK_INT(err.code, ERR_INVALID_FIELD);
    }
    CHECK(!tenant_proof_told(STR("{}"), STR("{\"proof\":{}}")));
}

TEST_MAIN(test_every_table, test_all_goes, test_not_told, test_proof_text)
