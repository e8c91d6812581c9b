#!/usr/bin/env python3
"""That a tenant sees nothing of another's, on PostgreSQL: a part of the requests of test_isolation."""
import test_isolation
from harness import main
from test_api_postgres import OnPostgres


class Isolation(OnPostgres, test_isolation.Isolation):
    part = 0.5

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prepare()


if __name__ == '__main__':
    main()
