// Writes --help: usage, examples first, then options, within 80 columns.
#include "cli/text.h"

#define OPTION_INDENT 2
#define TEXT_INDENT 26
#define USAGE_INDENT 16 // behind "Usage: penstock "

static void put_spaces(struct buf *out, size_t n) {
    while (n-- > 0) buf_putc(out, ' ');
}

void cli_wrap(struct buf *out, struct str text, size_t indent, size_t *column) {
    struct str word;
    while (str_split(&text, ' ', &word)) {
        if (*column > indent && *column + 1 + word.n > CLI_COLUMNS) {
            buf_putc(out, '\n');
            put_spaces(out, indent);
            *column = indent;
        } else if (*column > indent) {
            buf_putc(out, ' ');
            ++*column;
        }
        buf_put(out, word);
        *column += word.n;
    }
}

static void put_paragraph(struct buf *out, const char *text) {
    size_t column = 0;
    cli_wrap(out, str_c(text), 0, &column);
    buf_putc(out, '\n');
}

// "  name            text": the text starts at TEXT_INDENT, on a line of its own when the name is long.
static void put_row(struct buf *out, const char *name, const char *text) {
    size_t start = out->n;
    buf_printf(out, "%*s%s", OPTION_INDENT, "", name);
    size_t column = out->n - start;
    if (column + 2 > TEXT_INDENT) {
        buf_putc(out, '\n');
        column = 0;
    }
    put_spaces(out, TEXT_INDENT - column);
    column = TEXT_INDENT;
    cli_wrap(out, str_c(text), TEXT_INDENT, &column);
    buf_putc(out, '\n');
}

static void put_option(struct buf *out, const struct cli_option *option) {
    char name[64], help[1024];
    char letter[5] = "    ";
    if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(name, sizeof name, "%s--%s%s%s", letter, option->name, option->value ? " " : "",
             option->value ? option->value : "");
    size_t used = (size_t)snprintf(help, sizeof help, "%s", option->help);
    for (size_t i = 0; option->kind == CLI_VALUE_CHOICE && i < CLI_CHOICES_MAX && option->choices[i]; i++) {
        used = MIN(used, sizeof help - 1);
        used += (size_t)snprintf(help + used, sizeof help - used, "%s%s", i ? ", " : ": ", option->choices[i]);
    }
    put_row(out, name, help);
}

static void put_global_options(struct buf *out, const char *heading) {
    buf_printf(out, "\n%s:\n", heading);
    for (size_t i = CLI_GLOBAL_FIRST; i < CLI_OPTION_COUNT; i++) put_option(out, &CLI_OPTIONS[i]);
}

static void put_examples(struct buf *out, const struct cli_command *command) {
    if (!command->examples[0].line) return;
    buf_lit(out, "\nExamples:\n");
    for (size_t i = 0; i < CLI_EXAMPLES_MAX && command->examples[i].line; i++) {
        buf_printf(out, "  penstock %s\n", command->examples[i].line);
        if (command->examples[i].what[0]) buf_printf(out, "      %s\n", command->examples[i].what);
    }
}

void cli_help_command(struct buf *out, const struct cli_command *command) {
    size_t start = out->n;
    buf_printf(out, "Usage: penstock %s [OPTION]...", command->name);
    size_t column = out->n - start;
    if (command->operands[0]) cli_wrap(out, str_c(command->operands), USAGE_INDENT, &column);
    buf_lit(out, "\n\n");
    char summary[256];
    snprintf(summary, sizeof summary, "%s.", command->summary);
    put_paragraph(out, summary);
    if (command->details) put_paragraph(out, command->details);
    put_examples(out, command);
    cli_help_fields(out, command);
    if (command->options) buf_lit(out, "\nOptions:\n");
    for (size_t i = 0; i < CLI_GLOBAL_FIRST; i++)
        if (cli_takes_option(command, (enum cli_option_id)i)) put_option(out, &CLI_OPTIONS[i]);
    put_global_options(out, command->options ? "Options of every command" : "Options");
}

void cli_help_group(struct buf *out, const struct cli_group *group) {
    buf_printf(out, "Usage: penstock %s COMMAND [OPTION]...\n\n%s.\n\nCommands:\n", group->name, group->summary);
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
        const struct cli_command *command = &CLI_COMMANDS[i];
        if (!str_eq(cli_command_group(command), str_c(group->name))) continue;
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", command->name, command->operands[0] ? " " : "", command->operands);
        put_row(out, name, command->summary);
    }
    buf_printf(out, "\nMore: penstock %s COMMAND --help\n", group->name);
}

void cli_help_all(struct buf *out) {
    buf_lit(out, "Usage: penstock COMMAND [OPTION]...\n\n"
                 "An AI gateway: one address and one kind of key for all models, with usage,\n"
                 "cost and metrics kept.\n\n"
                 "Examples:\n"
                 "  penstock serve\n"
                 "      on 127.0.0.1:8080, with the providers found in the environment\n"
                 "  penstock key create --name \"my app\"\n"
                 "      a key for an application\n"
                 "  penstock chat demo/echo \"Hello\"\n"
                 "      the answer, as it streams\n"
                 "  penstock usage\n"
                 "      who used which model, tokens, cost\n\n"
                 "Commands:\n");
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
        if (!cli_command_group(&CLI_COMMANDS[i]).n) put_row(out, CLI_COMMANDS[i].name, CLI_COMMANDS[i].summary);
    buf_lit(out, "\nGroups of commands:\n");
    for (size_t i = 0; i < CLI_GROUP_COUNT; i++) put_row(out, CLI_GROUPS[i].name, CLI_GROUPS[i].summary);
    put_global_options(out, "Options of every command");
    buf_lit(out, "\nEnvironment:\n");
    for (size_t i = 0; i < CLI_VARIABLE_COUNT; i++) put_row(out, CLI_VARIABLES[i].name, CLI_VARIABLES[i].meaning);
    buf_lit(out, "\nMore: penstock COMMAND --help\n");
}
