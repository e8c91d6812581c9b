// What the files of option tables share: macros, the checks of well-formed text, the tables themselves.
#ifndef CONF_CONF_TABLES_H
#define CONF_CONF_TABLES_H

#include "conf/conf_impl.h"

#define RELOAD OPT_RELOAD
#define DRAIN (OPT_RELOAD | OPT_DRAIN)
#define AT(owner, field) .offset = offsetof(struct owner, field)
#define DURATION(owner, field, how, default_text, low, high, text)                                                     \
    {                                                                                                                  \
        .name = #field, .type = OPT_DURATION, .flags = (how), AT(owner, field), .def = default_text, .min = low,       \
        .max = high, .help = text                                                                                      \
    }
#define HOUR INT64_C(3600000)
#define KIB INT64_C(1024)
#define MIB (KIB * 1024)

// NULL, or what was expected.
const char *check_host(struct str text);
const char *check_address(struct str text);
const char *check_network(struct str text); // an address or a CIDR range
const char *check_url(struct str text);
const char *check_proxy(struct str text);
const char *check_slug(struct str text); // names of providers, tenants, webhooks
const char *check_model_name(struct str text);
const char *check_model_pattern(struct str text);
const char *check_pii_kind(struct str text);
const char *check_header_name(struct str text);
const char *check_server_name(struct str text);
const char *check_event_pattern(struct str text);

extern const struct opt_table listener_table, provider_table, provider_timeouts_table, model_table, named_price_table,
    tenant_table, team_table, project_table, key_table, vault_table, webhook_table, redis_table, quota_table,
    translation_table, master_key_table, next_master_key_table, auth_table, catalog_table, audit_table, content_table,
    responses_table, files_table, batches_table, usage_table, routing_table, model_routing_table, rate_limit_table,
    canary_table, shadow_table;

#endif
