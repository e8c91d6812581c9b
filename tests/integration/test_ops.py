#!/usr/bin/env python3
# What operators see: health, metrics, logs, and a stop that finishes what is under way.
import json
import re
import shutil
import signal
import subprocess
import time

from harness import Incomplete, Suite, chat_body, eventually, fake_provider, in_parallel, main, request_bytes, sanitized


class Ops(Suite):
    def conf(self, **more):
        return {'providers': [fake_provider(self.fake)], 'log': {'level': 'debug', 'format': 'json'}, **more}

    def test_healthz(self):
        reply = self.server.get('/healthz')
        self.assertEqual((reply.status, reply.json()), (200, {'status': 'ok'}))
        self.assertEqual(reply.header('content-type'), 'application/json')

    def test_readyz(self):
        body = self.server.get('/readyz').json()
        self.assertEqual(body['status'], 'ready')
        self.assertEqual({name: check['status'] for name, check in body['checks'].items()}, {'usage_ledger': 'ok', 'configuration': 'ok'})
        self.assertTrue(body['version'])
        self.assertEqual(body['usage_ledger']['dropped'], 0)

    def test_welcome(self):
        self.assertEqual(self.server.get('/').json()['name'], 'penstock')

    # --- metrics ---

    def test_promtool(self):
        if not shutil.which('promtool'):
            self.skipTest('promtool is not installed')
        self.server.chat('fake/x')
        self.server.chat('fake/x', stream=True)
        self.server.chat('fake/x;status=500')
        self.server.get('/v1/models')
        text = self.server.get('/metrics').body
        done = subprocess.run(['promtool', 'check', 'metrics'], input=text, capture_output=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b'', b''))

    def test_openmetrics(self):
        reply = self.server.get('/metrics', headers={'Accept': 'application/openmetrics-text;version=1.0.0'})
        self.assertIn('openmetrics', reply.header('content-type'))
        self.assertTrue(reply.body.endswith(b'# EOF\n'))

    @staticmethod
    def total(metrics, name, **labels):
        wanted = [f'{k}="{v}"' for k, v in labels.items()]
        return sum(v for k, v in metrics.items() if k.split('{')[0] == name and all(w in k for w in wanted))

    def test_counters_are_the_drivers_own(self):
        server = self.spawn(self.conf(models=[{'name': 'priced', 'targets': [{'provider': 'fake', 'model': 'x'}],
                                               'price': {'input': 1, 'output': 2, 'cached_input': 1, 'reasoning': 2}}]))
        in_parallel(4, lambda i: [server.chat('priced', stream=i % 2 == 0) for _ in range(25)])
        for _ in range(7):
            server.chat('fake/x;status=500')
        for _ in range(3):
            server.get('/v1/models')
        m = server.metrics()
        self.assertEqual(self.total(m, 'penstock_requests_total', endpoint='chat', status='200'), 100)
        self.assertEqual(self.total(m, 'penstock_requests_total', endpoint='chat', status='500'), 7)
        self.assertEqual(self.total(m, 'penstock_requests_total', endpoint='models', status='401'), 3)
        self.assertEqual(self.total(m, 'penstock_request_duration_seconds_count', endpoint='chat', model='priced'), 100)
        self.assertEqual(self.total(m, 'penstock_time_to_first_token_seconds_count', model='priced'), 50)
        self.assertEqual(self.total(m, 'penstock_upstream_requests_total', status='200'), 100)
        self.assertEqual(self.total(m, 'penstock_upstream_requests_total', status='500'), 7)
        counts = [s.usage for s in self.fake.seen if s.usage]
        self.assertEqual(self.total(m, 'penstock_tokens_total', kind='input'), sum(c[0] for c in counts))
        self.assertEqual(self.total(m, 'penstock_tokens_total', kind='output'), sum(c[1] for c in counts))
        self.assertEqual(self.total(m, 'penstock_tenant_requests_total', tenant='default', status='200'), 100)
        self.assertEqual(self.total(m, 'penstock_tenant_tokens_total', tenant='default', kind='output'),
                         sum(c[1] for c in counts))
        self.assertEqual(self.total(m, 'penstock_tokens_total', kind='cached'), sum(c[2] for c in counts))
        self.assertAlmostEqual(self.total(m, 'penstock_cost_usd_total'), sum(c[0] + 2 * c[1] for c in counts) / 1e6, places=9)
        self.assertGreaterEqual(m['penstock_ledger_appended_total'], 107)
        self.assertTrue(eventually(lambda: server.metrics()['penstock_upstream_reused_total'] >= 90))
        self.assertTrue(eventually(lambda: server.metrics()['penstock_ledger_pending'] == 0))
        server.stop()

    def test_hostile_names_do_not_grow_the_metrics(self):
        conf = self.conf(metrics={'max_series': 100})
        conf['providers'].append({'name': 'offline', 'kind': 'demo'})  # so that not every name means the one provider
        server = self.spawn(conf)
        for i in range(300):
            server.chat(f'fake/hostile-{i}')
            server.chat(f'nobody/hostile-{i}')
            server.get(f'/v1/hostile-{i}')
        text = server.get('/metrics').body.decode()
        by_name = {}
        for line in text.split('\n'):
            if line and not line.startswith('#') and '_bucket' not in line:
                by_name.setdefault(line.split('{')[0], []).append(line)
        for name, lines in by_name.items():
            self.assertLessEqual(len(lines), 110, name)
        self.assertIn('"other"', text)
        self.assertNotIn('nobody/hostile', text)
        server.chat('fake/"\\\n{}')
        if shutil.which('promtool'):
            done = subprocess.run(['promtool', 'check', 'metrics'], input=server.get('/metrics').body, capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        server.stop()

    def test_metrics_by_key_only(self):
        server = self.spawn(self.conf(server={'public_metrics': False}))
        admin = server.create_key('--admin')['key']
        self.assertEqual(server.get('/metrics').status, 401)
        self.assertEqual(server.get('/metrics', key=server.key).status, 403)
        self.assertEqual(server.get('/metrics', key=admin).status, 200)
        server.stop()

    # --- logs ---

    def test_access_log(self):
        hostile = {'User-Agent': 'a"b\\c\x01\xff'.replace('\x01', ''), 'X-Client-Request-Id': 'mine'}
        replies = [self.server.chat('fake/x', headers=hostile), self.server.chat('fake/x', stream=True),
                   self.server.chat('no\u2028such "model"\\'), self.server.get('/v1/nothing'), self.server.get('/healthz'),
                   self.server.post('/v1/chat/completions', b'{'), self.server.get('/a%22%0a"b')]
        wanted = {r.request_id: r.status for r in replies}

        def lines():
            return {line['request_id']: line for line in self.server.log_lines() if line.get('msg') == 'request'}

        self.assertTrue(eventually(lambda: set(wanted) <= set(lines())))
        for request_id, status in wanted.items():
            self.assertEqual(lines()[request_id]['status'], status)
        line = lines()[replies[0].request_id]
        self.assertEqual((line['method'], line['path'], line['model'], line['provider'], line['stream']),
                         ('POST', '/v1/chat/completions', 'fake/x', 'fake', False))
        self.assertEqual((line['tokens_in'], line['tokens_out']), self.fake.seen[0].usage[:2])
        self.assertTrue(re.match(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$', line['ts']))
        self.assertGreater(line['duration_ms'], 0)
        for request_id in wanted:
            self.assertEqual(sum(request_id in text for text in self.server.log().split('\n')), 1)
        for text in self.server.log().split('\n'):
            if text.startswith('{'):
                json.loads(text)

    def test_log_files(self):
        server = self.spawn(None, start=False)
        server.has_config = True
        server.write_config(self.conf(log={'format': 'json', 'file': server.folder + '/events.log',
                                           'access_file': server.folder + '/access.log'}))
        server.start()
        request_id = server.chat('fake/x').request_id
        server.stop()
        with open(server.folder + '/access.log', encoding='utf-8') as f:
            lines = [json.loads(line) for line in f]
        self.assertIn(request_id, [line.get('request_id') for line in lines])
        with open(server.folder + '/events.log', encoding='utf-8') as f:
            self.assertTrue([json.loads(line) for line in f])

    def test_no_access_log(self):
        server = self.spawn(self.conf(log={'access': False, 'format': 'json'}))
        request_id = server.chat('fake/x').request_id
        server.stop()
        self.assertNotIn(request_id, server.log())

    # --- stopping ---

    def test_a_stream_is_finished_before_the_end(self):
        server = self.spawn(self.conf())
        whole, idle = server.conn(), server.conn()
        idle.send(request_bytes('GET', '/healthz'))
        idle.read()
        whole.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x;delay=700'), key=server.key))
        with server.conn() as c:
            c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x;events=20;gap=50', stream=True), key=server.key))
            reply = c.read_head()
            pieces = c.pieces(reply)
            next(pieces)
            server.signal(signal.SIGTERM)
            self.assertTrue(idle.closed(), 'an idle connection was kept')
            for _ in pieces:
                pass
            self.assertEqual(reply.events()[-1], '[DONE]')
            self.assertEqual(len(reply.events()), 22)
        self.assertEqual(whole.read().status, 200)
        server.join()
        with self.assertRaises(OSError):
            server.conn(timeout=2)
        there = {r['request_id']: r['status'] for r in server.usage()}
        self.assertEqual(there[reply.request_id], 200)

    def test_the_drain_has_an_end(self):
        server = self.spawn(self.conf(server={'drain_timeout': '500ms'}))
        with server.conn() as c:
            c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x;endless;gap=20', stream=True), key=server.key))
            reply = c.read_head()
            pieces = c.pieces(reply)
            next(pieces)
            begun = time.monotonic()
            server.stop()
            self.assertLess(time.monotonic() - begun, 15)
            with self.assertRaises(Incomplete):
                for _ in pieces:
                    pass
        self.assertTrue(self.fake.wait(lambda: self.fake.seen[0].gone_at))
        (record,) = [r for r in server.usage() if r['request_id'] == reply.request_id]
        self.assertGreater(record['output_tokens'], 0)

    def test_a_second_signal_ends_at_once(self):
        server = self.spawn(self.conf())
        with server.conn() as c:
            c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x;endless;gap=20', stream=True), key=server.key))
            next(c.pieces(c.read_head()))
            server.signal(signal.SIGTERM)
            time.sleep(0.2)
            server.signal(signal.SIGTERM)
            server.process.wait(15)

    def test_sigint(self):
        server = self.spawn(self.conf())
        server.signal(signal.SIGINT)
        server.join()

    def test_restart_on_the_same_port(self):
        server = self.spawn(self.conf())
        for _ in range(3):
            server.chat('fake/x')
            server.stop()
            server.start()
        server.stop()

    def test_memory_is_flat(self):
        server = self.spawn(self.conf(log={'access': False, 'format': 'json'}), workers=1)
        body = request_bytes('POST', '/v1/chat/completions', chat_body('fake/x', 'x' * 1500), key=server.key)

        def calls(n):
            with server.conn() as c:
                for _ in range(n):
                    c.send(body)
                    assert c.read().status == 200

        calls(1500)
        before = server.rss()
        in_parallel(4, lambda i: calls(1000))
        grown = server.rss() - before
        print(f'4000 requests more: {grown / 1024:.0f} KiB, of {before / 1024:.0f}')
        if not sanitized():
            self.assertLess(grown, 4 * 1024 * 1024)
        server.stop()


if __name__ == '__main__':
    main()
