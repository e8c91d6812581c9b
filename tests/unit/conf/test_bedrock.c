// What a provider of kind bedrock takes from the environment, and what it lacks.
#include "world.h"

#include <stdlib.h>

static struct world world(const char *text) { return (struct world){.files = {{"main.yaml", text}}}; }

static void keys_of_the_environment(void) {
    struct world w = world("providers: [{name: bedrock}]\n");
    w.vars[0] = "AWS_ACCESS_KEY_ID=AKID";
    w.vars[1] = "AWS_SECRET_ACCESS_KEY=very/secret+";
    w.vars[2] = "AWS_SESSION_TOKEN=temporary";
    w.vars[3] = "AWS_DEFAULT_REGION=eu-central-1";
    struct conf *c = load_good(&w);
    const struct conf_provider *p = &c->providers.p[0];
    CHECK_STR(p->access_key_id, STR("AKID"));
    CHECK_STR(secret_str(&p->api_key), STR("very/secret+"));
    CHECK_STR(secret_str(&p->session_token), STR("temporary"));
    CHECK_STR(p->region, STR("eu-central-1"));
    CHECK_STR(p->base_url, STR("https://bedrock-runtime.eu-central-1.amazonaws.com"));
    CHECK_STR(p->url.host, STR("bedrock-runtime.eu-central-1.amazonaws.com"));
    done(&w, c);
}

static void regions_in_china(void) {
    static const char *const regions[] = {"cn-north-1", "cn-northwest-1"};
    for (size_t i = 0; i < ARRAY_LEN(regions); i++) {
        char region[40], base_url[100], sts[100];
        struct world w = world("providers: [{name: bedrock}]\n");
        snprintf(region, sizeof region, "AWS_REGION=%s", regions[i]);
        snprintf(base_url, sizeof base_url, "https://bedrock-runtime.%s.amazonaws.com.cn", regions[i]);
        snprintf(sts, sizeof sts, "https://sts.%s.amazonaws.com.cn", regions[i]);
        w.vars[0] = "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/token";
        w.vars[1] = "AWS_ROLE_ARN=arn:aws-cn:iam::1:role/r";
        w.vars[2] = region;
        struct conf *c = load_good(&w);
        CHECK_STR(c->providers.p[0].base_url, str_c(base_url));
        CHECK_STR(c->providers.p[0].identity.url, str_c(sts));
        done(&w, c);
    }
}

static void a_bearer_token_goes_before(void) {
    struct world w = world("providers: [{name: bedrock, region: us-east-1}]\n");
    w.vars[0] = "AWS_ACCESS_KEY_ID=AKID";
    w.vars[1] = "AWS_SECRET_ACCESS_KEY=s";
    w.vars[2] = "AWS_BEARER_TOKEN_BEDROCK=bearer";
    w.vars[3] = "AWS_REGION=elsewhere";
    struct conf *c = load_good(&w);
    const struct conf_provider *p = &c->providers.p[0];
    CHECK_STR(p->access_key_id, STR(""));
    CHECK_STR(secret_str(&p->api_key), STR("bearer"));
    CHECK_STR(p->region, STR("us-east-1"));
    done(&w, c);
}

static void what_is_given_stays(void) {
    struct world w =
        world("providers: [{name: a, kind: bedrock, base_url: \"http://127.0.0.1:1\", region: r, api_key: k}]\n");
    w.vars[0] = "AWS_ACCESS_KEY_ID=AKID";
    w.vars[1] = "AWS_SECRET_ACCESS_KEY=s";
    struct conf *c = load_good(&w);
    const struct conf_provider *p = &c->providers.p[0];
    CHECK_STR(p->access_key_id, STR(""));
    CHECK_STR(secret_str(&p->api_key), STR("k"));
    CHECK_STR(p->base_url, STR("http://127.0.0.1:1"));
    done(&w, c);
}

static void the_role_that_the_environment_names(void) {
    struct world w = world("providers: [{name: bedrock}]\n");
    w.vars[0] = "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/token";
    w.vars[1] = "AWS_ROLE_ARN=arn:aws:iam::1:role/r";
    w.vars[2] = "AWS_REGION=eu-central-1";
    struct conf *c = load_good(&w);
    const struct conf_identity *id = &c->providers.p[0].identity;
    CHECK_INT(id->from, IDENTITY_WEB);
    CHECK_STR(id->url, STR("https://sts.eu-central-1.amazonaws.com"));
    CHECK_STR(id->session, STR("penstock"));
    done(&w, c);
    w = world("providers: [{name: bedrock, region: r}]\n");
    w.vars[0] = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/x";
    c = load_good(&w);
    CHECK_INT(c->providers.p[0].identity.from, IDENTITY_CONTAINER);
    CHECK_STR(c->providers.p[0].identity.url, STR("http://169.254.170.2/v2/credentials/x"));
    done(&w, c);
    w = world("providers: [{name: bedrock, region: r, credentials: auto}]\n");
    c = load_good(&w);
    CHECK_INT(c->providers.p[0].identity.from, IDENTITY_MACHINE);
    CHECK_STR(c->providers.p[0].identity.url, STR("http://169.254.169.254"));
    done(&w, c);
}

// The first line of the problems.
static void expect_problem(struct world *w, const char *part) {
    BUF_AUTO struct buf text = BUF_INIT(1 << 20);
    struct conf *c = load(w, &text);
    CHECK(!c);
    if (str_find(buf_str(&text), str_c(part)) == text.n) fprintf(stderr, "%.*s", STR_ARG(buf_str(&text)));
    CHECK(str_find(buf_str(&text), str_c(part)) < text.n);
    done(w, c);
}

static void what_is_missing_is_said(void) {
    struct world w = world("providers: [{name: bedrock}]\n");
    expect_problem(&w, "base_url");
    w = world("providers: [{name: bedrock, access_key_id: a, region: r}]\n");
    expect_problem(&w, "it is the secret that belongs to access_key_id");
    w = world("providers: [{name: bedrock, access_key_id: a, api_key: s, base_url: \"http://127.0.0.1:1\"}]\n");
    expect_problem(&w, "\"region\" is missing");
    w = world("providers: [{name: bedrock, region: r}]\n");
    w.vars[0] = "AWS_BEARER_TOKEN_BEDROCK=two words";
    expect_problem(&w, "AWS_BEARER_TOKEN_BEDROCK holds a space");
}

TEST_MAIN(keys_of_the_environment, regions_in_china, a_bearer_token_goes_before, what_is_given_stays,
          the_role_that_the_environment_names, what_is_missing_is_said)
