// A conversation asked for in Google's dialect, into the neutral form: turns and parts.
#include "model/gemini/gemini.h"

// Calls of the model's last turn, which results are matched to by id, by name, or by position.
struct pending {
    struct chat_part **calls;
    bool *used;
    size_t n, cap, first; // all before first are used
    bool closed;          // a user's turn has come since
    size_t made;          // ids that we made
};

struct turn_read {
    const struct gemini_read *rd;
    struct pending *pending;
    struct chat_turn *turn;
    const struct gemini_place *at;
};

// --- ids ---

static bool pending_add(const struct gemini_read *rd, struct pending *p, struct chat_part *call) {
    if (p->closed) p->n = p->first = 0;
    p->closed = false;
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 8;
        struct chat_part **calls = ARENA_ARRAY(rd->arena, struct chat_part *, cap);
        bool *used = ARENA_ARRAY(rd->arena, bool, cap);
        if (!calls || !used) return err_no_memory(rd->err);
        if (p->n) {
            memcpy(calls, p->calls, p->n * sizeof *calls);
            memcpy(used, p->used, p->n * sizeof *used);
        }
        p->calls = calls, p->used = used, p->cap = cap;
    }
    p->used[p->n] = false;
    p->calls[p->n++] = call;
    return true;
}

static struct str made_id(const struct gemini_read *rd, struct pending *p) {
    return arena_printf(rd->arena, "\"call_%zu\"", ++p->made);
}

#define PENDING_LOOK 1024 // calls that are compared by name; results of a client stand in the calls' order anyway

// The call that a result answers; NULL when there is none left.
static struct chat_part *pending_take(struct pending *p, struct str id, struct str name) {
    while (p->first < p->n && p->used[p->first]) p->first++;
    size_t end = MIN(p->n, p->first + PENDING_LOOK), found = p->n;
    for (size_t i = p->first; i < end && found == p->n; i++) {
        if (p->used[i]) continue;
        if (id.p ? str_eq(p->calls[i]->id, id) : str_eq(p->calls[i]->name, name)) found = i;
    }
    if (found == p->n && !id.p) found = p->first;
    if (found >= p->n) return NULL;
    p->used[found] = true;
    return p->calls[found];
}

// --- parts ---

static enum chat_part_kind kind_of_mime(struct str mime) {
    if (str_starts(mime, STR("image/"))) return CHAT_IMAGE;
    if (str_starts(mime, STR("audio/"))) return CHAT_AUDIO;
    if (str_starts(mime, STR("video/"))) return CHAT_VIDEO;
    return CHAT_FILE;
}

// Google takes base64 in either alphabet, and its library for Python writes the one for addresses; others take only the
// usual one.
static bool usual_alphabet(struct str *data, struct arena *arena) {
    if (str_find_char(*data, '-') == data->n && str_find_char(*data, '_') == data->n) return true;
    char *p = arena_alloc(arena, data->n);
    for (size_t i = 0; p && i < data->n; i++) {
        char c = data->p[i];
        p[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    if (p) data->p = p;
    return p;
}

// inlineData or fileData.
static bool read_media(const struct gemini_read *rd, struct str raw, const struct gemini_place *up, struct str name,
                       struct chat_part *part) {
    enum { MIME, DATA, URI, NAME };
    static const struct gemini_member members[] = {{STR_INIT("mimeType"), JSON_IS(JSON_STRING)},
                                                   {STR_INIT("data"), JSON_IS(JSON_STRING)},
                                                   {STR_INIT("fileUri"), JSON_IS(JSON_STRING)},
                                                   {STR_INIT("displayName"), JSON_IS(JSON_STRING)}};
    struct gemini_place at = {.up = up, .name = name};
    struct str f[4];
    if (!gemini_object(rd, raw, &at, members, ARRAY_LEN(members), f)) return false;
    bool inline_data = str_eq(name, STR("inlineData"));
    if (inline_data && !f[DATA].p) return gemini_fault(rd, &at, STR("data"), "is missing");
    if (!inline_data && !f[URI].p) return gemini_fault(rd, &at, STR("fileUri"), "is missing");
    if (f[MIME].p && !json_string_text(f[MIME], rd->arena, &part->media.mime)) return err_no_memory(rd->err);
    if (inline_data &&
        !(json_string_text(f[DATA], rd->arena, &part->media.data) && usual_alphabet(&part->media.data, rd->arena)))
        return err_no_memory(rd->err);
    if (!inline_data) part->media.url = f[URI];
    part->media.name = f[NAME];
    part->kind = kind_of_mime(part->media.mime);
    return true;
}

static bool read_call(struct turn_read *t, struct str raw, const struct gemini_place *up, struct chat_part *part) {
    enum { ID, NAME, ARGS };
    static const struct gemini_member members[] = {{STR_INIT("id"), JSON_IS(JSON_STRING)},
                                                   {STR_INIT("name"), JSON_IS(JSON_STRING)},
                                                   {STR_INIT("args"), JSON_IS(JSON_OBJECT)}};
    struct gemini_place at = {.up = up, .name = STR("functionCall")};
    struct str f[3];
    if (!gemini_object(t->rd, raw, &at, members, ARRAY_LEN(members), f)) return false;
    if (!f[NAME].p) return gemini_fault(t->rd, &at, STR("name"), "is missing");
    part->kind = CHAT_TOOL_CALL;
    part->name = f[NAME];
    part->args = f[ARGS].p ? f[ARGS] : STR("{}");
    part->id = f[ID].n > 2 ? f[ID] : made_id(t->rd, t->pending);
    if (!part->id.n) return err_no_memory(t->rd->err);
    return pending_add(t->rd, t->pending, part);
}

static bool read_result_media(struct turn_read *t, struct str raw, const struct gemini_place *up,
                              struct chat_part *part) {
    static const struct gemini_member members[] = {{STR_INIT("inlineData"), JSON_IS(JSON_OBJECT)},
                                                   {STR_INIT("fileData"), JSON_IS(JSON_OBJECT)}};
    struct gemini_place list = {.up = up, .name = STR("parts")}, at = {.up = &list};
    struct json_reader r;
    enum json_kind kind;
    struct str value, f[2];
    json_reader_init(&r, raw, JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        for (; json_element(&r, &kind); at.index++) {
            if (!json_skip(&r, &value) || !gemini_object(t->rd, value, &at, members, 2, f)) return false;
            if (!f[0].p && !f[1].p) return gemini_fault(t->rd, &at, STR_NONE, "has neither inlineData nor fileData");
            struct chat_part *p = &part->parts[part->count++];
            if (!read_media(t->rd, f[0].p ? f[0] : f[1], &at, f[0].p ? STR("inlineData") : STR("fileData"), p))
                return false;
        }
    return true;
}

// What the function gave: the one text under "output", "result" or "error", or all of the object as a text.
static bool result_text(const struct gemini_read *rd, struct str response, struct chat_part *part, struct str *out) {
    static const struct str k_plain[] = {STR_INIT("output"), STR_INIT("result"), STR_INIT("error")};
    struct json_reader r;
    struct str key, raw, only = STR_NONE;
    enum json_kind kind;
    size_t members = 0;
    json_reader_init(&r, response, JSON_DEPTH_MAX);
    if (json_enter_object(&r))
        while (json_member(&r, &key, &kind)) {
            members++;
            if (!json_skip(&r, &raw)) break;
            for (size_t i = 0; i < ARRAY_LEN(k_plain); i++)
                if (json_string_eq(key, k_plain[i])) {
                    only = raw;
                    part->is_error = i == 2;
                }
        }
    if (members != 1 || !only.p) {
        part->is_error = false;
        only = response;
    }
    *out = only.p[0] == '"' ? only : chat_quote(rd->arena, only);
    return out->p || err_no_memory(rd->err);
}

static bool read_result(struct turn_read *t, struct str raw, const struct gemini_place *up, struct chat_part *part) {
    enum { ID, NAME, RESPONSE, PARTS };
    static const struct gemini_member members[] = {{STR_INIT("id"), JSON_IS(JSON_STRING)},
                                                   {STR_INIT("name"), JSON_IS(JSON_STRING)},
                                                   {STR_INIT("response"), JSON_IS(JSON_OBJECT)},
                                                   {STR_INIT("parts"), JSON_IS(JSON_ARRAY)}};
    struct gemini_place at = {.up = up, .name = STR("functionResponse")};
    const struct gemini_read *rd = t->rd;
    struct str f[4];
    if (!gemini_object(rd, raw, &at, members, ARRAY_LEN(members), f)) return false;
    if (!f[NAME].p) return gemini_fault(rd, &at, STR("name"), "is missing");
    if (f[ID].n <= 2) f[ID] = STR_NONE;
    struct chat_part *call = pending_take(t->pending, f[ID], f[NAME]);
    t->pending->closed = true;
    part->kind = CHAT_TOOL_RESULT;
    part->name = f[NAME];
    part->id = call ? call->id : f[ID].p ? f[ID] : made_id(rd, t->pending);
    part->parts = ARENA_ARRAY(rd->arena, struct chat_part, 1 + (f[PARTS].p ? gemini_count(f[PARTS]) : 0));
    if (!part->parts || !part->id.n) return err_no_memory(rd->err);
    part->parts[0].kind = CHAT_TEXT;
    part->count = 1;
    if (!result_text(rd, f[RESPONSE].p ? f[RESPONSE] : STR("{}"), part, &part->parts[0].text)) return false;
    return !f[PARTS].p || read_result_media(t, f[PARTS], &at, part);
}

// Code that the provider ran, and what came of it, as the text that they are.
static bool read_code(const struct gemini_read *rd, struct str raw, struct str name, const struct gemini_place *up,
                      struct chat_part *part) {
    static const struct gemini_member members[] = {
        {STR_INIT("language"), JSON_IS(JSON_STRING)}, {STR_INIT("code"), JSON_IS(JSON_STRING)},
        {STR_INIT("outcome"), JSON_IS(JSON_STRING)},  {STR_INIT("output"), JSON_IS(JSON_STRING)},
        {STR_INIT("id"), JSON_IS(JSON_STRING)},
    };
    struct gemini_place at = {.up = up, .name = name};
    struct str f[5];
    if (!gemini_object(rd, raw, &at, members, ARRAY_LEN(members), f)) return false;
    bool python = json_string_eq(f[0].p ? f[0] : STR("\"\""), STR("PYTHON"));
    struct str text = chat_inner(f[1].p ? f[1] : f[3]);
    part->kind = CHAT_TEXT;
    part->text = arena_printf(rd->arena, "\"```%s\\n%.*s\\n```\"", python ? "python" : "", STR_ARG(text));
    return part->text.n || err_no_memory(rd->err);
}

enum { TEXT, THOUGHT, SIGNATURE, INLINE, FILE_DATA, CALL, RESULT, CODE, CODE_RESULT, PART_MEMBERS };
static const struct gemini_member k_part[] = {
    [TEXT] = {STR_INIT("text"), JSON_IS(JSON_STRING)},
    [THOUGHT] = {STR_INIT("thought"), JSON_IS(JSON_BOOL)},
    [SIGNATURE] = {STR_INIT("thoughtSignature"), JSON_IS(JSON_STRING)},
    [INLINE] = {STR_INIT("inlineData"), JSON_IS(JSON_OBJECT)},
    [FILE_DATA] = {STR_INIT("fileData"), JSON_IS(JSON_OBJECT)},
    [CALL] = {STR_INIT("functionCall"), JSON_IS(JSON_OBJECT)},
    [RESULT] = {STR_INIT("functionResponse"), JSON_IS(JSON_OBJECT)},
    [CODE] = {STR_INIT("executableCode"), JSON_IS(JSON_OBJECT)},
    [CODE_RESULT] = {STR_INIT("codeExecutionResult"), JSON_IS(JSON_OBJECT)},
};

static bool read_data(struct turn_read *t, const struct str f[], const struct gemini_place *at,
                      struct chat_part *part) {
    const struct gemini_read *rd = t->rd;
    if (f[INLINE].p) return read_media(rd, f[INLINE], at, k_part[INLINE].name, part);
    if (f[FILE_DATA].p) return read_media(rd, f[FILE_DATA], at, k_part[FILE_DATA].name, part);
    if (f[CALL].p) return read_call(t, f[CALL], at, part);
    if (f[RESULT].p) return read_result(t, f[RESULT], at, part);
    if (f[CODE].p) return read_code(rd, f[CODE], k_part[CODE].name, at, part);
    if (f[CODE_RESULT].p) return read_code(rd, f[CODE_RESULT], k_part[CODE_RESULT].name, at, part);
    part->kind = gemini_is_true(f[THOUGHT]) ? CHAT_THINKING : CHAT_TEXT;
    part->text = f[TEXT].p ? f[TEXT] : STR("\"\"");
    if (f[TEXT].p || f[SIGNATURE].p) return true;
    return gemini_fault(rd, at, STR_NONE, "has none of text, inlineData, fileData, functionCall, functionResponse");
}

// A stream's thoughts come back in pieces, the last one with the signature: they are one.
static bool joins(const struct chat_turn *turn, const struct chat_part *part) {
    const struct chat_part *last = turn->count ? &turn->parts[turn->count - 1] : NULL;
    return last && part->kind == CHAT_THINKING && last->kind == CHAT_THINKING && !last->signature.p;
}

// Runs of pieces are counted first, so that a long one is copied once.
struct thought {
    struct buf text;
    bool open;
};

static bool thought_end(const struct gemini_read *rd, struct chat_turn *turn, struct thought *run) {
    if (!run->open) return true;
    struct chat_part *last = &turn->parts[turn->count - 1];
    buf_putc(&run->text, '"');
    last->text = run->text.failed ? STR_NONE : arena_str(rd->arena, buf_str(&run->text));
    run->open = false;
    buf_clear(&run->text);
    return last->text.n || err_no_memory(rd->err);
}

static void thought_add(struct chat_turn *turn, struct thought *run, const struct chat_part *part) {
    struct chat_part *last = &turn->parts[turn->count - 1];
    if (!run->open) buf_put(&run->text, str_head(last->text, last->text.n - 1));
    run->open = true;
    buf_put(&run->text, chat_inner(part->text));
    last->signature = part->signature;
}

static bool read_parts(struct turn_read *t, struct str raw, struct thought *run) {
    struct gemini_place list = {.up = t->at, .name = STR("parts")}, at = {.up = &list};
    struct json_reader r;
    enum json_kind kind;
    struct str value, f[PART_MEMBERS];
    json_reader_init(&r, raw, JSON_DEPTH_MAX);
    if (!json_enter_array(&r)) return json_error(&r, t->rd->err);
    for (; json_element(&r, &kind); at.index++) {
        struct chat_part *part = &t->turn->parts[t->turn->count];
        if (!json_skip(&r, &value) || !gemini_object(t->rd, value, &at, k_part, PART_MEMBERS, f)) return false;
        if (!read_data(t, f, &at, part)) return false;
        part->signature = f[SIGNATURE];
        if (joins(t->turn, part)) {
            thought_add(t->turn, run, part);
            *part = (struct chat_part){0};
            continue;
        }
        if (!thought_end(t->rd, t->turn, run)) return false;
        t->turn->count++;
    }
    return thought_end(t->rd, t->turn, run);
}

// --- turns ---

static const struct gemini_member k_content[] = {{STR_INIT("role"), JSON_IS(JSON_STRING)},
                                                 {STR_INIT("parts"), GEMINI_OBJECTS}};

static bool read_role(const struct gemini_read *rd, struct str role, const struct gemini_place *at,
                      enum chat_role *out) {
    *out = CHAT_USER;
    if (!role.p || json_string_eq(role, STR("user")) || json_string_eq(role, STR("function")) || role.n == 2)
        return true;
    *out = CHAT_ASSISTANT;
    if (json_string_eq(role, STR("model"))) return true;
    *out = CHAT_SYSTEM;
    if (json_string_eq(role, STR("system"))) return true;
    return gemini_fault(rd, at, STR("role"), "must be \"user\" or \"model\"");
}

static bool read_content(const struct gemini_read *rd, struct pending *pending, struct str raw,
                         const struct gemini_place *at, struct chat_turn *turn) {
    struct str f[2];
    if (!gemini_object(rd, raw, at, k_content, 2, f) || !read_role(rd, f[0], at, &turn->role)) return false;
    if (!f[1].p) return true;
    turn->parts = ARENA_ARRAY(rd->arena, struct chat_part, gemini_count(f[1]) + 1);
    if (!turn->parts) return err_no_memory(rd->err);
    struct turn_read t = {rd, pending, turn, at};
    struct thought run = {.text = BUF_INIT(f[1].n + 16)};
    bool good = read_parts(&t, f[1], &run);
    buf_free(&run.text);
    return good;
}

// A Content, a string, or a list of parts, as clients send it.
static bool read_system(const struct gemini_read *rd, struct pending *pending, struct str raw, struct chat_turn *turn) {
    struct gemini_place at = {.name = STR("systemInstruction")};
    struct str content = raw;
    if (raw.p[0] == '"') content = arena_printf(rd->arena, "{\"parts\":[{\"text\":%.*s}]}", STR_ARG(raw));
    if (raw.p[0] == '[') content = arena_printf(rd->arena, "{\"parts\":%.*s}", STR_ARG(raw));
    if (!content.n) return err_no_memory(rd->err);
    if (!read_content(rd, pending, content, &at, turn)) return false;
    turn->role = CHAT_SYSTEM;
    return true;
}

bool gemini_read_contents(const struct gemini_read *rd, struct str contents, struct str system) {
    struct gemini_place list = {.name = STR("contents")}, at = {.up = &list};
    struct pending pending = {0};
    struct json_reader r;
    enum json_kind kind;
    struct str value;
    struct chat *chat = rd->chat;
    chat->turns = ARENA_ARRAY(rd->arena, struct chat_turn, gemini_count(contents) + 1);
    if (!chat->turns) return err_no_memory(rd->err);
    if (system.p && !read_system(rd, &pending, system, &chat->turns[chat->count++])) return false;
    json_reader_init(&r, contents, JSON_DEPTH_MAX);
    if (!json_enter_array(&r)) return json_error(&r, rd->err);
    for (; json_element(&r, &kind); at.index++) {
        if (!json_skip(&r, &value)) return json_error(&r, rd->err);
        if (!read_content(rd, &pending, value, &at, &chat->turns[chat->count++])) return false;
    }
    return true;
}
