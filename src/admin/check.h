// Tries what a configuration names for real: providers, Vault, webhooks, certificates, paths, listeners, the clock.
//
// Ownership: check_list_make … check_list_free; a list holds a reference to its configuration, and all text of its
// checks. Thread rule: one thread; check_list_run blocks, has its own threads and calls back on the caller's. Before,
// fetch_global_begin. Units: microseconds. Errors: what does not work is a verdict, no error. No text holds a secret.
#ifndef ADMIN_CHECK_H
#define ADMIN_CHECK_H

#include "conf/conf.h"

enum check_kind {
    CHECK_PROVIDER,
    CHECK_VAULT,
    CHECK_DATABASE, // storage.url
    CHECK_REDIS,
    CHECK_MODELS,
    CHECK_WEBHOOK,
    CHECK_LISTENER,
    CHECK_CERTIFICATE, // of a listener: its files
    CHECK_PATH,        // to be written
    CHECK_SECRET_FILE, // ${file:…}
    CHECK_OPEN_FILES,  // how many this process may have
    CHECK_CLOCK,       // by the answers of the others; always the last
    CHECK_KIND_COUNT
};
const char *check_kind_name(enum check_kind kind); // "provider"
#define CHECK_KIND(kind) (1u << (kind))
#define CHECK_ALL ((1u << CHECK_KIND_COUNT) - 1)

enum check_verdict { CHECK_OK, CHECK_WARNING, CHECK_FAILED };
const char *check_verdict_name(enum check_verdict verdict); // "ok", "warning", "failed"

struct check_list;
struct check {
    enum check_kind kind;
    struct str name;  // "openai", "127.0.0.1:8080"
    struct str key;   // "providers.openai"
    struct str where; // "penstock.yaml:12"; the key when it is nowhere written
    // Once it has been done.
    enum check_verdict verdict;
    char detail[640]; // what was found
    char hint[400];   // what to do about it; "" = nothing
    uint64_t us;
    size_t models; // of a provider: in its list
    // The list's own.
    void (*run)(struct check_list *list, struct check *c);
    const void *subject; // in the configuration
    size_t index;
    uint64_t started_ns;   // under the list's lock
    bool dated;            // an answer told the time:
    int64_t clock_ahead_s; // ours, of its
};

// The checks of some kinds (CHECK_KIND(…) | …) that the configuration asks for.
NODISCARD bool check_list_make(struct conf *conf, unsigned kinds, struct check_list **out_list, struct err *err);
void check_list_free(struct check_list *list);
size_t check_list_count(const struct check_list *list);
const struct check *check_list_at(const struct check_list *list, size_t i);

// Either may be NULL.
struct check_watch {
    void *ctx;
    void (*done)(void *ctx, const struct check *c);
    // Every tenth of a second or so: those under way, and how many are still to be done, those included.
    void (*tick)(void *ctx, const struct check *const *running, size_t n, size_t left);
};
// All of them at the same time, at most 16; once. Each has its time, and all together half a minute: what was not begun
// by then has failed.
void check_list_run(struct check_list *list, const struct check_watch *watch);
// How long a running check has been at it.
uint64_t check_running_us(const struct check *c);

#endif
