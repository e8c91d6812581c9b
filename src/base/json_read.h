// Reads JSON on demand: a cursor over a complete text that validates every byte it passes and builds no tree.
//
// Rules. Strict RFC 8259: all of the text must be valid, also the parts the caller skips: grammar, numbers, escapes,
// control characters, UTF-8. Refused besides: a byte order mark, a \u escape that is half of a surrogate pair, NaN and
// Infinity, nesting past the cap. Duplicate keys: json_member shows the caller each of them; json_object_scan refuses
// a second copy of a key it was asked for (two parsers that pick differently can be played against each other) and
// lets others be. Keys are compared decoded, so "mod\u0065l" is "model".
//
// Errors: sticky. The first failure stops the reader: every call after it returns false, and json_error or json_end
// turn it into a `struct err` with the byte offset, line and column, and what was expected: ERR_INVALID_JSON where the
// text is at fault, ERR_INVALID_FIELD where the value has another kind or range than the caller asked for.
//
//   struct json_reader r;
//   json_reader_init(&r, body, 0);
//   struct str key, raw;
//   enum json_kind kind;
//   if (json_enter_object(&r))
//       while (json_member(&r, &key, &kind))
//           if (json_string_eq(key, STR("stream"))) json_bool(&r, &stream); // what is not read is skipped, validated
//   return json_end(&r, err);
//
// Raw values: a `struct str raw` is a value exactly as it stands in the input, strings with their quotes; its offset
// is raw.p - input.p. The json_raw_… functions read one.
//
// Ownership: the reader borrows the input; raw values point into it. Nothing is allocated, except by
// json_string_decode. Thread rule: a reader belongs to one thread; it holds no resource and needs no release.
// Units: bytes.
#ifndef BASE_JSON_READ_H
#define BASE_JSON_READ_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

// Kind masks, for json_field.kinds.
#define JSON_IS(kind) (1u << (kind))
#define JSON_IS_ANY 0u
#define JSON_OR_NULL JSON_IS(JSON_NULL)

#define JSON_DEPTH_DEFAULT 128
#define JSON_DEPTH_MAX 512

struct scan_ops;
struct json_reader {
    const char *begin, *at, *end;
    const struct scan_ops *ops; // the scanning code for this CPU
    const char *fault;          // NULL = no error; else what was expected or is wrong
    const char *fault_at;
    bool fault_is_kind; // the text is valid so far, the caller wanted another kind or range
    bool pending;       // the cursor stands before a value that is not yet consumed
    bool fresh;         // the innermost container was just entered
    unsigned depth, depth_max;
    uint64_t is_object[JSON_DEPTH_MAX / 64]; // one bit a level: object or array
};

// max_depth 0 = JSON_DEPTH_DEFAULT; never more than JSON_DEPTH_MAX.
void json_reader_init(struct json_reader *r, struct str input, unsigned max_depth);

// The kind of the value under the cursor, told from its first byte; the value is not consumed, nor validated yet.
NODISCARD bool json_peek(struct json_reader *r, enum json_kind *out_kind);
// Steps over the value under the cursor, of any kind. out_raw may be NULL.
bool json_skip(struct json_reader *r, struct str *out_raw);

// Consume the value under the cursor; another kind, or a number that does not fit, is an error.
bool json_string(struct json_reader *r, struct str *out_raw);
bool json_bool(struct json_reader *r, bool *out_value);
bool json_null(struct json_reader *r);
bool json_i64(struct json_reader *r, int64_t *out_value); // an integer, written without '.' or exponent
bool json_u64(struct json_reader *r, uint64_t *out_value);
bool json_double(struct json_reader *r, double *out_value); // overflow to infinity is an error
// The raw text of a number.
bool json_number(struct json_reader *r, struct str *out_raw);

// Into the object or array under the cursor. Then iterate to the end with json_member or json_element, which leave it
// by themselves when they return false, or call json_leave.
bool json_enter_object(struct json_reader *r);
bool json_enter_array(struct json_reader *r);
// The next member: its key (raw, with quotes: compare with json_string_eq) and the kind of its value, which is now
// under the cursor. Skips the value before it if that was left unread. False at the end of the object or on error.
bool json_member(struct json_reader *r, struct str *out_key, enum json_kind *out_kind);
// The next element, likewise.
bool json_element(struct json_reader *r, enum json_kind *out_kind);
// Skips and validates the rest of the innermost container.
bool json_leave(struct json_reader *r);

// True while nothing has failed.
static inline bool json_ok(const struct json_reader *r) { return r->fault == NULL; }
// Fails the reader on behalf of the caller: `what` (static text) is wrong with the value at raw.
bool json_fail(struct json_reader *r, struct str raw, const char *what);
// Writes the failure to err; always returns false, for `return json_error(&r, err)`.
bool json_error(const struct json_reader *r, struct err *err);
// After the top value: skips it if unread, then only white space may remain. Reports any earlier failure too.
NODISCARD bool json_end(struct json_reader *r, struct err *err);

// One wanted member of an object. Set the inputs, leave the rest zero:
//   struct json_field f[] = {{.name = STR_INIT("model"), .kinds = JSON_IS(JSON_STRING), .required = true}, …};
struct json_field {
    struct str name; // decoded
    unsigned kinds;  // accepted kinds, JSON_IS(…) | …; JSON_IS_ANY accepts all. Null must be named to be accepted
    bool required;   // absence is ERR_MISSING_FIELD
    bool found;      // out
    enum json_kind kind; // out, when found
    struct str raw;      // out: the value; STR_NONE when not found
    struct str member;   // out: from the key's opening quote to the end of the value
};
#define JSON_FIELDS_MAX 64

// Reads the object under the cursor to its end, filling the wanted members. On a failure err->param names the field
// where one is at fault, and the reader is of no further use.
NODISCARD bool json_object_scan(struct json_reader *r, struct json_field *fields, size_t n, struct err *err);
// The whole text is one object: init, scan, end.
NODISCARD bool json_scan(struct str input, struct json_field *fields, size_t n, struct err *err);
// The whole text is valid JSON of any kind.
NODISCARD bool json_validate(struct str input, unsigned max_depth, struct err *err);

// Raw values, as a reader gave them (thus valid). On anything else these return false; they never overread.
enum json_kind json_raw_kind(struct str raw);
NODISCARD bool json_raw_i64(struct str raw, int64_t *out_value);
NODISCARD bool json_raw_u64(struct str raw, uint64_t *out_value);
NODISCARD bool json_raw_double(struct str raw, double *out_value);
NODISCARD bool json_raw_bool(struct str raw, bool *out_value);
// The decoded text when the string has no escapes: a slice of raw.
NODISCARD bool json_string_borrow(struct str raw, struct str *out_text);
// Appends the decoded text. False when raw is no string or out is full. The text may hold NUL bytes (\u0000).
NODISCARD bool json_string_decode(struct str raw, struct buf *out);
// Borrowed where there are no escapes, else decoded into the arena. False when raw is no string or memory is short.
NODISCARD bool json_string_text(struct str raw, struct arena *arena, struct str *out_text);
// Whether the decoded string equals text; no copy is made. Mostly length or first byte tell that it does not.
bool json_string_equals(struct str raw, struct str text);
static inline bool json_string_eq(struct str raw, struct str text) {
    if (raw.n < text.n + 2 || (text.n && raw.p[1] != text.p[0] && raw.p[1] != '\\')) return false;
    return json_string_equals(raw, text);
}
// How many bytes the decoded text has; 0 for what is no string.
size_t json_string_len(struct str raw);

// The value at a path of keys below `raw`, e.g. {"usage", "prompt_tokens_details", "cached_tokens"}; the first copy of
// a duplicate key wins. False when absent or when something on the way is no object.
NODISCARD bool json_get(struct str raw, const struct str *path, size_t n, struct str *out_raw);
#define JSON_GET(raw, out_raw, ...)                                                                                    \
    json_get((raw), (const struct str[]){__VA_ARGS__}, sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str), \
             (out_raw))

#endif
