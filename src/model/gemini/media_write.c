// Images, sound, films and documents as parts in Google's dialect.
#include "model/gemini/gemini.h"

static bool media_fault(struct gemini_write *w, const char *what) {
    static const char param[] = "messages[].content";
    err_set(w->err, ERR_INVALID_FIELD, "%s", what);
    memcpy(w->err->param, param, sizeof param);
    return false;
}

// By the first bytes, in base64.
static struct str mime_of_data(struct str data) {
    static const struct {
        struct str head, mime;
    } known[] = {
        {STR_INIT("iVBORw0KGgo"), STR_INIT("image/png")},   {STR_INIT("/9j/"), STR_INIT("image/jpeg")},
        {STR_INIT("R0lGOD"), STR_INIT("image/gif")},        {STR_INIT("UklGR"), STR_INIT("image/webp")},
        {STR_INIT("JVBERi0"), STR_INIT("application/pdf")}, {STR_INIT("SUQz"), STR_INIT("audio/mp3")},
        {STR_INIT("T2dnUw"), STR_INIT("audio/ogg")},        {STR_INIT("ZkxhQ"), STR_INIT("audio/flac")},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_starts(data, known[i].head)) return known[i].mime;
    return STR("");
}

static struct str mime_of_kind(enum chat_part_kind kind) {
    if (kind == CHAT_IMAGE) return STR("image/jpeg");
    if (kind == CHAT_AUDIO) return STR("audio/wav");
    if (kind == CHAT_VIDEO) return STR("video/mp4");
    return STR("application/pdf");
}

// By the last part of an address' path.
static struct str mime_of_url(struct str url) {
    static const struct {
        struct str end, mime;
    } known[] = {
        {STR_INIT(".png"), STR_INIT("image/png")},       {STR_INIT(".jpg"), STR_INIT("image/jpeg")},
        {STR_INIT(".jpeg"), STR_INIT("image/jpeg")},     {STR_INIT(".webp"), STR_INIT("image/webp")},
        {STR_INIT(".gif"), STR_INIT("image/gif")},       {STR_INIT(".heic"), STR_INIT("image/heic")},
        {STR_INIT(".pdf"), STR_INIT("application/pdf")}, {STR_INIT(".mp3"), STR_INIT("audio/mp3")},
        {STR_INIT(".wav"), STR_INIT("audio/wav")},       {STR_INIT(".ogg"), STR_INIT("audio/ogg")},
        {STR_INIT(".flac"), STR_INIT("audio/flac")},     {STR_INIT(".mp4"), STR_INIT("video/mp4")},
        {STR_INIT(".mov"), STR_INIT("video/quicktime")}, {STR_INIT(".webm"), STR_INIT("video/webm")},
        {STR_INIT(".txt"), STR_INIT("text/plain")},      {STR_INIT(".csv"), STR_INIT("text/csv")},
    };
    struct str path = str_head(url, MIN(str_find_char(url, '?'), str_find_char(url, '#')));
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (path.n > known[i].end.n && str_eq_nocase(str_from(path, path.n - known[i].end.n), known[i].end))
            return known[i].mime;
    return STR("");
}

static bool is_on_youtube(struct str url) {
    return str_find(str_head(url, 40), STR("youtube.com/")) < MIN(url.n, (size_t)40) ||
           str_find(str_head(url, 40), STR("youtu.be/")) < MIN(url.n, (size_t)40);
}

static bool put_uri(struct gemini_write *w, const struct chat_part *part, struct str uri) {
    struct str url, mime = part->media.mime;
    static const struct str k_files = STR_INIT("https://generativelanguage.googleapis.com/");
    if (!json_string_text(uri, w->arena, &url)) return err_no_memory(w->err);
    bool of_google = str_starts(url, STR("gs://")) || str_starts(url, k_files) || is_on_youtube(url);
    bool web = str_starts(url, STR("https://")) || str_starts(url, STR("http://"));
    if (!of_google && !web)
        return media_fault(w, "an image or file must be a data URL, an https URL or a file of Google's");
    if (!of_google && !w->vertex && w->generation < 25)
        return media_fault(w, "this model of Google's does not fetch images or files from the web: send a data URL");
    if (!mime.n) mime = mime_of_url(url);
    if (!mime.n && !str_starts(url, k_files)) mime = is_on_youtube(url) ? STR("video/mp4") : mime_of_kind(part->kind);
    json_put_member_object(&w->json, STR("fileData"));
    if (mime.n) json_put_member_str(&w->json, STR("mimeType"), mime);
    json_put_member_raw(&w->json, STR("fileUri"), uri);
    json_put_object_end(&w->json);
    return true;
}

bool gemini_write_media(struct gemini_write *w, const struct chat_part *part) {
    const struct chat_media *m = &part->media;
    if (m->text.p) {
        json_put_member_raw(&w->json, STR("text"), m->text);
        return true;
    }
    if (m->url.p) return put_uri(w, part, m->url);
    if (m->file_id.p) {
        struct str id = chat_inner(m->file_id);
        if (!str_starts(id, STR("https://")) && !str_starts(id, STR("gs://")))
            return media_fault(w, "a file of another provider's cannot be shown to Google's models: send its contents");
        return put_uri(w, part, m->file_id);
    }
    struct str mime = m->mime;
    if (!mime.n) mime = mime_of_data(m->data);
    if (!mime.n) mime = mime_of_kind(part->kind);
    json_put_member_object(&w->json, STR("inlineData"));
    json_put_member_str(&w->json, STR("mimeType"), mime);
    json_put_member_str(&w->json, STR("data"), m->data);
    json_put_object_end(&w->json);
    return true;
}
