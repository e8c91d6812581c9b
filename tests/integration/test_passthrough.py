#!/usr/bin/env python3
"""What has no dialect of its own: /passthrough/PROVIDER/…, authenticated, metered where usage can be read, audited."""
import gzip
import http.server
import json
import threading

from harness import Suite, eventually, fake_provider, main, request_bytes, Conn


class Provider(http.server.BaseHTTPRequestHandler):
    """Tells what it was asked; /v1/counted tells usage, /v1/sound bytes, /v1/events a stream."""
    protocol_version = 'HTTP/1.1'
    seen = []

    def answer(self):
        body = self.rfile.read(int(self.headers.get('content-length', 0)))
        self.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        where = self.path.split('?')[0]
        kind, out, status = 'application/json', b'{"ok":true}', 200
        if where == '/v1/counted':
            out = b'{"object":"list","usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}'
        elif where == '/v1/sound':
            kind, out = 'audio/mpeg', bytes(range(256)) * 100
        elif where == '/v1/events':
            kind, out = 'text/event-stream', (b'data: {"x":1}\n\ndata: {"choices":[],"usage":{"prompt_tokens":3,'
                                              b'"completion_tokens":2}}\n\ndata: [DONE]\n\n')
        elif where == '/v1/empty':
            out, status = b'', 204
        elif where == '/v1/flaky' and len(self.seen) == 1:
            out, status = b'{"error":{"message":"try again","type":"server_error"}}', int(self.headers.get('openai-status', 503))
        elif where == '/v1/none':
            out, status = b'{"error":{"message":"nothing here","type":"invalid_request_error"}}', 404
        self.send_response(status)
        if status != 204:
            self.send_header('content-type', kind)
            self.send_header('content-length', str(len(out)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(out)

    do_GET = do_POST = do_DELETE = do_PATCH = do_HEAD = do_TRACE = do_PUT = answer

    def log_message(self, *_):
        pass


class Passthrough(Suite):
    @classmethod
    def setUpClass(cls):
        cls.other = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Provider)
        threading.Thread(target=cls.other.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.other.server_close)
        cls.addClassCleanup(cls.other.shutdown)
        super().setUpClass()
        cls.admin = cls.server.create_key('--admin', '--name', 'ops')['key']

    @classmethod
    def config(cls):
        url = f'http://127.0.0.1:{cls.other.server_address[1]}/v1'
        other = {'kind': 'openai', 'base_url': url, 'api_key': 'sk-of-the-provider', 'passthrough': True}
        return {'providers': [{'name': 'other', **other}, {'name': 'second', **other}, fake_provider(cls.fake)],
                'routing': {'retry': {'same_target': 1, 'base': '1ms'}},
                'tenants': [{'name': 'small', 'limits': {'max_body': '2KiB', 'max_response': '2KiB'}}],
                'prices': {'other/m': {'input': 1000, 'output': 2000}}}

    def setUp(self):
        super().setUp()
        Provider.seen.clear()

    def test_any_method_path_and_body(self):
        reply = self.server.request('PATCH', '/passthrough/other/vector_stores/vs_1?limit=2&after=x%2Fy', b'{"name":"n"}',
                                    {'X-Api-Key': self.server.key, 'Cookie': 'a=b', 'X-Beta': 'one',
                                     'Content-Type': 'application/json', 'X-Penstock-Strict': 'true'})
        self.assertEqual((reply.status, reply.json()), (200, {'ok': True}))
        (method, path, headers, body), = Provider.seen
        self.assertEqual((method, path, body), ('PATCH', '/v1/vector_stores/vs_1?limit=2&after=x%2Fy', b'{"name":"n"}'))
        self.assertEqual(headers['authorization'], 'Bearer sk-of-the-provider')
        self.assertEqual(headers['x-beta'], 'one')
        for ours in ('x-api-key', 'cookie', 'x-penstock-strict'):
            self.assertNotIn(ours, headers)
        self.assertNotIn(self.server.key, json.dumps(headers))
        for method in ('GET', 'DELETE'):
            self.assertEqual(self.server.request(method, '/passthrough/other/files', key=self.server.key).status, 200)

    def test_usage_is_metered(self):
        reply = self.server.post('/passthrough/other/counted', b'{"model":"m"}')
        self.assertEqual(reply.status, 200)
        record = self.record_of(reply.request_id)
        self.assertEqual((record['endpoint'], record['model'], record['input_tokens'], record['output_tokens']),
                         ('passthrough', 'other/m', 11, 7))
        self.assertEqual(record['cost_usd'], 0.025)
        reply = self.server.post('/passthrough/other/events', b'{"model":"m","stream":true}')
        self.assertIn(b'"usage"', reply.body)  # nothing is taken out
        self.assertEqual(self.record_of(reply.request_id)['input_tokens'], 3)

    def test_bytes_that_are_no_json(self):
        reply = self.server.post('/passthrough/other/sound', b'{"model":"m"}')
        self.assertEqual((reply.header('content-type'), reply.body), ('audio/mpeg', bytes(range(256)) * 100))

    def test_what_makes_something_is_sent_once(self):
        for method, status, times in (('POST', 503, 1), ('PATCH', 500, 1), ('POST', 429, 2), ('GET', 503, 2), ('DELETE', 500, 2)):
            with self.subTest(method, status=status):
                Provider.seen.clear()
                body = b'{"model":"m"}' if method != 'GET' else None
                reply = self.server.request(method, '/passthrough/other/flaky', body, {'OpenAI-Status': str(status)}, self.server.key)
                self.assertEqual((reply.status, len(Provider.seen)), (200 if times == 2 else status, times))

    def test_its_errors(self):
        reply = self.server.get('/passthrough/other/none', key=self.server.key)
        self.assertEqual((reply.status, reply.json()['error']['message']), (404, 'nothing here'))

    def test_who_may(self):
        self.assertEqual(self.server.request('GET', '/passthrough/other/files').status, 401)
        self.check_error(self.server.get('/passthrough/fake/files', key=self.server.key), 403, 'permission_denied')
        self.check_error(self.server.get('/passthrough/nobody/files', key=self.server.key), 404, 'not_found')
        some = self.server.create_key('--models', 'other/m')['key']
        self.check_error(self.server.get('/passthrough/other/files', key=some), 403, 'model_not_allowed', param='model')
        all_of_it = self.server.create_key('--models', 'other/*')['key']
        self.assertEqual(self.server.get('/passthrough/other/files', key=all_of_it).status, 200)

    def test_a_model_that_is_denied(self):
        done = self.server.cli('grant', 'create', 'principal=tenant', 'effect=deny', 'permissions=model:*',
                               'resource=model/other/secret-*')
        self.assertEqual(done.returncode, 0, done.stderr)
        reply = self.server.post('/passthrough/other/counted', b'{"model":"secret-1"}')
        self.check_error(reply, 403, 'model_not_allowed', param='model')
        self.assertEqual(self.server.post('/passthrough/other/counted', b'{"model":"m"}').status, 200)
        Provider.seen.clear()
        for body in (b'{"model":"m","model":"secret-1"}', b'{"mod\\u0065l":"secret-1"}'):  # nor in other clothes
            self.assertIn(self.server.post('/passthrough/other/counted', body).status, (400, 403), body)
        packed = gzip.compress(b'{"model":"secret-1"}')
        reply = self.server.post('/passthrough/other/counted', packed, {'Content-Encoding': 'gzip'})
        self.assertEqual((reply.status, Provider.seen), (415, []))

    def test_paths_do_not_leave(self):
        for path in ('/passthrough/other/../admin', '/passthrough/other/a/%2e%2e/%2e%2e/b', '/passthrough/other/./x'):
            with Conn(self.server.port) as conn:
                conn.send(request_bytes('GET', path, key=self.server.key))
                self.assertEqual(conn.read().status, 400, path)
        self.assertEqual(Provider.seen, [])

        for path in ('/passthrough/other/a/%252e%252e/%252e%252e/b', '/passthrough/other/a/..%5cb'):
            with Conn(self.server.port) as conn:
                conn.send(request_bytes('GET', path, key=self.server.key))
                self.assertEqual(conn.read().status, 400, path)
        self.assertEqual(Provider.seen, [])

    def test_answers_without_a_body(self):
        reply = self.server.request('DELETE', '/passthrough/other/empty', key=self.server.key)
        self.assertEqual((reply.status, reply.body), (204, b''))
        with Conn(self.server.port) as conn:
            for _ in range(2):  # the connection goes on
                conn.send(request_bytes('HEAD', '/passthrough/other/files', key=self.server.key))
                self.assertEqual(conn.read(bodyless=True).status, 200)

    def test_nothing_is_traced(self):
        # A provider that answers TRACE tells what it was sent: its key.
        with Conn(self.server.port) as conn:
            conn.send(request_bytes('TRACE', '/passthrough/other/files', key=self.server.key))
            self.assertEqual(conn.read().status, 405)
        self.assertEqual(Provider.seen, [])

    def test_what_is_the_connections(self):
        self.server.request('GET', '/passthrough/other/files', None,
                            {'X-Hop': '1', 'X-Kept': '2', 'Connection': 'keep-alive, X-Hop'}, key=self.server.key)
        (_, _, headers, _), = Provider.seen
        self.assertNotIn('x-hop', headers)
        self.assertEqual(headers['x-kept'], '2')

    def test_the_tenants_limits_hold(self):
        small = self.server.create_key('--tenant', 'small')['key']
        reply = self.server.post('/passthrough/other/files', b'x' * 3000, key=small)
        self.assertEqual(reply.status, 413)
        self.assertEqual(Provider.seen, [])

    def test_a_provider_that_is_this_very_server(self):
        def config(server):
            return {'auth': {'required': False},
                    'providers': [{'name': 'me', 'kind': 'openai', 'api_key': 'sk-whatever', 'passthrough': True,
                                   'base_url': f'http://127.0.0.1:{server.port}/passthrough/me'}]}
        server = self.spawn(config)
        self.assertEqual(server.get('/passthrough/me/x').status, 508)

    def test_is_audited(self):
        key = self.server.create_key('--name', 'audited')['key']
        for method in ('GET', 'FROB'):
            for provider in ('other', 'second'):
                self.server.request(method, f'/passthrough/{provider}/files', key=key)
        def told():
            events = self.server.get('/api/v1/audit?action=provider.passthrough', key=self.admin).json()['data']
            return {(e['resource_id'], e['reason']) for e in events if e['actor_name'] == key[:9]}
        want = {(provider, f'{method} {provider}') for method in ('GET', 'OTHER') for provider in ('other', 'second')}
        self.assertTrue(eventually(lambda: told() == want), told())


if __name__ == '__main__':
    main()
