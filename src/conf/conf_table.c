// The option tables: every key of the configuration with its type, default, range and meaning.
#include "conf/conf_impl.h"

#define RELOAD OPT_RELOAD

static const char *check_address(struct str text) {
    struct conf_addr addr;
    return conf_addr_parse(text, &addr);
}

static const char *check_url(struct str text) {
    struct conf_url url;
    return conf_url_parse(text, &url);
}

static const char *check_proxy(struct str text) {
    struct conf_url url;
    if (conf_url_parse(text, &url) || url.tls || url.path.n)
        return "a proxy's address such as http://proxy.example.com:3128";
    return NULL;
}

static const char *check_provider_name(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!word && (i == 0 || (c != '-' && c != '_' && c != '.')))
            return "a name of a-z, 0-9, \"-\", \"_\" and \".\"";
    }
    return NULL;
}

static const char *check_model_name(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] <= 0x20) return "a model name without spaces";
    }
    return text.n && text.n <= 256 ? NULL : "a model name of 1 to 256 bytes";
}

static const char *check_header_name(struct str text) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    static const struct str ours[] = {STR_INIT("host"),       STR_INIT("content-length"), STR_INIT("transfer-encoding"),
                                      STR_INIT("connection"), STR_INIT("upgrade"),        STR_INIT("te"),
                                      STR_INIT("trailer"),    STR_INIT("keep-alive"),     STR_INIT("expect")};
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (!c || !strchr(others, c))) return "a header name";
    }
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (str_eq_nocase(text, ours[i]))
            return "a header that Penstock does not set itself (as it does host, content-length, connection and the "
                   "like)";
    }
    return text.n ? NULL : "a header name";
}

static const char *check_server_name(struct str text) {
    struct str host = str_starts(text, STR("*.")) ? str_from(text, 2) : text;
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!word && c != '-' && c != '.') return "a host name in lower case, such as api.example.com or *.example.com";
    }
    return host.n ? NULL : "a host name";
}

static const struct opt_enum client_auths[] = {{"none", CLIENT_AUTH_NONE, NULL},
                                               {"optional", CLIENT_AUTH_OPTIONAL, NULL},
                                               {"required", CLIENT_AUTH_REQUIRED, NULL},
                                               {0}};
static const struct opt_enum tls_versions[] = {{"1.2", TLS_1_2, NULL}, {"1.3", TLS_1_3, NULL}, {0}};
static const struct opt_enum log_levels[] = {{"trace", CONF_LOG_TRACE, NULL}, {"debug", CONF_LOG_DEBUG, NULL},
                                             {"info", CONF_LOG_INFO, NULL},   {"warn", CONF_LOG_WARN, NULL},
                                             {"error", CONF_LOG_ERROR, NULL}, {0}};
static const struct opt_enum log_formats[] = {
    {"auto", CONF_LOG_AUTO, NULL}, {"json", CONF_LOG_JSON, NULL}, {"pretty", CONF_LOG_PRETTY, NULL}, {0}};
static const struct opt_enum durabilities[] = {{"group", DURABILITY_GROUP, NULL}, {"sync", DURABILITY_SYNC, NULL}, {0}};
static const struct opt_enum provider_kinds[] = {
#define PRESET(id, kind, title, variable, url, auth, port, prefixes) {kind, PROVIDER_##id, title},
#include "conf/provider_preset.def"
#undef PRESET
    {0}};

#define AT(owner, field) .offset = offsetof(struct owner, field)
#define DURATION(owner, field, default_text, low, high, text)                                                          \
    {                                                                                                                  \
        .name = #field, .type = OPT_DURATION, .flags = RELOAD, AT(owner, field), .def = default_text, .min = low,      \
        .max = high, .help = text                                                                                      \
    }

static const struct opt sni_opts[] = {
    {.name = "name",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_sni, name),
     .min = 1,
     .max = 253,
     .check = check_server_name,
     .help = "The server name asked for, or `*.example.com` for one label in front."},
    {.name = "cert",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_sni, cert),
     .min = 1,
     .help = "PEM file with the certificate and its chain."},
    {.name = "key",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_sni, key),
     .min = 1,
     .help = "PEM file with the private key."},
};
static const struct opt_table sni_table = OPT_TABLE("a certificate for a server name", struct conf_sni, sni_opts);

static const struct opt tls_opts[] = {
    {.name = "cert",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_tls, cert),
     .help = "PEM file with the certificate and its chain; read again when it changes."},
    {.name = "key", .type = OPT_STR, .flags = RELOAD, AT(conf_tls, key), .help = "PEM file with the private key."},
    {.name = "client_ca",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_tls, client_ca),
     .help = "PEM file with the authorities that client certificates must come from."},
    {.name = "client_auth",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_tls, client_auth),
     .def = "none",
     .values = client_auths,
     .help = "Whether clients are asked for a certificate, or must have one."},
    {.name = "min_version",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_tls, min_version),
     .def = "1.3",
     .values = tls_versions,
     .help = "The oldest TLS version accepted."},
    {.name = "sni",
     .type = OPT_LIST,
     .flags = RELOAD,
     AT(conf_tls, sni),
     .max = 256,
     .sub = &sni_table,
     .help = "Further certificates, chosen by the server name asked for."},
};
static const struct opt_table tls_table = OPT_TABLE("encryption", struct conf_tls, tls_opts);

static const struct opt listener_opts[] = {
    {.name = "address",
     .type = OPT_STR,
     .flags = OPT_REQUIRED,
     AT(conf_listener, address),
     .min = 1,
     .max = 300,
     .check = check_address,
     .help = "`host:port`; `[::1]:8080` for IPv6, `:8080` for every interface, port 0 for a free one.",
     .example = "0.0.0.0:8443"},
    {.name = "tls",
     .type = OPT_STRUCT,
     AT(conf_listener, tls),
     .sub = &tls_table,
     .help = "Encryption; without it the listener speaks plain HTTP."},
};
static const struct opt_table listener_table =
    OPT_TABLE("an address to listen on", struct conf_listener, listener_opts);

static const struct opt server_opts[] = {
    {.name = "workers",
     .type = OPT_INT,
     AT(conf_server, workers),
     .def = "0",
     .min = 0,
     .max = 1024,
     .help = "Event loops; 0 is one a CPU core."},
    DURATION(conf_server, drain_timeout, "30s", 0, 3600000,
             "How long requests in flight may take to end when the server is told to stop."),
    {.name = "public_metrics",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_server, public_metrics),
     .def = "true",
     .help = "Whether `/metrics` is served without an admin key."},
};
static const struct opt_table server_table = OPT_TABLE("the process", struct conf_server, server_opts);

#define SIZE(field, default_text, low, high, text)                                                                     \
    {                                                                                                                  \
        .name = #field, .type = OPT_SIZE, .flags = RELOAD, AT(conf_limits, field), .def = default_text, .min = low,    \
        .max = high, .help = text                                                                                      \
    }
#define KIB INT64_C(1024)
#define MIB (KIB * 1024)
static const struct opt limits_opts[] = {
    SIZE(max_body, "32 MiB", KIB, 1024 * MIB, "The largest request body; a larger one is refused with 413."),
    SIZE(max_header_bytes, "64 KiB", KIB, MIB, "The largest header section; a larger one is refused with 431."),
    {.name = "max_headers",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_limits, max_headers),
     .def = "100",
     .min = 8,
     .max = 1000,
     .help = "The most header fields in a request."},
    SIZE(max_uri, "8 KiB", 128, 64 * KIB, "The longest request target; a longer one is refused with 414."),
    SIZE(max_response, "32 MiB", KIB, 1024 * MIB, "The largest answer of a provider that is not streamed."),
    SIZE(max_event, "1 MiB", KIB, 64 * MIB, "The largest single event in a streamed answer."),
    {.name = "max_connections",
     .type = OPT_INT,
     AT(conf_limits, max_connections),
     .def = "65536",
     .min = 1,
     .max = 4000000,
     .help = "Client connections at a time; further ones are refused with status 503 (closed, when they speak TLS)."},
    SIZE(stream_buffer, "64 KiB", KIB, 16 * MIB,
         "Bytes that may wait for a slow reader before reading from the provider pauses."),
    {.name = "json_depth",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_limits, json_depth),
     .def = "128",
     .min = 8,
     .max = 1024,
     .help = "How deep arrays and objects may be nested in a request body."},
};
static const struct opt_table limits_table = OPT_TABLE("limits on what is accepted", struct conf_limits, limits_opts);

#define HOUR INT64_C(3600000)
static const struct opt timeouts_opts[] = {
    DURATION(conf_timeouts, header, "10s", 1, HOUR, "From a request's first byte to the end of its headers."),
    DURATION(conf_timeouts, body, "30s", 1, HOUR, "Between two pieces of a request body."),
    DURATION(conf_timeouts, keepalive, "75s", 1, HOUR, "An idle client connection is closed after this."),
    DURATION(conf_timeouts, connect, "5s", 1, HOUR, "Connecting to one address of a provider, TLS included."),
    DURATION(conf_timeouts, first_byte, "120s", 1, HOUR,
             "From the request sent to a provider to its answer's first byte."),
    DURATION(conf_timeouts, idle, "120s", 1, HOUR, "Between two pieces of a provider's answer."),
    DURATION(conf_timeouts, total, "600s", 1, 24 * HOUR, "A call to a provider as a whole."),
    DURATION(conf_timeouts, write, "60s", 1, HOUR, "A client that takes nothing of its answer for so long is dropped."),
};
static const struct opt_table timeouts_table = OPT_TABLE("waiting", struct conf_timeouts, timeouts_opts);

#define PROVIDER_DURATION(field, high)                                                                                 \
    {                                                                                                                  \
        .name = #field, .type = OPT_DURATION, .flags = RELOAD | OPT_MAYBE, AT(conf_provider_timeouts, field),          \
        .min = 1, .max = high, .help = "As `timeouts." #field "`, which holds when this is not given."                 \
    }
static const struct opt provider_timeouts_opts[] = {PROVIDER_DURATION(connect, HOUR),
                                                    PROVIDER_DURATION(first_byte, HOUR), PROVIDER_DURATION(idle, HOUR),
                                                    PROVIDER_DURATION(total, 24 * HOUR)};
static const struct opt_table provider_timeouts_table =
    OPT_TABLE("waiting for this provider", struct conf_provider_timeouts, provider_timeouts_opts);

static const struct opt provider_opts[] = {
    {.name = "name",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_provider, name),
     .min = 1,
     .max = 64,
     .check = check_provider_name,
     .help = "How the rest of the file, model names (`name/model`) and figures refer to it."},
    {.name = "kind",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_provider, kind),
     .def = "openai",
     .values = provider_kinds,
     .help = "What it is. `openai` is also right for anything else that speaks OpenAI's API. When left out and the "
             "name is that of a kind, it is that kind."},
    {.name = "base_url",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_provider, base_url),
     .max = 1024,
     .check = check_url,
     .help = "Where its API begins, version included; the kind's own address when not given.",
     .example = "https://llm.example.com/v1"},
    {.name = "api_key",
     .type = OPT_SECRET,
     .flags = RELOAD,
     AT(conf_provider, api_key),
     .min = 1,
     .help = "Its key, best as a reference. When neither this nor `base_url` is given, the kind's environment variable "
             "is used.",
     .example = "${env:OPENAI_API_KEY}"},
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
};
static const struct opt_table provider_table =
    OPT_TABLE("a service that answers model calls", struct conf_provider, provider_opts);

#define PRICE(field, text)                                                                                             \
    {                                                                                                                  \
        .name = #field, .type = OPT_DECIMAL, .flags = RELOAD | OPT_MAYBE, AT(conf_price, field), .min = 0,             \
        .max = INT64_C(1000000000000), .help = text                                                                    \
    }
static const struct opt price_opts[] = {
    PRICE(input, "Dollars for a million input tokens."),
    PRICE(output, "Dollars for a million output tokens."),
    PRICE(cached_input,
          "Dollars for a million input tokens read from the provider's cache; as `input` when not known."),
    PRICE(cache_write,
          "Dollars for a million input tokens written to the provider's cache; as `input` when not known."),
    PRICE(reasoning, "Dollars for a million reasoning tokens; as `output` when not known."),
};
static const struct opt_table price_table =
    OPT_TABLE("a price; what is left out is taken from the built-in table", struct conf_price, price_opts);

static const struct opt target_opts[] = {
    {.name = "provider",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_target, provider),
     .min = 1,
     .max = 64,
     .help = "The name of one of `providers`."},
    {.name = "model",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_target, model),
     .check = check_model_name,
     .help = "What the provider calls it; the model's own name when not given."},
    {.name = "weight",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_target, weight),
     .def = "1",
     .min = 0,
     .max = 1000000,
     .help = "Its share among targets of the same priority; 0 takes it out."},
    {.name = "priority",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_target, priority),
     .def = "0",
     .min = 0,
     .max = 1000,
     .help = "Targets of a lower number go first."},
};
static const struct opt_table target_table = OPT_TABLE("where a model is served", struct conf_target, target_opts);

static const struct opt model_opts[] = {
    {.name = "name",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_model, name),
     .min = 1,
     .check = check_model_name,
     .help = "What applications ask for."},
    {.name = "targets",
     .type = OPT_LIST,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_model, targets),
     .min = 1,
     .max = 64,
     .sub = &target_table,
     .help = "Where it is served."},
    {.name = "price",
     .type = OPT_STRUCT,
     .flags = RELOAD,
     AT(conf_model, price),
     .sub = &price_table,
     .help = "What it costs, in place of the built-in table's price."},
};
static const struct opt_table model_table = OPT_TABLE("a model as applications see it", struct conf_model, model_opts);

#define NAMED_PRICE(field, text)                                                                                       \
    {                                                                                                                  \
        .name = #field, .type = OPT_DECIMAL, .flags = RELOAD | OPT_MAYBE, AT(conf_named_price, price.field), .min = 0, \
        .max = INT64_C(1000000000000), .help = text                                                                    \
    }
static const struct opt named_price_opts[] = {
    NAMED_PRICE(input, "As in `models[].price`."),        NAMED_PRICE(output, "As in `models[].price`."),
    NAMED_PRICE(cached_input, "As in `models[].price`."), NAMED_PRICE(cache_write, "As in `models[].price`."),
    NAMED_PRICE(reasoning, "As in `models[].price`."),
};
static const struct opt_table named_price_table =
    OPT_TABLE("the price of a model by name", struct conf_named_price, named_price_opts);

static const struct opt auth_opts[] = {
    {.name = "required",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_auth, required),
     .def = "true",
     .help = "Whether requests need a key. Without, anybody who reaches the listener may spend."},
};
static const struct opt_table auth_table = OPT_TABLE("who may call", struct conf_auth, auth_opts);

static const struct opt log_opts[] = {
    {.name = "level",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_log, level),
     .def = "info",
     .values = log_levels,
     .help = "The least important lines that are written."},
    {.name = "format",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_log, format),
     .def = "auto",
     .values = log_formats,
     .help = "`auto` is `pretty` on a terminal and `json` elsewhere."},
    {.name = "access",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_log, access),
     .def = "true",
     .help = "Whether there is a line for every request."},
    {.name = "file",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_log, file),
     .help = "Where the log goes; standard error when not given."},
    {.name = "access_file",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_log, access_file),
     .help = "Where the access log goes; into the log when not given."},
};
static const struct opt_table log_table = OPT_TABLE("logs", struct conf_log, log_opts);

static const struct opt storage_opts[] = {
    {.name = "data",
     .type = OPT_STR,
     AT(conf_storage, data),
     .def = "./data",
     .min = 1,
     .help = "The directory of the database and the usage ledger; made when absent."},
    {.name = "durability",
     .type = OPT_ENUM,
     AT(conf_storage, durability),
     .def = "group",
     .values = durabilities,
     .help = "`group`: usage records reach the disk together, every `group_interval`; a crash of the machine may lose "
             "those since. `sync`: each is on the disk before its answer ends."},
    {.name = "group_interval",
     .type = OPT_DURATION,
     AT(conf_storage, group_interval),
     .def = "4ms",
     .min = 1,
     .max = 10000,
     .help = "How long records may wait before they are brought to the disk; with the time that takes, 4 ms keep what "
             "a crash of the machine may lose to about 5 ms."},
    {.name = "queue_records",
     .type = OPT_INT,
     AT(conf_storage, queue_records),
     .def = "262144",
     .min = 1024,
     .max = 16777216,
     .help = "Usage records that may wait while the database cannot be written."},
};
static const struct opt_table storage_table = OPT_TABLE("what is kept", struct conf_storage, storage_opts);

static const struct opt metrics_opts[] = {
    {.name = "max_series",
     .type = OPT_INT,
     AT(conf_metrics, max_series),
     .def = "10000",
     .min = 100,
     .max = 1000000,
     .help = "The most time series; values past it are summed under the label `other`."},
};
static const struct opt_table metrics_table = OPT_TABLE("figures", struct conf_metrics, metrics_opts);

static const struct opt conf_opts[] = {
    {.name = "listeners",
     .type = OPT_LIST,
     AT(conf, listeners),
     .min = 1,
     .max = 64,
     .sub = &listener_table,
     .help = "Addresses to listen on; `127.0.0.1:8080` when not given."},
    {.name = "server", .type = OPT_STRUCT, AT(conf, server), .sub = &server_table, .help = "The process as a whole."},
    {.name = "limits",
     .type = OPT_STRUCT,
     AT(conf, limits),
     .sub = &limits_table,
     .help = "Limits on what is accepted."},
    {.name = "timeouts",
     .type = OPT_STRUCT,
     AT(conf, timeouts),
     .sub = &timeouts_table,
     .help = "How long anything may take."},
    {.name = "providers",
     .type = OPT_LIST,
     .flags = RELOAD,
     AT(conf, providers),
     .min = 1,
     .max = 1000,
     .sub = &provider_table,
     .help = "Services that answer model calls. When not given, they are found: by the kinds' environment variables "
             "and from model servers on this machine."},
    {.name = "models",
     .type = OPT_LIST,
     .flags = RELOAD,
     AT(conf, models),
     .max = 20000,
     .sub = &model_table,
     .help = "Models by names of your own."},
    {.name = "aliases",
     .type = OPT_MAP,
     .flags = RELOAD,
     AT(conf, aliases),
     .max = 20000,
     .check_key = check_model_name,
     .check = check_model_name,
     .help = "Further names: each for a model, another alias, or `provider/model`.",
     .example = "{fast: gpt-4o-mini}"},
    {.name = "passthrough_models",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf, passthrough_models),
     .def = "true",
     .help = "Whether models that are not listed can be called: `provider/model`, or a name that only one provider can "
             "mean."},
    {.name = "prices",
     .type = OPT_STRUCT_MAP,
     .flags = RELOAD,
     AT(conf, prices),
     .max = 20000,
     .sub = &named_price_table,
     .check_key = check_model_name,
     .help = "Prices in place of the built-in table's, by `provider/model` or by model name.",
     .example = "{openai/gpt-4o: {input: 2.5, output: 10}}"},
    {.name = "auth", .type = OPT_STRUCT, AT(conf, auth), .sub = &auth_table, .help = "Who may call."},
    {.name = "log", .type = OPT_STRUCT, AT(conf, log), .sub = &log_table, .help = "Logs."},
    {.name = "storage",
     .type = OPT_STRUCT,
     AT(conf, storage),
     .sub = &storage_table,
     .help = "What is kept, and where."},
    {.name = "metrics",
     .type = OPT_STRUCT,
     AT(conf, metrics),
     .sub = &metrics_table,
     .help = "Figures for monitoring."},
};
const struct opt_table conf_table = OPT_TABLE("the configuration", struct conf, conf_opts);

void conf_describe(struct buf *out) {
    buf_lit(
        out,
        "# Configuration reference\n\n"
        "This page is generated from the option tables; `penstock config docs` prints it.\n\n"
        "`penstock.yaml` is one YAML document. Nothing in it is required: with no file at all Penstock listens on\n"
        "`127.0.0.1:8080` and finds its providers itself. Whatever is wrong with a file is reported at once, with\n"
        "line, column and the nearest known name, and a wrong file never takes the place of a running one.\n\n"
        "- **Sizes** are written `64 KiB`, `32 MiB`, `1 GiB` (or `KB`, `MB`, `GB` for powers of 1000), **durations**\n"
        "  `500ms`, `30s`, `5m`, `1h30m`, and booleans `true` or `false` only.\n"
        "- **References** stand in any value: `${env:NAME}` is an environment variable, `${file:/path}` a file's\n"
        "  content without its last line end. One that can't be resolved is an error. `$${` stands for `${` itself.\n"
        "- Anchors, aliases and `<<` may be used. A key given twice, a second document and tags are errors. A file "
        "may\n"
        "  have 1 MiB, 200000 values once aliases are expanded, and 32 levels.\n"
        "- Paths are relative to the working directory.\n\n"
        "A model name in a request is looked up as an alias, then as a model, then (with `passthrough_models`) as\n"
        "`provider/model`; then it goes to the first provider whose kind owns names of that form (`gpt-…` is "
        "OpenAI's,\n"
        "`claude-…` Anthropic's), and then to the only provider, when there is just one.\n\n"
        "## Kinds of provider\n\n"
        "| kind | name | key from | default `base_url` |\n|---|---|---|---|\n");
    for (enum provider_kind k = 0; k < PROVIDER_KIND_COUNT; k++) {
        const struct provider_preset *p = provider_preset_get(k);
        buf_printf(out, "| `%.*s` | %.*s | %s%.*s%s | %s%.*s%s |\n", STR_ARG(p->name), STR_ARG(p->title),
                   p->variable.n ? "`" : "", STR_ARG(p->variable), p->variable.n ? "`" : "", p->base_url.n ? "`" : "",
                   STR_ARG(p->base_url), p->base_url.n ? "`" : "");
    }
    buf_lit(out, "\n## The file\n\n");
    opt_describe(&conf_table, out);
    while (out->n > 1 && out->p[out->n - 1] == '\n' && out->p[out->n - 2] == '\n') out->n--;
}
