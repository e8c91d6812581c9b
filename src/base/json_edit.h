// Changes a few spans of a JSON text and passes the rest on untouched, byte for byte and without a copy.
//
//   struct json_edits e;
//   json_edits_init(&e, body);
//   json_edit_replace(&e, model.raw, STR("\"gpt-4o-mini\""));
//   json_edit_insert(&e, body_object, STR("\"stream_options\":{\"include_usage\":true}"));
//   json_edit_delete(&e, user.member);
//   if (!json_edits_slices(&e, slices, &n, err)) …;           // for writev
//   if (!json_edits_put(&e, &out, err)) …;                    // or into a buf
//
// Edits may be given in any order. Deletions and insertions take care of the commas, also when several members of one
// object go, all of them go, or members are put into an object that is or becomes empty.
//
// Ownership: body and replacement texts are borrowed and must outlive the slices. Thread rule: one thread. Errors: too
// many edits or overlapping ones are ERR_INTERNAL; a span outside the body breaks an invariant. Units: bytes.
#ifndef BASE_JSON_EDIT_H
#define BASE_JSON_EDIT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define JSON_EDITS_MAX 32
// Each edit yields at most a kept part, a text and a comma; and there is the last kept part.
#define JSON_EDIT_SLICES_MAX (JSON_EDITS_MAX * 3 + 1)

enum json_edit_kind { JSON_EDIT_REPLACE, JSON_EDIT_INSERT, JSON_EDIT_DELETE };
struct json_edit {
    enum json_edit_kind kind;
    size_t at, n; // the span of the body that goes
    struct str with;
};
struct json_edits {
    struct str body;
    struct json_edit list[JSON_EDITS_MAX];
    size_t n;
    bool overflow;
};

void json_edits_init(struct json_edits *e, struct str body);
// `raw` (a part of body, as a reader gave it) becomes `with`.
void json_edit_replace(struct json_edits *e, struct str raw, struct str with);
// Puts `member` ("key":value, without commas) first into the object whose raw text is `object`. Members inserted into
// the same object stand in the order of the calls.
void json_edit_insert(struct json_edits *e, struct str object, struct str member);
// Takes out a member of an object (json_field.member) and the comma that goes with it. The same for an array's element.
void json_edit_delete(struct json_edits *e, struct str member);

// The new text as slices of body and replacements, in order, none empty.
NODISCARD bool json_edits_slices(const struct json_edits *e, struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_n,
                                 struct err *err);
// The new text appended to out; a full buf is ERR_NO_MEMORY.
NODISCARD bool json_edits_put(const struct json_edits *e, struct buf *out, struct err *err);
// Total length of slices, for Content-Length.
size_t json_slices_len(const struct str *slices, size_t n);

#endif
