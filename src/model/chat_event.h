// The neutral form of an answer: events, whether it came as a stream or whole, in whichever dialect.
//
//   BEGIN  (PART_BEGIN DELTA* [SIGNATURE] [CITATION*] PART_END)*  USAGE*  FINISH  END
//
// A decoder turns a provider's bytes into events, an encoder events into the client's. Decoders may leave out what
// their dialect leaves out and interleave parts; chat_order.h sits between and makes every sequence keep the grammar
// above: one BEGIN, parts one after the other, each ended, one FINISH a choice, one END.
//
// Text in events is "escaped": it could stand between the quotes of a JSON string as it is. A tool call's arguments are
// pieces of JSON text, escaped once, as in OpenAI's "arguments" and Anthropic's "partial_json".
//
// Ownership: slices live during the call of the sink. Thread rule: one thread.
#ifndef MODEL_CHAT_EVENT_H
#define MODEL_CHAT_EVENT_H

#include "base/err.h"
#include "model/chat.h"
#include "model/usage.h"

enum chat_finish {
    CHAT_FINISH_NONE, // not told
    CHAT_FINISH_STOP, // it was done
    CHAT_FINISH_STOP_SEQUENCE,
    CHAT_FINISH_LENGTH, // its limit or the context window
    CHAT_FINISH_TOOLS,
    CHAT_FINISH_FILTER, // refused or cut by a content policy
    CHAT_FINISH_PAUSE,  // a provider's own tools run; to be called again
};

// Classes of failures, with a status and a name in each dialect.
enum chat_failure_kind {
    CHAT_FAIL_INVALID,
    CHAT_FAIL_AUTHENTICATION,
    CHAT_FAIL_PERMISSION,
    CHAT_FAIL_NOT_FOUND,
    CHAT_FAIL_TOO_LARGE,
    CHAT_FAIL_RATE_LIMIT,
    CHAT_FAIL_QUOTA,
    CHAT_FAIL_CONTEXT_LENGTH, // the prompt does not fit the model's window
    CHAT_FAIL_CONTENT_POLICY,
    CHAT_FAIL_OVERLOADED,
    CHAT_FAIL_TIMEOUT,
    CHAT_FAIL_SERVER,
};
struct chat_failure {
    enum chat_failure_kind kind;
    int status;         // of HTTP
    struct str message; // escaped
    struct str code;    // escaped: the provider's own code, or ours; may be empty
    struct str type;    // escaped: the provider's own type; may be empty
    struct str param;   // escaped; may be empty
    unsigned retry_s;   // when to try again, as the body says; 0 = it does not
};

enum chat_event_kind {
    CHAT_BEGIN,
    CHAT_PART_BEGIN, // part, part_kind; of a tool call id and name; of media mime
    CHAT_DELTA,      // part, text
    CHAT_SIGNATURE,  // part, text
    CHAT_CITATION,   // part, raw: a JSON object as Anthropic has it
    CHAT_PART_END,   // part
    CHAT_USAGE,      // usage: the latest totals
    CHAT_FINISH,     // finish, text: the stop sequence that was met
    CHAT_FAIL,       // failure: nothing but END follows
    CHAT_END,
};
struct chat_event {
    enum chat_event_kind kind;
    unsigned choice; // of several answers
    unsigned part;   // number within the choice, in the order of their beginning
    enum chat_part_kind part_kind;
    struct str id, name; // escaped. BEGIN: the provider's id of the answer, and its model
    struct str mime;
    struct str text;
    struct str raw;
    const struct usage *usage;
    enum chat_finish finish;
    const struct chat_failure *failure;
};

struct chat_sink {
    void (*take)(struct chat_sink *sink, const struct chat_event *event);
};
static inline void chat_emit(struct chat_sink *sink, const struct chat_event *event) { sink->take(sink, event); }

// A whole answer, gathered from events: for writers that have to say it in one piece.
struct chat_answer_part {
    enum chat_part_kind kind;
    unsigned choice;
    struct str id, name, mime; // escaped
    struct str text;           // escaped; of a tool call its arguments' text, escaped once
    struct str signature;      // escaped
    struct str citations;      // JSON objects, separated by commas
};
#define CHAT_CHOICES_MAX 8
struct chat_answer {
    struct str id, model; // escaped: the provider's
    struct chat_answer_part *parts;
    size_t count;
    enum chat_finish finish[CHAT_CHOICES_MAX]; // by choice
    struct str stop_sequence;                  // escaped
    unsigned choices;                          // at least 1
    struct usage usage;
    bool has_usage;
};

#endif
