// Writes the completion script for zsh.
#include "cli/text.h"

// Inside single quotes of an _arguments specification.
static void put_quoted(struct buf *out, const char *text, bool spec) {
    for (; *text; text++) {
        if (*text == '\'') {
            buf_lit(out, "'\\''");
            continue;
        }
        if (spec && (*text == '[' || *text == ']' || *text == ':' || *text == '\\')) buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

static void put_action(struct buf *out, enum cli_value_kind kind, const char *const *choices) {
    switch (kind) {
    case CLI_VALUE_NONE:
    case CLI_VALUE_TEXT:
    case CLI_VALUE_NUMBER:
        break;
    case CLI_VALUE_FILE:
        buf_lit(out, "_files");
        break;
    case CLI_VALUE_DIR:
        buf_lit(out, "_files -/");
        break;
    case CLI_VALUE_CHOICE:
        buf_putc(out, '(');
        for (size_t i = 0; i < CLI_CHOICES_MAX && choices[i]; i++) buf_printf(out, "%s%s", i ? " " : "", choices[i]);
        buf_putc(out, ')');
        break;
    }
}

static void put_option(struct buf *out, const struct cli_option *option) {
    bool takes = option->kind != CLI_VALUE_NONE;
    buf_lit(out, " \\\n            ");
    if (option->letter)
        buf_printf(out, "'(-%c --%s)'{-%c%s,--%s%s}'", option->letter, option->name, option->letter, takes ? "+" : "",
                   option->name, takes ? "=" : "");
    else
        buf_printf(out, "'--%s%s", option->name, takes ? "=" : "");
    buf_putc(out, '[');
    put_quoted(out, option->help, true);
    buf_putc(out, ']');
    if (takes) {
        buf_printf(out, ":%s:", option->value);
        put_action(out, option->kind, option->choices);
    }
    buf_putc(out, '\'');
}

static void put_command(struct buf *out, const struct cli_command *command) {
    buf_printf(out, "    '%s')\n        _arguments -s -S", command->name);
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++)
        if (cli_takes_option(command, i)) put_option(out, &CLI_OPTIONS[i]);
    if (command->operand_kind != CLI_VALUE_NONE) {
        buf_printf(out, " \\\n            '%s:", command->operands_max > 1 ? "*" : "1");
        put_quoted(out, command->operands, true);
        buf_putc(out, ':');
        put_action(out, command->operand_kind, command->choices);
        buf_putc(out, '\'');
    }
    buf_lit(out, "\n        ;;\n");
}

static void put_word(struct buf *out, struct str name, const char *summary) {
    buf_printf(out, "            '%.*s:", STR_ARG(name));
    put_quoted(out, summary, false);
    buf_lit(out, "'\n");
}

static void put_list(struct buf *out, struct str group) {
    buf_printf(out, "    '%.*s')\n        list=(\n", STR_ARG(group));
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
        if (str_eq(cli_command_group(&CLI_COMMANDS[i]), group))
            put_word(out, cli_command_word(&CLI_COMMANDS[i]), CLI_COMMANDS[i].summary);
    for (size_t i = 0; group.n == 0 && i < CLI_GROUP_COUNT; i++)
        put_word(out, str_c(CLI_GROUPS[i].name), CLI_GROUPS[i].summary);
    buf_lit(out, "        )\n        _describe command list\n        ;;\n");
}

void cli_complete_zsh(struct buf *out) {
    buf_lit(out, "#compdef penstock\n"
                 "# zsh completion for penstock, made by \"penstock completion zsh\"\n"
                 "_penstock() {\n"
                 "    local -a list\n"
                 "    local command= depth=1\n"
                 "    if ((CURRENT > 2)); then\n"
                 "        command=$words[2] depth=2\n"
                 "        case $command in\n        ");
    for (size_t i = 0; i < CLI_GROUP_COUNT; i++) buf_printf(out, "%s%s", i ? " | " : "", CLI_GROUPS[i].name);
    buf_lit(out, ") if ((CURRENT > 3)); then command=\"$command $words[3]\" depth=3; fi ;;\n"
                 "        esac\n"
                 "    fi\n"
                 "    words[1,$depth]=(penstock)\n"
                 "    ((CURRENT -= depth - 1))\n"
                 "    case $command in\n");
    put_list(out, STR_NONE);
    for (size_t i = 0; i < CLI_GROUP_COUNT; i++) put_list(out, str_c(CLI_GROUPS[i].name));
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) put_command(out, &CLI_COMMANDS[i]);
    // Autoloaded, the file is the function's body; sourced, it registers itself.
    buf_lit(out, "    esac\n}\n"
                 "if [[ $funcstack[1] == _penstock ]]; then _penstock \"$@\"; else compdef _penstock penstock; fi\n");
}
