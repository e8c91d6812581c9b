// Collects what an import has understood: providers, models, references in place of secrets, and notes on the rest.
#include "conf/import_impl.h"

#define WEIGHT_MAX 1000000

static const struct {
    const char *names;
    struct import_kind kind; // an empty one: Penstock lacks it
    const char *instead;
} kinds[] = {
#define KIND(names, kind, name, url, variable)                                                                         \
    {names, {STR_INIT(kind), STR_INIT(name), STR_INIT(url), STR_INIT(variable)}, NULL},
#define LACK(names, instead) {names, {{"", 0}, {"", 0}, {"", 0}, {"", 0}}, instead},
#include "conf/import_kind.def"
#undef KIND
#undef LACK
};

bool import_word_in(const char *words, struct str word) {
    struct str rest = str_c(words), w;
    while (str_split(&rest, ' ', &w)) {
        if (w.n && str_eq(w, word)) return true;
    }
    return false;
}

bool import_kind_find(struct str foreign, struct import_kind *out_kind, const char **out_instead) {
    *out_instead = "add a provider of kind openai with its base_url, if it speaks OpenAI's API";
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!import_word_in(kinds[i].names, foreign)) continue;
        *out_instead = kinds[i].instead;
        *out_kind = kinds[i].kind;
        return kinds[i].instead == NULL;
    }
    return false;
}

struct str import_text(struct importer *im, const char *fmt, ...) {
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct str s = {arena_cstr(im->arena, str_of(text, n < 0 ? 0 : MIN((size_t)n, sizeof text - 1))), 0};
    if (!s.p) im->failed = true;
    return s.p ? str_c(s.p) : STR("");
}

struct str import_path(struct importer *im, struct str path, const char *key) {
    struct str head = str_head(path, 600);
    return import_text(im, "%.*s%s%.200s", STR_ARG(head), path.n ? "." : "", key);
}

struct str import_path_index(struct importer *im, struct str path, size_t index) {
    struct str head = str_head(path, 600);
    return import_text(im, "%.*s[%zu]", STR_ARG(head), index);
}

void import_note(struct importer *im, enum import_fate fate, const struct conf_node *node, struct str path,
                 const char *instead, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct import_result *r = im->result;
    if (fate != IMPORT_CHANGED) r->unfinished++;
    struct import_note note = {.fate = fate, .path = arena_str(im->arena, path)};
    if (node && node->source) note.file = node->source->name, note.pos = node->pos;
    note.why = arena_str(im->arena, str_c(text));
    note.instead = arena_str(im->arena, str_c(instead));
    if (r->notes.n >= IMPORT_NOTES_MAX)
        r->dropped++;
    else if (!note.why.p || !vec_push(&r->notes, note))
        im->failed = true;
}

bool import_is_false(const struct conf_node *node) {
    if (conf_node_is_null(node)) return true;
    if (node->kind != NODE_SCALAR) return node->n == 0;
    return !node->text.n || (node->plain && str_eq_nocase(node->text, STR("false")));
}

bool import_str(struct importer *im, const struct conf_node *map, const char *key, struct str path,
                struct str *out_text) {
    const struct conf_node *node = conf_node_get(map, str_c(key));
    if (conf_node_is_null(node) || (node->kind == NODE_SCALAR && !node->text.n)) return false;
    if (node->kind == NODE_SCALAR) {
        bool clean = true;
        for (size_t i = 0; i < node->text.n; i++)
            clean = clean && (unsigned char)node->text.p[i] >= 0x20 && node->text.p[i] != 0x7f;
        *out_text = node->text;
        if (clean && node->text.n <= 1024) return true;
    }
    import_note(im, IMPORT_LOST, node, import_path(im, path, key), NULL, "it is not one line of text");
    return false;
}

bool import_number(const struct conf_node *node, double *out_value) {
    char text[64];
    if (conf_node_is_null(node) || node->kind != NODE_SCALAR || node->text.n >= sizeof text || !node->text.n)
        return false;
    if (!(node->text.p[0] >= '0' && node->text.p[0] <= '9') && node->text.p[0] != '.') return false;
    memcpy(text, node->text.p, node->text.n);
    text[node->text.n] = '\0';
    char *end = NULL;
    double v = strtod(text, &end);
    if (end != text + node->text.n || !(v >= 0 && v < 1e15) || text[1] == 'x' || text[1] == 'X') return false;
    *out_value = v;
    return true;
}

bool import_duration(struct importer *im, const struct conf_node *map, const char *key, struct str path, int64_t unit,
                     int64_t *out_ms) {
    const struct conf_node *node = conf_node_get(map, str_c(key));
    double v;
    if (import_is_false(node)) return false;
    if (import_number(node, &v) && v * (double)unit >= 1 && v * (double)unit <= 86400000.0) {
        *out_ms = (int64_t)(v * (double)unit + 0.5);
        return true;
    }
    import_note(im, IMPORT_LOST, node, import_path(im, path, key), "set timeouts.total",
                "it is no time of up to a day");
    return false;
}

struct decimal { // 0.DIGITS times ten to the `point`
    char digits[64];
    size_t n;
    int64_t point;
};

static bool decimal_parse(struct str s, struct decimal *out) {
    struct decimal d = {.point = -1};
    int64_t shift = 0;
    size_t i = 0;
    for (; i < s.n && d.n < sizeof d.digits; i++) {
        char c = s.p[i];
        if (c == '.' && d.point < 0)
            d.point = (int64_t)d.n;
        else if (c >= '0' && c <= '9')
            d.digits[d.n++] = c;
        else
            break;
    }
    if (d.point < 0) d.point = (int64_t)d.n;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        struct str e = str_from(s, i + 1);
        if (e.n && e.p[0] == '+') e = str_from(e, 1);
        if (!str_to_i64(e, &shift) || shift < -40 || shift > 40) return false;
        i = s.n;
    }
    d.point += shift;
    *out = d;
    return i == s.n && d.n;
}

static char digit_at(const struct decimal *d, int64_t k) { return k >= 0 && k < (int64_t)d->n ? d->digits[k] : '0'; }

// A price a token becomes one a million tokens: the point moves six places, and six decimals are kept.
bool import_price(struct importer *im, struct str per_token, struct str *out_per_million) {
    struct decimal d;
    if (!decimal_parse(per_token, &d)) return false;
    d.point += 6;
    struct buf out = BUF_INIT(256);
    if (d.point <= 0) buf_lit(&out, "0");
    for (int64_t k = 0; k < d.point; k++) buf_putc(&out, digit_at(&d, k));
    buf_putc(&out, '.');
    for (int64_t k = d.point; k < d.point + 6; k++) buf_putc(&out, digit_at(&d, k));
    struct str s = buf_str(&out);
    while (s.n > 1 && s.p[s.n - 1] == '0') s.n--;
    if (s.n > 1 && s.p[s.n - 1] == '.') s.n--;
    while (s.n > 1 && s.p[0] == '0' && s.p[1] != '.') s = str_from(s, 1);
    bool fits = str_find_char(s, '.') <= 6; // below a million
    struct str kept = fits ? arena_str(im->arena, s) : STR_NONE;
    buf_free(&out);
    if (kept.p) *out_per_million = kept;
    return kept.p != NULL;
}

static bool is_variable(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i && c >= '0' && c <= '9');
        if (!word) return false;
    }
    return s.n > 0 && s.n <= 128;
}

// The name in "os.environ/NAME"; empty when it is something else.
static struct str variable_of(struct str text) {
    struct str prefix = STR("os.environ/");
    struct str name = str_starts(text, prefix) ? str_from(text, prefix.n) : STR_NONE;
    return is_variable(name) ? name : STR_NONE;
}

struct str import_value(struct importer *im, struct str text) {
    struct str name = variable_of(text);
    if (name.n) return import_text(im, "${env:%.*s}", STR_ARG(name));
    struct buf out = BUF_INIT(8192);
    for (size_t i = 0; i < text.n; i++) {
        if (str_starts(str_from(text, i), STR("${"))) buf_putc(&out, '$');
        buf_putc(&out, text.p[i]);
    }
    struct str s = arena_str(im->arena, buf_str(&out));
    if (out.failed || !s.p) im->failed = im->failed || text.n > 0;
    buf_free(&out);
    return s;
}

static bool variable_taken(const struct importer *im, struct str variable) {
    for (size_t i = 0; i < im->secrets.n; i++) {
        if (str_eq(im->secrets.p[i].variable, variable)) return true;
    }
    return false;
}

void import_reserve(struct importer *im, struct str variable) {
    if (!variable.n || variable_taken(im, variable)) return;
    if (!vec_push(&im->secrets, (struct draft_secret){.variable = variable})) im->failed = true;
}

void import_reserve_tree(struct importer *im, const struct conf_node *root) {
    if (!root) return;
    if (root->kind == NODE_SCALAR) import_reserve(im, variable_of(root->text));
    for (size_t i = 0; i < root->n; i++) import_reserve_tree(im, root->values[i]);
}

struct str import_secret(struct importer *im, const struct conf_node *node, struct str path, struct str variable) {
    struct str name = variable_of(node->text);
    if (name.n) return import_text(im, "${env:%.*s}", STR_ARG(name));
    for (size_t i = 0; i < im->secrets.n; i++) {
        const struct draft_secret *s = &im->secrets.p[i];
        if (s->literal.n && str_eq_secret(s->literal, node->text))
            return import_text(im, "${env:%.*s}", STR_ARG(s->variable));
    }
    struct str free_name = variable;
    for (unsigned i = 2; variable_taken(im, free_name); i++)
        free_name = import_text(im, "%.*s_%u", STR_ARG(variable), i);
    if (!vec_push(&im->secrets, (struct draft_secret){node->text, free_name})) im->failed = true;
    import_note(im, IMPORT_SECRET, node, path, import_text(im, "set %.*s where Penstock runs", STR_ARG(free_name)).p,
                "secrets are not copied");
    return import_text(im, "${env:%.*s}", STR_ARG(free_name));
}

static bool same_provider(const struct draft_provider *a, const struct draft_provider *b) {
    if (!str_eq(a->kind, b->kind) || !str_eq(a->base_url, b->base_url) || !str_eq(a->api_key, b->api_key)) return false;
    if (a->total != b->total || a->headers.n != b->headers.n) return false;
    for (size_t i = 0; i < a->headers.n; i++) {
        if (!str_eq(a->headers.p[i].name, b->headers.p[i].name)) return false;
        if (!str_eq(a->headers.p[i].value, b->headers.p[i].value)) return false;
    }
    return true;
}

static bool name_taken(const struct importer *im, struct str name) {
    for (size_t i = 0; i < im->providers.n; i++) {
        if (str_eq(im->providers.p[i].name, name)) return true;
    }
    return false;
}

size_t import_provider(struct importer *im, struct draft_provider *provider) {
    for (size_t i = 0; i < im->providers.n; i++) {
        if (!same_provider(&im->providers.p[i], provider)) continue;
        vec_free(&provider->headers);
        return i;
    }
    struct str base = provider->name;
    for (unsigned i = 2; name_taken(im, provider->name); i++)
        provider->name = import_text(im, "%.*s-%u", STR_ARG(base), i);
    if (vec_push(&im->providers, *provider)) return im->providers.n - 1;
    vec_free(&provider->headers);
    im->failed = true;
    return 0;
}

static bool is_local(struct str kind) {
    const struct provider_preset *preset = provider_preset_find(kind);
    return preset && preset->local_port;
}

bool import_base_url(struct importer *im, const struct conf_node *node, struct str path, struct str kind,
                     struct str text, struct str *out_url) {
    bool adds = is_local(kind) || str_eq(kind, STR("anthropic"));
    struct str url = import_value(im, text);
    if (variable_of(text).n) {
        if (adds)
            import_note(im, IMPORT_CHANGED, node, path, "let the variable's value end in /v1",
                        "Penstock's base_url holds the API's version");
        *out_url = url;
        return true;
    }
    struct conf_url parsed;
    const char *wrong = conf_url_parse(text, &parsed);
    if (wrong || text.n > 900) {
        import_note(im, IMPORT_LOST, node, path, NULL, "the address cannot be used: expected %s",
                    wrong ? wrong : "a shorter one");
        return false;
    }
    while (str_ends(url, STR("/"))) url.n--;
    *out_url = adds && !parsed.path.n ? import_text(im, "%.*s/v1", STR_ARG(url)) : url;
    return true;
}

static bool is_generic(struct str label) {
    if (import_word_in("api www llm gateway localhost host inference", label)) return true;
    return !label.n || (label.p[0] >= '0' && label.p[0] <= '9');
}

struct str import_name_of_url(struct importer *im, struct str url, struct str fallback) {
    struct conf_url parsed;
    struct str label, rest;
    if (str_starts(url, STR("${")) || conf_url_parse(url, &parsed)) return fallback;
    rest = parsed.host;
    for (unsigned i = 0; i < 2 && str_split(&rest, '.', &label); i++) {
        if (is_generic(label) || label.n > 40) continue;
        struct buf out = BUF_INIT(64);
        for (size_t k = 0; k < label.n; k++) {
            char c = label.p[k];
            if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
            buf_putc(&out, (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-');
        }
        struct str name = arena_str(im->arena, buf_str(&out));
        buf_free(&out);
        if (name.n && name.p[0] != '-') return name;
    }
    return fallback;
}

struct draft_model *import_model_find(struct importer *im, struct str name) {
    for (size_t i = 0; i < im->models.n; i++) {
        if (str_eq(im->models.p[i].name, name)) return &im->models.p[i];
    }
    return NULL;
}

struct draft_model *import_model(struct importer *im, struct str name) {
    struct draft_model *old = import_model_find(im, name);
    if (old) return old;
    if (vec_push(&im->models, (struct draft_model){.name = name})) return &im->models.p[im->models.n - 1];
    im->failed = true;
    return NULL;
}

void import_target(struct importer *im, struct draft_model *model, struct draft_target target) {
    target.priority = MIN(target.priority, (int64_t)IMPORT_PRIORITY_MAX);
    if (!model || !vec_push(&model->targets, target)) im->failed = true;
}

static int64_t gcd(int64_t a, int64_t b) {
    while (b) {
        int64_t r = a % b;
        a = b, b = r;
    }
    return a;
}

static bool is_alone(const struct draft_model *m, size_t i) {
    for (size_t k = 0; k < m->targets.n; k++) {
        if (k != i && m->targets.p[k].priority == m->targets.p[i].priority) return false;
    }
    return true;
}

void import_weights_reduce(struct draft_model *model) {
    int64_t unit = 0, most = 0;
    for (size_t i = 0; i < model->targets.n; i++) {
        unit = gcd(unit, model->targets.p[i].weight);
        most = MAX(most, model->targets.p[i].weight);
    }
    for (size_t i = 0; i < model->targets.n; i++) {
        struct draft_target *t = &model->targets.p[i];
        if (most == 0 || (t->weight && is_alone(model, i)))
            t->weight = 1;
        else if (t->weight && most / unit <= WEIGHT_MAX)
            t->weight /= unit;
        else if (t->weight)
            t->weight = MAX((int64_t)1, (int64_t)((double)t->weight / (double)most * WEIGHT_MAX));
    }
}

void import_rest(struct importer *im, const struct conf_node *map, struct str path, const char *done,
                 const struct import_lack *lacks, size_t n) {
    for (size_t i = 0; map && map->kind == NODE_MAP && i < map->n; i++) {
        const struct conf_node *key = map->keys[i];
        size_t k = 0;
        if (import_word_in(done, key->text) || import_is_false(map->values[i])) continue;
        while (k < n && !str_eq(str_c(lacks[k].key), key->text)) k++;
        import_note(im, IMPORT_LOST, key, import_path(im, path, key->text.p), k < n ? lacks[k].instead : NULL, "%s",
                    k < n ? lacks[k].why : "Penstock has no setting like it");
    }
}
