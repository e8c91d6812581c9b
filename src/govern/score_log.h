// Writes down what answers were found to be worth: handed over by event loops and workers, written by a thread of its
// own (store/row_writer.h, which says what happens when it cannot).
//
// Thread rule: any thread.
#ifndef GOVERN_SCORE_LOG_H
#define GOVERN_SCORE_LOG_H

#include "store/row_writer.h"
#include "store/score.h"

#define SCORES_WAITING_MAX 20000

extern const struct row_kind score_log_kind;
void score_log_put(struct row_writer *log, const struct score_row *row); // NULL: nothing is written

#endif
