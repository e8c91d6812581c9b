#!/usr/bin/env python3
"""How budgets stand: used, reserved, remaining, period and state, by a running server, by several, and by the ledger."""
import json
import time
import unittest

from harness import Conn, chat_body, eventually, main, request_bytes
from redis_nodes import Nodes
from test_quotas import Budgets, Quotas, config


class BudgetUse(Quotas):
    """One server, which counts in its memory."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.create_key('--admin', '--name', 'ops')['key']

    def make(self, **fields):
        reply = self.server.post('/api/v1/budgets', json.dumps(fields).encode(), key=self.admin)
        self.assertEqual(reply.status, 201, reply)
        return reply.json()

    def shown(self, name):
        reply = self.server.get('/api/v1/budgets/' + name, key=self.admin)
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    def of_key(self, name='whose', **fields):
        key, number = self.budgets.key()
        rows = self.server.get('/api/v1/keys?limit=1000', key=self.admin).json()['data']
        ids = [row['id'] for row in rows if row['prefix'] == key[:9]]
        self.assertEqual(len(ids), 1)
        self.make(name=name, scope=ids[0], **fields)
        return key

    def test_states(self):
        key = self.of_key('calls', metric='requests', period='day', amount=4)
        seen = []
        for _ in range(5):
            row = self.shown('calls')
            seen.append((row['used'], row['reserved'], row['remaining'], row['state'], row['counted']))
            self.chat(key)
        self.assertEqual(seen, [(0, 0, 4, 'ok', 'server'), (1, 0, 3, 'ok', 'server'), (2, 0, 2, 'warned', 'server'),
                                (3, 0, 1, 'warned', 'server'), (4, 0, 0, 'exhausted', 'server')])
        row = self.shown('calls')
        self.assertTrue(row['period_start'].endswith('T00:00:00.000Z'), row)
        self.assertEqual(row['used'], 4)  # the refused one does not count
        listed, = [r for r in self.server.get('/api/v1/budgets', key=self.admin).json()['data'] if r['name'] == 'calls']
        self.assertEqual(listed, row)
        self.server.request('PATCH', '/api/v1/budgets/calls', json.dumps({'enabled': False}).encode(), key=self.admin)
        self.assertTrue(eventually(lambda: self.shown('calls')['used'] == 4))  # soon in the tables
        row = self.shown('calls')
        self.assertEqual((row['state'], row['counted']), ('off', 'ledger'))

    def test_reserved_while_under_way(self):
        key = self.of_key('tokens', metric='tokens', period='month', amount=10_000)
        self.make(name='now', metric='concurrency', amount=100)
        with Conn(self.server.port) as conn:
            conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('slow', max_tokens=1000), key=key))
            self.assertTrue(eventually(lambda: self.shown('tokens')['reserved'] >= 1000))
            row, now = self.shown('tokens'), self.shown('now')
            self.assertEqual((row['used'], row['remaining']), (0, 10_000 - row['reserved']))
            self.assertEqual((now['used'], now['reserved'], now['remaining']), (1, 0, 99))
            self.assertIsNone(now['period_end'])
            total = conn.read().json()['usage']['total_tokens']
        row = self.shown('tokens')
        self.assertEqual((row['used'], row['reserved'], row['remaining']), (total, 0, 10_000 - total))
        self.assertEqual(self.shown('now')['used'], 0)

    def test_money(self):
        key = self.of_key('money', metric='cost', period='month', amount=1.5)
        cost = float(self.chat(key).header('x-penstock-cost-usd'))
        row = self.shown('money')
        self.assertAlmostEqual(row['used'], cost, 9)
        self.assertAlmostEqual(row['remaining'], 1.5 - cost, 9)

    def test_changed_while_counting(self):
        key = self.of_key('grows', metric='requests', period='day', amount=2)
        self.chat(key)
        self.server.request('PATCH', '/api/v1/budgets/grows', json.dumps({'amount': 10, 'notify_at': [90]}).encode(), key=self.admin)
        row = self.shown('grows')
        self.assertEqual((row['used'], row['remaining'], row['state']), (1, 9, 'ok'))

    def test_history(self):
        key = self.of_key('past', metric='requests', period='hour', amount=100)
        for _ in range(3):
            self.chat(key)
        row = self.shown('past')
        self.assertEqual(row['used'], 3)
        ask = lambda: self.server.get('/api/v1/budgets/past/history?limit=30', key=self.admin).json()['data']  # noqa: E731
        self.assertTrue(eventually(lambda: ask()[0]['used'] == 3))
        periods = ask()
        self.assertEqual(len(periods), 30)
        self.assertEqual(periods[0], {k: row[k] for k in ('period_start', 'period_end', 'used')})
        self.assertEqual([p['used'] for p in periods[1:]], [0] * 29)
        for newer, older in zip(periods, periods[1:]):
            self.assertEqual(newer['period_start'], older['period_end'])
        for limit in ('0', '401', 'many'):
            self.assertEqual(self.server.get(f'/api/v1/budgets/past/history?limit={limit}', key=self.admin).status, 400)
        self.assertEqual(self.server.get('/api/v1/budgets/none/history', key=self.admin).status, 404)

    # --- without a server ---

    def test_command_line(self):
        server = self.spawn(config(self.fake))
        b = Budgets(server)
        key, _ = b.key()
        self.assertEqual(server.cli('budget', 'create', 'name=tokens', 'metric=tokens', 'period=month',
                                    'amount=100000').returncode, 0)
        self.assertEqual(server.cli('budget', 'create', 'name=cheap', 'scope=model', 'scope_text=cheap', 'metric=requests',
                                    'period=day', 'amount=2').returncode, 0)
        used = sum(self.chat(key, model, server=server).json()['usage']['total_tokens'] for model in ('priced', 'cheap', 'cheap'))
        shown = lambda name: json.loads(server.cli('budget', 'show', name, '--json').stdout)  # noqa: E731
        # The server runs: the ledger is read with what is still on its way into it.
        self.assertEqual((shown('tokens')['used'], shown('tokens')['counted']), (used, 'ledger'))
        conn = Conn(server.port)
        conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('crawling', max_tokens=500), key=key))
        self.assertTrue(eventually(lambda: shown('tokens')['reserved'] >= 500), shown('tokens'))
        reserved = shown('tokens')['reserved']
        # Killed with it under way: it counts as what was set aside for it, at last when a server starts.
        server.kill()
        conn.close()
        row = shown('tokens')
        self.assertEqual((row['used'] + row['reserved'], row['remaining']), (used + reserved, 100000 - used - reserved))
        row = shown('cheap')
        self.assertEqual((row['used'], row['state']), (2, 'exhausted'))
        table = server.cli('budget', 'list').stdout
        self.assertRegex(table, r'(?m)^NAME +.* USED +RESERVED +REMAINING +STATE')
        self.assertRegex(table, r'cheap .* 2 +0 +0 +exhausted')
        first = json.loads(server.cli('budget', 'history', 'cheap', '--limit', '2', '--json').stdout.split('\n')[0])
        self.assertEqual(first['used'], 2)
        server.start()
        self.assertTrue(eventually(lambda: shown('tokens')['used'] == used + reserved), shown('tokens'))
        server.stop()
        self.assertEqual(shown('tokens')['used'], used + reserved)


class Shared(Nodes):
    """Several servers, which count in Redis: each of them knows what all have used."""

    def launch(self, *args, **more):
        super().launch(*args, **more)
        self.admins = [server.create_key('--admin', '--name', 'ops')['key'] for server in self.servers]

    def shown(self, i):
        row, = self.servers[i].get('/api/v1/budgets', key=self.admins[i]).json()['data']
        return row['used'], row['reserved'], row['remaining'], row['state'], row['counted']

    def check_use(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 100)], n=2)
        for i in (0, 0, 1, 0):
            self.assertEqual(self.chat(i).status, 200)
        used = lambda i: self.shown(i)[0]  # noqa: E731
        self.assertTrue(eventually(lambda: used(0) == used(1) == 4), (self.shown(0), self.shown(1)))
        self.assertTrue(eventually(lambda: self.shown(1) == (4, 0, 96, 'ok', 'redis'), every=0.2), self.shown(1))
        self.redis.kill()
        self.assertTrue(eventually(lambda: self.shown(0)[4] == 'server'), self.shown(0))
        self.assertEqual(self.shown(0)[0], 3)
        self.redis.start()

    def test_exact(self):
        self.check_use()

    def test_share(self):
        self.mode = 'share'
        self.check_use()

    def check_told_together(self):
        """No server alone has used so much."""
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 10)], n=3)
        for i in range(6):
            self.assertEqual(self.chat(i % 3).status, 200)
        told = lambda: [s.log().count('a budget has reached a threshold') for s in self.servers]  # noqa: E731
        self.assertTrue(eventually(lambda: all(n == 1 for n in told()), every=0.2), told())
        self.assertIn('"percent":50', self.servers[0].log())

    def test_thresholds_exact(self):
        self.check_told_together()

    def test_thresholds_share(self):
        self.mode = 'share'
        self.check_told_together()


def load_tests(loader, tests, pattern):
    suite = unittest.TestSuite()
    for case in (BudgetUse, Shared):
        suite.addTests(case(name) for name in loader.getTestCaseNames(case) if name in vars(case))
    return suite


if __name__ == '__main__':
    main()
