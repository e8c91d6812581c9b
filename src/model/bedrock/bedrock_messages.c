// Messages in Bedrock's dialect: roles alternate, a user's comes first, and what answers the calls of one message comes
// in one.
#include "model/bedrock/bedrock.h"

static void close_message(struct bedrock_writer *b) {
    if (b->open_role < 0) return;
    json_put_array_end(&b->w);
    json_put_object_end(&b->w);
    b->open_role = -1;
}

static void open_message(struct bedrock_writer *b, enum chat_role role) {
    if (b->open_role == (int)role) return;
    close_message(b);
    if (!b->any_message && role == CHAT_ASSISTANT)
        json_put_raw(&b->w, STR("{\"role\":\"user\",\"content\":[{\"text\":\".\"}]}"));
    b->any_message = true;
    json_put_object(&b->w);
    json_put_member_str(&b->w, STR("role"), role == CHAT_ASSISTANT ? STR("assistant") : STR("user"));
    json_put_member_array(&b->w, STR("content"));
    b->open_role = (int)role;
}

static void put_parts(struct bedrock_writer *b, const struct chat_turn *turn, bool results) {
    for (size_t i = 0; i < turn->count; i++) {
        const struct chat_part *part = &turn->parts[i];
        if ((part->kind == CHAT_TOOL_RESULT) != results) continue;
        if (bedrock_part_fits(b, part)) open_message(b, turn->role);
        bedrock_put_part(b, part);
    }
}

void bedrock_put_messages(struct bedrock_writer *b) {
    const struct chat *c = b->chat;
    json_put_member_array(&b->w, STR("messages"));
    for (size_t from = 0, to; from < c->count; from = to) {
        enum chat_role role = c->turns[from].role;
        // Those of one role, system messages between them not counted.
        for (to = from; to < c->count && (c->turns[to].role == role || c->turns[to].role == CHAT_SYSTEM); to++)
            chat_drop_given(b->report, STR("messages[].name"), c->turns[to].name);
        if (role == CHAT_SYSTEM) continue;
        for (int results = 1; results >= 0; results--)
            for (size_t i = from; i < to; i++)
                if (c->turns[i].role == role) put_parts(b, &c->turns[i], results);
    }
    close_message(b);
    if (!b->any_message) json_put_raw(&b->w, STR("{\"role\":\"user\",\"content\":[{\"text\":\".\"}]}"));
    json_put_array_end(&b->w);
}

void bedrock_put_system(struct bedrock_writer *b) {
    const struct chat *c = b->chat;
    bool any = false;
    for (size_t t = 0; t < c->count; t++) {
        if (c->turns[t].role != CHAT_SYSTEM) continue;
        for (size_t i = 0; i < c->turns[t].count; i++) {
            const struct chat_part *p = &c->turns[t].parts[i];
            if (p->kind != CHAT_TEXT || !p->text.p || chat_is_blank(p->text)) continue;
            if (!any) json_put_member_array(&b->w, STR("system"));
            any = true;
            json_put_object(&b->w);
            json_put_member_raw(&b->w, STR("text"), p->text);
            json_put_object_end(&b->w);
            if (p->cache_control.p) bedrock_put_cache_point(b, p->cache_control);
        }
    }
    if (any) json_put_array_end(&b->w);
}
