#!/usr/bin/env python3
"""Canaries on PostgreSQL: two servers count together, and one rollback holds for both."""
import test_trials
from harness import Suite, eventually, main
from test_api_postgres import OnPostgres
from test_postgres import Replica


class TrialsOnPostgres(OnPostgres, Suite):
    config = classmethod(test_trials.Trials.config.__func__)
    of = test_trials.Trials.of
    arms = test_trials.Trials.arms

    def test_two_servers_count_together(self):
        second = Replica(self.config(), self.server.env['PENSTOCK_STORAGE__URL'], first=self.server)
        self.addCleanup(second.remove)
        second.start()

        def gone():
            for server in (self.server, second):
                for _ in range(6):
                    # The second server has the same keys.
                    self.assertEqual(server.post('/v1/chat/completions', test_trials.chat('hurt'),
                                                 key=self.server.key).status, 200)
            return (self.of('canary', 'hurt') or {}).get('state') == 'rolled_back'
        self.assertTrue(eventually(gone, 40, 0.2))
        both = sum(s.metrics().get('penstock_canary_rollbacks_total{model="hurt"}', 0) for s in (self.server, second))
        self.assertEqual(both, 1)  # one of them found it, and told of it

        def quiet(server):
            self.fake.reset()
            for _ in range(8):
                server.post('/v1/chat/completions', test_trials.chat('hurt'), key=self.server.key)
            return {s.model for s in self.fake.seen} == {'well'}
        for server in (self.server, second):
            self.assertTrue(eventually(lambda: quiet(server), 10, 0.2))
        requests = sum(a['requests'] for a in self.arms('canary', 'hurt').values())
        self.assertGreater(requests, 20)


if __name__ == '__main__':
    main()
