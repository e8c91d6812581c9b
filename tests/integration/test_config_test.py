#!/usr/bin/env python3
# "penstock config test" on the real binary: against the fake provider and a running server, as lines, as JSON and on a
# terminal.
import json
import os
import pty
import select
import shutil
import tempfile
import unittest

from harness import BINARY, FakeUpstream, Penstock, clean_environment, free_port, run_cli

KEY = 'sk-fake'


class ConfigTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='penstock-test-')
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.fake = FakeUpstream(key=KEY).start()
        self.addCleanup(self.fake.stop)

    def write(self, **more):
        config = {'version': 2,
                  'listeners': [{'address': f'127.0.0.1:{free_port()}'}],
                  'providers': [{'name': 'fake', 'kind': 'openai', 'base_url': self.fake.base_url, 'api_key': KEY}],
                  'models': [{'name': 'm', 'targets': [{'provider': 'fake', 'model': 'fake'}]}],
                  'storage': {'data': os.path.join(self.folder, 'data')}}
        config.update(more)
        path = os.path.join(self.folder, 'penstock.yaml')
        with open(path, 'w', encoding='utf-8') as f:
            json.dump(config, f, indent=1)
        return path

    def checks(self, code, *args, **more):
        done = run_cli('config', 'test', *args, '--json', timeout=40, **more)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return {(c['check'], c['name']): c for c in map(json.loads, done.stdout.splitlines())}

    def test_all_well(self):
        checks = self.checks(0, self.write())
        provider = checks['provider', 'fake']
        self.assertEqual((provider['verdict'], provider['detail'], provider['models']), ('ok', '1 model', 1))
        self.assertIn('clock', [kind for kind, _ in checks])
        self.assertTrue(all(c['verdict'] != 'failed' and c['duration_us'] >= 0 for c in checks.values()))
        self.assertFalse(os.path.exists(os.path.join(self.folder, 'data')), 'a look makes nothing')
        done = run_cli('config', 'test', self.write())
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn('ok      provider fake: 1 model (', done.stdout)
        self.assertRegex(done.stdout, r'\n\d+ checks: \d+ ok.* in [0-9.]+ m?s\n$')
        self.assertNotIn('\x1b', done.stdout)
        quiet = run_cli('config', 'test', self.write(), '--quiet')
        self.assertNotIn('ok ', quiet.stdout)

    def test_file_is_named_as_elsewhere(self):
        path = self.write()
        self.assertEqual(self.checks(0, '--config', path)['provider', 'fake']['verdict'], 'ok')
        with open(path, encoding='utf-8') as f:
            self.assertEqual(self.checks(0, '--config', '-', stdin=f.read())['provider', 'fake']['verdict'], 'ok')
        both = run_cli('config', 'test', path, '--config', path)
        self.assertEqual(both.returncode, 2)
        self.assertIn('both FILE and --config', both.stderr)

    def test_failures(self):
        secret = 'sk-not-the-right-one'
        config = self.write(
            providers=[{'name': 'wrong', 'kind': 'vllm', 'base_url': self.fake.base_url + '/nothing/here'},
                       {'name': 'gone', 'kind': 'vllm', 'base_url': f'http://127.0.0.1:{free_port()}/v1'},
                       {'name': 'fake', 'kind': 'openai', 'base_url': self.fake.base_url, 'api_key': secret}],
            models=[{'name': 'm', 'targets': [{'provider': 'fake', 'model': 'unheard-of'}]}],
            webhooks=[{'name': 'w', 'url': f'http://127.0.0.1:{free_port()}/hook', 'secret': secret}])
        checks = self.checks(1, config)
        self.assertEqual(checks['provider', 'gone']['verdict'], 'failed')
        self.assertIn('connecting', checks['provider', 'gone']['detail'])
        self.assertRegex(checks['provider', 'gone']['where'], r'penstock\.yaml:\d+$')
        self.assertEqual(checks['provider', 'fake']['verdict'], 'warning')
        self.assertIn('unheard-of', checks['provider', 'fake']['detail'])
        self.assertEqual(checks['webhook', 'w']['verdict'], 'failed')
        self.assertNotIn(secret, json.dumps(list(checks.values())))

    def test_not_valid(self):
        done = run_cli('config', 'test', self.write(nonsense=1))
        self.assertEqual(done.returncode, 3)
        self.assertIn('nonsense', done.stderr)
        self.assertEqual(run_cli('config', 'test', os.path.join(self.folder, 'absent.yaml')).returncode, 3)

    def test_of_a_running_server(self):
        server = Penstock({'version': 2, 'providers': [{'name': 'demo', 'kind': 'demo'}]})
        self.addCleanup(server.remove)
        server.start()
        config = self.write(listeners=[{'address': f'127.0.0.1:{server.port}'}])
        listener = self.checks(0, config)['listener', f'127.0.0.1:{server.port}']
        self.assertEqual(listener['verdict'], 'ok')
        self.assertIn('already served by a running Penstock', listener['detail'])
        server.stop()

    def test_a_port_of_somebody_else(self):
        port = self.fake.port
        listener = self.checks(1, self.write(listeners=[{'address': f'127.0.0.1:{port}'}]))
        self.assertEqual(listener['listener', f'127.0.0.1:{port}']['verdict'], 'failed')

    def test_on_a_terminal(self):
        config = self.write()
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(BINARY, [BINARY, 'config', 'test', config], clean_environment(TERM='xterm'))
        shown = b''
        while select.select([fd], [], [], 30)[0]:
            try:
                part = os.read(fd, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, shown)
        text = shown.decode()
        self.assertIn('\x1b[32m✓\x1b[0m provider fake: 1 model', text)
        self.assertIn('\x1b[J', text)  # what was under way is taken off the screen


if __name__ == '__main__':
    unittest.main()
