// The fields of an entity, for the help of the commands that take FIELD=VALUE.
#include "cli/resource.h"
#include "cli/text.h"

static void put_type(struct buf *out, const struct entity_field *f) {
    switch (f->type) {
    case ENTITY_ENUM:
        for (size_t i = 0; f->names && f->names[i]; i++) buf_printf(out, "%s%s", i ? " or " : "; ", f->names[i]);
        break;
    case ENTITY_BOOL:
        buf_put(out, STR("; true or false"));
        break;
    case ENTITY_LIST:
    case ENTITY_NUMBERS:
        buf_put(out, STR("; separated by commas"));
        break;
    case ENTITY_MAP:
        buf_put(out, STR("; NAME=VALUE, separated by commas"));
        break;
    case ENTITY_TIME:
        buf_put(out, STR("; a date, a time, or a time from now"));
        break;
    case ENTITY_DURATION:
        buf_put(out, STR("; 12h, 30d or seconds"));
        break;
    case ENTITY_MONEY:
        buf_put(out, STR("; dollars"));
        break;
    case ENTITY_TEXT:
    case ENTITY_I64:
    case ENTITY_AMOUNT:
    case ENTITY_BLOB:
    case ENTITY_REF:
    case ENTITY_ANY_REF:
        break;
    }
}

static void put_field(struct buf *out, const struct entity_field *f) {
    BUF_AUTO struct buf text = BUF_INIT(4096);
    buf_printf(&text, "%s", f->help ? f->help : "");
    put_type(&text, f);
    if (f->fallback && f->fallback[0]) buf_printf(&text, "; %s if not given", f->fallback);
    if (f->flags & ENTITY_REQUIRED) buf_put(&text, STR("; required"));
    buf_printf(out, "  %-22.*s  ", STR_ARG(f->name));
    size_t column = 26;
    cli_wrap(out, buf_str(&text), 26, &column);
    buf_putc(out, '\n');
}

void cli_help_fields(struct buf *out, const struct cli_command *command) {
    const struct entity *e = resource_entity(command);
    bool changes = e && str_eq(cli_command_word(command), STR("update"));
    if (!e || !(changes || str_eq(cli_command_word(command), STR("create")))) return;
    if (!command->operands[0]) return; // made from options of its own
    buf_put(out, STR("\nFields:\n"));
    for (size_t i = 0; i < e->n; i++) {
        const struct entity_field *f = &e->fields[i];
        if (f->flags & (ENTITY_HIDDEN | ENTITY_READ_ONLY)) continue;
        if (changes && f->flags & ENTITY_CREATE_ONLY) continue;
        put_field(out, f);
    }
}
