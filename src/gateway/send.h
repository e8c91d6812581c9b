// Sends a request to the target in turn: its address, its fields, the waiting times that hold.
//
// Ownership: body must stay until the exchange has ended. Thread rule: the call's loop. Errors: those of
// provider_target and http_client_send.
#ifndef GATEWAY_SEND_H
#define GATEWAY_SEND_H

#include "gateway/call.h"

NODISCARD bool send_request(struct call *call, const struct str *body, size_t count,
                            const struct http_exchange_ops *ops, void *user, struct http_exchange **out_exchange,
                            struct err *err);

#endif
