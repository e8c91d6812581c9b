// Tests of govern/svg.h, png.h and contrast.h: hostile pictures come out harmless or not at all; WCAG's own numbers.
#include "check.h"

#include "govern/contrast.h"
#include "govern/png.h"
#include "govern/svg.h"

static struct err err;

static struct str made(const char *text, struct buf *out) {
    buf_clear(out);
    return svg_sanitise(str_c(text), out, &err) ? buf_str(out) : STR_NONE;
}

#define SVG_OPEN "<svg xmlns=\"http://www.w3.org/2000/svg\""

static void test_kept(void) {
    BUF_AUTO struct buf out = BUF_INIT(2 * SVG_MAX);
    CHECK_STR(made("<?xml version='1.0'?><!-- c --><svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 10 10'>\n"
                   "<defs><linearGradient id='g'><stop offset='0' stop-color='#fff'/></linearGradient></defs>"
                   "<rect width='10' height='10' fill='url(#g)' transform='rotate(45 5 5)'/>"
                   "<text x='1'>A &lt; B &amp; C</text></svg>",
                   &out),
              STR(SVG_OPEN
                  " viewBox=\"0 0 10 10\"><defs><linearGradient id=\"g\"><stop offset=\"0\""
                  " stop-color=\"#fff\"></stop></linearGradient></defs><rect width=\"10\" height=\"10\""
                  " fill=\"url(#g)\" transform=\"rotate(45 5 5)\"></rect><text x=\"1\">A &lt; B &amp; C</text></svg>"));
}

// Each leaves nothing of what it tried.
static void test_hostile(void) {
    static const char *const bodies[] = {
        "<script>alert(1)</script>",
        "<script href='//evil.example/x.js'/>",
        "<rect onload='alert(1)' onclick='x()'/>",
        "<a href='javascript:alert(1)'><rect/></a>",
        "<image href='http://evil.example/p.png'/>",
        "<use href='data:image/svg+xml;base64,AAAA#x'/>",
        "<use xmlns:xlink='http://www.w3.org/1999/xlink' xlink:href='//evil.example/a.svg#b'/>",
        "<foreignObject><body xmlns='x'><iframe src='//evil.example'/></body></foreignObject>",
        "<style>@import url(//evil.example/x.css); * { background: url(javascript:alert(1)) }</style>",
        "<rect style='background:url(//evil.example)'/>",
        "<rect fill='url(//evil.example/#x)'/>",
        "<rect fill='URL(  javascript:alert(1) )'/>",
        "<rect fill='u&#x72;l(http&#58;//evil.example)'/>",
        "<rect clip-path='url(&quot;//evil.example#a&quot;)'/>",
        "<rect fill='image-set(evil.example 1x)'/>",
        "<animate attributeName='href' values='javascript:alert(1)'/><set attributeName='onload' to='alert(1)'/>",
        "<g><handler type='text/ecmascript'>alert(1)</handler><listener/></g>",
        "<?xml-stylesheet href='//evil.example/x.css'?>",
        "<!-- <script>alert(1)</script> -->",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<filter><feImage href='//evil.example'/></filter>",
        "<svg:script xmlns:svg='http://www.w3.org/2000/svg'>alert(1)</svg:script>",
        "<ScRiPt>alert(1)</ScRiPt>",
        "<rect xml:base='http://evil.example/'/>",
        "<title><script>alert(1)</script></title>",
    };
    static const char *const never[] = {"script", "evil",   "javascript", "alert", "onload", "href", "data:",
                                        "<style", "style=", "import",     "//",    "xlink",  "<!--", "<?"};
    BUF_AUTO struct buf out = BUF_INIT(2 * SVG_MAX);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        char text[1000];
        snprintf(text, sizeof text, "<svg xmlns='http://www.w3.org/2000/svg'>%s</svg>", bodies[i]);
        struct str got = made(text, &out);
        CHECK(str_starts(got, STR(SVG_OPEN)) && str_ends(got, STR("</svg>")));
        struct str inside = str_from(got, sizeof SVG_OPEN - 1);
        for (size_t k = 0; k < ARRAY_LEN(never); k++) {
            bool there = str_find(inside, str_c(never[k])) < inside.n;
            if (there) printf("%s left %s in %.*s\n", bodies[i], never[k], STR_ARG(got));
            CHECK(!there);
        }
    }
}

static void test_refused(void) {
    static const char *const bad[] = {
        "",
        "x",
        "<html/>",
        "<svg>",
        "<svg></g>",
        "<svg/><svg/>",
        "<svg a='1' a='2'/>",
        "<svg>&unknown;</svg>",
        "<!DOCTYPE svg><svg/>",
        "<!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><svg><text>&b;</text></svg>",
        "<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg><text>&x;</text></svg>",
        "<!DOCTYPE svg SYSTEM 'http://evil.example/x.dtd'><svg/>",
        "<svg xmlns='x'>\xff</svg>",
        "<?xml version='1.0' encoding='UTF-16'?><svg/>"};
    BUF_AUTO struct buf out = BUF_INIT(2 * SVG_MAX);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        // What is declared in another encoding is read as UTF-8 all the same.
        struct str got = made(bad[i], &out);
        if (str_find(str_c(bad[i]), STR("UTF-16")) < strlen(bad[i])) continue;
        CHECK(!got.p);
        CHECK_INT(err.code, ERR_INVALID_FIELD);
    }
    BUF_AUTO struct buf deep = BUF_INIT(4 * SVG_MAX);
    buf_lit(&deep, "<svg>");
    for (int i = 0; i < 40; i++) buf_lit(&deep, "<g>");
    for (int i = 0; i < 40; i++) buf_lit(&deep, "</g>");
    buf_lit(&deep, "</svg>");
    CHECK(!svg_sanitise(buf_str(&deep), &out, &err));
    buf_clear(&deep);
    buf_lit(&deep, "<svg>");
    for (int i = 0; i < SVG_ELEMENTS_MAX; i++) buf_lit(&deep, "<g/>");
    buf_lit(&deep, "</svg>");
    CHECK(!svg_sanitise(buf_str(&deep), &out, &err));
    while (deep.n <= SVG_MAX) buf_lit(&deep, "                                ");
    CHECK(!svg_sanitise(buf_str(&deep), &out, &err));
}

static void test_contrast(void) {
    struct colour black = {0, 0, 0}, white = {255, 255, 255}, c;
    CHECK(contrast_ratio(black, white) > 20.999 && contrast_ratio(black, white) < 21.001);
    CHECK(contrast_ratio(white, white) > 0.999 && contrast_ratio(white, white) < 1.001);
    // #767676 is the lightest grey that will do on white, #777777 is not.
    CHECK(colour_parse(STR("#767676"), &c) && contrast_ratio(c, white) >= CONTRAST_MIN);
    CHECK(colour_parse(STR("#777777"), &c) && contrast_ratio(c, white) < CONTRAST_MIN);
    CHECK(contrast_ratio(c, white) > 4.47 && contrast_ratio(c, white) < 4.49);
    static const char *const bad[] = {"", "#", "#12345", "#1234567", "123456", "#12345g", "red"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) CHECK(!colour_parse(str_c(bad[i]), &c));
    for (unsigned t = 0; t < 256; t += 5)
        for (unsigned g = 0; g < 256; g += 3) {
            struct colour text = {(unsigned char)t, (unsigned char)(255 - t), 128},
                          ground = {(unsigned char)g, 90, 200};
            CHECK(contrast_ratio(contrast_readable(text, ground), ground) >= CONTRAST_MIN);
        }
}

// 1 x 1, with a text chunk.
static const char k_png[] = "\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122\000\000\000\001"
                            "\000\000\000\001\010\006\000\000\000\037\025\304\211\000\000\000\004\164\105\130"
                            "\164\141\000\142\143\267\156\177\351\000\000\000\015\111\104\101\124\170\234\143"
                            "\370\317\300\360\037\000\005\000\001\377\211\231\075\035\000\000\000\000\111\105"
                            "\116\104\256\102\140\202";

static void test_png(void) {
    BUF_AUTO struct buf out = BUF_INIT(2 * PNG_MAX);
    struct str whole = str_of(k_png, sizeof k_png - 1);
    char copy[sizeof k_png];
    CHECK(png_sanitise(whole, &out, &err));
    CHECK(str_find(buf_str(&out), STR("tEXt")) >= out.n && str_find(buf_str(&out), STR("IDAT")) < out.n);
    CHECK_INT(out.n, (int64_t)whole.n - 16);
    for (size_t n = 0; n < whole.n; n++) {
        buf_clear(&out);
        CHECK(!png_sanitise(str_head(whole, n), &out, &err));
    }
    for (size_t i = 0; i < whole.n; i++) {
        memcpy(copy, k_png, sizeof copy);
        copy[i] ^= 1;
        buf_clear(&out);
        // A byte of the text chunk alone has a checksum of its own, too.
        CHECK(!png_sanitise(str_of(copy, whole.n), &out, &err));
    }
}

TEST_MAIN(test_kept, test_hostile, test_refused, test_contrast, test_png)
