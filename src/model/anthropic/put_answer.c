// A whole answer in Anthropic's dialect.
#include "model/anthropic/anthropic.h"

// Escaped once less: the arguments' text as the JSON object that it is; "{}" where it is none.
static void put_input(struct str escaped, struct buf *out) {
    BUF_AUTO struct buf quoted = BUF_INIT(escaped.n + 2), text = BUF_INIT(escaped.n + 2);
    struct err ignored;
    struct str args;
    buf_putc(&quoted, '"');
    buf_put(&quoted, escaped);
    buf_putc(&quoted, '"');
    if (quoted.failed || !json_string_decode(buf_str(&quoted), &text)) {
        buf_lit(out, "{}");
        return;
    }
    args = str_trim(buf_str(&text));
    if (!args.n) {
        buf_lit(out, "{}");
    } else if (args.p[0] == '{' && json_validate(args, 0, &ignored)) {
        buf_put(out, args);
    } else { // cut off at max_tokens, say: nothing is lost
        buf_lit(out, "{\"_invalid\":\"");
        buf_put(out, escaped);
        buf_lit(out, "\"}");
    }
}

static void put_part(const struct chat_answer_part *p, unsigned index, const struct chat_reply *reply,
                     struct buf *out) {
    switch (p->kind) {
    case CHAT_TOOL_CALL:
        buf_lit(out, "{\"type\":\"tool_use\",\"id\":\"");
        anthropic_put_call_id(p->id, reply, index, out);
        buf_lit(out, "\",\"name\":\"");
        buf_put(out, p->name);
        buf_lit(out, "\",\"input\":");
        put_input(p->text, out);
        break;
    case CHAT_THINKING:
        buf_lit(out, "{\"type\":\"thinking\",\"thinking\":\"");
        buf_put(out, p->text);
        buf_lit(out, "\",\"signature\":\"");
        buf_put(out, p->signature);
        buf_putc(out, '"');
        break;
    case CHAT_REDACTED_THINKING:
        buf_lit(out, "{\"type\":\"redacted_thinking\",\"data\":\"");
        buf_put(out, p->text);
        buf_putc(out, '"');
        break;
    case CHAT_IMAGE: // as a picture in Markdown
        buf_lit(out, "{\"type\":\"text\",\"text\":\"![image](data:");
        buf_put(out, p->mime.n ? p->mime : STR("image/png"));
        buf_lit(out, ";base64,");
        buf_put(out, p->text);
        buf_lit(out, ")\"");
        break;
    default:
        buf_lit(out, "{\"type\":\"text\",\"text\":\"");
        buf_put(out, p->text);
        buf_putc(out, '"');
        if (p->citations.n) {
            buf_lit(out, ",\"citations\":[");
            buf_put(out, p->citations);
            buf_putc(out, ']');
        }
        break;
    }
    buf_putc(out, '}');
}

void anthropic_put_answer(const struct chat_answer *answer, const struct chat_reply *reply, struct buf *out) {
    bool called = false;
    unsigned n = 0;
    buf_lit(out, "{\"id\":\"msg_");
    json_escape_put(out, reply->id);
    buf_lit(out, "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"");
    json_escape_put(out, reply->model);
    buf_lit(out, "\",\"content\":[");
    for (size_t i = 0; i < answer->count; i++) {
        const struct chat_answer_part *p = &answer->parts[i];
        // There is no block for sound.
        if (p->choice || p->kind == CHAT_AUDIO || p->kind == CHAT_VIDEO || p->kind == CHAT_FILE) continue;
        if (n) buf_putc(out, ',');
        put_part(p, n++, reply, out);
        called = called || p->kind == CHAT_TOOL_CALL;
    }
    buf_lit(out, "],\"stop_reason\":\"");
    buf_put(out, anthropic_stop_reason(answer->finish[0], called));
    buf_lit(out, "\",\"stop_sequence\":");
    if (answer->finish[0] == CHAT_FINISH_STOP_SEQUENCE && answer->stop_sequence.n) {
        buf_putc(out, '"');
        buf_put(out, answer->stop_sequence);
        buf_putc(out, '"');
    } else {
        buf_lit(out, "null");
    }
    buf_lit(out, ",\"usage\":");
    anthropic_put_usage(&answer->usage, out);
    buf_putc(out, '}');
}
