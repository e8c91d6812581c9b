// Ollama's dialect: /api/chat, /api/generate, /api/embed and the older /api/embeddings, on both sides.
//
// Two rows of dialect.def: OLLAMA has chat and embed, OLLAMA_GENERATE the forms without turns. Streams are lines of
// JSON, and a request is one unless it says "stream": false. Private to this folder. Thread rule: pure.
#ifndef MODEL_OLLAMA_H
#define MODEL_OLLAMA_H

#include "model/chat_scan.h"
#include "model/dialect.h"
#include "model/embed.h"

#include <inttypes.h>

bool ollama_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                 struct err *err);
bool ollama_generate_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                          struct err *err);
bool ollama_read(const struct model_request *request, struct arena *arena, struct chat *out_chat, struct err *err);
bool ollama_generate_read(const struct model_request *request, struct arena *arena, struct chat *out_chat,
                          struct err *err);
// The members that chat and generate share.
struct ollama_common {
    const struct json_field *options, *format, *think, *stream;
};
bool ollama_common_read(struct chat *chat, struct arena *arena, const struct ollama_common *common, struct err *err);
// One part an image of the list, appended to parts; the list was counted.
bool ollama_images_read(struct str list, const struct chat_path *path, struct arena *arena, struct chat_part *parts,
                        size_t *io_count, struct err *err);

struct ollama_encoder {
    struct chat_sink sink;
    const struct chat_reply *reply;
    struct buf *out;
    bool generate, failed;
    enum chat_part_kind kind; // of the open part
    unsigned calls;
    struct str id, name; // of the open call: in the arena
    char *held;          // of the open call its arguments, of an image its data: in the arena
    size_t held_n, held_cap;
    bool has_usage, lost; // lost: there was no memory to hold the part back
    struct usage usage;
    enum chat_finish finish;
    uint64_t first_ns; // when the first piece came
};
void ollama_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out);
void ollama_generate_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out);
void ollama_put_answer(const struct chat_answer *answer, const struct chat_reply *reply, struct buf *out);
void ollama_generate_put_answer(const struct chat_answer *answer, const struct chat_reply *reply, struct buf *out);
void ollama_put_failure(const struct chat_failure *failure, struct str request_id, struct buf *out);
void ollama_put_failure_event(const struct chat_failure *failure, struct str request_id, struct buf *out);
// `{"model":…,"created_at":…`, with what must follow left open.
void ollama_put_head(const struct chat_reply *reply, struct buf *out);
// A call's arguments, from their escaped text, as a JSON object.
struct str ollama_arguments(struct str escaped, struct arena *arena);
void ollama_put_call(struct str id, struct str name, struct str arguments, unsigned index, struct buf *out);
// The times an answer took, as far as they are known.
struct ollama_times {
    uint64_t total_ns, prompt_ns;
};
// `"done":true` and all that goes with it, and the closing brace.
void ollama_put_done(enum chat_finish finish, const struct ollama_times *times, const struct usage *usage,
                     struct buf *out);

bool ollama_rewrite(const struct model_request *request, const struct chat_target *target, struct arena *arena,
                    struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err);
bool ollama_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                  struct chat_report *report, struct err *err);

struct ollama_decoder {
    bool begun, done;
    bool open;                // a part of text or thinking
    enum chat_part_kind kind; // its
    unsigned parts;
};
void ollama_decoder_init(void *decoder);
bool ollama_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err);
void ollama_decode_end(void *decoder, struct chat_sink *sink);
bool ollama_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err);
bool ollama_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure);
bool ollama_usage_of(struct str data, struct usage *io_usage);

extern const struct embed_ops ollama_embed, ollama_embeddings;

#endif
