// Cohere's dialect, version 2: chat, embeddings and rerankings as a provider speaks them; rerankings as clients ask for
// them too, and in the shape that Jina and others have.
//
// Source: Cohere's API reference (v2/chat, v2/embed, v2/rerank) and the types of its client library. Private to this
// folder, but for jina_rerank. Ownership and errors as in dialect.h. Thread rule: pure.
#ifndef MODEL_COHERE_H
#define MODEL_COHERE_H

#include "model/chat_scan.h"
#include "model/dialect.h"
#include "model/embed.h"

bool cohere_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                 struct err *err);
bool cohere_rewrite(const struct model_request *request, const struct chat_target *target, struct arena *arena,
                    struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err);
bool cohere_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                  struct chat_report *report, struct err *err);
// "messages"
bool cohere_put_messages(struct json_writer *w, const struct chat *chat, struct chat_report *report, struct err *err);

struct cohere_decoder {
    bool begun, plan; // plan: the part with the plan of its calls is open
};
void cohere_decoder_init(void *decoder);
bool cohere_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err);
void cohere_decode_end(void *decoder, struct chat_sink *sink);
bool cohere_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err);
bool cohere_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure);
void cohere_put_failure(const struct chat_failure *failure, struct str request_id, struct buf *out);
bool cohere_usage_of(struct str data, struct usage *io_usage);
// The object itself.
bool cohere_usage_read(struct str raw, struct usage *io_usage);
enum chat_finish cohere_finish_of(struct str raw);
void cohere_emit_citation(struct str raw, unsigned part, struct chat_sink *sink);
// Numbers of parts: contents and calls are counted apart.
#define COHERE_PART_PLAN 0u
static inline unsigned cohere_content_part(uint64_t index) { return (unsigned)(1 + 2 * index); }
static inline unsigned cohere_call_part(uint64_t index) { return (unsigned)(2 + 2 * index); }
#define COHERE_INDEX_MAX 100000

extern const struct embed_ops cohere_embed;
extern const struct rerank_ops cohere_rerank;
// Rerankings where OpenAI's dialect is spoken: Jina's shape, which vLLM and others took over.
extern const struct rerank_ops jina_rerank;

#endif
