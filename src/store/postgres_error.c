// What PostgreSQL's errors mean to the rest of the program.
#include "store/postgres.h"

bool pg_state_is(const PGresult *result, const char *state) {
    const char *is = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    return is && strcmp(is, state) == 0;
}

// The message without its severity in front and the line break at its end.
static struct str reason_of(struct pg *db, const PGresult *result) {
    const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (primary) return str_c(primary);
    const char *message = result ? PQresultErrorMessage(result) : NULL;
    if (!message || !*message) message = db->os ? PQerrorMessage(db->os) : "out of memory";
    return str_head(str_trim(str_c(message)), 300);
}

// By the first two characters of SQLSTATE, its class.
static bool failed_by_class(struct pg *db, const char *state, const char *doing, struct str reason, struct err *err) {
    struct str class = str_head(str_c(state), 2);
    if (str_eq(class, STR("53")))
        return err_set(err, ERR_STORE_BUSY,
                       "cannot %s: the database %s has no room for it now (%.*s); try again, or give the server more",
                       doing, db->shown, STR_ARG(reason));
    if (str_eq(class, STR("28")))
        return err_set(err, ERR_STORE, "cannot %s: the database %s refuses this user: %.*s; check storage.url", doing,
                       db->shown, STR_ARG(reason));
    if (str_eq(class, STR("57")))
        return err_set(err, ERR_STORE_BUSY, "cannot %s: the database %s is not to be had now (%.*s); try again", doing,
                       db->shown, STR_ARG(reason));
    if (str_eq(class, STR("22")))
        return err_set(err, ERR_STORE, "cannot %s in the database %s: a value is not one it can hold: %.*s", doing,
                       db->shown, STR_ARG(reason));
    if (str_eq(class, STR("XX")))
        return err_set(err, ERR_STORE,
                       "cannot %s: the database %s is damaged or at fault (%.*s); look at the server's log", doing,
                       db->shown, STR_ARG(reason));
    return err_set(err, ERR_STORE, "cannot %s in the database %s: %.*s", doing, db->shown, STR_ARG(reason));
}

bool pg_failed(struct pg *db, const PGresult *result, const char *doing, struct err *err) {
    static const struct {
        const char *state;
        enum err_code code;
        const char *shape; // %s what was done, %s the database, %.*s the reason
    } known[] = {
        {"23505", ERR_EXISTS, "cannot %s in the database %s: %.*s"},
        {"55P03", ERR_STORE_BUSY, "cannot %s: %s is locked by another process; end it or try again (%.*s)"},
        {"57014", ERR_STORE_BUSY, "cannot %s: %s took too long; try again (%.*s)"},
        {"40001", ERR_STORE_BUSY, "cannot %s: %s was changed by another process meanwhile; try again (%.*s)"},
        {"40P01", ERR_STORE_BUSY, "cannot %s: %s was locked crosswise by another process; try again (%.*s)"},
        {"53100", ERR_STORE_FULL, "cannot %s: no disk space is left for the database %s; free some (%.*s)"},
        {"25006", ERR_STORE,
         "cannot %s: the database %s takes no changes now (%.*s); is it a standby? Connect to the primary server"},
        {"42501", ERR_STORE,
         "cannot %s: in the database %s this user may not (%.*s); make it the owner of the database or the schema"},
        {"3D000", ERR_STORE, "cannot %s: %s is not there (%.*s); make it with CREATE DATABASE"},
    };
    struct str reason = reason_of(db, result);
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    if (state && PQstatus(db->os) != CONNECTION_BAD) {
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            if (strcmp(state, known[i].state) == 0) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                return err_set(err, known[i].code, known[i].shape, doing, db->shown, STR_ARG(reason));
#pragma GCC diagnostic pop
            }
        return failed_by_class(db, state, doing, reason, err);
    }
    return err_set(
        err, ERR_STORE,
        "cannot %s: the connection to the database %s is lost or cannot be made: %.*s; check that the server "
        "runs, and storage.url",
        doing, db->shown, STR_ARG(reason));
}
