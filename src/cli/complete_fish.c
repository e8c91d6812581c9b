// Writes the completion script for fish.
#include "cli/text.h"

static void put_quoted(struct buf *out, const char *text) {
    buf_putc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') buf_putc(out, '\\');
        buf_putc(out, *text);
    }
    buf_putc(out, '\'');
}

static void put_choices(struct buf *out, const char *const *choices) {
    buf_lit(out, " -xa '");
    for (size_t i = 0; i < CLI_CHOICES_MAX && choices[i]; i++) buf_printf(out, "%s%s", i ? " " : "", choices[i]);
    buf_putc(out, '\'');
}

static void put_option(struct buf *out, const char *condition, const struct cli_option *option) {
    buf_printf(out, "complete -c penstock%s -l %s", condition, option->name);
    if (option->letter) buf_printf(out, " -s %c", option->letter);
    buf_lit(out, " -d ");
    put_quoted(out, option->help);
    switch (option->kind) {
    case CLI_VALUE_NONE:
        break;
    case CLI_VALUE_TEXT:
    case CLI_VALUE_NUMBER:
        buf_lit(out, " -x");
        break;
    case CLI_VALUE_FILE:
        buf_lit(out, " -rF");
        break;
    case CLI_VALUE_DIR:
        buf_lit(out, " -xa '(__fish_complete_directories)'");
        break;
    case CLI_VALUE_CHOICE:
        put_choices(out, option->choices);
        break;
    }
    buf_putc(out, '\n');
}

static void put_word(struct buf *out, const char *condition, struct str word, const char *summary) {
    buf_printf(out, "complete -c penstock%s -a %.*s -d ", condition, STR_ARG(word));
    put_quoted(out, summary);
    buf_putc(out, '\n');
}

// " -n '…'": the words so far are those of the command.
static void condition_of(char out[160], const struct cli_command *command) {
    struct str group = cli_command_group(command), word = cli_command_word(command);
    if (group.n)
        snprintf(out, 160, " -n '__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from %.*s'",
                 STR_ARG(group), STR_ARG(word));
    else
        snprintf(out, 160, " -n '__fish_seen_subcommand_from %.*s'", STR_ARG(word));
}

static void put_command(struct buf *out, const struct cli_command *command) {
    char condition[160];
    condition_of(condition, command);
    for (unsigned i = 0; i < CLI_GLOBAL_FIRST; i++)
        if (cli_takes_option(command, i)) put_option(out, condition, &CLI_OPTIONS[i]);
    if (command->operand_kind == CLI_VALUE_CHOICE) {
        buf_printf(out, "complete -c penstock%s", condition);
        put_choices(out, command->choices);
        buf_putc(out, '\n');
    }
    if (command->operand_kind == CLI_VALUE_FILE) buf_printf(out, "complete -c penstock%s -F\n", condition);
}

static void put_group(struct buf *out, const struct cli_group *group) {
    BUF_AUTO struct buf condition = BUF_INIT(4096);
    buf_printf(&condition, " -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from", group->name);
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
        if (str_eq(cli_command_group(&CLI_COMMANDS[i]), str_c(group->name)))
            buf_printf(&condition, " %.*s", STR_ARG(cli_command_word(&CLI_COMMANDS[i])));
    buf_lit(&condition, "'");
    const char *text = buf_cstr(&condition);
    if (!text) return;
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
        if (str_eq(cli_command_group(&CLI_COMMANDS[i]), str_c(group->name)))
            put_word(out, text, cli_command_word(&CLI_COMMANDS[i]), CLI_COMMANDS[i].summary);
}

void cli_complete_fish(struct buf *out) {
    buf_lit(out, "# fish completion for penstock, made by \"penstock completion fish\"\n"
                 "complete -c penstock -f\n");
    const char *first = " -n __fish_use_subcommand";
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
        if (cli_command_group(&CLI_COMMANDS[i]).n == 0)
            put_word(out, first, str_c(CLI_COMMANDS[i].name), CLI_COMMANDS[i].summary);
    for (size_t i = 0; i < CLI_GROUP_COUNT; i++) put_word(out, first, str_c(CLI_GROUPS[i].name), CLI_GROUPS[i].summary);
    for (size_t i = 0; i < CLI_GROUP_COUNT; i++) put_group(out, &CLI_GROUPS[i]);
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) put_command(out, &CLI_COMMANDS[i]);
    for (size_t i = CLI_GLOBAL_FIRST; i < CLI_OPTION_COUNT; i++) put_option(out, "", &CLI_OPTIONS[i]);
}
