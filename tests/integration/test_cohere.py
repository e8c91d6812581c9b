#!/usr/bin/env python3
# Cohere behind Penstock: chats for clients of other dialects, embeddings in pieces, rerankings in both shapes.
import json

from harness import Suite, chat_body, eventually, fake_provider, main, request_bytes  # first: it finds the fakes

from cohere_upstream import CohereUpstream

WEATHER = {'type': 'function', 'function': {'name': 'weather', 'parameters': {
    'type': 'object', 'properties': {'city': {'type': 'string'}}}}}
NOW = {'type': 'function', 'function': {'name': 'now'}}


class Cohere(Suite):
    @classmethod
    def setUpClass(cls):
        cls.cohere = CohereUpstream().start()
        cls.addClassCleanup(cls.cohere.stop)
        super().setUpClass()

    @classmethod
    def config(cls):
        cohere = {'kind': 'cohere', 'base_url': cls.cohere.base_url, 'api_key': 'co-fake'}
        return {'providers': [{'name': 'co', **cohere}, {'name': 'pair', 'limits': {'concurrency': 2}, **cohere},
                              fake_provider(cls.fake), {'name': 'offline', 'kind': 'demo'}],
                'models': [{'name': 'few', 'targets': [{'provider': 'co', 'model': 'embed', 'limits': {'requests_per_minute': 7}}]},
                           {'name': 'slow', 'targets': [
                               {'provider': 'co', 'model': 'embed;delay=150', 'limits': {'concurrency': 2}}]},
                           {'name': 'single', 'targets': [
                               {'provider': 'pair', 'model': 'embed;delay=400', 'limits': {'concurrency': 1}}]},
                           {'name': 'ranker', 'targets': [{'provider': 'co', 'model': 'rerank-v3.5'}]},
                           {'name': 'either',
                            'targets': [{'provider': 'co', 'model': 'embed-v4.0', 'priority': 0},
                                        {'provider': 'fake', 'model': 'text-embedding-3-small', 'priority': 1}]}],
                'tenants': [{'name': 'small', 'limits': {'max_response': '8 KiB'}}],
                'prices': {f'co/embed;rest={status}': {'input': 1000, 'output': 0} for status in (400, 429, 500)},
                'log': {'level': 'debug', 'format': 'json'}}

    def setUp(self):
        super().setUp()
        self.cohere.reset()

    def tearDown(self):
        super().tearDown()
        self.assertEqual(self.cohere.violations, [])

    def ask(self, path, **body):
        return self.server.post(path, json.dumps(body).encode())

    def test_a_chat(self):
        reply = self.server.chat('co/command-a', max_tokens=9, top_p=0.9, stop=['x'], seed=3)
        answer = reply.json()
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(answer['choices'][0]['message']['content'], 'Wasser strömt durch das Tor')
        told = self.cohere.seen[0]
        self.assertEqual((answer['usage']['prompt_tokens'], answer['usage']['completion_tokens']), told.usage[:2])
        self.assertEqual((told.json['p'], told.json['max_tokens'], told.json['stop_sequences'], told.json['seed']),
                         (0.9, 9, ['x'], 3))
        self.assertIsNone(reply.header('x-penstock-dropped-params'))

    def test_tools_and_their_results(self):
        reply = self.server.post('/v1/chat/completions', chat_body('co/command-a;tools', tools=[WEATHER, NOW], stream=True))
        calls = {}
        *events, done = reply.events()
        self.assertEqual(done, '[DONE]')
        for choice in (c for e in events for c in json.loads(e)['choices']):
            for part in choice['delta'].get('tool_calls') or []:
                call = calls.setdefault(part['index'], {'id': '', 'type': 'function', 'function': {'name': '', 'arguments': ''}})
                call['id'] += part.get('id') or ''
                for member in 'name', 'arguments':
                    call['function'][member] += part['function'].get(member) or ''
            finish = choice['finish_reason']
        self.assertEqual(finish, 'tool_calls')
        self.assertEqual([c['function']['name'] for c in calls.values()], ['weather', 'now'])
        self.assertEqual(json.loads(calls[0]['function']['arguments'])['city'], 'Zürich')
        history = [{'role': 'user', 'content': 'q'}, {'role': 'assistant', 'content': None, 'tool_calls': list(calls.values())},
                   *({'role': 'tool', 'tool_call_id': c['id'], 'content': 'r'} for c in calls.values())]
        again = self.ask('/v1/chat/completions', model='co/command-a', messages=history, tools=[WEATHER, NOW])
        self.assertEqual(again.status, 200, again)

    def test_thoughts_and_citations_for_a_client_of_anthropic(self):
        for stream in False, True:
            reply = self.ask('/v1/messages', model='co/command-a;thinking;citations', max_tokens=3000, stream=stream,
                             messages=[{'role': 'user', 'content': 'q'}],
                             thinking={'type': 'enabled', 'budget_tokens': 1024})
            self.assertEqual(reply.status, 200, reply)
            text = reply.body.decode()
            self.assertIn('The tide ', text)
            self.assertIn('https://x.example/t', text)
            self.assertIn('"end_turn"', text)
        self.assertEqual(self.cohere.seen[0].json['thinking'], {'type': 'enabled', 'token_budget': 1024})

    def test_a_client_of_ollama(self):
        reply = self.ask('/api/chat', model='co/command-a', messages=[{'role': 'user', 'content': 'q'}],
                         format={'type': 'object'})
        *pieces, last = [json.loads(line) for line in reply.body.decode().split('\n') if line]
        self.assertEqual(''.join(p['message']['content'] for p in pieces), '{"tide": "high"}')
        self.assertEqual((last['prompt_eval_count'], last['eval_count']), self.cohere.seen[0].usage[:2])

    def test_failures(self):
        busy = self.server.chat('co/command-a;status=429')
        self.assertEqual(busy.status, 429, busy)
        self.assertIn('told to fail', busy.error()['message'])
        for model in 'command-a;error_event', 'command-a;fault=close':
            reply = self.server.post('/v1/chat/completions', chat_body('co/' + model, stream=True))
            self.assertIn('"error"', reply.body.decode(), reply)

    def test_pieces_are_requests_of_the_minute(self):
        def ask(pieces):
            return self.ask('/v1/embeddings', model='few', input=['counted'] * 96 * pieces)
        self.check_error(ask(8), 413, 'request_too_large')  # no minute has as many
        self.assertEqual(self.cohere.find('counted'), [])
        self.assertEqual([ask(4).status, ask(4).status, ask(3).status, ask(1).status], [200, 429, 200, 429])
        self.assertEqual(len(self.cohere.find('counted')), 7)

    def test_pieces_are_calls_at_a_time(self):
        self.assertEqual(self.ask('/v1/embeddings', model='slow', input=['at a time'] * 96 * 6).status, 200)
        at = [s.at for s in self.cohere.find('at a time')]
        self.assertEqual(len(at), 6)
        for i in range(2, 6):  # two have to end before
            self.assertGreaterEqual(at[i] - at[i - 2], 0.15)
        self.assertEqual(self.ask('/v1/embeddings', model='slow', input=['x']).status, 200)  # all places are free again

    def test_pieces_hold_no_place_that_they_cannot_use(self):
        """Where the target has one place, its provider's other one is for others."""
        conn = self.server.conn()
        self.addCleanup(conn.close)
        body = json.dumps({'model': 'single', 'input': ['one by one'] * 96 * 3}).encode()
        conn.send(request_bytes('POST', '/v1/embeddings', body, key=self.server.key))
        self.assertTrue(eventually(lambda: self.cohere.find('one by one')))
        self.assertEqual(self.ask('/v1/embeddings', model='pair/embed', input=['x']).status, 200)
        self.assertEqual(conn.read().status, 200)

    def test_embeddings_go_in_pieces_of_96(self):
        texts = ['x' * (i % 7) for i in range(200)]
        reply = self.ask('/v1/embeddings', model='co/embed-v4.0', input=texts)
        answer = reply.json()
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual([d['embedding'][0] for d in answer['data']], [0.25 * (len(t) + 1) for t in texts])
        self.assertEqual(sorted(len(s.json['texts']) for s in self.cohere.seen), [8, 96, 96])
        self.assertEqual(answer['usage']['prompt_tokens'], sum(len(t) for t in texts))
        packed = self.ask('/v1/embeddings', model='co/embed-v4.0', input='x', encoding_format='base64', dimensions=4,
                          input_type='search_query').json()
        self.assertIsInstance(packed['data'][0]['embedding'], str)
        sent = self.cohere.seen[-1].json
        self.assertEqual((sent['input_type'], sent['output_dimension']), ('search_query', 4))

    def test_pieces_for_one_provider_do_not_go_to_the_next(self):
        texts = ['either'] * 200  # pieces that a test before gave up may still be on their way
        reply = self.server.post('/v1/embeddings', json.dumps({'model': 'either', 'input': texts, 'user': 'u'}).encode(),
                                 {'X-Penstock-Strict': 'true'})
        self.assertEqual((reply.status, len(reply.json()['data'])), (200, 200), reply)
        self.assertEqual([seen for seen in list(self.cohere.seen) if b'either' in seen.body], [])
        sent, = self.fake.seen
        self.assertEqual((sent.json['input'], sent.json['user']), (texts, 'u'))

    def test_pieces_that_were_answered_are_paid_for(self):
        texts = ['xx'] * 200
        for status, told in ((500, 500), (429, 429), (400, 400)):
            reply = self.ask('/v1/embeddings', model=f'co/embed;rest={status}', input=texts)
            self.assertEqual(reply.status, told, reply)
            record = self.record_of(reply.request_id)
            self.assertEqual((record['input_tokens'], record['tokens_estimated'], record['attempts']), (2 * 192, False, 3))
            self.assertEqual(reply.header('x-penstock-attempts'), '3')
            self.assertEqual(record['cost_usd'], 2 * 192 / 1000)

    def test_pieces_are_one_answer_in_what_they_may_have(self):
        small = self.server.create_key('--tenant', 'small')['key']
        reply = self.server.post('/v1/embeddings', json.dumps({'model': 'co/embed', 'input': ['x'] * 96 * 30}).encode(),
                                 key=small)
        self.check_error(reply, 502, 'upstream_too_large')
        self.assertLess(len(self.cohere.seen), 30)  # those after it were not asked for
        self.assertEqual(self.record_of(reply.request_id)['attempts'], int(reply.header('x-penstock-attempts')))
        reply = self.server.post('/v1/embeddings', json.dumps({'model': 'co/embed', 'input': ['x'] * 96}).encode(), key=small)
        self.assertEqual(reply.status, 200, reply)

    DOCUMENTS = ['a', {'text': 'a long one'}, 'longer']

    def test_rerankings(self):
        reply = self.ask('/v1/rerank', model='ranker', query='q', documents=self.DOCUMENTS, top_n=2, return_documents=True)
        self.assertEqual(reply.status, 200, reply)
        answer = reply.json()
        self.assertEqual([(r['index'], r['document']) for r in answer['results']],
                         [(1, {'text': 'a long one'}), (2, {'text': 'longer'})])
        self.assertEqual((answer['object'], answer['model']), ('list', 'ranker'))
        self.assertEqual(answer['meta']['billed_units'], {'search_units': 1})
        passed = self.ask('/v2/rerank', model='ranker', query='q', documents=['a', 'bb'])
        self.assertEqual([r['index'] for r in passed.json()['results']], [1, 0])
        self.assertIn('id', passed.json())
        self.assertEqual(self.cohere.seen[-1].json, {'model': 'rerank-v3.5', 'query': 'q', 'documents': ['a', 'bb']})

    def test_wrong_rerankings(self):
        for path, where in ('/v1/rerank', lambda r: r.error()['message']), ('/v2/rerank', lambda r: r.json()['message']):
            reply = self.ask(path, model='fake/x', query='q', documents=[1])
            self.assertEqual(reply.status, 400 if path == '/v2/rerank' else reply.status, reply)
            reply = self.ask(path, model='offline/x', query='q', documents=['a'])
            self.assertEqual(reply.status, 400, reply)
            reply = self.ask(path, model='ranker', query='q')
            self.assertEqual(reply.status, 400, reply)
            self.assertIn('documents', where(reply))


if __name__ == '__main__':
    main()
