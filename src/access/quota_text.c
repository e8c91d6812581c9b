// What callers are told of budgets: the fields of answers, and the message of a refusal.
#include "access/quota_impl.h"

#include "base/text.h"
#include "os/clock.h"

#include <stdio.h>

static const struct str k_units[BUDGET_METRIC_COUNT] = {[BUDGET_REQUESTS] = STR_INIT("requests"),
                                                        [BUDGET_TOKENS] = STR_INIT("tokens"),
                                                        [BUDGET_COST] = STR_INIT("microdollars"),
                                                        [BUDGET_CONCURRENCY] = STR_INIT("concurrent-requests")};

// --- The message --------------------------------------------------------------------------------------------------

#define AMOUNT_TEXT 48

// "1250000 tokens", "12.50 USD".
static void amount_text(char out[AMOUNT_TEXT], enum budget_metric metric, uint64_t amount) {
    if (metric == BUDGET_COST) {
        uint64_t micro = (amount + 500) / 1000;
        if (micro % 10000)
            snprintf(out, AMOUNT_TEXT, "%llu.%06llu USD", (unsigned long long)(micro / 1000000),
                     (unsigned long long)(micro % 1000000));
        else
            snprintf(out, AMOUNT_TEXT, "%llu.%02llu USD", (unsigned long long)(micro / 1000000),
                     (unsigned long long)(micro % 1000000 / 10000));
        return;
    }
    const char *unit = metric == BUDGET_CONCURRENCY ? "request" : metric == BUDGET_TOKENS ? "token" : "request";
    snprintf(out, AMOUNT_TEXT, "%llu %s%s", (unsigned long long)amount, unit, amount == 1 ? "" : "s");
}

static void whose_text(char *out, size_t size, const struct quota_budget *b) {
    struct str kind = budget_scope_name(b->scope), name = str_head(b->scope_name, 80);
    bool spaced = b->scope == BUDGET_SCOPE_SERVICE_ACCOUNT;
    const char *shown = spaced ? "service account" : kind.p;
    int n = spaced ? (int)strlen(shown) : (int)kind.n;
    if (name.n)
        snprintf(out, size, "%.*s \"%.*s\"", n, shown, STR_ARG(name));
    else
        snprintf(out, size, "%s%.*s", b->scope == BUDGET_SCOPE_TENANT ? "the " : "", n, shown);
}

static void when_text(char *out, size_t size, const struct quota_refusal *r, int64_t now_ns) {
    if (r->budget->metric == BUDGET_CONCURRENCY) {
        snprintf(out, size, "try again when one of them has ended");
    } else if (r->resets_at == 0) {
        snprintf(out, size, "it does not begin anew by itself");
    } else {
        char at[TIME_TEXT_LEN];
        int64_t in = (r->resets_at - now_ns) / (int64_t)NS_PER_SEC + 1;
        time_text(at, r->resets_at);
        if (in < 120)
            snprintf(out, size, "it begins anew in %lld s", (long long)MAX(in, INT64_C(1)));
        else
            snprintf(out, size, "it begins anew on %.10s at %.8s UTC", at, at + 11);
    }
}

static const char *period_text(const struct quota_budget *b) {
    static const char *const texts[BUDGET_PERIOD_COUNT] = {[BUDGET_MINUTE] = " a minute",
                                                           [BUDGET_HOUR] = " an hour",
                                                           [BUDGET_DAY] = " a day",
                                                           [BUDGET_MONTH] = " a month",
                                                           [BUDGET_TOTAL] = " in all"};
    return b->metric == BUDGET_CONCURRENCY ? " at once" : texts[b->period];
}

void quota_refusal_err(const struct quota_refusal *r, int64_t now_ns, struct err *out_err) {
    const struct quota_budget *b = r->budget;
    char limit[AMOUNT_TEXT], used[AMOUNT_TEXT], asked[AMOUNT_TEXT], whose[120], when[80];
    if (!b) {
        err_set(out_err, ERR_RATE_LIMITED,
                "more than %d budgets apply to this request; the limit is there so that "
                "none goes unheeded: ask the operator to join some of them",
                QUOTA_GRANT_MAX);
        return;
    }
    enum err_code code = b->metric == BUDGET_COST ? ERR_QUOTA_EXCEEDED : ERR_RATE_LIMITED;
    amount_text(limit, b->metric, b->limit);
    amount_text(used, b->metric, MIN(r->used, b->limit));
    amount_text(asked, b->metric, r->asked);
    whose_text(whose, sizeof whose, b);
    when_text(when, sizeof when, r, now_ns);
    if (r->asked > b->limit && (b->metric == BUDGET_TOKENS || b->metric == BUDGET_COST))
        err_set(out_err, code,
                "The budget \"%.*s\" of %s allows %s%s, and this request alone may need %s: lower max_tokens, or send "
                "less.",
                STR_ARG(str_head(b->name, 80)), whose, limit, period_text(b), asked);
    else
        err_set(out_err, code,
                "The budget \"%.*s\" of %s is used up: it allows %s%s, of which %s are used or reserved, and this "
                "request may need %s; %s.",
                STR_ARG(str_head(b->name, 80)), whose, limit, period_text(b), used, asked, when);
}

// --- Fields of answers --------------------------------------------------------------------------------------------

#define ITEMS_MAX 8                           // in a list
#define NAME_MAX_LEN 64                       // of a budget, in a list
#define TEXT_MAX 5120                         // of all values: each item has a name, escaped, and three numbers
#define INTEGER_MAX UINT64_C(999999999999999) // of structured fields (RFC 8941, 3.3.1)

struct shown {
    const struct quota_budget *budget;
    uint64_t limit, left, length_s, reset_s; // length_s 0: without end
};

static uint64_t shown_amount(enum budget_metric metric, uint64_t v) {
    if (metric == BUDGET_COST) v /= 1000;
    return MIN(v, INTEGER_MAX);
}

// Of the one that refuses nothing is left for this caller, whatever other nodes may hold of it.
static bool show(const struct quota_part *part, const struct quota_refusal *refusal, int64_t now_ns,
                 struct shown *out) {
    struct quota_state s;
    const struct quota_budget *b = part->budget;
    if (b->action == BUDGET_NOTIFY || !quota_part_state(part, &s)) return false;
    uint64_t used = quota_part_shown(part);
    if (refusal && refusal->budget == b && refusal->by_cap) used = s.limit;
    *out = (struct shown){.budget = b,
                          .limit = shown_amount(b->metric, s.limit),
                          .left = shown_amount(b->metric, s.limit > used ? s.limit - used : 0)};
    if (s.end == INT64_MAX) return true;
    out->length_s = (uint64_t)(s.end - s.start) / NS_PER_SEC;
    out->reset_s = now_ns >= s.end ? 0 : ((uint64_t)(s.end - now_ns) + NS_PER_SEC - 1) / NS_PER_SEC;
    return true;
}

// Values are written one after the other into one piece of text.
struct fields {
    struct quota_header *out;
    unsigned n;
    char *at, *end;
};

static void put_text(struct fields *f, struct str s) {
    if ((size_t)(f->end - f->at) < s.n) return;
    memcpy(f->at, s.p, s.n);
    f->at += s.n;
}

static void put_char(struct fields *f, char c) {
    if (f->at < f->end) *f->at++ = c;
}

static void put_number(struct fields *f, struct str before, uint64_t v) {
    put_text(f, before);
    if (f->end - f->at >= 20) f->at += fmt_u64(f->at, v);
}

// A structured-field string holds printable ASCII only.
static void put_name(struct fields *f, struct str name) {
    put_char(f, '"');
    for (size_t i = 0; i < name.n && i < NAME_MAX_LEN; i++) {
        char c = name.p[i];
        if (c == '"' || c == '\\') put_char(f, '\\');
        put_char(f, c >= 0x20 && c < 0x7f ? c : '?');
    }
    put_char(f, '"');
}

static void put_policy(struct fields *f, const struct shown *s) {
    put_name(f, s->budget->name);
    put_number(f, STR(";q="), s->limit);
    if (s->budget->metric != BUDGET_REQUESTS) {
        put_text(f, STR(";qu=\""));
        put_text(f, k_units[s->budget->metric]);
        put_char(f, '"');
    }
    if (s->length_s) put_number(f, STR(";w="), s->length_s);
}

static void put_state(struct fields *f, const struct shown *s) {
    put_name(f, s->budget->name);
    put_number(f, STR(";r="), s->left);
    if (s->length_s) put_number(f, STR(";t="), s->reset_s);
}

// "6m0s", as OpenAI writes durations.
static void put_duration(struct fields *f, uint64_t s) {
    if (s >= 3600) put_number(f, STR(""), s / 3600), put_char(f, 'h');
    if (s >= 60) put_number(f, STR(""), s / 60 % 60), put_char(f, 'm');
    put_number(f, STR(""), s % 60);
    put_char(f, 's');
}

static void add_field(struct fields *f, struct str name, const char *from) {
    if (f->n < QUOTA_HEADERS_MAX) f->out[f->n++] = (struct quota_header){name, str_of(from, (size_t)(f->at - from))};
}

static void add_number(struct fields *f, struct str name, uint64_t v) {
    const char *from = f->at;
    put_number(f, STR(""), v);
    add_field(f, name, from);
}

static void add_list(struct fields *f, struct str name, const struct shown *all, unsigned n,
                     void (*put)(struct fields *f, const struct shown *s)) {
    const char *from = f->at;
    for (unsigned i = 0; i < n && i < ITEMS_MAX; i++) {
        if (i) put_text(f, STR(", "));
        put(f, &all[i]);
    }
    add_field(f, name, from);
}

// Of those of the metric, the one with the least left; of any metric but money when none is given.
static const struct shown *tightest(const struct shown *all, unsigned n, enum budget_metric metric) {
    const struct shown *found = NULL;
    for (unsigned i = 0; i < n; i++)
        if (all[i].budget->metric == metric && (!found || all[i].left < found->left)) found = &all[i];
    return found;
}

static void add_classic(struct fields *f, const struct shown *s) {
    add_number(f, STR("ratelimit-limit"), s->limit);
    add_number(f, STR("ratelimit-remaining"), s->left);
    if (s->length_s) add_number(f, STR("ratelimit-reset"), s->reset_s);
}

static void add_vendor(struct fields *f, const struct shown *s, const struct str names[3]) {
    add_number(f, names[0], s->limit);
    add_number(f, names[1], s->left);
    const char *from = f->at;
    if (!s->length_s) return;
    put_duration(f, s->reset_s);
    add_field(f, names[2], from);
}

static void add_retry(struct fields *f, const struct quota_refusal *r, int64_t now_ns) {
    if (!r->budget) return;
    if (r->budget->metric == BUDGET_CONCURRENCY)
        add_number(f, STR("retry-after"), 1);
    else if (r->resets_at)
        add_number(f, STR("retry-after"),
                   r->resets_at > now_ns ? ((uint64_t)(r->resets_at - now_ns) + NS_PER_SEC - 1) / NS_PER_SEC : 1);
}

// The text moves to where it stays.
static unsigned keep_fields(struct fields *f, const char *text, struct arena *arena) {
    size_t n = (size_t)(f->at - text);
    char *copy = n ? arena_alloc(arena, n) : NULL;
    if (!copy) return 0;
    memcpy(copy, text, n);
    for (unsigned i = 0; i < f->n; i++) f->out[i].value.p = copy + (f->out[i].value.p - text);
    return f->n;
}

unsigned quota_headers(const struct quota_grant *grant, const struct quota_refusal *refusal, int64_t now_ns,
                       struct arena *arena, struct quota_header out[QUOTA_HEADERS_MAX]) {
    static const struct str requests[] = {STR_INIT("x-ratelimit-limit-requests"),
                                          STR_INIT("x-ratelimit-remaining-requests"),
                                          STR_INIT("x-ratelimit-reset-requests")};
    static const struct str tokens[] = {STR_INIT("x-ratelimit-limit-tokens"), STR_INIT("x-ratelimit-remaining-tokens"),
                                        STR_INIT("x-ratelimit-reset-tokens")};
    char text[TEXT_MAX];
    struct fields f = {.out = out, .at = text, .end = text + TEXT_MAX};
    struct shown all[QUOTA_GRANT_MAX];
    unsigned n = 0;
    if (refusal) add_retry(&f, refusal, now_ns);
    for (unsigned i = 0; i < grant->n && i < QUOTA_GRANT_MAX; i++)
        n += show(&grant->parts[i], refusal, now_ns, &all[n]);
    if (n == 0) return keep_fields(&f, text, arena);
    add_list(&f, STR("ratelimit-policy"), all, n, put_policy);
    add_list(&f, STR("ratelimit"), all, n, put_state);
    const struct shown *by_requests = tightest(all, n, BUDGET_REQUESTS), *by_tokens = tightest(all, n, BUDGET_TOKENS);
    const struct shown *classic = by_requests ? by_requests : by_tokens;
    if (!classic) classic = tightest(all, n, BUDGET_CONCURRENCY);
    if (classic) add_classic(&f, classic);
    if (by_requests) add_vendor(&f, by_requests, requests);
    if (by_tokens) add_vendor(&f, by_tokens, tokens);
    return keep_fields(&f, text, arena);
}
