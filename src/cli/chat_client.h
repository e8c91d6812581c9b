// Streamed chat calls to a server, one or many at a time on one event loop, which ends at Ctrl-C.
//
// Ownership: the client and each call are the caller's; a call that was started must be ended or cancelled before it
// goes. Thread rule: the main thread; chat_client_run blocks until chat_client_stop or a signal. Units: nanoseconds of
// the monotonic clock. Errors: those of opening are printed and returned as exit codes, those of a call stand in it.
#ifndef CLI_CHAT_CLIENT_H
#define CLI_CHAT_CLIENT_H

#include "cli/chat_stream.h"
#include "cli/commands.h"
#include "conf/url.h"
#include "net/http_client.h"

#define CHAT_ANSWER_MAX ((size_t)64 * 1024 * 1024)

struct signals;
struct chat_client {
    const struct cli_args *args;
    struct conf_url url;
    struct str authority, key;
    struct buf target, authorization;
    struct loop *loop;
    struct http_client *http;
    struct http_origin origin;
    struct signals *signals;
    bool interrupted;
};
// url: of the server, with or without /v1; option: which it was given by ("--url"). The key is in PENSTOCK_API_KEY, and
// may be missing.
int chat_client_open(const struct cli_args *args, struct str url, const char *option, struct chat_client *out_client);
void chat_client_close(struct chat_client *client);
// Makes the loop; afterwards calls can be started.
NODISCARD bool chat_client_ready(struct chat_client *client, struct err *err);
// Until it is stopped, or interrupted: calls under way are then the caller's to cancel.
void chat_client_run(struct chat_client *client);
void chat_client_stop(struct chat_client *client);
// How such a status ends a command.
int chat_exit_of_status(int status);

struct chat_call {
    struct chat_client *client;
    void (*text)(void *arg, struct str text); // each piece of a streamed answer
    void (*ended)(struct chat_call *call);    // the last word of it
    void *arg;
    struct http_exchange *exchange; // NULL once it has ended
    struct chat_stream stream;
    struct buf answer; // what is no stream: JSON, or an error
    struct str body;
    char request_id[64];
    int status;     // 0: there was no answer
    bool streaming; // the answer is a stream
    bool elsewhere; // another target than the first one, or another model than was asked for, gave it
    bool failed;    // err says why
    struct err err;
    uint64_t began_ns, first_ns, last_ns, ended_ns; // first and last piece of text; 0 = there was none
    size_t pieces;                                  // of text
};
void chat_call_init(struct chat_call *call, struct chat_client *client, void (*text)(void *arg, struct str text),
                    void (*ended)(struct chat_call *call), void *arg);
void chat_call_free(struct chat_call *call);
// A chat completions request; the body must stay until it has ended.
NODISCARD bool chat_call_start(struct chat_call *call, struct str body, struct err *err);
// No callback follows.
void chat_call_cancel(struct chat_call *call);
// A whole streamed answer came.
bool chat_call_ok(const struct chat_call *call);

#endif
