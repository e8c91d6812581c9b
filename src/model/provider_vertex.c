// Where the models of Vertex AI are: below a project and a location, by who made them.
#include "model/provider.h"

#include "base/text.h"

struct str provider_model_escaped(struct str name, struct arena *arena) {
    struct buf b = BUF_INIT(1024);
    percent_put(&b, name, "@");
    struct str out = b.failed ? STR_NONE : arena_str(arena, buf_str(&b));
    buf_free(&b);
    return out;
}

bool provider_vertex_path(const struct provider_call *call, struct str publisher, struct str model, struct str action,
                          struct arena *arena, struct str *out_path, struct err *err) {
    struct str escaped = provider_model_escaped(model, arena);
    if (!escaped.n) return err_set(err, ERR_INVALID_FIELD, "the model's name is too long");
    *out_path = arena_printf(arena, "/projects/%.*s/locations/%.*s/publishers/%.*s/models/%.*s:%.*s",
                             STR_ARG(call->provider->project), STR_ARG(call->provider->location), STR_ARG(publisher),
                             STR_ARG(escaped), STR_ARG(action));
    return out_path->n || err_no_memory(err);
}
