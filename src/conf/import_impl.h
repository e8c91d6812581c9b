// What the importers share: a draft of the configuration to be written, notes, and readings of foreign values.
#ifndef CONF_IMPORT_IMPL_H
#define CONF_IMPORT_IMPL_H

#include "conf/conf.h"
#include "conf/import.h"

#define IMPORT_PRIORITY_MAX 1000

// All text in a draft is as it goes into the file: references stand for themselves, other "${" are escaped.
struct draft_provider {
    struct str name, kind, base_url, api_key;
    VEC(struct opt_pair) headers;
    int64_t total; // milliseconds; 0 = not given
    bool known;    // what applications called it by is its name: "openai/gpt-5" finds it
};
struct draft_target {
    size_t provider;
    struct str model;
    int64_t weight, priority;
    int64_t requests, tokens, input_tokens, output_tokens, concurrency; // its limits; 0 = none
};
struct draft_model {
    struct str name;
    VEC(struct draft_target) targets;
};
struct draft_fallback { // for prompts that are too long, or what a policy refuses
    size_t model;
    bool policy;
    struct str to;
};
struct draft_price {
    struct str name, input, output, cached_input, cache_write; // dollars a million tokens; empty = not given
};
struct draft_secret { // a literal one and the variable that takes its place
    struct str literal, variable;
};

struct importer {
    const struct conf_env *env;
    struct conf_problems *problems;
    struct import_result *result;
    struct arena *arena; // the result's
    VEC(struct draft_provider) providers;
    VEC(struct draft_model) models;
    VEC(struct opt_pair) aliases;
    VEC(struct draft_price) prices;
    VEC(struct draft_secret) secrets;
    VEC(struct draft_fallback) fallbacks;
    struct str strategy;                       // of models with several targets; empty = the usual one
    int64_t retries, failures, open, max_open; // routing's, times in milliseconds; 0 = not given
    struct str heading;                        // a comment
    int64_t total;                             // timeouts.total in milliseconds; 0 = not given
    int64_t max_body, max_response;            // MiB; 0 = not given
    bool debug, json_logs;
    bool passthrough;
    struct conf_node *tree; // what was read, to be wiped
    bool failed;            // out of memory
};

PRINTF_LIKE(6, 7)
void import_note(struct importer *im, enum import_fate fate, const struct conf_node *node, struct str path,
                 const char *instead, const char *fmt, ...);
// "path.key", "path[3]".
struct str import_path(struct importer *im, struct str path, const char *key);
struct str import_path_index(struct importer *im, struct str path, size_t index);
// NUL-terminated behind its end, as what the two above give.
PRINTF_LIKE(2, 3) struct str import_text(struct importer *im, const char *fmt, ...);

// The service behind a foreign name. False when Penstock has no kind for it: *out_instead says what to do.
struct import_kind {
    struct str kind, name, base_url, variable;
};
NODISCARD bool import_kind_find(struct str foreign, struct import_kind *out_kind, const char **out_instead);

// Scalars; false, with a note when there is something else than nothing.
NODISCARD bool import_str(struct importer *im, const struct conf_node *map, const char *key, struct str path,
                          struct str *out_text);
// Seconds or milliseconds (unit: how many milliseconds one is), with decimals.
NODISCARD bool import_duration(struct importer *im, const struct conf_node *map, const char *key, struct str path,
                               int64_t unit, int64_t *out_ms);
// A number of at least 0, as it stands in `node`.
NODISCARD bool import_number(const struct conf_node *node, double *out_value);
bool import_is_false(const struct conf_node *node); // `false`, null, nothing
// Dollars a token as dollars a million tokens: "3e-06" is "3". False when it is no amount.
NODISCARD bool import_price(struct importer *im, struct str per_token, struct str *out_per_million);
// "os.environ/NAME" becomes a reference, other text stays, escaped.
struct str import_value(struct importer *im, struct str text);
// A secret: a reference stays one; a literal is replaced by ${env:variable}, with a note.
struct str import_secret(struct importer *im, const struct conf_node *node, struct str path, struct str variable);

// Literal secrets get no name that something else goes by: those that references in a tree name, and single ones.
void import_reserve_tree(struct importer *im, const struct conf_node *root);
void import_reserve(struct importer *im, struct str variable);

// A provider like this one, which is added when there is none yet; its name may get a number.
size_t import_provider(struct importer *im, struct draft_provider *provider);
// base_url checked and made whole for the kind (a local server's /v1); false, with a note, when it can't be used.
NODISCARD bool import_base_url(struct importer *im, const struct conf_node *node, struct str path, struct str kind,
                               struct str text, struct str *out_url);
// A name for a provider at an address of its own: "llm" of "https://llm.example.com/v1".
struct str import_name_of_url(struct importer *im, struct str url, struct str fallback);
struct draft_model *import_model(struct importer *im, struct str name); // found, or added; NULL without memory
struct draft_model *import_model_find(struct importer *im, struct str name);
void import_target(struct importer *im, struct draft_model *model, struct draft_target target);
// Weights of any unit become whole numbers as small as can be, of the same ratio; a target alone in its tier needs
// none.
void import_weights_reduce(struct draft_model *model);

// Keys of a foreign section that have no counterpart.
struct import_lack {
    const char *key, *why, *instead;
};
// Notes for all keys of a map that are not in `done` (spaces between) and are not false, null or empty.
void import_rest(struct importer *im, const struct conf_node *map, struct str path, const char *done,
                 const struct import_lack *lacks, size_t n);
bool import_word_in(const char *words, struct str word);

NODISCARD bool import_read(struct importer *im, struct str text, struct str name, struct conf_node **out_root);
void import_litellm(struct importer *im, struct conf_node *root, struct str name);
void import_portkey(struct importer *im, const struct conf_node *root);
void import_write(struct importer *im, struct buf *out);

// router_settings' strategy; true where it is by chance and weight.
bool import_strategy(struct importer *im, const struct conf_node *router);
// What router_settings and litellm_settings say of retries, cooldowns and fallbacks by kind, once models are known.
void import_routing(struct importer *im, const struct conf_node *router, const struct conf_node *library);

#endif
