// Finds out what rows are called.
#include "cli/names.h"

#include "store/entity.h"

#define PATH_SIZE_MAX 512

void cli_names_free(struct cli_names *names) { vec_free(&names->known); }

static const struct entity *entity_of(struct str id) {
    int64_t ignored;
    for (size_t i = 0; i < entity_count_kinds(); i++)
        if (entity_id_parse(entity_kind_at(i), id, &ignored)) return entity_kind_at(i);
    return NULL;
}

static struct str ask(struct cli_names *names, const struct entity *e, struct str id) {
    BUF_AUTO struct buf path = BUF_INIT(PATH_SIZE_MAX), query = BUF_INIT(PATH_SIZE_MAX);
    struct cli_answer answer = {0};
    struct str name = STR("");
    buf_printf(&path, "/api/v1/%.*s/%.*s", STR_ARG(e->plural), STR_ARG(id));
    // A key is called by its name where it has one.
    bool key = e == &entity_key;
    buf_printf(&query, "fields=%.*s%s", STR_ARG(e->called_by), key ? ",name" : "");
    bool ok = cli_api_ask(names->api, HTTP_GET, buf_str(&path), buf_str(&query), STR(""), &answer);
    if (ok && key) name = cli_json_text(names->arena, buf_str(&answer.body), STR("name"));
    if (ok && !name.n) name = cli_json_text(names->arena, buf_str(&answer.body), e->called_by);
    cli_answer_free(&answer);
    return name;
}

bool cli_name_of(struct cli_names *names, struct str text, struct str *out_kind, struct str *out_name) {
    for (size_t i = 0; i < names->known.n; i++) {
        if (!str_eq(names->known.p[i].id, text)) continue;
        *out_kind = names->known.p[i].kind;
        *out_name = names->known.p[i].name;
        return out_name->n != 0;
    }
    const struct entity *e = entity_of(text);
    if (!e || !e->called_by.n || names->known.n == CLI_NAMES_MAX) return false;
    struct cli_name one = {arena_str(names->arena, text), e->name, ask(names, e, text)};
    if (!one.id.p || !vec_push(&names->known, one)) return false;
    *out_kind = one.kind;
    *out_name = one.name;
    return one.name.n != 0;
}
