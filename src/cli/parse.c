// Parses the command line by the table; options may stand anywhere, and mistakes get a suggestion.
#include "cli/cli.h"

#include "cli/parse.h"

#define DISTANCE_MAX 3

struct parse {
    struct cli_args *args;
    struct cli_problem *problem;
    int argc;
    char *const *argv;
    int at;
    enum cli_option_id seen[CLI_OPTION_COUNT]; // in the order given
    size_t n_seen;
    const char *words[CLI_OPERANDS_MAX];
    size_t n_words;
};

#define SAY(field, ...) snprintf((field), sizeof(field), __VA_ARGS__)

// Closer than DISTANCE_MAX and not merely as long as the word itself.
static bool is_near(struct str a, struct str b, size_t *best) {
    size_t d = str_distance(a, b, DISTANCE_MAX + 1);
    bool prefix = a.n >= 3 && str_starts(b, a);
    if (prefix) d = MIN(d, 1);
    if (d > DISTANCE_MAX || d * 2 > MAX(a.n, b.n) || d >= *best) return false;
    *best = d;
    return true;
}

const char *cli_nearest_option(const struct cli_command *command, struct str name) {
    const char *found = NULL;
    size_t best = DISTANCE_MAX + 1;
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        bool takes = command ? cli_takes_option(command, (enum cli_option_id)i) : true;
        if (takes && is_near(name, str_c(CLI_OPTIONS[i].name), &best)) found = CLI_OPTIONS[i].name;
    }
    return found;
}

// "" as group: among first words; else among the words of the group.
const char *cli_nearest_command(struct str group, struct str word) {
    const char *found = NULL;
    size_t best = DISTANCE_MAX + 1;
    for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
        const struct cli_command *command = &CLI_COMMANDS[i];
        if (!str_eq(cli_command_group(command), group)) continue;
        if (is_near(word, cli_command_word(command), &best)) found = command->name;
    }
    for (size_t i = 0; group.n == 0 && i < CLI_GROUP_COUNT; i++)
        if (is_near(word, str_c(CLI_GROUPS[i].name), &best)) found = CLI_GROUPS[i].name;
    return found;
}

static void say_help(struct parse *p, const char *command) {
    SAY(p->problem->next, "penstock %s%s--help", command ? command : "", command ? " " : "");
}

static bool unknown_command(struct parse *p, struct str group, const char *word) {
    const char *near = cli_nearest_command(group, str_c(word));
    SAY(p->problem->what, "unknown command \"%.*s%s%.80s\"", STR_ARG(group), group.n ? " " : "", word);
    if (near) SAY(p->problem->why, "did you mean \"penstock %s\"?", near);
    SAY(p->problem->next, "penstock %.*s%s--help", STR_ARG(group), group.n ? " " : "");
    return false;
}

// Finds the command that the first words name; what remains are operands.
static bool name_command(struct parse *p) {
    size_t used = 0;
    if (p->n_words == 0) return true;
    const struct cli_group *group = cli_group_find(str_c(p->words[0]));
    if (!group) {
        p->args->command = cli_command_find(str_c(p->words[0]));
        if (!p->args->command) return unknown_command(p, STR_NONE, p->words[0]);
        used = 1;
    } else if (p->n_words == 1) {
        p->args->group = group;
        used = 1;
    } else {
        char name[64];
        snprintf(name, sizeof name, "%s %.40s", group->name, p->words[1]);
        p->args->command = cli_command_find(str_c(name));
        if (!p->args->command) return unknown_command(p, str_c(group->name), p->words[1]);
        used = 2;
    }
    for (size_t i = used; i < p->n_words; i++) p->args->operands[p->args->n_operands++] = p->words[i];
    return true;
}

// The words before the option usually say which command it was meant for.
static bool unknown_option(struct parse *p, struct str name) {
    if (!name_command(p)) *p->problem = (struct cli_problem){0};
    const struct cli_command *command = p->args->command;
    const char *near = cli_nearest_option(command, name);
    SAY(p->problem->what, "unknown option --%.*s", STR_ARG(str_head(name, 80)));
    if (!near && command && command->operands && strstr(command->operands, "FIELD=VALUE"))
        SAY(p->problem->why, "a field is written without dashes, %.*s=VALUE", STR_ARG(str_head(name, 80)));
    else if (near)
        SAY(p->problem->why, "did you mean --%s?", near);
    say_help(p, command ? command->name : NULL);
    return false;
}

static bool note_option(struct parse *p, enum cli_option_id id, const char *value) {
    if (id == CLI_OVERRIDE) {
        if (p->args->n_overrides == CLI_OVERRIDES_MAX) {
            SAY(p->problem->what, "--config-override is given more than %d times", CLI_OVERRIDES_MAX);
            return false;
        }
        p->args->overrides[p->args->n_overrides++] = value;
    }
    if (id == CLI_HEADER) {
        if (p->args->n_headers == CLI_HEADERS_MAX) {
            SAY(p->problem->what, "--header is given more than %d times", CLI_HEADERS_MAX);
            return false;
        }
        p->args->headers[p->args->n_headers++] = value;
    }
    if (p->args->counts[id]++ == 0) p->seen[p->n_seen++] = id;
    p->args->values[id] = value;
    return true;
}

static bool missing_value(struct parse *p, const struct cli_option *option) {
    SAY(p->problem->what, "--%s needs a value", option->name);
    SAY(p->problem->why, "it is written --%s %s", option->name, option->value);
    say_help(p, NULL);
    return false;
}

// The value of an option that takes one: after "=", the rest of the letters, or the next argument.
static bool take_value(struct parse *p, enum cli_option_id id, const char *attached) {
    const struct cli_option *option = &CLI_OPTIONS[id];
    if (attached) return note_option(p, id, attached);
    const char *next = p->at + 1 < p->argc ? p->argv[p->at + 1] : NULL;
    // What looks like an option is one: a value of that kind is written with "=".
    if (!next || str_starts(str_c(next), STR("--"))) return missing_value(p, option);
    p->at++;
    return note_option(p, id, next);
}

static bool take_long(struct parse *p, const char *text) {
    struct str name = str_c(text);
    size_t eq = str_find_char(name, '=');
    const char *attached = eq < name.n ? text + eq + 1 : NULL;
    name = str_head(name, eq);
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = &CLI_OPTIONS[i];
        if (!str_eq(str_c(option->name), name)) continue;
        if (option->kind != CLI_VALUE_NONE) return take_value(p, i, attached);
        if (!attached) return note_option(p, i, "");
        SAY(p->problem->what, "--%s takes no value", option->name);
        SAY(p->problem->why, "\"%s\" was given", attached);
        say_help(p, NULL);
        return false;
    }
    return unknown_option(p, name);
}

static bool take_letters(struct parse *p, const char *letters) {
    for (; *letters; letters++) {
        unsigned i = 0;
        while (i < CLI_OPTION_COUNT && CLI_OPTIONS[i].letter != *letters) i++;
        if (i == CLI_OPTION_COUNT) {
            SAY(p->problem->what, "unknown option -%c", *letters);
            say_help(p, NULL);
            return false;
        }
        if (CLI_OPTIONS[i].kind != CLI_VALUE_NONE) return take_value(p, i, letters[1] ? letters + 1 : NULL);
        note_option(p, i, "");
    }
    return true;
}

static bool take_word(struct parse *p, const char *word) {
    if (p->n_words == CLI_OPERANDS_MAX) {
        SAY(p->problem->what, "too many arguments");
        return false;
    }
    p->words[p->n_words++] = word;
    return true;
}

static bool take_all(struct parse *p) {
    bool options = true;
    for (p->at = 1; p->at < p->argc; p->at++) {
        const char *arg = p->argv[p->at];
        bool ok;
        if (options && str_eq(str_c(arg), STR("--"))) {
            options = false;
            continue;
        }
        if (!options || arg[0] != '-' || !arg[1])
            ok = take_word(p, arg);
        else if (arg[1] == '-')
            ok = take_long(p, arg + 2);
        else
            ok = take_letters(p, arg + 1);
        if (!ok) return false;
    }
    return true;
}

static bool check_choice(struct parse *p, const char *const *choices, const char *what, const char *value) {
    size_t used = 0, best = DISTANCE_MAX + 1;
    const char *near = NULL;
    struct cli_problem *problem = p->problem;
    for (size_t i = 0; i < CLI_CHOICES_MAX && choices[i]; i++) {
        if (str_eq(str_c(choices[i]), str_c(value))) return true;
        if (is_near(str_c(value), str_c(choices[i]), &best)) near = choices[i];
        int n =
            snprintf(problem->why + used, sizeof problem->why - used, "%s%s", i ? ", " : "it is one of ", choices[i]);
        used = MIN(used + (size_t)MAX(n, 0), sizeof problem->why - 1);
    }
    SAY(problem->what, "%s cannot be \"%.80s\"", what, value);
    if (near) snprintf(problem->why + used, sizeof problem->why - used, "; did you mean %s?", near);
    say_help(p, p->args->command ? p->args->command->name : NULL);
    return false;
}

static bool check_value(struct parse *p, enum cli_option_id id) {
    const struct cli_option *option = &CLI_OPTIONS[id];
    const char *value = p->args->values[id];
    uint64_t number;
    char what[64];
    SAY(what, "--%s", option->name);
    if (option->kind == CLI_VALUE_CHOICE) return check_choice(p, option->choices, what, value);
    if (option->kind == CLI_VALUE_NONE) return true;
    if (!value[0]) return missing_value(p, option);
    if (option->kind != CLI_VALUE_NUMBER || str_to_u64(str_c(value), &number)) return true;
    SAY(p->problem->what, "%s cannot be \"%.80s\"", what, value);
    SAY(p->problem->why, "it is a whole number, such as 4");
    say_help(p, p->args->command ? p->args->command->name : NULL);
    return false;
}

static bool check_options(struct parse *p) {
    const struct cli_command *command = p->args->command;
    for (size_t i = 0; i < p->n_seen; i++) {
        enum cli_option_id id = p->seen[i];
        if (command ? !cli_takes_option(command, id) : !cli_option_is_global(id)) {
            const char *name = command ? command->name : p->args->group ? p->args->group->name : NULL;
            SAY(p->problem->what, "%s%s does not take --%s", name ? "penstock " : "penstock", name ? name : "",
                CLI_OPTIONS[id].name);
            say_help(p, name);
            return false;
        }
        if (!check_value(p, id)) return false;
    }
    return true;
}

static bool check_operands(struct parse *p) {
    const struct cli_command *command = p->args->command;
    size_t n = p->args->n_operands;
    if (!command || cli_given(p->args, CLI_HELP)) return true;
    if (n > command->operands_max) {
        SAY(p->problem->what, "\"%.80s\" is one argument too many", p->args->operands[command->operands_max]);
        SAY(p->problem->why, "it is written: penstock %s%s%s (quote what has spaces)", command->name,
            command->operands[0] ? " " : "", command->operands);
    } else if (n < command->operands_min) {
        SAY(p->problem->what, "penstock %s needs %s", command->name, command->operands);
        if (n) SAY(p->problem->why, "only \"%.80s\" was given", p->args->operands[0]);
    } else {
        return command->operand_kind != CLI_VALUE_CHOICE || n == 0 ||
               check_choice(p, command->choices, command->operands, p->args->operands[0]);
    }
    say_help(p, command->name);
    return false;
}

bool cli_parse(int argc, char *const *argv, struct cli_args *out_args, struct cli_problem *out_problem) {
    struct cli_args args = {0};
    struct parse p = {.args = &args, .problem = out_problem, .argc = argc, .argv = argv};
    *out_problem = (struct cli_problem){0};
    if (!take_all(&p)) return false;
    if (!name_command(&p) || !check_options(&p) || !check_operands(&p)) return false;
    *out_args = args;
    return true;
}

uint64_t cli_number(const struct cli_args *args, enum cli_option_id id, uint64_t fallback) {
    uint64_t v;
    return cli_given(args, id) && str_to_u64(cli_value(args, id), &v) ? v : fallback;
}
