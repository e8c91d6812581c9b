// Requests to a server's data plane for commands on files and batches, with the key in PENSTOCK_API_KEY.
//
// Ownership: the answer is the caller's, to cli_answer_free. Thread rule: the main thread; blocks. Errors: printed; the
// exit code says which kind.
#ifndef CLI_DATA_CLIENT_H
#define CLI_DATA_CLIENT_H

#include "cli/server_call.h"

struct data_client {
    const struct cli_args *args;
    struct str server, key;
};
// --server, $PENSTOCK_SERVER, or the server on this machine. CLI_OK, or the exit code after it was said why.
int data_client_open(const struct cli_args *args, struct data_client *out_client);

struct data_request {
    enum http_method method;
    struct str target, body, type; // type empty = JSON
    cli_sink *sink;                // of a successful answer; NULL: it is gathered
    void *ctx;
    const struct http_field *fields; // besides, as of a server_call
    size_t field_count;
    bool quiet; // nothing is printed when the server cannot be reached
};
// From 400 on the answer is printed as an error, and its exit code returned; CLI_UNREACHABLE when there was none.
int data_call(const struct data_client *client, const struct data_request *request, struct cli_answer *out_answer);
// Puts a file in; its id goes to out_id.
int data_put_file(const struct data_client *client, struct str bytes, struct str name, struct str purpose,
                  struct buf *out_id);
// Writes a file's content to a path ("-" is standard output), which is there once it is whole.
int data_get_file(const struct data_client *client, struct str id, struct str path);

#endif
