#!/usr/bin/env python3
# Shadows and canaries over HTTP: what is mirrored touches no answer, shares grow, and a worse canary goes by itself.
import json

from harness import Suite, clean_environment, eventually, fake_provider, in_parallel, main


def model(name, to, upstream=None, **more):
    return {'name': name, 'targets': [{'provider': to, 'model': upstream or name}], **more}


def canary(to, **more):
    return {'model': to, 'every': '1ms', 'min_requests': 0, **more}


def chat(name):
    return json.dumps({'model': name, 'messages': [{'role': 'user', 'content': 'Hi'}]}).encode()


COMMANDS = {'canary': ('canary', 'list'), 'shadow': ('shadow', 'report'), 'ab': ('experiment', 'report')}


class Trials(Suite):
    @classmethod
    def config(cls):
        broken = model('broken', 'fake', 'sick;status=500')
        shadow = {'model': 'rival', 'share': 1, 'max_in_flight': 64}
        return {'providers': [{**fake_provider(cls.fake), 'privacy': 'local'},
                              {**fake_provider(cls.fake, 'far'), 'privacy': 'remote'}],
                'tenants': [{'name': 'acme', 'models': [
                    model('chatty', 'fake', 'well', canary=canary('rival', steps=['0.5'], every='1h'))]}],
                'prices': {'fake/well': {'input': 1, 'output': 2}, 'fake/rival': {'input': 100, 'output': 200}},
                'usage': {'reference_model': 'fake/rival'},
                'models': [
                    model('rival', 'fake'), broken, model('distant', 'far', 'well'),
                    model('mirrored', 'fake', 'well', shadow=shadow),
                    model('propped', 'fake', 'sick;status=500', shadow=shadow, routing={'fallbacks': {'general': ['distant']}}),
                    model('free', 'fake', 'well', shadow=shadow),
                    model('charged', 'fake', 'well', shadow={**shadow, 'charge': True}),
                    {'name': 'narrow', 'targets': [
                        {'provider': 'fake', 'model': 'narrow;delay=1500', 'limits': {'tokens_per_minute': 3000}}]},
                    model('narrow-behind', 'fake', 'well', shadow={**shadow, 'model': 'narrow'}),
                    model('broken-behind', 'fake', 'well', shadow={**shadow, 'model': 'broken'}),
                    model('alone-behind', 'fake', 'well', shadow={**shadow, 'model': 'ailing'}), model('ailing', 'fake', 'ailing;status=500'),
                    model('private', 'fake', 'well', shadow={**shadow, 'model': 'distant'}),
                    model('ramped', 'fake', 'well', canary=canary('rival', steps=['0.5', '1'])),
                    model('hurt', 'fake', 'well', canary=canary('broken', steps=['0.5'], every='1h')),
                    model('breaking', 'fake', 'breaking;error_event'),
                    model('hurt-within', 'fake', 'well', canary=canary('breaking', steps=['0.5'], every='1h')),
                    model('once', 'fake', 'well', canary=canary('broken-once', steps=['1'], every='1h'),
                          routing={'retry': {'attempts': 1}, 'fallbacks': {'general': ['rival']}}),
                    model('picky', 'fake', 'picky;status=400', routing={'retry': {'attempts': 1}}),
                    model('fussed', 'fake', 'well', canary=canary('picky', steps=['0.5'], every='1h')),
                    model('sober', 'fake', 'well', canary=canary('rival', steps=['0.5'], every='1h')),
                    model('broken-once', 'fake', 'sick;status=500', routing={'retry': {'attempts': 1}}),
                    model('steady', 'fake', 'well', canary=canary('rival', steps=['0.5'], every='1h')),
                    *({'name': name, 'strategy': 'ab', 'targets': [
                        {'provider': 'fake', 'model': 'well', 'arm': 'a'},
                        {'provider': 'fake', 'model': 'rival', 'arm': 'b'}]} for name in ('arms', 'halves'))]}

    def of(self, kind, name, server=None):
        rows = (server or self.server).cli_json(*COMMANDS[kind], name)
        return rows[0] if rows else None

    def arms(self, kind, name, server=None):
        trial = self.of(kind, name, server)
        return {a['arm']: a for a in trial['arms']} if trial else {}

    def asked(self):
        """Which models the provider was asked for."""
        return [json.loads(s.body)['model'] for s in self.fake.seen]

    def test_a_shadow_is_compared_and_not_seen(self):
        for i in range(6):
            reply = self.server.chat('mirrored', f'Hello {i}', stream=i % 2 == 1)
            self.assertEqual(reply.status, 200, reply)
            self.assertNotIn(b'rival', reply.body)
        self.assertTrue(eventually(lambda: self.asked().count('rival') == 6))
        self.assertTrue(eventually(lambda: self.arms('shadow', 'mirrored').get('shadow', {}).get('requests') == 6, 20))
        arms = self.arms('shadow', 'mirrored')
        self.assertEqual(arms['base']['requests'], 6)
        self.assertEqual(arms['shadow']['errors'], 0)
        self.assertTrue(eventually(lambda: all(a['judged'] >= 6 for a in self.arms('shadow', 'mirrored').values()), 20))
        self.assertGreater(arms['shadow']['cost_usd'], 50 * arms['base']['cost_usd'])
        self.assertGreater(arms['shadow']['p95_ms'], 0)
        self.assertGreaterEqual(self.server.metrics()['penstock_shadow_requests_total{model="mirrored",result="sent"}'], 6)

    def test_a_broken_shadow_hurts_nobody(self):
        for _ in range(5):
            self.assertEqual(self.server.chat('broken-behind').status, 200)
        self.assertTrue(eventually(lambda: self.arms('shadow', 'broken-behind').get('shadow', {}).get('errors') == 5, 20))
        self.assertEqual(self.arms('shadow', 'broken-behind')['base']['errors'], 0)

    def test_a_shadow_asks_nobody_else(self):
        """Whom the client would rather have is for its own answer."""
        body = json.loads(chat('alone-behind'))
        for more, headers in (({'fallbacks': ['free']}, {}), ({}, {'x-penstock-fallbacks': 'free'})):
            self.fake.reset()
            data = json.dumps({**body, **more}).encode()
            self.assertEqual(self.server.post('/v1/chat/completions', data, headers).status, 200)
            self.assertTrue(eventually(lambda: len(self.asked()) == 2))
            self.server.chat('distant')
            self.assertEqual(sorted(self.asked()), ['ailing;status=500', 'well', 'well'])

    def test_answers_of_others_are_not_its_quality(self):
        for _ in range(4):
            self.assertEqual(self.server.chat('propped').status, 200)
        self.assertTrue(eventually(lambda: self.arms('shadow', 'propped').get('shadow', {}).get('judged') == 4, 20))
        base = self.arms('shadow', 'propped')['base']
        self.assertEqual([base[k] for k in ('requests', 'errors', 'judged', 'quality')], [4, 4, 0, None])

    def test_a_shadow_is_charged_only_where_wished(self):
        key = self.server.create_key('--name', 'shadowed')
        for name in ('free', 'charged'):
            self.assertEqual(self.server.post('/v1/chat/completions', chat(name), key=key['key']).status, 200)
        eventually(lambda: self.asked().count('rival') == 2)
        own = []

        def recorded():
            own[:] = [r for r in self.server.usage() if r['key'] == key['id'] and r['status']]
            return len(own) == 4
        self.assertTrue(eventually(recorded, 20))
        self.assertEqual(sorted(r['endpoint'] for r in own), ['chat', 'chat', 'chat', 'shadow'], own)

    def test_a_shadow_keeps_to_its_targets_minute(self):
        """With its longest answer, though no budget is asked."""
        body = json.dumps({'model': 'narrow-behind', 'max_tokens': 2000, 'messages': [{'role': 'user', 'content': 'Hi'}]}).encode()
        replies = in_parallel(6, lambda _: self.server.post('/v1/chat/completions', body))
        self.assertEqual([r.status for r in replies], [200] * 6)
        statuses = []

        def ended():
            statuses[:] = sorted(r['status'] for r in self.server.usage() if r['model'] == 'narrow' and r['status'])
            return len(statuses) == 6
        self.assertTrue(eventually(ended, 20), statuses)
        self.assertEqual(statuses, [200] + [429] * 5)

    def test_a_shadow_saves_nothing(self):
        replies = [self.server.chat(name) for name in ('free', 'charged')]
        made = {r.request_id for r in replies}

        def shadows():
            return [r for r in self.server.usage() if r['model'] == 'rival' and r['status']]
        self.assertTrue(eventually(lambda: len(shadows()) >= 2, 20))
        rows = self.server.cli_json('usage', '--by', 'model')
        by = {r['model']: r for r in rows}
        self.assertEqual((by['rival']['reference_usd'], by['rival']['saved_usd']), (0, 0), by['rival'])
        self.assertGreater(by['free']['reference_usd'], 0)

    def test_what_is_private_goes_to_no_shadow_elsewhere(self):
        self.assertEqual(self.server.chat('private', headers={'X-Penstock-Privacy': 'private'}).status, 200)
        self.assertEqual(self.server.chat('private').status, 200)
        self.assertTrue(eventually(lambda: len(self.fake.seen) == 3))

    def test_a_canary_grows(self):
        def finished():
            self.assertEqual(self.server.chat('ramped').status, 200)
            return self.of('canary', 'ramped') and self.of('canary', 'ramped')['state'] == 'finished'
        self.assertTrue(eventually(finished, 30, 0.2))
        self.fake.reset()
        for _ in range(4):
            self.server.chat('ramped')
        self.assertEqual(self.asked(), ['rival'] * 4)

    def test_a_worse_canary_goes_by_itself(self):
        def gone():
            for _ in range(10):
                self.assertEqual(self.server.chat('hurt').status, 200)  # the model's own targets help out
            return (self.of('canary', 'hurt') or {}).get('state') == 'rolled_back'
        self.assertTrue(eventually(gone, 40, 0.2))
        trial = self.of('canary', 'hurt')
        self.assertIn('100.00 %', trial['reason'])
        self.assertEqual(trial['share'], 0)
        self.assertEqual(self.server.metrics()['penstock_canary_rollbacks_total{model="hurt"}'], 1)
        arm = self.arms('canary', 'hurt')['canary']
        self.assertEqual((arm['judged'], arm['quality']), (0, None), 'the answers were those of others')
        self.assertRegex(self.server.cli('canary', 'list', 'hurt').stdout, r'(?m) canary .* -$')
        self.fake.reset()
        for _ in range(10):
            self.server.chat('hurt')
        self.assertEqual(set(self.asked()), {'well'})

    def test_a_canary_that_breaks_its_streams_off_goes_too(self):
        def gone():
            for _ in range(10):
                self.assertEqual(self.server.chat('hurt-within', stream=True).status, 200)
            return (self.of('canary', 'hurt-within') or {}).get('state') == 'rolled_back'
        self.assertTrue(eventually(gone, 40, 0.2))

    def test_where_the_model_itself_goes_for_a_canary(self):
        """By its own conditions, which the canary does not have."""
        server = self.spawn({'providers': [fake_provider(self.fake)], 'models': [
            model('broken', 'fake', 'sick;status=500', routing={'breaker': {'failures': 0, 'min_requests': 1000}}),
            {'name': 'sorted', 'strategy': 'priority', 'canary': canary('broken', steps=['1'], every='1h', min_requests=1000000),
             'targets': [{'provider': 'fake', 'model': 'of-many', 'when': 'messages > 2'}, {'provider': 'fake', 'model': 'of-few'}]}]})
        few = [{'role': 'user', 'content': 'a'}]
        for messages, name in (few, 'of-few'), (few + [{'role': 'assistant', 'content': 'b'}] + few, 'of-many'):
            body = json.dumps({'model': 'sorted', 'messages': messages}).encode()

            def dealt():
                self.fake.reset()
                self.assertEqual(server.post('/v1/chat/completions', body).status, 200)
                self.assertEqual(self.asked()[-1], name)
                return 'sick;status=500' in self.asked()
            self.assertTrue(eventually(dealt), 'no canary')

    def test_what_the_canary_alone_refuses(self):
        """The model takes it: the client sees that, and the canary is worse."""
        def gone():
            for _ in range(10):
                self.assertEqual(self.server.chat('fussed').status, 200)
            return (self.of('canary', 'fussed') or {}).get('state') == 'rolled_back'
        self.assertTrue(eventually(gone, 40, 0.2))

    def test_what_nobody_takes(self):
        """A request that is at fault itself counts for neither side."""
        def bad(i):
            return json.dumps({'model': 'sober', 'user': f'u{i}', 'messages': [
                {'role': 'tool', 'tool_call_id': 'none', 'content': 'Of no call.'}]}).encode()
        replies = [self.server.post('/v1/chat/completions', bad(i)) for i in range(30)]
        self.assertEqual({r.status for r in replies}, {400})
        self.assertIn('rival', self.asked())
        self.assertEqual(self.asked().count('well'), 30)  # for each, as the model itself has the say
        for i in range(10):
            self.assertEqual(self.server.chat('sober', user=f'u{i}').status, 200)
        self.assertTrue(eventually(lambda: sum(a['requests'] for a in self.arms('canary', 'sober').values()) == 10, 20))
        self.assertEqual({a['errors'] for a in self.arms('canary', 'sober').values()}, {0})

    def test_few_attempts_show_nobody_a_canary(self):
        def hurt():
            reply = self.server.chat('once')
            self.assertEqual(reply.status, 200, reply)
            return 'sick;status=500' in self.asked()
        self.assertTrue(eventually(hurt, 10, 0.05))
        for _ in range(3):
            self.assertEqual(self.server.chat('once').status, 200)

    def test_a_rotated_key_moves_nobody(self):
        key = self.server.create_key('--name', 'app')['key']

        def arm(user, key):
            self.fake.reset()
            body = json.dumps({'model': 'halves', 'user': user, 'messages': [{'role': 'user', 'content': 'Hi'}]}).encode()
            self.assertEqual(self.server.post('/v1/chat/completions', body, key=key).status, 200)
            return self.asked()
        users = [f'r{i}' for i in range(16)]
        before = [arm(u, key) for u in users]
        (rotated,) = self.server.cli_json('key', 'rotate', 'app', 'overlap=1h')
        self.assertEqual([arm(u, rotated['key']) for u in users], before)
        self.assertEqual([arm(u, key) for u in users], before)

    def test_a_person_stays_where_they_are_and_hands_steer(self):
        self.assertTrue(eventually(lambda: self.of('canary', 'steady')))
        eventually(lambda: self.server.chat('steady') and 'rival' in self.asked(), 10, 0.05)
        for user in ('ada', 'bob', 'eve', 'joe'):
            self.fake.reset()
            for _ in range(5):
                self.server.chat('steady', user=user)
            self.assertEqual(len(set(self.asked())), 1, user)
        self.assertEqual(self.server.cli('canary', 'promote', 'steady').returncode, 0)

        def all_of_it(wanted):
            self.fake.reset()
            for _ in range(8):
                self.server.chat('steady')
            return set(self.asked()) == {wanted}
        self.assertTrue(eventually(lambda: all_of_it('rival'), 20, 0.2))
        self.assertEqual(self.server.cli('canary', 'rollback', 'steady').returncode, 0)
        self.assertTrue(eventually(lambda: all_of_it('well'), 20, 0.2))
        self.assertNotEqual(self.server.cli('canary', 'pause', 'steady').returncode, 0)
        self.assertEqual(self.server.cli('canary', 'restart', 'steady').returncode, 0)
        self.assertEqual(self.server.cli('canary', 'pause', 'steady').returncode, 0)
        self.assertEqual(self.server.cli('canary', 'resume', 'steady').returncode, 0)
        self.assertNotEqual(self.server.cli('canary', 'pause', 'nothing').returncode, 0)
        self.assertIn('steady', self.server.cli('canary', 'list').stdout)

    def test_hands_are_told_whose_they_are(self):
        self.assertTrue(eventually(lambda: self.of('canary', 'chatty') and self.of('canary', 'steady')))

        def missing(*args, try_):
            done = self.server.cli('canary', *args)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn(f'  Try: penstock canary {try_}\n', done.stderr)
            self.assertNotIn('?level', done.stderr)
            return done.stderr
        told = missing('pause', 'chatty', try_='pause --tenant acme chatty')
        self.assertRegex(told, r'model "chatty" has no canary\n  there are those of .*chatty \(acme\)')
        self.assertIn(' has no canary of acme/team/search\n',
                      missing('pause', '--tenant', 'acme', '--team', 'search', 'chatty', try_='pause --tenant acme chatty'))
        missing('promote', 'stedy', try_='promote steady')
        missing('resume', 'chattty', try_='resume --tenant acme chatty')
        missing('restart', 'nothing-of-the-kind', try_='list')
        self.assertEqual(self.server.cli('canary', 'pause', '--team', 'search', 'chatty').returncode, 2)
        admin = self.server.create_key('--name', 'admin', '--admin')['key']
        there = ('--server', f'http://127.0.0.1:{self.server.port}')
        done = self.server.cli('canary', 'pause', '--tenant', 'acme', 'chatty', *there,
                               env=clean_environment(PENSTOCK_API_KEY=admin))
        self.assertEqual(done.returncode, 0, done.stderr)
        (own,) = self.server.cli_json('canary', 'list', '--tenant', 'acme')
        self.assertEqual((own['model'], own['level'], own['state']), ('chatty', 'acme', 'paused'))
        self.assertEqual(self.server.cli('canary', 'resume', '--tenant', 'acme', 'chatty').returncode, 0)

    def test_arms_of_an_experiment(self):
        for i in range(20):
            self.assertEqual(self.server.chat('arms', user=f'u{i}').status, 200)
        self.assertTrue(eventually(lambda: sum(a['requests'] for a in self.arms('ab', 'arms').values()) == 20, 20))
        self.assertEqual(sorted(self.arms('ab', 'arms')), ['a', 'b'])

    def test_a_restart_changes_nothing(self):
        config = {'providers': [fake_provider(self.fake)],
                  'models': [model('rival', 'fake'),
                             model('kept', 'fake', 'well', canary=canary('rival', steps=['0.5'], every='1h'))]}
        server = self.spawn(config)
        self.assertTrue(eventually(lambda: self.of('canary', 'kept', server)))
        self.assertEqual(server.cli('canary', 'rollback', 'kept').returncode, 0)
        for _ in range(4):
            self.assertEqual(server.chat('kept').status, 200)
        server.stop()
        self.assertEqual(self.of('canary', 'kept', server)['state'], 'rolled_back')
        server.start()
        self.assertTrue(eventually(lambda: server.chat('kept').status == 200))
        self.assertEqual(self.of('canary', 'kept', server)['state'], 'rolled_back')
        server.stop()


if __name__ == '__main__':
    main()
