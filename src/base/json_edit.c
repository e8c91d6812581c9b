// Changes a few spans of a JSON text and passes the rest on untouched.
#include "base/json_edit.h"

// Commas are settled when the edits are applied, all of them known and in order: neighbouring deletions become one run,
// which takes the comma after it, or else the one before it; insertions end in a comma unless nothing is left in their
// object.

void json_edits_init(struct json_edits *e, struct str body) {
    e->body = body;
    e->n = 0;
    e->overflow = false;
}

static size_t offset_of(const struct json_edits *e, struct str part) {
    INVARIANT(part.p >= e->body.p && part.p + part.n <= e->body.p + e->body.n);
    return (size_t)(part.p - e->body.p);
}

static void edit_add(struct json_edits *e, struct json_edit edit) {
    if (e->n == JSON_EDITS_MAX) {
        e->overflow = true;
        return;
    }
    e->list[e->n++] = edit;
}

void json_edit_replace(struct json_edits *e, struct str raw, struct str with) {
    edit_add(e, (struct json_edit){JSON_EDIT_REPLACE, offset_of(e, raw), raw.n, with});
}

void json_edit_insert(struct json_edits *e, struct str object, struct str member) {
    INVARIANT(object.n >= 2 && object.p[0] == '{');
    edit_add(e, (struct json_edit){JSON_EDIT_INSERT, offset_of(e, object) + 1, 0, member});
}

void json_edit_delete(struct json_edits *e, struct str member) {
    INVARIANT(member.n > 0);
    edit_add(e, (struct json_edit){JSON_EDIT_DELETE, offset_of(e, member), member.n, STR_NONE});
}

// By place; an insertion before what it is put in front of; otherwise in the order of the calls.
static bool edit_before(const struct json_edit *a, const struct json_edit *b) {
    return a->at != b->at ? a->at < b->at : a->n == 0 && b->n != 0;
}

static void edits_sort(struct json_edit *list, size_t n) {
    for (size_t i = 1; i < n; i++) {
        struct json_edit edit = list[i];
        size_t k = i;
        for (; k > 0 && edit_before(&edit, &list[k - 1]); k--) list[k] = list[k - 1];
        list[k] = edit;
    }
}

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

static size_t space_after(struct str s, size_t at) {
    while (at < s.n && is_space(s.p[at])) at++;
    return at;
}

static bool comma_at(struct str s, size_t at) { return at < s.n && s.p[at] == ','; }

struct delete_run {
    size_t start, stop; // what goes, commas included
    size_t next;        // the first edit after the run
    bool last;          // nothing follows in the object or array
};

// The run of deletions that begins at list[i].
static struct delete_run run_of(struct str body, const struct json_edit *list, size_t n, size_t i) {
    struct delete_run run = {.start = list[i].at, .stop = list[i].at + list[i].n, .next = i + 1};
    for (; run.next < n && list[run.next].kind == JSON_EDIT_DELETE; run.next++) {
        size_t comma = space_after(body, run.stop);
        if (!comma_at(body, comma) || space_after(body, comma + 1) != list[run.next].at) break;
        run.stop = list[run.next].at + list[run.next].n;
    }
    size_t after = space_after(body, run.stop);
    run.last = !comma_at(body, after);
    if (!run.last) {
        run.stop = after + 1;
        return run;
    }
    size_t before = run.start;
    while (before > 0 && is_space(body.p[before - 1])) before--;
    if (before > 0 && body.p[before - 1] == ',') run.start = before - 1;
    return run;
}

struct slices {
    struct str *list;
    size_t n;
    struct str body;
    size_t done; // how much of the body is dealt with
};

static void slice_put(struct slices *out, struct str s) {
    if (s.n) out->list[out->n++] = s;
}

// Keeps the body up to `start` and drops it from there to `stop`. False when an edit before this one reached further.
static bool slice_keep(struct slices *out, size_t start, size_t stop) {
    if (start < out->done) return false;
    slice_put(out, str_of(out->body.p + out->done, start - out->done));
    out->done = stop;
    return true;
}

// Whether the object keeps a member after the insertion point `at` once the edits from list[i] on are made.
static bool members_remain(struct str body, const struct json_edit *list, size_t n, size_t i, size_t at) {
    size_t first = space_after(body, at);
    if (first >= body.n || body.p[first] == '}') return false;
    if (i == n || list[i].kind != JSON_EDIT_DELETE || list[i].at != first) return true;
    return !run_of(body, list, n, i).last;
}

static bool insert_all(struct slices *out, const struct json_edit *list, size_t n, size_t *i) {
    size_t at = list[*i].at;
    if (!slice_keep(out, at, at)) return false;
    for (bool first = true; *i < n && list[*i].kind == JSON_EDIT_INSERT && list[*i].at == at; ++*i, first = false) {
        if (!first) slice_put(out, STR(","));
        slice_put(out, list[*i].with);
    }
    if (members_remain(out->body, list, n, *i, at)) slice_put(out, STR(","));
    return true;
}

static bool edits_apply(const struct json_edit *list, size_t n, struct slices *out) {
    for (size_t i = 0; i < n;) {
        struct delete_run run;
        switch (list[i].kind) {
        case JSON_EDIT_REPLACE:
            if (!slice_keep(out, list[i].at, list[i].at + list[i].n)) return false;
            slice_put(out, list[i++].with);
            break;
        case JSON_EDIT_INSERT:
            if (!insert_all(out, list, n, &i)) return false;
            break;
        case JSON_EDIT_DELETE:
            run = run_of(out->body, list, n, i);
            if (!slice_keep(out, run.start, run.stop)) return false;
            i = run.next;
            break;
        }
    }
    return slice_keep(out, out->body.n, out->body.n);
}

bool json_edits_slices(const struct json_edits *e, struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_n,
                       struct err *err) {
    struct json_edit list[JSON_EDITS_MAX];
    struct slices out = {.list = out_slices, .body = e->body};
    if (e->overflow) return err_set(err, ERR_INTERNAL, "more than %d edits of one text", JSON_EDITS_MAX);
    if (e->n) memcpy(list, e->list, e->n * sizeof list[0]);
    edits_sort(list, e->n);
    if (!edits_apply(list, e->n, &out)) return err_set(err, ERR_INTERNAL, "edits of one text overlap");
    *out_n = out.n;
    return true;
}

bool json_edits_put(const struct json_edits *e, struct buf *out, struct err *err) {
    struct str slices[JSON_EDIT_SLICES_MAX];
    size_t n;
    if (!json_edits_slices(e, slices, &n, err)) return false;
    buf_reserve(out, json_slices_len(slices, n));
    for (size_t i = 0; i < n; i++) buf_put(out, slices[i]);
    return out->failed ? err_no_memory(err) : true;
}

size_t json_slices_len(const struct str *slices, size_t n) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += slices[i].n;
    return total;
}
