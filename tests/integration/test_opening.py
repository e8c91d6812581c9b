#!/usr/bin/env python3
# What comes before the first event of a stream is held back: an error of a provider that has said 200 is a failure like
# any other, and of two targets asked the first to bring an event wins.
import json
import time

from harness import FakeUpstream, Suite, fake_provider, in_parallel, main, request_bytes
from anthropic_upstream import AnthropicUpstream
from gemini_upstream import GeminiUpstream
from ollama_upstream import OllamaUpstream
from responses_upstream import ResponsesFake

KINDS = {'overloaded': 'overloaded', 'limit': 'rate_limit', 'end': 'invalid_answer'}
MESSAGES = [{'role': 'user', 'content': 'Hello'}]


def openai(model, stream):
    return '/v1/chat/completions', {'model': model, 'messages': MESSAGES, 'stream': stream}


def anthropic(model, stream):
    return '/v1/messages', {'model': model, 'messages': MESSAGES, 'max_tokens': 99, 'stream': stream}


def responses(model, stream):
    return '/v1/responses', {'model': model, 'input': 'Hello', 'stream': stream}


def gemini(model, stream):
    action = 'streamGenerateContent?alt=sse' if stream else 'generateContent'
    return f'/v1beta/models/{model}:{action}', {'contents': [{'role': 'user', 'parts': [{'text': 'Hello'}]}]}


def ollama(model, stream):
    return '/api/chat', {'model': model, 'messages': MESSAGES, 'stream': stream}


CLIENTS = {f.__name__: f for f in (openai, anthropic, responses, gemini, ollama)}
SECOND = {'provider': 'openai', 'model': 'well'}
LONG = 20000  # of an error's words
LATE = {'ollama': 'error_line', 'responses': 'failed'}
BROKEN = {'failures': 2, 'open': '1h', 'max_open': '1h'}


class Openings(Suite):
    @classmethod
    def config(cls):
        cls.fakes = {'anthropic': AnthropicUpstream(), 'gemini': GeminiUpstream(), 'ollama': OllamaUpstream(),
                     'responses': ResponsesFake(), 'openai': cls.fake}
        for name, fake in cls.fakes.items():
            if name != 'openai':
                fake.start()
                cls.addClassCleanup(fake.stop)
        providers = [fake_provider(cls.fake, 'openai'),
                     {**fake_provider(cls.fakes['responses'], 'responses'), 'dialect': 'responses'},
                     {'name': 'anthropic', 'kind': 'anthropic', 'base_url': cls.fakes['anthropic'].base_url, 'api_key': 'sk-ant-fake'},
                     {'name': 'gemini', 'kind': 'gemini', 'base_url': cls.fakes['gemini'].base_url, 'api_key': cls.fakes['gemini'].key},
                     {'name': 'ollama', 'kind': 'ollama', 'dialect': 'ollama', 'base_url': cls.fakes['ollama'].base_url, 'api_key': 'ol-fake'}]
        cls.leaky = FakeUpstream('sk-fake-of-many-letters')
        cls.leaky.start()
        cls.addClassCleanup(cls.leaky.stop)
        providers.append({**fake_provider(cls.leaky, 'leaky'), 'api_key': 'sk-fake-of-many-letters'})
        # Each has a target of its own: some cool down.
        models = [{'name': f'{up}-{client}-{kind}-{how}{"-prelude" if prelude else ""}', 'strategy': 'priority',
                   'targets': [{'provider': up, 'model': f'm-{client}-{how};early={kind}{prelude}'}, SECOND]}
                  for up in cls.fakes for client in CLIENTS for kind in ('overloaded', 'limit', 'invalid', 'end')
                  for how in ('stream', 'whole') for prelude in ('', ';prelude')]
        models += [{'name': f'{up}-{client}-silent-{wait}', 'strategy': 'priority', 'targets': [
                        {'provider': up, 'model': f'm-{client}-{wait};early=hang;prelude'}, SECOND],
                    'routing': {'timeouts': {'first_token': wait} if wait != 'none' else {}}}
                   for up in cls.fakes for client in CLIENTS for wait in ('200ms', 'none')]
        models += [{'name': f'{up}-{client}-long-{when}', 'strategy': 'priority', 'routing': {'breaker': BROKEN},
                    'targets': [{'provider': up, 'model': f'l-{client}-{when};write=1000;long={LONG};{option}'}, SECOND]}
                   for up in cls.fakes for client in CLIENTS
                   for when, option in (('early', 'early=overloaded;prelude'), ('late', LATE.get(up, 'error_event')))]
        models += [{'name': 'shared', 'targets': [{'provider': 'openai', 'model': 'm;early=hang'}], 'routing': {'coalesce': 'all'}},
                   {'name': 'chained', 'chain': [{'name': 'say', 'model': 'openai-openai-silent-none', 'prompt': '{{input}}'}]}]
        return {'providers': providers, 'models': models, 'auth': {'required': False}, 'log': {'level': 'debug', 'format': 'json'}}

    def ask(self, client, model, stream):
        path, body = CLIENTS[client](model, stream)
        return self.server.post(path, json.dumps(body).encode())

    def clients_of(self, up):
        """The one that speaks its dialect, and another."""
        return (up, 'openai' if up != 'openai' else 'anthropic')

    def check_next(self, client, model, stream):
        reply = self.ask(client, model, stream)
        self.assertEqual((reply.status, reply.header('x-penstock-provider'), reply.header('x-penstock-attempts')),
                         (200, 'openai', '2'), reply)
        self.assertIn('durch', reply.body.decode())
        self.assertNotIn('The fake says', reply.body.decode())
        record = self.record_of(reply.request_id)
        self.assertEqual((record['status'], record['error'], record['attempts']), (200, None, 2))

    def test_a_key_is_not_told(self):
        for client in ('openai', 'anthropic'):
            reply = self.ask(client, 'leaky/x;early=invalid;echo', True)
            self.assertGreaterEqual(reply.status, 400, reply)
            self.assertNotIn('of-many-letters', reply.body.decode())

    def test_the_next_target(self):
        before = self.server.metrics()
        for up in self.fakes:
            for kind in KINDS:
                for prelude in ('', '-prelude'):
                    for client in self.clients_of(up):
                        if up == 'ollama' and kind == 'limit':  # it has no words for it
                            continue
                        with self.subTest(up, kind=kind, client=client, prelude=prelude):
                            self.check_next(client, f'{up}-{client}-{kind}-stream{prelude}', True)
        after = self.server.metrics()
        for kind in KINDS.values():
            name = f'penstock_failovers_total{{reason="{kind}"}}'
            self.assertGreaterEqual(after[name] - before.get(name, 0), 16)

    def test_a_long_error_that_comes_first(self):
        for up in self.fakes:
            for client in self.clients_of(up):
                with self.subTest(up, client=client):
                    self.check_next(client, f'{up}-{client}-long-early', True)

    def test_a_long_error_that_comes_later(self):
        """The client is told; it counts for the breaker, which opens with the second."""
        for up in self.fakes:
            for client in self.clients_of(up):
                with self.subTest(up, client=client):
                    for _ in range(2):
                        reply = self.ask(client, f'{up}-{client}-long-late', True)
                        self.assertEqual((reply.status, reply.header('x-penstock-provider')), (200, up), reply)
                        self.assertIn('!' * LONG, reply.body.decode())
                        self.assertEqual(self.record_of(reply.request_id)['error'], 'upstream_error')
                    reply = self.ask(client, f'{up}-{client}-long-late', True)
                    self.assertEqual((reply.status, reply.header('x-penstock-provider')), (200, 'openai'), reply)

    def test_the_next_target_when_nothing_follows(self):
        """Neither the head nor what comes before an answer is its first token."""
        for up in self.fakes:
            for client in self.clients_of(up):
                with self.subTest(up, client=client):
                    reply = self.ask(client, f'{up}-{client}-silent-200ms', True)
                    self.assertEqual((reply.status, reply.header('x-penstock-provider'), reply.header('x-penstock-attempts')),
                                     (200, 'openai', '2'), reply)
                    self.assertIn('durch', reply.body.decode())

    def test_the_head_comes_all_the_same(self):
        """A client is told after a while that there is somebody, though nothing is said."""
        asked = [(f'{up}-{client}-silent-none', client) for up in self.fakes for client in self.clients_of(up)]
        asked += [(model, client) for model in ('shared', 'chained') for client in ('openai', 'openai', 'anthropic')]

        def head(i):
            model, client = asked[i]
            path, body = CLIENTS[client](model, True)
            began = time.monotonic()
            with self.server.conn(timeout=18) as conn:
                conn.send(request_bytes('POST', path, json.dumps(body).encode(), key=self.server.key))
                status = conn.read_head().status
            return status, time.monotonic() - began
        for i, (status, took) in enumerate(in_parallel(len(asked), head)):
            with self.subTest(asked[i]):
                self.assertEqual(status, 200)
                self.assertGreater(took, 5)

    def test_a_whole_answer(self):
        for up in self.fakes:
            for kind in ('overloaded', 'limit'):
                for client in self.clients_of(up):
                    with self.subTest(up, kind=kind, client=client):
                        self.check_next(client, f'{up}-{client}-{kind}-whole', False)

    def test_an_invalid_request_is_told(self):
        for up in self.fakes:
            if up == 'ollama':
                continue
            for client in self.clients_of(up):
                for how in ('stream', 'stream-prelude', 'whole'):
                    if up == 'responses' and how == 'whole':
                        continue  # whole, it is a response that has failed
                    with self.subTest(up, client=client, how=how):
                        reply = self.ask(client, f'{up}-{client}-invalid-{how}', how != 'whole')
                        self.assertEqual((reply.status, reply.header('content-type')), (400, 'application/json'), reply)
                        self.assertIn('The fake says: invalid', json.dumps(reply.json()))
                        self.assertEqual(self.record_of(reply.request_id)['status'], 400)

    def test_nobody_left(self):
        for kind, status in (('overloaded', 503), ('limit', 429)):
            for model in (f'openai/alone;early={kind}', f'openai/alone;early={kind};prelude'):
                with self.subTest(model):
                    reply = self.ask('openai', model, True)
                    self.assertEqual(reply.status, status, reply)
                    self.assertIn('The fake says', reply.json()['error']['message'])
        reply = self.ask('openai', 'openai/alone;early=end', True)
        self.assertEqual(reply.status, 502)
        self.assertIn('before it began', reply.json()['error']['message'])


class Hedges(Suite):
    """The head alone wins nothing."""

    @classmethod
    def config(cls):
        cls.other = AnthropicUpstream().start()
        cls.addClassCleanup(cls.other.stop)

        def model(name, first, second):
            return {'name': name, 'strategy': 'priority', 'targets': [first, second],
                    'routing': {'hedge': {'share': 1, 'after': '60ms'}, 'breaker': {'failures': 0, 'min_requests': 1000}}}

        def at(name, provider='fake'):
            return {'provider': provider, 'model': name}

        return {'providers': [fake_provider(cls.fake),
                              {'name': 'other', 'kind': 'anthropic', 'base_url': cls.other.base_url, 'api_key': 'sk-ant-fake'}],
                'models': [model('head', at('a;after_head=20000'), at('quick')),
                           model('turned', at('b;after_head=20000'), at('claude', 'other')),
                           model('slow', at('c;after_head=400;events=5'), at('d;after_head=20000')),
                           model('ill', at('e;after_head=400;events=5'), at('f;early=overloaded')),
                           model('both', at('g;after_head=400;early=overloaded'), at('h;after_head=200;early=limit')),
                           model('whole', at('i;after_head=300'), at('never'))],
                'log': {'level': 'debug', 'format': 'json'}}

    def check(self, model, upstream, attempts=2, provider='fake', stream=True):
        reply = self.server.chat(model, stream=stream)
        self.assertEqual((reply.status, reply.header('x-penstock-model'), reply.header('x-penstock-provider')),
                         (200, upstream, provider), reply)
        self.assertEqual(int(reply.header('x-penstock-attempts', '1')), attempts)
        if stream:
            self.assertEqual(reply.events()[-1], '[DONE]')
            self.assertEqual(sum('"role"' in e for e in reply.events()), 1, 'it began once')
        return reply

    def test_the_second_brings_an_event(self):
        self.check('head', 'quick')
        self.check('turned', 'claude', provider='other')
        self.assertTrue(self.fake.wait(lambda: all(s.gone_at for s in self.fake.seen if 'after_head' in s.model)), 'the loser goes on')

    def test_the_first_brings_an_event(self):
        self.check('slow', 'c;after_head=400;events=5')
        self.assertTrue(self.fake.wait(lambda: [s.gone_at for s in self.fake.seen if s.model == 'd;after_head=20000'][0]))

    def test_an_error_wins_nothing(self):
        self.check('ill', 'e;after_head=400;events=5')

    def test_both_fail(self):
        reply = self.server.chat('both', stream=True)
        self.assertIn(reply.status, (429, 503))
        self.assertEqual(self.record_of(reply.request_id)['attempts'], 2)

    def test_of_a_whole_answer_the_head(self):
        self.check('whole', 'i;after_head=300', 1, stream=False)


if __name__ == '__main__':
    main()
