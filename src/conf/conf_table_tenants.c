// The option tables of tenants: what they may set for themselves.
#include "conf/conf_tables.h"

static const struct opt tenant_limits_opts[] = {
    {.name = "max_body",
     .type = OPT_SIZE,
     .flags = RELOAD | OPT_MAYBE,
     AT(conf_tenant_limits, max_body),
     .min = KIB,
     .max = 1024 * MIB,
     .help = "The largest request body of its keys, within the general limit; the parent's when not given."},
    {.name = "max_response",
     .type = OPT_SIZE,
     .flags = RELOAD | OPT_MAYBE,
     AT(conf_tenant_limits, max_response),
     .min = KIB,
     .max = 1024 * MIB,
     .help = "The largest answer that is not streamed; the parent's when not given."},
};
static const struct opt_table tenant_limits_table =
    OPT_TABLE("its limits", struct conf_tenant_limits, tenant_limits_opts);

static const struct opt branding_opts[] = {
    {.name = "name",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_branding, name),
     .max = 100,
     .help =
         "What its people know the service as: who owns its models in `GET /v1/models`. The parent's when not given."},
    {.name = "support",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_branding, support),
     .max = 200,
     .help = "Whom its people ask: refusals end with it. The parent's when not given.",
     .example = "ai-platform@example.com"},
};
static const struct opt_table branding_table = OPT_TABLE("how it looks", struct conf_branding, branding_opts);

static const struct opt_enum privacies[] = {
    {"inherit", CALLS_INHERIT, "as what it lies in says; the general configuration says nothing"},
    {"any", CALLS_ANY, "may go to any provider, whatever what it lies in says"},
    {"private", CALLS_PRIVATE, "are private: providers with `privacy: local` alone see them"},
    {0}};

// What every level may set.
#define SETTINGS                                                                                                       \
    {.name = "allow_models",                                                                                           \
     .type = OPT_STRS,                                                                                                 \
     .flags = RELOAD,                                                                                                  \
     AT(conf_tenant, allow_models),                                                                                    \
     .max = 256,                                                                                                       \
     .check = check_model_pattern,                                                                                     \
     .help = "The models its keys may use, of those that its parent may: names, or beginnings with `*`. All of them "  \
             "when not given.",                                                                                        \
     .example = "[gpt-5*, claude-haiku-4-5]"},                                                                         \
        {.name = "models",                                                                                             \
         .type = OPT_LIST,                                                                                             \
         .flags = RELOAD | OPT_NAMED,                                                                                  \
         AT(conf_tenant, models),                                                                                      \
         .max = 1000,                                                                                                  \
         .sub = &model_table,                                                                                          \
         .help = "Models of its own. One of the same name as a general model goes before it."},                        \
        {.name = "aliases",                                                                                            \
         .type = OPT_MAP,                                                                                              \
         .flags = RELOAD,                                                                                              \
         AT(conf_tenant, aliases),                                                                                     \
         .max = 1000,                                                                                                  \
         .check_key = check_model_name,                                                                                \
         .check = check_model_name,                                                                                    \
         .help = "Further names, before the parent's."},                                                               \
        {.name = "prices",                                                                                             \
         .type = OPT_STRUCT_MAP,                                                                                       \
         .flags = RELOAD,                                                                                              \
         AT(conf_tenant, prices),                                                                                      \
         .max = 1000,                                                                                                  \
         .sub = &named_price_table,                                                                                    \
         .check_key = check_model_name,                                                                                \
         .help = "What calls of its keys cost, before the general prices."},                                           \
        {.name = "limits",                                                                                             \
         .type = OPT_STRUCT,                                                                                           \
         AT(conf_tenant, limits),                                                                                      \
         .sub = &tenant_limits_table,                                                                                  \
         .help = "Its own limits."},                                                                                   \
        {.name = "timeouts",                                                                                           \
         .type = OPT_STRUCT,                                                                                           \
         AT(conf_tenant, timeouts),                                                                                    \
         .sub = &provider_timeouts_table,                                                                              \
         .help = "How long calls of its keys may take; a provider's own timeouts when not given."},                    \
        {.name = "privacy",                                                                                            \
         .type = OPT_ENUM,                                                                                             \
         .flags = RELOAD,                                                                                              \
         AT(conf_tenant, privacy),                                                                                     \
         .def = "inherit",                                                                                             \
         .values = privacies,                                                                                          \
         .help = "What requests of its keys are. A key's tag and a request's header can make them private besides."},  \
        {.name = "regions",                                                                                            \
         .type = OPT_STRS,                                                                                             \
         .flags = RELOAD,                                                                                              \
         AT(conf_tenant, regions),                                                                                     \
         .max = CONF_REGIONS_MAX,                                                                                      \
         .check = check_slug,                                                                                          \
         .help = "Where requests of its keys may go: to targets in one of these regions, `eu` taking in "              \
                 "`eu-central-1`. A key's tag and a request's header can narrow this. As what it lies in says when "   \
                 "not given; `[any]` is everywhere.",                                                                  \
         .example = "[eu]"},                                                                                           \
        {.name = "private_when",                                                                                       \
         .type = OPT_STRS,                                                                                             \
         .flags = RELOAD,                                                                                              \
         AT(conf_tenant, private_when),                                                                                \
         .max = CONF_PRIVATE_WHEN_MAX,                                                                                 \
         .check = check_pii_kind,                                                                                      \
         .help = "Which personal data makes a request of its keys private, as `routing.private_when`. As what it "     \
                 "lies in says when not given; `[none]` is none.",                                                     \
         .example = "[credit_card, iban]"},                                                                            \
    {                                                                                                                  \
        .name = "branding", .type = OPT_STRUCT, AT(conf_tenant, branding), .sub = &branding_table,                     \
        .help = "What its people see."                                                                                 \
    }
#define NAME(longest, form, text)                                                                                      \
    {                                                                                                                  \
        .name = "name", .type = OPT_STR, .flags = OPT_REQUIRED | RELOAD, AT(conf_tenant, name), .min = 1,              \
        .max = (longest), .check = (form), .help = text                                                                \
    }
#define LIES_IN(field, text)                                                                                           \
    { .name = #field, .type = OPT_STR, .flags = RELOAD, AT(conf_tenant, field), .max = 64, .help = text }

static const struct opt team_opts[] = {
    NAME(64, check_slug, "The team's name, as in `penstock team list`."),
    SETTINGS,
};
const struct opt_table team_table = OPT_TABLE("a team", struct conf_tenant, team_opts);

static const struct opt project_opts[] = {
    NAME(64, check_slug, "The project's name, as in `penstock project list`."),
    LIES_IN(
        team,
        "The team of `teams` whose configuration it inherits. Without it, that of the team it was made in, if any."),
    SETTINGS,
};
const struct opt_table project_table = OPT_TABLE("a project", struct conf_tenant, project_opts);

static const struct opt key_opts[] = {
    NAME(128, NULL,
         "The key's name, as in `penstock key list`: all keys of the tenant that have it, in `project` and "
         "`team` where those are given."),
    LIES_IN(project, "The project of `projects` whose configuration it inherits: only keys that were made in it are "
                     "meant. Without it, keys of that name in any project."),
    LIES_IN(team, "Likewise the team of `teams`."),
    SETTINGS,
};
const struct opt_table key_table = OPT_TABLE("a key", struct conf_tenant, key_opts);

static const struct opt tenant_opts[] = {
    NAME(64, check_slug, "How keys and figures refer to it."),
    {.name = "parent",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_tenant, parent),
     .max = 64,
     .help = "The tenant whose configuration it inherits: a division's organisation, a customer's reseller. Without it "
             "the general configuration.",
     .example = "acme"},
    SETTINGS,
    {.name = "teams",
     .type = OPT_LIST,
     .flags = RELOAD | OPT_NAMED,
     AT(conf_tenant, teams),
     .max = 1000,
     .sub = &team_table,
     .help = "What its teams have of their own: it goes before the tenant's for keys that lie in them.",
     .example = "[{name: ml, allow_models: [gpt-5*]}]"},
    {.name = "projects",
     .type = OPT_LIST,
     .flags = RELOAD | OPT_NAMED,
     AT(conf_tenant, projects),
     .max = 10000,
     .sub = &project_table,
     .help = "Likewise its projects; it goes before their team's.",
     .example = "[{name: search, team: ml, limits: {max_body: 1 MiB}}]"},
    {.name = "keys",
     .type = OPT_LIST,
     .flags = RELOAD | OPT_NAMED,
     AT(conf_tenant, keys),
     .max = 10000,
     .sub = &key_table,
     .help = "Likewise its keys; it goes before their project's.",
     .example = "[{name: nightly, project: search, aliases: {best: gpt-5-mini}}]"},
};
const struct opt_table tenant_table = OPT_TABLE("an organisation", struct conf_tenant, tenant_opts);
