// Writes an import's draft as YAML.
#include "conf/import_impl.h"
#include "conf/value.h"

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool is_plain(struct str s) {
    static const struct str words[] = {STR_INIT("true"), STR_INIT("false"), STR_INIT("null"),
                                       STR_INIT("yes"),  STR_INIT("no"),    STR_INIT("on"),
                                       STR_INIT("off"),  STR_INIT("y"),     STR_INIT("n")};
    if (!s.n || !(is_letter(s.p[0]) || s.p[0] == '$')) return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_nocase(s, words[i])) return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == ':' && i + 1 < s.n) continue;
        if (!is_letter(c) && !(c >= '0' && c <= '9') && !strchr("_./@+$}{-", c)) return false;
    }
    return true;
}

static void put_text(struct buf *out, struct str s) {
    if (is_plain(s)) {
        buf_put(out, s);
        return;
    }
    buf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_putc(out, (char)c);
    }
    buf_putc(out, '"');
}

static void put_pair(struct buf *out, const char *indent, const char *key, struct str value) {
    if (!value.n) return;
    buf_printf(out, "%s%s: ", indent, key);
    put_text(out, value);
    buf_putc(out, '\n');
}

static void put_duration(struct buf *out, const char *indent, const char *key, int64_t ms) {
    buf_printf(out, "%s%s: ", indent, key);
    value_put_duration(out, ms);
    buf_putc(out, '\n');
}

static void put_provider(struct buf *out, const struct draft_provider *p) {
    put_pair(out, "  - ", "name", p->name);
    if (!str_eq(p->name, p->kind)) put_pair(out, "    ", "kind", p->kind);
    put_pair(out, "    ", "base_url", p->base_url);
    put_pair(out, "    ", "api_key", p->api_key);
    if (p->headers.n) buf_lit(out, "    headers:\n");
    for (size_t i = 0; i < p->headers.n; i++) {
        buf_lit(out, "      ");
        put_text(out, p->headers.p[i].name);
        buf_lit(out, ": ");
        put_text(out, p->headers.p[i].value);
        buf_putc(out, '\n');
    }
    if (p->total) buf_lit(out, "    timeouts:\n");
    if (p->total) put_duration(out, "      ", "total", p->total);
}

static void put_target(const struct importer *im, struct buf *out, const struct draft_model *m,
                       const struct draft_target *t) {
    put_pair(out, "      - ", "provider", im->providers.p[t->provider].name);
    if (!str_eq(t->model, m->name)) put_pair(out, "        ", "model", t->model);
    if (t->weight != 1) buf_printf(out, "        weight: %lld\n", (long long)t->weight);
    if (t->priority) buf_printf(out, "        priority: %lld\n", (long long)t->priority);
    if (t->requests || t->tokens || t->input_tokens || t->output_tokens || t->concurrency)
        buf_lit(out, "        limits:\n");
    if (t->requests) buf_printf(out, "          requests_per_minute: %lld\n", (long long)t->requests);
    if (t->tokens) buf_printf(out, "          tokens_per_minute: %lld\n", (long long)t->tokens);
    if (t->input_tokens) buf_printf(out, "          input_tokens_per_minute: %lld\n", (long long)t->input_tokens);
    if (t->output_tokens) buf_printf(out, "          output_tokens_per_minute: %lld\n", (long long)t->output_tokens);
    if (t->concurrency) buf_printf(out, "          concurrency: %lld\n", (long long)t->concurrency);
}

static size_t put_fallbacks(const struct importer *im, struct buf *out, size_t model, bool policy, size_t before) {
    size_t n = 0;
    for (size_t i = 0; i < im->fallbacks.n; i++) {
        const struct draft_fallback *f = &im->fallbacks.p[i];
        if (f->model != model || f->policy != policy) continue;
        if (!n && !before) buf_lit(out, "    routing:\n      fallbacks:\n");
        if (!n) buf_printf(out, "        %s:\n", policy ? "content_policy" : "context_window");
        buf_lit(out, "          - ");
        put_text(out, f->to);
        buf_putc(out, '\n');
        n++;
    }
    return n;
}

static void put_routing(const struct importer *im, struct buf *out) {
    if (im->retries || im->failures || im->open) buf_lit(out, "\nrouting:\n");
    if (im->retries) buf_printf(out, "  retry:\n    same_target: %lld\n", (long long)im->retries);
    if (im->retries > 4) buf_printf(out, "    attempts: %lld\n", (long long)im->retries + 1);
    if (im->failures || im->open) buf_lit(out, "  breaker:\n");
    if (im->failures) buf_printf(out, "    failures: %lld\n", (long long)im->failures);
    if (im->open) put_duration(out, "    ", "open", im->open);
    if (im->max_open) put_duration(out, "    ", "max_open", im->max_open);
}

static void put_models(const struct importer *im, struct buf *out) {
    if (im->models.n) buf_lit(out, "\nmodels:\n");
    for (size_t i = 0; i < im->models.n; i++) {
        const struct draft_model *m = &im->models.p[i];
        put_pair(out, "  - ", "name", m->name);
        if (m->targets.n > 1) put_pair(out, "    ", "strategy", im->strategy);
        buf_lit(out, "    targets:\n");
        for (size_t k = 0; k < m->targets.n; k++) put_target(im, out, m, &m->targets.p[k]);
        size_t n = put_fallbacks(im, out, i, false, 0);
        put_fallbacks(im, out, i, true, n);
    }
    if (im->aliases.n) buf_lit(out, "\naliases:\n");
    for (size_t i = 0; i < im->aliases.n; i++) {
        buf_lit(out, "  ");
        put_text(out, im->aliases.p[i].name);
        buf_lit(out, ": ");
        put_text(out, im->aliases.p[i].value);
        buf_putc(out, '\n');
    }
}

static void put_prices(const struct importer *im, struct buf *out) {
    if (im->prices.n) buf_lit(out, "\n# Dollars a million tokens.\nprices:\n");
    for (size_t i = 0; i < im->prices.n; i++) {
        const struct draft_price *p = &im->prices.p[i];
        buf_lit(out, "  ");
        put_text(out, p->name);
        buf_lit(out, ":\n");
        if (p->input.n) buf_printf(out, "    input: %.*s\n", STR_ARG(p->input));
        if (p->output.n) buf_printf(out, "    output: %.*s\n", STR_ARG(p->output));
        if (p->cached_input.n) buf_printf(out, "    cached_input: %.*s\n", STR_ARG(p->cached_input));
        if (p->cache_write.n) buf_printf(out, "    cache_write: %.*s\n", STR_ARG(p->cache_write));
    }
}

void import_write(struct importer *im, struct buf *out) {
    buf_lit(out, "# yaml-language-server: $schema=penstock.schema.json\n");
    buf_printf(out, "# %.*s\nversion: %d\n", STR_ARG(im->heading), CONF_VERSION);
    if (im->total) buf_lit(out, "\ntimeouts:\n");
    if (im->total) put_duration(out, "  ", "total", im->total);
    if (im->max_body || im->max_response) buf_lit(out, "\nlimits:\n");
    if (im->max_body) buf_printf(out, "  max_body: %lld MiB\n", (long long)im->max_body);
    if (im->max_response) buf_printf(out, "  max_response: %lld MiB\n", (long long)im->max_response);
    if (im->debug || im->json_logs) buf_lit(out, "\nlog:\n");
    if (im->debug) buf_lit(out, "  level: debug\n");
    if (im->json_logs) buf_lit(out, "  format: json\n");
    if (im->providers.n) buf_lit(out, "\nproviders:\n");
    for (size_t i = 0; i < im->providers.n; i++) put_provider(out, &im->providers.p[i]);
    put_models(im, out);
    put_routing(im, out);
    buf_printf(out, "\n%s\npassthrough_models: %s\n",
               im->passthrough ? "# Models that are not listed can be asked for as provider/model."
                               : "# Only the models above can be asked for.",
               im->passthrough ? "true" : "false");
    put_prices(im, out);
}
