#!/usr/bin/env python3
"""Administration that takes long leaves the data plane threads for what blocks there, too."""
import json
import sqlite3
import threading

from harness import Suite, eventually, fake_provider, main


class WorkerShare(Suite):
    @classmethod
    def config(cls):
        # By name: the first call of it asks for the address, on the worker pool.
        named = fake_provider(cls.fake, name='named')
        named['base_url'] = named['base_url'].replace('127.0.0.1', 'localhost')
        cls.fake.authority = cls.fake.authority.replace('127.0.0.1', 'localhost')
        return {**super().config(), 'providers': [named]}

    def test_slow_administration(self):
        operator = self.server.create_key('--admin')['key']
        self.server.request('GET', '/api/v1/teams', key=operator)
        db = sqlite3.connect(f'{self.server.data}/penstock.db', isolation_level=None)
        self.addCleanup(db.close)
        replies, threads = [], []

        def change(i):
            replies.append(self.server.request('POST', '/api/v1/teams', body=json.dumps({'name': f't{i}'}).encode(),
                                               key=operator))

        # Whoever wants to write waits for it, for seconds: more of them than there are threads.
        db.execute('BEGIN IMMEDIATE')
        for i in range(24):
            threads.append(threading.Thread(target=change, args=(i,)))
            threads[-1].start()
        self.assertTrue(eventually(lambda: self.busy() >= 24))
        reply = self.server.chat('named/well')
        before = len(replies)
        db.execute('ROLLBACK')
        for thread in threads:
            thread.join()
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(before, 0, 'the call of a model waited for administration')
        self.assertEqual({r.status for r in replies} - {201}, set())

    def busy(self):
        """Connections, of which each has a request that is not answered yet."""
        return sum(v for k, v in self.server.metrics().items() if k.startswith('penstock_open_connections'))


if __name__ == '__main__':
    main()
