// Keeps what people signed in with, a file for each server.
#include "cli/credentials.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/secret.h"
#include "cli/api_client.h"
#include "os/clock.h"
#include "os/file.h"

#define PATH_SIZE_MAX 8192
#define FILE_SIZE_MAX ((size_t)64 * 1024)
#define EARLY_NS ((int64_t)30 * 1000000000) // a token this near to its end is not used any more

// Of the folder when server is empty.
static bool path_of(const struct cli_args *args, struct str server, struct buf *out, struct err *err) {
    const char *config = args->io->env("XDG_CONFIG_HOME"), *home = args->io->env("HOME");
    if (config && config[0] == '/')
        buf_put(out, str_c(config));
    else if (home && home[0] == '/')
        buf_printf(out, "%s/.config", home);
    else
        return err_set(err, ERR_NOT_FOUND, "neither XDG_CONFIG_HOME nor HOME says where to keep it");
    buf_put(out, STR("/penstock/credentials"));
    if (server.n) {
        buf_putc(out, '/');
        cli_url_put(out, server);
        buf_put(out, STR(".json"));
    }
    return !out->failed || err_no_memory(err);
}

static bool take(struct arena *a, struct str object, const char *name, struct str *out) {
    struct str raw, text, key = str_c(name);
    *out = STR("");
    if (!json_get(object, &key, 1, &raw) || json_raw_kind(raw) != JSON_STRING) return true;
    if (!json_string_text(raw, a, &text)) return false;
    *out = arena_str(a, text); // it may be a slice of what is wiped soon
    return out->p != NULL;
}

static bool read_text(struct str text, struct arena *a, struct credentials *out, struct err *err) {
    struct str until;
    struct err ignored;
    if (!json_validate(text, 4, &ignored)) return err_set(err, ERR_INVALID_FIELD, "the file kept for it is damaged");
    bool ok = take(a, text, "name", &out->name) && take(a, text, "tenant", &out->tenant) &&
              take(a, text, "key", &out->key) && take(a, text, "cookie", &out->cookie) &&
              take(a, text, "csrf", &out->csrf) && take(a, text, "token", &out->token) &&
              take(a, text, "token_until", &until);
    if (ok && until.n && !time_parse(until, &out->token_until)) out->token_until = 0;
    return ok || err_no_memory(err);
}

bool credentials_load(const struct cli_args *args, struct str server, struct arena *arena, struct credentials *out,
                      bool *out_there, struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(PATH_SIZE_MAX);
    struct buf text = BUF_INIT(FILE_SIZE_MAX);
    struct file_info info;
    *out = (struct credentials){.server = server};
    *out_there = false;
    // Nowhere to keep any: there are none.
    if (!path_of(args, server, &path, err)) return err->code == ERR_NOT_FOUND;
    if (!file_stat(buf_str(&path), &info, err)) return false;
    if (info.kind == FILE_KIND_ABSENT) return true;
    if (info.mode & 077)
        return err_set(err, ERR_FORBIDDEN, "others can read %.*s: chmod 600, or sign in anew", STR_ARG(buf_str(&path)));
    bool ok = buf_reserve(&text, FILE_SIZE_MAX) || err_no_memory(err);
    ok = ok && file_read_all(buf_str(&path), FILE_SIZE_MAX, &text, err) &&
         read_text(str_trim(buf_str(&text)), arena, out, err);
    if (text.p) secret_wipe(text.p, text.cap);
    buf_free(&text);
    *out_there = ok && (out->key.n || out->cookie.n);
    return ok;
}

static void put(struct json_writer *w, const char *name, struct str text) {
    if (text.n) json_put_member_str(w, str_c(name), text);
}

static void put_all(struct buf *out, const struct credentials *c) {
    char until[TIME_TEXT_LEN];
    struct json_writer w;
    time_text(until, c->token_until);
    json_writer_init(&w, out);
    json_put_object(&w);
    put(&w, "server", c->server);
    put(&w, "name", c->name);
    put(&w, "tenant", c->tenant);
    put(&w, "key", c->key);
    put(&w, "cookie", c->cookie);
    put(&w, "csrf", c->csrf);
    put(&w, "token", c->token);
    if (c->token.n) put(&w, "token_until", str_of(until, sizeof until));
    json_put_object_end(&w);
    buf_putc(out, '\n');
}

bool credentials_save(const struct cli_args *args, const struct credentials *c, struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(PATH_SIZE_MAX);
    struct buf text = BUF_INIT(FILE_SIZE_MAX);
    if (!path_of(args, c->server, &path, err)) return false;
    bool ok = buf_reserve(&text, FILE_SIZE_MAX);
    if (ok) put_all(&text, c);
    ok = (ok && !text.failed) || err_no_memory(err);
    ok = ok && dir_make(path_dir(buf_str(&path)), 0700, err) && file_replace(buf_str(&path), buf_str(&text), 0600, err);
    if (text.p) secret_wipe(text.p, text.cap);
    buf_free(&text);
    return ok;
}

bool credentials_remove(const struct cli_args *args, struct str server, struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(PATH_SIZE_MAX);
    if (!path_of(args, server, &path, err)) return err->code == ERR_NOT_FOUND;
    return file_remove(buf_str(&path), err);
}

// --- tokens of a session ---

static bool read_token(struct credentials *c, const struct cli_answer *answer, struct arena *arena, struct err *err) {
    struct str body = buf_str(&answer->body), seconds;
    int64_t n = 0;
    if (!take(arena, body, "access_token", &c->token)) return err_no_memory(err);
    if (JSON_GET(body, &seconds, STR("expires_in")) && !json_raw_i64(seconds, &n)) n = 0;
    c->token_until = clock_unix_ns() + n * 1000000000;
    return c->token.n || err_set(err, ERR_INVALID_FIELD, "the server gave no access token");
}

static bool renew(const struct cli_args *args, struct credentials *c, struct arena *arena, struct err *err) {
    const struct server_call call = {.server = c->server,
                                     .method = HTTP_POST,
                                     .target = STR("/api/v1/tokens"),
                                     .body = STR("{\"permissions\":[\"*\"]}"),
                                     .cookie = c->cookie,
                                     .csrf = c->csrf};
    struct cli_answer answer = {0};
    if (!server_call(&call, &answer, err)) return false;
    bool ok = answer.status == 201;
    if (!ok && (answer.status == 401 || answer.status == 403))
        err_set(err, ERR_UNAUTHENTICATED, "the sign-in of %.*s is over", STR_ARG(c->name));
    else if (!ok)
        err_set(err, ERR_INTERNAL, "the server gave no access token: status %d", answer.status);
    // With other rights the session has another cookie.
    if (ok && answer.cookie[0]) {
        c->cookie = arena_str(arena, str_c(answer.cookie));
        ok = c->cookie.p || err_no_memory(err);
    }
    ok = ok && read_token(c, &answer, arena, err) && credentials_save(args, c, err);
    cli_answer_free(&answer);
    return ok;
}

bool credentials_bearer(const struct cli_args *args, struct credentials *c, struct arena *arena, struct str *out_bearer,
                        struct err *err) {
    bool due = !c->token.n || c->token_until - EARLY_NS <= clock_unix_ns();
    if (!c->key.n && due && !renew(args, c, arena, err)) return false;
    *out_bearer = c->key.n ? c->key : c->token;
    return true;
}
