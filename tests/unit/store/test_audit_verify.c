// Tests of store/audit_verify.h: a chain is proven, and whatever is done to one straight in the database file is found.
#include "audit_fixture.h"

#include "store/audit_verify.h"

#include <sodium.h>
#include <sqlite3.h>

static char g_database[512];
static char *g_image; // of the sound database
static long g_image_size;

static void file_bytes(bool write) {
    FILE *f = fopen(g_database, write ? "wb" : "rb");
    REQUIRE(f);
    if (write) {
        REQUIRE(fwrite(g_image, 1, (size_t)g_image_size, f) == (size_t)g_image_size);
    } else {
        fseek(f, 0, SEEK_END);
        g_image_size = ftell(f);
        rewind(f);
        g_image = malloc((size_t)g_image_size);
        REQUIRE(g_image && fread(g_image, 1, (size_t)g_image_size, f) == (size_t)g_image_size);
    }
    fclose(f);
    if (!write) return;
    char side[600];
    snprintf(side, sizeof side, "%s-wal", g_database);
    unlink(side);
    snprintf(side, sizeof side, "%s-shm", g_database);
    unlink(side);
}

// A trail of two tenants, closed, and its file kept.
static void image_make(const char *name, int64_t n) {
    trail_open(name);
    snprintf(g_database, sizeof g_database, "%s", dir.database);
    trail_fill(1, n, n);
    trail_fill(2, 3, 3);
    sql_close(db);
    audit_signer_free(signer);
    file_bytes(false);
}

static void image_end(void) {
    free(g_image);
    datadir_close(&dir);
}

// As an intruder with the sqlite3 shell would.
static void tamper(const char *script) {
    sqlite3 *raw;
    char *why = NULL;
    REQUIRE(sqlite3_open(g_database, &raw) == SQLITE_OK);
    REQUIRE(sqlite3_exec(raw,
                         "DROP TRIGGER audit_event_updated; DROP TRIGGER audit_event_deleted;"
                         "DROP TRIGGER audit_checkpoint_updated; DROP TRIGGER audit_checkpoint_deleted;",
                         NULL, NULL, &why) == SQLITE_OK);
    if (sqlite3_exec(raw, script, NULL, NULL, &why) != SQLITE_OK) fprintf(stderr, "%s: %s\n", script, why);
    REQUIRE(!why);
    REQUIRE(sqlite3_close(raw) == SQLITE_OK);
}

static struct audit_verdict verify(const struct audit_verify_options *options) {
    struct audit_verdict verdict = {0};
    REQUIRE(sql_open(str_c(g_database), &(struct sql_options){.mode = SQL_READ_WRITE}, &db, &err));
    if (!audit_verify(db, options, &verdict, &err)) {
        verdict.faulty = true;
        snprintf(verdict.fault.why, sizeof verdict.fault.why, "error: %.200s", err.message);
    }
    sql_close(db);
    return verdict;
}

// The script makes the trail faulty at event `seq` of the tenant (0: anywhere); the words are in what is told of it.
static void found(const char *script, int64_t tenant, int64_t seq, const char *words) {
    file_bytes(true);
    tamper(script);
    struct audit_verdict v = verify(&(struct audit_verify_options){.dir = &dir});
    bool ok = v.faulty && (!seq || (v.fault.seq == seq && v.fault.tenant == tenant)) && strstr(v.fault.why, words);
    CHECK(ok);
    if (!ok)
        fprintf(stderr, "after %s: %s (tenant %lld, event %lld)\n", script, v.faulty ? v.fault.why : "sound",
                (long long)v.fault.tenant, (long long)v.fault.seq);
}

#define SMALL 12
#define FORMAT(...) (snprintf(script, sizeof script, __VA_ARGS__), script)

static void test_sound(void) {
    image_make("sound", 600);
    struct audit_verdict v = verify(&(struct audit_verify_options){.dir = &dir});
    CHECK(!v.faulty);
    if (v.faulty) fprintf(stderr, "%s\n", v.fault.why);
    CHECK_INT(v.chains, 2);
    CHECK_INT(v.events, 600 + 1 + 3);
    CHECK_INT(v.checkpoints, 3 + 1);
    v = verify(&(struct audit_verify_options){.dir = &dir, .tenant = 2});
    CHECK_INT(v.events, 3);
    v = verify(&(struct audit_verify_options){.dir = &dir, .tenant = 1, .since = 500});
    CHECK(!v.faulty);
    CHECK_INT(v.events, 102);
    v = verify(&(struct audit_verify_options){.key = v.key});
    CHECK(!v.faulty);
    unsigned char stranger[AUDIT_KEY_SIZE] = {1};
    v = verify(&(struct audit_verify_options){.key = stranger});
    CHECK(v.faulty && strstr(v.fault.why, "never signed by that key"));
    image_end();
}

static void test_each_column(void) {
    static const char *const texts[] = {"actor_kind",    "actor_id",    "actor_name",    "on_behalf",   "action",
                                        "resource_type", "resource_id", "resource_name", "reason",      "address",
                                        "address_key",   "agent",       "request_id",    "before_json", "after_json"};
    char script[256];
    image_make("columns", SMALL);
    for (int seq = 1; seq <= SMALL; seq++) {
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
            found(FORMAT("UPDATE audit_event SET %s = %s || 'x' WHERE tenant_id = 1 AND seq = %d", texts[i], texts[i],
                         seq),
                  1, seq, "event");
        }
        // A byte that goes from one field to the next.
        found(FORMAT("UPDATE audit_event SET actor_id = actor_id || substr(actor_name, 1, 1), actor_name ="
                     " substr(actor_name, 2) WHERE tenant_id = 1 AND seq = %d",
                     seq),
              1, seq, "does not match its hash");
        found(FORMAT("UPDATE audit_event SET at = at + 1 WHERE tenant_id = 1 AND seq = %d", seq), 1, seq, "");
        found(FORMAT("UPDATE audit_event SET outcome = 2 - outcome WHERE tenant_id = 1 AND seq = %d AND outcome <> 1;"
                     "UPDATE audit_event SET outcome = 0 WHERE tenant_id = 1 AND seq = %d AND outcome = 1",
                     seq, seq),
              1, seq, "");
        found(FORMAT("UPDATE audit_event SET outcome = 9 WHERE tenant_id = 1 AND seq = %d", seq), 1, seq, "damaged");
        found(FORMAT("UPDATE audit_event SET hash = CAST(substr(hash, 1, 31) || x'00' AS BLOB) WHERE tenant_id = 1 AND "
                     "seq = %d"
                     " AND substr(hash, 32) <> x'00'",
                     seq),
              1, seq, "does not match its hash");
    }
    image_end();
}

static void test_gaps(void) {
    char script[900];
    image_make("gaps", SMALL);
    for (int seq = 1; seq <= SMALL + 1; seq++) // the last tells that tenant 2's chain began
        found(FORMAT("DELETE FROM audit_event WHERE tenant_id = 1 AND seq = %d", seq), 1, seq, "missing");
    for (int seq = 1; seq <= SMALL; seq++) {
        found(FORMAT("DELETE FROM audit_event WHERE tenant_id = 1 AND seq = %d;"
                     "UPDATE audit_event SET seq = -seq WHERE tenant_id = 1 AND seq > %d;"
                     "UPDATE audit_event SET seq = -seq - 1 WHERE tenant_id = 1 AND seq < 0",
                     seq, seq),
              1, seq, "");
        // The first few, the last few.
        found(FORMAT("DELETE FROM audit_event WHERE tenant_id = 1 AND seq <= %d", seq), 1, 1, "missing");
        found(FORMAT("DELETE FROM audit_event WHERE tenant_id = 1 AND seq > %d", seq), 1, seq + 1,
              "the end is missing");
        found(
            FORMAT("DELETE FROM audit_event WHERE tenant_id = 1 AND seq > %d;"
                   "UPDATE audit_head SET seq = %d, at = (SELECT at FROM audit_event WHERE tenant_id = 1 AND seq = %d),"
                   " hash = (SELECT hash FROM audit_event WHERE tenant_id = 1 AND seq = %d) WHERE tenant_id = 1",
                   seq, seq, seq, seq),
            1, seq, "signature of the head");
    }
    found("DELETE FROM audit_event WHERE tenant_id = 2", 2, 1, "");
    found("DELETE FROM audit_event WHERE tenant_id = 2; DELETE FROM audit_head WHERE tenant_id = 2;"
          "DELETE FROM audit_checkpoint WHERE tenant_id = 2",
          1, SMALL + 1, "is gone");
    found("DELETE FROM audit_event; DELETE FROM audit_checkpoint", 1, 1, "");
    image_end();
}

static void test_order(void) {
    char script[900];
    image_make("order", SMALL);
    for (int a = 1; a <= SMALL; a++)
        for (int b = a + 1; b <= SMALL; b += 1 + b % 3)
            found(FORMAT("UPDATE audit_event SET seq = -1 WHERE tenant_id = 1 AND seq = %d;"
                         "UPDATE audit_event SET seq = %d WHERE tenant_id = 1 AND seq = %d;"
                         "UPDATE audit_event SET seq = %d WHERE tenant_id = 1 AND seq = -1",
                         a, a, b, b),
                  1, a, "does not match its hash");
    for (int at = 1; at <= SMALL; at++)
        found(
            FORMAT("UPDATE audit_event SET seq = -seq - 1 WHERE tenant_id = 1 AND seq >= %d;"
                   "UPDATE audit_event SET seq = -seq WHERE tenant_id = 1 AND seq < 0;"
                   "INSERT INTO audit_event (tenant_id, seq, at, actor_kind, actor_id, actor_name, on_behalf, action,"
                   " resource_type, resource_id, resource_name, outcome, reason, address, address_key, agent,"
                   " request_id, before_json, after_json, hash) SELECT 1, %d, 5, '', '', '', '', '', '', '', '', 0, '',"
                   " '', '', '', '', '', '', x'0000000000000000000000000000000000000000000000000000000000000000'",
                   at, at),
            1, at, "");
    found(
        "INSERT INTO audit_event SELECT NULL, tenant_id, seq + 1, at, actor_kind, actor_id, actor_name, on_behalf,"
        " action, resource_type, resource_id, resource_name, outcome, reason, address, address_key, agent, request_id,"
        " before_json, after_json, hash FROM audit_event WHERE tenant_id = 2 AND seq = 3",
        2, 4, "");
    // Before the beginning, where a list by time would show it.
    for (int seq = 0; seq >= -5; seq -= 5)
        found(FORMAT(
                  "INSERT INTO audit_event SELECT NULL, tenant_id, %d, at, actor_kind, actor_id, actor_name, on_behalf,"
                  " action, resource_type, resource_id, resource_name, outcome, reason, address, address_key, agent,"
                  " request_id, before_json, after_json, hash FROM audit_event WHERE tenant_id = 2 AND seq = 3",
                  seq),
              2, seq, "moved or inserted");
    found("UPDATE audit_event SET tenant_id = 3 WHERE tenant_id = 2", 0, 0, "");
    image_end();
}

static void test_signatures(void) {
    char script[600];
    image_make("signatures", 300);
    found("UPDATE audit_head SET signature = zeroblob(64) WHERE tenant_id = 1", 1, 301, "signature of the head");
    found("UPDATE audit_head SET seq = seq + 1 WHERE tenant_id = 2", 2, 4, "");
    found("UPDATE audit_head SET seq = seq - 1 WHERE tenant_id = 2", 2, 3, "");
    found("UPDATE audit_head SET at = at + 1 WHERE tenant_id = 2", 2, 3, "");
    found("UPDATE audit_head SET hash = zeroblob(32) WHERE tenant_id = 2", 2, 3, "");
    found("UPDATE audit_head SET key_id = 2 WHERE tenant_id = 2", 2, 3, "does not exist");
    found("UPDATE audit_head SET checkpoint_seq = 255 WHERE tenant_id = 1", 1, 255, "last checkpoint");
    found("DELETE FROM audit_head WHERE tenant_id = 1", 1, 301, "head");
    for (int seq = 1; seq <= 256; seq += 255) {
        found(FORMAT("DELETE FROM audit_checkpoint WHERE tenant_id = 1 AND seq = %d", seq), 1, seq, "missing");
        found(FORMAT("UPDATE audit_checkpoint SET at = at + 1 WHERE tenant_id = 1 AND seq = %d", seq), 1, seq, "");
        found(FORMAT("UPDATE audit_checkpoint SET hash = zeroblob(32) WHERE tenant_id = 1 AND seq = %d", seq), 1, seq,
              "");
        found(FORMAT("UPDATE audit_checkpoint SET signature = zeroblob(64) WHERE tenant_id = 1 AND seq = %d", seq), 1,
              seq, "false");
        found(FORMAT("UPDATE audit_checkpoint SET seq = seq + 1 WHERE tenant_id = 1 AND seq = %d", seq), 1, 0, "");
    }
    found("UPDATE audit_checkpoint SET seq = -1 WHERE tenant_id = 1 AND seq = 256", 1, 0, "");
    found("UPDATE audit_checkpoint SET seq = 500 WHERE tenant_id = 1 AND seq = 256", 1, 0, "");
    found("INSERT INTO audit_checkpoint SELECT tenant_id, 40, at, hash, key_id, signature FROM audit_checkpoint"
          " WHERE tenant_id = 1 AND seq = 1",
          1, 40, "no checkpoint");
    found("UPDATE audit_key SET public_key = zeroblob(32)", 0, 0, "");
    found("DELETE FROM audit_key", 0, 0, "");
    image_end();
}

static void hex_of(const unsigned char *p, size_t n, char *out) {
    for (size_t i = 0; i < n; i++) snprintf(out + 2 * i, 3, "%02x", p[i]);
}

// Whoever can write to the database, and signs all of it anew with a key of their own.
static void test_forged_signatures(void) {
    char script[4096], public_hex[65], signature_hex[129], hash_hex[65];
    unsigned char public_key[32], secret[64];
    image_make("forged", 1);
    REQUIRE(crypto_sign_keypair(public_key, secret) == 0);
    struct audit_event e = trail_event(0);
    e.seq = 1;
    e.reason = STR("nothing happened");
    struct audit_hash zero = {{0}};
    struct audit_head head = {.tenant = 1, .seq = 1, .at = e.at, .key_id = 2};
    audit_hash_event(1, &zero, &e, &head.hash);
    audit_sign_head(&head, secret);
    hex_of(public_key, 32, public_hex);
    hex_of(head.signature, 64, signature_hex);
    hex_of(head.hash.p, 32, hash_hex);
    snprintf(script, sizeof script,
             "DELETE FROM audit_event WHERE tenant_id = 2 OR seq > 1; DELETE FROM audit_head WHERE tenant_id = 2;"
             "DELETE FROM audit_checkpoint WHERE tenant_id = 2;"
             "UPDATE audit_event SET reason = 'nothing happened', hash = x'%s';"
             "INSERT INTO audit_key (id, created_at, public_key, secret) SELECT 2, 5, x'%s', secret FROM audit_key;"
             "UPDATE audit_head SET seq = 1, at = %lld, hash = x'%s', signature = x'%s', key_id = 2;"
             "UPDATE audit_checkpoint SET hash = x'%s', signature = x'%s', key_id = 2",
             hash_hex, public_hex, (long long)e.at, hash_hex, signature_hex, hash_hex, signature_hex);
    found(script, 0, 0, "");
    // Verified with the key that was written down: no trusted key vouches for the intruder's.
    file_bytes(true);
    struct audit_verdict sound = verify(&(struct audit_verify_options){.dir = &dir});
    CHECK(!sound.faulty);
    tamper(script);
    struct audit_verdict v = verify(&(struct audit_verify_options){.key = sound.key});
    CHECK(v.faulty && v.fault.seq == 1 && strstr(v.fault.why, "no trusted key vouches for"));
    image_end();
}

static void test_rotation(void) {
    struct audit_public key;
    unsigned char first[AUDIT_KEY_SIZE];
    trail_open("rotation");
    snprintf(g_database, sizeof g_database, "%s", dir.database);
    for (int i = 0; i < 3; i++) {
        trail_fill(1, 200, 200);
        REQUIRE(audit_key_own(db, &dir, &key, &err));
        if (i == 0) memcpy(first, key.p, sizeof first);
        REQUIRE(sql_begin(db, &err) && audit_key_rotate(db, signer, 7, &key, &err) && sql_commit(db, &err));
    }
    sql_close(db);
    audit_signer_free(signer);
    file_bytes(false);
    // Trust leads from the newest to the oldest, and back.
    CHECK(!verify(&(struct audit_verify_options){.dir = &dir}).faulty);
    CHECK(!verify(&(struct audit_verify_options){.key = first}).faulty);
    found("UPDATE audit_key SET of_previous = zeroblob(64) WHERE id = 3", 0, 0, "no trusted key vouches for");
    found("UPDATE audit_key SET created_at = 1 WHERE id = 2", 0, 0, "no trusted key vouches for");
    found("UPDATE audit_key SET id = -1 WHERE id = 1", 0, 0, "does not exist");
    image_end();
}

// One bit of one value anywhere in a long chain.
static void test_random_edits(void) {
    static const char *const columns[] = {"actor_id",   "action",     "resource_id", "reason",
                                          "request_id", "after_json", "address",     "actor_name"};
    char script[900];
    unsigned x = 12345;
    image_make("random", 3000);
    for (int i = 0; i < 60; i++) {
        x = x * 1103515245 + 12345;
        int seq = (int)(x >> 8) % 3000 + 1;
        const char *c = columns[(x >> 4) % ARRAY_LEN(columns)];
        unsigned at = (x >> 20) % 4 + 1;
        found(FORMAT("UPDATE audit_event SET %s = substr(%s, 1, %u) || char(unicode(substr(%s, %u, 1)) + 1) ||"
                     " substr(%s, %u) WHERE tenant_id = 1 AND seq = %d",
                     c, c, at - 1, c, at, c, at + 1, seq),
              1, seq, "does not match its hash");
    }
    image_end();
}

static bool digest_row(void *arg, const struct audit_record *r, struct err *e UNUSED) {
    *(struct audit_hash *)arg = r->hash;
    struct audit_hash h;
    audit_hash_event(r->tenant, arg, &r->event, &h);
    *(struct audit_hash *)arg = h;
    return true;
}

// Any byte of the file itself: either it is found, or all events read as before.
static void test_random_bytes(void) {
    struct audit_hash before = {{0}};
    unsigned x = 99;
    int harmless = 0, seen = 0;
    image_make("bytes", 300);
    REQUIRE(sql_open(str_c(g_database), &(struct sql_options){.mode = SQL_READ_WRITE}, &db, &err));
    REQUIRE(audit_each(sql_tenant(db, 1), 1, 0, digest_row, &before, &err));
    sql_close(db);
    for (int i = 0; i < 150; i++) {
        x = x * 1103515245 + 12345;
        long at = (long)((x >> 3) % (unsigned)g_image_size);
        char old = g_image[at];
        g_image[at] = (char)(old ^ (1 << (x >> 28) % 8));
        file_bytes(true);
        g_image[at] = old;
        struct audit_verdict v = {.faulty = true};
        struct audit_hash after = {{0}};
        if (sql_open(str_c(g_database), &(struct sql_options){.mode = SQL_READ_WRITE}, &db, &err)) {
            bool ok = audit_verify(db, &(struct audit_verify_options){.dir = &dir}, &v, &err);
            if (!ok) v.faulty = true;
            if (!v.faulty) CHECK(audit_each(sql_tenant(db, 1), 1, 0, digest_row, &after, &err));
            sql_close(db);
        }
        if (!v.faulty) CHECK(!memcmp(&before, &after, sizeof before));
        harmless += !v.faulty;
        seen += v.faulty;
    }
    printf("bytes of the file: %d found, %d that change no event\n", seen, harmless);
    CHECK(seen > 0);
    image_end();
}

TEST_MAIN(test_sound, test_each_column, test_gaps, test_order, test_signatures, test_forged_signatures, test_rotation,
          test_random_edits, test_random_bytes)
