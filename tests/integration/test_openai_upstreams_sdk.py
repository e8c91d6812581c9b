#!/usr/bin/env python3
# Runs the suites of OpenAI's own client libraries, in JavaScript (test_openai_upstreams_sdk.mjs) and in Python
# (openai_client.py), against a server before fake providers of several dialects.
import json
import os
import subprocess
import sys

from harness import HERE, ROOT, Suite, clean_environment, fake_provider, main

from anthropic_upstream import AnthropicUpstream
from cohere_upstream import CohereUpstream
from gemini_upstream import GeminiUpstream

PYTHON = os.environ.get('PENSTOCK_PYTHON') or os.path.join(ROOT, 'build', 'python', 'bin', 'python3')


class OpenAiUpstreams(Suite):
    @classmethod
    def config(cls):
        cls.others = {'claude': AnthropicUpstream().start(), 'google': GeminiUpstream().start(),
                      'co': CohereUpstream().start()}
        for fake in cls.others.values():
            cls.addClassCleanup(fake.stop)

        def provider(name, kind, key):
            return {'name': name, 'kind': kind, 'base_url': cls.others[name].base_url, 'api_key': key}
        return {'providers': [fake_provider(cls.fake), provider('claude', 'anthropic', 'sk-ant-fake'),
                              provider('google', 'gemini', cls.others['google'].key), provider('co', 'cohere', 'co-fake')]}

    def run_suite(self, *command):
        env = clean_environment(PENSTOCK_URL=f'http://127.0.0.1:{self.server.port}/v1', PENSTOCK_KEY=self.server.key,
                                FAKES=json.dumps({name: f'http://{fake.authority}/' for name, fake in
                                                  {'fake': self.fake, **self.others}.items()}))
        done = subprocess.run(command, cwd=HERE, env=env, stdout=sys.stderr, timeout=120)
        self.assertEqual(done.returncode, 0)
        for fake in self.others.values():
            self.assertEqual(fake.violations, [])

    def test_javascript(self):
        self.assertTrue(os.path.isdir(os.path.join(HERE, 'node_modules', 'openai')), 'npm ci was not run in ' + HERE)
        self.run_suite('node', '--test', 'test_openai_upstreams_sdk.mjs')

    def test_python(self):
        self.assertTrue(os.path.exists(PYTHON), './dev test installs the Python packages into build/python')
        self.run_suite(PYTHON, '-B', 'openai_client.py')


if __name__ == '__main__':
    main()
