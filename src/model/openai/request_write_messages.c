// Turns written as messages.
//
// Results of tools become messages of their own, which must follow the calls at once: what a result holds besides text
// follows them in a user's message. OpenAI takes ids of calls of up to 40 bytes, Mistral of 9 letters and digits:
// others become such, each the same wherever it stands.
#include "base/hash.h"
#include "base/json_write.h"
#include "base/text.h"
#include "model/chat_scan.h"
#include "model/openai/openai.h"

static bool keeps_marks(const struct openai_writing *x) { return x->vendor.kind == PROVIDER_OPENROUTER; }

static void note_mark(struct openai_writing *x, const struct chat_part *p) {
    if (p->cache_control.p && !keeps_marks(x)) chat_drop(x->report, STR("cache_control"));
    if (p->citations.p) chat_drop(x->report, STR("citations"));
}

static void put_mark(struct openai_writing *x, const struct chat_part *p) {
    note_mark(x, p);
    if (p->cache_control.p && keeps_marks(x)) json_put_member_raw(x->w, STR("cache_control"), p->cache_control);
}

static void put_type(struct openai_writing *x, struct str type) {
    json_put_object(x->w);
    json_put_member_str(x->w, STR("type"), type);
}

static void put_text_part(struct openai_writing *x, const struct chat_part *p, struct str raw) {
    put_type(x, STR("text"));
    json_put_member_raw(x->w, STR("text"), raw);
    put_mark(x, p);
    json_put_object_end(x->w);
}

// --- media ---

// "key": the URL, or the data as one.
static void put_url(struct openai_writing *x, struct str key, const struct chat_media *m, struct str otherwise) {
    json_put_key(x->w, key);
    if (m->url.p) {
        json_put_raw(x->w, m->url);
        return;
    }
    // Through the writer for its commas, then on into the same string.
    json_put_raw(x->w, STR("\"data:"));
    json_escape_put(x->w->out, m->mime.n ? m->mime : otherwise);
    buf_lit(x->w->out, ";base64,");
    json_escape_put(x->w->out, m->data); // which may be anything
    buf_putc(x->w->out, '"');
}

static void put_url_part(struct openai_writing *x, const struct chat_part *p, struct str type, struct str otherwise) {
    put_type(x, type);
    json_put_member_object(x->w, type);
    put_url(x, STR("url"), &p->media, otherwise);
    if (p->media.detail.p) json_put_member_raw(x->w, STR("detail"), p->media.detail);
    json_put_object_end(x->w);
    put_mark(x, p);
    json_put_object_end(x->w);
}

static void put_image(struct openai_writing *x, const struct chat_part *p) {
    struct str looks = p->media.mime.n ? STR("") : chat_image_type(p->media.data);
    put_url_part(x, p, STR("image_url"), looks.n ? looks : STR("image/png"));
}

static void put_audio(struct openai_writing *x, const struct chat_part *p) {
    struct str format = p->media.mime;
    if (!p->media.data.p) {
        put_url_part(x, p, STR("audio_url"), STR("audio/wav"));
        return;
    }
    if (str_starts(format, STR("audio/"))) format = str_from(format, 6);
    if (str_eq(format, STR("mpeg"))) format = STR("mp3");
    if (str_eq(format, STR("x-wav")) || str_eq(format, STR("wave")) || !format.n) format = STR("wav");
    put_type(x, STR("input_audio"));
    json_put_member_object(x->w, STR("input_audio"));
    json_put_key(x->w, STR("data"));
    json_put_str(x->w, p->media.data);
    json_put_member_str(x->w, STR("format"), format);
    json_put_object_end(x->w);
    json_put_object_end(x->w);
}

// A document as text: its title, then what it says.
static void put_document(struct openai_writing *x, const struct chat_part *p) {
    if (p->media.name.n > 2) put_text_part(x, &(struct chat_part){.kind = CHAT_TEXT}, p->media.name);
    put_text_part(x, p, p->media.text);
}

static void put_file(struct openai_writing *x, const struct chat_part *p) {
    const struct chat_media *m = &p->media;
    if (m->text.p) {
        put_document(x, p);
        return;
    }
    if (x->vendor.kind == PROVIDER_MISTRAL && !m->file_id.p) {
        put_type(x, STR("document_url"));
        put_url(x, STR("document_url"), m, STR("application/pdf"));
        json_put_object_end(x->w);
        return;
    }
    put_type(x, STR("file"));
    json_put_member_object(x->w, STR("file"));
    if (m->file_id.p) {
        json_put_member_raw(x->w, STR("file_id"), m->file_id);
    } else {
        json_put_member_raw(x->w, STR("filename"), m->name.p ? m->name : STR("\"document.pdf\""));
        put_url(x, STR("file_data"), m, STR("application/pdf"));
    }
    json_put_object_end(x->w);
    put_mark(x, p);
    json_put_object_end(x->w);
}

static void put_part(struct openai_writing *x, const struct chat_part *p) {
    switch (p->kind) {
    case CHAT_TEXT:
    case CHAT_REFUSAL:
        put_text_part(x, p, p->text);
        break;
    case CHAT_IMAGE:
        if (p->media.file_id.p && !p->media.url.p && !p->media.data.p)
            put_file(x, p);
        else
            put_image(x, p);
        break;
    case CHAT_AUDIO:
        put_audio(x, p);
        break;
    case CHAT_VIDEO:
        put_url_part(x, p, STR("video_url"), STR("video/mp4"));
        break;
    case CHAT_FILE:
        put_file(x, p);
        break;
    case CHAT_TOOL_CALL:
    case CHAT_TOOL_RESULT:
    case CHAT_THINKING:
    case CHAT_REDACTED_THINKING:
        break;
    }
}

// --- texts ---

static bool is_kind(const struct chat_part *p, unsigned kinds) { return kinds >> p->kind & 1; }
#define KIND(k) (1u << (k))
#define SPEECH (KIND(CHAT_TEXT) | KIND(CHAT_REFUSAL))
#define MEDIA (KIND(CHAT_IMAGE) | KIND(CHAT_AUDIO) | KIND(CHAT_VIDEO) | KIND(CHAT_FILE))

static size_t count_kinds(const struct chat_part *parts, size_t n, unsigned kinds) {
    size_t found = 0;
    for (size_t i = 0; i < n; i++) found += is_kind(&parts[i], kinds);
    return found;
}

// The texts of some parts as one string.
static void put_joined(struct openai_writing *x, const struct chat_part *parts, size_t n, unsigned kinds,
                       struct str between) {
    bool any = false;
    json_put_raw(x->w, STR("\""));
    for (size_t i = 0; i < n; i++) {
        if (!is_kind(&parts[i], kinds) || parts[i].text.n < 2) continue;
        if (any) buf_put(x->w->out, between);
        any = true;
        buf_put(x->w->out, chat_inner(parts[i].text));
        note_mark(x, &parts[i]);
    }
    buf_putc(x->w->out, '"');
}

static bool has_mark(const struct openai_writing *x, const struct chat_part *parts, size_t n) {
    for (size_t i = 0; keeps_marks(x) && i < n; i++)
        if (parts[i].cache_control.p) return true;
    return false;
}

// The content of a user or a system: a string where that says all, else a list.
static void put_content(struct openai_writing *x, const struct chat_turn *t, unsigned kinds) {
    size_t texts = count_kinds(t->parts, t->count, SPEECH & kinds), all = count_kinds(t->parts, t->count, kinds);
    bool system = t->role == CHAT_SYSTEM;
    bool flat = x->vendor.flat || (system && !x->vendor.inventor && !keeps_marks(x));
    json_put_key(x->w, STR("content"));
    if (texts == all && (all <= 1 || flat) && !has_mark(x, t->parts, t->count)) {
        put_joined(x, t->parts, t->count, kinds, STR("\\n\\n"));
        return;
    }
    json_put_array(x->w);
    for (size_t i = 0; i < t->count; i++)
        if (is_kind(&t->parts[i], kinds)) put_part(x, &t->parts[i]);
    json_put_array_end(x->w);
}

static void open_message(struct openai_writing *x, struct str role) {
    json_put_object(x->w);
    json_put_member_str(x->w, STR("role"), role);
}

static void put_name(struct openai_writing *x, struct str name) {
    if (!name.p) return;
    if (openai_vendor_refuses(&x->vendor, STR("name")))
        chat_drop(x->report, STR("messages[].name"));
    else
        json_put_member_raw(x->w, STR("name"), name);
}

// --- calls and results ---

static bool short_word(struct str id, size_t n) {
    if (id.n != n) return false;
    for (size_t i = 0; i < n; i++) {
        char c = id.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) return false;
    }
    return true;
}

static void put_id(struct openai_writing *x, struct str key, struct str raw) {
    char made[5 + BASE32_U64_LEN] = "call_";
    struct str id = chat_inner(raw);
    bool mistral = x->vendor.kind == PROVIDER_MISTRAL;
    if (mistral ? short_word(id, 9) : id.n <= 40 || !x->vendor.inventor) {
        json_put_member_raw(x->w, key, raw);
        return;
    }
    base32_u64(made + 5, hash_bytes(id, 4));
    json_put_member_str(x->w, key, mistral ? str_of(made + 5 + BASE32_U64_LEN - 9, 9) : str_of(made, sizeof made));
}

static void put_call(struct openai_writing *x, const struct chat_part *p) {
    struct json_writer *w = x->w;
    note_mark(x, p);
    json_put_object(w);
    put_id(x, STR("id"), p->id);
    json_put_member_str(w, STR("type"), STR("function"));
    json_put_member_object(w, STR("function"));
    json_put_member_raw(w, STR("name"), p->name);
    if (p->args_text.p)
        json_put_member_raw(w, STR("arguments"), p->args_text.n > 2 ? p->args_text : STR("\"{}\""));
    else
        json_put_member_str(w, STR("arguments"), p->args);
    json_put_object_end(w);
    if (p->signature.p && x->vendor.kind == PROVIDER_GEMINI) {
        json_put_member_object(w, STR("extra_content"));
        json_put_member_object(w, STR("google"));
        json_put_member_raw(w, STR("thought_signature"), p->signature);
        json_put_object_end(w);
        json_put_object_end(w);
    }
    json_put_object_end(w);
}

static void put_result(struct openai_writing *x, const struct chat_part *p) {
    open_message(x, STR("tool"));
    put_id(x, STR("tool_call_id"), p->id);
    json_put_key(x->w, STR("content"));
    put_joined(x, p->parts, p->count, SPEECH, STR("\\n"));
    json_put_object_end(x->w);
    note_mark(x, p);
    if (p->is_error) chat_drop(x->report, STR("is_error"));
}

// Pictures and files of results, which results cannot hold here, after a word on whose they are.
static void put_result_media(struct openai_writing *x, const struct chat_part *p) {
    if (!count_kinds(p->parts, p->count, MEDIA)) return;
    put_type(x, STR("text"));
    json_put_key(x->w, STR("text"));
    json_put_raw(x->w, STR("\"Returned by tool call "));
    buf_put(x->w->out, chat_inner(p->id));
    buf_lit(x->w->out, ":\"");
    json_put_object_end(x->w);
    for (size_t i = 0; i < p->count; i++)
        if (is_kind(&p->parts[i], MEDIA)) put_part(x, &p->parts[i]);
}

static void put_user(struct openai_writing *x, const struct chat_turn *t) {
    bool media = false, results = false;
    for (size_t i = 0; i < t->count; i++) {
        if (t->parts[i].kind != CHAT_TOOL_RESULT) continue;
        results = true;
        put_result(x, &t->parts[i]);
        media |= count_kinds(t->parts[i].parts, t->parts[i].count, MEDIA) > 0;
    }
    bool rest = count_kinds(t->parts, t->count, SPEECH | MEDIA) > 0;
    if (results && !media && !rest) return;
    open_message(x, STR("user"));
    put_name(x, t->name);
    if (media) {
        json_put_member_array(x->w, STR("content"));
        for (size_t i = 0; i < t->count; i++)
            if (t->parts[i].kind == CHAT_TOOL_RESULT) put_result_media(x, &t->parts[i]);
        for (size_t i = 0; i < t->count; i++)
            if (is_kind(&t->parts[i], SPEECH | MEDIA)) put_part(x, &t->parts[i]);
        json_put_array_end(x->w);
    } else {
        put_content(x, t, SPEECH | MEDIA);
    }
    json_put_object_end(x->w);
}

// --- the assistant ---

static void put_details(struct openai_writing *x, const struct chat_turn *t) {
    json_put_member_array(x->w, STR("reasoning_details"));
    for (size_t i = 0; i < t->count; i++) {
        const struct chat_part *p = &t->parts[i];
        if (p->kind != CHAT_THINKING && p->kind != CHAT_REDACTED_THINKING) continue;
        bool plain = p->kind == CHAT_THINKING;
        put_type(x, plain ? STR("reasoning.text") : STR("reasoning.encrypted"));
        json_put_member_raw(x->w, plain ? STR("text") : STR("data"), p->text);
        bool sealed = p->signature.p && !chat_is_sealed_by_openai(p->signature);
        if (sealed) json_put_member_raw(x->w, STR("signature"), p->signature);
        if (sealed || !plain) json_put_member_str(x->w, STR("format"), STR("anthropic-claude-v1"));
        json_put_object_end(x->w);
    }
    json_put_array_end(x->w);
}

static void put_thoughts(struct openai_writing *x, const struct chat_turn *t) {
    size_t plain = count_kinds(t->parts, t->count, KIND(CHAT_THINKING));
    size_t hidden = count_kinds(t->parts, t->count, KIND(CHAT_REDACTED_THINKING));
    if (!plain && !hidden) return;
    if (x->vendor.kind == PROVIDER_OPENROUTER) {
        put_details(x, t);
        return;
    }
    if (hidden || !x->vendor.thoughts.n) chat_drop(x->report, STR("messages[].thinking"));
    if (!plain || !x->vendor.thoughts.n) return;
    // DeepSeek wants them back where tools were called, and nowhere else.
    bool calls = count_kinds(t->parts, t->count, KIND(CHAT_TOOL_CALL)) > 0;
    if (x->vendor.kind == PROVIDER_DEEPSEEK && !calls) return;
    json_put_key(x->w, x->vendor.thoughts);
    put_joined(x, t->parts, t->count, KIND(CHAT_THINKING), STR("\\n\\n"));
}

// What an assistant has said aloud goes back by its id; other media of its own cannot be sent.
static void put_own_media(struct openai_writing *x, const struct chat_turn *t) {
    bool told = false;
    for (size_t i = 0; i < t->count; i++) {
        const struct chat_part *p = &t->parts[i];
        if (!is_kind(p, MEDIA)) continue;
        if (told || p->kind != CHAT_AUDIO || !p->media.file_id.p || !x->vendor.inventor) {
            chat_drop(x->report, STR("messages[].content"));
            continue;
        }
        told = true;
        json_put_member_object(x->w, STR("audio"));
        json_put_member_raw(x->w, STR("id"), p->media.file_id);
        json_put_object_end(x->w);
    }
}

static void put_assistant(struct openai_writing *x, const struct chat_turn *t) {
    unsigned spoken = x->vendor.inventor ? KIND(CHAT_TEXT) : SPEECH;
    size_t texts = count_kinds(t->parts, t->count, spoken);
    size_t calls = count_kinds(t->parts, t->count, KIND(CHAT_TOOL_CALL));
    size_t refusals = x->vendor.inventor ? count_kinds(t->parts, t->count, KIND(CHAT_REFUSAL)) : 0;
    open_message(x, STR("assistant"));
    put_name(x, t->name);
    json_put_key(x->w, STR("content"));
    if (texts && has_mark(x, t->parts, t->count)) {
        json_put_array(x->w);
        for (size_t i = 0; i < t->count; i++)
            if (is_kind(&t->parts[i], spoken)) put_part(x, &t->parts[i]);
        json_put_array_end(x->w);
    } else if (texts || (!calls && !refusals)) {
        put_joined(x, t->parts, t->count, spoken, STR(""));
    } else {
        json_put_null(x->w);
    }
    if (refusals) {
        json_put_key(x->w, STR("refusal"));
        put_joined(x, t->parts, t->count, KIND(CHAT_REFUSAL), STR(""));
    }
    put_thoughts(x, t);
    put_own_media(x, t);
    if (calls) {
        json_put_member_array(x->w, STR("tool_calls"));
        for (size_t i = 0; i < t->count; i++)
            if (t->parts[i].kind == CHAT_TOOL_CALL) put_call(x, &t->parts[i]);
        json_put_array_end(x->w);
    }
    json_put_object_end(x->w);
}

void openai_write_messages(struct openai_writing *x) {
    json_put_member_array(x->w, STR("messages"));
    for (size_t i = 0; i < x->chat->count; i++) {
        const struct chat_turn *t = &x->chat->turns[i];
        switch (t->role) {
        case CHAT_SYSTEM:
            open_message(x, STR("system"));
            put_name(x, t->name);
            put_content(x, t, SPEECH);
            json_put_object_end(x->w);
            break;
        case CHAT_USER:
            put_user(x, t);
            break;
        case CHAT_ASSISTANT:
            put_assistant(x, t);
            break;
        }
    }
    json_put_array_end(x->w);
}
