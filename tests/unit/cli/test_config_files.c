// The commands that write configuration files: init, migrate and import, what they refuse, and what they keep.
#include "run.h"
#include "temp_dir.h"

#include "os/file.h"

static struct str content(struct str path, struct buf *out) {
    struct err err;
    buf_clear(out);
    CHECK(file_read_all(path, 1 << 20, out, &err));
    return buf_str(out);
}

static void write_file(struct str path, const char *text, unsigned mode) {
    struct err err;
    REQUIRE(file_replace(path, str_c(text), mode, &err));
}

static void init(void) {
    struct buf text = BUF_INIT(1 << 20);
    struct str path = temp_path("init.yaml");
    check_run(CLI_OK, "penstock config validate", RUN("config", "init", "--output", path.p));
    CHECK(str_find(content(path, &text), STR("kind: demo")) < text.n);
    check_run(CLI_REFUSED, "is there already", RUN("config", "init", "--output", path.p, "--template", "production"));
    CHECK(str_find(content(path, &text), STR("kind: demo")) < text.n);
    check_run(CLI_OK, "", RUN("config", "init", "--output", path.p, "--template", "production", "--force", "--quiet"));
    CHECK(str_find(content(path, &text), STR("/etc/penstock/tls")) < text.n);
    check_run(CLI_OK, "# yaml-language-server", RUN("config", "init", "--output", "-"));
    check_run(CLI_OK, "high-availability", RUN("config", "init", "--list"));
    check_run(CLI_OK, "{\"name\":\"kubernetes\"", RUN("config", "init", "--list", "--json"));
    check_run(CLI_NOT_FOUND, "no template \"nope\"", RUN("config", "init", "--template", "nope", "--output", path.p));
    check_run(CLI_NOT_FOUND, "cannot be written", RUN("config", "init", "--output", temp_path("absent/dir/x.yaml").p));
    buf_free(&text);
}

static const char old_text[] = "# Ours.\nserver:\n  workers: 2\n  public_metrics: false # no\n";
static const char new_text[] = "# Ours.\nversion: 2\nserver:\n  workers: 2\n\nmetrics:\n  public: false # no\n";

static void migrate(void) {
    struct buf text = BUF_INIT(1 << 20);
    struct file_info info;
    struct err err;
    struct str path = temp_path("old.yaml");
    write_file(path, old_text, 0600);
    check_run(CLI_OK, "+version: 2\n", RUN("config", "migrate", "--dry-run", path.p));
    CHECK_STR(content(path, &text), str_c(old_text));
    check_run(CLI_REFUSED, "--yes", RUN("config", "migrate", path.p));
    CHECK_STR(content(path, &text), str_c(old_text));
    check_run(CLI_OK, "-  public_metrics: false # no\n", RUN("config", "migrate", "--yes", path.p));
    CHECK_STR(content(path, &text), str_c(new_text));
    CHECK(file_stat(path, &info, &err) && info.mode == 0600);
    CHECK_STR(content(temp_path("old.yaml.bak-v1"), &text), str_c(old_text));
    CHECK(file_stat(temp_path("old.yaml.bak-v1"), &info, &err) && info.mode == 0600);
    check_run(CLI_OK, "\"state\":\"current\"", RUN("config", "migrate", "--json", path.p));
    // A second backup does not take the place of the first one.
    write_file(path, "server: {public_metrics: true}\n", 0644);
    check_run(CLI_OK, "old.yaml.bak-v1.2\"", RUN("config", "migrate", "--yes", "--json", path.p));
    CHECK_STR(content(temp_path("old.yaml.bak-v1"), &text), str_c(old_text));
    CHECK_STR(content(temp_path("old.yaml.bak-v1.2"), &text), STR("server: {public_metrics: true}\n"));
    buf_free(&text);
}

static void migrate_refused(void) {
    struct buf text = BUF_INIT(1 << 20);
    struct str path = temp_path("odd.yaml");
    write_file(path, "version: 9\n", 0644);
    check_run(CLI_CONFIG_INVALID, "newer Penstock (version 9", RUN("config", "migrate", "--yes", path.p));
    write_file(path, "server: {public_metrics: true}\nmetrics: {public: true}\n", 0644);
    check_run(CLI_CONFIG_INVALID, "both are given", RUN("config", "migrate", "--yes", path.p));
    CHECK_STR(content(path, &text), STR("server: {public_metrics: true}\nmetrics: {public: true}\n"));
    check_run(CLI_NOT_FOUND, "absent.yaml", RUN("config", "migrate", temp_path("absent.yaml").p));
    buf_free(&text);
}

static void import(void) {
    struct buf text = BUF_INIT(1 << 20);
    struct str from = temp_path("litellm.yaml"), to = temp_path("penstock.yaml");
    write_file(from, "model_list: [{model_name: a, litellm_params: {model: groq/b, api_key: os.environ/K}}]\n", 0644);
    check_run(CLI_OK, "api_key: ${env:K}\n", RUN("config", "import", "litellm", from.p));
    write_file(from, "model_list: [{model_name: a, litellm_params: {model: groq/b, api_key: canary}}]\n", 0644);
    struct ran ran = RUN("config", "import", "litellm", from.p);
    CHECK_INT(ran.code, CLI_PARTLY);
    CHECK(has(ran.out, "api_key: ${env:GROQ_API_KEY}\n") && has(ran.err, "set GROQ_API_KEY"));
    CHECK(!has(ran.out, "canary") && !has(ran.err, "canary"));
    ran_free(&ran);
    check_run(CLI_PARTLY, "not copied", RUN("config", "import", "litellm", from.p, "--output", to.p));
    CHECK(str_starts(content(to, &text), STR("# yaml-language-server: $schema=")));
    check_run(CLI_REFUSED, "is there already", RUN("config", "import", "litellm", from.p, "--output", to.p));
    ran = RUN("config", "import", "litellm", from.p, "--output", to.p, "--force", "--json");
    CHECK_INT(ran.code, CLI_PARTLY);
    CHECK(has(ran.out, "\"complete\":false") && has(ran.out, "\"fate\":\"secret\""));
    ran_free(&ran);
    write_file(from, "[", 0644);
    check_run(CLI_CONFIG_INVALID, "not valid YAML", RUN("config", "import", "portkey", from.p));
    check_run(CLI_NOT_FOUND, "cannot be read", RUN("config", "import", "portkey", temp_path("none.json").p));
    buf_free(&text);
}

TEST_MAIN(init, migrate, migrate_refused, import)
