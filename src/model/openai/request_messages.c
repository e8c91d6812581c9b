// The messages of a request, read into turns.
#include "base/scan.h"
#include "model/openai/openai.h"

#define STRING JSON_IS(JSON_STRING)
#define ARRAY JSON_IS(JSON_ARRAY)
#define OBJECT JSON_IS(JSON_OBJECT)

// One message while it is read.
struct message {
    struct openai_reading x; // first: members find their way back by it
    struct openai_part_list content, calls;
    struct str text_raw;
};

bool openai_id_unpack(struct openai_reading *x, struct str id, struct str *out_id, struct str *out_signature) {
    size_t at = scan_find(id, STR(OPENAI_THOUGHT_MARK)), mark = sizeof OPENAI_THOUGHT_MARK - 1;
    *out_id = id;
    *out_signature = STR_NONE;
    if (at >= id.n) return true;
    *out_id = arena_printf(x->arena, "%.*s\"", STR_ARG(str_head(id, at)));
    *out_signature = arena_printf(x->arena, "\"%.*s", STR_ARG(str_from(id, at + mark)));
    return (out_id->n && out_signature->n) || err_no_memory(x->err);
}

// --- tool calls ---

// The arguments as an object; a custom tool's input becomes {"input": …}.
static bool read_args(struct openai_reading *x, struct chat_part *part, struct str raw, bool custom) {
    if (!raw.p) {
        part->args = STR("{}");
        return true;
    }
    if (custom) {
        part->args = arena_printf(x->arena, "{\"input\":%.*s}", STR_ARG(raw));
        return part->args.n || err_no_memory(x->err);
    }
    if (raw.p[0] == '{') {
        part->args = raw;
        return true;
    }
    part->args_text = raw;
    return chat_args_of_text(raw, x->arena, &part->args, x->err);
}

static bool read_function(struct openai_reading *x, struct chat_part *part, struct str object, bool custom) {
    enum { NAME, ARGUMENTS, INPUT, COUNT };
    static const struct openai_member table[COUNT] = {
        [NAME] = {STR_INIT("name"), STRING, NULL},
        [ARGUMENTS] = {STR_INIT("arguments"), STRING | OBJECT, NULL},
        [INPUT] = {STR_INIT("input"), STRING, NULL},
    };
    struct str m[COUNT];
    if (!openai_members_of(x, object, table, COUNT, "messages[].tool_calls[].", m)) return false;
    if (!m[NAME].p) return openai_missing(x, STR("function.name"));
    part->name = m[NAME];
    return read_args(x, part, custom ? m[INPUT] : m[ARGUMENTS], custom);
}

static bool read_call(struct openai_reading *x, struct json_reader *r) {
    enum { ID, TYPE, FUNCTION, CUSTOM, INDEX, EXTRA, COUNT };
    static const struct openai_member table[COUNT] = {
        [ID] = {STR_INIT("id"), STRING, NULL},
        [TYPE] = {STR_INIT("type"), STRING, NULL},
        [FUNCTION] = {STR_INIT("function"), OBJECT, NULL},
        [CUSTOM] = {STR_INIT("custom"), OBJECT, NULL},
        [INDEX] = {STR_INIT("index"), 0, NULL},
        [EXTRA] = {STR_INIT("extra_content"), OBJECT, NULL},
    };
    struct str m[COUNT], signature;
    struct message *message = (struct message *)x;
    struct chat_part *part = openai_part_add(x, &message->calls);
    if (!part || !openai_members(x, r, table, COUNT, "messages[].tool_calls[].", m)) return false;
    bool custom = m[CUSTOM].p && !m[FUNCTION].p;
    if (!m[ID].p) return openai_missing(x, STR("id"));
    if (!m[FUNCTION].p && !custom) return openai_missing(x, STR("function"));
    part->kind = CHAT_TOOL_CALL;
    if (!openai_id_unpack(x, m[ID], &part->id, &part->signature)) return false;
    if (m[EXTRA].p && JSON_GET(m[EXTRA], &signature, STR("google"), STR("thought_signature")) &&
        json_raw_kind(signature) == JSON_STRING)
        part->signature = signature;
    return read_function(x, part, custom ? m[CUSTOM] : m[FUNCTION], custom);
}

static bool read_calls(struct openai_reading *x, struct json_reader *r) {
    enum json_kind kind;
    if (!json_enter_array(r)) return false;
    x->list = "tool_calls";
    for (x->element = 0; json_element(r, &kind); x->element++) {
        if (kind != JSON_OBJECT) return openai_wrong(x, STR(""), "must be an object");
        if (!read_call(x, r)) return false;
    }
    x->list = NULL;
    return json_ok(r);
}

static bool read_content_member(struct openai_reading *x, struct json_reader *r) {
    struct message *message = (struct message *)x;
    x->into = &message->content;
    return openai_read_content(x, r);
}

// --- a message ---

enum member {
    ROLE,
    CONTENT,
    NAME,
    REFUSAL,
    CALLS,
    CALL_ID,
    FUNCTION_CALL,
    AUDIO,
    REASONING_CONTENT,
    REASONING,
    DETAILS,
    BLOCKS,
    CACHE,
    ANNOTATIONS,
    CITATIONS,
    MEMBERS
};
static const struct openai_member k_message[MEMBERS] = {
    [ROLE] = {STR_INIT("role"), STRING, NULL},
    [CONTENT] = {STR_INIT("content"), STRING | ARRAY, read_content_member},
    [NAME] = {STR_INIT("name"), STRING, NULL},
    [REFUSAL] = {STR_INIT("refusal"), STRING, NULL},
    [CALLS] = {STR_INIT("tool_calls"), ARRAY, read_calls},
    [CALL_ID] = {STR_INIT("tool_call_id"), STRING, NULL},
    [FUNCTION_CALL] = {STR_INIT("function_call"), OBJECT, NULL},
    [AUDIO] = {STR_INIT("audio"), OBJECT, NULL},
    [REASONING_CONTENT] = {STR_INIT("reasoning_content"), STRING, NULL},
    [REASONING] = {STR_INIT("reasoning"), STRING, NULL},
    [DETAILS] = {STR_INIT("reasoning_details"), ARRAY, NULL},
    [BLOCKS] = {STR_INIT("thinking_blocks"), ARRAY, NULL},
    [CACHE] = {STR_INIT("cache_control"), OBJECT, NULL},
    [ANNOTATIONS] = {STR_INIT("annotations"), 0, NULL}, // of an answer that is sent back: they say nothing to a model
    [CITATIONS] = {STR_INIT("citations"), 0, NULL},
};

// The turns grow as the messages come; results of tools that follow each other share one.
struct turns {
    size_t cap;
    struct openai_part_list results;
    bool in_results;
    unsigned old_calls; // of "function_call", which have no ids
};

static struct chat_turn *turn_add(struct message *m, struct turns *t, enum chat_role role) {
    struct chat *c = m->x.chat;
    void *p = c->turns;
    if (!openai_grow(m->x.arena, &p, c->count, &t->cap, sizeof *c->turns)) {
        err_no_memory(m->x.err);
        return NULL;
    }
    c->turns = p;
    c->turns[c->count] = (struct chat_turn){.role = role};
    t->in_results = false;
    return &c->turns[c->count++];
}

static bool add_result(struct message *m, struct turns *t, struct str id) {
    struct str ignored;
    if (!t->in_results) {
        t->results = (struct openai_part_list){0};
        if (!turn_add(m, t, CHAT_USER)) return false;
        t->in_results = true;
    }
    struct chat_part *part = openai_part_add(&m->x, &t->results);
    if (!part || !openai_id_unpack(&m->x, id, &part->id, &ignored)) return false;
    part->kind = CHAT_TOOL_RESULT;
    part->parts = m->content.p;
    part->count = m->content.n;
    // What marks the content's end for a cache marks the result's.
    if (m->content.n) part->cache_control = m->content.p[m->content.n - 1].cache_control;
    struct chat_turn *turn = &m->x.chat->turns[m->x.chat->count - 1];
    turn->parts = t->results.p;
    turn->count = t->results.n;
    return true;
}

static bool append(struct message *m, struct openai_part_list *to, const struct openai_part_list *from) {
    for (size_t i = 0; i < from->n; i++) {
        if (from->p[i].kind == CHAT_TEXT && from->p[i].text.n == 2) continue; // "" beside calls
        struct chat_part *part = openai_part_add(&m->x, to);
        if (!part) return false;
        *part = from->p[i];
    }
    return true;
}

static struct str old_call_id(struct message *m, unsigned n) {
    return arena_printf(m->x.arena, "\"call_function_%u\"", n);
}

static bool add_assistant(struct message *m, struct turns *t, const struct str *f) {
    struct openai_part_list all = {0};
    struct str thoughts = f[REASONING_CONTENT].p ? f[REASONING_CONTENT] : f[REASONING];
    if (!openai_read_thoughts(&m->x, f[BLOCKS], f[DETAILS], thoughts, &all)) return false;
    if (!append(m, &all, &m->content)) return false;
    struct chat_part *part;
    struct str id;
    if (f[REFUSAL].n > 2) {
        if (!(part = openai_part_add(&m->x, &all))) return false;
        part->kind = CHAT_REFUSAL;
        part->text = f[REFUSAL];
    }
    if (f[AUDIO].p && JSON_GET(f[AUDIO], &id, STR("id")) && json_raw_kind(id) == JSON_STRING) {
        if (!(part = openai_part_add(&m->x, &all))) return false;
        part->kind = CHAT_AUDIO;
        part->media.file_id = id;
    }
    if (!append(m, &all, &m->calls)) return false;
    if (f[FUNCTION_CALL].p) {
        if (!(part = openai_part_add(&m->x, &all))) return false;
        part->kind = CHAT_TOOL_CALL;
        part->id = old_call_id(m, ++t->old_calls);
        if (!part->id.n) return err_no_memory(m->x.err);
        if (!read_function(&m->x, part, f[FUNCTION_CALL], false)) return false;
    }
    struct chat_turn *turn = turn_add(m, t, CHAT_ASSISTANT);
    if (!turn) return false;
    turn->name = f[NAME];
    turn->parts = all.p;
    turn->count = all.n;
    return true;
}

static bool add_plain(struct message *m, struct turns *t, enum chat_role role, struct str name) {
    for (size_t i = 0; role == CHAT_SYSTEM && i < m->content.n; i++)
        if (m->content.p[i].kind != CHAT_TEXT) return openai_wrong(&m->x, STR("content"), "must be text");
    struct chat_turn *turn = turn_add(m, t, role);
    if (!turn) return false;
    turn->name = name;
    turn->parts = m->content.p;
    turn->count = m->content.n;
    return true;
}

static bool add_message(struct message *m, struct turns *t, const struct str *f) {
    struct str role = f[ROLE];
    if (!role.p) return openai_missing(&m->x, STR("role"));
    if (f[CACHE].p && m->content.n) m->content.p[m->content.n - 1].cache_control = f[CACHE];
    if (json_string_eq(role, STR("assistant"))) return add_assistant(m, t, f);
    if (!m->content.p && !m->content.n) return openai_missing(&m->x, STR("content"));
    if (json_string_eq(role, STR("user"))) return add_plain(m, t, CHAT_USER, f[NAME]);
    if (json_string_eq(role, STR("system")) || json_string_eq(role, STR("developer")))
        return add_plain(m, t, CHAT_SYSTEM, f[NAME]);
    if (json_string_eq(role, STR("tool"))) {
        if (!f[CALL_ID].p) return openai_missing(&m->x, STR("tool_call_id"));
        return add_result(m, t, f[CALL_ID]);
    }
    if (json_string_eq(role, STR("function"))) {
        struct str id = old_call_id(m, t->old_calls);
        return id.n ? add_result(m, t, id) : err_no_memory(m->x.err);
    }
    return openai_wrong(&m->x, STR("role"), "is unknown");
}

bool openai_read_messages(struct openai_reading *x, struct json_reader *r) {
    struct turns turns = {0};
    enum json_kind kind;
    if (!json_enter_array(r)) return false;
    for (int i = 0; json_element(r, &kind); i++) {
        struct message m = {.x = *x};
        struct str f[MEMBERS];
        m.x.message = i;
        if (kind != JSON_OBJECT) return openai_wrong(&m.x, STR(""), "must be an object");
        if (!openai_members(&m.x, r, k_message, MEMBERS, "messages[].", f)) return false;
        if (!add_message(&m, &turns, f)) return false;
    }
    return json_ok(r);
}
