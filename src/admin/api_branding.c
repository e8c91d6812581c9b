// The API of how tenants show themselves: names, colours, logos, and the host names that are their own.
#include "admin/api_impl.h"

#include "access/host_table.h"
#include "base/json_write.h"
#include "govern/contrast.h"
#include "govern/png.h"
#include "govern/svg.h"
#include "store/branding.h"
#include "store/sql_pool.h"
#include "store/tenant.h"

#define NAME_MAX_LEN 100

// --- domains ---

const struct api_kind api_kind_domain = {.entity = &entity_domain, .resource = RESOURCE_DOMAIN};

// Whoever could take any name for a domain could take other people's requests: the platform alone gives them.
static bool platform_may(struct api_call *call, struct err *err) {
    const struct policy_resource platform = {.type = RESOURCE_DOMAIN};
    return api_check(call, call->endpoint->action, &platform, err);
}
static bool domain_create(struct api_call *call, struct err *err) {
    return platform_may(call, err) && api_entity_create(call, err);
}
static bool domain_delete(struct api_call *call, struct err *err) {
    return platform_may(call, err) && api_entity_delete(call, err);
}

// --- a tenant's branding ---

static bool find(struct api_call *call, enum action action, struct entity_row *row, struct branding *out,
                 struct err *err) {
    struct policy_resource r;
    if (!entity_resolve(sql_platform(call->db), &entity_tenant, call->params[0], call->arena, row, err)) {
        // Who may not act for others is not told which there are.
        return err->code == ERR_NOT_FOUND ? api_not_found(&api_kind_tenant, err) : false;
    }
    if (!api_locate(call, &api_kind_tenant, row, &r, err)) return false;
    r.type = RESOURCE_BRANDING;
    if (!api_check(call, action, &r, err)) return false;
    api_event_row(call, &api_kind_tenant, row);
    if (action != ACTION_READ && str_eq(entity_at(&entity_tenant, row, "status")->s, STR("deleting")))
        return err_set(err, ERR_WRONG_STATE, "the tenant is being deleted");
    if (!branding_read(sql_tenant(call->db, row->id), call->arena, out, err)) return false;
    if (action == ACTION_READ) call->reply->version = out->version;
    return action == ACTION_READ || call->expected < 0 || call->expected == out->version ||
           err_set(err, ERR_CONFLICT, "the branding is at version %lld, not %lld: read it again",
                   (long long)out->version, (long long)call->expected);
}

static void put_shown(struct json_writer *w, const struct branding *b, struct str fallback) {
    json_put_member_str(w, STR("display_name"), b->display_name.n ? b->display_name : fallback);
    json_put_member_object(w, STR("colors"));
    json_put_member_text(w, STR("background"), b->background);
    json_put_member_text(w, STR("text"), b->text);
    json_put_member_text(w, STR("accent"), b->accent);
    json_put_member_text(w, STR("accent_text"), b->accent_text);
    json_put_object_end(w);
}

static struct str name_of(const struct entity_row *row) {
    struct str title = row->v[entity_field_index(&entity_tenant, STR("title"))].s;
    struct str name = row->v[entity_field_index(&entity_tenant, STR("name"))].s;
    return title.n ? title : name.n ? name : STR("Penstock");
}

static void put_branding(struct json_writer *w, const struct branding *b, const struct entity_row *row) {
    json_put_object(w);
    put_shown(w, b, name_of(row));
    json_put_key(w, STR("logo"));
    if (b->logo_type.n) {
        json_put_object(w);
        json_put_member_str(w, STR("type"), b->logo_type);
        json_put_member_i64(w, STR("bytes"), b->logo_bytes);
        json_put_object_end(w);
    } else {
        json_put_null(w);
    }
    json_put_member_i64(w, STR("version"), b->version);
    json_put_object_end(w);
}

static struct str text_of(struct api_call *call, const struct branding *b, const struct entity_row *row) {
    BUF_AUTO struct buf out = BUF_INIT(API_NOTE_MAX);
    struct json_writer w;
    json_writer_init(&w, &out);
    put_branding(&w, b, row);
    return out.failed ? STR_NONE : arena_str(call->arena, buf_str(&out));
}

static bool get(struct api_call *call, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct branding b = {0};
    struct json_writer w;
    if (!row) return err_no_memory(err);
    if (!find(call, ACTION_READ, row, &b, err)) return false;
    api_answer(call, &w);
    put_branding(&w, &b, row);
    return true;
}

// --- changes ---

static bool take_name(struct api_call *call, struct str raw, struct str *out, struct err *err) {
    struct str text = STR("");
    if (json_raw_kind(raw) == JSON_STRING && !json_string_text(raw, call->arena, &text)) return err_no_memory(err);
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20)
            return api_wrong(err, "display_name", "display_name: no control characters");
    if (text.n > NAME_MAX_LEN) return api_wrong(err, "display_name", "display_name: at most %d bytes", NAME_MAX_LEN);
    *out = text;
    return true;
}

static bool take_colour(struct api_call *call, const char *name, struct str raw, struct str *out, struct err *err) {
    struct colour c;
    struct str text = STR("");
    char shown[COLOUR_TEXT_LEN];
    if (json_raw_kind(raw) == JSON_STRING && !json_string_text(raw, call->arena, &text)) return err_no_memory(err);
    *out = STR("");
    if (!text.n) return true;
    if (!colour_parse(text, &c)) return api_wrong(err, name, "%s: expected a colour such as #1a2b3c", name);
    colour_text(c, shown);
    *out = arena_str(call->arena, str_of(shown, sizeof shown));
    return out->p || err_no_memory(err);
}

// Where one of the two is not given, black on white is meant.
static bool check_pair(const char *name, struct str text, struct str ground, struct err *err) {
    struct colour t = {0, 0, 0}, g = {255, 255, 255};
    char better[COLOUR_TEXT_LEN], shown[COLOUR_TEXT_LEN], behind[COLOUR_TEXT_LEN];
    if (!text.n && !ground.n) return true;
    if (text.n && !colour_parse(text, &t)) return true;
    if (ground.n && !colour_parse(ground, &g)) return true;
    double ratio = contrast_ratio(t, g);
    if (ratio >= CONTRAST_MIN) return true;
    colour_text(contrast_readable(t, g), better);
    colour_text(t, shown);
    colour_text(g, behind);
    // Cut, not rounded: what is not enough must not read as if it were.
    return api_wrong(err, name, "%s: %.7s on %.7s has a contrast of %d.%02d:1, and text needs 4.5:1; %.7s would do",
                     name, shown, behind, (int)ratio, (int)(ratio * 100) % 100, better);
}

static bool change(struct api_call *call, struct err *err) {
    static const char *const names[] = {"background", "text", "accent", "accent_text"};
    const unsigned kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL;
    struct json_field f[] = {{.name = STR_INIT("display_name"), .kinds = kinds},
                             {.name = STR_INIT("background"), .kinds = kinds},
                             {.name = STR_INIT("text"), .kinds = kinds},
                             {.name = STR_INIT("accent"), .kinds = kinds},
                             {.name = STR_INIT("accent_text"), .kinds = kinds}};
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct branding b = {0};
    struct json_writer w;
    if (!row) return err_no_memory(err);
    if (!find(call, ACTION_UPDATE, row, &b, err)) return false;
    struct str *const colours[] = {&b.background, &b.text, &b.accent, &b.accent_text};
    call->event.before = text_of(call, &b, row);
    if (!json_scan(call->request->body, f, ARRAY_LEN(f), err)) return false;
    if (f[0].found && !take_name(call, f[0].raw, &b.display_name, err)) return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (f[i + 1].found && !take_colour(call, names[i], f[i + 1].raw, colours[i], err)) return false;
    if (!check_pair("text", b.text, b.background, err) || !check_pair("accent_text", b.accent_text, b.accent, err) ||
        !branding_write(sql_tenant(call->db, row->id), &b, call->now, err))
        return false;
    call->event.after = text_of(call, &b, row);
    api_answer(call, &w);
    put_branding(&w, &b, row);
    call->reply->version = b.version;
    return true;
}

static bool logo_take(struct api_call *call, struct str bytes, struct buf *out, struct str *out_type, struct err *err) {
    bool png = png_looks_like(bytes);
    (void)call;
    *out_type = png ? STR("image/png") : STR("image/svg+xml");
    return png ? png_sanitise(bytes, out, err) : svg_sanitise(bytes, out, err);
}

static bool logo_put(struct api_call *call, struct err *err) {
    BUF_AUTO struct buf out = BUF_INIT(2 * PNG_MAX);
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct branding b = {0};
    struct str type;
    if (!row) return err_no_memory(err);
    if (!find(call, ACTION_UPDATE, row, &b, err)) return false;
    call->event.before = text_of(call, &b, row);
    if (!logo_take(call, call->request->body, &out, &type, err) ||
        !branding_put_logo(sql_tenant(call->db, row->id), type, buf_str(&out), call->now, err) ||
        !branding_read(sql_tenant(call->db, row->id), call->arena, &b, err))
        return false;
    struct json_writer w;
    call->event.after = text_of(call, &b, row);
    api_answer(call, &w);
    put_branding(&w, &b, row);
    call->reply->version = b.version;
    return true;
}

static bool logo_delete(struct api_call *call, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct branding b = {0};
    if (!row) return err_no_memory(err);
    if (!find(call, ACTION_UPDATE, row, &b, err)) return false;
    call->event.before = text_of(call, &b, row);
    call->reply->status = 204;
    if (!b.logo_type.n) return err_set(err, ERR_NOT_FOUND, "there is no logo");
    return branding_put_logo(sql_tenant(call->db, row->id), STR(""), STR(""), call->now, err);
}

// --- for anybody, by the address that was asked ---

static bool at_host(struct api_call *call, int64_t *out_tenant, struct err *err) {
    const struct api *api = call->api;
    if (!call->db && !(api->pool ? sql_pool_take(api->pool, &call->db, err)
                                 : datadir_open_db(api->dir, SQL_BUSY_MS_DEFAULT, &call->db, err)))
        return false;
    if (!host_tenant(call->db, call->request->credential.door.host, out_tenant, err)) return false;
    if (!*out_tenant) *out_tenant = TENANT_DEFAULT;
    return true;
}

static bool shown(struct api_call *call, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct branding b = {0};
    struct json_writer w;
    int64_t tenant;
    if (!row) return err_no_memory(err);
    if (!at_host(call, &tenant, err) ||
        !entity_get(sql_platform(call->db), &entity_tenant, tenant, call->arena, row, err) ||
        !branding_read(sql_tenant(call->db, tenant), call->arena, &b, err))
        return false;
    api_answer(call, &w);
    json_put_object(&w);
    put_shown(&w, &b, name_of(row));
    json_put_member_text(&w, STR("logo"), b.logo_type.n ? STR("/branding/logo") : STR(""));
    json_put_object_end(&w);
    return true;
}

static bool logo_shown(struct api_call *call, struct err *err) {
    struct str bytes;
    int64_t tenant;
    if (!at_host(call, &tenant, err) ||
        !branding_logo(sql_tenant(call->db, tenant), call->arena, &call->reply->type, &bytes, err))
        return false;
    buf_put(&call->reply->body, bytes);
    return true;
}

#define COLOUR "{\"type\":[\"string\",\"null\"],\"pattern\":\"^#[0-9a-fA-F]{6}$\"}"
#define COLOURS "\"background\":" COLOUR ",\"text\":" COLOUR ",\"accent\":" COLOUR ",\"accent_text\":" COLOUR
#define SHOWN "\"display_name\":{\"type\":\"string\"},\"colors\":{\"type\":\"object\",\"properties\":{" COLOURS "}}"
#define ANSWER                                                                                                         \
    "{\"type\":\"object\",\"properties\":{" SHOWN                                                                      \
    ",\"logo\":{\"type\":[\"object\",\"null\"],\"properties\":{\"type\":"                                              \
    "{\"type\":\"string\"},\"bytes\":{\"type\":\"integer\"}}},\"version\":{\"type\":\"integer\"}}}"

#define ENDPOINT(verb, where, what, more, handler, text)                                                               \
    {                                                                                                                  \
        .method = HTTP_##verb, .path = STR_INIT("/api/v1/tenants/:id/" where), .resource = RESOURCE_BRANDING,          \
        .action = ACTION_##what, .flags = API_ROW | (more), .kind = &api_kind_tenant, .handle = handler, .query = "",  \
        .summary = text

static const struct api_endpoint
    k_endpoints[] = {ENDPOINT(GET, "branding", READ, 0, get, "Shows how a tenant shows itself"), .answer = ANSWER},
    ENDPOINT(PATCH, "branding", UPDATE, API_CHANGES, change, "Changes a tenant's name and colours"),
    .body = "{\"type\":\"object\",\"properties\":{\"display_name\":{\"type\":[\"string\",\"null\"],\"maxLength\":100}"
            "," COLOURS "}}",
    .answer = ANSWER
}
, ENDPOINT(PUT, "logo", UPDATE, API_CHANGES, logo_put, "Sets a tenant's logo: the body is an SVG or a PNG"),
    .answer = ANSWER, .audit = "branding.logo"
}
, ENDPOINT(DELETE, "logo", UPDATE, API_CHANGES, logo_delete, "Takes a tenant's logo away"),
    .audit = "branding.logo_delete"
}
, API_LIST("domains", DOMAIN, api_kind_domain, "domains"),
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/domains"),
     .resource = RESOURCE_DOMAIN,
     .action = ACTION_CREATE,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_domain,
     .handle = domain_create,
     .query = "",
     .summary = "Makes a host name a tenant's own"},
    API_GET("domains", DOMAIN, api_kind_domain, "a domain"),
    {.method = HTTP_DELETE,
     .path = STR_INIT("/api/v1/domains/:id"),
     .resource = RESOURCE_DOMAIN,
     .action = ACTION_DELETE,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_domain,
     .handle = domain_delete,
     .query = "",
     .summary = "Takes a host name from a tenant"},
    {.method = HTTP_GET,
     .path = STR_INIT("/branding.json"),
     .resource = RESOURCE_BRANDING,
     .action = ACTION_READ,
     .flags = API_OPEN | API_ANYBODY,
     .handle = shown,
     .query = "",
     .answer = "{\"type\":\"object\",\"properties\":{" SHOWN ",\"logo\":{\"type\":[\"string\",\"null\"]}}}",
     .summary = "How the tenant whose address this is shows itself"},
    {.method = HTTP_GET,
     .path = STR_INIT("/branding/logo"),
     .resource = RESOURCE_BRANDING,
     .action = ACTION_READ,
     .flags = API_OPEN | API_ANYBODY,
     .handle = logo_shown,
     .query = "",
     .answer = "{\"type\":\"string\"}",
     .summary = "The logo of the tenant whose address this is"},
}
;
const struct api_table api_table_branding = {"Branding and domains", k_endpoints, ARRAY_LEN(k_endpoints)};
