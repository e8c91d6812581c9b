#!/usr/bin/env python3
# Routing held to its promises over many requests: what each provider was sent is read at the provider. The sizes are small
# unless PENSTOCK_TEST_SCALE is "full".
import base64
import collections
import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

from harness import BINARY, ROOT, WAIT, Penstock, chat_body, eventually, free_port, main, request_bytes
from recorder import Answer, Stage, chunks, completion

FULL = os.environ.get('PENSTOCK_TEST_SCALE') == 'full'
PIXEL = base64.b64encode(b'\x89PNG\r\n\x1a\n' + bytes(40)).decode()
SOUND = base64.b64encode(b'RIFF' + bytes(40)).decode()
PAPER = base64.b64encode(b'%PDF-1.4\n' + bytes(40)).decode()
SCHEMA = {'type': 'object', 'properties': {'n': {'type': 'integer'}}, 'required': ['n'], 'additionalProperties': False}


def scaled(small, full):
    return full if FULL else small


def tell(text):
    print(f'  {text}', flush=True)


class Scale(unittest.TestCase):
    """Upstreams and a server in front of them; config() may use cls.stage."""
    workers = 2
    forbidden = b''

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.server = Penstock(cls.config(), workers=cls.workers)
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()

    def crowd(self, requests, **more):
        return self.stage.crowd(self.server.port, requests, **more)

    def send(self, path, body, headers=None, key=None):
        return request_bytes('POST', path, json.dumps(body).encode(), headers, key or self.server.key)


# --- what models can ----------------------------------------------------------------------------------------------------

WINDOWS = (4096, 8192, 16384, 32768)
ABILITIES = {  # of each model: its window, and all that it can
    'plain': (4096, ''), 'tools': (8192, 'tools'), 'eyes': (8192, 'vision pdf'), 'ears': (8192, 'audio_input tools'),
    'forms': (16384, 'vision tools parallel_tools json_schema'), 'thinks': (32768, 'reasoning json_schema'),
    'deaf': (16384, 'vision pdf tools parallel_tools json_schema reasoning audio_output'), 'long': (32768, ''),
    'single': (32768, 'vision pdf audio_input tools json_schema reasoning audio_output'),
    'all': (16384, 'vision pdf audio_input tools parallel_tools json_schema reasoning audio_output')}
NEEDS = {'openai': ('vision', 'audio_input', 'pdf', 'tools', 'parallel_tools', 'json_schema', 'reasoning', 'audio_output'),
         'anthropic': ('vision', 'pdf', 'tools', 'json_schema', 'reasoning'),
         'responses': ('vision', 'pdf', 'tools', 'parallel_tools', 'json_schema', 'reasoning'),
         'gemini': ('vision', 'audio_input', 'pdf', 'tools', 'json_schema', 'reasoning')}


def kinds_in(value):
    """Every "type" anywhere in it."""
    if isinstance(value, dict):
        if isinstance(value.get('type'), str):
            yield value['type']
        for v in value.values():
            yield from kinds_in(v)
    elif isinstance(value, list):
        for v in value:
            yield from kinds_in(v)


def asked_of(body):
    """What a chat completions request asks of its model, read as a provider would."""
    kinds = set(kinds_in(body['messages']))
    needs = {name for kind, name in (('image_url', 'vision'), ('input_audio', 'audio_input'), ('file', 'pdf')) if kind in kinds}
    if body.get('tools') or any(m.get('tool_calls') for m in body['messages']):
        needs.add('tools')
    if body.get('tools') and body.get('parallel_tool_calls'):
        needs.add('parallel_tools')
    if body.get('response_format', {}).get('type') == 'json_schema':
        needs.add('json_schema')
    if body.get('reasoning_effort', 'none') != 'none':
        needs.add('reasoning')
    if 'audio' in body.get('modalities', ()):
        needs.add('audio_output')
    return needs


FAILED = set()  # requests that were told of a failure once


def by_ability(up, request):
    """A model that takes note of what it cannot do, and fails now and then."""
    body = request.json
    window, can = ABILITIES[body['model']]
    lacks = asked_of(body) - set(can.split())
    words = request.body.count(b' water')  # a token each
    number = request.body.split(b'<<', 1)[1].split(b'>>', 1)[0]
    up.log.append((int(number), body['model']))
    if lacks or words > window:
        up.violations.append(f'request {number.decode()} at {body["model"]}: lacks {lacks}, {words} tokens')
    if int(number) % 17 == 0 and not (int(number) in FAILED or FAILED.add(int(number))):
        return Answer({'error': {'message': 'busy', 'type': 'server_error'}}, 503)
    return Answer(chunks() if body.get('stream') else completion())


DIRECT = [f'{name}/{name}' for name in ABILITIES]  # as the providers' own


class Asker:
    """Makes requests of all kinds, and knows what each needs."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def needs(self, dialect):
        rng = self.rng
        wanted = {n for n in NEEDS[dialect] if rng.random() < rng.choice((0, 0, 0.1, 0.2, 0.5))}
        if 'parallel_tools' in wanted:
            wanted.add('tools')
        if 'audio_output' in wanted:
            wanted -= {'json_schema', 'reasoning'}
        return wanted

    def words(self, needs):
        rng = self.rng
        if needs & {'vision', 'pdf', 'audio_input', 'tools', 'json_schema'}:  # which take room of their own
            return rng.choice((5, 50, 500, 500, rng.choice(WINDOWS) + 1, rng.choice(WINDOWS) // 2))
        around = rng.choice(WINDOWS)
        return rng.choice((3, 30, 300, rng.randint(1, 3000), around - rng.randint(60, 400), around + rng.randint(1, 400)))

    def one(self, number, model):
        rng = self.rng
        dialect = rng.choice(('openai',) * 3 + ('anthropic', 'responses', 'gemini'))
        needs = self.needs(dialect)
        words = self.words(needs)
        text = f'<<{number}>>' + ' water' * words
        path, body = getattr(self, dialect)(model, text, needs, rng.random() < 0.3)
        return path, body, needs, words

    def openai(self, model, text, needs, stream):
        rng = self.rng
        parts = [{'type': 'text', 'text': text}] if needs & {'vision', 'audio_input', 'pdf'} or rng.random() < 0.2 else text
        messages = [{'role': 'user', 'content': parts}]
        if 'vision' in needs:
            parts.insert(rng.randint(0, 1), {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,' + PIXEL}})
        if 'audio_input' in needs:
            parts.append({'type': 'input_audio', 'input_audio': {'data': SOUND, 'format': 'wav'}})
        if 'pdf' in needs:
            parts.append({'type': 'file', 'file': {'filename': 'a.pdf', 'file_data': 'data:application/pdf;base64,' + PAPER}})
        body = {'model': model, 'messages': messages, 'stream': stream}
        if 'tools' in needs:
            if 'parallel_tools' not in needs and rng.random() < 0.3:  # only in what was said before
                call = {'id': 'c1', 'type': 'function', 'function': {'name': 'tide', 'arguments': '{}'}}
                messages[:0] = [{'role': 'user', 'content': 'When?'}, {'role': 'assistant', 'content': None, 'tool_calls': [call]},
                                {'role': 'tool', 'tool_call_id': 'c1', 'content': 'Now.'}]
            else:
                body['tools'] = [{'type': 'function', 'function': {'name': 'tide', 'parameters': SCHEMA}}]
                if 'parallel_tools' in needs:
                    body['parallel_tool_calls'] = True
        elif rng.random() < 0.3:  # earlier turns; what is in them counts like the last
            messages[:0] = [{'role': 'user', 'content': messages[0]['content']}, {'role': 'assistant', 'content': 'Well.'}]
            messages[-1] = {'role': 'user', 'content': 'And then?'}
        if 'json_schema' in needs:
            body['response_format'] = {'type': 'json_schema', 'json_schema': {'name': 'n', 'strict': True, 'schema': SCHEMA}}
        if 'reasoning' in needs:
            body['reasoning_effort'] = rng.choice(('low', 'medium', 'high'))
        if 'audio_output' in needs:
            body.update(modalities=['text', 'audio'], audio={'voice': 'alloy', 'format': 'wav'})
        return '/v1/chat/completions', body

    def anthropic(self, model, text, needs, stream):
        parts = [{'type': 'text', 'text': text}]
        for need, kind, mime, data in (('vision', 'image', 'image/png', PIXEL), ('pdf', 'document', 'application/pdf', PAPER)):
            if need in needs:
                parts.append({'type': kind, 'source': {'type': 'base64', 'media_type': mime, 'data': data}})
        body = {'model': model, 'max_tokens': 3000, 'messages': [{'role': 'user', 'content': parts}], 'stream': stream}
        if 'tools' in needs:
            body['tools'] = [{'name': 'tide', 'input_schema': SCHEMA}]
        if 'json_schema' in needs:
            body['output_config'] = {'format': {'type': 'json_schema', 'schema': SCHEMA}}
        if 'reasoning' in needs:
            body['thinking'] = {'type': 'enabled', 'budget_tokens': 2000}
        return '/v1/messages', body

    def responses(self, model, text, needs, stream):
        parts = [{'type': 'input_text', 'text': text}]
        if 'vision' in needs:
            parts.append({'type': 'input_image', 'image_url': 'data:image/png;base64,' + PIXEL})
        if 'pdf' in needs:
            parts.append({'type': 'input_file', 'filename': 'a.pdf', 'file_data': 'data:application/pdf;base64,' + PAPER})
        body = {'model': model, 'input': [{'role': 'user', 'content': parts}], 'store': False, 'stream': stream}
        if 'tools' in needs:
            body.update(tools=[{'type': 'function', 'name': 'tide', 'parameters': SCHEMA, 'strict': True}],
                        parallel_tool_calls='parallel_tools' in needs)
        if 'json_schema' in needs:
            body['text'] = {'format': {'type': 'json_schema', 'name': 'n', 'schema': SCHEMA, 'strict': True}}
        if 'reasoning' in needs:
            body['reasoning'] = {'effort': 'medium'}
        return '/v1/responses', body

    def gemini(self, model, text, needs, stream):
        parts = [{'text': text}]
        for need, mime, data in (('vision', 'image/png', PIXEL), ('audio_input', 'audio/wav', SOUND),
                                 ('pdf', 'application/pdf', PAPER)):
            if need in needs:
                parts.append({'inlineData': {'mimeType': mime, 'data': data}})
        body = {'contents': [{'role': 'user', 'parts': parts}]}
        if 'tools' in needs:
            body['tools'] = [{'functionDeclarations': [{'name': 'tide', 'parameters': {'type': 'OBJECT', 'properties': {'n': {'type': 'INTEGER'}}}}]}]
        config = {}
        if 'json_schema' in needs:
            config.update(responseMimeType='application/json', responseSchema={'type': 'OBJECT', 'properties': {'n': {'type': 'INTEGER'}}})
        if 'reasoning' in needs:
            config['thinkingConfig'] = {'thinkingBudget': 1024}
        if config:
            body['generationConfig'] = config
        method = 'streamGenerateContent?alt=sse' if stream else 'generateContent'
        return f'/v1beta/models/{model}:{method}', body


class Abilities(Scale):
    """No request reaches a model that lacks what it needs, by whatever strategy, dialect, fallback or hedge."""
    STRATEGIES = ('weighted', 'round_robin', 'least_busy', 'latency', 'cost', 'quality', 'balanced', 'sticky', 'complexity')

    @classmethod
    def config(cls):
        cls.ups = {name: cls.stage.upstream(name, by_ability) for name in ABILITIES}
        catalog = os.path.join(cls.folder, 'models.json')
        every = {ability for _, can in ABILITIES.values() for ability in can.split()}
        with open(catalog, 'w', encoding='utf-8') as f:
            json.dump({'penstock_models': 1, 'models': {f'openai/{name}': {
                'mode': 'chat', 'context_window': window, 'capabilities': ['streaming', *can.split()],
                'cannot': sorted(every - set(can.split())),
                'price': {'input': 1 + i % 3, 'output': 2 + i % 5}} for i, (name, (window, can)) in enumerate(ABILITIES.items())}}, f)

        def targets(names):
            return [{'provider': n, 'model': n} for n in names]
        models = [{'name': s, 'strategy': s, 'targets': targets(ABILITIES)} for s in cls.STRATEGIES]
        models += [{'name': 'hedged', 'strategy': 'round_robin', 'targets': targets(ABILITIES), 'routing': {'hedge': {'share': 1, 'after': '1ms'}}},
                   {'name': 'fallen', 'strategy': 'priority', 'targets': targets(('plain', 'tools')),
                    'routing': {'fallbacks': {'general': ['weighted'], 'context_window': ['weighted']}}},
                   {'name': 'all-alone', 'targets': targets(('all',))}]
        return {'providers': [up.provider() for up in cls.ups.values()], 'models': models, 'catalog': {'file': catalog},
                'log': {'level': 'error'}, 'routing': {'retry': {'attempts': 5, 'share': 1, 'same_target': 2, 'base': '1ms'}}}

    def test_none_goes_where_it_cannot_be_served(self):
        asker, wanted, requests = Asker(7), [], []
        names = (*self.STRATEGIES, 'hedged', 'fallen')
        for number in range(scaled(1000, 10000)):
            model = names[number % len(names)]
            path, body, needs, words = asker.one(number, model)
            if path == '/v1/chat/completions' and asker.rng.random() < 0.2:
                body['fallbacks'] = asker.rng.sample(DIRECT, 2)
            requests.append(self.send(path, body))
            wanted.append((model, path, needs, words))
        responses = self.crowd(requests, clients=16)
        violations = [v for up in self.ups.values() for v in up.violations]
        self.assertEqual(violations, [])
        where = collections.defaultdict(set)
        for up in self.ups.values():
            for number, model in up.log:
                where[number].add(model)
        counts = collections.Counter()
        for i, (reply, (model, path, needs, words)) in enumerate(zip(responses, wanted)):
            can = {n for n, (_, c) in ABILITIES.items() if needs <= set(c.split())}
            may = {n for n in can if words <= ABILITIES[n][0]}
            must = {n for n in can if words + 60 + (1200 if needs else 0) <= ABILITIES[n][0]}
            case = f'{i}: {model} {path} {sorted(needs)} {words} tokens: {reply}'
            self.assertLessEqual(where[i], may, case)
            if must:
                self.assertEqual(reply.status, 200, case)
                self.assertIn(reply.header('x-penstock-provider'), may, case)
                counts['served'] += 1
            elif not may:
                self.assertEqual(reply.status, 400, case)
                self.assertIn('cannot serve this request', reply.body.decode(), case)
                if '/chat/' in path and model != 'fallen':  # whose own targets can do little
                    self.assertEqual(reply.json()['error']['code'], 'context_length_exceeded' if can else 'no_capable_target', case)
                self.assertEqual(where[i], set(), case)
                counts['refused'] += 1
            else:
                counts['close'] += 1
        calls = sum(up.requests for up in self.ups.values())
        tell(f'abilities: {len(requests)} requests, {counts["served"]} served, {counts["refused"]} refused as nobody can, '
             f'{counts["close"]} within a few tokens of a window; {calls} calls, 0 where they cannot be served')
        self.assertGreater(counts['served'], len(requests) // 2)
        self.assertGreater(counts['refused'], len(requests) // 50)
        for name in ABILITIES:
            self.assertTrue(self.ups[name].requests, f'{name} was never asked')


# --- how hard it is -----------------------------------------------------------------------------------------------------

TIERS = ('simple', 'medium', 'complex', 'reasoning')


def held_out(text):
    """By the split of tests/data/complexity/README.md."""
    h = 0xcbf29ce484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001b3 % 2 ** 64
    return h % 5 < 2


def prompts():
    """(tier, text) of the labelled prompts that the scorer was not adjusted to."""
    with open(os.path.join(ROOT, 'tests', 'data', 'complexity', 'prompts.tsv'), encoding='utf-8') as f:
        lines = [line.rstrip('\n').split('\t') for line in f if line.strip() and not line.startswith('#')]
    for tier, _, _, text in lines:
        if held_out(text):
            yield tier, text.replace('\\\\', '\0').replace('\\n', '\n').replace('\\t', '\t').replace('\0', '\\')


def by_tier(up, request):
    up.log.append((request.json['messages'][-1]['content'], request.json['model']))
    return Answer(completion())


class Complexity(Scale):
    """Each prompt goes to the model of its tier, and every decision can be followed."""

    @classmethod
    def config(cls):
        cls.up = cls.stage.upstream('up', by_tier)
        targets = [{'provider': 'up', 'model': tier, 'tiers': [tier]} for tier in TIERS]
        return {'providers': [cls.up.provider()], 'models': [{'name': 'tiered', 'strategy': 'complexity', 'targets': targets,
                                                              'price': {'input': 1, 'output': 1}}],
                'log': {'level': 'info', 'format': 'json'}}

    def test_held_out_prompts(self):
        labelled = list(prompts())
        bodies = [{'model': 'tiered', 'messages': [{'role': 'user', 'content': text}]} for _, text in labelled]
        replies = self.crowd([self.send('/v1/chat/completions', b) for b in bodies])
        explained = self.crowd([self.send('/v1/route/explain', b) for b in bodies])
        went = dict(self.up.log)
        agreed = 0
        for (label, text), reply, why in zip(labelled, replies, explained):
            self.assertEqual((reply.status, why.status), (200, 200), text)
            tier = went[text]
            agreed += tier == label
            self.assertRegex(reply.header('x-penstock-route'), f'^strategy=complexity; tier={tier}; task=[a-z]+$')
            told = why.json()
            self.assertEqual(told['complexity']['tier'], tier)
            self.assertEqual(sum(told['complexity']['points'].values()), told['complexity']['score'], told)
            self.assertEqual(told['order'][0]['model'], tier)
            for candidate in told['candidates']:
                self.assertGreater(len(candidate['why']), 3, candidate)
        lines = [line for line in self.server.log_lines() if 'tier=' in str(line.get('route'))]
        self.assertEqual(len(lines), len(labelled), 'the access log has each decision')
        tell(f'complexity: {agreed} of {len(labelled)} held-out prompts at the model of their tier ({100 * agreed / len(labelled):.1f} %)')
        self.assertGreater(len(labelled), 150)
        self.assertGreaterEqual(agreed, 0.9 * len(labelled))


# --- what it costs --------------------------------------------------------------------------------------------------------

PRICES = {'reads': (0.5, 12), 'writes': (3, 3), 'poor': (0.1, 0.2)}  # dollars a million tokens, in and out
GOOD = 'The sky is blue because the air scatters the light of the sun, and blue light the most. '  # 21 tokens


def tokens_of(number):
    """How many tokens a request has, and how many its answer will have."""
    rng = random.Random(number)
    return 21 * max(1, min(300, int(rng.lognormvariate(3, 1.2)))) + 5, min(1500, int(rng.lognormvariate(5, 0.5)) + 5)


def priced(up, request):
    number = int(request.body.split(b'<<', 1)[1].split(b'>>', 1)[0])
    prompt, output = tokens_of(number)
    up.log.append(number)
    text = '' if up.name == 'poor' else GOOD
    return Answer(completion(text, prompt=prompt, output=output), delay={'reads': 0.004, 'writes': 0.001, 'poor': 0.001}[up.name])


def price_of(name, number):
    return sum(tokens * price for tokens, price in zip(tokens_of(number), PRICES[name])) / 1e6


class Costs(Scale):
    """Three models of different price and latency, the cheapest of which answers badly."""

    @classmethod
    def config(cls):
        cls.ups = {name: cls.stage.upstream(name, priced) for name in PRICES}
        return {'providers': [up.provider() for up in cls.ups.values()], 'log': {'level': 'error'},
                'prices': {f'{name}/{name}': {'input': i, 'output': o} for name, (i, o) in PRICES.items()},
                'models': [{'name': 'cheap', 'strategy': 'cost', 'routing': {'min_quality': 0.65, 'quality': {'explore': 0}},
                            'targets': [{'provider': name, 'model': name} for name in PRICES]}]}

    def test_near_the_least_that_is_possible(self):
        numbers = range(scaled(1000, 10000))
        replies = self.crowd([self.send('/v1/chat/completions', {'model': 'cheap', 'messages': [
            {'role': 'user', 'content': f'<<{n}>>' + GOOD * (tokens_of(n)[0] // 21)}]}) for n in numbers], clients=8)
        self.assertEqual({r.status for r in replies}, {200})
        good = ('reads', 'writes')
        paid = sum(price_of(name, n) for name, up in self.ups.items() for n in up.log)
        best = sum(min(price_of(name, n) for name in good) for n in numbers)
        single = {name: sum(price_of(name, n) for n in numbers) / best for name in good}
        ledger = sum(float(r['cost_usd']) for r in self.server.cli_json('usage', '--by', 'model'))
        poor = self.ups['poor'].requests
        tell(f'cost: {len(numbers)} requests for {paid:.4f} $, at best {best:.4f} $: {100 * (paid / best - 1):+.2f} %; all at one model '
             f'{", ".join(f"{name} {100 * (x - 1):+.0f} %" for name, x in single.items())}; {poor} at the one below the floor')
        self.assertLess(paid, 1.05 * best)
        self.assertGreater(min(single.values()), 1.1, 'else it is no choice')
        self.assertLess(poor, 0.02 * len(numbers) + 20)
        self.assertAlmostEqual(ledger, paid, delta=1e-6 + paid * 1e-6)


def delayed(up, request):
    up.log.append(request.at)
    return Answer(completion(), delay=up.delay)


class Latency(Scale):
    """One of three that becomes slow under load."""

    @classmethod
    def config(cls):
        cls.ups = [cls.stage.upstream(f'u{i}', delayed) for i in range(3)]
        for up in cls.ups:
            up.delay = 0.01
        return {'providers': [up.provider() for up in cls.ups], 'log': {'level': 'error'},
                'models': [{'name': 'quick', 'strategy': 'latency', 'targets': [{'provider': up.name, 'model': 'm'} for up in cls.ups]}]}

    def test_traffic_leaves_a_slowed_one(self):
        warm, settle, look = scaled((0.5, 1.5, 0.5), (2, 10, 4))
        request = self.send('/v1/chat/completions', {'model': 'quick', 'messages': [{'role': 'user', 'content': 'x'}]})
        end, statuses = time.monotonic() + warm + settle + look, collections.Counter()

        def go_on(_, response):
            statuses[response.status] += 1
            return time.monotonic() < end
        load = threading.Thread(target=lambda: self.crowd(itertools.repeat(request), seen=go_on))
        load.start()
        time.sleep(warm)
        slowed = time.monotonic()
        self.ups[0].delay = 0.4
        load.join()
        before = [sum(at < slowed for at in up.log) for up in self.ups]
        after = [sum(at >= slowed + settle for at in up.log) for up in self.ups]
        share = after[0] / sum(after)
        away = 1 - share / (before[0] / sum(before))
        tell(f'latency: of {sum(before)} requests {before[0]} at a mock before it was slowed, {settle} s later {after[0]} of '
             f'{sum(after)}: {100 * away:.1f} % of its traffic is elsewhere')
        self.assertEqual(set(statuses), {200})
        self.assertGreater(before[0], 0.15 * sum(before))
        self.assertGreaterEqual(away, 0.95)


# --- how it is spread -----------------------------------------------------------------------------------------------------


class Spread(unittest.TestCase):
    """The fast mocks and the load generator of the benchmarks."""

    def tool(self, name):
        return os.path.join(os.path.dirname(BINARY), 'bench', name)

    def mock(self, delay_us=0):
        port = free_port()
        mock = subprocess.Popen([self.tool('bench_mock'), '--listen', f'127.0.0.1:{port}'])
        self.addCleanup(mock.wait)
        self.addCleanup(mock.terminate)
        self.ask(port, f'/delay/{delay_us}')
        return port

    def ask(self, port, path):
        def once():
            with contextlib.suppress(OSError), urllib.request.urlopen(f'http://127.0.0.1:{port}{path}', timeout=WAIT) as r:
                return json.load(r) or True
        return eventually(once)

    def counts(self, ports):
        return [self.ask(port, '/stats')['requests'] for port in ports]

    def config(self, ports, strategy, weights, model):
        return {'providers': [{'name': f'p{i}', 'kind': 'openai', 'base_url': f'http://127.0.0.1:{port}/v1', 'api_key': 'x'}
                              for i, port in enumerate(ports)], 'log': {'level': 'error'},
                'models': [{'name': 'spread', 'strategy': strategy, 'targets': [
                    {'provider': f'p{i}', 'model': model, 'weight': w} for i, w in enumerate(weights)]}]}

    def serve(self, *conf):
        server = Penstock(self.config(*conf))
        self.addCleanup(server.remove)
        return server.start()

    def load(self, server, requests, clients):
        body = os.path.join(server.folder, 'body')
        with open(body, 'wb') as f:
            f.write(chat_body('spread'))
        done = subprocess.run([self.tool('bench_loadgen'), '--url', f'http://127.0.0.1:{server.port}/v1/chat/completions',
                               '--header', f'Authorization: Bearer {server.key}', '--body-file', body, '--ends', '}\n',
                               '--concurrency', str(clients), '--requests', str(requests)], capture_output=True, text=True, check=True)
        result = json.loads(done.stdout)
        self.assertEqual((result['errors'], result['non_2xx'], result['unfinished']), (0, 0, 0), result)
        self.assertGreaterEqual(result['requests'], requests)
        return result

    def test_by_weight(self):
        n = scaled(10_000, 100_000)
        for strategy, weights, most in (('weighted', (3, 3, 4), scaled(0.06, 0.02)), ('round_robin', (1, 2, 7), scaled(0.01, 0.005))):
            ports = [self.mock() for _ in weights]
            server = self.serve(ports, strategy, weights, 'plain-100')
            self.load(server, n, 32)
            counts = self.counts(ports)
            targets = {name: v for name, v in server.metrics().items() if name.startswith('penstock_target_')}
            off = [count / sum(counts) / (w / sum(weights)) - 1 for count, w in zip(counts, weights)]
            tell(f'{strategy}: {sum(counts)} requests by {weights}: {counts}, off by {", ".join(f"{100 * x:+.2f} %" for x in off)}')
            self.assertLess(max(abs(x) for x in off), most, targets)

    def test_least_busy_beats_round_robin(self):
        p99 = {}
        for strategy in ('round_robin', 'least_busy'):
            ports = [self.mock(20_000 if i == 0 else 2000) for i in range(4)]
            result = self.load(self.serve(ports, strategy, (1, 1, 1, 1), 'queue'), scaled(300, 1600), 16)
            p99[strategy] = result['latency_us']['p99'] / 1000
        tell(f'one node of four ten times as slow: p99 {p99["least_busy"]:.0f} ms with least_busy, {p99["round_robin"]:.0f} ms with round_robin')
        self.assertLess(p99['least_busy'], p99['round_robin'])

    def test_draining(self):
        ports = [self.mock(5000) for _ in range(3)]
        server = self.serve(ports, 'weighted', (1, 1, 1), 'node')
        loads = [threading.Thread(target=self.load, args=(server, scaled(900, 20_000), 16)) for _ in range(2)]
        errors = []
        hook, threading.excepthook = threading.excepthook, errors.append
        self.addCleanup(setattr, threading, 'excepthook', hook)
        for thread in loads:
            thread.start()
        self.assertTrue(eventually(lambda: self.counts(ports)[0] > 50))

        def version():
            return server.get('/readyz').json()['checks']['configuration']['version']
        was = version()
        server.write_config(self.config(ports, 'weighted', (0, 1, 1), 'node'))
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: version() != was))

        # Each event loop takes the change in its turn, so what it had begun on its way there goes by the old one.
        def has_moved():
            before = self.counts(ports)
            self.assertTrue(eventually(lambda: self.counts(ports)[1] >= before[1] + 50))
            return self.counts(ports)[0] == before[0]
        self.assertTrue(eventually(has_moved))
        begun = self.counts(ports)
        for thread in loads:
            thread.join()
        after = [b - a for a, b in zip(begun, self.counts(ports))]
        tell(f'draining: {begun[0]} requests before, {after[0]} after, at the others {after[1]} and {after[2]}; none failed')
        self.assertEqual(errors, [])
        self.assertEqual(after[0], 0)
        self.assertGreater(min(after[1:]), 100)
        self.assertEqual(self.ask(ports[0], '/stats')['aborted'], 0, 'what was under way has ended in peace')


# --- what stays here ------------------------------------------------------------------------------------------------------

SECRET = b'Zz-private-zZ'


def anything(up, request):
    """Answers whatever it is asked; now and then it fails."""
    up.log.append(SECRET in request.body)
    if len(up.log) % 13 == 0:
        return Answer({'error': {'message': 'busy', 'type': 'server_error'}}, 503)
    if request.path.endswith('/embeddings'):
        return Answer({'object': 'list', 'model': 'm', 'data': [{'object': 'embedding', 'index': 0, 'embedding': [0.5, 0.25]}],
                       'usage': {'prompt_tokens': 3, 'total_tokens': 3}})
    body = request.json if request.body else {}
    return Answer(chunks(GOOD) if body.get('stream') else completion(GOOD))


class Privacy(Scale):
    """Requests that are private, among as many that are not: by header, by key, by what is configured for the tenant or
    the key, in each way that leads elsewhere."""

    @classmethod
    def config(cls):
        cls.far = [cls.stage.upstream(f'far{i}', anything, SECRET) for i in range(2)]
        cls.near = cls.stage.upstream('near', anything)

        def model(name, *targets, **more):
            return {'name': name, 'targets': [{'provider': t, 'model': name} for t in targets], **more}
        first = {'strategy': 'priority'}
        models = [model(f'mixed-{s}', 'far0', 'far1', 'near', strategy=s)
                  for s in ('weighted', 'round_robin', 'least_busy', 'latency', 'cost', 'sticky', 'quality', 'balanced')]
        models += [model('last', 'far0', 'far1', 'near', **first), model('far', 'far0', 'far1'),
                   model('fallen', 'far0', routing={'fallbacks': {'general': ['far', 'last']}}),
                   model('unsteady', 'near', routing={'fallbacks': {'general': ['far']}}),
                   model('hedged', 'near', 'far0', routing={'hedge': {'share': 1, 'after': '1ms'}}, **first),
                   model('shadowed', 'near', 'far1', shadow={'model': 'far', 'share': 1}, **first),
                   model('judged', 'near', 'far1', routing={'quality': {'share': 1, 'judge': {'model': 'far', 'share': 1}}}, **first),
                   model('canaried', 'near', 'far1', canary={'model': 'far', 'steps': [0.5, 1], 'every': '1h'}, **first),
                   model('tasked', 'near', tasks={'question': 'far', 'chat': 'far'}),
                   model('together', 'near', 'far0', 'far1', routing={'coalesce': 'all'}),
                   {'name': 'chained', 'chain': [{'name': 'plan', 'model': 'last'}, {'name': 'say', 'model': 'mixed-weighted', 'prompt': '{{input}} {{plan}}'}]},
                   {'name': 'chained-away', 'chain': [{'name': 'plan', 'model': 'far', 'on_failure': 'skip'}, {'name': 'say', 'model': 'last'}]}]
        cls.models = [m['name'] for m in models]
        return {'providers': [*(up.provider(privacy='remote', passthrough=True) for up in cls.far),
                              cls.near.provider(privacy='local', passthrough=True)],
                'models': models, 'log': {'level': 'error'},
                'tenants': [{'name': 'clinic', 'privacy': 'private', 'projects': [{'name': 'website', 'privacy': 'any'}]},
                            {'name': 'office', 'keys': [{'name': 'closed', 'privacy': 'private'}]}]}

    def keys(self):
        """Of those whose requests are private, and of those whose are not."""
        made = self.server.create_key
        self.server.cli_json('tenant', 'create', 'clinic')
        self.server.cli_json('project', 'create', 'website', '--tenant', 'clinic')
        private = [made('tags=privacy=private'), made('--tenant', 'clinic'), made('--tenant', 'office', '--name', 'closed')]
        others = [made('--tenant', 'clinic', 'project=website'), made('--tenant', 'office', '--name', 'open')]
        return [key['key'] for key in private], [None, *(key['key'] for key in others)]

    def test_no_byte_goes_elsewhere(self):
        rng = random.Random(11)
        closed, open_to_all = self.keys()
        requests, private = [], []
        paths = ('/v1/chat/completions',) * 4 + ('/v1/messages', '/v1/responses', '/v1/embeddings', '/v1/completions',
                                                 '/v1beta/models/{}:generateContent', '/api/chat', '/passthrough/{}/v1/chat/completions')
        for _ in range(scaled(1000, 10_000)):
            secret = rng.random() < 0.5
            by_key = secret and rng.random() < 0.5
            text = SECRET.decode() if secret else 'What is this?'
            path = rng.choice(paths)
            model = rng.choice((*self.models, 'far0/x', 'far1/y', 'near/z'))
            body = {'model': model, 'user': text}
            if '/messages' in path:
                body = {'model': model, 'max_tokens': 50, 'messages': [{'role': 'user', 'content': text}]}
            elif '/responses' in path:
                body.update(input=text, store=False)
            elif '/embeddings' in path:
                body.update(input=text)
            elif '/v1/completions' in path:
                body.update(prompt=text)
            elif '/v1beta' in path:
                body = {'contents': [{'role': 'user', 'parts': [{'text': text}]}]}
            else:
                body.update(messages=[{'role': 'user', 'content': text}])
            if path.endswith('/chat/completions'):
                body.update(stream=rng.random() < 0.3, metadata={'note': text})
                if 'passthrough' not in path and rng.random() < 0.3:
                    body['fallbacks'] = rng.sample(('far', 'far0/w', 'last', 'near/v'), 2)
            if path == '/api/chat':
                body = {'model': model, 'stream': False, 'messages': body['messages']}
            path = path.format(rng.choice(('far0', 'far1', 'near')) if 'passthrough' in path else model.replace('/', '%2F'))
            headers = {'x-penstock-privacy': rng.choice(('private', 'Private'))} if secret and not by_key else {}
            if by_key and rng.random() < 0.3:
                headers['x-penstock-privacy'] = 'none'  # it cannot take back what the key says
            requests.append(self.send(path, body, headers, rng.choice(closed if by_key else open_to_all)))
            private.append(secret)
        replies = self.crowd(requests, clients=16)
        time.sleep(0.3)  # judges and shadows come afterwards
        leaks = sum(up.leaks for up in self.far)
        far = [len(up.log) for up in self.far]
        served = sum(r.status == 200 for r, p in zip(replies, private) if p)
        others = sum(r.status == 200 for r, p in zip(replies, private) if not p)
        tell(f'privacy: {len(requests)} requests, {sum(private)} of them private; {leaks} leaks; {served} private ones and {others} '
             f'others answered; {far} calls far away, {sum(self.near.log)} private ones of {len(self.near.log)} at the near one')
        self.assertEqual(leaks, 0)
        self.assertFalse(any(any(up.log) for up in self.far))
        self.assertGreater(min(far), len(requests) // 20)
        self.assertGreater(served, 0.4 * sum(private))
        self.assertGreater(others, 0.8 * private.count(False))


if __name__ == '__main__':
    main()
