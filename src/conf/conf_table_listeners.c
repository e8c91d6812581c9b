// The option tables of listeners and their encryption.
#include "conf/conf_tables.h"

static const struct opt_enum client_auths[] = {
    {"none", CLIENT_AUTH_NONE, "they are not asked"},
    {"optional", CLIENT_AUTH_OPTIONAL, "they are asked; one that is shown must be valid"},
    {"required", CLIENT_AUTH_REQUIRED, "without a valid one they are refused"},
    {0}};
static const struct opt_enum tls_versions[] = {{"1.2", TLS_1_2, NULL}, {"1.3", TLS_1_3, NULL}, {0}};

static const struct opt sni_opts[] = {
    {.name = "name",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | DRAIN,
     AT(conf_sni, name),
     .min = 1,
     .max = 253,
     .check = check_server_name,
     .help = "The server name asked for, or `*.example.com` for one label in front."},
    {.name = "cert",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | DRAIN,
     AT(conf_sni, cert),
     .min = 1,
     .help = "PEM file with the certificate and its chain."},
    {.name = "key",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | DRAIN,
     AT(conf_sni, key),
     .min = 1,
     .help = "PEM file with the private key."},
};
static const struct opt_table sni_table = OPT_TABLE("a certificate for a server name", struct conf_sni, sni_opts);

static const struct opt tls_opts[] = {
    {.name = "cert",
     .type = OPT_STR,
     .flags = DRAIN,
     AT(conf_tls, cert),
     .help = "PEM file with the certificate and its chain; read again when it changes."},
    {.name = "key", .type = OPT_STR, .flags = DRAIN, AT(conf_tls, key), .help = "PEM file with the private key."},
    {.name = "client_ca",
     .type = OPT_STR,
     .flags = DRAIN,
     AT(conf_tls, client_ca),
     .help = "PEM file with the authorities that client certificates must come from."},
    {.name = "client_auth",
     .type = OPT_ENUM,
     .flags = DRAIN,
     AT(conf_tls, client_auth),
     .def = "none",
     .values = client_auths,
     .help = "Whether clients are asked for a certificate, or must have one."},
    {.name = "min_version",
     .type = OPT_ENUM,
     .flags = DRAIN,
     AT(conf_tls, min_version),
     .def = "1.3",
     .values = tls_versions,
     .help = "The oldest TLS version accepted."},
    {.name = "sni",
     .type = OPT_LIST,
     .flags = DRAIN | OPT_NAMED,
     AT(conf_tls, sni),
     .max = 256,
     .sub = &sni_table,
     .help = "Further certificates, chosen by the server name asked for."},
};
static const struct opt_table tls_table = OPT_TABLE("encryption", struct conf_tls, tls_opts);

static const struct opt listener_opts[] = {
    {.name = "address",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | DRAIN,
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
const struct opt_table listener_table = OPT_TABLE("an address to listen on", struct conf_listener, listener_opts);
