// The option tables of usage: what costs are compared with, and the files of sums that are written for other programs.
#include "conf/conf_tables.h"

static const struct opt_enum formats[] = {{"csv", USAGE_EXPORT_CSV, "comma-separated, a line of names first"},
                                          {"jsonl", USAGE_EXPORT_JSONL, "a JSON object a line"},
                                          {0}};

static const struct opt export_opts[] = {
    {.name = "path",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_usage_export, path),
     .max = 1024,
     .help = "The directory that gets a file for each period; nothing is written when not given. Several servers over "
             "one database write each file once: give them the same directory.",
     .example = "/var/lib/penstock/usage"},
    DURATION(conf_usage_export, every, RELOAD, "1h", HOUR, 24 * HOUR,
             "How long a file's period is, in UTC: `1h`, `2h`, `3h`, `4h`, `6h`, `8h`, `12h` or `24h`."),
    {.name = "format",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_usage_export, format),
     .def = "csv",
     .values = formats,
     .help = "How files are written."},
};
static const struct opt_table export_table = OPT_TABLE("files of usage", struct conf_usage_export, export_opts);

static const struct opt usage_opts[] = {
    {.name = "reference_model",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_usage, reference_model),
     .max = 256,
     .help =
         "The model that costs are compared with: what the tokens of each chat would have cost there is kept beside "
         "what they cost. A model as a client would ask for it, or a name of the catalogue (`openai/gpt-5`). Nothing "
         "is compared when not given, nor where nobody knows a price of it, which `penstock config validate` and the "
         "log "
         "tell.",
     .example = "openai/gpt-5"},
    {.name = "export",
     .type = OPT_STRUCT,
     AT(conf_usage, export),
     .sub = &export_table,
     .help = "Files of what was used, hour by hour and combination by combination."},
};
const struct opt_table usage_table = OPT_TABLE("usage", struct conf_usage, usage_opts);
