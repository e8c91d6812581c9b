#!/usr/bin/env python3
# Estimates before a run: within 2 % of the input tokens that the ledger records afterwards, from a provider that counts
# with tiktoken by OpenAI's published recipe; ranges, costs, order, all models, who may ask, wrong requests, the command.
import json
import os
import random
import subprocess
import threading

import token_corpus
from harness import HERE, ROOT, Suite, fake_provider, in_parallel, main, request_bytes, run_cli

PYTHON = os.environ.get('PENSTOCK_PYTHON') or os.path.join(ROOT, 'build', 'python', 'bin', 'python3')
VOCABULARY = os.environ.get('PENSTOCK_VOCABULARY_DIR') or os.path.join(ROOT, 'build', 'vocabulary')
TOOLS = [{'type': 'function', 'function': {
    'name': 'find_order', 'description': 'Finds an order by its number, or by who placed it.',
    'parameters': {'type': 'object', 'required': ['number'], 'properties': {
        'number': {'type': 'string', 'description': 'The number, such as A-1234.'},
        'state': {'type': 'string', 'description': 'Only orders in this state', 'enum': ['open', 'sent', 'returned']}}}}}]


class Vendor:
    """OpenAI's recipe ("How to count tokens with tiktoken"), written after the recipe and not after Penstock."""

    def __init__(self):
        self.process = subprocess.Popen([PYTHON, os.path.join(HERE, 'token_counter.py'),
                                         os.path.join(VOCABULARY, 'node_modules')], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()

    def encode(self, model, texts):
        name = 'o200k_base' if model.startswith(('gpt-4o', 'gpt-5', 'o3')) else 'cl100k_base'
        with self.lock:
            self.process.stdin.write(json.dumps([name, texts]) + '\n')
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def of_tools(self, body, texts):
        n = 12
        for tool in body['tools']:
            function = tool['function']
            n += 7 if body['model'].startswith('gpt-4o') else 10
            texts.append(function['name'] + ':' + function['description'].rstrip('.'))
            properties = function['parameters']['properties']
            n += 3 if properties else 0
            for name, value in properties.items():
                n += 3
                if 'enum' in value:
                    n += 3 * len(value['enum']) - 3
                    texts.extend(value['enum'])
                texts.append(f'{name}:{value["type"]}:{value["description"].rstrip(".")}')
        return n

    def __call__(self, body):
        texts, n = [], 0
        if 'messages' in body:
            n = 3
            for message in body['messages']:
                n += 3 + ('name' in message)
                texts.extend(message[k] for k in ('role', 'content', 'name') if k in message)
            if body.get('tools'):
                n += self.of_tools(body, texts)
        else:
            texts = body['input'] if isinstance(body['input'], list) else [body['input']]
        return n + sum(self.encode(body['model'], texts))


def texts_of_all_kinds():
    made = token_corpus.make(160 * 1024, seed=7)
    return {name: text.decode('utf-8', 'replace').encode('utf-8', 'replace').decode() for name, text in made.items()}


class Estimate(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake, name='openai')], 'log': {'level': 'debug', 'format': 'json'},
                'aliases': {'quick': 'openai/gpt-4o-mini'},
                'tenants': [{'name': 'acme', 'allow_models': ['gpt-4o*'], 'prices': {'gpt-4o': {'input': 100}}}]}

    @classmethod
    def setUpClass(cls):
        if not os.path.exists(PYTHON):
            raise AssertionError(f'{PYTHON} is missing: ./dev test installs it')
        super().setUpClass()
        vendor = Vendor()
        cls.addClassCleanup(vendor.stop)
        cls.fake.count_input = vendor

    def estimate(self, body, status=200, server=None, key=None):
        reply = (server or self.server).post('/v1/estimate', json.dumps(body).encode(), key=key)
        self.assertEqual(reply.status, status, reply)
        return reply.json()['data'] if status == 200 else reply.error()

    def requests(self):
        rng = random.Random(11)
        texts = texts_of_all_kinds()
        for name, text in texts.items():
            yield '/v1/chat/completions', {'model': 'gpt-4o-mini', 'messages': [{'role': 'user', 'content': text}]}
        for model in ('gpt-4o', 'gpt-4-turbo', 'gpt-3.5-turbo', 'gpt-5-mini'):
            for n in (1, 2, 9):
                messages = [{'role': rng.choice(['system', 'user', 'assistant']),
                             'content': rng.choice(list(texts.values()))[i * 700:][:rng.choice([3, 90, 2000])] or 'x',
                             **({'name': 'ada'} if i % 3 == 2 else {})} for i in range(n)]
                yield '/v1/chat/completions', {'model': model, 'messages': messages, 'max_tokens': 50}
        for model in ('gpt-4o', 'gpt-4'):
            yield '/v1/chat/completions', {'model': model, 'tools': TOOLS,
                                           'messages': [{'role': 'user', 'content': 'Where is order A-77?'}]}
        yield '/v1/embeddings', {'model': 'text-embedding-3-small', 'input': [t[:1500] or 'x' for t in texts.values()]}
        yield '/v1/embeddings', {'model': 'text-embedding-3-large', 'input': texts['mixed'][:3000]}

    def test_the_ledger_records_what_was_estimated(self):
        told, worst = {}, 0
        for path, body in self.requests():
            reply = self.server.post(path, json.dumps(body).encode())
            self.assertEqual(reply.status, 200, reply)
            told[reply.request_id] = (*self.estimate(body), json.dumps(body)[:300])
        recorded = {r['request_id']: int(r['input_tokens']) for r in self.server.usage()}
        self.assertGreater(len(told), 20)
        for request_id, (estimate, body) in told.items():
            real = recorded[request_id]
            self.assertGreater(real, 0)
            off = abs(estimate['input_tokens'] - real) / real
            self.assertLessEqual(off, 0.02, (estimate, real, body))
            worst = max(worst, off)
        print(f'{len(told)} requests, at most {worst:.3%} off', end=' ')

    def test_ranges_and_costs(self):
        body = {'model': 'gpt-4o', 'messages': [{'role': 'user', 'content': 'Hello'}]}
        server = self.spawn(self.config(), workers=1)
        (told,) = self.estimate({**body, 'max_tokens': 1000}, server=server)
        self.assertEqual((told['model'], told['provider'], told['tokenizer'], told['exact']),
                         ('gpt-4o', 'openai', 'o200k_base', True))
        self.assertEqual(told['output_tokens'], {'low': 128, 'expected': 512, 'high': 1000})
        self.assertEqual(told['input_tokens'], 8)
        for word, tokens in told['output_tokens'].items():
            self.assertAlmostEqual(told['cost_usd'][word], 8 * 2.5e-6 + tokens * 1e-5, places=9)
        self.assertEqual((told['context_window'], told['fits']), (128000, True))
        (told,) = self.estimate({**body, 'messages': [{'role': 'user', 'content': 'word ' * 130000}]}, server=server)
        self.assertFalse(told['fits'])
        # Answers that were seen are what is expected of the next.
        server.chat('gpt-4o;words=40')
        (told,) = self.estimate({**body, 'model': 'gpt-4o;words=40'}, server=server)
        self.assertEqual(told['output_tokens']['expected'], 42)
        self.assertIsNone(told['cost_usd'])  # nobody has a price for that name
        server.stop()

    def test_some_and_all(self):
        messages = [{'role': 'user', 'content': 'Hello'}]
        server = self.spawn(self.config(), workers=1)  # which has seen no answer yet
        some = self.estimate({'models': ['gpt-4o', 'quick', 'gpt-4.1-nano'], 'messages': messages}, server=server)
        self.assertEqual([m['model'] for m in some], ['gpt-4.1-nano', 'quick', 'gpt-4o'])
        everything = self.estimate({'models': 'all', 'messages': messages}, server=server)
        self.assertGreater(len(everything), 0)
        cost = [m['cost_usd']['expected'] for m in everything if m['cost_usd']]
        self.assertEqual(cost, sorted(cost))
        server.stop()
        # Where nothing is configured but a provider: what the catalogue knows of it.
        server = self.spawn({'providers': [fake_provider(self.fake, name='openai')]})
        names = {m['model'] for m in self.estimate({'models': 'all', 'messages': messages}, server=server)}
        self.assertLessEqual({'openai/gpt-4o', 'openai/o3'}, names)
        self.assertNotIn('openai/text-embedding-3-small', names)
        names = {m['model'] for m in self.estimate({'models': 'all', 'input': 'x'}, server=server)}
        self.assertIn('openai/text-embedding-3-small', names)
        self.assertNotIn('openai/gpt-4o', names)
        server.stop()

    def test_who_may_ask(self):
        body = {'model': 'gpt-4o', 'messages': [{'role': 'user', 'content': 'Hello'}], 'max_tokens': 1}
        self.assertEqual(self.server.request('POST', '/v1/estimate', json.dumps(body).encode(), key='ps-none').status, 401)
        narrow = self.server.create_key('--models', 'gpt-4o')['key']
        self.assertEqual(len(self.estimate(body, key=narrow)), 1)
        self.assertEqual(self.estimate({**body, 'model': 'gpt-4'}, status=403, key=narrow)['code'], 'model_not_allowed')
        acme = self.server.create_key('--tenant', 'acme')['key']
        self.estimate({**body, 'model': 'o3'}, status=403, key=acme)
        (told,) = self.estimate(body, key=acme)
        self.assertAlmostEqual(told['cost_usd']['high'], 8 * 1e-4 + 1e-5, places=9)
        before = len(self.server.usage())
        self.estimate(body)
        self.assertEqual(len(self.server.usage()), before)  # nobody was asked for anything

    def test_wrong_requests(self):
        hello = [{'role': 'user', 'content': 'Hello'}]
        for body, status in (({}, 400), ({'messages': hello}, 400), ({'model': 'gpt-4o'}, 400),
                             ({'model': 'gpt-4o', 'messages': 'x'}, 400), ({'models': [], 'messages': hello}, 400),
                             ({'models': 'none', 'messages': hello}, 400), ({'models': [1], 'messages': hello}, 400),
                             ({'models': ['gpt-4o', 'x/y/z'], 'messages': hello}, 200)):
            with self.subTest(body=body):
                self.estimate(body, status=status)
        for raw in (b'', b'{', b'[]', b'{"model":"gpt-4o","messages":[{"role":"user","content":"\xff"}]}'):
            self.assertEqual(self.server.post('/v1/estimate', raw).status, 400)
        server = self.spawn({'providers': [fake_provider(self.fake)], 'passthrough_models': False,
                             'models': [{'name': 'm', 'targets': [{'provider': 'fake', 'model': 'gpt-4o'}]}]})
        self.assertEqual(self.estimate({'model': 'n', 'messages': hello}, status=404, server=server)['code'],
                         'model_not_found')
        self.assertEqual(self.estimate({'model': 'm', 'messages': hello}, server=server)[0]['upstream_model'], 'gpt-4o')
        server.stop()

    def test_many_at_once_and_those_who_leave(self):
        long = json.dumps({'models': 'all', 'messages': [{'role': 'user', 'content': 'water gate ' * 6000}]}).encode()

        def work(i):
            if i % 3 == 0:  # leaves before it is answered
                conn = self.server.conn()
                conn.send(request_bytes('POST', '/v1/estimate', long, {}, self.server.key))
                conn.reset()
                return 200
            return self.server.post('/v1/estimate', long).status

        self.assertEqual(set(in_parallel(12, work)), {200})
        self.check_serving_here()

    def check_serving_here(self):
        self.assertEqual(self.server.chat('gpt-4o').status, 200)

    def test_the_command(self):
        folder = self.server.folder

        def write(name, text):
            path = os.path.join(folder, name)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text)
            return path

        body = {'model': 'gpt-4o', 'messages': [{'role': 'user', 'content': 'Hello'}], 'max_tokens': 10}
        one = write('one.json', json.dumps(body))
        batch = write('batch.jsonl', '\n'.join(json.dumps({'custom_id': str(i), 'body': body}) for i in range(5)))
        plain = write('plain.txt', 'Hello')

        def ask(*args):
            done = run_cli('estimate', *args, '--json')
            self.assertEqual(done.returncode, 0, done.stderr)
            return [json.loads(line) for line in done.stdout.splitlines()]

        (told,) = ask('--model', 'gpt-4o', one)
        self.assertEqual((told['input_tokens'], told['output_tokens']['high']), (8, 10))
        self.assertEqual(ask('--model', 'gpt-4o', plain)[0]['input_tokens'], 8)
        (sums,) = ask('--model', 'gpt-4o', batch)
        self.assertEqual(sums['input_tokens'], 40)
        self.assertAlmostEqual(sums['cost_usd']['high'], 5 * told['cost_usd']['high'], places=9)
        self.assertEqual(ask('--model', 'gpt-4o', one, batch)[0]['input_tokens'], 48)
        many = ask('--all', '--provider', 'anthropic', one)
        self.assertGreater(len(many), 10)
        self.assertTrue(all(m['provider'] == 'anthropic' for m in many))
        self.assertRegex(run_cli('estimate', '--model', 'gpt-4o', '-', stdin='Hello').stdout, r'gpt-4o +8 +512')
        for args, code in (((one,), 2), (('--all', '--model', 'x', one), 2), (('--model', 'no-such-model', one), 4),
                           (('--model', 'gpt-4o', folder + '/none'), 4), (('--model', 'gpt-4o'), 2)):
            self.assertEqual(run_cli('estimate', *args).returncode, code, args)
        wrong = write('wrong.jsonl', json.dumps(body) + '\n' + json.dumps({'messages': []}))
        self.assertIn('line 2', run_cli('estimate', '--model', 'gpt-4o', wrong).stderr)


main()
