// Webhooks: events of the bus, posted to those that `webhooks` of the configuration names.
//
// One thread takes the events that are wanted off the bus and delivers them, each webhook's in their order. A delivery
// that fails is tried again after 1 s, 5 s, 30 s and 2 min, and then given up; what comes behind it waits. All that
// waits is bounded: past WEBHOOKS_WAITING_MAX the oldest goes and is counted.
//
// Ownership: webhooks_start … webhooks_end; the options' parts are borrowed; fetch_global_begin comes before. Thread
// rule: any thread; the bus never waits for it. Errors: those of starting; failures of deliveries are logged when they
// begin and when they end.
#ifndef ADMIN_WEBHOOK_H
#define ADMIN_WEBHOOK_H

#include "admin/host.h"
#include "obs/metrics.h"

#define WEBHOOKS_WAITING_MAX 1000

struct webhooks;
struct webhooks_options {
    const struct admin_host *host;
    struct metrics *metrics; // NULL: nothing is counted
    struct str boot;         // begins the ids of events
};
// Without a bus there is nothing to do: *out_webhooks is NULL.
NODISCARD bool webhooks_start(const struct webhooks_options *options, struct webhooks **out_webhooks, struct err *err);
// Within about a second; what waits is given up. NULL is fine.
void webhooks_end(struct webhooks *webhooks);

#endif
