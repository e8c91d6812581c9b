#!/usr/bin/env python3
"""Rows that lists show, delegation and the written scenarios once more, on PostgreSQL."""
import test_delegation
import test_rows
import test_scenarios
from harness import FakeUpstream, Suite, main
from postgres import Postgres
from test_postgres import Replica


class OnPostgres(Suite):
    """Behind a suite: its server's database is a PostgreSQL of its own."""

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres().start()
        cls.addClassCleanup(cls.postgres.__exit__)
        cls.fake = FakeUpstream().start()
        cls.addClassCleanup(cls.fake.stop)
        cls.server = Replica(cls.config(), cls.postgres.url(cls.__name__.lower()))
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()


class Rows(test_rows.Rows, OnPostgres):
    pass


class Delegation(test_delegation.Delegation, OnPostgres):
    pass


class Scenarios(test_scenarios.Scenarios, OnPostgres):
    pass


if __name__ == '__main__':
    main()
