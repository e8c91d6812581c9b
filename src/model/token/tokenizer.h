// Counting and listing the tokens of a text as a model's vendor does, by byte-pair encoding.
//
// The vocabularies are part of the program and used where they lie: nothing is read, parsed or allocated at the start,
// and a page of one takes memory once it has been looked at. Special tokens ("<|endoftext|>") in a text are text.
// A text that is not valid UTF-8 is taken as if each ill-formed sequence were U+FFFD, as Python and browsers decode.
//
// Ownership: tokenizers are constants; nothing is kept between calls. Thread rule: any thread. Units: tokens; time is
// linear in the text, some 10 to 30 ns a byte, so long texts belong on the worker pool. Errors: only out of memory.
#ifndef MODEL_TOKEN_TOKENIZER_H
#define MODEL_TOKEN_TOKENIZER_H

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

// In the order of tokenizer.def.
enum tokenizer_id {
#define TOKENIZER(id, name, image, kind, about) TOKENIZER_##id,
#include "model/token/tokenizer.def"
#undef TOKENIZER
    TOKENIZER_COUNT
};

struct tokenizer;

struct token_ids {
    uint32_t *p; // owned: mem_free
    size_t n;
    size_t cap;
};

const struct tokenizer *tokenizer_get(enum tokenizer_id id);
// By its name ("o200k_base"); NULL when there is none.
const struct tokenizer *tokenizer_find(struct str name);
// The tokenizer of a model ("gpt-4o", "openai/gpt-4o", "claude-sonnet-4"). out_exact (may be NULL): whether it is the
// vendor's own; a model that is not known gets o200k_base, not exact.
const struct tokenizer *tokenizer_for_model(struct str model, bool *out_exact);

struct str tokenizer_name(const struct tokenizer *t);
// One line on what it is, for help and documents.
struct str tokenizer_about(const struct tokenizer *t);
// False for one that only comes near what the vendor bills.
bool tokenizer_exact(const struct tokenizer *t);

// How many tokens the text has. Only a text that is not UTF-8 takes memory; where there is none, three times the text's
// length, which is never less.
size_t tokenizer_count(const struct tokenizer *t, struct str text);
// Appends the tokens' ids; false when out of memory, what was there before stays.
NODISCARD bool tokenizer_encode(const struct tokenizer *t, struct str text, struct token_ids *ids, struct err *err);

// The vocabulary, entry by entry: false past the last. The bytes are those of a text: a space is a space.
bool tokenizer_entry(const struct tokenizer *t, size_t i, uint32_t *out_id, struct str *out_bytes);

// What a chat request adds around the text, after OpenAI's published rule.
#define TOKENS_EACH_MESSAGE 3
#define TOKENS_NAME 1
#define TOKENS_REPLY 3

#endif
