#!/usr/bin/env python3
# Encryption and HTTP/2 towards clients: versions, names, client certificates, reload of certificates, h2 and h2c.
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile

from harness import Conn, Suite, chat_body, clean_environment, eventually, fake_provider, free_port, main, request_bytes


class Authority:
    """Certificates for tests, all in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=Test CA',
                 '-addext', 'basicConstraints=critical,CA:true', '-keyout', self.path('ca.key'), '-out', self.path('ca.pem'))

    def run(self, *args):
        subprocess.run(['openssl', *args], check=True, capture_output=True, cwd=self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, file, name, *names):
        """file.pem and file.key"""
        with open(self.path('ext'), 'w', encoding='ascii') as f:
            f.write('subjectAltName=' + ','.join(names or (f'DNS:{name}',)) + '\n')
        self.run('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', f'/CN={name}',
                 '-keyout', self.path(file + '.key'), '-out', self.path('csr'))
        self.run('x509', '-req', '-in', self.path('csr'), '-CA', self.path('ca.pem'), '-CAkey', self.path('ca.key'), '-CAcreateserial',
                 '-days', '2', '-extfile', self.path('ext'), '-out', self.path(file + '.pem'))
        return {'cert': self.path(file + '.pem'), 'key': self.path(file + '.key')}


class Secure(Suite):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix='penstock-test-')
        cls.addClassCleanup(folder.cleanup)
        cls.ca = Authority(folder.name)
        cls.main = cls.ca.issue('main', 'localhost', 'DNS:localhost', 'IP:127.0.0.1')
        cls.other = cls.ca.issue('other', 'other.test')
        cls.wild = cls.ca.issue('wild', '*.wild.test')
        cls.client = cls.ca.issue('client', 'client')
        cls.ports = {name: free_port() for name in ('tls', 'old', 'mutual', 'asked')}
        super().setUpClass()

    @classmethod
    def config(cls):
        sni = [{'name': 'other.test', **cls.other}, {'name': '*.wild.test', **cls.wild}]
        tls = {'tls': {**cls.main, 'sni': sni}, 'old': {**cls.main, 'min_version': '1.2'},
               'mutual': {**cls.main, 'client_ca': cls.ca.path('ca.pem'), 'client_auth': 'required'},
               'asked': {**cls.main, 'client_ca': cls.ca.path('ca.pem'), 'client_auth': 'optional'}}

        def config(server):
            server.listen = False
            listeners = [{'address': f'127.0.0.1:{server.port}'}]
            listeners += [{'address': f'127.0.0.1:{cls.ports[name]}', 'tls': options} for name, options in tls.items()]
            return {'providers': [fake_provider(cls.fake)], 'listeners': listeners, 'log': {'level': 'debug', 'format': 'json'}}
        return config

    def context(self, client=False, **more):
        context = ssl.create_default_context(cafile=self.ca.path('ca.pem'))
        context.set_alpn_protocols(['http/1.1'])
        if client:
            context.load_cert_chain(self.client['cert'], self.client['key'])
        for name, value in more.items():
            setattr(context, name, value)
        return context

    def connect(self, listener='tls', server_name='localhost', **more):
        return Conn(self.ports[listener], tls=self.context(**more), server_name=server_name)

    def call(self, c, stream=False):
        c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x', stream=stream), key=self.server.key))
        return c.read()

    # --- TLS ---

    def test_tls13(self):
        with self.connect() as c:
            self.assertEqual(c.sock.version(), 'TLSv1.3')
            for stream in (False, True) * 3:
                self.assertEqual(self.call(c, stream).status, 200)

    def test_large_bodies(self):
        self.fake.reset()
        with self.connect() as c:
            c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x;size=2000000', 'y' * 2_000_000), key=self.server.key))
            self.assertEqual(c.read().body, self.fake.seen[0].answer_body)

    def test_tls12_only_where_allowed(self):
        with self.assertRaises(ssl.SSLError):
            self.connect(maximum_version=ssl.TLSVersion.TLSv1_2)
        with self.connect('old', maximum_version=ssl.TLSVersion.TLSv1_2) as c:
            self.assertEqual(c.sock.version(), 'TLSv1.2')
            self.assertEqual(self.call(c).status, 200)
        for listener in ('tls', 'old'):
            done = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{self.ports[listener]}', '-tls1_1',
                                   '-cipher', 'ALL:@SECLEVEL=0'], input=b'', capture_output=True)
            self.assertNotEqual(done.returncode, 0)

    def test_names(self):
        for name, subject in (('localhost', 'localhost'), ('other.test', 'other.test'), ('a.wild.test', '*.wild.test'),
                              ('OTHER.test', 'other.test')):
            with self.subTest(name), self.connect(server_name=name) as c:
                self.assertEqual(dict(c.sock.getpeercert()['subject'][0])['commonName'], subject)
                self.assertEqual(self.call(c).status, 200)
        for name in ('unknown.test', 'a.b.wild.test', 'wild.test'):
            with self.assertRaises(ssl.SSLCertVerificationError):
                self.connect(server_name=name)

    def test_client_certificates(self):
        with self.connect('mutual', client=True) as c:
            self.assertEqual(self.call(c).status, 200)
        with self.connect('asked') as c:
            self.assertEqual(self.call(c).status, 200)
        with self.connect('asked', client=True) as c:
            self.assertEqual(self.call(c).status, 200)
        self.fake.reset()
        with self.assertRaises((OSError, Exception)), self.connect('mutual') as c:  # TLS 1.3 tells at the first read
            self.call(c)
        with tempfile.TemporaryDirectory() as folder:
            stranger = Authority(folder).issue('stranger', 'client')
            context = self.context()
            context.load_cert_chain(stranger['cert'], stranger['key'])
            for listener in ('mutual', 'asked'):
                with self.assertRaises((OSError, Exception)), Conn(self.ports[listener], tls=context) as c:
                    self.call(c)
        self.assertEqual(self.fake.seen, [])

    def test_plain_text_on_a_tls_port(self):
        with Conn(self.ports['tls']) as c:
            c.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
            self.assertNotIn(b'HTTP/1.1 200', c.everything())
        self.check_serving()

    def test_broken_handshakes(self):
        for raw in (b'', b'\x16', b'\x16\x03\x01\xff\xff', b'\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03', os.urandom(300)):
            c = Conn(self.ports['tls'])
            c.send(raw)
            c.close()
        self.check_serving()

    def test_leaving_mid_stream_over_tls(self):
        c = self.connect()
        c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/leave;endless;gap=20', stream=True), key=self.server.key))
        next(c.pieces(c.read_head()))
        c.close()
        seen = self.fake.find('leave')[0]
        self.assertTrue(self.fake.wait(lambda: seen.gone_at))

    def serial(self):
        with self.connect() as c:
            return c.sock.getpeercert()['serialNumber']

    def test_certificates_are_read_again(self):
        for how in ('change', 'sighup'):
            before = self.serial()
            kept = self.connect()
            self.ca.issue('main', 'localhost', 'DNS:localhost', 'IP:127.0.0.1')
            if how == 'sighup':
                self.server.signal(signal.SIGHUP)
            self.assertTrue(eventually(lambda: self.serial() != before, every=0.1), how)
            self.assertEqual(self.call(kept).status, 200)
            kept.close()

    def test_a_wrong_certificate_keeps_the_old_one(self):
        before = self.serial()
        with open(self.main['cert'], encoding='ascii') as f:
            good = f.read()
        with open(self.main['cert'], 'w', encoding='ascii') as f:
            f.write('nonsense\n')
        self.server.signal(signal.SIGHUP)
        check = lambda: self.server.get('/readyz').json()['checks']['configuration']  # noqa: E731
        self.assertTrue(eventually(lambda: check()['status'] == 'degraded'))
        self.assertIn('main.pem', check()['detail'])
        self.assertEqual(self.serial(), before)
        with open(self.main['cert'], 'w', encoding='ascii') as f:
            f.write(good)
        self.server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: check()['status'] == 'ok'))

    # --- HTTP/2, by the tools there are ---

    def curl(self, url, *args, body=None):
        command = ['curl', '-sS', '--max-time', '20', '--cacert', self.ca.path('ca.pem'), '-w', '\n%{http_version} %{http_code}', *args]
        if body is not None:
            command += ['-H', f'Authorization: Bearer {self.server.key}', '-H', 'Content-Type: application/json', '--data-binary', '@-']
        done = subprocess.run([*command, url], input=body or b'', capture_output=True, env=clean_environment(), timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        body, _, tail = done.stdout.rpartition(b'\n')
        version, status = tail.decode().split()
        return version, int(status), body

    def both(self):
        yield '--http2', f'https://localhost:{self.ports["tls"]}'
        yield '--http2-prior-knowledge', f'http://127.0.0.1:{self.server.port}'

    def test_h2_calls(self):
        for option, base in self.both():
            for stream in (False, True):
                with self.subTest(option, stream=stream):
                    self.fake.reset()
                    version, status, body = self.curl(base + '/v1/chat/completions', option, body=chat_body('fake/x', stream=stream))
                    self.assertEqual((version, status), ('2', 200))
                    if stream:
                        self.assertTrue(body.endswith(b'data: [DONE]\n\n'))
                    else:
                        self.assertEqual(body, self.fake.seen[0].answer_body)

    def test_h2_large_bodies(self):
        for option, base in self.both():
            self.fake.reset()
            _, status, body = self.curl(base + '/v1/chat/completions', option, body=chat_body('fake/x;size=1500000', 'y' * 1_500_000))
            self.assertEqual((status, body), (200, self.fake.seen[0].answer_body))

    def test_h2_headers_and_errors(self):
        for option, base in self.both():
            _, status, head = self.curl(base + '/v1/models', option, '-D', '-', '-o', '/dev/null')
            self.assertEqual(status, 401)
            self.assertIn(b'x-request-id: req_', head)
            self.assertEqual(self.curl(base + '/v1/chat/completions', option, body=b'{')[1], 400)
            self.assertEqual(self.curl(base + '/nothing', option)[1], 404)
            self.assertEqual(self.curl(base + '/v1/chat/completions', option, body=chat_body('fake/x;fault=reset'))[1], 502)

    def test_h2_falls_back(self):
        self.assertEqual(self.curl(f'https://localhost:{self.ports["tls"]}/healthz', '--http1.1')[:2], ('1.1', 200))

    def test_h2_client_that_leaves(self):
        for option, base in self.both():
            self.fake.reset()
            curl = subprocess.Popen(['curl', '-sSN', option, '--cacert', self.ca.path('ca.pem'), base + '/v1/chat/completions',
                                     '-H', f'Authorization: Bearer {self.server.key}', '--data-binary',
                                     chat_body('fake/x;endless;gap=20', stream=True).decode()],
                                    stdout=subprocess.PIPE, env=clean_environment())
            curl.stdout.read(200)
            curl.kill()
            curl.wait()
            curl.stdout.close()
            self.assertTrue(self.fake.wait(lambda: self.fake.seen[0].gone_at), option)

    def test_h2load(self):
        if not shutil.which('h2load'):
            self.skipTest('h2load is not installed')
        with tempfile.NamedTemporaryFile() as body:
            body.write(chat_body('fake/x', stream=True))
            body.flush()
            for _, base in self.both():
                base = base.replace('localhost', '127.0.0.1')  # it asks the resolver, which may not know localhost
                self.fake.reset()
                done = subprocess.run(['h2load', '-n', '400', '-c', '4', '-m', '10', '-d', body.name, '-H',
                                       f'authorization: Bearer {self.server.key}', '-H', 'content-type: application/json',
                                       base + '/v1/chat/completions'], capture_output=True, text=True, timeout=60, env=clean_environment())
                counts = re.search(r'requests: (\d+) total.* (\d+) succeeded, (\d+) failed', done.stdout)
                self.assertEqual(counts.groups(), ('400', '400', '0'), done.stdout)
                self.assertIn('400 2xx', done.stdout)
                self.assertEqual(len(self.fake.seen), 400)

    def test_h2_many_streams_on_one_connection(self):
        if not shutil.which('nghttp'):
            self.skipTest('nghttp is not installed')
        base = f'http://127.0.0.1:{self.server.port}'
        done = subprocess.run(['nghttp', '-n', '-s', *[f'{base}/healthz?{i}' for i in range(50)]], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.stdout.count(' 200 '), 50, done.stdout + done.stderr)

    def test_h2_garbage(self):
        preface = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
        for raw in (preface + b'\xff' * 200, preface + bytes(9) + b'\x00\x00\x10\x01\x04\x00\x00\x00\x01', preface[:20],
                    preface + b'\xff\xff\xff\x00\x00\x00\x00\x00\x01', b'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'):
            with Conn(self.server.port) as c:
                c.send(raw)
                c.sock.shutdown(1)
                c.everything()
        self.check_serving()


if __name__ == '__main__':
    main()
