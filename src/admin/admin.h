// The control plane's HTTP interface: /api/, for whom permissions allow it, and /docs.
//
//   struct admin        one a process: what it serves, and the thread that delivers webhooks
//   struct admin_loop   one an event loop: its key ring, its event streams
//   struct admin_call   one a request (call.h)
//
// Ownership: admin_create … admin_free; what is passed in is borrowed and must outlive it. Thread rule: an admin_loop
// belongs to its loop's thread; struct admin is shared and does not change.
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "admin/host.h"
#include "net/http_server.h"
#include "obs/metrics.h"

struct admin;
struct admin_loop;

struct admin_options {
    const struct admin_host *host;
    struct metrics *metrics; // NULL: nothing is counted
    struct log *access;      // NULL: requests are not logged
};
// Starts the webhooks' thread.
NODISCARD bool admin_create(const struct admin_options *options, struct admin **out_admin, struct err *err);
// Ends it, within about a second. All loops are gone. NULL is fine.
void admin_free(struct admin *admin);

struct admin_loop_options {
    struct loop *loop;
    // Gives out the ids of requests; false when there are none left.
    bool (*next_id)(void *ctx, uint64_t *out_id);
    void *ctx;
};
NODISCARD bool admin_loop_create(struct admin *admin, const struct admin_loop_options *options,
                                 struct admin_loop **out_al, struct err *err);
// Event streams, which have no end of their own, end; other requests go on.
void admin_loop_drain(struct admin_loop *al);
// Something is under way for it on other threads, also for clients that left: it may not be freed yet.
bool admin_loop_busy(const struct admin_loop *al);
// Nothing is posted to the loop any more. Before the loop's handles are drained.
void admin_loop_quiesce(struct admin_loop *al);
// Neither requests nor work may be left. NULL is fine, here and above.
void admin_loop_free(struct admin_loop *al);

// Whether requests for this path are the control plane's.
bool admin_takes(struct str path);
// As those of struct http_handler.
void admin_on_request(struct admin_loop *al, struct http_req *req);
void admin_on_abort(struct http_req *req);
void admin_on_drained(struct http_req *req);

#endif
