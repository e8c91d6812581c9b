#!/usr/bin/env python3
# Quotas that several servers take shares of: hard stops, a rate limit, shares that move, servers killed, a Redis that is away.
from harness import eventually, main
from redis_nodes import Nodes
from test_quotas import Budgets


class Share(Nodes):
    mode = 'share'

    def test_hard_stop(self):
        served = self.hard_stop(600, self.n)
        # What was used is told to Redis, shares that nobody needs go back.
        self.assertTrue(eventually(lambda: self.only()['u'] == served), self.redis.counters())

    def test_what_one_does_not_need_the_other_gets(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 40)], n=2)
        self.assertEqual(self.chat(0).status, 200)  # takes a share
        self.assertTrue(eventually(lambda: self.only() == {'u': 1, 'r': 0}, every=0.1), self.redis.counters())
        statuses = [self.chat(1).status for _ in range(45)]
        self.assertEqual(statuses.count(200), 39, statuses)

    def test_limit_is_changed(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 10)], n=2)
        statuses = [self.chat(i % 2).status for i in range(16)]
        self.assertIn(statuses.count(200), (9, 10), statuses)
        for server in self.servers:
            budgets = Budgets(server)
            budgets.sql('UPDATE budget SET amount = 30')
            budgets.in_force()
        self.assertTrue(eventually(lambda: self.chat(0).status == 200))
        statuses = [self.chat(i % 2).status for i in range(40)]
        self.assertGreaterEqual(statuses.count(200), 15, statuses)
        self.assertTrue(eventually(lambda: 28 <= self.only()['u'] <= 30), self.redis.counters())

    def test_stop_gives_back(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 1000)], n=1)
        self.assertEqual(self.chat(0).status, 200)
        self.servers[0].stop()
        self.assertTrue(eventually(lambda: self.only() == {'u': 1, 'r': 0}), self.redis.counters())

    def test_kill_leaks_nothing(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 100)], n=2)
        self.assertEqual(self.chat(0).status, 200)
        self.assertTrue(eventually(lambda: self.only()['r'] > 0), self.redis.counters())
        self.servers[0].kill()
        # The dead server's share is taken as used, the living one's goes back.
        self.assertEqual(self.chat(1).status, 200)
        self.assertTrue(eventually(lambda: self.only()['r'] == 0, seconds=60, every=0.5), self.redis.counters())
        self.assertIn(self.only()['u'], (1 + 12, 1 + 13))

    def test_away_local(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 20)], n=1)
        self.assertEqual(self.chat(0).status, 200)
        self.redis.kill()
        self.assertTrue(eventually(lambda: not self.is_up(self.servers[0])))
        statuses = [self.chat(0).status for _ in range(22)]
        self.assertEqual(statuses, [200] * 19 + [429] * 3)
        self.redis.start()
        self.assertTrue(eventually(lambda: self.is_up(self.servers[0])))
        self.assertEqual(self.chat(0).status, 429)

    def test_away_closed(self):
        self.launch([('calls', 'tenant', 0, 'requests', 'day', 80)], n=1, quota={'on_failure': 'closed'})
        self.assertEqual(self.chat(0).status, 200)
        self.redis.kill()
        self.assertTrue(eventually(lambda: not self.is_up(self.servers[0])))
        statuses = [self.chat(0).status for _ in range(60)]
        self.assertIn(200, statuses)  # of the share it has
        self.assertEqual(statuses[-1], 503)
        self.redis.start()


class RateLimit(Nodes):
    mode = 'share'

    def test_two_nodes_share_a_rate(self):
        self.share_a_rate()


if __name__ == '__main__':
    main()
