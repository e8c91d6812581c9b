// Who is calling: checks the key against the ring, and has the ring renewed when keys have changed.
#include "gateway/pipeline.h"

#include "gateway/answer.h"
#include "gateway/keys.h"
#include "gateway/native_call.h"
#include "gateway/tokens.h"

#include "access/token.h"
#include "base/mem.h"
#include "store/tenant.h"

struct refresh {
    struct work work; // first
    struct gateway_loop *gl;
    struct keyring *ring;
    bool ok;
    struct err err;
};

static void refresh_run(struct work *work) {
    struct refresh *r = (struct refresh *)work;
    r->ok = keys_current(r->gl->gateway->o.keys, &r->ring, &r->err);
}

static void refresh_done(struct work *work) {
    struct refresh *r = (struct refresh *)work;
    struct gateway_loop *gl = r->gl;
    struct wait_list woken;
    gl->refreshing = false;
    wait_move(&gl->waiting, &woken);
    if (r->ok) {
        keyring_unref(gl->ring);
        gl->ring = r->ring;
        if (keyring_damaged(gl->ring))
            log_warn(
                gl->gateway->o.log,
                LOG_MSG(
                    "keys whose list of models, scopes, owner or allowed places cannot be read may do nothing by it"),
                LOG_INT("keys", keyring_damaged(gl->ring)));
    } else {
        log_error(gl->gateway->o.log, LOG_MSG("the keys could not be read"), LOG_ERR(&r->err));
    }
    for (struct call *call; (call = wait_take(&woken));) {
        if (r->ok)
            pipeline_resume(call);
        else
            call_fail(call, &r->err);
    }
    mem_free(r);
}

static enum stage_result wait_for_ring(struct call *call, struct err *err) {
    struct gateway_loop *gl = call->gl;
    if (!gl->refreshing) {
        struct refresh *r = mem_zalloc(1, sizeof *r);
        if (r) *r = (struct refresh){.work = {.run = refresh_run, .done = refresh_done}, .gl = gl};
        if (!r || !loop_work(gl->loop, &r->work)) {
            mem_free(r);
            err_no_memory(err);
            return STAGE_FAIL;
        }
        gl->refreshing = true;
    }
    wait_add(&gl->waiting, call);
    return STAGE_WAIT;
}

// Google's clients may put it into the address: "?key=…". Only there, and never logged: the access log has no queries.
static struct str query_key(const struct http_req *req) {
    struct str rest = req->query, part;
    if (!str_starts(req->path, STR("/v1beta/"))) return STR("");
    while (rest.n && str_split(&rest, '&', &part))
        if (str_starts(part, STR("key="))) return str_from(part, 4);
    return STR("");
}

static struct str presented_key(const struct http_req *req) {
    struct str value = http_field_get(req->fields, req->field_count, STR("authorization"));
    if (value.n > 7 && str_eq_nocase(str_head(value, 7), STR("bearer "))) return str_trim(str_from(value, 7));
    struct str key = http_field_get(req->fields, req->field_count, STR("x-api-key"));
    if (key.p) return key;
    key = http_field_get(req->fields, req->field_count, STR("x-goog-api-key"));
    if (!key.p) key = http_field_get(req->fields, req->field_count, STR("api-key")); // Azure's clients
    return key.p ? key : query_key(req);
}

// Of its team, project and the key itself, the innermost that the configuration has.
static bool find_level(struct call *call, struct err *err) {
    const struct key_entry *key = call->key;
    struct conf_caller caller = {.team = key->team, .project = key->project};
    if (!key->elsewhere) caller.key = key->name;
    return conf_level_of(call->tenant, &caller, &call->req->arena, &call->tenant, err);
}

// The tenant as the configuration in force has it, so that a change there is the next request's. One that was made and
// is not configured has the general configuration; one that is neither is a slip of the pen, or was taken out.
static bool find_tenant(struct call *call, struct err *err) {
    struct str name = call->key->tenant;
    if (!name.n) return true;
    call->tenant = conf_tenant_find(call->runtime->conf, name);
    if (call->tenant) return find_level(call, err);
    return call->key->tenant_made ||
           err_set(err, ERR_FORBIDDEN,
                   "tenant \"%.*s\" of this key is not configured; the operator can add it under `tenants`, make it "
                   "(`penstock tenant create`), or make another key (`penstock key create`)",
                   STR_ARG(name));
}

// A tenant's own address admits its own keys alone, and a key acts for no other tenant than its own, whatever it asks.
static bool check_place(struct call *call, int64_t tenant, struct str name, struct err *err) {
    const struct http_req *req = call->req;
    int64_t of = keyring_host_tenant(call->gl->ring, req->host);
    if (UNLIKELY(of && of != tenant))
        return err_set(err, ERR_FORBIDDEN,
                       "this address is a tenant's own, and does not admit this key: use the server's own address");
    struct str wish = str_trim(http_field_get(req->fields, req->field_count, STR("x-penstock-tenant")));
    return !wish.n || str_eq(wish, name.n ? name : STR("default")) ||
           err_set(err, ERR_FORBIDDEN,
                   "a key uses models for its own tenant alone: X-Penstock-Tenant is for the admin API");
}

// From where and on whose behalf, once it is known by what.
static enum stage_result admit(struct call *call, struct err *err) {
    struct str origin = http_field_get(call->req->fields, call->req->field_count, STR("origin"));
    struct key_seat *seat = &call->gl->uses;
    if (!keyring_admits(call->ring, call->key, call->req->peer, origin, err)) {
        key_seat_misplaced(seat, call->key, call->req->peer, str_of(call->id_text, REQUEST_ID_TEXT_LEN));
        return STAGE_FAIL;
    }
    if (!check_place(call, call->key->tenant_id, call->key->tenant, err)) return STAGE_FAIL;
    key_seat_used(seat, call->key, call->req->peer, call->ts);
    return find_tenant(call, err) ? STAGE_DONE : STAGE_FAIL;
}

// Of a request that the server makes itself, on behalf of a key whose text it does not have.
static enum stage_result auth_inner(struct call *call, struct err *err) {
    const struct inner_caller *by = call->inner;
    if (by->gone) {
        err_set(err, ERR_UNAUTHENTICATED, "the API key that this was asked for with is gone");
        return STAGE_FAIL;
    }
    if (!by->ring) {
        if (!call->runtime->conf->auth.required) return STAGE_DONE;
        err_set(err, ERR_UNAUTHENTICATED, "this was asked for without an API key, and one is needed now");
        return STAGE_FAIL;
    }
    // What was sent while the key was good has been answered, and is paid.
    bool paid = native_is(call, NATIVE_ANSWER);
    if (!paid && !keyring_usable(by->key, call->ts, err)) return STAGE_FAIL;
    call->ring = keyring_ref(by->ring);
    call->key = by->key;
    if (!paid && !keyring_admits(call->ring, call->key, call->req->peer, by->origin, err)) return STAGE_FAIL;
    if (!by->flight && !by->shadow) key_seat_used(&call->gl->uses, call->key, call->req->peer, call->ts);
    return find_tenant(call, err) ? STAGE_DONE : STAGE_FAIL;
}

enum stage_result stage_auth(struct call *call, struct err *err) {
    struct gateway_loop *gl = call->gl;
    if (call->inner) return auth_inner(call, err);
    struct str key = presented_key(call->req);
    bool required = call->runtime->conf->auth.required;
    if (keyring_stale(gl->ring)) return wait_for_ring(call, err);
    if (!required && key.n == 0) return check_place(call, TENANT_DEFAULT, STR(""), err) ? STAGE_DONE : STAGE_FAIL;
    if (token_looks_like(key)) {
        enum stage_result found = tokens_find(call, key, err);
        return found == STAGE_DONE ? admit(call, err) : found;
    }
    call->ring = keyring_ref(gl->ring);
    if (key.n == 0) {
        err_set(err, ERR_UNAUTHENTICATED,
                "no API key was given: send \"Authorization: Bearer ps-…\" (make a key with: penstock key create)");
        return STAGE_FAIL;
    }
    if (keyring_check_memo(call->ring, &gl->memo, key, call->ts, &call->key, err)) return admit(call, err);
    call->key = NULL;
    key_seat_refused(&gl->uses, call->ring, key, call->req->peer, str_of(call->id_text, REQUEST_ID_TEXT_LEN), call->ts);
    // Without required keys any other text will do: clients insist on sending one.
    return !required && check_place(call, TENANT_DEFAULT, STR(""), err) ? STAGE_DONE : STAGE_FAIL;
}
