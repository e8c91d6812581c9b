// Reads one YAML document into nodes by libyaml's events, refusing what makes configurations ambiguous or huge.
#include "base/map.h"
#include "conf/node.h"

#include <yaml.h>

struct anchor {
    struct str name;
    struct conf_node *node; // NULL while it is being read: an alias to it now would be a circle
};

struct reader {
    yaml_parser_t yaml;
    const struct conf_source *source;
    struct arena *arena;
    struct conf_problems *problems;
    VEC(struct anchor) anchors;
    uint32_t depth;
    uint32_t nodes;
    yaml_mark_t last; // the end of the last thing read that has text of its own
};

static struct conf_pos pos_of(yaml_mark_t m) { return (struct conf_pos){(uint32_t)m.line + 1, (uint32_t)m.column + 1}; }

static bool fail_at(struct reader *r, yaml_mark_t mark, const char *message) {
    conf_problem_add(r->problems, CONF_ERROR, r->source, pos_of(mark), "%s", message);
    return false;
}

static bool fail_memory(struct reader *r) {
    conf_problem_add(r->problems, CONF_ERROR, r->source, (struct conf_pos){0}, "out of memory");
    return false;
}

static struct conf_pos pos_of_offset(struct str text, size_t offset) {
    struct conf_pos pos = {1, 1};
    for (size_t i = 0; i < offset && i < text.n; i++) {
        if (text.p[i] == '\n')
            pos = (struct conf_pos){pos.line + 1, 1};
        else if (((unsigned char)text.p[i] & 0xc0) != 0x80)
            pos.col++;
    }
    return pos;
}

static bool fail_syntax(struct reader *r) {
    const yaml_parser_t *y = &r->yaml;
    if (y->error == YAML_MEMORY_ERROR) return fail_memory(r);
    const char *problem = y->problem ? y->problem : "unknown fault";
    if (y->error == YAML_READER_ERROR) {
        conf_problem_add(r->problems, CONF_ERROR, r->source, pos_of_offset(r->source->text, y->problem_offset),
                         "not valid YAML: %s; the file must be UTF-8 text", problem);
        return false;
    }
    size_t index = y->problem_mark.index;
    if (index < r->source->text.n && r->source->text.p[index] == '\t')
        return fail_at(r, y->problem_mark, "not valid YAML: a tab stands where only spaces may; indent with spaces");
    if (y->context) {
        struct str before = str_head(r->source->text, index);
        bool brace = strstr(y->context, "flow") && str_ends(before, STR("$"));
        conf_problem_add(r->problems, CONF_ERROR, r->source, pos_of(y->problem_mark),
                         "not valid YAML: %s, %s that starts at line %zu%s", problem, y->context,
                         y->context_mark.line + 1, brace ? "; within { } and [ ] a ${…} needs quotes" : "");
    } else
        conf_problem_add(r->problems, CONF_ERROR, r->source, pos_of(y->problem_mark), "not valid YAML: %s", problem);
    return false;
}

static bool next_event(struct reader *r, yaml_event_t *event) {
    if (!yaml_parser_parse(&r->yaml, event)) return fail_syntax(r);
    bool closes = event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT;
    // A list or map in block style ends, for libyaml, where the next thing begins: comments would belong to it.
    if (closes ? event->end_mark.index > event->start_mark.index
               : event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT)
        r->last = event->end_mark;
    return true;
}

static struct conf_node *node_new(struct reader *r, enum conf_node_kind kind, yaml_mark_t mark) {
    struct conf_node *node = ARENA_NEW(r->arena, struct conf_node);
    if (!node) {
        fail_memory(r);
        return NULL;
    }
    *node = (struct conf_node){.kind = kind, .weight = 1, .pos = pos_of(mark), .source = r->source};
    if (kind == NODE_SCALAR) node->end = pos_of(r->last);
    return node;
}

// Only "!!str" and "!", which say that a scalar is text, are taken.
static bool tag_check(struct reader *r, const yaml_event_t *event, const yaml_char_t *tag, bool *out_text) {
    *out_text = false;
    if (!tag) return true;
    struct str t = str_c((const char *)tag);
    *out_text = event->type == YAML_SCALAR_EVENT && (str_eq(t, STR("!")) || str_eq(t, STR(YAML_STR_TAG)));
    return *out_text ? true : fail_at(r, event->start_mark, "tags (!name) are not supported");
}

static bool anchor_open(struct reader *r, const yaml_event_t *event, const yaml_char_t *name, size_t *out_slot) {
    *out_slot = SIZE_MAX;
    if (!name) return true;
    struct anchor a = {.name = arena_str(r->arena, str_c((const char *)name))};
    if (r->anchors.n >= 1000) return fail_at(r, event->start_mark, "more than 1000 anchors");
    if (!a.name.p || !vec_push(&r->anchors, a)) return fail_memory(r);
    *out_slot = r->anchors.n - 1;
    return true;
}

static bool alias_read(struct reader *r, const yaml_event_t *event, struct conf_node **out_node) {
    struct str name = str_c((const char *)event->data.alias.anchor);
    for (size_t i = r->anchors.n; i-- > 0;) {
        if (!str_eq(r->anchors.p[i].name, name)) continue;
        if (!r->anchors.p[i].node) return fail_at(r, event->start_mark, "an alias stands inside what it refers to");
        *out_node = r->anchors.p[i].node;
        return true;
    }
    conf_problem_add(r->problems, CONF_ERROR, r->source, pos_of(event->start_mark), "no anchor &%.*s stands above",
                     STR_ARG(name));
    return false;
}

static bool node_read(struct reader *r, const yaml_event_t *event, struct conf_node **out_node);

static bool weight_add(struct reader *r, struct conf_node *node, const struct conf_node *child, yaml_mark_t mark) {
    node->weight += child->weight; // both are at most CONF_NODES_MAX
    if (node->weight <= CONF_NODES_MAX) return true;
    return fail_at(r, mark, "too many values: more than 1000000 once aliases are expanded");
}

static bool scalar_read(struct reader *r, const yaml_event_t *event, struct conf_node **out_node) {
    struct conf_node *node = node_new(r, NODE_SCALAR, event->start_mark);
    bool is_text;
    if (!node || !tag_check(r, event, event->data.scalar.tag, &is_text)) return false;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !is_text;
    struct str text = str_of((const char *)event->data.scalar.value, event->data.scalar.length);
    node->text = (struct str){arena_cstr(r->arena, text), text.n};
    if (!node->text.p) return fail_memory(r);
    *out_node = node;
    return true;
}

typedef VEC(struct conf_node *) node_vec;

static bool items_keep(struct reader *r, const node_vec *from, struct conf_node ***out_items) {
    if (!from->n) return true;
    *out_items = ARENA_ARRAY(r->arena, struct conf_node *, from->n);
    if (!*out_items) return fail_memory(r);
    memcpy(*out_items, from->p, from->n * sizeof *from->p);
    return true;
}

static bool list_items(struct reader *r, struct conf_node *node, node_vec *items) {
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event)) return false;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            node->n = items->n;
            return items_keep(r, items, &node->values);
        }
        struct conf_node *item;
        bool ok = node_read(r, &event, &item) && weight_add(r, node, item, event.start_mark);
        yaml_event_delete(&event);
        if (!ok) return false;
        if (!vec_push(items, item)) return fail_memory(r);
    }
}

static bool list_read(struct reader *r, const yaml_event_t *event, struct conf_node **out_node) {
    struct conf_node *node = node_new(r, NODE_LIST, event->start_mark);
    bool is_text;
    if (!node || !tag_check(r, event, event->data.sequence_start.tag, &is_text)) return false;
    node_vec items = {0};
    bool ok = list_items(r, node, &items);
    node->end = pos_of(r->last);
    vec_free(&items);
    if (ok) *out_node = node;
    return ok;
}

struct map_reading {
    node_vec keys, values;
    node_vec merged; // what `<<` names, applied when the map's own keys are known
    struct map seen; // key → its node
};

static bool key_add(struct reader *r, struct map_reading *m, struct conf_node *key, struct conf_node *value) {
    if (!map_put(&m->seen, key->text, key)) return fail_memory(r);
    return vec_push(&m->keys, key) && vec_push(&m->values, value) ? true : fail_memory(r);
}

static bool pair_read(struct reader *r, const yaml_event_t *event, struct conf_node *node, struct map_reading *m) {
    if (event->type != YAML_SCALAR_EVENT) return fail_at(r, event->start_mark, "a key must be plain text");
    struct conf_node *key, *value;
    if (!scalar_read(r, event, &key)) return false;
    bool is_merge = key->plain && str_eq(key->text, STR("<<"));
    const struct conf_node *old = is_merge ? NULL : map_get(&m->seen, key->text);
    if (old) {
        conf_problem_add(r->problems, CONF_ERROR, r->source, key->pos,
                         "the key \"%.*s\" is given twice; the first one is at line %u",
                         STR_ARG(str_head(key->text, 80)), old->pos.line);
    }
    yaml_event_t next;
    if (!next_event(r, &next)) return false;
    bool ok = node_read(r, &next, &value) && weight_add(r, node, value, next.start_mark);
    yaml_event_delete(&next);
    if (!ok || old) return ok; // the second one is left out, and reading goes on for further problems
    if (is_merge) return vec_push(&m->merged, value) ? true : fail_memory(r);
    return key_add(r, m, key, value);
}

static bool merge_one(struct reader *r, struct map_reading *m, const struct conf_node *from) {
    if (from->kind != NODE_MAP) {
        conf_problem_add(r->problems, CONF_ERROR, r->source, from->pos, "<< takes a map, or a list of maps");
        return false;
    }
    for (size_t i = 0; i < from->n; i++) {
        if (!map_get(&m->seen, from->keys[i]->text) && !key_add(r, m, from->keys[i], from->values[i])) return false;
    }
    return true;
}

static bool merge_all(struct reader *r, struct map_reading *m) {
    for (size_t i = 0; i < m->merged.n; i++) {
        const struct conf_node *from = m->merged.p[i];
        if (from->kind != NODE_LIST) {
            if (!merge_one(r, m, from)) return false;
            continue;
        }
        for (size_t k = 0; k < from->n; k++) {
            if (!merge_one(r, m, from->values[k])) return false;
        }
    }
    return true;
}

static bool map_pairs(struct reader *r, struct conf_node *node, struct map_reading *m) {
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event)) return false;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        bool ok = end || pair_read(r, &event, node, m);
        yaml_event_delete(&event);
        if (!ok) return false;
        if (!end) continue;
        if (!merge_all(r, m)) return false;
        node->n = m->keys.n;
        return items_keep(r, &m->keys, &node->keys) && items_keep(r, &m->values, &node->values);
    }
}

static bool map_read(struct reader *r, const yaml_event_t *event, struct conf_node **out_node) {
    struct conf_node *node = node_new(r, NODE_MAP, event->start_mark);
    bool is_text;
    if (!node || !tag_check(r, event, event->data.mapping_start.tag, &is_text)) return false;
    struct map_reading m = {0};
    map_init(&m.seen, (uint64_t)(uintptr_t)node);
    bool ok = map_pairs(r, node, &m);
    node->end = pos_of(r->last);
    vec_free(&m.keys);
    vec_free(&m.values);
    vec_free(&m.merged);
    map_free(&m.seen);
    if (ok) *out_node = node;
    return ok;
}

static bool node_read_anchored(struct reader *r, const yaml_event_t *event, struct conf_node **out_node) {
    const yaml_char_t *name = event->type == YAML_SCALAR_EVENT           ? event->data.scalar.anchor
                              : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor
                                                                         : event->data.mapping_start.anchor;
    size_t slot;
    if (!anchor_open(r, event, name, &slot)) return false;
    bool ok = event->type == YAML_SCALAR_EVENT           ? scalar_read(r, event, out_node)
              : event->type == YAML_SEQUENCE_START_EVENT ? list_read(r, event, out_node)
                                                         : map_read(r, event, out_node);
    if (ok && slot != SIZE_MAX) r->anchors.p[slot].node = *out_node;
    return ok;
}

static bool node_read(struct reader *r, const yaml_event_t *event, struct conf_node **out_node) {
    if (event->type == YAML_ALIAS_EVENT) return alias_read(r, event, out_node);
    if (r->depth >= CONF_DEPTH_MAX) return fail_at(r, event->start_mark, "nested more than 32 deep");
    if (++r->nodes > CONF_NODES_MAX) return fail_at(r, event->start_mark, "too many values: more than 1000000");
    r->depth++;
    bool ok = node_read_anchored(r, event, out_node);
    r->depth--;
    return ok;
}

// Stream start, document start, one node, document end, stream end.
static bool document_read(struct reader *r, struct conf_node **out_root) {
    struct conf_node *root = NULL;
    size_t documents = 0;
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!next_event(r, &event)) return false;
        bool ok = true;
        more = event.type != YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && documents++)
            ok = fail_at(r, event.start_mark, "a second document starts here; a configuration is one document");
        else if (event.type == YAML_SCALAR_EVENT || event.type == YAML_SEQUENCE_START_EVENT ||
                 event.type == YAML_MAPPING_START_EVENT || event.type == YAML_ALIAS_EVENT)
            ok = node_read(r, &event, &root);
        yaml_event_delete(&event);
        if (!ok) return false;
    }
    *out_root = conf_node_is_null(root) ? NULL : root;
    return true;
}

bool conf_parse(const struct conf_source *source, struct arena *a, struct conf_problems *problems,
                struct conf_node **out_root) {
    struct reader r = {.source = source, .arena = a, .problems = problems};
    if (source->text.n > CONF_FILE_MAX) {
        conf_problem_add(problems, CONF_ERROR, source, (struct conf_pos){0},
                         "the file is larger than 8 MiB, the most that is read");
        return false;
    }
    if (!yaml_parser_initialize(&r.yaml)) return fail_memory(&r);
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    const char *text = source->text.p ? source->text.p : "";
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, source->text.n);
    struct conf_node *root = NULL;
    bool ok = document_read(&r, &root);
    yaml_parser_delete(&r.yaml);
    vec_free(&r.anchors);
    if (ok) *out_root = root;
    return ok;
}
