# Several servers with the same budgets over one Redis, and clients that ask all of them at once.
import collections
import threading
import time
import unittest

from harness import FakeUpstream, Incomplete, Penstock, chat_body, eventually, fake_provider, request_bytes
from redis_server import RedisServer
from test_quotas import MODELS, Budgets

THREADS = 6  # a server


def hammer(servers, keys, model, until, statuses):
    """Asks all servers at once, over and over until until() says so; statuses counts the answers by server."""
    def run(i):
        conn = None
        while not until():
            try:
                conn = conn or servers[i].conn()
                conn.send(request_bytes('POST', '/v1/chat/completions', chat_body(model), key=keys[i]))
                status = conn.read().status
            except (Incomplete, OSError):
                conn, status = None, 0
            statuses[i][status] += 1
    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(servers)) for _ in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


class Nodes(unittest.TestCase):
    """Servers with the same budgets over one Redis."""
    mode, on_failure, n = 'exact', 'local', 3

    @classmethod
    def setUpClass(cls):
        cls.redis = RedisServer().start()
        cls.fake = FakeUpstream().start()

    @classmethod
    def tearDownClass(cls):
        cls.fake.stop()
        cls.redis.remove()

    def setUp(self):
        self.redis.ask('FLUSHALL')
        self.servers, self.keys = [], []

    def tearDown(self):
        for server in self.servers:
            server.remove()

    def launch(self, budgets, n=None, quota=None, redis=None):
        """budgets: arguments of Budgets.add."""
        settings = {'mode': self.mode, 'on_failure': self.on_failure, 'redis_timeout': '2s', **(quota or {})}
        for _ in range(n or self.n):
            server = Penstock({'providers': [fake_provider(self.fake)], 'models': MODELS, 'passthrough_models': True,
                               'log': {'level': 'debug', 'format': 'json'}, 'quota': settings,
                               'redis': {'url': self.redis.url, 'timeout': '500ms', 'connect_timeout': '500ms',
                                         **(redis or {})}})
            self.servers.append(server)
            for budget in budgets:
                Budgets(server).add(*budget)
            self.keys.append(server.key)
        for server in self.servers:
            server.start()
        for server in self.servers:
            self.assertTrue(eventually(lambda s=server: self.is_up(s)), 'Redis is not up')

    def is_up(self, server):
        up = [v for k, v in server.metrics().items() if k.startswith('penstock_redis_up')]
        return len(up) == server.workers and all(up)

    def chat(self, i, model='priced'):
        return self.servers[i].post('/v1/chat/completions', chat_body(model), key=self.keys[i])

    def only(self):
        counters = self.redis.counters()
        self.assertEqual(len(counters), 1, counters)
        return next(iter(counters.values()))

    def hard_stop(self, limit, over):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', limit)])
        statuses = [collections.Counter() for _ in self.servers]
        refused = lambda: all(s[429] >= 20 for s in statuses) or time.monotonic() > end  # noqa: E731
        end = time.monotonic() + 60
        hammer(self.servers, self.keys, 'priced', refused, statuses)
        served = sum(s[200] for s in statuses)
        self.assertGreaterEqual(served, limit, statuses)
        self.assertLessEqual(served, limit + over, statuses)
        self.assertFalse(set().union(*statuses) - {200, 429}, statuses)
        self.assertTrue(all(s[200] for s in statuses), 'some server got nothing: %s' % statuses)
        return served

    def share_a_rate(self):
        # Windows are minutes of the clock, so a whole one is watched.
        limit = 400
        self.launch([('rate', 'tenant', 0, 'requests', 'minute', limit)], n=2)
        if time.time() % 60 > 45:
            time.sleep(61 - time.time() % 60)
        minute, statuses = int(time.time() / 60), [collections.Counter() for _ in self.servers]
        over = lambda: int(time.time() / 60) != minute or all(s[429] >= 50 for s in statuses)  # noqa: E731
        hammer(self.servers, self.keys, 'priced', over, statuses)
        self.assertEqual(int(time.time() / 60), minute, 'the machine is too slow for this limit')
        served = sum(s[200] for s in statuses)
        self.assertLessEqual(abs(served - limit), limit * 0.02, statuses)
