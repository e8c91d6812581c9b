// Shows checks as they end: as lines, with a moving block of those under way on a terminal, or as JSON.
//
// Ownership: borrows the arguments. Thread rule: the main thread.
#ifndef CLI_CHECK_VIEW_H
#define CLI_CHECK_VIEW_H

#include "admin/check.h"
#include "cli/cli.h"

struct check_view {
    const struct cli_args *args;
    struct buf out;
    size_t block;  // lines of those under way that stand on the screen
    unsigned turn; // of the sign that something moves
    size_t counts[CHECK_FAILED + 1];
    bool broken; // nothing can be written any more
};
// Runs the list and shows it; 0 when nothing has failed. What ended well is left out with --quiet.
int check_view_run(const struct cli_args *args, struct check_list *list);
// "ok, 63 models, 210 ms": the outcome of one check, with colour.
void check_view_put_outcome(struct buf *out, const struct check *c, bool color);

#endif
