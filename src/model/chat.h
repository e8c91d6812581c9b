// The neutral form of a conversation that is asked for: what every dialect's request is read into and written from.
//
// Text stays as it came: a field marked "JSON" is a valid JSON value exactly as it stood in the request (a string with
// its quotes and escapes), so that what is only carried over is never decoded. STR_NONE (p NULL) says "not given"
// throughout.
//
// Ownership: slices of the request's body or of its arena. Thread rule: pure data. Units: tokens.
#ifndef MODEL_CHAT_H
#define MODEL_CHAT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum chat_role { CHAT_SYSTEM, CHAT_USER, CHAT_ASSISTANT };

enum chat_part_kind {
    CHAT_TEXT,
    CHAT_IMAGE,
    CHAT_AUDIO,
    CHAT_VIDEO,
    CHAT_FILE,              // a document: PDF, plain text, …
    CHAT_TOOL_CALL,         // of the assistant
    CHAT_TOOL_RESULT,       // in a user's turn, whatever role the dialect gives it
    CHAT_THINKING,          // text and signature
    CHAT_REDACTED_THINKING, // opaque: only `text`
    CHAT_REFUSAL,
};

// One of data, url, file_id and text is given.
struct chat_media {
    struct str mime;    // decoded: "image/png"; empty when not known
    struct str data;    // base64, decoded from JSON (it has no escapes)
    struct str url;     // JSON string
    struct str file_id; // JSON string: of a file that the provider has
    struct str text;    // JSON string: a document given as plain text
    struct str name;    // JSON string: file name or title
    struct str detail;  // JSON string: OpenAI's "low", "high", "auto"
};

enum chat_cache_ttl { CHAT_CACHE_NONE, CHAT_CACHE_5M, CHAT_CACHE_1H };

struct chat_part {
    enum chat_part_kind kind;
    struct str text;         // JSON string: of text, thinking, redacted thinking, refusal
    struct chat_media media; // of image, audio, video, file
    struct str id;           // JSON string: of a tool call, and of the result that answers it
    struct str name;         // JSON string: the function's
    struct str args;         // JSON object: the call's arguments; never STR_NONE in a tool call ("{}")
    struct str args_text;    // JSON string: the same as it came, where the dialect has it as text
    struct chat_part *parts; // of a tool result: text, images, files
    size_t count;
    bool is_error;            // of a tool result
    struct str signature;     // JSON string: what a provider wants back with its thinking or its call
    struct str cache_control; // JSON object as Anthropic has it: kept whole
    struct str citations;     // JSON array as Anthropic has it
};

struct chat_turn {
    enum chat_role role;
    struct str name; // JSON string: who speaks, in OpenAI's dialect
    struct chat_part *parts;
    size_t count;
};

struct chat_tool {
    struct str name;          // JSON string
    struct str description;   // JSON string
    struct str schema;        // JSON object: its parameters; STR_NONE: it has none
    int strict;               // -1 not said, 0, 1
    struct str cache_control; // JSON object
    // A tool that the provider itself runs (web search, code execution): the whole of it as its dialect has it, known
    // to that dialect alone. The rest but name is then empty.
    struct str hosted;
};

enum chat_tool_choice { CHAT_CHOICE_UNSET, CHAT_CHOICE_AUTO, CHAT_CHOICE_NONE, CHAT_CHOICE_ANY, CHAT_CHOICE_ONE };
enum chat_output { CHAT_OUTPUT_TEXT, CHAT_OUTPUT_JSON, CHAT_OUTPUT_SCHEMA };
// In rising order.
enum chat_effort {
    CHAT_EFFORT_UNSET,
    CHAT_EFFORT_NONE,
    CHAT_EFFORT_MINIMAL,
    CHAT_EFFORT_LOW,
    CHAT_EFFORT_MEDIUM,
    CHAT_EFFORT_HIGH,
    CHAT_EFFORT_MAX,
};

struct chat_sampling { // JSON numbers, STR_NONE when not given
    struct str temperature, top_p, top_k, seed, frequency_penalty, presence_penalty;
};

struct chat_reasoning {
    enum chat_effort effort;
    uint64_t budget; // tokens; 0 = not said
    bool adaptive;   // the model decides
    bool hidden;     // thoughts are not to be told
};

#define CHAT_OTHERS_MAX 48

struct chat {
    struct chat_turn *turns; // in their order; system turns wherever they stood
    size_t count;
    struct chat_tool *tools;
    size_t tool_count;
    enum chat_tool_choice tool_choice;
    struct str tool_choice_name; // JSON string, with CHAT_CHOICE_ONE
    int parallel_tools;          // -1 not said, 0, 1
    bool old_functions;          // the client gave OpenAI's older "functions": an answer has one "function_call"
    enum chat_output output;
    struct str output_schema, output_name, output_description; // JSON object, strings
    int output_strict;                                         // -1 not said, 0, 1
    uint64_t max_output;                                       // 0 = not said
    struct chat_sampling sampling;
    struct str *stop; // JSON strings
    size_t stop_count;
    unsigned choices; // answers wanted; 0 and 1: one
    struct chat_reasoning reasoning;
    struct str user;          // JSON string: the end user, for abuse detection
    struct str metadata;      // JSON object
    struct str service_tier;  // JSON string
    struct str verbosity;     // JSON string
    struct str logit_bias;    // JSON object
    struct str logprobs;      // JSON: true, or the number of alternatives
    struct str modalities;    // JSON array of strings, in lower case: ["text","audio"]
    struct str audio;         // JSON object: OpenAI's voice and format
    struct str safety;        // JSON array: Gemini's safetySettings
    struct str cached_prefix; // JSON string: Gemini's cachedContent, OpenAI's prompt_cache_key
    bool stream;
    // Members that the dialect's reader does not know, by name (decoded): no writer can carry them, so all are
    // reported.
    struct str others[CHAT_OTHERS_MAX];
    size_t other_count;
};

// What a writer could not carry over, by the client's names for it ("logit_bias", "messages[].name"): each once.
struct chat_report {
    struct str names[CHAT_OTHERS_MAX];
    size_t count;
};
void chat_drop(struct chat_report *report, struct str name);

// --- help for readers and writers ---

// What was written is whole: neither it nor what it was made of lacks a piece for want of memory.
static inline bool chat_is_whole(const struct buf *out, const struct arena *arena) {
    return !out->failed && !arena->refused;
}

// The text between the quotes of a JSON string: escaped, as it stands.
static inline struct str chat_inner(struct str json) { return json.n >= 2 ? str_of(json.p + 1, json.n - 2) : STR_NONE; }
// What begins so is a thought that OpenAI has sealed: it means something to nobody else.
#define CHAT_SEALED_BY_OPENAI "openai:"
static inline bool chat_is_sealed_by_openai(struct str signature) {
    return str_starts(chat_inner(signature), STR(CHAT_SEALED_BY_OPENAI));
}
// A decoded text as a JSON string in the arena; p is NULL without memory.
struct str chat_quote(struct arena *arena, struct str text);
// The arguments of a call that came as text: its JSON object on one line, "{}" for an empty text. What is no JSON
// object, cut off at max_tokens say, becomes {"_invalid": "the text"}, so that nothing is lost and every dialect can
// carry it.
NODISCARD bool chat_args_of_text(struct str json_string, struct arena *arena, struct str *out_args, struct err *err);
// A JSON value without line ends; in the arena where it had some, p is NULL without memory.
struct str chat_on_one_line(struct str json, struct arena *arena);
// "data:image/png;base64,AAAA" of a JSON string: true, media->mime and data set (parameters and case as RFC 2397 has
// them); false: it is no data URL, and media->url is the string.
bool chat_media_of_url(struct str json_string, struct arena *arena, struct chat_media *out_media);
// Effort for a budget of thinking tokens, and the reverse.
enum chat_effort chat_effort_of_budget(uint64_t budget);
uint64_t chat_budget_of_effort(enum chat_effort effort);
// "low" of a JSON string or decoded text; UNSET for what is none.
enum chat_effort chat_effort_of(struct str text);
struct str chat_effort_name(enum chat_effort effort);

#endif
