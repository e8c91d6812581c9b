// As whom of those that Entra ID knows a provider of kind azure is called.
#include "conf/conf_impl.h"

#include "base/json_read.h"

#define AUTHORITY "https://login.microsoftonline.com"

static struct str token_url(struct opt_bind *b, struct str tenant) {
    struct str authority = STR_NONE;
    conf_variable_text(b, "AZURE_AUTHORITY_HOST", &authority);
    if (!authority.n) authority = STR(AUTHORITY);
    while (str_ends(authority, STR("/"))) authority.n--;
    struct str url = arena_printf(b->arena, "%.*s/%.*s/oauth2/v2.0/token", STR_ARG(authority), STR_ARG(tenant));
    if (!url.n) b->failed = true;
    return url;
}

static bool member(struct opt_bind *b, struct str json, struct str name, struct str *out) {
    struct str raw;
    return json_get(json, &name, 1, &raw) && json_raw_kind(raw) == JSON_STRING &&
           json_string_text(raw, b->arena, out) && out->n;
}

// An application's secret.
static bool application(struct opt_bind *b, struct conf_provider *p) {
    struct str json = str_trim(secret_str(&p->credentials)), tenant, secret;
    struct err ignored;
    if (!str_starts(json, STR("{")) || !json_validate(json, 0, &ignored)) return false;
    if (!member(b, json, STR("tenant_id"), &tenant) || !member(b, json, STR("client_id"), &p->identity.account) ||
        !member(b, json, STR("client_secret"), &secret))
        return false;
    char *z = arena_cstr(b->arena, secret);
    if (!z || !vec_push(&b->secrets, (struct secret){z, secret.n})) b->failed = true;
    p->identity.from = IDENTITY_SECRET;
    p->identity.token = (struct secret){z, secret.n};
    p->identity.url = token_url(b, tenant);
    return true;
}

// As Azure's own libraries find it. Source: Azure Identity's DefaultAzureCredential (environment, workload identity,
// managed identity); App Service and Container Apps, "Connect to Azure services in app code" (IDENTITY_ENDPOINT).
static void automatic(struct opt_bind *b, const struct conf_provider *p, size_t i, struct conf_identity *out) {
    struct str tenant = conf_variable(b, "AZURE_TENANT_ID");
    conf_variable_text(b, "AZURE_CLIENT_ID", &out->account);
    bool named = tenant.n && out->account.n;
    if (named && conf_variable(b, "AZURE_CLIENT_SECRET").n) {
        out->from = IDENTITY_SECRET;
        conf_variable_secret(b, p, i, "AZURE_CLIENT_SECRET", &out->token);
        out->url = token_url(b, tenant);
    } else if (named && conf_variable(b, "AZURE_FEDERATED_TOKEN_FILE").n) {
        out->from = IDENTITY_WEB;
        conf_variable_text(b, "AZURE_FEDERATED_TOKEN_FILE", &out->token_file);
        out->url = token_url(b, tenant);
    } else if (conf_variable(b, "IDENTITY_ENDPOINT").n && conf_variable(b, "IDENTITY_HEADER").n) {
        out->from = IDENTITY_CONTAINER;
        conf_variable_text(b, "IDENTITY_ENDPOINT", &out->url);
        conf_variable_secret(b, p, i, "IDENTITY_HEADER", &out->token);
    } else {
        out->from = IDENTITY_MACHINE;
        conf_variable_text(b, "AZURE_POD_IDENTITY_AUTHORITY_HOST", &out->url);
        if (!out->url.n) out->url = STR("http://169.254.169.254");
    }
}

void conf_check_azure(struct opt_bind *b, struct conf_provider *p, size_t i) {
    if (!p->credentials.n) return;
    if (str_eq(secret_str(&p->credentials), STR("auto")))
        automatic(b, p, i, &p->identity);
    else if (!application(b, p))
        conf_complain(b, CONF_ERROR_PRIVATE, &p->credentials, p,
                      "providers[%zu].credentials: is neither `auto` nor JSON with tenant_id, client_id and "
                      "client_secret",
                      i);
}
