// "penstock serve": turns the command line into the server's options, and tells people what came up.
#include "cli/commands.h"

#include "server/server.h"

#include <inttypes.h>

static void put_providers(const struct conf *conf, struct buf *b) {
    for (size_t i = 0; i < conf->providers.n; i++) {
        const struct conf_provider *p = &conf->providers.p[i];
        buf_printf(b, "%s%.*s", i ? ", " : "", STR_ARG(p->name));
        if (p->preset->variable.n && conf->discovered) buf_printf(b, " ($%.*s)", STR_ARG(p->preset->variable));
        if (p->preset->local_port && conf->discovered) buf_printf(b, " (port %u)", p->preset->local_port);
    }
    if (conf->providers.n == 1 && conf->providers.p[0].kind == PROVIDER_DEMO)
        buf_lit(b, ": a demonstration, no model is behind it.\n"
                   "            Set OPENAI_API_KEY or another provider's key, or start Ollama, for a real one");
}

static void put_curl(const struct server_started *s, struct buf *b) {
    bool known = s->admin_key.n || !s->conf->auth.required;
    struct str key = s->admin_key.n ? s->admin_key : STR("$PENSTOCK_API_KEY");
    buf_printf(b, "  Try it    curl %.*s/v1/chat/completions \\\n", STR_ARG(s->url));
    if (s->conf->auth.required) buf_printf(b, "              -H \"Authorization: Bearer %.*s\" \\\n", STR_ARG(key));
    buf_printf(b,
               "              -H \"Content-Type: application/json\" \\\n"
               "              -d '{\"model\":\"%.*s\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'\n",
               STR_ARG(s->example_model));
    if (!known) buf_lit(b, "            with a key in PENSTOCK_API_KEY; \"penstock key create\" makes one\n");
}

static void on_started(void *ctx, const struct server_started *s) {
    const struct cli_args *args = ctx;
    struct buf b = BUF_INIT(64 * 1024);
    buf_printf(&b, "\nPenstock %s\n\n  Address   %.*s\n", cli_version(), STR_ARG(s->url));
    for (size_t i = 1; i < s->conf->listeners.n; i++)
        buf_printf(&b, "            %s://%.*s\n", s->conf->listeners.p[i].tls.cert.n ? "https" : "http",
                   STR_ARG(s->conf->listeners.p[i].address));
    buf_lit(&b, "  Providers ");
    put_providers(s->conf, &b);
    if (s->conf->file.n) buf_printf(&b, "\n  Config    %.*s", STR_ARG(s->conf->file));
    buf_printf(&b, "\n  Data      %.*s\n", STR_ARG(s->conf->storage.data));
    if (s->admin_key.n)
        buf_printf(
            &b, "  Admin key %.*s\n            (shown only this once; \"penstock key create --admin\" makes another)\n",
            STR_ARG(s->admin_key));
    buf_putc(&b, '\n');
    put_curl(s, &b);
    buf_putc(&b, '\n');
    if (!cli_given(args, CLI_QUIET)) {
        cli_print(args->io, &b);
        fflush(args->io->out);
    }
    secret_wipe(b.p, b.n);
    buf_free(&b);
}

static void print_problems(const struct cli_args *args, const struct conf_problems *problems) {
    struct buf text = BUF_INIT((size_t)1 << 20);
    conf_problems_print(problems, &text);
    fwrite(text.p, 1, text.n, args->io->err);
    buf_free(&text);
}

int cli_serve(const struct cli_args *args) {
    struct conf_problems problems;
    struct conf_override *overrides;
    size_t n_overrides;
    struct arena arena;
    struct err err;
    arena_init(&arena, NULL, 0, 64 * 1024);
    if (!cli_overrides(args, &arena, &overrides, &n_overrides)) {
        arena_free(&arena);
        return CLI_USAGE;
    }
    conf_problems_init(&problems);
    struct server_options o = {.config = cli_config_file(args),
                               .profile = cli_value(args, CLI_PROFILE),
                               .overrides = overrides,
                               .n_overrides = n_overrides,
                               .version = str_c(cli_version()),
                               .color = args->io->color_err,
                               .tty = args->io->err_tty,
                               .problems = &problems,
                               .on_started = on_started,
                               .ctx = (void *)(uintptr_t)args};
    bool ok = server_run(&o, &err);
    int code = CLI_OK;
    if (!ok && err.code == ERR_CONFIG_INVALID && problems.errors) {
        print_problems(args, &problems);
        BUF_AUTO struct buf hint = BUF_INIT(8192);
        struct str file = cli_config_file(args);
        buf_printf(&hint, "penstock config validate %.*s", STR_ARG(file));
        const char *text = file.n ? buf_cstr(&hint) : NULL;
        code = cli_fail(args->io, CLI_CONFIG_INVALID, "the configuration is not valid", NULL, text);
    } else if (!ok) {
        code = cli_fail_err(args->io, &err, "the server cannot start", NULL);
    }
    conf_problems_free(&problems);
    arena_free(&arena);
    return code;
}
