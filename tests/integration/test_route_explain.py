#!/usr/bin/env python3
# Routing told: POST /v1/route/explain and `penstock route explain`, x-penstock-route and x-penstock-tried and the same
# in the access log, models for tasks, and what a tenant is not told.
import json
import os

from harness import Suite, eventually, fake_provider, main, run_cli

QUESTION = 'What is the capital of France?'
CODE = 'Write a Python function that merges two sorted lists, with tests.\n```python\ndef merge(a, b):\n    pass\n```'


def body_of(model, text=QUESTION, **more):
    return {'model': model, 'messages': [{'role': 'user', 'content': text}], **more}


class RouteExplain(Suite):
    @classmethod
    def config(cls):
        prices = {'price': {'input': 1, 'output': 2}}
        return {
            'providers': [fake_provider(cls.fake, name='near', privacy='local', region='eu-west-1'),
                          fake_provider(cls.fake, name='far', privacy='remote', passthrough=True)],
            'log': {'level': 'info', 'format': 'json'}, 'passthrough_models': False,
            'models': [
                {'name': 'assistant', 'strategy': 'cost', 'tasks': {'code': 'coder', 'loop': 'circle', 'secret': 'vault'},
                 'targets': [{'provider': 'far', 'model': 'gpt-4o'}, {'provider': 'far', 'model': 'gpt-4o-mini'},
                             {'provider': 'near', 'model': 'tiny', 'when': 'tenant == "acme" && tokens > 50k'}]},
                {'name': 'coder', 'targets': [{'provider': 'near', 'model': 'code-1'}], **prices},
                {'name': 'vault', 'targets': [{'provider': 'near', 'model': 'vault-1'}], **prices},
                {'name': 'circle', 'tasks': {'loop': 'assistant'}, 'targets': [{'provider': 'near', 'model': 'round'}]},
                {'name': 'shaky', 'strategy': 'priority', 'routing': {'retry': {'attempts': 3}},
                 'targets': [{'provider': 'far', 'model': 'x;status=503'}, {'provider': 'near', 'model': 'y'}]},
                {'name': 'tiered', 'strategy': 'complexity', 'targets': [
                    {'provider': 'near', 'model': 'small', 'tiers': ['simple', 'medium']},
                    {'provider': 'far', 'model': 'large', 'tiers': ['complex', 'reasoning']}]},
                {'name': 'thinker', 'chain': [{'name': 'plan', 'model': 'single', 'when': 'tier == "reasoning" || has(header["x-plan"])'},
                                               {'name': 'say', 'model': 'coder', 'when': 'endpoint == "chat"'}, {'name': 'end', 'model': 'coder'}]},
                {'name': 'single', 'targets': [{'provider': 'near', 'model': 'one'}]}],
            'tenants': [{'name': 'beta', 'allow_models': ['assistant', 'coder', 'circle', 'single']},
                        {'name': 'acme-lower', 'parent': 'acme'},
                        {'name': 'acme', 'models': [{'name': 'own', 'targets': [
                            {'provider': 'far', 'model': 'gpt-4o', 'when': 'tokens > 77'},
                            {'provider': 'far', 'model': 'gpt-4o-mini'}]}]}]}

    def explain(self, body, status=200, key=None, headers=None):
        reply = self.server.post('/v1/route/explain', json.dumps(body).encode(), headers=headers, key=key)
        self.assertEqual(reply.status, status, reply)
        return reply.json() if status == 200 else reply.error()

    def test_a_decision(self):
        told = self.explain(body_of('assistant'))
        self.assertEqual((told['object'], told['model'], told['strategy'], told['served']),
                         ('route.explanation', 'assistant', 'cost', True))
        first, second, last = told['candidates']
        self.assertEqual([c['model'] for c in (first, second, last)], ['gpt-4o-mini', 'gpt-4o', 'tiny'])
        self.assertLess(first['cost_usd'], second['cost_usd'])
        self.assertEqual((first['place'], second['place'], last['place']), (1, 2, None))
        self.assertEqual((last['kept'], last['reason']), (False, 'condition'))
        self.assertIn('tokens > 50k', last['why'])
        self.assertEqual([t['model'] for t in told['order']], ['gpt-4o-mini', 'gpt-4o'])
        self.assertEqual(told['complexity']['tier'], 'simple')
        self.assertEqual(sum(told['complexity']['points'].values()), told['complexity']['score'])
        # What is told is what is done.
        self.assertEqual(self.server.chat('assistant', QUESTION).header('x-penstock-model'), 'gpt-4o-mini')

    def test_what_it_may_not(self):
        told = self.explain(body_of('assistant'), headers={'x-penstock-privacy': 'private'})
        self.assertFalse(told['served'])
        self.assertTrue(told['request']['private'])
        self.assertEqual({c['reason'] for c in told['candidates']}, {'privacy', 'condition'})
        self.assertEqual((told['order'], told['error']['code']), ([], 'no_capable_target'))
        refused = self.server.chat('assistant', headers={'x-penstock-privacy': 'private'})
        self.assertEqual(refused.error()['message'], told['error']['message'])
        told = self.explain(body_of('tiered'), headers={'x-penstock-region': 'eu'})
        self.assertEqual([c['reason'] for c in told['candidates']], ['kept', 'region'])

    def test_a_chain_is_its_steps(self):
        told = self.explain(body_of('thinker'))
        self.assertTrue(told['served'])
        self.assertEqual((told['candidates'], told['order']), ([], []))
        self.assertEqual([(s['name'], s['model'], s['asked'], s['when']) for s in told['steps']],
                         [('plan', 'single', False, 'tier == "reasoning" || has(header["x-plan"])'),
                          ('say', 'coder', True, 'endpoint == "chat"'), ('end', 'coder', True, None)])
        self.assertTrue(told['complexity']['decides'])
        self.assertTrue(self.explain(body_of('thinker'), headers={'x-plan': '1'})['steps'][0]['asked'])
        # What is told is what is done.
        for headers, steps in (({}, ['say', 'end']), ({'x-plan': '1'}, ['plan', 'say', 'end'])):
            done = self.server.chat('thinker', headers=headers).header('x-penstock-chain')
            self.assertEqual([part.split('=')[0] for part in done.split('; ') if not part.endswith('=left-out')], steps)
        beta = self.server.create_key('--tenant', 'beta')['key']
        self.explain(body_of('thinker'), 403, key=beta)
        self.assertEqual(self.server.cli('tenant', 'create', 'delta').returncode, 0)
        delta = self.server.create_key('--tenant', 'delta')['key']
        self.assertEqual([(s['asked'], 'when' in s) for s in self.explain(body_of('thinker'), key=delta)['steps']],
                         [(False, False), (True, False), (True, False)])  # conditions are the operator's

    def test_what_means_nothing_is_refused(self):
        """In each header that says where a request may go or how it is treated: its name, form and an example."""
        wrong = (('x-penstock-max-wait', ('abc', '5', '-1s', '2 weeks'), ('2s', '500ms')),
                 ('x-penstock-priority', ('urgent', 'high,low'), ('"high"', '"normal"', '"low"')),
                 ('x-penstock-strict', ('yes', '1', 'tru'), ('"true"', '"false"')),
                 ('x-penstock-privacy', ('secret',), ('"private"', '"none"')),
                 ('x-penstock-fallbacks', (',', ' , ,'), ('gpt-5-mini',)),
                 ('x-penstock-region', (',', ','.join('a' * 9)), ('eu, ch',)),
                 ('x-penstock-tags', (' , ',), ('fast, good',)))
        sent = len(self.fake.seen)
        for name, values, said in wrong:
            for value in values:
                with self.subTest(name, value=value):
                    for path in ('/v1/chat/completions', '/v1/route/explain', '/v1/messages', '/v1/embeddings'):
                        body = {**body_of('single'), 'input': 'x', 'max_tokens': 5}
                        reply = self.server.post(path, json.dumps(body).encode(), headers={name: value})
                        self.assertEqual(reply.status, 400, (path, reply))
                        for part in (name, *said):
                            self.assertIn(part, json.loads(reply.body)['error']['message'])
        self.assertEqual(len(self.fake.seen), sent)
        for name, values in (('x-penstock-max-wait', ('2s', ' 1m30s', '0', '')), ('x-penstock-strict', ('TRUE', 'false', '')),
                             ('x-penstock-priority', ('high', 'Normal', 'low', '')), ('x-penstock-fallbacks', ('coder,', '')),
                             ('x-penstock-region', ('eu', '')), ('x-penstock-unknown', ('x',))):
            for value in values:
                self.assertEqual(self.server.chat('single', headers={name: value}).status, 200, (name, value))

    def test_private_requests_stay(self):
        self.fake.seen.clear()
        private = {'x-penstock-privacy': 'private'}
        for name in ('tiered', 'single', 'coder', 'shaky'):
            reply = self.server.chat(name, CODE, headers=private)
            self.assertEqual((reply.status, reply.header('x-penstock-provider')), (200, 'near'), reply)
        self.assertEqual(self.server.chat('assistant', headers=private).status, 400)
        self.assertEqual(self.server.chat('assistant', CODE, headers=private).header('x-penstock-model'), 'code-1')
        for path in ('/passthrough/far/v1/chat/completions', '/passthrough/far/v1/anything'):
            raw = json.dumps(body_of('x')).encode()
            self.assertEqual(self.server.post(path, raw, headers=private).status, 400)
            self.assertEqual(self.server.post(path, raw, headers={'x-penstock-region': 'eu'}).status, 400)
        sent = {json.loads(seen.body)['model'] for seen in self.fake.seen}
        self.assertEqual(sent, {'small', 'one', 'code-1', 'y'})  # and nothing of the one far away

    def test_who_may_ask(self):
        sent = len(self.fake.seen)
        self.assertEqual(self.server.request('POST', '/v1/route/explain', json.dumps(body_of('assistant')).encode(),
                                             key='ps-none').status, 401)
        narrow = self.server.create_key('--models', 'single')['key']
        self.explain(body_of('single'), key=narrow)
        self.assertEqual(self.explain(body_of('assistant'), 403, key=narrow)['code'], 'model_not_allowed')
        beta = self.server.create_key('--tenant', 'beta')['key']
        self.explain(body_of('vault'), 403, key=beta)
        told = self.explain(body_of('assistant'), key=beta)
        self.assertEqual(told['candidates'][2]['reason'], 'condition')
        self.assertNotIn('acme', json.dumps(told))  # conditions are the operator's
        self.assertNotIn('in_flight', json.dumps(told))
        # Nor are they of one that was made, and has the general configuration since it is not configured.
        self.assertEqual(self.server.cli('tenant', 'create', 'gamma').returncode, 0)
        gamma = self.server.create_key('--tenant', 'gamma')['key']
        told = self.explain(body_of('assistant'), key=gamma)
        self.assertNotIn('acme', json.dumps(told))
        self.assertNotIn('in_flight', json.dumps(told))
        self.assertNotIn('fallbacks', told)
        listed = {m['id']: m for m in self.server.get('/v1/models', key=gamma).json()['data']}
        self.assertNotIn('targets', listed['assistant'])
        # Who has a model of his own knows how it is configured, and not what others do at its targets.
        acme = self.server.create_key('--tenant', 'acme')['key']
        told = self.explain(body_of('own'), key=acme)
        self.assertIn('tokens > 77', json.dumps(told))
        self.assertNotIn('in_flight', json.dumps(told))
        lower = self.server.create_key('--tenant', 'acme-lower')['key']
        self.assertNotIn('tokens > 77', json.dumps(self.explain(body_of('own'), key=lower)))
        self.assertEqual(self.explain(body_of('nobody'), 404)['code'], 'model_not_found')
        for wrong in (b'', b'{', b'[]', b'{"model":"single"}', b'{"model":"single","messages":7}'):
            self.assertEqual(self.server.post('/v1/route/explain', wrong).status, 400)
        self.assertEqual(len(self.fake.seen), sent)
        self.assertEqual(self.server.get('/v1/route/explain').status, 405)

    def test_models_for_tasks(self):
        reply = self.server.chat('assistant', CODE)
        self.assertEqual((reply.status, reply.header('x-penstock-model')), (200, 'code-1'), reply)
        self.assertIn('task=code; model=coder', reply.header('x-penstock-route'))
        self.assertEqual(self.record_of(reply.request_id)['model'], 'coder')
        named = self.server.chat('assistant', QUESTION, metadata={'task': 'code'})
        self.assertEqual(named.header('x-penstock-model'), 'code-1')
        # One hop, never a circle; a task that is nobody's goes to the model's own targets.
        once = self.server.chat('assistant', QUESTION, metadata={'task': 'loop'})
        self.assertEqual((once.status, once.header('x-penstock-model')), (200, 'round'))
        self.assertEqual(self.server.chat('assistant', CODE, metadata={'task': 'poetry'}).header('x-penstock-model'),
                         'gpt-4o-mini')
        told = self.explain(body_of('assistant', CODE))
        self.assertEqual((told['model'], told['task'], told['task_model']), ('assistant', 'code', 'coder'))
        self.assertEqual(told['order'], [{'provider': 'near', 'model': 'code-1', 'last_resort': False}])
        # What is no task's name is the application's own affair; it is told that nothing goes by it.
        for other in ('', None):
            self.assertEqual(self.server.chat('single', metadata={'task': other}).header('x-penstock-route'), None)
        for odd in (7, 'Two Words', 'Code', 'x' * 65, ['code'], 'naïve', 'a\nb'):
            reply = self.server.chat('single', metadata={'task': odd})
            self.assertEqual((reply.status, reply.header('x-penstock-route')), (200, 'ignored=metadata.task'))
            told = self.explain(body_of('assistant', CODE, metadata={'task': odd}))
            self.assertEqual((told['task'], told['task_ignored']),
                             ('code', odd if isinstance(odd, str) else json.dumps(odd)))
        route = self.server.chat('assistant', CODE, metadata={'task': 'Two Words'}).header('x-penstock-route')
        self.assertIn('task=code; model=coder; ignored=metadata.task', route)
        self.assertIsNone(self.explain(body_of('assistant', CODE, metadata={'task': 'code'}))['task_ignored'])

    def test_tasks_of_a_tenant(self):
        beta, narrow = (self.server.create_key(*args)['key'] for args in
                        (('--tenant', 'beta'), ('--models', 'assistant')))

        def model(key, task):
            raw = json.dumps(body_of('assistant', metadata={'task': task})).encode()
            return self.server.post('/v1/chat/completions', raw, key=key).header('x-penstock-model')

        self.assertEqual(model(beta, 'code'), 'code-1')
        self.assertEqual(model(beta, 'secret'), 'gpt-4o-mini')  # which its allow_models leaves out
        self.assertEqual(model(narrow, 'secret'), 'vault-1')

    def test_headers_and_log(self):
        reply = self.server.chat('tiered', QUESTION)
        self.assertEqual(reply.header('x-penstock-route'), 'strategy=complexity; tier=simple; task=question')
        self.assertIsNone(reply.header('x-penstock-tried'))
        self.assertIsNone(self.server.chat('single').header('x-penstock-route'))
        for stream in (False, True):
            reply = self.server.chat('shaky', stream=stream)
            self.assertEqual(reply.status, 200, reply)
            self.assertRegex(reply.header('x-penstock-tried'),
                             r'^far/x;status=503 503( \d+ms)?, near/y 200( \d+ms)?$')
            self.assertEqual(reply.header('x-penstock-route'), 'strategy=priority')
            line = eventually(lambda r=reply: [x for x in self.server.log_lines() if x.get('request_id') == r.request_id])[0]
            self.assertEqual((line['route'], line['attempts']), ('strategy=priority', 2))
            self.assertRegex(line['tried'], r'^far/x;status=503 503( \d+ms)?, near/y 200( \d+ms)?$')

    def test_the_matrix(self):
        models = {m['id']: m for m in self.server.get('/v1/models', key=self.server.key).json()['data']}
        targets = models['assistant']['targets']
        self.assertEqual([t['model'] for t in targets], ['gpt-4o', 'gpt-4o-mini', 'tiny'])
        self.assertEqual(targets[0]['context_window'], 128000)
        self.assertIn('vision', targets[0]['capabilities'])
        self.assertIsNone(targets[2]['capabilities'])  # nobody knows
        self.assertEqual((targets[2]['region'], targets[2]['local'], targets[0]['local']), ('eu-west-1', True, False))
        self.assertNotIn('targets', models['single'])

    def test_the_command(self):
        folder = self.server.folder
        request = os.path.join(folder, 'request.json')
        with open(request, 'w', encoding='utf-8') as f:
            json.dump(body_of('assistant'), f)
        config = ('--config', os.path.join(folder, 'penstock.yaml'), '--data', os.path.join(folder, 'data'))
        remote = {'PENSTOCK_API_KEY': self.server.key, 'PENSTOCK_SERVER': f'http://127.0.0.1:{self.server.port}'}
        for args, env in ((config, None), ((), remote)):
            with self.subTest(env=env):
                done = run_cli('route', 'explain', request, '--json', *args, env=env)
                self.assertEqual(done.returncode, 0, done.stderr)
                told = json.loads(done.stdout)
                self.assertEqual([t['model'] for t in told['order']], ['gpt-4o-mini', 'gpt-4o'])
                done = run_cli('route', 'explain', request, '--model', 'tiered', '--header', 'X-Penstock-Region=eu',
                               *args, env=env)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, r'near/small +yes .*it can serve')
                self.assertRegex(done.stdout, r'far/large +no .*it is not known where it is')
                done = run_cli('route', 'explain', request, '--model', 'thinker', *args, env=env)
                self.assertIn('plan=single (left out: tier == "reasoning"', ' '.join(done.stdout.split()))
                self.assertIn('say=coder (asked: endpoint == "chat"); end=coder', ' '.join(done.stdout.split()))
                self.assertNotIn('ignored', done.stdout)
                odd = json.dumps(body_of('single', metadata={'task': 'Two Words'}))
                done = run_cli('route', 'explain', '-', *args, env=env, stdin=odd)
                self.assertIn('metadata.task "Two Words": a task', ' '.join(done.stdout.split()))
                done = run_cli('route', 'explain', request, '--header', 'X-Penstock-Max-Wait=soon', *args, env=env)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn('x-penstock-max-wait is a time such as', done.stderr)
                done = run_cli('route', 'explain', request, '--model', 'nobody', *args, env=env)
                self.assertEqual(done.returncode, 4, done.stderr)
        for wrong in (('--header', 'x'), ('--header', '=y')):
            self.assertEqual(run_cli('route', 'explain', request, *wrong, *config).returncode, 2)
        self.assertNotEqual(run_cli('route', 'explain', os.path.join(folder, 'absent'), *config).returncode, 0)
        for text in ('', '{', '[]', '{"model":7}'):
            self.assertNotEqual(run_cli('route', 'explain', '-', *config, stdin=text).returncode, 0)


main()
