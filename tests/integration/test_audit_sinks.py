#!/usr/bin/env python3
# Where audit events are sent: a real rsyslogd over TCP, TLS, UDP and a Unix socket, files that are rotated, a webhook;
# over outages and restarts of either side.
import glob
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import unittest

from harness import Suite, WAIT, eventually, fake_provider, free_port, main, run_cli

from postgres import Postgres
from test_postgres import Replica

RSYSLOGD = shutil.which('rsyslogd', path=os.environ.get('PATH', '') + ':/usr/sbin')


class Rsyslog:
    """rsyslogd with a configuration and a folder of its own."""

    def __init__(self, folder, listen):
        self.folder, self.out = folder, os.path.join(folder, 'received')
        self.config = os.path.join(folder, 'rsyslog.conf')
        os.makedirs(folder, exist_ok=True)
        with open(self.config, 'w') as f:
            f.write(f'global(workDirectory="{folder}" maxMessageSize="128k")\n' + listen +
                    '\ntemplate(name="line" type="string" string="%syslogfacility% %syslogseverity% %app-name% '
                    '%structured-data% %msg%\\n")\n'
                    f'ruleset(name="r") {{ action(type="omfile" file="{self.out}" template="line") }}\n')
        self.process = None

    def start(self):
        self.process = subprocess.Popen([RSYSLOGD, '-n', '-f', self.config, '-i', os.path.join(self.folder, 'pid')],
                                        stdout=subprocess.DEVNULL, stderr=open(os.path.join(self.folder, 'err'), 'ab'))
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(WAIT)
        self.process = None

    def lines(self):
        if not os.path.exists(self.out):
            return []
        with open(self.out) as f:
            return [line for line in f.read().split('\n') if line]

    def seqs(self):
        return [int(re.search(r'seq="(\d+)"', line)[1]) for line in self.lines()]


def in_order(seqs):
    """Each number at its first coming follows the one before it."""
    first = list(dict.fromkeys(seqs))
    return first == list(range(1, len(first) + 1))


@unittest.skipUnless(RSYSLOGD, 'rsyslogd is not installed')
class Syslog(Suite):
    def setUp(self):
        super().setUp()
        self.folder = os.path.join(self.server.folder, self.id().rsplit('.', 1)[1])
        self.port = free_port()

    def rsyslog(self, listen):
        r = Rsyslog(self.folder, listen)
        self.addCleanup(r.stop)
        return r

    def penstock(self, sinks):
        return self.spawn({'providers': [fake_provider(self.fake)], 'audit': {'sinks': sinks}})

    def told(self, server, n):
        for i in range(n):
            done = server.cli('audit', 'export', f'action=none{i}.*')
            self.assertEqual(done.returncode, 0, done.stderr)

    def trail(self, server):
        return len(server.cli_json('audit', 'list', '--limit', '0'))

    def test_tcp_with_an_outage_and_restarts(self):
        r = self.rsyslog(f'module(load="imtcp")\ninput(type="imtcp" port="{self.port}" ruleset="r")')
        server = self.penstock([{'name': 'siem', 'address': f'tcp://127.0.0.1:{self.port}', 'facility': 'local3'}])
        self.told(server, 3)  # it is away yet
        r.start()
        eventually(lambda: len(set(r.seqs())) == self.trail(server))
        time.sleep(1.5)  # until what was sent is taken to be there
        r.stop()
        self.told(server, 5)
        r.start()
        eventually(lambda: len(set(r.seqs())) == self.trail(server))
        r.stop(signal.SIGKILL)
        self.told(server, 3)
        server.kill()
        server.start()
        r.start()
        eventually(lambda: len(set(r.seqs())) == self.trail(server))
        self.assertTrue(in_order(r.seqs()), r.seqs())
        line = r.lines()[0]
        self.assertTrue(line.startswith('19 6 penstock [audit@32473 tenant="1" seq="1" action='), line)
        event = json.loads(line[line.index('] ') + 2:])
        self.assertEqual(event['seq'], 1)

    def test_nothing_is_sent_twice_in_peace(self):
        r = self.rsyslog(f'module(load="imtcp")\ninput(type="imtcp" port="{self.port}" ruleset="r")').start()
        server = self.penstock([{'name': 'siem', 'address': f'tcp://127.0.0.1:{self.port}', 'format': 'cef'}])
        self.told(server, 4)
        eventually(lambda: len(r.seqs()) == self.trail(server))
        time.sleep(2.5)
        server.stop()
        server.start()
        eventually(lambda: len(set(r.seqs())) == self.trail(server))
        seqs = r.seqs()
        self.assertTrue(in_order(seqs), seqs)
        self.assertEqual(seqs.count(1), 1)
        self.assertIn('CEF:0|Penstock|', r.lines()[0])

    def test_tls(self):
        key, cert = os.path.join(self.server.folder, 'k.pem'), os.path.join(self.server.folder, 'c.pem')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days',
                        '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
                       check=True, capture_output=True)
        r = self.rsyslog(f'global(defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{cert}" '
                         f'defaultNetstreamDriverCertFile="{cert}" defaultNetstreamDriverKeyFile="{key}")\n'
                         'module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" '
                         f'streamDriver.authMode="anon")\ninput(type="imtcp" port="{self.port}" ruleset="r")').start()
        sink = {'name': 'siem', 'address': f'tls://localhost:{self.port}', 'format': 'ocsf'}
        server = self.penstock([{**sink, 'tls_ca': cert}, {**sink, 'name': 'mistrusts'}])
        self.told(server, 3)
        eventually(lambda: len(set(r.seqs())) == self.trail(server))
        self.assertTrue(in_order(r.seqs()))
        eventually(lambda: 'mistrusts' in server.log())
        line = r.lines()[0]
        self.assertIn(json.loads(line[line.index('] ') + 2:])['class_uid'], (3002, 6003))

    def test_udp_and_a_unix_socket(self):
        path = os.path.join(self.folder, 'log.sock')
        r = self.rsyslog(f'module(load="imudp")\ninput(type="imudp" port="{self.port}" address="127.0.0.1" ruleset="r")\n'
                         'module(load="imuxsock" SysSock.Use="off")\n'
                         f'input(type="imuxsock" socket="{path}" ruleset="r" useSpecialParser="off" '
                         'parseHostname="on")').start()
        eventually(lambda: os.path.exists(path))
        server = self.penstock([{'name': 'one', 'address': f'udp://127.0.0.1:{self.port}'},
                                {'name': 'two', 'address': f'unix://{path}'}])
        self.told(server, 2)
        eventually(lambda: len(r.seqs()) == 2 * self.trail(server))


class Others(Suite):
    def spawn_with(self, sinks):
        return self.spawn({'providers': [fake_provider(self.fake)], 'audit': {'sinks': sinks}})

    def test_a_file_is_rotated(self):
        path = os.path.join(self.server.folder, 'audit.jsonl')
        server = self.spawn_with([{'name': 'file', 'type': 'file', 'path': path, 'rotate_size': '4KiB', 'keep': 50}])

        def numbers():
            files = sorted(glob.glob(path + '*'), key=lambda p: -int(p.rsplit('.', 1)[1]) if p[-1].isdigit() else 0)
            return [json.loads(line)['seq'] for p in files for line in open(p)]
        for i in range(25):
            server.cli('audit', 'export', f'action=none{i}.*')
        n = len(server.cli_json('audit', 'list', '--limit', '0'))
        eventually(lambda: len(numbers()) == n)
        self.assertGreater(len(glob.glob(path + '*')), 2)
        self.assertEqual(numbers(), list(range(1, n + 1)))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        # A line that was cut, by a crash in the middle of it, ends where it is.
        server.stop()
        with open(path, 'a') as f:
            f.write('{"seq": 99')
        server.start()
        eventually(lambda: '"server.start"' in open(path).read().split('{"seq": 99\n')[-1])

    def test_a_webhook(self):
        seen, broken = [], threading.Event()
        broken.set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['content-length']))
                if not broken.is_set():
                    seen.append((self.headers['webhook-id'], json.loads(body)['seq'], self.headers['webhook-signature']))
                self.send_response(503 if broken.is_set() else 204)
                self.end_headers()

            def log_message(self, *_):
                pass
        httpd = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        self.addCleanup(httpd.shutdown)
        server = self.spawn_with([{'name': 'hook', 'type': 'webhook', 'secret': 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
                                   'address': f'http://127.0.0.1:{httpd.server_address[1]}/'}])
        eventually(lambda: 'takes no events' in server.log())
        broken.clear()
        server.cli('audit', 'export', 'action=none.*')
        eventually(lambda: len(seen) >= 3)
        self.assertEqual([s[1] for s in seen[:3]], [1, 2, 3])
        self.assertEqual(seen[0][0], 'audit-1-1')
        self.assertTrue(seen[0][2].startswith('v1,'))

    def test_a_wrong_configuration(self):
        for sink, words in (({'name': 'a', 'type': 'file'}, 'path is missing'), ({'name': 'a'}, 'address is missing'),
                            ({'name': 'a', 'address': 'http://x'}, 'not one of a syslog server'),
                            ({'name': 'a', 'address': 'ftp://x'}, 'udp://HOST:PORT')):
            with self.subTest(words):
                path = os.path.join(self.server.folder, 'wrong.yaml')
                with open(path, 'w') as f:
                    json.dump({'audit': {'sinks': [sink]}}, f)
                done = run_cli('config', 'validate', path)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(words, done.stdout + done.stderr)


class Replicas(Suite):
    def test_two_servers_on_one_database_tell_once(self):
        postgres = Postgres().start()
        self.addCleanup(postgres.__exit__)
        url = postgres.url('sinks')
        path = os.path.join(self.server.folder, 'one.jsonl')
        config = {'providers': [fake_provider(self.fake)], 'audit': {'sinks': [{'name': 'f', 'type': 'file', 'path': path}]}}
        first = Replica(config, url)
        self.addCleanup(first.remove)
        second = Replica(config, url, first=first)
        self.addCleanup(second.remove)
        first.start()
        eventually(lambda: os.path.exists(path))
        second.start()

        def numbers():
            with open(path) as f:
                return [json.loads(line)['seq'] for line in f]
        for i in range(5):
            first.cli('audit', 'export', f'action=none{i}.*')
        n = len(first.cli_json('audit', 'list', '--limit', '0'))
        eventually(lambda: len(numbers()) >= n)
        time.sleep(1)
        self.assertEqual(numbers(), list(range(1, len(numbers()) + 1)), 'an event came twice')
        first.kill()  # without a word: the other one takes over
        second.cli('audit', 'export', 'action=none.*')
        n = len(second.cli_json('audit', 'list', '--limit', '0'))
        eventually(lambda: len(set(numbers())) >= n)
        self.assertTrue(in_order(numbers()))
        self.assertEqual(second.cli('audit', 'verify').returncode, 0)


if __name__ == '__main__':
    main()
