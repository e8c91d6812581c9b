// What routing knows of a call, read as far as its model's targets ask.
#include "gateway/need.h"

#include "base/hash.h"
#include "base/json_read.h"
#include "base/zone.h"
#include "conf/value.h"
#include "gateway/finding.h"
#include "gateway/pipeline.h"
#include "gateway/responses.h"
#include "gateway/translation.h"
#include "model/prompt_tokens.h"
#include "os/clock.h"

#define GLANCE_MAX ((size_t)16 * 1024) // a longer request is read only where it is known what its targets can
#define SMALLEST_WINDOW ((size_t)512)  // no model has fewer tokens
#define COUNT_MAX ((size_t)256 * 1024) // of text, counted at once
#define AFFINITY_PROMPT_MAX ((size_t)1024)

static struct str field(const struct call *call, struct str name) {
    return http_field_get(call->req->fields, call->req->field_count, name);
}

static struct str member(const struct call *call, struct str object, struct str name) {
    struct str raw, text;
    if (!object.n || !json_get(object, &name, 1, &raw) || !json_string_text(raw, &call->req->arena, &text))
        return STR("");
    return text;
}

// --- where it may go ---

// "eu, de" to a list.
static size_t list_of(struct str text, struct str *out, size_t max) {
    size_t n = 0;
    while (text.n && n < max) {
        size_t comma = str_find_char(text, ',');
        struct str one = str_trim(str_head(text, comma));
        if (one.n) out[n++] = one;
        text = str_from(text, MIN(comma + 1, text.n));
    }
    return n;
}

static const struct str k_open_words[] = {STR_INIT(""), STR_INIT("none"), STR_INIT("any"), STR_INIT("public")};

static bool is_open_word(struct str word) {
    for (size_t i = 0; i < ARRAY_LEN(k_open_words); i++)
        if (str_eq_nocase(word, k_open_words[i])) return true;
    return false;
}

// Once is enough, whoever on the way has added the field, and whatever else is in it. *out_odd: a word that means
// nothing; empty without one.
static bool says_private(const struct http_req *req, struct str *out_odd) {
    static const struct str name = STR_INIT("x-penstock-privacy");
    *out_odd = STR("");
    for (size_t i = 0; i < req->field_count; i++) {
        if (req->fields[i].name.n != name.n || !str_eq_nocase(req->fields[i].name, name)) continue;
        struct str rest = req->fields[i].value, one;
        while (rest.n && str_split(&rest, ',', &one)) {
            one = str_trim(one);
            if (str_eq_nocase(one, STR("private"))) return true;
            if (!is_open_word(one)) *out_odd = one;
        }
    }
    return false;
}

// A list that cannot be kept to is refused: to pass over a part of it would be to allow more.
static bool read_list(struct str text, const char *what, const char *example, struct str *out, size_t max,
                      size_t *out_n, struct err *err) {
    size_t n = list_of(text, out, max), commas = 0;
    for (size_t i = 0; i < text.n; i++) commas += text.p[i] == ',';
    *out_n = n;
    if (!text.n || (n && commas < max)) return true;
    return err_set(err, ERR_INVALID_REQUEST, "%s names one to %zu, with commas between them, such as \"%s\"", what, max,
                   example);
}

// "eu" takes in "eu-central-1".
static bool lies_in(struct str region, struct str whole) {
    return str_eq_nocase(str_head(region, whole.n), whole) && (region.n == whole.n || region.p[whole.n] == '-');
}

// Of what both say, what lies in both.
static size_t common_regions(const struct str *a, size_t a_n, const struct str *b, size_t b_n,
                             struct str out[ROUTE_REGIONS_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < a_n; i++)
        for (size_t k = 0; k < b_n && n < ROUTE_REGIONS_MAX; k++) {
            bool inner = lies_in(a[i], b[k]);
            if (inner || lies_in(b[k], a[i])) out[n++] = inner ? a[i] : b[k];
        }
    return n;
}

// What is asked for besides leaves of the regions those that lie in both.
static bool narrow_regions(struct str text, const char *what, struct route_need *r, struct err *err) {
    struct str a[ROUTE_REGIONS_MAX], b[ROUTE_REGIONS_MAX];
    size_t n;
    if (!text.n) return true;
    if (!read_list(text, what, "eu, ch", b, ROUTE_REGIONS_MAX, &n, err)) return false;
    if (!r->region_count) {
        memcpy(r->regions, b, sizeof b);
        r->region_count = n;
        return true;
    }
    memcpy(a, r->regions, sizeof a);
    r->region_count = common_regions(a, r->region_count, b, n, r->regions);
    return r->region_count > 0 ||
           err_set(err, ERR_NO_TARGET, "%s names no region that the request may go to otherwise", what);
}

// The key can only ask for more than the configuration does, and the request for more than its key.
static bool read_regions(const struct call *call, struct str tags, struct route_need *r, struct err *err) {
    static_assert(CONF_REGIONS_MAX <= ROUTE_REGIONS_MAX, "room for all");
    const struct str *set;
    r->region_count = conf_level_regions(call->tenant, &set);
    for (size_t i = 0; i < r->region_count; i++) r->regions[i] = set[i];
    return narrow_regions(member(call, tags, STR("region")), "the key's tag region", r, err) &&
           narrow_regions(field(call, STR("x-penstock-region")), "x-penstock-region", r, err);
}

// Its texts are gone through once, and only where nothing else says already that it is private.
static bool read_finding(struct call *call, struct route_need *r, struct err *err) {
    unsigned kinds = conf_level_private_when(call->runtime->conf, call->tenant);
    if (kinds && !call->finding) {
        struct finding *finding = ARENA_NEW(&call->req->arena, struct finding);
        if (!finding) return err_no_memory(err);
        if (!finding_of(call, kinds, finding, err)) return false;
        call->finding = finding;
    }
    r->private = kinds && call->finding->found;
    r->found = r->private_why = r->private ? call->finding->text : STR("");
    return true;
}

static struct str tags_of(const struct call *call) {
    return call->key && call->key->tags.n > 2 ? call->key->tags : STR("");
}

// Why it is private, whatever is in it; empty: nothing says so.
static struct str said_private(const struct call *call, struct str *out_odd) {
    struct str why = STR("");
    if (call->previous && call->previous->private) why = STR("what it goes on from was private");
    if (conf_level_private(call->tenant)) why = STR("the configuration (tenants[].privacy)");
    if (str_eq_nocase(member(call, tags_of(call), STR("privacy")), STR("private"))) why = STR("the key's tag privacy");
    if (says_private(call->req, out_odd)) why = STR("x-penstock-privacy");
    return why;
}

unsigned need_kinds(const struct call *call) {
    struct str odd;
    unsigned kinds = conf_level_private_when(call->runtime->conf, call->tenant);
    return kinds && !said_private(call, &odd).n && !odd.n ? kinds : 0;
}

static bool read_privacy(struct call *call, struct route_need *r, struct err *err) {
    struct str odd, why = said_private(call, &odd);
    if (!why.n && odd.n)
        return err_set(err, ERR_INVALID_REQUEST, "x-penstock-privacy is \"private\" or \"none\", not \"%.*s\"",
                       STR_ARG(str_head(odd, 40)));
    r->found = STR("");
    r->private = why.n > 0;
    r->private_why = why;
    return r->private || read_finding(call, r, err);
}

// What else it wishes for, and who cannot be understood is told rather than passed over; queue.c goes by it.
static bool check_wishes(const struct call *call, struct err *err) {
    struct str class = str_trim(field(call, STR("x-penstock-priority"))),
               wait = str_trim(field(call, STR("x-penstock-max-wait")));
    enum queue_class ignored_class;
    int64_t ignored;
    if (class.n && !queue_class_named(class, &ignored_class))
        return err_set(err, ERR_INVALID_REQUEST, "x-penstock-priority is \"high\", \"normal\" or \"low\", not \"%.*s\"",
                       STR_ARG(str_head(class, 40)));
    return !wait.n || value_duration(wait, &ignored) ||
           err_set(err, ERR_INVALID_REQUEST, "x-penstock-max-wait is a time such as \"2s\" or \"500ms\", not \"%.*s\"",
                   STR_ARG(str_head(wait, 40)));
}

static bool read_limits(struct call *call, struct need *need, struct err *err) {
    struct route_need *r = &need->route;
    if (!check_wishes(call, err) || !read_privacy(call, r, err)) return false;
    return read_regions(call, tags_of(call), r, err) &&
           read_list(field(call, STR("x-penstock-tags")), "x-penstock-tags", "fast, good", r->tags, ROUTE_TAGS_MAX,
                     &r->tag_count, err);
}

static bool put_field(const char *name, const struct str *list, size_t n, struct arena *arena,
                      struct http_field out[NEED_FIELDS_MAX], size_t *io_n) {
    BUF_AUTO struct buf text = BUF_INIT(1 << 16);
    for (size_t i = 0; i < n; i++) buf_printf(&text, "%s%.*s", i ? "," : "", STR_ARG(list[i]));
    if (!n) return true;
    struct str value = text.failed ? STR_NONE : arena_str(arena, buf_str(&text));
    out[(*io_n)++] = (struct http_field){str_c(name), value};
    return value.p != NULL;
}

bool need_fields(const struct need *need, struct arena *arena, struct http_field out[NEED_FIELDS_MAX], size_t *out_n) {
    static const struct str private = STR_INIT("private");
    const struct route_need *r = &need->route;
    *out_n = 0;
    return put_field("x-penstock-privacy", &private, r->private, arena, out, out_n) &&
           put_field("x-penstock-region", r->regions, r->region_count, arena, out, out_n) &&
           put_field("x-penstock-tags", r->tags, r->tag_count, arena, out, out_n);
}

// --- what it is for ---

#define TASK_MAX ((size_t)64)
#define METADATA_MAX ((size_t)64 * 1024) // it is gone through for each name that is asked for

// Named like a configuration's tasks: what is not is no task, since usage is told by them. Nor is it refused, for
// metadata is the application's own, and may mean something else by the word.
static bool is_task(struct str name) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!word && (i == 0 || (c != '-' && c != '_' && c != '.'))) return false;
    }
    return name.n && name.n <= TASK_MAX;
}

static void read_task(const struct call *call, struct need *need) {
    struct str raw = call->request.metadata;
    if (!raw.p || raw.n > METADATA_MAX || json_raw_kind(raw) != JSON_OBJECT) return;
    need->metadata = raw;
    struct str task = member(call, raw, STR("task")), name = STR("task");
    if (is_task(task))
        need->asked_task = task;
    else if (json_get(raw, &name, 1, &raw) && json_raw_kind(raw) != JSON_NULL && !str_eq(raw, STR("\"\"")))
        need->odd_task = task.n ? task : raw;
}

struct str need_task(const struct need *need) {
    if (need->asked_task.n) return need->asked_task;
    return need->judged && need->chat ? task_name(need->complexity.task) : STR("");
}

struct str need_task_model(struct need *need) {
    const struct call *call = need->call;
    const struct route_model *m = route_model_find(call->runtime->routes, call->tenant, call->request.model);
    if (!m || !m->conf->tasks.n) return STR("");
    if (!need->asked_task.n) (void)need_complexity(need);
    struct str task = need_task(need);
    for (size_t i = 0; task.n && i < m->conf->tasks.n; i++) {
        const struct opt_pair *p = &m->conf->tasks.p[i];
        if (str_eq(p->name, task) && conf_tenant_allows(call->tenant, p->value)) return p->value;
    }
    return STR("");
}

// --- what it belongs to ---

static void read_names(const struct call *call, struct need *need) {
    struct str body = call->request.body;
    need->user = member(call, body, STR("user"));
    if (!need->user.n) need->user = member(call, need->metadata, STR("user_id"));
    need->session = field(call, STR("x-penstock-session"));
    if (!need->session.n) need->session = member(call, need->metadata, STR("session_id"));
    if (!need->session.n) need->session = member(call, body, STR("prompt_cache_key"));
}

// By its name: a key that took another's place is the same to those who come with it.
static uint64_t key_mark(const struct key_entry *key) {
    if (!key) return 0;
    if (!key->name.n) return (uint64_t)key->id;
    return hash_bytes(key->name, (uint64_t)key->tenant_id << 32 ^ (uint64_t)key->project_id);
}

static uint64_t affinity_of(const struct call *call, const struct need *need, int by) {
    uint64_t key = key_mark(call->key);
    if (by == AFFINITY_PROMPT) return hash_bytes(str_head(call->request.input, AFFINITY_PROMPT_MAX), key);
    if (by == AFFINITY_SESSION && need->session.n) return hash_bytes(need->session, key);
    if (by != AFFINITY_KEY && need->user.n) return hash_bytes(need->user, key + 1);
    return hash_bytes(str_of((const char *)&key, sizeof key), 2);
}

// --- what it asks of a model ---

static bool is_chat(const struct call *call) {
    return call->request.operation == OPERATION_CHAT && call->dialect->read;
}

// Counts as a target that goes that way would.
static void count_tokens(const struct call *call, struct need *need, const struct prompt_way *way) {
    struct model_need *n = &need->route.model;
    struct prompt_tokens tokens;
    if (n->most - n->media > COUNT_MAX) return;
    if (!prompt_count_chat(way, need->chat, &call->req->arena, &tokens)) return;
    n->tokens = tokens.total;
    n->counted = true;
}

static bool is_plain(struct need *need) {
    if (!need->glanced) need->plain = model_need_plain(&need->call->request);
    need->glanced = true;
    return need->plain;
}

void need_count(struct need *need) {
    struct call *call = need->call;
    const struct prompt_way *way = need->way;
    struct err ignored;
    need->way = NULL;
    if (!way || need->route.model.counted) return;
    if (!need->chat && !translation_chat(call, &need->chat, &ignored)) return;
    need->route.model.most = call->request.body.n;
    need->route.model.turns = need->chat->count;
    count_tokens(call, need, way);
    need->route.expected.prompt = need->route.model.tokens;
}

// What decides whether a request has to be read for what it asks of its targets.
struct facts_known {
    bool abilities;               // of one of them at least
    uint64_t window;              // the smallest that is known; UINT64_MAX: none is
    const struct prompt_way *way; // how the first counts tokens; NULL: as one by that name
    struct str model;
};

static uint64_t window_of(const struct model_entry *facts) {
    return facts->context_window ? facts->context_window : UINT64_MAX;
}

static bool must_read(struct call *call, struct need *need, const struct facts_known *known) {
    size_t n = call->request.body.n;
    if (!known->abilities && n > GLANCE_MAX && n <= known->window) return false; // whatever is in it
    if (!is_plain(need)) return known->abilities || n <= GLANCE_MAX;
    need->route.model.most = n;
    return need->route.model.most > known->window;
}

// asked: more than its targets' abilities and windows asks for the request's contents.
static bool read_abilities(struct call *call, struct need *need, const struct facts_known *known, bool asked,
                           struct err *err) {
    need->route.model = model_need_of_request(&call->request);
    if (!is_chat(call) || (!asked && !must_read(call, need, known))) return true;
    // What cannot be read is perhaps understood where it goes to, which is no reason to refuse it.
    if (!translation_chat(call, &need->chat, err)) return !asked && call->request.body.n > GLANCE_MAX;
    need->route.model = model_need_of_chat(&call->request, need->chat);
    // A guess by bytes might send it to a target that is too small, or past one that is not.
    if (need->route.model.most > known->window) {
        struct prompt_way way = known->way ? *known->way : prompt_way_of(known->model);
        count_tokens(call, need, &way);
    }
    return true;
}

// Conditions for which the request has to be read, and those that ask who it is from.
#define USES_TEXT                                                                                                      \
    (CONDITION_USES(CONDITION_COMPLEXITY) | CONDITION_USES(CONDITION_MESSAGES) | CONDITION_USES(CONDITION_TASK) |      \
     CONDITION_USES(CONDITION_TIER) | CONDITION_USES(CONDITION_LANGUAGE) | CONDITION_USES(CONDITION_TOOLS) |           \
     CONDITION_USES(CONDITION_VISION) | CONDITION_USES(CONDITION_AUDIO) | CONDITION_USES(CONDITION_JSON) |             \
     CONDITION_USES(CONDITION_REASONING))
#define USES_NAMES (CONDITION_USES(CONDITION_USER) | CONDITION_USES(CONDITION_SESSION))

static bool read_for(struct call *call, struct need *need, const struct route_model *m, struct err *err) {
    const struct facts_known known = {.abilities = m->known, .window = window_of(&m->least), .way = &m->way};
    bool asked = (m->uses & USES_TEXT) || m->conf->policy.quality.leads || m->conf->strategy == STRATEGY_COMPLEXITY ||
                 m->conf->tasks.n;
    // Tokens are counted once a condition asks that bytes do not decide: what is plain is not even read before.
    bool by_tokens = m->uses & CONDITION_USES(CONDITION_TOKENS);
    asked = asked || (by_tokens && !(m->count && is_plain(need)));
    if (!read_abilities(call, need, &known, asked, err)) return false;
    if (by_tokens && m->count && is_chat(call)) need->way = &m->way;
    if (strategy_get((enum conf_strategy)m->conf->strategy)->wants_cost) need_count(need);
    return true;
}

// The tokens of the prompt, exact from there on.
static double tokens_from(struct need *need, double from) {
    if (need->way && !need->route.model.counted &&
        (double)prompt_tokens_most(need->chat, need->call->request.body.n) >= from)
        need_count(need);
    return (double)need->route.model.tokens;
}

// Of a provider's model by its name: what the catalogue has of it. Plain requests that fit any model ask nobody.
static bool read_direct(struct call *call, struct need *need, const struct conf_choice *choice, struct err *err) {
    if (!is_chat(call) || (call->request.body.n < SMALLEST_WINDOW && model_need_plain(&call->request))) return true;
    const struct model_entry *e =
        model_catalog_find(call->runtime->models, choice->peer->preset->name, choice->upstream);
    if (!e) return true;
    const struct facts_known known = {.abilities = true, .window = window_of(e), .model = choice->upstream};
    return read_abilities(call, need, &known, false, err);
}

const struct complexity *need_complexity(struct need *need) {
    if (need->judged) return &need->complexity;
    need->judged = true;
    if (need->chat) complexity_of_chat(&need->call->runtime->routes->lexicon, need->chat, &need->complexity);
    return &need->complexity;
}

// --- conditions ---

#define CONDITION_VALUE_MAX ((size_t)64 * 1024) // a longer text is none: conditions take as long as texts are

static bool text(struct str t, struct condition_value *out) {
    if (t.n > CONDITION_VALUE_MAX) t = STR("");
    out->text = t;
    return t.n > 0;
}

static bool number(double n, struct condition_value *out) {
    out->number = n;
    return true;
}

static bool truth(bool t, struct condition_value *out) {
    out->truth = t;
    return true;
}

#define DAY_S 86400

// As the clocks of its tenant show it, by which its budgets count too.
static bool get_time(const struct call *call, enum condition_name name, struct condition_value *out) {
    int64_t s = call->ts / (int64_t)NS_PER_SEC;
    s += zone_offset(call->key ? call->key->zone : NULL, s);
    int64_t v = s % DAY_S / 3600;
    if (name == CONDITION_MINUTE) v = s % 3600 / 60;
    if (name == CONDITION_WEEKDAY) v = (s / DAY_S + 3) % 7 + 1; // 1970 began on a Thursday
    return number((double)v, out);
}

static bool get_member(const struct need *need, enum condition_name name, struct str key, struct condition_value *out) {
    const struct call *call = need->call;
    if (name == CONDITION_HEADER) return text(field(call, key), out);
    if (name == CONDITION_METADATA) return text(member(call, need->metadata, key), out);
    return text(call->key ? member(call, call->key->tags, key) : STR(""), out);
}

static bool get_place(const struct call *call, enum condition_name name, struct condition_value *out) {
    const struct key_entry *key = call->key;
    if (!key) return text(STR(""), out);
    if (name == CONDITION_TENANT) return text(key->tenant.n ? key->tenant : STR("default"), out);
    if (name == CONDITION_TEAM) return text(key->team, out);
    if (name == CONDITION_PROJECT) return text(key->project, out);
    return text(key->name, out);
}

static bool get_ability(const struct need *need, enum condition_name name, struct condition_value *out) {
    unsigned can = need->route.model.can;
    if (name == CONDITION_VISION) return truth(can & MODEL_CAN_VISION, out);
    if (name == CONDITION_AUDIO) return truth(can & (MODEL_CAN_AUDIO_INPUT | MODEL_CAN_AUDIO_OUTPUT), out);
    if (name == CONDITION_REASONING) return truth(can & MODEL_CAN_REASONING, out);
    if (name == CONDITION_TOOLS) return truth(need->route.model.tools > 0, out);
    return truth(need->chat && need->chat->output != CHAT_OUTPUT_TEXT, out);
}

static bool get_judged(struct need *need, enum condition_name name, struct condition_value *out) {
    const struct complexity *c = need_complexity(need);
    if (name == CONDITION_COMPLEXITY) return number(c->score, out);
    if (name == CONDITION_TIER) return text(tier_name(c->tier), out);
    if (name == CONDITION_LANGUAGE) return text(language_code(c->language), out);
    return text(need->asked_task.n ? need->asked_task : task_name(c->task), out);
}

static bool get(const void *ctx, enum condition_name name, struct str key, double from, struct condition_value *out) {
    struct need *need = (struct need *)(uintptr_t)ctx;
    const struct call *call = need->call;
    switch (name) {
    case CONDITION_TOKENS:
        return number(tokens_from(need, from), out);
    case CONDITION_MAX_TOKENS:
        return number((double)need->route.model.output, out);
    case CONDITION_MESSAGES:
        return number((double)need->route.model.turns, out);
    case CONDITION_HOUR:
    case CONDITION_MINUTE:
    case CONDITION_WEEKDAY:
        return get_time(call, name, out);
    case CONDITION_MODEL:
        return text(call->request.model, out);
    case CONDITION_ENDPOINT:
        return text(call->endpoint->name, out);
    case CONDITION_TENANT:
    case CONDITION_TEAM:
    case CONDITION_PROJECT:
    case CONDITION_KEY:
        return get_place(call, name, out);
    case CONDITION_USER:
        return text(need->user, out);
    case CONDITION_SESSION:
        return text(need->session, out);
    case CONDITION_COMPLEXITY:
    case CONDITION_TASK:
    case CONDITION_TIER:
    case CONDITION_LANGUAGE:
        return get_judged(need, name, out);
    case CONDITION_PRIVACY:
        return text(need->route.private ? STR("private") : STR(""), out);
    case CONDITION_STREAM:
        return truth(call->request.stream, out);
    case CONDITION_TOOLS:
    case CONDITION_VISION:
    case CONDITION_AUDIO:
    case CONDITION_JSON:
    case CONDITION_REASONING:
        return get_ability(need, name, out);
    case CONDITION_HEADER:
    case CONDITION_METADATA:
    case CONDITION_TAG:
        return get_member(need, name, key, out);
    case CONDITION_NAME_COUNT:
        break;
    }
    return false;
}

// --- the whole ---

static bool fill_for(struct call *call, struct need *need, const struct route_model *m, struct err *err) {
    bool by_name = m->conf->strategy == STRATEGY_STICKY || m->conf->strategy == STRATEGY_AB;
    if (by_name || (m->uses & USES_NAMES) || m->conf->tasks.n || m->conf->canary.model.n) read_names(call, need);
    if (by_name) need->route.affinity = affinity_of(call, need, m->conf->policy.affinity);
    if (!read_for(call, need, m, err)) return false;
    uint64_t otherwise = (uint64_t)call->runtime->conf->quota.default_output_tokens;
    need->route.expected = (struct usage){.prompt = need->route.model.tokens,
                                          .output = estimate_output(&call->gl->estimates, &call->request, otherwise)};
    need->route.env = &need->env;
    if (m->conf->policy.quality.leads && need->chat) need->route.task = (size_t)need_complexity(need)->task + 1;
    if (m->conf->strategy == STRATEGY_COMPLEXITY) need->route.tier = need_complexity(need)->tier;
    return true;
}

bool need_fill_for(struct call *call, struct str model, struct err *err) {
    struct need *need = ARENA_NEW(&call->req->arena, struct need);
    struct conf_choice choice = {0};
    if (!need) return err_no_memory(err);
    need->call = call;
    need->env = (struct condition_env){.get = get, .ctx = need};
    need->user = need->session = need->metadata = need->asked_task = need->odd_task = STR("");
    call->need = need;
    read_task(call, need);
    if (!read_limits(call, need, err)) return false;
    need->route.model = model_need_of_request(&call->request);
    if (!conf_resolve(call->runtime->conf, call->tenant, model, &choice)) return true; // which is said later
    if (!choice.model) return read_direct(call, need, &choice, err);
    return fill_for(call, need, &call->runtime->routes->models[choice.model->index], err);
}

bool need_fill(struct call *call, struct err *err) { return need_fill_for(call, call->request.model, err); }

bool need_affinity(const struct need *need, const struct route_model *m, uint64_t *out_affinity) {
    int by = m->conf->policy.affinity;
    bool known =
        by == AFFINITY_KEY || by == AFFINITY_PROMPT || need->user.n || (by == AFFINITY_SESSION && need->session.n);
    if (known) *out_affinity = affinity_of(need->call, need, by);
    return known;
}
