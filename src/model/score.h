// What can be said of an answer by reading it: its text out of any dialect, and rules of thumb on that text.
//
// Ownership: what is read lies in the caller's arena. Thread rule: pure. Time: linear in at most SCORE_TEXT_MAX bytes
// of text, but for schemas, which have a bound of their own (json_schema.h). Errors: none; any bytes are an answer.
#ifndef MODEL_SCORE_H
#define MODEL_SCORE_H

#include "model/dialect.h"

#define SCORE_TEXT_MAX ((size_t)128 * 1024)

struct score_answer {
    struct str text; // decoded: all texts of the first answer
    bool cut;        // there was more text than that, or than there was room for
    bool tools;      // it calls tools
    bool other;      // it has pictures, sound, files
    bool refusal;    // the dialect says that it is refused or filtered
    enum chat_finish finish;
};
// A whole answer in a dialect. False: it cannot be read, or was made without memory.
NODISCARD bool score_read(const struct dialect_ops *ops, struct str body, struct arena *arena,
                          struct score_answer *out_answer);
// A stream's bytes, or, with `cut`, the beginning of them.
NODISCARD bool score_read_stream(const struct dialect_ops *ops, enum frame_kind frames, struct str bytes, bool cut,
                                 struct arena *arena, struct score_answer *out_answer);

// Whether nothing is said, shown, or asked of a tool.
bool score_empty(const struct score_answer *answer);
// Whether a text is a refusal, in the words of one of the languages known (refusal.def): it is short and says so at its
// beginning.
bool score_refused(struct str text);
// Whether it repeats itself: its end is the same piece over and over, or much of it is lines and sentences said before.
bool score_repeats(struct str text);

enum score_schema { SCORE_SCHEMA_UNKNOWN, SCORE_SCHEMA_VALID, SCORE_SCHEMA_INVALID };
// Whether a text is what the schema describes; schema empty: whether it is JSON. UNKNOWN: the schema says what is not
// checked here, or checking it takes too long.
enum score_schema score_schema(struct str schema, struct str text, struct arena *arena);

#endif
