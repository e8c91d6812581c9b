#!/usr/bin/env python3
"""Files and batches on PostgreSQL: what holds for SQLite holds there, and of two servers one runs a batch at a time."""
import collections

import test_batches
import test_batches_native
from harness import Suite, eventually, main
from test_api_postgres import OnPostgres
from test_batches import Client, line
from test_postgres import Replica

LINES = 400


class BatchesOnPostgres(OnPostgres, Suite):
    config = classmethod(test_batches.Batches.config.__func__)
    test_a_batch = test_batches.Batches.test_a_batch
    test_a_file_and_its_ways = test_batches.Batches.test_a_file_and_its_ways
    test_lists_of_files_go_page_by_page = test_batches.Batches.test_lists_of_files_go_page_by_page
    test_batches_that_are_refused = test_batches.Batches.test_batches_that_are_refused
    test_cancelling = test_batches.Batches.test_cancelling
    test_others_see_nothing = test_batches.Batches.test_others_see_nothing

    def setUp(self):
        super().setUp()
        self.client = Client(self.server)

    def test_another_server_goes_on(self):
        second = Replica(self.config(), self.server.env['PENSTOCK_STORAGE__URL'], first=self.server)
        self.addCleanup(second.remove)
        second.start()
        before = len(self.fake.seen)
        batch = self.client.run([line(f'{i}', f'text {i}', model='gpt-small;delay=20') for i in range(LINES)])
        self.assertTrue(eventually(lambda: self.client.batch(batch)['request_counts']['completed'] > LINES // 4))
        other = Client(second, self.server.key)
        self.assertEqual(other.batch(batch)['status'], 'in_progress')
        self.server.stop()  # lets go of it
        batch = other.ended(batch)
        self.server.start()
        self.assertEqual(batch['request_counts'], {'total': LINES, 'completed': LINES, 'failed': 0})
        self.assertEqual([x['custom_id'] for x in other.lines(batch['output_file_id'])], [str(i) for i in range(LINES)])
        asked = collections.Counter(s.json['messages'][0]['content'] for s in self.fake.seen[before:]
                                    if s.json and 'messages' in s.json)
        self.assertEqual(sum(asked.values()), LINES)  # nothing crashed: none was asked for twice


class NativeOnPostgres(OnPostgres, Suite):
    config = classmethod(test_batches_native.NativeBatches.config.__func__)
    setUp = test_batches_native.NativeBatches.setUp
    lines = test_batches_native.NativeBatches.lines
    run_batch = test_batches_native.NativeBatches.run_batch
    chats = test_batches_native.NativeBatches.chats
    answered = test_batches_native.NativeBatches.answered
    paid = test_batches_native.NativeBatches.paid
    crash = test_batches_native.NativeBatches.crash
    test_a_batch = test_batches_native.NativeBatches.test_a_batch
    test_cancelling = test_batches_native.NativeBatches.test_cancelling
    test_a_crash_while_answers_are_taken_in = test_batches_native.NativeBatches.test_a_crash_while_answers_are_taken_in


if __name__ == '__main__':
    main()
