// Where Azure OpenAI's operations are: below a deployment, with the version of the API, or below /openai/v1.
#include "base/text.h"
#include "model/provider_impl.h"

bool provider_azure_target(const struct provider_call *call, struct str path, struct arena *arena,
                           struct str *out_target, struct err *err) {
    BUF_AUTO struct buf target = BUF_INIT(4096);
    struct str base = call->provider->url.path, version = call->provider->api_version;
    bool complete = str_ends(base, STR("/openai/v1")) || str_find(base, STR("/deployments/")) < base.n;
    if (!complete && str_ends(base, STR("/openai"))) base = str_head(base, base.n - (sizeof "/openai" - 1));
    buf_put(&target, base);
    if (!complete && version.n) {
        // Responses are of no deployment: its name is in the body.
        bool of_deployment = !str_starts(path, STR("/responses"));
        buf_put(&target, of_deployment ? STR("/openai/deployments/") : STR("/openai"));
        if (of_deployment) percent_put(&target, call->model, "");
    } else if (!complete) {
        buf_lit(&target, "/openai/v1");
    }
    buf_put(&target, path);
    if (version.n) buf_printf(&target, "?api-version=%.*s", STR_ARG(version));
    *out_target = target.failed ? STR_NONE : arena_str(arena, buf_str(&target));
    return out_target->p || err_no_memory(err);
}
