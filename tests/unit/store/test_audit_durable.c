// Tests that an audit event is on the disk before its commit returns: over a file system that loses what was not
// synced.
#include "audit_fixture.h"

#include "store/audit_verify.h"

#include <sqlite3.h>

// What is synced of PATH is copied to PATH.disk: that is what a loss of power leaves.
struct shim {
    sqlite3_file base;
    sqlite3_file *real;
    char path[512];
};
static sqlite3_vfs *g_real;
static sqlite3_vfs g_vfs;
static bool g_sync_fails;

static sqlite3_file *real(sqlite3_file *f) { return ((struct shim *)(void *)f)->real; }

static void copy_file(const char *from, const char *to) {
    char bytes[65536];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    REQUIRE(in && out);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;) REQUIRE(fwrite(bytes, 1, n, out) == n);
    fclose(in);
    REQUIRE(fclose(out) == 0);
}

static int on_sync(sqlite3_file *f, int flags) {
    struct shim *s = (struct shim *)(void *)f;
    char disk[600];
    if (g_sync_fails) return SQLITE_IOERR_FSYNC;
    int rc = s->real->pMethods->xSync(s->real, flags);
    snprintf(disk, sizeof disk, "%s.disk", s->path);
    if (rc == SQLITE_OK) copy_file(s->path, disk);
    return rc;
}

static int on_close(sqlite3_file *f) {
    sqlite3_file *r = real(f);
    int rc = r->pMethods->xClose(r);
    free(r);
    return rc;
}
static int on_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) {
    return real(f)->pMethods->xRead(real(f), p, n, at);
}
static int on_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
    return real(f)->pMethods->xWrite(real(f), p, n, at);
}
static int on_truncate(sqlite3_file *f, sqlite3_int64 n) { return real(f)->pMethods->xTruncate(real(f), n); }
static int on_size(sqlite3_file *f, sqlite3_int64 *n) { return real(f)->pMethods->xFileSize(real(f), n); }
static int on_lock(sqlite3_file *f, int how) { return real(f)->pMethods->xLock(real(f), how); }
static int on_unlock(sqlite3_file *f, int how) { return real(f)->pMethods->xUnlock(real(f), how); }
static int on_reserved(sqlite3_file *f, int *out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); }
static int on_control(sqlite3_file *f, int op, void *arg) { return real(f)->pMethods->xFileControl(real(f), op, arg); }
static int on_sector(sqlite3_file *f) { return real(f)->pMethods->xSectorSize(real(f)); }
// Without the promise that no write is torn or out of order.
static int on_device(sqlite3_file *f UNUSED) { return 0; }
static int on_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}
static int on_shm_lock(sqlite3_file *f, int at, int n, int flags) {
    return real(f)->pMethods->xShmLock(real(f), at, n, flags);
}
static void on_barrier(sqlite3_file *f) { real(f)->pMethods->xShmBarrier(real(f)); }
static int on_unmap(sqlite3_file *f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); }

static const sqlite3_io_methods k_methods = {.iVersion = 2,
                                             .xClose = on_close,
                                             .xRead = on_read,
                                             .xWrite = on_write,
                                             .xTruncate = on_truncate,
                                             .xSync = on_sync,
                                             .xFileSize = on_size,
                                             .xLock = on_lock,
                                             .xUnlock = on_unlock,
                                             .xCheckReservedLock = on_reserved,
                                             .xFileControl = on_control,
                                             .xSectorSize = on_sector,
                                             .xDeviceCharacteristics = on_device,
                                             .xShmMap = on_map,
                                             .xShmLock = on_shm_lock,
                                             .xShmBarrier = on_barrier,
                                             .xShmUnmap = on_unmap};

static int on_open(sqlite3_vfs *vfs UNUSED, const char *name, sqlite3_file *f, int flags, int *out_flags) {
    struct shim *s = (struct shim *)(void *)f;
    s->base.pMethods = NULL;
    s->real = calloc(1, (size_t)g_real->szOsFile);
    REQUIRE(s->real);
    int rc = g_real->xOpen(g_real, name, s->real, flags, out_flags);
    snprintf(s->path, sizeof s->path, "%s", name ? name : "");
    if (s->real->pMethods) s->base.pMethods = &k_methods;
    if (!s->base.pMethods) free(s->real);
    return rc;
}

static void vfs_begin(void) {
    REQUIRE(sqlite3_initialize() == SQLITE_OK);
    g_real = sqlite3_vfs_find(NULL);
    REQUIRE(g_real);
    g_vfs = *g_real;
    g_vfs.zName = "cut";
    g_vfs.szOsFile = (int)sizeof(struct shim);
    g_vfs.pNext = NULL;
    g_vfs.xOpen = on_open;
    REQUIRE(sqlite3_vfs_register(&g_vfs, 1) == SQLITE_OK);
}

// The number of events that a loss of power now would leave, whose chain must be sound.
static int64_t left_on_disk(const char *name) {
    char from[700], to[700], target[600];
    int64_t n = -1;
    snprintf(target, sizeof target, "%s.%s", dir.database, name);
    snprintf(from, sizeof from, "%s.disk", dir.database);
    copy_file(from, target);
    snprintf(from, sizeof from, "%s-wal.disk", dir.database);
    snprintf(to, sizeof to, "%s-wal", target);
    if (access(from, R_OK) == 0) copy_file(from, to);
    struct sql *after;
    struct audit_verdict verdict;
    REQUIRE(sql_open(str_c(target), &(struct sql_options){.mode = SQL_READ_WRITE}, &after, &err));
    CHECK(sql_query_i64(sql_platform(after), STR("SELECT count(*) FROM audit_event"), &n, &err));
    if (n > 0) {
        CHECK(audit_verify(after, &(struct audit_verify_options){.dir = &dir}, &verdict, &err));
        CHECK(!verdict.faulty);
    }
    sql_close(after);
    return n;
}

static void test_each_commit(void) {
    char name[32];
    trail_open("each");
    for (int i = 0; i < 12; i++) {
        struct audit_event e = trail_event(i);
        CHECK(audit_append_alone(sql_tenant(db, 1), signer, &e, &err));
        snprintf(name, sizeof name, "after%d", i);
        CHECK_INT(left_on_disk(name), i + 1);
        // The log is emptied into the database now and then, also by others.
        if (i % 4 == 3) CHECK(sql_exec(db, STR("PRAGMA wal_checkpoint(TRUNCATE)"), &err));
    }
    trail_close();
}

// The counter-proof: without an event a commit is not waited for, so the test can tell the difference.
static void test_without_event(void) {
    trail_open("without");
    trail_fill(1, 1, 1);
    REQUIRE(sql_begin(db, &err));
    REQUIRE(sql_exec(db, STR("INSERT INTO audit_cursor VALUES ('a', 1, 1, 1)"), &err));
    REQUIRE(sql_commit(db, &err));
    char from[600], to[600], wal_from[600], wal_to[600];
    snprintf(from, sizeof from, "%s.disk", dir.database);
    snprintf(to, sizeof to, "%s.cut", dir.database);
    snprintf(wal_from, sizeof wal_from, "%s-wal.disk", dir.database);
    snprintf(wal_to, sizeof wal_to, "%s.cut-wal", dir.database);
    copy_file(from, to);
    copy_file(wal_from, wal_to);
    struct sql *after;
    int64_t n = -1;
    REQUIRE(sql_open(str_c(to), &(struct sql_options){.mode = SQL_READ_WRITE}, &after, &err));
    CHECK(sql_query_i64(sql_platform(after), STR("SELECT count(*) FROM audit_cursor"), &n, &err));
    CHECK_INT(n, 0);
    sql_close(after);
    trail_close();
}

static void test_sync_fails(void) {
    trail_open("fails");
    trail_fill(1, 1, 1);
    struct audit_event e = trail_event(1);
    g_sync_fails = true;
    CHECK(!audit_append_alone(sql_tenant(db, 1), signer, &e, &err));
    CHECK_INT(err.code, ERR_IO);
    g_sync_fails = false;
    CHECK(audit_append_alone(sql_tenant(db, 1), signer, &e, &err));
    trail_close();
}

int main(void) {
    struct sql *first;
    // The driver sets the library up at its first opening; file systems are registered after that.
    REQUIRE(sql_open(temp_path("first"), &(struct sql_options){.mode = SQL_CREATE}, &first, &err));
    sql_close(first);
    vfs_begin();
    test_each_commit();
    test_without_event();
    test_sync_fails();
    printf("%d checks, %d failures\n", g_check_count, g_check_failures);
    return g_check_failures != 0;
}
