#!/usr/bin/env python3
# Makes the list of passwords that are refused, from the frequency lists of the package python3-zxcvbn.
#
# The output is what src/access/password_common.c searches: the first five bytes of the BLAKE2b-128 of each word, sorted.
import ast
import hashlib
import sys

LEAST = 4  # bytes: shorter words say nothing about a password of ten


def words(path):
    """All words of the module's FREQUENCY_LISTS, read without running it."""
    with open(path, encoding='utf-8') as source:
        tree = ast.parse(source.read())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ',' in node.value:
            found.update(word.strip().lower() for word in node.value.split(','))
    return {word for word in found if len(word.encode()) >= LEAST}


def main():
    source, target = sys.argv[1:]
    found = words(source)
    if len(found) < 50000:
        sys.exit(f'{source}: only {len(found)} words: not the lists that were expected')
    hashes = sorted({hashlib.blake2b(word.encode(), digest_size=16).digest()[:5] for word in found})
    with open(target, 'wb') as out:
        out.write(b''.join(hashes))


main()
