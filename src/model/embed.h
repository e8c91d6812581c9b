// The neutral form of embeddings and of rerankings: requests and answers of every dialect that has them.
//
// "JSON", "escaped" and STR_NONE as in chat.h. Ownership: slices of the body or of the arena. Thread rule: pure.
#ifndef MODEL_EMBED_H
#define MODEL_EMBED_H

#include "model/dialect.h"

#define EMBED_INPUTS_MAX 10000

struct embed_input {
    struct str text;   // JSON string; or p NULL
    struct str tokens; // JSON array of token numbers; or p NULL
};
struct embed_request {
    struct embed_input *inputs;
    size_t count;
    bool single;         // the client gave one, not a list
    uint64_t dimensions; // 0 = the model's own
    bool base64;         // vectors as base64 of little-endian floats, not as lists of numbers
    struct str purpose;  // JSON string: Cohere's input_type, Gemini's taskType, in Cohere's words
    struct str title;    // JSON string: Gemini's
    struct str truncate; // JSON: Cohere's, Ollama's
    struct str user;     // JSON string
    struct str others[CHAT_OTHERS_MAX];
    size_t other_count;
};
struct embed_answer {
    struct str *vectors; // each a JSON array of numbers, or (base64) a JSON string
    bool base64;         // what they are
    size_t count;
    struct usage usage;
    bool has_usage;
};

struct rerank_request {
    struct str query;      // JSON string
    struct str *documents; // JSON strings or objects
    size_t count;
    uint64_t top_n; // 0 = all
    bool return_documents;
    struct str others[CHAT_OTHERS_MAX];
    size_t other_count;
};
struct rerank_result {
    uint64_t index;
    struct str score;    // JSON number
    struct str document; // JSON, or p NULL
};
struct rerank_answer {
    struct rerank_result *results; // best first
    size_t count;
    uint64_t search_units; // billed; 0 = not told
    struct usage usage;
    bool has_usage;
};

// A dialect's embeddings; a row of struct dialect_ops points to it.
struct embed_ops {
    // The client's side.
    bool (*read)(const struct model_request *request, struct arena *arena, struct embed_request *out, struct err *err);
    void (*put_answer)(const struct embed_answer *answer, const struct embed_request *request,
                       const struct chat_reply *reply, struct buf *out);
    // The provider's side.
    size_t max_inputs; // that one call takes
    bool (*write)(const struct embed_request *request, const struct chat_target *target, struct arena *arena,
                  struct buf *out, struct chat_report *report, struct err *err);
    bool (*read_answer)(struct str body, struct arena *arena, struct embed_answer *out, struct err *err);
};
struct rerank_ops {
    bool (*read)(const struct model_request *request, struct arena *arena, struct rerank_request *out, struct err *err);
    void (*put_answer)(const struct rerank_answer *answer, const struct rerank_request *request,
                       const struct chat_reply *reply, struct buf *out);
    bool (*write)(const struct rerank_request *request, const struct chat_target *target, struct arena *arena,
                  struct buf *out, struct chat_report *report, struct err *err);
    bool (*read_answer)(struct str body, struct arena *arena, struct rerank_answer *out, struct err *err);
};

#endif
