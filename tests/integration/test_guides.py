# What the guides show can be done as it stands: their configurations are taken.
import glob
import json
import os
import re
import tempfile
import unittest

import harness
from harness import ROOT, clean_environment, run_cli

# What examples speak of and do not bring.
MODELS = ('large', 'small', 'grader', 'extractor', 'local-llama', 'support')
AROUND = {'redis': {'url': 'redis://127.0.0.1'},
          'providers': [{'name': 'openai'}, {'name': 'anthropic'}, {'name': 'a', 'kind': 'demo'}, {'name': 'b', 'kind': 'demo'},
                        {'name': 'own', 'kind': 'openai', 'base_url': 'http://127.0.0.1:1/v1'},
                        {'name': 'local', 'kind': 'openai', 'base_url': 'http://127.0.0.1:1/v1'}],
          'models': [{'name': name, 'targets': [{'provider': 'a'}]} for name in MODELS]}
ENV = {'PENSTOCK_CONFIG_JSON': json.dumps(AROUND), 'OPENAI_API_KEY': 'k', 'ANTHROPIC_API_KEY': 'k', 'COHERE_API_KEY': 'k'}
NOT_OURS = ('scrape_configs:', 'authorization:', 'service-account.json')  # Prometheus's; a file that is read when it is checked


class Guides(unittest.TestCase):
    def examples(self):
        for path in [os.path.join(ROOT, 'README.md'), *sorted(glob.glob(os.path.join(ROOT, 'docs', 'guides', '*.md')))]:
            with open(path, encoding='utf-8') as f:
                text = f.read()
            for match in re.finditer(r'^```yaml\n(.*?)^```', text, re.MULTILINE | re.DOTALL):
                if not any(word in match[1] for word in NOT_OURS):
                    yield f'{os.path.basename(path)}:{text.count(chr(10), 0, match.start()) + 1}', match[1]

    def test_configurations(self):
        checked = 0
        for where, text in self.examples():
            with self.subTest(where), tempfile.NamedTemporaryFile('w', suffix='.yaml', encoding='utf-8') as file:
                file.write(text)
                file.flush()
                done = run_cli('config', 'validate', '--offline', file.name, env=clean_environment(**ENV))
                self.assertEqual(done.returncode, 0, text + done.stdout + done.stderr)
                checked += 1
        self.assertGreater(checked, 30)


if __name__ == '__main__':
    harness.main()
