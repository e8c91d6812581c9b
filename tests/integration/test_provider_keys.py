#!/usr/bin/env python3
# Several keys for one provider: by weight, each with its limits, and others in the place of one that is refused.
import collections
import json
import signal

from harness import Suite, chat_body, clean_environment, eventually, fake_provider, in_parallel, main, request_bytes, run_cli


def provider(fake, name, *keys, **more):
    listed = [{'name': key, 'api_key': f'sk-{key}-key', **options} for key, options in keys]
    return {k: v for k, v in {**fake_provider(fake, name, **more), 'keys': listed}.items() if k != 'api_key'}


class Keys(Suite):
    workers = 2

    @classmethod
    def config(cls):
        minute = {'limits': {'requests_per_minute': 3}}
        fake = cls.fake
        providers = [
            provider(fake, 'weighted', ('one', {'weight': 3}), ('two', {'weight': 1}), ('out', {'weight': 0})),
            provider(fake, 'refused', ('bad', {'weight': 1000}), ('good', {})),
            provider(fake, 'waiting', ('busy', {'weight': 1000}), ('good', {})),
            provider(fake, 'all-bad', ('bad', {}), ('worse', {})),
            provider(fake, 'both-bad', ('bad', {}), ('worse', {})),
            provider(fake, 'patient', ('bad', {}), ('worse', {})),
            provider(fake, 'mixed', ('bad', {'weight': 1000}), ('one', {'limits': {'requests_per_minute': 1}})),
            provider(fake, 'limited', ('one', minute), ('two', minute)),
            provider(fake, 'queued', ('one', {'limits': {'concurrency': 4}}), ('two', {'limits': {'concurrency': 4}})),
            fake_provider(fake, 'other'),
        ]
        models = [{'name': p['name'], 'targets': [{'provider': p['name'], 'model': p['name']}]} for p in providers]
        next(m for m in models if m['name'] == 'patient')['routing'] = {'queue': {'max_wait': '90s'}}
        models.append({'name': 'with-other', 'strategy': 'priority', 'targets': [
            {'provider': 'all-bad', 'model': 'm', 'priority': 0}, {'provider': 'other', 'model': 'm', 'priority': 1}]})
        models.append({**models[-1], 'name': 'both-with-other', 'targets': [
            {'provider': 'both-bad', 'model': 'm', 'priority': 0}, {'provider': 'other', 'model': 'm', 'priority': 1}]})
        models += [{'name': name, 'routing': {'queue': {'max_wait': wait}}, 'targets': [{'provider': 'queued', 'model': model}]}
                   for name, model, wait in (('told', 'told;status=429;retry_after=3', '15s'), ('free', 'free', '15s'),
                                             ('hasty', 'hasty', '0s'))]
        return {'providers': providers, 'models': models, 'log': {'level': 'debug', 'format': 'json'},
                'auth': {'required': False}}

    def setUp(self):
        super().setUp()
        status = {'bad': 401, 'worse': 403, 'busy': 429, 'good': 200, 'one': 200, 'two': 200}
        self.fake.keys = {f'Bearer sk-{name}-key': code for name, code in status.items()}

    def used(self):
        return collections.Counter(seen.header('authorization')[len('Bearer sk-'):-len('-key')] for seen in self.fake.seen)

    def chat(self, model):
        return self.server.post('/v1/chat/completions', chat_body(model))

    def test_weights(self):
        for _ in range(200):
            self.assertEqual(self.chat('weighted').status, 200)
        used = self.used()
        self.assertEqual(set(used), {'one', 'two'})
        self.assertIn(used['one'], range(115, 181))  # 150, within five standard deviations

    def test_another_in_its_place(self):
        for model, spent in (('refused', 'bad'), ('waiting', 'busy')):
            with self.subTest(model):
                self.fake.reset()
                replies = [self.chat(model) for _ in range(10)]
                self.assertEqual([r.status for r in replies], [200] * 10)
                self.assertEqual(self.used()[spent], 1)  # it is left alone afterwards
                self.assertEqual(self.used()['good'], 10)
                self.assertEqual(sum(int(r.header('x-penstock-attempts', '1')) for r in replies), 11)

    def test_before_another_target(self):
        self.assertEqual(self.chat('with-other').status, 200)
        self.assertEqual([seen.header('authorization') == 'Bearer sk-fake' for seen in self.fake.seen], [False, False, True])
        self.fake.reset()
        self.assertEqual(self.chat('with-other').status, 200)
        self.assertEqual([seen.header('authorization') for seen in self.fake.seen], ['Bearer sk-fake'])

    def test_a_target_whose_keys_are_all_out(self):
        """It says so, and until when; and it goes last."""
        key = self.server.create_key('--admin', '--name', 'ops')['key']

        def shown():
            told = run_cli('targets', '--server', f'http://127.0.0.1:{self.server.port}', '--json',
                           env=clean_environment(PENSTOCK_API_KEY=key))
            rows = [json.loads(line) for line in told.stdout.splitlines()]
            return {(r['provider'], r['model']): (r['state'], r['why'], bool(r['until'])) for r in rows}

        def metric():
            return self.server.metrics()['penstock_target_state{provider="both-bad",model="m"}']
        self.assertEqual((shown()['both-bad', 'm'], metric()), (('usable', None, False), 0))
        self.assertEqual(self.chat('both-with-other').status, 200)
        self.assertEqual((shown()['both-bad', 'm'], metric()), (('out', 'key_refused', True), 3))
        self.assertEqual(shown()['other', 'm'][0], 'usable')
        explained = self.server.post('/v1/route/explain', chat_body('both-with-other')).json()
        self.assertEqual([(c['provider'], c['reason']) for c in explained['candidates']],
                         [('other', 'kept'), ('both-bad', 'key_refused')])
        why = explained['candidates'][1]['why']
        self.assertIn('its provider has refused the key (401, 402 or 403)', why)

    def test_all_refused(self):
        """What is told is what is the matter, until when, and what to do; not that a limit is reached, and nobody waits."""
        self.assertEqual(self.chat('patient').status, 502)
        self.assertEqual(len(self.fake.seen), 2)
        for _ in range(2):
            reply = self.chat('patient')
            self.assertEqual((reply.status, reply.error()['code']), (502, 'upstream_error'))
            self.assertIn('refused the keys configured for them (401, 402 or 403)', reply.error()['message'])
            self.assertIn('check api_key or keys', reply.error()['message'])
            self.assertNotIn(b'-key', reply.body)
            self.assertIn(int(reply.header('retry-after')), range(50, 61))
        self.assertEqual(self.server.metrics()['penstock_target_state{provider="patient",model="patient"}'], 3)
        self.assertEqual(len(self.fake.seen), 2)

    def test_one_refused_and_one_at_its_limit(self):
        """There will be room: that is what is told."""
        self.assertEqual(self.chat('mixed').status, 200)
        for _ in range(3):
            reply = self.chat('mixed')
        self.assertEqual((reply.status, reply.error()['code']), (429, 'rate_limit_exceeded'))
        self.assertIn('the requests that it may have a minute are used up', reply.error()['message'])

    def test_none_is_told(self):
        reply = self.chat('all-bad')
        self.assertNotEqual(reply.status, 200)
        self.assertNotIn(b'-key', reply.body)
        self.assertNotIn('sk-', self.server.log())

    def test_limits(self):
        replies = in_parallel(9, lambda _: self.chat('limited'))
        self.assertEqual(sorted(r.status for r in replies), [200] * 6 + [429] * 3)
        self.assertEqual(self.used(), {'one': 3, 'two': 3})
        for refused in (r for r in replies if r.status == 429):
            self.assertIn(int(refused.header('retry-after')), range(50, 63))

    def test_who_waits_for_keys_holds_up_no_other_model(self):
        """Both keys are left alone for one model, and not for the other."""
        waits = self.server.conn(timeout=60)
        self.addCleanup(waits.close)
        waits.send(request_bytes('POST', '/v1/chat/completions', chat_body('told')))
        length = 'penstock_queue_length{class="normal"}'
        self.assertTrue(eventually(lambda: self.server.metrics().get(length) == 1))
        self.assertEqual([self.chat(model).status for model in ('hasty', 'free')], [200, 200])
        self.assertEqual([seen.json['model'].split(';')[0] for seen in self.fake.seen], ['told', 'told', 'hasty', 'free'])

    def test_passthrough_by_name(self):
        """What is asked for by its provider's name takes turns of keys, too."""
        for _ in range(40):
            self.assertEqual(self.chat('weighted/anything').status, 200)
        self.assertEqual(set(self.used()), {'one', 'two'})

    def test_wrong(self):
        """What contradicts itself is refused, and the text of no key is told."""
        for keys, more, told in (
                ([('a', {}), ('a', {})], {}, 'is taken by keys[0]'),
                ([('a', {})], {'api_key': 'sk-secret'}, 'in the place of api_key'),
                ([('a', {'weight': 0})], {}, 'all have weight 0')):
            wrong = {'name': 'p', 'kind': 'openai', 'base_url': self.fake.base_url, **more,
                     'keys': [{'name': name, 'api_key': 'sk-secret', **options} for name, options in keys]}
            server = self.spawn({'providers': [wrong]}, start=False)
            done = run_cli('config', 'test', server.config_path)
            self.assertNotEqual(done.returncode, 0, told)
            self.assertIn(told, done.stdout + done.stderr)
            self.assertNotIn('sk-secret', done.stdout + done.stderr)

    def test_draining(self):
        """A target of weight 0 gets nothing new once that holds."""
        def conf(weight):
            return {'providers': [fake_provider(self.fake)], 'auth': {'required': False}, 'models': [
                {'name': 'pair', 'targets': [{'provider': 'fake', 'model': 'leaving', 'weight': weight},
                                             {'provider': 'fake', 'model': 'staying'}]}]}
        server = self.spawn(conf(100))
        for _ in range(20):
            self.assertEqual(server.post('/v1/chat/completions', chat_body('pair')).status, 200)
        self.assertIn('leaving', [seen.model for seen in self.fake.seen])
        before = server.log().count('configuration in force')
        server.write_config(conf(0))
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: server.log().count('configuration in force') > before), server.log())
        self.fake.reset()
        for _ in range(60):
            self.assertEqual(server.post('/v1/chat/completions', chat_body('pair')).status, 200)
        self.assertEqual({seen.model for seen in self.fake.seen}, {'staying'})


if __name__ == '__main__':
    main()
