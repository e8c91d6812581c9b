// A request passed through in OpenAI's dialect: the body as it came, but for the spans that must change.
#include "base/json_write.h"
#include "base/scan.h"
#include "model/openai/openai.h"

#define USAGE_MEMBER "\"include_usage\":true"

static void edit_usage(const struct model_request *q, struct json_edits *e) {
    if (q->include_usage.p)
        json_edit_replace(e, q->include_usage, STR("true"));
    else if (!q->stream_options.p)
        json_edit_insert(e, q->body, STR("\"stream_options\":{" USAGE_MEMBER "}"));
    else if (q->stream_options.p[0] == '{')
        json_edit_insert(e, q->stream_options, STR(USAGE_MEMBER));
    else
        json_edit_replace(e, q->stream_options, STR("{" USAGE_MEMBER "}"));
}

static bool edit_model(const struct model_request *q, struct str model, struct arena *arena, struct json_edits *e,
                       struct err *err) {
    if (q->model_raw.p && !q->renamed && str_eq(model, q->model)) return true;
    struct str name = chat_quote(arena, model);
    if (!name.p) return err_no_memory(err);
    if (q->model_raw.p) {
        json_edit_replace(e, q->model_raw, name);
        return true;
    }
    struct str member = arena_printf(arena, "\"model\":%.*s", STR_ARG(name));
    if (!member.n) return err_no_memory(err);
    json_edit_insert(e, q->body, member);
    return true;
}

// The limit under the name that the model's vendor takes.
static void edit_limit(const struct openai_vendor *v, const struct json_field *newer, const struct json_field *older,
                       struct json_edits *e) {
    bool wants_newer = v->reasoning;
    bool wants_older = !v->completion_name && !v->inventor;
    const struct json_field *is = newer->found ? newer : older;
    if (newer->found == older->found) return;
    struct str key = str_head(is->member, str_find_char(str_from(is->member, 1), '"') + 2);
    if (wants_newer && older->found) json_edit_replace(e, key, STR("\"max_completion_tokens\""));
    if (wants_older && newer->found) json_edit_replace(e, key, STR("\"max_tokens\""));
}

// What says nothing goes without a word.
static bool says_nothing(const struct json_field *f) {
    if (f->kind == JSON_NULL || str_eq(f->raw, STR("false"))) return true;
    return str_eq(f->name, STR("n")) && str_eq(f->raw, STR("1"));
}

static void edit_refused(const struct openai_vendor *v, struct str body, struct chat_report *report,
                         struct json_edits *e) {
    struct json_field f[24];
    size_t n = 0;
    struct str rest = v->refuses, name;
    struct err ignored;
    while (rest.n && n < ARRAY_LEN(f) && str_split(&rest, ',', &name)) f[n++] = (struct json_field){.name = name};
    if (!n || !json_scan(body, f, n, &ignored)) return;
    for (size_t i = 0; i < n && e->n < JSON_EDITS_MAX - 4; i++) {
        if (!f[i].found) continue;
        if (!says_nothing(&f[i])) chat_drop(report, f[i].name);
        json_edit_delete(e, f[i].member);
    }
}

static void edit_for_vendor(const struct model_request *q, const struct chat_target *target, struct json_edits *e) {
    struct openai_vendor v = openai_vendor_of(target);
    struct json_field f[] = {{.name = STR_INIT("max_completion_tokens")}, {.name = STR_INIT("max_tokens")}};
    struct err ignored;
    if (v.inventor && !v.reasoning && !v.refuses.n) return;
    if (q->operation == OPERATION_CHAT && json_scan(q->body, f, ARRAY_LEN(f), &ignored))
        edit_limit(&v, &f[0], &f[1], e);
    if (target->report) edit_refused(&v, q->body, target->report, e);
}

static bool clean_ids(struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *io_count, struct arena *arena,
                      struct err *err);

static bool rewrite_json(const struct model_request *q, const struct chat_target *target, struct arena *arena,
                         struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err) {
    struct json_edits e;
    json_edits_init(&e, q->body);
    if (!edit_model(q, target->model, arena, &e, err)) return false;
    if (q->strict_member.p) json_edit_delete(&e, q->strict_member);
    if (q->fallbacks_member.p) json_edit_delete(&e, q->fallbacks_member);
    bool talks = q->operation == OPERATION_CHAT || q->operation == OPERATION_COMPLETIONS;
    if (talks && q->stream && !q->wants_usage && target->traits->asks_usage) edit_usage(q, &e);
    if (talks && q->stream_options.p && !target->traits->asks_usage) {
        struct json_field f[] = {{.name = STR_INIT("stream_options")}};
        if (json_scan(q->body, f, 1, err)) json_edit_delete(&e, f[0].member);
    }
    if (talks) edit_for_vendor(q, target, &e);
    return json_edits_slices(&e, out_slices, out_count, err) &&
           (q->operation != OPERATION_CHAT || clean_ids(out_slices, out_count, arena, err));
}

// Ids that carry what Gemini wants back are for it alone, and longer than others take: they are cut at the mark.
static bool clean_ids(struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *io_count, struct arena *arena,
                      struct err *err) {
    size_t total = json_slices_len(out_slices, *io_count), n = 0;
    bool any = false;
    for (size_t i = 0; i < *io_count; i++) any |= scan_find(out_slices[i], STR(OPENAI_THOUGHT_MARK)) < out_slices[i].n;
    if (!any) return true;
    char *all = arena_alloc(arena, total), *clean = arena_alloc(arena, total);
    if (!all || !clean) return err_no_memory(err);
    for (size_t i = 0, at = 0; i < *io_count; at += out_slices[i++].n)
        memcpy(all + at, out_slices[i].p, out_slices[i].n);
    struct str rest = str_of(all, total);
    for (size_t at; (at = scan_find(rest, STR(OPENAI_THOUGHT_MARK))) < rest.n;) {
        struct str before = str_head(rest, at), after = str_from(rest, at + sizeof OPENAI_THOUGHT_MARK - 1);
        size_t quote = at, end = 0;
        while (quote > 0 && rest.p[quote - 1] != '"') quote--;
        while (quote > 0 && (rest.p[quote - 1] == '"' || rest.p[quote - 1] == ' ' || rest.p[quote - 1] == ':')) quote--;
        // quote is now behind the member's name: …"id or …"tool_call_id
        bool is_id = quote >= 3 && (str_ends(str_head(rest, quote), STR("\"id")) ||
                                    str_ends(str_head(rest, quote), STR("\"tool_call_id")));
        while (is_id && end < after.n && after.p[end] != '"') end += after.p[end] == '\\' ? 2 : 1;
        struct str kept = is_id ? before : str_head(rest, at + sizeof OPENAI_THOUGHT_MARK - 1);
        memcpy(clean + n, kept.p, kept.n);
        n += kept.n;
        rest = is_id ? str_from(after, end) : after;
    }
    if (rest.n) memcpy(clean + n, rest.p, rest.n);
    out_slices[0] = str_of(clean, n + rest.n);
    *io_count = 1;
    return true;
}

// In form data the model is a field, which is changed or put first.
static bool rewrite_form(const struct model_request *q, const struct chat_target *target, struct arena *arena,
                         struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err) {
    size_t n = 0;
    if (str_find_char(target->model, '\r') < target->model.n || str_find_char(target->model, '\n') < target->model.n)
        return err_set(err, ERR_INVALID_FIELD, "the model's name has a line break");
    if (!q->model_raw.p) {
        out_slices[n++] =
            arena_printf(arena, "--%.*s\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n%.*s\r\n",
                         STR_ARG(q->boundary), STR_ARG(target->model));
        if (!out_slices[0].n) return err_no_memory(err);
        out_slices[n++] = q->body;
    } else {
        size_t at = (size_t)(q->model_raw.p - q->body.p);
        out_slices[n++] = str_head(q->body, at);
        out_slices[n++] = target->model;
        out_slices[n++] = str_from(q->body, at + q->model_raw.n);
    }
    *out_count = n;
    return true;
}

bool openai_rewrite(const struct model_request *q, const struct chat_target *target, struct arena *arena,
                    struct str out_slices[JSON_EDIT_SLICES_MAX], size_t *out_count, struct err *err) {
    if (q->boundary.p) return rewrite_form(q, target, arena, out_slices, out_count, err);
    return rewrite_json(q, target, arena, out_slices, out_count, err);
}
