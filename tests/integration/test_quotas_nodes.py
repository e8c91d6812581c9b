#!/usr/bin/env python3
"""Four servers over one PostgreSQL and one Redis: hard stops, one rate, warnings told once, periods, a Redis that goes and comes."""
import collections
import json
import os
import tempfile
import threading
import time
import unittest

from harness import FakeUpstream, Incomplete, chat_body, eventually, fake_provider, main, request_bytes, sanitized
from postgres import Postgres
from redis_server import RedisServer
from test_postgres import Replica
from test_quotas import FAKETIME, MODELS, moment

THREADS = 3  # a node


class Nodes(unittest.TestCase):
    nodes, mode, env = 4, 'exact', {}
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.redis = RedisServer().start()
        cls.addClassCleanup(cls.redis.remove)
        cls.fake = FakeUpstream().start()
        cls.addClassCleanup(cls.fake.stop)
        cls.postgres = Postgres().start()
        cls.addClassCleanup(cls.postgres.__exit__)
        cls.servers, url = [], cls.postgres.url('nodes')
        for _ in range(cls.nodes):
            server = Replica({'providers': [fake_provider(cls.fake)], 'models': MODELS, 'passthrough_models': True,
                              'log': {'format': 'json'}, 'quota': {'mode': cls.mode, 'redis_timeout': '2s'},
                              'redis': {'url': cls.redis.url, 'timeout': '500ms', 'connect_timeout': '500ms'}},
                             url, first=cls.servers[0] if cls.servers else None)
            cls.addClassCleanup(server.remove)
            server.env.update(cls.env)
            cls.servers.append(server)
            server.start()
        cls.n = 0

    def setUp(self):
        for server in self.servers:
            self.assertTrue(eventually(lambda s=server: self.is_up(s)), 'Redis is not up')

    def is_up(self, server):
        up = [v for k, v in server.metrics().items() if k.startswith('penstock_redis_up')]
        return len(up) == server.workers and all(up)

    def limit(self, *fields):
        """A key with a budget, in force everywhere: the key, the budget's name."""
        cls = type(self)
        cls.n += 1
        name = f'{self.id().rsplit(".", 1)[-1]}-{cls.n}'.replace('_', '-')
        first = self.servers[0]
        key = first.create_key('--name', name)
        done = first.cli('budget', 'create', f'name={name}', f'scope={key["id"]}', *fields)
        self.assertEqual(done.returncode, 0, done.stderr)
        for server in self.servers:
            self.assertTrue(eventually(lambda s=server: s.metrics().get('penstock_budgets') == cls.n))
        return key['key'], name

    def chat(self, i, key, model='priced'):
        return self.servers[i].post('/v1/chat/completions', chat_body(model), key=key)

    def hammer(self, key, enough, n=0, **more):
        """All nodes at once until enough(statuses)."""
        n = n or self.nodes
        statuses = [collections.Counter() for _ in range(n)]
        end = time.monotonic() + 60

        def run(i):
            conn = None
            while not enough(statuses) and time.monotonic() < end:
                try:
                    conn = conn or self.servers[i].conn()
                    conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('priced', **more), key=key))
                    status = conn.read().status
                except (Incomplete, OSError):
                    conn, status = None, 0
                statuses[i][status] += 1
        threads = [threading.Thread(target=run, args=(i,)) for i in range(n) for _ in range(THREADS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return statuses

    def told(self, name):
        return sorted(json.loads(line)['percent'] for s in self.servers for line in s.log().split('\n')
                      if 'a budget has reached a threshold' in line and f'"budget":"{name}"' in line)

    def shown(self, name):
        return json.loads(self.servers[0].cli('budget', 'show', name, '--json').stdout)

    @staticmethod
    def served(statuses):
        return sum(s[200] for s in statuses)


class Exact(Nodes):
    over = 0

    def test_hard_stop_and_warnings(self):
        limit = 400
        key, name = self.limit('metric=requests', 'period=month', f'amount={limit}')
        sent = 0
        # Past each threshold by all nodes together, by none of them alone.
        for percent in (50, 80):
            part = self.hammer(key, lambda s, n=limit * percent // 100 + 8 - sent: self.served(s) >= n)
            sent += self.served(part)
            self.assertLess(sent, limit * (percent + 20) // 100)
            self.assertTrue(eventually(lambda p=percent: p in self.told(name)), self.told(name))
        last = self.hammer(key, lambda s: all(n[429] >= 15 for n in s))
        sent += self.served(last)
        self.assertFalse(set().union(*last) - {200, 429}, last)
        self.assertGreaterEqual(sent, limit)
        self.assertLessEqual(sent, limit + self.over)
        self.assertTrue(eventually(lambda: self.told(name) == [50, 80, 100]), self.told(name))
        # The ledger has them all, and the audit trail each warning once.
        self.assertTrue(eventually(lambda: self.shown(name)['used'] == sent), self.shown(name))
        self.assertEqual(self.shown(name)['state'], 'exhausted')
        self.assertEqual(self.told(name), [50, 80, 100])  # nobody has told it again
        trail = self.servers[0].cli('audit', 'list', '--json', 'action=budget.threshold').stdout.splitlines()
        self.assertEqual(sum(f'"{name}"' in line for line in trail), 3, trail)

    def test_money(self):
        """What is overspent is no more than what requests under way used beyond their reservation: here, nothing."""
        key, name = self.limit('metric=cost', 'period=day', 'amount=3')
        # The estimate, which max_tokens makes an upper bound, has no error.
        statuses = self.hammer(key, lambda s: all(n[429] >= 10 for n in s), max_tokens=20)
        self.assertGreater(self.served(statuses), 20)
        used = lambda: self.shown(name)['used']  # noqa: E731
        self.assertTrue(eventually(lambda: used() > 1))
        self.assertLessEqual(used(), 3)

    def test_one_rate(self):
        limit = 2000
        if 3600 - time.time() % 3600 < 90:
            time.sleep(3601 - time.time() % 3600)
        key, name = self.limit('metric=requests', 'period=hour', f'amount={limit}')
        statuses = self.hammer(key, lambda s: all(n[429] >= 50 for n in s), 2)
        self.assertLessEqual(abs(self.served(statuses) - limit), limit * 0.02, statuses)
        self.assertTrue(all(n[200] for n in statuses), statuses)
        for i in range(2):
            reply = self.chat(i, key)
            left = 3600 - time.time() % 3600
            self.assertEqual(reply.status, 429)
            self.assertEqual(reply.header('ratelimit-policy'), f'"{name}";q={limit};w=3600')
            self.assertRegex(reply.header('ratelimit'), f'^"{name}";r=0;t=\\d+$')
            self.assertEqual(reply.header('x-ratelimit-limit-requests'), str(limit))
            self.assertEqual(reply.header('x-ratelimit-remaining-requests'), '0')
            for field in ('retry-after', 'ratelimit-reset'):
                self.assertLess(abs(int(reply.header(field)) - left), 5, field)

    def test_what_is_left_is_the_same_everywhere(self):
        key, name = self.limit('metric=requests', 'period=day', 'amount=1000')
        for i in range(8):
            reply = self.chat(i % self.nodes, key)
        asked = 8

        def agrees(i):
            nonlocal asked
            asked += 1
            return int(self.chat(i, key).header('x-ratelimit-remaining-requests')) == 1000 - asked
        # With shares, what others have used is known a second later.
        for i in range(2):
            self.assertTrue(eventually(lambda n=i: agrees(n), every=1.2 if self.mode == 'share' else 0))


class Share(Exact):
    mode, over = 'share', Nodes.nodes


class Away(Nodes):
    """A Redis that is stopped and started."""
    nodes = 2

    def until(self, on_failure, away):
        done = self.servers[0].cli('config', 'set', f'quota.on_failure={on_failure}')
        self.assertEqual(done.returncode, 0, done.stderr)
        key, name = self.limit('metric=requests', 'period=day', 'amount=6')
        for server in self.servers:
            self.assertTrue(eventually(lambda s=server: self.says(s, on_failure)))
        self.assertEqual([self.chat(i % self.nodes, key).status for i in range(3)], [200] * 3)
        time.sleep(0.3)  # they are settled
        self.redis.kill()
        for server in self.servers:
            self.assertTrue(eventually(lambda s=server: not self.is_up(s)))
        statuses = [self.chat(i % 2, key).status for i in range(16)]
        away(statuses)
        self.redis.start()
        for server in self.servers:
            self.assertTrue(eventually(lambda s=server: self.is_up(s)))
        # Whatever Redis has forgotten: together they stop again.
        statuses = self.hammer(key, lambda s: all(n[429] >= 5 for n in s))
        self.assertFalse(set().union(*statuses) - {200, 429}, statuses)
        return self.served(statuses)

    def says(self, server, on_failure):
        return f'on_failure: {on_failure}' in server.cli('config', 'show', '--effective').stdout

    def test_open(self):
        self.until('open', lambda s: self.assertEqual(s, [200] * 16))

    def test_closed(self):
        self.assertLessEqual(self.until('closed', lambda s: self.assertEqual(s, [503] * 16)), 6)

    def test_local(self):
        # Each counts on from what it knew.
        self.until('local', lambda s: self.assertTrue(s[-2:] == [429, 429] and 3 <= s.count(200) <= 12, s))


@unittest.skipUnless(os.path.exists(FAKETIME) and not sanitized(), 'there is no libfaketime here, or a sanitizer is')
class Turns(Nodes):
    """Periods of the calendar turn on all nodes, by the tenant's time zone."""
    nodes = 2

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.clock_path = os.path.join(folder.name, 'clock')
        cls.env = {'LD_PRELOAD': FAKETIME, 'FAKETIME_TIMESTAMP_FILE': cls.clock_path, 'FAKETIME_NO_CACHE': '1',
                   'DONT_FAKE_MONOTONIC': '1'}
        cls.clock('2027-01-31 22:58:30')
        super().setUpClass()
        done = cls.servers[0].cli('tenant', 'update', 'default', 'time_zone=Europe/Berlin')
        assert done.returncode == 0, done.stderr

    @classmethod
    def clock(cls, text):
        with open(cls.clock_path + '.new', 'w', encoding='ascii') as f:
            f.write(f'+{moment(text) - int(time.time())}\n')
        os.replace(cls.clock_path + '.new', cls.clock_path)

    def check(self, period, before, after, length, retry):
        self.clock(before)
        key, name = self.limit('metric=requests', f'period={period}', 'amount=6')
        statuses = [self.chat(i % self.nodes, key).status for i in range(10)]
        self.assertEqual(statuses, [200] * 6 + [429] * 4)
        for i in range(self.nodes):
            reply = self.chat(i, key)
            self.assertIn(f';w={length}', reply.header('ratelimit-policy'))
            self.assertLessEqual(abs(int(reply.header('retry-after')) - retry), 15, reply.headers)
        self.clock(after)
        statuses = [self.chat(i % self.nodes, key).status for i in range(10)]
        self.assertEqual(statuses, [200] * 6 + [429] * 4)

    def test_minute(self):
        self.check('minute', '2027-02-03 12:00:10', '2027-02-03 12:01:02', 60, 50)

    def test_month(self):
        # February begins in Berlin while it is January in London; February has 28 days.
        self.check('month', '2027-02-28 22:59:00', '2027-02-28 23:00:05', 28 * 86400, 60)

    def test_day_of_25_hours(self):
        self.check('day', '2027-10-31 22:59:00', '2027-10-31 23:00:05', 25 * 3600, 60)

    def test_day_of_23_hours(self):
        self.check('day', '2027-03-28 21:59:00', '2027-03-28 22:00:05', 23 * 3600, 60)


def load_tests(loader, tests, pattern):
    suite = unittest.TestSuite()
    for case in (Exact, Share, Away, Turns):
        suite.addTests(case(name) for name in loader.getTestCaseNames(case))
    return suite


if __name__ == '__main__':
    main()
