// The effective configuration as text: every value, where it came from, and what it took the place of.
//
// Ownership: everything is appended to a buf of the caller's. Thread rule: pure. Secrets: literal ones are "***",
// references are shown as they were written. Errors: ERR_NOT_FOUND when the key or the tenant does not exist.
#ifndef CONF_SHOW_H
#define CONF_SHOW_H

#include "conf/conf.h"

enum conf_show_what {
    SHOW_SET,       // what any layer sets
    SHOW_EFFECTIVE, // every option, with defaults and what follows from others
    SHOW_DEFAULTS,  // what holds where nothing is set
    SHOW_CHANGED,   // what is set, and not to its default
};
struct conf_show {
    enum conf_show_what what;
    bool sources;      // YAML: a comment behind each value says where it came from
    struct str key;    // a conf_path: only this part; empty = all
    struct str tenant; // what holds for this tenant, with the level that says so; the key is then one of a tenant's
    struct str team, project, api_key; // one of them: what holds for that level of the tenant
};
// YAML that reads back to the same configuration, as far as secrets are references. (SHOW_EFFECTIVE states what is
// inherited: a general wait longer than a provider's own total is refused then.) For a tenant: its part, as under
// `tenants`, with what it inherits.
NODISCARD bool conf_show_yaml(const struct conf *c, const struct conf_show *how, struct buf *out, struct err *err);
// One object a line for each value: {"key","value","source":{"layer","name","line","column"},"overrides":[{"value",
// "layer","name","line","column"}],"default"}; for a tenant also "level": "tenant NAME", "team NAME", … or "general".
NODISCARD bool conf_show_json(const struct conf *c, const struct conf_show *how, struct buf *out, struct err *err);
// Every layer that set the value of a key, or took it away, from the default up; the one that won is marked with "*".
// For a key that has parts: each part that is set. Of `of` only the key and whose it is count; for a tenant's levels
// those that inherit are told, and what the levels below it make of the value.
NODISCARD bool conf_trace(const struct conf *c, const struct conf_show *of, struct buf *out, struct err *err);
// One object a line: {"key","steps":[{"value","layer","name","line","column","level","wins"}]}, the default first; for
// a tenant's levels also steps {"level","value","inherits":true,"wins":false}, and "below":[{"level","value","from",
// "layer","name","line","column"}] (no place where it inherits), of which 100 are told and "more" counts the others.
NODISCARD bool conf_trace_json(const struct conf *c, const struct conf_show *of, struct buf *out, struct err *err);

#endif
