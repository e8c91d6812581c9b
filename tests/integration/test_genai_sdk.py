#!/usr/bin/env python3
# Runs the suite of Google's own client library (test_genai_sdk.mjs) against a server before fake providers of several
# dialects.
import json
import os
import subprocess
import sys

from harness import HERE, Suite, clean_environment, fake_provider, main

from anthropic_upstream import AnthropicUpstream
from cohere_upstream import CohereUpstream
from gemini_upstream import GeminiUpstream


class GenAiSdk(Suite):
    @classmethod
    def config(cls):
        cls.claude, cls.google, cls.co = AnthropicUpstream().start(), GeminiUpstream().start(), CohereUpstream().start()
        for other in cls.claude, cls.google, cls.co:
            cls.addClassCleanup(other.stop)
        return {'providers': [fake_provider(cls.fake),
                              {'name': 'claude', 'kind': 'anthropic', 'api_key': cls.claude.key, 'base_url': cls.claude.base_url},
                              {'name': 'google', 'kind': 'gemini', 'api_key': cls.google.key, 'base_url': cls.google.base_url},
                              {'name': 'co', 'kind': 'cohere', 'api_key': 'co-fake', 'base_url': cls.co.base_url}],
                'models': [{'name': name, 'targets': [{'provider': 'google', 'model': 'gemini-2.5-flash'}]}
                           for name in ('small', 'large')]}

    def test_suite(self):
        self.assertTrue(os.path.isdir(os.path.join(HERE, 'node_modules', '@google', 'genai')), 'npm ci was not run in ' + HERE)
        env = clean_environment(PENSTOCK_URL=f'http://127.0.0.1:{self.server.port}', PENSTOCK_KEY=self.server.key,
                                FAKES=json.dumps({name: f'http://{fake.authority}/' for name, fake in (
                                    ('fake', self.fake), ('google', self.google), ('claude', self.claude), ('co', self.co))}))
        done = subprocess.run(['node', '--test', 'test_genai_sdk.mjs'], cwd=HERE, env=env, stdout=sys.stderr, timeout=120)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.claude.violations + self.google.violations + self.co.violations, [])


if __name__ == '__main__':
    main()
