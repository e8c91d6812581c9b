// The option tables of who may call: keys, sign-in, sessions, passwords, access tokens.
#include "conf/conf_tables.h"

static const struct opt_enum second_factors[] = {
    {"optional", SECOND_FACTOR_OPTIONAL, "who wants one sets it up"},
    {"required", SECOND_FACTOR_REQUIRED, "who has none must set it up before anything else"},
    {0}};

static const struct opt sign_in_opts[] = {
    {.name = "max_failures",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_sign_in, max_failures),
     .def = "5",
     .min = 1,
     .max = 1000,
     .help = "Failed sign-ins with an e-mail address, known or not, before it is locked for `lock_base`; each further "
             "failure doubles that. A success, or a day without failures, sets the count back. From the client address "
             "that a person last signed in from, failures are counted by themselves."},
    {.name = "max_address_failures",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_sign_in, max_address_failures),
     .def = "50",
     .min = 1,
     .max = 100000,
     .help = "Likewise from one client address (of IPv6 its /64), whatever the e-mail addresses. One failure is "
             "forgotten each `lock_base`."},
    DURATION(conf_sign_in, lock_base, RELOAD, "30s", 1000, HOUR, "How long the first lock lasts."),
    DURATION(conf_sign_in, lock_max, RELOAD, "15m", 1000, 24 * HOUR, "How long a lock lasts at the most."),
    {.name = "second_factor",
     .type = OPT_ENUM,
     .flags = RELOAD,
     AT(conf_sign_in, second_factor),
     .def = "optional",
     .values = second_factors,
     .help = "Whether people need a second factor (TOTP) beside their password."},
};
static const struct opt_table sign_in_table = OPT_TABLE("signing in", struct conf_sign_in, sign_in_opts);

static const struct opt session_opts[] = {
    DURATION(conf_session, idle, RELOAD, "12h", 60000, 90 * 24 * HOUR, "A session that is not used for so long ends."),
    DURATION(conf_session, lifetime, RELOAD, "7d", 60000, 400 * 24 * HOUR,
             "A session ends so long after sign-in, used or not."),
};
static const struct opt_table session_table = OPT_TABLE("sessions of people", struct conf_session, session_opts);

static const struct opt password_opts[] = {
    {.name = "memory",
     .type = OPT_SIZE,
     .flags = RELOAD,
     AT(conf_password, memory),
     .def = "32 MiB",
     .min = 8 * MIB,
     .max = 1024 * MIB,
     .help = "Memory that hashing a password takes (Argon2id). Hashes of less are renewed at the next sign-in."},
    {.name = "passes",
     .type = OPT_INT,
     .flags = RELOAD,
     AT(conf_password, passes),
     .def = "2",
     .min = 1,
     .max = 100,
     .help = "How often hashing goes over it."},
};
static const struct opt_table password_table = OPT_TABLE("passwords", struct conf_password, password_opts);

static const struct opt tokens_opts[] = {
    DURATION(conf_tokens, lifetime, RELOAD, "1h", 1000, HOUR, "How long an access token is good at the most."),
    DURATION(conf_tokens, rotate, RELOAD, "30d", HOUR, 400 * 24 * HOUR,
             "How long a key signs tokens before the next one does; what it signed stays good."),
};
static const struct opt_table tokens_table = OPT_TABLE("access tokens", struct conf_tokens, tokens_opts);

static const struct opt auth_opts[] = {
    {.name = "required",
     .type = OPT_BOOL,
     .flags = RELOAD,
     AT(conf_auth, required),
     .def = "true",
     .help = "Whether requests need a key. Without, anybody who reaches the listener may spend."},
    {.name = "sign_in",
     .type = OPT_STRUCT,
     AT(conf_auth, sign_in),
     .sub = &sign_in_table,
     .help = "People who sign in."},
    {.name = "session",
     .type = OPT_STRUCT,
     AT(conf_auth, session),
     .sub = &session_table,
     .help = "How long they stay signed in."},
    {.name = "password",
     .type = OPT_STRUCT,
     AT(conf_auth, password),
     .sub = &password_table,
     .help = "What guessing a password costs."},
    {.name = "tokens",
     .type = OPT_STRUCT,
     AT(conf_auth, tokens),
     .sub = &tokens_table,
     .help = "Short-lived access tokens."},
};
const struct opt_table auth_table = OPT_TABLE("who may call", struct conf_auth, auth_opts);
