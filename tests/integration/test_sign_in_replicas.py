#!/usr/bin/env python3
"""The same over two servers and one PostgreSQL: each request goes to the other one, as a load balancer would send it."""

from harness import FakeUpstream, eventually, main
from postgres import Postgres
from test_postgres import Replica
from test_sign_in import SignIn


class Pair:
    """Two servers as one."""

    def __init__(self, a, b):
        self.servers, self.turn, self.port = (a, b), 0, a.port

    def next(self):
        self.turn += 1
        return self.servers[self.turn % 2]

    def request(self, *args, **more):
        return self.next().request(*args, **more)

    def get(self, *args, **more):
        return self.next().get(*args, **more)

    def post(self, *args, **more):
        return self.next().post(*args, **more)

    def __getattr__(self, name):
        return getattr(self.servers[0], name)


class Replicas(SignIn):

    @classmethod
    def setUpClass(cls):
        cls.fake = FakeUpstream().start()
        cls.addClassCleanup(cls.fake.stop)
        cls.postgres = Postgres().start()
        cls.addClassCleanup(cls.postgres.__exit__)
        url = cls.postgres.url('signin')
        a = Replica(cls.config(), url)
        cls.addClassCleanup(a.remove)
        b = Replica(cls.config(), url, first=a)
        cls.addClassCleanup(b.remove)
        cls.server = Pair(a.start(), b.start())
        cls.admin = a.create_key('--admin', '--name', 'ops')['key']
        cls.count = 0
        assert eventually(lambda: b.get('/api/v1/users', key=cls.admin).status == 200)

    @classmethod
    def tearDownClass(cls):
        for server in cls.server.servers:
            server.stop()


del SignIn  # it has a file of its own

if __name__ == '__main__':
    main()
