#!/usr/bin/env python3
# The usage ledger: every answered request is in it once, whatever happens to the process, the database or the disk.
import collections
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid

from harness import Incomplete, Penstock, Suite, chat_body, eventually, fake_provider, in_parallel, main, request_bytes

TOKENS = ('input_tokens', 'output_tokens', 'cached_tokens', 'reasoning_tokens')


def tokens_of(record):
    return tuple(record[name] for name in TOKENS)


class Load:
    """Clients that call until they are told to stop, and remember what they were answered whole."""

    def __init__(self, server, clients=6):
        self.server, self.stopping = server, False
        self.answered = {}  # request id → the client's own id
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.client, args=(i,), daemon=True) for i in range(clients)]
        for t in self.threads:
            t.start()

    def client(self, i):
        rng = random.Random(i)
        while not self.stopping:
            with contextlib.suppress(OSError, Incomplete, ValueError), self.server.conn(timeout=5) as c:
                while not self.stopping:
                    mine, stream = uuid.uuid4().hex, rng.random() < 0.5
                    c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x', stream=stream),
                                         {'X-Client-Request-Id': mine}, self.server.key))
                    reply = c.read()
                    if reply.status == 200:
                        with self.lock:
                            self.answered[reply.request_id] = mine
                    else:
                        time.sleep(0.02)
            time.sleep(0.005)

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join(20)
        return self.answered


class Ledger(Suite):
    def check_ledger(self, server, answered, exact):
        """Each answered request is there once, to the token; exact: and nothing else."""
        records = server.usage()
        ids = collections.Counter(r['request_id'] for r in records)
        self.assertEqual([i for i, n in ids.items() if n > 1], [], 'records that are there twice')
        self.assertEqual([i for i in answered if i not in ids], [], 'answered requests that are not in the ledger')
        told = {s.header('x-client-request-id'): s.usage for s in self.fake.seen if s.usage}
        by_id = {r['request_id']: r for r in records}
        for request_id, mine in answered.items():
            self.assertEqual(tokens_of(by_id[request_id]), told[mine], by_id[request_id])
            self.assertEqual(by_id[request_id]['status'], 200)
        sums = [sum(r[name] for r in records if r['status'] == 200 and not r['tokens_estimated']) for name in TOKENS]
        at_provider = [sum(u[i] for u in told.values()) for i in range(4)]
        at_clients = [sum(told[m][i] for m in answered.values()) for i in range(4)]
        if exact:
            self.assertEqual(set(ids), set(answered))
            self.assertEqual(sums, at_provider)
        for low, there, high in zip(at_clients, sums, at_provider):
            self.assertTrue(low <= there <= high, (at_clients, sums, at_provider))
        return records

    def server_of_its_own(self, **more):
        return self.spawn({'providers': [fake_provider(self.fake)], 'log': {'level': 'debug', 'format': 'json'}}, **more)

    def test_while_the_server_runs(self):
        for _ in range(50):
            reply = self.server.chat('fake/x', stream=random.random() < 0.5)
            self.assertIn(reply.request_id, {r['request_id'] for r in self.server.usage('--limit', '5')})

    def test_every_endpoint_is_recorded(self):
        replies = [self.server.chat('fake/x'), self.server.chat('fake/x', stream=True),
                   self.server.post('/v1/embeddings', b'{"model":"fake/x","input":"a"}'),
                   self.server.post('/v1/completions', b'{"model":"fake/x","prompt":"a"}'),
                   self.server.chat('no-such-provider/x', stream=True), self.server.post('/v1/chat/completions', b'{'),
                   self.server.chat('fake/x;status=500'), self.server.get('/v1/models', key=self.server.key)]
        ids = {r['request_id']: r for r in self.server.usage()}
        for reply in replies:
            self.assertIn(reply.request_id, ids, reply)
            self.assertEqual(ids[reply.request_id]['status'], reply.status)

    def test_after_sigterm(self):
        server = self.server_of_its_own()
        load = Load(server)
        time.sleep(1)
        answered = load.stop()
        server.stop()
        self.assertGreater(len(answered), 50)
        self.check_ledger(server, answered, exact=True)
        with contextlib.closing(sqlite3.connect(os.path.join(server.data, 'penstock.db'))) as db:
            names = [n for (n,) in db.execute("select name from sqlite_master where type = 'table' and name like '%usage%'")]
            self.assertTrue(names)

    def test_sigterm_under_load(self):
        server = self.server_of_its_own()
        load = Load(server)
        time.sleep(0.5)
        server.stop()
        answered = load.stop()
        self.check_ledger(server, answered, exact=False)

    def test_kill_9_under_load(self):
        server = self.server_of_its_own()
        rng = random.Random(19)
        answered, unknown = {}, 0
        for _ in range(6):
            load = Load(server)
            time.sleep(rng.uniform(0.1, 0.6))
            server.kill()
            answered.update(load.stop())
            self.check_ledger(server, answered, exact=False)  # no server runs: read from the log's segments
            server.start()
            records = self.check_ledger(server, answered, exact=False)
            unknown = sum(r['status'] is None for r in records)
        server.stop()
        records = self.check_ledger(server, answered, exact=False)
        print(f'{len(answered)} answered requests, {len(records)} records, {unknown} of unknown outcome')
        self.assertGreater(len(answered), 100)

    def test_kill_9_of_a_stream(self):
        """A request that was begun and never answered is one row of unknown outcome."""
        server = self.server_of_its_own()
        with server.conn() as c:
            c.send(request_bytes('POST', '/v1/chat/completions', chat_body('fake/x;endless;gap=20', stream=True), key=server.key))
            reply = c.read_head()
            next(c.pieces(reply))
            server.kill()
        server.start()
        (record,) = [r for r in server.usage() if r['request_id'] == reply.request_id]
        self.assertEqual((record['status'], record['model']), (None, 'fake/x;endless;gap=20'))
        server.stop()

    def test_locked_database(self):
        server = self.server_of_its_own()
        server.chat('fake/x')
        self.fake.reset()
        answered = {}
        with contextlib.closing(sqlite3.connect(os.path.join(server.data, 'penstock.db'), isolation_level=None)) as db:
            db.execute('begin exclusive')
            end = time.monotonic() + 2
            while time.monotonic() < end:
                mine = uuid.uuid4().hex
                reply = server.chat('fake/x', headers={'X-Client-Request-Id': mine})
                self.assertEqual(reply.status, 200, reply)
                answered[reply.request_id] = mine
                time.sleep(0.01)
            self.assertEqual(server.get('/healthz').status, 200)
            there = {r['request_id'] for r in server.usage()}
            self.assertEqual([i for i in answered if i not in there], [], 'missing while the database is locked')
            db.execute('rollback')
        self.assertGreater(len(answered), 20)
        self.assertTrue(eventually(lambda: server.get('/readyz').json()['usage_ledger']['pending'] == 0))
        server.stop()
        self.assertEqual(len([r for r in server.usage() if r['request_id'] in answered]), len(answered))

    def test_killed_while_the_database_is_locked(self):
        server = self.server_of_its_own()
        with contextlib.closing(sqlite3.connect(os.path.join(server.data, 'penstock.db'), isolation_level=None)) as db:
            db.execute('begin exclusive')
            ids = [server.chat('fake/x').request_id for _ in range(30)]
            server.kill()
            db.execute('rollback')
        server.start()
        there = collections.Counter(r['request_id'] for r in server.usage())
        self.assertEqual([there[i] for i in ids], [1] * 30)
        server.stop()

    def test_full_disk(self):
        folder = tempfile.mkdtemp(prefix='penstock-test-disk-')
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', folder], capture_output=True).returncode != 0:
            self.skipTest('a small disk cannot be mounted here')
        self.addCleanup(subprocess.run, ['umount', '-l', folder], capture_output=True)
        server = Penstock({'providers': [fake_provider(self.fake)], 'log': {'level': 'debug', 'format': 'json'}})
        self.addCleanup(server.remove)
        shutil.copytree(server.data, os.path.join(folder, 'data'))
        server.data = os.path.join(folder, 'data')
        server.start()
        ids = [server.chat('fake/x').request_id for _ in range(5)]
        with open(os.path.join(folder, 'filler'), 'wb', buffering=0) as f:
            with contextlib.suppress(OSError):
                while True:
                    f.write(b'x' * 65536)
            with contextlib.suppress(OSError):
                while True:
                    f.write(b'x')
        # Requests go on; what waits is read from where it is.
        ids += in_parallel(4, lambda i: [server.chat('fake/x').request_id for _ in range(100)])[0]
        ids += [server.chat('fake/x', stream=True).request_id for _ in range(20)]
        told = eventually(lambda: server.get('/readyz').json()['checks']['usage_ledger']['status'] == 'degraded', seconds=10)
        self.assertTrue(told, 'the operator was not told: ' + json.dumps(server.get('/readyz').json()))
        self.assertEqual(server.get('/readyz').status, 200)
        self.assertTrue(any(line['level'] in ('warn', 'error') for line in server.log_lines()))
        os.unlink(os.path.join(folder, 'filler'))
        self.assertTrue(eventually(lambda: server.get('/readyz').json()['usage_ledger']['pending'] == 0))
        self.assertTrue(eventually(lambda: server.get('/readyz').json()['checks']['usage_ledger']['status'] == 'ok'))
        server.stop()
        there = collections.Counter(r['request_id'] for r in server.usage())
        self.assertEqual([i for i in ids if there[i] != 1], [])
        shutil.copytree(server.data, server.folder + '/data', dirs_exist_ok=True)

    def test_second_server_on_the_same_data_is_refused(self):
        second = Penstock({'providers': [fake_provider(self.fake)]})
        self.addCleanup(second.remove)
        second.data = self.server.data
        second.launch()
        self.assertNotEqual(second.process.wait(20), 0)
        self.assertIn(self.server.data, second.log())
        self.check_serving()

    def test_grouping(self):
        server = self.server_of_its_own()
        for _ in range(4):
            server.chat('fake/a')
        server.chat('fake/b', stream=True)
        by_model = {r['model']: r for r in server.usage('--by', 'model')}
        self.assertEqual((by_model['fake/a']['requests'], by_model['fake/b']['requests']), (4, 1))
        self.assertEqual(by_model['fake/a']['input_tokens'], 4 * self.fake.find('"a"')[0].usage[0])
        (provider,) = server.usage('--by', 'provider')
        self.assertEqual((provider['provider'], provider['requests'], provider['errors']), ('fake', 5, 0))
        (day,) = server.usage('--by', 'day')
        self.assertEqual(day['requests'], 5)
        self.assertEqual(len(server.usage('--model', 'fake/b')), 1)
        self.assertEqual(len(server.usage('--since', '1h')), 5)
        self.assertEqual(len(server.usage('--until', '1h')), 0)
        server.stop()

    def test_durability_sync(self):
        server = self.spawn({'providers': [fake_provider(self.fake)], 'storage': {'durability': 'sync'}})
        ids = in_parallel(4, lambda i: [server.chat('fake/x', stream=i % 2 == 0).request_id for _ in range(20)])
        server.kill()
        there = {r['request_id'] for r in server.usage()}
        self.assertEqual([i for part in ids for i in part if i not in there], [])

    def test_a_damaged_segment_is_set_aside(self):
        server = self.server_of_its_own()
        ids = [server.chat('fake/x').request_id for _ in range(5)]
        self.assertTrue(eventually(lambda: server.get('/readyz').json()['usage_ledger']['pending'] == 0))
        server.signal(signal.SIGSTOP)
        server.kill()
        segments = [os.path.join(server.data, 'wal', n) for n in os.listdir(os.path.join(server.data, 'wal'))]
        segments = [p for p in segments if os.path.isfile(p) and os.path.getsize(p) > 1000]
        self.assertTrue(segments)
        for path in segments:
            with open(path, 'r+b') as f:
                f.seek(8)
                f.write(b'\xff' * 600)
        server.start()
        there = collections.Counter(r['request_id'] for r in server.usage())
        self.assertEqual([there[i] for i in ids], [1] * 5)
        self.assertEqual(server.chat('fake/x').status, 200)
        server.stop()


if __name__ == '__main__':
    main()
