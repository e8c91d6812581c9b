// How many tokens of input a request has, before any provider has counted: its texts by the model's tokenizer, and
// around them what vendors have published of their own counting: messages, tools, pictures, pages.
//
// Thread rule: pure; time is that of the tokenizer, so what is long belongs on the worker pool. Units: tokens.
#ifndef MODEL_PROMPT_TOKENS_H
#define MODEL_PROMPT_TOKENS_H

#include "model/chat.h"
#include "model/image_size.h"
#include "model/token/tokenizer.h"

struct prompt_tokens {
    uint64_t text;   // with what is around each message
    uint64_t tools;  // their definitions
    uint64_t images; // and pages of files
    uint64_t total;
    uint64_t uncounted; // parts that there is no rule for: audio, video, what is elsewhere
    bool exact;         // by the vendor's own tokenizer and rules, nothing guessed
};

struct prompt_rule;
// How a model counts.
struct prompt_way {
    const struct tokenizer *tokenizer;
    bool tokenizer_exact;
    const struct prompt_rule *rule; // of messages and tools
    unsigned picture;               // how pictures are counted
};
// model: as its provider calls it ("gpt-4o-2024-08-06", "us.anthropic.claude-…").
struct prompt_way prompt_way_of(struct str model);
bool prompt_way_same(const struct prompt_way *a, const struct prompt_way *b);

// The arena takes what has to be decoded. False: out of memory.
NODISCARD bool prompt_count_chat(const struct prompt_way *way, const struct chat *chat, struct arena *arena,
                                 struct prompt_tokens *out_tokens);
// Of embeddings and of completions without turns: a JSON string, a list of them, or lists of token numbers.
NODISCARD bool prompt_count_input(const struct prompt_way *way, struct str input, struct arena *arena,
                                  struct prompt_tokens *out_tokens);

// What no tokenizer and no rule counts more tokens than, told from the size alone. UINT64_MAX: it has pictures or
// files, of which bytes tell nothing. chat NULL: it has nothing but text (model_need_plain).
uint64_t prompt_tokens_most(const struct chat *chat, size_t bytes);

// How pictures are counted of a model by that name, in small letters; and the tokens of one. size NULL: not known, and
// taken to be 1024 x 1024. low: OpenAI's detail "low".
unsigned prompt_picture_of(struct str model);
uint64_t prompt_picture_tokens(unsigned picture, const struct image_size *size, bool low);

#endif
