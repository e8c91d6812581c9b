/* The few system helpers that the bench programs share.
 *
 * Purpose: clocks, CPU pinning, addresses and fatal errors for the mock upstream and the load
 * generator. They stand alone on libc, so that a fault in the product can't hide in its own bench.
 * Ownership: nothing here allocates. Threads: any; the bench programs have one.
 * Units: nanoseconds. Errors: the die_* functions print one line and exit with 2. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NS_PER_MS 1000000ULL
#define NS_PER_S 1000000000ULL

uint64_t now_ns(void);

/* CPU time used so far by all threads of pid, living and ended; 0 if it is gone. */
uint64_t process_cpu_ns(pid_t pid);

/* Pins the calling process to one CPU; a negative number leaves it where it is. */
void pin_to_cpu(int cpu);

/* Raises the soft limit of open files to the hard one. */
void raise_file_limit(void);

/* Reads "127.0.0.1:8080" (n bytes) into an address. Only numeric IPv4 is understood. */
bool addr_parse(const char *text, size_t n, struct sockaddr_in *out_addr);

/* Reads a whole decimal number between 0 and max. */
bool number_parse(const char *text, uint64_t max, uint64_t *out_value);

_Noreturn void die_usage(const char *message, const char *detail);
_Noreturn void die_errno(const char *what);
