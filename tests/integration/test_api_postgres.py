#!/usr/bin/env python3
"""The suite of the admin API once more, on PostgreSQL."""
import test_api
from harness import FakeUpstream, main
from postgres import Postgres
from test_postgres import Replica


class OnPostgres:
    """In front of a suite: its server's database is a PostgreSQL of its own."""

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres().start()
        cls.addClassCleanup(cls.postgres.__exit__)
        cls.fake = FakeUpstream().start()
        cls.addClassCleanup(cls.fake.stop)
        cls.server = Replica(cls.config(), cls.postgres.url(cls.__name__.lower()))
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()
        cls.operator = cls.server.create_key('--admin')['key']


class Resources(OnPostgres, test_api.Resources):
    pass


class Keys(OnPostgres, test_api.Keys):
    pass


class Rights(OnPostgres, test_api.Rights):
    pass


class Tenants(OnPostgres, test_api.Tenants):
    pass


if __name__ == '__main__':
    main()
