#!/usr/bin/env python3
# The log of contents: kept only where the configuration says so, masked, sealed, for those who may read it, for a time.
import contextlib
import json
import os
import signal
import sqlite3
import time

from harness import Suite, chat_body, eventually, fake_provider, main


class Content(Suite):
    def setUp(self):
        super().setUp()
        self.operator = None

    def server_with(self, *rules):
        server = self.spawn({'providers': [fake_provider(self.fake)],
                             'models': [{'name': 'm', 'targets': [{'provider': 'fake', 'model': 'well'}]}],
                             'tenants': [{'name': 'acme'}], 'content_log': list(rules)})
        self.operator = server.create_key('--admin')['key']
        return server

    def kept(self, server, request_id, key=None):
        return server.get('/api/v1/content/' + request_id, key=key or self.operator)

    def wait(self, server, request_id):
        eventually(lambda: self.kept(server, request_id).status == 200)
        return self.kept(server, request_id).json()

    def test_a_whole_answer_masked(self):
        server = self.server_with({'mask': ['email', 'text:Blue*']})
        reply = server.post('/v1/chat/completions', chat_body('m', 'ask ada@example.com about Bluebird'), key=server.key)
        self.assertEqual(reply.status, 200)
        entry = self.wait(server, reply.request_id)
        self.assertIn('ask [email] about [masked]', entry['request'])
        self.assertEqual(json.loads(entry['answer'])['object'], 'chat.completion')
        self.assertEqual((entry['model'], entry['status']), ('m', 200))
        # Sealed: neither text stands in the file.
        server.stop()
        with open(os.path.join(server.data, 'penstock.db'), 'rb') as f:
            bytes_ = f.read()
        self.assertNotIn(b'chat.completion', bytes_)
        self.assertNotIn(b'about [masked]', bytes_)

    def test_a_stream(self):
        server = self.server_with({'max_bytes': '1KiB'})
        reply = server.post('/v1/chat/completions', chat_body('m', 'x' * 5000, stream=True), key=server.key)
        self.assertEqual(reply.status, 200)
        entry = self.wait(server, reply.request_id)
        self.assertEqual(len(entry['request']), 1024)
        self.assertTrue(entry['answer'].startswith('data: '), entry['answer'][:40])
        self.assertLessEqual(len(entry['answer']), 1024)

    def test_what_is_cut_is_not_half_masked(self):
        server = self.server_with({'max_bytes': '1KiB', 'mask': ['email', 'card', 'text:Blue Project*']})
        for secret in ('ada.lovelace@example.com', '4111 1111 1111 1111', 'blue projection'):
            for kept in (3, 9, 14):
                text = chat_body('m', secret).index(secret.encode())
                body = chat_body('m', 'x' * (1024 - text - kept - 1) + ' ' + secret)
                self.assertEqual(body.index(secret.encode()), 1024 - kept)
                reply = server.post('/v1/chat/completions', body, key=server.key)
                request = self.wait(server, reply.request_id)['request']
                self.assertNotIn(secret[:3], request)
                self.assertTrue(request.endswith(('xxx ', 'xxx [masked]')), request[-30:])

    def test_who_and_whose(self):
        server = self.server_with({'tenant': 'acme'})
        acme = server.create_key('--tenant', 'acme')['key']
        other = server.post('/v1/chat/completions', chat_body('m'), key=server.key)
        own = server.post('/v1/chat/completions', chat_body('m'), key=acme)
        eventually(lambda: server.get('/api/v1/content/' + own.request_id, key=self.operator,
                                      headers={'X-Penstock-Tenant': 'acme'}).status == 200)
        self.assertEqual(self.kept(server, other.request_id).status, 404)
        self.assertEqual(self.kept(server, own.request_id).status, 404)  # another tenant's
        self.assertEqual(self.kept(server, own.request_id, key=acme).status, 403)
        looks = server.cli_json('audit', 'list', '--tenant', 'acme', 'action=content.read', 'outcome=ok')
        self.assertEqual([e['resource_id'] for e in looks], [own.request_id])

    def test_it_ends(self):
        server = self.server_with({'keep': '1s'})
        first = server.post('/v1/chat/completions', chat_body('m'), key=server.key)
        time.sleep(1.2)
        self.assertEqual(self.kept(server, first.request_id).status, 404)
        server.post('/v1/chat/completions', chat_body('m'), key=server.key)
        self.assertTrue(eventually(lambda: len(self.rows(server)) == 1))

    @contextlib.contextmanager
    def locked(self, server):
        with contextlib.closing(sqlite3.connect(os.path.join(server.data, 'penstock.db'), isolation_level=None)) as db:
            db.execute('BEGIN IMMEDIATE')
            yield
            db.rollback()

    def ask(self, server, n):
        replies = [server.post('/v1/chat/completions', chat_body('m'), key=server.key) for _ in range(n)]
        self.assertEqual({reply.status for reply in replies}, {200})
        return [reply.request_id for reply in replies]

    def rows(self, server):
        with contextlib.closing(sqlite3.connect(os.path.join(server.data, 'penstock.db'))) as db:
            return db.execute('SELECT request_id, length(request), length(answer) FROM content_log').fetchall()

    def test_a_database_that_is_locked(self):
        server = self.server_with({})
        with self.locked(server):
            asked = self.ask(server, 20)
            self.assertTrue(eventually(lambda: 'takes no rows now' in server.log()), server.log())
            self.assertEqual(server.metrics()['penstock_rows_waiting{writer="content-log"}'], 20)
        for request_id in asked:
            self.wait(server, request_id)
        self.assertTrue(eventually(lambda: 'takes rows again' in server.log()), server.log())
        self.assertEqual(server.metrics()['penstock_rows_dropped_total{writer="content-log"}'], 0)

    def test_the_end_writes_what_waits(self):
        server = self.server_with({})
        with self.locked(server):
            asked = self.ask(server, 20)
            server.signal(signal.SIGTERM)
            time.sleep(0.3)
        server.stop()
        self.assertEqual(sorted(row[0] for row in self.rows(server)), sorted(asked))

    def test_a_kill_leaves_no_halves(self):
        server = self.server_with({})
        first = self.ask(server, 5)
        for request_id in first:
            self.wait(server, request_id)
        more = self.ask(server, 30)
        server.kill()
        rows = self.rows(server)
        self.assertEqual([row for row in rows if not row[1] or not row[2]], [])
        ids = [row[0] for row in rows]
        self.assertEqual((ids[:5], len(set(ids)), set(ids) - set(first + more)), (first, len(ids), set()))
        server.start()
        self.wait(server, self.ask(server, 1)[0])

    def test_deleted(self):
        server = self.server_with({})
        reply = server.post('/v1/chat/completions', chat_body('m'), key=server.key)
        self.wait(server, reply.request_id)
        gone = server.request('DELETE', '/api/v1/content/' + reply.request_id, key=self.operator)
        self.assertEqual(gone.status, 204)
        self.assertEqual(self.kept(server, reply.request_id).status, 404)


if __name__ == '__main__':
    main()
