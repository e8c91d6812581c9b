// Content blocks in Bedrock's dialect.
#include "model/bedrock/bedrock.h"

#include "base/hash.h"

#include <inttypes.h>

#define MARKS_MAX 4
#define ID_MAX 64

static const struct {
    enum chat_part_kind kind;
    struct str mime, format;
} k_formats[] = {
    {CHAT_IMAGE, STR_INIT("image/png"), STR_INIT("png")},
    {CHAT_IMAGE, STR_INIT("image/jpeg"), STR_INIT("jpeg")},
    {CHAT_IMAGE, STR_INIT("image/jpg"), STR_INIT("jpeg")},
    {CHAT_IMAGE, STR_INIT("image/gif"), STR_INIT("gif")},
    {CHAT_IMAGE, STR_INIT("image/webp"), STR_INIT("webp")},
    {CHAT_FILE, STR_INIT("application/pdf"), STR_INIT("pdf")},
    {CHAT_FILE, STR_INIT("text/plain"), STR_INIT("txt")},
    {CHAT_FILE, STR_INIT("text/markdown"), STR_INIT("md")},
    {CHAT_FILE, STR_INIT("text/html"), STR_INIT("html")},
    {CHAT_FILE, STR_INIT("text/csv"), STR_INIT("csv")},
    {CHAT_FILE, STR_INIT("application/msword"), STR_INIT("doc")},
    {CHAT_FILE, STR_INIT("application/vnd.openxmlformats-officedocument.wordprocessingml.document"), STR_INIT("docx")},
    {CHAT_FILE, STR_INIT("application/vnd.ms-excel"), STR_INIT("xls")},
    {CHAT_FILE, STR_INIT("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), STR_INIT("xlsx")},
    {CHAT_VIDEO, STR_INIT("video/mp4"), STR_INIT("mp4")},
    {CHAT_VIDEO, STR_INIT("video/quicktime"), STR_INIT("mov")},
    {CHAT_VIDEO, STR_INIT("video/x-matroska"), STR_INIT("mkv")},
    {CHAT_VIDEO, STR_INIT("video/webm"), STR_INIT("webm")},
    {CHAT_VIDEO, STR_INIT("video/x-flv"), STR_INIT("flv")},
    {CHAT_VIDEO, STR_INIT("video/mpeg"), STR_INIT("mpeg")},
    {CHAT_VIDEO, STR_INIT("video/x-ms-wmv"), STR_INIT("wmv")},
    {CHAT_VIDEO, STR_INIT("video/3gpp"), STR_INIT("three_gp")},
    {CHAT_AUDIO, STR_INIT("audio/wav"), STR_INIT("wav")},
    {CHAT_AUDIO, STR_INIT("audio/x-wav"), STR_INIT("wav")},
    {CHAT_AUDIO, STR_INIT("audio/mpeg"), STR_INIT("mp3")},
    {CHAT_AUDIO, STR_INIT("audio/mp3"), STR_INIT("mp3")},
    {CHAT_AUDIO, STR_INIT("audio/flac"), STR_INIT("flac")},
    {CHAT_AUDIO, STR_INIT("audio/ogg"), STR_INIT("ogg")},
    {CHAT_AUDIO, STR_INIT("audio/opus"), STR_INIT("opus")},
    {CHAT_AUDIO, STR_INIT("audio/aac"), STR_INIT("aac")},
    {CHAT_AUDIO, STR_INIT("audio/mp4"), STR_INIT("m4a")},
    {CHAT_AUDIO, STR_INIT("audio/webm"), STR_INIT("webm")},
    {CHAT_AUDIO, STR_INIT("audio/pcm"), STR_INIT("pcm")},
};

static bool is_s3(struct str url) { return str_starts(chat_inner(url), STR("s3://")); }

static struct str format_of(const struct chat_part *p) {
    struct str mime = p->media.mime;
    if (p->kind == CHAT_FILE && p->media.text.p) return STR("txt");
    if (!mime.n && p->kind == CHAT_IMAGE) mime = chat_image_type(p->media.data);
    for (size_t i = 0; i < ARRAY_LEN(k_formats); i++)
        if (k_formats[i].kind == p->kind && str_eq_nocase(k_formats[i].mime, mime)) return k_formats[i].format;
    // A PDF is told by its first bytes.
    if (p->kind == CHAT_FILE && str_starts(p->media.data, STR("JVBERi0"))) return STR("pdf");
    return STR("");
}

static bool media_fits(const struct chat_part *p) {
    bool has_source =
        p->media.data.n || (p->kind == CHAT_FILE && p->media.text.p) || (p->media.url.p && is_s3(p->media.url));
    return has_source && format_of(p).n;
}

bool bedrock_part_fits(const struct bedrock_writer *b, const struct chat_part *p) {
    switch (p->kind) {
    case CHAT_TEXT:
    case CHAT_REFUSAL:
        return p->text.p && !chat_is_blank(p->text);
    case CHAT_IMAGE:
    case CHAT_AUDIO:
    case CHAT_VIDEO:
    case CHAT_FILE:
        return media_fits(p);
    case CHAT_TOOL_CALL:
    case CHAT_TOOL_RESULT:
        return true;
    case CHAT_THINKING:
    case CHAT_REDACTED_THINKING:
        return b->family == BEDROCK_CLAUDE && anthropic_part_fits(p);
    }
    return false;
}

static void report_unfit(struct bedrock_writer *b, const struct chat_part *p) {
    static const struct str names[] = {
        [CHAT_TEXT] = STR_INIT(""), // a blank one says nothing
        [CHAT_IMAGE] = STR_INIT("messages[].content[].image_url"),
        [CHAT_AUDIO] = STR_INIT("messages[].content[].input_audio"),
        [CHAT_VIDEO] = STR_INIT("messages[].content[].video"),
        [CHAT_FILE] = STR_INIT("messages[].content[].file"),
        [CHAT_THINKING] = STR_INIT("messages[].content[].thinking"),
        [CHAT_REDACTED_THINKING] = STR_INIT("messages[].content[].redacted_thinking"),
        [CHAT_REFUSAL] = STR_INIT(""),
    };
    if (names[p->kind].n) chat_drop(b->report, names[p->kind]);
}

void bedrock_put_cache_point(struct bedrock_writer *b, struct str cache_control) {
    struct str ttl;
    bool hour = JSON_GET(cache_control, &ttl, STR("ttl")) && json_string_eq(ttl, STR("1h"));
    if ((b->family != BEDROCK_CLAUDE && b->family != BEDROCK_NOVA) || b->marks == MARKS_MAX) {
        chat_drop(b->report, STR("cache_control"));
        return;
    }
    b->marks++;
    json_put_raw(&b->w, hour ? STR("{\"cachePoint\":{\"type\":\"default\",\"ttl\":\"1h\"}}")
                             : STR("{\"cachePoint\":{\"type\":\"default\"}}"));
}

// --- media ---

static void put_source(struct bedrock_writer *b, const struct chat_media *m) {
    json_put_member_object(&b->w, STR("source"));
    if (m->data.n) {
        json_put_member_str(&b->w, STR("bytes"), m->data);
    } else if (m->text.p) {
        json_put_member_raw(&b->w, STR("text"), m->text);
    } else {
        json_put_member_object(&b->w, STR("s3Location"));
        json_put_member_raw(&b->w, STR("uri"), m->url);
        json_put_object_end(&b->w);
    }
    json_put_object_end(&b->w);
}

// Letters, digits, single spaces, hyphens, parentheses and brackets; each document of a request another.
static void put_name(struct bedrock_writer *b, struct str json_name) {
    BUF_AUTO struct buf name = BUF_INIT(256);
    struct str text;
    if (json_name.p && json_string_text(json_name, b->arena, &text)) {
        text = str_head(text, 150);
        for (size_t i = 0; i < text.n; i++) {
            char c = text.p[i];
            bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            buf_putc(&name, plain || (c && strchr("()[]-", c)) ? c : '-');
        }
    }
    if (!name.n) buf_lit(&name, "document");
    if (b->documents++) buf_printf(&name, " %u", b->documents);
    json_put_member_str(&b->w, STR("name"), buf_str(&name));
}

static void put_media(struct bedrock_writer *b, const struct chat_part *p) {
    static const struct str names[] = {[CHAT_IMAGE] = STR_INIT("image"),
                                       [CHAT_AUDIO] = STR_INIT("audio"),
                                       [CHAT_VIDEO] = STR_INIT("video"),
                                       [CHAT_FILE] = STR_INIT("document")};
    json_put_member_object(&b->w, names[p->kind]);
    json_put_member_str(&b->w, STR("format"), format_of(p));
    if (p->kind == CHAT_FILE) put_name(b, p->media.name);
    put_source(b, &p->media);
    json_put_object_end(&b->w);
}

bool bedrock_put_content(struct bedrock_writer *b, const struct chat_part *p) {
    if (!bedrock_part_fits(b, p)) {
        report_unfit(b, p);
        return false;
    }
    json_put_object(&b->w);
    if (p->kind == CHAT_TEXT || p->kind == CHAT_REFUSAL)
        json_put_member_raw(&b->w, STR("text"), p->text);
    else
        put_media(b, p);
    json_put_object_end(&b->w);
    return true;
}

// --- calls, results, thoughts ---

// Letters, digits, '_' and '-', 64 at most; another id becomes one that is alike in call and result.
static void put_id(struct bedrock_writer *b, struct str id) {
    struct str text = chat_inner(id);
    bool fits = text.n && text.n <= ID_MAX;
    for (size_t i = 0; fits && i < text.n; i++) {
        char c = text.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        fits = plain || c == '_' || c == '-';
    }
    if (fits) {
        json_put_member_raw(&b->w, STR("toolUseId"), id);
        return;
    }
    char made[ID_MAX];
    int n =
        snprintf(made, sizeof made, "tooluse_%016" PRIx64 "%08" PRIx32, hash_bytes(text, 1), crc32c(0, text.p, text.n));
    json_put_member_str(&b->w, STR("toolUseId"), str_of(made, (size_t)n));
}

static void put_call(struct bedrock_writer *b, const struct chat_part *p) {
    b->any_tool_block = true;
    json_put_member_object(&b->w, STR("toolUse"));
    put_id(b, p->id);
    json_put_member_raw(&b->w, STR("name"), p->name);
    json_put_member_raw(&b->w, STR("input"), p->args);
    json_put_object_end(&b->w);
}

static void put_result(struct bedrock_writer *b, const struct chat_part *p) {
    bool any = false;
    b->any_tool_block = true;
    json_put_member_object(&b->w, STR("toolResult"));
    put_id(b, p->id);
    json_put_member_array(&b->w, STR("content"));
    for (size_t i = 0; i < p->count; i++) any = bedrock_put_content(b, &p->parts[i]) || any;
    // A blank text is refused, and so is nothing.
    if (!any) json_put_raw(&b->w, STR("{\"json\":{}}"));
    json_put_array_end(&b->w);
    if (p->is_error) json_put_member_str(&b->w, STR("status"), STR("error"));
    json_put_object_end(&b->w);
}

static void put_thoughts(struct bedrock_writer *b, const struct chat_part *p) {
    json_put_member_object(&b->w, STR("reasoningContent"));
    if (p->kind == CHAT_REDACTED_THINKING) {
        json_put_member_raw(&b->w, STR("redactedContent"), p->text);
    } else {
        json_put_member_object(&b->w, STR("reasoningText"));
        json_put_member_raw(&b->w, STR("text"), p->text.p ? p->text : STR("\"\""));
        json_put_member_raw(&b->w, STR("signature"), p->signature);
        json_put_object_end(&b->w);
    }
    json_put_object_end(&b->w);
}

void bedrock_put_part(struct bedrock_writer *b, const struct chat_part *p) {
    if (!bedrock_part_fits(b, p)) {
        report_unfit(b, p);
        return;
    }
    switch (p->kind) {
    case CHAT_TOOL_CALL:
    case CHAT_TOOL_RESULT:
    case CHAT_THINKING:
    case CHAT_REDACTED_THINKING:
        json_put_object(&b->w);
        if (p->kind == CHAT_TOOL_CALL)
            put_call(b, p);
        else if (p->kind == CHAT_TOOL_RESULT)
            put_result(b, p);
        else
            put_thoughts(b, p);
        json_put_object_end(&b->w);
        break;
    default:
        (void)bedrock_put_content(b, p);
    }
    if (p->cache_control.p) bedrock_put_cache_point(b, p->cache_control);
}
