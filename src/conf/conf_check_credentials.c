// What a provider is called with in the place of a key: each cloud's own way, and none elsewhere.
#include "conf/conf_impl.h"

void conf_check_credentials(struct opt_bind *b, struct conf_provider *p, size_t i) {
    if (p->kind == PROVIDER_BEDROCK)
        conf_check_bedrock(b, p, i);
    else if (p->kind == PROVIDER_AZURE)
        conf_check_azure(b, p, i);
    else if (p->kind == PROVIDER_VERTEX)
        conf_check_vertex(b, p, i);
    else if (p->credentials.n)
        conf_complain(b, CONF_WARNING, &p->credentials, p,
                      "providers[%zu].credentials: are not used; they are for kinds bedrock, azure and vertex; kind "
                      "%.*s takes an api_key",
                      i, STR_ARG(p->preset->name));
    if (p->identity.from && (opt_mark_find(b, &p->api_key) || p->access_key_id.n))
        conf_complain(b, CONF_ERROR, &p->credentials, p,
                      "providers[%zu].credentials: stand in the place of %s; give one of them", i,
                      p->access_key_id.n ? "access_key_id" : "api_key");
}
