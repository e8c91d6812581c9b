// The catalogue of models for commands that work without a server.
//
// Ownership: both are the caller's to release. Thread rule: the main thread.
#ifndef CLI_MODELS_H
#define CLI_MODELS_H

#include "cli/commands.h"
#include "model/catalog.h"

// Of the configuration at hand. fetched: its address is asked; else what was kept of it is used. CLI_OK, or the exit
// code after it was said why.
int cli_models_here(const struct cli_args *args, bool fetched, struct conf **out_conf,
                    struct model_catalog **out_models);

#endif
