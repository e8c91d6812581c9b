#!/usr/bin/env python3
"""Behind load balancers: whose address keys, throttle, audit trail and access log see, and who may say so."""
import json
import signal
import subprocess

from harness import Conn, Suite, chat_body, clean_environment, eventually, fake_provider, main, request_bytes, run_cli
from test_sign_in import GOOD

CLIENT, OTHER = '198.51.100.4', '198.51.100.5'


class Proxies(Suite):
    """The suite's own connections come from 127.0.0.1, which is a trusted proxy here, as 10.0.0.0/8 is."""

    trusted = ['127.0.0.1', '10.0.0.0/8', '2001:db8:1::/48']

    @classmethod
    def config(cls, trusted=None):
        return {'server': {'trusted_proxies': cls.trusted if trusted is None else trusted},
                'providers': [fake_provider(cls.fake)],
                'log': {'format': 'json'},
                'auth': {'password': {'memory': '8 MiB', 'passes': 1},
                         'sign_in': {'max_failures': 1000, 'max_address_failures': 3, 'lock_base': '10m', 'lock_max': '1h'}}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.create_key('--admin', '--name', 'ops')['key']
        cls.count = 0

    def api(self, method, path, body=None, status=200, server=None, key=None):
        reply = (server or self.server).request(method, '/api/v1' + path, key=key or self.admin,
                                                body=json.dumps(body).encode() if body is not None else None)
        self.assertEqual(reply.status, status, reply)
        return reply.json() if reply.body else None

    def user(self):
        type(self).count += 1
        email = f'behind{self.count}@example.com'
        made = self.api('POST', '/users', {'email': email, 'name': 'Ada'}, status=201)
        self.api('POST', f'/users/{made["id"]}/password', {'password': GOOD}, status=204)
        return email

    def sign_in(self, email, password, forwarded, server=None, host='ai.example.com', **more):
        headers = {'X-Forwarded-For': forwarded, 'Host': host, **{k.replace('_', '-'): v for k, v in more.items()}}
        return (server or self.server).request('POST', '/api/v1/session', headers=headers,
                                               body=json.dumps({'email': email, 'password': password}).encode())

    def chat(self, key, forwarded, server=None):
        return (server or self.server).request('POST', '/v1/chat/completions', chat_body('fake/x'),
                                               {'X-Forwarded-For': forwarded}, key)

    def client_logged(self, reply, server=None):
        """Of the request's line in the access log."""
        def line():
            return [r for r in (server or self.server).log_lines() if r.get('request_id') == reply.request_id and 'status' in r]
        self.assertTrue(eventually(line))
        return line()[0]['client']

    def test_log_and_who_says_what(self):
        for forwarded, client in ((CLIENT, CLIENT), (f'{OTHER}, {CLIENT}', CLIENT), (f'10.0.0.1, {CLIENT}, 10.0.0.9', CLIENT),
                                  (f'{CLIENT}:4711', CLIENT), ('[2001:DB8:2::0:1]:443, 2001:db8:1::5', '2001:db8:2::1'),
                                  ('unknown', '127.0.0.1'), (f'{CLIENT}, unknown, 10.0.0.9', '10.0.0.9'), (None, '127.0.0.1'),
                                  (','.join(['10.0.0.2'] * 300), '10.0.0.2'), ('\x80\xff', '127.0.0.1')):
            with self.subTest(forwarded):
                reply = self.chat(self.server.key, forwarded)
                self.assertEqual(reply.status, 200, reply)
                self.assertEqual(self.client_logged(reply), client)
        # The control plane's lines, too.
        reply = self.server.request('GET', '/api/v1/keys', key=self.admin, headers={'X-Forwarded-For': CLIENT})
        self.assertEqual(self.client_logged(reply), CLIENT)

    def test_one_connection_many_clients(self):
        with self.server.conn() as conn:
            for client in (CLIENT, OTHER, None, CLIENT):
                conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x'), {'X-Forwarded-For': client},
                                        self.server.key))
                self.assertEqual(self.client_logged(conn.read()), client or '127.0.0.1')

    def test_http2(self):
        for client in (CLIENT, OTHER):
            done = subprocess.run(['curl', '-sS', '--max-time', '20', '--http2-prior-knowledge', '-D', '-', '-o', '/dev/null',
                                   '-H', f'X-Forwarded-For: 203.0.113.1, {client}', '-H', f'Authorization: Bearer {self.server.key}',
                                   f'http://127.0.0.1:{self.server.port}/v1/models'],
                                  capture_output=True, env=clean_environment(), timeout=30)
            self.assertEqual(done.returncode, 0, done.stderr)
            head = done.stdout.decode()
            self.assertTrue(head.startswith('HTTP/2 200'), head)
            number = head.split('x-request-id: ')[1].split()[0]
            lines = eventually(lambda n=number: [r for r in self.server.log_lines() if r.get('request_id') == n and 'status' in r])
            self.assertEqual(lines[0]['client'], client)

    def test_addresses_of_keys(self):
        key = self.api('POST', '/keys', {'name': 'bound', 'addresses': [CLIENT + '/32']}, status=201)
        self.assertTrue(eventually(lambda: self.chat(key['key'], CLIENT).status == 200))
        self.assertEqual(self.chat(key['key'], f'{OTHER}, {CLIENT}').status, 200)
        # Writing the field oneself does not help: the proxy adds whom it saw.
        for forwarded in (OTHER, f'{CLIENT}, {OTHER}', None, 'unknown', f'{CLIENT};'):
            error = self.check_error(self.chat(key['key'], forwarded), 403, 'permission_denied')
            self.assertNotIn(CLIENT, error['message'])
        used = eventually(lambda: (lambda r: r['last_used_address'] and r)(self.api('GET', f'/keys/{key["id"]}')))
        self.assertEqual(used['last_used_address'], CLIENT)
        # Keys that were refused are told with the client's address.
        events = eventually(lambda: [e for e in self.api('GET', '/audit?action=key.anomaly&limit=100')['data']
                                     if key['id'] in json.dumps(e)])
        self.assertTrue(events)
        self.assertLessEqual({e['address'] for e in events}, {OTHER, '127.0.0.1'})

    def test_throttle_and_audit(self):
        email, locked, free = self.user(), '203.0.113.50', '203.0.113.51'
        for _ in range(3):
            self.assertEqual(self.sign_in(email, 'wrong password 1', locked).status, 401)
        self.assertEqual(self.sign_in(email, GOOD, locked).status, 429)
        # Another name before it is still the same client, and others behind the same proxy go on.
        self.assertEqual(self.sign_in(email, GOOD, f'203.0.113.99, {locked}').status, 429)
        self.assertEqual(self.sign_in(email, GOOD, free).status, 200)
        events = [e for e in self.api('GET', '/audit?action=session.sign_in&limit=100')['data'] if email in json.dumps(e)]
        self.assertEqual({e['address'] for e in events if e['outcome'] == 'ok'}, {free})
        self.assertEqual({e['address'] for e in events if e['outcome'] != 'ok'}, {locked})

    def test_tls_before_the_proxy(self):
        email = self.user()
        local = {'host': 'localhost', 'forwarded': '127.0.0.1'}
        # On this machine, without a word of TLS, the cookie is the plain one; with it, it is not.
        self.assertTrue(self.sign_in(email, GOOD, **local).header('set-cookie').startswith('penstock-session='))
        reply = self.sign_in(email, GOOD, X_Forwarded_Proto='https', **local)
        self.assertRegex(reply.header('set-cookie'), r'^__Host-penstock-session=.*; Secure$')
        # A page of the same name without TLS is another origin.
        good = {'X_Forwarded_Proto': 'https', 'Origin': 'https://ai.example.com'}
        self.assertEqual(self.sign_in(email, GOOD, CLIENT, **good).status, 200)
        self.assertEqual(self.sign_in(email, GOOD, CLIENT, **{**good, 'Origin': 'http://ai.example.com'}).status, 403)
        # X-Forwarded-Host is nobody's word.
        other = {**good, 'Origin': 'https://evil.example', 'X_Forwarded_Host': 'evil.example'}
        self.assertEqual(self.sign_in(email, GOOD, CLIENT, **other).status, 403)

    def test_strangers_and_reload(self):
        server = self.spawn(self.config(trusted=['10.0.0.0/8']))
        self.assertEqual(self.client_logged(self.chat(server.key, CLIENT, server), server), '127.0.0.1')
        reply = server.request('POST', '/api/v1/session', headers={'X-Forwarded-Proto': 'https', 'Host': 'localhost',
                                                                   'Origin': 'http://localhost'},
                               body=json.dumps({'email': 'nobody@example.com', 'password': GOOD}).encode())
        self.assertEqual(reply.status, 401, reply)  # not 403: it is not taken for TLS
        conn = Conn(server.port)

        def seen():
            conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x'), {'X-Forwarded-For': CLIENT}, server.key))
            return self.client_logged(conn.read(), server)
        self.assertEqual(seen(), '127.0.0.1')
        # A connection that is open follows, both ways.
        for trusted, client in ((self.trusted, CLIENT), ([], '127.0.0.1')):
            server.write_config(self.config(trusted=trusted))
            server.signal(signal.SIGHUP)
            self.assertTrue(eventually(lambda c=client: seen() == c, seconds=10), trusted)
        conn.close()
        server.stop()

    def test_what_is_no_range(self):
        for wrong in ('10.0.0.1/8', 'proxy.example.com', '10.0.0.0/33', '::/129', '[::1]', '10.0.0.0-10.0.0.9', '*'):
            path = self.server.config_path + '.wrong'
            with open(path, 'w', encoding='utf-8') as f:
                f.write(json.dumps({'server': {'trusted_proxies': ['10.0.0.1', wrong]}, 'providers': [{'name': 'demo'}]}))
            done = run_cli('config', 'validate', path)
            self.assertNotEqual(done.returncode, 0, wrong)
            self.assertIn('server.trusted_proxies[1]: expected an address such as', done.stdout + done.stderr)


if __name__ == '__main__':
    main()
