// What a provider of kind bedrock takes from the environment, and where it is.
#include "conf/conf_impl.h"

// Source: AWS General Reference, "Service endpoints": regions in China have a domain of their own.
static struct str url_of(struct opt_bind *b, const char *service, struct str region) {
    return arena_printf(b->arena, "https://%s.%.*s.amazonaws.com%s", service, STR_ARG(region),
                        str_starts(region, STR("cn-")) ? ".cn" : "");
}

// As Amazon's own libraries find it. Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers".
static void identity_of_container(struct opt_bind *b, const struct conf_provider *p, size_t i,
                                  struct conf_identity *out) {
    struct str path = conf_variable(b, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    out->from = IDENTITY_CONTAINER;
    if (path.n)
        out->url = arena_printf(b->arena, "http://169.254.170.2%.*s", STR_ARG(path));
    else
        conf_variable_text(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", &out->url);
    conf_variable_text(b, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &out->token_file);
    if (!out->token_file.n) conf_variable_secret(b, p, i, "AWS_CONTAINER_AUTHORIZATION_TOKEN", &out->token);
}

static void identity_of_role(struct opt_bind *b, const struct conf_provider *p, struct conf_identity *out) {
    out->from = IDENTITY_WEB;
    conf_variable_text(b, "AWS_WEB_IDENTITY_TOKEN_FILE", &out->token_file);
    conf_variable_text(b, "AWS_ROLE_ARN", &out->account);
    conf_variable_text(b, "AWS_ROLE_SESSION_NAME", &out->session);
    if (!out->session.n) out->session = STR("penstock");
    conf_variable_text(b, "AWS_ENDPOINT_URL_STS", &out->url);
    if (!out->url.n) out->url = url_of(b, "sts", p->region);
}

// False: the environment names none, and the machine is not to be asked.
static bool find_identity(struct opt_bind *b, const struct conf_provider *p, size_t i, bool machine,
                          struct conf_identity *out) {
    if (conf_variable(b, "AWS_WEB_IDENTITY_TOKEN_FILE").n && conf_variable(b, "AWS_ROLE_ARN").n) {
        identity_of_role(b, p, out);
    } else if (conf_variable(b, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").n ||
               conf_variable(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI").n) {
        identity_of_container(b, p, i, out);
    } else if (machine) {
        out->from = IDENTITY_MACHINE;
        conf_variable_text(b, "AWS_EC2_METADATA_SERVICE_ENDPOINT", &out->url);
        if (!out->url.n) out->url = STR("http://169.254.169.254");
    }
    if (out->from && !out->url.n) b->failed = true;
    return out->from != IDENTITY_NONE;
}

static void check_credentials(struct opt_bind *b, struct conf_provider *p, size_t i) {
    if (!str_eq(secret_str(&p->credentials), STR("auto"))) {
        conf_complain(b, CONF_ERROR_PRIVATE, &p->credentials, p,
                      "providers[%zu].credentials: kind bedrock knows only `auto`; a key goes into access_key_id and "
                      "api_key",
                      i);
        return;
    }
    (void)find_identity(b, p, i, true, &p->identity);
}

static void take_credentials(struct opt_bind *b, struct conf_provider *p, size_t i) {
    if (p->credentials.n) {
        check_credentials(b, p, i);
        return;
    }
    if (opt_mark_find(b, &p->api_key) || opt_mark_find(b, &p->access_key_id) || p->keys.n) return;
    if (conf_variable(b, "AWS_BEARER_TOKEN_BEDROCK").n) {
        conf_variable_secret(b, p, i, "AWS_BEARER_TOKEN_BEDROCK", &p->api_key);
        return;
    }
    if (!conf_variable(b, "AWS_ACCESS_KEY_ID").n || !conf_variable(b, "AWS_SECRET_ACCESS_KEY").n) {
        (void)find_identity(b, p, i, false, &p->identity);
        return;
    }
    conf_variable_text(b, "AWS_ACCESS_KEY_ID", &p->access_key_id);
    conf_variable_secret(b, p, i, "AWS_SECRET_ACCESS_KEY", &p->api_key);
    if (!opt_mark_find(b, &p->session_token)) conf_variable_secret(b, p, i, "AWS_SESSION_TOKEN", &p->session_token);
}

void conf_check_bedrock(struct opt_bind *b, struct conf_provider *p, size_t i) {
    if (!p->region.n) conf_variable_text(b, "AWS_REGION", &p->region);
    if (!p->region.n) conf_variable_text(b, "AWS_DEFAULT_REGION", &p->region);
    take_credentials(b, p, i);
    if (p->access_key_id.n && !p->api_key.n)
        conf_complain(b, CONF_ERROR, &p->access_key_id, p,
                      "providers[%zu]: the key \"api_key\" is missing; it is the secret that belongs to access_key_id",
                      i);
    if ((p->access_key_id.n || p->identity.from) && !p->region.n)
        conf_complain(b, CONF_ERROR, p->access_key_id.n ? (void *)&p->access_key_id : (void *)&p->credentials, p,
                      "providers[%zu]: the key \"region\" is missing, and AWS_REGION is not set", i);
    if (p->base_url.n || !p->region.n) return;
    p->base_url = url_of(b, "bedrock-runtime", p->region);
    if (!p->base_url.n) b->failed = true;
}
