// penstock login, logout, whoami: a person signs in to a server, and commands ask it as that person.
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/secret.h"
#include "cli/ask.h"
#include "cli/credentials.h"
#include "cli/resource.h"

#define ARENA_MAX ((size_t)1 << 20)
#define BODY_MAX ((size_t)8 * CLI_ANSWER_MAX)
#define SERVER_DEFAULT "http://127.0.0.1:8080"
#define DUE_MAX 4 // things a server can ask for before it lets in

struct login {
    const struct cli_args *args;
    struct cli_asker asker;
    struct arena arena;
    struct credentials c;
    struct str due;
};

static struct str server_of(const struct cli_args *args) {
    struct str server = server_named(args);
    return server.n ? server : STR(SERVER_DEFAULT);
}

static struct str text_of(struct login *l, const struct cli_answer *answer, const char *name) {
    struct err ignored;
    struct str body = buf_str(&answer->body);
    return json_validate(body, 0, &ignored) ? cli_json_text(&l->arena, body, str_c(name)) : STR("");
}

static int refused(struct login *l, const struct cli_answer *answer) {
    char what[1100];
    struct str detail = text_of(l, answer, "detail");
    if (detail.n)
        snprintf(what, sizeof what, "%.*s", (int)MIN(detail.n, (size_t)1000), detail.p);
    else
        snprintf(what, sizeof what, "the server answered with status %d", answer->status);
    return cli_fail(l->args->io, answer->status == 400 ? CLI_USAGE : CLI_REFUSED, what, NULL, NULL);
}

// With the session, once there is one. The answer is to be freed if CLI_OK.
static int call(struct login *l, enum http_method method, const char *target, struct str body,
                struct cli_answer *answer) {
    const struct server_call request = {.server = l->c.server,
                                        .method = method,
                                        .target = str_c(target),
                                        .body = body,
                                        .bearer = l->c.key,
                                        .cookie = l->c.cookie,
                                        .csrf = l->c.csrf};
    struct err err;
    *answer = (struct cli_answer){0};
    if (!server_call(&request, answer, &err)) return cli_fail_err(l->args->io, &err, "cannot ask the server", NULL);
    if (answer->cookie[0]) l->c.cookie = arena_str(&l->arena, str_c(answer->cookie));
    return CLI_OK;
}

// --- bodies ---

struct member {
    const char *name;
    struct str text;
};
// A JSON object of those that are not empty.
static int send(struct login *l, const char *target, const struct member *members, size_t n,
                struct cli_answer *answer) {
    struct buf body = BUF_INIT(BODY_MAX);
    struct json_writer w;
    int code = CLI_FAILED;
    if (buf_reserve(&body, BODY_MAX)) {
        json_writer_init(&w, &body);
        json_put_object(&w);
        for (size_t i = 0; i < n; i++)
            if (members[i].text.n) json_put_member_str(&w, str_c(members[i].name), members[i].text);
        json_put_object_end(&w);
        code = call(l, HTTP_POST, target, buf_str(&body), answer);
    }
    if (body.p) secret_wipe(body.p, body.cap);
    buf_free(&body);
    return code;
}

// --- what a server asks for before it lets in ---

static void take_session(struct login *l, const struct cli_answer *answer) {
    struct str user, tenant, body = buf_str(&answer->body);
    struct err ignored;
    if (!json_validate(body, 0, &ignored)) return;
    if (JSON_GET(body, &user, STR("user"))) l->c.name = cli_json_text(&l->arena, user, STR("email"));
    if (JSON_GET(body, &tenant, STR("tenant"))) l->c.tenant = cli_json_text(&l->arena, tenant, STR("name"));
    l->c.csrf = cli_json_text(&l->arena, body, STR("csrf_token"));
    l->due = cli_json_text(&l->arena, body, STR("due"));
}

// *password: the present one before, the chosen one after.
static int choose_password(struct login *l, struct str *password) {
    struct cli_answer answer;
    struct buf fresh;
    if (!cli_answer_room(&fresh)) return CLI_FAILED;
    fprintf(l->args->io->err, "The password was set by somebody else: choose your own.\n");
    int code = cli_ask_password(&l->asker, "New password (it is not shown): ", &fresh);
    const struct member members[] = {{"password", *password}, {"new_password", buf_str(&fresh)}};
    if (code == CLI_OK) code = send(l, "/api/v1/session/password", members, ARRAY_LEN(members), &answer);
    if (code == CLI_OK) {
        code = answer.status == 204 ? CLI_OK : refused(l, &answer);
        cli_answer_free(&answer);
    }
    if (code == CLI_OK) {
        // What is due next may ask for it once more.
        *password = arena_str(&l->arena, buf_str(&fresh));
        if (!password->p) code = CLI_FAILED;
    }
    cli_answer_wipe(&fresh);
    return code;
}

static int confirm_factor(struct login *l) {
    struct cli_answer answer;
    struct buf typed;
    if (!cli_answer_room(&typed)) return CLI_FAILED;
    int code = cli_ask(&l->asker, "Code that the app shows: ", false, &typed);
    const struct member members[] = {{"code", str_trim(buf_str(&typed))}};
    if (code == CLI_OK) code = send(l, "/api/v1/session/totp/confirm", members, ARRAY_LEN(members), &answer);
    if (code == CLI_OK) {
        if (answer.status != 200)
            code = refused(l, &answer);
        else
            fprintf(l->args->io->err, "Recovery codes, each good once in place of a code; keep them safe:\n  %.*s\n",
                    STR_ARG(text_of(l, &answer, "recovery_codes")));
        cli_answer_free(&answer);
    }
    cli_answer_wipe(&typed);
    return code;
}

static int set_up_factor(struct login *l, struct str password) {
    struct cli_answer answer;
    const struct member members[] = {{"password", password}};
    int code = send(l, "/api/v1/session/totp", members, ARRAY_LEN(members), &answer);
    if (code != CLI_OK) return code;
    if (answer.status != 200)
        code = refused(l, &answer);
    else
        fprintf(l->args->io->err,
                "A second factor is required. Enter this secret into an authenticator app:\n  %.*s\n  %.*s\n",
                STR_ARG(text_of(l, &answer, "secret")), STR_ARG(text_of(l, &answer, "uri")));
    cli_answer_free(&answer);
    return code == CLI_OK ? confirm_factor(l) : code;
}

static int do_what_is_due(struct login *l, struct str password) {
    int code = CLI_OK;
    for (int i = 0; i < DUE_MAX && code == CLI_OK && l->due.n; i++) {
        struct cli_answer answer;
        code = str_eq(l->due, STR("password")) ? choose_password(l, &password) : set_up_factor(l, password);
        if (code == CLI_OK) code = call(l, HTTP_GET, "/api/v1/session", STR(""), &answer);
        if (code != CLI_OK) break;
        if (answer.status == 200)
            take_session(l, &answer);
        else
            code = refused(l, &answer);
        cli_answer_free(&answer);
    }
    return code;
}

// --- signing in ---

static int enter(struct login *l, struct str email, struct str password, struct cli_answer *answer) {
    const struct str tenant = cli_value(l->args, CLI_TENANT);
    struct buf typed;
    struct member members[] = {{"email", email}, {"password", password}, {"tenant", tenant}, {"code", STR("")}};
    int code = send(l, "/api/v1/session", members, ARRAY_LEN(members), answer);
    if (code != CLI_OK || answer->status != 401 || !str_eq(text_of(l, answer, "code"), STR("second_factor_required")))
        return code;
    cli_answer_free(answer);
    *answer = (struct cli_answer){0};
    if (!cli_answer_room(&typed)) return CLI_FAILED;
    code = cli_ask(&l->asker, "Code of the second factor: ", false, &typed);
    members[3].text = str_trim(buf_str(&typed));
    if (code == CLI_OK) code = send(l, "/api/v1/session", members, ARRAY_LEN(members), answer);
    cli_answer_wipe(&typed);
    return code;
}

static void warn_of_plain(const struct login *l) {
    struct str rest = l->c.server;
    if (!str_starts(rest, STR("http://"))) return;
    rest = str_from(rest, 7);
    bool near = str_starts(rest, STR("127.")) || str_starts(rest, STR("localhost")) || str_starts(rest, STR("[::1]"));
    if (!near)
        fprintf(l->args->io->err, "Warning: %.*s is asked without TLS: whoever is on the way can read the password.\n",
                STR_ARG(l->c.server));
}

static int by_password(struct login *l) {
    struct buf email, password;
    struct cli_answer answer = {0};
    int code = CLI_OK;
    bool room = cli_answer_room(&email), more = cli_answer_room(&password);
    if (!room || !more) code = cli_fail(l->args->io, CLI_FAILED, "out of memory", NULL, NULL);
    warn_of_plain(l);
    if (l->args->n_operands)
        buf_put(&email, str_c(l->args->operands[0]));
    else if (code == CLI_OK)
        code = cli_ask(&l->asker, "E-mail address: ", false, &email);
    if (code == CLI_OK) code = cli_ask(&l->asker, "Password (it is not shown): ", true, &password);
    if (code == CLI_OK) code = enter(l, str_trim(buf_str(&email)), buf_str(&password), &answer);
    if (code == CLI_OK && answer.status != 200) code = refused(l, &answer);
    if (code == CLI_OK) {
        take_session(l, &answer);
        code = do_what_is_due(l, buf_str(&password));
    }
    cli_answer_free(&answer);
    cli_answer_wipe(&email);
    cli_answer_wipe(&password);
    return code;
}

static int by_key(struct login *l) {
    struct buf typed;
    struct cli_answer answer;
    if (!cli_answer_room(&typed)) return CLI_FAILED;
    int code = cli_ask(&l->asker, "Key (it is not shown): ", true, &typed);
    l->c.key = arena_str(&l->arena, str_trim(buf_str(&typed)));
    cli_answer_wipe(&typed);
    if (code == CLI_OK && !l->c.key.n) code = cli_fail(l->args->io, CLI_USAGE, "no key was given", NULL, NULL);
    if (code == CLI_OK) code = call(l, HTTP_GET, "/api/v1/session", STR(""), &answer);
    if (code != CLI_OK) return code;
    if (answer.status == 200)
        l->c.name = text_of(l, &answer, "name");
    else
        code = refused(l, &answer);
    cli_answer_free(&answer);
    return code;
}

// A session of before would live on unseen.
static void end_earlier(struct login *l) {
    struct login before = {.args = l->args};
    struct cli_answer answer;
    struct err err;
    bool there;
    arena_init(&before.arena, NULL, 0, ARENA_MAX);
    if (credentials_load(l->args, l->c.server, &before.arena, &before.c, &there, &err) && there && before.c.cookie.n) {
        const struct server_call end = {.server = before.c.server,
                                        .method = HTTP_DELETE,
                                        .target = STR("/api/v1/session"),
                                        .cookie = before.c.cookie,
                                        .csrf = before.c.csrf};
        if (server_call(&end, &answer, &err)) cli_answer_free(&answer);
    }
    arena_wipe_free(&before.arena);
}

int cmd_login(const struct cli_args *args) {
    struct login l = {.args = args, .c = {.server = server_of(args)}};
    struct err err;
    int code = server_check(args, l.c.server);
    if (code != CLI_OK) return code;
    arena_init(&l.arena, NULL, 0, ARENA_MAX);
    cli_asker_init(&l.asker, args);
    code = cli_given(args, CLI_WITH_KEY) ? by_key(&l) : by_password(&l);
    if (code == CLI_OK) {
        end_earlier(&l);
        if (!credentials_save(args, &l.c, &err)) code = cli_fail_err(args->io, &err, "cannot keep the sign-in", NULL);
    }
    if (code == CLI_OK && !cli_given(args, CLI_QUIET)) {
        fprintf(args->io->err, "Signed in to %.*s as %.*s", STR_ARG(l.c.server), STR_ARG(l.c.name));
        if (l.c.tenant.n) fprintf(args->io->err, " (tenant %.*s)", STR_ARG(l.c.tenant));
        fprintf(args->io->err, ".\n");
    }
    cli_asker_end(&l.asker);
    arena_wipe_free(&l.arena);
    return code;
}

int cmd_logout(const struct cli_args *args) {
    struct login l = {.args = args, .c = {.server = server_of(args)}};
    struct cli_answer answer;
    struct err err;
    bool there;
    int code = server_check(args, l.c.server);
    if (code != CLI_OK) return code;
    arena_init(&l.arena, NULL, 0, ARENA_MAX);
    if (!credentials_load(args, l.c.server, &l.arena, &l.c, &there, &err))
        code = cli_fail_err(args->io, &err, "cannot use what is kept for the server", NULL);
    else if (!there)
        code = cli_fail(args->io, CLI_NOT_FOUND, "nobody is signed in to this server", NULL, "penstock login");
    // The session ends there, too; what is kept here goes in any case.
    else if (l.c.cookie.n && (code = call(&l, HTTP_DELETE, "/api/v1/session", STR(""), &answer)) == CLI_OK)
        cli_answer_free(&answer);
    if (there && !credentials_remove(args, l.c.server, &err))
        code = cli_fail_err(args->io, &err, "cannot remove what is kept", NULL);
    if (code == CLI_OK && !cli_given(args, CLI_QUIET))
        fprintf(args->io->err, "Signed out of %.*s.\n", STR_ARG(l.c.server));
    arena_wipe_free(&l.arena);
    return code;
}

int cmd_whoami(const struct cli_args *args) {
    struct cli_api api;
    struct cli_answer answer;
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    if (!api.server.n) {
        BUF_AUTO struct buf text = BUF_INIT(ARENA_MAX);
        struct str dir = cli_data_dir(args);
        struct json_writer w;
        json_writer_init(&w, &text);
        json_put_object(&w);
        json_put_member_str(&w, STR("kind"), STR("operator"));
        json_put_member_str(&w, STR("data"), dir);
        json_put_object_end(&w);
        code = resource_print(args, buf_str(&text));
    } else {
        code = cli_api_call(&api, HTTP_GET, STR("/api/v1/session"), STR(""), STR(""), &answer);
        if (code == CLI_OK) code = resource_print(args, buf_str(&answer.body));
        cli_answer_free(&answer);
    }
    cli_api_close(&api);
    return code;
}
