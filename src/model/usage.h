// What a model call used, in tokens, whichever dialect reported it.
#ifndef MODEL_USAGE_H
#define MODEL_USAGE_H

#include "base/defs.h"

struct usage {
    uint64_t prompt;         // all input; the next two are parts of it
    uint64_t cached;         // read from the provider's prompt cache
    uint64_t cache_write;    // written to it
    uint64_t cache_write_1h; // the part of cache_write that is kept for an hour, not for five minutes
    uint64_t output;         // all output; reasoning is part of it
    uint64_t reasoning;
    uint64_t audio_in, audio_out; // parts of prompt and output
    uint64_t images;              // made
    bool batch;                   // it went through the provider's own batch API
};

static inline void usage_add(struct usage *to, const struct usage *more) {
    to->prompt += more->prompt;
    to->cached += more->cached;
    to->cache_write += more->cache_write;
    to->cache_write_1h += more->cache_write_1h;
    to->output += more->output;
    to->reasoning += more->reasoning;
    to->audio_in += more->audio_in;
    to->audio_out += more->audio_out;
}

#endif
