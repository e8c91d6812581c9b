// Amazon Bedrock's dialect (Converse and ConverseStream), as a provider speaks it.
//
// Source: Amazon Bedrock API reference and the types of its client library. Claude's own rules (thinking, sampling) are
// those of Anthropic's dialect. Private to this folder. Ownership and errors as in dialect.h. Thread rule: pure.
#ifndef MODEL_BEDROCK_H
#define MODEL_BEDROCK_H

#include "base/map.h"
#include "model/anthropic/anthropic.h"
#include "model/chat_scan.h"
#include "model/dialect.h"

enum bedrock_family { BEDROCK_OTHER, BEDROCK_CLAUDE, BEDROCK_NOVA, BEDROCK_GPT_OSS };
enum bedrock_family bedrock_family_of(struct str model);

struct bedrock_writer {
    struct json_writer w;
    struct buf *out;
    const struct chat *chat;
    struct arena *arena;
    struct chat_report *report;
    struct err *err;
    enum bedrock_family family;
    int open_role;       // of the message being written: enum chat_role; -1: none is
    bool any_message;    // was begun
    bool any_tool_block; // calls or results are among the messages
    unsigned documents, marks;
    struct anthropic_writing claude; // with BEDROCK_CLAUDE
    // What of Claude's sampling is allowed.
    struct str temperature, top_p, top_k;
};

bool bedrock_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                   struct chat_report *report, struct err *err);
// "messages", "system"
void bedrock_put_messages(struct bedrock_writer *b);
void bedrock_put_system(struct bedrock_writer *b);
// One content block, or none where it cannot be told.
void bedrock_put_part(struct bedrock_writer *b, const struct chat_part *part);
// A text, image, document, video or audio as it stands in messages and in results: true when it was written.
bool bedrock_put_content(struct bedrock_writer *b, const struct chat_part *part);
bool bedrock_part_fits(const struct bedrock_writer *b, const struct chat_part *part);
void bedrock_put_cache_point(struct bedrock_writer *b, struct str cache_control);
// What Claude's rules make of thinking and sampling, before anything is written.
bool bedrock_plan(struct bedrock_writer *b, const struct chat_target *target);
void bedrock_put_inference(struct bedrock_writer *b);
void bedrock_put_tools(struct bedrock_writer *b);
void bedrock_put_fields(struct bedrock_writer *b); // "additionalModelRequestFields"
void bedrock_put_rest(struct bedrock_writer *b);   // output, tier, metadata

#define BEDROCK_BLOCKS_MAX 256 // of one answer
struct bedrock_decoder {
    bool begun, json;                  // json: the answer's schema was a tool's, and it was called
    uint8_t kinds[BEDROCK_BLOCKS_MAX]; // enum chat_part_kind + 1 of the blocks that have begun
};
void bedrock_decoder_init(void *decoder);
bool bedrock_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err);
void bedrock_decode_end(void *decoder, struct chat_sink *sink);
bool bedrock_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err);
bool bedrock_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure);
bool bedrock_usage_of(struct str data, struct usage *io_usage);
// Shared by streams and whole answers.
void bedrock_emit_citation(struct str raw, unsigned part, struct chat_sink *sink);
enum chat_finish bedrock_finish_of(struct str raw);
bool bedrock_usage_read(struct str raw, struct usage *io_usage);

#endif
