// Tools in Bedrock's dialect.
#include "model/bedrock/bedrock.h"

static void put_tool(struct bedrock_writer *b, struct str name, const struct chat_tool *tool) {
    struct str schema = tool && tool->schema.p ? tool->schema : CHAT_EMPTY_SCHEMA;
    json_put_object(&b->w);
    json_put_member_object(&b->w, STR("toolSpec"));
    json_put_member_raw(&b->w, STR("name"), name);
    if (tool && tool->description.p && !chat_is_blank(tool->description))
        json_put_member_raw(&b->w, STR("description"), tool->description);
    json_put_member_object(&b->w, STR("inputSchema"));
    json_put_member_raw(&b->w, STR("json"), schema);
    json_put_object_end(&b->w);
    if (tool && tool->strict == 1) json_put_member_bool(&b->w, STR("strict"), true);
    json_put_object_end(&b->w);
    json_put_object_end(&b->w);
    if (tool && tool->cache_control.p) bedrock_put_cache_point(b, tool->cache_control);
}

// Bedrock refuses calls and results among the messages when it is told of no tools: those that were called then.
static void put_called_tools(struct bedrock_writer *b) {
    struct map seen;
    map_init(&seen, (uint64_t)(uintptr_t)b->chat ^ b->chat->count);
    for (size_t t = 0; t < b->chat->count; t++) {
        struct chat_turn *turn = &b->chat->turns[t];
        for (size_t i = 0; i < turn->count; i++) {
            struct chat_part *p = &turn->parts[i];
            if (p->kind != CHAT_TOOL_CALL || map_get(&seen, p->name) || !map_put(&seen, p->name, p)) continue;
            put_tool(b, p->name, NULL);
        }
    }
    if (!seen.n) put_tool(b, STR("\"unknown\""), NULL);
    map_free(&seen);
}

static void put_choice(struct bedrock_writer *b) {
    const struct chat *c = b->chat;
    if (c->tool_choice == CHAT_CHOICE_UNSET) return;
    if (c->tool_choice == CHAT_CHOICE_NONE) { // there is no word for it
        chat_drop(b->report, STR("tool_choice"));
        return;
    }
    json_put_member_object(&b->w, STR("toolChoice"));
    if (c->tool_choice == CHAT_CHOICE_ONE) {
        json_put_member_object(&b->w, STR("tool"));
        json_put_member_raw(&b->w, STR("name"), c->tool_choice_name);
    } else {
        json_put_member_object(&b->w, c->tool_choice == CHAT_CHOICE_ANY ? STR("any") : STR("auto"));
    }
    json_put_object_end(&b->w);
    json_put_object_end(&b->w);
}

// The answer as the arguments of a call that has to be made.
static void put_json_tool(struct bedrock_writer *b) {
    const struct chat_tool tool = {.description = STR("\"Gives the answer\""), .schema = b->chat->output_schema};
    json_put_member_object(&b->w, STR("toolConfig"));
    json_put_member_array(&b->w, STR("tools"));
    put_tool(b, STR("\"" ANTHROPIC_JSON_TOOL "\""), &tool);
    json_put_array_end(&b->w);
    json_put_member_raw(&b->w, STR("toolChoice"), STR("{\"tool\":{\"name\":\"" ANTHROPIC_JSON_TOOL "\"}}"));
    json_put_object_end(&b->w);
}

void bedrock_put_tools(struct bedrock_writer *b) {
    const struct chat *c = b->chat;
    size_t own = 0;
    if (b->claude.json_tool) {
        put_json_tool(b);
        return;
    }
    for (size_t i = 0; i < c->tool_count; i++) {
        own += !c->tools[i].hosted.p;
        if (c->tools[i].hosted.p) chat_drop(b->report, STR("tools[]"));
    }
    // Who may not call need not know of the tools, unless the messages speak of them.
    if (c->tool_choice == CHAT_CHOICE_NONE && !b->any_tool_block) return;
    if (!own && !b->any_tool_block) return;
    json_put_member_object(&b->w, STR("toolConfig"));
    json_put_member_array(&b->w, STR("tools"));
    for (size_t i = 0; i < c->tool_count; i++)
        if (!c->tools[i].hosted.p) put_tool(b, c->tools[i].name, &c->tools[i]);
    if (!own) put_called_tools(b);
    json_put_array_end(&b->w);
    if (own) put_choice(b);
    json_put_object_end(&b->w);
}
