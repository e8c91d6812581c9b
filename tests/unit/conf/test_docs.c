// docs/config.md is what the option tables say, and the tables themselves are sound.
//
// UPDATE_DOCS=1 writes the page anew.
#include "check.h"
#include "conf/conf.h"
#include "conf/opt_impl.h"
#include "os/file.h"

#define PAGE "docs/config.md"

static void page_is_current(void) {
    struct buf want = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);
    struct err err;
    conf_describe(&want);
    CHECK(!want.failed);
    if (getenv("UPDATE_DOCS")) REQUIRE(file_replace(STR(PAGE), buf_str(&want), 0644, &err));
    CHECK(file_read_all(STR(PAGE), 1 << 20, &got, &err));
    if (!str_eq(buf_str(&got), buf_str(&want))) fprintf(stderr, PAGE " is stale: run this test with UPDATE_DOCS=1\n");
    CHECK(str_eq(buf_str(&got), buf_str(&want)));
    buf_free(&want);
    buf_free(&got);
}

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

TEST_MAIN(page_is_current, tables_are_sound)
