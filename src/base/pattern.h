// Regular expressions whose matching takes time in proportion to pattern times text, whatever they are.
//
// Syntax: POSIX extended expressions, with what ECMAScript's have in common with them: . [a-z] [^a] [[:digit:]] ( ) (?:
// ) | * + ? {m} {m,} {m,n} (a ? behind these changes nothing here) ^ $ \b \B \d \D \w \W \s \S \n \t \r \f \v \xHH
// \uHHHH and \ before punctuation. They find a place anywhere in the text; ^ and $ are its beginning and end.
// Characters are code points. Refused: references back, looking ahead or behind, \p. Ownership: a pattern lives in the
// arena and needs nothing of its text. Thread rule: constant once made. Errors: ERR_INVALID_FIELD says what is wrong
// and at which byte, ERR_NO_MEMORY.
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/arena.h"
#include "base/err.h"

#define PATTERN_TEXT_MAX 4096
#define PATTERN_REPEAT_MAX 1000
#define PATTERN_STEPS_MAX ((size_t)50 * 1000 * 1000)

enum pattern_how {
    PATTERN_POSIX,  // . is any character
    PATTERN_SCRIPT, // . is any character but a line's end
};
struct pattern;
NODISCARD bool pattern_compile(struct arena *arena, struct str text, enum pattern_how how,
                               const struct pattern **out_pattern, struct err *err);
// A find takes at most so many steps for each character of the text.
size_t pattern_size(const struct pattern *pattern);

enum pattern_found {
    PATTERN_ABSENT,
    PATTERN_FOUND,
    PATTERN_GIVEN_UP, // more than PATTERN_STEPS_MAX steps, no memory, or the text is not UTF-8
};
enum pattern_found pattern_find(const struct pattern *pattern, struct str text);

#endif
