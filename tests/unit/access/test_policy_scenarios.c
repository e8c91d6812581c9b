// Reads scenarios.txt: makes the world it describes, and asks its questions.
#include "policy_rig.h"

#define NAMES_MAX 64
#define PATH "tests/unit/access/scenarios.txt"

struct named {
    char kind; // t tenant, m team, p project, u user, a account, g grant
    char name[32];
    int64_t id, tenant, team;
};
static struct named g_names[NAMES_MAX];
static int64_t g_count;
static struct policy_builder *g_builder;
static struct policy *g_policy;
static int g_line, g_asked;

static const struct named *find(const char *kinds, const char *name) {
    for (int64_t i = 0; i < g_count; i++)
        if (strchr(kinds, g_names[i].kind) && !strcmp(g_names[i].name, name)) return &g_names[i];
    return NULL;
}

static const struct named *must(const char *kinds, const char *name) {
    const struct named *n = find(kinds, name);
    if (!n) fprintf(stderr, PATH ":%d: there is no %s (%s)\n", g_line, name, kinds);
    REQUIRE(n != NULL);
    return n;
}

static struct named *add(char kind, const char *name) {
    REQUIRE(g_count < NAMES_MAX);
    struct named *n = &g_names[g_count++];
    n->kind = kind;
    n->id = g_count;
    snprintf(n->name, sizeof n->name, "%s", name);
    return n;
}

static struct principal who(const char *text, int64_t *out_home) {
    *out_home = 0;
    if (!strncmp(text, "team:", 5)) return team(must("m", text + 5)->id);
    if (!strncmp(text, "everybody:", 10)) return everybody(must("t", text + 10)->id);
    const struct named *n = find("ua", text);
    // Whom the policy does not know, by grants or teams, is at home in the first tenant.
    *out_home = n ? n->tenant : must("t", "acme")->id;
    if (!n) return user(999);
    return n->kind == 'u' ? user(n->id) : account(n->id);
}

// "a,b" as a JSON array; "-" as an empty one.
static struct str json_list(const char *text, char *space, size_t size) {
    struct str rest = str_c(text), part;
    size_t n = (size_t)snprintf(space, size, "[");
    while (strcmp(text, "-") != 0 && str_split(&rest, ',', &part))
        n += (size_t)snprintf(space + n, size - n, "%s\"%.*s\"", n > 1 ? "," : "", STR_ARG(part));
    n += (size_t)snprintf(space + n, size - n, "]");
    REQUIRE(n < size);
    return str_of(space, n);
}

static struct str json_map(const char *text, char *space, size_t size) {
    struct str rest = str_c(text), part;
    size_t n = (size_t)snprintf(space, size, "{");
    while (str_split(&rest, ',', &part)) {
        size_t at = str_find_char(part, '=');
        n += (size_t)snprintf(space + n, size - n, "%s\"%.*s\":\"%.*s\"", n > 1 ? "," : "", STR_ARG(str_head(part, at)),
                              STR_ARG(str_from(part, at + 1)));
    }
    n += (size_t)snprintf(space + n, size - n, "}");
    REQUIRE(n < size);
    return str_of(space, n);
}

static const char *after(const char *word, const char *prefix) {
    size_t n = strlen(prefix);
    return !strncmp(word, prefix, n) ? word + n : NULL;
}

static int64_t moment(const char *seconds) { return NOW + strtoll(seconds, NULL, 10) * INT64_C(1000000000); }

// --- the world ---

static void read_place(char **words, int n) {
    struct err err;
    if (!strcmp(words[0], "tenant")) {
        struct named *t = add('t', words[1]);
        t->tenant = t->id;
        REQUIRE(policy_add_principal(g_builder, everybody(t->id), t->id, n < 3, &err));
    } else if (!strcmp(words[0], "team")) {
        add('m', words[1])->tenant = must("t", words[2])->id;
    } else if (!strcmp(words[0], "project")) {
        struct named *p = add('p', words[1]);
        p->tenant = must("t", words[2])->id;
        p->team = n > 3 ? must("m", words[3])->id : 0;
    } else if (!strcmp(words[0], "user") || !strcmp(words[0], "account")) {
        struct named *u = add(words[0][0], words[1]);
        u->tenant = must("t", words[2])->id;
        struct principal p = u->kind == 'u' ? user(u->id) : account(u->id);
        REQUIRE(policy_add_principal(g_builder, p, u->tenant, n < 4, &err));
    } else {
        int64_t home;
        REQUIRE(!strcmp(words[0], "member"));
        REQUIRE(policy_add_member(g_builder, must("m", words[1])->id, who(words[2], &home), &err));
    }
}

static void read_role(char **words) {
    char parents[200], gives[400];
    struct err err;
    const struct policy_role role = {must("t", words[1])->id, str_c(words[2]),
                                     json_list(after(words[3], "parents="), parents, sizeof parents),
                                     json_list(after(words[4], "gives="), gives, sizeof gives)};
    REQUIRE(policy_add_role(g_builder, &role, &err));
}

static void read_option(struct policy_grant *g, const char *word) {
    const char *v;
    int64_t ignored;
    if (!strcmp(word, "deny"))
        g->deny = true;
    else if (!strcmp(word, "revoked"))
        g->revoked_at = NOW - 1;
    else if ((v = after(word, "on=")))
        g->resource = str_c(v);
    else if ((v = after(word, "if=")))
        g->condition = str_c(v);
    else if ((v = after(word, "from=")))
        g->not_before = moment(v);
    else if ((v = after(word, "until=")))
        g->expires_at = moment(v);
    else if ((v = after(word, "of=")))
        g->parent = must("g", v)->id;
    else if ((v = after(word, "by=")))
        g->granted_by = who(v, &ignored);
    else
        REQUIRE(false); // no option that grants have
}

static void read_grant(char **words, int n) {
    char gives[400];
    int64_t ignored;
    struct policy_grant g = {.id = add('g', words[1])->id, .tenant = must("t", words[2])->id};
    const char *v;
    g.principal = who(words[3], &ignored);
    if ((v = after(words[4], "role=")))
        g.role = str_c(v);
    else
        g.permissions = json_list(after(words[4], "gives="), gives, sizeof gives);
    char *place = strchr(words[5], ':');
    if (place) *place++ = '\0';
    REQUIRE(scope_kind_parse(str_c(words[5]), &g.scope));
    if (place) g.scope_id = must(g.scope == SCOPE_TEAM ? "m" : "p", place)->id;
    for (int i = 6; i < n; i++) read_option(&g, words[i]);
    put_grant(g_builder, g);
}

// --- the questions ---

static void find_place(char *text, struct policy_resource *r) {
    char *part[3] = {text, NULL, NULL};
    for (int i = 1; i < 3 && part[i - 1] && (part[i] = strchr(part[i - 1], '/')); i++) *part[i]++ = '\0';
    if (strcmp(part[0], "-") != 0) r->tenant = must("t", part[0])->id;
    if (part[1] && strcmp(part[1], "-") != 0) r->team = must("m", part[1])->id;
    if (part[2]) r->project = must("p", part[2])->id;
}

static void read_question(char **words, int n) {
    struct permission_set within = {0};
    const struct permission_set *bound = NULL;
    struct policy_resource r = {.tenant = 0};
    struct policy_decision d;
    struct err err;
    enum action action;
    int64_t home, now = NOW;
    char tags[200], list[200];
    const char *v;
    struct principal asker = who(words[2], &home);
    struct str permission = str_c(words[3]);
    size_t colon = str_find_char(permission, ':');
    REQUIRE(resource_type_parse(str_head(permission, colon), &r.type) &&
            action_parse(str_from(permission, colon + 1), &action));
    find_place(words[4], &r);
    if (strcmp(words[5], "-") != 0) r.name = str_c(words[5]);
    for (int i = 6; i < n; i++) {
        if ((v = after(words[i], "tags="))) r.tags = json_map(v, tags, sizeof tags);
        if ((v = after(words[i], "at="))) now = moment(v);
        if ((v = after(words[i], "scopes="))) {
            REQUIRE(permission_read_json(&within, json_list(v, list, sizeof list), &err));
            bound = &within;
        }
    }
    d = ask_at(g_policy, asker, home, bound, action, r, now);
    struct str got = policy_reason_text(d.reason);
    if (!str_eq(got, str_c(words[1]))) fprintf(stderr, PATH ":%d: the answer was %.*s\n", g_line, STR_ARG(got));
    CHECK_STR(got, str_c(words[1]));
    CHECK(d.allowed == (d.reason == POLICY_GRANTED));
    g_asked++;
}

static void read_line(char *line) {
    char *words[16], *rest = line;
    int n = 0;
    for (char *word; n < 16 && (word = strsep(&rest, " \t\n"));)
        if (*word) words[n++] = word;
    if (n == 0 || words[0][0] == '#') return;
    if (!strcmp(words[0], "ask")) {
        if (!g_policy) g_policy = builder_done(g_builder);
        read_question(words, n);
    } else if (!strcmp(words[0], "grant")) {
        read_grant(words, n);
    } else if (!strcmp(words[0], "role")) {
        read_role(words);
    } else {
        read_place(words, n);
    }
}

static void test_scenarios(void) {
    FILE *file = fopen(PATH, "r");
    char line[300];
    REQUIRE(file != NULL);
    g_builder = builder_make();
    while (fgets(line, sizeof line, file)) {
        g_line++;
        read_line(line);
    }
    fclose(file);
    CHECK(g_asked >= 50);
    CHECK_INT(policy_faults(g_policy), 0);
    policy_unref(g_policy);
}

TEST_MAIN(test_scenarios)
