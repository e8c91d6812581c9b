#!/usr/bin/env python3
# The main road: model calls through the gateway, streamed or not, and that their bytes come out as they went in.
import json
import re
import subprocess

from harness import FakeUpstream, Penstock, Suite, chat_body, clean_environment, fake_provider, free_port, main

RAW = (b'{ "messages" :[{"role":"user","content":"caf\\u00e9 \\ud83d\\ude00 \xe2\x98\x83 \\"x\\""}],\n\t"temperature": 1.0e0,'
       b' "big":123456789012345678901234567890, "neg":-0.0,"model" : "%s" , "x":[ ],"nested":{"model":"other","usage":1} }')


class Chat(Suite):
    @classmethod
    def setUpClass(cls):
        cls.second = FakeUpstream(key='sk-second').start()
        cls.addClassCleanup(cls.second.stop)
        super().setUpClass()

    @classmethod
    def config(cls):
        def targets(*list_of):
            return [{'provider': p, 'model': m, 'priority': i} for i, (p, m) in enumerate(list_of)]
        return {
            'providers': [
                fake_provider(cls.fake, headers={'X-Team': 'water'}),
                fake_provider(cls.second, 'second', api_key='sk-second'),
                {'name': 'closed', 'kind': 'openai', 'base_url': f'http://127.0.0.1:{free_port()}/v1', 'api_key': 'x'},
                {'name': 'offline', 'kind': 'demo'},
            ],
            'models': [
                {'name': 'small', 'targets': targets(('fake', 'gpt-small')),
                 'price': {'input': 1, 'output': 2, 'cached_input': 0.5, 'reasoning': 4}},
                {'name': 'same', 'targets': [{'provider': 'fake'}]},
                {'name': 'same;usage=always', 'targets': [{'provider': 'fake'}]},
                {'name': 'after-503', 'targets': targets(('fake', 'a;status=503'), ('second', 'b'))},
                {'name': 'after-429', 'targets': targets(('fake', 'a;status=429'), ('second', 'b'))},
                {'name': 'after-refused', 'targets': targets(('closed', 'a'), ('second', 'b'))},
                {'name': 'after-reset', 'targets': targets(('fake', 'a;fault=reset'), ('second', 'b'))},
                {'name': 'after-400', 'targets': targets(('fake', 'a;status=400'), ('second', 'b'))},
                {'name': 'all-fail', 'targets': targets(('closed', 'a'), ('fake', 'a;status=500'), ('second', 'b;status=502'))},
                {'name': 'zürich', 'targets': targets(('fake', 'gpt-zürich'))},
            ],
            'aliases': {'quick': 'small', 'quicker': 'quick', 'direct': 'fake/gpt-direct'},
            'log': {'level': 'debug', 'format': 'json'},
        }

    def setUp(self):
        super().setUp()
        self.second.reset()

    def tearDown(self):
        super().tearDown()
        self.assertEqual(self.second.violations, [])

    def last(self):
        self.assertEqual(len(self.fake.seen), 1)
        return self.fake.seen[0]

    # --- whole answers ---

    def test_answer_is_the_providers_byte_for_byte(self):
        reply = self.server.chat('small')
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.body, self.last().answer_body)
        self.assertIn(b'"total_tokens":  ', reply.body)

    def test_request_is_the_clients_byte_for_byte_but_the_model(self):
        raw = RAW.replace(b'%s', b'small')
        self.assertEqual(self.server.post('/v1/chat/completions', raw).status, 200)
        self.assertEqual(self.last().body, raw.replace(b'"small"', b'"gpt-small"'))

    def test_request_is_untouched_when_the_model_keeps_its_name(self):
        raw = RAW.replace(b'%s', b'same')
        self.assertEqual(self.server.post('/v1/chat/completions', raw).status, 200)
        self.assertEqual(self.last().body, raw)

    def test_escaped_names_mean_the_same(self):
        raw = b'{"\\u006dodel":"sm\\u0061ll","messages":[]}'
        self.assertEqual(self.server.post('/v1/chat/completions', raw).status, 200)
        self.assertEqual(self.last().json, {'model': 'gpt-small', 'messages': []})

    def test_model_names_beyond_ascii(self):
        reply = self.server.chat('zürich')
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.last().model, 'gpt-zürich')

    def test_headers_of_an_answer(self):
        reply = self.server.chat('small')
        counts = self.last().usage
        self.assertRegex(reply.request_id, r'^req_[0-9a-z]{13}$')
        self.assertEqual(reply.header('x-penstock-provider'), 'fake')
        self.assertEqual(reply.header('x-penstock-model'), 'gpt-small')
        tokens_in, tokens_out, cached, reasoning = counts
        micro = (tokens_in - cached) * 1 + cached * 0.5 + (tokens_out - reasoning) * 2 + reasoning * 4
        self.assertAlmostEqual(float(reply.header('x-penstock-cost-usd')), micro / 1e6, places=9)
        self.assertEqual(reply.header('x-penstock-upstream-request-id'), f'fake_{self.last().n}')
        self.assertEqual(reply.header('x-ratelimit-remaining-requests'), '41')
        self.assertIsNone(reply.header('set-cookie'))
        self.assertIsNone(reply.header('server'))
        self.assertEqual(reply.header('content-type'), 'application/json')

    def test_an_unknown_price_is_not_zero(self):
        reply = self.server.chat('fake/nobody-knows-this-price')
        self.assertEqual(reply.header('x-penstock-cost-usd'), 'unknown')
        self.assertIsNone(self.record_of(reply.request_id)['cost_usd'])

    def test_headers_for_the_provider(self):
        self.server.chat('small', headers={
            'User-Agent': 'app/1.0', 'OpenAI-Beta': 'assistants=v2', 'Cookie': 'a=b', 'X-Client-Request-Id': 'mine-1',
            'Traceparent': '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'X-Forwarded-For': '10.0.0.1',
            'Connection': 'close, X-Secret-Hop', 'X-Secret-Hop': 'x'})
        seen = self.last()
        self.assertEqual(seen.header('authorization'), 'Bearer sk-fake')
        self.assertEqual(seen.header('user-agent'), 'app/1.0')
        self.assertEqual(seen.header('openai-beta'), 'assistants=v2')
        self.assertEqual(seen.header('x-client-request-id'), 'mine-1')
        self.assertEqual(seen.header('x-team'), 'water')
        self.assertTrue(seen.header('traceparent'))
        self.assertIsNone(seen.header('x-secret-hop'))
        self.assertIsNone(seen.header('cookie'))

    def test_every_request_has_an_id_of_its_own(self):
        ids = {self.server.chat('small').request_id for _ in range(20)}
        self.assertEqual(len(ids), 20)

    def test_chunked_answer_without_a_length(self):
        reply = self.server.chat('fake/x;fault=chunked')
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.body, self.last().answer_body)

    def test_answer_in_single_bytes(self):
        reply = self.server.chat('fake/x;write=1;fault=chunked')
        self.assertEqual(reply.body, self.last().answer_body)
        self.assertEqual(self.record_of(reply.request_id)['input_tokens'], self.last().usage[0])

    def test_informational_answers_are_passed_over(self):
        reply = self.server.chat('fake/x;informational')
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.body, self.last().answer_body)

    def test_large_bodies_both_ways(self):
        text = 'é' * 300_000
        reply = self.server.chat('fake/x;size=3000000', text)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.body, self.last().answer_body)
        self.assertEqual(self.last().json['messages'][0]['content'], text)

    def test_chunked_request(self):
        raw = RAW.replace(b'%s', b'same')
        with self.server.conn() as c:
            c.send(f'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.key}\r\n'
                   'Transfer-Encoding: chunked\r\n\r\n')
            for i in range(0, len(raw), 7):
                c.send(b'%x;a=b\r\n%s\r\n' % (len(raw[i:i + 7]), raw[i:i + 7]))
            c.send(b'0\r\nTrailer: x\r\n\r\n')
            self.assertEqual(c.read().status, 200)
        self.assertEqual(self.last().body, raw)

    # --- streams ---

    def stream(self, model, **more):
        reply = self.server.chat(model, stream=True, **more)
        self.assertEqual(reply.status, 200, reply)
        self.assertTrue(reply.header('content-type').startswith('text/event-stream'), reply)
        return reply

    @staticmethod
    def without_usage(body):
        blocks = re.split(rb'(?<=\n\n)|(?<=\r\n\r\n)', body)
        return b''.join(b for b in blocks if b'"choices": []' not in b)

    def test_stream_without_usage_when_not_asked(self):
        reply = self.stream('small')
        seen = self.last()
        self.assertIs(seen.json['stream_options']['include_usage'], True)
        self.assertNotIn(b'usage', reply.body)
        self.assertEqual(reply.body, self.without_usage(seen.answer_body))
        self.assertEqual(reply.events()[-1], '[DONE]')
        record = self.record_of(reply.request_id)
        self.assertEqual((record['input_tokens'], record['output_tokens'], record['cached_tokens'],
                          record['reasoning_tokens']), seen.usage)
        self.assertFalse(record['tokens_estimated'])
        self.assertTrue(record['stream'])

    def test_stream_with_usage_when_asked(self):
        reply = self.stream('small', stream_options={'include_usage': True})
        self.assertEqual(reply.body, self.last().answer_body)
        self.assertIn(b'"prompt_tokens"', reply.body)

    def test_stream_when_usage_was_refused(self):
        reply = self.stream('small', stream_options={'include_usage': False})
        self.assertEqual(reply.body, self.without_usage(self.last().answer_body))
        self.assertEqual(self.record_of(reply.request_id)['input_tokens'], self.last().usage[0])

    def test_stream_keeps_other_stream_options(self):
        self.stream('small', stream_options={'include_obfuscation': False})
        self.assertEqual(self.last().json['stream_options'], {'include_obfuscation': False, 'include_usage': True})

    def test_stream_request_differs_by_one_insertion(self):
        raw = b'{ "model":"same","stream" : true , "messages":[ {"role":"user","content":"x"} ] , "n": 1.0 }'
        self.server.post('/v1/chat/completions', raw)
        sent = self.last().body
        self.assertIs(json.loads(sent)['stream_options']['include_usage'], True)
        added = len(sent) - len(raw)
        self.assertTrue(any(sent[:i] + sent[i + added:] == raw for i in range(len(raw))), sent)

    def test_streams_of_every_make(self):
        for options in ('write=1', 'eol=crlf', 'comments', 'eol=crlf;comments;write=1', 'usage=null', 'events=300;write=3',
                        'usage=always', 'nodone', 'multiline;usage=none', 'pad=40000;events=8', 'usage=null;eol=crlf;write=2'):
            with self.subTest(options):
                self.fake.reset()
                reply = self.stream('fake/x;' + options)
                seen = self.last()
                self.assertEqual(reply.body, self.without_usage(seen.answer_body))
                if seen.usage:
                    self.assertEqual(self.record_of(reply.request_id)['output_tokens'], seen.usage[1])

    def test_events_leave_as_they_come(self):
        with self.server.conn() as c:
            body = chat_body('fake/x;events=3;gap=300', stream=True)
            c.send(f'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.key}\r\n'
                   f'Content-Length: {len(body)}\r\n\r\n').send(body)
            reply = c.read_head()
            first = next(c.pieces(reply))
            self.assertIn(b'data: ', first)
            self.assertFalse(self.last().answered, 'the first event waited for the last')

    def test_stream_without_counts_is_estimated(self):
        reply = self.stream('fake/x;usage=none')
        record = self.record_of(reply.request_id)
        self.assertTrue(record['tokens_estimated'])
        self.assertGreater(record['output_tokens'], 0)

    def test_streamed_tool_calls(self):
        tools = [{'type': 'function', 'function': {'name': 'weather', 'parameters': {'type': 'object'}}}]
        reply = self.stream('fake/x;tools', tools=tools)
        deltas = [json.loads(e)['choices'][0]['delta'] for e in reply.events()[:-1]]
        arguments = ''.join(c['function'].get('arguments', '') for d in deltas for c in d.get('tool_calls', []))
        self.assertEqual(arguments, '{"city": "Zürich", "unit": "°C", "n": 1.50}')
        self.assertEqual(self.last().json['tools'], tools)

    def test_whole_tool_calls(self):
        tools = [{'type': 'function', 'function': {'name': 'weather', 'parameters': {'type': 'object'}}}]
        reply = self.server.chat('fake/x;tools', tools=tools)
        call = reply.json()['choices'][0]['message']['tool_calls'][0]
        self.assertEqual(call['function']['name'], 'weather')

    # --- names ---

    def test_aliases(self):
        for alias, upstream in (('quick', 'gpt-small'), ('quicker', 'gpt-small'), ('direct', 'gpt-direct')):
            self.fake.reset()
            reply = self.server.chat(alias)
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(self.last().model, upstream)
            self.assertEqual(self.record_of(reply.request_id)['model'], alias)

    def test_provider_and_model(self):
        self.server.chat('second/deep/name')
        self.assertEqual(self.second.seen[0].model, 'deep/name')

    def test_unknown_model(self):
        reply = self.server.chat('smal')
        error = self.check_error(reply, 404, 'model_not_found', 'invalid_request_error', 'model')
        self.assertIn('small', error['message'])
        self.assertEqual(self.fake.seen, [])

    # --- targets in turn ---

    def test_second_target(self):
        for model in ('after-503', 'after-429', 'after-refused', 'after-reset'):
            for stream in (False, True):
                with self.subTest(model, stream=stream):
                    self.second.reset()
                    reply = self.server.chat(model, stream=stream)
                    self.assertEqual(reply.status, 200, reply)
                    self.assertEqual(reply.header('x-penstock-provider'), 'second')
                    self.assertEqual(reply.header('x-penstock-model'), 'b')
                    self.assertEqual([s.model for s in self.second.seen], ['b'])
                    record = self.record_of(reply.request_id)
                    self.assertEqual((record['provider'], record['upstream_model'], record['model']),
                                     ('second', 'b', model))
                    self.assertEqual(record['output_tokens'], self.second.seen[0].usage[1])

    def test_a_wrong_request_is_not_tried_elsewhere(self):
        reply = self.server.chat('after-400')
        self.assertEqual(reply.status, 400)
        self.assertEqual(reply.body, self.last().answer_body)
        self.assertEqual(self.second.seen, [])

    def test_last_error_when_all_targets_fail(self):
        reply = self.server.chat('all-fail')
        self.assertEqual(reply.status, 502, reply)
        self.assertEqual(reply.body, self.second.seen[0].answer_body)

    # --- the other endpoints ---

    def test_completions(self):
        body = b'{"model":"small","prompt":"Once"}'
        reply = self.server.post('/v1/completions', body)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual((self.last().path, reply.body), ('/v1/completions', self.last().answer_body))
        self.assertEqual(self.record_of(reply.request_id)['endpoint'], 'completions')

    def test_streamed_completions(self):
        reply = self.server.post('/v1/completions', b'{"model":"small","prompt":"Once","stream":true}')
        self.assertEqual(reply.body, self.without_usage(self.last().answer_body))
        self.assertEqual(self.record_of(reply.request_id)['output_tokens'], self.last().usage[1])

    def test_embeddings(self):
        for extra in ('', ',"encoding_format":"base64"'):
            self.fake.reset()
            reply = self.server.post('/v1/embeddings', b'{"model":"small","input":["a","b"]%s}' % extra.encode())
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual((self.last().path, reply.body), ('/v1/embeddings', self.last().answer_body))
            record = self.record_of(reply.request_id)
            self.assertEqual((record['endpoint'], record['input_tokens'], record['output_tokens']),
                             ('embeddings', self.last().usage[0], 0))

    def test_models(self):
        reply = self.server.get('/v1/models', key=self.server.key)
        names = [m['id'] for m in reply.json()['data']]
        self.assertEqual(reply.json()['object'], 'list')
        for name in ('small', 'same', 'quick', 'direct', 'zürich'):
            self.assertIn(name, names)
        one = self.server.get('/v1/models/small', key=self.server.key)
        self.assertEqual((one.status, one.json()['id'], one.json()['object']), (200, 'small', 'model'))
        self.check_error(self.server.get('/v1/models/nothing', key=self.server.key), 404, 'model_not_found')
        self.assertEqual(self.server.get('/v1/models/offline%2Fecho', key=self.server.key).status, 200)
        for name in set(names) - {'offline/stall', 'offline/slow'}:
            self.assertNotEqual(self.server.chat(name).status, 404, name + ' is listed and cannot be called')

    def test_unknown_paths_and_methods(self):
        self.check_error(self.server.get('/v1/nothing', key=self.server.key), 404, 'not_found')
        reply = self.server.get('/v1/chat/completions', key=self.server.key)
        self.check_error(reply, 405, 'method_not_allowed')
        self.check_error(self.server.post('/v1/models', b'{}'), 405, 'method_not_allowed')

    def test_demonstration(self):
        reply = self.server.chat('offline/echo', 'say it again')
        self.assertEqual(reply.status, 200, reply)
        self.assertIn('say it again', reply.json()['choices'][0]['message']['content'])
        reply = self.server.chat('offline/echo', 'say it again', stream=True)
        text = ''.join(json.loads(e)['choices'][0]['delta'].get('content', '') for e in reply.events()[:-1])
        self.assertIn('say it again', text)
        self.assertEqual(self.server.chat('offline/fail-503').status, 503)

    # --- by the tools people use ---

    def curl(self, *args, body):
        return subprocess.run(['curl', '-sS', '--max-time', '20', *args, '--data-binary', '@-'], input=body,
                              capture_output=True, env=clean_environment(), timeout=30, check=True).stdout

    def test_curl(self):
        url = f'http://127.0.0.1:{self.server.port}/v1/chat/completions'
        auth = ['-H', f'Authorization: Bearer {self.server.key}', '-H', 'Content-Type: application/json']
        out = self.curl(url, *auth, body=chat_body('small'))
        self.assertEqual(out, self.last().answer_body)
        self.fake.reset()
        out = self.curl('-N', url, *auth, body=chat_body('small', stream=True))
        self.assertEqual(out, self.without_usage(self.last().answer_body))
        self.fake.reset()
        out = self.curl(url, *auth, '-H', 'Expect: 100-continue', body=chat_body('small', 'x' * 200_000))
        self.assertEqual(out, self.last().answer_body)
        self.fake.reset()
        out = self.curl('--http1.0', '-N', url, *auth, body=chat_body('small', stream=True))
        self.assertEqual(out, self.without_usage(self.last().answer_body))


class BasePath(Suite):
    """Providers whose API does not begin at /v1."""

    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake, base_url=f'http://{cls.fake.authority}/openai/deployments/a/')]}

    def test_path(self):
        self.assertEqual(self.server.chat('fake/x').status, 200)
        self.assertEqual(self.fake.seen[0].path, '/openai/deployments/a/chat/completions')

    def test_the_only_provider_gets_any_name(self):
        self.assertEqual(self.server.chat('whatever-name').status, 200)
        self.assertEqual(self.fake.seen[0].model, 'whatever-name')


class NoPassThrough(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'passthrough_models': False,
                'models': [{'name': 'small', 'targets': [{'provider': 'fake', 'model': 'x'}]}]}

    def test_only_what_is_listed(self):
        self.assertEqual(self.server.chat('small').status, 200)
        for name in ('x', 'fake/x'):
            self.check_error(self.server.chat(name), 404, 'model_not_found', param='model')


class Proxy(Suite):
    """A provider that is reached through an HTTP proxy: the fake plays the proxy."""

    def test_proxy(self):
        server = Penstock({'providers': [{'name': 'far', 'kind': 'openai', 'base_url': 'http://far.invalid/v1',
                                          'api_key': 'sk-fake', 'proxy': f'http://127.0.0.1:{self.fake.port}'}]})
        self.addCleanup(server.remove)
        server.start()
        self.fake.authority = 'far.invalid'
        self.addCleanup(setattr, self.fake, 'authority', f'127.0.0.1:{self.fake.port}')
        reply = server.chat('x')
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.fake.seen[0].path, 'http://far.invalid/v1/chat/completions')
        server.stop()


if __name__ == '__main__':
    main()
