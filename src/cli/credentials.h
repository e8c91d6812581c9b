// What `penstock login` keeps: for each server a file that only its owner can read, with a key or a session.
//
// $XDG_CONFIG_HOME/penstock/credentials/SERVER.json, else ~/.config/…; the server's address is encoded as in a URL.
// Of a session, access tokens are made as they are needed and kept beside it.
//
// Ownership: texts live in the caller's arena. Thread rule: the main thread. Units: unix ns. Errors: ERR_NOT_FOUND when
// there is nowhere to keep them; ERR_FORBIDDEN for a file that others can read; those of os/file.h.
#ifndef CLI_CREDENTIALS_H
#define CLI_CREDENTIALS_H

#include "cli/server_call.h"

struct credentials {
    struct str server;
    struct str name, tenant; // whose, for people
    struct str key;          // or:
    struct str cookie, csrf; // of a session
    struct str token;        // empty = none yet
    int64_t token_until;
};
// *out_there: there are some for the server.
NODISCARD bool credentials_load(const struct cli_args *args, struct str server, struct arena *arena,
                                struct credentials *out, bool *out_there, struct err *err);
NODISCARD bool credentials_save(const struct cli_args *args, const struct credentials *c, struct err *err);
// None there is fine.
NODISCARD bool credentials_remove(const struct cli_args *args, struct str server, struct err *err);

// What to show to the server as a bearer: the key, or an access token, made anew and saved when it is due.
// ERR_UNAUTHENTICATED when the session is over.
NODISCARD bool credentials_bearer(const struct cli_args *args, struct credentials *c, struct arena *arena,
                                  struct str *out_bearer, struct err *err);

#endif
