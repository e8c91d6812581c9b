// Access tokens of Entra ID for Azure OpenAI: for an application's secret or a workload's token (OAuth 2.0 client
// credentials, RFC 6749 and 7523), or a managed identity's of the metadata server, App Service or Container Apps.
#include "gateway/credential_ask.h"

#include "base/text.h"

#define BODY_MAX ((size_t)128 * 1024)
#define URL_MAX ((size_t)2048)

// Of Azure's cloud: each has its own names.
static struct str resource_of(const struct conf_provider *p) {
    if (str_ends(p->url.host, STR(".azure.us"))) return STR("https://cognitiveservices.azure.us");
    if (str_ends(p->url.host, STR(".azure.cn"))) return STR("https://cognitiveservices.azure.cn");
    return STR("https://cognitiveservices.azure.com");
}

static bool exchange(const struct credential_asker *by, struct credential_token *out, struct err *err) {
    const struct conf_provider *p = by->provider;
    const struct http_field fields[] = {{STR("content-type"), STR("application/x-www-form-urlencoded")}};
    const struct conf_identity *id = &p->identity;
    struct buf body = BUF_INIT(BODY_MAX);
    SECRET_AUTO struct secret proof = {0};
    if (!credential_read_token(p, &proof, err)) return false;
    buf_lit(&body, "grant_type=client_credentials");
    credential_pair_put(&body, "client_id", id->account);
    credential_pair_put(&body, "scope", resource_of(p));
    buf_lit(&body, "%2F.default");
    if (id->from == IDENTITY_WEB)
        credential_pair_put(&body, "client_assertion_type",
                            STR("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
    credential_pair_put(&body, id->from == IDENTITY_WEB ? "client_assertion" : "client_secret", secret_str(&proof));
    struct fetch_request request = {
        .method = STR("POST"), .url = id->url, .fields = fields, .n_fields = 1, .body = buf_str(&body)};
    bool ok = body.failed ? err_no_memory(err) : credential_ask_token(by, &request, out, err);
    secret_wipe(body.p, body.n);
    buf_free(&body);
    return ok;
}

// Source: "How to use managed identities for Azure resources on a VM"; of App Service, api-version 2019-08-01.
static bool managed(const struct credential_asker *by, struct credential_token *out, struct err *err) {
    const struct conf_provider *p = by->provider;
    const struct conf_identity *id = &p->identity;
    bool machine = id->from == IDENTITY_MACHINE;
    const struct http_field field = machine ? (struct http_field){STR("metadata"), STR("true")}
                                            : (struct http_field){STR("x-identity-header"), secret_str(&id->token)};
    struct buf url = BUF_INIT(URL_MAX);
    buf_printf(&url, "%.*s%s", STR_ARG(id->url),
               machine ? "/metadata/identity/oauth2/token?api-version=2018-02-01" : "?api-version=2019-08-01");
    credential_pair_put(&url, "resource", resource_of(p));
    if (id->account.n) credential_pair_put(&url, "client_id", id->account);
    struct fetch_request request = {.url = buf_str(&url), .fields = &field, .n_fields = 1};
    bool ok = url.failed ? err_no_memory(err) : credential_ask_token(by, &request, out, err);
    buf_free(&url);
    return ok;
}

bool credential_fetch_azure(const struct credential_asker *by, struct credential_token *out, struct err *err) {
    const struct conf_provider *p = by->provider;
    bool exchanged = p->identity.from == IDENTITY_WEB || p->identity.from == IDENTITY_SECRET;
    return exchanged ? exchange(by, out, err) : managed(by, out, err);
}
