// The option tables of providers.
#include "conf/conf_tables.h"

static const struct opt_enum provider_kinds[] = {
#define PRESET(id, kind, title, variable, url, auth, port, prefixes) {kind, PROVIDER_##id, title},
#include "conf/provider_preset.def"
#undef PRESET
    {0}};

static const struct opt_enum provider_speeches[] = {{"auto", PROVIDER_SPEECH_AUTO, "what its kind speaks"},
                                                    {"openai", PROVIDER_SPEECH_OPENAI, "OpenAI's chat completions"},
                                                    {"responses", PROVIDER_SPEECH_RESPONSES, "OpenAI's responses"},
                                                    {"anthropic", PROVIDER_SPEECH_ANTHROPIC, "Anthropic's messages"},
                                                    {"gemini", PROVIDER_SPEECH_GEMINI, "Google's generateContent"},
                                                    {"ollama", PROVIDER_SPEECH_OLLAMA, "Ollama's own chat"},
                                                    {"cohere", PROVIDER_SPEECH_COHERE, "Cohere's chat, version 2"},
                                                    {"bedrock", PROVIDER_SPEECH_BEDROCK, "Amazon Bedrock's Converse"},
                                                    {0}};

static const struct opt_enum privacies[] = {{"auto", PRIVACY_AUTO,
                                             "`local` when its `base_url` is this machine's own or a private network's "
                                             "address, and so is its `proxy` where it has one"},
                                            {"local", PRIVACY_LOCAL, "nothing leaves the house"},
                                            {"remote", PRIVACY_REMOTE, "somebody else's"},
                                            {0}};

#define PROVIDER_DURATION(field, high)                                                                                 \
    {                                                                                                                  \
        .name = #field, .type = OPT_DURATION, .flags = RELOAD | OPT_MAYBE, AT(conf_provider_timeouts, field),          \
        .min = 1, .max = high, .help = "As `timeouts." #field "`, which holds when this is not given."                 \
    }
static const struct opt provider_timeouts_opts[] = {PROVIDER_DURATION(connect, HOUR),
                                                    PROVIDER_DURATION(first_byte, HOUR), PROVIDER_DURATION(idle, HOUR),
                                                    PROVIDER_DURATION(total, 24 * HOUR)};
const struct opt_table provider_timeouts_table =
    OPT_TABLE("waiting for this provider", struct conf_provider_timeouts, provider_timeouts_opts);

static const char *check_path(struct str text) {
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] >= 0x7f || text.p[i] == '#')
            return "a path of a URL: /health";
    return text.n && text.p[0] == '/' ? NULL : "a path of a URL, with a slash at its beginning: /health";
}

static const struct opt health_check_opts[] = {
    {.name = "path",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_health_check, path),
     .check = check_path,
     .help = "What is asked for with GET, below `base_url`; `/models` when not given. An answer with a status below "
             "500 is a good one.",
     .example = "/health"},
    {.name = "interval",
     .type = OPT_DURATION,
     .flags = RELOAD | OPT_MAYBE,
     AT(conf_health_check, interval),
     .min = 100,
     .max = 24 * HOUR,
     .help = "How often. Nothing is asked when not given."},
    {.name = "timeout",
     .type = OPT_DURATION,
     .flags = RELOAD,
     AT(conf_health_check, timeout),
     .def = "5s",
     .min = 10,
     .max = HOUR,
     .help = "How long the answer may take."},
    {.name = "rise",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_health_check, rise),
     .def = "2",
     .min = 1,
     .max = 100,
     .help = "How many good answers in a row bring its targets back."},
    {.name = "fall",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_health_check, fall),
     .def = "3",
     .min = 1,
     .max = 100,
     .help = "After how many failures in a row its targets are left out."},
};
static const struct opt_table health_check_table =
    OPT_TABLE("asking a provider whether it is there", struct conf_health_check, health_check_opts);

static const struct opt provider_key_opts[] = {
    {.name = "name",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_provider_key, name),
     .min = 1,
     .max = 64,
     .check = check_slug,
     .help = "How logs and figures refer to it."},
    {.name = "api_key",
     .type = OPT_SECRET,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_provider_key, api_key),
     .min = 1,
     .help = "The key itself, best as a reference.",
     .example = "${env:OPENAI_API_KEY_2}"},
    {.name = "weight",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_provider_key, weight),
     .def = "1",
     .min = 0,
     .max = 1000000,
     .help = "Its share of the requests; 0 takes it out."},
    {.name = "limits",
     .type = OPT_STRUCT,
     AT(conf_provider_key, limits),
     .sub = &rate_limit_table,
     .help = "How much is sent with it at most, all models together, by this server."},
};
static const struct opt_table provider_key_table =
    OPT_TABLE("one of a provider's keys", struct conf_provider_key, provider_key_opts);

static const struct opt provider_opts[] = {
    {.name = "name",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_provider, name),
     .min = 1,
     .max = 64,
     .check = check_slug,
     .help = "How the rest of the file, model names (`name/model`) and figures refer to it."},
    {.name = "kind",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_provider, kind),
     .def = "openai",
     .values = provider_kinds,
     .help = "What it is. `openai` is also right for anything else that speaks OpenAI's API. When left out and the "
             "name is that of a kind, it is that kind."},
    {.name = "dialect",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_provider, dialect),
     .def = "auto",
     .values = provider_speeches,
     .help = "What it is spoken to in, where that is not what its kind speaks: for a server of one's own that speaks "
             "Anthropic's dialect, say. A `base_url` that ends in `/openai` is spoken to in OpenAI's."},
    {.name = "base_url",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_provider, base_url),
     .max = 1024,
     .check = check_url,
     .help = "Where its API begins, version included; the kind's own address when not given.",
     .example = "https://llm.example.com/v1"},
    {.name = "passthrough",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_provider, passthrough),
     .def = "false",
     .help =
         "Whether `/passthrough/NAME/…` reaches it: any of its endpoints, in its own words, with its key. Keys that "
         "may use all of its models may call it."},
    {.name = "api_key",
     .type = OPT_SECRET,
     .flags = RELOAD,
     AT(conf_provider, api_key),
     .min = 1,
     .help = "Its key, best as a reference. When neither this nor `base_url` is given, the kind's environment variable "
             "is used.",
     .example = "${env:OPENAI_API_KEY}"},
    {.name = "keys",
     .type = OPT_LIST,
     .flags = RELOAD | OPT_NAMED,
     AT(conf_provider, keys),
     .max = PROVIDER_KEYS_MAX,
     .sub = &provider_key_table,
     .help = "Several keys in the place of `api_key`: each request takes one by weight. A key that is refused, or told "
             "to wait, is left out for a while, and the request is tried with another before another target is asked."},
    {.name = "region",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_provider, region),
     .max = 40,
     .check = check_slug,
     .help = "Where it runs, for requests that are to stay in a region. Of kind `bedrock` the AWS region, which gives "
             "`base_url` and is signed; when not given, `AWS_REGION` or `AWS_DEFAULT_REGION`.",
     .example = "eu-central-1"},
    {.name = "access_key_id",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_provider, access_key_id),
     .max = 128,
     .help = "Of kind `bedrock`: requests are signed with this and with `api_key` as the secret access key. Without it "
             "`api_key` is a Bedrock API key. When neither is given, `AWS_BEARER_TOKEN_BEDROCK`, else "
             "`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, else the role that the environment "
             "names, as with `credentials: auto`.",
     .example = "${env:AWS_ACCESS_KEY_ID}"},
    {.name = "session_token",
     .type = OPT_SECRET,
     .flags = RELOAD,
     AT(conf_provider, session_token),
     .min = 1,
     .help = "Of kind `bedrock`: what belongs to a temporary `access_key_id`.",
     .example = "${env:AWS_SESSION_TOKEN}"},
    {.name = "credentials",
     .type = OPT_SECRET,
     .flags = RELOAD,
     AT(conf_provider, credentials),
     .min = 1,
     .help =
         "In the place of a key; what is fetched with it is renewed before it runs out. Of kind `vertex`: the JSON of "
         "a "
         "service account's key, best as a reference to its file, or `metadata` on a machine in Google's cloud. Of "
         "kind "
         "`bedrock`: `auto`, the role of the service account, container or machine, as Amazon's libraries find it. Of "
         "kind `azure`: `auto`, the workload's or managed identity, as Azure's libraries find it, or JSON with "
         "`tenant_id`, `client_id` and `client_secret`.",
     .example = "${file:/etc/penstock/vertex.json}"},
    {.name = "project",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_provider, project),
     .max = 100,
     .check = check_slug,
     .help = "Of kind `vertex`: the project in Google's cloud; that of the service account when not given.",
     .example = "my-project-123"},
    {.name = "location",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_provider, location),
     .max = 40,
     .check = check_slug,
     .help = "Of kind `vertex`: the region, which gives `base_url`; `global` when not given.",
     .example = "europe-west4"},
    {.name = "api_version",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_provider, api_version),
     .max = 40,
     .check = check_slug,
     .help = "Of kind `azure`: the version of its API, for paths that name a deployment. When not given, the paths "
             "below `/openai/v1` are used.",
     .example = "2024-10-21"},
    {.name = "headers",
     .type = OPT_MAP,
     .flags = RELOAD | OPT_PRIVATE,
     AT(conf_provider, headers),
     .max = 64,
     .check_key = check_header_name,
     .help = "Headers added to every request to it. Values may be references.",
     .example = "{OpenAI-Organization: org-123}"},
    {.name = "proxy",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_provider, proxy),
     .max = 300,
     .check = check_proxy,
     .help = "HTTP proxy to reach it through.",
     .example = "http://proxy.example.com:3128"},
    {.name = "tls_ca",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_provider, tls_ca),
     .help = "PEM file with the authorities its certificate must come from; the system's when not given."},
    {.name = "tls_verify",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_provider, tls_verify),
     .def = "true",
     .help = "Whether its certificate is verified. Turn this off for tests only."},
    {.name = "max_idle_connections",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_provider, max_idle_connections),
     .def = "256",
     .min = 0,
     .max = 65536,
     .help = "Idle connections kept open to it, for each event loop."},
    {.name = "timeouts",
     .type = OPT_STRUCT,
     .flags = RELOAD,
     AT(conf_provider, timeouts),
     .sub = &provider_timeouts_table,
     .help = "Its own waiting times."},
    {.name = "limits",
     .type = OPT_STRUCT,
     AT(conf_provider, limits),
     .sub = &rate_limit_table,
     .help = "How much it is sent at most, all models together, by this server."},
    {.name = "health_check",
     .type = OPT_STRUCT,
     AT(conf_provider, health_check),
     .sub = &health_check_table,
     .help = "Asking it at regular times whether it is there, besides what its answers to requests tell."},
    {.name = "privacy",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_provider, privacy),
     .def = "auto",
     .values = privacies,
     .help = "Whether it runs where private data may go: requests that are marked private are sent to `local` "
             "providers alone."},
};
const struct opt_table provider_table =
    OPT_TABLE("a service that answers model calls", struct conf_provider, provider_opts);
