#!/usr/bin/env python3
# The catalogue of models: the admin API and the command, files and addresses over what is built in, wrong ones, and a
# model of one's own: base and adapter under a name, routed, priced, changed and rolled back.
import http.server
import json
import os
import shutil
import tempfile
import threading

from harness import Suite, clean_environment, eventually, fake_provider, main, run_cli

OWN = {'penstock_models': 1,
       'sources': {'mine': {'as_of': '2026-11-20', 'from': 'our price list'}},
       'models': {'mine/one': {'mode': 'chat', 'context_window': 4000, 'max_output_tokens': 1000,
                               'capabilities': ['tools', 'vision'], 'price': {'input': 1, 'output': 2}},
                  'openai/gpt-4o': {'mode': 'chat', 'context_window': 77, 'price': {'input': 30, 'output': 60}}}}
LITELLM = {'gpt-4o': {'litellm_provider': 'openai', 'mode': 'chat', 'max_input_tokens': 55,
                      'input_cost_per_token': 7e-06, 'output_cost_per_token': 8e-06}}


class Address:
    """Serves one text, and counts how often."""

    def __init__(self):
        outer = self
        self.text, self.status, self.asked = b'', 200, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                self.send_response(outer.status)
                self.send_header('content-length', str(len(outer.text)))
                self.end_headers()
                self.wfile.write(outer.text)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.http.server_address[1]}/models.json'
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


class Models(Suite):
    def conf(self, **more):
        return {'providers': [fake_provider(self.fake, name='openai')], 'log': {'format': 'json'}, **more}

    def admin(self, server):
        self.admins = getattr(self, 'admins', {})
        if server not in self.admins:
            self.admins[server] = server.create_key('--admin')['key']
        return self.admins[server]

    def folder(self):
        folder = tempfile.mkdtemp(prefix='penstock-models-')
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def catalog(self, server, query='', status=200):
        reply = server.get('/api/v1/models/catalog' + query, key=self.admin(server))
        self.assertEqual(reply.status, status, reply)
        return reply.json()

    def one(self, server, name):
        found = [m for m in self.catalog(server, '?q=' + name)['data'] if m['id'] == name]
        return found[0] if found else None

    def refresh(self, server, status=200, query=''):
        reply = server.post('/api/v1/models/catalog/refresh' + query, None, key=self.admin(server))
        self.assertEqual(reply.status, status, reply)
        return reply.json()

    def test_what_is_built_in(self):
        server = self.spawn(self.conf())
        everything = self.catalog(server)
        self.assertEqual(everything['source'], 'built in')
        self.assertGreater(everything['total'], 500)
        self.assertEqual(everything['total'], len(everything['data']))
        names = [m['id'] for m in everything['data']]
        self.assertEqual(names, sorted(names, key=str.encode))
        haiku = self.one(server, 'anthropic/claude-haiku-4-5')
        self.assertEqual(haiku['context_window'], 200000)
        self.assertEqual(haiku['price']['cache_write_1h'], 2)
        self.assertEqual(haiku['modalities'], {'input': ['text', 'image'], 'output': ['text']})
        seeing = self.catalog(server, '?can=vision,tools&provider=openai&mode=chat&sort=cost')['data']
        self.assertGreater(len(seeing), 10)
        for m in seeing:
            self.assertEqual((m['provider'], m['mode']), ('openai', 'chat'))
            self.assertLessEqual({'vision', 'tools'}, set(m['capabilities']))
        cost = [3 * m['price']['input'] + m['price']['output'] for m in seeing if m['price']]
        self.assertEqual(cost, sorted(cost))
        windows = [m['context_window'] for m in self.catalog(server, '?sort=-context')['data']]
        known = [w for w in windows if w]
        self.assertEqual(known, sorted(known, reverse=True))
        self.assertEqual(windows[len(known):], [None] * (len(windows) - len(known)))
        for query in ('?can=telepathy', '?mode=x', '?sort=colour', '?cann=vision'):
            self.catalog(server, query, status=400)
        server.stop()

    def test_the_command(self):
        server = self.spawn(self.conf(catalog={'file': self.file(OWN)}))
        wanted = ('models', '--can', 'vision,tools', '--search', 'mine/', '--json')
        config = ('--config', server.config_path)
        there = run_cli(*wanted, '--server', f'http://127.0.0.1:{server.port}',
                        env=clean_environment(PENSTOCK_API_KEY=self.admin(server)))
        here = server.cli(*wanted, *config)
        self.assertEqual((there.stdout, there.stderr), (here.stdout, here.stderr))
        self.assertEqual(json.loads(here.stdout)['id'], 'mine/one')
        self.assertRegex(server.cli('models', '--search', 'mine/', *config).stdout, r'mine/one +4,000 +1,000 +1 +2 +vision, tools')
        self.assertIn('no such model', server.cli('models', '--search', 'nobody').stderr)
        self.assertEqual(server.cli('models', '--sort', 'x').returncode, 2)
        self.assertEqual(server.cli('models', '--can', 'x').returncode, 2)
        self.assertEqual(server.cli('models', 'x').returncode, 2)
        server.stop()
        self.assertEqual(server.cli(*wanted, *config).stdout, here.stdout)

    def file(self, content, path=None):
        path = path or os.path.join(self.folder(), 'models.json')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(content if isinstance(content, str) else json.dumps(content))
        return path

    def test_a_file_over_it(self):
        path = self.file(OWN)
        server = self.spawn(self.conf(catalog={'file': path}))
        self.assertEqual(self.one(server, 'openai/gpt-4o')['context_window'], 77)
        self.assertEqual(self.one(server, 'mine/one')['as_of'], '2026-11-20')
        self.assertEqual(self.one(server, 'openai/gpt-4o-mini')['context_window'], 128000)
        self.file(LITELLM, path)  # seen by itself
        self.assertTrue(eventually(lambda: self.one(server, 'openai/gpt-4o')['context_window'] == 55))
        self.assertIsNone(self.one(server, 'mine/one'))
        server.chat('gpt-4o')
        record = server.cli_json('usage', '--records')[0]
        used = int(record['input_tokens']) * 7e-6 + int(record['output_tokens']) * 8e-6
        self.assertAlmostEqual(float(record['cost_usd']), used, places=9)
        # A wrong one changes nothing and says where it is wrong.
        self.file('{"penstock_models": 1, "models": {"a/b": {"mode": "chat",\n "context_window": -5}}}', path)
        refused = self.refresh(server, status=400)
        self.assertIn('model "a/b"', json.dumps(refused).replace('\\"', '"'))
        self.assertIn('line 2', json.dumps(refused))
        self.assertEqual(self.one(server, 'openai/gpt-4o')['context_window'], 55)
        self.assertEqual(server.chat('gpt-4o').status, 200)
        # Nor does it stop other changes.
        patched = server.request('PATCH', '/api/v1/config', json.dumps({'log': {'level': 'debug'}}).encode(),
                                 key=self.admin(server))
        self.assertEqual(patched.status, 200, patched)
        self.assertEqual(self.one(server, 'openai/gpt-4o')['context_window'], 55)
        self.assertIn('the catalogue of models was refused', server.log())
        self.file(OWN, path)
        self.assertEqual(self.refresh(server), {'source': path, 'models': self.catalog(server)['total'], 'own': 2,
                                                'dry_run': False})
        self.assertEqual(self.one(server, 'openai/gpt-4o')['context_window'], 77)
        # By the command, beside the server.
        self.file(LITELLM, path)
        self.assertIn(path, server.cli('models', 'refresh').stdout)
        self.assertEqual(self.one(server, 'openai/gpt-4o')['context_window'], 55)
        self.file('{', path)
        self.assertIn('invalid JSON', server.cli('models', 'refresh').stderr)
        tried = server.cli('config', 'test', server.config_path)
        self.assertEqual(tried.returncode, 1)
        self.assertRegex(tried.stdout, r'failed +models .*invalid JSON')
        server.stop()

    def test_a_file_that_is_wrong_from_the_start(self):
        path = self.file('{"penstock_models": 1, "models": {"a/b": {}}}')
        server = self.spawn(self.conf(catalog={'file': path}), start=False)
        server.launch()
        self.assertNotEqual(server.process.wait(20), 0)
        self.assertIn('mode is missing', server.log())

    def test_an_address(self):
        address = Address()
        address.text = json.dumps(OWN).encode()
        server = self.spawn(self.conf(catalog={'url': address.url}))
        self.assertEqual(self.one(server, 'openai/gpt-4o')['context_window'], 77)
        address.text = json.dumps(LITELLM).encode()
        self.assertEqual(self.refresh(server, query='?dry_run=true')['own'], 1)
        self.assertEqual(self.one(server, 'openai/gpt-4o')['context_window'], 77)
        with open(os.path.join(server.data, 'models.json'), encoding='utf-8') as kept:
            self.assertEqual(json.load(kept), OWN)
        self.assertEqual(self.refresh(server)['source'], address.url)
        self.assertEqual(self.one(server, 'openai/gpt-4o')['context_window'], 55)
        for text, status in ((b'<html>', 200), (b'', 404), (b'{"a": ' + b'[' * 400, 200)):
            address.text, address.status = text, status
            server_says = server.post('/api/v1/models/catalog/refresh', None, key=self.admin(server))
            self.assertGreaterEqual(server_says.status, 400)
            self.assertEqual(self.one(server, 'openai/gpt-4o')['context_window'], 55)
        server.stop()
        # What was kept is there when the address is not.
        address.http.shutdown()
        address.http.server_close()
        server.start()
        self.assertEqual(self.one(server, 'openai/gpt-4o')['context_window'], 55)
        self.assertTrue(eventually(lambda: 'could not be fetched' in server.log()))
        server.stop()

    def test_of_the_gateway(self):
        claude = fake_provider(self.fake, name='claude', kind='anthropic')
        conf = self.conf(passthrough_models=False)
        conf['providers'].append(claude)
        server = self.spawn(dict(conf, aliases={'quick': 'small'}, models=[
            {'name': 'small', 'targets': [{'provider': 'openai', 'model': 'gpt-4o-mini'}]},
            {'name': 'both', 'targets': [{'provider': 'openai', 'model': 'gpt-4o'},
                                         {'provider': 'openai', 'model': 'gpt-3.5-turbo', 'priority': 1}]},
            {'name': 'half', 'targets': [{'provider': 'openai', 'model': m} for m in ('gpt-4o', 'nobody-knows')]},
            {'name': 'by-a-tool', 'targets': [{'provider': 'claude', 'model': 'claude-3-5-sonnet-20241022'}]},
            {'name': 'told', 'capabilities': ['vision'], 'context_window': 9000, 'max_output_tokens': 100,
             'price': {'input': 5, 'output': 6}, 'targets': [{'provider': 'openai', 'model': 'nobody-knows'}]},
            {'name': 'unknown', 'targets': [{'provider': 'openai', 'model': 'nobody-knows'}]}]))
        models = {m['id']: m for m in server.get('/v1/models', key=self.admin(server)).json()['data']}
        for name in ('small', 'quick'):
            self.assertEqual(models[name]['context_window'], 128000)
            self.assertEqual(models[name]['max_output_tokens'], 16384)
            self.assertIn('json_schema', models[name]['capabilities'])
            self.assertEqual(models[name]['price']['input'], 0.15)
            self.assertEqual(models[name]['object'], 'model')
        self.assertEqual(models['both']['context_window'], 16385)  # what all of its targets can do
        self.assertNotIn('vision', models['both']['capabilities'])
        self.assertIn('tools', models['both']['capabilities'])
        self.assertIn('vision', models['both']['any_target']['capabilities'])  # what a request can be routed for
        self.assertEqual(models['both']['any_target']['context_window'], 128000)
        self.assertEqual(models['half']['any_target'], {'context_window': None, 'max_output_tokens': None, 'capabilities': None})
        self.assertNotIn('any_target', models['small'])
        self.assertIn('json_schema', models['by-a-tool']['capabilities'])
        self.assertEqual(models['told']['capabilities'], ['vision', 'streaming'])
        self.assertEqual(models['told']['price'], {'input': 5, 'output': 6})
        self.assertNotIn('context_window', models['unknown'])
        self.assertEqual(server.get('/v1/models/small', key=self.admin(server)).json(), models['small'])
        server.stop()

    def test_a_model_of_ones_own(self):
        """A base and an adapter under a name: routed, priced, versioned, rolled back."""
        server = self.spawn(self.conf(passthrough_models=False))

        def patch(model):
            reply = server.request('PATCH', '/api/v1/config', json.dumps({'models': [model]}).encode(), key=self.admin(server))
            self.assertEqual(reply.status, 200, reply)
            return reply.json()['version']

        def last():
            self.assertEqual(server.chat('support-bot').status, 200)
            return server.cli_json('usage', '--records')[0], self.fake.seen[-1].model

        def check_cost(record, fresh, cached, out):
            tokens, old = int(record['input_tokens']), int(record['cached_tokens'])
            self.assertGreater(tokens, 0)
            self.assertEqual(round(float(record['cost_usd']) * 1e9),
                             (tokens - old) * fresh + old * cached + int(record['output_tokens']) * out)

        first = {'name': 'support-bot', 'base': 'openai/gpt-4o-mini',
                 'targets': [{'provider': 'openai', 'model': 'ft:gpt-4o-mini:acme:support:v1'}]}
        registered = patch(first)
        record, upstream = last()
        self.assertEqual((record['model'], upstream), ('support-bot', 'ft:gpt-4o-mini:acme:support:v1'))
        check_cost(record, 150, 75, 600)
        shown = server.get('/v1/models/support-bot', key=self.admin(server)).json()
        self.assertEqual((shown['context_window'], shown['price']['output']), (128000, 0.6))
        # The next adapter, on another base, at a price of its own.
        second = {'name': 'support-bot', 'base': 'openai/gpt-4.1-mini', 'price': {'output': 9},
                  'targets': [{'provider': 'openai', 'model': 'ft:gpt-4.1-mini:acme:support:v2'}]}
        self.assertGreater(patch(second), registered)
        record, upstream = last()
        self.assertEqual(upstream, 'ft:gpt-4.1-mini:acme:support:v2')
        check_cost(record, 400, 100, 9000)
        self.assertGreater(server.get('/v1/models/support-bot', key=self.admin(server)).json()['context_window'], 1000000)
        # Back again.
        reply = server.post('/api/v1/config/rollback', json.dumps({'version': registered}).encode(), key=self.admin(server))
        self.assertEqual(reply.status, 200, reply)
        record, upstream = last()
        self.assertEqual(upstream, 'ft:gpt-4o-mini:acme:support:v1')
        check_cost(record, 150, 75, 600)
        patch({'name': 'lost', 'base': 'openai/no-such', 'targets': [{'provider': 'openai', 'model': 'x'}]})
        self.assertTrue(eventually(lambda: 'base is not in the catalogue' in server.log()))
        versions = [v['version'] for v in
                    server.get('/api/v1/config/history', key=self.admin(server)).json()['versions']]
        self.assertGreaterEqual(len(versions), 4)
        server.stop()


main()
