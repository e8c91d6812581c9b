// Nanoseconds a permission decision takes on a warm policy, beside a scan of all grants; prints one JSON object a case.
#include "access/policy.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOW INT64_C(1700000000000000000)
#define TENANT 10
#define QUESTIONS 4096
#define NEEDED_NS (300 * 1000000u) // of measuring a case

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void need(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "bench_policy: %s\n", what);
    exit(1);
}

// A grant as a scan wants it: everything is read beforehand.
struct plain {
    enum principal_kind kind;
    int64_t holder, scope_id;
    enum scope_kind scope;
    uint32_t actions; // on models
    struct str name;  // empty = any
    bool deny, prefix;
};

struct question {
    struct policy_subject subject;
    int64_t teams[2];
    struct policy_resource resource;
    bool allowed;
};

struct bench {
    size_t n;
    struct policy *policy;
    struct plain *plain;
    char (*names)[40];
    struct question *questions;
};

static void add(struct bench *b, struct policy_builder *builder, size_t i, struct policy_grant g) {
    struct err err;
    struct str slash = str_from(g.resource, str_find_char(g.resource, '/') + 1);
    bool prefix = str_ends(slash, STR("*"));
    g.id = (int64_t)i + 1;
    g.tenant = TENANT;
    need(policy_add_grant(builder, &g, &err), "no memory");
    b->plain[i] = (struct plain){.kind = g.principal.kind,
                                 .holder = g.principal.id,
                                 .scope = g.scope,
                                 .scope_id = g.scope_id,
                                 .actions = 1u << ACTION_USE,
                                 .name = str_head(slash, slash.n - prefix),
                                 .deny = g.deny,
                                 .prefix = prefix};
}

// Ten grants a user, each for one model; every user in two of fifty teams, which have a deny and an allow each.
static void fill_spread(struct bench *b, struct policy_builder *builder) {
    for (size_t i = 0; i < b->n; i++) {
        struct policy_grant g = {.principal = {PRINCIPAL_USER, (int64_t)(i / 10) + 1},
                                 .permissions = STR_INIT("[\"model:use\"]"),
                                 .scope = SCOPE_TENANT,
                                 .scope_id = TENANT};
        snprintf(b->names[i], sizeof *b->names, "model/m%zu", i % 1000);
        g.resource = str_c(b->names[i]);
        if (i < 100) {
            g.principal = (struct principal){PRINCIPAL_TEAM, (int64_t)(i / 2) + 1};
            g.deny = i % 2 == 0;
            snprintf(b->names[i], sizeof *b->names, "model/%s%zu*", g.deny ? "no" : "t", i / 2);
            g.resource = str_c(b->names[i]);
        }
        add(b, builder, i, g);
    }
}

// All are one user's: whatever is asked, all of them are about it.
static void fill_one(struct bench *b, struct policy_builder *builder) {
    for (size_t i = 0; i < b->n; i++) {
        struct policy_grant g = {.principal = {PRINCIPAL_USER, 1},
                                 .permissions = STR_INIT("[\"model:use\"]"),
                                 .scope = SCOPE_PROJECT,
                                 .scope_id = (int64_t)(i % 20) + 1,
                                 .deny = i % 10 == 9};
        snprintf(b->names[i], sizeof *b->names, "model/m%zu%s", i, i % 5 == 4 ? "-*" : "");
        g.resource = str_c(b->names[i]);
        add(b, builder, i, g);
    }
}

static bool naive(const struct bench *b, const struct question *q) {
    bool allowed = false;
    for (size_t i = 0; i < b->n; i++) {
        const struct plain *g = &b->plain[i];
        bool mine = g->kind == PRINCIPAL_USER ? g->holder == q->subject.principal.id
                                              : g->holder == q->teams[0] || g->holder == q->teams[1];
        if (!mine || !(g->actions >> ACTION_USE & 1)) continue;
        if (g->scope == SCOPE_PROJECT && g->scope_id != q->resource.project) continue;
        bool means = g->prefix ? str_starts(q->resource.id, g->name) : str_eq(g->name, q->resource.id);
        if (!means) continue;
        if (g->deny) return false;
        allowed = true;
    }
    return allowed;
}

static void ask(struct bench *b, bool spread) {
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct question *q = &b->questions[i];
        size_t at = 100 + i * 7919 % (b->n - 100);
        static char names[QUESTIONS][40];
        int64_t user = spread ? (int64_t)(at / 10) + 1 : 1;
        if (i % 2)
            snprintf(names[i], sizeof names[i], "m-none%zu", i);
        else
            snprintf(names[i], sizeof names[i], "%s", b->names[at] + 6);
        q->resource = (struct policy_resource){.type = RESOURCE_MODEL,
                                               .tenant = TENANT,
                                               .team = user % 50 + 1,
                                               .project = spread ? 3 : (int64_t)(at % 20) + 1,
                                               .id = str_c(names[i]),
                                               .name = str_c(names[i])};
        q->teams[0] = spread ? user % 50 + 1 : 0;
        q->teams[1] = spread ? user % 49 + 1 : 0;
        policy_subject_init(b->policy, (struct principal){PRINCIPAL_USER, user}, TENANT, NULL, &q->subject);
    }
}

static double measure(struct bench *b, bool ours, size_t *out_yes) {
    uint64_t start = now_ns(), asked = 0;
    struct policy_decision d;
    size_t questions = ours ? QUESTIONS : 64;
    do {
        *out_yes = 0;
        for (size_t i = 0; i < questions; i++) {
            struct question *q = &b->questions[i];
            bool yes = ours ? policy_decide(b->policy, &q->subject, ACTION_USE, &q->resource, NOW, &d) : naive(b, q);
            if (ours)
                q->allowed = yes;
            else
                need(yes == q->allowed, "the scan decides otherwise");
            *out_yes += yes;
        }
        asked += questions;
    } while (now_ns() - start < NEEDED_NS);
    return (double)(now_ns() - start) / (double)asked;
}

static void run(const char *name, size_t n) {
    struct bench b = {.n = n};
    struct policy_builder *builder = NULL;
    struct err err;
    bool spread = name[0] == 's';
    b.plain = mem_zalloc(n, sizeof *b.plain);
    b.names = mem_zalloc(n, sizeof *b.names);
    b.questions = mem_zalloc(QUESTIONS, sizeof *b.questions);
    need(b.plain && b.names && b.questions && policy_builder_create(&builder, &err), "no memory");
    (spread ? fill_spread : fill_one)(&b, builder);
    for (int64_t u = 1; spread && u <= (int64_t)(n / 10) + 1; u++)
        for (int64_t t = 0; t < 2; t++)
            need(policy_add_member(builder, u % (50 - t) + 1, (struct principal){PRINCIPAL_USER, u}, &err),
                 "no memory");
    uint64_t start = now_ns();
    need(policy_build(builder, &b.policy, &err), "no memory");
    double build_ms = (double)(now_ns() - start) / 1e6;
    policy_builder_free(builder);
    ask(&b, spread);
    size_t yes, naive_yes;
    double ours = measure(&b, true, &yes), scan = measure(&b, false, &naive_yes);
    printf(
        "{\"case\": \"%s\", \"grants\": %zu, \"ns\": %.0f, \"scan_ns\": %.0f, \"build_ms\": %.1f, \"allowed\": %.2f}\n",
        name, n, ours, scan, build_ms, (double)yes / QUESTIONS);
    policy_unref(b.policy);
    mem_free(b.plain);
    mem_free(b.names);
    mem_free(b.questions);
}

int main(void) {
    static const size_t sizes[] = {10000, 100000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        run("spread", sizes[i]);
        run("one holder", sizes[i]);
    }
    return 0;
}
