// The names of resources and actions, and sets of permissions read from text.
#include "access/permission.h"

#include "base/json_read.h"

#include <stdio.h>

static const struct {
    struct str name, actions, help;
} k_types[RESOURCE_TYPE_COUNT] = {
#define RESOURCE(id, name, actions, help) [RESOURCE_##id] = {STR_INIT(name), STR_INIT(actions), STR_INIT(help)},
#include "access/permission.def"
#undef RESOURCE
};

static const struct str k_actions[ACTION_COUNT] = {
    [ACTION_READ] = STR_INIT("read"),         [ACTION_CREATE] = STR_INIT("create"),
    [ACTION_UPDATE] = STR_INIT("update"),     [ACTION_DELETE] = STR_INIT("delete"),
    [ACTION_USE] = STR_INIT("use"),           [ACTION_EXPORT] = STR_INIT("export"),
    [ACTION_ROTATE] = STR_INIT("rotate"),     [ACTION_REKEY] = STR_INIT("rekey"),
    [ACTION_SUSPEND] = STR_INIT("suspend"),   [ACTION_ACT_AS] = STR_INIT("act_as"),
    [ACTION_DELEGATE] = STR_INIT("delegate"), [ACTION_APPROVE] = STR_INIT("approve"),
    [ACTION_VERIFY] = STR_INIT("verify"),
};
static_assert(ACTION_COUNT <= 16, "the policy keeps the actions of a type in 16 bits");
static_assert(RESOURCE_TYPE_COUNT <= 32, "the policy keeps types as the bits of 32");

struct str resource_type_name(enum resource_type type) {
    return k_types[type].name;
}
struct str resource_type_help(enum resource_type type) {
    return k_types[type].help;
}
struct str action_name(enum action action) {
    return k_actions[action];
}

bool resource_type_parse(struct str name, enum resource_type *out_type) {
    for (unsigned i = 0; i < RESOURCE_TYPE_COUNT; i++) {
        if (!str_eq(k_types[i].name, name)) continue;
        *out_type = (enum resource_type)i;
        return true;
    }
    return false;
}

bool action_parse(struct str name, enum action *out_action) {
    for (unsigned i = 0; i < ACTION_COUNT; i++) {
        if (!str_eq(k_actions[i], name)) continue;
        *out_action = (enum action)i;
        return true;
    }
    return false;
}

uint32_t resource_actions(enum resource_type type) {
    uint32_t bits = 0;
    struct str rest = k_types[type].actions, word;
    enum action action;
    while (str_split(&rest, ' ', &word))
        if (action_parse(word, &action)) bits |= 1u << action;
    return bits;
}

// --- reading ---

#define NEAR_MAX 3 // typing errors that a suggestion forgives

static struct str nearest_type(struct str text) {
    struct str best = STR_NONE;
    size_t least = NEAR_MAX;
    for (unsigned i = 0; i < RESOURCE_TYPE_COUNT; i++) {
        size_t d = str_distance(text, k_types[i].name, least);
        if (d < least) least = d, best = k_types[i].name;
    }
    return best;
}

static struct str nearest_action(struct str text, uint32_t among) {
    struct str best = STR_NONE;
    size_t least = NEAR_MAX;
    for (unsigned i = 0; i < ACTION_COUNT; i++) {
        if (!(among >> i & 1)) continue;
        size_t d = str_distance(text, k_actions[i], least);
        if (d < least) least = d, best = k_actions[i];
    }
    return best;
}

COLD static bool no_such_type(struct str text, struct str part, struct err *err) {
    struct str near = nearest_type(str_head(part, 64));
    if (near.n)
        return err_set(err, ERR_INVALID_FIELD, "\"%.*s\": there is no resource \"%.*s\"; did you mean \"%.*s\"?",
                       STR_ARG(str_head(text, 80)), STR_ARG(str_head(part, 64)), STR_ARG(near));
    return err_set(err, ERR_INVALID_FIELD,
                   "\"%.*s\": there is no resource \"%.*s\"; a permission is RESOURCE:ACTION, such as \"key:create\", "
                   "\"key:*\", \"*:read\" or \"*\"",
                   STR_ARG(str_head(text, 80)), STR_ARG(str_head(part, 64)));
}

COLD static bool no_such_action(struct str text, struct str part, const enum resource_type *type, struct err *err) {
    struct str near = nearest_action(str_head(part, 64), type ? resource_actions(*type) : UINT32_MAX);
    if (near.n)
        return err_set(err, ERR_INVALID_FIELD, "\"%.*s\": there is no action \"%.*s\"; did you mean \"%.*s\"?",
                       STR_ARG(str_head(text, 80)), STR_ARG(str_head(part, 64)), STR_ARG(near));
    if (!type)
        return err_set(err, ERR_INVALID_FIELD, "\"%.*s\": there is no action \"%.*s\"", STR_ARG(str_head(text, 80)),
                       STR_ARG(str_head(part, 64)));
    return err_set(err, ERR_INVALID_FIELD, "\"%.*s\": what can be done with \"%.*s\" is: %.*s",
                   STR_ARG(str_head(text, 80)), STR_ARG(k_types[*type].name), STR_ARG(k_types[*type].actions));
}

static bool add_to_all(struct permission_set *set, struct str text, struct str part, struct err *err) {
    enum action action;
    if (str_eq(part, STR("*"))) {
        permission_all(set);
        return true;
    }
    if (!action_parse(part, &action)) return no_such_action(text, part, NULL, err);
    for (unsigned i = 0; i < RESOURCE_TYPE_COUNT; i++)
        set->actions[i] |= resource_actions((enum resource_type)i) & (1u << action);
    return true;
}

bool permission_add(struct permission_set *set, struct str text, struct err *err) {
    enum resource_type type;
    enum action action;
    size_t colon = str_find_char(text, ':');
    struct str before = str_head(text, colon), after = str_from(text, colon + 1);
    if (colon == text.n && str_eq(text, STR("*"))) after = text;
    if (str_eq(before, STR("*"))) return add_to_all(set, text, after, err);
    if (!resource_type_parse(before, &type)) return no_such_type(text, before, err);
    uint32_t has = resource_actions(type);
    if (str_eq(after, STR("*"))) {
        set->actions[type] |= has;
        return true;
    }
    if (!action_parse(after, &action) || !(has >> action & 1)) return no_such_action(text, after, &type, err);
    set->actions[type] |= 1u << action;
    return true;
}

#define DECODED_MAX 128 // longer than any permission

bool permission_read_json(struct permission_set *set, struct str json, struct err *err) {
    struct json_reader r;
    enum json_kind kind;
    struct str raw;
    struct err worst, found;
    bool good = true;
    json_reader_init(&r, json, 2);
    if (json_enter_array(&r)) {
        while (json_element(&r, &kind)) {
            char space[DECODED_MAX];
            struct buf decoded = {.p = space, .cap = sizeof space, .max = sizeof space};
            if (!json_string(&r, &raw)) break;
            // A buf over memory of the stack: it is full before it would grow.
            bool one = json_string_len(raw) <= sizeof space && json_string_decode(raw, &decoded);
            if (!one) err_set(&found, ERR_INVALID_FIELD, "%.*s is no permission", STR_ARG(str_head(raw, 40)));
            if (one) one = permission_add(set, buf_str(&decoded), &found);
            if (!one && good) worst = found;
            good = good && one;
        }
    }
    if (!json_end(&r, err)) return false;
    if (!good) *err = worst;
    return good;
}

// --- questions ---

void permission_all(struct permission_set *out_set) {
    for (unsigned i = 0; i < RESOURCE_TYPE_COUNT; i++) out_set->actions[i] = resource_actions((enum resource_type)i);
}

bool permission_subset(const struct permission_set *part, const struct permission_set *whole) {
    uint32_t beyond = 0;
    for (unsigned i = 0; i < RESOURCE_TYPE_COUNT; i++) beyond |= part->actions[i] & ~whole->actions[i];
    return beyond == 0;
}

bool permission_empty(const struct permission_set *set) {
    uint32_t any = 0;
    for (unsigned i = 0; i < RESOURCE_TYPE_COUNT; i++) any |= set->actions[i];
    return any == 0;
}

struct str permission_text(enum resource_type type, enum action action, char out[PERMISSION_TEXT_MAX]) {
    int n = snprintf(out, PERMISSION_TEXT_MAX, "%.*s:%.*s", STR_ARG(k_types[type].name), STR_ARG(k_actions[action]));
    return str_of(out, MIN((size_t)n, (size_t)PERMISSION_TEXT_MAX - 1));
}

void permission_put_json(struct json_writer *w, const struct permission_set *set) {
    struct permission_set all;
    char text[PERMISSION_TEXT_MAX];
    permission_all(&all);
    json_put_array(w);
    bool everything = permission_subset(&all, set);
    if (everything) json_put_str(w, STR("*"));
    for (unsigned t = 0; !everything && t < RESOURCE_TYPE_COUNT; t++) {
        if (set->actions[t] && set->actions[t] == all.actions[t]) {
            int n = snprintf(text, sizeof text, "%.*s:*", STR_ARG(k_types[t].name));
            json_put_str(w, str_of(text, (size_t)n));
            continue;
        }
        for (unsigned a = 0; a < ACTION_COUNT; a++)
            if (set->actions[t] >> a & 1) json_put_str(w, permission_text((enum resource_type)t, (enum action)a, text));
    }
    json_put_array_end(w);
}
