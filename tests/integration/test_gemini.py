#!/usr/bin/env python3
# Google's dialect over the wire: its clients before every kind of provider, its providers behind every kind of client,
# and Vertex AI with its access tokens.
import json
import time
import urllib.parse

from harness import (FakeUpstream, Incomplete, Penstock, Suite, chat_body, eventually, fake_provider, in_parallel, main,
                     request_bytes)

from anthropic_upstream import AnthropicUpstream
from gemini_upstream import ARGUMENTS, SIGNATURE, GeminiUpstream, VertexUpstream

TEXT = 'Wasser strömt durch das Tor'
WEATHER = {'type': 'object', 'properties': {'city': {'type': 'string'}}}
DECLARED = [{'functionDeclarations': [{'name': 'weather', 'parameters': {
    'type': 'OBJECT', 'properties': {'city': {'type': 'STRING'}}}}]}]


def quoted(model):
    return urllib.parse.quote(model, safe='/')


def contents(text='Hello'):
    return [{'role': 'user', 'parts': [{'text': text}]}]


class GeminiSuite(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.openai, 'openai'),
                              {'name': 'claude', 'kind': 'anthropic', 'base_url': cls.anthropic.base_url,
                               'api_key': cls.anthropic.key},
                              {'name': 'google', 'kind': 'gemini', 'base_url': cls.fake.base_url, 'api_key': cls.fake.key}],
                'models': [{'name': 'embedder', 'targets': [{'provider': 'google', 'model': 'text-embedding-004'}]},
                           {'name': 'spare', 'targets': [{'provider': 'google', 'model': 'x;status=503'},
                                                         {'provider': 'openai', 'model': 'gpt-x'}]}],
                'log': {'level': 'debug', 'format': 'json'}}

    @classmethod
    def setUpClass(cls):
        cls.fake, cls.openai, cls.anthropic = GeminiUpstream().start(), FakeUpstream().start(), AnthropicUpstream().start()
        for fake in (cls.fake, cls.openai, cls.anthropic):
            cls.addClassCleanup(fake.stop)
        cls.server = Penstock(cls.config(), workers=cls.workers)
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()

    def setUp(self):
        for fake in (self.fake, self.openai, self.anthropic):
            fake.reset()

    def tearDown(self):
        for fake in (self.fake, self.openai, self.anthropic):
            self.assertEqual(fake.violations, [], 'the provider was sent something that it should not be')

    def google(self, model, action='generateContent', query='', key=None, headers=None, body=None, **more):
        """A request as Google's clients send it."""
        head = {'x-goog-api-key': key or self.server.key, 'content-type': 'application/json', **(headers or {})}
        return self.server.request('POST', f'/v1beta/models/{quoted(model)}:{action}{query}', key='',
                                   headers={k: v for k, v in head.items() if v},
                                   body=json.dumps(body or {'contents': contents(), **more}).encode())

    def text_of(self, answer):
        return ''.join(p.get('text', '') for p in answer['candidates'][0]['content']['parts'])


class PassedThrough(GeminiSuite):
    def test_bytes_are_the_same(self):
        body = {'contents': contents('☃'), 'generationConfig': {'temperature': 0.5}}
        reply = self.google('google/gemini-2.5-flash', body=body)
        self.assertEqual(reply.status, 200, reply)
        seen = self.fake.seen[0]
        self.assertEqual(seen.path, '/v1beta/models/gemini-2.5-flash:generateContent')
        self.assertEqual(seen.body, json.dumps(body).encode())
        self.assertEqual(reply.body, seen.answer_body)
        record = self.record_of(reply.request_id)
        self.assertEqual((record['input_tokens'], record['output_tokens']), seen.usage[:2])

    def test_streams(self):
        for query, content_type in (('?alt=sse', 'text/event-stream'), ('', 'application/json')):
            self.fake.reset()
            reply = self.google('google/gemini-2.5-flash;thinking', 'streamGenerateContent', query)
            self.assertEqual(reply.status, 200, reply)
            self.assertTrue(reply.header('content-type').startswith(content_type), reply)
            seen = self.fake.seen[0]
            self.assertEqual('alt=sse' in seen.path, bool(query))
            self.assertEqual(reply.body, seen.answer_body)
            record = self.record_of(reply.request_id)
            self.assertEqual((record['input_tokens'], record['output_tokens']), seen.usage[:2])

    def test_an_array_that_breaks_off_is_not_made_whole(self):
        with self.assertRaises(Incomplete) as broken:
            self.google('google/x;fault=close;when=body;events=5;gap=30', 'streamGenerateContent')
        self.assertNotIn(b'data:', broken.exception.answer.body)
        reply = self.google('google/x;fault=close;when=body;events=5;gap=30', 'streamGenerateContent', '?alt=sse')
        self.assertIn('error', json.loads(reply.events()[-1]), reply)

    def test_keys_where_google_has_them(self):
        self.assertEqual(self.google('google/x', headers={'x-goog-api-key': ''}, query='?key=' + self.server.key).status, 200)
        reply = self.google('google/x', key='ps-wrong')
        self.assertEqual(reply.status, 401)
        self.assertEqual(reply.error()['status'], 'UNAUTHENTICATED')
        self.assertNotIn(self.server.key, self.server.log())

    def test_embeddings(self):
        reply = self.google('embedder', 'embedContent', body={'model': 'models/embedder', 'content': {'parts': [{'text': 'a'}]}})
        self.assertEqual(reply.json(), {'embedding': {'values': [0.25, -1.5, 0.0, 3.0]}}, reply)
        requests = [{'model': 'models/embedder', 'content': {'parts': [{'text': t}]}} for t in 'abc']
        reply = self.google('embedder', 'batchEmbedContents', body={'requests': requests})
        self.assertEqual([e['values'][0] for e in reply.json()['embeddings']], [0.25, 0.5, 0.75])
        self.assertEqual([s.path.split('/')[-1] for s in self.fake.seen],
                         ['text-embedding-004:embedContent', 'text-embedding-004:batchEmbedContents'])

    def test_errors_are_google_s(self):
        reply = self.google('google/x;status=429;retry_info=7')
        self.assertEqual(reply.status, 429)
        self.assertEqual(reply.error()['status'], 'RESOURCE_EXHAUSTED')
        for body, status in ((b'{', 400), (b'{}', 400), (b'[]', 400)):
            reply = self.server.request('POST', '/v1beta/models/x:generateContent', body=body, key=self.server.key)
            self.assertEqual((reply.status, reply.error()['status']), (status, 'INVALID_ARGUMENT'), reply)
        reply = self.google('nobody/knows-this')
        self.assertEqual((reply.status, reply.error()['code'], reply.error()['status']), (404, 404, 'NOT_FOUND'), reply)

    def test_faults_fail_over(self):
        reply = self.google('spare')
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.text_of(reply.json()), TEXT)
        self.assertEqual(reply.header('x-penstock-provider'), 'openai')

    def test_what_models_are_for(self):
        models = [{'name': name, 'targets': [{'provider': 'openai', 'model': name}]}
                  for name in ('gpt-4o', 'text-embedding-3-small', 'of-ones-own')]
        server = self.spawn({'providers': [fake_provider(self.openai, 'openai')], 'models': models})
        told = server.get('/v1beta/models', headers={'x-goog-api-key': server.key}).json()['models']
        self.assertEqual([m['supportedGenerationMethods'] for m in told], [
            ['generateContent', 'countTokens'], ['countTokens', 'embedContent'],
            ['generateContent', 'countTokens', 'embedContent']])

    def test_models_of_google_are_listed(self):
        server = self.spawn({**self.config(), 'models': []})
        names = [m['id'] for m in server.get('/v1/models', key=server.key).json()['data']]
        self.assertTrue(any(n.endswith('gemini-fake') for n in names), names)


class GoogleClients(GeminiSuite):
    """Google's clients before the providers of others."""

    def test_pages_of_models(self):
        def page(query):
            return self.server.get('/v1beta/models?' + query, headers={'x-goog-api-key': self.server.key})
        first = page('pageSize=1').json()
        self.assertEqual(([m['name'] for m in first['models']], first['nextPageToken']), (['models/embedder'], 'embedder'))
        self.assertIn('embedContent', first['models'][0]['supportedGenerationMethods'])
        second = page('pageSize=1&pageToken=embedder').json()
        self.assertEqual(([m['name'] for m in second['models']], second.get('nextPageToken')), (['models/spare'], None))
        self.assertEqual(len(page('').json()['models']), 2)
        for wrong in 'pageSize=x', 'pageSize=-1', 'pageToken=nothing':
            self.assertEqual(page(wrong).json()['error']['status'], 'INVALID_ARGUMENT', wrong)

    def test_text(self):
        for model in ('openai/gpt-x', 'claude/claude-x'):
            reply = self.google(model, systemInstruction='Be brief.', generationConfig={'maxOutputTokens': 50})
            self.assertEqual(reply.status, 200, reply)
            answer = reply.json()
            self.assertEqual(self.text_of(answer), TEXT)
            self.assertEqual(answer['candidates'][0]['finishReason'], 'STOP')
            self.assertEqual(answer['candidates'][0]['content']['role'], 'model')
            self.assertEqual(answer['modelVersion'], model)
            usage = answer['usageMetadata']
            self.assertEqual(usage['totalTokenCount'], usage['promptTokenCount'] + usage['candidatesTokenCount'] +
                             usage.get('thoughtsTokenCount', 0))
            self.assertIn('Be brief.', (self.openai if 'gpt' in model else self.anthropic).seen[0].body.decode())

    def test_streams(self):
        for model in ('openai/gpt-x', 'claude/claude-x', 'openai/gpt-x;write=1'):
            reply = self.google(model, 'streamGenerateContent', '?alt=sse')
            self.assertEqual(reply.header('content-type'), 'text/event-stream', reply)
            chunks = [json.loads(e) for e in reply.events()]
            self.assertTrue(''.join(self.text_of(c) for c in chunks).strip().startswith(('strömt', 'Wasser')), chunks)
            self.assertEqual(chunks[-1]['candidates'][0]['finishReason'], 'STOP')
            self.assertGreater(chunks[-1]['usageMetadata']['promptTokenCount'], 0)
            array = self.google(model, 'streamGenerateContent')
            self.assertTrue(array.header('content-type').startswith('application/json'), array)
            told = [self.text_of(c) for c in array.json()]
            self.assertEqual(told, [self.text_of(c) for c in chunks])

    def test_tools_there_and_back(self):
        for model in ('openai/gpt-x;tools', 'claude/claude-x;parallel', 'google/gemini-3-pro;parallel'):
            stream = self.google(model, 'streamGenerateContent', '?alt=sse', tools=DECLARED)
            parts = [p for e in stream.events() for p in json.loads(e)['candidates'][0]['content']['parts']]
            answer = self.google(model, tools=DECLARED).json()['candidates'][0]
            for found in ([p for p in parts if 'functionCall' in p], answer['content']['parts']):
                self.assertEqual([p['functionCall']['args'] for p in found], [ARGUMENTS] * (2 if 'parallel' in model else 1))
                self.assertEqual({p['functionCall']['name'] for p in found}, {'weather'})
            results = [{'functionResponse': {'name': 'weather', 'response': {'result': 'sunny'},
                                             **({'id': p['functionCall']['id']} if 'id' in p['functionCall'] else {})}}
                       for p in answer['content']['parts']]
            plain = model.split(';')[0]
            reply = self.google(plain, tools=DECLARED,
                                body={'contents': contents() + [answer['content'], {'role': 'user', 'parts': results}],
                                      'tools': DECLARED})
            self.assertEqual(reply.status, 200, reply)

    def test_json(self):
        config = {'responseMimeType': 'application/json', 'responseSchema': {
            'type': 'OBJECT', 'properties': {'tide': {'type': 'STRING', 'nullable': True}}}}
        reply = self.google('claude/claude-x', generationConfig=config)
        self.assertEqual(json.loads(self.text_of(reply.json())), {'tide': 'high'})
        self.google('openai/gpt-x', generationConfig=config)
        schema = self.openai.seen[0].json['response_format']['json_schema']['schema']
        self.assertEqual(schema['properties'], {'tide': {'type': ['string', 'null']}})

    def test_what_cannot_be_said_is_told(self):
        reply = self.google('openai/gpt-x', safetySettings=[{'category': 'HARM_CATEGORY_HARASSMENT', 'threshold': 'OFF'}],
                            somethingNew=1)
        self.assertEqual(reply.status, 200, reply)
        self.assertIn('somethingNew', reply.header('x-penstock-dropped-params'))
        reply = self.google('openai/gpt-x', headers={'x-penstock-strict': 'true'}, somethingNew=1)
        self.assertEqual((reply.status, reply.error()['status']), (400, 'INVALID_ARGUMENT'), reply)

    def test_errors(self):
        for model, status, name in (('openai/x;status=429;retry_after=3', 429, 'RESOURCE_EXHAUSTED'),
                                    ('claude/x;status=529', 529, 'UNAVAILABLE'),
                                    ('claude/x;status=400', 400, 'INVALID_ARGUMENT')):
            reply = self.google(model)
            self.assertEqual(reply.error()['status'], name, reply)
            self.assertIn(reply.status, (status, 503), reply)
        reply = self.google('claude/x;error_event', 'streamGenerateContent', '?alt=sse')
        self.assertEqual(json.loads(reply.events()[-1])['error']['status'], 'UNAVAILABLE', reply)
        reply = self.google('claude/x;error_event', 'streamGenerateContent')
        self.assertEqual(reply.json()[-1]['error']['status'], 'UNAVAILABLE', reply)
        reply = self.google('openai/x;fault=close;when=body;events=5;gap=30', 'streamGenerateContent')
        self.assertIn('error', reply.json()[-1], reply)

    def test_embeddings(self):
        reply = self.google('openai/e', 'embedContent', body={'content': {'parts': [{'text': 'a'}]}})
        self.assertEqual(len(reply.json()['embedding']['values']), 4, reply)
        reply = self.google('openai/e', 'batchEmbedContents', body={'requests': [
            {'content': {'parts': [{'text': t}]}} for t in 'ab']})
        self.assertEqual(len(reply.json()['embeddings']), 2, reply)


class GoogleProviders(GeminiSuite):
    """Google's models behind the clients of others."""

    def messages(self, model, stream=False, **more):
        body = {'model': model, 'max_tokens': 5000, 'messages': [{'role': 'user', 'content': 'Hello'}], 'stream': stream, **more}
        return self.server.request('POST', '/v1/messages', body=json.dumps(body).encode(), key='',
                                   headers={'x-api-key': self.server.key, 'content-type': 'application/json'})

    def test_openai_text(self):
        reply = self.server.chat('google/gemini-2.5-flash', temperature=0.5, max_completion_tokens=9, user='u')
        self.assertEqual(reply.status, 200, reply)
        answer = reply.json()
        self.assertEqual(answer['choices'][0]['message']['content'], TEXT)
        self.assertEqual(answer['choices'][0]['finish_reason'], 'stop')
        seen = self.fake.seen[0]
        self.assertEqual(seen.json['generationConfig'], {'temperature': 0.5, 'maxOutputTokens': 9})
        self.assertEqual((answer['usage']['prompt_tokens'], answer['usage']['completion_tokens']), seen.usage[:2])
        self.assertIn('user', reply.header('x-penstock-dropped-params'))

    def test_openai_streams(self):
        for options in ('', ';write=1', ';cache;thinking'):
            reply = self.server.chat('google/gemini-2.5-flash' + options, stream=True, reasoning_effort='low',
                                     stream_options={'include_usage': True})
            events = reply.events()
            self.assertEqual(events[-1], '[DONE]')
            chunks = [json.loads(e) for e in events[:-1]]
            self.assertEqual(''.join(c['choices'][0]['delta'].get('content') or '' for c in chunks if c['choices']),
                             'Wasser strömt durch')
            usage = chunks[-1]['usage']
            self.assertEqual((usage['prompt_tokens'], usage['completion_tokens'],
                              usage['prompt_tokens_details']['cached_tokens'],
                              usage['completion_tokens_details']['reasoning_tokens']), self.fake.seen[-1].usage)

    def test_openai_tools_keep_their_signatures(self):
        tools = [{'type': 'function', 'function': {'name': 'weather', 'parameters': WEATHER}}]
        for stream in (False, True):
            self.fake.reset()
            reply = self.server.chat('google/gemini-3-pro;parallel', tools=tools, stream=stream)
            if stream:
                calls = {}
                for event in reply.events()[:-1]:
                    for call in json.loads(event)['choices'][0]['delta'].get('tool_calls', []):
                        known = calls.setdefault(call['index'], {'type': 'function', 'function': {'arguments': ''}})
                        known['id'] = call.get('id') or known['id']
                        known['function']['name'] = call['function'].get('name') or known['function']['name']
                        known['function']['arguments'] += call['function'].get('arguments', '')
                calls = list(calls.values())
            else:
                self.assertEqual(reply.json()['choices'][0]['finish_reason'], 'tool_calls')
                calls = reply.json()['choices'][0]['message']['tool_calls']
            self.assertEqual([json.loads(c['function']['arguments']) for c in calls], [ARGUMENTS] * 2)
            history = [{'role': 'user', 'content': 'Hello'},
                       {'role': 'assistant', 'content': None, 'tool_calls': calls}]
            history += [{'role': 'tool', 'tool_call_id': c['id'], 'content': f'result {i}'} for i, c in
                        reversed(list(enumerate(calls)))]
            reply = self.server.chat('google/gemini-3-pro', messages=history, tools=tools)
            self.assertEqual(reply.status, 200, reply)
            told = self.fake.seen[-1].json['contents']
            self.assertEqual(told[1]['parts'][0]['thoughtSignature'],
                             SIGNATURE.rstrip('=').replace('+', '-').replace('/', '_'))
            self.assertEqual([p['functionResponse']['response'] for p in told[2]['parts']],
                             [{'output': 'result 0'}, {'output': 'result 1'}])

    def test_openai_json_images_and_choices(self):
        reply = self.server.chat('google/gemini-2.5-flash', n=2, response_format={'type': 'json_schema', 'json_schema': {
            'name': 'tide', 'schema': WEATHER}})
        self.assertEqual([c['message']['content'] for c in reply.json()['choices']], ['{"tide": "high"}'] * 2, reply)
        image = [{'type': 'text', 'text': 'see'}, {'type': 'image_url', 'image_url': {
            'url': 'data:image/png;base64,iVBORw0KGgo='}}]
        reply = self.server.chat('google/gemini-2.5-flash', messages=[{'role': 'user', 'content': image}])
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.fake.seen[-1].json['contents'][0]['parts'][1],
                         {'inlineData': {'mimeType': 'image/png', 'data': 'iVBORw0KGgo='}})

    def test_openai_errors(self):
        reply = self.server.chat('google/x;status=429;retry_info=7')
        error = self.check_error(reply, 429, 'RESOURCE_EXHAUSTED') if 'RESOURCE' in str(reply.body) else reply.error()
        self.assertTrue(error['message'])
        self.assertEqual(reply.header('retry-after'), '7', reply)
        reply = self.server.chat('google/x;block')
        self.assertEqual(reply.json()['choices'][0]['finish_reason'], 'content_filter', reply)
        reply = self.server.chat('google/x;error_event', stream=True)
        self.assertIn('overloaded', json.loads([e for e in reply.events() if e != '[DONE]'][-1])['error']['message'])
        reply = self.server.chat('google/x;echo;status=500')
        self.assertNotIn(self.fake.key, reply.body.decode())

    def test_anthropic_clients(self):
        reply = self.messages('google/gemini-2.5-flash;thinking', thinking={'type': 'enabled', 'budget_tokens': 2000})
        self.assertEqual(reply.status, 200, reply)
        answer = reply.json()
        self.assertEqual([b['type'] for b in answer['content']], ['thinking', 'text'], answer)
        self.assertEqual(self.fake.seen[0].json['generationConfig']['thinkingConfig'],
                         {'includeThoughts': True, 'thinkingBudget': 2000})
        tools = [{'name': 'weather', 'input_schema': WEATHER}]
        stream = self.messages('google/gemini-3-pro;tools', stream=True, tools=tools)
        events = [json.loads(e) for e in stream.events()]
        self.assertEqual(events[-2]['delta']['stop_reason'], 'tool_use', events)
        block = [e['content_block'] for e in events if e['type'] == 'content_block_start'][0]
        self.assertRegex(block['id'], '^[a-zA-Z0-9_-]+$')
        block['input'] = ARGUMENTS
        reply = self.messages('google/gemini-3-pro', tools=tools, messages=[
            {'role': 'user', 'content': 'Hello'}, {'role': 'assistant', 'content': [block]},
            {'role': 'user', 'content': [{'type': 'tool_result', 'tool_use_id': block['id'], 'content': 'sunny'},
                                         {'type': 'text', 'text': 'And now?'}]}])
        self.assertEqual(reply.status, 200, reply)

    def test_embeddings(self):
        reply = self.server.post('/v1/embeddings', json.dumps(
            {'model': 'embedder', 'input': [str(i) for i in range(250)]}).encode())
        data = reply.json()['data']
        self.assertEqual([d['index'] for d in data], list(range(250)))
        self.assertEqual(sorted(len(s.json['requests']) for s in self.fake.seen), [50, 100, 100])


class Vertex(Suite):
    @classmethod
    def setUpClass(cls):
        cls.fake = VertexUpstream().start()
        cls.addClassCleanup(cls.fake.stop)
        cls.server = Penstock(cls.config_of(cls.fake), workers=cls.workers)
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()

    @staticmethod
    def config_of(fake, credentials=None):
        vertex = {'kind': 'vertex', 'base_url': fake.base_url, 'project': 'my-project', 'location': 'europe-west4',
                  'credentials': credentials or json.dumps(fake.credentials)}
        return {'providers': [{'name': 'vertex', **vertex}, {'name': 'vertex-claude', 'dialect': 'anthropic', **vertex},
                              {'name': 'offline', 'kind': 'demo'}],
                'models': [{'name': 'spare', 'targets': [{'provider': 'vertex', 'model': 'm'},
                                                         {'provider': 'offline', 'model': 'demo'}]}],
                'log': {'level': 'debug', 'format': 'json'}}

    def another_vertex(self, credentials=None, **more):
        fake = VertexUpstream(**more).start()
        self.addCleanup(fake.stop)
        return fake, self.spawn(self.config_of(fake, credentials(fake) if credentials else None))

    def test_many_requests_share_one_token(self):
        fake, server = self.another_vertex()
        fake.token_delay = 0.2
        replies = in_parallel(12, lambda i: server.chat('vertex/gemini-2.5-flash', f'call {i}'))
        self.assertEqual([r.status for r in replies], [200] * 12)
        self.assertEqual(len(fake.tokens), 1)
        self.assertEqual(fake.claims[0]['iss'], fake.credentials['client_email'])
        self.assertEqual(fake.violations, [])
        self.assertNotIn('ya29', server.log())
        self.assertNotIn('PRIVATE KEY', server.log())

    def test_calls(self):
        reply = self.server.chat('vertex/gemini-2.5-flash', stream=True)
        self.assertEqual(reply.events()[-1], '[DONE]', reply)
        body = {'contents': [{'role': 'user', 'parts': [{'text': 'q'}]},
                             {'role': 'model', 'parts': [{'functionCall': {'id': 'a', 'name': 'f', 'args': {}}}]},
                             {'role': 'user', 'parts': [{'functionResponse': {'id': 'a', 'name': 'f', 'response': {}}}]}]}
        reply = self.server.request('POST', '/v1beta/models/vertex/gemini-2.5-flash:generateContent', key=self.server.key,
                                    body=json.dumps(body).encode())
        self.assertEqual(reply.status, 200, reply)
        reply = self.server.post('/v1/embeddings', json.dumps(
            {'model': 'vertex/text-embedding-005', 'input': ['a', 'b']}).encode())
        self.assertEqual([d['embedding'][0] for d in reply.json()['data']], [0.25, 0.5], reply)
        self.assertEqual(reply.json()['usage']['prompt_tokens'], 6)

    def test_claude(self):
        for stream in (False, True):
            reply = self.server.chat('vertex-claude/claude-sonnet-4-5@20250929', stream=stream)
            self.assertIn('Flut', reply.body.decode(), reply)
            body = {'model': 'vertex-claude/claude-sonnet-4-5@20250929', 'max_tokens': 9, 'stream': stream,
                    'messages': [{'role': 'user', 'content': 'Hello'}]}
            reply = self.server.request('POST', '/v1/messages', key=self.server.key, body=json.dumps(body).encode())
            self.assertIn('Flut', reply.body.decode(), reply)

    def test_tokens_are_renewed(self):
        fake, server = self.another_vertex(lifetime=2)
        self.assertTrue(eventually(lambda: server.chat('vertex/gemini-2.5-flash').status != 200 or len(fake.tokens) > 1))
        self.assertEqual(server.chat('vertex/gemini-2.5-flash').status, 200)
        self.assertGreater(len(fake.tokens), 1)
        self.assertEqual(fake.violations, [])

    def test_a_token_that_is_refused_is_fetched_anew(self):
        fake, server = self.another_vertex()
        self.assertEqual(server.chat('vertex/gemini-2.5-flash').status, 200)
        for token in fake.tokens:
            fake.tokens[token] = 0
        self.assertEqual(server.chat('vertex/gemini-2.5-flash').status, 200)
        self.assertEqual(len(fake.tokens), 2)

    def test_a_renewal_that_failed_is_tried_again_when_the_token_ends(self):
        fake, server = self.another_vertex(lifetime=4)  # renewed from its half on, used for three seconds
        chat = lambda: server.chat('vertex/gemini-2.5-flash').status
        self.assertEqual(chat(), 200)
        fake.token_status = 503
        self.assertTrue(eventually(lambda: chat() and 'could not be fetched' in server.log()))
        fake.token_status = 200
        self.assertTrue(eventually(lambda: chat() == 200 and len(fake.tokens) > 1, 12))

    def test_a_provider_that_tells_the_token(self):
        reply = self.server.chat('vertex/x;status=400;tell')
        self.assertNotIn(b'ya29', reply.body)
        self.assertEqual(reply.status, 502, reply)

    def test_without_a_token(self):
        fake, server = self.another_vertex()
        fake.token_status = 503
        reply = server.chat('vertex/gemini-2.5-flash')
        self.assertEqual(reply.status, 502, reply)
        self.assertIn('no credentials', reply.error()['message'])
        self.assertIn('not now', reply.error()['message'])
        self.assertEqual(server.chat('spare').status, 200)  # the next target
        fake.token_status = 200
        self.assertTrue(eventually(lambda: server.chat('vertex/gemini-2.5-flash').status == 200))

    def test_a_token_that_lives_for_no_time(self):
        fake, server = self.another_vertex(lifetime=0)
        self.assertEqual(server.chat('vertex/gemini-2.5-flash').status, 200)
        self.assertEqual(len(fake.tokens), 1, 'it was fetched again and again')

    def test_credentials_that_are_none(self):
        _, server = self.another_vertex(credentials=lambda fake: json.dumps({**fake.credentials, 'private_key': 'none'}))
        self.assertEqual(server.chat('vertex/gemini-2.5-flash').status, 502)
        self.assertEqual(server.chat('spare').header('x-penstock-provider'), 'offline')

    def test_a_token_is_not_waited_for_beyond_the_time_for_all(self):
        fake = VertexUpstream().start()
        self.addCleanup(fake.stop)
        fake.token_delay = 3
        config = self.config_of(fake)
        config['models'].append({'name': 'hasty', 'targets': [{'provider': 'vertex', 'model': 'm'}],
                                 'routing': {'timeouts': {'total': '300ms'}}})
        server = self.spawn(config)
        begun = time.monotonic()
        reply = server.chat('hasty')
        self.assertEqual((reply.status, reply.error()['code']), (504, 'upstream_timeout'), reply)
        self.assertLess(time.monotonic() - begun, 2.5)
        self.assertEqual(server.chat('spare').status, 200)

    def test_the_next_target_when_the_wait_was_in_vain(self):
        """Many wait for one token, which does not come: each goes on with its next target."""
        fake, server = self.another_vertex()
        fake.token_delay, fake.token_status = 0.3, 503
        replies = in_parallel(8, lambda i: server.chat('spare', f'call {i}'))
        self.assertEqual([r.header('x-penstock-provider') for r in replies], ['offline'] * 8, replies)
        self.assertEqual(sum(s.path.endswith(':generateContent') for s in fake.seen), 0)
        self.assertTrue(eventually(lambda: server.metrics()['penstock_active_requests'] <= 1))

    def test_the_metadata_server(self):
        fake, server = self.another_vertex(credentials=lambda fake: 'http://' + fake.authority)
        self.assertEqual(server.chat('vertex/gemini-2.5-flash').status, 200)
        self.assertEqual(fake.violations, [])

    def test_a_client_that_leaves_while_it_waits(self):
        fake, server = self.another_vertex()
        fake.token_delay = 0.3
        conn = server.conn()
        conn.send(b'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ' + server.key.encode() +
                  b'\r\nContent-Length: 78\r\n\r\n{"model":"vertex/gemini-2.5-flash","messages":[{"role":"user","content":"ab"}]}'[:114])
        time.sleep(0.1)
        conn.reset()
        self.assertEqual(server.chat('vertex/gemini-2.5-flash').status, 200)

    def test_who_leaves_before_anything_was_sent_pays_nothing(self):
        fake, server = self.another_vertex()
        fake.token_delay = 1
        with server.conn() as conn:
            conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('vertex/gemini-2.5-flash'), key=server.key))
            self.assertTrue(eventually(lambda: fake.seen))
            conn.reset()
        def ended():
            return [line for line in server.log_lines() if line.get('status') == 499]
        self.assertTrue(eventually(ended))
        self.assertNotIn('tokens_in', ended()[0])

    def test_wrong_credentials_are_found_at_once(self):
        config = self.config_of(self.fake, '{"type": "service_account"}')
        with self.assertRaises(AssertionError):
            self.spawn(config)


if __name__ == '__main__':
    main()
