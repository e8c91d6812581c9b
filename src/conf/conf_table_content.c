// The option table of the log of contents: whose requests and answers are kept, masked how, for how long.
#include "conf/conf_tables.h"

static const char *check_mask(struct str text) {
    static const char *const kinds[] = {"email", "card", "address", "secret"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(text, str_c(kinds[i]))) return NULL;
    if (str_starts(text, STR("text:")) && text.n > 5 && text.n <= 5 + CONTENT_MASK_TEXT_MAX) return NULL;
    return "email, card, address, secret, or text:WORDS, a text that may end in * for the rest of its word";
}

static const struct opt content_opts[] = {
    {.name = "tenant",
     .type = OPT_STR,
     .flags = RELOAD,
     AT(conf_content, tenant),
     .max = 64,
     .help = "Whose; without it, calls of keys that are of no tenant."},
    {.name = "enabled",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_content, enabled),
     .def = "true",
     .help = "Whether they are kept."},
    {.name = "mask",
     .type = OPT_STRS,
     .flags = RELOAD,
     AT(conf_content, mask),
     .max = 64,
     .check = check_mask,
     .help = "What is left out of them: `email`, `card` (numbers of payment cards), `address` (IPv4 addresses), "
             "`secret` (keys by their usual beginnings), `text:WORDS`.",
     .example = "[email, card, secret, \"text:Project Blue*\"]"},
    {.name = "max_bytes",
     .type = OPT_SIZE,
     .flags = RELOAD,
     AT(conf_content, max_bytes),
     .def = "64KiB",
     .min = KIB,
     .max = 4 * MIB,
     .help = "So much of a request, and of an answer, is kept."},
    DURATION(conf_content, keep, RELOAD, "30d", 1000, 10 * 365 * 24 * HOUR, "How long they are kept."),
};
const struct opt_table content_table = OPT_TABLE("whose contents are kept", struct conf_content, content_opts);
