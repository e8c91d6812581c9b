// Gathers denials, and writes them and the server's own acts to the audit trail on a thread.
#include "govern/audit_note.h"

#include "base/hash.h"
#include "base/json_write.h"
#include "base/text.h"
#include "base/vec.h"
#include "os/clock.h"
#include "os/rand.h"
#include "os/thread.h"
#include "store/audit_read.h"

#define LOOK_NS (500 * NS_PER_MS)
#define TEXT_MAX ((size_t)128)
#define TOLD_MAX 500 // of one chain at once

// Denials of one key for one reason.
struct note {
    struct note *next;
    uint64_t hash;
    int64_t tenant, key;
    char name[TEXT_MAX], action[TEXT_MAX], resource[TEXT_MAX], reason[TEXT_MAX], address[TEXT_MAX], request[TEXT_MAX],
        usual[TEXT_MAX], actor_kind[TEXT_MAX], actor_id[TEXT_MAX], type[TEXT_MAX];
    bool is_anomaly, was_allowed;
    uint64_t least;
    uint64_t count; // not yet written
    int64_t first_at, last_at;
    uint64_t written_ns; // 0 = never
    unsigned by_others;  // were written by who was to be answered, since then
};

struct chain {
    int64_t tenant, seq;
};

struct audit_notes {
    struct audit_notes_options o;
    struct audit_signer *signer;
    struct thread thread;
    struct mutex lock;
    struct cond news;
    bool stop;
    // Under the lock.
    struct note *notes;
    size_t n_notes;
    uint64_t lost, seed;
    // The thread's own.
    struct sql *db;
    bool failing;
    uint64_t version; // of the database, as last seen
    bool wrote;       // by this connection, since
    VEC(struct chain) chains;
};

// --- noting ---

static void text_keep(char out[TEXT_MAX], struct str text) {
    size_t n = text.n < TEXT_MAX - 1 ? text.n : TEXT_MAX - 1;
    if (n) memcpy(out, text.p, n);
    out[n] = '\0';
}

static struct note *note_get(struct audit_notes *a, const struct audit_denial *d) {
    char id[6 * TEXT_MAX];
    int n = snprintf(id, sizeof id, "%lld %lld %.*s", (long long)d->tenant, (long long)d->key,
                     STR_ARG(str_head(d->reason, TEXT_MAX)));
    if (d->actor_kind.n)
        n += snprintf(id + n, sizeof id - (size_t)n, " %.*s %.*s %.*s %.*s", STR_ARG(str_head(d->actor_kind, TEXT_MAX)),
                      STR_ARG(str_head(d->actor_id, TEXT_MAX)), STR_ARG(str_head(d->action, TEXT_MAX)),
                      STR_ARG(str_head(d->resource_type, TEXT_MAX)));
    uint64_t hash = hash_bytes(str_of(id, (size_t)n), a->seed);
    for (struct note *note = a->notes; note; note = note->next)
        if (note->hash == hash) return note;
    if (a->n_notes == AUDIT_NOTES_MAX) return NULL;
    struct note *note = mem_zalloc(1, sizeof *note);
    if (!note) return NULL;
    note->hash = hash;
    note->tenant = d->tenant ? d->tenant : AUDIT_TENANT_DEFAULT;
    note->key = d->key;
    text_keep(note->name, d->name);
    text_keep(note->action, d->action);
    text_keep(note->reason, d->reason);
    text_keep(note->actor_kind, d->actor_kind);
    text_keep(note->actor_id, d->actor_id);
    text_keep(note->type, d->resource_type);
    note->is_anomaly = d->is_anomaly;
    note->was_allowed = d->was_allowed;
    note->least = d->least;
    note->next = a->notes;
    a->notes = note;
    a->n_notes++;
    return note;
}

// Under the lock.
static void note_count(struct audit_notes *a, struct note *note, const struct audit_denial *d) {
    int64_t now = clock_unix_ns();
    if (!note) {
        a->lost++;
        return;
    }
    if (!note->count++) note->first_at = now;
    note->last_at = now;
    text_keep(note->resource, d->resource);
    text_keep(note->address, d->address);
    text_keep(note->request, d->request_id);
    text_keep(note->usual, d->usual_address);
}

void audit_note_denied(struct audit_notes *a, const struct audit_denial *d) {
    if (!a) return;
    mutex_lock(&a->lock);
    note_count(a, note_get(a, d), d);
    mutex_unlock(&a->lock);
}

bool audit_note_repeated(struct audit_notes *a, const struct audit_denial *d) {
    if (!a) return false;
    struct audit_denial any = *d; // of the actor
    any.action = any.resource_type = any.reason = STR("");
    mutex_lock(&a->lock);
    struct note *actor = note_get(a, &any);
    // The minute begins with the first.
    if (actor && !actor->written_ns) actor->written_ns = clock_mono_ns();
    bool repeated = !actor || actor->by_others >= AUDIT_NOTE_FIRST;
    if (repeated)
        note_count(a, note_get(a, d), d);
    else
        actor->by_others++;
    mutex_unlock(&a->lock);
    return repeated;
}

// --- writing ---

static bool append(struct audit_notes *a, int64_t tenant, struct audit_event *event) {
    struct err err;
    bool ok = (a->db || datadir_open_db(a->o.dir, SQL_BUSY_MS_DEFAULT, &a->db, &err)) &&
              audit_append_alone(sql_tenant(a->db, tenant), a->signer, event, &err);
    if (!ok && !a->failing)
        log_error(a->o.log, LOG_MSG("the audit trail takes no events; denials wait"), LOG_ERR(&err));
    if (ok && a->failing) log_info(a->o.log, LOG_MSG("the audit trail takes events again"));
    a->failing = !ok;
    a->wrote = true;
    return ok;
}

static void tell_anomaly(struct audit_notes *a, const struct note *n, struct str key) {
    BUF_AUTO struct buf data = BUF_INIT(4096);
    struct json_writer w;
    char tenant[24] = "tenant_";
    base32_u64(tenant + 7, (uint64_t)n->tenant);
    json_writer_init(&w, &data);
    json_put_object(&w);
    json_put_member_str(&w, STR("tenant_id"), str_of(tenant, 7 + BASE32_U64_LEN));
    json_put_member_str(&w, STR("resource"), key);
    json_put_member_str(&w, STR("name"), str_c(n->name));
    json_put_member_str(&w, STR("reason"), str_c(n->reason));
    json_put_member_str(&w, STR("address"), str_c(n->address));
    json_put_member_u64(&w, STR("count"), n->count);
    json_put_object_end(&w);
    event_tell(a->o.events, str_c(n->action), buf_str(&data));
}

static bool write_note(struct audit_notes *a, const struct note *n) {
    char key[24] = "", first[TIME_TEXT_LEN];
    BUF_AUTO struct buf after = BUF_INIT(4096);
    struct json_writer w;
    if (n->key) snprintf(key, sizeof key, "key_");
    if (n->key) base32_u64(key + 4, (uint64_t)n->key);
    time_text(first, n->first_at);
    json_writer_init(&w, &after);
    json_put_object(&w);
    json_put_member_u64(&w, STR("count"), n->count);
    json_put_member_str(&w, STR("since"), str_of(first, sizeof first));
    if (n->usual[0]) json_put_member_str(&w, STR("usual_address"), str_c(n->usual));
    json_put_object_end(&w);
    bool of_key = n->is_anomaly && n->key;
    struct audit_event e = {.at = n->last_at,
                            .actor_kind = n->actor_kind[0] ? str_c(n->actor_kind) : STR("key"),
                            .actor_id = n->actor_kind[0] ? str_c(n->actor_id) : str_c(key),
                            .actor_name = str_c(n->name),
                            .action = str_c(n->action),
                            .resource_type = n->type[0]       ? str_c(n->type)
                                             : of_key         ? STR("key")
                                             : n->resource[0] ? STR("model")
                                                              : STR(""),
                            .resource_id = of_key ? str_c(key) : str_c(n->resource),
                            .outcome = n->was_allowed ? AUDIT_OK : AUDIT_DENIED,
                            .reason = str_c(n->reason),
                            .address = str_c(n->address),
                            .request_id = str_c(n->request),
                            .after = buf_str(&after)};
    if (!append(a, n->tenant, &e)) return false;
    if (n->is_anomaly) tell_anomaly(a, n, str_c(key));
    return true;
}

static bool write_lost(struct audit_notes *a, uint64_t lost) {
    char after[64];
    snprintf(after, sizeof after, "{\"count\":%llu}", (unsigned long long)lost);
    struct audit_event e = {.actor_kind = STR("system"),
                            .action = STR("access.denied"),
                            .outcome = AUDIT_DENIED,
                            .reason = STR("denials of more keys than are told one by one"),
                            .after = str_c(after)};
    return append(a, AUDIT_TENANT_DEFAULT, &e);
}

// A copy of one that is due; those that were quiet for a minute are forgotten.
static bool take_due(struct audit_notes *a, uint64_t now, bool all, struct note *out) {
    uint64_t every = a->o.every_ns;
    bool found = false;
    mutex_lock(&a->lock);
    for (struct note **at = &a->notes; *at && !found;) {
        struct note *n = *at;
        bool few = n->count < n->least;
        bool due = all || !n->written_ns || now - n->written_ns >= every;
        if (few && (all || clock_unix_ns() - n->first_at >= (int64_t)every)) n->count = 0;
        due = due && (!few || !n->count);
        if (due && !n->count) {
            *at = n->next;
            a->n_notes--;
            mem_free(n);
            continue;
        }
        if (due) {
            *out = *n;
            n->count = 0;
            n->written_ns = now;
            n->by_others = 0;
            found = true;
        }
        at = &n->next;
    }
    mutex_unlock(&a->lock);
    return found;
}

static void put_back(struct audit_notes *a, const struct note *note) {
    mutex_lock(&a->lock);
    for (struct note *n = a->notes; n; n = n->next) {
        if (n->hash != note->hash) continue;
        n->count += note->count;
        n->first_at = note->first_at;
        n->written_ns = 0; // due again at once
    }
    mutex_unlock(&a->lock);
}

static void write_due(struct audit_notes *a, bool all) {
    struct note note;
    uint64_t now = clock_mono_ns();
    for (size_t i = 0; i < 2 * AUDIT_NOTES_MAX && take_due(a, now, all, &note); i++) {
        if (write_note(a, &note)) continue;
        put_back(a, &note);
        return;
    }
    mutex_lock(&a->lock);
    uint64_t lost = a->lost;
    a->lost = 0;
    mutex_unlock(&a->lock);
    if (!lost || write_lost(a, lost)) return;
    mutex_lock(&a->lock);
    a->lost += lost;
    mutex_unlock(&a->lock);
}

// --- telling the bus ---

static bool tell_event(void *arg, const struct audit_record *record, struct err *err UNUSED) {
    struct audit_notes *a = arg;
    BUF_AUTO struct buf data = BUF_INIT(EVENT_DATA_MAX);
    struct json_writer w;
    const struct audit_event *e = &record->event;
    json_writer_init(&w, &data);
    json_put_object(&w);
    json_put_member_i64(&w, STR("tenant"), record->tenant);
    json_put_member_i64(&w, STR("seq"), e->seq);
    json_put_member_str(&w, STR("action"), e->action);
    json_put_member_str(&w, STR("actor"), e->actor_name);
    json_put_member_str(&w, STR("resource"), e->resource_id);
    json_put_member_str(&w, STR("outcome"), audit_outcome_name(e->outcome));
    json_put_object_end(&w);
    event_tell(a->o.events, STR("audit.appended"), buf_str(&data));
    return true;
}

static struct chain *chain_of(struct audit_notes *a, int64_t tenant, int64_t seq) {
    for (size_t i = 0; i < a->chains.n; i++)
        if (a->chains.p[i].tenant == tenant) return &a->chains.p[i];
    return vec_push(&a->chains, (struct chain){tenant, seq}) ? &a->chains.p[a->chains.n - 1] : NULL;
}

// What the chains have by now that they had not. first: it is what they have at the start, of which nothing is told.
static bool tell_new(struct audit_notes *a, bool first, struct err *err) {
    VEC(struct chain) heads = {0};
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(a->db), STR("SELECT tenant_id, seq FROM audit_head"), &st, err)) return false;
    bool ok = true, row = true;
    while (ok && (ok = sql_step(st, &row, err)) && row)
        if (!vec_push(&heads, (struct chain){sql_col_i64(st, 0), sql_col_i64(st, 1)})) ok = err_no_memory(err);
    if (!ok) sql_reset(st);
    for (size_t i = 0; ok && i < heads.n; i++) {
        struct chain *c = chain_of(a, heads.p[i].tenant, first ? heads.p[i].seq : 0);
        if (!c || c->seq >= heads.p[i].seq) continue;
        int64_t from = heads.p[i].seq - c->seq > TOLD_MAX ? heads.p[i].seq - TOLD_MAX : c->seq;
        ok = audit_each(sql_tenant(a->db, c->tenant), from + 1, TOLD_MAX, tell_event, a, err);
        if (ok) c->seq = heads.p[i].seq;
    }
    vec_free(&heads);
    return ok;
}

static void look(struct audit_notes *a) {
    struct err err;
    uint64_t version = 0;
    if (!a->o.events || !a->db) return;
    // It changes with every commit of another connection.
    bool same = sql_data_version(a->db, &version, &err) && version == a->version && !a->wrote;
    if (same || !tell_new(a, false, &err)) return;
    a->version = version;
    a->wrote = false;
}

// --- the thread ---

static void run(void *arg) {
    struct audit_notes *a = arg;
    thread_background();
    for (bool stop = false; !stop;) {
        mutex_lock(&a->lock);
        if (!a->stop) cond_wait_for(&a->news, &a->lock, LOOK_NS);
        stop = a->stop;
        mutex_unlock(&a->lock);
        write_due(a, stop);
        look(a);
    }
}

static bool tell_server(struct audit_notes *a, struct str action) {
    BUF_AUTO struct buf after = BUF_INIT(4096);
    struct json_writer w;
    json_writer_init(&w, &after);
    json_put_object(&w);
    json_put_member_str(&w, STR("version"), a->o.version);
    json_put_object_end(&w);
    struct audit_event e = {.actor_kind = STR("system"),
                            .actor_name = STR("penstock"),
                            .action = action,
                            .resource_type = STR("server"),
                            .after = buf_str(&after)};
    return append(a, AUDIT_TENANT_DEFAULT, &e);
}

bool audit_notes_start(const struct audit_notes_options *options, struct audit_notes **out_notes, struct err *err) {
    struct audit_notes *a = mem_zalloc(1, sizeof *a);
    if (!a) return err_no_memory(err);
    a->o = *options;
    if (!a->o.every_ns) a->o.every_ns = AUDIT_NOTE_EVERY_NS;
    a->seed = rand_u64();
    mutex_init(&a->lock);
    cond_init(&a->news);
    bool ok = audit_signer_create(options->dir, &a->signer, err) &&
              datadir_open_db(options->dir, SQL_BUSY_MS_DEFAULT, &a->db, err) && tell_new(a, true, err);
    if (ok && !tell_server(a, STR("server.start")))
        ok = err_set(err, ERR_STORE, "the audit trail takes no events; the log says why");
    ok = ok && thread_start(&a->thread, "audit", 0, run, a, err);
    if (ok)
        *out_notes = a;
    else
        audit_notes_end(a);
    return ok;
}

void audit_notes_end(struct audit_notes *a) {
    if (!a) return;
    bool ran = a->thread.started;
    mutex_lock(&a->lock);
    a->stop = true;
    cond_signal(&a->news);
    mutex_unlock(&a->lock);
    thread_join(&a->thread);
    if (ran) (void)!tell_server(a, STR("server.stop"));
    while (a->notes) {
        struct note *next = a->notes->next;
        mem_free(a->notes);
        a->notes = next;
    }
    vec_free(&a->chains);
    sql_close(a->db);
    audit_signer_free(a->signer);
    cond_free(&a->news);
    mutex_free(&a->lock);
    mem_free(a);
}
