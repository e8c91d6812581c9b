// The list of configuration templates; their texts are made into arrays by cmake/embed.cmake.
#include "conf/template.h"

#define TEMPLATE(id, name, summary) extern const char embedded_##id[];
#include "conf/template.def"
#undef TEMPLATE
#define TEMPLATE(id, name, summary) extern const size_t embedded_##id##_size;
#include "conf/template.def"
#undef TEMPLATE

static const struct {
    struct str name, summary;
    const char *text;
    const size_t *size;
} rows[] = {
#define TEMPLATE(id, name, summary) {STR_INIT(name), STR_INIT(summary), embedded_##id, &embedded_##id##_size},
#include "conf/template.def"
#undef TEMPLATE
};

size_t conf_template_count(void) { return ARRAY_LEN(rows); }

struct conf_template conf_template_at(size_t i) {
    return (struct conf_template){rows[i].name, rows[i].summary, str_of(rows[i].text, *rows[i].size)};
}

bool conf_template_find(struct str name, struct conf_template *out_template) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!str_eq(rows[i].name, name)) continue;
        *out_template = conf_template_at(i);
        return true;
    }
    return false;
}
