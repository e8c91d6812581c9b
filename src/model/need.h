// What a request needs of the model that is to serve it: abilities, and room.
//
// Thread rule: pure. Units: tokens.
#ifndef MODEL_NEED_H
#define MODEL_NEED_H

#include "model/catalog.h"
#include "model/chat.h"
#include "model/request.h"

struct model_need {
    unsigned can;    // MODEL_CAN_…: all of these
    uint64_t tokens; // of the prompt: counted, or a guess
    uint64_t most;   // it has no more than so many: a token is a byte at least; 0: they are not held against a window
    uint64_t media;  // bytes of most that are pictures, sound and the like
    bool counted;    // tokens is no guess
    uint64_t output; // that all of its answers may have; 0: it does not say
    uint64_t each;   // likewise, one answer
    size_t turns;    // of the conversation
    size_t tools;
    bool read; // all of the request was looked at; else it was plainly nothing but text
};

// Whether a request has nothing but text in it, told at a glance: no need to read it. What looks otherwise may still be
// text alone.
bool model_need_plain(const struct model_request *request);
// Of a request that is plain, or no chat.
struct model_need model_need_of_request(const struct model_request *request);
struct model_need model_need_of_chat(const struct model_request *request, const struct chat *chat);

#endif
