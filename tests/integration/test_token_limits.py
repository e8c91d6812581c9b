#!/usr/bin/env python3
# Limits of input and of output tokens, each by itself: as they are set for a provider, a key, a target, and as a provider
# that counts them apart tells of them.
import json
import time
import unittest

from harness import Penstock, chat_body, clean_environment, main, run_cli
from recorder import Answer, Stage, completion

CACHED, PROMPT, OUTPUT = 900, 1000, 20


def message(up, request):
    """An answer of Anthropic's; the model's name says what is left of its tokens."""
    model = request.json['model']
    usage = {'input_tokens': PROMPT - CACHED, 'cache_read_input_tokens': CACHED, 'output_tokens': OUTPUT}
    left = {'no-input': (0, 8000), 'no-output': (30000, 0)}.get(model)
    reset = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + 40))
    fields = [] if not left else [
        f'anthropic-ratelimit-{what}-tokens-{part}: {value}'
        for what, limit, remaining in (('input', 30000, left[0]), ('output', 8000, left[1]))
        for part, value in (('limit', limit), ('remaining', remaining), ('reset', reset))]
    return Answer({'id': 'msg_1', 'type': 'message', 'role': 'assistant', 'model': model, 'stop_reason': 'end_turn',
                   'content': [{'type': 'text', 'text': 'Well.'}], 'usage': usage}, fields=fields)


class TokenLimits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        plain = cls.stage.upstream('plain', lambda up, request: Answer(completion(prompt=PROMPT, output=OUTPUT)))
        claude = cls.stage.upstream('claude', message)
        limits = {'input_tokens_per_minute': 1500, 'output_tokens_per_minute': 700}
        keys = [{'name': name, 'api_key': f'sk-{name}', 'limits': limits} for name in ('one', 'two')]
        of = {'kind': 'anthropic', 'base_url': claude.base_url[:-3]}
        whole = {**plain.provider(), 'name': 'whole', 'limits': limits}
        keyed = {**plain.provider(), 'name': 'keyed', 'keys': keys}
        del keyed['api_key']

        def model(name, provider, **more):
            return {'name': name, 'targets': [{'provider': provider, 'model': name, **more}], 'routing': {'retry': {'attempts': 1}}}
        cls.server = Penstock({
            'providers': [plain.provider(), whole, keyed, claude.provider(**of)], 'auth': {'required': False},
            'log': {'level': 'error'}, 'quota': {'default_output_tokens': 50},
            'models': [model('target', 'plain', limits=limits), model('shown', 'plain', limits=limits),
                       model('alone', 'claude', limits=limits), model('at-provider', 'whole'), model('at-key', 'keyed'),
                       model('long', 'plain', limits=limits), model('cached', 'claude', limits=limits),
                       model('large', 'plain', limits=limits), model('free', 'plain', limits={'requests_per_minute': 9}),
                       model('no-input', 'claude'), model('no-output', 'claude')]}, workers=1)
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()
        cls.admin = cls.server.create_key('--admin', '--name', 'ops')['key']

    def chat(self, model, text='Hello', **more):
        return self.server.post('/v1/chat/completions', chat_body(model, text, **more))

    def row(self, model):
        told = run_cli('targets', '--server', f'http://127.0.0.1:{self.server.port}', '--json',
                       env=clean_environment(PENSTOCK_API_KEY=self.admin))
        return next(row for row in map(json.loads, told.stdout.splitlines()) if row['model'] == model)

    def check_refused(self, reply, words):
        self.assertEqual(reply.status, 429, reply.body)
        self.assertIn(f'the {words} that it may have a minute are used up', reply.error()['message'])
        self.assertIn(int(reply.header('retry-after')), range(1, 63))

    def test_where_they_are_set(self):
        """By what was used, not by what was estimated: at a target, a provider, each of its keys."""
        for model, calls in (('target', 2), ('at-provider', 2), ('at-key', 4)):
            with self.subTest(model):
                self.assertEqual([self.chat(model).status for _ in range(calls)], [200] * calls)
                self.check_refused(self.chat(model), 'input tokens')

    def test_what_is_told(self):
        self.assertEqual([self.chat('shown').status for _ in range(2)], [200, 200])
        row = self.row('shown')
        self.assertEqual((row['state'], row['why'], bool(row['until'])), ('out', 'input_tokens', True))
        free = row['headroom']  # which grows from now on
        self.assertLess(free['input_tokens'], 750)
        self.assertLess(free['share'], 0.5)
        self.assertGreater(free['output_tokens'], 600)
        self.assertIsNone(free['tokens'])
        explained = self.server.post('/v1/route/explain', chat_body('shown'), key=self.admin).json()['candidates'][0]
        self.assertEqual(explained['reason'], 'limit')
        self.assertLess(explained['input_tokens_free'], 0.5)
        self.assertIn('input tokens', explained['why'])
        self.assertGreater(explained['output_tokens_free'], 0.5)

    def test_output(self):
        """What an answer may have is held; one that may have more than a minute has is let in alone."""
        self.assertEqual(self.chat('long', max_tokens=690).status, 200)
        self.check_refused(self.chat('long', max_tokens=690), 'output tokens')
        self.check_refused(self.chat('long', max_tokens=5000), 'output tokens')
        self.assertEqual([self.chat('alone', max_tokens=5000).status for _ in range(2)], [200, 429])

    def test_cached(self):
        """What Anthropic has read from its cache is no input to its limit."""
        for i in range(5):
            self.assertEqual(self.chat('cached').status, 200, i)
        self.assertGreater(self.row('cached')['headroom']['input_tokens'], 0)

    def test_too_large(self):
        reply = self.chat('large', 'words ' * 1500)
        self.assertEqual(reply.status, 413, reply.body)
        self.assertEqual(self.chat('free', 'words ' * 1500).status, 200)

    def test_told_by_the_provider(self):
        for what in ('input', 'output'):
            with self.subTest(what):
                self.assertEqual(self.chat(f'no-{what}', 'words ' * 1500).status, 200)
                self.check_refused(self.chat(f'no-{what}', 'words ' * 1500), f'{what} tokens')
                free = {name: share for name, share in self.row(f'no-{what}')['headroom'].items() if share is not None}
                self.assertEqual(set(free), {'input_tokens', 'output_tokens', 'share'})
                self.assertLess(free['share'], 0.9)  # it comes back little by little


if __name__ == '__main__':
    main()
