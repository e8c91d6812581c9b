#!/usr/bin/env python3
# A long list of inputs is several calls to a provider: what follows when one of them fails, what each counts for, and
# what the client pays.
import json

from harness import eventually, main, request_bytes
from test_failover import Failing, chain, target


class Pieces(Failing):
    """A list of inputs that is sent in several calls: what fails of one is failed over as a whole."""
    INPUTS, CALLS = 4100, 3
    models = staticmethod(lambda: [
        chain('split', 'sa', 'sb', breaker={'failures': 0, 'error_rate': 1}), chain('split-again', 'sc', retry={'same_target': 1, 'base': '1ms'}),
        chain('split-all', 'sd;status=500', 'se;status=503'), chain('split-late', target('sf', 'hurried'), 'sg'),
        chain('split-wide', {'provider': 'fake', 'model': 'sw'}), chain('split-total', 'st', timeouts={'total': '900ms'}), *(chain(f'split-left-{n}', f'sl{n}') for n in range(3))])

    def embed(self, model):
        inputs = [str(i) for i in range(self.INPUTS)]
        return self.server.post('/v1/embeddings', json.dumps({'model': model, 'input': inputs}).encode())

    def check(self, model, script, attempts, name):
        self.fake.reset()
        self.fake.scripts = {name: script}
        reply = self.embed(model)
        self.fake.violations.clear()
        self.assertEqual((reply.status, int(reply.header('x-penstock-attempts', '1'))), (200, attempts), reply)
        data = reply.json()['data']
        self.assertEqual([d['index'] for d in data], list(range(self.INPUTS)))
        by = {'split': 'sb', 'split-late': 'sg', 'split-again': 'sc'}[model]
        good = [s for s in self.fake.seen if s.usage and s.model == by][-self.CALLS:]
        tokens = (sum(s.usage[0] for s in good), 0)
        self.assertEqual(reply.json()['usage']['prompt_tokens'], tokens[0])
        self.expected[reply.request_id] = ('fake', attempts, tokens)

    def made_of(self, statuses):
        self.assertTrue(eventually(lambda: self.made() == statuses), self.made())

    def test_each_is_an_attempt(self):
        reply = self.embed('split')
        self.assertEqual((reply.status, reply.header('x-penstock-attempts')), (200, '3'))
        self.assertEqual(self.record_of(reply.request_id)['attempts'], 3)
        self.assertIn('/sa 200', reply.header('x-penstock-tried'))
        self.assertIn('(3 calls)', reply.header('x-penstock-tried'))
        self.made_of({'200': 3})

    def test_those_beside_one_that_failed(self):
        self.fake.scripts['sw'] = ['delay=20000', 'delay=20000', 'delay=500;status=400']
        reply = self.embed('split-wide')
        self.assertEqual((reply.status, reply.header('x-penstock-attempts')), (400, '3'))
        self.made_of({'400': 1, 'cancelled': 2})

    def test_the_time_is_over(self):
        """What was answered by then is paid for."""
        self.fake.scripts['st'] = ['', 'delay=20000']
        reply = self.embed('split-total')
        self.assertEqual(reply.status, 504)
        record = self.record_of(reply.request_id)
        first = next(s for s in self.fake.seen if s.usage)
        self.assertEqual((record['attempts'], record['input_tokens'], record['tokens_estimated']), (2, first.usage[0], False))
        self.made_of({'200': 1, 'upstream_timeout': 1})

    def test_who_leaves_pays_for_what_was_sent(self):
        paid = []
        for n in range(self.CALLS):
            self.fake.scripts[f'sl{n}'] = [''] * n + ['delay=20000']
            with self.server.conn() as c:
                body = json.dumps({'model': f'split-left-{n}', 'input': [str(i) for i in range(self.INPUTS)]}).encode()
                c.send(request_bytes('POST', '/v1/embeddings', body, key=self.server.key))
                self.assertTrue(self.fake.wait(lambda: sum(s.model == f'sl{n}' for s in self.fake.seen) == n + 1))
                c.reset()
            record, = eventually(lambda: [r for r in self.server.usage() if r['model'] == f'split-left-{n}' and r['status'] == 499])
            self.assertEqual((record['attempts'], record['tokens_estimated']), (n + 1, True))
            paid.append(record['input_tokens'])
        for sent, tokens in zip((2048, 4096), paid):
            self.assertEqual(tokens, -(-paid[2] * sent // self.INPUTS))

    def test_another_target(self):
        for which in range(self.CALLS):
            for fault in ('status=500', 'fault=reset', 'fault=close;when=body', 'status=404', 'status=302'):
                with self.subTest(fault, which=which):
                    script = [''] * self.CALLS
                    script[which] = fault
                    self.check('split', script, which + 1 + self.CALLS, 'sa')

    def test_the_same_again(self):
        self.check('split-again', ['', 'status=503', ''], 2 + self.CALLS, 'sc')

    def test_late(self):
        self.check('split-late', ['', 'delay=20000', ''], 2 + self.CALLS, 'sf')

    def test_all_fail(self):
        reply = self.embed('split-all')
        self.assertEqual((reply.status, reply.header('x-penstock-attempts')), (503, '2'))
        self.assertEqual(sum(self.made().values()), 2)
        self.assertEqual(self.record_of(reply.request_id)['output_tokens'], 0)


if __name__ == '__main__':
    main()
