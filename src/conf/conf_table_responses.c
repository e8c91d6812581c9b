// The option table of responses that are kept for clients to go on from.
#include "conf/conf_tables.h"

static const struct opt responses_opts[] = {
    DURATION(conf_responses, keep, RELOAD, "30d", 0, 10 * 365 * 24 * HOUR,
             "How long a response of `/v1/responses` is kept, sealed, so that the client can go on from it "
             "(`previous_response_id`) or read it again; going on keeps those before it. 0 = none is kept."),
};
const struct opt_table responses_table =
    OPT_TABLE("responses that clients go on from", struct conf_responses, responses_opts);
