// Asks providers at regular times whether they are there, and tells the board.
//
// Ownership: one a process, of the first loop; what is under way holds the configuration it was begun for. Thread rule:
// the loop's.
#ifndef GATEWAY_HEALTH_H
#define GATEWAY_HEALTH_H

#include "gateway/gateway.h"

NODISCARD bool health_create(struct gateway_loop *gl, struct health **out_health, struct err *err);
void health_free(struct health *health); // NULL is fine
// Begins, or begins anew by the loop's present configuration: those asked no longer are taken for well.
void health_start(struct health *health);
// Gives up what is under way; nobody is asked any more.
void health_stop(struct health *health);

#endif
