#!/usr/bin/env python3
# What follows when a target fails: another one, a fallback, the same again, a hedge; each attempt accounted for, the client
# charged once. Each target takes one call at a time, so that one whose end is not told to the board refuses the next.
import collections
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.request

from harness import BINARY, FakeUpstream, Suite, chat_body, eventually, fake_provider, free_port, in_parallel, main, request_bytes
from anthropic_upstream import AnthropicUpstream
from openai_upstream import Answer, Plan

WHOLE = 'well;words=7'


class ScriptedAnswer(Answer):
    """The first calls of a model may be told apart: fake.scripts[name] has the options of each in turn."""

    def run(self):
        with self.fake.changed:
            turns = self.fake.scripts.get(self.plan.name)
            if turns:
                self.plan = Plan(self.plan.name + ';' + turns.pop(0))
        super().run()


class ScriptedUpstream(FakeUpstream):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.scripts = {}

    def answer(self, peer, seen):
        super().answer(peer, seen, ScriptedAnswer)


def target(model, provider='fake', **more):
    return {'provider': provider, 'model': model, 'limits': {'concurrency': 1}, **more}


def chain(name, *targets, **routing):
    """Asked in this order."""
    targets = [t if isinstance(t, dict) else target(t) for t in targets]
    return {'name': name, 'strategy': 'priority', 'routing': routing,
            'price': {'input': 1000, 'output': 1000}, 'targets': [{'priority': i, **t} for i, t in enumerate(targets)]}


def no_tls():
    """A port where whoever begins with TLS is told plainly that it is none."""
    listener = socket.create_server(('127.0.0.1', 0))

    def serve():
        while True:
            try:
                peer = listener.accept()[0]
            except OSError:
                return
            with peer:
                peer.recv(4096)
                peer.sendall(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')

    threading.Thread(target=serve, daemon=True).start()
    return listener


class Failing(Suite):
    fake_class = ScriptedUpstream
    models = staticmethod(lambda: [])

    @classmethod
    def config(cls):
        cls.other = AnthropicUpstream().start()
        cls.addClassCleanup(cls.other.stop)
        cls.plain = no_tls()
        cls.addClassCleanup(cls.plain.close)
        return {'providers': [fake_provider(cls.fake),
                              fake_provider(cls.fake, 'hurried', timeouts={'first_byte': '300ms', 'idle': '300ms'}),
                              {'name': 'tls', 'kind': 'openai', 'base_url': f'https://127.0.0.1:{cls.plain.getsockname()[1]}/v1', 'api_key': 'x'},
                              {'name': 'closed', 'kind': 'openai', 'base_url': f'http://127.0.0.1:{free_port()}/v1', 'api_key': 'x'},
                              fake_provider(cls.fake, 'narrow', limits={'concurrency': 1}),
                              {'name': 'wrong', 'kind': 'openai', 'base_url': cls.fake.base_url, 'api_key': 'sk-wrong'},
                              {'name': 'other', 'kind': 'anthropic', 'base_url': cls.other.base_url, 'api_key': 'sk-ant-fake'}],
                'models': cls.models(), 'log': {'level': 'debug', 'format': 'json'}}

    def setUp(self):
        super().setUp()
        self.fake.scripts = {}
        self.expected = {}
        self.before = self.attempts()

    def tearDown(self):
        super().tearDown()
        if not self.expected:
            return
        records = {r['request_id']: r for r in self.server.usage() if r['request_id'] in self.expected}
        charged = [r['request_id'] for r in self.server.usage() if r['request_id'] in self.expected]
        self.assertEqual(sorted(charged), sorted(self.expected), 'each has one record')
        for request_id, (provider, attempts, tokens) in self.expected.items():
            r = records[request_id]
            self.assertEqual((r['status'], r['provider'], r['attempts']), (200, provider, attempts), r)
            if tokens:
                self.assertEqual((r['input_tokens'], r['output_tokens']), tokens, 'it is charged for another answer')

    def attempts(self, server=None):
        """Of the metrics: calls to providers by status."""
        out = collections.Counter()
        for name, value in (server or self.server).metrics().items():
            if name.startswith('penstock_upstream_requests_total{'):
                out[re.search('status="([^"]*)"', name)[1]] += int(value)
        return out

    def made(self):
        """The calls since the test began."""
        return {k: v for k, v in (self.attempts() - self.before).items() if v}

    def check_answer(self, reply, attempts, provider='fake', tokens=None):
        """One good answer, of that provider, after so many attempts, charged once."""
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(int(reply.header('x-penstock-attempts', '1')), attempts, reply)
        self.assertEqual(reply.header('x-penstock-provider'), provider, reply)
        self.expected[reply.request_id] = (provider, attempts, tokens)

    def answered(self, server=None):
        """The usage that the provider told with its last good answer."""
        return [s.usage for s in self.fake.seen if s.usage and s.answered][-1][:2]


FAULTS = {
    '429': target('a;status=429'), '500': target('b;status=500'), '503': target('c;status=503'),
    'html': target('d;status=502;html'), 'late': target('e;delay=20000', 'hurried'),
    'stalled': target('f;after_head=20000', 'hurried'), 'reset': target('g;fault=reset'),
    'close': target('h;fault=close'), 'cut': target('i;fault=reset;when=body'), 'garbage': target('j;fault=garbage'),
    'json': target('k;body=invalid'), 'empty': target('l;body=empty'), 'tls': target('m', 'tls'),
    'elsewhere': target('s;status=302'), 'closed': target('n', 'closed'), 'key': target('o', 'wrong'), '404': target('p;status=404'),
    'lengths': target('q;fault=twolengths'), 'chunk': target('r;fault=badchunk;when=body'),
}
NO_STREAM = ('json', 'empty', 'cut', 'chunk')  # an answer has begun, or may have


class FirstTarget(Failing):
    models = staticmethod(lambda: [
        chain(f'{kind}-{name}-{stream}', {**t, 'model': f'{t["model"]};{kind}={stream}'}, second)
        for kind, second in (('first', WHOLE), ('turned', target('claude', 'other')))
        for name, t in FAULTS.items() for stream in (False, True)])  # each has a target of its own: some cool down

    def check(self, name, stream):
        with self.subTest(name, stream=stream):
            self.fake.reset()
            before = self.attempts()
            model = f'first-{name}-{stream}'
            reply = self.server.chat(model, stream=stream, **({'stream_options': {'include_usage': True}} if stream else {}))
            self.fake.violations.clear()
            self.check_answer(reply, 2, tokens=self.answered())
            if stream:
                self.assertEqual(reply.events()[-1], '[DONE]')
                self.assertEqual(sum('"role"' in e for e in reply.events()), 1, 'it began once')
            else:
                self.assertEqual(reply.json()['object'], 'chat.completion')
            self.assertEqual(sum((self.attempts() - before).values()), 2)
            # Both are listed, each with how it ended.
            first = FAULTS[name]
            began = re.escape(f'{first["provider"]}/{first["model"]}') + r'\S* \S+( \d+ms)?, '
            self.assertRegex(reply.header('x-penstock-tried'), f'^{began}fake/{WHOLE} 200( \\d+ms)?$')
            # What the first one held was given back.
            self.assertEqual(self.server.chat(model).status, 200)

    def test_whole(self):
        for name in FAULTS:
            self.check(name, False)
        self.fake.violations.clear()

    def test_streams(self):
        for name in FAULTS:
            if name not in NO_STREAM:
                self.check(name, True)
        self.fake.violations.clear()

    def test_another_dialect(self):
        for name in FAULTS:
            for stream in (False, True):
                if stream and name in NO_STREAM:
                    continue
                with self.subTest(name, stream=stream):
                    reply = self.server.chat(f'turned-{name}-{stream}', stream=stream)
                    self.check_answer(reply, 2, 'other')
        self.fake.violations.clear()
        self.assertEqual(self.other.violations, [])


class Again(Failing):
    models = staticmethod(lambda: [
        chain('thrice', 'thrice', retry={'same_target': 3, 'base': '20ms'}),
        chain('asks', 'asks', retry={'same_target': 1, 'base': '1ms'}),
        chain('long', 'long', retry={'same_target': 3, 'base': '1ms', 'max': '2s'}),
        chain('two', 'two-a', 'two-b', retry={'same_target': 2, 'base': '1ms', 'max': '8s'}),
        chain('patient', 'patient', retry={'same_target': 5, 'base': '5s', 'max': '10s'}),
        chain('few', 'few;status=500', 'few2;status=500', 'few3;status=500', WHOLE, retry={'attempts': 3, 'same_target': 2}),
        chain('poor', 'poor;status=500', 'poor2;status=500', WHOLE, retry={'share': 0}, breaker={'failures': 0}),
        chain('bad', 'bad;status=400', WHOLE, retry={'same_target': 3}),
        chain('in-place', target('in-place;status=500', 'narrow'), target(WHOLE, 'narrow')),
    ])

    def test_the_same_target(self):
        self.fake.scripts['thrice'] = ['status=503', 'fault=reset', 'status=500']
        reply = self.server.chat('thrice')
        self.check_answer(reply, 4, tokens=self.answered())
        self.assertEqual(self.made(), {'503': 1, 'upstream_reset': 1, '500': 1, '200': 1})
        self.fake.scripts['thrice'] = ['status=503'] * 4
        self.assertEqual(self.server.chat('thrice').status, 503)
        self.assertEqual(self.fake.scripts['thrice'], [])

    def test_as_long_as_it_asks(self):
        for status in (429, 503):
            self.fake.reset()
            self.fake.scripts['asks'] = [f'status={status};retry_after=1']
            self.check_answer(self.server.chat('asks'), 2)
            first, second = self.fake.seen
            self.assertGreaterEqual(second.at - first.at, 1)

    def test_not_longer_than_is_waited_for(self):
        self.fake.scripts['long'] = ['status=429;retry_after=60']
        reply = self.server.chat('long')
        self.assertEqual((reply.status, reply.header('retry-after')), (429, '60'))
        self.assertEqual(len(self.fake.seen), 1)

    def test_all_cool_down(self):
        self.fake.scripts = {'two-a': ['status=429;retry_after=1'], 'two-b': ['status=429;retry_after=1']}
        self.check_answer(self.server.chat('two'), 3)

    def test_client_leaves_meanwhile(self):
        self.fake.scripts['patient'] = ['status=500'] * 4
        with self.server.conn() as c:
            c.send(request_bytes('POST', '/v1/chat/completions', chat_body('patient'), key=self.server.key))
            self.assertTrue(self.fake.wait(lambda: self.fake.seen and self.fake.seen[-1].answered))
            eventually(lambda: self.made().get('500'))
            c.reset()
        record = eventually(lambda: [r for r in self.server.usage() if r['model'] == 'patient'])[0]
        self.assertEqual((record['status'], record['attempts'], record['output_tokens']), (499, len(self.fake.seen), 0))
        self.assertEqual(sum(self.made().values()), len(self.fake.seen), 'an attempt was told twice')
        self.fake.scripts.clear()
        self.assertEqual(self.server.chat('patient').status, 200)

    def test_in_the_place_of_the_one_that_failed(self):
        """Its provider takes one call at a time: the one that has failed is over when the next is asked."""
        self.check_answer(self.server.chat('in-place'), 2, 'narrow')

    def test_so_many_attempts(self):
        reply = self.server.chat('few')
        self.assertEqual((reply.status, reply.header('x-penstock-attempts')), (500, '3'))
        self.assertEqual(self.made(), {'500': 3})

    def test_budget(self):
        """The first other target is free; a third attempt takes of the budget, of which ten are saved up."""
        statuses = [self.server.chat('poor').status for _ in range(30)]
        self.assertEqual(statuses[0], 200)
        self.assertIn(500, statuses)
        self.assertLessEqual(statuses.count(200), 20)

    def test_what_is_not_tried_again(self):
        self.assertEqual(self.server.chat('bad').status, 400)
        self.assertEqual(self.made(), {'400': 1})


class Waiting(Failing):
    """After a 429 of the last target, where there is a queue."""
    models = staticmethod(lambda: [
        chain('waits', 'waits', queue={'max_wait': '10s'}),
        chain('several', 'several', queue={'max_wait': '20s'}),
        chain('short', 'short', queue={'max_wait': '3s'}),
        chain('mixed', 'mixed-a', 'mixed-b', queue={'max_wait': '10s'}),
        chain('few-tries', 'few-tries', queue={'max_wait': '10s'}, retry={'attempts': 2}),
        chain('in-all', 'in-all', queue={'max_wait': '1500ms'}),
        chain('hurries', 'hurries', queue={'max_wait': '10s'}, timeouts={'total': '500ms'}),
        chain('next', 'next-a', 'next-b', queue={'max_wait': '10s'}),
    ])
    ASKS = 'status=429;retry_after=1'

    def apart(self):
        first, *rest = [s.at for s in self.fake.seen]
        return [at - first for at in rest]

    def test_waited_for(self):
        for stream in (False, True):
            self.fake.reset()
            self.fake.scripts['waits'] = [self.ASKS]
            reply = self.server.chat('waits', stream=stream)
            self.check_answer(reply, 2)
            self.assertIn('waits 429', reply.header('x-penstock-tried'))
            self.assertGreaterEqual(self.apart()[0], 1)

    def test_several(self):
        self.fake.scripts['several'] = [self.ASKS]
        replies = in_parallel(5, lambda _: self.server.chat('several'))
        self.assertEqual([r.status for r in replies], [200] * 5)
        self.assertEqual(sorted(int(r.header('x-penstock-attempts', '1')) for r in replies), [1, 1, 1, 1, 2])
        self.assertGreaterEqual(min(self.apart()), 1)

    def test_not_longer_than_it_may(self):
        self.fake.scripts['short'] = ['status=429;retry_after=60']
        reply = self.server.chat('short')
        self.assertEqual((reply.status, reply.header('retry-after')), (429, '60'))
        for model in ('waits', 'hurries'):
            self.fake.reset()
            self.fake.scripts[model] = [self.ASKS] * 2
            reply = self.server.post('/v1/chat/completions', chat_body(model), {'x-penstock-max-wait': '900ms'} if model == 'waits' else {})
            self.assertEqual((reply.status, reply.header('retry-after')), (429, '1'))
            self.assertEqual(len(self.fake.seen), 1)

    def test_in_all(self):
        self.fake.scripts['in-all'] = [self.ASKS] * 3
        self.assertEqual(self.server.chat('in-all').status, 429)
        self.assertEqual(len(self.fake.seen), 2)

    def test_so_many_attempts(self):
        self.fake.scripts['few-tries'] = [self.ASKS] * 3
        reply = self.server.chat('few-tries')
        self.assertEqual((reply.status, reply.header('x-penstock-attempts')), (429, '2'))

    def test_what_has_failed_is_not_asked_meanwhile(self):
        self.fake.scripts = {'mixed-a': ['status=500'] * 2, 'mixed-b': [self.ASKS]}
        self.check_answer(self.server.chat('mixed'), 3)
        self.assertEqual([s.model for s in self.fake.seen], ['mixed-a', 'mixed-b', 'mixed-b'])

    def test_another_target_goes_first(self):
        self.fake.scripts['next-a'] = [self.ASKS]
        self.check_answer(self.server.chat('next'), 2)
        self.assertEqual([s.model for s in self.fake.seen], ['next-a', 'next-b'])

    def test_who_leaves(self):
        self.fake.scripts['waits'] = [self.ASKS]
        with self.server.conn() as c:
            c.send(request_bytes('POST', '/v1/chat/completions', chat_body('waits', 'gone'), key=self.server.key))
            self.assertTrue(self.fake.wait(lambda: self.fake.seen and self.fake.seen[-1].answered))
            eventually(lambda: self.made().get('429'))
            c.reset()
        eventually(lambda: [r for r in self.server.usage() if r['model'] == 'waits' and r['status'] == 499])
        self.check_answer(self.server.chat('waits'), 1)
        self.assertEqual(len(self.fake.seen), 2)


class Fallbacks(Failing):
    models = staticmethod(lambda: [
        chain('general', 'ga;status=500', fallbacks={'general': ['second']}),
        chain('second', 'sa;status=500', 'sb;words=3'),
        chain('timed', target('ta;delay=20000', 'hurried'), fallbacks={'general': ['wrong-one'], 'timeout': ['right-one']}),
        chain('limited', 'la;status=429', fallbacks={'general': ['wrong-one'], 'rate_limit': ['right-one']}),
        chain('wrong-one', 'wrong-one'), chain('right-one', 'right-one'),
        chain('round', 'ra;status=500', fallbacks={'general': ['round-2']}),
        chain('round-2', 'rb;status=500', fallbacks={'general': ['round']}),
        chain('twice', 'da;status=500', fallbacks={'general': ['twice-2']}),
        chain('twice-2', 'da;status=500', 'db'),
        chain('full', target('fa', limits={'requests_per_minute': 1}), fallbacks={'rate_limit': ['right-one'], 'general': ['wrong-one']}),
        chain('alone', 'ka;status=500', fallbacks={'general': ['none'], 'rate_limit': ['right-one']}),
        chain('alone-429', 'kb;status=429', fallbacks={'general': ['none'], 'rate_limit': ['right-one']}),
        chain('blind', 'blind;status=500', fallbacks={'general': ['seeing']}),
        chain('seeing', target('of-vip', when='user == "vip"'), target('of-session', when='session == "s"'),
              target('of-many', when='messages > 2'), target('of-hard', when='task == "translate"'), 'of-others'),
        chain('scattered', 'scattered;status=500', fallbacks={'general': ['kept']}),
        {**chain('kept', *(target(f'kept-{i}', priority=0) for i in range(4)), affinity='user'), 'strategy': 'sticky'},
    ])

    def names(self):
        return [s.model.split(';')[0] for s in self.fake.seen]

    def test_a_models_own_targets(self):
        reply = self.server.chat('general')
        self.check_answer(reply, 3, tokens=self.answered())
        self.assertEqual(self.names(), ['ga', 'sa', 'sb'])

    def test_by_what_failed(self):
        self.check_answer(self.server.chat('timed'), 2)
        self.check_answer(self.server.chat('limited'), 2)
        self.assertEqual(self.names(), ['ta', 'right-one', 'la', 'right-one'])

    def test_nobody(self):
        self.assertEqual(self.server.chat('alone').status, 500)
        self.check_answer(self.server.chat('alone-429'), 2)
        self.assertEqual(self.names(), ['ka', 'kb', 'right-one'])

    def test_a_limit_of_ours(self):
        self.check_answer(self.server.chat('full'), 1)
        reply = self.server.chat('full')
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.names(), ['fa', 'right-one'])

    def test_circles(self):
        self.assertEqual(self.server.chat('round').status, 500)
        self.assertEqual(self.names(), ['ra', 'rb'])

    def answers(self, model, *messages, headers=None, **more):
        """Which target has the last word."""
        said = [{'role': 'assistant' if i % 2 else 'user', 'content': text} for i, text in enumerate(messages or ['Hello'])]
        reply = self.server.post('/v1/chat/completions', json.dumps({'model': model, 'messages': said, **more}).encode(), headers=headers)
        self.assertEqual(reply.status, 200, reply)
        return self.names()[-1]

    def test_what_a_fallback_asks_of_the_request(self):
        """Its model goes by more than the first one did."""
        asked = {'of-vip': {'user': 'vip'}, 'of-session': {'headers': {'x-penstock-session': 's'}},
                 'of-others': {'user': 'another'}}
        for model in 'seeing', 'blind':
            for name, more in asked.items():
                self.assertEqual(self.answers(model, **more), name, model)
            self.assertEqual(self.answers(model, 'a', 'b', 'c'), 'of-many', model)
            self.assertEqual(self.answers(model, 'Translate this sentence into French: the cat sleeps.'), 'of-hard', model)

    def test_who_belongs_to_a_fallbacks_target(self):
        users = [f'u{i}' for i in range(24)]
        direct = [self.answers('kept', user=user) for user in users]
        self.assertEqual(len(set(direct)), 4)
        self.assertEqual([self.answers('scattered', user=user) for user in users], direct)

    def test_none_is_asked_twice(self):
        self.check_answer(self.server.chat('twice'), 2)
        self.assertEqual(self.names(), ['da', 'db'])


class ClientsFallbacks(Failing):
    models = staticmethod(lambda: [
        chain('ill', 'ia;status=500', fallbacks={'general': ['theirs']}), chain('theirs', 'theirs'),
        chain('mine', 'mine;words=3'), chain('also-ill', 'ib;status=503'),
        chain('policy', 'pa;status=404', target('claude', 'other'))])

    def names(self):
        return [s.model.split(';')[0] for s in self.fake.seen]

    def test_in_the_body(self):
        for more in ({}, {'strict': False}, {'stream': True}):
            self.fake.reset()
            reply = self.server.chat('ill', fallbacks=['also-ill', 'mine'], **more)
            self.check_answer(reply, 3)
            self.assertEqual(self.names(), ['ia', 'ib', 'mine'])
            self.assertFalse([s for s in self.fake.seen if 'fallbacks' in s.json or 'strict' in s.json], 'they are told of it')

    def test_in_the_header(self):
        reply = self.server.chat('ill', headers={'X-Penstock-Fallbacks': ' also-ill , mine'})
        self.check_answer(reply, 3)
        body = json.dumps({'model': 'ill', 'max_tokens': 9, 'messages': [{'role': 'user', 'content': 'x'}]}).encode()
        reply = self.server.post('/v1/messages', body, {'X-Penstock-Fallbacks': 'fake/direct'})
        self.check_answer(reply, 2)
        self.assertEqual(reply.json()['type'], 'message')

    def test_of_a_providers_own_model(self):
        self.check_answer(self.server.chat('fake/none;status=500', fallbacks=['mine']), 2)

    def test_translated(self):
        self.check_answer(self.server.chat('policy', fallbacks=['mine'], strict=True), 2, 'other')

    def test_not_needed(self):
        self.check_answer(self.server.chat('mine', fallbacks=['theirs']), 1)
        self.check_answer(self.server.chat('ill', fallbacks=None), 2)
        self.check_answer(self.server.chat('ill', fallbacks=[]), 2)
        self.assertEqual(self.names(), ['mine', 'ia', 'theirs', 'ia', 'theirs'])

    def test_wrong(self):
        self.check_error(self.server.chat('ill', fallbacks=['no-such-model']), 404, 'model_not_found', param='fallbacks')
        self.check_error(self.server.chat('ill', fallbacks=[{'model': 'mine'}]), 400, 'invalid_request', param='fallbacks')
        self.check_error(self.server.chat('ill', fallbacks=['mine'] * 9), 400, 'invalid_request', param='fallbacks')
        self.assertEqual(self.server.chat('ill', fallbacks='mine').status, 400)
        self.assertEqual(self.fake.seen, [])

    def test_not_allowed(self):
        key = self.server.create_key('--name', 'few', '--models', 'ill,mine')['key']
        self.assertTrue(eventually(lambda: self.server.post('/v1/chat/completions', chat_body('mine'), key=key).status == 200))
        self.fake.reset()
        for body, headers in ((chat_body('ill', fallbacks=['theirs']), {}), (chat_body('ill'), {'x-penstock-fallbacks': 'mine,theirs'})):
            reply = self.server.post('/v1/chat/completions', body, headers, key=key)
            self.check_error(reply, 403, 'model_not_allowed', param='fallbacks')
        self.assertEqual(self.fake.seen, [])
        self.check_answer(self.server.post('/v1/chat/completions', chat_body('ill', fallbacks=['mine']), key=key), 2)


class Hedges(Failing):
    models = staticmethod(lambda: [
        chain('hedged', 'slow;delay=20000', 'quick;words=3', hedge={'share': 1, 'after': '50ms'}),
        chain('turned', 'slow2;delay=20000', target('claude', 'other'), hedge={'share': 1, 'after': '50ms'}),
        chain('back', 'late;delay=400', 'ill;status=500', hedge={'share': 1, 'after': '50ms'}),
        chain('refused', 'late2;delay=400', target('x', 'wrong'), hedge={'share': 1, 'after': '50ms'}),
        chain('both', 'badly;delay=300;status=500', 'badly2;status=503', WHOLE, hedge={'share': 1, 'after': '50ms'}),
        chain('none', 'none;delay=200', 'never', hedge={'share': 0, 'after': '50ms'}),
        chain('capped', 'capped;delay=100', 'other-one', hedge={'share': 0.1, 'after': '10ms'}),
        chain('once', 'once;delay=300', 'not-asked', hedge={'share': 1, 'after': '50ms'}, retry={'attempts': 1}),
        chain('lost', 'lost;delay=200;status=500', 'told;delay=400;status=429;retry_after=1', queue={'max_wait': '10s'},
              hedge={'share': 1, 'after': '50ms'}, retry={'attempts': 3}),
        chain('saves', 'saves;delay=800', 'full;delay=1000', hedge={'share': 0.01, 'after': '400ms'}), chain('fills', 'full;delay=1000'),
        chain('left', 'left;delay=20000', 'left2;delay=20000', hedge={'share': 1, 'after': '50ms'}),
    ])

    def loser(self, marker):
        self.assertTrue(self.fake.wait(lambda: any(s.gone_at and marker in s.model for s in self.fake.seen)),
                        'the call that lost goes on')

    def test_first_answer_wins(self):
        for stream in (False, True):
            self.fake.reset()
            reply = self.server.chat('hedged', stream=stream)
            self.check_answer(reply, 2)
            self.assertEqual(reply.header('x-penstock-model'), 'quick;words=3')
            self.loser('slow')
        self.assertEqual(self.made(), {'200': 2, 'hedged': 2})

    def test_another_dialect(self):
        for stream in (False, True):
            self.check_answer(self.server.chat('turned', stream=stream), 2, 'other')
        self.loser('slow2')
        self.assertEqual(self.other.violations, [])

    def test_the_second_fails(self):
        for model in ('back', 'refused'):
            reply = self.server.chat(model)
            self.check_answer(reply, 2, tokens=self.answered())
        self.fake.violations.clear()

    def test_both_fail(self):
        self.check_answer(self.server.chat('both'), 3)
        self.assertEqual(self.made(), {'500': 1, '503': 1, '200': 1})

    def test_share(self):
        self.check_answer(self.server.chat('none'), 1)
        for _ in range(20):
            self.assertEqual(self.server.chat('capped').status, 200)
        extra = sum(s.model == 'other-one' for s in self.fake.seen)
        self.assertTrue(1 <= extra <= 3, extra)

    def asked(self, model):
        return sum(s.model.split(';')[0] == model for s in self.fake.seen)

    def test_attempts_are_not_exceeded(self):
        self.check_answer(self.server.chat('once'), 1)
        self.assertEqual(self.asked('not-asked'), 0)

    def test_who_has_failed_beside_another_is_not_asked_again(self):
        self.assertEqual(self.server.chat('lost').status, 429)
        self.assertEqual([self.asked('lost'), self.asked('told')], [1, 2])

    def test_nothing_of_the_share_is_taken_in_vain(self):
        """One may be sent at first, and is when there is room for it."""
        with self.server.conn() as first, self.server.conn() as other:
            for conn, model in ((first, 'saves'), (other, 'fills')):
                conn.send(request_bytes('POST', '/v1/chat/completions', chat_body(model), key=self.server.key))
                self.assertTrue(self.fake.wait(lambda: self.asked('full' if model == 'fills' else model)))
            self.check_answer(first.read(), 1)
            self.check_answer(other.read(), 1)
        self.check_answer(self.server.chat('saves'), 2)
        self.check_answer(self.server.chat('saves'), 1)

    def test_client_leaves(self):
        with self.server.conn() as c:
            c.send(request_bytes('POST', '/v1/chat/completions', chat_body('left'), key=self.server.key))
            self.assertTrue(self.fake.wait(lambda: len(self.fake.seen) == 2))
            c.reset()
        self.assertTrue(self.fake.wait(lambda: all(s.gone_at for s in self.fake.seen)))
        record = eventually(lambda: [r for r in self.server.usage() if r['model'] == 'left'])[0]
        self.assertEqual((record['status'], record['attempts']), (499, 2))
        self.assertEqual(sum(self.made().values()), 2)


QUICK = {'failures': 2, 'open': '300ms', 'max_open': '300ms', 'slow_start': '0s'}


class Breakers(Failing):
    models = staticmethod(lambda: [
        chain('sick', 'sick', 'sound', breaker={'failures': 2, 'open': '700ms', 'max_open': '1s', 'slow_start': '0s'}),
        chain('alone', 'alone', breaker={'failures': 2, 'open': '1h', 'max_open': '1h'}),
        chain('cooled', 'cooled', 'warm'),
        chain('opens', 'opens', breaker={'failures': 1, 'open': '1h', 'max_open': '1h'}, retry={'same_target': 3, 'base': '1ms'}),
        chain('taken', 'taken', breaker={'failures': 1}, retry={'same_target': 1, 'base': '1ms', 'max': '5s'}),
        chain('waits', 'waits', queue={'max_wait': '300ms'}, retry={'same_target': 1, 'base': '1ms', 'max': '5s'}),
        chain('both-open', 'first', 'second', breaker={'failures': 1, 'open': '1h', 'max_open': '1h'},
              retry={'same_target': 3, 'base': '1ms'}),
        *(chain(name, {'provider': 'fake', 'model': name}, 'sound', breaker=QUICK) for name in ('streams', 'streams-turned')),
        chain('mute', {'provider': 'hurried', 'model': 'mute'}, 'sound', breaker=QUICK),
        chain('breaks', 'breaks', 'whole', breaker={'failures': 2, 'open': '1h', 'max_open': '1h'}),
        chain('breaks-claude', target('breaks;error_event', 'other'), 'whole', breaker={'failures': 2, 'open': '1h', 'max_open': '1h'}),
    ])

    def seen_of(self, name):
        return sum(s.model == name for s in self.fake.seen)

    def test_opens_and_closes(self):
        self.fake.scripts['sick'] = ['status=500'] * 3
        for _ in range(4):
            self.assertEqual(self.server.chat('sick').status, 200)
        self.assertEqual(self.seen_of('sick'), 2, 'after two failures it is left out')
        self.assertTrue(eventually(lambda: self.server.chat('sick').status == 200 and self.seen_of('sick') == 3), 'no probe came')
        self.assertEqual(self.server.chat('sick').status, 200)
        self.assertEqual(self.seen_of('sick'), 3, 'the probe failed, so it is left out again')
        self.assertTrue(eventually(lambda: self.server.chat('sick').status == 200 and self.seen_of('sick') == 4))
        for _ in range(3):
            self.assertEqual(self.server.chat('sick').status, 200)
        self.assertEqual(self.seen_of('sick'), 7, 'it is well again')
        # On schedule: not before it may be tried, and twice as long, as far as the most allows, after a probe that failed.
        at = [s.at for s in self.fake.seen if s.model == 'sick']
        self.assertGreaterEqual(at[2] - at[1], 0.55)
        self.assertGreaterEqual(at[3] - at[2], 0.79)

    def breaker(self, model, provider='fake'):
        state = self.server.metrics()[f'penstock_target_breaker{{provider="{provider}",model="{model}"}}']
        return ('closed', 'half-open', 'open')[int(state)]

    def ask_for_stream(self, model, path='/v1/chat/completions', **more):
        conn = self.server.conn()
        self.addCleanup(conn.close)
        body = {'model': model, 'stream': True, 'messages': [{'role': 'user', 'content': 'Hello'}], **more}
        return conn.send(request_bytes('POST', path, json.dumps(body).encode(), key=self.server.key))

    def check_stream_probe(self, model, path, more):
        """However long it goes on; what breaks off later counts as one failure."""
        self.fake.scripts[model] = ['status=500'] * 2 + ['endless;gap=20'] * 2 + ['events=9;gap=20;error_event_at=3'] * 2
        for _ in range(2):
            self.check_answer(self.server.chat(model), 2)
        self.assertEqual(self.breaker(model), 'open')
        time.sleep(0.4)  # longer than it is left alone
        for _ in range(2):
            conn = self.ask_for_stream(model, path, **more)
            next(conn.pieces(conn.read_head()))
            self.assertTrue(eventually(lambda: self.breaker(model) == 'closed'), 'it waits for the stream to end')
        for state in 'closed', 'open':
            broken = self.ask_for_stream(model, path, **more).read()
            self.record_of(broken.request_id)
            self.assertEqual(self.breaker(model), state)

    def test_streams_that_have_begun_close_it(self):
        self.check_stream_probe('streams', '/v1/chat/completions', {})
        self.check_stream_probe('streams-turned', '/v1/messages', {'max_tokens': 100})

    def test_a_head_proves_nothing(self):
        self.fake.scripts['mute'] = ['status=500'] * 2 + ['after_head=20000'] * 9
        for _ in range(2):
            self.check_answer(self.server.chat('mute'), 2)
        time.sleep(0.4)
        self.check_answer(self.server.chat('mute', stream=True), 2)
        self.assertEqual(self.breaker('mute', 'hurried'), 'open')

    def test_the_only_one_is_asked_all_the_same(self):
        self.fake.scripts['alone'] = ['status=500'] * 4
        statuses = [self.server.chat('alone').status for _ in range(6)]
        self.assertEqual(statuses, [500] * 4 + [200] * 2)

    def test_one_that_opens_meanwhile_is_asked_again(self):
        """A breaker that a request's own attempts have opened takes none of its others, nor the provider's error."""
        self.fake.scripts['opens'] = ['status=500'] * 3
        reply = self.server.chat('opens')
        self.check_answer(reply, 4)
        self.assertRegex(reply.header('x-penstock-tried'), r'^fake/opens 500( \d+ms)? \(breaker opened\), fake/opens 500( \d+ms)?, ')
        self.fake.scripts['opens'] = ['status=503'] * 4
        reply = self.server.chat('opens')
        self.assertEqual((reply.status, reply.header('x-penstock-attempts')), (503, '4'))
        self.assertIn('The fake was told to fail', reply.error()['message'])
        self.fake.scripts.update({'first': ['status=500'] * 2, 'second': ['status=500'] * 2})
        self.check_answer(self.server.chat('both-open'), 5)

    def test_the_providers_error_is_told_where_nobody_can_be_asked_again(self):
        """Its only place is another's when it is to be asked once more."""
        for model in 'taken', 'waits':
            self.fake.scripts[model] = ['status=500;retry_after=2', 'delay=20000']
            with self.server.conn() as first, self.server.conn() as other:
                for n, conn in enumerate((first, other)):
                    conn.send(request_bytes('POST', '/v1/chat/completions', chat_body(model), key=self.server.key))
                    self.assertTrue(self.fake.wait(lambda: self.seen_of(model) == n + 1))
                    eventually(lambda: self.made().get('500'))
                reply = first.read()
                error = self.check_error(reply, 500, 'upstream_error')
                other.reset()
            self.assertRegex(error['message'], 'provider "fake" failed: The provider failed.*at their limits')
            self.assertEqual('its circuit breaker opened' in error['message'], model == 'taken')
            record = self.record_of(reply.request_id)
            self.assertEqual((record['status'], record['error'], record['provider']), (500, 'upstream_error', 'fake'))

    def broken(self, reply, says):
        """The provider's own error is passed on as it came, and written down."""
        self.assertEqual((reply.status, reply.header('x-penstock-attempts', '1')), (200, '1'), reply)
        self.assertIn(says, reply.body)
        record = self.record_of(reply.request_id)
        self.assertEqual((record['status'], record['error']), (200, 'upstream_error'))

    def test_streams_that_the_provider_breaks_off(self):
        self.fake.scripts['breaks'] = ['error_event'] * 2
        for _ in range(2):
            self.broken(self.server.chat('breaks', stream=True), b'fake_broke')
        self.check_answer(self.server.chat('breaks', stream=True), 1)
        self.assertEqual([s.model for s in self.fake.seen], ['breaks', 'breaks', 'whole'])

    def test_streams_of_anthropics_that_break_off(self):
        body = {'model': 'breaks-claude', 'max_tokens': 100, 'stream': True, 'messages': [{'role': 'user', 'content': 'Hello'}]}

        def ask():
            return self.server.post('/v1/messages', json.dumps(body).encode())
        for _ in range(2):
            self.broken(ask(), b'overloaded_error')
        self.check_answer(ask(), 1)

    def test_cooldown_by_retry_after(self):
        self.fake.scripts['cooled'] = ['status=429;retry_after=1']
        begun = time.monotonic()
        for _ in range(3):
            self.assertEqual(self.server.chat('cooled').status, 200)
        if time.monotonic() - begun < 1:
            self.assertEqual(self.seen_of('cooled'), 1)
        self.assertTrue(eventually(lambda: self.server.chat('cooled').status == 200 and self.seen_of('cooled') == 2))
        calls = [s for s in self.fake.seen if s.model == 'cooled']
        self.assertGreaterEqual(calls[1].at - calls[0].at, 1)


class FaultyFleet(Suite):
    """The fast mock, five targets of which fail 30 % of calls in nine ways, and one that is well."""
    CALLS, CLIENTS = 2400, 12

    def mock(self):
        port = free_port()
        mock = subprocess.Popen([os.path.join(os.path.dirname(BINARY), 'bench', 'bench_mock'), '--listen', f'127.0.0.1:{port}'])
        self.addCleanup(mock.wait)
        self.addCleanup(mock.terminate)
        return port

    def fleet(self, port, **breaker):
        waits = {'timeouts': {'first_byte': '400ms', 'idle': '400ms'}}
        providers = [{'name': f'p{i}', 'kind': 'openai', 'base_url': f'http://127.0.0.1:{port}/v1', 'api_key': 'x',
                      **(waits if i < 5 else {})}
                     for i in range(6)]
        targets = [{'provider': f'p{i}', 'model': 'faulty-300' if i < 5 else 'plain-1k'} for i in range(6)]
        return {'providers': providers, 'models': [{'name': 'fleet', 'strategy': 'round_robin', 'targets': targets, 'routing': {
            'retry': {'attempts': 12, 'share': 1}, 'breaker': breaker}}]}

    def run_fleet(self, **breaker):
        port = self.mock()
        server = self.spawn(self.fleet(port, **breaker))

        def client(_):
            attempts, ids = 0, []
            with server.conn() as c:
                for _ in range(self.CALLS // self.CLIENTS):
                    reply = c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fleet'), key=server.key)).read()
                    self.assertEqual(reply.status, 200, reply)
                    self.assertEqual(reply.json()['usage']['total_tokens'], 480)
                    attempts += int(reply.header('x-penstock-attempts', '1'))
                    ids.append(reply.request_id)
            return attempts, ids

        done = in_parallel(self.CLIENTS, client)
        told = sum(attempts for attempts, _ in done)
        self.assertEqual(len({i for _, ids in done for i in ids}), self.CALLS)
        stats = self.stats(port)
        faults = sum(v for k, v in stats['faults'].items() if k != 'none')
        self.assertGreater(faults, 60)
        self.assertEqual(stats['requests'], told)
        self.assertEqual(told - self.CALLS, faults)
        metrics = sum(v for k, v in server.metrics().items() if k.startswith('penstock_upstream_requests_total{'))
        self.assertEqual(metrics, told)
        (sums,) = server.cli_json('usage', '--by', 'model')
        self.assertEqual((sums['requests'], sums['errors'], sums['attempts']), (self.CALLS, 0, told))
        self.assertEqual(sums['output_tokens'], self.CALLS * 128, 'each is charged once')

    def stats(self, port):
        with urllib.request.urlopen(f'http://127.0.0.1:{port}/stats') as r:
            return json.load(r)

    def test_with_breakers(self):
        self.run_fleet()

    def test_without(self):
        self.run_fleet(failures=0, error_rate=1)


if __name__ == '__main__':
    main()
