# Texts of every kind for the tokenizers: code, prose, scripts, emoji, white space, long words, random bytes.
import glob
import os
import random

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

SCRIPTS = {
    'latin': (0x41, 0x24f), 'ipa': (0x250, 0x2af), 'greek': (0x370, 0x3ff), 'cyrillic': (0x400, 0x52f),
    'armenian': (0x531, 0x58a), 'hebrew': (0x591, 0x5f4), 'arabic': (0x600, 0x6ff), 'syriac': (0x700, 0x74f),
    'devanagari': (0x900, 0x97f), 'bengali': (0x980, 0x9fe), 'gurmukhi': (0xa01, 0xa76), 'tamil': (0xb82, 0xbfa),
    'telugu': (0xc00, 0xc7f), 'thai': (0xe01, 0xe5b), 'tibetan': (0xf00, 0xfda), 'georgian': (0x10a0, 0x10ff),
    'ethiopic': (0x1200, 0x137c), 'cherokee': (0x13a0, 0x13fd), 'khmer': (0x1780, 0x17f9), 'mongolian': (0x1800, 0x18aa),
    'hiragana': (0x3041, 0x309f), 'katakana': (0x30a0, 0x30ff), 'han': (0x4e00, 0x9fff), 'hangul': (0xac00, 0xd7a3),
    'marks': (0x300, 0x36f), 'punctuation': (0x2000, 0x206f), 'symbols': (0x2190, 0x2bff), 'fullwidth': (0xff01, 0xffef),
    'gothic': (0x10330, 0x1034a), 'mathematical': (0x1d400, 0x1d7ff), 'any': (0x20, 0xffff), 'higher': (0x10000, 0x10ffff),
}
BETWEEN = [' ', ' ', ' ', '  ', '', '\n', '\r\n', '\t', ' \n ', '\n\n\n', "'s ", "'S", "'ll", "'\u017f", "n't ", '.', ', ',
           '!?', '...', '/', '//\n', '1', '12', '1234567', '\u00a0', '\u3000', '\u2581', '\u0085', '\ufeff', '    ', '>', '> ',
           '<table>', '\x00', '\x1f', '_', '-', '"']
EMOJI = ['\U0001f600', '\U0001f468\u200d\U0001f469\u200d\U0001f467', '\U0001f44d\U0001f3fd', '\u2764\ufe0f', '\U0001f1e9\U0001f1ea',
         '1\ufe0f\u20e3', '\U0001f3f4\U000e0067\U000e0062\U000e007f', '\U0001f9d1\u200d\U0001f680']


def words(rng, script, n):
    first, last = SCRIPTS[script]
    out = []
    while n > 0:
        word = ''.join(chr(c) for c in (rng.randint(first, last) for _ in range(rng.choice([1, 2, 3, 5, 8, 13, 40])))
                       if not 0xd800 <= c < 0xe000)
        out.append(word + rng.choice(BETWEEN))
        n -= len(out[-1].encode())
    return ''.join(out)


def files(*patterns):
    names = sorted(name for p in patterns for name in glob.glob(os.path.join(ROOT, p), recursive=True))
    return ''.join(open(name, encoding='utf-8', newline='').read() for name in names)


def make(size, seed=1):
    """Name → bytes, together about `size`."""
    rng = random.Random(seed)
    part = size // 8
    scripts = list(SCRIPTS)
    texts = {
        'code': files('src/base/*.[ch]', 'src/model/**/*.c', 'tests/integration/*.py', 'cmake/*')[:part * 2],
        'prose': (files('docs/**/*.md', 'LICENSE', '*.md') * 2)[:part * 2],
        'scripts': ''.join(words(rng, s, part // len(scripts)) for s in scripts),
        'mixed': ''.join(words(rng, rng.choice(scripts), 40) for _ in range(part // 40)),
        'emoji': ''.join(rng.choice(EMOJI) + rng.choice(BETWEEN) for _ in range(part // 24)),
        'spaces': ''.join(rng.choice([' ', '\n', '\t', '\r\n', '\u00a0', 'x', ' y']) * rng.choice([1, 2, 3, 7, 14, 15, 16, 40, 100])
                          for _ in range(part // 40)),
        'long': ''.join(''.join(rng.choice(letters) for _ in range(part // 10))
                        for letters in ('a', 'ab', 'abcdefghijklmnopqrstuvwxyz', '\u4e2d\u6587\u5b57', '=-', '0123456789', 'aA', ' ', '\n')),
    }
    out = {name: text.encode() for name, text in texts.items()}
    out['bytes'] = bytes(rng.randrange(256) for _ in range(part // 2))
    out['broken'] = b''.join(rng.choice([b'word ', b'\xc3', b'\xe2\x82', b'\xf0\x9f\x98', b'\xed\xa0\x80', b'\xff', '\u00e9'.encode(), b'\n'])
                             for _ in range(part // 10))
    return out
