// Tests of config show, trace and diff as they are called, with a data directory that has keys and a history.
#include "run.h"

#include "base/json_read.h"
#include "os/file.h"

#include <unistd.h>

static char g_dir[64], g_data[80], g_file[80], g_other[80], g_profile[100];

static void write_file(const char *path, const char *text) {
    struct err err;
    REQUIRE(file_replace(str_c(path), str_c(text), 0600, &err));
}

#define BODY                                                                                                           \
    "providers:\n- {name: a, kind: openai, base_url: \"http://127.0.0.1:1/v1\", api_key: sk-hidden}\n"                 \
    "- {name: b, kind: demo}\naliases: {fast: gpt}\n"                                                                  \
    "tenants: [{name: acme, limits: {max_body: 1 MiB}}, {name: team, parent: acme}]\n"                                 \
    "profiles: {prod: {log: {level: error}}}\n"

static void setup(void) {
    snprintf(g_dir, sizeof g_dir, "/tmp/penstock-show-XXXXXX");
    REQUIRE(mkdtemp(g_dir) != NULL);
    snprintf(g_data, sizeof g_data, "%s/data", g_dir);
    snprintf(g_file, sizeof g_file, "%s/penstock.yaml", g_dir);
    snprintf(g_other, sizeof g_other, "%s/other.yaml", g_dir);
    snprintf(g_profile, sizeof g_profile, "%s@prod", g_file);
    write_file(g_file, "log: {level: warn}\nmodels: [{name: gpt, targets: [{provider: a}]}]\n" BODY);
    write_file(g_other, "log: {level: warn}\nmodels: [{name: gpt, targets: [{provider: b}]}]\n" BODY);
}

// path: NUL-terminated.
static void remove_all(struct str path) {
    struct err err;
    struct file_names names = {0};
    REQUIRE(dir_list(path, &names, &err));
    for (size_t i = 0; i < names.n; i++) {
        BUF_AUTO struct buf one = BUF_INIT(4096);
        struct file_info info;
        path_join(&one, path, str_c(names.p[i]));
        REQUIRE(file_stat(buf_str(&one), &info, &err));
        if (info.kind == FILE_KIND_DIRECTORY)
            remove_all(str_c(buf_cstr(&one)));
        else
            CHECK(file_remove(buf_str(&one), &err));
    }
    file_names_free(&names);
    CHECK(rmdir(path.p) == 0);
}
static void teardown(void) { remove_all(str_c(g_dir)); }

// Whatever it was, the secret is in neither stream.
static void says(int code, const char *want, struct ran ran) {
    CHECK_INT(ran.code, code);
    CHECK_STR(str_c(ran.out), str_c(want));
    CHECK(!has(ran.out, "hidden") && !has(ran.err, "hidden"));
    if (ran.code != code) fprintf(stderr, "%s", ran.err);
    ran_free(&ran);
}
// The messages hold a part.
static void fails(int code, const char *part, struct ran ran) {
    CHECK_INT(ran.code, code);
    CHECK_INT(ran.out_n, 0);
    if (!has(ran.err, part)) fprintf(stderr, "no \"%s\" in %s", part, ran.err);
    CHECK(has(ran.err, part) && !has(ran.err, "hidden"));
    ran_free(&ran);
}
#define ON "--config", g_file, "--data", g_data

static void show(void) {
    says(0, "log:\n  level: warn\n", RUN("config", "show", "log", ON));
    says(0, "log:\n  level: error\n", RUN("config", "show", "log", ON, "--env", "prod"));
    says(0, "log:\n  level: debug\n", RUN("config", "show", "log", ON, "--config-override", "log.level=debug"));
    says(0, "server:\n  port: 8080\n", RUN("config", "show", "server.port", ON)); // nobody set it
    says(0, "", RUN("config", "show", "server", ON, "--changed"));
    says(0, "providers:\n- api_key: \"***\"\n", RUN("config", "show", "providers.a.api_key", ON));
    says(0, "log:\n  level: info\n", RUN("config", "show", "log.level", ON, "--defaults"));
}

static void show_streams(void) {
    check_run(0, "  max_body: 1 MiB       # tenant acme (", RUN("config", "show", ON, "--tenant", "team", "--sources"));
    check_run(0, "\"level\":\"tenant acme\"", RUN("config", "show", "limits", ON, "--tenant", "team", "--json"));
    check_run(0, "  level: warn   ", RUN("config", "show", "log", ON, "--sources", "--effective"));
    fails(4, "there is no tenant \"nobody\"", RUN("config", "show", ON, "--tenant", "nobody"));
    fails(4, "did you mean \"level\"?", RUN("config", "show", "log.levl", ON));
    fails(4, "there is nothing of this name", RUN("config", "show", "providers.nobody", ON));
    fails(2, "exclude each other", RUN("config", "show", ON, "--effective", "--changed"));
    fails(2, "exclude each other", RUN("config", "show", ON, "--defaults", "--tenant", "acme"));
    fails(3, "no-such.yaml", RUN("config", "show", "--config", "/no-such.yaml"));
    struct ran ran = RUN("config", "show", ON, "--effective", "--json");
    struct str rest = str_of(ran.out, ran.out_n), line;
    struct err err;
    size_t n = 0;
    for (; rest.n && str_split(&rest, '\n', &line); n++) CHECK(json_validate(line, 0, &err));
    CHECK(n > 80 && !has(ran.out, "hidden"));
    ran_free(&ran);
}

static void trace(void) {
    struct ran ran = RUN("config", "trace", "log.level", ON, "--config-override", "log.level=debug");
    CHECK_INT(ran.code, 0);
    CHECK(str_starts(str_c(ran.out), STR("log.level\n    default")));
    CHECK(has(ran.out, "penstock.yaml:1:14  warn\n  * --config-override"));
    ran_free(&ran);
    check_run(0, "  * tenant acme (", RUN("config", "trace", "limits.max_body", ON, "--tenant", "team"));
    check_run(0, "\"wins\":true}]}", RUN("config", "trace", "log.level", ON, "--json"));
    fails(4, "there is no option \"nothing\"", RUN("config", "trace", "nothing", ON));
    fails(4, "there is nothing of the name", RUN("config", "trace", "models.nobody", ON));
}

#define CHANGE "~ models.gpt.targets[0].provider: a → b   live   models gpt; aliases fast; tenants acme, team\n"
static void diff_files(void) {
    says(0, "", RUN("config", "diff", g_file, g_file, "--data", g_data));
    says(1, CHANGE, RUN("config", "diff", g_file, g_other, "--data", g_data));
    says(1, "~ log.level: warn → error   live\n", RUN("config", "diff", g_file, g_profile, "--data", g_data));
    fails(3, "no-such.yaml", RUN("config", "diff", g_file, "/no-such.yaml", "--data", g_data));
    fails(4, "there is no data directory", RUN("config", "diff", "running", g_file, "--data", g_data));
    fails(4, "there is no data directory", RUN("config", "diff", "@1", g_file, "--data", g_data));
}

static void diff_keys(void) {
    check_run(0, "ps-", RUN("key", "create", "--data", g_data, "--name", "one", "--models", "x, gp*"));
    check_run(0, "ps-", RUN("key", "create", "--data", g_data, "--name", "two", "--models", "other"));
    check_run(0, "ps-", RUN("key", "create", "--data", g_data, "--name", "three", "--tenant", "team"));
    check_run(0, "ps-", RUN("key", "create", "--data", g_data, "--name", "four", "--models", "fast"));
    check_run(0, "", RUN("key", "revoke", "four", "--data", g_data));
    struct ran ran = RUN("config", "diff", g_file, g_other, "--data", g_data);
    CHECK_INT(ran.code, 1);
    CHECK(has(ran.out, CHANGE "\nAPI keys touched:\n  key_0000000000001  ps-"));
    CHECK(has(ran.out, "…  one  (model gpt)\n") && has(ran.out, "…  three  (tenant team)\n"));
    CHECK(!has(ran.out, "two") && !has(ran.out, "four"));
    ran_free(&ran);
    ran = RUN("config", "diff", g_file, g_other, "--data", g_data, "--json");
    CHECK_INT(ran.code, 1);
    struct err err;
    CHECK(json_validate(str_trim(str_of(ran.out, ran.out_n)), 0, &err));
    CHECK(has(ran.out, "\"same\":false") && has(ran.out, "\"name\":\"three\"") &&
          has(ran.out, "\"because\":\"tenant team\""));
    ran_free(&ran);
}

static void diff_history(void) {
    fails(4, "nothing is known of a running configuration", RUN("config", "diff", "running", g_file, "--data", g_data));
    check_run(0, "log.level: warn → trace", RUN("config", "set", "log.level=trace", ON));
    // A reload would have the live change too.
    says(0, "", RUN("config", "diff", g_file, "--data", g_data));
    says(0, "", RUN("config", "diff", "@1", "running", "--data", g_data));
    check_run(0, "log.level: trace → debug", RUN("config", "set", "log.level=debug", ON));
    says(1, "~ log.level: trace → debug   live\n", RUN("config", "diff", "@1", "running", "--data", g_data));
    struct ran ran = RUN("config", "diff", g_other, "--data", g_data);
    CHECK_INT(ran.code, 1);
    CHECK(str_starts(str_c(ran.out), STR(CHANGE "\nAPI keys touched:")));
    ran_free(&ran);
    fails(4, "version 9", RUN("config", "diff", "@9", "running", "--data", g_data));
    // Between files live changes are no matter.
    says(0, "", RUN("config", "diff", g_file, g_file, "--data", g_data));
    ran = RUN("config", "trace", "log.level", ON);
    CHECK(has(ran.out, "  * live change"));
    ran_free(&ran);
}

TEST_MAIN(setup, show, show_streams, trace, diff_files, diff_keys, diff_history, teardown)
