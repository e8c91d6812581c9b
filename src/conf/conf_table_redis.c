// The option table of Redis, through which several servers share their counters.
#include "conf/conf_tables.h"
#include "conf/redis_url.h"

static const char *check_redis_url(struct str text) {
    struct redis_url url;
    const char *wrong = redis_url_parse(text, &url);
    if (!wrong) redis_url_wipe(&url);
    return wrong;
}

static const char *check_prefix(struct str text) {
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] >= 0x7f || text.p[i] == '{' || text.p[i] == '}')
            return "printable ASCII without spaces and braces";
    return NULL;
}

static const struct opt redis_opts[] = {
    {.name = "url",
     .type = OPT_SECRET,
     AT(conf_redis, url),
     .max = 1024,
     .check = check_redis_url,
     .help = "Where it is: `redis://[user:password@]host:port/db`, `rediss://` for TLS, or `unix:///path`. Without it "
             "each server counts for itself.",
     .example = "${env:REDIS_URL}"},
    {.name = "tls_ca",
     .type = OPT_STR,
     AT(conf_redis, tls_ca),
     .help = "PEM file with the authorities its certificate must come from; the system's when not given."},
    {.name = "tls_verify",
     .type = OPT_BOOL,
     AT(conf_redis, tls_verify),
     .def = "true",
     .help = "Whether its certificate is verified. Turn this off for tests only."},
    DURATION(conf_redis, timeout, 0, "1s", 10, 60000,
             "After how long without any answer a connection is given up and a new one made."),
    DURATION(conf_redis, connect_timeout, 0, "2s", 10, 60000, "How long a connection may take, with TLS and sign-in."),
    {.name = "key_prefix",
     .type = OPT_STR,
     AT(conf_redis, key_prefix),
     .def = "penstock:",
     .max = 64,
     .check = check_prefix,
     .help = "What the names of all keys and channels begin with. Servers that are to share counters need the same."},
};
const struct opt_table redis_table = OPT_TABLE("shared counters", struct conf_redis, redis_opts);
