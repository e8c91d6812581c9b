// POST /v1/tokenize: what is asked, and the answer.
//
//   {"model": M or "tokenizer": T, "input": "text" or ["text", …] or "messages": […], "ids": true}
//   {"object": "tokenization", "model": M, "tokenizer": T, "exact": bool, "tokens": N, "counts": […], "ids": [[…], …]}
//
// Of messages, what is text is counted (roles, names, contents, calls of tools), and what OpenAI's rule adds; `counts`
// has a number for each, "uncounted" says how many parts (images, audio, files) are not text.
//
// Ownership: what is read points into the body. Thread rule: any thread. Time: tokenizer.h.
#ifndef MODEL_TOKEN_TOKENIZE_H
#define MODEL_TOKEN_TOKENIZE_H

#include "base/arena.h"
#include "base/buf.h"
#include "model/token/tokenizer.h"

struct tokenize_request {
    struct str model;                  // empty: none was named
    const struct tokenizer *tokenizer; // may be changed before the answer is made
    bool by_model;                     // chosen by the model's name
    bool exact;
    bool ids;
    struct str input;    // as it stands in the body: a string or an array; or STR_NONE
    struct str messages; // an array; or STR_NONE
};

// The whole body is checked to be JSON. arena: for names with escapes. depth: how deeply the body may be nested.
NODISCARD bool tokenize_read(struct str body, unsigned depth, struct arena *arena, struct tokenize_request *out_request,
                             struct err *err);
// Errors: elements of another kind than text; no memory; an answer past out->max.
NODISCARD bool tokenize_answer(const struct tokenize_request *request, struct buf *out, struct err *err);

#endif
