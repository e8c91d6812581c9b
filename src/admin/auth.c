// Who is calling the control plane: the holder of a key, checked against a key ring that is renewed when keys have
// changed.
#include "admin/call.h"

#include "os/clock.h"
#include "store/tenant.h"

struct refresh {
    struct work work;
    struct admin_loop *al;
    struct keyring *ring;
    bool ok;
    struct err err;
};

static struct str presented_key(const struct http_req *req) {
    struct str value = http_field_get(req->fields, req->field_count, STR("authorization"));
    if (value.n > 7 && str_eq_nocase(str_head(value, 7), STR("bearer "))) return str_trim(str_from(value, 7));
    struct str key = http_field_get(req->fields, req->field_count, STR("x-api-key"));
    return key.p ? key : STR("");
}

static bool name_actor(struct admin_call *call, struct err *err) {
    const struct key_entry *key = call->key;
    const char *what = key->is_admin ? "admin key" : "key";
    call->actor = key->name.n
                      ? arena_printf(&call->arena, "%s %.*s (%.*s)", what, STR_ARG(key->prefix), STR_ARG(key->name))
                      : arena_printf(&call->arena, "%s %.*s", what, STR_ARG(key->prefix));
    return call->actor.n || err_no_memory(err);
}

// A key stands for its owner within its scopes; without one, for itself.
static void be_key(struct admin_call *call) {
    const struct key_entry *key = call->key;
    struct who *who = &call->who;
    who->name = call->actor;
    who->key_id = key->id;
    who->home = who->tenant = key->is_admin ? TENANT_DEFAULT : key->tenant_id;
    who->tenant_name = key->tenant;
    if (key->is_admin) {
        who->principal.kind = PRINCIPAL_OPERATOR;
        return;
    }
    call->within = &key->scopes;
    who->principal = key->owner;
    if (who->principal.kind != PRINCIPAL_NOBODY) return;
    who->principal = (struct principal){PRINCIPAL_KEY, key->id};
    call->key_team = key->team_id;
    call->key_project = key->project_id;
}

static bool note_place(struct admin_call *call, struct err *err) {
    const struct http_req *req = call->req;
    struct str agent = http_field_get(req->fields, req->field_count, STR("user-agent"));
    call->who.address = arena_str(&call->arena, req->peer);
    call->who.agent = arena_str(&call->arena, str_head(agent, 256));
    return (call->who.address.p && call->who.agent.p) || err_no_memory(err);
}

// Fills in call->who, call->within and call->actor.
static bool check(struct admin_call *call, struct err *err) {
    struct str key = presented_key(call->req);
    const struct key_entry *entry;
    if (!key.n)
        return err_set(
            err, ERR_UNAUTHENTICATED,
            "no admin key was given: send \"Authorization: Bearer ps-…\" (make one with: penstock key create "
            "--admin)");
    struct str origin = http_field_get(call->req->fields, call->req->field_count, STR("origin"));
    struct str peer = call->req->peer, id = str_of(call->id_text, sizeof call->id_text);
    int64_t now = clock_unix_ns();
    if (!keyring_check(call->ring, key, now, &entry, err)) {
        key_seat_refused(&call->al->uses, call->ring, key, peer, id, now);
        return false;
    }
    if (!key_place_allows(&entry->place, peer, origin, err)) {
        key_seat_misplaced(&call->al->uses, entry, peer, id);
        return false;
    }
    key_seat_used(&call->al->uses, entry, peer, now);
    call->key = entry;
    if (!name_actor(call, err) || !note_place(call, err)) return false;
    be_key(call);
    return true;
}

static void admit(struct admin_call *call) {
    struct err err;
    call->ring = keyring_ref(call->al->ring);
    if (check(call, &err))
        admin_route(call);
    else
        admin_fail(call, &err);
}

// --- waiting for a ring ---

static void refresh_run(struct work *work) {
    struct refresh *r = CONTAINER_OF(work, struct refresh, work);
    const struct admin_host *host = r->al->admin->host;
    r->ok = host->ring(host->ctx, &r->ring, &r->err);
}

static void refresh_done(struct work *work) {
    struct refresh *r = CONTAINER_OF(work, struct refresh, work);
    struct admin_loop *al = r->al;
    struct admin_call *woken = al->waiting;
    al->waiting = NULL;
    al->refreshing = false;
    for (struct admin_call *call = woken; call; call = call->next_waiting) call->waits_in = &woken;
    al->busy--;
    if (r->ok) {
        keyring_unref(al->ring);
        al->ring = r->ring;
    } else {
        log_error(al->admin->host->log, LOG_MSG("the keys could not be read"), LOG_ERR(&r->err));
    }
    while (woken) {
        struct admin_call *call = woken;
        admin_leave_waiting(call);
        if (r->ok)
            admit(call);
        else
            admin_fail(call, &r->err);
    }
    mem_free(r);
}

static bool refresh(struct admin_loop *al, struct err *err) {
    if (al->refreshing) return true;
    struct refresh *r = mem_zalloc(1, sizeof *r);
    if (r) *r = (struct refresh){.work = {.run = refresh_run, .done = refresh_done}, .al = al};
    if (!r || !loop_work(al->loop, &r->work)) {
        mem_free(r);
        return err_no_memory(err);
    }
    al->refreshing = true;
    al->busy++;
    return true;
}

void admin_admit(struct admin_call *call) {
    struct admin_loop *al = call->al;
    struct err err;
    if (admin_signed_in(call)) {
        admin_route(call);
        return;
    }
    if (al->ring && !keyring_stale(al->ring)) {
        admit(call);
        return;
    }
    if (!refresh(al, &err)) {
        admin_fail(call, &err);
        return;
    }
    call->waits_in = &al->waiting;
    call->next_waiting = al->waiting;
    al->waiting = call;
}

void admin_leave_waiting(struct admin_call *call) {
    if (!call->waits_in) return;
    struct admin_call **at = call->waits_in;
    while (*at != call) at = &(*at)->next_waiting;
    *at = call->next_waiting;
    call->waits_in = NULL;
}
