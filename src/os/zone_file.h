// Time zones by name, from the system's tzdata.
//
// Ownership: as zone_parse. Thread rule: blocking. Errors: ERR_INVALID_FIELD for what is no name; ERR_NOT_FOUND when
// the system does not know it.
#ifndef OS_ZONE_FILE_H
#define OS_ZONE_FILE_H

#include "base/zone.h"

// name: "Europe/Berlin". *out_zone is NULL for UTC, which needs no tzdata.
NODISCARD bool zone_find(struct str name, struct zone **out_zone, struct err *err);

#endif
