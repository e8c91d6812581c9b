#!/usr/bin/env python3
# Runs the official client library over files and batches (test_batches_sdk.mjs) against a server and a fake provider, and
# kills the server three times in the middle of a batch of PENSTOCK_BATCH_LINES lines.
import collections
import os
import subprocess
import sys

from harness import HERE, Suite, clean_environment, eventually, fake_provider, main

LINES = int(os.environ.get('PENSTOCK_BATCH_LINES', '600'))
CONCURRENCY = 24


class BatchesSdk(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'batches': {'concurrency': CONCURRENCY},
                'models': [{'name': 'small', 'targets': [{'provider': 'fake', 'model': 'gpt-small'}]}]}

    def asked(self):
        """How often each line was asked for."""
        texts = [s.json['messages'][0]['content'] for s in list(self.fake.seen) if s.json and 'messages' in s.json]
        return collections.Counter(t for t in texts if t.startswith('say line-'))

    def test_suite(self):
        self.assertTrue(os.path.isdir(os.path.join(HERE, 'node_modules', 'openai')), 'npm ci was not run in ' + HERE)
        env = clean_environment(PENSTOCK_URL=f'http://127.0.0.1:{self.server.port}/v1', PENSTOCK_KEY=self.server.key,
                                PENSTOCK_BATCH_LINES=str(LINES))
        with subprocess.Popen(['node', '--test', 'test_batches_sdk.mjs'], cwd=HERE, env=env, stdout=sys.stderr) as suite:
            for crash in range(3):
                at = LINES * (crash + 1) // 4
                self.assertTrue(eventually(lambda: len(self.asked()) >= at or suite.poll() is not None, 120))
                self.assertIsNone(suite.poll(), 'the suite ended before the server was killed')
                self.server.kill()
                self.server.start()
            self.assertEqual(suite.wait(180), 0)
        asked = self.asked()
        self.assertEqual(len(asked), LINES)
        # Those under way at a crash were asked for once more, no others.
        self.assertLessEqual(sum(asked.values()) - LINES, 3 * 2 * CONCURRENCY)


if __name__ == '__main__':
    main()
