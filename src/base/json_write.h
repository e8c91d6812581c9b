// Writes JSON onto a buf, placing commas and colons by itself.
//
//   struct json_writer w;
//   json_writer_init(&w, &out);
//   json_put_object(&w);
//   json_put_key(&w, STR("id"));
//   json_put_str(&w, id);
//   json_put_object_end(&w);
//   json_writer_done(&w);
//
// Ownership: borrows the buf. Thread rule: one thread. Errors: the buf's sticky `failed` says that it was full; misuse
// (a value without a key in an object, unbalanced ends, too deep) breaks an invariant. Text given to json_put_str and
// json_put_key should be UTF-8; bytes that are not are written as U+FFFD, so the output always is.
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include "base/buf.h"

#define JSON_WRITE_DEPTH_MAX 64

struct json_writer {
    struct buf *out;
    unsigned depth;
    bool comma;         // the next key or value needs a comma before it
    bool keyed;         // a key was just written
    uint64_t is_object; // one bit a level
};

void json_writer_init(struct json_writer *w, struct buf *out);
// All that was opened is closed and one top value was written.
void json_writer_done(const struct json_writer *w);

void json_put_object(struct json_writer *w);
void json_put_object_end(struct json_writer *w);
void json_put_array(struct json_writer *w);
void json_put_array_end(struct json_writer *w);
void json_put_key(struct json_writer *w, struct str key);
void json_put_str(struct json_writer *w, struct str text);
void json_put_i64(struct json_writer *w, int64_t v);
void json_put_u64(struct json_writer *w, uint64_t v);
// With as many of 15 to 17 digits as it takes to read back as the same double; NaN and infinities become null.
void json_put_double(struct json_writer *w, double v);
void json_put_bool(struct json_writer *w, bool v);
void json_put_null(struct json_writer *w);
// A value that is JSON already; the caller vouches for it.
void json_put_raw(struct json_writer *w, struct str raw);

// A key and its value at once.
void json_put_member_str(struct json_writer *w, struct str key, struct str text);
void json_put_member_text(struct json_writer *w, struct str key, struct str text); // null when it is empty
void json_put_member_i64(struct json_writer *w, struct str key, int64_t v);
void json_put_member_u64(struct json_writer *w, struct str key, uint64_t v);
void json_put_member_double(struct json_writer *w, struct str key, double v);
// A number of 10^-digits as a decimal, exactly; digits <= 18.
void json_put_member_fixed(struct json_writer *w, struct str key, int64_t v, unsigned digits);
void json_put_member_bool(struct json_writer *w, struct str key, bool v);
void json_put_member_null(struct json_writer *w, struct str key);
void json_put_member_raw(struct json_writer *w, struct str key, struct str raw);
void json_put_member_object(struct json_writer *w, struct str key); // opens it
void json_put_member_array(struct json_writer *w, struct str key);

// Text with escapes but without the quotes, straight to a buf: for parts of a long string that arrive in pieces (each
// piece whole characters).
void json_escape_put(struct buf *out, struct str text);

#endif
