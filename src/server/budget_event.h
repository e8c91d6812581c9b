// Tells of budgets that reach a threshold: the event "budget.threshold" on the bus and in the audit trail.
//
// Ownership: news is the caller's and must stay. Thread rule: the listener is called on pool threads, one at a time.
#ifndef SERVER_BUDGET_EVENT_H
#define SERVER_BUDGET_EVENT_H

#include "access/quota.h"
#include "store/audit.h"

struct server;
struct budget_news {
    struct server *server;
    struct audit_signer *signer;
};
struct quota_listener budget_listener(struct budget_news *news);

#endif
