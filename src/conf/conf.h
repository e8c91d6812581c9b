// The configuration: one frozen, reference-counted snapshot that every thread may read.
//
// Ownership: conf_load returns a snapshot with one reference; conf_ref/conf_unref count, the last unref wipes its
// secrets and frees it; everything inside lives as long as it does. Thread rule: read-only after conf_load; ref and
// unref from any thread. Units: sizes in bytes, durations in milliseconds, prices in picodollars a token. A struct str
// in here is NUL-terminated behind its end, so .p serves as a C string at the system's edge.
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/ip.h"
#include "base/map.h"
#include "conf/condition.h"
#include "conf/conf_routing.h"
#include "conf/url.h"

#include <stdatomic.h>

enum conf_client_auth { CLIENT_AUTH_NONE, CLIENT_AUTH_OPTIONAL, CLIENT_AUTH_REQUIRED };
enum conf_tls_version { TLS_1_2, TLS_1_3 };
enum conf_log_level { CONF_LOG_TRACE, CONF_LOG_DEBUG, CONF_LOG_INFO, CONF_LOG_WARN, CONF_LOG_ERROR };
enum conf_log_format { CONF_LOG_AUTO, CONF_LOG_JSON, CONF_LOG_PRETTY };
enum conf_durability { DURABILITY_GROUP, DURABILITY_SYNC };
enum conf_master_source { MASTER_NONE, MASTER_FILE, MASTER_ENV, MASTER_COMMAND, MASTER_VAULT_TRANSIT };
enum conf_vault_auth { VAULT_AUTH_TOKEN, VAULT_AUTH_APPROLE, VAULT_AUTH_KUBERNETES };

#define CONF_VERSION 2 // of the file's format

struct conf_sni {
    struct str name; // "api.example.com" or "*.example.com"
    struct str cert, key;
};
struct conf_tls {
    struct str cert, key; // PEM files; both empty = no TLS
    struct str client_ca;
    int client_auth; // enum conf_client_auth
    int min_version; // enum conf_tls_version
    OPT_LIST_OF(struct conf_sni) sni;
};
struct conf_listener {
    struct str address; // as written
    struct conf_tls tls;
    struct conf_addr addr; // parsed
};

struct conf_server {
    int64_t workers; // event loops; 0 = one a core
    int64_t drain_timeout;
    struct str host; // with port: the listener when `listeners` is not given
    int64_t port;
    OPT_LIST_OF(struct str) trusted_proxies; // addresses and CIDR ranges
    struct ip_set proxies;                   // derived: the same
};
struct conf_limits {
    int64_t max_body, max_header_bytes, max_headers, max_uri;
    int64_t max_response; // of a buffered answer
    int64_t max_event;    // one SSE event
    int64_t max_connections;
    int64_t stream_buffer; // high-water mark towards a slow reader
    int64_t json_depth;
};
struct conf_timeouts {
    int64_t header, body, keepalive, connect, first_byte, idle, total, write;
};
// A provider's own; after loading none is OPT_UNSET: what was not given is the general value.
struct conf_provider_timeouts {
    int64_t connect, first_byte, idle, total;
};

// Asking a provider at regular times whether it is there.
struct conf_health_check {
    struct str path;           // below base_url; empty: "/models"
    int64_t interval, timeout; // interval OPT_UNSET: it is not asked
    int64_t rise, fall;        // checks in a row
};

#define PROVIDER_KEYS_MAX 32
struct conf_provider_key { // one of several
    struct str name;
    struct secret api_key;
    int64_t weight;
    struct conf_rate_limits limits;
};

// Who the process is to its cloud, and where it fetches what proves that.
enum conf_identity_from {
    IDENTITY_NONE,
    IDENTITY_MACHINE,   // the metadata server at url
    IDENTITY_CONTAINER, // the container's own server at url, which is shown the token
    IDENTITY_WEB,       // the token in token_file, exchanged at url
    IDENTITY_SECRET,    // the token, a secret of an application, exchanged at url
};
struct conf_identity {
    int from;
    struct str url;
    struct str account; // AWS: a role's ARN; Azure: the client ID, or empty
    struct str session; // AWS: its name
    struct str token_file;
    struct secret token;
};

struct conf_provider {
    struct str name;
    int kind;         // enum provider_kind
    int dialect;      // enum provider_speech
    bool passthrough; // /passthrough/NAME/… reaches it
    struct str base_url;
    struct secret api_key; // read with secret_str; empty = none is sent, or one of keys
    OPT_LIST_OF(struct conf_provider_key) keys;
    struct str region;                    // of Amazon Bedrock
    struct str access_key_id;             // requests are signed with it and api_key; empty: api_key is a bearer token
    struct secret session_token;          // of temporary credentials
    struct secret credentials;            // of a cloud: JSON of an account, or where the process's own come from
    struct str project, location;         // of Vertex AI
    struct str api_version;               // of Azure OpenAI; empty: its newer paths, which need none
    OPT_LIST_OF(struct opt_pair) headers; // sent with every request; values may be secret
    struct str proxy;                     // "http://host:port" or empty
    struct str tls_ca;                    // PEM file or empty
    bool tls_verify;
    int64_t max_idle_connections; // per event loop
    struct conf_provider_timeouts timeouts;
    struct conf_rate_limits limits;
    struct conf_health_check health_check;
    int privacy; // enum conf_privacy; after loading not PRIVACY_AUTO
    // Derived.
    const struct provider_preset *preset;
    struct conf_url url;           // of base_url; unused for kind demo
    struct conf_url proxy_url;     // when proxy is not empty
    struct conf_identity identity; // of kinds bedrock and azure, by credentials
    size_t index;                  // in conf->providers
};

// Dollars a million tokens as written, picodollars a token in here; OPT_UNSET where not given.
struct conf_rates {
    int64_t input, output, cached_input, cache_write, cache_write_1h, reasoning, audio_input, audio_output;
};
struct conf_long_price {
    int64_t above; // tokens of the prompt
    struct conf_rates rates;
};
struct conf_price {
    struct conf_rates rates;
    int64_t image; // one that is made: microdollars
    int64_t batch; // millionths of the price that a batch costs
    struct conf_long_price long_prompt;
};
struct conf_target {
    struct str provider;
    struct str model; // what the provider calls it; the model's own name when not given
    int64_t weight;
    int64_t priority;  // lower ones first
    struct str when;   // a condition, or empty
    struct str region; // after loading the provider's where it has none
    struct str arm;    // of an experiment
    OPT_LIST_OF(struct str) tags, tiers;
    struct conf_rate_limits limits;
    // Derived.
    struct conf_provider *peer;        // never NULL
    const struct condition *condition; // `when`; NULL: none
    unsigned tier_set;                 // 1 << enum conf_tier; 0: any
};
struct conf_model {
    struct str name;
    OPT_LIST_OF(struct conf_target) targets;
    struct str base;                      // the catalogue's entry that it is like, "openai/gpt-4o-mini"; may be empty
    int64_t context_window, max_output;   // tokens; OPT_UNSET where not given
    OPT_LIST_OF(struct str) capabilities; // names of capability.def; empty = those of the catalogue
    struct conf_price price;
    int strategy;                        // enum conf_strategy
    struct conf_routing routing;         // as stated: what is left unset is the general value
    OPT_LIST_OF(struct opt_pair) tasks;  // a task's name to the model that is asked for it
    OPT_LIST_OF(struct conf_step) chain; // in place of targets
    int64_t chain_max_cost;              // microdollars; 0: any
    int64_t chain_timeout;               // OPT_UNSET: none
    struct conf_canary canary;
    struct conf_shadow shadow;
    // Derived.
    size_t chain_answer;        // the step whose answer is the chain's
    struct conf_routing policy; // what holds: routing, with the general values where it says nothing
    size_t index;               // among all models of all levels
};
struct conf_named_price { // `prices`: "provider/model" or a model's name
    struct str name;
    struct conf_price price;
};

struct conf_responses { // that clients go on from
    int64_t keep;
};
struct conf_translation { // between dialects
    bool strict;
};

struct conf_files { // that clients put in
    int64_t max_size, max_total;
};
struct conf_batches {
    int64_t concurrency, server_concurrency; // lines at a time: of a batch, of the server
    int64_t max_lines, max_open, retries;
    bool provider_native, provider_fallback;
    int64_t provider_poll;
};

enum conf_second_factor { SECOND_FACTOR_OPTIONAL, SECOND_FACTOR_REQUIRED };
struct conf_sign_in {
    int64_t max_failures, max_address_failures; // before an e-mail address, a client's address is locked
    int64_t lock_base, lock_max;
    int second_factor; // enum conf_second_factor
};
struct conf_session {
    int64_t idle, lifetime;
};
struct conf_password { // what a hash costs
    int64_t memory, passes;
};
struct conf_tokens {
    int64_t lifetime; // the longest
    int64_t rotate;   // how long a key signs
};
struct conf_auth {
    bool required;
    struct conf_sign_in sign_in;
    struct conf_session session;
    struct conf_password password;
    struct conf_tokens tokens;
};
struct conf_log {
    int level;  // enum conf_log_level
    int format; // enum conf_log_format
    bool access;
    struct str file;        // empty = stderr
    struct str access_file; // empty = with the log
};
// What wraps the data keys of the sealed store.
struct conf_master_key {
    int source;                      // enum conf_master_source; MASTER_NONE: of next_master_key only
    struct str file;                 // MASTER_FILE; empty: secret.key in the data directory
    struct str env;                  // MASTER_ENV: a variable's name
    OPT_LIST_OF(struct str) command; // MASTER_COMMAND: a program and its arguments
    int64_t timeout;                 // likewise
    struct str mount, key;           // MASTER_VAULT_TRANSIT
};
struct conf_storage {
    struct str data;
    struct secret url; // postgres://…; empty = a SQLite file in data
    struct conf_master_key master_key, next_master_key;
    int durability; // enum conf_durability
    int64_t group_interval;
    int64_t queue_records;
};
struct conf_metrics {
    int64_t max_series;
    bool is_public; // /metrics without a key
};

// HashiCorp Vault or OpenBao, for ${vault:…}.
struct conf_vault {
    struct str address;    // empty = none
    struct str name_space; // X-Vault-Namespace, or empty
    int auth;              // enum conf_vault_auth
    struct str mount;      // of the auth method; empty = its usual one
    struct secret token;   // VAULT_AUTH_TOKEN
    struct secret secret_id;
    struct str role_id;  // VAULT_AUTH_APPROLE
    struct str role;     // VAULT_AUTH_KUBERNETES
    struct str jwt_file; // likewise: the service account's token
    struct str tls_ca;
    bool tls_verify;
    int64_t timeout;
    int64_t poll_interval; // how often secrets in use are read again
};

// The catalogue of models over the built-in one.
struct conf_catalog {
    struct str file, url; // of which one may be given; empty = none
    struct str tls_ca;
    int64_t timeout;
};

// Redis, through which several servers share counters.
struct conf_redis {
    struct secret url; // as redis_url_parse takes it; empty = none
    struct str tls_ca;
    bool tls_verify;
    int64_t timeout, connect_timeout;
    struct str key_prefix;
};

enum quota_mode { QUOTA_LOCAL, QUOTA_EXACT, QUOTA_SHARE };
enum quota_failure { QUOTA_FAIL_OPEN, QUOTA_FAIL_CLOSED, QUOTA_FAIL_LOCAL };

// Quotas and budgets: where they are counted, what is reserved.
struct conf_quota {
    int mode;       // enum quota_mode
    int on_failure; // enum quota_failure
    int64_t redis_timeout;
    int64_t default_output_tokens;
};

// Who is told of events by HTTP.
struct conf_webhook {
    struct str name, url;
    struct secret secret;           // signs the body; empty = unsigned
    OPT_LIST_OF(struct str) events; // names, or "config.*"; empty = all
    int64_t timeout;
};

// Who is told of audit events, beside the trail itself.
enum audit_failure { AUDIT_REFUSE, AUDIT_ALLOW };
enum audit_sink_type { AUDIT_SINK_SYSLOG, AUDIT_SINK_FILE, AUDIT_SINK_WEBHOOK };
enum audit_sink_format { AUDIT_SINK_JSON, AUDIT_SINK_CEF, AUDIT_SINK_OCSF };
#define AUDIT_SINKS_MAX 16
struct conf_audit_sink {
    struct str name, address, path, tls_ca;
    struct secret secret;
    int type, format, facility;
    int64_t rotate_size, keep;
};
struct conf_audit {
    int on_failure; // enum audit_failure
    OPT_LIST_OF(struct conf_audit_sink) sinks;
};

// What is written of usage, and where to.
enum usage_export_format { USAGE_EXPORT_CSV, USAGE_EXPORT_JSONL };
struct conf_usage_export {
    struct str path; // a directory; empty = nothing is written
    int64_t every;   // whole hours of which a day is made up
    int format;      // enum usage_export_format
};
struct conf_usage {
    struct conf_usage_export export;
    struct str reference_model; // what costs are compared with; empty = nothing
};

// Whose requests and answers are kept.
#define CONTENT_MASK_TEXT_MAX 200
struct conf_content {
    struct str tenant; // empty: calls of no tenant's keys
    bool enabled;
    OPT_LIST_OF(struct str) mask;
    int64_t max_bytes, keep;
};

#define CONF_TENANT_DEPTH 8                      // tenants from one to its outermost parent, both counted
#define CONF_CHAIN_DEPTH (CONF_TENANT_DEPTH + 3) // with a key, its project and its team

// A level of settings: a tenant, or a team, project or key of one. What it sets goes before what it inherits: from its
// project, its team, its tenant, that one's parents, and at last the general value.
enum conf_level_kind { LEVEL_TENANT, LEVEL_TEAM, LEVEL_PROJECT, LEVEL_KEY, LEVEL_KIND_COUNT };
struct conf_tenant_limits {
    int64_t max_body, max_response; // after loading never OPT_UNSET: what was not given is inherited
};
struct conf_branding {
    struct str name;    // how the tenant's people know the service
    struct str support; // whom they ask: ends the messages of refusals
};
struct conf_tenant {
    struct str name;
    struct str parent;                     // LEVEL_TENANT: another tenant, or empty
    struct str team, project;              // of a project, of a key: those of its tenant that it lies in, or empty
    OPT_LIST_OF(struct str) allow_models;  // names or "gpt-*"; empty = all that the parent may use
    OPT_LIST_OF(struct conf_model) models; // its own; they go before the parent's of the same name
    OPT_LIST_OF(struct opt_pair) aliases;
    OPT_LIST_OF(struct conf_named_price) prices;
    struct conf_tenant_limits limits;
    struct conf_provider_timeouts timeouts; // inherited; OPT_UNSET where no parent sets one: the provider's own
    struct conf_branding branding;          // inherited; empty where no parent sets one
    int privacy;                            // enum conf_calls: as set
    OPT_LIST_OF(struct str) regions;        // as set
    OPT_LIST_OF(struct str) private_when;   // as set: names of pii_kind.h
    OPT_LIST_OF(struct conf_tenant) teams, projects, keys; // LEVEL_TENANT
    // Derived.
    enum conf_level_kind kind;
    const struct conf_tenant *of; // the tenant; itself for LEVEL_TENANT
    const struct conf_tenant *up; // NULL = the general configuration
    struct map model_map, alias_map, price_map;
    struct map team_map, project_map, key_map; // of teams, projects, keys
    struct {                                   // as set, before the rest was inherited
        struct conf_tenant_limits limits;
        struct conf_provider_timeouts timeouts;
        struct conf_branding branding;
    } own;
};

struct conf {
    int64_t version;
    OPT_LIST_OF(struct str) include;             // taken up when layers are joined
    bool profiles;                               // likewise
    OPT_LIST_OF(struct conf_listener) listeners; // at least one
    struct conf_server server;
    struct conf_limits limits;
    struct conf_timeouts timeouts;
    OPT_LIST_OF(struct conf_provider) providers; // at least one
    OPT_LIST_OF(struct conf_model) models;
    OPT_LIST_OF(struct opt_pair) aliases;
    bool passthrough_models;
    OPT_LIST_OF(struct conf_named_price) prices;
    struct conf_catalog catalog;
    struct conf_auth auth;
    struct conf_log log;
    struct conf_storage storage;
    struct conf_metrics metrics;
    struct conf_vault vault;
    struct conf_redis redis;
    struct conf_quota quota;
    struct conf_translation translation;
    struct conf_responses responses;
    struct conf_files files;
    struct conf_batches batches;
    OPT_LIST_OF(struct conf_webhook) webhooks;
    struct conf_audit audit;
    OPT_LIST_OF(struct conf_content) content_log;
    struct conf_usage usage;
    struct conf_routing routing;
    OPT_LIST_OF(struct conf_tenant) tenants;

    // Derived.
    struct str file;    // the main file; empty = none
    struct str profile; // empty = none
    OPT_LIST_OF(struct str)
    watch; // files and directories whose change may change the configuration: the files read,
           // conf.d/, what include patterns look into, ${file:…}
    OPT_LIST_OF(struct str) vault_refs; // "path#key" of each ${vault:…} that was resolved
    // What the layers say, joined, with references as written; NULL = nothing is set. A node's source and pos tell
    // where a value came from, its `under` what it took the place of. `stated` is without what was found, `base`
    // without the live changes too.
    const struct conf_node *root, *base, *stated;
    size_t model_count; // of all levels
    bool discovered;    // no providers were configured: these were found
    struct map provider_map, model_map, alias_map, price_map, tenant_map;
    struct arena arena;
    struct arena tree_arena;            // of root and base and their sources; wiped at the end
    OPT_LIST_OF(struct secret) secrets; // spans that the last unref wipes
    atomic_uint refs;
};

extern const struct opt_table conf_table; // the whole: describes struct conf

// Reads and joins all layers (enum conf_layer), then checks the whole. path empty = no file: defaults, and the
// providers that env knows of. True = *out_conf set, though *problems may hold warnings; false = *problems says why.
// *problems must be initialised and is sorted afterwards.
NODISCARD bool conf_load(struct str path, const struct conf_env *env, struct conf_problems *problems,
                         struct conf **out_conf);
// As conf_load, on text in hand.
NODISCARD bool conf_load_text(struct str text, struct str name, const struct conf_env *env,
                              struct conf_problems *problems, struct conf **out_conf);
struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf *c); // NULL is fine

// What it is asked with where a call is not one of a model's: its key, or the first of several.
static inline struct str conf_provider_key(const struct conf_provider *p) {
    return secret_str(p->keys.n ? &p->keys.p[0].api_key : &p->api_key);
}
struct conf_provider *conf_provider_find(const struct conf *c, struct str name);
const struct conf_model *conf_model_find(const struct conf *c, struct str name);
// Whether the innermost level from t outwards that speaks of it says that requests are private. t may be NULL.
bool conf_level_private(const struct conf_tenant *t);
// The kinds of personal data (PII_BIT) that make one private, of the innermost level that says so, else in general.
unsigned conf_level_private_when(const struct conf *c, const struct conf_tenant *t);
// The regions that they may go to, of the innermost level that names some; how many: 0 is everywhere.
size_t conf_level_regions(const struct conf_tenant *t, const struct str **out_regions);
const struct conf_tenant *conf_tenant_find(const struct conf *c, struct str name);
// All levels: each tenant, then its teams, projects and keys. Start with a zeroed *io_at; NULL at the end.
struct conf_level_at {
    size_t tenant, next; // next: of the tenant's levels; 0 = the tenant
};
struct conf_tenant *conf_level_next(const struct conf *c, struct conf_level_at *io_at);
// The team, project or key of that name in a tenant, or NULL.
const struct conf_tenant *conf_level_find(const struct conf_tenant *tenant, enum conf_level_kind kind, struct str name);
const char *conf_level_word(enum conf_level_kind kind); // "tenant", "team", "project", "key"
// The level that holds for a caller of the tenant: the innermost there is for its key, its project, its team. Where the
// configuration does not say in what a project or key lies, *caller does: the level is then made in the arena, and
// lives as long. ERR_FORBIDDEN when the two say otherwise of each other.
struct conf_caller {
    struct str team, project, key; // names; empty = none
};
NODISCARD bool conf_level_of(const struct conf_tenant *tenant, const struct conf_caller *caller, struct arena *a,
                             const struct conf_tenant **out_level, struct err *err);
// A price set in a tenant's own `prices` (NULL: the general ones) for "provider/model", else for the model's name
// alone; NULL when there is none. Its parents' are not looked at.
const struct conf_price *conf_price_find(const struct conf *c, const struct conf_tenant *tenant, struct str provider,
                                         struct str model);

// "gpt-4o", or "gpt-*" for all that begin so.
bool conf_pattern_matches(struct str pattern, struct str name);
// The tenant, or the nearest above it, whose allow_models leaves a model out, by the name it is asked for; NULL when it
// may be used. tenant NULL: NULL.
const struct conf_tenant *conf_tenant_refuser(const struct conf_tenant *tenant, struct str model);
// Of the models that the tenant (NULL: none) can see the one nearest to a name, to be suggested; empty: none is near.
struct str conf_near_model(const struct conf *c, const struct conf_tenant *tenant, struct str name);
static inline bool conf_tenant_allows(const struct conf_tenant *tenant, struct str model) {
    return !conf_tenant_refuser(tenant, model);
}

// What a requested model name stands for.
struct conf_choice {
    const struct conf_model *model;   // a configured model: take its targets. NULL: provider and upstream instead
    const struct conf_provider *peer; // when model is NULL
    struct str upstream;              // the name to ask that provider for; a slice of the name given
};
// Alias or model, of the tenant, else of its parent and so on up, else the general one (tenant NULL: only that); an
// alias's target is looked for from the tenant again. Then, when passthrough_models: "provider/model"; the first
// provider whose kind owns names of this form; the only provider there is. False when nothing fits. allow_models is not
// looked at. A name that is found lives as long as `name`.
NODISCARD bool conf_resolve(const struct conf *c, const struct conf_tenant *tenant, struct str name,
                            struct conf_choice *out_choice);

// docs/config.md; docs/config-env.md; docs/penstock.schema.json.
void conf_describe(struct buf *out);
void conf_describe_env(struct buf *out);
void conf_schema(struct buf *out);

#endif
