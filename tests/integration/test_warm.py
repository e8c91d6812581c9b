#!/usr/bin/env python3
# Connections that are opened before a request needs them: to whom, when, and not for ever; counted at the providers.
import signal
import socket
import ssl
import tempfile
import threading
import time

from harness import Suite, eventually, fake_provider, main
from test_upstream_faults import self_signed


class Patient:
    """Answers health checks with its status, and remembers how many requests came on each connection."""

    def __init__(self, status=200, closes=False):
        self.status, self.closes, self.connections = status, closes, []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.url = 'http://127.0.0.1:%d/v1' % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if self.closes:
                sock.close()
            self.connections.append(0)
            threading.Thread(target=self.serve, args=(sock, len(self.connections) - 1), daemon=True).start()

    def serve(self, sock, n):
        try:
            while sock.recv(65536):
                self.connections[n] += 1
                sock.sendall(b'HTTP/1.1 %d What\r\nContent-Length: 2\r\n\r\n{}' % self.status)
        except OSError:
            pass

    def unasked(self):
        return self.connections.count(0)

    def stop(self):
        self.listener.close()


class Warm(Suite):
    workers = 1

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix='penstock-test-')
        cls.addClassCleanup(folder.cleanup)
        cls.cert, cls.cert_key = self_signed(folder.name, 'fake', 'IP:127.0.0.1')
        super().setUpClass()

    def tls_fake(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.cert_key)
        return self.another_fake(tls=context)

    def patient(self, **more):
        patient = Patient(**more)
        self.addCleanup(patient.stop)
        return patient

    def config_of(self, warm, *providers, **model):
        targets = [{'provider': p['name'], 'model': 'x'} for p in providers]
        return {'providers': list(providers), 'routing': {'warm': warm} if warm else {},
                'models': [{'name': 'm', 'strategy': 'priority', 'targets': targets, **model}],
                'log': {'level': 'debug', 'format': 'json'}}

    def spawn(self, config, workers=1):
        return super().spawn(config, workers=workers)

    def pool(self, server, provider):
        figures = server.metrics()
        name = 'penstock_upstream_connections{provider="%s",state="%s"}'
        return figures[name % (provider, 'idle')], figures[name % (provider, 'active')]

    def counts(self, server):
        figures = server.metrics()
        return tuple(figures[f'penstock_upstream_{name}_total'] for name in ('connects', 'warmed', 'reused'))

    def test_the_first_request_needs_no_handshake(self):
        first, second = self.tls_fake(), self.tls_fake()
        server = self.spawn(self.config_of('always', fake_provider(first, 'first', tls_ca=self.cert),
                                           fake_provider(second, 'second', tls_ca=self.cert)), workers=2)
        # Its peers are there once the handshake is over.
        self.assertTrue(eventually(lambda: len(first.peers) == 2), first.connections)
        self.assertTrue(eventually(lambda: self.pool(server, 'first') == (2, 0)), self.pool(server, 'first'))
        self.assertEqual(first.seen, [])
        self.assertEqual(server.chat('m').status, 200)
        self.assertEqual((len(first.seen), first.connections), (1, 2))
        self.assertTrue(eventually(lambda: self.counts(server) == (2, 2, 1)), self.counts(server))
        self.assertEqual(self.pool(server, 'first'), (2, 0))
        # The second is not likely as long as the first is well.
        self.assertEqual((second.connections, self.pool(server, 'second')), (0, (0, 0)))
        # A change of the configuration closes them, and they are opened anew.
        server.write_config(self.config_of('always', fake_provider(first, 'first', tls_ca=self.cert, region='r')))
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: first.connections == 4 and self.pool(server, 'first') == (2, 0)), first.connections)
        self.assertEqual(len(first.seen), 1)

    def test_not_at_the_start(self):
        fakes = {warm: self.another_fake() for warm in (None, 'off', 'failover')}
        servers = [self.spawn(self.config_of(warm, fake_provider(fake, 'first'))) for warm, fake in fakes.items()]
        self.assertEqual([server.chat('m').status for server in servers], [200] * 3)
        time.sleep(1.2)
        self.assertEqual([fake.connections for fake in fakes.values()], [1] * 3)
        self.assertEqual([self.counts(server) for server in servers], [(1, 0, 0)] * 3)

    def test_a_model_may_say_so_itself(self):
        fake, other = self.another_fake(), self.another_fake()
        config = self.config_of('off', fake_provider(fake, 'first'), fake_provider(other, 'other'))
        config['models'] = [{'name': 'm', 'targets': [{'provider': 'first'}]},
                            {'name': 'n', 'targets': [{'provider': 'other'}], 'routing': {'warm': 'always'}}]
        server = self.spawn(config)
        self.assertTrue(eventually(lambda: self.pool(server, 'other') == (1, 0)))
        self.assertEqual((fake.connections, other.connections, other.seen), (0, 1, []))

    def test_all_of_one_rank(self):
        fakes = [self.another_fake() for _ in range(3)]
        config = self.config_of('always', *[fake_provider(fake, f'p{i}') for i, fake in enumerate(fakes)], strategy='weighted')
        config['models'][0]['targets'][2]['priority'] = 2
        self.spawn(config)
        self.assertTrue(eventually(lambda: [fake.connections for fake in fakes] == [1, 1, 0]), [f.connections for f in fakes])

    def test_next_in_line_and_back_again(self):
        """Without any request: health checks say that the first is not well, and then that it is."""
        patient, second, third = self.patient(), self.another_fake(), self.another_fake()
        check = {'path': '/how', 'interval': '100ms', 'timeout': '2s', 'rise': 1, 'fall': 1}
        first = {'name': 'first', 'kind': 'openai', 'api_key': 'sk-p', 'base_url': patient.url, 'health_check': check}
        server = self.spawn(self.config_of('failover', first, fake_provider(second, 'second'), fake_provider(third, 'third')),
                            workers=2)
        self.assertTrue(eventually(lambda: sum(patient.connections) > 2))
        self.assertEqual((second.connections, patient.unasked()), (0, 0))
        patient.status = 503
        self.assertTrue(eventually(lambda: second.connections == 2), second.connections)  # one a loop
        self.assertTrue(eventually(lambda: self.pool(server, 'second') == (2, 0)))
        self.assertEqual((second.seen, third.connections, patient.unasked()), ([], 0, 0))
        self.assertEqual(server.chat('m').header('x-penstock-provider'), 'second')
        self.assertEqual(second.connections, 2)
        patient.status = 200
        # The loop that does the checks has a connection already.
        self.assertTrue(eventually(lambda: patient.unasked() == 1), patient.connections)

    def test_failures_of_requests(self):
        """What one event loop finds out, the others prepare for."""
        for how in ('status=429;retry_after=60', 'status=500'):
            first, second = self.another_fake(), self.another_fake()
            config = self.config_of('failover', fake_provider(first, 'first'), fake_provider(second, 'second'))
            config['models'][0]['targets'][0]['model'] = 'x;' + how
            config['routing']['breaker'] = {'failures': 1, 'open': '1m'}
            server = self.spawn(config, workers=2)
            reply = server.chat('m')
            self.assertEqual((reply.status, reply.header('x-penstock-provider')), (200, 'second'))
            self.assertTrue(eventually(lambda n=second: n.connections == 2), second.connections)
            self.assertTrue(eventually(lambda s=server: self.pool(s, 'second') == (2, 0)))
            self.assertEqual((len(second.seen), first.connections), (1, 1))

    def test_renewed_but_not_for_ever(self):
        fake = self.another_fake()
        server = self.spawn(self.config_of('always', fake_provider(fake, 'first')))
        self.assertTrue(eventually(lambda: fake.peers))
        fake.drop_connections()
        self.assertTrue(eventually(lambda: fake.connections == 2))
        self.assertTrue(eventually(lambda: self.pool(server, 'first') == (1, 0)))
        self.assertEqual(fake.seen, [])
        # One that never keeps any is tried ever more rarely: after 1, 2, 4, … seconds.
        begun, patient = time.monotonic(), self.patient(closes=True)
        provider = {'name': 'first', 'kind': 'openai', 'api_key': 'sk-p', 'base_url': patient.url}
        server = self.spawn(self.config_of('always', provider))
        self.assertTrue(eventually(lambda: len(patient.connections) == 3))
        self.assertGreaterEqual(time.monotonic() - begun, 2.5)
        self.assertEqual(self.pool(server, 'first'), (0, 0))

    def test_nothing_while_draining(self):
        fake = self.another_fake()
        server = self.spawn(self.config_of('always', fake_provider(fake, 'first')))
        self.assertTrue(eventually(lambda: fake.peers))
        server.signal(signal.SIGTERM)
        server.stop()
        self.assertEqual(fake.connections, 1)


if __name__ == '__main__':
    main()
