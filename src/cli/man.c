// Writes the manual page in mdoc.
//
// Format: mdoc(7). Checked with mandoc -Tlint.
#include "cli/text.h"

#define MAN_DATE "November 21, 2026"

// Text with the characters that roff would act on made plain.
static void put_roff(struct buf *out, struct str text, bool line_start) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\')
            buf_lit(out, "\\e");
        else if (c == '"')
            buf_lit(out, "\\(dq");
        else if (c == '-')
            buf_lit(out, "\\-");
        else if (i == 0 && line_start && (c == '.' || c == '\''))
            buf_printf(out, "\\&%c", c);
        else
            buf_putc(out, c);
    }
}

// Each sentence begins a line, as roff wants it, and no line is long; `end` closes the last one.
static void put_text(struct buf *out, const char *text, const char *end) {
    struct str rest = str_c(text), word;
    size_t column = 0;
    while (rest.p && str_split(&rest, ' ', &word)) {
        if (column && column + 1 + word.n > CLI_COLUMNS - 4) {
            buf_putc(out, '\n');
            column = 0;
        }
        if (column) buf_putc(out, ' ');
        put_roff(out, word, column == 0);
        column += word.n + 1;
        if (rest.p && str_ends(word, STR("."))) {
            buf_putc(out, '\n');
            column = 0;
        }
    }
    buf_printf(out, "%s\n", end);
}

static void put_option(struct buf *out, const struct cli_option *option) {
    buf_lit(out, ".It ");
    if (option->letter) buf_printf(out, "Fl %c , ", option->letter);
    buf_printf(out, "Fl \\-%s", option->name);
    if (option->value) buf_printf(out, " Ar %s", option->value);
    buf_putc(out, '\n');
    put_text(out, option->help, option->kind == CLI_VALUE_CHOICE ? ":" : ".");
    for (size_t i = 0; option->kind == CLI_VALUE_CHOICE && i < CLI_CHOICES_MAX && option->choices[i]; i++) {
        bool last = i + 1 == CLI_CHOICES_MAX || !option->choices[i + 1];
        buf_printf(out, ".Cm %s %c\n", option->choices[i], last ? '.' : ',');
    }
}

static void put_command(struct buf *out, const struct cli_command *command) {
    buf_printf(out, ".It Cm %s", command->name);
    // An optional operand stands in brackets, several stand apart.
    struct str rest = str_c(command->operands), word;
    while (rest.n && str_split(&rest, ' ', &word)) {
        bool optional = str_starts(word, STR("["));
        if (optional) word = str_of(word.p + 1, word.n - 2);
        buf_printf(out, " %sAr %.*s", optional ? "Op " : "", STR_ARG(word));
    }
    buf_putc(out, '\n');
    put_text(out, command->summary, ".");
    if (command->details) put_text(out, command->details, "");
    if (!command->options) return;
    buf_lit(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < CLI_GLOBAL_FIRST; i++)
        if (cli_takes_option(command, (enum cli_option_id)i)) put_option(out, &CLI_OPTIONS[i]);
    buf_lit(out, ".El\n");
}

static void put_examples(struct buf *out) {
    bool first = true;
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
        const struct cli_example *example = CLI_COMMANDS[i].examples;
        for (size_t k = 0; k < CLI_EXAMPLES_MAX && example[k].line; k++) {
            if (!first) buf_lit(out, ".Pp\n");
            first = false;
            buf_printf(out, "%s%s%s:\n", CLI_COMMANDS[i].name, example[k].what[0] ? ", " : "", example[k].what);
            buf_lit(out, ".Dl penstock ");
            put_roff(out, str_c(example[k].line), false);
            buf_putc(out, '\n');
        }
    }
}

void cli_man(struct buf *out) {
    buf_lit(out, ".\\\" Made by \"penstock man\" from the command table; do not edit.\n"
                 ".Dd " MAN_DATE "\n.Dt PENSTOCK 1\n.Os\n"
                 ".Sh NAME\n.Nm penstock\n.Nd AI gateway\n"
                 ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar option ...\n.Op Ar operand ...\n"
                 ".Sh DESCRIPTION\n.Nm\n"
                 "stands between applications and AI models: one address and one kind of key for\n"
                 "all of them, with usage, cost and metrics kept.\n"
                 "Options may stand before or after operands;\n.Fl \\-\nends them.\n"
                 ".Pp\nThe commands are:\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) put_command(out, &CLI_COMMANDS[i]);
    buf_lit(out, ".El\n.Pp\nEvery command takes these options:\n.Bl -tag -width Ds\n");
    for (size_t i = CLI_GLOBAL_FIRST; i < CLI_OPTION_COUNT; i++) put_option(out, &CLI_OPTIONS[i]);
    buf_lit(out, ".El\n.Sh ENVIRONMENT\n.Bl -tag -width PENSTOCK_API_KEY\n");
    for (size_t i = 0; i < CLI_VARIABLE_COUNT; i++) {
        buf_printf(out, ".It Ev %s\n", CLI_VARIABLES[i].name);
        put_text(out, CLI_VARIABLES[i].meaning, ".");
    }
    buf_lit(out, ".El\n.Pp\nThe variables that hold the keys of providers are listed by\n"
                 ".Cm penstock config docs .\n.Sh EXIT STATUS\n.Bl -tag -width Ds -compact\n");
    for (size_t i = 0; i < CLI_STATUS_COUNT; i++) {
        buf_printf(out, ".It %d\n", CLI_STATUSES[i].code);
        put_text(out, CLI_STATUSES[i].meaning, ".");
    }
    buf_lit(out, ".El\n.Sh EXAMPLES\n");
    put_examples(out);
}
