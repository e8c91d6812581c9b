#!/usr/bin/env python3
# The generated pages are what their tables say, and every link between the project's pages leads somewhere.
import os
import re
import subprocess
import tempfile
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
SKIPPED = ('node_modules', 'build', 'data', '.git')
FENCE = re.compile(r'^(```|~~~).*?^\1', re.S | re.M)
LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')


def pages():
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name not in SKIPPED]
        yield from (os.path.join(folder, name) for name in names if name.endswith('.md'))


def text_of(path):
    with open(path, encoding='utf-8') as page:
        return FENCE.sub('', page.read())


def anchors_of(path):
    """The anchors that a page's headings get: lower case, without punctuation, spaces as hyphens."""
    headings = re.findall(r'^#+ +(.*)$', text_of(path), re.M)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def broken_links(path):
    for target in LINK.findall(text_of(path)):
        if re.match(r'[a-z]+:', target):
            continue
        name, _, anchor = target.partition('#')
        there = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        if not os.path.exists(there) or (anchor and anchor not in anchors_of(there)):
            yield f'{os.path.relpath(path, ROOT)}: {target}'


class Docs(unittest.TestCase):
    def test_generated_pages_are_current(self):
        ran = subprocess.run([os.path.join(ROOT, 'tools', 'gen_docs'), '--check'], capture_output=True, text=True)
        self.assertEqual((ran.returncode, ran.stderr), (0, ''))

    def test_links_lead_somewhere(self):
        self.assertEqual([link for path in pages() for link in broken_links(path)], [])

    def test_broken_links_are_noticed(self):
        with tempfile.TemporaryDirectory(prefix='penstock-docs-') as folder:
            path = os.path.join(folder, 'page.md')
            with open(path, 'w', encoding='utf-8') as page:
                page.write('# A heading\n\n[good](#a-heading) [good](page.md) [out](https://example.com/x)\n'
                           '[bad](#no-heading) [bad](none.md)\n```\n[code](nowhere)\n```\n')
            bad = [link.rsplit(' ', 1)[1] for link in broken_links(path)]
        self.assertEqual(bad, ['#no-heading', 'none.md'])

    def test_a_provider_is_added_as_the_page_says(self):
        with open(os.path.join(ROOT, 'docs', 'adding-a-provider.md'), encoding='utf-8') as f:
            page = f.read()
        preset, traits = re.findall(r'^```c\n(.*)\n```$', page, re.M)
        with tempfile.TemporaryDirectory(prefix='penstock-docs-') as folder:
            for path, line, before in (('conf/provider_preset.def', preset, 'PRESET(DEMO'), ('model/provider.def', traits, None)):
                with open(os.path.join(ROOT, 'src', path), encoding='utf-8') as f:
                    text = f.read()
                text = text.replace(before, line + '\n' + before, 1) if before else text + line + '\n'
                os.makedirs(os.path.join(folder, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(folder, path), 'w', encoding='utf-8') as f:
                    f.write(text)
            for source in ('conf/provider_preset.c', 'model/provider.c'):
                ran = subprocess.run(['cc', '-std=gnu17', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-I', folder,
                                      '-I', os.path.join(ROOT, 'src'), os.path.join(ROOT, 'src', source)],
                                     capture_output=True, text=True)
                self.assertEqual((ran.returncode, ran.stderr), (0, ''))


if __name__ == '__main__':
    unittest.main()
