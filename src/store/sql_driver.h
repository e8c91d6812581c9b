// The table of SQL drivers, for sql.c and the drivers themselves.
#ifndef STORE_SQL_DRIVER_H
#define STORE_SQL_DRIVER_H

#include "store/sql.h"

#define SQL_DRIVER(name) extern const struct sql_ops sql_driver_##name;
#include "store/drivers.def"
#undef SQL_DRIVER

#endif
