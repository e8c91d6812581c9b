#!/usr/bin/env python3
"""The control plane's API of the real server: reading, changing and rolling back the configuration, events, webhooks."""

import base64
import hashlib
import hmac
import http.server
import json
import queue
import threading

from harness import WAIT, Penstock, Suite, eventually, fake_provider, in_parallel, main, request_bytes

SECRET = 'whsec_' + base64.b64encode(b'a secret of thirty-two bytes ...').decode()


class Receiver:
    """A webhook's other end: hands each delivery to the test, and answers with what `answers` holds, then with 204."""

    def __init__(self):
        self.posts, self.answers = queue.Queue(), queue.Queue()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                body = self.rfile.read(int(self.headers['content-length']))
                receiver.posts.put((self.path, self.headers, body))
                try:
                    status = receiver.answers.get_nowait()
                except queue.Empty:
                    status = 204
                self.send_response(status)
                self.send_header('content-length', '0')
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self.server.server_port}/hook'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, kind=None):
        """The next delivery, or the next of that type."""
        while True:
            path, headers, body = self.posts.get(timeout=WAIT)
            if kind is None or json.loads(body)['type'] == kind:
                return path, headers, body

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Events:
    """An open event stream."""

    def __init__(self, server, key, query='', headers=None):
        self.conn = server.conn()
        self.conn.send(request_bytes('GET', '/api/v1/events' + query, headers=headers, key=key))
        self.reply = self.conn.read_head()
        self.pieces = self.conn.pieces(self.reply)
        self.text = ''

    def next(self, name=None):
        """The next event as (id, name, data), or the next of that name."""
        while True:
            while '\n\n' not in self.text:
                self.text += next(self.pieces).decode()
            event, self.text = self.text.split('\n\n', 1)
            fields = dict(line.split(': ', 1) for line in event.split('\n') if not line.startswith(':'))
            if 'data' in fields and name in (None, fields['event']):
                return fields['id'], fields['event'], json.loads(fields['data'])

    def close(self):
        self.conn.close()


class AdminSuite(Suite):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.create_key('--admin', '--name', 'ops')['key']

    def api(self, method, path, body=None, headers=None, key=None, server=None, status=200):
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        reply = (server or self.server).request(method, '/api/v1' + path, body, headers, key or self.admin)
        self.assertEqual(reply.status, status, reply)
        self.assertEqual(reply.header('content-type'), 'application/json')
        self.assertEqual(reply.header('cache-control'), 'no-store')
        self.assertRegex(reply.request_id or '', r'^req_[0-9a-z]{13}$')
        return reply

    def values(self, query='', **more):
        return {v['key']: v['value'] for v in self.api('GET', '/config' + query, **more).json()['values']}

    def check_problem(self, reply, code):
        self.assertEqual(sorted(reply.json()['error']), ['code', 'message', 'type'])
        self.assertEqual(reply.json()['error']['code'], code)


class Changes(AdminSuite):

    @classmethod
    def config(cls):
        # Two providers: a model's name that nobody knows is not passed on.
        return {**super().config(), 'providers': [fake_provider(cls.fake), {'name': 'demo', 'kind': 'demo'}]}

    def tearDown(self):
        self.server.request('DELETE', '/api/v1/config/live', key=self.admin)
        super().tearDown()

    def test_admins_only(self):
        self.check_problem(self.api('GET', '/config', key='ps-' + 'a' * 43, status=401), 'invalid_api_key')
        self.check_problem(self.api('GET', '/config', key=self.server.key, status=403), 'permission_denied')
        reply = self.server.request('GET', '/api/v1/config')
        self.assertEqual(reply.status, 401)
        self.assertIn('Bearer', reply.header('www-authenticate'))

    def test_revoked_at_once(self):
        made = self.server.create_key('--admin', '--name', 'short')
        self.api('GET', '/config', key=made['key'])
        self.assertEqual(self.server.cli('key', 'revoke', made['id']).returncode, 0)
        self.api('GET', '/config', key=made['key'], status=401)

    def test_paths(self):
        self.assertIn('/api/v1/config', self.api('GET', '/confg', status=404).json()['error']['message'])
        self.assertEqual(self.api('PUT', '/config', status=405).header('allow'), 'GET, PATCH')
        self.check_serving()

    def test_read(self):
        reply = self.api('GET', '/config?view=set')
        self.assertEqual(reply.header('etag'), f'"{reply.json()["version"]}"')
        values = self.values('?view=set')
        self.assertEqual(values['log.level'], 'debug')
        self.assertNotIn('sk-fake', reply.body.decode())
        self.assertIn('limits.max_body', self.values('?view=effective'))
        one = self.api('GET', '/config?key=log.level&sources=1').json()['values']
        self.assertEqual([v['key'] for v in one], ['log.level'])
        self.assertEqual(one[0]['source']['layer'], 'file')
        self.assertEqual(self.api('GET', '/config/schema').json()['$schema'],
                         'https://json-schema.org/draft/2020-12/schema')

    def test_patch_takes_effect(self):
        self.check_error(self.server.chat('swift'), 404, 'model_not_found', param='model')
        before = self.api('GET', '/config').json()['version']
        reply = self.api('PATCH', '/config', {'aliases': {'swift': 'fake/well'}})
        done = reply.json()
        self.assertEqual(reply.header('etag'), f'"{done["version"]}"')
        self.assertGreater(done['version'], before)
        self.assertFalse(done['dry_run'])
        self.assertEqual(done['restarts'], 0)
        self.assertIn('aliases', json.dumps(done['changes']))
        # Every loop has it when the answer is there.
        for status in in_parallel(8, lambda _: self.server.chat('swift').status):
            self.assertEqual(status, 200)
        source = self.api('GET', '/config?key=aliases.swift&sources=1').json()['values'][0]['source']
        self.assertEqual(source['layer'], 'live')
        self.api('PATCH', '/config', {'aliases': {'swift': None}})
        self.check_error(self.server.chat('swift'), 404, 'model_not_found', param='model')

    def test_dry_run(self):
        before = self.api('GET', '/config').json()['version']
        done = self.api('PATCH', '/config?dry_run=1', {'log': {'level': 'warn'}}).json()
        self.assertTrue(done['dry_run'])
        self.assertEqual([(c['key'], c['after']) for c in done['changes']], [('log.level', 'warn')])
        self.assertEqual(self.values('?key=log.level'), {'log.level': 'debug'})
        self.assertEqual(self.api('GET', '/config').json()['version'], before)

    def test_dry_run_leaves_limits(self):
        limits = {'providers': {'fake': {'limits': {'requests_per_minute': 1}}}}
        self.assertTrue(self.api('PATCH', '/config?dry_run=1', limits).json()['changes'])
        self.assertEqual([self.server.chat('fake/well').status for _ in range(3)], [200] * 3)

    def test_dry_run_leaves_shadows(self):
        self.api('PATCH', '/config', {'models': {
            'behind': {'targets': [{'provider': 'fake', 'model': 'shade'}]},
            'mirrored': {'targets': [{'provider': 'fake', 'model': 'well'}], 'shadow': {'model': 'behind', 'share': 1}}}})
        self.assertTrue(self.api('PATCH', '/config?dry_run=1', {'models': {'mirrored': {'shadow': {'share': 0}}}}).json()['changes'])
        self.fake.reset()
        for _ in range(4):
            self.assertEqual(self.server.chat('mirrored').status, 200)
        self.assertTrue(eventually(lambda: [json.loads(s.body)['model'] for s in self.fake.seen].count('shade') == 4))
        self.api('PATCH', '/config', {'models': {'mirrored': {'shadow': {'share': 0}}}})
        self.fake.reset()
        self.assertEqual(self.server.chat('mirrored').status, 200)
        self.api('PATCH', '/config', {'models': {'mirrored': None, 'behind': None}})
        self.assertEqual([json.loads(s.body)['model'] for s in self.fake.seen], ['well'])

    def test_items_by_name(self):
        self.api('PATCH', '/config', {'models': {'fast': {'targets': [{'provider': 'fake', 'model': 'well'}]}}})
        self.assertEqual(self.server.chat('fast').status, 200)
        self.api('PATCH', '/config', {'models': {'fast': {'price': {'input': 1, 'output': 2}}}})
        reply = self.server.chat('fast')
        self.assertEqual(reply.status, 200)
        self.assertNotEqual(reply.header('x-penstock-cost-usd'), 'unknown')
        self.api('PATCH', '/config', {'models': [{'name': 'only', 'targets': [{'provider': 'fake', 'model': 'well'}]}]})
        self.check_error(self.server.chat('fast'), 404, 'model_not_found', param='model')
        self.assertEqual(self.server.chat('only').status, 200)

    def test_refused(self):
        before = self.api('GET', '/config').json()['version']
        for body in ({'log': {'level': 'loud'}}, {'lgo': {}}, {'log': 'debug'}, {'models': {'m': {'targets': []}}},
                     {'providers': {'fake': {'base_url': 'no url'}}}, {'providers': []}):
            reply = self.api('PATCH', '/config', body, status=422)
            self.check_problem(reply, 'config_invalid')
            self.assertTrue(reply.json()['problems'], body)
        for body in (b'', b'{', b'[]', b'{"log":', b'\xff', b'{}'):
            self.api('PATCH', '/config', body, status=400)
        for body in ({'storage': {'data': '/elsewhere'}}, {'profiles': {'a': {}}}, {'include': ['x']}, {'version': 2}):
            self.api('PATCH', '/config', body, status=400)
        self.assertEqual(self.api('GET', '/config').json()['version'], before)
        self.check_serving()

    def test_if_match(self):
        etag = self.api('PATCH', '/config', {'log': {'access': False}}).header('etag')
        self.api('PATCH', '/config', {'log': {'access': True}}, {'If-Match': etag})
        reply = self.api('PATCH', '/config', {'log': {'access': False}}, {'If-Match': etag}, status=412)
        self.check_problem(reply, 'version_conflict')
        self.assertEqual(self.values('?key=log.access'), {'log.access': True})

    def test_many_at_once(self):
        """Each of many changes made at the same time is there in the end."""
        in_parallel(16, lambda i: self.api('PATCH', '/config', {'aliases': {f'many-{i}': 'fake/well'}}))
        aliases = self.values('?key=aliases')
        self.assertEqual(sum(1 for key in aliases if key.startswith('aliases.many-')), 16, aliases)

    def test_taken_back(self):
        self.api('PATCH', '/config', {'log': {'level': 'info'}, 'aliases': {'a': 'fake/well'}})
        self.api('DELETE', '/config/live?key=log.level')
        self.assertEqual(self.values('?key=log.level'), {'log.level': 'debug'})
        self.assertEqual(self.server.chat('a').status, 200)
        self.api('DELETE', '/config/live?key=log.level', status=404)
        self.api('DELETE', '/config/live')
        self.check_error(self.server.chat('a'), 404, 'model_not_found', param='model')

    def test_history_and_rollback(self):
        first = self.api('PATCH', '/config', {'aliases': {'old': 'fake/well'}}).json()['version']
        self.api('PATCH', '/config', {'aliases': {'old': None, 'new': 'fake/well'}})
        versions = self.api('GET', '/config/history?limit=2').json()['versions']
        self.assertEqual([v['version'] for v in versions], [first + 1, first])
        self.assertRegex(versions[0]['actor'], r'^admin key ps-.{6} \(ops\)$')
        whole = self.api('GET', f'/config/history/{first}').json()
        self.assertEqual(whole['config']['aliases'], {'old': 'fake/well'})
        self.assertNotIn('sk-fake', json.dumps(whole))
        self.api('GET', '/config/history/999999', status=404)
        self.api('POST', '/config/rollback', {'version': 999999}, status=404)
        done = self.api('POST', '/config/rollback?dry_run=1', {'version': first}).json()
        self.assertTrue(done['changes'])
        self.assertEqual(self.server.chat('new').status, 200)
        self.api('POST', '/config/rollback', {'version': first})
        self.assertEqual(self.server.chat('old').status, 200)
        self.check_error(self.server.chat('new'), 404, 'model_not_found', param='model')

    def test_validate_and_diff(self):
        text = json.dumps(self.config())
        self.assertEqual(self.api('POST', '/config/validate', text).json(), {'valid': True, 'problems': []})
        bad = self.api('POST', '/config/validate', 'log:\n  levle: debug\n').json()
        self.assertFalse(bad['valid'])
        self.assertEqual((bad['problems'][0]['line'], bad['problems'][0]['severity']), (2, 'error'))
        changed = self.config()
        changed['log']['level'] = 'error'
        changes = self.api('POST', '/config/diff', changed).json()
        self.assertEqual([(c['key'], c['before'], c['after']) for c in changes['changes']],
                         [('log.level', 'debug', 'error')])
        self.api('POST', '/config/diff', 'log: [', status=422)
        self.assertEqual(self.values('?key=log.level'), {'log.level': 'debug'})

    def test_survives_restart(self):
        server = self.spawn(self.config())
        key = server.create_key('--admin')['key']
        self.api('PATCH', '/config', {'aliases': {'kept': 'fake/well'}}, key=key, server=server)
        server.stop()
        server.start()
        self.assertEqual(server.chat('kept').status, 200)

    def test_reload(self):
        server = self.spawn(self.config())
        key = server.create_key('--admin')['key']
        config = self.config()
        config['aliases'] = {'fresh': 'fake/well'}
        server.write_config(config)
        self.api('POST', '/config/reload', key=key, server=server)
        self.assertEqual(server.chat('fresh').status, 200)
        server.write_config('log: {level: loud}')
        reply = self.api('POST', '/config/reload', key=key, server=server, status=422)
        self.assertTrue(reply.json()['problems'])
        self.assertEqual(server.chat('fresh').status, 200)


class Streams(AdminSuite):

    def test_events(self):
        events = Events(self.server, self.admin)
        self.addCleanup(events.close)
        self.assertEqual(events.reply.header('content-type'), 'text/event-stream')
        version = self.api('PATCH', '/config', {'aliases': {'e1': 'fake/well'}}).json()['version']
        first, _, data = events.next('config.applied')
        self.assertEqual(data['data']['version'], version)
        self.api('PATCH', '/config', {'aliases': {'e2': 'fake/well'}})
        second = events.next('config.applied')
        # Come back: what was missed is told.
        again = Events(self.server, self.admin, headers={'Last-Event-ID': first})
        self.addCleanup(again.close)
        self.assertEqual(again.next('config.applied'), second)

    def test_filter(self):
        events = Events(self.server, self.admin, '?names=nothing.*,other')
        self.addCleanup(events.close)
        everything = Events(self.server, self.admin, '?after=0&names=config.*')
        self.addCleanup(everything.close)
        self.api('PATCH', '/config', {'aliases': {'f1': 'fake/well'}})
        everything.next('config.applied')
        self.assertNotIn('config.applied', events.text)

    def test_for_admins(self):
        self.assertEqual(self.server.get('/api/v1/events', key=self.server.key).status, 403)

    def test_drain(self):
        """A stream that is open does not hold up the end."""
        server = self.spawn(self.config())
        key = server.create_key('--admin')['key']
        events = Events(server, key)
        self.addCleanup(events.close)
        server.stop()
        self.assertEqual(list(events.pieces)[-1:], [b'retry: 2000\n\n'])


class Webhooks(AdminSuite):

    @classmethod
    def setUpClass(cls):
        cls.receiver = Receiver()
        cls.addClassCleanup(cls.receiver.stop)
        super().setUpClass()

    @classmethod
    def config(cls):
        hook = {'name': 'test', 'url': cls.receiver.url, 'secret': SECRET, 'events': ['config.applied']}
        return {**super().config(), 'webhooks': [hook]}

    def check_signature(self, headers, body):
        signed = f'{headers["webhook-id"]}.{headers["webhook-timestamp"]}.'.encode() + body
        mac = hmac.new(base64.b64decode(SECRET.removeprefix('whsec_')), signed, hashlib.sha256).digest()
        self.assertEqual(headers['webhook-signature'], 'v1,' + base64.b64encode(mac).decode())

    def test_delivery_and_retry(self):
        self.receiver.answers.put(503)
        version = self.api('PATCH', '/config', {'aliases': {'w': 'fake/well'}}).json()['version']
        path, headers, body = self.receiver.next()
        self.assertEqual(path, '/hook')
        self.assertEqual(headers['content-type'], 'application/json')
        self.check_signature(headers, body)
        event = json.loads(body)
        self.assertEqual(event['id'], headers['webhook-id'])
        self.assertEqual(event['type'], 'config.applied')
        self.assertEqual(event['data']['version'], version)
        _, again, same = self.receiver.next()
        self.assertEqual((again['webhook-id'], same), (headers['webhook-id'], body))
        self.check_signature(again, same)
        # Changed live: the next event goes elsewhere.
        other = Receiver()
        self.addCleanup(other.stop)
        self.api('PATCH', '/config', {'webhooks': {'test': {'url': other.url}}})
        other.next('config.applied')
        self.assertEqual(self.server.metrics()['penstock_webhook_deliveries_total{webhook="test",result="retry"}'], 1)

    def test_nobody_there(self):
        """A webhook that hangs or is not there takes nothing from the server, nor from its end."""
        config = self.config()
        config['webhooks'][0]['url'] = 'http://127.0.0.1:9/'
        server = self.spawn(config)
        key = server.create_key('--admin')['key']
        for i in range(20):
            self.api('PATCH', '/config', {'aliases': {f'n{i}': 'fake/well'}}, key=key, server=server)
        self.check_serving(server)
        server.stop()
        told = [line for line in server.log_lines() if 'webhook cannot be reached' in line['msg']]
        self.assertEqual(len(told), 1)


if __name__ == '__main__':
    main()
