// Turns another gateway's configuration into one of Penstock's, and says what could not be carried over.
//
// Ownership: an import_result owns all it holds; import_result_free releases it. Thread rule: as the env's callbacks.
// Errors: what is wrong with the foreign text is in a struct conf_problems. Secrets: none is ever copied into the
// result; each is replaced by a reference to an environment variable, and a note says so.
#ifndef CONF_IMPORT_H
#define CONF_IMPORT_H

#include "conf/env.h"
#include "conf/problem.h"

#define IMPORT_NOTES_MAX 1000

enum import_format { IMPORT_LITELLM, IMPORT_PORTKEY };

enum import_fate {
    IMPORT_LOST,    // not carried over
    IMPORT_SECRET,  // must be put into the environment variable that is named
    IMPORT_CHANGED, // carried over, but works otherwise
};
struct import_note {
    enum import_fate fate;
    struct str file;
    struct conf_pos pos;
    struct str path;    // "model_list[2].litellm_params.rpm"
    struct str why;     // a sentence without a full stop
    struct str instead; // likewise; may be empty
};
struct import_result {
    struct arena arena;
    struct buf yaml;
    VEC(struct import_note) notes;
    size_t unfinished; // notes that are not IMPORT_CHANGED
    size_t dropped;    // past IMPORT_NOTES_MAX
};

// name: the file's, whose folder included files are looked for in; env: reads them. True = *out_result holds a
// configuration that conf_load takes, its references aside. False: *problems says why.
NODISCARD bool import_run(enum import_format format, struct str text, struct str name, const struct conf_env *env,
                          struct conf_problems *problems, struct import_result *out_result);
void import_result_free(struct import_result *result);
const char *import_fate_name(enum import_fate fate); // "lost", "secret", "changed"
// A line a note: "config.yaml:12:5: model_list[0].rpm: not carried over: why; try: instead".
void import_notes_print(const struct import_result *result, struct buf *out);

#endif
