// Leaves a wish in the data directory and waits for the server's answer.
#include "cli/ask_server.h"

#include "base/secret.h"
#include "os/clock.h"
#include "store/config_wish.h"

#define TEXT_MAX ((size_t)64 << 20)
#define WAIT_NS (10 * NS_PER_SEC)
#define LOOK_NS (20 * NS_PER_MS)

static bool leave(struct sql *db, struct datadir *dir, const struct admin_wish *wish, int64_t *out_id,
                  struct err *err) {
    struct buf text = BUF_INIT(TEXT_MAX);
    wish_put(wish, &text);
    bool ok = text.failed ? err_no_memory(err) : config_wish_add(db, dir, buf_str(&text), clock_unix_ns(), out_id, err);
    secret_wipe(text.p, text.p ? text.cap : 0);
    buf_free(&text);
    if (ok) datadir_config_changed(dir);
    return ok;
}

bool ask_server(struct sql *db, struct datadir *dir, const struct admin_wish *wish, struct arena *a,
                struct wish_answer *out_answer, struct err *err) {
    int64_t id;
    struct str text = STR_NONE;
    struct err ignored;
    if (!leave(db, dir, wish, &id, err)) return false;
    for (uint64_t end = clock_mono_ns() + WAIT_NS; clock_mono_ns() < end; clock_pause_ns(LOOK_NS)) {
        if (!config_wish_collect(db, dir, id, a, &text, err)) return false;
        if (text.p) return wish_answer_read(text, a, out_answer, err);
    }
    if (!config_wish_drop(db, id, &ignored)) return err_wrap(&ignored, "the server does not answer");
    return err_set(err, ERR_UPSTREAM_TIMEOUT,
                   "the server on this data directory has not answered for ten seconds; nothing was changed");
}
