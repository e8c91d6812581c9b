// Has the server that runs on a data directory carry out a wish.
//
// Thread rule: the main thread; waits up to ten seconds. Errors: those of config_wish.h; ERR_UPSTREAM_TIMEOUT when the
// server does not answer.
#ifndef CLI_ASK_SERVER_H
#define CLI_ASK_SERVER_H

#include "admin/wish_text.h"

NODISCARD bool ask_server(struct sql *db, struct datadir *dir, const struct admin_wish *wish, struct arena *a,
                          struct wish_answer *out_answer, struct err *err);

#endif
