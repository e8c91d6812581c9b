// What goes out to the client: the fields of every reply, and its last bytes once the record is safe.
#ifndef GATEWAY_REPLY_H
#define GATEWAY_REPLY_H

#include "gateway/admit.h"

#define REPLY_FIELDS_MAX (CALL_FIELDS_MAX + ADMIT_FIELDS_MAX + 13)

// Begins the reply: the upstream's passed fields, the request's id, who answered and, when known by now, what it cost.
void reply_head(struct call *call, int status, struct str content_type, uint64_t length);
// Sends the last bytes and ends the call; with durability sync only after the record is on disk.
void reply_last(struct call *call, const struct str *parts, size_t count);
// The call is going while its last bytes wait for the disk.
void reply_forget_sync(struct call *call);

#endif
