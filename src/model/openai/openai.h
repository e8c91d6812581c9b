// What the files of OpenAI's dialect share.
//
// Source: OpenAI API reference (chat/completions, completions, embeddings, errors); for what other vendors of the same
// dialect add, the places that use it say whose it is. Ownership and errors as in dialect.h. Thread rule: pure.
#ifndef MODEL_OPENAI_OPENAI_H
#define MODEL_OPENAI_OPENAI_H

#include "base/json_read.h"
#include "model/dialect.h"
#include "model/provider.h"

// Between the id of a tool call and what Gemini wants back with it: clients that carry nothing but ids bring it back.
#define OPENAI_THOUGHT_MARK "__thought__"

// --- requests read ---

// Where a reader is, so that a fault can be named by its path.
struct openai_reading {
    struct chat *chat;
    struct arena *arena;
    struct err *err;
    int message;      // in messages[]; -1: not in one
    const char *list; // "content", "tool_calls", "tools" with `element`; NULL: in none
    int element;
    struct openai_part_list *into; // where parts go
};
// The member `name` of where the reader is ("" for it itself) is wrong. Always false.
bool openai_wrong(const struct openai_reading *x, struct str name, const char *what);
bool openai_missing(const struct openai_reading *x, struct str name);
// Notes a member that the reader does not know, "prefix" before its name.
void openai_note_other(struct openai_reading *x, const char *prefix, struct str name);

struct openai_member {
    struct str name;
    unsigned kinds; // JSON_IS(…) | …; null is always as if not given; 0: any
    // Reads the value under the cursor; NULL: its raw text is kept.
    bool (*read)(struct openai_reading *x, struct json_reader *r);
};
#define OPENAI_MEMBERS_MAX 64
// The object under the cursor. out_raws[i] is the raw text of table[i], p NULL when absent, null or read by `read`. A
// member twice is an error; unknown ones are noted when they say something.
NODISCARD bool openai_members(struct openai_reading *x, struct json_reader *r, const struct openai_member *table,
                              size_t count, const char *prefix, struct str *out_raws);
// The same of an object's text.
NODISCARD bool openai_members_of(struct openai_reading *x, struct str object, const struct openai_member *table,
                                 size_t count, const char *prefix, struct str *out_raws);

struct openai_part_list {
    struct chat_part *p;
    size_t n, cap;
};
// A zeroed part at the end of the list; NULL (err set) without memory.
struct chat_part *openai_part_add(struct openai_reading *x, struct openai_part_list *list);
// Room for one more in an array of the arena; false: no memory.
NODISCARD bool openai_grow(struct arena *arena, void **array, size_t n, size_t *cap, size_t size);

bool openai_read(const struct model_request *request, struct arena *arena, struct chat *out_chat, struct err *err);
// A whole number within bounds; not given: *out_number stays.
bool openai_whole(const struct openai_reading *x, struct str name, struct str raw, uint64_t least, uint64_t most,
                  uint64_t *out_number);
bool openai_read_stop(struct openai_reading *x, struct str raw);
bool openai_read_messages(struct openai_reading *x, struct json_reader *r);
bool openai_read_tools(struct openai_reading *x, struct json_reader *r);
bool openai_read_functions(struct openai_reading *x, struct json_reader *r);
bool openai_read_tool_choice(struct openai_reading *x, struct str raw);
bool openai_read_response_format(struct openai_reading *x, struct str raw);
bool openai_read_content(struct openai_reading *x, struct json_reader *r);
bool openai_read_thoughts(struct openai_reading *x, struct str blocks, struct str details, struct str text,
                          struct openai_part_list *out_parts);
// Takes an id apart at OPENAI_THOUGHT_MARK; *out_signature is STR_NONE where it has none.
bool openai_id_unpack(struct openai_reading *x, struct str id, struct str *out_id, struct str *out_signature);

// --- requests written ---

bool openai_peek(const struct model_request_in *in, struct arena *arena, struct model_request *out_request,
                 struct err *err);
bool openai_rewrite(const struct model_request *request, const struct chat_target *target, struct arena *arena,
                    struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err);
bool openai_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                  struct chat_report *report, struct err *err);

// What a model at a vendor takes.
struct openai_vendor {
    enum provider_kind kind;
    bool inventor;  // OpenAI itself, or who runs its models with its rules (Azure, GitHub)
    bool reasoning; // one of OpenAI's reasoning models, which refuse sampling
    bool completion_name;
    bool flat; // content of texts as one string
    struct str model, thoughts, refuses;
};
struct openai_vendor openai_vendor_of(const struct chat_target *target);
bool openai_vendor_refuses(const struct openai_vendor *v, struct str member);
// "low", "xhigh", …: what this model calls an effort; empty: it takes none.
struct str openai_vendor_effort(const struct openai_vendor *v, enum chat_effort effort);

struct openai_writing {
    const struct chat *chat;
    struct openai_vendor vendor;
    struct arena *arena;
    struct json_writer *w;
    struct chat_report *report;
};
void openai_write_messages(struct openai_writing *x);

// --- answers ---

bool openai_usage_of(struct str data, struct usage *io_usage);
bool openai_only_usage(struct str data);
// A "usage" object; false when it holds no counts.
bool openai_usage_merge(struct str raw, struct usage *io_usage);
void openai_usage_put(struct buf *out, const struct usage *usage);

// What is known of one answer while it is decoded.
struct openai_call_seen {
    uint64_t id_hash; // 0: it had none
    uint32_t index, part;
    unsigned choice;
    bool args;
};
#define OPENAI_CALLS_MAX 256
struct openai_decoder {
    bool begun, failed;
    uint64_t answer_hash; // of its id, for calls that have none
    struct usage usage;
    struct {
        unsigned parts; // begun
        int open;       // the part that text goes on in, or -1
        enum chat_part_kind kind;
        bool seen;
        bool plain_thoughts; // thoughts come as a plain member; what blocks repeat of them is not said again
    } choices[CHAT_CHOICES_MAX];
    struct openai_call_seen calls[OPENAI_CALLS_MAX];
    unsigned call_count;
};
void openai_decoder_init(void *decoder);
bool openai_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err);
void openai_decode_end(void *decoder, struct chat_sink *sink);
bool openai_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err);
// A delta or a message: what it says as events.
struct openai_saying {
    struct openai_decoder *d;
    struct chat_sink *sink;
    unsigned choice;
    bool whole; // a message, not a delta
};
// The object under the cursor.
bool openai_decode_message(const struct openai_saying *s, struct json_reader *r, struct err *err);
void openai_part_begin(const struct openai_saying *s, enum chat_part_kind kind, struct str id, struct str name,
                       struct str mime);
// Text that goes on in the open part where that is of the same kind.
void openai_text(const struct openai_saying *s, enum chat_part_kind kind, struct str escaped);
bool openai_decode_calls(const struct openai_saying *s, struct str array, struct err *err);
void openai_decode_call(const struct openai_saying *s, const struct json_field *index, struct str id, struct str name,
                        struct str args, struct str signature);
enum chat_finish openai_finish_of(struct str raw, bool *out_broken);
// Whether an answer is whole that ends so.
bool openai_ends(struct str text);
bool openai_only_speaker(struct str data);
struct str openai_finish_name(enum chat_finish finish);
// Whether the answer is for a client of the older "functions", which knows but one call, without an id.
static inline bool openai_old_functions(const struct chat_reply *reply) {
    return reply->chat && reply->chat->old_functions;
}
// The finish as that client knows it.
struct str openai_finish_for(const struct chat_reply *reply, enum chat_finish finish);

#define OPENAI_PREFIX_MAX 2048
struct openai_encoder {
    struct chat_sink sink;
    struct buf *out;
    const struct chat_reply *reply;
    bool wants_usage, has_usage, failed;
    struct usage usage;
    struct {
        bool told; // its role was
        unsigned calls;
    } choices[CHAT_CHOICES_MAX];
    // A tool call that has begun and was not told yet, for what signs it goes into its id.
    bool pending;
    unsigned pending_choice;
    char pending_text[512];
    size_t pending_id, pending_name; // lengths
    bool image;                      // a picture's URL is open
    unsigned image_choice;
    // Thoughts so far: with what signs them they are told once more, as one block.
    char *thoughts;
    size_t thoughts_n, thoughts_cap;
    unsigned thoughts_choice;
    char prefix[OPENAI_PREFIX_MAX]; // of every chunk, up to the choice's index
    size_t prefix_n;
};
void openai_encoder_init(struct chat_sink *sink, const struct chat_reply *reply, struct buf *out);
void openai_put_answer(const struct chat_answer *answer, const struct chat_reply *reply, struct buf *out);
// "annotations":[…] and "citations":[…] of citations as Anthropic has them, each with a comma before it.
void openai_citations_put(struct buf *out, struct str citations);

bool openai_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure);
// Within a stream: an object that is an error. Slices of the text or static.
bool openai_failure_of(struct str data, int status, struct chat_failure *out_failure);
void openai_put_failure(const struct chat_failure *failure, struct str request_id, struct buf *out);
void openai_put_failure_event(const struct chat_failure *failure, struct str request_id, struct buf *out);

extern const struct embed_ops openai_embed;

#endif
