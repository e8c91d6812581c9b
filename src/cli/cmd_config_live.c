// penstock config set, unset, rollback: changes over all files, kept in the data directory.
#include "admin/live.h"
#include "cli/ask_server.h"
#include "cli/commands.h"
#include "os/clock.h"
#include "store/config_env.h"
#include "store/ledger.h"

#define TEXT_MAX ((size_t)16 << 20)
#define TRIES 8
#define OVERTAKEN (-1) // another change was recorded while this one was worked out

struct changing {
    const struct cli_args *args;
    struct admin_wish wish;
    struct cli_data data;
    struct conf *before, *after;
    struct arena arena;
    struct conf_changes changes;
    int64_t version;
    bool added;
    int tries; // left, besides the present one
};

static int fail(const struct changing *c, const struct err *err) {
    return cli_fail_err(c->args->io, err, "the configuration was not changed", NULL);
}

static int load(const struct changing *c, struct config_env *stores, struct conf **out_conf) {
    struct conf_env env = config_env_system(stores);
    struct conf_problems problems;
    struct conf_override *overrides;
    struct arena arena;
    int code = CLI_USAGE;
    arena_init(&arena, NULL, 0, 64 * 1024);
    conf_problems_init(&problems);
    if (cli_overrides(c->args, &arena, &overrides, &env.n_overrides)) {
        env.overrides = overrides;
        env.profile = cli_value(c->args, CLI_PROFILE);
        bool ok = conf_load(cli_config_file(c->args), &env, &problems, out_conf);
        code = ok ? CLI_OK : CLI_CONFIG_INVALID;
        if (!ok) {
            BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
            conf_problems_print(&problems, &text);
            fwrite(text.p ? text.p : "", 1, text.n, c->args->io->err);
            cli_fail(c->args->io, code, "the configuration would not be valid; nothing was changed", NULL, NULL);
        }
    }
    conf_problems_free(&problems);
    arena_free(&arena);
    config_env_end(stores);
    return code;
}

static int print(const struct changing *c, const struct wish_answer *answer, const char *when) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    bool dry = cli_given(c->args, CLI_DRY_RUN);
    if (cli_given(c->args, CLI_JSON)) {
        struct json_writer w;
        json_writer_init(&w, &out);
        json_put_object(&w);
        json_put_member_bool(&w, STR("dry_run"), dry);
        if (dry)
            json_put_member_null(&w, STR("version"));
        else
            json_put_member_i64(&w, STR("version"), answer->version);
        json_put_member_raw(&w, STR("changes"), str_trim(answer->changes));
        json_put_object_end(&w);
        buf_putc(&out, '\n');
        return cli_print(c->args->io, &out);
    }
    buf_put(&out, answer->shown);
    int code = cli_print(c->args->io, &out);
    if (cli_given(c->args, CLI_QUIET)) return code;
    if (!answer->shown.n) fprintf(c->args->io->err, "Nothing %s different.\n", dry ? "would be" : "is");
    if (!dry && answer->added) fprintf(c->args->io->err, "Version %lld%s.\n", (long long)answer->version, when);
    return code;
}

static int print_own(const struct changing *c) {
    BUF_AUTO struct buf shown = BUF_INIT(TEXT_MAX), list = BUF_INIT(TEXT_MAX);
    conf_changes_print(&c->changes, &shown);
    conf_changes_json(&c->changes, &list);
    struct wish_answer answer = {
        .version = c->version, .added = c->added, .shown = buf_str(&shown), .changes = buf_str(&list)};
    return print(c, &answer, "; no server runs on this data directory: it holds from the next start on");
}

static int record(struct changing *c, const struct live_plan *plan) {
    BUF_AUTO struct buf json = BUF_INIT(TEXT_MAX), cause = BUF_INIT(128);
    static const char *const names[] = {[WISH_RELOAD] = "cli",
                                        [WISH_PATCH] = "cli: set",
                                        [WISH_REVERT] = "cli: unset",
                                        [WISH_ROLLBACK] = "cli: rollback",
                                        [WISH_MODELS] = "cli: models"};
    struct err err;
    conf_changes_json(&c->changes, &json);
    buf_put(&cause, str_c(names[c->wish.kind]));
    if (c->wish.kind == WISH_ROLLBACK) buf_printf(&cause, " to %lld", (long long)c->wish.version);
    struct config_version_row about = {
        .at = clock_unix_ns(), .actor = c->wish.actor, .cause = buf_str(&cause), .changes = buf_str(&json)};
    if (!live_record(c->data.db, &c->data.dir, c->after, plan, &about, &c->version, &c->added, &err))
        return err.code == ERR_EXISTS && c->tries ? OVERTAKEN : fail(c, &err);
    datadir_config_changed(&c->data.dir);
    return CLI_OK;
}

// What is in force now, what would be, and the difference.
static int change(struct changing *c) {
    struct live_plan plan;
    struct err err;
    struct config_env now = {0}, without = {.no_live = true};
    struct conf *base = NULL;
    int code = load(c, &now, &c->before);
    if (code == CLI_OK && c->wish.kind == WISH_ROLLBACK) code = load(c, &without, &base);
    if (code == CLI_OK)
        code = cli_data_open_at(c->args, c->before->storage.data, c->before, c->wish.kind == WISH_PATCH, &c->data);
    if (code == CLI_OK && !live_plan_make(c->data.db, &c->data.dir, &c->wish, base ? base->base : NULL, clock_unix_ns(),
                                          &c->arena, &plan, &err))
        code = fail(c, &err);
    conf_unref(base);
    if (code != CLI_OK) return code;
    if (plan.newest != now.newest && c->tries) return OVERTAKEN; // "before" is not what the plan is made on
    struct config_env then = {.live = &plan.live};
    code = load(c, &then, &c->after);
    if (code != CLI_OK) return code;
    conf_compare(c->before, c->after, &c->changes);
    if (!cli_given(c->args, CLI_DRY_RUN)) code = record(c, &plan);
    return code == CLI_OK ? print_own(c) : code;
}

// The server that runs here knows its environment and prepares the whole before anything is kept.
static int have_it_changed(struct changing *c) {
    struct wish_answer answer;
    struct err err;
    if (!ask_server(c->data.db, &c->data.dir, &c->wish, &c->arena, &answer, &err)) return fail(c, &err);
    if (answer.ok) return print(c, &answer, ", in force");
    if (!answer.reason.n) return fail(c, &answer.err);
    fwrite(answer.reason.p, 1, answer.reason.n, c->args->io->err);
    return cli_fail(c->args->io, CLI_CONFIG_INVALID, "the configuration would not be valid; nothing was changed", NULL,
                    NULL);
}

// Whether there is a data directory with a server on it; its database is open then.
static int find_server(struct changing *c, bool *out_found) {
    struct err err;
    bool there;
    *out_found = false;
    int code = cli_data_open_existing(c->args, &c->data, &there);
    if (code != CLI_OK || !there) return code;
    if (ledger_in_use(str_c(c->data.dir.path), out_found, &err)) return CLI_OK;
    return fail(c, &err);
}

static void let_go(struct changing *c) {
    if (c->data.db) cli_data_close(&c->data);
    conf_unref(c->before);
    conf_unref(c->after);
    conf_changes_free(&c->changes);
    c->data = (struct cli_data){0};
    c->before = c->after = NULL;
    conf_changes_init(&c->changes);
}

// The same wish on top of what somebody else did meanwhile; nobody has said from which version it is to be made.
static int change_at_last(struct changing *c) {
    int code;
    for (c->tries = TRIES - 1; (code = change(c)) == OVERTAKEN; c->tries--) let_go(c);
    return code;
}

static int run(const struct cli_args *args, enum admin_wish_kind kind, bool (*fill)(struct changing *c)) {
    struct changing c = {.args = args, .wish = {.kind = kind, .expected = -1}};
    const char *user = args->io->env("USER");
    arena_init(&c.arena, NULL, 0, (size_t)64 << 20);
    conf_changes_init(&c.changes);
    c.wish.actor = user && *user ? arena_printf(&c.arena, "command line (%.60s)", user) : STR("command line");
    c.wish.dry_run = cli_given(args, CLI_DRY_RUN);
    bool server = false;
    int code = fill(&c) ? find_server(&c, &server) : CLI_USAGE;
    if (code == CLI_OK && server) {
        code = have_it_changed(&c);
    } else if (code == CLI_OK) {
        let_go(&c);
        code = change_at_last(&c);
    }
    let_go(&c);
    arena_wipe_free(&c.arena);
    return code;
}

static bool fill_set(struct changing *c) {
    const struct cli_args *args = c->args;
    c->wish.list = ARENA_ARRAY(&c->arena, struct conf_override, args->n_operands);
    for (size_t i = 0; c->wish.list && i < args->n_operands; i++) {
        struct str text = str_c(args->operands[i]);
        size_t eq = str_find_char(text, '=');
        struct conf_override *o = &c->wish.list[c->wish.n++];
        struct err err;
        if (eq == text.n || eq == 0) {
            cli_fail(args->io, CLI_USAGE, "what to set is written KEY=VALUE", args->operands[i],
                     "penstock config set log.level=debug");
            return false;
        }
        if (live_value(str_head(text, eq), str_from(text, eq + 1), &c->arena, &o->key, &o->value, &err)) continue;
        cli_fail_err(args->io, &err, "the configuration was not changed",
                     "penstock config docs, for the keys there are");
        return false;
    }
    return c->wish.list != NULL;
}

static bool fill_unset(struct changing *c) {
    const struct cli_args *args = c->args;
    c->wish.list = ARENA_ARRAY(&c->arena, struct conf_override, args->n_operands);
    for (size_t i = 0; c->wish.list && i < args->n_operands; i++)
        c->wish.list[c->wish.n++] = (struct conf_override){.key = str_c(args->operands[i])};
    return c->wish.list != NULL;
}

static bool fill_rollback(struct changing *c) {
    uint64_t version;
    bool ok = str_to_u64(str_c(c->args->operands[0]), &version) && version > 0 && version <= INT64_MAX;
    if (ok)
        c->wish.version = (int64_t)version;
    else
        cli_fail(c->args->io, CLI_USAGE, "VERSION is a number from 1 on", c->args->operands[0],
                 "penstock config history");
    return ok;
}

int cmd_config_set(const struct cli_args *args) { return run(args, WISH_PATCH, fill_set); }
int cmd_config_unset(const struct cli_args *args) { return run(args, WISH_REVERT, fill_unset); }
int cmd_config_rollback(const struct cli_args *args) { return run(args, WISH_ROLLBACK, fill_rollback); }
