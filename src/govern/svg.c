// Reads SVG with expat and writes it anew by lists of what is allowed.
#include "govern/svg.h"

#include "base/mem.h"

#include <expat.h>

// Sorted by nobody: they are few.
static const char *const k_elements[] = {
    "svg",   "g",    "path",           "rect",           "circle", "ellipse", "line",     "polyline", "polygon", "text",
    "tspan", "defs", "linearGradient", "radialGradient", "stop",   "title",   "clipPath", "mask",     "desc",
};
static const char *const k_text_elements[] = {"text", "tspan", "title", "desc"};
static const char *const k_attributes[] = {
    "id",
    "d",
    "x",
    "y",
    "x1",
    "y1",
    "x2",
    "y2",
    "cx",
    "cy",
    "r",
    "rx",
    "ry",
    "fx",
    "fy",
    "dx",
    "dy",
    "width",
    "height",
    "viewBox",
    "preserveAspectRatio",
    "points",
    "transform",
    "fill",
    "fill-rule",
    "fill-opacity",
    "stroke",
    "stroke-width",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-miterlimit",
    "stroke-dasharray",
    "stroke-dashoffset",
    "stroke-opacity",
    "opacity",
    "offset",
    "stop-color",
    "stop-opacity",
    "gradientUnits",
    "gradientTransform",
    "spreadMethod",
    "clip-path",
    "clip-rule",
    "clipPathUnits",
    "mask",
    "maskUnits",
    "maskContentUnits",
    "font-family",
    "font-size",
    "font-weight",
    "font-style",
    "text-anchor",
    "letter-spacing",
    "dominant-baseline",
    "version",
    "role",
    "pathLength",
    "textLength",
    "color",
};

struct state {
    XML_Parser parser;
    struct buf *out;
    unsigned depth, elements;
    unsigned skipped; // elements open within one that was left out, itself among them
    bool kept_text[SVG_DEPTH_MAX + 1];
    const char *fault;
};

static bool is_one_of(const char *name, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, list[i]) == 0) return true;
    return false;
}

static void fail(struct state *s, const char *fault) {
    if (!s->fault) s->fault = fault;
    XML_StopParser(s->parser, XML_FALSE);
}

// --- values ---

static bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(" .,-+%#_()", c));
}

static bool in_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// "url(#name)", of the picture itself.
static bool is_local(struct str v) {
    if (!str_starts(v, STR("url(#")) || !str_ends(v, STR(")")) || v.n < 7) return false;
    for (size_t i = 5; i + 1 < v.n; i++)
        if (!in_name(v.p[i])) return false;
    return true;
}

// Letters, digits and the few signs that numbers, colours, transforms and names of fonts need: no colon, no slash, no
// quote, no backslash, and no reference to anything but a part of the picture.
static bool is_harmless(struct str v) {
    char low[4096];
    if (v.n >= sizeof low && str_find(v, STR("(")) < v.n) return false;
    if (is_local(v)) return true;
    for (size_t i = 0; i < v.n; i++) {
        if (!is_plain(v.p[i]) && v.p[i] != '\n' && v.p[i] != '\t' && v.p[i] != '\r') return false;
        if (i < sizeof low) low[i] = v.p[i] >= 'A' && v.p[i] <= 'Z' ? (char)(v.p[i] - 'A' + 'a') : v.p[i];
    }
    struct str lower = str_of(low, MIN(v.n, sizeof low));
    static const struct str bad[] = {STR_INIT("url"),        STR_INIT("expression"), STR_INIT("image("),
                                     STR_INIT("image-set("), STR_INIT("element("),   STR_INIT("attr(")};
    for (size_t i = 0; str_find(lower, STR("(")) < lower.n && i < ARRAY_LEN(bad); i++)
        if (str_find(lower, bad[i]) < lower.n) return false;
    return true;
}

static void put_escaped(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '<')
            buf_lit(out, "&lt;");
        else if (c == '>')
            buf_lit(out, "&gt;");
        else if (c == '&')
            buf_lit(out, "&amp;");
        else if (c == '"')
            buf_lit(out, "&quot;");
        else if (c == '\n' || c == '\t' || c == '\r')
            buf_putc(out, ' ');
        else
            buf_putc(out, c);
    }
}

// --- elements ---

static void XMLCALL on_start(void *ctx, const char *name, const char **attributes) {
    struct state *s = ctx;
    if (s->fault) return;
    if (++s->elements > SVG_ELEMENTS_MAX) {
        fail(s, "it has too many elements");
        return;
    }
    if (++s->depth > SVG_DEPTH_MAX) {
        fail(s, "its elements are nested too deeply");
        return;
    }
    if (s->depth == 1 && strcmp(name, "svg") != 0) {
        fail(s, "its outermost element is not svg");
        return;
    }
    if (s->skipped || !is_one_of(name, k_elements, ARRAY_LEN(k_elements))) {
        s->skipped++;
        return;
    }
    s->kept_text[s->depth] = is_one_of(name, k_text_elements, ARRAY_LEN(k_text_elements));
    buf_printf(s->out, "<%s", name);
    if (s->depth == 1) buf_lit(s->out, " xmlns=\"http://www.w3.org/2000/svg\"");
    for (; attributes[0]; attributes += 2) {
        struct str value = str_c(attributes[1]);
        if (!is_one_of(attributes[0], k_attributes, ARRAY_LEN(k_attributes)) || !is_harmless(value)) continue;
        buf_printf(s->out, " %s=\"", attributes[0]);
        put_escaped(s->out, value);
        buf_putc(s->out, '"');
    }
    buf_putc(s->out, '>');
    if (s->out->failed) fail(s, "it is too long");
}

static void XMLCALL on_end(void *ctx, const char *name) {
    struct state *s = ctx;
    if (s->fault) return;
    s->depth--;
    if (s->skipped) {
        s->skipped--;
        return;
    }
    buf_printf(s->out, "</%s>", name);
}

static void XMLCALL on_text(void *ctx, const char *text, int n) {
    struct state *s = ctx;
    if (s->fault || s->skipped || !s->kept_text[s->depth]) return;
    put_escaped(s->out, str_of(text, (size_t)n));
    if (s->out->failed) fail(s, "it is too long");
}

// Before anything of it is read: with no document type there is no entity to expand, and nothing to fetch.
static void XMLCALL on_doctype(void *ctx, const char *name, const char *system, const char *public_id, int internal) {
    (void)name, (void)system, (void)public_id, (void)internal;
    fail(ctx, "it has a document type (<!DOCTYPE>), which may bring entities along");
}

// --- memory: ours ---

static void *memory_get(size_t n) { return mem_alloc(n); }
static void *memory_more(void *p, size_t n) {
    void *q = mem_alloc(n);
    if (q && p) memcpy(q, p, MIN(n, mem_size(p)));
    if (q) mem_free(p);
    return q;
}
static void memory_put(void *p) { mem_free(p); }

static bool parse(struct state *s, struct str text, struct err *err) {
    enum XML_Status status = XML_Parse(s->parser, text.p, (int)text.n, XML_TRUE);
    if (s->fault) return err_set(err, ERR_INVALID_FIELD, "the SVG is refused: %s", s->fault);
    if (status == XML_STATUS_OK) return true;
    if (XML_GetErrorCode(s->parser) == XML_ERROR_NO_MEMORY) return err_no_memory(err);
    return err_set(err, ERR_INVALID_FIELD, "the SVG is not well-formed: %s, in line %lu",
                   XML_ErrorString(XML_GetErrorCode(s->parser)), (unsigned long)XML_GetCurrentLineNumber(s->parser));
}

bool svg_sanitise(struct str text, struct buf *out, struct err *err) {
    static const XML_Memory_Handling_Suite memory = {memory_get, memory_more, memory_put};
    struct buf made = BUF_INIT(2 * SVG_MAX);
    struct state s = {.out = &made};
    if (!text.n || text.n > SVG_MAX)
        return err_set(err, ERR_INVALID_FIELD, "an SVG of 1 to %zu bytes is expected", SVG_MAX);
    s.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (!s.parser) return err_no_memory(err);
    XML_SetUserData(s.parser, &s);
    XML_SetElementHandler(s.parser, on_start, on_end);
    XML_SetCharacterDataHandler(s.parser, on_text);
    XML_SetStartDoctypeDeclHandler(s.parser, on_doctype);
    bool ok = parse(&s, text, err);
    XML_ParserFree(s.parser);
    if (ok && made.n > SVG_MAX) ok = err_set(err, ERR_INVALID_FIELD, "the SVG is refused: it is too long");
    if (ok) buf_put(out, buf_str(&made));
    buf_free(&made);
    return ok && (!out->failed || err_no_memory(err));
}
