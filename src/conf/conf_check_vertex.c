// Where a provider of kind vertex is, and whose project it works in.
#include "conf/conf_impl.h"

#include "base/json_read.h"

// Of a service account's key.
static void project_of_key(struct opt_bind *b, struct conf_provider *p) {
    struct str raw, name = STR("project_id"), text;
    struct str json = str_trim(secret_str(&p->credentials));
    if (!json.n || json.p[0] != '{' || !json_get(json, &name, 1, &raw) || !json_string_borrow(raw, &text)) return;
    p->project = arena_str(b->arena, text);
    if (!p->project.p) b->failed = true;
}

static void check_key(struct opt_bind *b, struct conf_provider *p, size_t i) {
    struct str given = str_trim(secret_str(&p->credentials)), raw;
    static const struct str names[] = {STR_INIT("client_email"), STR_INIT("private_key"), STR_INIT("token_uri")};
    struct err ignored;
    if (str_eq(given, STR("metadata")) || str_starts(given, STR("http://"))) return;
    bool whole = given.n && given.p[0] == '{' && json_validate(given, 0, &ignored);
    for (size_t k = 0; whole && k < ARRAY_LEN(names); k++) whole = json_get(given, &names[k], 1, &raw) && raw.n > 2;
    if (!whole)
        conf_complain(b, CONF_ERROR_PRIVATE, &p->credentials, p,
                      "providers[%zu].credentials: is neither `metadata` nor the JSON of a service account's key with "
                      "client_email, private_key and token_uri",
                      i);
}

void conf_check_vertex(struct opt_bind *b, struct conf_provider *p, size_t i) {
    if (p->credentials.n) check_key(b, p, i);
    if (!p->project.n) project_of_key(b, p);
    if (!p->location.n) p->location = STR("global");
    if (!p->credentials.n && !opt_mark_find(b, &p->api_key) && !p->keys.n)
        conf_complain(b, CONF_ERROR, p, p, "providers[%zu]: the key \"credentials\" is missing", i);
    if (!p->project.n) conf_complain(b, CONF_ERROR, p, p, "providers[%zu]: the key \"project\" is missing", i);
    if (p->base_url.n) return;
    bool global = str_eq(p->location, STR("global"));
    p->base_url = global ? STR("https://aiplatform.googleapis.com/v1")
                         : arena_printf(b->arena, "https://%.*s-aiplatform.googleapis.com/v1", STR_ARG(p->location));
    if (!p->base_url.n) b->failed = true;
}
