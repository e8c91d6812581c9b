// Takes the text of events and of searches apart into words.
#include "store/audit_text.h"

#include "base/utf8.h"

#define WORD_MAX 64 // bytes; the rest of a longer one is left out
#define WORDS_MAX ((size_t)96 * 1024)

static bool in_word(char c) {
    unsigned char u = (unsigned char)c;
    return (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || u >= 0x80;
}

static bool word_next(struct str *rest, char out[WORD_MAX], size_t *out_n) {
    size_t i = 0, n = 0;
    while (i < rest->n && !in_word(rest->p[i])) i++;
    for (; i < rest->n && in_word(rest->p[i]); i++) {
        char c = rest->p[i];
        if (n < WORD_MAX) out[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    if (n == WORD_MAX) n = utf8_valid_prefix(str_of(out, n)); // a character that was cut in two is left out
    *rest = str_from(*rest, i);
    *out_n = n;
    return n > 0 || i < rest->n;
}

static void words_put(struct buf *out, struct str text) {
    char word[WORD_MAX];
    size_t n;
    while (text.n && word_next(&text, word, &n)) {
        if (!n) continue;
        buf_append(out, word, n);
        buf_putc(out, ' ');
    }
}

static bool is_fts5(const struct sql *db) { return str_eq(str_c(db->ops->name), STR("sqlite")); }

static void tenant_word(struct buf *out, int64_t tenant) { buf_printf(out, "qtenant%lld", (long long)tenant); }

static bool event_words(struct buf *words, int64_t tenant, const struct audit_event *event, struct err *err) {
    tenant_word(words, tenant);
    buf_putc(words, ' ');
    words_put(words, audit_outcome_name(event->outcome));
#define PUT(field) words_put(words, event->field);
    AUDIT_TEXTS(PUT)
#undef PUT
    return !words->failed || err_no_memory(err);
}

bool audit_text_remove(struct sql *db, int64_t tenant, int64_t id, const struct audit_event *event, struct err *err) {
    BUF_AUTO struct buf words = BUF_INIT(4 * WORDS_MAX);
    struct sql_stmt *st;
    if (!is_fts5(db)) return true;
    if (!event_words(&words, tenant, event, err)) return false;
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO audit_text (audit_text, rowid, words) VALUES ('delete', ?1, ?2)"), &st, err))
        return false;
    sql_bind_i64(st, 1, id);
    sql_bind_text(st, 2, buf_str(&words));
    return sql_run(st, err);
}

bool audit_text_compact(struct sql *db, struct err *err) {
    return !is_fts5(db) || sql_exec(db, STR("INSERT INTO audit_text (audit_text) VALUES ('optimize')"), err);
}

bool audit_text_add(struct sql *db, int64_t tenant, int64_t id, const struct audit_event *event, struct err *err) {
    BUF_AUTO struct buf words = BUF_INIT(4 * WORDS_MAX);
    struct sql_stmt *st;
    if (!event_words(&words, tenant, event, err)) return false;
    struct str insert = is_fts5(db) ? STR("INSERT INTO audit_text (rowid, words) VALUES (?1, ?2)")
                                    : STR("INSERT INTO audit_text (id, words)"
                                          " VALUES (?1, to_tsvector('simple', ?2))");
    if (!sql_prepare(sql_platform(db), insert, &st, err)) return false;
    sql_bind_i64(st, 1, id);
    sql_bind_text(st, 2, buf_str(&words));
    return sql_run(st, err);
}

static void query_words(struct buf *out, struct str text, bool fts5, bool *out_any) {
    char word[WORD_MAX];
    size_t n;
    while (text.n && word_next(&text, word, &n)) {
        if (!n) continue;
        *out_any = true;
        buf_put(out, fts5 ? STR(" AND \"") : STR(" & '"));
        buf_append(out, word, n);
        buf_put(out, fts5 ? STR("\"") : STR("'"));
    }
}

bool audit_text_query(struct sql *db, int64_t tenant, struct str search, const struct str *values, size_t n,
                      struct buf *out, struct err *err) {
    bool fts5 = is_fts5(db), any = false;
    buf_clear(out);
    tenant_word(out, tenant);
    for (size_t i = 0; i < n; i++) query_words(out, values[i], fts5, &any);
    any = search.n == 0;
    query_words(out, search, fts5, &any);
    if (search.n && any && str_ends(str_trim(search), STR("*"))) buf_put(out, fts5 ? STR(" *") : STR(":*"));
    if (out->failed) return err_set(err, ERR_INVALID_FIELD, "the search is too long");
    return any || err_set(err, ERR_INVALID_FIELD, "the search has no word: letters or digits are needed");
}

const char *audit_text_join(const struct sql *db) {
    return is_fts5(db) ? "SELECT e.id, e.seq FROM audit_text JOIN audit_event e ON e.id = audit_text.rowid"
                         " WHERE audit_text MATCH "
                       : "SELECT e.id, e.seq FROM audit_text w JOIN audit_event e ON e.id = w.id"
                         " WHERE w.words @@ to_tsquery('simple', ";
}
const char *audit_text_bound(const struct sql *db) {
    return is_fts5(db) ? " AND audit_text.rowid < " : ") AND w.id < ";
}
const char *audit_text_low(const struct sql *db) { return is_fts5(db) ? " AND audit_text.rowid >= " : " AND w.id >= "; }
const char *audit_text_order(const struct sql *db) {
    return is_fts5(db) ? " ORDER BY audit_text.rowid DESC LIMIT " : " ORDER BY e.id DESC LIMIT ";
}
