// What a step of a chain is asked, and what it answered.
#include "gateway/chain_impl.h"

#include "conf/step_template.h"
#include "gateway/translation.h"
#include "model/chat_collect.h"
#include "model/provider.h"

#define TEXT_MAX ((size_t)64 << 20)

// --- the conversation's texts ---

static void put_decoded(struct chain *c, struct buf *out, struct str json) {
    struct str text;
    if (json.p && json_string_text(json, &c->arena, &text)) buf_put(out, text);
}

static void put_texts(struct chain *c, struct buf *out, const struct chat_turn *turn) {
    bool any = false;
    for (size_t i = 0; i < turn->count; i++) {
        if (turn->parts[i].kind != CHAT_TEXT) continue;
        if (any) buf_lit(out, "\n");
        put_decoded(c, out, turn->parts[i].text);
        any = true;
    }
}

static bool has_text(const struct chat_turn *turn) {
    for (size_t i = 0; i < turn->count; i++)
        if (turn->parts[i].kind == CHAT_TEXT) return true;
    return false;
}

// The number of the user's last turn with a text; count: there is none.
static size_t last_of_user(const struct chat *chat) {
    for (size_t i = chat->count; i > 0; i--)
        if (chat->turns[i - 1].role == CHAT_USER && has_text(&chat->turns[i - 1])) return i - 1;
    return chat->count;
}

static void put_system(struct chain *c, struct buf *out, const struct chat *chat) {
    bool any = false;
    for (size_t i = 0; i < chat->count; i++) {
        if (chat->turns[i].role != CHAT_SYSTEM) continue;
        if (any) buf_lit(out, "\n");
        put_texts(c, out, &chat->turns[i]);
        any = true;
    }
}

static void put_name(struct chain *c, struct buf *out, const struct chat *chat, struct str name) {
    size_t last = last_of_user(chat);
    if (str_eq(name, STR("system"))) {
        put_system(c, out, chat);
    } else if (str_eq(name, STR("input"))) {
        if (last < chat->count) put_texts(c, out, &chat->turns[last]);
    } else {
        for (size_t i = 0; i < c->at; i++)
            if (str_eq(name, c->model->chain.p[i].name)) buf_put(out, c->steps[i].text);
    }
}

// A template as a JSON string.
static bool fill_in(struct chain *c, const struct chat *chat, struct str text, struct str *out_json, struct err *err) {
    BUF_AUTO struct buf made = BUF_INIT(TEXT_MAX);
    struct str piece, name;
    while (step_template_next(&text, &piece, &name)) {
        buf_put(&made, piece);
        if (name.p) put_name(c, &made, chat, name);
    }
    *out_json = made.failed ? STR_NONE : chat_quote(&c->arena, buf_str(&made));
    return out_json->p || err_set(err, ERR_BODY_TOO_LARGE, "the prompt of step \"%.*s\" would be too long",
                                  STR_ARG(c->model->chain.p[c->at].name));
}

// --- the turns ---

static bool text_turn(struct chain *c, enum chat_role role, struct str json, struct chat_turn *out) {
    struct chat_part *part = ARENA_NEW(&c->arena, struct chat_part);
    if (!part) return false;
    *part = (struct chat_part){.kind = CHAT_TEXT, .text = json};
    *out = (struct chat_turn){.role = role, .parts = part, .count = 1};
    return true;
}

// The same turn, with another text; what else it has stays.
static bool with_text(struct chain *c, const struct chat_turn *turn, struct str json, struct chat_turn *out) {
    struct chat_part *parts = ARENA_ARRAY(&c->arena, struct chat_part, turn->count + 1);
    size_t n = 0;
    if (!parts) return false;
    for (size_t i = 0; i < turn->count; i++)
        if (turn->parts[i].kind != CHAT_TEXT) parts[n++] = turn->parts[i];
    parts[n++] = (struct chat_part){.kind = CHAT_TEXT, .text = json};
    *out = (struct chat_turn){.role = turn->role, .name = turn->name, .parts = parts, .count = n};
    return true;
}

static bool put_conversation(struct chain *c, const struct chat *chat, struct str prompt, struct chat *out) {
    size_t last = prompt.p ? last_of_user(chat) : chat->count;
    for (size_t i = 0; i < chat->count; i++) {
        struct chat_turn *to = &out->turns[out->count++];
        if (i != last)
            *to = chat->turns[i];
        else if (!with_text(c, &chat->turns[i], prompt, to))
            return false;
    }
    return !prompt.p || last < chat->count || text_turn(c, CHAT_USER, prompt, &out->turns[out->count++]);
}

static bool put_turns(struct chain *c, const struct chat *chat, struct chat *out, struct err *err) {
    const struct conf_step *s = &c->model->chain.p[c->at];
    struct str system = STR_NONE, prompt = STR_NONE;
    struct str asked = s->prompt.n || s->conversation ? s->prompt : STR("{{input}}");
    if (s->system.n && !fill_in(c, chat, s->system, &system, err)) return false;
    if (asked.n && !fill_in(c, chat, asked, &prompt, err)) return false;
    out->turns = ARENA_ARRAY(&c->arena, struct chat_turn, chat->count + 2);
    out->count = 0;
    if (!out->turns) return err_no_memory(err);
    if (system.p && !text_turn(c, CHAT_SYSTEM, system, &out->turns[out->count++])) return err_no_memory(err);
    bool ok = s->conversation ? put_conversation(c, chat, prompt, out)
                              : text_turn(c, CHAT_USER, prompt, &out->turns[out->count++]);
    return ok || err_no_memory(err);
}

// How the client wants the answer is for the step that gives it; others speak among themselves.
static void put_wishes(const struct chain *c, const struct chat *chat, struct chat *out) {
    const struct conf_step *s = &c->model->chain.p[c->at];
    *out = (struct chat){.parallel_tools = -1, .output_strict = -1, .user = chat->user, .metadata = chat->metadata};
    if (c->at == c->model->chain_answer) {
        *out = *chat;
        out->choices = 0;
        out->other_count = 0;
        if (!s->conversation) {
            out->tools = NULL;
            out->tool_count = 0;
            out->tool_choice = CHAT_CHOICE_UNSET;
            out->parallel_tools = -1;
            out->cached_prefix = STR_NONE;
        }
    }
    if (s->max_tokens != OPT_UNSET) {
        uint64_t most = (uint64_t)s->max_tokens;
        out->max_output = out->max_output ? MIN(out->max_output, most) : most;
    }
}

bool chain_ask(struct chain *c, struct str model, bool stream, struct err *err) {
    const struct chat *chat;
    struct chat asked;
    struct chat_report report = {.count = 0};
    const struct chat_target target = {.model = model, .traits = provider_traits_get(PROVIDER_OPENAI)};
    if (!translation_chat(c->call, &chat, err)) return false;
    put_wishes(c, chat, &asked);
    if (!put_turns(c, chat, &asked, err)) return false;
    asked.stream = stream;
    buf_clear(&c->asked);
    if (!dialect_get(DIALECT_OPENAI)->write(&asked, &target, &c->arena, &c->asked, &report, err)) return false;
    return !c->asked.failed || err_no_memory(err);
}

// --- the answer ---

static bool put_part(struct chain *c, struct buf *out, struct str escaped) {
    BUF_AUTO struct buf json = BUF_INIT(TEXT_MAX);
    struct str text;
    buf_lit(&json, "\"");
    buf_put(&json, escaped);
    buf_lit(&json, "\"");
    if (json.failed || !json_string_text(buf_str(&json), &c->arena, &text)) return false;
    buf_put(out, text);
    return true;
}

bool chain_text(struct chain *c, struct str body, struct str *out_text) {
    BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
    struct chat_collect collect;
    struct chat_order order;
    struct err err;
    chat_collect_init(&collect, &c->arena, TEXT_MAX);
    chat_order_init(&order, &collect.sink, 1, TEXT_MAX);
    bool ok = dialect_get(DIALECT_OPENAI)->decode_answer(body, &c->arena, &order.sink, &err);
    if (ok) chat_order_end(&order);
    const struct chat_answer *a = ok && !collect.failed && !collect.has_failure ? chat_collect_answer(&collect) : NULL;
    bool any = false;
    for (size_t i = 0; a && i < a->count; i++) {
        any = any || a->parts[i].kind == CHAT_TOOL_CALL;
        if (a->parts[i].kind != CHAT_TEXT) continue;
        any = put_part(c, &text, a->parts[i].text) && a->parts[i].text.n;
    }
    *out_text = arena_str(&c->arena, buf_str(&text));
    chat_order_free(&order);
    chat_collect_free(&collect);
    return any && !text.failed && (out_text->p || !text.n);
}
