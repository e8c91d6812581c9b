// Compiler attributes and small macros that every room uses.
#ifndef BASE_DEFS_H
#define BASE_DEFS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))
#define NORETURN __attribute__((noreturn))
#define COLD __attribute__((cold))
#define CLEANUP(f) __attribute__((cleanup(f)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
// Each argument is evaluated once.
#define MIN(a, b) PICK_WITH((a), <, (b), __COUNTER__)
#define MAX(a, b) PICK_WITH((a), >, (b), __COUNTER__)
#define PICK_WITH(a, op, b, n) PICK_NAMED(a, op, b, n)
#define PICK_NAMED(a, op, b, n)                                                                                        \
    __extension__({                                                                                                    \
        __typeof__(1 ? a : b) first_##n = a;                                                                           \
        __typeof__(1 ? a : b) second_##n = b;                                                                          \
        first_##n op second_##n ? first_##n : second_##n;                                                              \
    })

// A broken invariant is a bug of ours, never bad input: say where and abort, in release builds too.
#define INVARIANT(cond) ((cond) ? (void)0 : invariant_failed(#cond, __FILE__, __LINE__))
NORETURN COLD void invariant_failed(const char *cond, const char *file, int line);

#endif
