#!/usr/bin/env python3
# Reloading the configuration: by SIGHUP and by the file's change, under load, and with errors in it.
import json
import os
import signal
import socket
import threading
import time

from harness import Conn, Suite, eventually, fake_provider, free_port, main, request_bytes


class Reload(Suite):
    def conf(self, *models, **more):
        return {'providers': [fake_provider(self.fake)], 'log': {'level': 'debug', 'format': 'json'}, 'passthrough_models': False,
                'models': [{'name': m, 'targets': [{'provider': 'fake', 'model': m + '-upstream'}]} for m in models], **more}

    def start(self, *models, **more):
        return self.spawn(self.conf(*models, **more))

    def knows(self, server, model):
        return eventually(lambda: server.chat(model).status == 200, seconds=10)

    def check(self, server):
        return server.get('/readyz').json()['checks']['configuration']

    def test_sighup(self):
        server = self.start('one')
        self.assertEqual(server.chat('two').status, 404)
        server.write_config(self.conf('one', 'two'))
        server.signal(signal.SIGHUP)
        self.assertTrue(self.knows(server, 'two'))
        self.assertEqual(server.chat('one').status, 200)
        server.stop()

    def test_changed_file(self):
        server = self.start('one')
        server.write_config(self.conf('two'))  # by another file in its place
        self.assertTrue(self.knows(server, 'two'))
        self.assertTrue(eventually(lambda: server.chat('one').status == 404))
        with open(server.config_path, encoding='utf-8') as f:
            text = f.read()
        with open(server.config_path, 'w', encoding='utf-8') as f:  # in place
            f.write(text.replace('two', 'three'))
        self.assertTrue(self.knows(server, 'three'))
        server.stop()

    def test_no_request_is_dropped(self):
        server = self.start('one')
        stop, wrong, served = threading.Event(), [], []

        def load(stream):
            while not stop.is_set():
                try:
                    reply = server.chat('one', stream=stream)
                    if reply.status != 200 or (stream and reply.events()[-1] != '[DONE]'):
                        wrong.append(reply)
                    served.append(1)
                except Exception as e:  # noqa: BLE001: reported below
                    wrong.append(e)

        threads = [threading.Thread(target=load, args=(i % 2 == 0,)) for i in range(4)]
        for t in threads:
            t.start()
        for i in range(10):
            name = f'new-{i}'
            server.write_config(self.conf('one', name) if i % 3 != 2 else 'providers: [')
            server.signal(signal.SIGHUP)
            if i % 3 != 2:
                self.assertTrue(self.knows(server, name))
            else:
                self.assertTrue(eventually(lambda: self.check(server)['status'] == 'degraded'))
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])
        self.assertGreater(len(served), 20)
        server.stop()

    def test_a_stream_outlives_the_configuration_it_began_with(self):
        server = self.start('one')
        with server.conn() as c:
            body = json.dumps({'model': 'one', 'stream': True, 'messages': []}).encode()
            server.write_config({**self.conf('one'), 'models': [
                {'name': 'one', 'targets': [{'provider': 'fake', 'model': 'x;events=40;gap=50'}]}]})
            server.signal(signal.SIGHUP)
            self.assertTrue(eventually(lambda: server.chat('one').json()['model'].startswith('x;')))
            c.send(f'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n'
                   f'Content-Length: {len(body)}\r\n\r\n').send(body)
            reply = c.read_head()
            pieces = c.pieces(reply)
            next(pieces)
            server.write_config({'providers': [{'name': 'other', 'kind': 'demo'}]})
            server.signal(signal.SIGHUP)
            self.assertTrue(eventually(lambda: server.chat('other/echo').status == 200))
            for _ in pieces:
                pass
            self.assertEqual(reply.events()[-1], '[DONE]')
            self.assertEqual(len(reply.events()), 42)
        self.assertEqual(self.fake.find('gap=50')[-1].answered, True)
        server.stop()

    def test_an_error_keeps_the_old_one(self):
        server = self.start('one')
        self.assertEqual(self.check(server)['status'], 'ok')
        for text, reason in (('models: [', 'penstock.yaml'), ('provider: []\n', 'provider'), ('limits: {max_body: lots}\n', 'max_body'),
                             ('models: [{name: two, targets: [{provider: nobody}]}]\n', 'nobody'), ('\x00', 'penstock.yaml')):
            with self.subTest(text):
                server.write_config(text)
                server.signal(signal.SIGHUP)
                self.assertTrue(eventually(lambda: self.check(server)['status'] == 'degraded' and reason in self.check(server)['detail']),
                                self.check(server))
                self.assertEqual(server.get('/readyz').status, 200)
                self.assertEqual(server.chat('one').status, 200)
                self.assertTrue(eventually(lambda: any(reason in str(line) for line in server.log_lines() if line['level'] == 'error')),
                                'the reason is not in the log')
        errors = [v for k, v in server.metrics().items() if k.startswith('penstock_config_reloads') and 'error' in k]
        self.assertGreaterEqual(errors[0], 4)
        server.write_config(self.conf('one', 'two'))
        server.signal(signal.SIGHUP)
        self.assertTrue(self.knows(server, 'two'))
        self.assertEqual(self.check(server)['status'], 'ok')
        server.stop()

    def test_the_file_is_gone(self):
        server = self.start('one')
        os.unlink(server.config_path)
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: self.check(server)['status'] == 'degraded'))
        self.assertEqual(server.chat('one').status, 200)
        server.stop()

    def test_what_needs_a_restart_is_said(self):
        server = self.start('one')
        server.write_config(self.conf('one', server={'workers': 7}, storage={'queue_records': 5000}))
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: 'restart' in server.log()))
        server.stop()

    def test_limits_and_auth_apply_to_new_requests(self):
        server = self.start('one')
        server.write_config(self.conf('one', limits={'max_body': '1 KiB'}, auth={'required': False}))
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: server.request('POST', '/v1/chat/completions', b'{}').status == 400))
        self.assertTrue(eventually(lambda: server.chat('one', 'x' * 2000).status == 413))
        server.stop()

    def errors(self, server):
        return sum(v for k, v in server.metrics().items() if k.startswith('penstock_config_reloads') and 'error' in k)

    def listeners(self, server, *ports):
        return [{'address': f'127.0.0.1:{p}'} for p in (server.port, *ports)]

    def answers(self, port):
        try:
            with Conn(port, timeout=5) as c:
                return c.send(request_bytes('GET', '/healthz')).read().status == 200
        except OSError:
            return False

    def test_listeners_come_and_go(self):
        other, third = free_port(), free_port()
        server = self.spawn(lambda s: self.conf('one', listeners=self.listeners(s)), listen=False)
        server.write_config(self.conf('one', listeners=self.listeners(server, other)))
        self.assertTrue(eventually(lambda: self.answers(other)))
        # A request in flight on the listener that goes.
        with Conn(other) as c:
            body = json.dumps({'model': 'slow', 'stream': True, 'messages': []}).encode()
            slow = {'name': 'slow', 'targets': [{'provider': 'fake', 'model': 'x;events=20;gap=50'}]}
            conf = self.conf('one', listeners=self.listeners(server, other))
            server.write_config({**conf, 'models': [*conf['models'], slow]})
            self.assertTrue(self.knows(server, 'slow'))
            c.send(request_bytes('POST', '/v1/chat/completions', body, key=server.key))
            reply = c.read_head()
            pieces = c.pieces(reply)
            next(pieces)
            server.write_config(self.conf('one', listeners=self.listeners(server, third)))
            self.assertTrue(eventually(lambda: self.answers(third)))
            self.assertTrue(eventually(lambda: not self.answers(other)))
            for _ in pieces:
                pass
            self.assertEqual(reply.events()[-1], '[DONE]')
        self.assertEqual(server.chat('one').status, 200)
        server.stop()

    def test_an_address_in_use_is_refused(self):
        server = self.spawn(lambda s: self.conf('one', listeners=self.listeners(s)), listen=False)
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            port = taken.getsockname()[1]
            server.write_config(self.conf('one', 'two', listeners=self.listeners(server, port)))
            self.assertTrue(eventually(lambda: self.check(server)['status'] == 'degraded'), self.check(server))
            self.assertIn(str(port), self.check(server)['detail'])
            self.assertEqual(server.chat('one').status, 200)
            self.assertEqual(server.chat('two').status, 404)  # nothing of it is in force
            self.assertGreaterEqual(self.errors(server), 1)
            self.assertTrue(any(str(port) in line.get('reason', '') for line in server.log_lines()))
        # Once the address is free, it comes into force though no file changed.
        self.assertTrue(self.knows(server, 'two'))
        self.assertTrue(self.answers(port))
        self.assertEqual(self.check(server)['status'], 'ok')
        server.stop()

    def test_refused_once_told_once(self):
        server = self.start('one')
        server.write_config('models: [')
        self.assertTrue(eventually(lambda: self.check(server)['status'] == 'degraded'))
        time.sleep(2.5)  # beyond a look at the files
        told = [line for line in server.log_lines() if 'refused' in line['msg']]
        self.assertEqual(len(told), 1, told)
        self.assertEqual(self.errors(server), 1)
        server.stop()

    def test_a_storm_of_reloads(self):
        server = self.start('one')
        end = time.monotonic() + 1.5
        i = 0
        while time.monotonic() < end:
            i += 1
            server.write_config(self.conf('one', f'm{i}') if i % 2 else 'nonsense: 1\n')
            server.signal(signal.SIGHUP)
            reply = server.chat('one')
            self.assertEqual(reply.status, 200, reply)
        server.write_config(self.conf('one', 'last'))
        server.signal(signal.SIGHUP)
        self.assertTrue(self.knows(server, 'last'))
        server.stop()


if __name__ == '__main__':
    main()
