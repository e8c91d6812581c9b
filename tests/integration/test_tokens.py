#!/usr/bin/env python3
# Tokens: every tokenizer against its vendor's own program on a corpus of all kinds, POST /v1/tokenize, penstock tokens.
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import token_corpus
from harness import HERE, ROOT, Suite, fake_provider, in_parallel, main, request_bytes, run_cli

PYTHON = os.environ.get('PENSTOCK_PYTHON') or os.path.join(ROOT, 'build', 'python', 'bin', 'python3')
VOCABULARY = os.environ.get('PENSTOCK_VOCABULARY_DIR') or os.path.join(ROOT, 'build', 'vocabulary')
SIZES = {'o200k_base': 1 << 20, 'cl100k_base': 1 << 20}
OTHERS = 256 * 1024


def ids_of(tokenizer, path):
    done = run_cli('tokens', '--tokenizer', tokenizer, '--ids', path, timeout=120)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


class Exact(unittest.TestCase):
    def setUp(self):
        self.assertTrue(os.path.exists(PYTHON), f'{PYTHON} is missing: ./dev test installs it')
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def check(self, tokenizer):
        texts = token_corpus.make(SIZES.get(tokenizer, OTHERS))
        if tokenizer in SIZES:
            self.assertGreater(sum(map(len, texts.values())), 900_000)
        texts['empty'] = b''
        paths = {}
        for name, text in texts.items():
            paths[name] = os.path.join(self.folder, name)
            with open(paths[name], 'wb') as f:
                f.write(text)
        done = subprocess.run([PYTHON, os.path.join(HERE, 'token_reference.py'), os.path.join(VOCABULARY, 'node_modules'),
                               tokenizer, *paths.values()], capture_output=True, timeout=150)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        for (name, path), line in zip(paths.items(), done.stdout.splitlines(), strict=True):
            want, got = json.loads(line), ids_of(tokenizer, path)
            if got != want:
                at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
                self.fail(f'{tokenizer}, {name}: {len(got)} tokens, not {len(want)}; from {at} on {got[at:at + 8]}, '
                          f'not {want[at:at + 8]}')

    def test_o200k(self):
        self.check('o200k_base')

    def test_cl100k(self):
        self.check('cl100k_base')

    def test_p50k(self):
        self.check('p50k_base')

    def test_llama3(self):
        self.check('llama3')

    def test_mistral(self):
        self.check('mistral')

    def test_tekken(self):
        self.check('mistral-tekken')

    def test_gemma(self):
        self.check('gemma')

    def test_claude(self):
        self.check('claude-approximate')


class Command(unittest.TestCase):
    def test_files(self):
        done = run_cli('tokens', '--model', 'gpt-4o', '--json', os.path.join(ROOT, 'LICENSE'), '-', stdin='hello world')
        self.assertEqual(done.returncode, 0, done.stderr)
        first, second = map(json.loads, done.stdout.splitlines())
        self.assertEqual(first['bytes'], os.path.getsize(os.path.join(ROOT, 'LICENSE')))
        self.assertEqual(second, {'file': '-', 'tokenizer': 'o200k_base', 'exact': True, 'bytes': 11, 'tokens': 2})

    def test_table(self):
        done = run_cli('tokens', '-', '-', stdin='hello world')
        self.assertRegex(done.stdout, r'total +11 +2\n')
        self.assertEqual(done.returncode, 0)

    def test_wrong(self):
        self.assertEqual(run_cli('tokens', '/no/such/file').returncode, 4)
        self.assertEqual(run_cli('tokens', '--tokenizer', 'gpt', '-').returncode, 2)
        self.assertEqual(run_cli('tokens', '--tokenizer', 'gemma', '--model', 'gpt-4o', '-').returncode, 2)


class Api(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'limits': {'max_body': '8 MiB'}, 'passthrough_models': True,
                'models': [{'name': 'clever', 'targets': [{'provider': 'fake', 'model': 'llama-3.3-70b'}]}],
                'aliases': {'quick': 'clever'}}

    def ask(self, **body):
        reply = self.server.post('/v1/tokenize', json.dumps(body).encode())
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    def test_text(self):
        self.assertEqual(self.ask(model='gpt-4o', input='hello world', ids=True),
                         {'object': 'tokenization', 'model': 'gpt-4o', 'tokenizer': 'o200k_base', 'exact': True, 'tokens': 2,
                          'counts': [2], 'ids': [[24912, 2375]]})
        self.assertEqual(self.fake.seen, [])

    def test_texts(self):
        got = self.ask(tokenizer='cl100k_base', input=['hello world', '', 'caf\u00e9 \U0001f600', 'a\n\tb'], ids=True)
        self.assertEqual(got['counts'], [len(ids) for ids in got['ids']])
        self.assertEqual(got['tokens'], sum(got['counts']))
        self.assertEqual(got['counts'][:2], [2, 0])
        self.assertNotIn('model', got)

    def test_messages(self):
        messages = [{'role': 'system', 'content': 'hello world'},
                    {'role': 'user', 'name': 'bob', 'content': [{'type': 'text', 'text': 'hello world'},
                                                               {'type': 'image_url', 'image_url': {'url': 'data:x'}}]}]
        got = self.ask(model='gpt-4o', messages=messages)
        self.assertEqual(got['counts'], [3 + 1 + 2, 3 + 1 + 1 + 1 + 2])
        self.assertEqual(got['tokens'], sum(got['counts']) + 3)
        self.assertEqual((got['uncounted'], got['exact']), (1, False))
        self.assertTrue(self.ask(model='gpt-4o', messages=messages[:1])['exact'])

    def test_unknown_and_near(self):
        self.assertEqual([self.ask(model=m, input='x')['exact'] for m in ('claude-sonnet-4', 'who-knows', 'gemini-2.5-pro')],
                         [False] * 3)

    def test_names_of_the_configuration(self):
        for name in ('clever', 'quick', 'fake/Llama-3.1-8B'):
            for text in ('hello', 'hello ' * 5000):
                got = self.ask(model=name, input=text)
                self.assertEqual((got['model'], got['tokenizer'], got['exact']), (name, 'llama3', True))

    def test_long_texts_do_not_hold_up_others(self):
        long = 'ab' * 500_000
        count = self.ask(model='gpt-4o', input=long[:30_000])['tokens']
        self.assertGreater(count, 1000)
        replies = in_parallel(26, lambda i: self.ask(model='gpt-4o', input=long if i < 6 else 'hello world')['tokens'])
        self.assertEqual(len(set(replies[:6])), 1)
        self.assertEqual(replies[6:], [2] * 20)

    def test_clients_that_leave(self):
        body = json.dumps({'model': 'gpt-4o', 'input': 'ab' * 1_000_000}).encode()
        for _ in range(6):
            conn = self.server.conn()
            conn.send(request_bytes('POST', '/v1/tokenize', body, key=self.server.key))
            conn.close()
        self.assertEqual(self.ask(model='gpt-4o', input='hello world')['tokens'], 2)

    def test_wrong(self):
        for body, code, param in ((b'{', 'invalid_json', None), (b'{}', 'missing_required_parameter', 'model'),
                                  (b'{"model":"x"}', 'missing_required_parameter', 'input'),
                                  (b'{"model":7,"input":"a"}', 'invalid_value', 'model'),
                                  (b'{"model":"","input":"a"}', 'invalid_value', 'model'),
                                  (b'{"tokenizer":"x","input":"a"}', 'invalid_value', 'tokenizer'),
                                  (b'{"model":"x","input":7}', 'invalid_value', 'input'),
                                  (b'{"model":"x","input":["a",7]}', 'invalid_value', 'input'),
                                  (b'{"model":"x","input":"a","messages":[]}', 'invalid_value', 'input'),
                                  (b'{"model":"x","messages":["a"]}', 'invalid_value', 'messages'),
                                  (b'{"model":"x","messages":[],"ids":true}', 'invalid_value', 'ids'),
                                  (b'{"model":"x","input":"a","ids":"yes"}', 'invalid_value', 'ids'),
                                  (b'{"model":"x","input":"\xff"}', 'invalid_json', None),
                                  (b'{"model":"x","input":"' + b'\xff' * 70_000 + b'"}', 'invalid_json', None)):
            with self.subTest(body[:60]):
                self.check_error(self.server.post('/v1/tokenize', body), 400, code, 'invalid_request_error', param)
        self.assertEqual(self.server.get('/v1/tokenize').status, 405)

    def test_a_key_is_needed(self):
        self.check_error(self.server.request('POST', '/v1/tokenize', b'{"model":"gpt-4o","input":"a"}'), 401, 'invalid_api_key')


if __name__ == '__main__':
    main()
