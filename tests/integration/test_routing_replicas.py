#!/usr/bin/env python3
# Servers that share what they know of targets through Redis: cooldowns, limits, and what follows when Redis is away.
import signal
import time

from harness import Penstock, Suite, chat_body, eventually, fake_provider, main
from redis_server import RedisServer


class Replicas(Suite):
    policy = 'share'

    @classmethod
    def config(cls):
        def target(provider, upstream, priority=0, **more):
            return {'provider': provider, 'model': upstream, 'priority': priority, **more}
        return {'providers': [fake_provider(cls.fake), fake_provider(cls.fake, 'second'),
                              fake_provider(cls.fake, 'locked')],
                'models': [{'name': 'm', 'targets': [target('fake', 'a;status=429;retry_after=30'), target('second', 'b', 1)]},
                           {'name': 'refused', 'strategy': 'priority', 'targets': [target('locked', 'r;status=401'), target('second', 'b')]},
                           {'name': 'limited', 'targets': [target('fake', 'c', limits={'requests_per_minute': 10})]}],
                'redis': {'url': cls.redis.url, 'timeout': '300ms'},
                'routing': {'state': 'redis', 'on_redis_failure': cls.policy, 'retry': {'same_target': 0}},
                'log': {'level': 'debug', 'format': 'json'}}

    @classmethod
    def setUpClass(cls):
        cls.redis = RedisServer().start()
        cls.addClassCleanup(cls.redis.remove)
        super().setUpClass()
        cls.other = Penstock(cls.config(), workers=2)
        cls.addClassCleanup(cls.other.remove)
        cls.other.start()
        assert eventually(lambda: cls.redis.ask('ZCARD', 'penstock:route:{board}:servers') == 2)

    def tries_first(self, server):
        self.fake.reset()
        assert server.chat('m').status == 200
        return any(s.model.startswith('a;') for s in self.fake.seen)

    def is_away(self):
        return 'is not shared' in self.other.log()

    def admitted(self, server):
        return sum(server.chat('limited').status == 200 for _ in range(12))


class Shared(Replicas):
    def test_a_cooldown_is_the_other_servers_too(self):
        self.assertTrue(self.tries_first(self.server))
        self.assertTrue(eventually(lambda: not self.tries_first(self.other)))

    def test_why_a_key_is_left_alone_is_known_to_the_other(self):
        def reasons(server):
            explained = server.post('/v1/route/explain', chat_body('refused')).json()['candidates']
            return [(c['provider'], c['reason']) for c in explained]
        self.assertEqual(self.server.chat('refused').status, 200)
        told = [('second', 'kept'), ('locked', 'key_refused')]
        self.assertEqual(reasons(self.server), told)
        self.assertTrue(eventually(lambda: reasons(self.other) == told), reasons(self.other))

    def test_limits_are_divided_and_redis_away_delays_nothing(self):
        time.sleep(1.5)  # some rounds
        self.assertEqual(self.admitted(self.server), 5)
        self.redis.signal(signal.SIGSTOP)
        try:
            self.assertTrue(eventually(self.is_away))
            self.assertEqual(self.admitted(self.other), 5)
            self.assertEqual(self.other.chat('m').status, 200)
        finally:
            self.redis.signal(signal.SIGCONT)


class Closed(Replicas):
    policy = 'closed'

    def test_what_has_limits_is_sent_nothing(self):
        self.assertEqual(self.server.chat('limited').status, 200)
        self.redis.kill()
        self.assertTrue(eventually(self.is_away))
        self.assertEqual(self.admitted(self.other), 0)
        refused = self.other.chat('limited')
        self.assertEqual(refused.status, 429, refused)
        self.assertIn('Redis, which does not answer (routing.on_redis_failure: closed)', refused.error()['message'])
        self.assertNotIn(self.redis.url.rpartition(':')[2], refused.error()['message'])
        explained = self.other.post('/v1/route/explain', chat_body('limited')).json()['candidates']
        self.assertEqual([(c['reason'], c['last_resort']) for c in explained], [('limit', True)])
        self.assertEqual(self.other.metrics()['penstock_target_state{provider="fake",model="c"}'], 2)
        self.assertEqual(self.server.chat('m').status, 200)


class Late(Replicas):
    policy = 'closed'

    def test_state_that_is_shared_from_now_on(self):
        """Nobody has asked Redis yet, which does not mean that it is away."""
        config = self.config()
        config['routing']['state'] = 'local'
        config['models'].append({'name': 'roomy', 'targets': [
            {'provider': 'fake', 'model': 'd', 'limits': {'requests_per_minute': 100000}}]})
        late = Penstock(config)
        self.addCleanup(late.remove)
        late.start()
        time.sleep(2.5)  # longer than Redis may be silent
        servers = lambda: self.redis.ask('ZCARD', 'penstock:route:{board}:servers')  # noqa: E731
        self.assertEqual(servers(), 2)
        done = late.cli('config', 'set', 'routing.state=redis')
        self.assertEqual(done.returncode, 0, done.stderr)
        statuses = []
        self.assertTrue(eventually(lambda: statuses.append(late.chat('roomy').status) or servers() == 3, every=0.005))
        for _ in range(50):
            statuses.append(late.chat('roomy').status)
        self.assertEqual(set(statuses), {200})
        self.assertNotIn('is not shared', late.log())


class Open(Replicas):
    policy = 'open'

    def test_each_counts_alone(self):
        self.redis.kill()
        self.assertTrue(eventually(self.is_away))
        time.sleep(0.3)
        self.assertEqual(self.admitted(self.other), 10)


del Replicas


if __name__ == '__main__':
    main()
