// Anthropic's dialect (POST /v1/messages), as clients and as providers speak it: what its files share.
//
// Source: Anthropic's API reference (Messages, Count tokens, Errors) and the types of its client libraries. Ownership
// and errors as in dialect.h. Thread rule: pure.
#ifndef MODEL_ANTHROPIC_ANTHROPIC_H
#define MODEL_ANTHROPIC_ANTHROPIC_H

#include "base/buf.h"
#include "base/json_write.h"
#include "model/dialect.h"

// --- what the models take (family.c) ---

enum anthropic_flag {
    ANTHROPIC_SAMPLES = 1u << 0,       // temperature, top_p, top_k
    ANTHROPIC_SAMPLES_ONE = 1u << 1,   // not temperature and top_p together
    ANTHROPIC_BUDGET = 1u << 2,        // thinking "enabled" with budget_tokens
    ANTHROPIC_ADAPTIVE = 1u << 3,      // thinking "adaptive"
    ANTHROPIC_THINKS_ALWAYS = 1u << 4, // thinking "disabled" is refused
    ANTHROPIC_BETWEEN = 1u << 5,       // thinking "between_tools" instead of "disabled"
    ANTHROPIC_EFFORT = 1u << 6,        // output_config.effort
    ANTHROPIC_SCHEMA = 1u << 7,        // output_config.format, strict tools
    ANTHROPIC_FORCES = 1u << 8,        // tool_choice "any" and "tool"
    ANTHROPIC_SYSTEM_TURNS = 1u << 9,  // messages of role "system"
    ANTHROPIC_OMITS = 1u << 10,        // thoughts are left out unless thinking.display says otherwise
};
struct anthropic_family {
    struct str prefix; // of the model's name, from "claude-" on
    uint32_t flags;    // enum anthropic_flag
    uint64_t max_output;
};
// By the longest prefix; a name of somebody else's model gives the most widely understood one. Never NULL.
const struct anthropic_family *anthropic_family_of(struct str model);
// What "max_tokens" is where the client has not said it: the most that the model gives. Older models refuse what might
// not fit into their window together with the prompt; of these, no more than leaves room for one.
uint64_t anthropic_max_tokens(const struct chat_target *target);

// The most output tokens that are asked for where neither client nor catalogue nor family say.
#define ANTHROPIC_OUTPUT_DEFAULT 8192
#define ANTHROPIC_OUTPUT_OLDER 16384

// --- requests ---

bool anthropic_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                    struct err *err);
bool anthropic_rewrite(const struct model_request *request, const struct chat_target *target, struct arena *arena,
                       struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err);
bool anthropic_read(const struct model_request *request, struct arena *arena, struct chat *out_chat, struct err *err);
bool anthropic_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                     struct chat_report *report, struct err *err);

// One reading of a request: what is passed down through it.
struct anthropic_reading {
    struct arena *arena;
    struct chat *chat;
    struct err *err;
    char path[96]; // of the part being read: "messages[2].content[0]"
};
// The members of the object `raw`: those wanted into fields (null counts as absent), the rest noted as not known under
// the name prefix + member. False with *err and err->param set.
bool anthropic_members(struct anthropic_reading *r, struct str raw, struct str prefix, struct json_field *fields,
                       size_t n);
bool anthropic_is(const struct json_field *field, struct str text);                      // a string of that text
bool anthropic_wrong(struct anthropic_reading *r, const char *member, const char *what); // always false
void anthropic_not_known(struct anthropic_reading *r, struct str prefix, struct str name);
// The elements of an array, as raw values in the arena.
bool anthropic_elements(struct anthropic_reading *r, struct str array, struct str **out_list, size_t *out_count);
// "content" of a turn, or "system": a string, or a list of blocks.
bool anthropic_read_content(struct anthropic_reading *r, struct str raw, struct chat_turn *out_turn);
bool anthropic_read_tools(struct anthropic_reading *r, struct str raw);

// What becomes of a turn when a request is written.
enum anthropic_place {
    ANTHROPIC_SKIPPED, // nothing of it can be said
    ANTHROPIC_USER,
    ANTHROPIC_ASSISTANT,
    ANTHROPIC_IN_PLACE, // a system message among the others
    ANTHROPIC_SYSTEM,   // joined into "system"
};
enum anthropic_thinking {
    ANTHROPIC_UNSAID,
    ANTHROPIC_OFF,
    ANTHROPIC_OFF_BETWEEN,
    ANTHROPIC_ON_BUDGET,
    ANTHROPIC_ON_ADAPTIVE,
};
// One writing of a request.
struct anthropic_writing {
    const struct chat *chat;
    const struct anthropic_family *family;
    struct arena *arena;
    struct chat_report *report;
    struct json_writer w;
    struct err *err;
    uint8_t *places; // enum anthropic_place, one a turn
    unsigned marks;  // cache breakpoints so far
    uint64_t max_tokens;
    enum anthropic_thinking thinking;
    uint64_t budget;
    enum chat_effort effort; // output_config.effort
    bool forces;             // the tool choice is one that forces a call
    bool json_tool;          // the answer's schema is a forced tool's
    bool instructs;          // it is asked for in the system prompt
};
#define ANTHROPIC_MARKS_MAX 4

void anthropic_plan_thinking(struct anthropic_writing *x); // decides max_tokens, thinking, budget and effort
void anthropic_put_thinking(struct anthropic_writing *x);
void anthropic_put_sampling(struct anthropic_writing *x);
bool anthropic_plan_turns(struct anthropic_writing *x); // decides places
void anthropic_put_system(struct anthropic_writing *x);
void anthropic_put_messages(struct anthropic_writing *x);
void anthropic_put_tools(struct anthropic_writing *x);
// Whether there is a tool that can be told of.
bool anthropic_has_tools(const struct chat *chat);
void anthropic_put_cache(struct anthropic_writing *x, struct str cache_control);
// Whether a part is one that can be said at all.
bool anthropic_part_fits(const struct chat_part *part);
// last: the text is what the model goes on from.
void anthropic_put_part(struct anthropic_writing *x, const struct chat_part *part, bool last);
// Appends the schema with what structured outputs ask for: every object closed, constraints that are not supported told
// in the description.
void anthropic_close_schema(struct str schema, struct arena *arena, struct json_writer *w);

// --- names and ids ---

// A JSON string with nothing but letters, digits, '_' and '-': as it is, or encoded so that it can be told back.
// p NULL: no memory.
struct str anthropic_name(struct arena *arena, struct str json_string);
#define ANTHROPIC_NAME_MAX 768
// The reverse for an escaped text; out holds ANTHROPIC_NAME_MAX bytes at least.
struct str anthropic_name_back(struct str escaped, char *out);
// The tool whose call is an answer in JSON, where a model knows no schemas.
#define ANTHROPIC_JSON_TOOL "_json_answer"

// --- answers ---

#define ANTHROPIC_ENCODER_SIZE ((size_t)512)
void anthropic_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out);
void anthropic_put_answer(const struct chat_answer *answer, const struct chat_reply *reply, struct buf *out);
void anthropic_put_failure(const struct chat_failure *failure, struct str request_id, struct buf *out);
void anthropic_put_failure_event(const struct chat_failure *failure, struct str request_id, struct buf *out);
// {"input_tokens":…}, shared by stream and whole.
void anthropic_put_usage(const struct usage *usage, struct buf *out);
struct str anthropic_stop_reason(enum chat_finish finish, bool called);
// The id of a call that came without one; `part` tells those of one answer apart.
void anthropic_put_call_id(struct str id, const struct chat_reply *reply, unsigned part, struct buf *out);

#define ANTHROPIC_DECODER_SIZE ((size_t)128)
void anthropic_decoder_init(void *decoder);
bool anthropic_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err);
void anthropic_decode_end(void *decoder, struct chat_sink *sink);
bool anthropic_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err);
bool anthropic_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure);
bool anthropic_usage_of(struct str data, struct usage *io_usage);
// From the object itself.
bool anthropic_usage_read(struct str raw, struct usage *io_usage);
enum chat_finish anthropic_finish_of(struct str json_string);

// --- on Vertex AI ---
#define ANTHROPIC_VERTEX_VERSION "vertex-2023-10-16"
bool anthropic_on_vertex(const struct chat_target *target);

#endif
