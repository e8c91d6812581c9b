// What the files of the configuration share with one another, and with no other room.
#ifndef CONF_CONF_IMPL_H
#define CONF_CONF_IMPL_H

#include "conf/conf.h"

// All that a load collects before values are bound.
struct load {
    const struct conf_env *env;
    struct conf_problems *problems;
    struct conf *conf;          // trees and sources live in its tree_arena
    struct conf_node *included; // include files and conf.d, joined
    struct conf_node *tree;     // what is joined so far
    VEC(struct str) files;      // read, or looked for: to be watched
    VEC(struct buf) texts;      // of the files, for excerpts; wiped at the end
    VEC(struct conf_source *) sources;
    struct conf *below; // storage and vault, as the layers below the live changes say
    struct arena below_arena;
    struct conf_stores stores; // of `below`
};
bool load_fail(struct load *l, const struct conf_source *source, const char *what);
// Parses text that outlives the load; a source is made for it.
NODISCARD bool load_parse(struct load *l, struct str text, struct str name, enum conf_layer layer,
                          struct conf_node **out_node);
// The layers in their order, each joined into l->tree. False when one of them can't be used; all are tried.
bool layer_files(struct load *l, struct str text, struct str name);
bool layer_environment(struct load *l);
bool layer_profile(struct load *l);
bool layer_overrides(struct load *l);
bool layer_live(struct load *l);
extern const struct opt_table conf_stores_table; // the sections that say where secrets and live changes are

// The YAML of a `providers` list with what env knows of: keys in the environment, servers found; else `demo`.
void conf_discover(const struct conf_env *env, struct buf *out);
// All rules between values; fills the derived fields and maps. Problems go to b->problems.
void conf_check(struct opt_bind *b, struct conf *c);
// A cloud's credentials; of Amazon's the region and address, too; from the environment where they are not given.
void conf_check_credentials(struct opt_bind *b, struct conf_provider *p, size_t i);
void conf_check_bedrock(struct opt_bind *b, struct conf_provider *p, size_t i);
void conf_check_azure(struct opt_bind *b, struct conf_provider *p, size_t i);
// What the environment says: empty when it says nothing, or (of a text) what is no single word.
struct str conf_variable(const struct opt_bind *b, const char *name);
void conf_variable_text(struct opt_bind *b, const char *name, struct str *out);
void conf_variable_secret(struct opt_bind *b, const struct conf_provider *p, size_t i, const char *name,
                          struct secret *out);
void conf_check_vertex(struct opt_bind *b, struct conf_provider *p, size_t i);
void conf_check_waits(struct opt_bind *b, struct conf *c);
void conf_check_services(struct opt_bind *b, const struct conf *c);
void conf_check_tenants(struct opt_bind *b, struct conf *c);
// Models and aliases of one level: a tenant's, or the general ones.
struct conf_level {
    const struct conf_tenant *tenant; // NULL = general
    const char *where;                // "", or "tenants[3]."
    struct conf_model *models;
    struct opt_pair *aliases;
    size_t n_models, n_aliases;
    struct map *model_map, *alias_map;
};
// Fills the level's maps; names that are taken are problems.
void conf_index_level(struct opt_bind *b, const struct conf_level *level);
void conf_check_prices(struct opt_bind *b, const struct conf_named_price *list, size_t n, const char *where);
// Targets and aliases lead somewhere; the maps of all levels above are filled.
void conf_check_level(struct opt_bind *b, struct conf *c, const struct conf_level *level);
// Of the models that can be seen from the level the one nearest to a name, to be suggested; empty: none is near.
struct str conf_nearest_model(const struct opt_bind *b, const struct conf *c, const struct conf_tenant *tenant,
                              struct str name);
// How a level's models are routed; what they leave unset is filled in. Their targets were checked.
void conf_check_routing(struct opt_bind *b, struct conf *c, const struct conf_level *level);
// A model's chain: its steps' names and models, and what their templates speak of.
void conf_check_chain(struct opt_bind *b, struct conf *c, const struct conf_level *level, size_t model);
void conf_check_general_routing(struct opt_bind *b, const struct conf *c);
void conf_check_privacy(struct conf_provider *p);
// A list of kinds of personal data, of the level at `where`: "none" stands alone.
void conf_check_private_when(struct opt_bind *b, const char *where, const struct str *names, size_t n,
                             const void *field);
// False: out of memory, which was said.
bool conf_index_put(struct opt_bind *b, struct map *map, struct str key, void *value);
#define CONF_SUGGEST_MAX 512 // names compared for a suggestion
// None is looked for after so many problems: a file this wrong needs no more of them.
bool conf_may_suggest(const struct opt_bind *b);
unsigned conf_line_of(struct opt_bind *b, const void *field); // 0 = nowhere

// What a name is at the nearest level that has it: an alias, a model or neither.
struct conf_named {
    const struct opt_pair *alias;
    const struct conf_model *model;
};
void conf_name_find(const struct conf *c, const struct conf_tenant *tenant, struct str name,
                    struct conf_named *out_named);
// Where a value stands: its own node, else the second's.
PRINTF_LIKE(5, 6)
void conf_complain(struct opt_bind *b, enum conf_severity severity, const void *field, const void *fallback,
                   const char *fmt, ...);

#endif
