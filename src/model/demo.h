// The demonstration provider: answers in OpenAI's dialect without any model behind it, so that everything can be tried
// offline. It says what it is.
//
// Its models: echo (repeats the last user message), slow and slow-MS (a word every 250 or MS ms), fail-STATUS (an error
// of that status), cut (breaks off in the middle), stall (stops after a few words), and any other name: a short text.
//
// Ownership: what it makes lies in the arena given. Thread rule: pure: bytes in, bytes out, no clock and no timer; the
// caller waits wait_ms before each piece. Units: milliseconds, Unix seconds.
#ifndef MODEL_DEMO_H
#define MODEL_DEMO_H

#include "model/request.h"

struct demo {
    const struct model_request *request;
    struct str model, text, id;
    int64_t created;
    int status; // of the answer
    uint64_t first_ms, gap_ms;
    size_t at;     // of text, in bytes
    unsigned step; // of a stream: role, words, finish, usage, done
    bool cut, stall, embed;
    uint64_t tokens_in, tokens_out;
};

// model: the name after "demo/".
NODISCARD bool demo_open(const struct model_request *request, struct str model, struct str id, int64_t created,
                         struct arena *arena, struct demo *out_demo, struct err *err);
// "text/event-stream" or "application/json".
struct str demo_content_type(const struct demo *demo);

enum demo_next {
    DEMO_MORE,  // a piece was appended, others follow
    DEMO_LAST,  // the last piece was appended
    DEMO_BREAK, // break the answer off here
    DEMO_HANG,  // nothing more will ever come
};
enum demo_next demo_next(struct demo *demo, struct buf *out);
// How long to wait before the next piece.
uint64_t demo_wait_ms(const struct demo *demo);

#endif
