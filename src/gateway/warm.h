// Connections that are opened before a request needs them, to the targets that are likely to be asked next
// (`routing.warm`): at most one at rest for each provider and event loop.
//
// A provider is likely next when the target before its own is left out, when its own may be asked again, and, where it
// is so configured, at the beginning and while it has been used lately. For WARM_FOR_MS from then on a connection that
// was closed is opened anew, ever more rarely; without a new reason it ends there.
//
// Ownership: one a loop; a configuration is known from warm_renew to the next. Thread rule: the loop's. Errors: without
// memory nothing is opened ahead until the next configuration.
#ifndef GATEWAY_WARM_H
#define GATEWAY_WARM_H

#include "gateway/gateway.h"

#define WARM_FOR_MS 300000

NODISCARD bool warm_create(struct gateway_loop *gl, struct warm **out_warm, struct err *err);
void warm_free(struct warm *warm); // NULL is fine
// The loop has another configuration, and all its connections were closed.
void warm_renew(struct warm *warm);
// Looks at the targets and opens what is missing; about every second.
void warm_look(struct warm *warm);
// A request goes to this provider.
void warm_used(struct warm *warm, const struct runtime *runtime, const struct runtime_provider *provider);

#endif
