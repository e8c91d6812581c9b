// What servers tell each other of routing's targets through Redis: breakers that opened, cooldowns, and how many
// servers there are to divide limits among.
//
// Four times a second each server sends what it found and gets what all have found, in one script; a request never
// waits for any of it. Wall clocks of the servers have to agree to well under a second.
//
// Ownership: board_share_start … board_share_stop, before the loop's Redis client is stopped. Thread rule: loop 0's.
#ifndef SERVER_BOARD_SHARE_H
#define SERVER_BOARD_SHARE_H

#include "base/err.h"

struct server;
struct board_share_rounds;

NODISCARD bool board_share_start(struct server *s, struct board_share_rounds **out_rounds, struct err *err);
void board_share_stop(struct board_share_rounds *r); // NULL is fine

#endif
