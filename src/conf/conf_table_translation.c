// The option table of translation between dialects.
#include "conf/conf_tables.h"

static const struct opt translation_opts[] = {
    {.name = "strict",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_translation, strict),
     .def = "false",
     .help =
         "Whether a request is refused when its provider cannot be told all that it asks. Otherwise what is left out "
         "is named in the answer's `x-penstock-dropped-params`. A request decides for itself with `\"strict\": true` "
         "or the header `x-penstock-strict`."},
};
const struct opt_table translation_table =
    OPT_TABLE("translation between dialects", struct conf_translation, translation_opts);
