// Fuzzes what stands in a sealed column and in a data key's row: any bytes give the text that was sealed, or an error.
#include "base/mem.h"
#include "store/master.h"
#include "store/sealed.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct datadir dir;
static struct sql *db;
static struct master *master;
static const unsigned char label[MASTER_LABEL_SIZE] = {1};
static struct buf sealed = BUF_INIT(4096), wrapped = BUF_INIT(2 * MASTER_WRAPPED_MAX);

static void must(bool ok, const struct err *err) {
    if (ok) return;
    fprintf(stderr, "%s\n", err->message);
    abort();
}

static void open_once(void) {
    char path[] = "/tmp/penstock-fuzz-XXXXXX", command[64];
    struct err err;
    if (db) return;
    must(mkdtemp(path) != NULL, &(struct err){.message = "mkdtemp"});
    must(datadir_open(str_c(path), &dir, &err) && datadir_open_db(&dir, 1000, &db, &err), &err);
    must(seal(sql_tenant(db, 1), &dir, STR("purpose"), STR("label"), STR("the text"), &sealed, &err), &err);
    must(master_of(label, &master, &err) && master_wrap(master, label, label, &wrapped, &err), &err);
    // The files live on without their names.
    snprintf(command, sizeof command, "rm -r %s", path);
    if (system(command) != 0) abort();
}

static void check_sealed(struct str bytes) {
    BUF_AUTO struct buf text = BUF_INIT(1 << 20);
    struct err err;
    bool ok = unseal(sql_tenant(db, 1), &dir, STR("purpose"), STR("label"), bytes, &text, &err);
    if (ok)
        INVARIANT(str_eq(bytes, buf_str(&sealed)) && str_eq(buf_str(&text), STR("the text")));
    else
        INVARIANT(err.message[0] && text.n == 0);
}

static void check_wrapped(struct str bytes) {
    unsigned char key[MASTER_KEY_SIZE];
    struct err err;
    bool ok = master_unwrap(master, label, bytes, key, &err);
    INVARIANT(ok == str_eq(bytes, buf_str(&wrapped)) && (ok || err.message[0]));
}

// The first byte: what the rest is. 'x': bytes to be laid over the sealed value, from the offset in the second byte on.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    open_once();
    struct str rest = str_of((const char *)data + 1, size - 1);
    if (data[0] == 'x') {
        BUF_AUTO struct buf changed = BUF_INIT(4096);
        buf_put(&changed, buf_str(&sealed));
        for (size_t i = 1; i < rest.n; i++)
            changed.p[(data[1] + i) % changed.n] = (char)(changed.p[(data[1] + i) % changed.n] ^ rest.p[i]);
        check_sealed(buf_str(&changed));
    } else if (data[0] == 'w') {
        check_wrapped(rest);
    } else {
        check_sealed(rest);
    }
    return 0;
}
