// Where Azure OpenAI's operations are: below a deployment, with the version of the API, or below /openai/v1.
#include "model/provider_impl.h"

static bool encode(struct str s, struct buf *out) {
    static const char k_hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (plain || (c && strchr("-._~", c))) {
            buf_putc(out, (char)c);
            continue;
        }
        buf_putc(out, '%');
        buf_putc(out, k_hex[c >> 4]);
        buf_putc(out, k_hex[c & 15]);
    }
    return !out->failed;
}

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
        if (of_deployment && !encode(call->model, &target)) return err_no_memory(err);
    } else if (!complete) {
        buf_lit(&target, "/openai/v1");
    }
    buf_put(&target, path);
    if (version.n) buf_printf(&target, "?api-version=%.*s", STR_ARG(version));
    *out_target = target.failed ? STR_NONE : arena_str(arena, buf_str(&target));
    return out_target->p || err_no_memory(err);
}
