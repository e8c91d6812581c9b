#!/usr/bin/env python3
# Ollama's interface: chats, single prompts, embeddings and lists, over a provider that speaks OpenAI's dialect.
import json

from harness import Suite, fake_provider, main


class Ollama(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake), {'name': 'offline', 'kind': 'demo'}],
                'models': [{'name': 'known', 'targets': [{'provider': 'fake', 'model': 'gpt-4o'}]},
                           {'name': 'small', 'targets': [{'provider': 'fake', 'model': 'gpt-small'}]},
                           {'name': 'tools', 'targets': [{'provider': 'fake', 'model': 'gpt;tools'}]},
                           {'name': 'broken', 'targets': [{'provider': 'fake', 'model': 'gpt;error_event'}]},
                           {'name': 'busy', 'targets': [{'provider': 'fake', 'model': 'gpt;status=429'}]},
                           {'name': 'cut', 'targets': [{'provider': 'fake', 'model': 'gpt;fault=close;when=body'}]}],
                'log': {'level': 'debug', 'format': 'json'}}

    def ask(self, path, **body):
        return self.server.post(path, json.dumps(body).encode())

    def lines(self, reply):
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.header('content-type'), 'application/x-ndjson')
        return [json.loads(line) for line in reply.body.decode().split('\n') if line]

    def check_done(self, last, reason='stop', counted=True):
        self.assertTrue(last['done'])
        self.assertEqual(last['done_reason'], reason)
        self.assertGreater(last['total_duration'], 0)
        self.assertEqual('eval_count' in last, counted)
        if counted:
            self.assertGreater(last['prompt_eval_count'], 0)
            self.assertGreater(last['eval_count'], 0)

    MESSAGES = [{'role': 'user', 'content': 'Hello'}]

    def test_a_chat_is_a_stream_unless_it_says_otherwise(self):
        reply = self.ask('/api/chat', model='small', messages=self.MESSAGES)
        *pieces, last = self.lines(reply)
        self.assertEqual(''.join(p['message']['content'] for p in pieces), ' strömt durch das')
        self.assertTrue(all(p['model'] == 'small' and not p['done'] for p in pieces))
        self.check_done(last)
        record = self.record_of(reply.request_id)
        self.assertEqual((record['input_tokens'], record['output_tokens']),
                         (last['prompt_eval_count'], last['eval_count']))

    def test_a_whole_chat(self):
        reply = self.ask('/api/chat', model='small', messages=self.MESSAGES, stream=False,
                         options={'temperature': 0.5, 'num_predict': 7, 'seed': 3, 'stop': ['x'], 'num_ctx': 4096},
                         keep_alive='5m')
        answer = reply.json()
        self.assertEqual(answer['message'], {'role': 'assistant', 'content': 'Wasser strömt durch das Tor'})
        self.check_done(answer)
        sent = self.fake.seen[0].json
        self.assertEqual(sent['temperature'], 0.5)
        self.assertEqual(sent['seed'], 3)
        self.assertEqual(sent.get('max_completion_tokens', sent.get('max_tokens')), 7)
        self.assertIn(sent['stop'], ('x', ['x']))
        self.assertIsNone(reply.header('x-penstock-dropped-params'))

    def test_what_cannot_be_carried_over_is_named(self):
        body = {'model': 'small', 'messages': self.MESSAGES, 'stream': False, 'options': {'mirostat': 1, 'min_p': 0.1}}
        reply = self.ask('/api/chat', **body)
        self.assertEqual(reply.status, 200, reply)
        self.assertIn('options.mirostat', reply.header('x-penstock-dropped-params'))
        refused = self.server.post('/api/chat', json.dumps(body).encode(), {'x-penstock-strict': 'true'})
        self.assertEqual(refused.status, 400, refused)
        self.assertEqual(self.ask('/api/chat', **body, strict=True).status, 400)
        self.assertIn('options.min', refused.json()['error'])

    def test_tools_thoughts_images_and_results_go_over(self):
        messages = [{'role': 'user', 'content': 'Look', 'images': ['iVBORw0KGgoAAAA=']},
                    {'role': 'assistant', 'content': '', 'tool_calls': [
                        {'function': {'name': 'weather', 'arguments': {'city': 'Zürich'}}}]},
                    {'role': 'tool', 'tool_name': 'weather', 'content': 'rain'}]
        tools = [{'type': 'function', 'function': {'name': 'weather', 'parameters': {'type': 'object', 'properties': {}}}}]
        *pieces, last = self.lines(self.ask('/api/chat', model='tools', messages=messages, tools=tools))
        calls = [c for p in pieces for c in p['message'].get('tool_calls', [])]
        self.assertEqual([c['function']['name'] for c in calls], ['weather'])
        self.assertEqual(calls[0]['function']['arguments'], {'city': 'Zürich', 'unit': '°C', 'n': 1.5})
        self.check_done(last)
        sent = self.fake.seen[0].json['messages']
        self.assertEqual([m['role'] for m in sent], ['user', 'assistant', 'tool'])
        self.assertEqual(sent[1]['tool_calls'][0]['id'], sent[2]['tool_call_id'])
        self.assertEqual(json.loads(sent[1]['tool_calls'][0]['function']['arguments']), {'city': 'Zürich'})
        image = [p for p in sent[0]['content'] if p['type'] == 'image_url'][0]
        self.assertEqual(image['image_url']['url'], 'data:image/png;base64,iVBORw0KGgoAAAA=')
        whole = self.ask('/api/chat', model='tools', messages=self.MESSAGES, tools=tools, stream=False).json()
        self.assertEqual(whole['message']['tool_calls'][0]['function']['arguments']['n'], 1.5)

    def test_a_schema(self):
        schema = {'type': 'object', 'properties': {'a': {'type': 'integer'}}, 'required': ['a']}
        self.ask('/api/chat', model='small', messages=self.MESSAGES, stream=False, format=schema)
        self.assertEqual(self.fake.seen[0].json['response_format']['json_schema']['schema'], schema)
        self.ask('/api/chat', model='small', messages=self.MESSAGES, stream=False, format='json')
        self.assertEqual(self.fake.seen[1].json['response_format'], {'type': 'json_object'})

    def test_a_single_prompt(self):
        *pieces, last = self.lines(self.ask('/api/generate', model='small', prompt='Hello', system='Be brief'))
        self.assertEqual(''.join(p['response'] for p in pieces), ' strömt durch das')
        self.assertEqual(last['response'], '')
        self.check_done(last)
        self.assertEqual([m['role'] for m in self.fake.seen[0].json['messages']], ['system', 'user'])
        whole = self.ask('/api/generate', model='small', prompt='Hello', stream=False, raw=True)
        self.assertEqual(whole.json()['response'], 'Wasser strömt durch das Tor')
        self.assertIn('raw', whole.header('x-penstock-dropped-params'))

    def test_loading_is_nothing_to_do(self):
        loaded = self.ask('/api/generate', model='small').json()
        self.assertEqual((loaded['done'], loaded['done_reason'], loaded['response']), (True, 'load', ''))
        away = self.ask('/api/chat', model='small', messages=[], keep_alive=0).json()
        self.assertEqual((away['done_reason'], away['message']['content']), ('unload', ''))
        self.assertEqual(self.fake.seen, [])

    def test_failures(self):
        missing = self.ask('/api/chat', model='small', messages=[{'role': 'wizard', 'content': 'x'}])
        self.assertEqual(missing.status, 400, missing)
        self.assertEqual(list(missing.json()), ['error'])
        self.assertIn('messages[0].role', missing.json()['error'])
        gone = self.ask('/api/chat', model='gone;here', messages=self.MESSAGES)
        self.assertEqual(gone.status, 404, gone)
        busy = self.ask('/api/chat', model='busy', messages=self.MESSAGES)
        self.assertEqual(busy.status, 429, busy)
        self.assertIn('told to fail', busy.json()['error'])
        nobody = self.server.request('POST', '/api/chat', b'{}')
        self.assertEqual(nobody.status, 401, nobody)
        self.assertIsInstance(nobody.json()['error'], str)

    def test_a_stream_that_breaks_ends_with_an_error(self):
        for model in 'broken', 'cut':
            reply = self.ask('/api/chat', model=model, messages=self.MESSAGES)
            self.assertIn('error', self.lines(reply)[-1], model)

    def test_embeddings(self):
        reply = self.ask('/api/embed', model='small', input=['one', 'two'])
        answer = reply.json()
        self.assertEqual(answer['embeddings'], [[0.25, -1.5, 0.0, 3.0], [0.5, -1.5, 0.0, 3.0]])
        self.assertEqual(answer['model'], 'small')
        self.assertGreater(answer['prompt_eval_count'], 0)
        older = self.ask('/api/embeddings', model='small', prompt='one')
        self.assertEqual(older.json(), {'embedding': [0.25, -1.5, 0.0, 3.0]})

    def test_lists(self):
        tags = self.server.get('/api/tags', key=self.server.key).json()['models']
        names = [m['name'] for m in tags]
        self.assertIn('small', names)
        self.assertTrue(all(m['model'] == m['name'] and m['details']['families'] == [] for m in tags))
        shown = self.ask('/api/show', model='small').json()
        self.assertIn('completion', shown['capabilities'])
        known = self.ask('/api/show', model='known').json()
        self.assertEqual(known['capabilities'], ['completion', 'tools', 'vision'])
        self.assertEqual(known['model_info']['penstock.context_length'], 128000)
        self.assertEqual(known['model_info']['general.basename'], 'known')
        unknown = self.ask('/api/show', model='gone')
        self.assertEqual(unknown.status, 404)
        self.assertIn("'gone' not found", unknown.json()['error'])
        self.assertEqual(self.ask('/api/show').status, 400)
        self.assertEqual(self.server.get('/api/ps', key=self.server.key).json(), {'models': []})
        self.assertRegex(self.server.get('/api/version').json()['version'], r'^\d+\.\d+\.\d+$')
        self.assertEqual(self.server.get('/api/tags').status, 401)
        self.assertEqual(self.server.get('/api/chat', key=self.server.key).status, 405)

    def test_latest_is_what_no_tag_means(self):
        for path, more in (('/api/chat', {'messages': [{'role': 'user', 'content': 'x'}]}), ('/api/generate', {'prompt': 'x'}),
                           ('/api/embed', {'input': 'x'}), ('/api/embeddings', {'prompt': 'x'}), ('/api/show', {})):
            reply = self.ask(path, model='small:latest', stream=False, **more)
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(self.ask(path, model='gone:latest', **more).status, 404)
        self.assertEqual(self.ask('/api/chat', model='small:latest').json()['model'], 'small')
        # A provider's own model has the name that it was given.
        self.ask('/api/chat', model='fake/own:latest', messages=[{'role': 'user', 'content': 'x'}])
        self.assertEqual(self.fake.seen[-1].json['model'], 'own:latest')

    def test_models_are_not_made_here(self):
        self.assertEqual(self.ask('/api/pull', model='small', stream=False).json(), {'status': 'success'})
        pulled = self.ask('/api/pull', name='small')
        self.assertEqual((pulled.body, pulled.header('content-type')), (b'{"status":"success"}\n', 'application/x-ndjson'))
        self.assertIn('not found', self.ask('/api/pull', model='gone').json()['error'])
        for method, path in ('POST', '/api/push'), ('POST', '/api/create'), ('POST', '/api/copy'), ('DELETE', '/api/delete'):
            reply = self.server.request(method, path, b'{"model":"small"}', key=self.server.key)
            self.assertEqual(reply.status, 400)
            self.assertIn('configuration', reply.json()['error'])

    def test_where_there_is_nothing_it_is_said_in_the_clients_words(self):
        def error(method, path, headers=None):
            reply = self.server.request(method, path, b'{}' if method == 'POST' else None, headers, self.server.key)
            return reply.status, reply.json()
        status, body = error('GET', '/api/chat')
        self.assertEqual((status, type(body['error'])), (405, str))
        status, body = error('POST', '/v1/messages/batches')
        self.assertEqual((status, body['type'], body['error']['type']), (404, 'error', 'not_found_error'))
        status, body = error('POST', '/v1/complete', {'anthropic-version': '2023-06-01'})
        self.assertEqual((status, body['type']), (404, 'error'))
        status, body = error('POST', '/v1beta/cachedContents')
        self.assertEqual((status, body['error']['status']), (404, 'NOT_FOUND'))
        status, body = error('POST', '/v2/chat')
        self.assertEqual((status, type(body['message'])), (404, str))
        status, body = error('POST', '/v1/elsewhere')
        self.assertEqual((status, body['error']['code']), (404, 'not_found'))

    def test_the_control_plane_is_still_there(self):
        self.assertEqual(self.server.get('/api/v1/nothing').status, 401)
        self.assertIn('application/json', self.server.get('/api/elsewhere').header('content-type'))


if __name__ == '__main__':
    main()
