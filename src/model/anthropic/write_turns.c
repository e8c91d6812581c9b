// The turns of a conversation as Anthropic's messages: roles alternate, results come first, the first is the user's.
#include "model/anthropic/anthropic.h"

// --- where each turn goes ---

static bool fits(const struct chat_turn *turn) {
    for (size_t i = 0; i < turn->count; i++)
        if (anthropic_part_fits(&turn->parts[i])) return true;
    return false;
}

// A system message may stand where it is behind a message of the user's, before one of the assistant's or at the end.
static void place_system(struct anthropic_writing *x) {
    enum anthropic_place before = ANTHROPIC_SKIPPED;
    size_t count = x->chat->count;
    bool in_place = x->family->flags & ANTHROPIC_SYSTEM_TURNS;
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && (x->places[end] == ANTHROPIC_SYSTEM || x->places[end] == ANTHROPIC_SKIPPED)) end++;
        bool stays = in_place && before == ANTHROPIC_USER && (end == count || x->places[end] == ANTHROPIC_ASSISTANT);
        for (size_t k = i; k < end && stays; k++)
            if (x->places[k] == ANTHROPIC_SYSTEM) x->places[k] = ANTHROPIC_IN_PLACE;
        if (end < count) before = (enum anthropic_place)x->places[end];
        i = end + 1;
    }
}

bool anthropic_plan_turns(struct anthropic_writing *x) {
    static const enum anthropic_place k_places[] = {
        [CHAT_SYSTEM] = ANTHROPIC_SYSTEM, [CHAT_USER] = ANTHROPIC_USER, [CHAT_ASSISTANT] = ANTHROPIC_ASSISTANT};
    const struct chat *chat = x->chat;
    bool any = false, any_system = false;
    x->places = ARENA_ARRAY(x->arena, uint8_t, chat->count + 1);
    if (!x->places) return err_no_memory(x->err);
    for (size_t i = 0; i < chat->count; i++) {
        const struct chat_turn *turn = &chat->turns[i];
        if (turn->name.p) chat_drop(x->report, STR("messages[].name"));
        if (!fits(turn)) continue;
        x->places[i] = (uint8_t)k_places[turn->role];
        any = any || turn->role != CHAT_SYSTEM;
        any_system = any_system || turn->role == CHAT_SYSTEM;
    }
    if (!any && !any_system) {
        memcpy(x->err->param, "messages", sizeof "messages");
        err_set(x->err, ERR_INVALID_FIELD, "the messages have no content that this model's provider can be sent");
        memcpy(x->err->param, "messages", sizeof "messages");
        return false;
    }
    // There has to be a message: instructions alone are the user's.
    for (size_t i = 0; i < chat->count && !any; i++)
        if (x->places[i] == ANTHROPIC_SYSTEM) x->places[i] = ANTHROPIC_USER;
    if (any) place_system(x);
    return true;
}

// --- system ---

static void put_instruction(struct anthropic_writing *x) {
    static const struct str k_json =
        STR_INIT("Answer with one valid JSON object and nothing else: no text before or after it and no code fence.");
    BUF_AUTO struct buf b = BUF_INIT(x->chat->output_schema.n + 1024);
    buf_put(&b, k_json);
    if (x->chat->output == CHAT_OUTPUT_SCHEMA) {
        buf_lit(&b, " It must conform to this JSON schema: ");
        buf_put(&b, x->chat->output_schema);
    }
    json_put_object(&x->w);
    json_put_member_str(&x->w, STR("type"), STR("text"));
    json_put_member_str(&x->w, STR("text"), buf_str(&b));
    json_put_object_end(&x->w);
}

// The only text that there is, when it needs no block.
static struct str only_text(const struct anthropic_writing *x) {
    struct str text = STR_NONE;
    for (size_t t = 0; t < x->chat->count; t++) {
        const struct chat_turn *turn = &x->chat->turns[t];
        if (x->places[t] != ANTHROPIC_SYSTEM) continue;
        for (size_t i = 0; i < turn->count; i++) {
            if (!anthropic_part_fits(&turn->parts[i])) continue;
            if (text.p || turn->parts[i].kind != CHAT_TEXT || turn->parts[i].cache_control.p) return STR_NONE;
            text = turn->parts[i].text;
        }
    }
    return text;
}

// Texts only: pictures in instructions are not taken.
static void put_system_turn(struct anthropic_writing *x, const struct chat_turn *turn) {
    for (size_t i = 0; i < turn->count; i++) {
        if (turn->parts[i].kind == CHAT_TEXT)
            anthropic_put_part(x, &turn->parts[i], false);
        else
            chat_drop(x->report, STR("messages[].content[].image_url"));
    }
}

void anthropic_put_system(struct anthropic_writing *x) {
    bool any = x->instructs;
    struct str text = x->instructs ? STR_NONE : only_text(x);
    for (size_t t = 0; t < x->chat->count && !any; t++) any = x->places[t] == ANTHROPIC_SYSTEM;
    if (!any) return;
    if (text.p) {
        json_put_member_raw(&x->w, STR("system"), text);
        return;
    }
    json_put_member_array(&x->w, STR("system"));
    for (size_t t = 0; t < x->chat->count; t++)
        if (x->places[t] == ANTHROPIC_SYSTEM) put_system_turn(x, &x->chat->turns[t]);
    if (x->instructs) put_instruction(x);
    json_put_array_end(&x->w);
}

// --- messages ---

// Turns from `from` to before `to` that are one message.
struct run {
    size_t from, to;
    enum anthropic_place place;
    bool last;
};

static bool next_run(const struct anthropic_writing *x, size_t from, struct run *out) {
    size_t count = x->chat->count, i = from;
    while (i < count && (x->places[i] == ANTHROPIC_SKIPPED || x->places[i] == ANTHROPIC_SYSTEM)) i++;
    if (i == count) return false;
    *out = (struct run){.from = i, .to = i, .place = (enum anthropic_place)x->places[i]};
    for (; i < count; i++) {
        if (x->places[i] == ANTHROPIC_SKIPPED || x->places[i] == ANTHROPIC_SYSTEM) continue;
        if (x->places[i] != (uint8_t)out->place) break;
        out->to = i + 1;
    }
    out->last = i == count;
    return true;
}

typedef bool part_test(const struct chat_part *part);
static bool is_result(const struct chat_part *p) { return p->kind == CHAT_TOOL_RESULT; }
static bool is_thought(const struct chat_part *p) {
    return p->kind == CHAT_THINKING || p->kind == CHAT_REDACTED_THINKING;
}
static bool is_any(const struct chat_part *p) { return p != NULL; }

static const struct chat_part *last_part(const struct anthropic_writing *x, const struct run *run) {
    const struct chat_part *last = NULL;
    for (size_t t = run->from; t < run->to; t++) {
        if (x->places[t] != (uint8_t)run->place) continue;
        const struct chat_turn *turn = &x->chat->turns[t];
        for (size_t i = 0; i < turn->count; i++)
            if (anthropic_part_fits(&turn->parts[i])) last = &turn->parts[i];
    }
    return last;
}

// The parts that pass the test, or that do not.
static void put_parts(struct anthropic_writing *x, const struct run *run, part_test *test, bool wanted,
                      const struct chat_part *last) {
    for (size_t t = run->from; t < run->to; t++) {
        const struct chat_turn *turn = &x->chat->turns[t];
        if (x->places[t] != (uint8_t)run->place) continue;
        for (size_t i = 0; i < turn->count; i++)
            if (test(&turn->parts[i]) == wanted) anthropic_put_part(x, &turn->parts[i], &turn->parts[i] == last);
    }
}

// Thoughts come first in a turn; one that begins with them keeps its order, also of those between calls.
static bool begins_with_thought(const struct anthropic_writing *x, const struct run *run) {
    const struct chat_turn *turn = &x->chat->turns[run->from];
    for (size_t i = 0; i < turn->count; i++)
        if (anthropic_part_fits(&turn->parts[i])) return is_thought(&turn->parts[i]);
    return false;
}

static void put_run(struct anthropic_writing *x, const struct run *run) {
    static const struct str k_roles[] = {[ANTHROPIC_USER] = STR_INIT("user"),
                                         [ANTHROPIC_ASSISTANT] = STR_INIT("assistant"),
                                         [ANTHROPIC_IN_PLACE] = STR_INIT("system")};
    const struct chat_part *last = run->last && run->place == ANTHROPIC_ASSISTANT ? last_part(x, run) : NULL;
    json_put_object(&x->w);
    json_put_member_str(&x->w, STR("role"), k_roles[run->place]);
    json_put_member_array(&x->w, STR("content"));
    if (run->place == ANTHROPIC_IN_PLACE) {
        for (size_t t = run->from; t < run->to; t++)
            if (x->places[t] == ANTHROPIC_IN_PLACE) put_system_turn(x, &x->chat->turns[t]);
    } else if (run->place == ANTHROPIC_ASSISTANT && begins_with_thought(x, run)) {
        put_parts(x, run, is_any, true, last);
    } else {
        part_test *first = run->place == ANTHROPIC_USER ? is_result : is_thought;
        put_parts(x, run, first, true, last);
        put_parts(x, run, first, false, last);
    }
    json_put_array_end(&x->w);
    json_put_object_end(&x->w);
}

void anthropic_put_messages(struct anthropic_writing *x) {
    struct run run;
    bool first = true;
    json_put_member_array(&x->w, STR("messages"));
    for (size_t at = 0; next_run(x, at, &run); at = run.to) {
        // The first message has to be the user's.
        if (first && run.place == ANTHROPIC_ASSISTANT)
            json_put_raw(&x->w, STR("{\"role\":\"user\",\"content\":\"Continue.\"}"));
        first = false;
        put_run(x, &run);
    }
    json_put_array_end(&x->w);
}
