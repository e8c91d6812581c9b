#!/usr/bin/env python3
"""What decides whether a target may be asked at all: what it can, how much it takes, the hour where the tenant
is, where requests of a tenant, team, project or key may go."""
import base64
import collections
import datetime
import json
import os
import random
import signal
import tempfile
import unittest
import zoneinfo

from harness import Suite, chat_body, eventually, fake_provider, main

ZONES = {'east': 'Pacific/Kiritimati', 'west': 'Pacific/Pago_Pago', 'half': 'Asia/Kolkata'}


class Hours(Suite):
    @classmethod
    def config(cls):
        def by(name, values):
            return [{'provider': 'fake', 'model': f'{name}-{v}', 'when': f'{name} == {v}'} for v in values]

        return {'providers': [fake_provider(cls.fake)],
                'models': [{'name': 'hours', 'targets': by('hour', range(24))},
                           {'name': 'minutes', 'targets': by('minute', range(60))},
                           {'name': 'days', 'targets': by('weekday', range(1, 8))}]}

    def asked(self, key, zone):
        """What was taken, and what the clocks there say before and after."""
        now = lambda: datetime.datetime.now(zone)  # noqa: E731
        told = lambda t: [f'hour-{t.hour}', f'minute-{t.minute}', f'weekday-{t.isoweekday()}']  # noqa: E731
        for _ in range(3):
            before, taken = told(now()), []
            for model in ('hours', 'minutes', 'days'):
                self.fake.reset()
                self.assertEqual(self.server.post('/v1/chat/completions', chat_body(model), key=key).status, 200)
                taken.append(self.fake.seen[-1].json['model'])
            if told(now()) == before:  # no minute has passed meanwhile
                break
        return taken, before

    def test_where_the_tenant_is(self):
        for tenant, zone in ZONES.items():
            self.assertEqual(self.server.cli('tenant', 'create', tenant).returncode, 0)
            key = self.server.create_key('--tenant', tenant)['key']
            self.assertEqual(*self.asked(key, datetime.timezone.utc))
            done = self.server.cli('tenant', 'update', tenant, f'time_zone={zone}')
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(*self.asked(key, zoneinfo.ZoneInfo(zone)))


class Tokens(Suite):
    """A prompt is counted only where its size does not tell: what is taken is what the count says all the same."""
    LIMITS = (1, 12, 40, 150, 600, 2500, 32000)
    PIECES = ('The quick brown fox. ', 'и съешь ещё этих булок ', '天地玄黃宇宙洪荒', 'if (a[i] != b) { return -1; }\n', ' ' * 40, '\n\t',
              '<|endoftext|>', '😀👩‍👩‍👧', 'ſ́̈', '0x7fffffffffff', '\x00', 'Antidisestablishmentarianism ')

    @classmethod
    def config(cls):
        def model(limit):
            return {'name': f'by-{limit}', 'targets': [
                {'provider': 'fake', 'model': 'below', 'when': f'tokens < {limit}'},
                {'provider': 'fake', 'model': 'from', 'when': f'{limit} <= tokens'}]}

        return {'providers': [fake_provider(cls.fake, kind='openai')], 'models': [
            *(model(n) for n in cls.LIMITS),
            {'name': 'odd', 'targets': [{'provider': 'fake', 'model': 'odd', 'when': 'tokens % 2 == 1'},
                                        {'provider': 'fake', 'model': 'even', 'when': 'tokens % 2 != 1'}]}]}

    def body(self, dice):
        text = ''.join(dice.choice(self.PIECES) * dice.choice((1, 1, 1, 9, 60)) for _ in range(dice.randrange(6)))
        body = {'messages': [{'role': dice.choice(('system', 'user')), 'content': text} for _ in range(dice.choice((1, 1, 2, 9)))]}
        kind = dice.randrange(6)
        if kind == 0:
            body['tools'] = [{'type': 'function', 'function': {'name': 'f', 'parameters': {'type': 'object', 'properties': {
                'n': {'type': 'integer', 'enum': list(range(10)) * dice.randrange(9)}}}}}]
        if kind == 1:
            body['messages'].append(part('image')[0])
        return body

    def test_any_prompt(self):
        dice = random.Random(1)
        taken = collections.Counter()
        for _ in range(150):
            body = self.body(dice)
            for limit in (dice.choice(self.LIMITS), 'odd'):
                body['model'] = 'odd' if limit == 'odd' else f'by-{limit}'
                told = self.server.post('/v1/route/explain', json.dumps(body).encode()).json()
                self.assertTrue(told['request']['tokens_counted'], body)
                tokens = told['request']['tokens']
                expected = ('odd' if tokens % 2 else 'even') if limit == 'odd' else 'below' if tokens < limit else 'from'
                reply = self.server.post('/v1/chat/completions', json.dumps(body).encode())
                self.assertEqual((reply.status, reply.header('x-penstock-model')), (200, expected), (tokens, limit, body))
                taken[expected] += 1
        self.assertGreater(min(taken.values()), 20, taken)


def part(kind, n=40):
    data = base64.b64encode(os.urandom(n)).decode()
    parts = {'image': {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,' + data}},
             'audio': {'type': 'input_audio', 'input_audio': {'data': data, 'format': 'wav'}},
             'pdf': {'type': 'file', 'file': {'filename': 'a.pdf', 'file_data': 'data:application/pdf;base64,' + data}}}
    return [{'role': 'user', 'content': [{'type': 'text', 'text': 'What is it?'}, parts[kind]]}]


TOOLS = [{'type': 'function', 'function': {'name': 'f', 'parameters': {'type': 'object', 'properties': {}}}}]
SCHEMA = {'type': 'json_schema', 'json_schema': {'name': 's', 'schema': {'type': 'object'}}}
LONG = 'All work and no play makes Jack a dull boy. ' * 500  # 22 kB
NEEDS = {'vision': {'messages': part('image')}, 'audio_input': {'messages': part('audio')},
         'pdf': {'messages': part('pdf')}, 'tools': {'tools': TOOLS}, 'json_schema': {'response_format': SCHEMA},
         'reasoning': {'reasoning_effort': 'high'}, 'streaming': {'stream': True}}


class Abilities(Suite):
    """Also of models with one target, long requests, and providers' models by their own names."""

    @classmethod
    def config(cls):
        def model(name, target, *can, **more):
            more |= {'capabilities': list(can)} if can else {}
            return {'name': name, 'targets': [{'provider': 'fake', 'model': target}], **more}

        path = os.path.join(cls.catalog, 'models.json')
        known = {'mode': 'chat', 'context_window': 2000, 'max_output_tokens': 500, 'price': {'input': 1, 'output': 1}}
        with open(path, 'w', encoding='utf-8') as f:
            json.dump({'penstock_models': 1, 'sources': {}, 'models': {
                'openai/little': {**known, 'capabilities': ['caching'], 'cannot': [*NEEDS]},
                'openai/partly': {**known, 'context_window': 100000, 'capabilities': ['caching']},
                'openai/able': {**known, 'context_window': 100000, 'max_output_tokens': 8000,
                                'capabilities': [*NEEDS]}}}, f)
        return {'providers': [fake_provider(cls.fake, kind='openai')], 'passthrough_models': True,
                'models': [model('plain', 'x', 'caching'), model('all', 'x', *NEEDS), model('unknown', 'x'),
                           model('narrow', 'x', *NEEDS, context_window=2000, max_output_tokens=500),
                           model('vectors', 'x', context_window=2000), model('told-in-part', 'partly'),
                           {'name': 'nights', 'targets': [{'provider': 'fake', 'model': 'x', 'when': 'hour > 22 && hour < 1'}]},
                           {'name': 'either', 'strategy': 'priority', 'targets': [
                               {'provider': 'fake', 'model': 'partly'}, {'provider': 'fake', 'model': 'able'}]},
                           {'name': 'neither', 'strategy': 'priority', 'targets': [
                               {'provider': 'fake', 'model': 'little'}, {'provider': 'fake', 'model': 'partly'}]},
                           model('helped', 'partly', routing={'fallbacks': {'general': ['all']}})],
                'catalog': {'file': path}, 'auth': {'required': False}}

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.catalog = folder.name
        super().setUpClass()

    def ask(self, model, **more):
        body = {'model': model, 'messages': [{'role': 'user', 'content': 'Hello'}], **more}
        return self.server.post('/v1/chat/completions', json.dumps(body).encode())

    def refused(self, reply, *words, code='no_capable_target'):
        self.check_error(reply, 400, code, param='model')
        for word in words:
            self.assertIn(word, reply.error()['message'])
        self.assertEqual(self.fake.seen, [])

    def test_each_need_of_one_target(self):
        for padding in ('', LONG):
            for need, more in NEEDS.items():
                more = json.loads(json.dumps(more))
                messages = more.pop('messages', [{'role': 'user', 'content': 'Hello'}])
                messages = [{'role': 'system', 'content': 'Be brief. ' + padding}, *messages]
                if need != 'streaming':  # which goes without saying
                    self.refused(self.ask('plain', messages=messages, **more), f'({need})', 'can')
                if not padding:
                    self.refused(self.ask('fake/little', messages=messages, **more), f'({need})', 'can')
                for model in ('all', 'unknown', 'fake/able', 'fake/nobody-knows', 'fake/partly', 'told-in-part'):
                    self.assertEqual(self.ask(model, messages=messages, **more).status, 200, (model, need))
                self.fake.reset()

    def test_condition(self):
        """A model whose conditions do not hold is not itself what would be of help."""
        self.refused(self.ask('nights'), 'the conditions of its targets do not hold')
        self.assertNotIn('; "nights" can', self.ask('nights').error()['message'])

    def test_what_nobody_knows(self):
        """Those that are known to be able go first, also as fallbacks; before a request is refused, others are asked."""
        for need, more in NEEDS.items():
            for model, target in (('either', 'able'), ('neither', 'partly'), ('helped', 'x')):
                reply = self.ask(model, **more)
                self.assertEqual((reply.status, reply.header('x-penstock-model')), (200, target), (model, need))
        reply = self.ask('told-in-part', tools=TOOLS, fallbacks=['fake/able'])
        self.assertEqual((reply.status, reply.header('x-penstock-model')), (200, 'able'))
        reply = self.ask('told-in-part', tools=TOOLS, fallbacks=['fake/little'])
        self.assertEqual((reply.status, reply.header('x-penstock-model')), (200, 'partly'))

    def test_long_prompts(self):
        for model in ('narrow', 'fake/little'):
            messages = [{'role': 'user', 'content': LONG}]
            self.refused(self.ask(model, messages=messages), ' tokens, and ', 'more than 2000', '"all" can' if model == 'narrow' else 'can',
                         code='context_length_exceeded')
            # Bytes are no tokens: what fits by its count is not refused for its size.
            self.assertEqual(self.ask(model, messages=[{'role': 'user', 'content': LONG[:6000]}]).status, 200)
            self.fake.reset()

    def test_pictures_are_no_text(self):
        for model in ('narrow', 'fake/able'):
            self.assertEqual(self.ask(model, messages=part('image', 700000)).status, 200)

    def test_output(self):
        for model in ('narrow', 'fake/little'):
            self.refused(self.ask(model, max_tokens=501), '501 tokens', 'more than 500', 'max_output_tokens')
            self.assertEqual(self.ask(model, max_tokens=500).status, 200)
            self.assertEqual(self.ask(model, max_tokens=500, n=3).status, 200, 'each of the answers fits')
            self.fake.reset()
        self.assertEqual(self.ask('unknown', max_tokens=10 ** 6).status, 200)

    def test_lists_of_inputs_are_no_prompt(self):
        body = {'model': 'vectors', 'input': [LONG[:1000]] * 50}
        self.assertEqual(self.server.post('/v1/embeddings', json.dumps(body).encode()).status, 200)

    def test_other_dialects(self):
        tools = [{'name': 'f', 'input_schema': {'type': 'object'}}]
        body = {'model': 'plain', 'max_tokens': 10, 'tools': tools, 'messages': [{'role': 'user', 'content': LONG}]}
        reply = self.server.post('/v1/messages', json.dumps(body).encode())
        self.assertEqual((reply.status, '(tools)' in reply.error()['message']), (400, True))


class Levels(Suite):
    """Where a tenant's, team's, project's or key's requests may go is said by the innermost of them that speaks of it."""

    @classmethod
    def config(cls):
        def provider(name, **more):
            return fake_provider(cls.fake, name, passthrough=True, **more)

        clinic = {'name': 'clinic', 'privacy': 'private', 'regions': ['eu'],
                  'teams': [{'name': 'press', 'privacy': 'any'}],
                  'projects': [{'name': 'trial', 'team': 'press', 'regions': ['us', 'ch']}],
                  'keys': [{'name': 'vault', 'privacy': 'private'}, {'name': 'roamer', 'regions': ['any'], 'privacy': 'any'}]}
        targets = [{'provider': p, 'model': p} for p in ('house', 'away', 'overseas')]
        return {'providers': [provider('house', privacy='local', region='eu-central-1'),
                              provider('away', privacy='remote', region='eu-west-1'),
                              provider('overseas', privacy='remote', region='us-east-1')],
                'models': [{'name': 'm', 'targets': targets}],
                'tenants': [clinic, {'name': 'ward', 'parent': 'clinic'}, {'name': 'other'}]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for line in (('tenant', 'create', 'clinic'), ('team', 'create', 'press', '--tenant', 'clinic'),
                     ('project', 'create', 'trial', 'team=press', '--tenant', 'clinic')):
            done = cls.server.cli(*line)
            assert done.returncode == 0, done.stderr

    def key(self, *args, tenant='clinic'):
        return self.server.create_key('--tenant', tenant, *args)['key']

    def reached(self, key, headers=None):
        """Which providers answer, by their own names and by the model that could be answered by each."""
        out = set()
        for name in ('house', 'away', 'overseas'):
            replies = [self.server.post('/v1/chat/completions', chat_body(f'{name}/x'), headers, key=key),
                       self.server.post(f'/passthrough/{name}/v1/chat/completions', chat_body('x'), headers, key=key)]
            self.assertEqual(len({r.status for r in replies}), 1, replies)
            out |= {name} if replies[0].status == 200 else set()
        seen = set()
        for i in range(12):
            self.fake.reset()
            reply = self.server.post('/v1/chat/completions', chat_body('m', str(i)), headers, key=key)
            self.assertEqual(reply.status, 200 if out else 400, reply)
            seen |= {s.json['model'] for s in self.fake.seen}
        self.assertLessEqual(seen, out)
        return out

    def test_innermost_decides(self):
        for key, expected in ((self.key(), {'house'}), (self.key(tenant='ward'), {'house'}),
                              (self.key('team=press'), {'house', 'away'}),
                              (self.key('project=trial'), {'overseas'}),
                              (self.key('project=trial', '--name', 'vault'), set()),
                              (self.key('--name', 'roamer'), {'house', 'away', 'overseas'}),
                              (self.key(tenant='other'), {'house', 'away', 'overseas'})):
            self.assertEqual(self.reached(key), expected)

    def test_requests_can_only_narrow(self):
        press = self.key('team=press')
        for headers, expected in (({'x-penstock-privacy': 'private'}, {'house'}), ({'x-penstock-privacy': 'none'}, {'house', 'away'}),
                                  ({'x-penstock-region': 'eu-west-1'}, {'away'}), ({'x-penstock-region': 'us'}, set()),
                                  ({'x-penstock-region': 'any'}, set())):
            self.assertEqual(self.reached(press, headers), expected, headers)
        self.assertEqual(self.reached(self.key('tags=region=eu-west-1', 'team=press')), {'away'})

    def test_change_holds_at_once(self):
        config = self.config()
        config['tenants'][2]['privacy'] = 'private'
        server = self.spawn(self.config())
        key = server.create_key('--tenant', 'other')['key']
        server.write_config(config)
        server.signal(signal.SIGHUP)
        far = lambda: server.post('/v1/chat/completions', chat_body('away/x'), key=key)  # noqa: E731
        self.assertTrue(eventually(lambda: far().status == 400))
        self.check_error(far(), 400, 'no_capable_target', param='model')

    def test_wrong(self):
        config = self.config()
        config['tenants'][0]['regions'] = ['eu', 'any']
        server = self.spawn(self.config(), start=False)
        server.write_config(config)
        done = server.cli('config', 'validate', server.config_path)
        self.assertIn('any stands alone', done.stdout + done.stderr)


if __name__ == '__main__':
    main()
