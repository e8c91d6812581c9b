#!/usr/bin/env python3
# The command line: help, exit codes, keys, usage, chat, completions, and starting with no configuration at all.
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness import BINARY, Conn, FakeUpstream, Penstock, clean_environment, free_port, main, run_cli

COMMANDS = ('serve', 'key create', 'key list', 'key revoke', 'usage', 'chat', 'config init', 'config validate', 'config show',
            'config trace', 'config test', 'config diff', 'config schema', 'config docs', 'config explain', 'config migrate',
            'config import', 'config set', 'config unset', 'config history', 'config rollback', 'secret set', 'secret list',
            'secret delete', 'completion', 'man', 'version', 'help')


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='penstock-test-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text)
        return path

    def run_ok(self, *args, **more):
        done = run_cli(*args, cwd=self.folder, **more)
        self.assertEqual((done.returncode, done.stderr.startswith('penstock:')), (0, False), (args, done.stderr))
        return done.stdout

    def run_fails(self, code, *args, **more):
        """Fails with this code, says why on standard error, and prints no data."""
        done = run_cli(*args, cwd=self.folder, **more)
        self.assertEqual(done.returncode, code, (args, done.stdout, done.stderr))
        self.assertTrue(done.stderr)
        self.assertEqual(done.stdout, '')
        return done.stderr


class Help(Folder):
    def test_help_everywhere(self):
        for command in COMMANDS:
            with self.subTest(command):
                text = self.run_ok(*command.split(), '--help')
                self.assertIn('penstock ' + command, text)
                self.assertIn('--help', text)
                self.assertLessEqual(max(len(line) for line in text.split('\n')), 80)
                self.assertEqual(self.run_ok(*command.split(), '-h'), text)
                self.assertEqual(self.run_ok('help', *command.split()), text)
        for args in (('--help',), ('help',), ('key', '--help'), ('config', '--help')):
            self.assertIn('Usage: penstock', self.run_ok(*args))

    def test_version(self):
        self.assertRegex(self.run_ok('version'), r'^penstock \d+\.\d+\.\d+')
        self.assertEqual(self.run_ok('--version'), self.run_ok('version'))
        self.assertEqual(json.loads(self.run_ok('version', '--json'))['name'], 'penstock')

    def test_wrong_command_lines(self):
        for args, hint in (((), 'Usage'), (('srve',), 'serve'), (('key', 'lst'), 'key list'), (('key',), 'Usage'), (('serve', '--lisen', 'x'), '--listen'),
                           (('serve', '--workers', 'many'), 'workers'), (('serve', '--workers'), '--workers'), (('usage', '--by', 'colour'), 'model'),
                           (('chat', 'demo/echo'), 'chat'), (('key', 'revoke'), 'revoke'), (('version', 'extra'), 'version'),
                           (('completion', 'tcsh'), 'bash'), (('key', 'create', '--expires', 'soon'), 'expires'),
                           (('usage', '--since', 'yesteryear', '--data', '.'), 'since')):
            with self.subTest(args):
                self.assertIn(hint, self.run_fails(2, *args))

    def test_colour(self):
        for env in ({'NO_COLOR': '1'}, {}, {'TERM': 'dumb'}):
            done = run_cli('key', 'list', '--data', self.folder, env=clean_environment(**env))
            self.assertNotIn('\x1b', done.stdout + done.stderr)

    def test_completion_scripts(self):
        for shell, check in (('bash', ['bash', '-n']), ('zsh', ['zsh', '-n']), ('fish', ['fish', '--no-execute'])):
            script = self.path('completion.' + shell, self.run_ok('completion', shell))
            if shutil.which(shell):
                done = subprocess.run([*check, script], capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ''), shell)
        probe = ('source ./completion.bash; COMP_WORDS=(penstock ke); COMP_CWORD=1; COMP_LINE="penstock ke"; COMP_POINT=11;'
                 '$(complete -p penstock | sed "s/.*-F \\([^ ]*\\).*/\\1/"); echo "${COMPREPLY[@]}"')
        done = subprocess.run(['bash', '-c', probe], capture_output=True, text=True, cwd=self.folder)
        self.assertIn('key', done.stdout.split(), done.stderr)

    def test_manual(self):
        page = self.path('penstock.1', self.run_ok('man'))
        if shutil.which('mandoc'):
            done = subprocess.run(['mandoc', '-Tlint', '-Wwarning', page], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, ''))

    def test_a_closed_pipe(self):
        done = subprocess.run(['bash', '-c', f'"{BINARY}" config docs | head -1; exit "${{PIPESTATUS[0]}}"'],
                              capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 139)
        self.assertTrue(done.stdout.startswith('#'))


class Config(Folder):
    def test_valid(self):
        path = self.path('good.yaml', 'providers:\n  - {name: demo, kind: demo}\n')
        self.assertIn('valid', self.run_ok('config', 'validate', path))
        self.assertEqual(self.run_ok('config', 'validate', path, '--quiet'), '')
        self.assertEqual(json.loads(self.run_ok('config', 'validate', path, '--json'))['valid'], True)

    def test_faults_are_told_with_their_place(self):
        for text, place, *words in (
                ('limits:\n  max_bdy: 3 MiB\n', ':2:3:', 'max_bdy', 'max_body'),
                ('limits:\n  max_body: lots\n', ':2:13:', 'size'),
                ('limits:\n  max_headers: 5000000\n', ':2:16:', '1000'),
                ('auth:\n  required: maybe\n', ':2:13:', 'true'),
                ('providers:\n  - name: a\n    kind: opnai\n', ':3:', 'openai'),
                ('providers:\n  - name: a\n    base_url: ftp://x\n    api_key: x\n', ':3:', 'http'),
                ('providers:\n  - name: a\n    api_key: ${env:NOT_SET_ANYWHERE}\n', ':3:', 'NOT_SET_ANYWHERE'),
                ('providers:\n  - {name: a, kind: demo}\nmodels:\n  - name: m\n    targets:\n      - {provider: b}\n', ':6:', '"b"', 'a'),
                ('a: [\n', ':', 'penstock'), ('- x\n', ':1:1:', 'map'), ('limits: {}\nlimits: {}\n', ':2:1:', 'limits')):
            with self.subTest(text):
                path = self.path('penstock.yaml', text)
                out = self.run_fails(1, 'config', 'validate', path)
                self.assertIn(path + place, out)
                for word in words:
                    if word != 'penstock':
                        self.assertIn(word, out)
                self.assertIn(path + place, self.run_fails(3, 'serve', '--config', path, '--data', self.path('data')))
                done = run_cli('config', 'validate', path, '--json')
                problem = json.loads(done.stdout)['problems'][0]
                self.assertTrue(problem['line'] and problem['message'])
        self.assertFalse(os.path.exists(self.path('data')), 'a refused start left something behind')

    def test_all_faults_at_once(self):
        path = self.path('penstock.yaml', 'limits: {max_bdy: 1 MiB}\ntimeouts: {heder: 1s}\nlog: {levl: info}\n')
        out = self.run_fails(1, 'config', 'validate', path)
        for name in ('max_bdy', 'heder', 'levl'):
            self.assertIn(name, out)

    def test_wrong_address_on_the_command_line(self):
        self.assertIn('--listen', self.run_fails(3, 'serve', '--listen', 'nonsense', '--data', self.path('data')))

    def test_missing_file(self):
        self.assertIn('nowhere.yaml', self.run_fails(3, 'serve', '--config', 'nowhere.yaml'))

    def test_secrets_are_not_repeated(self):
        path = self.path('penstock.yaml', 'providers:\n  - {name: a, kind: openai, api_key: "sk-very secret"}\n')
        self.assertNotIn('very', self.run_fails(1, 'config', 'validate', path))

    def test_docs(self):
        docs = os.path.join(os.path.dirname(__file__), '..', '..', 'docs', 'config.md')
        with open(docs, encoding='utf-8') as f:
            self.assertEqual(self.run_ok('config', 'docs'), f.read(), 'docs/config.md is not what penstock config docs prints')


class Keys(Folder):
    def test_life_of_a_key(self):
        data = self.path('data')
        made = json.loads(self.run_ok('key', 'create', '--data', data, '--name', 'app', '--models', 'gpt-*,demo/echo', '--expires', '30d', '--json'))
        self.assertRegex(made['key'], r'^ps-[A-Za-z0-9]{49}$')
        self.assertTrue(made['id'])
        admin = json.loads(self.run_ok('key', 'create', '--admin', '--data', data, '--json'))
        rows = [json.loads(line) for line in self.run_ok('key', 'list', '--data', data, '--json').split('\n') if line]
        self.assertEqual([(r['id'], r['name'], r['admin'], r['models']) for r in rows],
                         [(made['id'], 'app', False, ['gpt-*', 'demo/echo']), (admin['id'], '', True, None)])
        self.assertNotIn(made['key'], str(rows))
        self.assertTrue(made['key'].startswith(rows[0]['prefix']))
        self.run_ok('key', 'revoke', 'app', '--data', data)
        (row,) = [json.loads(line) for line in self.run_ok('key', 'list', '--data', data, '--json').split('\n') if '"app"' in line]
        self.assertEqual(row['state'], 'revoked')
        self.assertIn('app', self.run_ok('key', 'list', '--data', data))
        self.assertIn('nobody', self.run_fails(4, 'key', 'revoke', 'nobody', '--data', data))

    def test_only_the_key_goes_to_standard_output(self):
        done = run_cli('key', 'create', '--data', self.path('data'))
        self.assertRegex(done.stdout, r'^ps-[A-Za-z0-9]{49}\n$')
        self.assertTrue(done.stderr)
        self.assertEqual(run_cli('key', 'create', '--quiet', '--data', self.path('data')).stderr, '')

    def test_the_folder_is_private(self):
        data = self.path('data')
        self.run_ok('key', 'create', '--data', data, '--quiet')
        self.assertEqual(os.stat(data).st_mode & 0o077, 0)
        self.assertEqual(os.stat(os.path.join(data, 'secret.key')).st_mode & 0o077, 0)

    def test_data_by_environment(self):
        self.run_ok('key', 'create', '--quiet', env=clean_environment(PENSTOCK_DATA=self.path('there')))
        self.assertTrue(os.path.isdir(self.path('there')))

    def test_no_data(self):
        self.run_fails(4, 'usage', '--data', self.path('none'))
        self.assertFalse(os.path.exists(self.path('none')))

    def test_unusable_data(self):
        self.path('file', 'x')
        self.run_fails(1, 'key', 'create', '--data', self.path('file'))

    def test_wrong_values(self):
        for args in (('--name', 'x' * 300), ('--models', ''), ('--expires', '-1d'), ('--expires', '0s')):
            with self.subTest(args):
                done = run_cli('key', 'create', *args, '--data', self.path('data'))
                self.assertIn(done.returncode, (1, 2))
                self.assertEqual(done.stdout, '')


class Running(unittest.TestCase):
    """Beside a server without any configuration: the demonstration answers."""

    @classmethod
    def setUpClass(cls):
        cls.server = Penstock(None)
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()
        cls.url = f'http://127.0.0.1:{cls.server.port}'

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def chat(self, *args, key=True, **more):
        env = clean_environment(PENSTOCK_URL=self.url, **({'PENSTOCK_API_KEY': self.server.key if key is True else key} if key else {}))
        return run_cli('chat', *args, env=env, **more)

    def test_chat(self):
        done = self.chat('demo/echo', 'Grüße ☃')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, 'Grüße ☃\n', ''))
        self.assertEqual(self.chat('demo/echo', '-', stdin='from a file').stdout, 'from a file\n')
        answer = json.loads(self.chat('demo/echo', 'x', '--json').stdout)
        self.assertEqual(answer['choices'][0]['message']['content'], 'x')
        done = run_cli('chat', 'demo/echo', 'x', '--url', self.url, env=clean_environment(PENSTOCK_API_KEY=self.server.key))
        self.assertEqual(done.stdout, 'x\n')

    def test_chat_streams(self):
        env = clean_environment(PENSTOCK_URL=self.url, PENSTOCK_API_KEY=self.server.key)
        chat = subprocess.Popen([BINARY, 'chat', 'demo/slow', 'x'], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = os.read(chat.stdout.fileno(), 4096)
        self.assertTrue(first)
        self.assertIsNone(chat.poll(), 'nothing was shown before the end')
        chat.send_signal(signal.SIGINT)
        self.assertEqual(chat.wait(20), 130)
        chat.stdout.close()
        chat.stderr.close()

    def test_chat_fails(self):
        for args, key, code, word in ((('demo/echo', 'x'), None, 5, 'PENSTOCK_API_KEY'), (('demo/echo', 'x'), 'ps-wrong', 5, '401'),
                                      (('demo/fail-503', 'x'), True, 1, '503'), (('demo/cut', 'x'), True, 1, 'broke off'),
                                      (('demo/echo', 'x', '--url', f'http://127.0.0.1:{free_port()}'), True, 6, 'refused'),
                                      (('demo/echo', 'x', '--url', 'nonsense'), True, 2, 'url')):
            with self.subTest(args):
                done = self.chat(*args, key=key)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(word, done.stderr)

    def test_usage(self):
        self.chat('demo/echo', 'x')
        text = self.server.cli('usage').stdout
        self.assertIn('demo/echo', text)
        self.assertIn('test', text)
        for group in ('key', 'model', 'provider', 'day'):
            self.assertTrue(self.server.usage('--by', group))
        for endpoint in ('chat', 'responses', 'messages', 'generate_content', 'ollama', 'chain', 'shadow', 'images', 'speech', 'transcriptions',
                         'moderations', 'rerank', 'models', 'completions', 'embeddings', 'passthrough', 'other'):
            self.assertEqual({r['endpoint'] for r in self.server.usage('--endpoint', endpoint)}, {'chat'} & {endpoint})
        self.assertIn('NAME=VALUE', self.server.cli('usage', '--help').stdout)
        self.assertEqual(self.server.cli('usage', '--tag', 'env').returncode, 2)
        self.assertEqual(len(self.server.usage('--limit', '1')), 1)
        self.assertTrue(self.server.cli('usage', '--records', '--limit', '1').stdout)

    def test_second_server_on_the_same_data(self):
        done = run_cli('serve', '--data', self.server.data, '--listen', f'127.0.0.1:{free_port()}')
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(self.server.data, done.stderr)

    def test_port_in_use(self):
        with tempfile.TemporaryDirectory() as data, Conn(self.server.port):
            with socket.socket() as taken:
                taken.bind(('127.0.0.1', free_port()))
                taken.listen(1)
                address = f'127.0.0.1:{taken.getsockname()[1]}'
                done = run_cli('serve', '--data', data, '--listen', address)
            self.assertEqual(done.returncode, 1)
            self.assertIn(address, done.stderr)


class Start(unittest.TestCase):
    """What a start says, and which providers it finds."""

    def start(self, args=(), **env):
        server = Penstock(None, env=env, args=args)
        self.addCleanup(server.remove)
        # As on the very first start: no key was made before.
        shutil.rmtree(server.data)
        server.start()
        return server

    def models(self, server, key):
        return server.get('/v1/models', key=key).json()['data']

    def test_first_start(self):
        server = self.start()
        banner = server.log()
        self.assertIn(f'http://127.0.0.1:{server.port}', banner)
        self.assertIn('demo', banner)
        (key,) = set(re.findall(r'ps-[A-Za-z0-9]{49}', banner))
        names = [m['id'] for m in self.models(server, key)]
        self.assertIn('demo/echo', names)
        # The line that it offers works as it stands.
        curl = re.search(r'curl (.*\\\n)+.*', banner).group(0)
        done = subprocess.run(['bash', '-c', curl + ' -sS'], capture_output=True, text=True, timeout=30, env=clean_environment())
        self.assertIn('choices', json.loads(done.stdout), done.stdout + done.stderr)
        server.stop()
        before = len(server.log())
        server.start()
        self.assertNotIn(key, server.log()[before:], 'the first key was shown a second time')
        self.assertEqual(server.get('/v1/models', key=key).status, 200)
        server.stop()

    def test_providers_by_environment(self):
        server = self.start(OPENAI_API_KEY='sk-a', GROQ_API_KEY='gsk-b', ANTHROPIC_API_KEY='')
        banner = server.log()
        for word in ('openai', 'groq'):
            self.assertIn(word, banner)
        for word in ('anthropic', 'demo', 'sk-a', 'gsk-b'):
            self.assertNotIn(word, banner)
        server.stop()

    def test_a_provider_by_its_address(self):
        fake = FakeUpstream(key='sk-env').start()
        self.addCleanup(fake.stop)
        server = self.start(OPENAI_API_KEY='sk-env', OPENAI_BASE_URL=fake.base_url)
        server.key = server.create_key()['key']
        self.assertEqual(server.chat('gpt-4o-mini').status, 200)
        self.assertEqual(server.chat('openai/gpt-4o-mini').status, 200)
        self.assertEqual([s.model for s in fake.seen], ['gpt-4o-mini'] * 2)
        (record, _) = server.usage()
        self.assertTrue(record['price_known'] and record['cost_usd'] > 0)
        server.stop()

    def test_ready_soon(self):
        server = self.start()
        server.stop()
        begun = time.monotonic()
        server.start()
        print(f'ready after {1000 * (time.monotonic() - begun):.0f} ms')
        server.stop()

    def test_configuration_in_the_working_directory(self):
        server = Penstock(None)
        self.addCleanup(server.remove)
        with open(os.path.join(server.folder, 'penstock.yaml'), 'w', encoding='utf-8') as f:
            f.write('providers:\n  - {name: here, kind: demo}\n')
        server.start()
        self.assertEqual(server.chat('here/echo').status, 200)
        server.stop()

    def test_a_config_that_listens_elsewhere(self):
        port = free_port()
        server = Penstock(f'providers: [{{name: demo, kind: demo}}]\nlisteners: [{{address: "127.0.0.1:{port}"}}]\n')
        self.addCleanup(server.remove)
        server.start()  # --listen goes before it
        with self.assertRaises(OSError):
            Conn(port, timeout=2)
        server.stop()


if __name__ == '__main__':
    main()
