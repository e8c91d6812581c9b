// penstock config init --interactive: asks for everything, tries it out, and writes the file.
#include "cli/builder.h"
#include "cli/commands.h"
#include "cli/config_file.h"
#include "net/fetch.h"
#include "os/clock.h"
#include "os/term.h"
#include "store/sealed.h"

#define ARENA_MAX ((size_t)16 << 20)

// --- storage, listeners, log ---

static bool ask_storage(struct builder *b) {
    static const char *const ways[] = {"group", "sync", NULL};
    enum build_next next = BUILD_AGAIN;
    size_t way;
    struct str usual = cli_data_dir(b->args);
    build_say(b, "\nStorage\n");
    while (next == BUILD_AGAIN) {
        struct buf text BUF_AUTO = BUF_INIT(BUILDER_TEXT_MAX);
        b->data = STR_NONE;
        if (!build_ask(b, "  Directory for the database, usage and secrets", usual, &b->data)) return false;
        build_text(b, &text);
        if (!build_try(b, "the directory", buf_str(&text), CHECK_KIND(CHECK_PATH), &next)) return false;
        if (next == BUILD_DROP) next = BUILD_AGAIN; // there must be one
    }
    build_say(b, "  Usage reaches the disk in groups, some milliseconds late (group), or before each answer (sync).\n");
    if (!build_ask_choice(b, "  Durability", ways, 0, &way)) return false;
    b->durability = str_c(ways[way]);
    return true;
}

static bool ask_tls(struct builder *b, struct built_listener *l) {
    struct str none = STR("none");
    if (!build_ask(b, "  Certificate for TLS, a PEM file, or none", l->cert.n ? l->cert : none, &l->cert)) return false;
    if (str_eq_nocase(l->cert, none)) {
        l->cert = l->key = STR_NONE;
        return true;
    }
    struct str fallback = l->key;
    do {
        if (!build_ask(b, "  Its private key, a PEM file", fallback, &l->key)) return false;
    } while (!l->key.n);
    return true;
}

// Adds it to the list while it is tried; out_next BUILD_DROP takes it away again.
static bool ask_listener(struct builder *b, struct str address, enum build_next *out_next) {
    struct built_listener l = {.address = address};
    *out_next = BUILD_AGAIN;
    while (*out_next == BUILD_AGAIN) {
        struct buf text BUF_AUTO = BUF_INIT(BUILDER_TEXT_MAX);
        if (!ask_tls(b, &l)) return false;
        if (!vec_push(&b->listeners, l))
            return build_stop(b, cli_fail(b->args->io, CLI_FAILED, "out of memory", NULL, NULL));
        build_text(b, &text);
        if (!build_try(b, l.cert.n ? "the address and the certificate" : "the address", buf_str(&text),
                       CHECK_KIND(CHECK_LISTENER) | CHECK_KIND(CHECK_CERTIFICATE), out_next))
            return false;
        if (*out_next == BUILD_GO_ON) break;
        b->listeners.n--;
        if (*out_next == BUILD_AGAIN && !build_ask(b, "  Address", l.address, &l.address)) return false;
    }
    return true;
}

static bool ask_listeners(struct builder *b) {
    struct str usual = STR("127.0.0.1:8080"), address;
    enum build_next next;
    build_say(b, "\nListeners\n");
    while (!b->listeners.n) {
        if (!build_ask(b, "  Address", usual, &address) || !ask_listener(b, address, &next)) return false;
        if (next == BUILD_DROP) build_say(b, "  At least one is needed.\n");
    }
    for (;;) {
        if (!build_ask(b, "  Another address, or none", STR("none"), &address)) return false;
        if (str_eq_nocase(address, STR("none"))) return true;
        if (!ask_listener(b, address, &next)) return false;
    }
}

static bool ask_keys(struct builder *b) {
    build_say(b, "\nAccess\n");
    if (!build_ask_yes(b, "  Must callers have a key?", true, &b->keys_required)) return false;
    if (!b->keys_required) build_say(b, "  Whoever reaches a listener may spend, then.\n");
    return true;
}

static bool ask_log(struct builder *b) {
    static const char *const levels[] = {"error", "warn", "info", "debug", "trace", NULL};
    struct str none = STR("none");
    enum build_next next = BUILD_AGAIN;
    size_t level;
    build_say(b, "\nLog\n");
    if (!build_ask_choice(b, "  Level", levels, 2, &level)) return false;
    b->log_level = str_c(levels[level]);
    while (next == BUILD_AGAIN) {
        struct buf text BUF_AUTO = BUF_INIT(BUILDER_TEXT_MAX);
        b->log_file = STR_NONE;
        if (!build_ask(b, "  File, or none for standard error", none, &b->log_file)) return false;
        if (str_eq_nocase(b->log_file, none)) {
            b->log_file = STR_NONE;
            return true;
        }
        build_text(b, &text);
        if (!build_try(b, "the paths", buf_str(&text), CHECK_KIND(CHECK_PATH), &next)) return false;
        if (next == BUILD_DROP) b->log_file = STR_NONE;
    }
    return true;
}

// --- writing ---

static bool seal_secrets(struct builder *b) {
    struct cli_data data;
    struct err err;
    if (!b->secrets.n) return true;
    int code = cli_data_open_at(b->args, b->data, NULL, true, &data);
    if (code != CLI_OK) return build_stop(b, code);
    for (size_t i = 0; code == CLI_OK && i < b->secrets.n; i++) {
        const struct built_secret *s = &b->secrets.p[i];
        if (!sealed_put(sql_tenant(data.db, TENANT_DEFAULT), &data.dir, s->name, secret_str(&s->value), clock_unix_ns(),
                        &err))
            code = cli_fail_err(b->args->io, &err, "cannot keep the secret", NULL);
    }
    if (code == CLI_OK) datadir_config_changed(&data.dir);
    cli_data_close(&data);
    if (code == CLI_OK) return true;
    return build_stop(b, code);
}

// Secrets of providers that were dropped, or whose key was given anew, are not kept.
static void forget_unused(struct builder *b, struct str text) {
    size_t n = 0;
    for (size_t i = 0; i < b->secrets.n; i++) {
        char reference[200];
        int length = snprintf(reference, sizeof reference, "${secret:%.*s}", STR_ARG(b->secrets.p[i].name));
        if (str_find(text, str_of(reference, (size_t)MAX(length, 0))) < text.n)
            b->secrets.p[n++] = b->secrets.p[i];
        else
            secret_free(&b->secrets.p[i].value);
    }
    b->secrets.n = n;
}

static bool finish(struct builder *b, struct str path) {
    struct buf text BUF_AUTO = BUF_INIT(BUILDER_TEXT_MAX);
    char question[400];
    bool yes;
    build_text(b, &text);
    if (text.failed) return build_stop(b, cli_fail(b->args->io, CLI_FAILED, "out of memory", NULL, NULL));
    build_say(b, "\n%.*s\n", STR_ARG(buf_str(&text)));
    struct conf *conf = build_load(b, buf_str(&text));
    if (conf)
        conf_unref(conf);
    else
        build_say(b, "As it is, the server would not start with it.\n");
    snprintf(question, sizeof question, "Write %.*s?", STR_ARG(str_head(path, 300)));
    if (!build_ask_yes(b, question, true, &yes)) return false;
    if (!yes) return build_stop(b, cli_fail(b->args->io, CLI_FAILED, "nothing was written", NULL, NULL));
    forget_unused(b, buf_str(&text));
    if (!seal_secrets(b)) return false;
    int code = cli_file_put(b->args, path, buf_str(&text));
    return build_stop(b, code == CLI_OK ? cli_config_written(b->args, path) : code);
}

// --- the whole ---

static void builder_end(struct builder *b) {
    for (size_t i = 0; i < b->secrets.n; i++) secret_free(&b->secrets.p[i].value);
    vec_free(&b->secrets);
    vec_free(&b->providers);
    vec_free(&b->listeners);
    config_env_end(&b->stores);
    arena_free(&b->arena);
}

static int build(const struct cli_args *args, struct str path) {
    struct builder b = {.args = args, .stores = {.no_live = true}};
    arena_init(&b.arena, NULL, 0, ARENA_MAX);
    b.system = config_env_system(&b.stores);
    build_say(&b, "What stands in brackets is taken by Enter. Ctrl-C ends this and leaves nothing behind.\n");
    // finish sets the code, whichever way it ends.
    (void)(build_providers(&b) && ask_storage(&b) && ask_listeners(&b) && ask_keys(&b) && ask_log(&b) &&
           finish(&b, path));
    builder_end(&b);
    return b.code;
}

int cmd_config_init_interactive(const struct cli_args *args) {
    struct str path = cli_given(args, CLI_OUTPUT) ? cli_value(args, CLI_OUTPUT) : STR("penstock.yaml");
    struct file_info info;
    struct err err;
    char what[512];
    if (!args->io->in_tty || !args->io->err_tty)
        return cli_fail(args->io, CLI_USAGE, "questions can be asked on a terminal only", NULL,
                        "penstock config init --template NAME, and edit the file");
    if (str_eq(path, STR("-")))
        return cli_fail(args->io, CLI_USAGE, "--output must name a file", "standard output may be the terminal", NULL);
    if (!cli_given(args, CLI_FORCE) && file_stat(path, &info, &err) && info.kind != FILE_KIND_ABSENT) {
        snprintf(what, sizeof what, "%.400s is there already", path.p);
        return cli_fail(args->io, CLI_REFUSED, what, "it is left as it is", "another --output, or --force");
    }
    if (!fetch_global_begin(&err)) return cli_fail_err(args->io, &err, "connections cannot be tried", NULL);
    int code = build(args, path);
    fetch_global_end();
    return code;
}
