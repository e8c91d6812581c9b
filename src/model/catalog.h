// The catalogue of models: what each can do, how much it takes and gives, what it costs.
//
// There is a built-in one, models.json, embedded in the binary; a file in the same form, or in that of LiteLLM's list
// of prices, goes over it: entries of the same name are replaced, others stay. Such a file is
//
//   {"penstock_models": 1,
//    "sources": {"openai": {"as_of": "2026-11-21", "from": "where the figures are from"}},
//    "models": {"openai/gpt-4o": {"mode": "chat", "context_window": 128000, "max_output_tokens": 16384,
//      "capabilities": ["vision", "tools"], "cannot": ["audio_input"], "price": {"input": 2.5, "output": 10},
//      "deprecated": "2027-01-31"}}}
//
// where null stands for what is not known, and prices are in dollars a million tokens, named as in the configuration's
// `price`. A name is a provider's kind, or the word for one that Penstock has no kind of, and what that provider calls
// the model.
//
// Ownership: reference-counted; entries and their text live as long as the catalogue. Thread rule: read-only once made.
// Errors: ERR_INVALID_JSON and ERR_INVALID_FIELD name the model, and the place in the text.
#ifndef MODEL_CATALOG_H
#define MODEL_CATALOG_H

#include "model/price.h"

#define CATALOG_TEXT_MAX ((size_t)32 << 20) // of a file
#define CATALOG_MODELS_MAX 50000
#define CATALOG_NAME_MAX 256
#define CATALOG_TOKENS_MAX UINT64_C(1000000000)

enum model_mode {
#define MODE(id, name) MODEL_##id,
#include "model/mode.def"
#undef MODE
    MODEL_MODE_COUNT
};
enum model_can {
#define CAPABILITY(id, name, help) MODEL_CAN_BIT_##id,
#include "conf/capability.def"
#undef CAPABILITY
    MODEL_CAN_COUNT
};
enum model_can_set {
#define CAPABILITY(id, name, help) MODEL_CAN_##id = 1 << MODEL_CAN_BIT_##id,
#include "conf/capability.def"
#undef CAPABILITY
};
struct model_entry {
    struct str name; // "openai/gpt-4o"; empty: nothing is known
    enum model_mode mode;
    unsigned can;            // MODEL_CAN_…
    unsigned cannot;         // likewise; of what is in neither nobody knows
    uint64_t context_window; // tokens of input; 0 = not known
    uint64_t max_output;     // likewise
    struct price price;
    struct str deprecated; // the day from which it is no longer served, "2027-01-31", or empty
    struct str as_of;      // the day that its figures are of, or empty
    struct str from;       // where they are from, or empty
};

struct model_catalog;
NODISCARD bool model_catalog_builtin(struct model_catalog **out_catalog, struct err *err);
// What the text says, over `under` (of which a reference is taken; NULL: over nothing). All of it is checked first.
// source: where it is from, for people.
NODISCARD bool model_catalog_read(struct str text, struct str source, struct model_catalog *under,
                                  struct model_catalog **out_catalog, struct err *err);
struct model_catalog *model_catalog_ref(struct model_catalog *catalog);
void model_catalog_unref(struct model_catalog *catalog); // NULL is fine

// All entries, by name.
size_t model_catalog_count(const struct model_catalog *catalog);
const struct model_entry *model_catalog_at(const struct model_catalog *catalog, size_t i);
// How many of them the last text brought, and where it is from: "built in", a file, an address.
size_t model_catalog_own(const struct model_catalog *catalog);
struct str model_catalog_source(const struct model_catalog *catalog);

// What a provider's kind ("openai") has under that name; NULL when nothing is known. When the exact name is not there,
// what names a version is dropped from its end ("gpt-4o-2024-08-06", "-20250514", "-latest", "-preview-05-06"); of a
// fine-tuned model's name ("ft:gpt-4o-mini:org::id") what follows its base; of Bedrock's the region. Kinds that resell
// (openrouter, azure, vertex, bedrock, …) fall back on the maker's entry.
const struct model_entry *model_catalog_find(const struct model_catalog *catalog, struct str kind, struct str model);
// The same of "openai/gpt-4o".
const struct model_entry *model_catalog_get(const struct model_catalog *catalog, struct str name);

struct str model_mode_name(enum model_mode mode);
// False: no such word.
NODISCARD bool model_can_parse(struct str name, unsigned *out_bit);

// Members of an open object, as in a file, but null where something is not known; besides them `modalities`.
struct json_writer;
void model_entry_put(struct json_writer *w, const struct model_entry *entry);
// Of them only what it takes and can; known: whether that is known.
void model_entry_put_abilities(struct json_writer *w, const struct model_entry *entry, bool known);
// The whole as a file of that form.
void model_catalog_put(const struct model_catalog *catalog, struct buf *out);

#endif
