// What the files of the checks share.
//
// Ownership: text of checks lives in the list's arena. Thread rule: adding, before the run; a run function touches only
// its own check.
#ifndef ADMIN_CHECK_IMPL_H
#define ADMIN_CHECK_IMPL_H

#include "admin/check.h"
#include "base/vec.h"
#include "net/fetch.h"
#include "os/thread.h"

#define CHECK_CERT_SOON_S (14 * 86400)
#define CHECK_OWN_MS 10000 // what a check may take when nothing shorter is configured

struct check_list {
    VEC(struct check) checks;
    struct conf *conf;
    struct arena arena;
    bool failed; // out of memory
    // Of the run.
    struct mutex lock;
    struct cond changed;
    uint64_t began_ns, deadline_ns;
    int64_t began_unix_ns;
    size_t next;      // the first that nobody has taken
    size_t *finished; // indices, in their order
    size_t n_finished;
};

typedef void check_fn(struct check_list *list, struct check *c);
// key, printf: of the option it is about. name outlives the list.
PRINTF_LIKE(6, 7)
struct check *check_add(struct check_list *l, enum check_kind kind, struct str name, check_fn *run, const void *subject,
                        const char *key, ...);
// Adds to what was found; the worst verdict stays.
PRINTF_LIKE(3, 4) void check_note(struct check *c, enum check_verdict verdict, const char *fmt, ...);
PRINTF_LIKE(2, 3) void check_advise(struct check *c, const char *fmt, ...);
// Milliseconds a check may still take: its own limit, or what is left of the run; at least 1.
unsigned check_time_left(const struct check_list *l, int64_t own_ms);
// fetch, with the clock's difference noted. False: c says why, with advice on `what` ("providers.openai").
NODISCARD bool check_fetch(struct check *c, struct fetch_request *request, struct str what,
                           struct fetch_answer *out_answer);
// Warns of a server's certificate that ends soon.
void check_cert_end(struct check *c, int64_t left_s, bool ours);

void check_add_providers(struct check_list *l);
void check_add_vault(struct check_list *l);
void check_add_database(struct check_list *l);
void check_add_redis(struct check_list *l);
void check_add_models(struct check_list *l);
void check_add_webhooks(struct check_list *l);
void check_add_listeners(struct check_list *l);
void check_add_certificates(struct check_list *l);
void check_add_paths(struct check_list *l);
void check_add_secret_files(struct check_list *l);
void check_add_open_files(struct check_list *l);
void check_add_clock(struct check_list *l);

#endif
