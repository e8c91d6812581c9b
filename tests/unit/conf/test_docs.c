// docs/config.md and docs/penstock.schema.json are what the option tables say, and the tables themselves are sound.
//
// UPDATE_DOCS=1 writes them anew. docs/config-env.md is the command line's: tests/unit/cli/test_config_docs.c.
#include "check.h"
#include "conf/conf.h"
#include "conf/opt_impl.h"
#include "os/file.h"

static void page_is_current(struct str path, void (*write)(struct buf *out)) {
    struct buf want = BUF_INIT(1 << 22), got = BUF_INIT(1 << 22);
    struct err err;
    write(&want);
    CHECK(!want.failed);
    if (getenv("UPDATE_DOCS")) REQUIRE(file_replace(path, buf_str(&want), 0644, &err));
    CHECK(file_read_all(path, 1 << 22, &got, &err));
    bool same = str_eq(buf_str(&got), buf_str(&want));
    if (!same) fprintf(stderr, "%.*s is stale: run this test with UPDATE_DOCS=1\n", STR_ARG(path));
    CHECK(same);
    buf_free(&want);
    buf_free(&got);
}

static void reference_is_current(void) { page_is_current(STR("docs/config.md"), conf_describe); }
static void schema_is_current(void) { page_is_current(STR("docs/penstock.schema.json"), conf_schema); }

static bool enum_has(const struct opt *opt) {
    for (const struct opt_enum *e = opt->values; e->name; e++) {
        if (strcmp(e->name, opt->def) == 0) return true;
    }
    return false;
}

static void opt_check(const struct opt_table *table, const struct opt *opt) {
    int64_t v = 0;
    bool number =
        opt->type == OPT_INT || opt->type == OPT_SIZE || opt->type == OPT_DURATION || opt->type == OPT_DECIMAL;
    bool nested = opt->type == OPT_STRUCT || opt->type == OPT_LIST || opt->type == OPT_STRUCT_MAP;
    if (opt->offset >= table->size || !opt->help) fprintf(stderr, "%s.%s\n", table->title, opt->name);
    CHECK(opt->offset < table->size);
    CHECK(opt->help && *opt->help && opt->help[strlen(opt->help) - 1] == '.');
    CHECK(nested == (opt->sub != NULL));
    CHECK((opt->type == OPT_ENUM) == (opt->values != NULL));
    if (number && !(opt->flags & OPT_MAYBE)) CHECK(opt->def && opt_number_parse(opt->type, str_c(opt->def), &v));
    if (number && opt->def) CHECK(v >= opt->min && v <= opt->max);
    if (opt->type == OPT_ENUM) CHECK(opt->def && enum_has(opt));
    if (opt->type == OPT_STR && opt->def && opt->check) CHECK(!opt->check(str_c(opt->def)));
}

static void table_check(const struct opt_table *table) {
    for (size_t i = 0; i < table->n; i++) {
        opt_check(table, &table->opts[i]);
        for (size_t k = 0; k < i; k++) CHECK(strcmp(table->opts[i].name, table->opts[k].name) != 0);
        if (table->opts[i].sub) table_check(table->opts[i].sub);
    }
}

static void tables_are_sound(void) { table_check(&conf_table); }

TEST_MAIN(reference_is_current, schema_is_current, tables_are_sound)
