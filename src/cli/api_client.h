// The admin API from the command line: carried out in this process on the data directory, or by a server (--server).
//
// In process the caller is the operator: whoever can read the data directory may do everything. A server is asked with
// the key in PENSTOCK_API_KEY, else with what `penstock login` keeps for it, and decides by the rights of that.
// Ownership: the answer is the caller's to free. Thread rule: the main thread; blocks. Errors: printed; the exit code
// says which kind.
#ifndef CLI_API_CLIENT_H
#define CLI_API_CLIENT_H

#include "admin/api.h"
#include "cli/server_call.h"

struct cli_api {
    const struct cli_args *args;
    struct str server, bearer; // of a server; empty server = in process
    struct str tenant;         // to act for; empty = one's own
    bool signed_in;            // bearer is of `penstock login`
    bool quiet;                // errors of the API are not printed
    struct arena secrets;
    struct cli_data data;
    struct audit_signer *signer;
    struct who who;
};

// changing: the data directory may be made. CLI_OK, or the exit code after it was said why.
int cli_api_open(const struct cli_args *args, bool changing, struct cli_api *out_api);
void cli_api_close(struct cli_api *api);
// As cli_api_call, but prints nothing. False: it did not succeed.
bool cli_api_ask(struct cli_api *api, enum http_method method, struct str path, struct str query, struct str body,
                 struct cli_answer *out_answer);
// Body: JSON, or empty. An answer from 400 on is printed as an error, and its exit code returned.
int cli_api_call(struct cli_api *api, enum http_method method, struct str path, struct str query, struct str body,
                 struct cli_answer *out_answer);

// A GET whose answer may be of any length: given to `sink` piece by piece, which returns false when it takes no more.
int cli_api_pull(struct cli_api *api, struct str path, cli_sink *sink, void *ctx);

// A member of a JSON object as text for people: strings decoded, lists joined; empty when it is not there or null.
struct str cli_json_text(struct arena *arena, struct str object, struct str name);
// Appends text with what a URL's path or query may not hold encoded.
void cli_url_put(struct buf *out, struct str text);

#endif
