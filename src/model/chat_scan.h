// Help for readers and writers of dialects: objects read with faults named by their path, members that are not known,
// texts joined, and what a writer has to report.
//
// Paths are those of err->param: "messages[2].content". Ownership: results lie in the text or the arena. Thread rule:
// pure. Errors: ERR_INVALID_FIELD, ERR_MISSING_FIELD with err->param.
#ifndef MODEL_CHAT_SCAN_H
#define MODEL_CHAT_SCAN_H

#include "base/json_read.h"
#include "base/json_write.h"
#include "model/chat_event.h"

#define CHAT_PATH_MAX 64
struct chat_path {
    char text[CHAT_PATH_MAX];
};
PRINTF_LIKE(1, 2) struct chat_path chat_path_of(const char *fmt, ...);

// As json_scan; a fault is named below `path` (empty: at the top).
NODISCARD bool chat_scan(struct str object, const struct chat_path *path, struct json_field *fields, size_t n,
                         struct err *err);
// The value at path.member is wrong. Always false.
bool chat_wrong(struct err *err, const struct chat_path *path, const char *member, const char *what);
// What stands there and is not null; STR_NONE otherwise.
struct str chat_given(const struct json_field *field);
bool chat_is_true(const struct json_field *field);
// -1 not said, 0, 1
int chat_flag(const struct json_field *field);

// A count of tokens as a provider tells it, also one written as 12.0 or 1e3; more than CHAT_TOKENS_MAX is a lie, and
// that then. False: none, or less than nothing.
#define CHAT_TOKENS_MAX ((uint64_t)1 << 40)
NODISCARD bool chat_tokens_of(struct str raw, uint64_t *out_tokens);
// How many elements a JSON array has.
size_t chat_count(struct str array);
// Calls visit for each element until it is false. The text must be a valid array.
typedef bool chat_visit(void *arg, size_t index, struct str raw, struct err *err);
NODISCARD bool chat_each(struct str array, chat_visit *visit, void *arg, struct err *err);

// A list of names as struct chat has it in `others`.
struct chat_names {
    struct str *names;
    size_t *count;
};
// Members of the object that no field names, as "prefix" and their name; beyond CHAT_OTHERS_MAX none is noted.
void chat_note_others(struct str object, const struct json_field *fields, size_t n, struct str prefix,
                      struct arena *arena, struct chat_names list);
void chat_note_other(struct chat_names list, struct str name);

// Reports `name` when the value was given.
static inline void chat_drop_given(struct chat_report *report, struct str name, struct str value) {
    if (value.p) chat_drop(report, name);
}
// Those members that only OpenAI's dialect and its like have.
void chat_drop_extras(const struct chat *chat, struct chat_report *report);

// "key": and a JSON value, when that is given.
static inline void chat_put_given(struct json_writer *w, struct str key, struct str raw) {
    if (raw.p) json_put_member_raw(w, key, raw);
}
// Whether the schema of a tool says anything; what parameterless tools get where one must be said.
#define CHAT_EMPTY_SCHEMA STR("{\"type\":\"object\",\"properties\":{}}")
// A JSON value told as pieces of escaped text: the arguments of a call that come as an object.
void chat_emit_json(struct str raw, unsigned part, struct chat_sink *sink);
// The text of a JSON string has nothing but white space.
bool chat_is_blank(struct str json_string);
// The kind of an image, told from the first bytes of its base64; empty when it is none that is known.
struct str chat_image_type(struct str base64);

#endif
