// Providers whose addresses have rules of their own; private to the files of providers.
#ifndef MODEL_PROVIDER_IMPL_H
#define MODEL_PROVIDER_IMPL_H

#include "model/provider.h"

// path: of the operation, as OpenAI has it: "/chat/completions".
NODISCARD bool provider_azure_target(const struct provider_call *call, struct str path, struct arena *arena,
                                     struct str *out_target, struct err *err);

#endif
