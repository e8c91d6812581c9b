// Writes the JSON Schema (2020-12) of an option table, for editors, forms and other people's checks.
//
// The schema never refuses what the program takes, with one exception: text that YAML reads as a boolean must be
// quoted. It can't refuse all that the program refuses: the form of names and addresses, the range of values written
// with a unit and what concerns several values are beyond it.
#include "base/json_write.h"
#include "conf/opt_impl.h"
#include "conf/opt_text.h"

#define TEXT_MAX ((size_t)4 * 1024 * 1024)
#define TABLES_MAX 128
#define NAME_MAX_BYTES 128

struct named_table { // what becomes an entry of $defs
    const struct opt_table *table;
    char name[NAME_MAX_BYTES]; // where it stands first: "listeners.tls"
    bool strict;               // something in it, or below, is required: a part of it needs an entry of its own
};

struct schema {
    struct json_writer w;
    const struct opt_table *root;
    struct named_table tables[TABLES_MAX];
    size_t n;
    bool part; // of a profile: nothing is required, and what is about files is left out
};

static struct named_table *table_find(struct schema *s, const struct opt_table *table) {
    for (size_t i = 0; i < s->n; i++) {
        if (s->tables[i].table == table) return &s->tables[i];
    }
    return NULL;
}

static bool tables_collect(struct schema *s, const struct opt_table *table, const char *path) {
    bool strict = false;
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        if (opt->flags & OPT_REQUIRED) strict = true;
        if (!opt->sub) continue;
        struct named_table *known = table_find(s, opt->sub);
        if (!known) {
            INVARIANT(s->n < TABLES_MAX);
            known = &s->tables[s->n++];
            known->table = opt->sub;
            snprintf(known->name, sizeof known->name, "%s%s%s", path, *path ? "." : "", opt->name);
            known->strict = tables_collect(s, opt->sub, known->name);
        }
        if (known->strict) strict = true;
    }
    return strict;
}

static void put_number(struct schema *s, const char *key, const struct opt *opt, int64_t value) {
    struct buf text = BUF_INIT(64);
    if (opt->type == OPT_DECIMAL)
        opt_number_put(&text, opt->type, value);
    else
        buf_put_i64(&text, value);
    json_put_member_raw(&s->w, str_c(key), buf_str(&text));
    buf_free(&text);
}

static void put_bounds(struct schema *s, const struct opt *opt) {
    put_number(s, "minimum", opt, opt->min);
    if (opt->max && opt->max != INT64_MAX) put_number(s, "maximum", opt, opt->max);
}

static void put_type(struct schema *s, const char *type) { json_put_member_str(&s->w, STR("type"), str_c(type)); }

static void put_pattern(struct schema *s, const char *pattern) {
    json_put_object(&s->w);
    put_type(s, "string");
    json_put_member_str(&s->w, STR("pattern"), str_c(pattern));
    json_put_object_end(&s->w);
}

static bool looks_like_number(const char *text) {
    int64_t v;
    return opt_number_parse(OPT_DECIMAL, str_c(text), &v);
}

// A name that reads as a number may stand without quotes.
static void put_enum(struct schema *s, const struct opt *opt) {
    bool described = false;
    json_put_member_array(&s->w, STR("enum"));
    for (const struct opt_enum *e = opt->values; e->name; e++) {
        json_put_str(&s->w, str_c(e->name));
        if (e->help) described = true;
    }
    for (const struct opt_enum *e = opt->values; e->name; e++) {
        if (looks_like_number(e->name)) json_put_raw(&s->w, str_c(e->name));
    }
    json_put_array_end(&s->w);
    if (!described) return;
    json_put_member_array(&s->w, STR("enumDescriptions"));
    for (const struct opt_enum *e = opt->values; e->name; e++) json_put_str(&s->w, str_c(e->help));
    json_put_array_end(&s->w);
}

static void put_text_type(struct schema *s, const struct opt *opt, bool item) {
    json_put_member_array(&s->w, STR("type"));
    json_put_str(&s->w, STR("string"));
    json_put_str(&s->w, STR("number"));
    json_put_array_end(&s->w);
    if (item) return;
    if (opt->min > 0) json_put_member_i64(&s->w, STR("minLength"), 1);
    if (opt->max > 0) json_put_member_i64(&s->w, STR("maxLength"), opt->max);
}

// The alternatives for a value that is no reference.
static void put_value_types(struct schema *s, const struct opt *opt) {
    if (opt->type == OPT_SIZE) put_pattern(s, "^[0-9]+(\\.[0-9]+)?[ \\t]*(B|kB|KB|KiB|MB|MiB|GB|GiB)?$");
    if (opt->type == OPT_DURATION) {
        json_put_object(&s->w);
        put_type(s, "string");
        json_put_member_i64(&s->w, STR("minLength"), 2);
        json_put_member_str(&s->w, STR("pattern"),
                            STR("^([0-9]+(\\.[0-9]+)? *d *)?([0-9]+(\\.[0-9]+)? *h *)?([0-9]+(\\.[0-9]+)? *m *)?"
                                "([0-9]+(\\.[0-9]{1,3}0*)? *s *)?([0-9]+(\\.0+)? *ms)?$"));
        json_put_object_end(&s->w);
        if (opt->min > 0) return;
    }
    json_put_object(&s->w);
    if (opt->type == OPT_BOOL) put_type(s, "boolean");
    if (opt->type == OPT_INT || opt->type == OPT_SIZE) put_type(s, "integer");
    if (opt->type == OPT_DECIMAL) put_type(s, "number");
    if (opt->type == OPT_INT || opt->type == OPT_SIZE || opt->type == OPT_DECIMAL) put_bounds(s, opt);
    if (opt->type == OPT_DURATION) json_put_member_raw(&s->w, STR("enum"), STR("[0,\"0\"]"));
    if (opt->type == OPT_ENUM) put_enum(s, opt);
    if (opt->type == OPT_STR || opt->type == OPT_SECRET) put_text_type(s, opt, false);
    json_put_object_end(&s->w);
}

static void put_ref(struct schema *s, const char *name, bool part) {
    char ref[NAME_MAX_BYTES + 32];
    snprintf(ref, sizeof ref, "#/$defs/%s%s", part ? "profile." : "", name);
    json_put_member_str(&s->w, STR("$ref"), str_c(ref));
}

static void put_table_ref(struct schema *s, const struct opt_table *table) {
    const struct named_table *t = table_find(s, table);
    put_ref(s, t->name, s->part && t->strict);
}

static void put_null(struct schema *s) {
    json_put_object(&s->w);
    put_type(s, "null");
    json_put_object_end(&s->w);
}

static void put_scalar(struct schema *s, const struct opt *opt, bool may_be_null) {
    json_put_member_array(&s->w, STR("anyOf"));
    put_value_types(s, opt);
    json_put_object(&s->w);
    put_ref(s, "reference", false);
    json_put_object_end(&s->w);
    if (may_be_null) put_null(s);
    json_put_array_end(&s->w);
}

static void put_container_type(struct schema *s, const char *type, bool may_be_null) {
    json_put_member_array(&s->w, STR("type"));
    json_put_str(&s->w, str_c(type));
    if (may_be_null) json_put_str(&s->w, STR("null"));
    json_put_array_end(&s->w);
}

static void put_entries(struct schema *s, const char *least, const char *most, const struct opt *opt) {
    if (opt->min > 0) json_put_member_i64(&s->w, str_c(least), opt->min);
    if (opt->max > 0) json_put_member_i64(&s->w, str_c(most), opt->max);
}

static void put_list(struct schema *s, const struct opt *opt, bool may_be_null) {
    put_container_type(s, "array", may_be_null);
    put_entries(s, "minItems", "maxItems", opt);
    json_put_member_object(&s->w, STR("items"));
    if (opt->type == OPT_LIST) {
        put_table_ref(s, opt->sub);
        put_type(s, "object");
    } else {
        put_text_type(s, opt, true);
    }
    json_put_object_end(&s->w);
}

static void put_map(struct schema *s, const struct opt *opt, bool may_be_null) {
    put_container_type(s, "object", may_be_null);
    put_entries(s, "minProperties", "maxProperties", opt);
    json_put_member_object(&s->w, STR("additionalProperties"));
    if (opt->type == OPT_STRUCT_MAP) put_table_ref(s, opt->sub);
    if (opt->type == OPT_PROFILES) put_ref(s, "profile", false);
    if (opt->type == OPT_MAP) {
        json_put_member_array(&s->w, STR("type"));
        json_put_str(&s->w, STR("string"));
        json_put_str(&s->w, STR("number"));
        json_put_str(&s->w, STR("null"));
        json_put_array_end(&s->w);
    }
    json_put_object_end(&s->w);
}

static void put_shape(struct schema *s, const struct opt *opt) {
    bool may_be_null = s->part || !(opt->flags & OPT_REQUIRED);
    switch (opt->type) {
    case OPT_BOOL:
    case OPT_INT:
    case OPT_SIZE:
    case OPT_DURATION:
    case OPT_DECIMAL:
    case OPT_STR:
    case OPT_SECRET:
    case OPT_ENUM:
        put_scalar(s, opt, may_be_null);
        break;
    case OPT_STRUCT:
        put_table_ref(s, opt->sub);
        break;
    case OPT_LIST:
    case OPT_STRS:
        put_list(s, opt, may_be_null);
        break;
    case OPT_MAP:
    case OPT_STRUCT_MAP:
    case OPT_PROFILES:
        put_map(s, opt, may_be_null);
        break;
    }
}

// Where editors show Markdown: the help, and in a line below what the keywords can't say.
static void put_markdown(struct schema *s, const struct opt *opt) {
    struct buf text = BUF_INIT(8192), note = BUF_INIT(4096);
    opt_note_put(&note, opt);
    buf_put(&text, str_c(opt->help));
    if (note.n) buf_printf(&text, "\n\n%.*s", STR_ARG(buf_str(&note)));
    if (text.failed || note.failed) s->w.out->failed = true;
    json_put_member_str(&s->w, STR("markdownDescription"), buf_str(&text));
    buf_free(&note);
    buf_free(&text);
}

static void put_default(struct schema *s, const struct opt *opt) {
    bool raw = opt->type == OPT_BOOL || opt->type == OPT_INT || opt->type == OPT_DECIMAL;
    struct str def = opt->def ? str_c(opt->def) : opt->type == OPT_BOOL ? STR("false") : STR_NONE;
    if (!def.n) return;
    json_put_key(&s->w, STR("default"));
    if (raw)
        json_put_raw(&s->w, def);
    else
        json_put_str(&s->w, def);
}

static void put_example(struct schema *s, const struct opt *opt) {
    if (!opt->example) return;
    struct buf json = BUF_INIT(65536);
    if (opt_example_json(opt, &json)) {
        json_put_member_array(&s->w, STR("examples"));
        json_put_raw(&s->w, buf_str(&json));
        json_put_array_end(&s->w);
    }
    if (json.failed) s->w.out->failed = true;
    buf_free(&json);
}

// What a form needs to know besides.
static void put_extras(struct schema *s, const struct opt *opt) {
    if (opt->deprecated) {
        char message[512];
        snprintf(message, sizeof message, "Use %s.", opt->deprecated);
        json_put_member_bool(&s->w, STR("deprecated"), true);
        json_put_member_str(&s->w, STR("deprecationMessage"), str_c(message));
    }
    if (opt->type == OPT_SIZE || opt->type == OPT_DURATION) {
        struct buf text = BUF_INIT(64);
        json_put_member_str(&s->w, STR("x-type"), opt->type == OPT_SIZE ? STR("size") : STR("duration"));
        opt_number_put(&text, opt->type, opt->min);
        json_put_member_str(&s->w, STR("x-minimum"), buf_str(&text));
        buf_clear(&text);
        opt_number_put(&text, opt->type, opt->max);
        if (opt->max && opt->max != INT64_MAX) json_put_member_str(&s->w, STR("x-maximum"), buf_str(&text));
        buf_free(&text);
    }
    if (opt_is_secret(opt)) json_put_member_bool(&s->w, STR("x-secret"), true);
    if (opt->flags & OPT_NAMED) json_put_member_bool(&s->w, STR("x-named"), true);
    if (opt->type != OPT_STRUCT) json_put_member_str(&s->w, STR("x-reload"), str_c(opt_apply_name(opt)));
    json_put_member_str(&s->w, STR("x-since"), str_c(opt_since(opt)));
}

static void put_option(struct schema *s, const struct opt *opt) {
    json_put_member_object(&s->w, str_c(opt->name));
    json_put_member_str(&s->w, STR("title"), str_c(opt->name));
    json_put_member_str(&s->w, STR("description"), str_c(opt->help));
    put_markdown(s, opt);
    put_default(s, opt);
    put_example(s, opt);
    put_shape(s, opt);
    put_extras(s, opt);
    json_put_object_end(&s->w);
}

static void put_required(struct schema *s, const struct opt_table *table) {
    bool any = false;
    for (size_t i = 0; i < table->n && !s->part; i++) {
        if (!(table->opts[i].flags & OPT_REQUIRED)) continue;
        if (!any) json_put_member_array(&s->w, STR("required"));
        any = true;
        json_put_str(&s->w, str_c(table->opts[i].name));
    }
    if (any) json_put_array_end(&s->w);
}

static void put_table(struct schema *s, const struct opt_table *table) {
    put_container_type(s, "object", true);
    json_put_member_object(&s->w, STR("properties"));
    for (size_t i = 0; i < table->n; i++) {
        if (!s->part || table != s->root || !opt_is_about_files(&table->opts[i])) put_option(s, &table->opts[i]);
    }
    json_put_object_end(&s->w);
    put_required(s, table);
    json_put_member_bool(&s->w, STR("additionalProperties"), false);
}

static void put_definition(struct schema *s, const char *name, const struct opt_table *table) {
    char key[NAME_MAX_BYTES + 32];
    snprintf(key, sizeof key, "%s%s", s->part ? "profile." : "", name);
    json_put_member_object(&s->w, str_c(key));
    json_put_member_str(&s->w, STR("title"), str_c(table->title));
    put_table(s, table);
    json_put_object_end(&s->w);
}

static void put_definitions(struct schema *s) {
    json_put_member_object(&s->w, STR("$defs"));
    json_put_member_object(&s->w, STR("reference"));
    json_put_member_str(&s->w, STR("title"), STR("a reference"));
    json_put_member_str(&s->w, STR("description"),
                        STR("Text with an environment variable, a file's content, a sealed secret or a Vault secret in "
                            "it."));
    put_type(s, "string");
    json_put_member_str(&s->w, STR("pattern"), STR("(^|[^$])\\$\\{(env|file|secret|vault):[^}]+\\}"));
    json_put_object_end(&s->w);
    for (size_t i = 0; i < s->n; i++) put_definition(s, s->tables[i].name, s->tables[i].table);
    s->part = true;
    json_put_member_object(&s->w, STR("profile"));
    json_put_member_str(&s->w, STR("title"), STR("what a profile changes"));
    put_table(s, s->root);
    json_put_object_end(&s->w);
    for (size_t i = 0; i < s->n; i++) {
        if (s->tables[i].strict) put_definition(s, s->tables[i].name, s->tables[i].table);
    }
    s->part = false;
    json_put_object_end(&s->w);
}

void opt_schema(const struct opt_table *table, const char *title, const char *description, struct buf *out) {
    struct buf compact = BUF_INIT(TEXT_MAX);
    struct schema s = {.root = table};
    tables_collect(&s, table, "");
    json_writer_init(&s.w, &compact);
    json_put_object(&s.w);
    json_put_member_str(&s.w, STR("$schema"), STR("https://json-schema.org/draft/2020-12/schema"));
    json_put_member_str(&s.w, STR("title"), str_c(title));
    json_put_member_str(&s.w, STR("description"), str_c(description));
    put_table(&s, table);
    put_definitions(&s);
    json_put_object_end(&s.w);
    json_writer_done(&s.w);
    if (compact.failed) out->failed = true;
    json_indent(buf_str(&compact), out);
    buf_free(&compact);
}
