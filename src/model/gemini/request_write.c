// A conversation in the neutral form, as a request in Google's dialect: contents, system, calls and their results.
#include "model/gemini/gemini.h"

#include "base/map.h"

// Google's documented stand-in for the signature of a call that one of its models did not make.
#define SIGNATURE_NONE "skip_thought_signature_validator"

// The calls of the model's last turn, and the results that answer them.
struct calls {
    const struct chat_part **list;
    const struct chat_part **results;
    size_t n, cap;
    struct map by_id; // to 1 + its place in the list
};

static bool write_fault(struct gemini_write *w, const char *param, const char *what) {
    err_set(w->err, ERR_INVALID_FIELD, "%s", what);
    size_t n = MIN(strlen(param), sizeof w->err->param - 1);
    memcpy(w->err->param, param, n);
    w->err->param[n] = 0;
    return false;
}

static bool calls_add(struct gemini_write *w, struct calls *c, const struct chat_part *part) {
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 8;
        const struct chat_part **list = ARENA_ARRAY(w->arena, const struct chat_part *, cap);
        const struct chat_part **results = ARENA_ARRAY(w->arena, const struct chat_part *, cap);
        if (!list || !results) return err_no_memory(w->err);
        if (c->n) memcpy(list, c->list, c->n * sizeof *list);
        c->list = list, c->results = results, c->cap = cap;
    }
    c->list[c->n++] = part;
    // The map knows a call by its number, which is not 0.
    if (!part->id.p) return true;
    return map_put(&c->by_id, part->id, (void *)(uintptr_t)c->n) || err_no_memory(w->err);
}

static void calls_forget(struct calls *c) {
    map_free(&c->by_id);
    c->n = 0;
}

// --- parts ---

static void put_text(struct gemini_write *w, struct str text, bool thought, struct str signature) {
    if (text.n <= 2 && !signature.p) return; // an empty text is refused
    json_put_object(&w->json);
    json_put_member_raw(&w->json, STR("text"), text.p ? text : STR("\"\""));
    if (thought) json_put_member_bool(&w->json, STR("thought"), true);
    if (signature.p) json_put_member_raw(&w->json, STR("thoughtSignature"), signature);
    json_put_object_end(&w->json);
}

static struct str call_signature(struct gemini_write *w, const struct chat_part *part, bool first) {
    struct str id, signature;
    if (part->signature.p) return part->signature;
    gemini_id_unpack(chat_inner(part->id), &id, &signature);
    if (signature.n) return chat_quote(w->arena, signature);
    return first && w->generation >= 30 ? STR("\"" SIGNATURE_NONE "\"") : STR_NONE;
}

static void put_call(struct gemini_write *w, const struct chat_part *part, bool first) {
    struct str signature = call_signature(w, part, first);
    json_put_object(&w->json);
    json_put_member_object(&w->json, STR("functionCall"));
    json_put_member_raw(&w->json, STR("name"), part->name);
    json_put_member_raw(&w->json, STR("args"), part->args);
    json_put_object_end(&w->json);
    if (signature.p) json_put_member_raw(&w->json, STR("thoughtSignature"), signature);
    json_put_object_end(&w->json);
}

static bool put_media(struct gemini_write *w, const struct chat_part *part) {
    json_put_object(&w->json);
    bool good = gemini_write_media(w, part);
    json_put_object_end(&w->json);
    return good;
}

static bool is_media(const struct chat_part *part) {
    return part->kind == CHAT_IMAGE || part->kind == CHAT_AUDIO || part->kind == CHAT_VIDEO || part->kind == CHAT_FILE;
}

static void put_thinking(struct gemini_write *w, const struct chat_part *part) {
    if (w->generation >= 25)
        put_text(w, part->text, true, STR_NONE); // a signature on a thought is another vendor's
    else
        chat_drop(w->report, STR("thinking"));
}

static bool put_part(struct gemini_write *w, const struct chat_part *part, bool *io_called) {
    if (part->cache_control.p) chat_drop(w->report, STR("cache_control"));
    switch (part->kind) {
    case CHAT_TEXT:
    case CHAT_REFUSAL:
        put_text(w, part->text, false, part->signature);
        return true;
    case CHAT_IMAGE:
    case CHAT_AUDIO:
    case CHAT_VIDEO:
    case CHAT_FILE:
        return put_media(w, part);
    case CHAT_TOOL_CALL:
        put_call(w, part, !*io_called);
        *io_called = true;
        return true;
    case CHAT_TOOL_RESULT:
        return true; // stand in a content of their own
    case CHAT_THINKING:
        put_thinking(w, part);
        return true;
    case CHAT_REDACTED_THINKING:
        chat_drop(w->report, STR("redacted_thinking"));
        return true;
    }
    return true;
}

// --- results ---

// All the text of a result, as one JSON string.
static struct str result_text(struct gemini_write *w, const struct chat_part *result) {
    size_t n = 0, texts = 0;
    struct str only = STR("\"\"");
    for (size_t i = 0; i < result->count; i++)
        if (result->parts[i].kind == CHAT_TEXT && result->parts[i].text.p)
            only = result->parts[i].text, n += only.n + 2, texts++;
    if (texts < 2) return only;
    char *text = arena_alloc(w->arena, n + 2);
    if (!text) return STR_NONE;
    size_t at = 0;
    text[at++] = '"';
    for (size_t i = 0; i < result->count; i++) {
        struct str t = chat_inner(result->parts[i].text);
        if (result->parts[i].kind != CHAT_TEXT || !result->parts[i].text.p) continue;
        if (at > 1) text[at++] = '\\', text[at++] = 'n';
        if (t.n) memcpy(text + at, t.p, t.n);
        at += t.n;
    }
    text[at++] = '"';
    return str_of(text, at);
}

static bool put_response(struct gemini_write *w, const struct chat_part *result) {
    struct str raw = result_text(w, result), text;
    struct err ignored;
    if (!raw.p || !json_string_text(raw, w->arena, &text)) return err_no_memory(w->err);
    text = str_trim(text);
    json_put_key(&w->json, STR("response"));
    if (!result->is_error && text.n && text.p[0] == '{' && json_validate(text, 0, &ignored)) {
        json_put_raw(&w->json, text);
        return true;
    }
    json_put_object(&w->json);
    json_put_member_raw(&w->json, result->is_error ? STR("error") : STR("output"), raw);
    json_put_object_end(&w->json);
    return true;
}

// What a result shows besides text stands within it where the model can take that.
static bool put_result_media(struct gemini_write *w, const struct chat_part *result) {
    bool any = false, good = true;
    if (w->generation < 30) return true;
    for (size_t i = 0; i < result->count && good; i++) {
        if (!is_media(&result->parts[i])) continue;
        if (!any) json_put_member_array(&w->json, STR("parts"));
        any = true;
        good = put_media(w, &result->parts[i]);
    }
    if (any) json_put_array_end(&w->json);
    return good;
}

static bool put_result(struct gemini_write *w, const struct chat_part *result, struct str name) {
    if (result->cache_control.p) chat_drop(w->report, STR("cache_control"));
    json_put_object(&w->json);
    json_put_member_object(&w->json, STR("functionResponse"));
    json_put_member_raw(&w->json, STR("name"), name);
    bool good = put_response(w, result) && put_result_media(w, result);
    json_put_object_end(&w->json);
    json_put_object_end(&w->json);
    return good;
}

// A run of turns of one role: [from, to) of the chat's turns; system turns among them do not count.
struct run {
    size_t from, to;
};

// Gives each result its place beside its call; one that comes a second time is left aside.
static size_t match_results(struct gemini_write *w, struct calls *c, struct run run) {
    size_t results = 0;
    for (size_t i = 0; i < c->n; i++) c->results[i] = NULL;
    for (size_t i = run.from; i < run.to; i++) {
        const struct chat_turn *turn = &w->chat->turns[i];
        if (turn->role == CHAT_SYSTEM) continue;
        for (size_t k = 0; k < turn->count; k++) {
            if (turn->parts[k].kind != CHAT_TOOL_RESULT) continue;
            results++;
            size_t at = turn->parts[k].id.p ? (size_t)(uintptr_t)map_get(&c->by_id, turn->parts[k].id) : 0;
            if (at && !c->results[at - 1]) c->results[at - 1] = &turn->parts[k];
        }
    }
    return results;
}

// A result whose call is not among the model's last ones stands behind, if it is known what it is of.
static bool put_unmatched(struct gemini_write *w, const struct calls *c, const struct chat_part *part) {
    size_t at = part->id.p ? (size_t)(uintptr_t)map_get(&c->by_id, part->id) : 0;
    if (part->kind != CHAT_TOOL_RESULT || (at && c->results[at - 1] == part)) return true;
    struct str name = part->name.p ? part->name : at ? c->list[at - 1]->name : STR_NONE;
    if (!name.p) return write_fault(w, "messages", "a tool's result answers no call of the turn before it");
    return put_result(w, part, name);
}

static bool put_all_unmatched(struct gemini_write *w, const struct calls *c, struct run run) {
    for (size_t i = run.from; i < run.to; i++) {
        const struct chat_turn *turn = &w->chat->turns[i];
        for (size_t k = 0; turn->role != CHAT_SYSTEM && k < turn->count; k++)
            if (!put_unmatched(w, c, &turn->parts[k])) return false;
    }
    return true;
}

static bool put_results(struct gemini_write *w, struct calls *c, struct run run) {
    if (!match_results(w, c, run)) return true;
    json_put_object(&w->json);
    json_put_member_str(&w->json, STR("role"), STR("user"));
    json_put_member_array(&w->json, STR("parts"));
    for (size_t i = 0; i < c->n; i++)
        if (c->results[i] && !put_result(w, c->results[i], c->list[i]->name)) return false;
    if (!put_all_unmatched(w, c, run)) return false;
    json_put_array_end(&w->json);
    json_put_object_end(&w->json);
    return true;
}

// --- runs ---

// Media of results that can't stand within them follow in the content after them.
static bool put_loose_media(struct gemini_write *w, const struct chat_part *result) {
    for (size_t i = 0; i < result->count; i++)
        if (is_media(&result->parts[i]) && !put_media(w, &result->parts[i])) return false;
    return true;
}

static bool part_shows(const struct gemini_write *w, const struct chat_part *part) {
    switch (part->kind) {
    case CHAT_TEXT:
    case CHAT_REFUSAL:
        return part->text.n > 2 || part->signature.p;
    case CHAT_THINKING:
        return part->text.n > 2 && w->generation >= 25;
    case CHAT_REDACTED_THINKING:
        return false;
    case CHAT_TOOL_RESULT:
        for (size_t i = 0; w->generation < 30 && i < part->count; i++)
            if (is_media(&part->parts[i])) return true;
        return false;
    case CHAT_IMAGE:
    case CHAT_AUDIO:
    case CHAT_VIDEO:
    case CHAT_FILE:
    case CHAT_TOOL_CALL:
        return true;
    }
    return false;
}

static bool run_shows(const struct gemini_write *w, struct run run) {
    for (size_t i = run.from; i < run.to; i++) {
        const struct chat_turn *turn = &w->chat->turns[i];
        for (size_t k = 0; turn->role != CHAT_SYSTEM && k < turn->count; k++)
            if (part_shows(w, &turn->parts[k])) return true;
    }
    return false;
}

static bool put_run_parts(struct gemini_write *w, struct calls *c, struct run run) {
    bool called = false;
    for (size_t i = run.from; i < run.to; i++) {
        const struct chat_turn *turn = &w->chat->turns[i];
        if (turn->role == CHAT_SYSTEM) continue;
        if (turn->name.p) chat_drop(w->report, STR("messages[].name"));
        for (size_t k = 0; k < turn->count; k++) {
            const struct chat_part *part = &turn->parts[k];
            if (part->kind == CHAT_TOOL_CALL && !calls_add(w, c, part)) return false;
            if (part->kind == CHAT_TOOL_RESULT && w->generation < 30 && !put_loose_media(w, part)) return false;
            if (!put_part(w, part, &called)) return false;
        }
    }
    return true;
}

static bool put_run(struct gemini_write *w, struct calls *c, struct run run, bool model) {
    if (model)
        calls_forget(c);
    else if (!put_results(w, c, run))
        return false;
    if (!run_shows(w, run)) return put_run_parts(w, c, run); // writes nothing, but tells what is dropped
    json_put_object(&w->json);
    json_put_member_str(&w->json, STR("role"), model ? STR("model") : STR("user"));
    json_put_member_array(&w->json, STR("parts"));
    if (!put_run_parts(w, c, run)) return false;
    json_put_array_end(&w->json);
    json_put_object_end(&w->json);
    return true;
}

static void put_plain_user(struct gemini_write *w, struct str text) {
    json_put_object(&w->json);
    json_put_member_str(&w->json, STR("role"), STR("user"));
    json_put_member_array(&w->json, STR("parts"));
    put_text(w, text, false, STR_NONE);
    json_put_array_end(&w->json);
    json_put_object_end(&w->json);
}

static void put_system_texts(struct gemini_write *w) {
    const struct chat *chat = w->chat;
    for (size_t i = 0; i < chat->count; i++)
        for (size_t k = 0; chat->turns[i].role == CHAT_SYSTEM && k < chat->turns[i].count; k++) {
            const struct chat_part *part = &chat->turns[i].parts[k];
            if (part->cache_control.p) chat_drop(w->report, STR("cache_control"));
            if (part->kind == CHAT_TEXT)
                put_text(w, part->text, false, STR_NONE);
            else
                chat_drop(w->report, STR("messages[].content"));
        }
}

static bool has_system(const struct chat *chat) {
    for (size_t i = 0; i < chat->count; i++)
        for (size_t k = 0; chat->turns[i].role == CHAT_SYSTEM && k < chat->turns[i].count; k++)
            if (chat->turns[i].parts[k].kind == CHAT_TEXT && chat->turns[i].parts[k].text.n > 2) return true;
    return false;
}

static void put_system(struct gemini_write *w) {
    if (!has_system(w->chat)) return;
    bool aside = w->generation > 0; // Gemma takes no instruction beside the contents
    if (aside)
        json_put_member_object(&w->json, STR("systemInstruction"));
    else
        json_put_object(&w->json);
    if (!aside) json_put_member_str(&w->json, STR("role"), STR("user"));
    json_put_member_array(&w->json, STR("parts"));
    put_system_texts(w);
    json_put_array_end(&w->json);
    json_put_object_end(&w->json);
}

static bool put_runs(struct gemini_write *w, struct calls *c) {
    const struct chat *chat = w->chat;
    bool begun = false;
    for (size_t i = 0, next; i < chat->count; i = next) {
        next = i + 1;
        if (chat->turns[i].role == CHAT_SYSTEM) continue;
        bool model = chat->turns[i].role == CHAT_ASSISTANT;
        while (next < chat->count &&
               (chat->turns[next].role == chat->turns[i].role || chat->turns[next].role == CHAT_SYSTEM))
            next++;
        size_t before = w->json.out->n;
        if (model && !begun) put_plain_user(w, STR("\" \"")); // a conversation begins with a user's turn
        if (!put_run(w, c, (struct run){i, next}, model)) return false;
        begun = begun || w->json.out->n > before;
    }
    if (!begun) put_plain_user(w, STR("\" \"")); // contents must not be empty
    return true;
}

bool gemini_write_contents(struct gemini_write *w) {
    struct calls calls = {0};
    map_init(&calls.by_id, (uint64_t)(uintptr_t)w->arena * 0x9e3779b97f4a7c15u);
    json_put_member_array(&w->json, STR("contents"));
    if (w->generation == 0) put_system(w);
    bool good = put_runs(w, &calls);
    if (good) json_put_array_end(&w->json);
    map_free(&calls.by_id);
    if (good && w->generation > 0) put_system(w);
    return good;
}

static void put_metadata(struct gemini_write *w) {
    struct str labels = w->chat->metadata;
    if (!labels.p) return;
    if (w->vertex)
        json_put_member_raw(&w->json, STR("labels"), labels);
    else
        chat_drop(w->report, STR("metadata"));
}

static void put_cached(struct gemini_write *w) {
    struct str name = chat_inner(w->chat->cached_prefix);
    if (!w->chat->cached_prefix.p) return;
    if (str_starts(name, STR("cachedContents/")) || str_starts(name, STR("projects/")))
        json_put_member_raw(&w->json, STR("cachedContent"), w->chat->cached_prefix);
    else
        chat_drop(w->report, STR("prompt_cache_key"));
}

bool gemini_write(const struct chat *chat, const struct chat_target *target, struct arena *arena, struct buf *out,
                  struct chat_report *report, struct err *err) {
    struct gemini_write w = {.chat = chat,
                             .target = target,
                             .arena = arena,
                             .report = report,
                             .err = err,
                             .generation = gemini_generation(target->model),
                             .vertex = gemini_on_vertex(target)};
    json_writer_init(&w.json, out);
    json_put_object(&w.json);
    if (!gemini_write_contents(&w) || !gemini_write_tools(&w) || !gemini_write_config(&w)) return false;
    if (chat->safety.p) json_put_member_raw(&w.json, STR("safetySettings"), chat->safety);
    put_cached(&w);
    put_metadata(&w);
    for (size_t i = 0; i < chat->other_count; i++) chat_drop(report, chat->others[i]);
    json_put_object_end(&w.json);
    json_writer_done(&w.json);
    return chat_is_whole(out, arena) || err_no_memory(err);
}
