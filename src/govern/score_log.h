// Writes down what answers were found to be worth: handed over by event loops and workers, written by a thread of its
// own, many in a transaction.
//
// What waits is bounded: past SCORES_WAITING_MAX scores are not written down, and the log says how many.
//
// Ownership: score_log_start … score_log_end, which writes what waits; the options' parts are borrowed. Thread rule:
// any thread; score_log_put copies and takes a short lock. Errors: a failure to write is logged.
#ifndef GOVERN_SCORE_LOG_H
#define GOVERN_SCORE_LOG_H

#include "obs/log.h"
#include "store/datadir.h"
#include "store/score.h"

#define SCORES_WAITING_MAX 20000

struct score_log;
NODISCARD bool score_log_start(const struct datadir *dir, struct log *log, struct score_log **out_log, struct err *err);
void score_log_end(struct score_log *log);                              // NULL is fine
void score_log_put(struct score_log *log, const struct score_row *row); // NULL: nothing is written

#endif
