// Tests of govern/pii.h: what is found of each kind, what is not, and that what stands around does not matter.
#include "check.h"

#include "base/buf.h"
#include "base/mem.h"
#include "govern/pii.h"

// Marks what was found: "call <phone:+1 212 555 0123> now".
static void mark(struct str text, unsigned kinds, struct buf *out) {
    struct pii_scan scan = pii_scan_of(text, kinds);
    struct pii_match m;
    size_t from = 0;
    while (pii_next(&scan, &m)) {
        REQUIRE(m.at >= from && m.n && m.at + m.n <= text.n);
        buf_put(out, str_of(text.p + from, m.at - from));
        buf_printf(out, "<%.*s:%.*s>", STR_ARG(pii_kind_name(m.kind)), STR_ARG(str_of(text.p + m.at, m.n)));
        from = m.at + m.n;
    }
    buf_put(out, str_from(text, from));
}

static void take_marks_out(const char *want, struct buf *out) {
    for (const char *c = want; *c; c++) {
        if (*c == '<')
            c += strcspn(c, ":");
        else if (*c != '>')
            buf_putc(out, *c);
    }
}

// want: the text with what is to be found marked.
static void finds(const char *want) {
    struct buf text = BUF_INIT((size_t)1 << 16), got = BUF_INIT((size_t)1 << 16);
    take_marks_out(want, &text);
    mark(buf_str(&text), PII_ALL, &got);
    CHECK_STR(buf_str(&got), str_c(want));
    buf_free(&text);
    buf_free(&got);
}

static void all(const char *const *texts, size_t n) {
    for (size_t i = 0; i < n; i++) finds(texts[i]);
}
#define ALL(...)                                                                                                       \
    do {                                                                                                               \
        static const char *const texts[] = {__VA_ARGS__};                                                              \
        all(texts, ARRAY_LEN(texts));                                                                                  \
    } while (0)

static void emails(void) {
    ALL("<email:ada@example.com>", "write to <email:ada.lovelace+x@mail.example.co.uk>.", "(<email:a@b.de>)",
        "[<email:first.last@example.org>], thanks", "mailto:<email:o'neill@example.ie>?subject=x",
        "\xe9\x82\xae\xe7\xae\xb1<email:wang@example.cn>\xe3\x80\x82",
        "<email:m\xc3\xbcller@b\xc3\xbc"
        "cher.example>",
        "<email:x_y-z@sub-domain.example.museum>", "a,<email:b@c.io>;<email:d@e.fr>|<email:f@g.info>",
        "<email:a@example.com\xc3\xa9>@b.example.org", "<email:info@xn--bcher-kva.example>",
        "\"<email:quoted@example.com>\"", "user=<email:u1@example.com>&x=1", "<email:1234567890@example.com>",
        "<email:4111111111111111@example.com>", "<email:a@b.example.com>.\n");
    ALL("@ada", "ada@", "a@b", "a@localhost", "ada@.com", "ada@example.", "pkg@1.2.3", "left-pad@1.3.0-beta.1",
        "icon@2x.png", "getty@tty1.service", "git@github.com:a/b.git", "@Override", "@app.route('/x')", "a @ b.com",
        "ada@-example.com", "ada@example.c", "ada@example.q9", "x.@example.com", "https://medium.com/@user.name",
        "a@@b.com", "@media (max-width: 600px)", "{{user@index.html}}", "ada@example.xq");
}

static void cards(void) {
    ALL("<credit_card:4111111111111111>", "my card is <credit_card:4111 1111 1111 1111>, ok?",
        "<credit_card:4111-1111-1111-1111>", "<credit_card:5555555555554444>", "<credit_card:2223000048410010>",
        "amex <credit_card:3782 822463 10005>", "<credit_card:378282246310005>", "<credit_card:30569309025904>",
        "<credit_card:3056 930902 5904>", "<credit_card:6011111111111117>", "<credit_card:3530111333300000>",
        "<credit_card:6200000000000005>", "\"card\":\"<credit_card:4111111111111111>\"",
        "card=<credit_card:4111111111111111>&cvc=123", "John,<credit_card:4111111111111111>,12/27",
        "<credit_card:4111 1111 1111 1111> 12/27 123", "<credit_card:4111 1111 1111 1111> 123",
        "\xe5\x8d\xa1\xe5\x8f\xb7<credit_card:4111111111111111>\xe7\x9a\x84", "a card: <credit_card:4222222222222>",
        "<credit_card:4111\xc2\xa0"
        "1111\xc2\xa0"
        "1111\xc2\xa0"
        "1111>",
        "<credit_card:4111\xe2\x80\x91"
        "1111\xe2\x80\x91"
        "1111\xe2\x80\x91"
        "1111>",
        "<credit_card:4000000000000000006>", "2 <credit_card:4111 1111 1111 1111>");
    ALL("4111111111111112", "4111 1111 1111 1112", "41111111111111111", "x4111111111111111", "4111111111111111x",
        "0.4111111111111111", "4111111111111111.5", "id_4111111111111111", "4111-1111-1111-1111-9",
        "ab-4111111111111111", "4111 1111 11111111", "411 11111 1111 1111", "1234567812345670", "0000000000000000",
        "4444444444444448e", "4222222222222", "1763797302123456", "1732000000000000000",
        "\xc3\xa9"
        "4111111111111111",
        "4111111111111111\xd0\xb6", "1234 4111 1111 1111 1111 5678", "4111 1111 1111 1111 2222 3333",
        "4111,1111,1111,1111", "4111  1111  1111  1111", "4111-1111 1111-1111", "%4111111111111111",
        "&#4111111111111111;");
}

static void accounts(void) {
    ALL("<iban:DE89370400440532013000>", "IBAN: <iban:DE89 3704 0044 0532 0130 00>.",
        "<iban:GB82 WEST 1234 5698 7654 32>", "<iban:FR1420041010050500013M02606>", "<iban:NL91ABNA0417164300>",
        "<iban:BE68 5390 0754 7034>", "<iban:NO9386011117947>", "<iban:MT84MALT011000012345MTLCAST001S>",
        "<iban:CH93-0076-2011-6238-5295-7>", "<iban:PL61109010140000071219812874>", "<iban:de89370400440532013000>",
        "(<iban:SA0380000000608010167519>)", "\xe8\xb4\xa6\xe6\x88\xb7<iban:DE89370400440532013000>\xef\xbc\x8c",
        "<iban:BR1800360305000010009795493C1>");
    ALL("DE89370400440532013001", "DE8937040044053201300", "DE893704004405320130000", "XX89370400440532013000",
        "DE8937040044053201300A", "xDE89370400440532013000", "DE89370400440532013000x", "GB82WEST1234569876543A",
        "GB8212341234569876543", "DE89-3704-0044-0532-0130-00-1", "DE89 3704 0044", "DE");
}

static void phones(void) {
    ALL("<phone:+49 30 901820>", "call <phone:+1 (212) 555-0123> now", "<phone:+1-212-555-0123>",
        "<phone:+12125550123>", "<phone:(212) 555-0123>", "<phone:(212)555-0123>", "<phone:212-555-0123>",
        "<phone:212.555.0123>", "<phone:1-212-555-0123>", "<phone:+44 20 7946 0958>", "<phone:+44 (0)20 7946 0958>",
        "<phone:+33 6 12 34 56 78>", "<phone:+91 98765 43210>", "<phone:+81-3-1234-5678>", "<phone:+86 138 0013 8000>",
        "<phone:+5511912345678>", "tel:<phone:+49-30-901820>", "phone 2: <phone:212 555 0123>",
        "Tel. <phone:030 901820>", "fax: <phone:(030) 901820>", "userPhone=<phone:2125550123>",
        "mobile <phone:0612345678>", "call <phone:0049 30 901820>", "\xe7\x94\xb5\xe8\xaf\x9d<phone:+86 10 6552 9988>",
        "<phone:+49 30 901820>; 12 apples", "\"phone\": \"<phone:2125550123>\"");
    ALL("+1234567", "+0100", "2026-11-22T07:41:42+0100", "1+12125550123", "a+12125550123", "+1 012 555 0123",
        "+1 2125550", "112-555-0123", "212-155-0123", "911-555-0123", "2125550123", "212 555 0123", "2026-11-22",
        "10.1.212-555-0123", "212-555-0123-4", "x212-555-0123", "212-555-01234", "030 901820", "0612345678",
        "+999 123 456 789", "(212) 55-0123", "1763797302", "+12125550123x", "212.555.0123.4", "n += 12125550123",
        "+1+2+3", "12-555-0123", "1,212,555,0123");
}

static void addresses(void) {
    ALL("<ip_address:192.0.2.7>", "from <ip_address:10.1.2.3>:8080", "http://<ip_address:192.0.2.1>/x",
        "<ip_address:8.8.8.8>.", "[<ip_address:2001:db8::1>]:443", "<ip_address:fe80::1ff:fe23:4567:890a>%eth0",
        "<ip_address:2001:0db8:85a3:0000:0000:8a2e:0370:7334>", "ip=<ip_address:2001:db8::ff00:42:8329>, ok",
        "<ip_address:fd12:3456:789a::1>", "(<ip_address:203.0.113.9>)", "see <ip_address:2001:db8::1>.",
        "<ip_address:192.0.2.7>/32", "<ip_address:2001:db8::192.0.2.33>", "host <ip_address:172.16.0.1>\n");
    ALL("1.2.3", "1.2.3.4.5", "300.1.1.1", "1.2.3.256", "01.2.3.4", "v1.2.3.4", "version 1.2.3.4", "version: 1.2.3.4",
        "nginx/1.2.3.4", "1.2.3.4-rc1", "Section 3.2.1.4", "127.0.0.1", "0.0.0.0", "255.255.255.0", "224.0.0.1", "::1",
        "::", "a::b", "std::string", "12:34:56", "00:1a:2b:3c:4d:5e", "face::b00c", "2001:db8", "2001::db8::1",
        "x2001:db8::1", "Chrome/120.0.6099.109", "1.2.3.4x", "firmware 4.5.6.7", "12:30:45.123", "fe80",
        "2001:", "ab:cd:ef:01:23:45:67:89", "1.2.3.1000", "10.0.0.0/8", "2001:db8::/32", "192.0.2.0/24",
        "cafe::add(x)");
}

static void numbers(void) {
    ALL("<us_ssn:536-22-1234>", "SSN <us_ssn:536 22 1234>", "my social security number is <us_ssn:536221234>",
        "ssn:<us_ssn:536.22.1234>", "<us_itin:912-70-1234>", "itin <us_itin:912701234>", "NHS <uk_nhs:943 476 5919>",
        "<uk_nhs:450 557 7104>", "nhs number: <uk_nhs:9434765919>", "<es_nif:54362315K>", "<es_nif:X5253868R>",
        "<it_fiscal_code:RCCMNL83S18D969H>", "<fi_hetu:131052-308T>", "<fi_hetu:010594Y9032>", "<sg_nric:S1234567D>",
        "<sg_nric:F1234567N>", "<in_aadhaar:2341 2341 2346>", "aadhaar <in_aadhaar:234123412346>");
    ALL("000-22-1234", "666-22-1234", "536-00-1234", "536-22-0000", "078-05-1120", "123-45-6789", "536 22 1234",
        "536221234", "1-536-22-1234", "536-22-1234-5", "536-22-12345", "912-40-1234", "943 476 5918", "9434765919",
        "54362315A", "X5253868A", "54362315k", "RCCMNL83S18D969A", "131052-308A", "311352-308T", "S1234567A",
        "2341 2341 2345", "234123412346", "1234 1234 1234", "x54362315K", "54362315Kx", "2341 2341 2346 1111",
        "111-11-1111");
}

// What else is made of digits, letters and signs.
static void others(void) {
    ALL("550e8400-e29b-41d4-a716-446655440000", "41111111-1111-4111-8111-111111111111",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709", "9e107d9d372bb6826bd81d3542a419d6",
        "2026-11-22T07:41:42.123456789Z", "1763797302.123456", "v20.11.1-nightly20231122", "3.14159265358979323846",
        "[0.4485123456789012, -0.4539578763621486]", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ+4111/9A==",
        "for (int i = 0; i != 100; i++) a[i] = 0x4111111111111111;", "sha256:4111111111111111abcdef", "12:30-13:45",
        "ISBN 978-3-16-148410-0", "$1,234,567.89", "50%", "1/2/2026", "#123456", "rgb(212, 155, 12)", "10^15",
        "@@ -12,7 +12,7 @@", "100000000000000000000000000000000000000", "A-1234-5678-9012", "order 123-4567890-1234567",
        "E = 6.02214076e23", "tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN", "");
}

static void only_what_is_asked_for(void) {
    struct str text = STR("a@b.de 4111111111111111 +49 30 901820");
    struct pii_match m;
    CHECK(!pii_find(text, 0, &m) && !pii_find(text, PII_BIT(PII_IBAN), &m) && !pii_find(STR_NONE, PII_ALL, &m));
    REQUIRE(pii_find(text, PII_BIT(PII_CREDIT_CARD) | PII_BIT(PII_PHONE), &m));
    CHECK(m.kind == PII_CREDIT_CARD && m.at == 7 && m.n == 16 && m.score == PII_BY_CHECK);
    REQUIRE(pii_find(text, PII_BIT(PII_PHONE), &m));
    CHECK(m.kind == PII_PHONE && m.at == 24 && m.score == PII_BY_FORM);
    REQUIRE(pii_find(STR("ssn 536221234"), PII_ALL, &m));
    CHECK_INT(m.score, PII_BY_WORD);
    CHECK_INT(pii_kind_bits(STR("all")), PII_ALL);
    CHECK_INT(pii_kind_bits(STR("iban")), PII_BIT(PII_IBAN));
    CHECK_INT(pii_kind_bits(STR("nonsense")), 0);
    CHECK(pii_is_card(STR("4111111111111111")) && !pii_is_card(STR("4111")) && !pii_is_card(STR("")));
}

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Whatever stands before and behind, with an edge between.
static void surroundings_do_not_matter(void) {
    static const struct str one[] = {
        STR_INIT("ada@example.com"),  STR_INIT("4111 1111 1111 1111"), STR_INIT("DE89 3704 0044 0532 0130 00"),
        STR_INIT("+49 30 901820"),    STR_INIT("(212) 555-0123"),      STR_INIT("192.0.2.7"),
        STR_INIT("2001:db8::1"),      STR_INIT("536-22-1234"),         STR_INIT("54362315K"),
        STR_INIT("RCCMNL83S18D969H"), STR_INIT("131052-308T"),         STR_INIT("S1234567D"),
        STR_INIT("943 476 5919"),     STR_INIT("378282246310005")};
    static const struct str alphabet = STR_INIT("abcXYZ0123456789 .,-@:/+()_\"\n\t%#\xc3\xa9\xe2\x80\x91");
    uint64_t seed = 4711;
    for (int round = 0; round < 20000; round++) {
        const struct str want = one[(size_t)round % ARRAY_LEN(one)];
        struct buf text = BUF_INIT(4096);
        size_t before = random_next(&seed) % 80, behind = random_next(&seed) % 80;
        for (size_t i = 0; i < before; i++) buf_putc(&text, alphabet.p[random_next(&seed) % alphabet.n]);
        buf_lit(&text, "\n\"");
        size_t at = text.n;
        buf_put(&text, want);
        buf_lit(&text, "\"\n");
        for (size_t i = 0; i < behind; i++) buf_putc(&text, alphabet.p[random_next(&seed) % alphabet.n]);
        struct pii_scan scan = pii_scan_of(buf_str(&text), PII_ALL);
        struct pii_match m;
        bool found = false;
        while (pii_next(&scan, &m)) found = found || (m.at == at && m.n == want.n);
        CHECK(found);
        if (!found) printf("%.*s\n", STR_ARG(buf_str(&text)));
        buf_free(&text);
    }
}

// A scan that begins anew at a word, and so knows nothing of what was before, finds the same next.
static void begins_anew(struct str text) {
    struct pii_scan scan = pii_scan_of(text, PII_ALL);
    struct pii_match m = {.at = 0}, again;
    size_t from = 0;
    for (bool found = true; found; from = scan.floor) {
        found = pii_next(&scan, &m);
        for (size_t i = from; i < (found ? m.at + 1 : text.n); i++) {
            if (i && text.p[i - 1] != ' ') continue;
            struct pii_scan other = pii_scan_of(text, PII_ALL);
            other.at = i;
            other.floor = from;
            bool same = pii_next(&other, &again) == found && (!found || (again.at == m.at && again.n == m.n));
            CHECK(same && (!found || (again.kind == m.kind && again.score == m.score)));
            if (!same) printf("from %zu in %.*s\n", i, STR_ARG(text));
        }
    }
}

static void what_was_before_is_not_forgotten(void) {
    static const char *const pieces[] = {"1",
                                         "00",
                                         "4111",
                                         "4111 1111 1111 1111",
                                         "212",
                                         "555",
                                         "0123",
                                         "2341 2341 2346",
                                         "943 476 5919",
                                         "tel",
                                         "ssn",
                                         "aadhaar",
                                         "card",
                                         "536 22 1234",
                                         "-",
                                         ".",
                                         ".",
                                         ":",
                                         "::",
                                         ":",
                                         "2001",
                                         "db8",
                                         "fe80",
                                         "\xc2\xa0",
                                         "+49",
                                         "(212)",
                                         "@",
                                         "a",
                                         "12345",
                                         "030 901820"};
    uint64_t seed = 815;
    for (int round = 0; round < 3000; round++) {
        struct buf text = BUF_INIT(4096);
        for (size_t n = random_next(&seed) % 60; n; n--) {
            buf_put(&text, str_c(pieces[random_next(&seed) % ARRAY_LEN(pieces)]));
            if (random_next(&seed) % 2) buf_putc(&text, ' ');
        }
        begins_anew(buf_str(&text));
        buf_free(&text);
    }
}

// One that is out of its place would not be found.
static void tables_are_in_order(void) {
    static const char *const countries[] = {
#define IBAN(country, length, form) country,
#include "govern/pii_iban.def"
#undef IBAN
    };
    for (size_t i = 1; i < ARRAY_LEN(countries); i++) CHECK(strcmp(countries[i - 1], countries[i]) < 0);
    const char *letter = "";
#define LETTER(c) letter = (const char[]){c, '\0'};
#define NEAR(id, text) CHECK(text[0] == letter[0]);
#include "govern/pii_near.def"
#undef LETTER
#undef NEAR
}

// Exactly as many bytes as there are, so that a sanitizer sees one too far; and long hostile texts come to an end.
static void every_beginning_of_a_text(void) {
    static const struct str text =
        STR_INIT("ssn 536 22 1234 +44 (0)20 7946 0958 (212) 555-0123 2001:db8::1 1.2.3.4 a.b@c.d.example.com DE89 3704 "
                 "0044 0532 0130 00 4111-1111-1111-1111 131052-308T RCCMNL83S18D969H \xc2\xa0\xe2\x80\x91");
    for (size_t n = 0; n <= text.n; n++) {
        AUTO_FREE char *p = mem_must(mem_alloc(n));
        if (n) memcpy(p, text.p + text.n - n, n);
        struct buf ignored = BUF_INIT(4096);
        mark(str_of(p, n), PII_ALL, &ignored);
        if (n) memcpy(p, text.p, n);
        mark(str_of(p, n), PII_ALL, &ignored);
        buf_free(&ignored);
    }
    static const char *const pieces[] = {"1",    "1 ",    "1.",    "1-",       "4111 ",    "@",       "a@",
                                         "a@b.", "+1 ",   "(",     "(2",       "fe80:",    "1:",      "DE89 ",
                                         "0 ",   "tel 0", "ssn 1", "\xc3\xa9", "\xc2\xa0", "\x80",    "a.",
                                         "_9",   "0 ",    "00 ",   "212 555 ", "a 00 ",    "1.1.1.1."};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct buf b = BUF_INIT((size_t)1 << 20);
        struct pii_match m;
        while (b.n < 300000) buf_put(&b, str_c(pieces[i]));
        struct pii_scan scan = pii_scan_of(buf_str(&b), PII_ALL);
        while (pii_next(&scan, &m)) {
        }
        CHECK_INT(scan.at, b.n);
        buf_free(&b);
    }
}

TEST_MAIN(emails, cards, accounts, phones, addresses, numbers, others, only_what_is_asked_for,
          surroundings_do_not_matter, what_was_before_is_not_forgotten, tables_are_in_order, every_beginning_of_a_text)
