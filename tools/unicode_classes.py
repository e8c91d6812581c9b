#!/usr/bin/env python3
"""Writes the character classes that the tokenizers' patterns ask for, as a table of two levels.

usage: unicode_classes.py NODE_MODULES OUT

The data are Unicode's, as the npm package regenerate-unicode-properties ships them; its version is the one that the
reference implementations use. OUT: 4352 numbers of 16 bits, the block of each 256 code points, then the blocks, a
byte a code point; the classes are those of src/model/token/unicode.h.
"""
import os
import re
import struct
import sys

OTHER, LOWER, UPPER, LETTER, MARK, NUMBER, SPACE, NEWLINE = range(8)
TOTAL, BLOCK = 0x110000, 256
SOURCES = [  # the later one wins
    ("Binary_Property/White_Space", SPACE),
    ("General_Category/Number", NUMBER),
    ("General_Category/Mark", MARK),
    ("General_Category/Letter", LETTER),
    ("General_Category/Lowercase_Letter", LOWER),
    ("General_Category/Uppercase_Letter", UPPER),
    ("General_Category/Titlecase_Letter", UPPER),
]


def ranges(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for call, args in re.findall(r"(regenerate'\)|\.add|\.addRange)\(([^)]*)\)", text):
        numbers = [int(n, 16) for n in re.findall(r"0x[0-9A-Fa-f]+", args)]
        if call == ".addRange":
            yield numbers[0], numbers[1]
        else:
            yield from ((n, n) for n in numbers)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    root, out = sys.argv[1:]
    classes = bytearray(TOTAL)
    try:
        for name, number in SOURCES:
            for first, last in ranges(os.path.join(root, "regenerate-unicode-properties", name + ".js")):
                classes[first:last + 1] = bytes([number]) * (last + 1 - first)
    except OSError as e:
        sys.exit("unicode_classes.py: %s" % e)
    if classes[ord("a")] != LOWER or classes[ord(" ")] != SPACE or classes[0x4E00] != LETTER or classes[0x85] != SPACE:
        sys.exit("unicode_classes.py: %s does not look as expected" % root)
    classes[ord("\r")] = classes[ord("\n")] = NEWLINE
    blocks, index = [], []
    for at in range(0, TOTAL, BLOCK):
        block = bytes(classes[at:at + BLOCK])
        if block not in blocks:
            blocks.append(block)
        index.append(blocks.index(block))
    with open(out, "wb") as f:
        f.write(struct.pack("<%dH" % len(index), *index) + b"".join(blocks))


if __name__ == "__main__":
    main()
