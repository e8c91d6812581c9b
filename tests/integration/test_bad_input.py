#!/usr/bin/env python3
# Hostile and broken clients: malformed JSON, header and framing attacks, clients that stall, leave or do not read.
import contextlib
import json
import random
import socket
import time

from harness import Incomplete, Suite, chat_body, eventually, fake_provider, in_parallel, main, request_bytes, sanitized

MIB = 1024 * 1024


class Bodies(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'limits': {'max_body': '64 KiB', 'json_depth': 32}}

    def tearDown(self):
        super().tearDown()
        self.check_serving()

    def refused(self, body, status, code, param=None, path='/v1/chat/completions', headers=None):
        reply = self.server.post(path, body, headers)
        error = self.check_error(reply, status, code, 'invalid_request_error', param)
        self.assertEqual(self.fake.seen, [], 'a wrong body reached the provider')
        return error['message']

    def test_malformed_json(self):
        good = b'{"model":"fake/x","messages":[{"role":"user","content":"a"}],"t":1.5}'
        for body in (b'{', b'[', b'"', b'{}{}', b'nul', b'', b' ', good + b'x', good + good, good[1:], good[:-1] + b',}',
                     good.replace(b'1.5', b'01'), good.replace(b'1.5', b'1.'), good.replace(b'1.5', b'.5'),
                     good.replace(b'1.5', b'+1'), good.replace(b'1.5', b'NaN'), good.replace(b'1.5', b'1e'),
                     good.replace(b'1.5', b'tru'), good.replace(b'"a"', b"'a'"), good.replace(b'"a"', b'"a\n"'),
                     good.replace(b'"a"', b'"\\x41"'), good.replace(b'"a"', b'"\\u12"'), good.replace(b'"a"', b'"a'),
                     b'\xef\xbb\xbf' + good, good.replace(b',"t"', b',//x\n"t"'), good.replace(b':1.5', b' 1.5'),
                     b'\x00' + good, good + b'\x00', good.decode().encode('utf-16')):
            with self.subTest(body):
                reply = self.server.post('/v1/chat/completions', body)
                self.assertEqual(reply.status, 400, reply)
                self.check_error(reply, 400, reply.error()['code'], param=reply.error()['param'])
                self.assertEqual(self.fake.seen, [], 'a wrong body reached the provider')

    def test_every_truncation(self):
        good = b'{"model":"fake/x","messages":[{"role":"user","content":"\\u00e9\xc3\xa9"}],"n":-1.5e3,"b":[true,null]}'
        for n in range(len(good)):
            self.refused(good[:n], 400, 'invalid_json')

    def test_text_that_is_not_utf8(self):
        for bad in (b'\xff', b'\xc3', b'\xc0\xaf', b'\xed\xa0\x80', b'\xf4\x90\x80\x80', b'\xf8\x88\x80\x80\x80', b'\x80'):
            with self.subTest(bad):
                self.refused(b'{"model":"fake/x","messages":[{"role":"user","content":"%s"}]}' % bad, 400, 'invalid_json')
                self.refused(b'{"model":"fake/x%s","messages":[]}' % bad, 400, 'invalid_json')

    def test_lone_surrogates(self):
        for bad in (b'\\ud800', b'\\udc00', b'\\ud800\\u0041', b'\\ud83d\\ud83d'):
            self.refused(b'{"model":"fake/x","messages":["%s"]}' % bad, 400, 'invalid_json')

    def test_nesting(self):
        deep = lambda n: b'{"model":"fake/x","messages":[],"x":' + b'[' * n + b']' * n + b'}'  # noqa: E731
        self.assertEqual(self.server.post('/v1/chat/completions', deep(31)).status, 200)
        self.fake.reset()
        self.refused(deep(33), 400, 'invalid_json')
        self.refused(deep(30000), 400, 'invalid_json')
        self.refused(b'[' * 60000, 400, 'invalid_json')
        self.refused(b'{"model":' * 7000, 400, 'invalid_value', 'model')
        self.refused(b'{"x":' * 10000, 400, 'invalid_json')

    def test_wrong_fields(self):
        self.refused(b'{"messages":[]}', 400, 'missing_required_parameter', 'model')
        self.refused(b'{}', 400, 'missing_required_parameter', 'model')
        self.refused(b'{"model":7,"messages":[]}', 400, 'invalid_value', 'model')
        self.refused(b'{"model":null,"messages":[]}', 400, 'invalid_value', 'model')
        self.refused(b'{"model":"","messages":[]}', 400, 'invalid_value', 'model')
        self.refused(b'{"model":"fake/x","messages":[],"stream":"yes"}', 400, 'invalid_value', 'stream')
        self.refused(b'{"model":"fake/x","messages":[],"stream":true,"stream_options":7}', 400, 'invalid_value',
                     'stream_options')

    def test_not_an_object(self):
        for body in (b'[]', b'"model"', b'7', b'null', b'true'):
            reply = self.server.post('/v1/chat/completions', body)
            self.assertEqual(reply.status, 400, reply)
            self.assertEqual(self.fake.seen, [])

    def test_keys_that_matter_may_come_once(self):
        for body in (b'{"model":"fake/x","model":"fake/y","messages":[]}',
                     b'{"model":"fake/x","messages":[],"\\u006dodel":"fake/y"}',
                     b'{"model":"fake/x","stream":false,"messages":[],"stream":true}'):
            reply = self.server.post('/v1/chat/completions', body)
            self.assertEqual(reply.status, 400, reply)
            self.assertEqual(self.fake.seen, [])

    def test_oversize(self):
        body = chat_body('fake/x', 'x' * 65536)
        self.refused(body, 413, 'request_too_large')
        reply = self.server.post('/v1/chat/completions', None, {'Content-Length': str(10 ** 15)})
        self.check_error(reply, 413, 'request_too_large')
        with self.server.conn() as c:  # the size shows only as it comes
            c.send(f'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.key}\r\n'
                   'Transfer-Encoding: chunked\r\n\r\n')
            with contextlib.suppress(ConnectionError):
                for _ in range(40):
                    c.send(b'1000\r\n' + b'x' * 4096 + b'\r\n')
            self.check_error(c.read(), 413, 'request_too_large')
        self.assertEqual(self.fake.seen, [])

    def test_encodings(self):
        reply = self.server.post('/v1/chat/completions', b'\x1f\x8b\x08', {'Content-Encoding': 'gzip'})
        self.check_error(reply, 415, 'invalid_request')
        self.assertEqual(self.fake.seen, [])

    def test_hostile_names(self):
        for name in ('x' * 5000, '../../etc/passwd', 'a\x00b', 'a\r\nX-Injected: 1', 'fake/' + '☃' * 500, '%s%n', '"', '\x1b[31m',
                     '/', 'fake/', '//', 'fake/a\r\nX-Injected: 1'):
            with self.subTest(name):
                reply = self.server.chat(name)
                self.assertIn(reply.status, (200, 400, 404), reply)
                self.assertIsNone(reply.header('x-injected'))
                if reply.status != 200:
                    self.assertTrue(reply.error()['message'])

    def test_wrong_requests_of_a_known_caller_are_recorded(self):
        reply = self.server.post('/v1/chat/completions', b'{')
        record = self.record_of(reply.request_id)
        self.assertEqual((record['status'], record['error'], record['input_tokens']), (400, 'invalid_json', 0))


class Framing(Suite):
    """Each of these must be refused, or understood in the only way there is; never as two requests."""

    def tearDown(self):
        super().tearDown()
        self.check_serving()

    HEAD = 'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n'
    SMUGGLED = 'GET /v1/models/smuggled HTTP/1.1\r\nHost: x\r\n\r\n'

    def refused(self, raw, statuses, name=''):
        with self.subTest(name or raw[:200]), self.server.conn() as c:
            c.send(raw.replace('{key}', self.server.key).encode('latin-1'))
            reply = c.read()
            self.assertIn(reply.status, statuses, reply)
            self.assertEqual(reply.header('connection'), 'close')
            self.assertTrue(reply.error()['code'])
            self.assertEqual(c.everything(), b'', 'something was answered after the refusal')
            self.assertEqual(self.fake.seen, [], 'an ambiguous request reached the provider')

    def test_two_framings(self):
        chunked = '0\r\n\r\n' + self.SMUGGLED
        for fields in ('Content-Length: 5\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: chunked\r\nContent-Length: 5',
                       'Content-Length: 5\r\nContent-Length: 6', 'Content-Length: 5\r\nContent-Length: 5',
                       'Content-Length: 5, 5', 'Content-Length: 5, 6', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
                       'Transfer-Encoding: chunked, chunked', 'Transfer-Encoding: identity, chunked',
                       'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: chunked, identity', 'Transfer-Encoding: identity',
                       'Transfer-Encoding: xchunked', 'Transfer-Encoding: "chunked"', 'Transfer-Encoding:',
                       'Transfer-Encoding: chunked;q=1', 'Transfer-Encoding: \x0bchunked', 'Transfer-Encoding: chunked\x00'):
            self.refused(self.HEAD + fields + '\r\n\r\n' + chunked, (400, 501))

    def test_wrong_lengths(self):
        for value in ('-1', '+5', '5x', '0x5', '5 5', '', ' ', '1e3', '5.0', '18446744073709551616', '99999999999999999999999',
                      '-0', '\xb2'):
            self.refused(self.HEAD + f'Content-Length: {value}\r\n\r\nhello' + self.SMUGGLED, (400, 413))

    def test_field_lines(self):
        rest = 'Content-Length: 0\r\n\r\n' + self.SMUGGLED
        for line in ('Transfer-Encoding : chunked', 'Content-Length : 5', ' Content-Length: 5', '\tX: y', 'X: y\r\n folded', 'NoColon',
                     ': empty', 'X Y: z', 'X\x00: y', 'X: a\x00b', 'X: a\rb', 'X: a\nContent-Length: 5', 'X\xe9: y', 'X: \x7f', 'X(: y',
                     'X: y\r', '"X": y', 'X:\x01y', 'X\t: y'):
            self.refused(self.HEAD + line + '\r\n' + rest, (400,))

    def test_request_lines(self):
        rest = '\r\nHost: x\r\n\r\n'
        for line in ('GET /healthz', 'GET  /healthz HTTP/1.1', 'GET /healthz HTTP/1.1 ', 'GET /healthz HTTP/2.0', 'GET /healthz HTTP/1.2',
                     'GET /healthz HTTP/1.10', 'GET /healthz http/1.1', 'GET /heal thz HTTP/1.1', 'G@T /healthz HTTP/1.1',
                     'GET\t/healthz\tHTTP/1.1', 'GET /healthz\x00 HTTP/1.1', 'GET /h\xe9althz HTTP/1.1', ' GET /healthz HTTP/1.1',
                     '/healthz', 'GET', '\x16\x03\x01\x02', 'GET /healthz HTTP/1.1\x0b', 'A' * 40 + ' /healthz HTTP/1.1'):
            self.refused(line + rest, (400, 501, 505))

    def test_hosts(self):
        for fields in ('', 'Host: a\r\nHost: b\r\n', 'Host: a\r\nHost: a\r\n'):
            self.refused('GET /healthz HTTP/1.1\r\n' + fields + '\r\n', (400,))

    def test_chunks(self):
        head = self.HEAD + 'Transfer-Encoding: chunked\r\n\r\n'
        for body in ('zz\r\n', '\r\n', '-1\r\n', '+5\r\nhello\r\n0\r\n\r\n', '0x5\r\nhello\r\n0\r\n\r\n', ' 5\r\nhello\r\n0\r\n\r\n',
                     '5\nhello\n0\n\n', '5\r\nhelloX\r\n0\r\n\r\n', '5\r\nhello0\r\n\r\n',
                     'ffffffffffffffff\r\nx', '10000000000000000\r\nx', 'fffffffffffffffffffffff5\r\nhello\r\n', '5\r\nhello\n0\r\n\r\n',
                     '5;' + 'x' * 200_000 + '\r\nhello\r\n', '0\r\nT: x\n\r\n', '0\r\nT: x\r\n\n', '0\r\n\n', '5\rXhello\r\n0\r\n\r\n',
                     '0\r\n' + 'T: x\r\n' * 50_000 + '\r\n'):
            self.refused(head + body, (400, 413, 431), body[:40])

    def test_sizes(self):
        self.refused('GET /' + 'a' * 9000 + ' HTTP/1.1\r\nHost: x\r\n\r\n', (414,), 'a long target')
        self.refused('GET /healthz HTTP/1.1\r\nHost: x\r\nX: ' + 'a' * 70_000 + '\r\n\r\n', (431,), 'a long field')
        self.refused('GET /healthz HTTP/1.1\r\nHost: x\r\n' + 'X: y\r\n' * 200 + '\r\n', (431,), 'many fields')
        self.refused('GET /healthz HTTP/1.1\r\n' + ''.join(f'X{i}: y\r\n' for i in range(20_000)), (431,), 'fields without end')
        self.refused('GET /' + 'a' * 100_000, (414, 431), 'a request line without end')

    def test_bare_line_feeds(self):
        for raw in (b'GET /healthz HTTP/1.1\nHost: x\n\n', b'GET /healthz HTTP/1.1\r\nHost: x\n\r\n',
                    b'GET /healthz HTTP/1.1\r\nHost: x\r\n\n', b'GET /healthz HTTP/1.1\nHost: x\r\n\r\n'):
            with self.subTest(raw), self.server.conn(timeout=1.5) as c:
                c.send(raw)
                with contextlib.suppress(Incomplete, TimeoutError):
                    self.assertIn(c.read().status, (400, 408))

    def test_nothing_of_a_refused_pipeline_is_served(self):
        with self.server.conn() as c:
            c.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' + 'GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n' +
                   'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
            self.assertEqual([c.read().status, c.read().status], [200, 400])
            self.assertEqual(c.everything(), b'')

    # --- what is allowed ---

    def test_pipelining(self):
        chat = request_bytes('POST', '/v1/chat/completions', chat_body('fake/x;delay=50'), key=self.server.key)
        health = request_bytes('GET', '/healthz')
        with self.server.conn() as c:
            c.send(chat + health + chat.replace(b'delay=50', b'events=9') + health * 30)
            replies = [c.read() for _ in range(33)]
        self.assertEqual([r.status for r in replies], [200] * 33)
        self.assertEqual([r.body for r in replies[0:3:2]], [s.answer_body for s in self.fake.seen])
        self.assertEqual(len({r.request_id for r in replies}), 33)

    def test_byte_by_byte(self):
        chat = request_bytes('POST', '/v1/chat/completions', chat_body('fake/x'), key=self.server.key)
        with self.server.conn() as c:
            c.send(chat * 3, step=1)
            self.assertEqual([c.read().status for _ in range(3)], [200] * 3)

    def test_bodies_cut_anywhere(self):
        chat = request_bytes('POST', '/v1/chat/completions', chat_body('fake/x', 'é' * 40), key=self.server.key)
        with self.server.conn() as c:
            for cut in range(1, len(chat), 17):
                c.send(chat[:cut])
                time.sleep(0.002)
                c.send(chat[cut:])
                self.assertEqual(c.read().status, 200)

    def test_100_continue(self):
        body = chat_body('fake/x')
        with self.server.conn() as c:
            c.send(request_bytes('POST', '/v1/chat/completions', None, {'Expect': '100-continue', 'Content-Length': str(len(body))},
                                 self.server.key))
            self.assertEqual(c.line(), b'HTTP/1.1 100 Continue')
            self.assertEqual(c.line(), b'')
            c.send(body)
            self.assertEqual(c.read().status, 200)

    def test_http10(self):
        body = chat_body('fake/x', stream=True)
        with self.server.conn() as c:
            c.send(f'POST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer {self.server.key}\r\n'
                   f'Content-Length: {len(body)}\r\n\r\n').send(body)
            reply = c.read()
            self.assertEqual((reply.status, reply.header('transfer-encoding')), (200, None))
            self.assertEqual(reply.events()[-1], '[DONE]')
        self.fake.reset()
        self.refused('POST /v1/chat/completions HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', (400,))

    def test_head(self):
        with self.server.conn() as c:
            for _ in range(2):
                c.send('HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
                self.assertEqual(c.read(bodyless=True).status, 200)
            c.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
            self.assertEqual(c.read().status, 200)

    def test_absolute_form(self):
        with self.server.conn() as c:
            c.send('GET http://elsewhere.test/healthz HTTP/1.1\r\nHost: x\r\n\r\n')
            self.assertEqual(c.read().json()['status'], 'ok')

    def test_unknown_methods(self):
        for method in ('BREW', 'DELETE', 'TRACE', 'OPTIONS', 'CONNECT'):
            with self.subTest(method), self.server.conn() as c:
                c.send(f'{method} /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
                self.assertIn(c.read().status, (400, 404, 405, 501))

    def test_empty_line_before_a_request(self):
        with self.server.conn() as c:
            c.send('\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
            self.assertEqual(c.read().status, 200)

    def test_random_bytes(self):
        rng = random.Random(7)
        for _ in range(100):
            with self.server.conn() as c, contextlib.suppress(ConnectionError, Incomplete):
                c.send(bytes(rng.choice(b'GET /\r\n: HTTP1.\x00\xff01') for _ in range(rng.randrange(400))))
                c.sock.shutdown(socket.SHUT_WR)
                c.read()


class Stalling(Suite):
    """Clients that are slow, or that leave."""

    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)],
                'timeouts': {'header': '300ms', 'body': '300ms', 'keepalive': '700ms', 'write': '1s'},
                'log': {'level': 'debug', 'format': 'json'}}

    def tearDown(self):
        super().tearDown()
        self.check_serving()

    def test_slow_head(self):
        with self.server.conn() as c:
            c.send('POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n')
            reply = c.read()
            self.check_error(reply, 408, 'request_timeout')
            self.assertTrue(c.closed())

    def test_head_that_drips(self):
        """A byte now and then does not buy more time."""
        with self.server.conn() as c:
            c.send('GET /healthz HTTP/1.1\r\n')
            answered = False
            for _ in range(60):
                with contextlib.suppress(ConnectionError):
                    c.send('X')
                c.sock.settimeout(0.05)
                with contextlib.suppress(TimeoutError, ConnectionError):
                    answered = bool(c.sock.recv(100))
                    break
            self.assertTrue(answered, 'a dripping head was never given up')

    def test_connection_without_a_word(self):
        with self.server.conn() as c:
            c.everything()

    def test_idle_connection(self):
        with self.server.conn() as c:
            c.send(request_bytes('GET', '/healthz'))
            self.assertEqual(c.read().status, 200)
            self.assertTrue(c.closed())

    def test_slow_body(self):
        with self.server.conn() as c:
            c.send(request_bytes('POST', '/v1/chat/completions', None, {'Content-Length': '1000'}, self.server.key))
            c.send('{"model":')
            reply = c.read()
            self.check_error(reply, 408, 'request_timeout')
            self.assertTrue(c.closed())
        self.assertEqual(self.fake.seen, [])

    def test_slow_chunks(self):
        with self.server.conn() as c:
            c.send(request_bytes('POST', '/v1/chat/completions', None, {'Transfer-Encoding': 'chunked'}, self.server.key))
            c.send('5\r\nhel')
            self.check_error(c.read(), 408, 'request_timeout')
        self.assertEqual(self.fake.seen, [])

    def test_leaves_in_the_middle_of_a_body(self):
        whole = request_bytes('POST', '/v1/chat/completions', chat_body('fake/x', 'x' * 50_000), key=self.server.key)
        for cut in (20, len(whole) - 50_000, len(whole) - 1):
            for how in ('close', 'reset'):
                c = self.server.conn().send(whole[:cut])
                getattr(c, how)()
        self.check_serving()
        self.assertEqual(len(self.fake.seen), 1)

    def test_many_stalled_clients_delay_no_other(self):
        stalled = [self.server.conn().send('POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX: ') for _ in range(200)]
        for _ in range(10):
            self.check_serving()
        for c in stalled:
            c.close()

    def test_a_client_that_takes_nothing_is_dropped(self):
        with self.server.conn(rcvbuf=4096) as c:
            c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x;endless;pad=2000', stream=True),
                                 key=self.server.key))
            self.assertTrue(self.fake.wait(lambda: self.fake.seen and self.fake.seen[0].gone_at), 'the provider was kept waiting')


class SlowReader(Suite):
    """Back-pressure: streams without end to clients that do not read."""

    READERS = 20

    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'timeouts': {'write': '5m'}}

    def settled(self):
        """Waits until the provider can send no more."""
        sent = lambda: sum(s.sent_bytes for s in self.fake.seen)  # noqa: E731
        before = -1
        for _ in range(60):
            now = sent()
            if now == before and now:
                return now
            before = now
            time.sleep(0.4)
        self.fail(f'the provider could go on sending: {before} bytes')

    def test_back_pressure(self):
        for _ in range(5):
            self.check_serving()
        self.fake.reset()
        rss = self.server.rss()
        body = chat_body('fake/x;endless;pad=4000', stream=True)
        readers = [self.server.conn(rcvbuf=4096) for _ in range(self.READERS)]
        for c in readers:
            c.send(request_bytes('POST', '/v1/chat/completions', body, key=self.server.key))
        self.assertTrue(self.fake.wait(lambda: len(self.fake.seen) == self.READERS))
        sent = self.settled()
        grown = self.server.rss() - rss
        print(f'{self.READERS} readers that do not read: {sent / MIB:.1f} MiB taken from the provider, '
              f'{grown / MIB:.2f} MiB more memory')
        # 64 KiB (limits.stream_buffer) and one read of the provider for each.
        if not sanitized():
            self.assertLess(grown, self.READERS * 512 * 1024)
        for _ in range(10):
            self.check_serving()
        # One that reads again gets on, in order and without a gap.
        c = readers[0]
        reply = c.read_head()
        text = b''
        for piece in c.pieces(reply):
            text += piece
            if len(text) > 16 * MIB:
                break
        self.assertTrue(text.startswith(b'data: '))
        for event in text.split(b'\n\n')[1:-1]:
            self.assertEqual(len(json.loads(event[6:])['choices'][0]['delta']['content']) >= 4000, True)
        for c in readers:
            c.close()
        endless = self.fake.find('endless')
        self.assertTrue(self.fake.wait(lambda: all(s.gone_at for s in endless)), 'a stream was left running')
        self.assertTrue(eventually(lambda: self.server.metrics()['penstock_active_requests'] <= 1), 'a call was left over')

    def test_many_clients_at_once(self):
        def one(i):
            for k in range(5):
                reply = self.server.chat('fake/x;events=20', stream=True)
                assert reply.status == 200 and reply.events()[-1] == '[DONE]', reply
        in_parallel(30, one)


if __name__ == '__main__':
    main()
