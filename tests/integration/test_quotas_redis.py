#!/usr/bin/env python3
# Quotas that several servers count together in Redis: hard stops, a rate limit, servers killed, a Redis that is away.
import collections
import json
import signal
import subprocess
import time
import unittest

from harness import Penstock, chat_body, eventually, main, request_bytes
from redis_nodes import Nodes, hammer
from redis_server import RedisServer


class Exact(Nodes):
    def test_hard_stop(self):
        served = self.hard_stop(300, 0)
        self.assertTrue(eventually(lambda: self.only() == {'u': served, 'r': 0}), self.redis.counters())

    def test_tokens_and_money_at_once(self):
        # Each budget stops all of it; what is reserved and not used comes back.
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 1000), ('tokens', 'tenant', 0, 'tokens', 'day', 100_000),
                     ('money', 'tenant', 0, 'cost', 'month', 10 ** 18)], n=2)
        statuses = [collections.Counter() for _ in self.servers]
        count = lambda: sum(s[200] for s in statuses) >= 40  # noqa: E731
        hammer(self.servers, self.keys, 'priced', count, statuses)
        served = sum(s[200] for s in statuses)
        self.assertFalse(set().union(*statuses) - {200}, statuses)
        self.assertTrue(eventually(lambda: not any(c['r'] for c in self.redis.counters().values())))
        used = [c['u'] for c in self.redis.counters().values()]
        self.assertIn(served, used)
        self.assertEqual(len(used), 3)
        answer = self.chat(0).json()['usage']
        self.assertTrue(eventually(lambda: answer['total_tokens'] * (served + 1) in
                                   [c['u'] for c in self.redis.counters().values()]), self.redis.counters())

    def test_headers_say_what_all_have_used(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 100)], n=2)
        for i in (0, 1, 0, 1):
            reply = self.chat(i)
        self.assertEqual(reply.header('x-ratelimit-remaining-requests'), '96')

    def test_refund_and_failure(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 5), ('tokens', 'tenant', 0, 'tokens', 'day', 10 ** 6)], n=2)
        for _ in range(8):
            self.assertGreaterEqual(self.chat(0, 'broken').status, 500)
        for i in range(5):
            self.assertEqual(self.chat(i % 2).status, 200)
        reply = self.chat(1)
        self.assertEqual(reply.status, 429)
        self.assertTrue(reply.header('retry-after'))

    def test_what_costs_nothing_is_given_back_too(self):
        # A budget that the request takes nothing of stands before one that it holds a place of.
        self.launch([('money', 'tenant', 0, 'cost', 'month', 10 ** 12), ('at once', 'tenant', 0, 'concurrency', 'total', 2),
                     ('calls', 'tenant', 0, 'requests', 'day', 100)], n=1)
        self.assertEqual([self.chat(0, 'unpriced').status for _ in range(6)], [200] * 6)
        self.assertTrue(eventually(lambda: not any(c['r'] for c in self.redis.counters().values())), self.redis.counters())
        self.assertEqual(sorted(c['u'] for c in self.redis.counters().values()), [0, 0, 6])

    def test_settled_when_the_server_is_no_replica_any_more(self):
        self.launch([('tokens', 'tenant', 0, 'tokens', 'day', 10 ** 6)], n=1)
        conn = self.servers[0].conn()
        conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('slow'), key=self.keys[0]))
        self.assertTrue(eventually(lambda: self.redis.counters() and self.only()['r']))
        self.redis.ask('REPLICAOF', '127.0.0.1', '1')
        usage = conn.read().json()['usage']
        time.sleep(0.5)
        self.assertTrue(self.only()['r'])
        self.redis.ask('REPLICAOF', 'NO', 'ONE')
        self.assertTrue(eventually(lambda: self.only() == {'u': usage['total_tokens'], 'r': 0}), self.redis.counters())

    def test_client_leaves_while_redis_hangs(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 5)], n=1)
        self.redis.signal(signal.SIGSTOP)
        conn = self.servers[0].conn()
        conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('priced'), key=self.keys[0]))
        time.sleep(0.05)
        conn.reset()
        self.redis.signal(signal.SIGCONT)
        self.assertTrue(eventually(lambda: not any(c['r'] for c in self.redis.counters().values())))
        self.assertTrue(eventually(lambda: self.is_up(self.servers[0])))
        self.assertEqual(self.chat(0).status, 200)

    def test_kill_leaks_nothing(self):
        self.launch([('at once', 'tenant', 0, 'concurrency', 'total', 4), ('calls', 'tenant', 0, 'requests', 'day', 100),
                     ('tokens', 'tenant', 0, 'tokens', 'day', 10 ** 6)], n=2)
        conns = []
        for _ in range(4):
            conns.append(self.servers[0].conn())
            conns[-1].send(request_bytes('POST', '/v1/chat/completions', chat_body('crawling'), key=self.keys[0]))
        reserved = lambda: sum(c['r'] for c in self.redis.counters().values())  # noqa: E731
        self.assertTrue(eventually(lambda: reserved() > 1000), self.redis.counters())
        self.assertEqual(self.chat(1).status, 429)  # all four places are taken
        self.servers[0].kill()
        for conn in conns:
            conn.close()
        # The dead server's reservations run out; those of the living are renewed.
        self.assertTrue(eventually(lambda: self.chat(1).status == 200, seconds=40, every=0.5), self.redis.counters())
        self.assertTrue(eventually(lambda: reserved() == 0), self.redis.counters())
        used = sorted(c['u'] for c in self.redis.counters().values())
        self.assertEqual(used[0], 0)      # calls at once
        self.assertEqual(used[1], 4 + 1)  # what was reserved is taken as used
        self.assertGreater(used[2], 1000)

    def test_redis_restarts(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 10)], n=1)
        for _ in range(4):
            self.assertEqual(self.chat(0).status, 200)
        self.redis.kill()
        self.assertTrue(eventually(lambda: not self.is_up(self.servers[0])))
        for _ in range(3):
            self.assertEqual(self.chat(0).status, 200)  # on_failure: local
        self.redis.start()
        self.assertTrue(eventually(lambda: self.is_up(self.servers[0])))
        # It begins with what the server had told, and hears of what was used meanwhile: each once.
        self.assertTrue(eventually(lambda: self.redis.counters() and self.only() == {'u': 7, 'r': 0}), self.redis.counters())
        statuses = [self.chat(0).status for _ in range(6)]
        self.assertEqual(statuses.count(200), 3, statuses)

    def test_requests_come_before_what_is_told_late(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 1000)], n=1)
        self.chat(0)
        self.redis.kill()
        self.assertTrue(eventually(lambda: not self.is_up(self.servers[0])))
        for _ in range(30):
            self.chat(0)
        self.redis.start()
        asked = []
        self.assertTrue(eventually(lambda: asked.append(self.chat(0).status) or self.is_up(self.servers[0]), every=0.005))
        self.assertEqual(set(asked), {200})
        used = {'u': 31 + len(asked), 'r': 0}
        self.assertTrue(eventually(lambda: self.redis.counters() and self.only() == used), (used, self.redis.counters()))

    def crawl(self, server, n):
        conns = [self.servers[server].conn() for _ in range(n)]
        for conn in conns:
            conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('crawling'), key=self.keys[server]))
        return conns

    def test_places_of_others_are_not_held_for_ever(self):
        # What other servers have under way ends without a word while Redis is away.
        self.launch([('at once', 'tenant', 0, 'concurrency', 'total', 2)], n=2)
        conns = self.crawl(0, 2)
        self.assertTrue(eventually(lambda: self.redis.counters() and self.only()['r'] == 2))
        self.assertEqual(self.chat(1).status, 429)
        self.addCleanup(self.redis.start)
        self.redis.kill()
        self.assertTrue(eventually(lambda: not self.is_up(self.servers[1])))
        for conn in conns:
            conn.reset()
        self.assertEqual(self.chat(1).status, 200)
        self.fake.reset()
        own = self.crawl(1, 2)  # its own take places all the same
        self.assertTrue(eventually(lambda: len(self.fake.seen) == 2))
        self.assertEqual(self.chat(1).status, 429)
        for conn in own:
            conn.reset()
        self.assertTrue(eventually(lambda: self.chat(1).status == 200))

    def test_redis_that_has_lost_what_is_under_way(self):
        self.launch([('at once', 'tenant', 0, 'concurrency', 'total', 3), ('tokens', 'tenant', 0, 'tokens', 'day', 10 ** 6)],
                    n=1)
        conns = self.crawl(0, 2)
        self.assertTrue(eventually(lambda: 2 in [c['r'] for c in self.redis.counters().values()]))
        self.redis.kill()
        self.assertTrue(eventually(lambda: not self.is_up(self.servers[0])))
        self.redis.start()
        self.assertTrue(eventually(lambda: self.is_up(self.servers[0])))
        self.assertEqual(self.chat(0).status, 200)
        self.addCleanup(self.redis.start)
        self.redis.kill()
        self.assertTrue(eventually(lambda: not self.is_up(self.servers[0])))
        for conn in conns:
            conn.reset()  # more is given back than Redis knew of
        self.assertEqual([self.chat(0).status for _ in range(3)], [200] * 3)

    def away(self, on_failure):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 3)], n=1,
                    quota={'on_failure': on_failure, 'redis_timeout': '50ms'})
        self.redis.signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            replies = [self.chat(0) for _ in range(6)]
            self.assertLess(time.monotonic() - began, 10)
            ready = self.servers[0].get('/readyz').json()
        finally:
            self.redis.signal(signal.SIGCONT)
        self.assertIn('redis', ready['checks'])
        for refused in (r for r in replies if r.status == 503):
            self.assertIn('over Redis, which does not answer (quota.on_failure: closed)', refused.error()['message'])
        return [r.status for r in replies]

    def test_away_open(self):
        self.assertEqual(self.away('open'), [200] * 6)

    def test_away_closed(self):
        self.assertEqual(self.away('closed'), [503] * 6)

    def test_away_local(self):
        self.assertEqual(self.away('local'), [200] * 3 + [429] * 3)
        server = self.servers[0]
        self.assertTrue(eventually(lambda: self.is_up(server)))
        self.assertTrue(eventually(lambda: self.redis.counters() and self.only() == {'u': 3, 'r': 0}), self.redis.counters())

    def test_keys_have_the_tenant_as_hash_tag(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'minute', 100)], n=1, redis={'key_prefix': 'gate:'})
        self.assertEqual(self.chat(0).status, 200)
        self.assertTrue(eventually(lambda: self.redis.ask('KEYS', '*')))
        for key in self.redis.ask('KEYS', '*'):
            self.assertRegex(key, r'^gate:quota:\{1\}:')
        counter, = self.redis.counters('gate:')
        self.assertTrue(0 < self.redis.ask('PTTL', counter) <= 60_000 + 15 * 60_000)


class ConfigTest(unittest.TestCase):
    def check(self, redis, settings=''):
        server = Penstock(f'redis: {{url: "{redis}"{settings}}}\nproviders: [{{name: d, kind: demo}}]\nversion: 2')
        try:
            done = server.cli('config', 'test', server.config_path, '--json')
            found = [json.loads(line) for line in done.stdout.split('\n') if '"redis"' in line]
        finally:
            server.remove()
        self.assertTrue(found, done.stdout + done.stderr)
        return json.dumps(found)

    def test_config_test(self):
        redis = RedisServer('--requirepass', 'sesame', '--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru')
        redis.start = lambda: None
        redis.process = subprocess.Popen(['redis-server', '--port', str(redis.port), '--bind', '127.0.0.1', '--save', '',
                                          '--dir', redis.folder, *redis.args], stdout=subprocess.DEVNULL)
        self.addCleanup(redis.remove)
        url = f'redis://:sesame@127.0.0.1:{redis.port}'
        self.assertTrue(eventually(lambda: 'signed in' in self.check(url), every=0.2))
        found = self.check(url)
        self.assertIn('allkeys-lru', found)
        self.assertIn('noeviction', found)
        self.assertNotIn('sesame', found)
        self.assertIn('WRONGPASS', self.check(f'redis://:wrong@127.0.0.1:{redis.port}'))
        redis.kill()
        self.assertIn('refused', self.check(url))

    def test_quota_mode_needs_redis(self):
        with self.assertRaisesRegex(AssertionError, 'redis.url'):
            Penstock({'providers': [{'name': 'd', 'kind': 'demo'}], 'quota': {'mode': 'exact'}}).start()


class RateLimit(Nodes):
    def test_two_nodes_share_a_rate(self):
        self.share_a_rate()


if __name__ == '__main__':
    main()
