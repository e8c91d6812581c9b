#!/usr/bin/env python3
"""Batches at a provider's own batch API: each line answered and paid once, at half the price, whatever crashes."""
import collections
import os
import sys

from harness import Suite, eventually, fake_provider, main
from test_batches import Client, line

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fake'))
from openai_batches import Batches  # noqa: E402

LINES = 30
COST = 20 * 1000 + 10 * 4000  # of a line, nano-dollars at the whole price


class NativeBatches(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake), {'name': 'offline', 'kind': 'demo'}],
                'models': [{'name': 'own-name', 'targets': [{'provider': 'fake', 'model': 'gpt-small'}]},
                           {'name': 'other', 'targets': [{'provider': 'fake', 'model': 'gpt-other'}]}],
                'prices': {'gpt-small': {'input': 1, 'output': 4}, 'gpt-other': {'input': 1, 'output': 4}},
                'server': {'drain_timeout': '2s'}, 'log': {'level': 'debug', 'format': 'json'},
                'batches': {'provider_native': True, 'provider_poll': '200ms', 'retries': 1}}

    def setUp(self):
        Suite.setUp(self)
        self.fake.batches = Batches()
        self.key_name = self.id().split('.')[-1][:60]
        made = self.server.create_key('--name', self.key_name)
        self.key_id = made['id']
        self.client = Client(self.server, made['key'])

    def lines(self, n=LINES, **said):
        return [line(f'id {i}/ü', said.get(str(i), f'text {i}'), model='own-name') for i in range(n)]

    def run_batch(self, lines=None, **more):
        return self.client.run(lines or self.lines(), **more)

    def chats(self):
        """What was asked for at the usual price."""
        return [s for s in self.fake.seen if s.path.endswith('/chat/completions')]

    def paid(self):
        """What the lines of this test cost, and how many cost it."""
        rows = self.server.usage('--key', self.key_name, '--limit', '0')
        self.assertEqual(len({r['request_id'] for r in rows}), len(rows))
        return collections.Counter((r['model'], r['status'], round(r['cost_usd'] * 1e9)) for r in rows)

    def answered(self, batch, n=LINES, failed=0, status='completed'):
        batch = self.client.ended(batch, 30)
        self.assertEqual((batch['status'], batch['request_counts']),
                         (status, {'total': n, 'completed': n - failed, 'failed': failed}), self.server.log()[-3000:])
        output, errors = self.client.lines(batch['output_file_id']), self.client.lines(batch['error_file_id'])
        self.assertEqual((len(output), len(errors)), (n - failed, failed))
        return output, errors

    def test_a_batch(self):
        output, _ = self.answered(self.run_batch())
        self.assertEqual([x['custom_id'] for x in output], [f'id {i}/ü' for i in range(LINES)])
        self.assertEqual([x['response']['body']['choices'][0]['message']['content'] for x in output],
                         [f'Answer to text {i}' for i in range(LINES)])
        self.assertEqual(self.paid(), {('own-name', 200, COST // 2): LINES})
        self.assertEqual(self.chats(), [])
        batch, = self.fake.batches.batches.values()
        self.assertEqual((batch['endpoint'], len(self.fake.batches.files)), ('/v1/chat/completions', 0))
        self.assertTrue(eventually(lambda: len(self.fake.batches.deleted) == 2))

    def test_a_crash_in_each_phase(self):
        fake = self.fake.batches
        said = {'3': 'x status=400', '4': 'x status=400'}
        fake.hold, fake.refuse['create'] = 'validating', 503
        batch = self.run_batch(self.lines(**said))
        self.crash('POST /v1/files')  # its file is there, or was just on its way
        self.crash('POST /v1/batches')
        fake.refuse.pop('create')
        fake.lose.add('create')  # it is made, and nobody knows
        self.crash('POST /v1/batches')
        self.crash('GET /v1/batches/batch_fake0')
        fake.hold = 'in_progress'
        self.crash('GET /v1/batches/batch_fake0')
        fake.hold = None
        fake.refuse['content'] = 503
        self.crash('/content')
        fake.refuse.pop('content')
        self.crash('/content')
        output, errors = self.answered(batch, failed=2)
        self.assertEqual([x['custom_id'] for x in errors], ['id 3/ü', 'id 4/ü'])
        self.assertEqual([x['response']['status_code'] for x in errors], [400, 400])
        self.assertEqual(len(fake.batches), 1)
        self.assertEqual(self.chats(), [])
        self.assertEqual(self.paid(), {('own-name', 200, COST // 2): LINES - 2, ('own-name', 400, 0): 2})

    def crash(self, asked):
        """Kills the server when the provider has been asked this from now on, and starts it again."""
        fake = self.fake.batches
        before = len(fake.asked)
        self.assertTrue(eventually(lambda: any(a.endswith(asked) for a in fake.asked[before:]), 20),
                        (asked, fake.asked[before:]))
        self.server.kill()
        self.server.start()

    def test_a_crash_while_answers_are_taken_in(self):
        n = 1500
        batch = self.run_batch(self.lines(n))
        for at in (1, n // 3):
            self.assertTrue(eventually(lambda: self.client.batch(batch)['request_counts']['completed'] >= at, 30))
            self.server.kill()
            self.server.start()
        self.answered(batch, n)
        self.assertEqual(self.paid(), {('own-name', 200, COST // 2): n})
        self.assertEqual((self.chats(), len(self.fake.batches.batches)), ([], 1))

    def test_what_the_provider_did_not_answer_is_run_here(self):
        said = {'1': 'x expired', '2': 'x forgotten', '5': 'x status=500'}
        self.answered(self.run_batch(self.lines(**said)))
        self.assertEqual(sorted(s.json['messages'][0]['content'] for s in self.chats()), sorted(said.values()))
        paid = self.paid()
        self.assertEqual(paid.pop(('own-name', 200, COST // 2)), LINES - 3)
        self.assertEqual(paid.pop(('own-name', 500, 0)), 1)
        self.assertEqual(sum(paid.values()), 3)

    def test_a_batch_that_fails_there_is_run_here(self):
        for outcome in ('failed', 'expired'):
            self.fake.batches = Batches()
            self.fake.batches.outcome = outcome
            before = len(self.chats())
            self.answered(self.run_batch())
            self.assertEqual(len(self.chats()) - before, LINES if outcome == 'failed' else LINES // 2)

    def test_a_provider_without_the_api(self):
        for step, status in (('upload', 404), ('upload', 401), ('create', 400)):
            self.fake.batches = Batches()
            self.fake.batches.refuse[step] = status
            before = len(self.chats())
            self.answered(self.run_batch())
            self.assertEqual(len(self.chats()) - before, LINES, (step, status))
            self.assertEqual((self.fake.batches.batches, self.fake.batches.files), ({}, {}))

    def test_a_mixed_batch_is_run_here(self):
        mixed = self.lines() + [line('z', model='other')]
        offline = self.lines() + [line('z', model='offline/demo')]
        for lines in (mixed, offline):
            self.answered(self.run_batch(lines), len(lines))
            self.assertEqual(self.fake.batches.asked, [])

    def test_cancelling(self):
        fake = self.fake.batches
        fake.hold = 'in_progress'
        batch = self.run_batch()
        self.assertTrue(eventually(lambda: any(b['status'] == 'in_progress' for b in fake.batches.values())))
        self.assertEqual(self.server.post(f'/v1/batches/{batch["id"]}/cancel', b'', key=self.client.key).status, 200)
        batch = self.client.ended(batch)
        self.assertIn('POST /v1/batches/batch_fake0/cancel', fake.asked)
        self.assertEqual((batch['status'], batch['request_counts']['completed']), ('cancelled', LINES // 2))
        errors = self.client.lines(batch['error_file_id'])
        self.assertEqual({x['error']['code'] for x in errors}, {'batch_cancelled'})
        self.assertEqual(len(errors), LINES // 2)
        self.assertEqual(self.chats(), [])
        self.assertEqual(self.paid(), {('own-name', 200, COST // 2): LINES // 2})

    def test_budgets_hold(self):
        def budget(name, **more):
            more = {'scope': f'key/{self.key_id}', 'period': 'month', **more}
            done = self.server.cli('budget', 'create', f'name={name}', *[f'{k}={v}' for k, v in more.items()])
            self.assertEqual(done.returncode, 0, done.stderr)
            self.addCleanup(self.server.cli, 'budget', 'delete', name)
        # By estimate: of 1000 tokens out, and some in.
        budget('money', metric='cost', amount=0.0205)
        lines = [{**x, 'body': {**x['body'], 'max_tokens': 1000}} for x in self.lines()]
        _, errors = self.answered(self.run_batch(lines), failed=LINES - 10)
        self.assertEqual({x['response']['body']['error']['code'] for x in errors}, {'insufficient_quota'})
        paid = self.paid()
        self.assertEqual(paid[('own-name', 200, COST // 2)], 10)
        # Too many for a day, which is no rate: they are run while there is room, and wait.
        budget('calls', metric='requests', amount=10 + 5, period='day')
        before = len(self.fake.batches.batches)
        batch = self.run_batch(self.lines())
        self.assertTrue(eventually(lambda: self.chats()))
        self.assertEqual(len(self.fake.batches.batches), before)
        self.server.post(f'/v1/batches/{batch["id"]}/cancel', b'', key=self.client.key)
        self.client.ended(batch)

    def test_what_may_not_be_asked_is_not_sent(self):
        created = self.server.create_key('--name', 'few', '--models', 'own-name')
        few = Client(self.server, created['key'])
        batch = few.run(self.lines(3) + [line('no', model='other')])
        batch = few.ended(batch)
        self.assertEqual(batch['request_counts'], {'total': 4, 'completed': 3, 'failed': 1})
        self.assertEqual(few.lines(batch['error_file_id'])[0]['response']['status_code'], 403)
        file, = [b['input_file_id'] for b in self.fake.batches.batches.values()]
        self.assertEqual(self.chats(), [])
        self.assertIsNotNone(file)

    def test_a_key_that_is_revoked_meanwhile(self):
        fake = self.fake.batches
        fake.hold = 'in_progress'
        self.run_batch(self.lines(**{'1': 'x expired'}))
        self.assertTrue(eventually(lambda: fake.batches))
        done = self.server.cli('key', 'revoke', self.key_name)
        self.assertEqual(done.returncode, 0, done.stderr)
        fake.hold = None
        # What it has cost is its; what is left is not asked for any more.
        self.assertTrue(eventually(lambda: self.paid()[('own-name', 200, COST // 2)] == LINES - 1), self.paid())
        self.assertTrue(eventually(lambda: len(fake.deleted) == 3))
        self.assertEqual(self.chats(), [])

    def test_an_upload_that_is_lost(self):
        self.fake.batches.lose.add('upload')
        self.answered(self.run_batch())
        self.assertEqual((len(self.fake.batches.batches), self.chats()), (1, []))


class WithoutFallback(NativeBatches):
    @classmethod
    def config(cls):
        config = super().config()
        config['batches']['provider_fallback'] = False
        return config

    def test_what_the_provider_did_not_answer_is_an_error(self):
        _, errors = self.answered(self.run_batch(self.lines(**{'1': 'x expired', '2': 'x forgotten', '5': 'x status=500'})), failed=3)
        self.assertEqual([x['error'] and x['error']['code'] for x in errors], ['provider_batch_failed'] * 2 + [None])
        self.assertEqual(errors[2]['response']['status_code'], 500)
        self.assertEqual(self.chats(), [])


for test in [t for t in dir(NativeBatches) if t.startswith('test_')]:
    setattr(WithoutFallback, test, None)


if __name__ == '__main__':
    main()
