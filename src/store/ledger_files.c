// Segment files by number.
#include "store/ledger_files.h"

#include "os/file.h"
#include "store/wal.h"

bool ledger_wal_dir(struct buf *out, struct str data_dir, struct err *err) {
    path_join(out, data_dir, STR("wal"));
    return !out->failed || err_no_memory(err);
}

bool ledger_database(struct buf *out, struct str data_dir, struct str database, struct err *err) {
    if (database.n)
        buf_put(out, database);
    else
        path_join(out, data_dir, STR("penstock.db"));
    return !out->failed || err_no_memory(err);
}

static bool segment_path(struct buf *out, struct str dir, uint64_t number, struct err *err) {
    char name[WAL_NAME_LEN + 1];
    wal_name(name, number);
    path_join(out, dir, str_of(name, WAL_NAME_LEN));
    return !out->failed || err_no_memory(err);
}

bool ledger_files_list(struct str dir, struct ledger_numbers *out_numbers, struct err *err) {
    CLEANUP(file_names_free) struct file_names names = {0};
    struct ledger_numbers found = {0};
    if (!dir_list(dir, &names, err)) {
        if (err->code != ERR_NOT_FOUND) return false;
        *out_numbers = found;
        return true;
    }
    for (size_t i = 0; i < names.n; i++) {
        uint64_t number;
        if (!wal_name_parse(str_c(names.p[i]), &number) || number > INT64_MAX) continue;
        if (vec_push(&found.list, number)) continue;
        vec_free(&found.list);
        return err_no_memory(err);
    }
    *out_numbers = found; // names of equal length in order are numbers in order
    return true;
}

bool ledger_file_read(struct str dir, uint64_t number, struct buf *out, struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(LEDGER_PATH_MAX);
    buf_clear(out);
    return segment_path(&path, dir, number, err) && file_read_all(buf_str(&path), WAL_SEGMENT_MAX, out, err);
}

bool ledger_file_remove(struct str dir, uint64_t number, struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(LEDGER_PATH_MAX);
    return segment_path(&path, dir, number, err) && file_remove(buf_str(&path), err);
}

// So that a disk that damages file after file does not fill up with them.
static bool trim(struct str dir, struct err *err) {
    struct ledger_numbers numbers;
    if (!ledger_files_list(dir, &numbers, err)) return false;
    bool ok = true;
    for (size_t i = 0; ok && i + LEDGER_QUARANTINE_MAX < numbers.list.n; i++)
        ok = ledger_file_remove(dir, numbers.list.p[i], err);
    vec_free(&numbers.list);
    return ok;
}

bool ledger_file_quarantine(struct str dir, uint64_t number, struct err *err) {
    BUF_AUTO struct buf from = BUF_INIT(LEDGER_PATH_MAX);
    BUF_AUTO struct buf aside = BUF_INIT(LEDGER_PATH_MAX);
    BUF_AUTO struct buf to = BUF_INIT(LEDGER_PATH_MAX);
    path_join(&aside, dir, STR("quarantine"));
    if (!segment_path(&from, dir, number, err) || !segment_path(&to, buf_str(&aside), number, err)) return false;
    return dir_make(buf_str(&aside), 0700, err) && file_rename(buf_str(&from), buf_str(&to), err) &&
           trim(buf_str(&aside), err);
}
