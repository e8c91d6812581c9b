// The option tables of the audit trail: where its events are sent, and what happens when it takes none.
#include "conf/conf_tables.h"

static const struct opt_enum types[] = {{"syslog", AUDIT_SINK_SYSLOG, "a syslog server (RFC 5424)"},
                                        {"file", AUDIT_SINK_FILE, "a file, an event a line"},
                                        {"webhook", AUDIT_SINK_WEBHOOK, "an HTTP server, an event a request"},
                                        {0}};
static const struct opt_enum formats[] = {{"json", AUDIT_SINK_JSON, "JSON, as exported"},
                                          {"cef", AUDIT_SINK_CEF, "Common Event Format (ArcSight)"},
                                          {"ocsf", AUDIT_SINK_OCSF, "Open Cybersecurity Schema Framework"},
                                          {0}};
// The values are those of RFC 5424.
static const struct opt_enum facilities[] = {{"user", 1, "programs of users"}, {"daemon", 3, "services"},
                                             {"auth", 4, "security"},          {"authpriv", 10, "security, private"},
                                             {"audit", 13, "audit"},           {"local0", 16, "for local use"},
                                             {"local1", 17, "for local use"},  {"local2", 18, "for local use"},
                                             {"local3", 19, "for local use"},  {"local4", 20, "for local use"},
                                             {"local5", 21, "for local use"},  {"local6", 22, "for local use"},
                                             {"local7", 23, "for local use"},  {0}};

static const char *check_sink_address(struct str text) {
    static const char *const schemes[] = {"udp://", "tcp://", "tls://", "unix:///", "http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_starts(text, str_c(schemes[i])) && text.n > strlen(schemes[i])) return NULL;
    return "udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH, or an http or https URL";
}

static const struct opt sink_opts[] = {
    {.name = "name",
     .type = OPT_STR,
     .flags = OPT_REQUIRED | RELOAD,
     AT(conf_audit_sink, name),
     .min = 1,
     .max = 64,
     .check = check_slug,
     .help = "What logs call it. How far it was told is kept under this name: a new name is told all from the first "
             "event on."},
    {.name = "type",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_audit_sink, type),
     .def = "syslog",
     .values = types,
     .help = "What it is."},
    {.name = "address",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_audit_sink, address),
     .max = 1024,
     .check = check_sink_address,
     .help = "Where it is, for syslog and webhook. Over tcp and tls no event is lost when it is away; udp promises "
             "nothing.",
     .example = "tls://syslog.example.com:6514"},
    {.name = "path",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_audit_sink, path),
     .max = 1024,
     .help = "The file, for `type: file`.",
     .example = "/var/log/penstock/audit.jsonl"},
    {.name = "format",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_audit_sink, format),
     .def = "json",
     .values = formats,
     .help = "How an event is written."},
    {.name = "facility",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_audit_sink, facility),
     .def = "audit",
     .values = facilities,
     .help = "Syslog's facility."},
    {.name = "secret",
     .type = OPT_SECRET,
     .flags = RELOAD,
     AT(conf_audit_sink, secret),
     .help = "Signs the body, for `type: webhook`, as for `webhooks`.",
     .example = "${env:AUDIT_WEBHOOK_SECRET}"},
    {.name = "tls_ca",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_audit_sink, tls_ca),
     .max = 1024,
     .help = "PEM file with the authorities its certificate must come from; the system's when not given."},
    {.name = "rotate_size",
     .type = OPT_SIZE,
     .flags = RELOAD,
     AT(conf_audit_sink, rotate_size),
     .def = "100MiB",
     .min = 4 * KIB,
     .max = INT64_C(1) << 40,
     .help = "A file of this size is renamed to PATH.1, and a new one is begun."},
    {.name = "keep",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_audit_sink, keep),
     .def = "10",
     .min = 1,
     .max = 1000,
     .help = "So many renamed files are kept."},
};
static const struct opt_table sink_table = OPT_TABLE("who is told of audit events", struct conf_audit_sink, sink_opts);

static const struct opt_enum failures[] = {
    {"refuse", AUDIT_REFUSE, "an act that cannot be told of does not happen"},
    {"allow", AUDIT_ALLOW, "it happens, and the log says that its event is lost"},
    {0}};

static const struct opt audit_opts[] = {
    {.name = "on_failure",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_audit, on_failure),
     .def = "refuse",
     .values = failures,
     .help = "What becomes of a request of the admin API when the audit trail takes no event."},
    {.name = "sinks",
     .type = OPT_LIST,
     .flags = RELOAD | OPT_NAMED,
     AT(conf_audit, sinks),
     .max = AUDIT_SINKS_MAX,
     .sub = &sink_table,
     .help = "Where every event is sent, in the order of its chain, at least once.",
     .example = "[{name: siem, type: syslog, address: tls://syslog.example.com:6514}]"},
};
const struct opt_table audit_table = OPT_TABLE("the audit trail", struct conf_audit, audit_opts);
