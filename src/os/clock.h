// The two clocks: a monotonic one for durations and deadlines, the wall clock for what people read.
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include "base/defs.h"

// Nanoseconds since an arbitrary start; never goes back.
uint64_t clock_mono_ns(void);
// Nanoseconds since 1970-01-01 UTC; may jump.
int64_t clock_unix_ns(void);
// Processor time of the whole process, nanoseconds.
uint64_t clock_cpu_ns(void);
// The calling thread waits; a signal may end it early. Not for event loops.
void clock_pause_ns(uint64_t ns);

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_SEC 1000000000ULL

#endif
