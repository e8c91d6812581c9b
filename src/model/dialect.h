// The dialects that models are spoken to in: one row each, with what reads and writes requests, answers, streams and
// errors in it.
//
// A dialect can be a client's (peek, read, encoder, put_…) and a provider's (rewrite, write, decoder, …). Where client
// and provider speak the same, bytes are passed through with the spans changed that must (rewrite, usage_of_…);
// otherwise a request goes through `struct chat`, an answer through chat events. Adding one: a folder, a row in
// dialect.def.
//
// Ownership: see each function. Thread rule: pure: bytes in, bytes out. Errors: of a client's request ERR_INVALID_JSON,
// ERR_MISSING_FIELD, ERR_INVALID_FIELD with err->param; of an upstream's answer ERR_UPSTREAM_INVALID.
#ifndef MODEL_DIALECT_H
#define MODEL_DIALECT_H

#include "conf/provider_preset.h"
#include "model/chat_event.h"
#include "model/frame.h"
#include "model/request.h"

// What an answer to the client needs to know besides the events.
struct chat_reply {
    struct str id;            // decoded, without any prefix of a dialect: "0000g00000000"
    struct str model;         // decoded: as the client asked for it
    int64_t created;          // Unix seconds
    bool wants_usage;         // OpenAI: stream_options.include_usage
    bool array;               // Gemini: the stream as a JSON array, not as server-sent events
    uint64_t prompt_estimate; // tokens, for what is told before the provider has counted
    uint64_t elapsed_ns;      // since the request came, kept current by the gateway
    const struct model_request *request;
    const struct chat *chat;    // NULL when client and provider speak the same
    const struct usage *before; // what other calls have used for this answer, told with its own; NULL: nothing
    struct arena *arena;        // of the call: for what an encoder has to hold back (a tool call's arguments)
};

// What a request to a provider needs to know besides the conversation.
struct chat_target {
    struct str model;    // decoded: what the provider calls it
    uint64_t max_output; // the most that this model gives, where it must be said and the client did not; 0 unknown
    const struct provider_traits *traits; // provider.h
    struct chat_report *report; // of rewrite: members that this provider refuses are taken out and named; NULL: left in
};

struct embed_ops;
struct rerank_ops;
struct provider_call;

struct dialect_ops {
    enum dialect dialect;
    struct str name; // "anthropic", as in the configuration and in headers

    // --- as a client's ---
    // Fills what routing and metering need; validates all of the body.
    bool (*peek)(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                 struct err *err);
    bool (*read)(const struct model_request *request, struct arena *arena, struct chat *out_chat, struct err *err);
    struct str id_field;    // of a reply's head: the request's id, besides x-request-id: "request-id"; or empty
    struct str stream_type; // content type of a stream: "text/event-stream"
    bool numbered;          // its events are numbered or dated: no two of a text are alike
    unsigned choices;       // how many answers to one request it can tell of, up to CHAT_CHOICES_MAX; 0: one
    // An encoder is a sink whose memory the caller gives. It appends to `out`; events keep the grammar.
    size_t encoder_size;
    void (*encoder_init)(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out);
    void (*put_answer)(const struct chat_answer *answer, const struct chat_reply *reply, struct buf *out);
    void (*put_failure)(const struct chat_failure *failure, struct str request_id, struct buf *out); // a whole body
    // What its "count tokens" endpoint answers. NULL: it has none.
    void (*put_count)(uint64_t tokens, struct buf *out);
    // As an event of a stream that has begun and of which nothing was encoded by the encoder (bytes were passed on).
    void (*put_failure_event)(const struct chat_failure *failure, struct str request_id, struct buf *out);

    // --- as a provider's ---
    // Where a call goes, below the provider's base_url: "/messages". NULL: as OpenAI's. Empty: it has no such thing.
    bool (*path)(const struct provider_call *call, struct arena *arena, struct str *out_path, struct err *err);
    enum provider_auth auth; // how keys are sent to whoever speaks it; NONE: as the kind of provider says
    struct str dialect_field, dialect_version; // a field that each request needs: "anthropic-version", "2023-06-01"
    // The client's body in the same dialect for this target, as slices.
    bool (*rewrite)(const struct model_request *request, const struct chat_target *target, struct arena *arena,
                    struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err);
    // Appends the body; what cannot be said is named in the report.
    bool (*write)(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                  struct chat_report *report, struct err *err);
    // Whether the model goes on with a conversation whose last message is the assistant's. NULL: none does.
    bool (*prefills)(const struct chat *chat, const struct chat_target *target);
    enum frame_kind frames;
    struct str prelude[4]; // events of a stream that say no more than that it will come; empty: there are none such
    // Text of which an event has some when it tells of an answer, unless it says "error", too: a cheap first look.
    // Empty: there is none such.
    struct str content_mark;
    // Whether an event plainly tells no more than who speaks; another cheap look. NULL: none does.
    bool (*only_speaker)(struct str data);
    // A decoder is memory that the caller gives and that needs no release.
    size_t decoder_size;
    void (*decoder_init)(void *decoder);
    // One frame of a stream. An error within the stream is an event (CHAT_FAIL), not false.
    bool (*decode)(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err);
    // The stream has ended: emits what is still owed (a FINISH that was held back, say). No END: that is the caller's.
    void (*decode_end)(void *decoder, struct chat_sink *sink);
    // How many answers' FINISH is held back. NULL: none is.
    unsigned (*decode_finished)(const void *decoder);
    // A whole answer. Escaped texts that have to be made are made in the arena.
    bool (*decode_answer)(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err);
    // The provider's error object; false: it is none. Slices of the body or the arena. status: HTTP's; below 400 the
    // body alone says what it is.
    bool (*read_failure)(struct str body, int status, struct arena *arena, struct chat_failure *out_failure);

    // --- passed through ---
    // Text in whose presence an event of a stream may tell usage: a cheap first look. Begins and ends with rare bytes.
    struct str usage_mark;
    // The usage that an event's data or a whole answer tells, merged into *io_usage by what is present. True: some.
    bool (*usage_of)(struct str data, struct usage *io_usage);
    // A key, without its first quote, whose value is a text in the event that says how an answer ends: after it the
    // stream has no more of that answer. Empty: nobody can tell. ends: whether it ends well by that text, its quotes
    // with it; NULL: by any.
    struct str finish_mark;
    bool (*ends)(struct str text);
    struct str stream_end; // what ends a stream of server-sent events; may be empty
    // The event, which tells usage, tells nothing else: only we asked for it. NULL: there are none such.
    bool (*only_usage)(struct str data);

    const struct embed_ops *embed;   // NULL: it has none (embed.h)
    const struct rerank_ops *rerank; // likewise
};

// Never NULL.
const struct dialect_ops *dialect_get(enum dialect dialect);
// By name; NULL when there is none.
const struct dialect_ops *dialect_find(struct str name);

// An error of ours as a failure; texts in the arena.
struct chat_failure chat_failure_of_err(const struct err *err, struct arena *arena);
// The kind that a status means where the body says no more.
enum chat_failure_kind chat_failure_kind_of_status(int status);
// The status that a failure has, also where HTTP or the place it was told at said another: within a stream, say.
int chat_failure_status(const struct chat_failure *failure);
// Whether a provider's message or code says that the prompt is too long, or that it was refused for what it says.
enum chat_failure_kind chat_failure_kind_of_text(struct str code, struct str message, enum chat_failure_kind otherwise);

#endif
