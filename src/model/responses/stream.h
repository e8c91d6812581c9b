// What the Responses dialect keeps while it makes a stream, and while it reads one.
#ifndef MODEL_RESPONSES_STREAM_H
#define MODEL_RESPONSES_STREAM_H

#include "model/responses/responses.h"

// Bytes that grow in an arena, which gets them back at its end.
struct responses_text {
    char *p;
    size_t n, cap;
};

enum responses_item {
    RESPONSES_NO_ITEM,
    RESPONSES_MESSAGE,
    RESPONSES_CALL,
    RESPONSES_CUSTOM,
    RESPONSES_REASONING,
    RESPONSES_PICTURE
};

struct responses_encoder {
    struct chat_sink sink; // first
    const struct chat_reply *reply;
    struct buf *out;
    bool silent; // only the response object is wanted
    bool no_memory, begun, ended;
    uint64_t sequence;
    struct responses_text items;  // that are over, separated by commas
    struct responses_text parts;  // of the open message, likewise
    struct responses_text text;   // of the open part, escaped
    size_t counted, chars;        // of its bytes those that were counted, and how many characters they are
    struct responses_text notes;  // its annotations
    struct responses_text secret; // its signature, escaped
    enum responses_item item;
    enum chat_part_kind part;
    bool part_open, summary_open;
    unsigned output_index, content_index, note_index;
    struct str call_id, name; // of the open call, escaped
    struct usage usage;
    bool has_usage;
    enum chat_finish finish;
    struct str failure_code, failure_message; // escaped; p NULL: it has not failed
    struct json_field *asked;                 // the request's members that the response repeats
};

// A part that the provider has begun.
struct responses_part {
    unsigned output, part;
    int content; // its index; -1: the whole item is one part
    enum chat_part_kind kind;
    bool told; // some of it
};
#define RESPONSES_PARTS_MAX 64
struct responses_decoder {
    bool begun, finished, failed, called, free_text;
    unsigned parts; // begun so far
    size_t open;
    struct responses_part list[RESPONSES_PARTS_MAX];
};

#endif
