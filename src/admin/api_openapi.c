// Writes the API's description in OpenAPI 3.1.
#include "admin/api_openapi.h"

#include "admin/api_impl.h"
#include "base/json_write.h"

// --- parameters ---

static const struct {
    const char *name, *schema, *help;
} k_parameters[] = {
    {"limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":50}", "How many at most"},
    {"cursor", "{\"type\":\"string\"}", "next_cursor of the page before"},
    {"sort", "{\"type\":\"string\"}", "A field to order by; with a - before it, downwards"},
    {"fields", "{\"type\":\"string\"}", "Fields to show, commas between; all if not given"},
    {"q", "{\"type\":\"string\",\"maxLength\":200}", "Text that any of the texts holds"},
    {"dry_run", "{\"type\":\"boolean\"}", "Check everything, change nothing"},
    {"sources", "{\"type\":\"boolean\"}", "Say where each value comes from"},
    {"api_key", "{\"type\":\"string\"}", "A key of the tenant, by its name in the configuration"},
    {"view", "{\"type\":\"string\",\"enum\":[\"set\",\"effective\",\"defaults\",\"changed\"]}", "Which values"},
};

static void put_parameter(struct json_writer *w, struct str name, const char *in, bool required, struct str schema,
                          struct str help) {
    json_put_object(w);
    json_put_member_str(w, STR("name"), name);
    json_put_member_str(w, STR("in"), str_c(in));
    if (help.n) json_put_member_str(w, STR("description"), help);
    if (required) json_put_member_bool(w, STR("required"), true);
    json_put_member_raw(w, STR("schema"), schema.n ? schema : STR("{\"type\":\"string\"}"));
    json_put_object_end(w);
}

static void put_ref(struct json_writer *w, const char *where, struct str name) {
    char text[120];
    int n = snprintf(text, sizeof text, "#/components/%s/%.*s", where, STR_ARG(name));
    json_put_object(w);
    json_put_member_str(w, STR("$ref"), str_of(text, (size_t)n));
    json_put_object_end(w);
}

static void put_path_parameters(struct json_writer *w, struct str path) {
    struct str part;
    while (str_split(&path, '/', &part))
        if (part.n && part.p[0] == ':')
            put_parameter(w, str_from(part, 1), "path", true, STR_NONE, STR("An id, or a name where there is one"));
}

static void put_query_parameters(struct json_writer *w, const struct api_endpoint *e) {
    struct str list = str_c(e->query ? e->query : ""), one;
    while (list.n && str_split(&list, ' ', &one)) {
        size_t i = 0;
        if (!one.n) continue;
        while (i < ARRAY_LEN(k_parameters) && !str_eq(str_c(k_parameters[i].name), one)) i++;
        bool known = i < ARRAY_LEN(k_parameters);
        put_parameter(w, one, "query", false, known ? str_c(k_parameters[i].schema) : STR_NONE,
                      known ? str_c(k_parameters[i].help) : STR_NONE);
    }
}

static void put_filters(struct json_writer *w, const struct entity *e) {
    for (size_t i = 0; i < e->n; i++) {
        const struct entity_field *f = &e->fields[i];
        bool list = f->type == ENTITY_LIST || f->type == ENTITY_MAP || f->type == ENTITY_NUMBERS;
        BUF_AUTO struct buf name = BUF_INIT(100);
        if (!(f->flags & ENTITY_FILTER)) continue;
        buf_printf(&name, "%.*s%s", STR_ARG(f->name), list ? ".contains" : "");
        put_parameter(w, buf_str(&name), "query", false, STR_NONE,
                      STR("Only those with this value; NAME.ne, .ge, .lt and .contains compare otherwise"));
    }
}

static bool is_list(const struct api_endpoint *e) { return e->kind && api_query_known(e, STR("cursor")); }

static void put_parameters(struct json_writer *w, const struct api_endpoint *e) {
    json_put_member_array(w, STR("parameters"));
    put_path_parameters(w, e->path);
    put_query_parameters(w, e);
    if (is_list(e)) put_filters(w, e->kind->entity);
    if (!(e->flags & (API_ANYBODY | API_STREAM))) put_ref(w, "parameters", STR("Tenant"));
    if (e->flags & API_CHANGES) put_ref(w, "parameters", STR("IdempotencyKey"));
    if (e->flags & API_CHANGES && e->method != HTTP_POST) put_ref(w, "parameters", STR("IfMatch"));
    json_put_array_end(w);
}

// --- bodies and answers ---

// "Team", "ServiceAccount".
static struct str schema_name(const struct entity *e, const char *suffix, struct buf *out) {
    bool upper = true;
    buf_clear(out);
    for (size_t i = 0; i < e->name.n; i++) {
        char c = e->name.p[i];
        if (c == '_')
            upper = true;
        else
            buf_putc(out, upper && c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
        if (c != '_') upper = false;
    }
    buf_put(out, str_c(suffix));
    return buf_str(out);
}

static void put_content(struct json_writer *w, const char *type, struct str schema, struct str ref) {
    json_put_member_object(w, STR("content"));
    json_put_member_object(w, str_c(type));
    json_put_key(w, STR("schema"));
    if (schema.n)
        json_put_raw(w, schema);
    else
        put_ref(w, "schemas", ref);
    json_put_object_end(w);
    json_put_object_end(w);
}

static void put_body(struct json_writer *w, const struct api_endpoint *e) {
    BUF_AUTO struct buf name = BUF_INIT(200);
    bool row = e->handle == api_entity_create || e->handle == api_entity_change;
    bool config =
        e->resource == RESOURCE_CONFIG && e->flags & API_STREAM && (e->method == HTTP_POST || e->method == HTTP_PATCH);
    if (!e->body && !row && !config) return;
    json_put_member_object(w, STR("requestBody"));
    json_put_member_bool(w, STR("required"), row);
    if (config)
        put_content(w, "application/json", STR("{}"), STR_NONE);
    else if (e->body)
        put_content(w, "application/json", str_c(e->body), STR_NONE);
    else
        put_content(w, "application/json", STR_NONE,
                    schema_name(e->kind->entity, e->method == HTTP_POST ? "Create" : "Change", &name));
    json_put_object_end(w);
}

static int status_of(const struct api_endpoint *e) {
    bool made = e->handle == api_entity_create || str_ends(e->path, STR("/rotate"));
    if (made) return 201;
    bool empty = e->flags & API_CHANGES && (e->method == HTTP_DELETE || e->method == HTTP_PUT) && !e->answer;
    return empty ? 204 : 200;
}

static void put_headers(struct json_writer *w, const struct api_endpoint *e, int status) {
    if (!e->kind || is_list(e) || status == 204) return;
    json_put_member_object(w, STR("headers"));
    json_put_member_raw(w, STR("ETag"),
                        STR("{\"description\":\"The row's version\",\"schema\":{\"type\":\"string\"}}"));
    if (status == 201)
        json_put_member_raw(w, STR("Location"),
                            STR("{\"description\":\"Where it is\",\"schema\":{\"type\":\"string\"}}"));
    json_put_object_end(w);
}

static const char *content_type(const struct api_endpoint *e) {
    if (str_ends(e->path, STR(".js"))) return "text/javascript";
    if (str_ends(e->path, STR(".css"))) return "text/css";
    return str_starts(e->path, STR("/docs")) ? "text/html" : "application/json";
}

static void put_success(struct json_writer *w, const struct api_endpoint *e) {
    BUF_AUTO struct buf name = BUF_INIT(200);
    int status = status_of(e);
    char text[8];
    snprintf(text, sizeof text, "%d", status);
    json_put_member_object(w, str_c(text));
    json_put_member_str(w, STR("description"),
                        status == 201   ? STR("Made")
                        : status == 204 ? STR("Done")
                                        : STR("The answer"));
    put_headers(w, e, status);
    if (e->answer && !*e->answer && str_ends(e->path, STR("/export")))
        put_content(w, "application/x-ndjson", STR("{\"type\":\"string\"}"), STR_NONE);
    else if (e->answer && !*e->answer)
        put_content(w, "text/event-stream", STR("{\"type\":\"string\"}"), STR_NONE);
    else if (e->answer)
        put_content(w, content_type(e), str_c(e->answer), STR_NONE);
    else if (status != 204 && e->kind)
        put_content(w, "application/json", STR_NONE, schema_name(e->kind->entity, is_list(e) ? "List" : "", &name));
    json_put_object_end(w);
}

static void put_problem(struct json_writer *w, const char *status, const char *name) {
    json_put_key(w, str_c(status));
    put_ref(w, "responses", str_c(name));
}

static void put_responses(struct json_writer *w, const struct api_endpoint *e) {
    bool found = str_find_char(e->path, ':') < e->path.n;
    json_put_member_object(w, STR("responses"));
    put_success(w, e);
    if (!(e->flags & API_ANYBODY)) {
        put_problem(w, "400", "Invalid");
        put_problem(w, "401", "Unauthenticated");
        put_problem(w, "403", "Forbidden");
    }
    if (found) put_problem(w, "404", "NotFound");
    if (e->flags & API_CHANGES) put_problem(w, "409", "Conflict");
    if (e->flags & API_CHANGES && e->method != HTTP_POST) put_problem(w, "412", "Changed");
    json_put_object_end(w);
}

// --- operations ---

// "get_teams_id".
static void put_operation_id(struct json_writer *w, const struct api_endpoint *e) {
    BUF_AUTO struct buf id = BUF_INIT(200);
    struct str method = http_method_text(e->method), path = e->path;
    if (str_starts(path, STR("/api/v1"))) path = str_from(path, 7);
    for (size_t i = 0; i < method.n; i++) buf_putc(&id, (char)(method.p[i] | 32));
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        if (c == ':') continue;
        buf_putc(&id, c == '/' || c == '.' ? '_' : c);
    }
    json_put_member_str(w, STR("operationId"), buf_str(&id));
}

static void put_operation(struct json_writer *w, const struct api_table *table, const struct api_endpoint *e) {
    BUF_AUTO struct buf key = BUF_INIT(20);
    BUF_AUTO struct buf help = BUF_INIT(300);
    struct str method = http_method_text(e->method);
    for (size_t i = 0; i < method.n; i++) buf_putc(&key, (char)(method.p[i] | 32));
    json_put_member_object(w, buf_str(&key));
    json_put_member_str(w, STR("summary"), str_c(e->summary));
    if (e->flags & API_OPEN)
        buf_lit(&help, "Needs no permission.");
    else
        buf_printf(&help, "Needs the permission `%.*s:%.*s`%s.", STR_ARG(resource_type_name(e->resource)),
                   STR_ARG(action_name(e->action)), e->flags & API_PLATFORM ? " on the platform" : "");
    json_put_member_str(w, STR("description"), buf_str(&help));
    put_operation_id(w, e);
    json_put_member_array(w, STR("tags"));
    json_put_str(w, str_c(table->title));
    json_put_array_end(w);
    put_parameters(w, e);
    put_body(w, e);
    put_responses(w, e);
    if (e->flags & API_ANYBODY) json_put_member_raw(w, STR("security"), STR("[]"));
    json_put_object_end(w);
}

static void put_path(struct json_writer *w, struct str path) {
    BUF_AUTO struct buf key = BUF_INIT(300);
    struct str part, rest = path;
    bool first = true;
    while (str_split(&rest, '/', &part)) {
        if (!first) buf_putc(&key, '/');
        first = false;
        if (part.n && part.p[0] == ':')
            buf_printf(&key, "{%.*s}", STR_ARG(str_from(part, 1)));
        else
            buf_put(&key, part);
    }
    json_put_member_object(w, buf_str(&key));
}

static bool is_first_of_path(size_t i) {
    struct str path = api_endpoint_at(i)->path;
    for (size_t k = 0; k < i; k++)
        if (str_eq(api_endpoint_at(k)->path, path)) return false;
    return true;
}

static void put_path_operations(struct json_writer *w, struct str path) {
    put_path(w, path);
    for (size_t t = 0; t < api_table_count(); t++) {
        const struct api_table *table = api_table_at(t);
        for (size_t k = 0; k < table->n; k++)
            if (str_eq(table->endpoints[k].path, path)) put_operation(w, table, &table->endpoints[k]);
    }
    json_put_object_end(w);
}

// --- components ---

static void put_list_schema(struct json_writer *w, const struct entity *e) {
    BUF_AUTO struct buf name = BUF_INIT(200);
    json_put_object(w);
    json_put_member_str(w, STR("type"), STR("object"));
    json_put_member_raw(w, STR("required"), STR("[\"data\",\"next_cursor\",\"total\"]"));
    json_put_member_object(w, STR("properties"));
    json_put_member_object(w, STR("data"));
    json_put_member_str(w, STR("type"), STR("array"));
    json_put_key(w, STR("items"));
    put_ref(w, "schemas", schema_name(e, "", &name));
    json_put_object_end(w);
    json_put_member_raw(w, STR("next_cursor"),
                        STR("{\"type\":[\"string\",\"null\"],\"description\":\"For the next page; null: this was the "
                            "last\"}"));
    json_put_member_raw(
        w, STR("total"),
        STR("{\"type\":\"integer\",\"description\":\"On all pages; 100000 when there are so many or more\"}"));
    json_put_object_end(w);
    json_put_object_end(w);
}

static bool has_kind(size_t upto, const struct api_kind *kind) {
    for (size_t i = 0; i < upto; i++)
        if (api_endpoint_at(i)->kind == kind) return true;
    return false;
}

static bool makes(const struct api_kind *kind, api_handler *handler) {
    for (size_t i = 0; i < api_endpoint_count(); i++)
        if (api_endpoint_at(i)->kind == kind && api_endpoint_at(i)->handle == handler) return true;
    return false;
}

static void put_schemas(struct json_writer *w) {
    BUF_AUTO struct buf name = BUF_INIT(200);
    json_put_member_object(w, STR("schemas"));
    for (size_t i = 0; i < api_endpoint_count(); i++) {
        const struct api_kind *kind = api_endpoint_at(i)->kind;
        if (!kind || has_kind(i, kind)) continue;
        const struct entity *e = kind->entity;
        json_put_key(w, schema_name(e, "", &name));
        entity_put_schema(w, e, ENTITY_SCHEMA_ROW, str_c(kind->more_schema));
        json_put_key(w, schema_name(e, "List", &name));
        put_list_schema(w, e);
        if (makes(kind, api_entity_create)) {
            json_put_key(w, schema_name(e, "Create", &name));
            entity_put_schema(w, e, ENTITY_SCHEMA_CREATE, STR_NONE);
        }
        if (makes(kind, api_entity_change)) {
            json_put_key(w, schema_name(e, "Change", &name));
            entity_put_schema(w, e, ENTITY_SCHEMA_CHANGE, STR_NONE);
        }
    }
    json_put_member_raw(
        w, STR("Problem"),
        STR("{\"type\":\"object\",\"description\":\"What went wrong (RFC 9457)\",\"required\":[\"type\",\"title\","
            "\"status\",\"detail\",\"code\"],\"properties\":{\"type\":{\"type\":\"string\",\"format\":\"uri\"},"
            "\"title\":"
            "{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},\"code\":{"
            "\"type\":"
            "\"string\"},\"field\":{\"type\":\"string\",\"description\":\"The field at fault\"},\"near\":{\"type\":"
            "\"string\",\"description\":\"The known field that it is like\"},\"request_id\":{\"type\":\"string\"}}}"));
    json_put_object_end(w);
}

static void put_shared(struct json_writer *w) {
    static const struct {
        const char *name, *help;
    } responses[] = {{"Invalid", "The request breaks a rule"},
                     {"Unauthenticated", "No valid key, token or session came with it"},
                     {"Forbidden", "The permission is not the caller's"},
                     {"NotFound", "There is no such thing, or the caller may not see it"},
                     {"Conflict", "Something of this name is there, or something else still needs it"},
                     {"Changed", "It was changed since the version named by If-Match"}};
    json_put_member_object(w, STR("responses"));
    for (size_t i = 0; i < ARRAY_LEN(responses); i++) {
        json_put_member_object(w, str_c(responses[i].name));
        json_put_member_str(w, STR("description"), str_c(responses[i].help));
        put_content(w, "application/problem+json", STR_NONE, STR("Problem"));
        json_put_object_end(w);
    }
    json_put_object_end(w);
    json_put_member_object(w, STR("parameters"));
    json_put_key(w, STR("Tenant"));
    put_parameter(w, STR("X-Penstock-Tenant"), "header", false, STR_NONE,
                  STR("A tenant to act for, by name or id; needs tenant:act_as on it, and is audited"));
    json_put_key(w, STR("IdempotencyKey"));
    put_parameter(w, STR("Idempotency-Key"), "header", false, STR("{\"type\":\"string\",\"maxLength\":255}"),
                  STR("The same request with the same key, within a day, gets the same answer and is not carried out "
                      "again"));
    json_put_key(w, STR("IfMatch"));
    put_parameter(w, STR("If-Match"), "header", false, STR_NONE, STR("The ETag of the version to change"));
    json_put_object_end(w);
    json_put_member_raw(
        w, STR("securitySchemes"),
        STR("{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"An API key (ps-…) or "
            "an access token\"},\"key\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"x-api-key\"}}"));
}

void api_openapi_put(struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("openapi"), STR("3.1.0"));
    json_put_member_raw(&w, STR("info"),
                        STR("{\"title\":\"Penstock admin API\",\"version\":\"1\",\"description\":\"Tenants, teams, "
                            "projects, people, rights, keys, budgets and configuration of a Penstock server. Lists are "
                            "paged by cursor; changes take If-Match and Idempotency-Key; errors are problem+json.\","
                            "\"license\":{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}}"));
    json_put_member_raw(&w, STR("servers"), STR("[{\"url\":\"/\"}]"));
    json_put_member_raw(&w, STR("security"), STR("[{\"bearer\":[]},{\"key\":[]}]"));
    json_put_member_array(&w, STR("tags"));
    for (size_t t = 0; t < api_table_count(); t++) {
        json_put_object(&w);
        json_put_member_str(&w, STR("name"), str_c(api_table_at(t)->title));
        json_put_object_end(&w);
    }
    json_put_array_end(&w);
    json_put_member_object(&w, STR("paths"));
    for (size_t i = 0; i < api_endpoint_count(); i++)
        if (is_first_of_path(i)) put_path_operations(&w, api_endpoint_at(i)->path);
    json_put_object_end(&w);
    json_put_member_object(&w, STR("components"));
    put_schemas(&w);
    put_shared(&w);
    json_put_object_end(&w);
    json_put_object_end(&w);
}
