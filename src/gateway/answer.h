// The answer's way back: from a provider (or the demonstration) to the client, whole or streamed, and the record of it.
//
// Thread rule: the call's loop. After a function here has ended the call (answer_error without a further target, the
// last answer_data, call_fail, call_reply) the call is gone.
#ifndef GATEWAY_ANSWER_H
#define GATEWAY_ANSWER_H

#include "gateway/call.h"

// The upstream's status and fields, valid during the call. False: another target is being asked, or the call is gone.
bool answer_head(struct call *call, int status, const struct http_field *fields, size_t count);
// The same of a head that was held back: no failure, and its fields as answer_fields has them.
bool answer_opened(struct call *call, int status, const struct http_field *passed, size_t count);
// Its head alone is sent to the client.
void answer_begin(struct call *call);
// The upstream's fields that mean something to the client; how many there are.
size_t answer_fields(struct call *call, const struct http_field *fields, size_t count,
                     struct http_field out[CALL_FIELDS_MAX]);
// Whether the answer is a stream that can be read event by event, and how it is cut.
bool answer_is_framed(const struct attempt *a, const struct http_field *fields, size_t count,
                      enum frame_kind *out_frames);
void answer_data(struct call *call, struct str data, bool last);
// The answer to several pieces of the call is this body, in the client's dialect; *body is taken over.
void answer_made(struct call *call, struct buf *body);
// The upstream failed. Before anything was sent to the client, the next target is tried if the error allows it.
void answer_error(struct call *call, const struct err *err);
// The upstream has told an error in place of its answer, whatever its status said; texts of the call's arena or of the
// body being read.
void answer_refused(struct call *call, const struct chat_failure *failure);
// The same of a failure whose class is known.
void answer_failed(struct call *call, enum failure why, const struct err *err);
// The time for the whole request is over: no other target is asked. why: what the present one is charged with.
void answer_late(struct call *call, enum failure why, const struct err *err);

// The client reads too slowly: the upstream's answer is held up, until the client has caught up.
void answer_pause(struct call *call);
void answer_resume(struct call *call);

// Ends the call with an error of our own.
void call_fail(struct call *call, const struct err *err);
// Ends the call with a body of our own making.
void call_reply(struct call *call, int status, struct str content_type, struct str body);
// Ends the call in the middle of its answer.
void call_cut(struct call *call);
// The client left.
void call_abort(struct call *call);
// The same of an inner call that nobody waits for any more: why, is in its record.
void call_give_up(struct call *call, const struct err *why);

#endif
