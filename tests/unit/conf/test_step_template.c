// Tests of conf/step_template.h: templates taken apart.
#include "check.h"

#include "base/buf.h"
#include "conf/step_template.h"

static void expect(const char *text, const char *pieces) {
    BUF_AUTO struct buf out = BUF_INIT(1000);
    struct str rest = str_c(text), piece, name;
    while (step_template_next(&rest, &piece, &name)) {
        buf_printf(&out, "[%.*s]", STR_ARG(piece));
        if (name.p) buf_printf(&out, "<%.*s>", STR_ARG(name));
    }
    CHECK_STR(buf_str(&out), str_c(pieces));
}

static void pieces_of_templates(void) {
    expect("", "");
    expect("plain", "[plain]");
    expect("{{a}}", "[]<a>");
    expect("x {{ a-b }} y {{c}}", "[x ]<a-b>[ y ]<c>");
    expect("{{}} {{a b}} {{a", "[{{}} {{a b}} {{a]");
    expect("{{{a}}}", "[{]<a>[}]");
    expect("{{{{a}}", "[{{]<a>");
    expect("}} {x} {{\n}}", "[}} {x} {{\n}}]");
}

TEST_MAIN(pieces_of_templates)
