#!/usr/bin/env python3
# Runs the suite on the JSON Schema (test_config_schema.mjs) with what "penstock config schema" prints.
import os
import subprocess
import sys
import tempfile
import unittest

from harness import HERE, clean_environment, main, run_cli


class ConfigSchema(unittest.TestCase):
    def test_suite(self):
        self.assertTrue(os.path.isdir(os.path.join(HERE, 'node_modules', 'ajv')), 'npm ci was not run in ' + HERE)
        printed = run_cli('config', 'schema')
        self.assertEqual((printed.returncode, printed.stderr), (0, ''))
        with tempfile.TemporaryDirectory(prefix='penstock-schema-') as folder:
            path = os.path.join(folder, 'penstock.schema.json')
            with open(path, 'w', encoding='utf-8') as schema:
                schema.write(printed.stdout)
            done = subprocess.run(['node', '--test', 'test_config_schema.mjs'], cwd=HERE, stdout=sys.stderr,
                                  env=clean_environment(PENSTOCK_SCHEMA=path), timeout=150)
        self.assertEqual(done.returncode, 0)


if __name__ == '__main__':
    main()
