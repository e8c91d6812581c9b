#!/usr/bin/env python3
# Tenants: what each of them may use, what it inherits, and what its people are told.
import signal

from harness import Suite, chat_body, eventually, fake_provider, main


def config(fake, **more):
    tenants = [
        {'name': 'acme', 'limits': {'max_body': '4 KiB', 'max_response': '8 KiB'}, 'timeouts': {'first_byte': '300ms'},
         'branding': {'support': 'help@acme.example.com'},
         'models': [{'name': 'acme-own', 'targets': [{'provider': 'fake', 'model': 'own'}]}],
         'aliases': {'fast': 'acme-own'}, 'prices': {'gpt-a': {'input': 1000, 'output': 0}}},
        {'name': 'team', 'parent': 'acme', 'allow_models': ['acme-own', 'fast', 'gpt-*', 'team-*', 'fake/*'],
         'models': [{'name': 'team-own', 'targets': [{'provider': 'fake', 'model': 'team-upstream'}]}]},
        {'name': 'strict', 'parent': 'acme', 'limits': {'max_body': '2 KiB'}, 'branding': {'support': 'strict@example.com'}},
        {'name': 'zeta', 'allow_models': ['other', 'zeta-*'],
         'models': [{'name': 'zeta-own', 'targets': [{'provider': 'fake', 'model': 'z'}]}]},
    ]
    return {'providers': [fake_provider(fake)], 'log': {'level': 'debug', 'format': 'json'},
            'models': [{'name': n, 'targets': [{'provider': 'fake', 'model': n + '-upstream'}]}
                       for n in ('gpt-a', 'gpt-b', 'other')],
            'prices': {'gpt-a': {'input': 1, 'output': 0}},
            'aliases': {'fast': 'gpt-a'}, 'tenants': tenants, **more}


class Tenants(Suite):
    @classmethod
    def config(cls):
        return config(cls.fake)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys = {t: cls.server.create_key('--tenant', t, '--name', 'of-' + t)['key']
                    for t in ('acme', 'team', 'strict', 'zeta')}

    def call(self, tenant, model, text='Hello', server=None, **more):
        server = server or self.server
        return server.request('POST', '/v1/chat/completions', chat_body(model, text, **more), key=self.keys[tenant])

    def upstream_model(self):
        return self.fake.seen[-1].model

    def models(self, tenant):
        reply = self.server.get('/v1/models', key=self.keys[tenant] if tenant else self.server.key)
        return [m['id'] for m in reply.json()['data']]

    def test_models_are_their_tenants(self):
        for tenant in ('acme', 'team', 'strict'):
            self.assertEqual(self.call(tenant, 'acme-own').status, 200)
            self.assertEqual(self.upstream_model(), 'own')
        self.assertEqual(self.call('team', 'team-own').status, 200)
        self.assertEqual(self.call('zeta', 'zeta-own').status, 200)
        self.fake.reset()
        for tenant, model in (('zeta', 'acme-own'), ('zeta', 'team-own'), ('zeta', 'gpt-a')):
            self.check_error(self.call(tenant, model), 403, 'model_not_allowed', param='model')
        self.assertEqual(self.fake.seen, [])

    def test_models_of_others_are_invisible(self):
        server = self.spawn(config(self.fake, passthrough_models=False))
        key = {t: server.create_key('--tenant', t)['key'] for t in ('acme', 'zeta')}
        for who, model in ((server.key, 'acme-own'), (server.key, 'zeta-own'), (key['acme'], 'zeta-own'), (key['acme'], 'team-own')):
            reply = server.request('POST', '/v1/chat/completions', chat_body(model), key=who)
            self.check_error(reply, 404, 'model_not_found', param='model')
            self.assertEqual(server.get('/v1/models/' + model, key=who).status, 404)
        reply = server.request('POST', '/v1/chat/completions', chat_body('zeta-owm'), key=key['acme'])
        self.assertNotIn('zeta-own', reply.json()['error']['message'])
        server.stop()

    def test_lists(self):
        self.assertEqual(self.models(None), ['gpt-a', 'gpt-b', 'other', 'fast'])
        self.assertEqual(self.models('acme'), ['acme-own', 'fast', 'gpt-a', 'gpt-b', 'other'])
        self.assertEqual(self.models('team'), ['team-own', 'acme-own', 'fast', 'gpt-a', 'gpt-b'])
        self.assertEqual(self.models('zeta'), ['zeta-own', 'other'])
        self.assertEqual(self.server.get('/v1/models/zeta-own', key=self.keys['zeta']).status, 200)
        self.assertEqual(self.server.get('/v1/models/gpt-a', key=self.keys['zeta']).status, 404)

    def test_aliases(self):
        for tenant, upstream in (('acme', 'own'), ('team', 'own')):
            self.assertEqual(self.call(tenant, 'fast').status, 200)
            self.assertEqual(self.upstream_model(), upstream)
        self.assertEqual(self.server.chat('fast').status, 200)
        self.assertEqual(self.upstream_model(), 'gpt-a-upstream')

    def test_prices(self):
        general = float(self.server.chat('gpt-a').header('x-penstock-cost-usd'))
        dear = float(self.call('team', 'gpt-a').header('x-penstock-cost-usd'))
        self.assertAlmostEqual(dear, general * 1000)

    def test_key_and_tenant_must_both_allow(self):
        key = self.server.create_key('--tenant', 'team', '--models', 'gpt-a,other')['key']
        for model, status in (('gpt-a', 200), ('gpt-b', 403), ('other', 403)):
            self.assertEqual(self.server.request('POST', '/v1/chat/completions', chat_body(model), key=key).status, status)
        names = [m['id'] for m in self.server.get('/v1/models', key=key).json()['data']]
        self.assertEqual(names, ['gpt-a'])

    def test_limits(self):
        self.assertEqual(self.call('acme', 'gpt-a', 'x' * 3000).status, 200)
        self.assertEqual(self.call('team', 'gpt-a', 'x' * 3000).status, 200)
        self.assertEqual(self.server.chat('gpt-a', 'x' * 9000).status, 200)
        self.fake.reset()
        for tenant, text, limit in (('acme', 5000, '4 KiB'), ('team', 5000, '4 KiB'), ('strict', 3000, '2 KiB')):
            error = self.check_error(self.call(tenant, 'gpt-a', 'x' * text), 413, 'request_too_large')
            self.assertIn(f'"{tenant}"', error['message'])
            self.assertIn(limit, error['message'])
        self.assertEqual(self.fake.seen, [])

    def test_limit_of_answers(self):
        self.assertEqual(self.server.chat('fake/x;size=20000').status, 200)
        for size in (20000, 200000):
            error = self.check_error(self.call('team', f'fake/x;size={size}'), 502, 'upstream_too_large')
            self.assertIn('"team"', error['message'])
        self.assertEqual(self.call('team', 'fake/x;size=2000').status, 200)

    def test_timeouts(self):
        self.assertEqual(self.server.chat('fake/x;delay=900').status, 200)
        error = self.check_error(self.call('team', 'fake/x;delay=5000'), 504, 'upstream_timeout')
        self.assertIn('first_byte', error['message'])
        self.assertEqual(self.call('zeta', 'other').status, 200)

    def test_branding(self):
        message = self.call('team', 'other').json()['error']['message']
        self.assertTrue(message.endswith(' Ask help@acme.example.com.'), message)
        self.assertIn('"team" may not use the model "other"', message)
        message = self.call('strict', 'gpt-a', 'x' * 3000).json()['error']['message']
        self.assertTrue(message.endswith('. Ask strict@example.com.'), message)
        message = self.server.get('/v1/models/nothing', key=self.keys['acme']).json()['error']['message']
        self.assertTrue(message.endswith(' Ask help@acme.example.com.'), message)
        self.assertNotIn('Ask', self.call('zeta', 'gpt-a').json()['error']['message'])
        self.assertNotIn('Ask', self.call('acme', 'fake/x;status=400').json()['error']['message'])

    def test_unknown_tenant(self):
        key = self.server.create_key('--tenant', 'nobody')['key']
        for reply in (self.server.request('POST', '/v1/chat/completions', chat_body('gpt-a'), key=key),
                      self.server.get('/v1/models', key=key)):
            error = self.check_error(reply, 403, 'permission_denied')
            self.assertIn('tenant "nobody" of this key is not configured', error['message'])
        self.assertEqual(self.fake.seen, [])

    def test_usage(self):
        replies = [self.call('zeta', 'zeta-own') for _ in range(3)]
        self.assertEqual(self.record_of(replies[0].request_id)['tenant'], 'zeta')
        general = self.server.chat('gpt-a')
        self.assertIsNone(self.record_of(general.request_id)['tenant'])
        rows = {r['tenant']: r['requests'] for r in self.server.usage('--by', 'tenant')}
        by_key = {r['key_name']: r['requests'] for r in self.server.usage('--by', 'key')}
        self.assertEqual(rows['zeta'], by_key['of-zeta'])
        self.assertGreaterEqual(rows[None], 1)
        table = self.server.cli('usage', '--by', 'tenant')
        self.assertIn('zeta', table.stdout)
        line = eventually(lambda: [r for r in self.server.log_lines() if r.get('request_id') == replies[0].request_id])[0]
        self.assertEqual(line['tenant'], 'zeta')


class Keys(Suite):
    @classmethod
    def config(cls):
        return config(cls.fake)

    def test_list(self):
        made = self.server.create_key('--tenant', 'acme', '--name', 'listed')
        self.assertEqual(made['tenant'], 'acme')
        rows = {r['name']: r['tenant'] for r in self.server.cli_json('key', 'list')}
        self.assertEqual(rows['listed'], 'acme')
        self.assertIsNone(rows['test'])
        self.assertRegex(self.server.cli('key', 'list').stdout, r'listed +acme')

    def test_bad_names(self):
        for name in ('', 'Acme', 'a b', '-a', 'ä', 'a' * 65, "a'; DROP TABLE tenant"):
            with self.subTest(name):
                done = self.server.cli('key', 'create', '--tenant', name)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(done.stdout, '')

    def test_no_admin_of_a_tenant(self):
        done = self.server.cli('key', 'create', '--tenant', 'acme', '--admin')
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn('exclude each other', done.stderr)

    def test_reload(self):
        """A change of the parent is its children's, unless they say otherwise; a tenant taken away closes its keys."""
        server = self.spawn(config(self.fake))
        keys = {t: server.create_key('--tenant', t)['key'] for t in ('acme', 'team', 'strict', 'zeta')}

        def status(tenant, size):
            return server.request('POST', '/v1/chat/completions', chat_body('gpt-a', 'x' * size), key=keys[tenant]).status

        def statuses():
            return [status(t, 3000) for t in ('acme', 'team', 'strict')]

        self.assertEqual(statuses(), [200, 200, 413])
        changed = config(self.fake)
        acme, _, strict, _ = changed['tenants']
        acme['limits']['max_body'] = '2500'
        server.write_config(changed)
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: statuses() == [413, 413, 413]), statuses())
        self.assertEqual(status('strict', 1500), 200)
        acme['limits']['max_body'] = '1 MiB'
        acme['allow_models'] = ['gpt-*']
        changed['tenants'] = changed['tenants'][:3]
        server.write_config(changed)
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: statuses() == [200, 200, 413]), statuses())
        reply = server.request('POST', '/v1/chat/completions', chat_body('team-own'), key=keys['team'])
        self.assertIn('"acme" may not use', self.check_error(reply, 403, 'model_not_allowed', param='model')['message'])
        reply = server.request('POST', '/v1/chat/completions', chat_body('zeta-own'), key=keys['zeta'])
        self.check_error(reply, 403, 'permission_denied')
        # A tenant that is wider than its parent changes nothing.
        strict['limits']['max_body'] = '2 MiB'
        server.write_config(changed)
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: server.get('/readyz').json()['checks']['configuration']['status'] == 'degraded'))
        self.assertEqual(statuses(), [200, 200, 413])
        server.stop()

    def test_warning(self):
        done = self.server.cli('key', 'create', '--tenant', 'amce', '--config', self.server.config_path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('has no tenant "amce"', done.stderr)
        done = self.server.cli('key', 'create', '--tenant', 'acme', '--config', self.server.config_path)
        self.assertEqual(done.stderr.count('Warning'), 0, done.stderr)


if __name__ == '__main__':
    main()
