// What the files of Google's dialect share: reading objects whose members come in either spelling, schemas, signatures.
//
// Protocol buffers' JSON: members in camelCase or snake_case, null for absent, 64-bit integers as numbers or strings.
// Source: Gemini API reference (ai.google.dev/api), Vertex AI REST reference. Ownership: as in chat.h. Thread rule:
// pure.
#ifndef MODEL_GEMINI_GEMINI_H
#define MODEL_GEMINI_GEMINI_H

#include "base/json_read.h"
#include "base/json_write.h"
#include "model/dialect.h"
#include "model/embed.h"

// Where in the request a value stands; written out only when something is wrong with it.
struct gemini_place {
    const struct gemini_place *up; // NULL: the body
    struct str name;               // of a member, or empty: an element
    size_t index;
};

struct gemini_member {
    struct str name; // in camelCase
    unsigned kinds;
};
// A list of objects, or but one of them, as Google's parser takes it; then it is read as a list of one.
#define GEMINI_ONE (1u << 31)
#define GEMINI_OBJECTS (JSON_IS(JSON_ARRAY) | GEMINI_ONE)

struct gemini_read {
    struct arena *arena;
    struct chat *chat; // gathers members that are not known; NULL: they are nobody's concern
    struct err *err;
    unsigned depth; // of JSON, 0 = the default
    bool lenient;   // an answer of a provider: what is of another kind counts as absent
};

#define GEMINI_MEMBERS_MAX 32
// Reads the object `raw` into out[i] for members[i], STR_NONE for what is absent or null. False with *err set.
NODISCARD bool gemini_object(const struct gemini_read *rd, struct str raw, const struct gemini_place *at,
                             const struct gemini_member *members, size_t n, struct str *out);
// Says what is wrong with the value at a place (or with its member, when name is not empty). Returns false.
bool gemini_fault(const struct gemini_read *rd, const struct gemini_place *at, struct str name, const char *what);
// Notes a member that cannot be carried over.
void gemini_other(const struct gemini_read *rd, const struct gemini_place *at, struct str name);
// A count that is a number or a string of digits.
bool gemini_u64(struct str raw, uint64_t *out_value);
// Elements of a JSON array.
size_t gemini_count(struct str array);
bool gemini_is_true(struct str raw);
bool gemini_is_empty(struct str object);

// --- requests ---
bool gemini_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                 struct err *err);
bool gemini_rewrite(const struct model_request *request, const struct chat_target *target, struct arena *arena,
                    struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err);
bool gemini_read(const struct model_request *request, struct arena *arena, struct chat *out_chat, struct err *err);
NODISCARD bool gemini_read_contents(const struct gemini_read *rd, struct str contents, struct str system);
NODISCARD bool gemini_read_tools(const struct gemini_read *rd, struct str tools, struct str tool_config);
NODISCARD bool gemini_read_config(const struct gemini_read *rd, struct str config);
// A schema in Google's form (upper-case types, nullable) as JSON Schema.
NODISCARD bool gemini_schema_read(const struct gemini_read *rd, struct str raw, const struct gemini_place *at,
                                  struct str *out_schema);

struct gemini_write {
    const struct chat *chat;
    const struct chat_target *target;
    struct arena *arena;
    struct chat_report *report;
    struct err *err;
    struct json_writer json;
    unsigned generation; // 15, 20, 25, 30: of the model; see gemini_generation
    bool vertex;
};
bool gemini_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                  struct chat_report *report, struct err *err);
NODISCARD bool gemini_write_contents(struct gemini_write *w);
NODISCARD bool gemini_write_media(struct gemini_write *w, const struct chat_part *part); // a part's members, no braces
NODISCARD bool gemini_write_tools(struct gemini_write *w);
NODISCARD bool gemini_write_config(struct gemini_write *w);
// A JSON Schema in the subset that Google's Schema has.
NODISCARD bool gemini_schema_put(struct json_writer *out, struct str schema, struct arena *arena, struct err *err);
// Ten times the version in a model's name: "gemini-2.5-flash" is 25, "gemini-3-pro" 30, "gemini-flash-latest" 30;
// 0 for Gemma; 25 for names that say nothing (tuned models).
unsigned gemini_generation(struct str model);
// Whether the provider is Vertex AI.
bool gemini_on_vertex(const struct chat_target *target);

// --- signatures: travel in a call's id, since other dialects have no place for them beside a call ---
#define GEMINI_SIGNATURE_MARK "__ts_"
// Appends an escaped id and a signature as the two in one; escaped. A signature that is no base64 is left out.
void gemini_id_pack(struct buf *out, struct str id, struct str signature);
// The two parts of an id; signature p is NULL when there is none.
void gemini_id_unpack(struct str packed, struct str *out_id, struct str *out_signature);

// --- answers ---
// One of several answers, which may take turns.
struct gemini_choice {
    enum chat_part_kind kind; // of the open part
    bool open, skipped;
    bool seen;
    struct str id, name, signature; // of a call
    char *held;                     // its arguments
    size_t held_n, held_cap;
    enum chat_finish finish;
};
struct gemini_encoder {
    struct chat_sink sink; // first
    const struct chat_reply *reply;
    struct buf *out;
    bool begun;  // the array has elements
    bool failed; // nothing follows
    bool lost;   // no memory for what is held
    bool media;  // the data of a picture or of sound is being told
    unsigned media_choice;
    char *chunks; // of citations: elements of groundingChunks
    size_t chunks_n, chunks_cap;
    struct gemini_choice choice[CHAT_CHOICES_MAX];
    struct usage usage;
    bool has_usage;
};

struct gemini_decoder {
    bool begun, failed;
    struct {
        bool open, called, finished;
        enum chat_part_kind kind;
        unsigned parts;
        enum chat_finish finish;
    } choice[CHAT_CHOICES_MAX];
    struct usage usage;
    bool has_usage;
};
void gemini_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out);
void gemini_put_answer(const struct chat_answer *answer, const struct chat_reply *reply, struct buf *out);
// Appends "usageMetadata":{…}.
void gemini_put_usage(struct buf *out, const struct usage *usage);
void gemini_put_count(uint64_t tokens, struct buf *out);
struct str gemini_finish_name(enum chat_finish finish);
void gemini_put_failure(const struct chat_failure *failure, struct str request_id, struct buf *out);
void gemini_put_failure_event(const struct chat_failure *failure, struct str request_id, struct buf *out);
void gemini_decoder_init(void *decoder);
bool gemini_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err);
void gemini_decode_end(void *decoder, struct chat_sink *sink);
unsigned gemini_decode_finished(const void *decoder);
bool gemini_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err);
bool gemini_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure);
bool gemini_usage_of(struct str data, struct usage *io_usage);
// usageMetadata's object, merged by what is present.
bool gemini_usage_read(struct str raw, struct usage *io_usage);

extern const struct embed_ops gemini_embed;

#endif
