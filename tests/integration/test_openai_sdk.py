#!/usr/bin/env python3
# Runs the suite of the official client library (test_openai_sdk.mjs) against a server and a fake provider.
import os
import subprocess
import sys

from harness import HERE, Suite, clean_environment, fake_provider, main


class OpenAiSdk(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake), {'name': 'offline', 'kind': 'demo'}],
                'models': [{'name': 'small', 'targets': [{'provider': 'fake', 'model': 'gpt-small'}]}],
                'aliases': {'quick': 'small'}}

    def test_suite(self):
        self.assertTrue(os.path.isdir(os.path.join(HERE, 'node_modules', 'openai')), 'npm ci was not run in ' + HERE)
        env = clean_environment(PENSTOCK_URL=f'http://127.0.0.1:{self.server.port}/v1', PENSTOCK_KEY=self.server.key,
                                FAKE_URL=f'http://127.0.0.1:{self.fake.port}')
        done = subprocess.run(['node', '--test', 'test_openai_sdk.mjs'], cwd=HERE, env=env, stdout=sys.stderr, timeout=120)
        self.assertEqual(done.returncode, 0)


if __name__ == '__main__':
    main()
