// Tests of the Redis client against a real server: commands, sign-in, TLS, scripts, news, and a server that dies,
// hangs or lies.
#include "redis_rig.h"

#include "base/buf.h"
#include "net/stream.h"
#include "tls_certs.h"

#include <pthread.h>

// --- commands ---

static bool commands_send(struct rig *rig) {
    if (!rig_is_up(rig)) return false;
    rig_ask(rig, 0, "SET a 1");
    for (size_t i = 1; i < 20; i++) rig_ask(rig, i, "INCR a");
    rig_ask(rig, 20, "GET nothing");
    rig_ask(rig, 21, "INCR a b");
    rig_ask(rig, 22, "LRANGE a 0 1");
    rig_ask(rig, 23, "MGET a b c");
    return true;
}
static bool commands_answered(struct rig *rig) {
    if (!rig->asks[23].calls) return false;
    for (size_t i = 0; i < 24; i++) CHECK_INT(rig->asks[i].calls, 1);
    for (size_t i = 1; i < 20; i++) CHECK_INT(rig->asks[i].integer, (int64_t)i + 1);
    CHECK(rig->asks[20].ok && !rig->asks[20].text[0]);
    CHECK(!rig->asks[21].ok && rig->asks[21].code == ERR_UPSTREAM_STATUS && strstr(rig->asks[21].text, "Redis: ERR"));
    CHECK(!rig->asks[22].ok && strstr(rig->asks[22].text, "WRONGTYPE"));
    CHECK_INT(rig->asks[23].integer, 3);
    struct redis_stats stats;
    redis_stats_get(rig->redis, &stats);
    CHECK(stats.resp3 && stats.version[0] && stats.waiting == 0 && stats.connects == 1);
    CHECK_INT(stats.sent, 24);
    return true;
}
static void test_commands(void) {
    struct server s;
    struct rig rig = {0};
    server_start(&s, false, NULL);
    rig_run(&rig, &s, (rig_step *const[]){commands_send, commands_answered, NULL});
    CHECK(rig.ups == 1 && rig.downs == 0);
    server_kill(&s, SIGKILL);
}

// --- many at once ---

#define MANY 3000
struct many {
    int next, wrong;
};
static void on_many(void *ctx, const struct resp *reply, const struct err *err) {
    struct many *m = ctx;
    (void)err;
    m->next++;
    if (!reply || reply->integer != m->next) m->wrong++;
}
static bool many_send(struct rig *rig) {
    static const struct str args[] = {STR_INIT("INCR"), STR_INIT("many")};
    const struct redis_wish wish = {.fn = on_many, .ctx = rig->user};
    struct err err;
    if (!rig_is_up(rig)) return false;
    for (int i = 0; i < MANY; i++) CHECK(redis_send(rig->redis, args, 2, &wish, NULL, &err));
    return true;
}
static bool many_answered(struct rig *rig) { return ((struct many *)rig->user)->next == MANY; }
static void test_many(void) {
    struct server s;
    struct many m = {0};
    struct rig rig = {.user = &m};
    server_start(&s, false, NULL);
    rig_run(&rig, &s, (rig_step *const[]){many_send, many_answered, NULL});
    CHECK_INT(m.wrong, 0);
    server_kill(&s, SIGKILL);
}

// --- sign-in, databases, Unix sockets, TLS ---

static bool whoami(struct rig *rig) {
    if (!rig_is_up(rig)) return false;
    rig_ask(rig, 0, "ACL WHOAMI");
    rig_ask(rig, 1, "CLIENT INFO");
    return true;
}
static bool whoami_answered(struct rig *rig) { return rig->asks[1].calls != 0; }
static bool refused(struct rig *rig) {
    struct redis_stats stats;
    redis_stats_get(rig->redis, &stats);
    snprintf(rig->payload, sizeof rig->payload, "%.150s", stats.error);
    return stats.attempts >= 2;
}

static void parse(struct rig *rig, const char *front, unsigned port, const char *db) {
    char url[300];
    snprintf(url, sizeof url, "%s:%u%s", front, port, db);
    REQUIRE(!redis_url_parse(str_c(url), &rig->o.at));
}

static void test_sign_in(void) {
    static rig_step *const in[] = {whoami, whoami_answered, NULL}, *const out[] = {refused, NULL};
    struct server s;
    server_start(&s, false,
                 (const char *const[]){"--requirepass", "s3cret+x", "--user", "gate", "on", ">p%w@/:", "~*", "&*",
                                       "+@all", NULL});
    struct rig rig = {0};
    parse(&rig, "redis://:s3cret%2bx@127.0.0.1", s.port, "/3");
    rig_run(&rig, &s, in);
    CHECK_STR(str_c(rig.asks[0].text), STR("default"));
    CHECK(rig.asks[1].ok);
    rig = (struct rig){0};
    parse(&rig, "redis://gate:p%25w%40%2f%3A@localhost", s.port, "");
    rig_run(&rig, &s, in);
    CHECK_STR(str_c(rig.asks[0].text), STR("gate"));
    rig = (struct rig){0};
    parse(&rig, "redis://:wrong@127.0.0.1", s.port, "");
    rig_run(&rig, &s, out);
    CHECK(strstr(rig.payload, "the login was refused: WRONGPASS") && rig.ups == 0 && rig.downs == 0);
    rig = (struct rig){0};
    parse(&rig, "redis://127.0.0.1", s.port, "");
    rig_run(&rig, &s, out);
    CHECK(strstr(rig.payload, "NOAUTH"));
    rig = (struct rig){0};
    parse(&rig, "redis://:s3cret%2bx@127.0.0.1", s.port, "/999");
    rig_run(&rig, &s, out);
    CHECK(strstr(rig.payload, "the database was refused: ERR"));
    server_kill(&s, SIGKILL);
}

static bool db_info(struct rig *rig) {
    if (!rig_is_up(rig)) return false;
    rig_ask(rig, 0, "SET there 1");
    rig_ask(rig, 1, "SELECT 0");
    rig_ask(rig, 2, "EXISTS there");
    rig_ask(rig, 3, "SELECT 7");
    rig_ask(rig, 4, "EXISTS there");
    return true;
}
static bool db_answered(struct rig *rig) { return rig->asks[4].calls != 0; }
static void test_unix_and_db(void) {
    struct server s;
    char path[512], url[600];
    snprintf(path, sizeof path, "%s/redis.sock", temp_dir());
    server_start(&s, false, (const char *const[]){"--unixsocket", path, NULL});
    struct rig rig = {0};
    snprintf(url, sizeof url, "unix://%s?db=7", path);
    REQUIRE(!redis_url_parse(str_c(url), &rig.o.at));
    rig_run(&rig, NULL, (rig_step *const[]){db_info, db_answered, NULL});
    CHECK(rig.asks[2].ok && rig.asks[2].integer == 0);
    CHECK(rig.asks[4].ok && rig.asks[4].integer == 1);
    server_kill(&s, SIGKILL);
    rig = (struct rig){0};
    REQUIRE(!redis_url_parse(STR("unix:///nowhere/redis.sock"), &rig.o.at));
    rig_run(&rig, NULL, (rig_step *const[]){refused, NULL});
    CHECK(strstr(rig.payload, "no such file"));
}

static void test_tls(void) {
    static rig_step *const in[] = {whoami, whoami_answered, NULL}, *const out[] = {refused, NULL};
    struct server s;
    struct test_cert ca =
        test_cert_make(temp_dir(), (struct test_cert_spec){.file = "ca", .cn = "ca", .authority = true});
    struct test_cert leaf = test_cert_make(
        temp_dir(), (struct test_cert_spec){.file = "leaf", .cn = "r", .alt = "DNS:localhost", .issuer = &ca});
    server_start(&s, true,
                 (const char *const[]){"--port", "0", "--tls-cert-file", leaf.cert_path, "--tls-key-file",
                                       leaf.key_path, "--tls-ca-cert-file", ca.cert_path, "--tls-auth-clients", "no",
                                       NULL});
    struct rig rig = {.o.tls_ca = str_c(ca.cert_path)};
    parse(&rig, "rediss://localhost", s.port, "");
    rig_run(&rig, &s, in);
    CHECK_STR(str_c(rig.asks[0].text), STR("default"));
    rig = (struct rig){0};
    parse(&rig, "rediss://localhost", s.port, "");
    rig_run(&rig, &s, out); // not from an authority the system knows
    CHECK(strstr(rig.payload, "certificate"));
    rig = (struct rig){.o.tls_ca = str_c(ca.cert_path)};
    parse(&rig, "rediss://127.0.0.1", s.port, "");
    rig_run(&rig, &s, out); // for another name
    CHECK(rig.ups == 0);
    rig = (struct rig){.o.tls_no_verify = true};
    parse(&rig, "rediss://127.0.0.1", s.port, "");
    rig_run(&rig, &s, in);
    CHECK_STR(str_c(rig.asks[0].text), STR("default"));
    rig = (struct rig){0};
    parse(&rig, "redis://127.0.0.1", s.port, ""); // plain to a TLS port
    rig_run(&rig, &s, out);
    CHECK(rig.ups == 0);
    server_kill(&s, SIGKILL);
    struct redis *redis;
    struct loop *loop;
    struct err err;
    struct redis_options o = {.tls_ca = STR("/nowhere/ca.pem"), .at = {.tls = true, .host = "x", .port = 1}};
    REQUIRE(loop_create(0, &loop, &err));
    CHECK(!redis_create(loop, &o, &redis, &err) && strstr(err.message, "/nowhere/ca.pem"));
    loop_drain_handles(loop);
    loop_free(loop);
    test_cert_free(&leaf);
    test_cert_free(&ca);
}

// --- scripts ---

static void eval(struct rig *rig, size_t i, const char *key, const char *arg) {
    const struct str args[] = {str_c(key), str_c(arg)};
    const struct redis_wish wish = {.fn = rig_on_reply, .ctx = &rig->asks[i]};
    struct err err;
    rig->asks[i] = (struct asked){.rig = rig};
    CHECK(redis_eval(rig->redis, &rig->script, args, 1, 2, &wish, NULL, &err));
}
static bool script_first(struct rig *rig) {
    struct err err;
    if (!rig_is_up(rig)) return false;
    REQUIRE(redis_script_init(&rig->script, STR("return redis.call('INCRBY', KEYS[1], ARGV[1])"), &err));
    eval(rig, 0, "n", "5");
    return true;
}
static bool script_flush(struct rig *rig) {
    if (!rig->asks[0].calls) return false;
    eval(rig, 1, "n", "5");
    rig_ask(rig, 2, "SCRIPT FLUSH");
    eval(rig, 3, "n", "5");
    rig_ask(rig, 4, "GET n");
    eval(rig, 5, "n", "x");
    rig_ask(rig, 6, "PING");
    return true;
}
static bool script_done(struct rig *rig) {
    if (!rig->asks[3].calls || !rig->asks[5].calls || !rig->asks[6].calls) return false;
    CHECK_INT(rig->asks[0].integer, 5);
    CHECK_INT(rig->asks[1].integer, 10);
    CHECK_INT(rig->asks[3].integer, 15);
    CHECK_STR(str_c(rig->asks[4].text), STR("10")); // before the script came once more
    CHECK(!rig->asks[5].ok && rig->asks[5].code == ERR_UPSTREAM_STATUS);
    for (size_t i = 0; i < 7; i++) CHECK_INT(rig->asks[i].calls, 1);
    return true;
}
static void test_scripts(void) {
    struct server s;
    struct rig rig = {0};
    server_start(&s, false, NULL);
    rig_run(&rig, &s, (rig_step *const[]){script_first, script_flush, script_done, NULL});
    server_kill(&s, SIGKILL);
    struct redis_script script;
    struct err err;
    CHECK(redis_script_init(&script, STR("return 1"), &err));
    CHECK_STR(str_c(script.sha), STR("e0e1f9fabfc9d4800c877a703b823ac0578ff8db"));
}

// --- late answers, forgotten commands, a full queue ---

static bool late_send(struct rig *rig) {
    struct redis_call *forgotten;
    struct err err;
    if (!rig_is_up(rig)) return false;
    rig_ask(rig, 0, "SET late first");
    CHECK(rig_ask_in(rig, 1, "EVAL local-end", 0, NULL, &err)); // an error, in its place
    CHECK(rig_ask_in(rig, 2, "DEBUG SLEEP 0.3", 20, NULL, &err));
    CHECK(rig_ask_in(rig, 3, "GETSET late second", 0, &forgotten, &err));
    redis_forget(forgotten);
    rig_ask(rig, 4, "GET late");
    return true;
}
static bool late_timed_out(struct rig *rig) {
    if (!rig->asks[2].calls) return false;
    CHECK(!rig->asks[2].ok && rig->asks[2].code == ERR_UPSTREAM_TIMEOUT);
    CHECK_INT(rig->asks[4].calls, 0);
    return true;
}
static bool late_answered(struct rig *rig) {
    if (!rig->asks[4].calls) return false;
    CHECK_STR(str_c(rig->asks[4].text), STR("second"));
    CHECK_INT(rig->asks[2].calls, 1);
    CHECK_INT(rig->asks[3].calls, 0);
    CHECK(rig_is_up(rig) && rig->downs == 0);
    return true;
}
static bool full_send(struct rig *rig) {
    struct err err;
    if (!rig_is_up(rig)) return false;
    for (size_t i = 0; i < 4; i++) rig_ask(rig, i, "PING");
    CHECK(!rig_ask_in(rig, 4, "PING", 0, NULL, &err) && err.code == ERR_OVERLOADED);
    return true;
}
static bool full_answered(struct rig *rig) {
    if (!rig->asks[3].calls) return false;
    CHECK_INT(rig->asks[4].calls, 0);
    rig_ask(rig, 4, "PING");
    return true;
}
static void test_late_and_full(void) {
    static const char *const debug[] = {"--enable-debug-command", "yes", NULL};
    struct server s;
    struct rig rig = {0};
    server_start(&s, false, debug);
    rig_run(&rig, &s, (rig_step *const[]){late_send, late_timed_out, late_answered, NULL});
    rig = (struct rig){.o.max_waiting = 4};
    rig_run(&rig, &s, (rig_step *const[]){full_send, full_answered, NULL});
    CHECK_INT(rig.asks[4].calls, 1); // stopped with one under way: it is told so
    CHECK(!rig.asks[4].ok && rig.asks[4].code == ERR_SHUTTING_DOWN);
    server_kill(&s, SIGKILL);
}

// --- news ---

static bool news_send(struct rig *rig) {
    if (!rig_is_up(rig)) return false;
    CHECK(redis_subscribe(rig->redis, STR("news")));
    rig_ask(rig, 0, "PUBLISH news hello");
    rig_ask(rig, 1, "PUBLISH other hello");
    rig_ask(rig, 2, "PING");
    return true;
}
static bool news_came(struct rig *rig) {
    if (!rig->messages || !rig->asks[2].calls) return false;
    CHECK_INT(rig->asks[0].integer, 1);
    CHECK_INT(rig->asks[1].integer, 0);
    CHECK_STR(str_c(rig->channel), STR("news"));
    CHECK_STR(str_c(rig->payload), STR("hello"));
    server_kill(rig->server, SIGKILL);
    return true;
}
static bool news_down(struct rig *rig) {
    if (rig_is_up(rig)) return false;
    server_run(rig->server);
    return true;
}
static bool news_again(struct rig *rig) {
    if (!rig_is_up(rig)) return false;
    rig_ask(rig, 0, "PUBLISH news again");
    return true;
}
static bool news_came_again(struct rig *rig) { return rig->messages == 2 && !strcmp(rig->payload, "again"); }
static void test_news(void) {
    struct server s;
    struct rig rig = {0};
    server_start(&s, false, NULL);
    rig_run(&rig, &s, (rig_step *const[]){news_send, news_came, news_down, news_again, news_came_again, NULL});
    CHECK_INT(rig.messages, 2);
    server_kill(&s, SIGKILL);
}

// --- a server that dies, one that hangs ---

static bool die_send(struct rig *rig) {
    if (!rig_is_up(rig)) return false;
    rig_ask(rig, 0, "BLPOP nothing 60"); // keeps those behind it waiting
    rig_ask(rig, 1, "PING");
    return true;
}
static bool die_kill(struct rig *rig) {
    CHECK_INT(rig->asks[0].calls, 0);
    server_kill(rig->server, SIGKILL);
    return true;
}
static bool die_told(struct rig *rig) {
    struct err err;
    if (rig_is_up(rig)) return false;
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(rig->asks[i].calls, 1);
        CHECK(!rig->asks[i].ok && rig->asks[i].code == ERR_UPSTREAM_RESET);
    }
    CHECK(!rig_ask_in(rig, 2, "PING", 0, NULL, &err) && err.code == ERR_UPSTREAM_REFUSED);
    CHECK_INT(rig->downs, 1);
    return true;
}
static bool die_attempts(struct rig *rig) {
    struct redis_stats stats;
    redis_stats_get(rig->redis, &stats);
    if (stats.attempts < 2) return false;
    CHECK(strstr(stats.error, "refused"));
    server_run(rig->server);
    return true;
}
static bool die_back(struct rig *rig) {
    if (!rig_is_up(rig)) return false;
    rig_ask(rig, 3, "PING");
    return true;
}
static bool die_answered(struct rig *rig) { return rig->asks[3].ok; }
static void test_death(void) {
    struct server s;
    struct rig rig = {0};
    server_start(&s, false, NULL);
    rig_run(&rig, &s, (rig_step *const[]){die_send, die_kill, die_told, die_attempts, die_back, die_answered, NULL});
    CHECK(rig.ups == 2 && rig.downs == 1);
    server_kill(&s, SIGKILL);
}

static bool hang_send(struct rig *rig) {
    struct err err;
    if (!rig_is_up(rig)) return false;
    server_kill(rig->server, SIGSTOP);
    CHECK(rig_ask_in(rig, 0, "PING", 20, NULL, &err));
    CHECK(rig_ask_in(rig, 1, "PING", 0, NULL, &err));
    rig->turns = 0;
    return true;
}
static bool hang_timed_out(struct rig *rig) {
    if (!rig->asks[0].calls) return false;
    CHECK(!rig->asks[0].ok && rig->asks[0].code == ERR_UPSTREAM_TIMEOUT);
    CHECK_INT(rig->asks[1].calls, 0);
    return true;
}
static bool hang_lost(struct rig *rig) {
    struct err err;
    if (rig_is_up(rig)) return false;
    CHECK(rig->asks[1].calls == 1 && rig->asks[1].code == ERR_UPSTREAM_TIMEOUT);
    CHECK(!rig_ask_in(rig, 2, "PING", 0, NULL, &err) && err.code == ERR_UPSTREAM_REFUSED);
    CHECK(rig->turns > 10); // the loop went on all the while
    return true;
}
// The kernel takes connections for a stopped process: only the greeting shows that nobody is there.
static bool hang_attempts(struct rig *rig) {
    struct redis_stats stats;
    redis_stats_get(rig->redis, &stats);
    if (stats.attempts < 2) return false;
    CHECK(strstr(stats.error, "does not answer"));
    server_kill(rig->server, SIGCONT);
    return true;
}
static void test_hang(void) {
    struct server s;
    struct rig rig = {.o = {.timeout_ms = 100, .connect_ms = 100}};
    server_start(&s, false, NULL);
    rig_run(&rig, &s,
            (rig_step *const[]){hang_send, hang_timed_out, hang_lost, hang_attempts, die_back, die_answered, NULL});
    server_kill(&s, SIGKILL);
}

// --- servers that are none ---

struct liar {
    int fd;
    const char *answers[4]; // to each read in turn, on each connection
    pthread_t thread;
};
static void *lie(void *arg) {
    struct liar *l = arg;
    for (int fd; (fd = accept(l->fd, NULL, NULL)) >= 0; close(fd)) {
        char block[4096];
        for (size_t i = 0; i < 4 && l->answers[i]; i++) {
            if (recv(fd, block, sizeof block, 0) <= 0) break;
            if (send(fd, l->answers[i], strlen(l->answers[i]), MSG_NOSIGNAL) < 0) break;
        }
        while (recv(fd, block, sizeof block, 0) > 0) {
        }
    }
    return NULL;
}
static uint16_t liar_start(struct liar *l) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(l->fd >= 0 && bind(l->fd, (struct sockaddr *)&a, n) == 0 && listen(l->fd, 8) == 0);
    REQUIRE(getsockname(l->fd, (struct sockaddr *)&a, &n) == 0);
    REQUIRE(pthread_create(&l->thread, NULL, lie, l) == 0);
    return ntohs(a.sin_port);
}
static void liar_end(struct liar *l) {
    shutdown(l->fd, SHUT_RDWR);
    pthread_join(l->thread, NULL);
    close(l->fd);
}
static void lied_to(const char *first, const char *second, rig_step *const *steps, const char *why) {
    struct liar l = {.answers = {first, second}};
    struct rig rig = {.o = {.timeout_ms = 200, .connect_ms = 200}};
    rig.o.at.port = liar_start(&l);
    rig_run(&rig, NULL, steps);
    if (why) CHECK(strstr(rig.payload, why));
    liar_end(&l);
}
static bool lie_ask(struct rig *rig) {
    if (!rig_is_up(rig)) return false;
    rig_ask(rig, 0, "PING");
    rig_ask(rig, 1, "PING");
    return true;
}
static bool lie_failed(struct rig *rig) {
    if (!rig->asks[1].calls) return false;
    CHECK(rig->asks[0].calls == 1 && rig->asks[0].ok);
    CHECK(rig->asks[1].calls == 1 && !rig->asks[1].ok);
    return true;
}
static bool lie_unasked(struct rig *rig) {
    struct redis_stats stats;
    redis_stats_get(rig->redis, &stats);
    snprintf(rig->payload, sizeof rig->payload, "%.150s", stats.error);
    return rig->downs > 0;
}
static bool lie_old(struct rig *rig) {
    struct redis_stats stats;
    if (!rig_is_up(rig)) return false;
    redis_stats_get(rig->redis, &stats);
    CHECK(!stats.resp3);
    return true;
}
static void test_liars(void) {
    static rig_step *const out[] = {refused, NULL}, *const later[] = {lie_ask, lie_failed, NULL},
                           *const old[] = {lie_old, NULL}, *const unasked[] = {lie_unasked, NULL};
    lied_to("HTTP/1.1 400 Bad Request\r\n\r\n", NULL, out, "unknown type");
    lied_to("$99999999999\r\n", NULL, out, "too long");
    lied_to("", NULL, out, "does not answer");
    lied_to("%1\r\n+version\r\n+7\r\n+OK\r\n", NULL, unasked, "what nobody asked"); // one answer too many
    lied_to("%0\r\n", "+PONG\r\nnonsense\r\n", later, NULL);
    lied_to("%0\r\n", "+PONG\r\n", later, NULL);
    lied_to("-ERR unknown command 'HELLO'\r\n", NULL, old, NULL);
    lied_to("-NOPROTO sorry\r\n", NULL, old, NULL);
}

// --- asked by a thread that waits ---

struct heard {
    int n, errors;
    char first[64];
};
static void on_heard(void *ctx, const struct resp *reply, const struct err *err) {
    struct heard *h = ctx;
    if (h->n++ == 0 && reply) snprintf(h->first, sizeof h->first, "%.*s", STR_ARG(reply->text));
    if (err) h->errors++;
}
static void test_ask_all(void) {
    static const struct str ping[] = {STR_INIT("PING")}, wrong[] = {STR_INIT("NONSENSE")},
                            info[] = {STR_INIT("INFO"), STR_INIT("server")};
    static const struct redis_ask asks[] = {{ping, 1}, {wrong, 1}, {info, 2}};
    struct server s;
    struct heard h = {0};
    struct err err;
    server_start(&s, false, NULL);
    struct redis_options o = {.at = {.host = "127.0.0.1", .port = s.port}};
    CHECK(redis_ask_all(&o, asks, 3, 5000, on_heard, &h, &err));
    CHECK(h.n == 3 && h.errors == 1 && !strcmp(h.first, "PONG"));
    CHECK(redis_ask_all(&o, asks, 0, 5000, on_heard, &h, &err));
    server_kill(&s, SIGSTOP);
    CHECK(!redis_ask_all(&o, asks, 3, 100, on_heard, &h, &err) && err.code == ERR_UPSTREAM_TIMEOUT);
    server_kill(&s, SIGKILL);
    CHECK(!redis_ask_all(&o, asks, 3, 5000, on_heard, &h, &err) && err.code == ERR_UPSTREAM_REFUSED);
    CHECK_INT(h.n, 3);
}

TEST_MAIN(test_commands, test_many, test_sign_in, test_unix_and_db, test_tls, test_scripts, test_late_and_full,
          test_news, test_death, test_hang, test_liars, test_ask_all)
