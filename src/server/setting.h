// A setting: all that a configuration needs to be in force, made whole before anything of it is used.
//
// Ownership: reference-counted; the server holds the one in force, each order to a loop holds the new one and the old.
// Thread rule: made on any thread, one at a time; setting_take on each loop's own thread.
#ifndef SERVER_SETTING_H
#define SERVER_SETTING_H

#include "gateway/runtime.h"
#include "server/listeners.h"

struct server;
struct setting_order;

struct setting {
    atomic_uint refs;
    struct conf *conf;
    struct runtime *runtime;
    struct listener_set listeners;
    struct setting_order *orders; // one a loop, until they are sent
};

// Everything that can fail, fails here: TLS files, addresses, the log's file, memory. old may be NULL (at the start).
// Takes references to conf and models.
NODISCARD bool setting_prepare(struct server *s, struct conf *conf, struct model_catalog *models,
                               const struct setting *old, struct setting **out, struct err *err);
// Sends it to every loop; cannot fail. old: the one in force until now.
void setting_switch(struct server *s, struct setting *next, struct setting *old);
struct setting *setting_ref(struct setting *setting);
void setting_unref(struct setting *setting); // NULL is fine

#endif
