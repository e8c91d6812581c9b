// The interactive builder of configurations: what was answered so far, asking, trying, writing it down.
//
// Ownership: text lives in the builder's arena, secrets typed in its own copies, wiped at the end; nothing is written
// before the last question is answered. Thread rule: the main thread. Errors: functions that ask return false when it
// is all over (Ctrl-C, or the terminal has gone), and then `code` says how the command ends.
#ifndef CLI_BUILDER_H
#define CLI_BUILDER_H

#include "admin/check.h"
#include "base/vec.h"
#include "cli/cli.h"
#include "store/config_env.h"

#define BUILDER_TEXT_MAX ((size_t)1 << 20)

struct built_provider {
    enum provider_kind kind;
    struct str name;
    struct str base_url; // empty = the kind's own
    struct str key;      // "${env:OPENAI_API_KEY}"; empty = none
};
struct built_listener {
    struct str address, cert, key;
};
// To be sealed when the file is written.
struct built_secret {
    struct str name;
    struct secret value;
};

struct builder {
    const struct cli_args *args;
    struct arena arena;
    int code; // once something has returned false
    VEC(struct built_provider) providers;
    VEC(struct built_listener) listeners;
    VEC(struct built_secret) secrets;
    struct str data, durability, log_level, log_file;
    bool keys_required;
    // For trying.
    struct config_env stores;
    struct conf_env system;
};

// --- builder_ask.c ---

PRINTF_LIKE(2, 3) void build_say(struct builder *b, const char *fmt, ...);
// "  Name [openai]: "; Enter takes the default. The answer is trimmed.
NODISCARD bool build_ask(struct builder *b, const char *question, struct str fallback, struct str *out_answer);
NODISCARD bool build_ask_yes(struct builder *b, const char *question, bool fallback, bool *out_yes);
// One of the words, ended by NULL, or a beginning that only one has.
NODISCARD bool build_ask_choice(struct builder *b, const char *question, const char *const *words, size_t fallback,
                                size_t *out_choice);
// Not shown; empty is asked again.
NODISCARD bool build_ask_secret(struct builder *b, struct str name);
// Ends it all with that exit code; always returns false.
bool build_stop(struct builder *b, int code);
// A copy in the arena; false when out of memory.
NODISCARD bool build_keep(struct builder *b, struct str text, struct str *out_text);

// --- builder_text.c ---

// The whole file.
void build_text(const struct builder *b, struct buf *out);
// Only this provider, for a trial.
void build_text_provider(const struct built_provider *p, struct buf *out);

// --- builder_try.c ---

// Loads the text as a configuration, without what the environment would set besides. NULL after it was said why.
struct conf *build_load(struct builder *b, struct str text);
enum build_next { BUILD_GO_ON, BUILD_AGAIN, BUILD_DROP };
// "  testing openai … ok, 63 models, 210 ms"; where something has failed, asks what to do: again, keep or drop.
NODISCARD bool build_try(struct builder *b, const char *what, struct str text, unsigned kinds,
                         enum build_next *out_next);
// The local kinds that answer at their usual places.
void build_find_local(struct builder *b, bool out_found[PROVIDER_KIND_COUNT]);

// --- builder_providers.c ---

NODISCARD bool build_providers(struct builder *b);

#endif
