// The templates of a chain's steps: text in which {{NAME}} stands for something that is known when the step begins.
//
// What is put in is not looked at again, so an answer that says "{{input}}" says just that. Two braces that hold no
// name stay as they are.
//
// Ownership: borrows its text. Thread rule: pure.
#ifndef CONF_STEP_TEMPLATE_H
#define CONF_STEP_TEMPLATE_H

#include "base/str.h"

// Takes the next piece off *rest: the text before a name (may be empty), and the name; at the end *out_name's p is
// NULL. False: nothing is left.
bool step_template_next(struct str *rest, struct str *out_text, struct str *out_name);

#endif
