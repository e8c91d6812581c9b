// Tests of the addresses of Redis servers: every part, and what is refused.
#include "conf/redis_url.h"

#include "check.h"

#include <stdlib.h>

static struct redis_url parse(const char *text) {
    struct redis_url url = {0};
    const char *wrong = redis_url_parse(str_c(text), &url);
    if (wrong) fprintf(stderr, "%s: %s\n", text, wrong);
    CHECK(!wrong);
    return url;
}

static void test_parts(void) {
    struct redis_url u = parse("redis://localhost");
    CHECK(!strcmp(u.host, "localhost") && u.port == 6379 && u.db == 0 && !u.tls && !u.user[0] && !u.password[0]);
    u = parse("rediss://gate:p%40ss:w%3a@redis.example.com:7000/12");
    CHECK(u.tls && !strcmp(u.user, "gate") && !strcmp(u.password, "p@ss:w:"));
    CHECK(!strcmp(u.host, "redis.example.com") && u.port == 7000 && u.db == 12);
    u = parse("redis://:secret@127.0.0.1/");
    CHECK(!u.user[0] && !strcmp(u.password, "secret") && !strcmp(u.host, "127.0.0.1") && u.port == 6379);
    u = parse("redis://user@h:80");
    CHECK(!strcmp(u.user, "user") && !u.password[0] && u.port == 80);
    u = parse("redis://:a@b@h"); // the last @ ends the password
    CHECK(!strcmp(u.password, "a@b") && !strcmp(u.host, "h"));
    u = parse("redis://[::1]:6380/1");
    CHECK(!strcmp(u.host, "::1") && u.port == 6380 && u.db == 1);
    u = parse("redis://[::1]");
    CHECK(!strcmp(u.host, "::1") && u.port == 6379);
    u = parse("unix:///run/redis/redis.sock");
    CHECK(!strcmp(u.path, "/run/redis/redis.sock") && !u.host[0] && u.db == 0);
    u = parse("unix://gate:pw@/run/r@.sock?db=3");
    CHECK(!strcmp(u.path, "/run/r@.sock") && u.db == 3 && !strcmp(u.user, "gate") && !strcmp(u.password, "pw"));
}

static void test_refused(void) {
    static const char *const bad[] = {"",
                                      "redis",
                                      "http://localhost",
                                      "redis:/localhost",
                                      "redis://",
                                      "redis://:6379",
                                      "redis://host:",
                                      "redis://host:0",
                                      "redis://host:65536",
                                      "redis://host:6379x",
                                      "redis://host/x",
                                      "redis://host/-1",
                                      "redis://host/65536",
                                      "redis://host/1/2",
                                      "redis://host?db=1",
                                      "redis://host#1",
                                      "redis://ho st",
                                      "redis://a:%zz@host",
                                      "redis://a:%4@host",
                                      "redis://a:%00@host",
                                      "redis://[::1",
                                      "redis://[host]",
                                      "unix://",
                                      "unix://run/redis.sock",
                                      "unix:///",
                                      "unix://host/x",
                                      "unix:///x?db=",
                                      "unix:///x?db=1&a=2",
                                      "unix:///x?a"};
    char long_path[200] = "unix:///";
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct redis_url url = {.port = 9};
        CHECK(redis_url_parse(str_c(bad[i]), &url) != NULL);
        CHECK_INT(url.port, 9);
    }
    memset(long_path + 8, 'a', 108);
    struct redis_url url;
    CHECK(redis_url_parse(str_c(long_path), &url) != NULL);
    char long_user[900] = "redis://";
    memset(long_user + 8, 'u', 129);
    snprintf(long_user + 137, 16, ":p@host");
    CHECK(redis_url_parse(str_c(long_user), &url) != NULL);
    snprintf(long_user, sizeof long_user, "redis://u:");
    memset(long_user + 10, 'p', 513);
    snprintf(long_user + 523, 16, "@host");
    CHECK(redis_url_parse(str_c(long_user), &url) != NULL);
}

TEST_MAIN(test_parts, test_refused)
