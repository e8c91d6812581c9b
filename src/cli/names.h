// What ids are called: names of rows that others refer to, asked for as tables of people need them.
//
// Ownership: names live in the caller's arena. Thread rule: the main thread. Errors: none: what cannot be found out
// stays an id.
#ifndef CLI_NAMES_H
#define CLI_NAMES_H

#include "base/vec.h"
#include "cli/api_client.h"

#define CLI_NAMES_MAX 200 // asked for in one run

struct cli_name {
    struct str id, kind, name;
};
struct cli_names {
    struct cli_api *api;
    struct arena *arena;
    VEC(struct cli_name) known;
};
void cli_names_free(struct cli_names *names);
// False: text is no id of a row with a name. Else *out_kind ("user") and *out_name ("ada@example.com").
bool cli_name_of(struct cli_names *names, struct str text, struct str *out_kind, struct str *out_name);

#endif
