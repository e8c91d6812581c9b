// OpenAI's Responses dialect, as a client's and as a provider's: what its files share, and what the store of responses
// needs to know of a request.
//
// Source: OpenAI API reference, "Responses" and "Streaming events"; the types of the official client libraries.
//
// Signatures. What a provider wants back with its thinking or its calls travels in `encrypted_content` of reasoning
// items, so that a client which keeps nothing but the items sends it back. Ours begins with "penstock:1:", then what it
// belongs to and a colon:
//   thinking   a signature of this item's own summary
//   redacted   thinking that no one can read
//   call       a signature of the function call before it
//   text       a signature of the text before it
// What begins otherwise is OpenAI's own. In the neutral form that has the mark RESPONSES_OWN before it, so that no
// other provider's signature is ever sent to OpenAI.
//
// Ownership: slices of the body or of the arena. Thread rule: pure. Errors: those of dialect.h.
#ifndef MODEL_RESPONSES_RESPONSES_H
#define MODEL_RESPONSES_RESPONSES_H

#include "model/dialect.h"

extern const struct dialect_ops dialect_responses;

#define RESPONSES_MARK "penstock:1:"
#define RESPONSES_OWN CHAT_SEALED_BY_OPENAI

// --- what the store of responses needs ---

struct responses_ask {
    struct str previous;   // decoded: previous_response_id; empty: none
    bool store;            // the client wants it kept
    bool references;       // the input names items of other answers (item_reference)
    struct str input;      // raw: a string or an array; p NULL when there is none
    struct str input_list; // the items of it as JSON, separated by commas; of a string, one message; empty: none
};
NODISCARD bool responses_ask_read(struct str body, struct arena *arena, struct responses_ask *out_ask, struct err *err);
// The body with `items` (JSON, separated by commas) before its own input. Its references to items are replaced by what
// `find` knows; those it does not know stay.
typedef struct str responses_find(void *arg, struct str item_id); // decoded; p NULL: not known
NODISCARD bool responses_expand(struct str body, const struct responses_ask *ask, struct str items,
                                responses_find *find, void *arg, struct arena *arena, struct str *out_body,
                                struct err *err);
// What an answer (a response object) adds to the conversation, as items of input, separated by commas: without the
// numbers that only its provider knows, and without thoughts that nobody can send back.
NODISCARD bool responses_output_items(struct str response, struct arena *arena, struct str *out_items, struct err *err);
// The item of a response's output with this number (decoded), without it; p NULL: there is none, or it is a thought
// that its provider keeps.
struct str responses_item(struct str response, struct str item_id, struct arena *arena);
// Of an item of ours, the response that it is in ("msg_0000g00000000_2" gives "resp_0000g00000000"); empty: not ours.
struct str responses_id_of_item(struct str item_id, struct arena *arena);
// The response object within the event that ends a stream; p NULL: the event is another.
struct str responses_ended(struct str event_name, struct str data);

// --- the dialect's operations ---

bool responses_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                    struct err *err);
bool responses_rewrite(const struct model_request *request, const struct chat_target *target, struct arena *arena,
                       struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err);
bool responses_read(const struct model_request *request, struct arena *arena, struct chat *out_chat, struct err *err);
bool responses_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                     struct chat_report *report, struct err *err);
void responses_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out);
void responses_put_answer(const struct chat_answer *answer, const struct chat_reply *reply, struct buf *out);
void responses_decoder_init(void *decoder);
bool responses_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err);
void responses_decode_end(void *decoder, struct chat_sink *sink);
bool responses_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err);
bool responses_usage_of(struct str data, struct usage *io_usage);
bool responses_path(const struct provider_call *call, struct arena *arena, struct str *out_path, struct err *err);
void responses_put_count(uint64_t tokens, struct buf *out);
void responses_put_failure(const struct chat_failure *failure, struct str request_id, struct buf *out);
void responses_put_failure_event(const struct chat_failure *failure, struct str request_id, struct buf *out);
bool responses_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure);

// --- among themselves ---

// ERR_INVALID_FIELD with the path of what is wrong; always false.
PRINTF_LIKE(3, 4) bool responses_wrong(struct err *err, const char *path, const char *fmt, ...);
// A JSON array's elements: how many, and a walk through them.
NODISCARD bool responses_array(struct str raw, struct str **out_items, size_t *out_count, struct arena *arena);
// The string member of an object; STR_NONE when it is none or null.
struct str responses_string(struct str object, struct str name);
// Usage out of a usage object; false: it tells none.
bool responses_usage_read(struct str raw, struct usage *io_usage);
// A failure's code and type as this dialect has them.
struct str responses_code_of(const struct chat_failure *failure);
// The object {"message", "type", "param", "code"}.
void responses_put_error(const struct chat_failure *failure, struct buf *out);
// The same read; false: it is no object.
bool responses_error_read(struct str error, int status, struct chat_failure *out_failure);

// Tools of free text, which others have no form for, are functions with this one parameter.
#define RESPONSES_FREE_INPUT "input"

#endif
