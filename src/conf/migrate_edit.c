// Takes pairs out of a configuration's text, and puts pairs in, byte by byte.
#include "conf/migrate_edit.h"

static bool refuse(struct edit *e, struct conf_pos pos, const char *why) {
    conf_problem_add(e->problems, CONF_ERROR, e->source, pos, "this has to be changed by hand: %s", why);
    return false;
}

static bool fail_memory(struct edit *e) {
    conf_problem_add(e->problems, CONF_ERROR, e->source, (struct conf_pos){0}, "out of memory");
    return false;
}

// The bytes of the line end at s.p, as YAML counts lines; 0 when there is none.
static size_t break_len(struct str s) {
    if (str_starts(s, STR("\r\n"))) return 2;
    if (s.n && (s.p[0] == '\n' || s.p[0] == '\r')) return 1;
    if (str_starts(s, STR("\xc2\x85"))) return 2;
    return str_starts(s, STR("\xe2\x80\xa8")) || str_starts(s, STR("\xe2\x80\xa9")) ? 3 : 0;
}

static bool lines_find(struct edit *e) {
    VEC(size_t) lines = {0};
    bool ok = vec_push(&lines, 0);
    struct str text = e->source->text;
    for (size_t i = 0; ok && i < text.n;) {
        size_t n = break_len(str_from(text, i));
        i += n ? n : 1;
        if (n) ok = vec_push(&lines, i);
    }
    if (ok) e->lines = ARENA_ARRAY(e->arena, size_t, lines.n);
    if (ok && e->lines) {
        memcpy(e->lines, lines.p, lines.n * sizeof *lines.p);
        e->n_lines = lines.n;
    }
    vec_free(&lines);
    return e->lines != NULL;
}

bool edit_begin(struct edit *e, const struct conf_source *source, struct arena *a, struct conf_problems *problems) {
    *e = (struct edit){.source = source, .arena = a, .problems = problems};
    struct conf_node *root = NULL;
    size_t before = problems->errors;
    if (!conf_parse(source, a, problems, &root) || problems->errors != before) return false;
    e->root = root;
    if (!lines_find(e)) return fail_memory(e);
    struct str first = str_head(source->text, e->n_lines > 1 ? e->lines[1] : 0);
    e->line_end = str_ends(first, STR("\r\n")) ? STR("\r\n") : STR("\n");
    return true;
}

// Lines count from 1; one past the last begins at the text's end.
static size_t line_at(const struct edit *e, uint32_t line) {
    return line <= e->n_lines ? e->lines[line - 1] : e->source->text.n;
}

static size_t offset_of(const struct edit *e, struct conf_pos pos) {
    struct str text = e->source->text;
    size_t at = line_at(e, pos.line);
    for (uint32_t col = 1; col < pos.col && at < text.n; col++) {
        at++;
        while (at < text.n && ((unsigned char)text.p[at] & 0xc0) == 0x80) at++;
    }
    return at;
}

static struct str line_text(const struct edit *e, uint32_t line) {
    size_t from = line_at(e, line), to = line_at(e, line + 1);
    struct str s = str_of(e->source->text.p + from, to - from);
    for (size_t i = 0; i < s.n; i++) {
        if (break_len(str_from(s, i))) return str_head(s, i);
    }
    return s;
}

static bool place_add(struct edit *e, size_t from, size_t to, struct str text) {
    INVARIANT(e->n_places < EDIT_PLACES_MAX);
    e->places[e->n_places++] = (struct edit_place){.from = from, .to = to, .text = text};
    return text.p || !text.n || fail_memory(e);
}

static int place_cmp(const void *va, const void *vb) {
    const struct edit_place *a = va, *b = vb;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    return a->to < b->to ? -1 : a->to > b->to;
}

static bool line_is_begun(struct str s) { return s.n && s.p[s.n - 1] != '\n' && s.p[s.n - 1] != '\r'; }

static bool is_apart(struct str s) {
    return !s.n || str_ends(s, STR("\n\n")) || str_ends(s, STR("\n\r\n")) || str_eq(s, STR("\n"));
}

void edit_finish(struct edit *e, struct buf *out) {
    struct str text = e->source->text;
    size_t at = 0, begin = out->n;
    qsort(e->places, e->n_places, sizeof *e->places, place_cmp);
    for (size_t i = 0; i < e->n_places; i++) {
        const struct edit_place *p = &e->places[i];
        if (p->from > at) buf_put(out, str_of(text.p + at, p->from - at));
        if (p->fresh && line_is_begun(str_from(buf_str(out), begin))) buf_put(out, e->line_end);
        if (p->apart && !is_apart(str_from(buf_str(out), begin))) buf_put(out, e->line_end);
        buf_put(out, p->text);
        at = MAX(at, p->to);
    }
    buf_put(out, str_from(text, at));
}

static bool pos_before(struct conf_pos a, struct conf_pos b) {
    return a.line != b.line ? a.line < b.line : a.col < b.col;
}

bool edit_slot(struct edit *e, const struct conf_node *map, struct str name, size_t *out_slot) {
    size_t i = 0;
    while (i < map->n && !str_eq(map->keys[i]->text, name)) i++;
    *out_slot = i;
    if (i == map->n) return true;
    struct conf_pos at = map->keys[i]->pos;
    if (!pos_before(at, map->pos) && pos_before(at, map->end)) return true;
    return refuse(e, at, "the key comes in through an alias or <<");
}

bool edit_below(struct edit *e, const struct conf_node *map, size_t slot, const struct conf_node **out_map) {
    *out_map = slot < map->n ? map->values[slot] : NULL;
    if (!*out_map || pos_before(map->keys[slot]->pos, (*out_map)->pos)) return true;
    return refuse(e, map->keys[slot]->pos, "its value is an alias");
}

static struct str after_properties(struct str s) {
    while (s.n && (s.p[0] == '&' || s.p[0] == '!')) {
        while (s.n && (unsigned char)s.p[0] > ' ') s = str_from(s, 1);
        while (s.n && (unsigned char)s.p[0] <= ' ') s = str_from(s, 1);
    }
    return s;
}

bool edit_is_flow(const struct edit *e, const struct conf_node *map) {
    struct str s = after_properties(str_from(e->source->text, offset_of(e, map->pos)));
    return s.n && s.p[0] == '{';
}

static struct str skip_blanks(struct str s) {
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) s = str_from(s, 1);
    return s;
}

// Where a pair's key and value stand, in bytes; an alias counts with its star.
struct span {
    size_t key, colon, value, end;
};

static bool span_find(struct edit *e, const struct conf_node *map, size_t slot, struct span *out_span) {
    const struct conf_node *key = map->keys[slot], *value = map->values[slot];
    struct str text = e->source->text;
    size_t key_end = offset_of(e, key->end);
    struct str rest = skip_blanks(str_from(text, key_end));
    if (!rest.n || rest.p[0] != ':') return refuse(e, key->pos, "the colon does not follow the key");
    struct span s = {.key = offset_of(e, key->pos), .colon = (size_t)(rest.p - text.p)};
    if (pos_before(key->pos, value->pos)) {
        s.value = offset_of(e, value->pos), s.end = offset_of(e, value->end);
    } else {
        rest = skip_blanks(str_from(rest, 1));
        if (!rest.n || rest.p[0] != '*') return refuse(e, key->pos, "its value is an alias in another place");
        s.value = s.end = (size_t)(rest.p - text.p);
        while (s.end < text.n && !strchr(" \t\r\n,]}", text.p[s.end])) s.end++;
    }
    if (s.value <= s.colon || s.end < s.value) return refuse(e, key->pos, "the value does not follow the key");
    *out_span = s;
    return true;
}

bool edit_rename(struct edit *e, const struct conf_node *map, size_t slot, struct str name) {
    const struct conf_node *key = map->keys[slot];
    struct str text = key->plain ? name : arena_printf(e->arena, "\"%.*s\"", STR_ARG(name));
    return place_add(e, offset_of(e, key->pos), offset_of(e, key->end), text);
}

// The last line of what ends at a position: a block of text ends at the beginning of the line below it.
static uint32_t last_line(const struct conf_node *node) {
    return node->end.col == 1 && node->end.line > node->pos.line ? node->end.line - 1 : node->end.line;
}

// The last line with anything of the pairs before this one, and of what the map itself begins with.
static uint32_t line_above(const struct conf_node *map, size_t slot) {
    struct conf_pos at = map->keys[slot]->pos;
    uint32_t line = 0;
    for (size_t i = 0; i < map->n; i++) {
        const struct conf_node *key = map->keys[i], *value = map->values[i];
        if (i == slot || !pos_before(key->pos, at)) continue;
        line = MAX(line, key->end.line);
        if (pos_before(key->pos, value->pos) && pos_before(value->pos, at)) line = MAX(line, last_line(value));
    }
    return line;
}

static uint32_t comments_above(const struct edit *e, const struct conf_node *map, size_t slot) {
    const struct conf_node *key = map->keys[slot];
    uint32_t line = key->pos.line, least = line_above(map, slot);
    while (line - 1 > least) {
        struct str s = line_text(e, line - 1), body = skip_blanks(s);
        if (!body.n || body.p[0] != '#' || s.n - body.n + 1 != key->pos.col) break;
        line--;
    }
    return line;
}

// Only a comment, or nothing, may follow; *out_comment is it.
static bool rest_check(struct edit *e, struct conf_pos pos, struct str rest, struct str *out_comment) {
    struct str body = str_trim(rest);
    *out_comment = body;
    if (!body.n) return true;
    return (body.p[0] == '#' && body.p > rest.p) || refuse(e, pos, "something else stands in the same line");
}

static bool take_block(struct edit *e, const struct conf_node *map, size_t slot, struct edit_pair *out) {
    const struct conf_node *key = map->keys[slot];
    struct span s;
    if (!span_find(e, map, slot, &s)) return false;
    struct str text = e->source->text;
    size_t begin = line_at(e, key->pos.line);
    if (skip_blanks(str_of(text.p + begin, s.key - begin)).n)
        return refuse(e, key->pos, "something else stands before the key in its line");
    bool own = pos_before(key->pos, map->values[slot]->pos);
    uint32_t first = comments_above(e, map, slot), last = own ? last_line(map->values[slot]) : key->pos.line;
    bool whole = own && map->values[slot]->end.line > last; // a block of text, with its line end
    size_t line_end = line_at(e, last) + line_text(e, last).n;
    struct str rest = whole ? STR_NONE : str_of(text.p + s.end, line_end - s.end), comment;
    if (!rest_check(e, key->pos, rest, &comment)) return false;
    if (comment.n) out->trailing = str_of(rest.p, (size_t)(comment.p - rest.p) + comment.n);
    struct buf comments = BUF_INIT(CONF_FILE_MAX);
    for (uint32_t i = first; i < key->pos.line; i++) {
        buf_put(&comments, str_trim(line_text(e, i)));
        buf_put(&comments, e->line_end);
    }
    out->comments = arena_str(e->arena, buf_str(&comments));
    bool ok = !comments.failed && (out->comments.p || !comments.n);
    buf_free(&comments);
    out->value = str_of(text.p + s.colon + 1, (whole ? line_end : s.end) - s.colon - 1);
    out->indent = key->pos.col - 1;
    return ok ? place_add(e, line_at(e, first), line_at(e, last + 1), STR_NONE) : fail_memory(e);
}

static bool blank_before(struct str text, size_t at) {
    while (at > 0 && (text.p[at - 1] == ' ' || text.p[at - 1] == '\t')) at--;
    return at == 0 || text.p[at - 1] == '\n' || text.p[at - 1] == '\r';
}

static size_t skip_white(struct str text, size_t at) {
    while (at < text.n && strchr(" \t\r\n", text.p[at])) at++;
    return at;
}

// With its comma, and with its line when nothing else stands there.
static bool take_flow(struct edit *e, const struct conf_node *map, size_t slot, struct edit_pair *out) {
    struct str text = e->source->text;
    struct conf_pos pos = map->keys[slot]->pos;
    struct span s;
    if (!span_find(e, map, slot, &s)) return false;
    out->value = str_of(text.p + s.colon + 1, s.end - s.colon - 1);
    size_t from = s.key, to = skip_white(text, s.end);
    if (to < text.n && text.p[to] == ',') {
        for (to++; to < text.n && (text.p[to] == ' ' || text.p[to] == '\t');) to++;
        size_t n = break_len(str_from(text, to));
        if (n && blank_before(text, from)) from = line_at(e, pos.line), to += n;
        return place_add(e, from, to, STR_NONE);
    }
    if (to >= text.n || text.p[to] != '}') return refuse(e, pos, "a comment stands inside of { }");
    while (from > 0 && strchr(" \t\r\n", text.p[from - 1])) from--;
    if (from > 0 && text.p[from - 1] == ',')
        from--;
    else if (from == 0 || text.p[from - 1] != '{')
        return refuse(e, pos, "a comment stands inside of { }");
    return place_add(e, from, s.end, STR_NONE);
}

bool edit_take(struct edit *e, const struct conf_node *map, size_t slot, struct edit_pair *out_pair) {
    *out_pair = (struct edit_pair){0};
    return edit_is_flow(e, map) ? take_flow(e, map, slot, out_pair) : take_block(e, map, slot, out_pair);
}

bool edit_take_header(struct edit *e, const struct conf_node *map, size_t slot) {
    struct edit_pair pair = {0};
    if (edit_is_flow(e, map)) return take_flow(e, map, slot, &pair);
    const struct conf_node *key = map->keys[slot], *value = map->values[slot];
    struct span s;
    if (!span_find(e, map, slot, &s)) return false;
    bool flow = edit_is_flow(e, value);
    uint32_t last = flow ? last_line(value) : key->pos.line;
    size_t begin = line_at(e, key->pos.line), after = flow ? s.end : s.colon + 1;
    struct str text = e->source->text, comment;
    if (skip_blanks(str_of(text.p + begin, s.key - begin)).n)
        return refuse(e, key->pos, "something else stands before the key in its line");
    size_t line_end = line_at(e, last) + line_text(e, last).n;
    if (!rest_check(e, key->pos, str_of(text.p + after, line_end - after), &comment)) return false;
    if (flow) e->n_places = 0; // what was taken out of it goes with it
    struct str kept = STR_NONE;
    if (comment.n) kept = arena_printf(e->arena, "%.*s%.*s", STR_ARG(comment), STR_ARG(e->line_end));
    return place_add(e, begin, line_at(e, last + 1), kept);
}

static void put_spaces(struct buf *out, size_t n) {
    for (size_t i = 0; i < n; i++) buf_putc(out, ' ');
}

// `name: value` with its comments, each line indented anew.
static void put_lines(const struct edit *e, struct buf *out, size_t indent, struct str name,
                      const struct edit_pair *pair) {
    struct str rest = pair->comments, line;
    while (rest.n && str_split(&rest, '\n', &line)) {
        put_spaces(out, indent);
        buf_put(out, str_trim(line));
        buf_put(out, e->line_end);
    }
    put_spaces(out, indent);
    buf_put(out, name);
    buf_putc(out, ':');
    rest = pair->value;
    if (rest.n && !strchr(" \t\r\n", rest.p[0])) buf_putc(out, ' ');
    for (bool first = true; rest.p && str_split(&rest, '\n', &line); first = false) {
        size_t drop = 0;
        while (!first && drop < pair->indent && drop < line.n && line.p[drop] == ' ') drop++;
        if (!first) buf_lit(out, "\n");
        if (!first && str_trim(line).n) put_spaces(out, indent);
        buf_put(out, str_from(line, drop));
    }
    buf_put(out, pair->trailing);
    buf_put(out, e->line_end);
}

static bool text_insert(struct edit *e, size_t at, struct buf *text, bool fresh, bool apart) {
    struct str copy = text->failed ? STR_NONE : arena_str(e->arena, buf_str(text));
    buf_free(text);
    if (!copy.p || !place_add(e, at, at, copy)) return fail_memory(e);
    e->places[e->n_places - 1].fresh = fresh;
    e->places[e->n_places - 1].apart = apart;
    return true;
}

// The line behind all of the map; a map that ends the file is followed by the file's own end, or by its "...".
static size_t end_of_block(const struct edit *e, const struct conf_node *map) {
    if (map != e->root) return line_at(e, last_line(map) + 1);
    for (uint32_t line = last_line(map) + 1; line <= e->n_lines; line++) {
        if (str_starts(line_text(e, line), STR("..."))) return line_at(e, line);
    }
    return e->source->text.n;
}

static bool put_block(struct edit *e, const struct conf_node *map, struct str section, struct str name,
                      const struct edit_pair *pair) {
    size_t indent = map->keys[0]->pos.col - 1, at = end_of_block(e, map);
    struct buf out = BUF_INIT(CONF_FILE_MAX);
    if (section.n) {
        put_spaces(&out, indent);
        buf_printf(&out, "%.*s:%.*s", STR_ARG(section), STR_ARG(e->line_end));
        indent += 2;
    }
    put_lines(e, &out, indent, name, pair);
    return text_insert(e, at, &out, true, section.n != 0);
}

static bool put_flow(struct edit *e, const struct conf_node *map, struct str section, struct str name,
                     const struct edit_pair *pair) {
    struct str text = e->source->text, from = after_properties(str_from(text, offset_of(e, map->pos)));
    bool quoted = map->n && !map->keys[0]->plain, spaced = from.n > 1 && from.p[1] == ' ';
    struct str value = str_trim(pair->value);
    if (pair->comments.n || pair->trailing.n || str_find_char(value, '\n') < value.n)
        return refuse(e, map->pos, "a comment, or several lines, would have to go into { }");
    const char *q = quoted ? "\"" : "";
    struct buf out = BUF_INIT(CONF_FILE_MAX);
    if (spaced) buf_putc(&out, ' ');
    if (section.n) buf_printf(&out, "%s%.*s%s: {", q, STR_ARG(section), q);
    buf_printf(&out, "%s%.*s%s: ", q, STR_ARG(name), q);
    buf_put(&out, value);
    if (section.n) buf_putc(&out, '}');
    // Nothing else in it: no comma.
    if (map->n) buf_printf(&out, ",%s", spaced || (from.n > 1 && strchr("\r\n", from.p[1])) ? "" : " ");
    return text_insert(e, (size_t)(from.p - text.p) + 1, &out, false, false);
}

bool edit_put(struct edit *e, const struct conf_node *map, struct str section, struct str name,
              const struct edit_pair *pair) {
    return edit_is_flow(e, map) ? put_flow(e, map, section, name, pair) : put_block(e, map, section, name, pair);
}

bool edit_put_empty(struct edit *e, const struct conf_node *map, size_t slot, struct str name,
                    const struct edit_pair *pair) {
    const struct conf_node *key = map->keys[slot];
    struct span s;
    struct str comment;
    struct conf_pos pos = key->pos;
    if (edit_is_flow(e, map)) return refuse(e, pos, "the section has no value");
    struct str rest = skip_blanks(str_from(e->source->text, offset_of(e, key->end)));
    if (!rest.n || rest.p[0] != ':') return refuse(e, pos, "the colon does not follow the key");
    s.colon = (size_t)(rest.p - e->source->text.p);
    size_t end = line_at(e, pos.line) + line_text(e, pos.line).n;
    if (!rest_check(e, pos, str_of(rest.p + 1, end - s.colon - 1), &comment)) return false;
    struct buf out = BUF_INIT(CONF_FILE_MAX);
    put_lines(e, &out, pos.col + 1, name, pair);
    return text_insert(e, line_at(e, pos.line + 1), &out, true, false);
}

// Behind the comments that head the file: those above its last blank line, or all when there is none.
static size_t head_end(const struct edit *e) {
    uint32_t first = e->root->keys[0]->pos.line, line = first;
    for (uint32_t i = first; i-- > 1;) {
        struct str s = line_text(e, i);
        if (str_trim(s).n && str_trim(s).p[0] == '#') continue;
        bool marker = str_starts(s, STR("---")) || str_starts(s, STR("%"));
        if (!str_trim(s).n || marker) line = i + 1;
        if (marker && i + 1 < first) line = first; // comments below the marker head the file, blank line or none
        break;
    }
    return line_at(e, line);
}

static bool version_add(struct edit *e, struct str number) {
    struct buf out = BUF_INIT(CONF_FILE_MAX);
    struct edit_pair pair = {.value = number};
    if (e->root && edit_is_flow(e, e->root)) return put_flow(e, e->root, STR_NONE, STR("version"), &pair);
    size_t at = e->root ? head_end(e) : e->source->text.n;
    struct str text = e->source->text;
    put_lines(e, &out, e->root ? e->root->keys[0]->pos.col - 1 : 0, STR("version"), &pair);
    if (e->root && str_starts(skip_blanks(str_from(text, at)), STR("#"))) buf_put(&out, e->line_end);
    return text_insert(e, at, &out, true, false);
}

bool edit_version(struct edit *e, int64_t version) {
    size_t slot = 0;
    struct str number = arena_printf(e->arena, "%lld", (long long)version);
    if (e->root && e->root->kind != NODE_MAP) return refuse(e, e->root->pos, "the file is no map of options");
    if (e->root && !e->root->n) return refuse(e, e->root->pos, "the file says { } and nothing else");
    if (e->root && !edit_slot(e, e->root, STR("version"), &slot)) return false;
    if (!e->root || slot == e->root->n) return version_add(e, number);
    struct span s;
    if (!span_find(e, e->root, slot, &s)) return false;
    if (s.value == s.end)
        return place_add(e, s.colon + 1, s.colon + 1, arena_printf(e->arena, " %.*s", STR_ARG(number)));
    return place_add(e, s.value, s.end, number);
}
