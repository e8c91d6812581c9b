// The option tables of files and batches.
#include "conf/conf_tables.h"

#define GIB (MIB * 1024)
#define SIZE(field, default_text, low, high, text)                                                                     \
    {                                                                                                                  \
        .name = #field, .type = OPT_SIZE, .flags = RELOAD, AT(conf_files, field), .def = default_text, .min = low,     \
        .max = high, .help = text                                                                                      \
    }
#define NUMBER(field, default_text, low, high, text)                                                                   \
    {                                                                                                                  \
        .name = #field, .type = OPT_INT, .flags = RELOAD, AT(conf_batches, field), .def = default_text, .min = low,    \
        .max = high, .help = text                                                                                      \
    }

static const struct opt files_opts[] = {
    SIZE(max_size, "200 MiB", KIB, GIB,
         "The largest file that is taken, whatever `limits.max_body` says; a larger one is refused with 413."),
    SIZE(max_total, "10 GiB", KIB, 1024 * 1024 * GIB,
         "The bytes of all files that a tenant may keep, each with 4 KiB at least; what batches give out is not "
         "refused, "
         "but counts."),
};
const struct opt_table files_table = OPT_TABLE("files", struct conf_files, files_opts);

static const struct opt batches_opts[] = {
    NUMBER(concurrency, "16", 1, 1000, "The most lines of a batch that are under way at a time."),
    NUMBER(server_concurrency, "64", 1, 10000,
           "The most lines of all batches together that are under way at a time on a server. Other requests go first: "
           "as many fewer lines are begun as there are of them, down to one on each event loop."),
    NUMBER(max_lines, "50000", 1, 10000000, "The most lines in a batch's file."),
    NUMBER(max_open, "100", 1, 100000, "The most batches of a tenant that have not ended."),
    NUMBER(retries, "5", 0, 100,
           "How often a line is tried again after 408, 429 or a status from 500 on, or when its provider cannot be "
           "reached; after the time that `Retry-After` names, else after a second, two, four and so on."),
    {.name = "provider_native",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_batches, provider_native),
     .def = "false",
     .help = "Batches whose lines all go to one model of a provider that has a batch API of its own (kinds openai and "
             "groq) "
             "are run there, at the batch price; all others by Penstock."},
    {.name = "provider_fallback",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_batches, provider_fallback),
     .def = "true",
     .help =
         "Lines that a provider's batch API did not answer are run by Penstock itself, at the usual price; else they "
         "are errors."},
    {.name = "provider_poll",
     .type = OPT_DURATION,
     .flags = RELOAD,
     AT(conf_batches, provider_poll),
     .def = "1m",
     .min = 100,
     .max = 3600000,
     .help = "The longest time between two looks at a batch at its provider; the first ones come sooner."},
};
const struct opt_table batches_table = OPT_TABLE("batches", struct conf_batches, batches_opts);
