#!/usr/bin/env python3
# Runs the suites of Anthropic's own client libraries, in JavaScript (test_anthropic_sdk.mjs) and in Python
# (anthropic_client.py), against a server before fake providers of several dialects.
import os
import subprocess
import sys

from harness import HERE, ROOT, Suite, clean_environment, fake_provider, main

from anthropic_upstream import AnthropicUpstream
from gemini_upstream import GeminiUpstream

PYTHON = os.environ.get('PENSTOCK_PYTHON') or os.path.join(ROOT, 'build', 'python', 'bin', 'python3')


class AnthropicSdk(Suite):
    @classmethod
    def config(cls):
        cls.claude, cls.gemini = AnthropicUpstream().start(), GeminiUpstream().start()
        cls.addClassCleanup(cls.claude.stop)
        cls.addClassCleanup(cls.gemini.stop)
        return {'providers': [
            fake_provider(cls.fake),
            {'name': 'claude', 'kind': 'anthropic', 'api_key': cls.claude.key, 'base_url': cls.claude.base_url},
            {'name': 'gemini', 'kind': 'gemini', 'api_key': cls.gemini.key, 'base_url': cls.gemini.base_url}],
                'models': [{'name': 'small', 'targets': [{'provider': 'claude', 'model': 'claude-small'}]}]}

    def run_suite(self, *command):
        env = clean_environment(PENSTOCK_URL=f'http://127.0.0.1:{self.server.port}', PENSTOCK_KEY=self.server.key,
                                OPENAI_FAKE=f'http://127.0.0.1:{self.fake.port}',
                                ANTHROPIC_FAKE=f'http://127.0.0.1:{self.claude.port}',
                                GEMINI_FAKE=f'http://127.0.0.1:{self.gemini.port}')
        done = subprocess.run(command, cwd=HERE, env=env, stdout=sys.stderr, timeout=120)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.claude.violations + self.gemini.violations, [])

    def test_javascript(self):
        self.assertTrue(os.path.isdir(os.path.join(HERE, 'node_modules', '@anthropic-ai', 'sdk')), 'npm ci was not run')
        self.run_suite('node', '--test', 'test_anthropic_sdk.mjs')

    def test_python(self):
        self.assertTrue(os.path.exists(PYTHON), './dev test installs the Python packages into build/python')
        self.run_suite(PYTHON, '-B', 'anthropic_client.py')


if __name__ == '__main__':
    main()
