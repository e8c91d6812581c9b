// Writes and reads wishes and their answers as JSON.
#include "admin/wish_text.h"

#include "base/json_read.h"
#include "base/json_write.h"

static bool damaged(struct err *err) {
    return err_set(err, ERR_STORE,
                   "what the command and the server tell each other cannot be read: are they of the same version?");
}

void wish_put(const struct admin_wish *wish, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_i64(&w, STR("kind"), (int64_t)wish->kind);
    json_put_member_bool(&w, STR("dry_run"), wish->dry_run);
    json_put_member_str(&w, STR("actor"), wish->actor);
    json_put_member_i64(&w, STR("version"), wish->version);
    json_put_member_array(&w, STR("list"));
    for (size_t i = 0; i < wish->n; i++) {
        json_put_str(&w, wish->list[i].key);
        json_put_str(&w, wish->list[i].value);
    }
    json_put_array_end(&w);
    json_put_object_end(&w);
}

static bool read_list(struct str raw, struct arena *a, struct admin_wish *wish) {
    struct json_reader r;
    enum json_kind kind;
    struct str text;
    size_t n = 0;
    json_reader_init(&r, raw, 0);
    if (!json_enter_array(&r)) return false;
    while (json_element(&r, &kind)) n += json_string(&r, &text);
    if (!json_ok(&r) || n % 2) return false;
    wish->list = ARENA_ARRAY(a, struct conf_override, n / 2 + 1);
    if (!wish->list) return false;
    json_reader_init(&r, raw, 0);
    if (!json_enter_array(&r)) return false;
    for (size_t i = 0; i < n && json_element(&r, &kind) && json_string(&r, &text); i++) {
        struct conf_override *o = &wish->list[i / 2];
        if (!json_string_text(text, a, i % 2 ? &o->value : &o->key)) return false;
    }
    wish->n = n / 2;
    return true;
}

bool wish_read(struct str text, struct arena *a, struct admin_wish *out_wish, struct err *err) {
    enum { KIND, DRY_RUN, ACTOR, VERSION, LIST, FIELDS };
    struct json_field f[FIELDS] = {
        [KIND] = {.name = STR_INIT("kind"), .kinds = JSON_IS(JSON_NUMBER), .required = true},
        [DRY_RUN] = {.name = STR_INIT("dry_run"), .kinds = JSON_IS(JSON_BOOL), .required = true},
        [ACTOR] = {.name = STR_INIT("actor"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [VERSION] = {.name = STR_INIT("version"), .kinds = JSON_IS(JSON_NUMBER), .required = true},
        [LIST] = {.name = STR_INIT("list"), .kinds = JSON_IS(JSON_ARRAY), .required = true}};
    struct admin_wish wish = {.expected = -1};
    int64_t kind;
    if (!json_scan(text, f, FIELDS, err) || !json_raw_i64(f[KIND].raw, &kind) || kind < 0 || kind > WISH_MODELS ||
        !json_raw_bool(f[DRY_RUN].raw, &wish.dry_run) || !json_raw_i64(f[VERSION].raw, &wish.version) ||
        !json_string_text(f[ACTOR].raw, a, &wish.actor) || !read_list(f[LIST].raw, a, &wish))
        return damaged(err);
    wish.kind = (enum admin_wish_kind)kind;
    *out_wish = wish;
    return true;
}

void wish_answer_put(const struct wish_answer *answer, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_bool(&w, STR("ok"), answer->ok);
    json_put_member_i64(&w, STR("code"), answer->ok ? 0 : (int64_t)answer->err.code);
    json_put_member_str(&w, STR("message"), answer->ok ? STR("") : str_c(answer->err.message));
    json_put_member_str(&w, STR("reason"), answer->reason);
    json_put_member_i64(&w, STR("version"), answer->version);
    json_put_member_bool(&w, STR("added"), answer->added);
    json_put_member_str(&w, STR("shown"), answer->shown);
    json_put_member_raw(&w, STR("changes"), answer->changes.n ? str_trim(answer->changes) : STR("[]"));
    json_put_object_end(&w);
}

bool wish_answer_read(struct str text, struct arena *a, struct wish_answer *out_answer, struct err *err) {
    enum { OK, CODE, MESSAGE, REASON, VERSION, ADDED, SHOWN, CHANGES, FIELDS };
    struct json_field f[FIELDS] = {
        [OK] = {.name = STR_INIT("ok"), .kinds = JSON_IS(JSON_BOOL), .required = true},
        [CODE] = {.name = STR_INIT("code"), .kinds = JSON_IS(JSON_NUMBER), .required = true},
        [MESSAGE] = {.name = STR_INIT("message"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [REASON] = {.name = STR_INIT("reason"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [VERSION] = {.name = STR_INIT("version"), .kinds = JSON_IS(JSON_NUMBER), .required = true},
        [ADDED] = {.name = STR_INIT("added"), .kinds = JSON_IS(JSON_BOOL), .required = true},
        [SHOWN] = {.name = STR_INIT("shown"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [CHANGES] = {.name = STR_INIT("changes"), .kinds = JSON_IS(JSON_ARRAY), .required = true}};
    struct wish_answer answer = {0};
    struct str message;
    int64_t code;
    if (!json_scan(text, f, FIELDS, err) || !json_raw_bool(f[OK].raw, &answer.ok) ||
        !json_raw_bool(f[ADDED].raw, &answer.added) || !json_raw_i64(f[CODE].raw, &code) ||
        !json_raw_i64(f[VERSION].raw, &answer.version) || !json_string_text(f[MESSAGE].raw, a, &message) ||
        !json_string_text(f[REASON].raw, a, &answer.reason) || !json_string_text(f[SHOWN].raw, a, &answer.shown) ||
        code < 0 || code >= ERR_COUNT)
        return damaged(err);
    answer.changes = f[CHANGES].raw;
    if (!answer.ok) err_set(&answer.err, (enum err_code)code, "%.*s", STR_ARG(message));
    *out_answer = answer;
    return true;
}
