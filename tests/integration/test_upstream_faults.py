#!/usr/bin/env python3
# Providers that fail: each fault becomes one clear error, leaves a usage record, and disturbs nobody else.
import json
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from harness import FakeUpstream, Suite, chat_body, eventually, fake_provider, free_port, main, request_bytes


def blackhole():
    """A port that takes no connection and refuses none: its backlog is full."""
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(0)
    fillers = []
    for _ in range(4):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(listener.getsockname())
        fillers.append(s)
    time.sleep(0.1)
    return listener, fillers


def self_signed(folder, name, *alternatives):
    cert, key = os.path.join(folder, name + '.pem'), os.path.join(folder, name + '.key')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
                    '-subj', '/CN=' + name, '-addext', 'subjectAltName=' + ','.join(alternatives), '-keyout', key, '-out', cert],
                   check=True, capture_output=True)
    return cert, key


class Faults(Suite):
    @classmethod
    def config(cls):
        cls.hole, cls.fillers = blackhole()
        cls.addClassCleanup(lambda: [s.close() for s in [cls.hole, *cls.fillers]])
        return {
            'providers': [
                fake_provider(cls.fake),
                fake_provider(cls.fake, 'hurried', timeouts={'first_byte': '400ms', 'idle': '400ms', 'total': '1500ms'}),
                {'name': 'closed', 'kind': 'openai', 'base_url': f'http://127.0.0.1:{free_port()}/v1', 'api_key': 'x'},
                {'name': 'nowhere', 'kind': 'openai', 'base_url': 'http://nonexistent.invalid/v1', 'api_key': 'x'},
                {'name': 'hole', 'kind': 'openai', 'base_url': f'http://127.0.0.1:{cls.hole.getsockname()[1]}/v1', 'api_key': 'x',
                 'timeouts': {'connect': '400ms'}},
                fake_provider(cls.fake, 'wrong-key', api_key='sk-wrong'),
            ],
            'limits': {'max_response': '1 MiB', 'max_event': '64 KiB'},
            'log': {'level': 'debug', 'format': 'json'},
        }

    def failed(self, model, status, code, stream=False, attempts=1):
        """One error, one try, one record; the next request is well."""
        with self.subTest(model, stream=stream):
            self.fake.reset()
            reply = self.server.chat(model, stream=stream)
            error = self.check_error(reply, status, code)
            if attempts is not None:
                self.assertEqual(len(self.fake.seen), attempts, 'the provider saw the request another number of times')
            record = self.record_of(reply.request_id)
            self.assertEqual((record['status'], record['error'], record['provider']), (status, code, model.split('/')[0]))
            self.fake.violations.clear()
            self.check_serving()
            return error

    def test_broken_before_an_answer(self):
        for stream in (False, True):
            self.failed('fake/x;fault=close', 502, 'upstream_reset', stream)
            self.failed('fake/x;fault=reset', 502, 'upstream_reset', stream)
            self.failed('fake/x;fault=halfclose', 502, 'upstream_reset', stream)

    def test_not_http(self):
        for fault in ('garbage', 'headflood', 'twolengths', 'status'):
            self.failed('fake/x;fault=' + fault, 502, 'upstream_invalid_response')
            self.failed('fake/x;fault=' + fault, 502, 'upstream_invalid_response', stream=True)
        self.failed('fake/x;fault=switch', 502, 'upstream_invalid_response')

    def test_not_json(self):
        for options in ('body=invalid', 'fault=gzip', 'fault=short'):
            self.failed('fake/x;' + options, 502, 'upstream_invalid_response')

    def test_empty_body(self):
        reply = self.server.chat('fake/x;body=empty')
        self.check_error(reply, 502, 'upstream_invalid_response')

    def test_broken_in_the_body(self):
        for options in ('fault=long', 'fault=close;when=head', 'fault=close;when=body', 'fault=reset;when=body', 'fault=reset;when=head'):
            self.failed('fake/x;' + options, 502, 'upstream_reset')
        for options in ('fault=badchunk;when=body', 'fault=bigchunk;when=body'):
            self.failed('fake/x;' + options, 502, 'upstream_invalid_response')

    def test_too_large(self):
        self.failed('fake/x;size=2000000', 502, 'upstream_too_large')
        self.failed('fake/x;size=2000000;fault=chunked', 502, 'upstream_too_large')

    def test_errors_pass_through(self):
        for status in (400, 404, 409, 422, 429, 500, 502, 503, 504, 529):
            for stream in (False, True):
                with self.subTest(status, stream=stream):
                    self.fake.reset()
                    reply = self.server.chat(f'fake/x;status={status};retry_after=7', stream=stream)
                    self.assertEqual((reply.status, reply.body), (status, self.fake.seen[0].answer_body))
                    self.assertEqual(reply.header('retry-after'), '7')
                    self.assertEqual(reply.header('content-type'), 'application/json')
                    record = self.record_of(reply.request_id)
                    self.assertEqual((record['status'], record['error']), (status, 'upstream_error'))
                    self.assertEqual((record['input_tokens'], record['output_tokens']), (0, 0))

    def test_html_error_pages(self):
        for status in (404, 500, 502, 503):
            error = self.failed(f'fake/x;status={status};html', status if status >= 500 else 502, 'upstream_error')
            self.assertIn(str(status), error['message'])
            self.assertNotIn('<h1>', error['message'])

    def test_refused_credentials_are_not_the_clients_fault(self):
        error = self.failed('wrong-key/x', 502, 'upstream_error')
        self.assertIn('wrong-key', error['message'])
        self.assertIn('api_key', error['message'])

    def test_unreachable(self):
        error = self.failed('closed/x', 502, 'upstream_unreachable', attempts=0)
        self.assertIn('closed', error['message'])
        error = self.failed('nowhere/x', 502, 'upstream_unreachable', attempts=0)
        self.assertIn('nonexistent.invalid', error['message'])
        self.failed('hole/x', 504, 'upstream_timeout', attempts=0)

    def test_timeouts(self):
        self.failed('hurried/x;delay=20000', 504, 'upstream_timeout')
        self.failed('hurried/x;delay=20000', 504, 'upstream_timeout', stream=True)
        self.failed('hurried/x;after_head=20000', 504, 'upstream_timeout')
        self.failed('hurried/x;fault=hang;when=body', 504, 'upstream_timeout')

    # --- in the middle of a stream ---

    def broken_stream(self, model, code):
        with self.subTest(model):
            self.fake.reset()
            reply = self.server.chat(model, stream=True)
            self.assertEqual(reply.status, 200, reply)
            *events, last = reply.events()
            self.assertGreaterEqual(len(events), 1)
            self.assertTrue(all('choices' in json.loads(e) for e in events))
            error = json.loads(last)['error']
            self.assertEqual(sorted(error), ['code', 'message', 'param', 'type'])
            self.assertEqual(error['code'], code)
            self.assertNotIn(b'[DONE]', reply.body)
            record = self.record_of(reply.request_id)
            self.assertEqual((record['error'], record['stream']), (code, True))
            self.assertTrue(record['tokens_estimated'])
            self.assertGreater(record['output_tokens'], 0)
            self.check_serving()

    def test_broken_streams(self):
        for fault in ('close', 'reset', 'halfclose'):
            self.broken_stream(f'fake/x;fault={fault};when=body', 'upstream_reset')
        for fault in ('garbage', 'badchunk', 'bigchunk'):
            self.broken_stream(f'fake/x;fault={fault};when=body', 'upstream_invalid_response')
        self.broken_stream('hurried/x;fault=hang;when=body', 'upstream_timeout')
        self.broken_stream('hurried/x;endless;gap=50', 'upstream_timeout')

    def test_stream_broken_before_its_first_event(self):
        for model, status, code in (('fake/x;fault=close;when=head', 502, 'upstream_reset'),
                                    ('fake/x;fault=reset;when=head', 502, 'upstream_reset'),
                                    ('hurried/x;after_head=20000', 504, 'upstream_timeout')):
            self.failed(model, status, code, stream=True)

    def test_event_too_large(self):
        reply = self.server.chat('fake/x;pad=400000', stream=True)
        # Whether some of it went out before depends on the pieces in which it came.
        error = json.loads(reply.events()[-1])['error'] if reply.status == 200 else reply.error()
        self.assertEqual((reply.status in (200, 502), error['code']), (True, 'upstream_too_large'), reply)

    def test_the_providers_own_error_event_passes(self):
        reply = self.server.chat('fake/x;error_event', stream=True)
        self.assertEqual(json.loads(reply.events()[-1])['error']['code'], 'fake_broke')
        self.record_of(reply.request_id)

    def test_stream_that_is_none(self):
        reply = self.server.chat('fake/x;status=500', stream=True)
        self.assertEqual((reply.status, reply.header('content-type')), (500, 'application/json'))


class Reuse(Suite):
    """Connections to providers: kept, and never the reason for a lost or doubled request."""

    workers = 1

    def test_connections_are_reused(self):
        for _ in range(100):
            self.assertEqual(self.server.chat('fake/x').status, 200)
            self.assertEqual(self.server.chat('fake/x', stream=True).status, 200)
        self.assertEqual({s.conn for s in self.fake.seen}, {self.fake.seen[0].conn})

    def test_reuse_goes_on_after_errors(self):
        for _ in range(10):
            self.server.chat('fake/x;status=500')
            self.server.chat('fake/x;status=429;html')
            self.server.chat('fake/x')
        self.assertEqual(len({s.conn for s in self.fake.seen}), 1)

    def test_a_broken_connection_is_not_used_again(self):
        for fault in ('short', 'long', 'twolengths', 'garbage', 'badchunk;when=body'):
            self.fake.reset()
            self.server.chat('fake/x;fault=' + fault)
            reply = self.server.chat('fake/fine')
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(reply.body, self.fake.seen[-1].answer_body)
            self.assertNotEqual(self.fake.seen[-1].conn, self.fake.seen[0].conn)

    def test_connections_closed_while_idle(self):
        """The provider closes unannounced; whoever comes next must not notice, nor be sent twice."""
        for _ in range(30):
            self.assertEqual(self.server.chat('fake/x;idle=5').status, 200)
            time.sleep(0.01)
            self.assertEqual(self.server.chat('fake/x').status, 200)
        self.assertEqual(len(self.fake.seen), 60)

    def test_connection_closed_as_the_request_is_sent(self):
        """Both are there at once: the provider's close and a new request, in whichever order they are looked at."""
        for i in range(10):
            self.fake.reset()
            self.assertEqual(self.server.chat('fake/before').status, 200)
            with self.server.conn() as c:
                c.send(request_bytes('GET', '/healthz'))
                c.read()
                self.server.signal(signal.SIGSTOP)
                if i % 2:
                    self.fake.drop_connections()
                c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/after'), key=self.server.key))
                if not i % 2:
                    self.fake.drop_connections()
                time.sleep(0.02)
                self.server.signal(signal.SIGCONT)
                self.assertEqual(c.read().status, 200)
            self.assertEqual([s.model for s in self.fake.seen], ['before', 'after'])

    def test_a_request_that_may_have_been_processed_is_not_sent_again(self):
        for fault in ('close', 'reset'):
            for _ in range(5):
                self.assertEqual(self.server.chat('fake/x').status, 200)  # so that the next goes over a used connection
                self.fake.reset()
                reply = self.server.chat(f'fake/x;fault={fault}')
                self.check_error(reply, 502, 'upstream_reset')
                self.assertEqual(len(self.fake.seen), 1, 'the request was sent twice')
                self.assertGreater(self.fake.seen[0].index, 0)

    def test_provider_that_comes_back(self):
        port = free_port()
        server = self.spawn({'providers': [{'name': 'late', 'kind': 'openai', 'base_url': f'http://127.0.0.1:{port}/v1',
                                            'api_key': 'sk-fake'}]})
        self.assertEqual(server.chat('late/x').status, 502)
        self.another_fake(port=port)
        self.assertEqual(server.chat('late/x').status, 200)
        server.stop()


class Cancellation(Suite):
    """When the client leaves, so does the call to the provider, whatever it is doing."""

    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'log': {'level': 'debug', 'format': 'json'}}

    PHASES = (('waiting for the first byte', 'delay=30000', True), ('waiting for the first byte', 'delay=30000', False),
              ('between head and body', 'after_head=30000', True), ('between head and body', 'after_head=30000', False),
              ('in the middle of a body', 'fault=hang;when=body', False), ('in the middle of a stream', 'endless;gap=20', True),
              ('in a stream at full speed', 'endless;pad=500', True))

    def test_every_phase(self):
        for phase, options, stream in self.PHASES:
            for how in ('close', 'reset'):
                with self.subTest(phase, stream=stream, how=how):
                    self.fake.reset()
                    c = self.server.conn()
                    c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x;' + options, stream=stream),
                                         key=self.server.key))
                    self.assertTrue(self.fake.wait(lambda: self.fake.seen and self.fake.seen[0].model))
                    seen = self.fake.seen[0]
                    if 'endless' in options:
                        next(c.pieces(c.read_head()))
                    else:
                        time.sleep(0.1)
                    left = time.monotonic()
                    getattr(c, how)()
                    self.assertTrue(self.fake.wait(lambda: seen.gone_at), 'the call to the provider went on')
                    print(f'{phase}{", streamed" if stream else ""}, {how}: {1000 * (seen.gone_at - left):.2f} ms')
                    self.assertLess(seen.gone_at - left, 5)
        gone = lambda: [r for r in self.server.usage() if r['client_gone']]  # noqa: E731
        self.assertTrue(eventually(lambda: len(gone()) == 2 * len(self.PHASES)))
        for record in gone():
            self.assertEqual((record['status'], record['error']) if record['status'] != 200 else (499, record['error']),
                             (499, 'client_closed_request'))
        self.check_serving()

    def test_what_was_streamed_before_is_recorded(self):
        c = self.server.conn()
        c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x;events=200;gap=10', stream=True), key=self.server.key))
        reply = c.read_head()
        pieces = c.pieces(reply)
        for _ in range(5):
            next(pieces)
        c.close()
        seen = self.fake.find('gap=10')[0]
        self.assertTrue(self.fake.wait(lambda: seen.gone_at))
        (record,) = eventually(lambda: [r for r in self.server.usage() if r['request_id'] == reply.request_id])
        self.assertTrue(record['client_gone'])
        self.assertGreaterEqual(record['output_tokens'], 4)


class Tls(Suite):
    """Providers over TLS: verified, or not spoken to."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix='penstock-test-')
        cls.addClassCleanup(folder.cleanup)
        cls.cert, key = self_signed(folder.name, 'fake', 'IP:127.0.0.1')
        other, other_key = self_signed(folder.name, 'other', 'DNS:elsewhere.test')
        cls.other_cert = other

        def upstream(cert, key):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            fake = FakeUpstream(tls=context).start()
            cls.addClassCleanup(fake.stop)
            return fake

        cls.tls, cls.misnamed = upstream(cls.cert, key), upstream(other, other_key)
        super().setUpClass()

    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake), fake_provider(cls.tls, 'trusted', tls_ca=cls.cert),
                              fake_provider(cls.tls, 'untrusted'), fake_provider(cls.tls, 'unverified', tls_verify=False),
                              fake_provider(cls.misnamed, 'misnamed', tls_ca=cls.other_cert),
                              fake_provider(cls.fake, 'not-tls', base_url=f'https://{cls.fake.authority}/v1',
                                            timeouts={'connect': '400ms'})]}

    def test_trusted(self):
        for stream in (False, True):
            self.assertEqual(self.server.chat('trusted/x', stream=stream).status, 200)
            self.assertEqual(self.server.chat('unverified/x', stream=stream).status, 200)
        for _ in range(20):
            self.server.chat('trusted/x')
        self.assertEqual(self.tls.violations, [])
        self.assertLess(len({s.conn for s in self.tls.seen}), 6)

    def test_large_bodies(self):
        self.tls.reset()
        reply = self.server.chat('trusted/x;size=2000000', 'y' * 2_000_000)
        self.assertEqual(reply.body, self.tls.seen[0].answer_body)

    def test_not_trusted(self):
        self.tls.reset()
        for provider in ('untrusted', 'misnamed'):
            error = self.check_error(self.server.chat(provider + '/x'), 502, 'upstream_unreachable')
            self.assertIn(provider, error['message'])
        self.check_error(self.server.chat('not-tls/x'), 504, 'upstream_timeout')
        self.assertEqual(self.tls.seen + self.misnamed.seen, [])


if __name__ == '__main__':
    main()
