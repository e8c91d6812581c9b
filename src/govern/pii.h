// Finds personal data in a text by its form: addresses of e-mail, numbers of cards, accounts, telephones and the like.
//
// What is found stands for itself: where it begins and ends there is no letter or digit, in whatever alphabet (Chinese,
// Japanese, Korean and Thai letters end a number, since these are written without spaces), and no part of a longer
// number, version, UUID or decimal. What has check digits has the right ones. Forms that many other things have, ten
// bare digits say, are only found where a word before them says what they are.
//
// It goes over the text once, from left to right: time is linear in its length, whatever is in it, some fifty
// nanoseconds a byte at worst, and nothing is allocated. Which bytes decide on a match lie within PII_REACH before its
// beginning and after its end: who has a text in pieces keeps twice as much of what came before.
//
// Sources. Cards: ISO/IEC 7812-1 (check digit after H. P. Luhn, US 2950048) and the ranges that networks publish.
// IBAN: ISO 13616, SWIFT's registry; check ISO 7064 mod 97-10. Telephones: ITU-T E.164, lengths after libphonenumber's
// metadata; North American Numbering Plan. SSN: SSA's rules of 2011; ITIN: IRS Publication 1915. NHS: NHS Data
// Dictionary, modulus 11. NIF: Real Decreto 1553/2005. Codice fiscale: D.M. 23 December 1976. NRIC: the weights that
// are commonly known. HETU: Digital and Population Data Services Agency. Aadhaar: J. Verhoeff's check, UIDAI. E-mail:
// RFC 5321, RFC 5322, RFC 6531. Addresses: RFC 791, RFC 4291, RFC 6890.
//
// Ownership: borrowed. Thread rule: pure functions. Units: bytes.
#ifndef GOVERN_PII_H
#define GOVERN_PII_H

#include "conf/pii_kind.h"

#include "base/defs.h"

#define PII_REACH ((size_t)384)

// How sure it is.
enum pii_score {
    PII_BY_WORD = 50,  // the form is common, and a word before it names it
    PII_BY_FORM = 70,  // the form is its own
    PII_BY_CHECK = 90, // check digits are right, too
};

struct pii_match {
    enum pii_kind kind;
    enum pii_score score;
    size_t at, n;
};

// What a scan keeps of what it has read, so that it need not read it again; zero: nothing yet.
struct pii_memo {
    struct pii_group { // of digits
        size_t at, end;
        unsigned char digits;
        unsigned char gap; // before it
    } groups[12];
    unsigned group, group_end;   // the first one of the last number; the end of those that are read
    size_t run_at, run_end;      // hexadecimal digits and colons without a break
    size_t no_ip6;               // 1 + where no address begins
    size_t near_end;             // words that name a kind are known up to here
    size_t near[PII_KIND_COUNT]; // 1 + where the last one begins
};

struct pii_scan {
    struct str text;
    unsigned kinds; // PII_BIT(…) | …
    size_t at;      // where it goes on; all before is done with
    size_t floor;   // the end of the last match
    struct pii_memo memo;
};

static inline struct pii_scan pii_scan_of(struct str text, unsigned kinds) {
    return (struct pii_scan){.text = text, .kinds = kinds};
}
// The next match; they come in their order and do not overlap. False: there is none any more.
bool pii_next(struct pii_scan *scan, struct pii_match *out_match);
// Whether there is any, and the first.
bool pii_find(struct str text, unsigned kinds, struct pii_match *out_match);

// A payment card's number, in digits alone: its network's range and length, and the check digit.
bool pii_is_card(struct str digits);

#endif
