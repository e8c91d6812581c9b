// Writes the completion script for bash.
#include "cli/text.h"

static void put_options(struct buf *out, cli_option_set options) {
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++)
        if (options & CLI_BIT(i)) buf_printf(out, " --%s", CLI_OPTIONS[i].name);
}

static void put_choices(struct buf *out, const char *const *choices) {
    for (size_t i = 0; i < CLI_CHOICES_MAX && choices[i]; i++) buf_printf(out, " %s", choices[i]);
}

static void put_reply(struct buf *out, const char *words) {
    buf_printf(out, "COMPREPLY=($(compgen -W \"%s\" -- \"$cur\"))", words);
}

// What follows an option that takes a value.
static void put_values(struct buf *out) {
    buf_lit(out, "    case $prev in\n");
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = &CLI_OPTIONS[i];
        if (option->kind == CLI_VALUE_NONE) continue;
        buf_lit(out, "    ");
        if (option->letter) buf_printf(out, "-%c | ", option->letter);
        buf_printf(out, "--%s) ", option->name);
        if (option->kind == CLI_VALUE_FILE) {
            buf_lit(out, "COMPREPLY=($(compgen -f -- \"$cur\"))");
        } else if (option->kind == CLI_VALUE_DIR) {
            buf_lit(out, "COMPREPLY=($(compgen -d -- \"$cur\"))");
        } else if (option->kind == CLI_VALUE_CHOICE) {
            buf_lit(out, "COMPREPLY=($(compgen -W \"");
            put_choices(out, option->choices);
            buf_lit(out, "\" -- \"$cur\"))");
        } else {
            buf_lit(out, "COMPREPLY=()");
        }
        buf_lit(out, "; return ;;\n");
    }
    buf_lit(out, "    esac\n");
}

static void put_command(struct buf *out, const struct cli_command *command) {
    buf_printf(out, "    \"%s\")\n        words=\"", command->name);
    put_options(out, command->options | ~(CLI_BIT(CLI_GLOBAL_FIRST) - 1));
    buf_lit(out, "\"\n");
    if (command->operand_kind == CLI_VALUE_CHOICE) {
        buf_lit(out, "        operands=\"");
        put_choices(out, command->choices);
        buf_lit(out, "\"\n");
    }
    if (command->operand_kind == CLI_VALUE_FILE) buf_lit(out, "        files=1\n");
    buf_lit(out, "        ;;\n");
}

// The words that may come first, or second within a group.
static void put_words(struct buf *out) {
    buf_lit(out, "    \"\")\n        operands=\"");
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
        if (cli_command_group(&CLI_COMMANDS[i]).n == 0) buf_printf(out, " %s", CLI_COMMANDS[i].name);
    for (size_t i = 0; i < CLI_GROUP_COUNT; i++) buf_printf(out, " %s", CLI_GROUPS[i].name);
    buf_lit(out, "\"\n        words=\"");
    put_options(out, ~(CLI_BIT(CLI_GLOBAL_FIRST) - 1));
    buf_lit(out, "\"\n        ;;\n");
    for (size_t g = 0; g < CLI_GROUP_COUNT; g++) {
        buf_printf(out, "    \"%s\")\n        operands=\"", CLI_GROUPS[g].name);
        for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
            if (str_eq(cli_command_group(&CLI_COMMANDS[i]), str_c(CLI_GROUPS[g].name)))
                buf_printf(out, " %.*s", STR_ARG(cli_command_word(&CLI_COMMANDS[i])));
        buf_lit(out, "\"\n        ;;\n");
    }
}

static void put_flags_with_value(struct buf *out) {
    const char *bar = "";
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = &CLI_OPTIONS[i];
        if (option->kind == CLI_VALUE_NONE) continue;
        buf_printf(out, "%s--%s", bar, option->name);
        bar = " | ";
        if (option->letter) buf_printf(out, " | -%c", option->letter);
    }
}

void cli_complete_bash(struct buf *out) {
    buf_lit(out, "# bash completion for penstock, made by \"penstock completion bash\"\n"
                 "_penstock() {\n"
                 "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                 "    local i word command= given=0 words= operands= files=\n"
                 "    if [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
                 "    if [[ $cur == = ]]; then prev=${COMP_WORDS[COMP_CWORD-1]} cur=; fi\n"
                 "    COMPREPLY=()\n");
    put_values(out);
    buf_lit(out, "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                 "        word=${COMP_WORDS[i]}\n"
                 "        case $word in\n"
                 "        ");
    put_flags_with_value(out);
    buf_lit(out, ") [[ ${COMP_WORDS[i+1]} == = ]] && ((i++)); ((i++)); continue ;;\n"
                 "        -*) continue ;;\n"
                 "        esac\n"
                 "        if [[ -z $command ]]; then command=$word\n"
                 "        elif [[ ");
    for (size_t i = 0; i < CLI_GROUP_COUNT; i++)
        buf_printf(out, "%s$command == %s", i ? " || " : "", CLI_GROUPS[i].name);
    buf_lit(out, " ]]; then command=\"$command $word\"\n"
                 "        else given=1; fi\n"
                 "    done\n"
                 "    case $command in\n");
    put_words(out);
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) put_command(out, &CLI_COMMANDS[i]);
    buf_lit(out, "    esac\n    if [[ $cur == -* ]]; then ");
    put_reply(out, "$words");
    buf_lit(out, "\n    elif [[ $files ]]; then COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                 "    elif [[ $given == 0 ]]; then ");
    put_reply(out, "$operands");
    buf_lit(out, "; fi\n}\ncomplete -o filenames -F _penstock penstock\n");
}
