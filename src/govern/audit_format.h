// Audit events in the formats that others read: JSON, CSV, CEF (ArcSight), OCSF (API Activity, Authentication).
//
// Ownership: borrowed. Thread rule: pure functions. Errors: a full buf says so itself.
#ifndef GOVERN_AUDIT_FORMAT_H
#define GOVERN_AUDIT_FORMAT_H

#include "base/json_write.h"
#include "store/audit_read.h"

enum audit_format { AUDIT_JSONL, AUDIT_CSV, AUDIT_CEF, AUDIT_OCSF, AUDIT_FORMAT_COUNT };
// "jsonl", "csv", "cef", "ocsf".
bool audit_format_parse(struct str name, enum audit_format *out_format);
struct str audit_format_name(enum audit_format format);
struct str audit_format_type(enum audit_format format); // media type

// The event as an object; type: its first member, or empty for none.
void audit_put_json(struct json_writer *w, const struct audit_record *record, struct str type);
void audit_put_head_json(struct json_writer *w, const struct audit_head *head, struct str type);
void audit_put_key_json(struct json_writer *w, const struct audit_public *key, struct str type);
// The names of CSV's columns, as a line.
void audit_put_csv_names(struct buf *out);
// One line with its end. version: the program's.
void audit_put(struct buf *out, enum audit_format format, const struct audit_record *record, struct str version);

#endif
